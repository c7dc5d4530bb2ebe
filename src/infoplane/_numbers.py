"""Numbers as people read them."""

import math
from typing import SupportsFloat

DIGITS = 4
"""Significant digits in tables and sentences; also the most decimals, as estimates are no finer."""


def digits(value: SupportsFloat) -> str:
    """Return a number with at most four significant digits and four decimals; "–" for one that is not finite.

    >>> [digits(value) for value in (12, 11.9986, 0.99919, 0.00141, 0.0, -4.58341)]
    ['12.00', '12.00', '0.9992', '0.0014', '0', '-4.583']
    """
    number = float(value)
    if not math.isfinite(number):
        return "–"
    rounded = float(f"{number:.{DIGITS}g}")
    if not round(rounded, DIGITS):
        return "0"
    decimals = DIGITS - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{min(max(decimals, 0), DIGITS)}f}"
