"""What the compiled loop is given: all pairs of blocks at once, or of large layers those of two tiles at a time."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators._pairs_factors import LARGE, LargeFactors, factors
from infoplane.estimators._pairs_kernel import Factors
from infoplane.estimators._pairs_rows import Rows

TILE = 2**27
"""Bytes of the factors of a tile; of layers that have less than two, there is one job."""


class Job(NamedTuple):
    """Pairs of blocks that one call of the loop takes.

    Attributes:
        arrays: factors, weights, labels and pairs, as the loop takes them; the pairs are padded.
        n_pairs: number of pairs.
        blocks: the blocks that they are about, in the order in which they lie in the arrays.
    """

    arrays: tuple[Factors, Factors | None, np.ndarray, np.ndarray, np.ndarray]
    n_pairs: int
    blocks: Int[np.ndarray, " block"]


def jobs(
    rows: Rows,
    order: Int[np.ndarray, " row"],
    codes: Int[np.ndarray, " row"],
    counts: Float[np.ndarray, " row"],
    pairs: Int[np.ndarray, "3 pair"],
    *,
    dtype: Any,
    split: bool,
    block: int,
    n_blocks: int,
) -> Iterator[Job]:
    """Yield what has to be computed, one job after the other: the arrays of one are overwritten by the next.

    Args:
        rows: points in the unit ball.
        order: how they are visited.
        codes: class of each, in that order.
        counts: multiplicity of each, in that order.
        pairs: (first block, second block, kind of labels) with first <= second.
        dtype: of the factors.
        split: whether points are written as a coarse and a fine part.
        block: rows in a block.
        n_blocks: blocks that the arrays have room for.
    """
    whole = np.append(order, np.repeat(order[-1], -len(order) % block))  # whole blocks only
    a_block = block * rows.shape[1] * np.dtype(dtype).itemsize * (2 if split else 1)
    if rows.shape[1] < LARGE or n_blocks * a_block <= 2 * TILE:
        made = factors(rows, whole, n_blocks * block, dtype, split=split)
        room = n_blocks * (n_blocks + 1) // 2
        blocks = np.arange(n_blocks)
        yield Job((*made, *_padded(counts, codes, pairs, n_blocks * block, room, dtype)), pairs.shape[1], blocks)
        return
    size = max(TILE // a_block, 1)
    held = LargeFactors(2 * size * block, rows.shape[1], dtype, split=split)
    tiles = np.split(np.arange(len(whole) // block), range(size, len(whole) // block, size))
    if len(tiles) == 1:  # few rows are left of many equal ones
        tiles.append(np.empty(0, np.int64))
    written = -1
    for a, b in itertools.combinations(range(len(tiles)), 2):
        if written != a:
            held.write(rows, _rows_of(tiles[a], whole, block), 0)
            written = a
        held.write(rows, _rows_of(tiles[b], whole, block), len(tiles[a]) * block)
        blocks = np.concatenate([tiles[a], tiles[b]])
        own = _between(pairs, tiles, a, b)
        here = _rows_of(blocks, np.arange(len(order)), block)
        padded = _padded(counts[here], codes[here], own, 2 * size * block, size * (2 * size + 1), dtype)
        yield Job((held.coarse, held.fine, *padded), own.shape[1], blocks)


def _rows_of(blocks: Int[np.ndarray, " block"], order: Int[np.ndarray, " row"], block: int) -> Int[np.ndarray, " some"]:
    """Return the entries of whole blocks; of the last one what there is."""
    places = (blocks[:, None] * block + np.arange(block)).ravel()
    return order[places[places < len(order)]]


def _between(pairs: Int[np.ndarray, "3 pair"], tiles: list[np.ndarray], a: int, b: int) -> Int[np.ndarray, "3 some"]:
    """Return the pairs of two tiles, counted in their arrays: those between them, and within one in one job only."""
    size, last = len(tiles[0]), len(tiles) - 1
    first, second = pairs[0] // size, pairs[1] // size
    chosen = (first == a) & (second == b)
    if b == a + 1:
        chosen |= (first == a) & (second == a)
    if (a, b) == (last - 1, last):
        chosen |= (first == b) & (second == b)
    own = pairs[:, chosen].copy()
    for row in own[:2]:
        row -= np.where(row // size == a, a * size, (b - 1) * size)
    return own


def _padded(
    counts: Float[np.ndarray, " row"],
    codes: Int[np.ndarray, " row"],
    pairs: Int[np.ndarray, "3 pair"],
    length: int,
    room: int,
    dtype: Any,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Append zeros, so that few shapes occur."""
    weights, labels, listed = np.zeros(length, dtype), np.zeros(length, np.int32), np.zeros((3, room), np.int32)
    weights[: len(counts)], labels[: len(codes)], listed[:, : pairs.shape[1]] = counts, codes, pairs
    return weights, labels, listed
