"""Information from nearest neighbours: the estimators of Kraskov and others, of Ross, and of Gao and others."""

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from scipy.special import digamma

from infoplane.errors import InputError
from infoplane.estimators._neighbors_judge import LN2, judged, mean_digamma
from infoplane.estimators._neighbors_scale import Scale
from infoplane.estimators._neighbors_search import Spaces, find
from infoplane.estimators._neighbors_shuffled import find_shuffled, moved
from infoplane.estimators._neighbors_space import NORMS, Labels, as_space
from infoplane.estimators._neighbors_sweep import Found, Task
from infoplane.estimators._neighbors_ties import find_ties, mean_with_ties, tied_terms
from infoplane.estimators.pair import LabelEstimator, Order, PairEstimator, PairValue, Variable, nothing_to_tell

Norm = Literal["max", "euclidean"]


def check_neighbors(name: str, k: int, norm: str, scale: str | None = "standard") -> None:
    """Refuse a number of neighbors below 1, unknown norms and unknown scales.

    Raises:
        InputError: names the parameter and what is expected.
    """
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
        raise InputError(f"{name} k is {k!r}; expected a whole number of neighbours, at least 1, such as 3")
    if norm not in NORMS:
        raise InputError(f"{name} norm is {norm!r}; expected one of {', '.join(NORMS)}")
    check_scale(name, scale)


def check_scale(name: str, scale: str | None) -> None:
    """Refuse unknown scales of columns.

    Raises:
        InputError: names the parameter and what is expected.
    """
    if scale not in ("standard", None):
        raise InputError(f"{name} scale is {scale!r}; expected 'standard' or None")


def check_enough(name: str, k: int, n: int) -> None:
    """Refuse fewer samples than a sample and its k neighbours need.

    Raises:
        InputError: names both numbers.
    """
    if n <= k:
        raise InputError(f"{name} k is {k} with {n} samples; expected k < N: use a smaller k or more samples")


class _Neighbors(PairEstimator):
    """What the estimators of this file share: search once, put the counts into a formula."""

    k: int
    norm: Norm
    scale: Scale

    @property
    @abc.abstractmethod
    def task(self) -> Task:
        """What is looked for among the neighbours."""

    @abc.abstractmethod
    def untied(self, n: int, spaces: Spaces, found: Found) -> float:
        """The formula for samples without shared distances, in nats; n is the number of all samples."""

    def nats(self, spaces: Spaces, found: Found) -> float:
        """Return the estimate in nats: the formula, and the mean over all orders where distances are shared."""
        n, ties = spaces[0].n, find_ties(spaces, found, rectangle=self.task.rectangle)
        if ties is None:
            return self.untied(n, spaces, found)
        rest = np.ones(n, bool)
        rest[ties.rows] = False
        n_rest = int(rest.sum())
        mean = self.untied(n, spaces, found.take(rest)) if n_rest else 0.0
        return mean_with_ties(mean, n_rest, tied_terms(ties), n)

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
        spaces = as_space(x, self.norm, self.scale), as_space(y, self.norm, self.scale)
        found = find([spaces], self.task)[0]
        return judged(self.nats(spaces, found) / LN2, spaces, found, self.k, dropped)

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return I(X;Y) in bits with the rows of y in each of several orders; distances are computed once."""
        check_enough(self.name, self.k, x.n)
        if nothing_to_tell(x, y) is not None or without_single_symbols(x, y)[2]:
            return super().between_shuffled(x, y, orders)
        spaces = as_space(x, self.norm, self.scale), as_space(y, self.norm, self.scale)
        searched = zip(orders, find_shuffled(spaces, orders, self.task), strict=True)
        return [self.nats(moved(spaces, order), found) / LN2 for order, found in searched]


def without_single_symbols(x: Variable, y: Variable) -> tuple[Variable, Variable, int]:
    """Leave out the samples of a mixed pair whose symbol no other sample has; also return how many there are."""
    if x.discrete == y.discrete:
        return x, y, 0
    codes = (x if x.discrete else y).values[:, 0]
    shared = np.bincount(codes)[codes] > 1
    if shared.all():
        return x, y, 0
    return x.take(shared), y.take(shared), int((~shared).sum())


@dataclasses.dataclass(frozen=True)
class Ksg1(_Neighbors):
    """Information between continuous variables from nearest neighbours: the first KSG estimator.

    With ε_i the distance from sample i to its k-th neighbour in the joint space, the larger of the distances in
    X and in Y, and n_x, n_y the numbers of other samples strictly nearer than ε_i in X alone and in Y alone,

        I = ψ(k) + ψ(N) − ⟨ψ(n_x + 1) + ψ(n_y + 1)⟩.

    Each column is divided by its standard deviation first, so that units do not matter. The value is raw: for
    independent data it scatters around 0.

    Args:
        k: neighbours. Small k has small bias and large scatter; strongly dependent data want 3, a test for
            independence a few hundredths of N.
        norm: distance within each variable, "max" over coordinates or "euclidean".
        scale: "standard" divides each column by its standard deviation, so that units do not matter; None divides all
            columns of a variable by the pooled one, so that a column with a small spread counts little.

    Range:
        At most ψ(N) − ψ(k), about log2(N/k) bits, however large the truth.

    Flags:
        ``ceiling``: above 70 % of that largest value; in practice the estimate stops growing there.
        ``high-dimension``: N < k·4^d for the intrinsic dimension d of the pairs; biased, mostly towards 0.
        ``ties``: more than 1 % of the samples have exact copies or shared distances. For these samples the mean over
        all orders of the equal distances is taken, and equal samples are counted as atoms; no noise is added.
        ``constant``: 0 bits; single constant coordinates change nothing.
        ``k-dependent``: between two coordinates k = 1 gives much more. With several columns the comparison would
        double the time and is not made: compare k = 1 with k = 10.
        ``outliers``: at most 5 % of the samples have a value 10 times farther from the median than all others, which
        would triple the standard deviation of the column. The standard deviation is then that of the other samples.

    When it misleads:
        Heavy tails and strong dependence in more than about 6 coordinates are underestimated.

    References:
        Kraskov, Stögbauer & Grassberger 2004, equation 8.

    Example:
        >>> import numpy as np, infoplane as ip
        >>> rng = np.random.default_rng(0)
        >>> x = rng.standard_normal(2000)
        >>> y = 0.8 * x + 0.6 * rng.standard_normal(2000)
        >>> print(f"{ip.mutual_information(x, y, 'ksg1').bits:.2f} of {-np.log2(0.6):.2f} bits")
        0.73 of 0.74 bits
    """

    k: int = 3
    norm: Norm = "max"
    scale: Scale = "standard"
    name: ClassVar[str] = "ksg1"
    kinds: ClassVar[tuple[str, ...]] = ("continuous",)

    def __post_init__(self) -> None:
        check_neighbors(self.name, self.k, self.norm, self.scale)

    @property
    def task(self) -> Task:
        """Count strictly within the k-th joint distance."""
        return Task(self.k)

    def untied(self, n: int, spaces: Spaces, found: Found) -> float:
        """Equation 8."""
        return float(digamma(self.k) + digamma(n)) - sum(mean_digamma(own + 1) for own in found.counts)


@dataclasses.dataclass(frozen=True)
class Ksg2(_Neighbors):
    """Information between continuous variables from nearest neighbours: the second KSG estimator.

    The k neighbours in the joint space span a rectangle around sample i: ε_x and ε_y are their largest distances
    in X and in Y. With n_x, n_y the numbers of other samples at most that far,

        I = ψ(k) − 1/k + ψ(N) − ⟨ψ(n_x) + ψ(n_y)⟩.

    Compared with `Ksg1` it has less bias where neighbourhoods are elongated and more scatter. Using the square
    in place of the rectangle is a common mistake that costs 1/k nats.

    Args:
        k: neighbours, as in `Ksg1`.
        norm: distance within each variable, "max" over coordinates or "euclidean".
        scale: "standard" divides each column by its standard deviation, so that units do not matter; None divides all
            columns of a variable by the pooled one, so that a column with a small spread counts little.

    Flags:
        As `Ksg1`. With values that repeat (``ties``) a rectangle may have no width, and the value is that of `Ksg1`.

    References:
        Kraskov, Stögbauer & Grassberger 2004, equation 9.
    """

    k: int = 3
    norm: Norm = "max"
    scale: Scale = "standard"
    name: ClassVar[str] = "ksg2"
    kinds: ClassVar[tuple[str, ...]] = ("continuous",)

    def __post_init__(self) -> None:
        check_neighbors(self.name, self.k, self.norm, self.scale)

    @property
    def task(self) -> Task:
        """Count within the rectangle of the neighbours, its edge included."""
        return Task(self.k, rectangle=True, closed=True)

    def untied(self, n: int, spaces: Spaces, found: Found) -> float:
        """Equation 9."""
        constant = float(digamma(self.k) + digamma(n)) - 1 / self.k
        return constant - sum(mean_digamma(own) for own in found.counts)


@dataclasses.dataclass(frozen=True)
class MixedKsg(_Neighbors, LabelEstimator):
    """Information between variables of any kind, atoms and mixtures included.

    With ρ_i the distance to the k-th neighbour in the joint space, n_x and n_y the numbers of samples nearer than
    that in X and in Y, sample i included, and k_i = k,

        I = ψ(N) + ⟨ψ(k_i) − ψ(n_x) − ψ(n_y)⟩;

    where ρ_i = 0, k_i, n_x and n_y are the numbers of samples equal to i. So it is `Ksg1` on continuous data, `Ross`
    for a label, and counting for atoms. Equal distances above 0 are treated as by `Ksg1`. The paper prints ln n in
    place of ψ(n), with the points at distance ρ_i counted: that needs large k, and is 0.46 nats too low at k = 3 for
    independent variables.

    Discrete variables are atoms: different symbols are farther apart than any coordinates, so neighbours are
    sought among samples of the same label and the codes of labels do not matter.

    Args:
        k: neighbours. A symbol with k samples or fewer uses all others of its own; the only sample of a symbol
            has no neighbour and is left out.
        norm: distance within each variable, "max" over coordinates or "euclidean".
        scale: "standard" divides each column by its standard deviation, so that units do not matter; None divides all
            columns of a variable by the pooled one, so that a column with a small spread counts little.

    Flags:
        ``ties``: here no fault, for atoms are counted as such. ``small-class``: symbols with at most k samples.
        ``ceiling``, ``high-dimension``, ``constant``, ``outliers``: as `Ksg1`. ``saturated``: within 0.1 bit of log2 N.

    When it misleads:
        As `Ksg1` in many dimensions. Atoms with few samples each are noisy: two discrete variables are better
        measured by ``plugin``.

    References:
        W. Gao, Kannan, Oh & Viswanath 2017, algorithm 1.
    """

    k: int = 3
    norm: Norm = "max"
    scale: Scale = "standard"
    name: ClassVar[str] = "mixed-ksg"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "discrete", "mixed")

    def __post_init__(self) -> None:
        check_neighbors(self.name, self.k, self.norm, self.scale)

    @property
    def task(self) -> Task:
        """Count strictly within the k-th joint distance, and what is equal where that is 0."""
        return Task(self.k, atoms=True)

    def untied(self, n: int, spaces: Spaces, found: Found) -> float:
        """The formula of the class."""
        neighbors = np.isfinite(found.distances).sum(axis=1)
        kth = np.take_along_axis(found.distances, neighbors[:, None] - 1, axis=1)[:, 0]
        own = np.where(kth == 0, found.within + 1, neighbors)
        return mean_digamma(own) + float(digamma(n)) - sum(mean_digamma(one + 1) for one in found.counts)


@dataclasses.dataclass(frozen=True)
class Ross(_Neighbors, LabelEstimator):
    """Information between a continuous variable and a discrete one.

    With d_i the distance in X from sample i to its k-th neighbour among the N_i samples of its own symbol, and m_i
    the number of samples of any symbol strictly nearer than d_i, itself included,

        I = ψ(N) + ⟨ψ(k_i)⟩ − ⟨ψ(N_i)⟩ − ⟨ψ(m_i)⟩,    k_i = min(k, N_i − 1).

    The number of symbols and their codes do not matter, nor their order; X may have several coordinates. For the
    label of a layer this is the accurate choice.

    Args:
        k: neighbours within the own symbol; the only sample of a symbol is left out.
        norm: distance between the continuous samples, "max" over coordinates or "euclidean".
        scale: as `Ksg1`.

    Flags:
        ``small-class``: symbols with at most k samples. ``ties``: more than 1 % of the samples have copies or
        shared distances, as saturated units do; treated as by `Ksg1`. ``high-dimension``: N_i < k·4^d on average.
        ``constant``: 0 bits.

    When it misleads:
        In many dimensions with few samples it falls below the truth. It may exceed H(Y) a little, and be slightly
        negative.

    References:
        Ross 2014, equations 2 and 3.
    """

    k: int = 3
    norm: Norm = "max"
    scale: Scale = "standard"
    name: ClassVar[str] = "ross"
    kinds: ClassVar[tuple[str, ...]] = ("mixed",)

    def __post_init__(self) -> None:
        check_neighbors(self.name, self.k, self.norm, self.scale)

    @property
    def task(self) -> Task:
        """Count strictly within the k-th distance among the same symbol."""
        return Task(self.k)

    def untied(self, n: int, spaces: Spaces, found: Found) -> float:
        """Equation 2, averaged over samples."""
        within, members = found.counts if isinstance(spaces[1], Labels) else found.counts[::-1]
        neighbors = np.minimum(self.k, members)
        mean = mean_digamma(neighbors) - mean_digamma(members + 1) - mean_digamma(within + 1)
        return float(digamma(n)) + mean
