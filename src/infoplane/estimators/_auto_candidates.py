"""What `auto` measures a continuous or mixed pair by before it chooses: models, neighbours, learnt features."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from scipy.special import digamma

from infoplane.errors import InputError
from infoplane.estimators._auto_coordinates import DICTIONARIES, Points, robust, whitened_scores
from infoplane.estimators._auto_elliptical import Elliptical, information, log_ratio, parts
from infoplane.estimators._auto_excess import claims_too_much, copula_excess, excess
from infoplane.estimators._auto_learned import Half, Learned, learn, of_halves
from infoplane.estimators._neighbors_judge import CEILING_SHARE, FILLED, LN2, intrinsic_dimension
from infoplane.estimators.copula import TIED_SHARE, Copula, normal_scores, tied_share
from infoplane.estimators.lnc import Lnc
from infoplane.estimators.neighbors import MixedKsg
from infoplane.estimators.pair import PairEstimator, PairValue, Variable

K = 3
"""Neighbours: few, for small bias."""

_FEW_DIMS = 10
"""Coordinates in all up to which neighbours are sought among all of them, whether or not these are filled."""

_LINE = 2
"""Coordinates in all up to which neighbours need no help from learnt features."""

_LNC_DIMS = 3
_SHAPED_DIMS = 200
"""Coordinates in all up to which an elliptical shape is sought: its fixed point takes N d² for each of many rounds."""

_SAMPLES_A_DIM = 2
"""Samples for each coordinate below which a covariance says nothing."""

_LEARNING = 100
"""Fewest samples from which features are learnt."""

SHARED = "share their neighbour's distance with others"
"""How the words for the flag ``ties`` end."""

_MOST_PAIRS = 3
_PROBES = 500
"""Samples whose neighbours show the intrinsic dimension."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way to measure the pair, with its value.

    Attributes:
        words: what it is.
        estimator: what measures it, on these samples or on others.
        value: what it gives.
        excess: nats by which a model claims too much; then it is not chosen.
    """

    words: str
    estimator: PairEstimator
    value: PairValue
    excess: float = 0.0

    @property
    def allowed(self) -> bool:
        """Whether it may be chosen."""
        return math.isfinite(self.value.bits) and not claims_too_much(self.excess)


@dataclasses.dataclass(frozen=True)
class Scores(PairEstimator):
    """Neighbours among the normal scores of the coordinates: no tail is heavy there, and equal values stay equal."""

    name = "auto"
    kinds = ("continuous", "mixed")

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) in bits by `MixedKsg` on the scores.

        These lie on a grid, so that distances are shared where no values repeat: that is no fault, and not flagged.
        """
        value = MixedKsg(K).between(normal_scores(x), normal_scores(y))
        if "ties" not in value.flags or repeats(x, y):
            return value
        words = [words for words in value.reason.split("; ") if not words.endswith(SHARED)]
        return PairValue(value.bits, value.flags - {"ties"}, "; ".join(words))


def repeats(x: Variable, y: Variable) -> bool:
    """Say whether more than a few of the values of the coordinates equal another one."""
    return any(tied_share(one.varying) > TIED_SHARE for one in (x, y) if not one.discrete)


def candidates(x: Variable, y: Variable) -> Iterator[Candidate]:
    """Yield what the pair is measured by, what scatters least and is least flexible first."""
    coordinates = [variable for variable in (x, y) if not variable.discrete]
    dims = sum(variable.varying.shape[1] for variable in coordinates)
    mixed, tied = len(coordinates) < 2, repeats(x, y)
    if not mixed and not tied and x.n > _SAMPLES_A_DIM * dims:
        yield Candidate("the Gaussian copula", Copula(), Copula().between(x, y), copula_excess(x, y))
        if dims <= _SHAPED_DIMS:
            yield from _elliptical(x, y)
    if mixed or tied or dims <= _FEW_DIMS or x.n <= _SAMPLES_A_DIM * dims or _fills(x, y):
        near = _neighbors(x, y, as_they_are=mixed or tied)
        yield near
        if not mixed and not tied and dims <= _LNC_DIMS and near_ceiling(near.value.bits, x.n):
            yield from _strong(x, y)
    if (mixed or dims > _LINE) and x.n >= _LEARNING:
        for dictionary in DICTIONARIES:
            yield from _learnt(x, y, dictionary)


def _neighbors(x: Variable, y: Variable, *, as_they_are: bool) -> Candidate:
    """Neighbours among normal scores; if wanted, among the coordinates as they are where these give more."""
    ranked = Candidate("neighbours in all coordinates, by ranks", Scores(), Scores().between(x, y))
    if not as_they_are:
        return ranked
    plain = Candidate("neighbours in all coordinates", MixedKsg(K), MixedKsg(K).between(x, y))
    return plain if plain.value.bits > ranked.value.bits else ranked


def near_ceiling(bits: float, n: int) -> bool:
    """Say whether neighbours stop growing here."""
    return bits > CEILING_SHARE * float(digamma(n) - digamma(K)) / LN2


def filled_dimension(n: int) -> float:
    """The dimension up to which n samples fill space well enough for neighbours."""
    return math.log(n / K) / math.log(FILLED)


def _elliptical(x: Variable, y: Variable) -> Iterator[Candidate]:
    """The elliptical model, where the samples have a shape that is no plane to rounding."""
    sides = robust(x), robust(y)
    try:
        found = parts(*sides)
    except np.linalg.LinAlgError:
        return
    value = PairValue(information(found))
    yield Candidate("an elliptical model", Elliptical(), value, excess(log_ratio(*sides, found), x.n))


def _strong(x: Variable, y: Variable) -> Iterator[Candidate]:
    """Dependence near the ceiling of neighbours: corrected for neighbourhoods along a line, if they are no surface."""
    estimator = Lnc(k=2 * (x.dims + y.dims) + 1)
    try:
        value = estimator.between(x, y)
    except InputError:
        return
    if "manifold" not in value.flags:
        yield Candidate("neighbours corrected along lines (lnc)", estimator, value)


def _learnt(x: Variable, y: Variable, dictionary: str) -> Iterator[Candidate]:
    """The first pairs of learnt features, as many as add something."""
    halves = learn(x, y, dictionary)
    if not halves:
        return
    most, best = min(_MOST_PAIRS, max(_related(half) for half in halves)), -math.inf
    for pairs in range(1, most + 1):
        bits = of_halves(halves, pairs)
        plural = "pair" if pairs == 1 else "pairs"
        yield Candidate(
            f"{pairs} {plural} of learnt {dictionary} features", Learned(dictionary, pairs), PairValue(bits)
        )
        if bits <= best:
            return
        best = bits
    mixed = x.discrete or y.discrete
    if mixed or dictionary == "linear":
        words = f"{'a linear classifier' if mixed else 'a Gaussian bound'} on learnt {dictionary} features"
        yield Candidate(words, Learned(dictionary, 0), PairValue(of_halves(halves, 0)))


def _related(half: Half) -> int:
    return max(one.values.shape[1] for one in half)


def _fills(x: Variable, y: Variable) -> bool:
    """Say whether the intrinsic dimension of the pairs is low enough for neighbours among so many samples."""
    return dimension(np.hstack([whitened_scores(x), whitened_scores(y)])) <= filled_dimension(x.n)


def dimension(points: Points) -> float:
    """Intrinsic dimension of samples, from the neighbours of some of them."""
    squares = np.einsum("sd,sd->s", points, points)
    probes = points[:: max(1, len(points) // _PROBES)]
    far = squares - 2 * probes @ points.T + np.einsum("sd,sd->s", probes, probes)[:, None]
    near = np.sort(np.partition(far, range(K + 1), axis=1)[:, 1 : K + 1], axis=1)
    return intrinsic_dimension(np.sqrt(np.maximum(near, 0.0)))
