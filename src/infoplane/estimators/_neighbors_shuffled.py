"""Neighbours within a label for many shuffles of the labels: lists of near samples, made once for all.

The k-th neighbour of the same label is among the nearest k/p or so for a label of share p, and so are the samples
that are counted. So a shuffle looks at few samples; where a list turns out too short for a sample, at all.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane.estimators._neighbors_search import complete
from infoplane.estimators._neighbors_space import Labels, Space
from infoplane.estimators._neighbors_sweep import Found, Task, empty, radius_of, wanted
from infoplane.estimators._neighbors_tiles import choose_tiles

LISTS_BYTES = 2**27
"""Memory for the lists; where they would need more, every shuffle looks at all samples."""

_ROWS = 256
"""Rows done at a time."""

_ROOM = 8
"""How many times longer lists are than the rarest label needs on average."""


class Near(NamedTuple):
    """Near samples of each sample, in no order.

    Attributes:
        columns: which samples; the row itself where there are fewer.
        distances: how far; infinite where there are fewer.
        reach: every sample nearer than this is in the list.
    """

    columns: Int[np.ndarray, "sample near"]
    distances: Float[np.ndarray, "sample near"]
    reach: Float[np.ndarray, " sample"]


def list_length(x: Space, rarest: int, k: int) -> int:
    """How many near samples to list for a rarest label of so many samples; 0 where lists do not pay."""
    length = _ROOM * k * x.n // rarest + _ROOM
    return length if length < x.n // 4 and length * x.n * 12 < LISTS_BYTES else 0


def find_shuffled(x: Space, labels: Sequence[Labels], task: Task, length: int) -> Iterator[Found]:
    """Find the neighbours beside each of several labels."""
    near = near_samples(x, length)
    n_threads = min(os.cpu_count() or 1, len(labels))
    with ThreadPoolExecutor(n_threads) as threads:
        for start in range(0, len(labels), n_threads):  # no more results at a time than are worked on
            yield from threads.map(lambda own: _beside(x, own, task, near), labels[start : start + n_threads])


def near_samples(space: Space, length: int) -> Near:
    """List about ``length`` near samples of each, by coarse distances; the distances written down are exact."""
    tiles = choose_tiles((space,), length)
    tiles.prepare()
    n = space.n
    itself = np.repeat(np.arange(n, dtype=np.int32)[:, None], length, axis=1)
    near = Near(itself, np.full((n, length), np.inf), np.zeros(n))
    coarse, scratch = np.empty((2, _ROWS, n), tiles.dtype)
    for start in range(0, n, _ROWS):
        rows = np.arange(start, min(start + _ROWS, n))
        tile = coarse[: len(rows)]
        tiles.fill(0, rows, tile, scratch[: len(rows)])
        tile[np.arange(len(rows)), rows] = tiles.largest
        edge = np.partition(tile, length, axis=1)[:, length]
        place, column = np.divmod(np.flatnonzero(tile < edge[:, None]), n)
        lengths = np.bincount(place, minlength=len(rows))
        rank = np.arange(len(place)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        near.columns[rows[place], rank] = column
        near.distances[rows[place], rank] = space.distance(rows[place], column)
        near.reach[rows] = tiles.at_least(rows, edge)
    return near


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
