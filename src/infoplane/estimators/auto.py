"""Mutual information by whatever suits the data: measured in several ways, chosen by rules, with the reason."""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from infoplane.errors import InputError
from infoplane.estimators._auto_candidates import Candidate, K, candidates, dimension, filled_dimension, near_ceiling
from infoplane.estimators._auto_coordinates import whitened_scores
from infoplane.estimators._auto_learned import MOST_SAMPLES, Learned
from infoplane.estimators._neighbors_judge import LN2
from infoplane.estimators.copula import TIED_SHARE, Copula, tied_share
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.pair import (
    LabelEstimator,
    Order,
    PairEstimator,
    PairValue,
    Variable,
    kind_of_pair,
    nothing_to_tell,
)
from infoplane.estimators.plugin import Plugin

_AGREEING = 2.0
"""Values agree where they differ by at most so many nats over √N: about two standard errors of their difference."""

_NAMED = 3
"""How many values besides the chosen one ``reason`` names."""

_GRID = 20
"""Samples for each distinct row from which floats are taken as symbols, where this holds of x and of y."""

_RELATED = 1.0
"""Bits that ranks show where linear combinations are equal: samples far out may hide all others, ranks do not."""

Route = tuple[PairEstimator, PairValue]
"""What measures the pair, and what it gives with flags and reason."""


@dataclasses.dataclass(frozen=True)
class Auto(LabelEstimator):
    """Mutual information in bits by the estimators that suit the data, with the reason for the choice.

    **Two discrete variables**, or floats on coarse grids on both sides: ``plugin`` with the correction of Nemenman,
    Shafee and Bialek.

    **Otherwise** the pair is measured in several ways, each of which misses dependence of some kind but claims none
    that is not there, and the largest is taken:

    - the Gaussian copula (``copula``); an elliptical model, which sees shared scale (heavy tails);
    - neighbours (``mixed-ksg``) among the normal scores of all coordinates, where there are at most 10, or where the
      intrinsic dimension is low enough for the samples to fill it;
    - neighbours among 1 to 3 pairs of features learnt by canonical correlation on one half of the samples and measured
      on the other, from five dictionaries of functions: the coordinates, those that vary with the distance from the
      middle (in ranks, and in robust units), functions and products of coordinates, random waves;
    - near the ceiling of neighbours, with up to 3 coordinates, ``lnc``.

    A model whose density ratio has a mean above 1 over independent pairs claims too much and is not chosen. Of values
    that agree within 2/√N nats the one that scatters least is taken, so that independent data keep a mean of 0.

    With a label, or where floats repeat, no model is used but neighbours, which count equal values as atoms, and
    a linear classifier of the label, or a Gaussian bound, on the features.

    Range: any value; at most about log2(N/3) bits where neighbours are chosen.

    Flags: those of what was chosen; ``high-dimension`` where the samples do not fill the space of the coordinates and
    neighbours or learnt features were chosen; ``ties`` where floats repeat; ``small-class`` for symbols with too few
    samples; ``manifold`` with infinity where a linear combination of y is one of x.

    When it misleads: the value is the largest of lower bounds, so dependence that none of them sees is missing:
    many non-linear pairs at once, or exclusive-or in many coordinates. With a null, shuffles are measured by what was
    chosen for the data, so that p does not count the choice.

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
        if kind_of_pair(x, y) == "discrete":
            return _counted(x, y)
        if x.n <= K:
            raise InputError(
                f"auto measures coordinates by {K} neighbours, with {x.n} samples; expected at least {K + 1}"
            )
        if not (x.discrete or y.discrete):
            if _on_grid(x) and _on_grid(y):
                return _counted(_as_symbols(x), _as_symbols(y))
            determined = _determined(x, y)
            if determined is not None:
                return determined
        return _chosen(list(candidates(x, y)), x, y)


@dataclasses.dataclass(frozen=True)
class _Counted(PairEstimator):
    """Counts floats as symbols, which the parts of a sample remain."""

    estimator: Plugin
    name: ClassVar[str] = "auto"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "discrete")

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
    """Infinity where a linear combination of y is one of x, and not only for the sake of some outliers."""
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
    margin = _AGREEING / math.sqrt(min(x.n, MOST_SAMPLES)) / LN2
    largest = max(one.value.bits for one in allowed)
    best = next(one for one in allowed if one.value.bits >= largest - margin)
    notes = [(flag, words) for flag, words in _notes(best, x, y) if words]
    reason = "; ".join([_comparison(best, found), *(words for _, words in notes)])
    flags = best.value.flags | {flag for flag, _ in notes if flag}
    return best.estimator, dataclasses.replace(best.value, flags=frozenset(flags), reason=reason)


def _comparison(best: Candidate, found: list[Candidate]) -> str:
    """Name the choice, the largest of the other values, and models that claim too much."""
    others = sorted((one for one in found if one.allowed and one is not best), key=lambda one: -one.value.bits)
    said = [f"{one.words} {one.value.bits:.3f}" for one in others[:_NAMED]]
    said += [
        f"{one.words} {one.value.bits:.3f} not allowed, it claims {one.excess / LN2:.2g} bits for independent pairs"
        for one in found
        if not one.allowed and math.isfinite(one.value.bits)
    ]
    return f"{best.words}: the largest value, or as large within scatter" + (f"; {'; '.join(said)}" if said else "")


def _notes(best: Candidate, x: Variable, y: Variable) -> list[tuple[str, str]]:
    """Flags that the choice deserves, with their amounts."""
    coordinates = [one for one in (x, y) if not one.discrete]
    tied = max(tied_share(one.varying) for one in coordinates)
    notes = [("ties", f"{tied:.0%} of the values repeat" if tied > TIED_SHARE else ""), ("", best.value.reason)]
    if isinstance(best.estimator, Learned) and near_ceiling(best.value.bits, x.n):
        notes.append(("ceiling", f"{best.value.bits:.1f} bits are near the most that neighbours can show"))
    if isinstance(best.estimator, Learned):
        own = dimension(np.hstack([whitened_scores(one) for one in coordinates]))
        if own > filled_dimension(x.n):
            words = f"intrinsic dimension {own:.1f}: what lies outside the features is not counted"
            notes.append(("high-dimension", words))
    return notes
