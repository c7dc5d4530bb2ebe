"""Multivariate Student-t variables: heavy tails, and information without any correlation."""

import dataclasses
import math

import numpy as np

from infoplane.truth.base import Distribution, Number, Pairs, check, check_bits
from infoplane.truth.marginals import StudentMarginal
from infoplane.truth.normal import Normal


@dataclasses.dataclass(frozen=True, eq=False)
class StudentT(Distribution):
    """X and Y jointly Student-t with mean zero and ν degrees of freedom.

    All coordinates share one random scale, √(ν/χ²), so that X and Y tell of each other even when the dispersion
    is the identity. With the entropy h_d of `StudentMarginal` and h(AX) = h(X) + log |det A|,
    I(X;Y) = h_dx + h_dy − h_dx+dy + I of the normal with covariance equal to the dispersion
    (Arellano-Valle, Contreras-Reyes & Genton 2013).

    Args:
        normal: the normal whose covariance is the dispersion.
        dof: degrees of freedom ν > 0; 1 is Cauchy, infinity would be the normal itself.

    Raises:
        InputError: for degrees of freedom that are not positive and finite.
    """

    normal: Normal
    dof: Number

    def __post_init__(self) -> None:
        check(self.dof > 0 and math.isfinite(self.dof), "dof", self.dof, "a positive number")

    @classmethod
    def identity(cls, dims: tuple[int, int], dof: Number) -> "StudentT":
        """Return the one whose dispersion is the identity: nothing but the shared scale relates X and Y."""
        return cls(Normal.pairs([], dims), dof)

    @classmethod
    def from_information(cls, bits: Number, dims: tuple[int, int] = (1, 1), dof: Number = 3.0) -> "StudentT":
        """Return the one with these bits: what the shared scale does not give, correlated pairs do.

        Raises:
            InputError: for fewer bits than the shared scale alone has.
        """
        shared = cls.identity(dims, dof).information
        check_bits(bits, above=shared)
        return cls(Normal.from_information(bits - shared, dims), dof)

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        total = len(self.normal.covariance)
        h_x, h_y, h_joint = (
            StudentMarginal(dims, self.dof).entropy
            for dims in (self.normal.dim_x, total - self.normal.dim_x, total)
        )  # fmt: skip
        return h_x + h_y - h_joint + self.normal.information

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs."""
        x, y = self.normal.draw(n, rng)
        scale = np.sqrt(self.dof / rng.chisquare(self.dof, (n, 1)))
        return x * scale, y * scale
