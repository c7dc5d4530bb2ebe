"""Whether a model of the dependence claims more than there is: its density ratio over independent pairs."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators import _covariance as covariance
from infoplane.estimators._auto_coordinates import OfX, OfY, whitened_scores
from infoplane.estimators._neighbors_judge import LN2
from infoplane.estimators.pair import Variable

_SHIFTS = 20
"""How many other samples of y each sample of x is put beside."""

_ALLOWED = 0.05
"""Nats above 0 that chance and rounding of a smoothed density are given."""

Pairs = Float[np.ndarray, "sample pair"]
Correlations = Float[np.ndarray, " pair"]
LogRatio = Callable[[Int[np.ndarray, " sample"]], Float[np.ndarray, " sample"]]
"""ln p(x,y)/p(x)p(y) of a model for every x beside the sample of y with the given number."""


def excess(log_ratio: LogRatio, n: int) -> float:
    """Logarithm of the mean density ratio over independent pairs, in nats.

    The mean is 1 for any p(x,y) with the marginals of the data: the ratio divides by them. A model that takes one
    thing seen in several coordinates for several things has a mean far above 1. By the bound of Donsker and Varadhan
    (1983), I ≥ ⟨ln r⟩ − ln⟨r⟩ for any ratio r, the information is at least the model's less this excess.

    It is the median over 20 ways to pair x with y: the few pairs that carry the mean of a strong ratio are then seen
    in few of them, and the excess is too low rather than too high.
    """
    order = np.random.default_rng(0).permutation(n)
    place = np.argsort(order)
    shifts = np.unique(np.linspace(1, n - 1, min(_SHIFTS, n - 1)).astype(int))
    return float(np.median([_log_mean(log_ratio(order[(place + shift) % n])) for shift in shifts]))


def _log_mean(logs: Float[np.ndarray, " sample"]) -> float:
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).mean()))


def claims_too_much(nats: float) -> bool:
    """Say whether an excess is more than chance."""
    return nats > _ALLOWED


def gaussian_bound(x: Variable, y: Variable) -> float:
    """A bound below I(X;Y) in bits: that of Donsker and Varadhan for the ratio of a Gaussian with these correlations.

    It holds whatever the distribution, up to the scatter of the two means. The correlations are those of the samples
    themselves; what Gaussian samples exaggerate them by on average is taken off.
    """
    both = _canonical(x.values, y.values)
    of_x, of_y, of_both = (covariance.log_determinant_bias(x.n, dims) for dims in (x.dims, y.dims, x.dims + y.dims))
    exaggerated = (of_x + of_y - of_both) / 2
    return (float(_log_ratio(*both).mean()) - exaggerated - max(0.0, _gaussian_excess(*both))) / LN2


def copula_excess(x: Variable, y: Variable) -> float:
    """By how much the Gaussian copula claims too much, in nats."""
    return _gaussian_excess(*_canonical(whitened_scores(x), whitened_scores(y)))


def _canonical(x: OfX, y: OfY) -> tuple[Pairs, Pairs, Correlations]:
    """Canonical coordinates with variance 1 of both sides, and their correlations."""
    left, right = (covariance.orthonormal(covariance.standardise(one)) for one in (x, y))
    turn_x, cosines, turn_y = np.linalg.svd(left.T @ right, full_matrices=False)
    unit = math.sqrt(len(x))
    return left @ turn_x * unit, right @ turn_y.T * unit, np.minimum(cosines, 1 - 1e-12)


def _log_ratio(x: Pairs, y: Pairs, correlations: Correlations) -> Float[np.ndarray, " sample"]:
    """Ln p(x,y)/p(x)p(y) of a Gaussian in its canonical coordinates."""
    square = correlations**2
    terms = (2 * correlations * x * y - square * (x * x + y * y)) / (2 * (1 - square))
    return terms.sum(axis=1) - 0.5 * float(np.log1p(-square).sum())


def _gaussian_excess(x: Pairs, y: Pairs, correlations: Correlations) -> float:
    seen = correlations > 2 / math.sqrt(len(x))  # the others are chance, and cancel
    if not seen.any():
        return 0.0
    x, y, correlations = x[:, seen], y[:, seen], correlations[seen]
    return excess(lambda rows: _log_ratio(x, y[rows], correlations), len(x))
