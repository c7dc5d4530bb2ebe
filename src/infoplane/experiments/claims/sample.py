"""What a claim is asked of: a number for each member, or the word that a result lacks it."""

import dataclasses

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, " member"]
"""One number for each network; NaN where a network has none."""


class LackingError(Exception):
    """A result lacks what a claim needs; the text says what."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """A quantity of every member under one setting.

    Attributes:
        name: the setting, where there are several.
        values: the quantity, a number for each member.
        other: of what is compared with it, a number for each member; the estimate is then mean minus mean.
        left_out: members that are not in it, and why.
    """

    name: str
    values: Values
    other: Float[np.ndarray, " other"] | None = None
    left_out: str = ""
