"""What `auto` measures a continuous or mixed pair by before it chooses: models, neighbours, learnt features."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import digamma

from infoplane.errors import InputError
from infoplane.estimators._auto_coordinates import DICTIONARIES, OfX, OfY, Points, robust, whitened_scores
from infoplane.estimators._auto_elliptical import Elliptical, information, log_ratio, parts
from infoplane.estimators._auto_excess import claims_too_much, copula_excess, excess
from infoplane.estimators._auto_grid import repeats, smooth
from infoplane.estimators._auto_learned import Half, Learned, learn, of_halves
from infoplane.estimators._gaussian_fit import shuffled
from infoplane.estimators._neighbors_judge import CEILING_SHARE, FILLED, LN2, intrinsic_dimension
from infoplane.estimators._pair_value import most_of_label
from infoplane.estimators.copula import TIED_SHARE, Copula, normal_scores, tied_share
from infoplane.estimators.gaussian import CROWDED
from infoplane.estimators.lnc import Lnc
from infoplane.estimators.neighbors import MixedKsg
from infoplane.estimators.pair import Order, PairEstimator, PairValue, Variable

K = 3
"""Neighbours: few, for small bias."""

_FEW_DIMS = 10
"""Coordinates in all up to which neighbours are sought among all of them, whether or not these are filled."""

_LINE = 2
"""Coordinates in all up to which neighbours need no help from learnt features."""

_LNC_DIMS = 3
_ADDED = 2.0
"""Nats over √N that the correction along lines must add: it adds 0.006 nats where there are no lines."""

_SHAPED_DIMS = 200
"""Coordinates in all up to which an elliptical shape is sought: its fixed point takes N d² for each of many rounds."""

_SAMPLES_A_DIM = 2
"""Samples for each coordinate below which a covariance says nothing."""

_LEARNING = 100
"""Fewest samples from which features are learnt."""

SHARED = "share their neighbour's distance with others"
"""How the words for the flag ``ties`` end."""

_CLEARLY = 4.0
"""Deviations of shuffled rows above which a value is no chance."""

_SHUFFLED_PART, _SHUFFLED_NATS = 0.05, 0.05
"""Nats of finite-sample bias d_x d_y / 2N above which shuffles show what a model claims, and nats allowed there."""

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
        most: bits that no right value exceeds: the entropy of a label; −∞ where the value means nothing.
    """

    words: str
    estimator: PairEstimator
    value: PairValue
    excess: float = 0.0
    most: float = math.inf

    @property
    def allowed(self) -> bool:
        """Whether it may be chosen."""
        possible = math.isfinite(self.value.bits) and self.value.bits <= self.most
        return possible and not claims_too_much(self.excess)


@dataclasses.dataclass(frozen=True)
class Scores(PairEstimator):
    """Neighbours among the normal scores of the coordinates: no tail is heavy there, and equal values stay equal."""

    k: int = K
    name = "auto"
    kinds = ("continuous", "mixed")

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) in bits by `MixedKsg` on the scores.

        These lie on a grid, so that distances are shared where no values repeat: that is no fault, and not flagged.
        """
        value = MixedKsg(self.k).between(normal_scores(x), normal_scores(y))
        if "ties" not in value.flags or repeats(x, y):
            return value
        words = [words for words in value.reason.split("; ") if not words.endswith(SHARED)]
        return PairValue(value.bits, value.flags - {"ties"}, "; ".join(words))

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return I(X;Y) in bits with the rows of y in each order."""
        return MixedKsg(self.k).between_shuffled(normal_scores(x), normal_scores(y), orders)


def candidates(x: Variable, y: Variable) -> Iterator[Candidate]:
    """Yield what the pair is measured by, what scatters least and is least flexible first."""
    coordinates = [variable for variable in (x, y) if not variable.discrete]
    dims = sum(variable.varying.shape[1] for variable in coordinates)
    mixed, tied = len(coordinates) < 2, repeats(x, y)
    if not mixed and x.n > _SAMPLES_A_DIM * dims and (not tied or smooth(x, y)):
        yield _gaussian_copula(x, y)
        if dims <= _SHAPED_DIMS:
            yield from _elliptical(x, y)
    if mixed or tied or dims <= _FEW_DIMS or x.n <= _SAMPLES_A_DIM * dims or _fills(x, y):
        ranked = Scores().between(x, y)
        yield Candidate("neighbours in all coordinates, by ranks", Scores(), ranked, most=_most(x, y))
        if mixed or tied:
            value = MixedKsg(K).between(x, y)
            yield Candidate("neighbours in all coordinates", MixedKsg(K), value, most=_most(x, y))
        elif dims <= _LNC_DIMS:
            yield from _strong(x, y, ranked.bits)
    if (mixed or dims > _LINE) and x.n >= _LEARNING:
        for dictionary in DICTIONARIES:
            yield from _learnt(x, y, dictionary)


def _gaussian_copula(x: Variable, y: Variable) -> Candidate:
    """The Gaussian copula; not to be chosen where shuffled rows reach the value."""
    value, too_much = Copula().between(x, y), copula_excess(x, y)
    if CROWDED in value.flags:
        mean, deviation = shuffled(lambda orders: Copula().between_shuffled(x, y, orders), x.n)
        if not value.bits > mean + _CLEARLY * deviation:
            too_much = max(too_much, (mean + _CLEARLY * deviation) * LN2)
    return Candidate("the Gaussian copula", Copula(), value, too_much)


def _most(x: Variable, y: Variable) -> float:
    """Entropy of the label in bits, with what scatter may add; infinity without a label."""
    label = next((one for one in (x, y) if one.discrete), None)
    return math.inf if label is None else most_of_label(np.bincount(label.values[:, 0]))


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
    if any(tied_share(part.logs[:, None]) > TIED_SHARE for part in found):  # no density of distances
        return
    too_much = max(excess(log_ratio(*sides, found), x.n), _of_shuffled(sides[0], sides[1]))
    yield Candidate("an elliptical model", Elliptical(), PairValue(information(found)), too_much)


def _of_shuffled(x: OfX, y: OfY) -> float:
    """What the elliptical model shows for shuffled rows in nats, where coordinates are many; otherwise 0."""
    n = len(x)
    if x.shape[1] * y.shape[1] <= 2 * n * _SHUFFLED_PART:
        return 0.0
    nats = information(parts(x, y[np.random.default_rng(0).permutation(n)])) * LN2
    return nats if nats > _SHUFFLED_NATS else 0.0


def _strong(x: Variable, y: Variable, near: float) -> Iterator[Candidate]:
    """Strong dependence: corrected for neighbourhoods along a line; not chosen where they are a surface."""
    estimator = Lnc(k=2 * (x.dims + y.dims) + 1)
    try:
        value = estimator.between(x, y)
    except InputError:
        return
    surface = "manifold" in value.flags
    if not surface and value.bits <= near + _ADDED / math.sqrt(x.n) / LN2:  # the correction is never quite 0
        return
    most = -math.inf if surface else math.inf
    yield Candidate("neighbours corrected along lines (lnc)", estimator, value, most=most)


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
