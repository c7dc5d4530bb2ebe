"""Differential entropy from nearest neighbours (Kozachenko and Leonenko), and information as sums of it."""

import dataclasses
import math
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import digamma, gammaln

from infoplane.errors import InputError
from infoplane.estimators._neighbors_judge import FILLED, LN2, TIES_SHARE, dependent_columns, intrinsic_dimension
from infoplane.estimators._neighbors_scale import Scale, Scaled, off_the_grid, scaled, wild_words
from infoplane.estimators._neighbors_search import find
from infoplane.estimators._neighbors_shuffled import find_shuffled
from infoplane.estimators._neighbors_space import Labels, Space
from infoplane.estimators._neighbors_sweep import Task
from infoplane.estimators.base import Estimate
from infoplane.estimators.neighbors import Norm, check_enough, check_neighbors, without_single_symbols
from infoplane.estimators.pair import (
    LabelEstimator,
    Order,
    PairValue,
    Variable,
    as_variable,
    nothing_to_tell,
    to_coordinates,
)

_CHANGE, _CHANGE_ERRORS = 0.25, 6.0
"""``k-dependent`` is raised where k = 1 gives so many bits, and so many standard errors, more or less than k."""


@dataclasses.dataclass(frozen=True)
class _Entropy:
    """A differential entropy in nats and what its search showed.

    ``change`` is for each sample what k = 1 adds to the entropy in nats; None with k = 1 and where samples are equal.
    """

    nats: float
    copies: int
    tied: float
    dimension: float
    n: int
    change: Float[np.ndarray, " sample"] | None = None


class _Notes(NamedTuple):
    """What there is to remark: units, whether values were on a grid, whether much changes with k."""

    units: list[Scaled]
    grid: str = ""
    changes: str = ""


@dataclasses.dataclass(frozen=True)
class Kl(LabelEstimator):
    """Differential entropy from nearest neighbours, and information as entropies added and subtracted.

    With ε_i the distance from sample i to its k-th neighbour and V_d the volume of the unit ball in d dimensions,

        h = ψ(N) − ψ(k) + ln V_d + (d/N) Σ_i ln ε_i,

    I(X;Y) = h(X) + h(Y) − h(X,Y) for coordinates, and h(X) − Σ_y p(y) h(X|Y=y) for a discrete Y. The biases of
    the entropies do not cancel, as they do in `Ksg1` and `Ross`, which are to be preferred for information; what
    this estimator is for is the entropy (`infoplane.entropy`).

    Args:
        k: neighbours.
        weighted: mix the estimates of several numbers of neighbours up to k so that the leading terms of the bias
            cancel (⌊d/4⌋ of them, for d of 4 and more); k has to be at least d and should grow with N.
        norm: distance, "max" over coordinates or "euclidean".
        scale: "standard" divides each column by its standard deviation for the search, None by the pooled one of the
            variable. Entropies are in the units of the data either way.

    Flags:
        ``ties``: more than 1 % of the samples have copies. Values on a grid are first spread evenly over its cells,
        which changes no information and gives the entropy of the density that the grid samples. Elsewhere, where k
        copies of a sample exist, the density is infinite: the entropy is −∞ and the information NaN.
        ``high-dimension``: N < k·4^d for the intrinsic dimension d. ``small-class``: classes with at most k samples
        use fewer neighbors. ``outliers``: as `Ksg1`. ``manifold``: columns that are copies or linear combinations of
        others, or for an entropy constant: it is −∞, and the number depends on N. ``constant``: 0 bits.
        ``k-dependent``: k = 1 gives another information between coordinates, as where y is a function of x.

    When it misleads:
        The bias of an entropy grows like (k/N)^(2/d) and is visible from d = 4 on; that from the tails of a density
        does not depend on k, and the weights leave it: for normal data in 4 to 8 dimensions and up to 8000 samples
        they were measured to be no better than k = 3 without. Data on a surface of lower
        dimension than their coordinates have entropy −∞, and the number depends on N.

    References:
        Kozachenko & Leonenko 1987; Kraskov, Stögbauer & Grassberger 2004, equation 20 (k-th neighbour);
        Berrett, Samworth & Yuan 2019 (weights).

    Example:
        >>> import numpy as np, infoplane as ip
        >>> x = np.random.default_rng(0).random(5000)
        >>> print(f"{ip.entropy(8 * x, 'kl').bits:.2f} of 3 bits")
        3.01 of 3 bits
    """

    k: int = 3
    weighted: bool = False
    norm: Norm = "max"
    scale: Scale = "standard"
    name: ClassVar[str] = "kl"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "mixed")

    def __post_init__(self) -> None:
        check_neighbors(self.name, self.k, self.norm, self.scale)
        if not isinstance(self.weighted, bool):
            raise InputError(f"kl weighted is {self.weighted!r}; expected True or False")

    def entropy(self, x: Any) -> Estimate:
        """Return the differential entropy of the rows of x (sample, dim) in bits; it may be negative.

        Raises:
            InputError: for symbols, values that are not finite, and fewer than k + 1 samples.
        """
        variable = as_variable(x, "x")
        if variable.discrete:
            raise InputError(f"x is discrete; expected coordinates for 'kl': use 'exact'{to_coordinates(variable)}")
        check_enough(self.name, self.k, variable.n)
        start = time.perf_counter()
        n_constant = variable.dims - variable.varying.shape[1]
        if n_constant:
            flag = "constant" if n_constant == variable.dims else "manifold"
            reason = f"{n_constant} of {variable.dims} coordinates are constant"
            value = PairValue(-math.inf, frozenset({flag}), reason)
        else:
            moved, words = off_the_grid(variable)
            unit = scaled(moved.values, self.scale, limited=False)
            found = self._entropy(unit.in_units)
            value = self._judged(found.nats / LN2 + unit.log2_units.sum(), [found], _Notes([unit], words))
        return Estimate(
            bits=value.bits, flags=value.flags, reason=value.reason, n=variable.n, dims=(variable.dims,),
            estimator=self.name, params=self.params, seconds=time.perf_counter() - start,
        )  # fmt: skip

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) in bits; see the class."""
        check_enough(self.name, self.k, x.n)
        x, y, dropped = without_single_symbols(x, y)
        if not x.n:
            reason = "no two samples have the same label, so no sample has a neighbour"
            return PairValue(math.nan, frozenset({"small-class"}), reason)
        told = nothing_to_tell(x, y)
        if told is not None:
            return told
        x, y, words = off_the_grid(x, y)
        units = [scaled(one.varying, self.scale) for one in (x, y) if not one.discrete]
        notes = _Notes(units, words)
        if x.discrete or y.discrete:
            codes = (x if x.discrete else y).values[:, 0]
            return self._of_label(units[0].in_units, codes, dropped, notes)
        both = [unit.in_units for unit in units]
        found = [self._entropy(points) for points in (*both, np.hstack(both))]
        notes = notes._replace(changes="" if self.weighted else _changes_with_k(found, self.k))
        return self._judged((found[0].nats + found[1].nats - found[2].nats) / LN2, found, notes)

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return I(X;Y) in bits with the rows of y in each of several orders; h(X) and h(Y) are measured once."""
        check_enough(self.name, self.k, x.n)
        x, y, _ = off_the_grid(x, y)
        if nothing_to_tell(x, y) is not None or without_single_symbols(x, y)[2]:
            return super().between_shuffled(x, y, orders)
        if x.discrete or y.discrete:
            moves = [np.argsort(order) for order in orders] if x.discrete else orders
            points, codes = (y, x.values[:, 0]) if x.discrete else (x, y.values[:, 0])
            return self._of_moved_label(self._unit(points), codes.astype(np.int64), moves)
        if self.norm != "max":
            return super().between_shuffled(x, y, orders)
        both = self._unit(x), self._unit(y)
        alone = [self._entropy(points) for points in both]
        spaces, dims = (Space(both[0], 1.0), Space(both[1], 1.0)), both[0].shape[1] + both[1].shape[1]
        bits = []
        for found in find_shuffled(spaces, orders, Task(self.k, counts=False)):
            joint = self._of_distances(found.distances, dims)
            bits.append(
                self._judged((alone[0].nats + alone[1].nats - joint.nats) / LN2, [*alone, joint], _Notes([])).bits
            )
        return bits

    def _unit(self, variable: Variable) -> Float[np.ndarray, "sample dim"]:
        """The coordinates in units of their spread, without those that are constant."""
        return scaled(variable.varying, self.scale).in_units

    def _of_moved_label(
        self, points: Float[np.ndarray, "sample dim"], codes: Int[np.ndarray, " sample"], orders: Sequence[Order]
    ) -> list[float]:
        """h(X) − Σ_y p(y) h(X|Y=y) with the labels in each of several orders."""
        whole, dims, bits = self._entropy(points), points.shape[1], []
        spaces = Space(points, 1.0, self.norm), Labels(codes)
        counts = np.unique(codes, return_counts=True)
        for order, found in zip(orders, find_shuffled(spaces, orders, Task(self.k, counts=False)), strict=True):
            classes = [
                self._of_distances(found.distances[codes[order] == code, : count - 1], dims)
                for code, count in zip(*counts, strict=True)
            ]
            bits.append(self._of_classes(whole, classes, _Notes([])).bits)
        return bits

    def _of_label(
        self, points: Float[np.ndarray, "sample dim"], codes: Int[np.ndarray, " sample"], dropped: int, notes: _Notes
    ) -> PairValue:
        """h(X) − Σ_y p(y) h(X|Y=y)."""
        whole = self._entropy(points)
        classes = [self._entropy(points[codes == code]) for code in np.unique(codes)]
        return self._of_classes(whole, classes, notes, dropped)

    def _of_classes(self, whole: _Entropy, classes: list[_Entropy], notes: _Notes, dropped: int = 0) -> PairValue:
        """Put the entropies of the whole and of the classes together."""
        within = math.fsum(one.n * one.nats for one in classes) / whole.n
        small = sum(one.n <= self.k for one in classes)
        words = f"{small} classes have at most k = {self.k} samples and use fewer neighbours" if small else ""
        words += f"{'; ' if small else ''}{dropped} samples left out: the only ones of their class" if dropped else ""
        return self._judged((whole.nats - within) / LN2, [whole, *classes], notes, words)

    def _entropy(self, points: Float[np.ndarray, "sample dim"]) -> _Entropy:
        """Entropy of points in nats; fewer neighbours where there are not k others."""
        n, dims = points.shape
        k = min(self.k, n - 1)
        return self._of_distances(find([(Space(points, 1.0, self.norm),)], Task(k, counts=False))[0].distances, dims)

    def _of_distances(self, distances: Float[np.ndarray, "sample k"], dims: int) -> _Entropy:
        """Entropy in nats of points in so many dimensions with these distances to their neighbours."""
        n, k = distances.shape
        weights = _weights(k, dims) if self.weighted else np.eye(k)[-1]
        used = np.flatnonzero(weights)
        nearest = distances[:, used]
        copies = int((nearest[:, 0] == 0).sum())
        nats = -math.inf
        if not copies:
            mean_logs = np.array([math.fsum(column) for column in np.log(nearest).T]) / n
            terms = digamma(n) - digamma(used + 1) + _log_ball(dims, self.norm) + dims * mean_logs
            nats = float(weights[used] @ terms)
        tied = float((distances[:, 0] == 0).mean())
        change = None
        if k > 1 and not tied:
            change = dims * np.log(distances[:, 0] / distances[:, -1]) + digamma(k) - digamma(1)
        return _Entropy(nats, copies, tied, intrinsic_dimension(distances), n, change)

    def _judged(self, bits: float, found: list[_Entropy], about: _Notes, small: str = "") -> PairValue:
        """Return a value with its flags and reasons."""
        notes = {"small-class": small, "outliers": wild_words(sum(unit.n_wild for unit in about.units))}
        notes["k-dependent"] = about.changes
        notes["manifold"] = "; ".join(filter(None, (dependent_columns(unit.in_units) for unit in about.units)))
        tied, copies = max(one.tied for one in found), max(one.copies for one in found)
        if tied > TIES_SHARE or copies:
            notes["ties"] = f"{tied:.0%} of the samples have exact copies"
        if copies:
            notes["ties"] += f", {copies} of them at least k: the density is infinite there; use mixed-ksg"
        elif about.grid:
            notes["ties"] = about.grid
        large = [one for one in found if one.n > self.k]
        limits = [one for one in large if one.dimension > math.log(one.n / self.k) / math.log(FILLED)]
        if limits:
            worst = max(limits, key=lambda one: one.dimension)
            notes["high-dimension"] = f"intrinsic dimension {worst.dimension:.1f} is too high for {worst.n} samples"
        raised = {flag: words for flag, words in notes.items() if words}
        if len(found) > 1 and copies:
            bits = math.nan
        return PairValue(bits, frozenset(raised), "; ".join(raised.values()))


def _changes_with_k(found: list[_Entropy], k: int) -> str:
    """Say how much the information of two variables changes from 1 to k neighbors, if it is more than scatter."""
    x, y, both = (one.change for one in found)
    if x is None or y is None or both is None:
        return ""
    change = x + y - both
    bits, error = float(change.mean()) / LN2, float(change.std()) / math.sqrt(len(change)) / LN2
    if abs(bits) <= max(_CHANGE, _CHANGE_ERRORS * error):
        return ""
    more = "more" if bits > 0 else "less"
    sure = f", {abs(bits) / error:.0f} standard errors" if error else " in every sample"
    return (
        f"k = 1 gives {abs(bits):.2f} bits {more} than k = {k}{sure}: the density changes between neighbors; "
        "use ksg1 or more samples"
    )


def _log_ball(dims: int, norm: str) -> float:
    """Ln of the volume of the unit ball."""
    if norm == "max":
        return dims * LN2
    return dims / 2 * math.log(math.pi) - float(gammaln(dims / 2 + 1))


@cache
def _weights(k: int, dims: int) -> Float[np.ndarray, " k"]:
    """Weights of 1 … k neighbours that cancel the leading terms of the bias (Berrett, Samworth and Yuan 2019).

    The smallest weights in norm with Σ w_j = 1 and Σ w_j Γ(j + 2l/d)/Γ(j) = 0 for l = 1 … ⌊d/4⌋, on the numbers
    of neighbours ⌊k/d⌋, ⌊2k/d⌋, …, k.

    Raises:
        InputError: where k is below d.
    """
    if k < dims:
        raise InputError(
            f"kl k is {k} with weighted=True in {dims} dimensions; expected k of at least {dims} (and as many other "
            "samples): increase k or use weighted=False"
        )
    support = np.arange(1, dims + 1) * k // dims
    orders = np.arange(dims // 4 + 1)[:, None]
    # Each condition divided by its largest entry: Γ ratios differ by orders of magnitude.
    conditions = np.exp(gammaln(support + 2 * orders / dims) - gammaln(support))
    conditions /= conditions.max(axis=1, keepdims=True)
    goal = np.zeros(len(conditions))
    goal[0] = 1.0
    weights = np.zeros(k)
    weights[support - 1] = np.linalg.lstsq(conditions, goal)[0]
    return weights
