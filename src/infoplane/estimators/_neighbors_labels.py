"""Neighbours within a label for many shuffles of the labels, from lists of near samples.

The k-th neighbour of the same label is among the nearest k/p or so for a label of share p, and so are the samples
that are counted. So a shuffle looks at few samples; where a list turns out too short for a sample, at all.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Bool, Int

from infoplane.estimators._neighbors_near import Near, lists_fit, near_samples
from infoplane.estimators._neighbors_search import complete
from infoplane.estimators._neighbors_space import Labels, Space
from infoplane.estimators._neighbors_sweep import Found, Task, empty, radius_of, wanted
from infoplane.estimators.pair import Order

_ROWS = 256
"""Rows done at a time."""

_ROOM = 8
"""How many times longer lists are than the rarest label needs on average."""


def list_length_of_labels(labels: Labels, k: int) -> int:
    """How many near samples to list beside such labels; 0 where lists do not pay."""
    length = _ROOM * k * labels.n // (int(labels.others.min()) + 1) + _ROOM
    return length if lists_fit(labels.n, length) else 0


def find_beside_labels(x: Space, labels: Labels, orders: Sequence[Order], task: Task, length: int) -> Iterator[Found]:
    """Find the neighbours beside the labels in each of several orders."""
    near = near_samples(x, length)
    n_threads = min(os.cpu_count() or 1, len(orders))
    with ThreadPoolExecutor(n_threads) as threads:
        for start in range(0, len(orders), n_threads):  # no more results at a time than are worked on
            some = orders[start : start + n_threads]
            yield from threads.map(lambda order: _beside(x, labels.take(order), task, near), some)


def _beside(x: Space, labels: Labels, task: Task, near: Near) -> Found:
    """Find the neighbours beside one set of labels."""
    spaces = (x, labels)
    found, asked = empty(x.n, 2, task), wanted(spaces, task)
    short = np.zeros(x.n, bool)
    for start in range(0, x.n, _ROWS):
        rows = slice(start, start + _ROWS)
        short[rows] = _search(labels, task, near, found, asked, rows)
    complete(spaces, task, found, short)
    return found


def _search(
    labels: Labels, task: Task, near: Near, found: Found, asked: Int[np.ndarray, " sample"], rows: slice
) -> Bool[np.ndarray, " row"]:
    """Write down the neighbours of a block of rows; return for which the list is too short."""
    distances, k = near.distances[rows], asked[rows]
    same = labels.codes[near.columns[rows]] == labels.codes[rows, None]
    joint = np.where(same, distances, np.inf)
    nearest = np.sort(np.partition(joint, task.k - 1, axis=1)[:, : task.k], axis=1)
    kth = nearest[np.arange(len(k)), k - 1]
    radius = radius_of(kth, task)
    found.distances[rows] = np.where(np.arange(task.k) < k[:, None], nearest, np.inf)
    found.within[rows] = np.count_nonzero(joint <= kth[:, None], axis=1)
    inside = distances <= radius[:, None] if task.closed else distances < radius[:, None]
    found.counts[0][rows] = np.count_nonzero(inside, axis=1)
    for kept in found.radii:
        kept[rows] = radius
    return ~(radius < near.reach[rows])
