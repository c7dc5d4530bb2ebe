"""How fast the neighbour estimators are beside their peers: ratios within one run, never seconds alone."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from jaxtyping import Float, Num

from infoplane._numbers import digits
from infoplane.truth.normal import Normal

N = 10_000
"""Samples of every comparison."""

K = 3
"""Neighbours of every comparison."""

SHUFFLES = 100
"""Shuffles of a null."""

_BLOCK = 1000
"""Rows of a product that are held at a time."""

Points = Float[np.ndarray, "sample dim"]

Pair = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One estimate beside a peer, timed in turns.

    Attributes:
        what: what is estimated.
        peer: what it is compared with; "ours" in it marks a reimplementation of a usual way.
        ours_seconds, peer_seconds: the best time of each.
        at_least: how many times faster than the peer it is to be; a bound below 1 allows to be slower.
    """

    what: str
    peer: str
    ours_seconds: float
    peer_seconds: float
    at_least: float

    @property
    def ratio(self) -> float:
        """Time of the peer over our time: above 1 is faster."""
        return self.peer_seconds / self.ours_seconds


HEADING: list[str] = ["what", "against", "seconds", "peer's seconds", "times as fast", "at least"]


def row(one: Comparison) -> list[str]:
    """Return a comparison as cells below `HEADING`."""
    numbers = (digits(one.ours_seconds), digits(one.peer_seconds), f"{one.ratio:.3g}", f"{one.at_least:.3g}")
    return [one.what, one.peer, *numbers]


def comparisons(n: int = N, repeats: int = 5) -> Iterator[Comparison]:
    """Yield each comparison as soon as it is measured.

    Args:
        n: samples.
        repeats: how often each side is timed, in turns; the best counts, since other work only adds time.
    """
    from infoplane.estimators.neighbors import Ksg1

    ksg, euclidean = Ksg1(k=K), Ksg1(k=K, norm="euclidean")
    line, five, fifty = (_pairs(dims, rho, n) for dims, rho in ((1, 0.8), (5, 0.6), (50, 0.3)))
    pairs: list[tuple[str, str, Callable[[], object], Callable[[], object], float]] = [
        ("ksg1, 1 × 1", "scikit-learn", lambda: ksg(*line), lambda: with_sklearn(*line), 1.0),
        ("ksg1, 5 × 5", "SciPy's trees (ours)", lambda: ksg(*five), lambda: with_trees(*five), 2.0),
        ("ksg1, 5 × 5", "scikit-learn's trees (ours)", lambda: ksg(*five), lambda: with_sklearn_trees(*five), 2.0),
    ]
    for dtype in ("float64", "float32"):
        peer = f"two {dtype} products"
        pairs += [
            ("ksg1, 50 × 50", peer, lambda: ksg(*fifty), lambda dtype=dtype: products(*fifty, dtype), 0.25),
            ("euclidean, 50 × 50", peer, lambda: euclidean(*fifty), lambda dtype=dtype: products(*fifty, dtype), 0.25),
        ]
    for name, words, data in _with_nulls(line, five):
        what = f"{name}, {words}, {SHUFFLES} shuffles"
        alone, shuffled = partial(with_null, *data, name, 0), partial(with_null, *data, name)
        pairs.append((what, "one estimate", shuffled, alone, 0.025))
    for what, peer, our_call, peer_call, at_least in pairs:
        yield Comparison(what, peer, *best_times(our_call, peer_call, repeats=repeats), at_least)


def _with_nulls(line: Pair, five: Pair) -> list[tuple[str, str, Pair]]:
    """Estimators whose nulls are timed, with what they measure: the kinds of pairs that are shuffled differently."""
    labels = (line[1][:, 0] > 0).astype(int)
    symbols = tuple(np.digitize(side[:, 0], [-1, 0, 1]) for side in line)
    continuous = [
        (name, words, data) for name in ("ksg1", "gaussian") for words, data in (("1 × 1", line), ("5 × 5", five))
    ]
    return [
        *continuous,
        ("ross", "1 × label", (line[0], labels)),
        ("plugin", "4 × 4 symbols", (symbols[0], symbols[1])),
    ]


def best_times(first: Callable[[], object], second: Callable[[], object], *, repeats: int) -> tuple[float, float]:
    """Return the shortest time of two calls in seconds, called in turns after one turn that does not count."""
    best = [np.inf, np.inf]
    for round_ in range(repeats + 1):
        for index, call in enumerate((first, second)):
            start = time.perf_counter()
            call()
            if round_:
                best[index] = min(best[index], time.perf_counter() - start)
    return best[0], best[1]


def with_sklearn(x: Points, y: Points) -> float:
    """I(X;Y) in bits by scikit-learn, which takes one coordinate each."""
    from sklearn.feature_selection import mutual_info_regression

    return float(mutual_info_regression(x, y[:, 0], n_neighbors=K, random_state=0)[0] / np.log(2))


def with_trees(x: Points, y: Points) -> float:
    """I(X;Y) in bits in the usual way: one k-d tree for the neighbours, one each for the counts, all cores."""
    from scipy.spatial import KDTree
    from scipy.special import digamma

    joint = np.hstack([x, y])
    radius = KDTree(joint).query(joint, k=K + 1, p=np.inf, workers=-1)[0][:, -1]
    inside = np.nextafter(radius, 0)
    counts = [
        KDTree(side).query_ball_point(side, inside, p=np.inf, return_length=True, workers=-1) for side in (x, y)
    ]  # counts hold the point itself, as ψ(n + 1) asks for
    return float((digamma(K) + digamma(len(x)) - sum(digamma(count).mean() for count in counts)) / np.log(2))


def with_sklearn_trees(x: Points, y: Points) -> float:
    """I(X;Y) in bits with scikit-learn's trees, which are compiled for one core."""
    from scipy.special import digamma
    from sklearn.neighbors import KDTree

    joint = np.hstack([x, y])
    radius = KDTree(joint, metric="chebyshev").query(joint, K + 1)[0][:, -1]
    inside = np.nextafter(radius, 0)
    counts = [KDTree(side, metric="chebyshev").query_radius(side, inside, count_only=True) for side in (x, y)]
    return float((digamma(K) + digamma(len(x)) - sum(digamma(count).mean() for count in counts)) / np.log(2))


def products(x: Points, y: Points, dtype: str) -> float:
    """Inner products of all pairs of samples, within x and within y, a block of rows at a time.

    What any exact way in many dimensions has to do first; no neighbour is sought. Returns the sum of the last row.
    """
    total = 0.0
    for side in (x.astype(dtype), y.astype(dtype)):
        block = np.empty((_BLOCK, len(side)), dtype)
        for start in range(0, len(side), _BLOCK):
            rows = side[start : start + _BLOCK]
            np.matmul(rows, side.T, out=block[: len(rows)])
        total += float(block[(len(side) - 1) % _BLOCK].sum())
    return total


def with_null(
    x: Num[np.ndarray, "sample *dim_x"],
    y: Num[np.ndarray, "sample *dim_y"],
    estimator: str = "ksg1",
    shuffles: int = SHUFFLES,
) -> object:
    """Estimate with a null of so many shuffles."""
    from infoplane.estimators.mutual import mutual_information

    return mutual_information(x, y, estimator, null=shuffles)


def _pairs(dims: int, correlation: float, n: int) -> tuple[Points, Points]:
    return Normal.pairs([correlation] * dims, (dims, dims)).sample(n)
