"""Mutual information by whatever suits the data: measured in several ways, chosen by rules, with the reason."""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError
from infoplane.estimators._auto_candidates import (
    Candidate,
    K,
    Scores,
    candidates,
    dimension,
    filled_dimension,
    near_ceiling,
)
from infoplane.estimators._auto_coordinates import whitened_scores
from infoplane.estimators._auto_elliptical import Elliptical
from infoplane.estimators._auto_excess import claims_too_much
from infoplane.estimators._auto_grid import repeats
from infoplane.estimators._auto_learned import MOST_SAMPLES, Learned, learn, of_halves
from infoplane.estimators._gaussian_fit import unexplained
from infoplane.estimators._neighbors_judge import LN2
from infoplane.estimators.copula import TIED_SHARE, Copula, normal_scores, tied_share
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.lnc import Lnc
from infoplane.estimators.neighbors import MixedKsg
from infoplane.estimators.pair import LabelEstimator, Order, PairEstimator, PairValue, Variable, nothing_to_tell
from infoplane.estimators.plugin import Plugin

_AGREEING = 2.0
"""Values agree where they differ by at most so many nats over √N: about two standard errors of their difference."""

_NAMED = 3
"""How many values besides the chosen one ``reason`` names."""

_GRID = 20
"""Samples for each distinct row from which floats are taken as symbols, where this holds of x and of y."""

_SURE = 0.25
"""The same as a share, where what the Gaussian copula leaves clearly depends on the other side."""

_SEEN = 0.01
"""Probability that normal samples are said to do so."""

_SHUFFLED_DIMS = 10
"""Coordinates in all up to which shuffles are measured by an elliptical model besides."""

_FEW, _MANY = 1, 10
"""Numbers of neighbours whose values are compared."""

_STEADY, _STEADY_LEARNT = 0.05, 0.1
_SCATTER = 1.4
"""Share of the value (more where features have several pairs), and nats over √N (a standard error), by which these may
differ; of the latter five times."""

_RELATED = 1.0
"""Bits that ranks show where linear combinations are equal: samples far out may hide all others, ranks do not."""

Route = tuple[PairEstimator, PairValue]
"""What measures the pair, and what it gives with flags and reason."""


@dataclasses.dataclass(frozen=True)
class Auto(LabelEstimator):
    """Mutual information in bits by the estimators that suit the data, with the reason for the choice.

    **Two discrete variables**, or floats with at least 20 samples for each distinct row: ``plugin`` with the correction
    of Nemenman, Shafee and Bialek.

    **Otherwise** the pair is measured in several ways. Each way misses dependence of some kind, none claims dependence
    that is not there, and the largest value is taken:

    - the Gaussian copula (``copula``); an elliptical model, which sees shared scale (heavy tails). On a grid they are
      used only if each coordinate varies by a step of the grid when all others are known;
    - neighbors (``mixed-ksg``) among the normal scores of all coordinates, if there are at most 10, or if the
      intrinsic dimension is low enough for the samples to fill it; with a label or repeated values also among the
      coordinates as they are;
    - up to 3 coordinates, ``lnc``;
    - neighbors among 1 to 3 pairs of features learnt by canonical correlation on one half of the samples and measured
      on the other, from five dictionaries of functions: the coordinates, those that vary with the distance from the
      middle (in ranks, and in robust units), functions and products of coordinates, random waves. For a label also a
      linear classifier, otherwise a Gaussian bound, on the features.

    A model is not chosen if its density ratio has a mean above 1 over independent pairs, or if it shows information in
    shuffled rows; a value above the entropy of a label is not chosen either. Of values that agree within 2/√N nats the
    one that scatters least is taken, so that independent data keep a mean of 0.

    Range: any value; at most about log2(N/3) bits where neighbors are chosen.

    Flags: those of what was chosen; ``high-dimension`` if the samples do not fill the space of the coordinates and
    neighbors or learnt features were chosen; ``ties`` if floats repeat; ``small-class`` for symbols with too few
    samples; ``k-dependent`` if the values with 1 and 10 neighbors differ much; ``manifold`` if one coordinate each side
    lies near a thin curve, and with infinity if a linear combination of y is one of x; ``above-entropy``.

    When it misleads: the value is the largest of lower bounds, so dependence that none of them sees is missing:
    many non-linear pairs at once, or exclusive-or in many coordinates. With a null, shuffles are measured by what was
    chosen and by the simpler estimators to which it was preferred.

    Cost: some seconds for 10 000 samples; features are learnt on at most 20 000. Rules and errors in full:
    docs/estimators/choosing.md.

    References:
        Those of the estimators; Tyler 1987; Donsker & Varadhan 1983; Barber & Agakov 2003; Rahimi & Recht 2007;
        Levina & Bickel 2004.

    Example:
        >>> import numpy as np, infoplane as ip
        >>> x, y = np.random.default_rng(0).standard_normal((2, 2000))
        >>> found = ip.mutual_information(x, 0.8 * x + 0.6 * y)
        >>> print(f"{found.bits:.2f} of {-np.log2(0.6):.2f} bits, {found.reason.partition(':')[0]}")
        0.72 of 0.74 bits, the Gaussian copula
    """

    name: ClassVar[str] = "auto"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "discrete", "mixed")
    shuffle_rows: ClassVar[tuple[int, ...]] = (2048,)

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) in bits; see the class."""
        return nothing_to_tell(x, y) or self._route(x, y)[1]

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return I(X;Y) in bits with the rows of y in each order, by what is chosen for the rows as they are."""
        if nothing_to_tell(x, y) is not None:
            return [0.0] * len(orders)
        return self._route(x, y)[0].between_shuffled(x, y, orders)

    def settled(self, x: Variable, y: Variable) -> PairEstimator:
        """Return what is chosen for these samples, for use on parts of them."""
        return self if nothing_to_tell(x, y) is not None else self._route(x, y)[0]

    def _route(self, x: Variable, y: Variable) -> Route:
        if all(side.discrete or _on_grid(side) for side in (x, y)):
            return _counted(*(side if side.discrete else _as_symbols(side) for side in (x, y)))
        if x.n <= K:
            raise InputError(
                f"auto measures coordinates by {K} neighbours, with {x.n} samples; expected at least {K + 1}"
            )
        determined = None if x.discrete or y.discrete else _determined(x, y)
        return determined or _chosen(list(candidates(x, y)), x, y)


@dataclasses.dataclass(frozen=True)
class _Counted(PairEstimator):
    """Counts floats as symbols, which the parts of a sample remain."""

    estimator: Plugin
    name: ClassVar[str] = "auto"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "discrete", "mixed")

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) of the distinct rows in bits."""
        return self.estimator.between(_as_symbols(x), _as_symbols(y))

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return I(X;Y) in bits with the rows of y in each order."""
        return self.estimator.between_shuffled(_as_symbols(x), _as_symbols(y), orders)


def _counted(x: Variable, y: Variable) -> Route:
    """Two discrete variables by counting."""
    symbols = [int(one.values.max()) + 1 for one in (x, y)]
    try:
        estimator = Plugin(correction="nsb")
        value = estimator.between(x, y)
    except InputError:  # more symbols than its integral can take
        estimator = Plugin(correction="grassberger")
        value = estimator.between(x, y)
    words = [f"plugin with the correction {estimator.correction}: {symbols[0]} and {symbols[1]} symbols"]
    flags = value.flags
    if symbols[0] * symbols[1] > x.n:
        flags |= {"small-class"}
        words.append(f"fewer samples ({x.n}) than pairs of symbols")
    reason = "; ".join([*words, *([value.reason] if value.reason else [])])
    return _Counted(estimator), dataclasses.replace(value, flags=flags, reason=reason)


def _on_grid(variable: Variable) -> bool:
    """Say whether floats take so few values that these are symbols."""
    return len(np.unique(variable.values, axis=0)) * _GRID <= variable.n


def _as_symbols(variable: Variable) -> Variable:
    codes = np.unique(variable.values, axis=0, return_inverse=True)[1].reshape(-1, 1)
    return Variable(codes.astype(np.int64), True, variable.dims)


def _determined(x: Variable, y: Variable) -> Route | None:
    """Infinity where a linear combination of y is one of x, and not only for the sake of some outliers.

    Values that repeat have finite information, which neighbours count.
    """
    if repeats(x, y):
        return None
    try:
        value = Gaussian().between(x, y)
    except InputError:  # fewer samples than coordinates
        return None
    infinite = math.isinf(value.bits) and Copula().between(x, y).bits > _RELATED
    return (Gaussian(), value) if infinite else None


def _chosen(found: list[Candidate], x: Variable, y: Variable) -> Route:
    """The first of the largest values, with its reason."""
    allowed = [one for one in found if one.allowed]
    if not allowed:
        return found[-1].estimator, found[-1].value
    best = allowed[_first_of_largest(np.array([one.value.bits for one in allowed]), x, y)]
    rivals = [one.estimator for one in allowed[: allowed.index(best)] if _is_shuffled(one.estimator, x, y)]
    notes = [(flag, words) for flag, words in _notes(best, found, x, y) if words]
    reason = "; ".join([_comparison(best, found), *(words for _, words in notes)])
    flags = best.value.flags | {flag for flag, _ in notes if flag}
    value = dataclasses.replace(best.value, flags=frozenset(flags), reason=reason)
    return _Preferred(best.estimator, tuple(rivals)) if rivals else best.estimator, value


def _first_of_largest(bits: Float[np.ndarray, " candidate"], x: Variable, y: Variable) -> int:
    """Number of the first value that agrees with the largest.

    Where residuals of ranks show that more than linear dependence is there, less than scatter speaks for a model.
    """
    margin = _AGREEING / math.sqrt(min(x.n, MOST_SAMPLES)) / LN2
    first = int(np.argmax(bits >= bits.max() - margin))
    if bits[first] >= bits.max() - _SURE * margin or x.discrete or y.discrete:
        return first
    if not unexplained(normal_scores(x).values, normal_scores(y).values, _SEEN):
        return first
    return int(np.argmax(bits >= bits.max() - _SURE * margin))


def _is_shuffled(estimator: PairEstimator, x: Variable, y: Variable) -> bool:
    """Say whether shuffles are measured by an estimator that was not chosen: what costs little and may be chosen there.

    Learnt features show 0 for shuffled rows but once in a thousand times.
    """
    if isinstance(estimator, Elliptical):
        return x.dims + y.dims <= _SHUFFLED_DIMS
    return isinstance(estimator, Copula | Scores)


@dataclasses.dataclass(frozen=True)
class _Preferred(PairEstimator):
    """What was preferred to simpler estimators, which shuffles are measured by as well, with the same preference."""

    estimator: PairEstimator
    rivals: tuple[PairEstimator, ...]
    name: ClassVar[str] = "auto"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "mixed")

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) in bits by what was chosen."""
        return self.estimator.between(x, y)

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return I(X;Y) in bits with the rows of y in each order, each by what the rule prefers there."""
        every = [one.between_shuffled(x, y, orders) for one in (*self.rivals, self.estimator)]
        bits = np.nan_to_num(np.array(every), nan=-np.inf, posinf=-np.inf, neginf=-np.inf)
        return [
            float(column[_first_of_largest(column, x, y.take(order))])
            for column, order in zip(bits.T, orders, strict=True)
        ]


def _comparison(best: Candidate, found: list[Candidate]) -> str:
    """Name the choice, the largest of the other values, and models that claim too much."""
    others = sorted((one for one in found if one.allowed and one is not best), key=lambda one: -one.value.bits)
    said = [f"{one.words} {one.value.bits:.3f}" for one in others[:_NAMED]]
    said += [
        f"{one.words} {one.value.bits:.3f} not allowed, it claims {one.excess / LN2:.2g} bits for independent pairs"
        for one in found
        if claims_too_much(one.excess) and math.isfinite(one.value.bits)
    ]
    said += [
        f"{one.words} {one.value.bits:.3f} is above the entropy of the labels"
        for one in found
        if math.isfinite(one.most) and one.value.bits > one.most
    ]
    return f"{best.words}: the largest value, or as large within scatter" + (f"; {'; '.join(said)}" if said else "")


def _notes(best: Candidate, found: list[Candidate], x: Variable, y: Variable) -> list[tuple[str, str]]:
    """Flags that the choice deserves, with their amounts."""
    coordinates = [one for one in (x, y) if not one.discrete]
    tied = max(tied_share(one.varying) for one in coordinates)
    notes = [("ties", f"{tied:.0%} of the values repeat" if tied > TIED_SHARE else ""), ("", best.value.reason)]
    notes += _near_a_curve(found, x, y) + _by_number_of_neighbors(best, x, y)
    if isinstance(best.estimator, Learned) and near_ceiling(best.value.bits, min(x.n, MOST_SAMPLES) // 2):
        notes.append(("ceiling", f"{best.value.bits:.1f} bits are near the most that neighbours can show"))
    if isinstance(best.estimator, Learned):
        own = dimension(np.hstack([whitened_scores(one) for one in coordinates]))
        if own > filled_dimension(x.n):
            words = f"intrinsic dimension {own:.1f}: what lies outside the features is not counted"
            notes.append(("high-dimension", words))
    return notes


def _near_a_curve(found: list[Candidate], x: Variable, y: Variable) -> list[tuple[str, str]]:
    """Say where one coordinate of x and one of y lie near a curve thinner than neighbors are apart."""
    if x.values.shape[1] + y.values.shape[1] > 2:  # a constant column makes a surface, too
        return []
    flat = [one.value for one in found if isinstance(one.estimator, Lnc) and "manifold" in one.value.flags]
    return [("manifold", f"{one.reason}: the information is larger than the value") for one in flat]


def _by_number_of_neighbors(best: Candidate, x: Variable, y: Variable) -> list[tuple[str, str]]:
    """Say where the value depends much on the number of neighbors."""
    if x.n <= 2 * _MANY or "k-dependent" in best.value.flags:
        return []
    values = _with_few_and_many(best.estimator, x, y)
    if values is None:
        return []
    few, many = values
    share = _STEADY_LEARNT if isinstance(best.estimator, Learned) else _STEADY
    if abs(few - many) <= share * abs(best.value.bits) + 5 * _SCATTER / math.sqrt(x.n) / LN2:
        return []
    return [("k-dependent", f"{few:.2f} bits with {_FEW} neighbor and {many:.2f} bits with {_MANY} neighbors")]


def _with_few_and_many(estimator: PairEstimator, x: Variable, y: Variable) -> tuple[float, float] | None:
    """Return the bits with few and with many neighbors; None where no neighbors are used."""
    if isinstance(estimator, Learned) and estimator.pairs:
        halves = learn(x, y, estimator.dictionary)
        return of_halves(halves, estimator.pairs, _FEW), of_halves(halves, estimator.pairs, _MANY)
    if not isinstance(estimator, Scores | MixedKsg | Lnc):
        return None
    kind = MixedKsg if isinstance(estimator, MixedKsg) else Scores
    return kind(_FEW).between(x, y).bits, kind(_MANY).between(x, y).bits
