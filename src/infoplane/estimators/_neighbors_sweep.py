"""Neighbours by going through all pairs, in blocks of rows: search and counts in one sweep."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane.estimators._neighbors_space import AnySpace, Labels, Space
from infoplane.estimators._neighbors_threads import on_all_cores, one_blas_thread
from infoplane.estimators._neighbors_tiles import Tiles
from infoplane.estimators._threads import n_threads

BLOCK = 1 << 19
"""Pairs in a block: a few such arrays of 16 bits stay in the second-level cache."""

_GROUP = 16
"""Columns of which only the nearest is looked at first."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What to look for.

    Attributes:
        k: number of neighbours; of a discrete variable, at most all others with the symbol of the sample.
        rectangle: count within the neighbours' largest distance in each space of its own, instead of within the
            k-th joint distance in both.
        closed: whether points exactly at that distance count.
        atoms: count samples at distance 0 where the k-th neighbour is at distance 0.
        counts: whether anything is counted.
    """

    k: int
    rectangle: bool = False
    closed: bool = False
    atoms: bool = False
    counts: bool = True


_LEAST = float(np.nextafter(0.0, 1.0))
"""The smallest number above 0: what is nearer is at distance 0."""


def radius_of(kth: Float[np.ndarray, " row"], task: Task) -> Float[np.ndarray, " row"]:
    """The distance within which is counted, for the distance of the k-th neighbour."""
    return np.maximum(kth, _LEAST) if task.atoms else kth


class Found(NamedTuple):
    """The neighbours of each sample, distances in units of each variable's standard deviation.

    Attributes:
        distances: joint distances to the 1st … k-th neighbour; infinite beyond the last one there is.
        within: number of other samples at most as far as the k-th; more than k where that distance is shared.
        radii: distance in each space within which it is counted.
        counts: number of other samples within it, in each space (0 where nothing was to be counted).
    """

    distances: Float[np.ndarray, "sample k"]
    within: Int[np.ndarray, " sample"]
    radii: tuple[Float[np.ndarray, " sample"], ...]
    counts: tuple[Int[np.ndarray, " sample"], ...]

    def take(self, rows: Any) -> "Found":
        """Return what was found for some of the samples."""
        radii, counts = (tuple(own[rows] for own in each) for each in (self.radii, self.counts))
        return Found(self.distances[rows], self.within[rows], radii, counts)


def wanted(spaces: tuple[AnySpace, ...], task: Task) -> Int[np.ndarray, " sample"]:
    """How many neighbours each sample is asked for: k, or all others of its symbol where these are fewer."""
    asked = np.full(spaces[0].n, task.k)
    for space in spaces:
        if isinstance(space, Labels):
            asked = np.minimum(asked, space.others)
    return asked


def empty(n: int, n_spaces: int, task: Task) -> Found:
    """Room for the neighbours of n samples."""
    return Found(
        np.full((n, task.k), np.inf),
        np.zeros(n, np.int64),
        tuple(np.zeros(n) for _ in range(n_spaces)),
        tuple(np.zeros(n, np.int64) for _ in range(n_spaces)),
    )


def sweep(
    tiles: Sequence[Tiles], task: Task, rows: Int[np.ndarray, " row"] | None = None, into: Sequence[Found] | None = None
) -> list[Found]:
    """Find the neighbours of every sample (or of ``rows``, written into ``into``) among all samples.

    Args:
        tiles: one for each set of spaces; all have the same first space, whose distances are computed once.
        task: what to look for.
        rows: samples to do; None does all.
        into: results to complete.
    """
    n = tiles[0].spaces[0].n
    rows = np.arange(n) if rows is None else rows
    found = [empty(n, len(one.spaces), task) for one in tiles] if into is None else list(into)
    size = max(8, BLOCK // n)
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    for one in tiles:
        one.prepare()
    n_parts = max(1, min(len(blocks), n_threads()))

    def part(first: int) -> None:
        worker = _Worker(tiles, task, found, min(size, len(rows)))
        for block in blocks[first::n_parts]:
            worker.visit(block)

    with one_blas_thread(needed=tiles[0].squared):
        on_all_cores(part, range(n_parts))
    return found


class _Worker:
    """The arrays that one thread works in, and what it does with one block of rows."""

    def __init__(self, tiles: Sequence[Tiles], task: Task, found: Sequence[Found], size: int) -> None:
        self.tiles, self.task, self.found = tiles, task, found
        n = tiles[0].spaces[0].n
        n_spaces = len(tiles[0].spaces)
        self.coarse = [np.empty((size, n), tiles[0].dtype) for _ in range(n_spaces)]
        self.joint = np.empty((size, n), tiles[0].dtype)
        self.masks = np.zeros((2, size, -(-n // 8) * 8), bool)  # rows of whole words, the rest never set

    def visit(self, rows: Int[np.ndarray, " row"]) -> None:
        """Do one block of rows for every set of spaces."""
        coarse, joint = [array[: len(rows)] for array in self.coarse], self.joint[: len(rows)]
        itself = np.arange(len(rows)), rows
        for index, (tiles, found) in enumerate(zip(self.tiles, self.found, strict=True)):
            for which in range(len(coarse)):
                if which or not index:  # the first space is the same in every set
                    tiles.fill(which, rows, coarse[which], joint)
                    coarse[which][itself] = tiles.largest
            nearest = coarse[0] if len(coarse) == 1 else np.maximum(coarse[0], coarse[1], out=joint)
            radii = self._search(tiles, found, rows, nearest)
            if self.task.counts:
                self._count(tiles, found, rows, coarse, radii)

    def _search(
        self, tiles: Tiles, found: Found, rows: Int[np.ndarray, " row"], joint: np.ndarray
    ) -> list[Float[np.ndarray, " row"]]:
        """Write down the neighbours of a block of rows; return the radius of each space."""
        k, n = self.task.k, joint.shape[1]
        asked = wanted(tiles.spaces, self.task)[rows]
        limit = tiles.beyond(rows, _kth_smallest(joint, k)[np.arange(len(rows)), asked - 1])
        # The k nearest are among the candidates; these are compared exactly.
        mask = self.masks[0, : len(rows)]
        np.less_equal(joint, limit[:, None], out=mask[:, :n])
        place, column = set_places(mask)
        each = [space.distance(rows[place], column) for space in tiles.spaces]
        distance = each[0] if len(each) == 1 else np.maximum(*each)
        order = np.lexsort((distance, place))
        lengths = np.bincount(place, minlength=len(rows))
        first = np.cumsum(lengths) - lengths
        sorted_distance = distance[order]
        for j in range(k):
            has = asked > j
            found.distances[rows[has], j] = sorted_distance[first[has] + j]
        radius = sorted_distance[first + asked - 1]
        inside = distance <= radius[place]
        found.within[rows] = np.bincount(place[inside], minlength=len(rows))
        radii = [radius_of(radius, self.task)] * len(each)
        if self.task.rectangle:
            radii = [np.maximum.reduceat(np.where(inside, own, 0.0), first) for own in each]
        for kept, own in zip(found.radii, radii, strict=True):
            kept[rows] = own
        return radii

    def _count(
        self,
        tiles: Tiles,
        found: Found,
        rows: Int[np.ndarray, " row"],
        coarse: list[np.ndarray],
        radii: list[Float[np.ndarray, " row"]],
    ) -> None:
        """Count the points within the radius of each space of several coordinates."""
        inner, outer = self.masks[:, : len(rows)]
        n = coarse[0].shape[1]
        for space, distances, radius, counts in zip(tiles.spaces, coarse, radii, found.counts, strict=True):
            if not counted_in_sweep(space):
                continue
            low, high = tiles.bracket(rows, radius)
            np.less(distances, low[:, None], out=inner[:, :n])
            np.less_equal(distances, high[:, None], out=outer[:, :n])
            certain = count_lines(inner)
            np.not_equal(inner, outer, out=outer)
            place, column = set_places(outer)
            near = space.distance(rows[place], column)
            hit = near <= radius[place] if self.task.closed else near < radius[place]
            counts[rows] = certain + np.bincount(place[hit], minlength=len(rows))


def counted_in_sweep(space: AnySpace) -> bool:
    """Whether counts in this space come from the sweep; along a line and among labels sorting gives them."""
    return isinstance(space, Space) and space.dims > 1


def count_lines(mask: Bool[np.ndarray, "row place"]) -> Int[np.ndarray, " row"]:
    """Count what is set in each row of a mask with a multiple of 8 places.

    Eight bytes are added at a time, at most 255 words, so that no byte overflows: three times as quick as
    `numpy.count_nonzero` along an axis.
    """
    words = mask.view(np.uint64)
    starts = np.arange(0, words.shape[1], 255)
    bytes_of = np.ascontiguousarray(np.add.reduceat(words, starts, axis=1)).view(np.uint8)
    return bytes_of.sum(axis=1, dtype=np.int64)


def set_places(mask: Bool[np.ndarray, "row place"]) -> tuple[Int[np.ndarray, " set"], Int[np.ndarray, " set"]]:
    """Rows and columns of the few set places of a mask with a multiple of 8 places: words of 8 are looked at first."""
    words = mask.view(np.uint64).ravel()
    some = np.flatnonzero(words != 0)
    which, byte = np.nonzero(words[some].view(np.uint8).reshape(-1, 8))
    return np.divmod(8 * some[which] + byte, mask.shape[1])


def _kth_smallest(joint: np.ndarray, k: int) -> np.ndarray:
    """Of each row, k ascending values that are at least its 1st … k-th smallest: the smallest of k groups."""
    group = max(1, min(_GROUP, joint.shape[1] // (4 * k)))
    whole = joint.shape[1] // group * group
    nearest = joint[:, :whole].reshape(len(joint), group, -1).min(axis=1)
    if whole < joint.shape[1]:
        nearest = np.concatenate([nearest, joint[:, whole:]], axis=1)
    return np.sort(np.partition(nearest, k - 1, axis=1)[:, :k], axis=1)
