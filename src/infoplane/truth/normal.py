"""Multivariate normal variables."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from infoplane.truth.base import NAT, Distribution, Number, Pairs, check, check_bits


@dataclasses.dataclass(frozen=True, eq=False)
class Normal(Distribution):
    """X and Y jointly normal with mean zero.

    The entropy of a normal vector with covariance Σ is ½ log det(2πe Σ), so
    I(X;Y) = h(X) + h(Y) − h(X,Y) = ½ log (det Σ_x det Σ_y / det Σ), the factors 2πe cancelling
    (Cover & Thomas 2006, theorem 8.4.1).

    Args:
        covariance: positive definite, shape (total, total), the coordinates of X first.
        dim_x: how many coordinates belong to X.

    Raises:
        InputError: for a matrix that is not symmetric positive definite, or without a coordinate on each side.

    Example:
        >>> from infoplane.truth import Normal
        >>> wanted = Normal.from_information(bits=2.0, dims=(5, 5))
        >>> round(wanted.information, 12), wanted.sample(1000)[0].shape
        (2.0, (1000, 5))
    """

    covariance: Float[np.ndarray, "total total"]
    dim_x: int = 1

    def __post_init__(self) -> None:
        total = len(self.covariance)
        check(1 <= self.dim_x < total, "dim_x", self.dim_x, f"between 1 and {total - 1}, so that Y has coordinates too")
        check(np.allclose(self.covariance, self.covariance.T), "covariance", "not symmetric", "a symmetric matrix")
        lowest = float(np.linalg.eigvalsh(self.covariance)[0])
        check(lowest > 0, "lowest eigenvalue of covariance", lowest, "a positive definite matrix")

    @classmethod
    def pairs(cls, correlations: Sequence[Number], dims: tuple[int, int]) -> "Normal":
        """Correlate coordinate i of X with coordinate i of Y, all else being independent with variance 1.

        The information is −½ Σ log(1 − ρ_i²).

        Args:
            correlations: ρ_i of the first coordinates, one a pair.
            dims: number of coordinates of X and of Y.

        Raises:
            InputError: for more pairs than coordinates, or correlations not between −1 and 1.
        """
        check(min(dims) >= 1, "dims", dims, "at least one coordinate on each side")
        check(len(correlations) <= min(dims), "correlations", correlations, f"at most {min(dims)} of them")
        covariance = np.eye(sum(dims))
        for i, correlation in enumerate(correlations):
            covariance[i, dims[0] + i] = covariance[dims[0] + i, i] = correlation
        return cls(covariance, dims[0])

    @classmethod
    def dense(cls, correlation: Number, dims: tuple[int, int]) -> "Normal":
        """Correlate all coordinates equally, those within X and within Y too."""
        check(min(dims) >= 1, "dims", dims, "at least one coordinate on each side")
        return cls((1 - correlation) * np.eye(sum(dims)) + correlation, dims[0])

    @classmethod
    def from_information(cls, bits: Number, dims: tuple[int, int] = (1, 1)) -> "Normal":
        """Return the normal with these bits, spread equally over min(dims) pairs of coordinates.

        Each of m pairs holds bits / m = −½ log2(1 − ρ²), hence ρ = √(1 − 2^(−2 bits / m)).

        Raises:
            InputError: for negative bits, or more than about 26 bits a pair, where ρ rounds to 1.
        """
        check_bits(bits)
        n_pairs = max(min(dims), 1)
        correlation = float(np.sqrt(-np.expm1(-2 * bits / n_pairs / NAT)))
        return cls.pairs([correlation] * n_pairs, dims)

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        x, both = slice(self.dim_x), slice(self.dim_x, None)
        parts = (self.covariance[x, x], self.covariance[both, both], self.covariance)
        log_x, log_y, log_joint = (float(np.linalg.slogdet(part)[1]) for part in parts)
        return (log_x + log_y - log_joint) / 2 * NAT

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs."""
        joint = rng.standard_normal((n, len(self.covariance))) @ np.linalg.cholesky(self.covariance).T
        return joint[:, : self.dim_x], joint[:, self.dim_x :]
