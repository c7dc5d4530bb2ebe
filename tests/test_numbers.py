"""Numbers as people read them: at most four significant digits and four decimals."""

import math

import pytest

from infoplane._numbers import digits


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.0, "12.00"),
        (11.9986, "12.00"),
        (9.99960, "10.00"),  # rounding adds a digit before the point
        (4.58341, "4.583"),
        (0.99919, "0.9992"),
        (0.00141, "0.0014"),
        (0.00004, "0"),
        (0.0, "0"),
        (-0.0, "0"),
        (-2.71828, "-2.718"),
        (1234.56, "1235"),
        (4096, "4096"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_a_number_has_at_most_four_significant_digits(value, text):
    assert digits(value) == text
