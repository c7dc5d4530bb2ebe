"""Sums of Gaussian kernels from some rows to all rows of clouds, by class and by half of the samples of weights."""

import math
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane._import_jax import import_jax
from infoplane.estimators._pairs import FLOAT32_LIMIT
from infoplane.estimators._pairs_kernel import double_precision
from infoplane.estimators._threads import n_threads

QUERIES, BLOCK = 256, 512
"""Rows that are compared at once with so many others: what is computed between them stays in a CPU's cache."""

UNROLLED = 32
"""Coordinates up to which distances come from differences; beyond, from a product of matrices in float64."""

FAR_AWAY = 1e9
"""Coordinate, in σ, of places that no row fills: no kernel reaches so far."""

Rows = Float[np.ndarray, "row dim"]
Queries = Float[np.ndarray, "query dim"]


class Sums(NamedTuple):
    """For each query the kernels of its variance and of four times as much, summed over rows.

    Attributes:
        pooled: over all rows.
        of_class: over the rows of its class.
        pooled_half, of_class_half: the same over the rows of its half.
    """

    pooled: Float[np.ndarray, "kernel query"]
    of_class: Float[np.ndarray, "kernel query"]
    pooled_half: Float[np.ndarray, "kernel query"]
    of_class_half: Float[np.ndarray, "kernel query"]


def kernel_sums(
    queries: Queries,
    query_classes: Int[np.ndarray, " query"],
    query_halves: Int[np.ndarray, " query"],
    rows: Rows,
    classes: Int[np.ndarray, " row"],
    halves: Int[np.ndarray, " row"],
) -> Sums:
    """Sum exp(−D²/2) and exp(−D²/8) from each query to all rows, distances in units of σ.

    Rows are sorted by class and half into blocks of one kind, so that what a block adds is one number a query.

    Args:
        queries: points from which is summed.
        query_classes: class of each.
        query_halves: half of each, 0 or 1.
        rows: points over which is summed, centred.
        classes: class 0…C−1 of each.
        halves: half of each.
    """
    import_jax()
    import jax

    spread = float(np.sqrt(max(np.einsum("rd,rd->r", part, part).max() for part in (queries, rows))))
    direct = rows.shape[1] <= UNROLLED
    dtype = np.float32 if direct and spread**2 <= 8 * FLOAT32_LIMIT else np.float64
    points, kinds = _sorted_blocks(rows, classes * 2 + halves, dtype)
    n_kinds = 2 * (int(classes.max()) + 1)
    loop = _compiled_loop()
    with double_precision():
        compared = jax.device_put((points, kinds))
    out = np.empty((4, 2, len(queries)))

    def part(start: int) -> None:
        here = slice(start, start + QUERIES)
        some = np.zeros((rows.shape[1], QUERIES), dtype)
        some[:, : len(queries[here])] = queries[here].T
        with double_precision():
            sums = np.asarray(loop(some, *compared, n_kinds=n_kinds, direct=direct))[..., : len(queries[here])]
        out[..., here] = _by_query(sums, query_classes[here], query_halves[here])

    with ThreadPoolExecutor(n_threads()) as threads:
        list(threads.map(part, range(0, len(queries), QUERIES)))
    return Sums(*out)


def _by_query(
    sums: Float[np.ndarray, "kind kernel query"],
    classes: Int[np.ndarray, " query"],
    halves: Int[np.ndarray, " query"],
) -> Float[np.ndarray, "4 kernel query"]:
    """Choose for each query what belongs to its class and half."""
    by_half = sums.reshape(-1, 2, *sums.shape[1:])  # class, half, kernel, query
    each = np.arange(sums.shape[-1])
    pooled = by_half.sum(axis=0)
    own_class = by_half[classes, :, :, each]  # query, half, kernel
    own_half = pooled[halves, :, each]  # query, kernel
    return np.stack([pooled.sum(axis=0), own_class.sum(axis=1).T, own_half.T, own_class[each, halves].T])


def _sorted_blocks(rows: Rows, kinds: Int[np.ndarray, " row"], dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Put rows of one kind together, fill up their blocks with points far from all; return points, kind of a block."""
    order = np.argsort(kinds, kind="stable")
    counts = np.bincount(kinds)
    n_blocks = -(-counts // BLOCK)
    starts = np.repeat(np.cumsum(n_blocks) - n_blocks, counts) * BLOCK
    places = starts + np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    points = np.full((int(n_blocks.sum()) * BLOCK, rows.shape[1]), FAR_AWAY, dtype)
    points[places] = rows[order]
    return points, np.repeat(np.arange(len(counts)), n_blocks).astype(np.int32)


@cache
def _compiled_loop() -> Any:
    """The jitted `_loop`, made at the first use so that importing this module loads no JAX."""
    import_jax()
    import jax

    return jax.jit(_loop, static_argnames=("n_kinds", "direct"))


def _loop(
    queries: Float[Any, "dim query"],
    points: Float[Any, "place dim"],
    kinds: Int[Any, " block"],
    *,
    n_kinds: int,
    direct: bool,
) -> Float[Any, "kind kernel query"]:
    """Add up the kernels of a block of queries with every block of points.

    Queries lie along the last axis and sums go over the first: one loop without a matrix in memory, several times as
    fast as sums along the last axis or by products.
    """
    import_jax()
    import jax.numpy as jnp
    from jax import lax

    dtype = queries.dtype
    # The clamps keep every power a normal number: subnormal ones are up to four times slower.
    deepest, smallest = (-80.0, 0.0) if dtype == jnp.float64 else (-40.0, 1.2e-19)

    def squared(some: Any) -> Any:
        if direct:
            total = jnp.zeros((len(some), queries.shape[1]), dtype)
            for coordinate in range(len(queries)):
                difference = some[:, coordinate][:, None] - queries[coordinate]
                total += difference * difference
            return total
        norms = (some**2).sum(1)[:, None] + (queries**2).sum(0)
        return norms - 2 * jnp.matmul(some, queries, precision=lax.Precision.HIGHEST)

    def body(index: Any, sums: Any) -> Any:
        some = lax.dynamic_slice_in_dim(points, index * BLOCK, BLOCK)
        wide = jnp.exp(jnp.clip(squared(some) * (-1 / 8), deepest, 0))
        root = jnp.maximum(wide * wide, jnp.asarray(smallest, dtype))
        added = jnp.stack([(root * root).sum(0), wide.sum(0)])
        return sums.at[kinds[index]].add(added.astype(jnp.float64))

    start = jnp.zeros((n_kinds, 2, queries.shape[1]), jnp.float64)
    return lax.fori_loop(0, len(kinds), body, start)


def own_sums(
    queries: Queries,
    query_inputs: Int[np.ndarray, " query"],
    query_halves: Int[np.ndarray, " query"],
    clouds: Float[np.ndarray, "weights input dim"],
) -> Float[np.ndarray, "2 kernel query"]:
    """Sum both kernels from each query to the rows of its own input: to all, and to those of its half (m even or odd).

    Computed from differences in float64, for a cloud may be small beside all of them.
    """
    out = np.empty((2, 2, len(queries)))
    n_weights = clouds.shape[0]
    step = max(1, 2**17 // (n_weights * clouds.shape[2]))
    parity = np.arange(n_weights)[:, None] % 2

    def part(start: int) -> None:
        here = slice(start, start + step)
        difference = clouds[:, query_inputs[here]] - queries[here]
        wide = np.exp(np.maximum(np.einsum("mqd,mqd->mq", difference, difference) / -8, -80.0))
        same_half = parity == query_halves[here]
        for place, kernel in enumerate((wide**4, wide)):
            out[0, place, here] = kernel.sum(axis=0)
            out[1, place, here] = np.where(same_half, kernel, 0).sum(axis=0)

    with ThreadPoolExecutor(n_threads()) as threads:
        list(threads.map(part, range(0, len(queries), step)))
    return out


def scaled(rows: Float[np.ndarray, "row dim"], variance: float) -> tuple[Rows, float]:
    """Centre rows and divide them by σ, in float64; also return the radius in σ, infinite where it overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = rows.astype(np.float64)
        values = (values - values.mean(axis=0)) / math.sqrt(variance)
        radius = float(np.sqrt(np.einsum("rd,rd->r", values, values).max()))
    return values, radius if math.isfinite(radius) else math.inf
