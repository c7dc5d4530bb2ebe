"""Information of ranks: each coordinate made normal by its rank, then a Gaussian or neighbours."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.pair import LabelEstimator, Order, PairEstimator, PairValue, Variable, nothing_to_tell

TIED_SHARE = 0.01
"""Share of tied values above which the flag ``ties`` is raised; random data in float32 stay far below."""


@dataclasses.dataclass(frozen=True)
class Copula(LabelEstimator):
    """Mutual information after each coordinate was made standard normal by its rank, in bits.

    Every coordinate u becomes Φ⁻¹(rank(u) / (N+1)), ties taking their mean rank. Mutual information does not change
    under such maps, but its estimators do: the value is the same, bit by bit, under every increasing map of every
    coordinate, so heavy tails and saturation do no harm.

    With ``then="gaussian"`` it is the `Gaussian` formula on these scores: the information of the Gaussian copula with
    the scores' correlations. For one coordinate each side that is a lower bound: of all joint distributions with
    these correlations of normal scores the Gaussian copula has the least information (the estimate of it scatters
    around the bound, and may lie above the truth in a sample). For several coordinates it is the least among those in
    which each side by itself has a Gaussian copula, and otherwise no bound. With a label, `Gaussian` says what it is.

    With ``then="ksg1"`` the nearest-neighbour estimator works on the scores (for a label that of Ross): no model of
    the dependence, with the marginals tamed.

    Args:
        then: what measures the scores, ``"gaussian"`` or ``"ksg1"``.
        k: number of neighbours, for ``"ksg1"``.
        norm: distance within each variable, for ``"ksg1"``: "max" over coordinates or "euclidean".
        correction: as in `Gaussian`, for ``"gaussian"``. Ranks fluctuate less than Gaussian data and the bias of the
            plug-in value is slightly smaller, so that the correction is not exact here.
        shrinkage: as in `Gaussian`, for ``"gaussian"``.

    When it misleads: ``"gaussian"`` sees monotone dependence only: circles, spirals and Student's t with independent
    coordinates come out near 0. Rotations of a side change the value.

    Flags: ``ties`` where more than 1 % of the values equal another one of their coordinate (constant coordinates do
    not count), and those of what measures the scores.

    References:
        J. Ma and Z. Sun 2011 (information is the copula's entropy); R. Ince et al. 2017 (Gaussian copula).

    Example:
        >>> import numpy as np
        >>> from infoplane.estimators.copula import Copula
        >>> x, noise = np.random.default_rng(0).standard_normal((2, 10_000))
        >>> y = 0.8 * x + 0.6 * noise
        >>> Copula()(np.exp(5 * x), y**3).bits == Copula()(x, y).bits
        True
    """

    name: ClassVar[str] = "copula"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "mixed")

    then: Literal["gaussian", "ksg1"] = "gaussian"
    k: int = 3
    norm: Literal["max", "euclidean"] = "max"
    correction: bool = True
    shrinkage: Literal["auto", "none", "ledoit-wolf"] = "auto"

    def __post_init__(self) -> None:
        if self.then not in ("gaussian", "ksg1"):
            raise InputError(f"then is {self.then!r}; expected 'gaussian' or 'ksg1'")
        Gaussian(self.correction, self.shrinkage)
        neighbors(self.k, self.norm, labelled=False)

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) of checked variables of equal length, at most one of them discrete."""
        known = nothing_to_tell(x, y)
        if known is not None:
            return known
        value = self._measure(x, y).between(normal_scores(x), normal_scores(y))
        ties = [*_ties("x", x), *_ties("y", y)]
        if not ties:
            return value
        reason = "; ".join(text for text in (*ties, value.reason) if text)
        return dataclasses.replace(value, flags=value.flags | {"ties"}, reason=reason)

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return I(X;Y) in bits with the rows of y in each of several orders; ranks are taken once."""
        if nothing_to_tell(x, y) is not None:
            return [0.0] * len(orders)
        return self._measure(x, y).between_shuffled(normal_scores(x), normal_scores(y), orders)

    def settled(self, x: Variable, y: Variable) -> "Copula":
        """Return the estimator with ``shrinkage`` as "auto" chooses it here, for use on parts of the samples."""
        return dataclasses.replace(self, shrinkage=Gaussian(self.correction, self.shrinkage).settled(x, y).shrinkage)

    def _measure(self, x: Variable, y: Variable) -> PairEstimator:
        """Return what measures the scores."""
        if self.then == "gaussian":
            return Gaussian(self.correction, self.shrinkage)
        return neighbors(self.k, self.norm, labelled=x.discrete or y.discrete)


def neighbors(k: int, norm: Literal["max", "euclidean"], *, labelled: bool) -> PairEstimator:
    """Return the nearest-neighbour estimator for two continuous variables, or for one and a label."""
    from infoplane.estimators.neighbors import Ksg1, Ross

    return Ross(k, norm) if labelled else Ksg1(k, norm)


def normal_scores(variable: Variable) -> Variable:
    """Turn each coordinate into standard normal quantiles of its ranks; symbols stay as they are.

    Constant coordinates go, but for one where all are constant.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    if variable.discrete:
        return variable
    columns = variable.varying if not variable.constant else variable.values[:, :1]
    ranks, last = rankdata(columns, axis=0), variable.n + 1
    # One half of the quantiles is the other half negated, bit by bit, so that equal distances of scores are equal.
    lower = ndtri(np.minimum(ranks, last - ranks) / last)
    return Variable(np.where(2 * ranks > last, -lower, lower), False, variable.dims)


def _ties(side: str, variable: Variable) -> list[str]:
    """Say which share of the values equals another value of the same coordinate."""
    if variable.discrete:
        return []
    tied = tied_share(variable.varying)
    return [f"{tied:.1%} of the values of {side} are tied"] if tied > TIED_SHARE else []


def tied_share(values: Float[np.ndarray, "sample dim"]) -> float:
    """Share of values that equal another one of the same column."""
    ordered = np.sort(values, axis=0)
    equal = np.zeros((len(values) + 1, values.shape[1]), bool)
    equal[1:-1] = ordered[1:] == ordered[:-1]
    return float((equal[1:] | equal[:-1]).mean())
