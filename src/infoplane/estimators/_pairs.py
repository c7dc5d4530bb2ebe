"""One pass over the distances between all rows of a layer, for every estimator that sums Gaussian kernels."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from infoplane._arrays import Codes
from infoplane.estimators import _pairs_pruned as pruned
from infoplane.estimators._pairs_kernel import Factors, compiled_loop, double_precision
from infoplane.estimators._threads import n_threads

FLOAT32_LIMIT = 5e3
"""Largest exponent scale done in float32: max‖t‖²/4σ² = 1e4."""

UNRESOLVED = 1e18
"""Exponent scale from which float64 coordinates no longer resolve distances of one σ."""

PLAIN_LIMIT = 25.0
"""Largest exponent scale for which the plain product form in float32 is precise enough (see `_factors`)."""

BLOCK = {"cpu": 128, "gpu": 4096}
"""Rows of a block. A CPU block of kernels stays in the second-level cache; the GPU's is not measured."""


LARGE = 64
"""Coordinates from which on points are kept once; see `_large_factors`."""

PIECE = 2048


@dataclasses.dataclass(frozen=True)
class PairSums:
    """What all rows together contribute to each row, for each sigma.

    Attributes:
        upper: Σ_j exp(−D_ij/2σ²), at least 1 (j = i counts).
        lower: the same at 4σ².
        upper_within: as ``upper`` over the rows of equal label only, or None without labels.
        lower_within: as ``lower`` over the rows of equal label only, or None without labels.
        copies: number of rows that equal another one (and its label), where they are many; else 0.
        skipped: share of the pairs that was left out.
        error: bound on what that changes in −log2 of any sum, in bits.
    """

    upper: Float[np.ndarray, "sigma sample"]
    lower: Float[np.ndarray, "sigma sample"]
    upper_within: Float[np.ndarray, "sigma sample"] | None
    lower_within: Float[np.ndarray, "sigma sample"] | None
    copies: int
    skipped: float
    error: float


def unit_ball(t: Float[np.ndarray, "dim sample"]) -> tuple[Float[np.ndarray, "sample dim"], float]:
    """Centre the rows and scale them into the unit ball, in float64.

    Returns:
        The rows, and the radius they had; the radius is infinite where float64 cannot hold it.
    """
    exponent = int(np.frexp(np.abs(t).max())[1])
    rows = t.T.astype(np.float64, order="C")
    np.ldexp(rows, -exponent, out=rows)  # a power of two: exact, and no sum overflows
    rows -= rows.mean(axis=0)
    radius = float(np.sqrt(np.einsum("sd,sd->s", rows, rows).max()))
    if radius > 0:
        rows /= radius
    return rows, radius * 2.0 ** (exponent - 1) * 2.0


def pair_sums(
    rows: Float[np.ndarray, "sample dim"],
    labels: Codes | None,
    scales: Float[np.ndarray, " sigma"],
    *,
    tolerance: float,
    prune: bool = True,
) -> PairSums:
    """Sum the kernels exp(−scale·D²) and their fourth powers over all pairs of rows.

    Rows that are equal are merged; rows are ordered by class and, where it promises to pay, in space;
    pairs of blocks are left out when all that they could add to a row is below the tolerance. The rest is
    done block by block over the symmetric half, so memory grows with the rows and not with the pairs.

    Args:
        rows: points in the unit ball (`unit_ball`).
        labels: class of each row, or None.
        scales: radius²/8σ² for each σ (the lower bound's exponent).
        tolerance: largest error in bits that leaving out pairs may cause.
        prune: False to visit every pair of blocks.
    """
    codes = np.zeros(len(rows), np.int64) if labels is None else labels
    merged = pruned.merge_equal(rows, codes) if prune else None
    kept, kept_codes = (rows, codes) if merged is None else (rows[merged.first], codes[merged.first])
    counts = np.ones(len(rows)) if merged is None else merged.counts.astype(float)
    block = BLOCK["cpu" if _device().platform == "cpu" else "gpu"]
    # All left out adds less than N exp(-cut) to a sum that is at least 1.
    cut = max(float(np.log(len(rows)) - np.log(tolerance * np.log(2))), 0.0) if prune else np.inf
    order, far = _plan(kept, kept_codes, block, cut / _widest(scales))
    sums, left_out = _visit(
        kept, order, kept_codes[order], counts[order], far, scales,
        cut=cut, block=block, labelled=labels is not None, n_rows=len(rows),
    )  # fmt: skip
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    each = sums[..., place if merged is None else place[merged.place]]
    weights = np.add.reduceat(counts[order], np.arange(0, len(order), block))
    return PairSums(
        upper=each[:, 0],
        lower=each[:, -1] if labels is None else each[:, 2],
        upper_within=None if labels is None else each[:, 1],
        lower_within=None if labels is None else each[:, 3],
        copies=len(rows) - len(kept),
        skipped=float(weights @ left_out) / len(rows) ** 2,
        error=float(left_out.max() * np.exp(-cut) / np.log(2)),
    )


def _device() -> Any:
    """The device that JAX would use here; worker threads do not inherit it, so arrays are put there."""
    import jax

    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if chosen is None or isinstance(chosen, str):
        return jax.local_devices(backend=chosen)[0]
    return chosen


def _plan(
    rows: Float[np.ndarray, "row dim"], codes: Int[np.ndarray, " row"], block: int, squared_reach: float
) -> tuple[Int[np.ndarray, " row"], np.ndarray | None]:
    """Choose the order of the rows, and the pairs of blocks that are too far apart to matter."""
    if not pruned.worth_ordering(rows, squared_reach):
        return np.argsort(codes, kind="stable"), None
    coordinates = pruned.principal_coordinates(rows)
    order = pruned.order_in_space(coordinates, codes)
    return order, pruned.far_apart(coordinates[order], block, squared_reach)


def _visit(
    rows: Float[np.ndarray, "row dim"],
    order: Int[np.ndarray, " row"],
    codes: Int[np.ndarray, " row"],
    counts: Float[np.ndarray, " row"],
    far: np.ndarray | None,
    scales: Float[np.ndarray, " sigma"],
    *,
    cut: float,
    block: int,
    labelled: bool,
    n_rows: int,
) -> tuple[Float[np.ndarray, "sigma kind row"], Float[np.ndarray, " blocks"]]:
    """Run the compiled loop; arrays are padded as if no row had been merged, so that few shapes occur."""
    import jax

    dtype = np.float32 if scales.max() <= FLOAT32_LIMIT else np.float64
    split = bool(scales.max() > PLAIN_LIMIT)
    n_blocks = -(-n_rows // block)
    length = n_blocks * block
    pairs = pruned.block_pairs(codes, block, far)
    padded_pairs = np.zeros((3, n_blocks * (n_blocks + 1) // 2), np.int32)
    padded_pairs[:, : pairs.shape[1]] = pairs
    # Splitting moves a point by up to half a grid step a coordinate.
    slack = 2 * _grid(dtype) * np.sqrt(rows.shape[1]) if split else 0.0
    reach = -((np.sqrt(cut / _widest(scales)) + slack) ** 2)
    with double_precision():
        coarse, fine = _factors(
            rows, np.append(order, np.repeat(order[-1], -len(order) % block)), length, dtype, split=split
        )
        padded = _padded(counts, length, dtype), _padded(codes, length, np.int32), padded_pairs
        sums, left_out = _in_parts(
            jax.device_put((coarse, fine, *padded), _device()),
            pairs.shape[1],
            (scales.astype(dtype), dtype(reach)),
            block=block,
            labelled=labelled,
        )
    used = -(-len(rows) // block)
    if far is not None:
        left_out[:used] += far @ np.add.reduceat(counts, np.arange(0, len(rows), block))
    flat = sums.transpose(1, 0, 2).reshape(len(scales), -1, length)
    return flat[..., : len(rows)], left_out[:used]


def _in_parts(
    arrays: tuple[Any, ...], n_pairs: int, numbers: tuple[Any, Any], *, block: int, labelled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Share the pairs out among threads; the number of parts depends on the shapes alone, so sums repeat."""
    n_blocks = arrays[2].shape[0] // block
    n_parts = 1 if n_blocks < 8 else 4 if n_blocks < 128 else 16
    loop = compiled_loop()

    def part(start: int) -> tuple[np.ndarray, np.ndarray]:
        span = np.array([start, n_parts, len(range(start, n_pairs, n_parts))], np.int32)
        with double_precision():
            sums, left_out = loop(*arrays, span, *numbers, block=block, labelled=labelled)
            return np.asarray(sums), np.asarray(left_out)

    if n_parts == 1:
        sums, left_out = part(0)
        return sums, left_out.copy()
    with ThreadPoolExecutor(min(n_parts, n_threads())) as threads:
        results = threads.map(part, range(n_parts))
        sums, left_out = (array.copy() for array in next(results))
        for more_sums, more_left_out in results:
            sums += more_sums
            left_out += more_left_out
    return sums, left_out


def _widest(scales: Float[np.ndarray, " sigma"]) -> float:
    """The exponent scale of the largest sigma; no pair in the unit ball is out of reach below 1e-6."""
    return max(float(scales.min()), 1e-6)


def _grid(dtype: Any) -> float:
    """Half a step of the grid on which products of coordinates in the unit ball are exact."""
    return 2.0**-12 if dtype is np.float32 else 2.0**-26


def _padded(values: np.ndarray, length: int, dtype: Any) -> np.ndarray:
    """Append zeros."""
    out = np.zeros(length, dtype)
    out[: len(values)] = values
    return out


def _factors(
    rows: Float[np.ndarray, "row dim"],
    order: Int[np.ndarray, " visited"],
    length: int,
    dtype: Any,
    *,
    split: bool,
) -> tuple[Factors, Factors | None]:
    """Factor −‖a−b‖² = 2ab − ‖a‖² − ‖b‖² into two matrices, or into two exact and two small ones.

    The difference of large numbers loses digits where a and b are close: with exponent scale s an error of
    s times the rounding of 1, the same for all pairs of a tight cluster. A split writes each point as
    a = high + low with high on a grid so coarse that −‖high_a − high_b‖² is an integer number of squared
    steps below 2^24 (2^52), hence exact in float32 (float64). What remains,
    2 (high_a low_b + low_a b) − (‖a‖² − ‖high_a‖²) − (‖b‖² − ‖high_b‖²), is smaller by the grid step.
    """
    dim = rows.shape[1]
    if dim >= LARGE:
        return _large_factors(rows, order, length, dtype, split=split)
    width = -(-(dim + 2) // 4) * 4 - 2  # few shapes, few compilations
    step = 2 * _grid(dtype)
    widths = (width + 2, 2 * width + 2) if split else (width + 2,)
    lefts = [_aligned((length, w), dtype) for w in widths]
    rights = [_aligned((w, length), dtype) for w in widths]
    for here in _pieces(len(order)):
        x = np.zeros((here.stop - here.start, width))
        x[:, :dim] = rows[order[here]]
        high = np.round(x / step) * step if split else x
        low, one = x - high, np.ones((len(x), 1))
        exact = (high**2).sum(1, keepdims=True)
        rest = (low * (high + x)).sum(1, keepdims=True)
        columns = ((2 * high, -exact, -one), (2 * high, 2 * low, -rest, -one))
        opposite = ((high.T, one.T, exact.T), (low.T, x.T, one.T, rest.T))
        for left, right, a, b in zip(lefts, rights, columns, opposite, strict=False):
            np.concatenate(a, axis=1, out=left[here], casting="same_kind")
            np.concatenate(b, axis=0, out=right[:, here], casting="same_kind")
    coarse, *fine = zip(lefts, rights, strict=True)
    return coarse, fine[0] if fine else None


def _large_factors(
    rows: Float[np.ndarray, "row dim"],
    order: Int[np.ndarray, " visited"],
    length: int,
    dtype: Any,
    *,
    split: bool,
) -> tuple[Factors, Factors | None]:
    """The same of many coordinates: points and half of the norms once, of which the loop makes both factors.

    Coordinates dominate there, and writing them once instead of twice (of a split: six times) bounds the memory.
    """
    shape, step = (length, rows.shape[1]), 2 * _grid(dtype)
    highs, exacts = _aligned(shape, dtype), np.zeros(length, dtype)
    lows, rests = (_aligned(shape, dtype), np.zeros(length, dtype)) if split else (None, None)
    for here in _pieces(len(order)):
        x = rows[order[here]]
        high = np.round(x / step) * step if split else x
        highs[here], exacts[here] = high, (high**2).sum(1)
        if lows is not None and rests is not None:
            low = x - high
            lows[here], rests[here] = low, (low * (high + x)).sum(1)
    return (highs, exacts), None if lows is None or rests is None else (lows, rests)


def _pieces(count: int) -> list[slice]:
    """Slices of rows, so that float64 copies of them stay small."""
    return [slice(start, min(start + PIECE, count)) for start in range(0, count, PIECE)]


def _aligned(shape: tuple[int, int], dtype: Any) -> np.ndarray:
    """Zeros on a 64-byte boundary, which JAX adopts on the CPU without a copy."""
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)
