"""One pass over the distances between all rows of a layer, for every estimator that sums Gaussian kernels."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from infoplane._arrays import Codes
from infoplane._import_jax import import_jax
from infoplane.estimators import _pairs_pruned as pruned
from infoplane.estimators._pairs_factors import grid
from infoplane.estimators._pairs_kernel import compiled_loop, double_precision
from infoplane.estimators._pairs_rows import Rows, only
from infoplane.estimators._pairs_tiles import jobs
from infoplane.estimators._threads import n_threads

FLOAT32_LIMIT = 5e3
"""Largest exponent scale done in float32: max‖t‖²/4σ² = 1e4."""

UNRESOLVED = 1e18
"""Exponent scale from which float64 coordinates no longer resolve distances of one σ."""

PLAIN_LIMIT = 25.0
"""Largest exponent scale for which the plain product form in float32 is precise enough (see `factors`)."""

BLOCK = {"cpu": 128, "gpu": 4096}
"""Rows of a block. A CPU block of kernels stays in the second-level cache; the GPU's is not measured."""


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


def pair_sums(
    rows: Rows,
    labels: Codes | None,
    scales: Float[np.ndarray, " sigma"],
    *,
    tolerance: float,
    prune: bool = True,
) -> PairSums:
    """Sum the kernels exp(−scale·D²) and their fourth powers over all pairs of rows.

    Rows that are equal are merged; rows are ordered by class and, where it promises to pay, in space;
    pairs of blocks are left out when all that they could add to a row is below the tolerance. The rest is
    done block by block over the symmetric half, so memory grows with the rows and not with the pairs; of layers whose
    points would take much of it, two parts are held at a time.

    Args:
        rows: points in the unit ball (`in_unit_ball`).
        labels: class of each row, or None.
        scales: radius²/8σ² for each σ (the lower bound's exponent).
        tolerance: largest error in bits that leaving out pairs may cause.
        prune: False to visit every pair of blocks.
    """
    codes = np.zeros(len(rows), np.int64) if labels is None else labels
    merged = pruned.merge_equal(rows, codes) if prune else None
    kept, kept_codes = (rows, codes) if merged is None else (only(rows, merged.first), codes[merged.first])
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
    import_jax()
    import jax

    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if chosen is None or isinstance(chosen, str):
        return jax.local_devices(backend=chosen)[0]
    return chosen


def _plan(
    rows: Rows, codes: Int[np.ndarray, " row"], block: int, squared_reach: float
) -> tuple[Int[np.ndarray, " row"], np.ndarray | None]:
    """Choose the order of the rows, and the pairs of blocks that are too far apart to matter."""
    if not pruned.worth_ordering(rows, squared_reach):
        return np.argsort(codes, kind="stable"), None
    coordinates = pruned.principal_coordinates(rows)
    order = pruned.order_in_space(coordinates, codes)
    return order, pruned.far_apart(coordinates[order], block, squared_reach)


def _visit(
    rows: Rows,
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
    import_jax()
    import jax

    dtype = np.float32 if scales.max() <= FLOAT32_LIMIT else np.float64
    split = bool(scales.max() > PLAIN_LIMIT)
    n_blocks = -(-n_rows // block)
    # Splitting moves a point by up to half a grid step a coordinate.
    slack = 2 * grid(dtype) * np.sqrt(rows.shape[1]) if split else 0.0
    reach = -((np.sqrt(cut / _widest(scales)) + slack) ** 2)
    sums = np.zeros((n_blocks, len(scales) * (4 if labelled else 2), block))
    left_out = np.zeros(n_blocks)
    pairs = pruned.block_pairs(codes, block, far)
    for job in jobs(rows, order, codes, counts, pairs, dtype=dtype, split=split, block=block, n_blocks=n_blocks):
        with double_precision():
            arrays = jax.device_put(job.arrays, _device())
        numbers = scales.astype(dtype), dtype(reach)
        more_sums, more_left_out = _in_parts(arrays, job.n_pairs, numbers, block=block, labelled=labelled)
        sums[job.blocks] += more_sums[: len(job.blocks)]
        left_out[job.blocks] += more_left_out[: len(job.blocks)]
    used = -(-len(rows) // block)
    if far is not None:
        left_out[:used] += far @ np.add.reduceat(counts, np.arange(0, len(rows), block))
    flat = sums.transpose(1, 0, 2).reshape(len(scales), -1, n_blocks * block)
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
