"""Quantising activations: which cell each value lies in, and one number for each sample's joint cell."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float, Int, UInt64

Activations = Float[np.ndarray, "dim sample"]
Cells = Int[np.ndarray, "dim sample"]
Codes = UInt64[np.ndarray, " sample"]
Digit = tuple[Int[np.ndarray, " sample"], int]
"""The cell of a unit in each sample, and how many cells there are."""


EXTREME = 100
"""Powers of two beyond which a range is brought to the size of 1 first, so that no step over- or underflows."""


def value_range(t: Float[np.ndarray, "..."]) -> tuple[float, float]:
    """Smallest and largest value; where there is one value only, a range around it."""
    return widened(float(t.min()), float(t.max()))


BLOCK = 2**17
"""Values that are given their cells at once: few enough to stay in the processor's cache, twice as fast as all."""


def widened(low: float, high: float) -> tuple[float, float]:
    """Return a range as it is, or one around it where both ends are one number, whatever its size."""
    margin = max(0.5, 1e-6 * abs(low))
    largest = np.finfo(np.float64).max
    return (low, high) if low < high else (max(low - margin, -largest), min(low + margin, largest))


def uniform_cells(t: Activations, low: float, high: float, n_cells: int, *, last_open: bool = False) -> Cells:
    """Number the cell of each value among ``n_cells`` equal ones; values outside go to the outer cells.

    A cell holds its lower edge; the last one holds ``high`` too, or with ``last_open`` values from ``high`` up
    get a cell of their own. A first guess by division is compared with the edges themselves, so a value next
    to an edge is where the edges say, whatever the rounding.
    """
    size = int(np.frexp(max(abs(low), abs(high)))[1])
    if abs(size) > EXTREME:  # a power of two moves every number and edge alike, exactly
        low, high = np.ldexp(low, -size), np.ldexp(high, -size)
        t = np.ldexp(t, -size)
    edges = np.linspace(low, high, n_cells + 1)
    inner = _not_below(edges[1:] if last_open else edges[1:-1], t.dtype)
    lower = np.concatenate([[-np.inf], inner, [np.inf]]).astype(t.dtype)
    cells = np.empty(t.shape, np.int32)
    step = max(1, BLOCK // t.shape[1])
    for start in range(0, len(t), step):
        part = t[start : start + step]
        with np.errstate(over="ignore", under="ignore"):
            guess = (part - t.dtype.type(low)) * t.dtype.type(n_cells / (high - low))
        found = np.clip(guess, 0, len(lower) - 2, out=guess).astype(np.int32)
        found -= part < lower.take(found)
        found += part >= lower.take(found + 1)
        cells[start : start + step] = found
    return cells


def width_cells(t: Activations, width: float) -> Iterator[Digit]:
    """Number the cell floor(t / width) of each unit's values from 0, with the number of cells, unit by unit."""
    for values in t:
        with np.errstate(over="ignore"):
            floors = np.floor(values.astype(np.float64) / width)
        beyond = np.isinf(floors) & np.isfinite(values)
        if beyond.any():  # numbers so large differ by more than the width: each has a cell of its own
            _, inside = np.unique(np.where(beyond, 0.0, floors), return_inverse=True)
            different, own = np.unique(np.where(beyond, values, 0.0), return_inverse=True)
            joint = np.where(beyond, len(values) + own, inside)
            different, ranks = np.unique(joint, return_inverse=True)
            yield ranks.astype(np.int64), len(different)
        elif np.isfinite(floors).all() and (span := floors.max() - floors.min()) < 2**31:
            yield (floors - floors.min()).astype(np.int64), int(span) + 1
        else:  # as many cells as there are different ones
            different, ranks = np.unique(floors, return_inverse=True)
            yield ranks.astype(np.int64), len(different)


def equal_mass_edges(t: Activations, n_cells: int, *, distinct: bool) -> Float[np.ndarray, " edge"]:
    """Return the edges at quantiles of all values, or of the distinct ones among them, four times as large as values.

    Equal values share a cell, so there are fewer cells than asked for where one value is frequent; with
    ``distinct`` such a value (the zeros of a rectified unit) counts once and takes one cell at most.
    """
    pool = np.unique(t) if distinct else np.sort(t, axis=None)
    places = np.arange(1, n_cells) / n_cells * (len(pool) - 1)
    below = np.floor(places).astype(np.int64)
    # quarters, since quantiles take differences, which must not overflow
    low, high = (0.25 * pool[np.minimum(below + step, len(pool) - 1)].astype(np.float64) for step in (0, 1))
    share = places - below
    nearer = np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))
    return 4 * np.unique(nearer)


def cells_between(t: Activations, edges: Float[np.ndarray, " edge"]) -> Cells:
    """Number the cell of each value between rising edges; a cell holds its lower one."""
    return np.searchsorted(edges, t, side="right")


def mixed_radix(digits: Iterable[Digit]) -> Codes:
    """Number the joint cell of all units without collisions, one number for each sample.

    Units (cells and their number) are joined as digits of one number while that fits into 63 bits; then the
    numbers met so far are replaced by their ranks and joining goes on, unless all samples have a cell of their own
    already: further units leave that as it is.
    """
    rest = iter(digits)
    cells, largest = next(rest)
    codes = cells.astype(np.uint64)
    for cells, n_cells in rest:
        if largest * n_cells >= 2**63:
            different, ranks = np.unique(codes, return_inverse=True)
            codes, largest = ranks.astype(np.uint64), len(different)
            if largest == len(codes):
                break
        codes *= np.uint64(n_cells)
        codes += cells.astype(np.uint64)
        largest *= n_cells
    return codes


def _not_below(edges: Float[np.ndarray, " edge"], dtype: np.dtype) -> Float[np.ndarray, " edge"]:
    """Round edges up to the next number of ``dtype``: t ≥ edge means the same before and after."""
    rounded = edges.astype(dtype)
    return np.where(rounded < edges, np.nextafter(rounded, dtype.type(np.inf)), rounded)
