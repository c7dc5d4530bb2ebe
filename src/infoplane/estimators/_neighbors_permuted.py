"""Neighbours of two continuous variables for many shuffles of one: from lists of near samples, made once for all.

A shuffle moves the samples of y, not the distances between them. The joint distance is the larger of the two, so
the neighbours within a radius are near in both variables, and it is enough to go through the shorter of two lists:
where x and y are independent, n_x n_y is about k N, and one of the two is at most √(kN). Counts within the radii of
all shuffles come from sorting each sample's distances once.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane.estimators._neighbors_near import Near, count_within, lists_fit, near_samples
from infoplane.estimators._neighbors_search import complete, find
from infoplane.estimators._neighbors_space import Space
from infoplane.estimators._neighbors_strips import cut_plane, search_strips
from infoplane.estimators._neighbors_sweep import Found, Task, empty, radius_of
from infoplane.estimators._neighbors_threads import along_lines, on_all_cores, one_blas_thread
from infoplane.estimators.pair import Order

_PAIRS = 1 << 16
"""Pairs of samples compared together: a few such arrays stay in the second-level cache."""

_LEVELS = 8
"""Lengths to which a list is read, each √2 times the one before."""

_MARKS = 256
"""Samples from which the rank of a distance is guessed."""

_FOUND_BYTES = 2**26
"""Memory for the results of shuffles that are counted together."""


def _expected(k: int) -> float:
    """How many neighbours to expect within reach so that k are there almost always: k and two standard deviations."""
    return k + 2 * math.sqrt(k) + 1


def list_length(n: int, k: int) -> int:
    """How many near samples to list so that one of two lists suffices; 0 where lists do not pay."""
    length = math.ceil(math.sqrt(_expected(k) * n))
    return length if lists_fit(n, length) else 0


@dataclasses.dataclass(frozen=True, eq=False)
class _Side:
    """One variable with its lists.

    Attributes:
        space: the samples.
        near: their lists.
        lengths: to which lists are read, ascending.
        edges: distance of the last sample read, for each length.
        far: distance within which the other list's length should find enough neighbours, for each length.
    """

    space: Space
    near: Near
    lengths: tuple[int, ...]
    edges: Float[np.ndarray, "sample level"]
    far: Float[np.ndarray, "sample level"]


def _side(space: Space, length: int, k: int) -> _Side:
    """List near samples, and guess distances of many ranks from some marks."""
    near = near_samples(space, length)
    lengths = sorted({max(2 * k + 1, round(length / 2 ** (level / 2))) for level in range(_LEVELS)})
    marks = np.linspace(0, space.n - 1, _MARKS).astype(np.int64)
    distances = space.distance_to(np.arange(space.n), np.broadcast_to(marks, (space.n, len(marks))))
    ranks = [min(math.ceil(_expected(k) / one * _MARKS), _MARKS - 1) for one in lengths]
    far = np.partition(distances, sorted(set(ranks)), axis=1)[:, ranks]
    return _Side(space, near, tuple(lengths), near.distances[:, np.array(lengths) - 1], far)


def find_permuted(x: Space, y: Space, orders: Sequence[Order], task: Task, length: int) -> Iterator[Found]:
    """Find the neighbours beside y in each of several orders, then count within the radii of all orders at once.

    Args:
        x: first variable.
        y: second variable; its sample ``order[i]`` stands beside sample i of x.
        orders: permutations of the samples.
        task: what to look for.
        length: of the lists (`list_length`); 0 searches strips of the plane, for one coordinate each.
    """
    searched = dataclasses.replace(task, counts=False)
    search = _by_lists(x, y, searched, length) if length else _by_strips(x, y, searched)
    together = max(1, _FOUND_BYTES // (8 * x.n * (task.k + 5)))
    for start in range(0, len(orders), together):
        some = orders[start : start + together]
        with one_blas_thread(needed=x.norm == "euclidean"):
            founds = on_all_cores(search, some) if length else along_lines(search, some, n=x.n)
        if task.counts:
            _count(x, y, some, founds, closed=task.closed)
        yield from founds


def _count(x: Space, y: Space, orders: Sequence[Order], founds: Sequence[Found], *, closed: bool) -> None:
    """Fill in the counts of all orders: those in y for its samples as they were, then moved to where they are."""
    of_y = []
    for order, found in zip(orders, founds, strict=True):
        of_y.append(np.empty(y.n))
        of_y[-1][order] = found.radii[1]
    counted = [
        _count_all(space, radii, closed=closed)
        for space, radii in ((x, [found.radii[0] for found in founds]), (y, of_y))
    ]
    for order, found, in_x, in_y in zip(orders, founds, *counted, strict=True):
        found.counts[0][:] = in_x
        found.counts[1][:] = in_y[order]


def _count_all(space: Space, radii: list[np.ndarray], *, closed: bool) -> list[Int[np.ndarray, " sample"]]:
    """Count within several radii of each sample."""
    if space.dims > 1:
        return list(count_within(space, np.stack(radii, axis=1), closed=closed).T)
    _ = space.line, space.ascending  # made once, before the threads ask for it
    return along_lines(lambda radius: space.count_on_line(radius, closed=closed), radii, n=space.n)


def _by_strips(x: Space, y: Space, task: Task) -> Callable[[Order], Found]:
    """Return what finds the neighbours beside y in an order: strips, or a tree where those do not pay."""
    cuts = cut_plane(x, y, task.k)

    def search(order: Order) -> Found:
        found = None if cuts is None else search_strips(cuts, order, task)
        return found or find([(x, y.take(order))], task, back_end="tree", workers=1)[0]

    return search


def _by_lists(x: Space, y: Space, task: Task, length: int) -> Callable[[Order], Found]:
    """Return what finds the neighbours beside y in an order, by lists of this length (`list_length`)."""
    return partial(_beside, (_side(x, length, task.k), _side(y, length, task.k)), task)


@dataclasses.dataclass(frozen=True, eq=False)
class _Shuffle:
    """The pair with y in another order, and what was found.

    Attributes:
        sides: both variables as they were.
        moved: y as it stands beside x, and x as it stands beside y.
        order: which sample of y stands beside each of x.
        inverse: which sample of x stands beside each of y.
        found: the neighbours of the samples of x.
        task: what to look for.
    """

    sides: tuple[_Side, _Side]
    moved: tuple[Space, Space]
    order: Order
    inverse: Order
    found: Found
    task: Task


def _beside(sides: tuple[_Side, _Side], task: Task, order: Order) -> Found:
    """Find the neighbours beside one order by the lists."""
    x, y = sides
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    moved = y.space.take(order), x.space.take(inverse)
    shuffle = _Shuffle(sides, moved, order, inverse, empty(x.space.n, 2, task), task)
    # A list of x suffices to a length where enough of y are within its edge, and the other way round.
    enough = [_first(y.far[order] <= x.edges), _first(x.far <= y.edges[order])]
    by_y = enough[1] < enough[0]
    last = len(x.lengths) - 1
    left = np.zeros(x.space.n, bool)
    for level, length in enumerate(x.lengths):
        for which, rows in enumerate((~by_y & (enough[0] == level), by_y & (enough[1] == level))):
            left |= _read(shuffle, which, np.flatnonzero(rows), length)
    left |= np.minimum(*enough) > last
    for which in (0, 1):
        left = _read(shuffle, which, np.flatnonzero(left), x.lengths[-1])
    if left.any():
        complete((x.space, moved[0]), task, shuffle.found, left)
    return shuffle.found


def _first(true: Bool[np.ndarray, "sample level"]) -> Int[np.ndarray, " sample"]:
    """The first level that is true; their number where none is."""
    return np.where(true.any(axis=1), true.argmax(axis=1), true.shape[1])


def _read(shuffle: _Shuffle, which: int, samples: Int[np.ndarray, " row"], length: int) -> Bool[np.ndarray, " sample"]:
    """Read the lists of one side to a length, for some samples of x; return where that is too short."""
    near, other, found, k = shuffle.sides[which].near, shuffle.moved[which], shuffle.found, shuffle.task.k
    short = np.zeros(len(shuffle.order), bool)
    size = max(1, _PAIRS // length)
    for start in range(0, len(samples), size):
        into = samples[start : start + size]
        rows = into if which == 0 else shuffle.order[into]
        own = near.distances[:, :length][rows]
        beside = other.distance_to(rows, near.columns[:, :length][rows])
        joint = np.maximum(own, beside)
        nearest = np.sort(np.partition(joint, k, axis=1)[:, : k + 1], axis=1)
        kth = nearest[:, -2]
        found.distances[into] = nearest[:, :-1]
        tied = np.flatnonzero(nearest[:, -1] == kth)
        found.within[into] = k
        found.within[into[tied]] = np.count_nonzero(joint[tied] <= kth[tied, None], axis=1)
        radii = [radius_of(kth, shuffle.task)] * 2
        if shuffle.task.rectangle:
            inside = joint <= kth[:, None]
            radii = [np.where(inside, one, 0.0).max(axis=1) for one in (own, beside)]
        for kept, one in zip(found.radii, radii if which == 0 else radii[::-1], strict=True):
            kept[into] = one
        reach = near.reach[rows]
        if length < near.distances.shape[1]:
            reach = np.minimum(reach, near.distances[rows, length])
        short[into] = ~(kth < reach)
    return short
