"""Neighbours within a label for many shuffles of the labels: along a line by sorting, else from lists of near samples.

The k-th neighbour of the same label is among the nearest k/p or so for a label of share p, and so are the samples
that are counted. So a shuffle looks at few samples; where a list turns out too short for a sample, at all.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane.estimators._neighbors_near import Near, lists_fit, near_samples
from infoplane.estimators._neighbors_search import complete
from infoplane.estimators._neighbors_space import Labels, Space
from infoplane.estimators._neighbors_sweep import Found, Task, empty, radius_of, wanted
from infoplane.estimators._neighbors_threads import along_lines, on_all_cores, one_blas_thread
from infoplane.estimators._threads import n_threads
from infoplane.estimators.pair import Order

_ROWS = 256
"""Rows done at a time."""

_ROOM = 8
"""How many times longer lists are than the rarest label needs on average."""


def list_length_of_labels(labels: Labels, k: int) -> int:
    """How many near samples to list beside such labels; 0 where lists do not pay."""
    length = _ROOM * k * labels.n // (int(labels.others.min()) + 1) + _ROOM
    return length if lists_fit(labels.n, length) else 0


def find_beside_labels(x: Space, labels: Labels, orders: Sequence[Order], task: Task) -> Iterator[Found]:
    """Find the neighbours beside the labels in each of several orders; a line needs no lists."""
    if x.dims == 1:
        _ = x.line, x.ascending  # made once, before the threads ask for it
        search: Callable[[Labels], Found] = partial(_on_line, x, task)
    else:
        search = partial(_beside, x, task, near_samples(x, list_length_of_labels(labels, task.k)))
    at_once = n_threads()
    for start in range(0, len(orders), at_once):  # no more results at a time than are worked on
        some = [labels.take(order) for order in orders[start : start + at_once]]
        with one_blas_thread(needed=x.norm == "euclidean"):
            founds = along_lines(search, some, n=x.n) if x.dims == 1 else on_all_cores(search, some)
        yield from founds


def _on_line(x: Space, task: Task, labels: Labels) -> Found:
    """Find the neighbours of one coordinate beside one set of labels: each label's samples in ascending order."""
    codes = labels.codes[x.ascending]
    width = np.uint16 if codes.max() < 2**16 else np.int64  # whole numbers of 16 bits are sorted by counting
    sequence = np.argsort(codes.astype(width), kind="stable")
    at, codes = x.ascending[sequence], codes[sequence]
    values = x.points[at, 0]
    nearest = _nearest_on_line(values, codes, task.k + 1) * x.scale
    found, asked = empty(x.n, 2, task), wanted((x, labels), task)[at]
    found.distances[at] = nearest[:, :-1]
    each = np.arange(x.n)
    kth = nearest[each, asked - 1]
    within = asked.copy()
    for code in np.unique(codes[nearest[each, asked] == kth]):
        own = codes == code
        within[own] = Space(values[own, None], x.scale).count_on_line(kth[own], closed=True)
    found.within[at] = within
    for kept in found.radii:
        kept[at] = radius_of(kth, task)
    if task.counts:
        found.counts[0][:] = x.count_on_line(found.radii[0], closed=task.closed)
    found.counts[1][:] = labels.others
    return found


def _nearest_on_line(
    values: Float[np.ndarray, " place"], codes: Int[np.ndarray, " place"], k: int
) -> Float[np.ndarray, "place k"]:
    """Distances to the k nearest places of the same code, ascending; infinite where there are fewer.

    Args:
        values: ascending among those of one code.
        codes: ascending.
        k: how many.
    """
    first, last = np.searchsorted(codes, codes, "left"), np.searchsorted(codes, codes, "right") - 1
    down, up = np.arange(len(values)) - 1, np.arange(len(values)) + 1
    nearest = np.empty((len(values), k))
    for column in nearest.T:  # the nearer of the next below and the next above
        below = np.where(down >= first, values - values.take(down, mode="clip"), np.inf)
        above = np.where(up <= last, values.take(up, mode="clip") - values, np.inf)
        np.minimum(below, above, out=column)
        down -= below <= above
        up += below > above
    return nearest


def _beside(x: Space, task: Task, near: Near, labels: Labels) -> Found:
    """Find the neighbours beside one set of labels."""
    spaces = (x, labels)
    found, asked = empty(x.n, 2, task), wanted(spaces, task)
    short = np.zeros(x.n, bool)
    for start in range(0, x.n, _ROWS):
        rows = slice(start, start + _ROWS)
        short[rows] = _search(labels, task, near, found, asked, rows)
    found.counts[1][:] = labels.others
    if short.any():
        complete(spaces, task, found, short)
    return found


def _search(
    labels: Labels, task: Task, near: Near, found: Found, asked: Int[np.ndarray, " sample"], rows: slice
) -> Bool[np.ndarray, " row"]:
    """Write down the neighbours of a block of rows; return for which the list is too short.

    Lists ascend, so a count of equal labels along a list tells where each neighbour is, and with it how many
    samples are nearer. Only where others are as far as the last neighbour distances are compared.
    """
    distances, k = near.distances[rows], asked[rows]
    same = labels.codes.take(near.columns[rows]) == labels.codes[rows, None]
    met = np.cumsum(same, axis=1, dtype=np.int32)
    places = np.stack([np.count_nonzero(met <= j, axis=1) for j in range(task.k)], axis=1)
    last, each = places[np.arange(len(k)), k - 1], np.arange(len(k))
    held = last < distances.shape[1] - 1
    last = np.minimum(last, distances.shape[1] - 2)
    nearest = np.take_along_axis(distances, np.minimum(places, distances.shape[1] - 1), axis=1)
    kth = distances[each, last]
    radius = radius_of(kth, task)
    alone = (distances[each, last + 1] > kth) & ((last == 0) | (distances[each, last - 1] < kth))
    found.distances[rows] = np.where(np.arange(task.k) < k[:, None], nearest, np.inf)
    within, counts = k.copy(), last + task.closed
    tied = np.flatnonzero(~alone)
    if len(tied):
        listed, edge = distances[tied], radius[tied, None]
        within[tied] = np.count_nonzero(same[tied] & (listed <= kth[tied, None]), axis=1)
        counts[tied] = np.count_nonzero(listed <= edge if task.closed else listed < edge, axis=1)
    found.within[rows], found.counts[0][rows] = within, counts
    for kept in found.radii:
        kept[rows] = radius
    return ~(held & (radius < near.reach[rows]))
