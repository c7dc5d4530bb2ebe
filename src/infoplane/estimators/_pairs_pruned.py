"""Which pairs of blocks of rows can matter: equal rows merged, rows ordered in space, far blocks left out."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane._arrays import Codes
from infoplane.estimators._pairs_kernel import ALIKE, APART, MIXED
from infoplane.estimators._pairs_rows import Rows, codes_of
from infoplane.estimators.rows import mix_in

MERGE_BELOW = 0.9
"""Share of distinct rows below which merging equal ones costs less than it saves."""

ORDER_BELOW = 0.6
"""Share of pairs within reach (in a sample) below which ordering rows in space costs less than it saves."""

N_AXES = 16
"""Principal axes along which boxes are measured."""

QUIET = 250_000
"""Multiplications in a matrix product for which BLAS wakes no threads: they would go on spinning for
milliseconds and take the cores from the pass over the pairs (measured: it doubled the time of the whole)."""


@dataclasses.dataclass(frozen=True)
class Merged:
    """Distinct rows (of equal label), how often each occurs, and where each sample went."""

    first: Int[np.ndarray, " row"]
    counts: Int[np.ndarray, " row"]
    place: Int[np.ndarray, " sample"]


def merge_equal(rows: Rows, labels: Codes) -> Merged | None:
    """Merge rows that are equal in all coordinates and in label; None where few rows are."""
    codes = codes_of(rows)
    mix_in(codes[None], labels.astype(np.float64)[None])
    ordered = np.sort(codes)
    if 1 + (ordered[1:] != ordered[:-1]).sum() > MERGE_BELOW * len(rows):
        return None
    _, first, place, counts = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
    return Merged(first, counts, place)


def worth_ordering(rows: Rows, squared_reach: float) -> bool:
    """Guess from a few rows whether blocks that are compact in space would leave many pairs out."""
    n_rows, dim = rows.shape
    if n_rows < 1024 or dim > n_rows / 64:  # the principal axes would cost more than the pairs
        return False
    some = rows[:: -(-n_rows // int(np.sqrt(QUIET / dim)))]
    norms = (some**2).sum(1)
    near = norms[:, None] + norms - 2 * some @ some.T < squared_reach
    return float(near.mean()) < ORDER_BELOW


def principal_coordinates(rows: Rows) -> Float[np.ndarray, "row axis"]:
    """Coordinates along the widest principal axes: distances here are never above the true ones."""
    dim = rows.shape[1]
    some = rows[:: -(-len(rows) * dim**2 // QUIET)]
    _, axes = np.linalg.eigh(some.T @ some)
    widest = np.ascontiguousarray(axes[:, ::-1][:, :N_AXES])
    length = max(QUIET // widest.size, 1)
    return np.concatenate([rows[start : start + length] @ widest for start in range(0, len(rows), length)])


def order_in_space(
    coordinates: Float[np.ndarray, "row axis"], labels: Int[np.ndarray, " row"]
) -> Int[np.ndarray, " row"]:
    """Order rows by class, and within a class along the first principal axis.

    On trained layers of 4096 rows such thin slices left more out than the compact cells of a k-d tree,
    and took a quarter of the time; at 70 000 rows the two were alike.
    """
    return np.lexsort((coordinates[:, 0], labels))


def far_apart(
    coordinates: Float[np.ndarray, "row axis"], block: int, squared_reach: float
) -> Bool[np.ndarray, "blocks blocks"]:
    """Say which pairs of blocks have bounding boxes farther apart than the reach."""
    starts = np.arange(0, len(coordinates), block)
    low, high = np.minimum.reduceat(coordinates, starts), np.maximum.reduceat(coordinates, starts)
    squared = np.zeros((len(starts), len(starts)))
    for axis in range(coordinates.shape[1]):
        gap = np.maximum(low[:, None, axis] - high[None, :, axis], 0)
        squared += (gap + gap.T) ** 2
    return squared > squared_reach


def block_pairs(
    labels: Int[np.ndarray, " row"], block: int, far: Bool[np.ndarray, "blocks blocks"] | None
) -> Int[np.ndarray, "3 pair"]:
    """List the pairs of blocks to visit, first <= second, and how their labels relate."""
    starts = np.arange(0, len(labels), block)
    low, high = np.minimum.reduceat(labels, starts), np.maximum.reduceat(labels, starts)
    first, second = np.triu_indices(len(starts))
    if far is not None:
        kept = ~far[first, second]
        first, second = first[kept], second[kept]
    alike = (low[first] == high[first]) & (low[second] == high[second]) & (low[first] == low[second])
    apart = (low[first] > high[second]) | (low[second] > high[first])
    kind = np.where(apart, APART, np.where(alike & (first != second), ALIKE, MIXED))
    return np.stack([first, second, kind]).astype(np.int32)
