"""Information of a few features learnt on one half of the samples and measured on the other."""

import dataclasses
import math
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import entr, logsumexp

from infoplane.estimators._auto_coordinates import Features, OfX, OfY, features
from infoplane.estimators._auto_excess import gaussian_bound
from infoplane.estimators._neighbors_judge import LN2
from infoplane.estimators.copula import normal_scores
from infoplane.estimators.neighbors import MixedKsg
from infoplane.estimators.pair import PairEstimator, PairValue, Variable

_RIDGE = 0.01
"""Added to the variances of features, as a share of their mean: keeps rare features from being overfitted."""

_MOST_PAIRS = 16
MOST_SAMPLES = 20_000
"""Samples that are used: neighbours of several features are sought among all pairs of them."""

_SURE = 4.0
"""Standard errors of a correlation of independent samples above which a pair of features is taken to be related."""


class Half(NamedTuple):
    """One half of the samples in the features that the other half taught, the most related first."""

    x: Variable
    y: Variable

    def first(self, pairs: int) -> tuple[Variable, Variable]:
        """The normal scores of the first features; symbols stay."""
        x, y = (
            one if one.discrete else normal_scores(dataclasses.replace(one, values=one.values[:, :pairs]))
            for one in self
        )
        return x, y


@dataclasses.dataclass(frozen=True)
class Learned(PairEstimator):
    """Information between the first pairs of features that correlate most, a lower bound of that between variables.

    Features are linear combinations of a dictionary of functions (`infoplane.estimators._auto_coordinates`), by
    canonical correlation analysis with a ridge, on one half of the samples; the information is measured on the other
    half, then the other way round, and the two are averaged. Since features are functions of one variable each, they
    cannot tell more of each other than the variables do. For symbols there is nothing to learn: they stay.

    Args:
        dictionary: which functions.
        pairs: how many pairs are measured by neighbours; 0 for all that are related, by a variational bound: that
            of a Gaussian, or for a label that of a linear classifier.
    """

    dictionary: str = "linear"
    pairs: int = 1
    name: ClassVar[str] = "auto"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "mixed")

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I of the features in bits, 0 where none are related."""
        return PairValue(of_halves(learn(x, y, self.dictionary), self.pairs))


def of_halves(halves: list[Half], pairs: int, k: int = 3) -> float:
    """I of the first pairs of features in bits by k neighbors, 0 where none are related."""
    return math.fsum(_of_half(half, pairs, k) for half in halves) / 2


def _of_half(half: Half, pairs: int, k: int) -> float:
    if pairs:
        return MixedKsg(k).between(*half.first(pairs)).bits
    x, y = half.first(_MOST_PAIRS)
    if not (x.discrete or y.discrete):
        return gaussian_bound(x, y)
    return label_bound(y.values, x.values[:, 0]) if x.discrete else label_bound(x.values, y.values[:, 0])


def learn(x: Variable, y: Variable, dictionary: str) -> list[Half]:
    """Return the halves in which features that the other taught are related; at most two, maybe none."""
    if x.n > MOST_SAMPLES:
        rows = np.sort(np.random.default_rng(1).permutation(x.n)[:MOST_SAMPLES])
        x, y = x.take(rows), y.take(rows)
    of_x, of_y = features(x, dictionary), features(y, dictionary)
    if of_x is None or of_y is None:
        return []
    order = np.random.default_rng(0).permutation(len(of_x))
    halves = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    found = []
    for taught, seen in (halves, halves[::-1]):
        maps = canonical(of_x[taught], of_y[taught])
        on_x, on_y = of_x[seen] @ maps[0], of_y[seen] @ maps[1]
        related = _correlations(on_x, on_y) > _SURE / math.sqrt(len(seen))
        if related.any():
            found.append(Half(_shown(x, seen, on_x[:, related]), _shown(y, seen, on_y[:, related])))
    return found


def label_bound(x: Features, labels: Int[np.ndarray, " sample"]) -> float:
    """H(Y) less the cross-entropy of a linear classifier, in bits: below I(X;Y), but for scatter.

    The bound of Barber and Agakov (2003). The classifier is Fisher's, classes being Gaussians with one covariance; what
    it says of every other sample is taught by those between them.
    """
    codes = np.unique(labels, return_inverse=True)[1].reshape(-1)
    shares = np.bincount(codes) / len(codes)
    lost = [
        _log_loss(x[other::2], codes[other::2], x[one::2], codes[one::2], shares) for one, other in ((0, 1), (1, 0))
    ]
    return (float(entr(shares).sum()) - math.fsum(np.concatenate(lost)) / len(codes)) / LN2


def _log_loss(
    taught: Features,
    codes: Int[np.ndarray, " sample"],
    seen: Float[np.ndarray, "seen feature"],
    truth: Int[np.ndarray, " seen"],
    shares: Float[np.ndarray, " label"],
) -> Float[np.ndarray, " seen"]:
    """−ln of the probability of the true class of each sample seen."""
    member = np.eye(len(shares))[codes]
    means = member.T @ taught / np.maximum(member.sum(axis=0), 1.0)[:, None]
    root = _inverse_root(taught - means[codes])
    centres = means @ root
    # −½ ‖sample − centre‖² without the ‖sample‖² that all classes share.
    logs = np.log(shares) + seen @ root @ centres.T - 0.5 * (centres * centres).sum(axis=1)
    return logsumexp(logs, axis=1) - logs[np.arange(len(seen)), truth]


def _shown(variable: Variable, rows: Int[np.ndarray, " sample"], learnt: Features) -> Variable:
    return variable.take(rows) if variable.discrete else Variable(learnt, False)


def canonical(x: OfX, y: OfY) -> tuple[Float[np.ndarray, "dim_x pair_x"], Float[np.ndarray, "dim_y pair_y"]]:
    """The linear combinations of x and of y that correlate most, those first that do so most."""
    inverse_x, inverse_y = _inverse_root(x), _inverse_root(y)
    left, _, right = np.linalg.svd(inverse_x.T @ (x.T @ y / len(x)) @ inverse_y, full_matrices=False)
    pairs = np.vstack([left[:, :_MOST_PAIRS], right[:_MOST_PAIRS].T])
    # The sign of a pair is free: the largest entry becomes positive, so that x and y can be exchanged.
    sign = np.sign(np.take_along_axis(pairs, np.abs(pairs).argmax(axis=0)[None], axis=0))
    return inverse_x @ (left[:, :_MOST_PAIRS] * sign), inverse_y @ (right[:_MOST_PAIRS].T * sign)


def _inverse_root(points: Features) -> Float[np.ndarray, "feature feature"]:
    """A matrix W with Wᵀ (C + ridge) W = 1, C the covariance of the points."""
    centred = points - points.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(points))
    return vectors / np.sqrt(np.maximum(values, 0.0) + _RIDGE * values.mean())


def _correlations(
    x: Float[np.ndarray, "sample pair"], y: Float[np.ndarray, "sample pair"]
) -> Float[np.ndarray, " pair"]:
    """Correlation of each pair of columns."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    return (x * y).sum(axis=0) / np.maximum(scale, np.finfo(float).tiny)
