"""Lists of the samples near each sample, made once where many second variables are measured beside a first."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators._neighbors_space import Space, ranges
from infoplane.estimators._neighbors_threads import in_blocks, one_blas_thread
from infoplane.estimators._neighbors_tiles import Tiles, choose_tiles

LISTS_BYTES = 2**27
"""Memory for the lists of one variable; where they would need more, every shuffle looks at all samples."""

ENTRY_BYTES = 12
"""Memory for one entry of a list."""


class Near(NamedTuple):
    """Near samples of each sample, the nearest first.

    Attributes:
        columns: which samples; the row itself where there are fewer.
        distances: how far; infinite where there are fewer.
        reach: every sample nearer than this is in the list.
    """

    columns: Int[np.ndarray, "sample near"]
    distances: Float[np.ndarray, "sample near"]
    reach: Float[np.ndarray, " sample"]


def lists_fit(n: int, length: int) -> bool:
    """Whether lists of this length are short beside all samples, and fit into memory."""
    return length < n // 4 and length * n * ENTRY_BYTES < LISTS_BYTES


def near_samples(space: Space, length: int) -> Near:
    """List about ``length`` near samples of each; distances are exact."""
    n = space.n
    itself = np.repeat(np.arange(n, dtype=np.int32)[:, None], length, axis=1)
    near = Near(itself, np.full((n, length), np.inf), np.zeros(n))
    if space.dims == 1:
        _list_along_line(space, near)
    else:
        _list_by_coarse_distances(space, near)
    return near


def _list_along_line(space: Space, near: Near) -> None:
    """Fill lists with the runs of sorted values around each: the ``length`` nearest and itself."""
    length, order = near.columns.shape[1], np.argsort(space.points[:, 0], kind="stable")
    line = np.concatenate([[-np.inf], space.points[order, 0], [np.inf]])  # sorted place p is at p + 1
    first, last = np.maximum(np.arange(space.n) - length, 0), np.minimum(np.arange(space.n), space.n - length - 1)
    while (first < last).any():  # where does the run start that reaches as far to both sides?
        middle = (first + last) // 2
        further = line[1:-1] - line[middle + 1] > line[middle + length + 2] - line[1:-1]
        first, last = np.where(further & (first < last), middle + 1, first), np.where(further, last, middle)
    ends = line[1:-1] - line[first], line[first + length + 2] - line[1:-1]
    near.reach[order] = np.minimum(*ends) * space.scale

    def fill(places: Int[np.ndarray, " row"]) -> None:
        columns = order[first[places, None] + np.arange(length + 1)]
        rows = order[places]
        distances = np.abs(space.points[columns, 0] - space.points[rows, :1]) * space.scale
        distances[columns == rows[:, None]] = -1.0
        _write(near, rows, columns, distances, skip=1)

    in_blocks(space.n, length, fill)


def _list_by_coarse_distances(space: Space, near: Near) -> None:
    """Fill lists by a pass over all pairs; ties of coarse distances leave lists shorter."""
    n, length = near.columns.shape
    tiles = choose_tiles((space,), length)
    tiles.prepare()

    def fill(rows: Int[np.ndarray, " row"]) -> None:
        tile, scratch = np.empty((2, len(rows), n), tiles.dtype)
        tiles.fill(0, rows, tile, scratch)
        tile[np.arange(len(rows)), rows] = tiles.largest
        edge = np.partition(tile, length, axis=1)[:, length]
        place, column = np.divmod(np.flatnonzero(tile < edge[:, None]), n)
        lengths = np.bincount(place, minlength=len(rows))
        rank = np.arange(len(place)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        columns = np.repeat(rows[:, None], length, axis=1)
        columns[place, rank] = column
        distances = space.distance_to(rows, columns)
        distances[columns == rows[:, None]] = np.inf
        near.reach[rows] = tiles.at_least(rows, edge)
        _write(near, rows, columns, distances)

    with one_blas_thread(needed=tiles.squared):
        in_blocks(n, n, fill)


def _write(
    near: Near, rows: Int[np.ndarray, " row"], columns: np.ndarray, distances: np.ndarray, *, skip: int = 0
) -> None:
    """Write lists down, the nearest first, without the first ``skip``."""
    order = np.argsort(distances, axis=1)[:, skip:]
    near.columns[rows] = np.take_along_axis(columns, order, axis=1)
    near.distances[rows] = np.take_along_axis(distances, order, axis=1)


def count_within(
    space: Space, radii: Float[np.ndarray, "sample radius"], *, closed: bool
) -> Int[np.ndarray, "sample radius"]:
    """Count the other samples nearer than each of several radii (``closed``: or as near), by sorting distances.

    For one coordinate `Space.count_on_line` is quicker.
    """
    tiles = choose_tiles((space,), max(1, space.n // 10))
    if tiles.precision == "int16":
        tiles = Tiles((space,), "float32")
    tiles.prepare()
    counts = np.empty(radii.shape, np.int64)

    def count(rows: Int[np.ndarray, " row"]) -> None:
        tile, scratch = np.empty((2, len(rows), space.n), tiles.dtype)
        tiles.fill(0, rows, tile, scratch)
        tile[np.arange(len(rows)), rows] = tiles.largest
        tile, order = _sorted(tile)
        radius = radii[rows]
        place = np.repeat(np.arange(len(rows)), radius.shape[1])
        low, high = (end.reshape(radius.shape) for end in tiles.bracket(rows[place], radius.ravel()))
        start = np.stack([np.searchsorted(*pair, "left") for pair in zip(tile, low, strict=True)]).ravel()
        stop = np.stack([np.searchsorted(*pair, "right") for pair in zip(tile, high, strict=True)]).ravel()
        question, at = ranges(start, stop)
        near = space.distance(rows[place[question]], order[place[question], at])
        hit = near <= radius.ravel()[question] if closed else near < radius.ravel()[question]
        counts[rows] = (start + np.bincount(question[hit], minlength=len(start))).reshape(radius.shape)

    with one_blas_thread(needed=tiles.squared):
        in_blocks(space.n, space.n, count)
    return counts


def _sorted(tile: np.ndarray) -> tuple[np.ndarray, Int[np.ndarray, "row place"]]:
    """Sort each row of coarse distances; also return from where each came."""
    if tile.dtype != np.float32:
        order = np.argsort(tile, axis=1)
        return np.take_along_axis(tile, order, axis=1), order
    # Numbers from 0 up are ordered as their bits are; with the place below them one sort does what an argsort does.
    keys = (np.maximum(tile, 0).view(np.uint32).astype(np.uint64) << np.uint64(32)) | np.arange(
        tile.shape[1], dtype=np.uint64
    )
    keys.sort(axis=1)
    return (keys >> np.uint64(32)).astype(np.uint32).view(np.float32), (keys & np.uint64(2**32 - 1)).astype(np.int64)
