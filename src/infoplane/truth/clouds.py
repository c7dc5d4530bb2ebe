"""Clouds of Gaussian points, one for each input: what a layer with random weights looks like, with its information."""

import dataclasses
import functools
import math

import numpy as np
from jaxtyping import Float, Int

from infoplane.truth.base import NAT, Distribution, Number, Pairs, check, generator

FEWEST = 8
"""Rounds of draws, one of every cloud each, before the error is looked at."""


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianClouds(Distribution):
    """X one of N inputs, each as likely, T normal with the mean and covariance of that input.

    I(X;T) = log N − E H(X|T): every draw t has the posterior p(x|t) ∝ N(t; μ_x, Σ_x), whose entropy is averaged
    over draws, as many of each input. Where labels are given, I(T;Y) = H(Y) − E H(Y|T) from the same draws. Both
    are known up to a standard error of at most ``precision``, by drawing until it is reached.

    Args:
        means: shape (N, d).
        roots: a root L of each covariance L Lᵀ, shape (N, d, d) and invertible.
        labels: class 0…C−1 of each input; without them I(T;Y) is not known.
        precision: standard error in bits.

    Raises:
        InputError: for shapes that do not fit together, or roots that cannot be inverted.

    Example:
        >>> from infoplane.truth import GaussianClouds
        >>> far = GaussianClouds.spread_out(n_inputs=8, dim=2, overlap=0.01)
        >>> round(far.information, 2)
        3.0
    """

    means: Float[np.ndarray, "input dim"]
    roots: Float[np.ndarray, "input dim dim"]
    labels: Int[np.ndarray, " input"] | None = None
    precision: Number = 0.002

    def __post_init__(self) -> None:
        n, dim = self.means.shape
        check(self.roots.shape == (n, dim, dim), "roots", f"of shape {self.roots.shape}", f"shape {(n, dim, dim)}")
        check(self.labels is None or len(self.labels) == n, "labels", "of another length", f"{n} labels")
        check(self.precision > 0, "precision", self.precision, "a positive number of bits")
        smallest = float(np.abs(np.linalg.det(self.roots)).min())
        check(smallest > 0, "smallest determinant of roots", smallest, "roots that can be inverted")

    @classmethod
    def spread_out(cls, n_inputs: int, dim: int, overlap: Number, seed: int = 0) -> "GaussianClouds":
        """Draw centres from N(0, I) and give every cloud the width ``overlap``, of its own shape and direction.

        The standard deviations along the axes of a cloud lie between half and one and a half times ``overlap``. The
        label of an input is the sign of its first coordinate.

        Args:
            n_inputs: N.
            dim: d.
            overlap: width of the clouds beside that of all centres; infinite for one common cloud N(0, I).
            seed: from which all is drawn.
        """
        check(overlap > 0, "overlap", overlap, "a positive width of the clouds")
        rng = generator(n_inputs, seed)
        means = rng.standard_normal((n_inputs, dim))
        labels = (means[:, 0] > 0).astype(np.int64)
        if math.isinf(overlap):
            return cls(np.zeros_like(means), np.broadcast_to(np.eye(dim), (n_inputs, dim, dim)).copy(), labels)
        axes = np.linalg.qr(rng.standard_normal((n_inputs, dim, dim)))[0]
        return cls(means, axes * (overlap * rng.uniform(0.5, 1.5, (n_inputs, 1, dim))), labels)

    @property
    def information(self) -> float:
        """I(X;T) in bits."""
        return self.known[0]

    @property
    def label_information(self) -> float:
        """I(T;Y) in bits; NaN without labels."""
        return self.known[1]

    @property
    def std_error(self) -> float:
        """Standard error of the two, the larger, in bits."""
        return self.known[2]

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs: x inputs, t coordinates."""
        x = rng.integers(0, len(self.means), (n, 1))
        noise = rng.standard_normal((n, self.means.shape[1], 1))
        return x, self.means[x[:, 0]] + (self.roots[x[:, 0]] @ noise)[..., 0]

    def samples(self, n_weights: int, seed: int = 0) -> Float[np.ndarray, "weights input dim"]:
        """Draw so many points of every cloud: what `infoplane.as_if_random` takes."""
        noise = generator(n_weights, seed).standard_normal((n_weights, *self.means.shape, 1))
        return self.means + (self.roots @ noise)[..., 0]

    @functools.cached_property
    def known(self) -> tuple[float, float, float]:
        """I(X;T), I(T;Y) and the larger of their standard errors, in bits."""
        rng = np.random.default_rng(2**32)
        left = [self._entropies_left(rng) for _ in range(FEWEST)]
        while (error := _error(every := np.concatenate(left, axis=1))) > self.precision:
            left += [self._entropies_left(rng) for _ in left]
        about_input, about_label = (float(left_open) for left_open in every.mean(axis=1))
        shares = np.bincount(self._codes) / len(self.means)
        of_label = -float(shares @ np.log2(np.maximum(shares, 1e-300))) - about_label
        return math.log2(len(self.means)) - about_input, math.nan if self.labels is None else of_label, error

    @property
    def _codes(self) -> Int[np.ndarray, " input"]:
        return np.zeros(len(self.means), np.int64) if self.labels is None else self.labels

    def _entropies_left(self, rng: np.random.Generator) -> Float[np.ndarray, "2 input"]:
        """H(X|t) and H(Y|t) in bits for one draw t of each cloud, with its mirror image."""
        n, dim = self.means.shape
        noise = rng.standard_normal((n, dim, 1))
        inverses = np.linalg.inv(self.roots)
        logs = np.log(np.abs(np.linalg.det(self.roots)))
        classes = self._codes[:, None] == np.arange(self._codes.max() + 1)
        found = []
        for sign in (1.0, -1.0):
            points = self.means + sign * (self.roots @ noise)[..., 0]
            moved = points - self.means[:, None]  # of each cloud, to each point
            along = moved @ inverses.transpose(0, 2, 1)
            log_density = -0.5 * np.einsum("cpd,cpd->pc", along, along) - logs
            log_density -= log_density.max(axis=1, keepdims=True)
            p = np.exp(log_density)
            p /= p.sum(axis=1, keepdims=True)
            found.append([_entropies(p), _entropies(p @ classes)])
        return np.mean(found, axis=0)


def _error(values: Float[np.ndarray, "quantity draw"]) -> float:
    """Standard error of the mean of each quantity, the larger."""
    return float(values.std(axis=1, ddof=1).max()) / math.sqrt(values.shape[1])


def _entropies(p: Float[np.ndarray, "point symbol"]) -> Float[np.ndarray, " point"]:
    from scipy.special import entr

    return entr(p).sum(axis=1) * NAT
