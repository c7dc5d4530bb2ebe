"""The compiled loop over pairs of blocks of rows: sums of Gaussian kernels, in XLA."""

from functools import cache, partial
from typing import Any

from jaxtyping import Float, Int

from infoplane._import_jax import import_jax, precision

APART, ALIKE, MIXED = range(3)
"""The labels of two blocks: no label in both, one and the same label throughout, or anything else.
The diagonal counts as mixed, for there the distance of a row to itself must be exactly 0."""

Factors = tuple[Float[Any, "place _"], Float[Any, "*_ place"]]
"""Two matrices whose product is a matrix of pairs of rows; of many coordinates points a, one a row, with a number each:
‖a‖² of ``coarse``, of ``fine`` ‖a+b‖² − ‖a‖² of what is added to it, b."""


@cache
def compiled_loop() -> Any:
    """The jitted `_loop`, made at the first use so that importing this module loads no JAX."""
    import_jax()
    import jax

    return jax.jit(_loop, static_argnames=("block", "labelled"))


def double_precision() -> Any:
    """The context in which JAX keeps float64; each thread needs its own."""
    return precision(True)


def _loop(
    coarse: Factors,
    fine: Factors | None,
    weights: Float[Any, " place"],
    labels: Int[Any, " place"],
    pairs: Int[Any, "3 pair"],
    span: Int[Any, "3"],
    scales: Float[Any, " sigma"],
    reach: Float[Any, ""],
    *,
    block: int,
    labelled: bool,
) -> tuple[Float[Any, "blocks sums block"], Float[Any, " blocks"]]:
    """Add up what the listed pairs of blocks contribute to each row.

    Args:
        coarse: factors of -D² (squared distances of rows in the unit ball).
        fine: factors of what has to be added to it, or None where ``coarse`` is precise enough.
        weights: multiplicity of each row; 0 for padding.
        labels: class of each row.
        pairs: (first block, second block, `APART` | `ALIKE` | `MIXED`) with first <= second.
        span: (start, step, count): this call takes the pairs start, start + step, …
        scales: s of the lower bound's kernel exp(-s D²), one a sigma; the upper one's is its 4th power.
        reach: a pair of blocks counts only if the largest of its ``coarse`` exceeds this.
        block: rows in a block.
        labelled: whether to add up rows of equal label too.

    Returns:
        For each block and row the sums (upper, upper within the class, lower, lower within the class) for
        each sigma, and for each block the weight of the rows that were left out.
    """
    import_jax()
    import jax.numpy as jnp
    from jax import lax

    n_blocks, n_sums = len(weights) // block, len(scales) * (4 if labelled else 2)
    dtype = coarse[0].dtype
    # The clamps keep every power a normal number: subnormal ones are up to four times slower.
    deepest, smallest = (-80.0, 0.0) if dtype == jnp.float64 else (-40.0, 1.2e-19)
    block_weights = weights.reshape(n_blocks, block).sum(1, dtype=jnp.float64)

    def cut(array: Any, index: Any, axis: int = 0) -> Any:
        return lax.dynamic_slice_in_dim(array, index * block, block, axis)

    exact = partial(jnp.matmul, precision=lax.Precision.HIGHEST)  # no TF32 on GPUs

    def product(factors: Factors, i: Any, j: Any) -> Any:
        if factors[1].ndim == 2:
            return exact(cut(factors[0], i), cut(factors[1], j, 1))
        points, norms = factors
        return exact(2 * cut(points, i), cut(points, j).T) - cut(norms, i)[:, None] - cut(norms, j)

    def addition(factors: Factors, i: Any, j: Any) -> Any:
        """What the low parts of points add to ``product(coarse, i, j)``."""
        if factors[1].ndim == 2:
            return product(factors, i, j)
        lows, rests = factors
        highs, low = cut(coarse[0], i), cut(lows, j)
        both = exact(2 * highs, low.T) + exact(2 * cut(lows, i), (cut(coarse[0], j) + low).T)
        return both - cut(rests, i)[:, None] - cut(rests, j)

    def kernels(exponent: Any) -> list[Any]:
        """Both kernels for each sigma, from one exponential and two squarings."""
        found = []
        for s in range(len(scales)):
            lower = lax.optimization_barrier(jnp.exp(jnp.clip(exponent * scales[s], deepest, 0)))
            root = jnp.maximum(lower * lower, jnp.asarray(smallest, dtype))
            found += [root * root, lower]
        return found

    def body(k: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        i, j, kind = pairs[:, span[0] + k * span[1]]
        first = product(coarse, i, j)
        near = (first.max(0).max() > reach) | (i == j)

        def exponent() -> Any:
            return first if fine is None else first + addition(fine, i, j)

        def sums(kernel: Any) -> Any:
            return jnp.stack([exact(kernel, cut(weights, j)), exact(cut(weights, i), kernel)])

        def none() -> Any:
            return jnp.zeros((n_sums, 2, block), dtype)

        def uniform() -> Any:
            share = (kind == ALIKE).astype(dtype)
            total = [sums(kernel) for kernel in kernels(exponent())]
            return jnp.stack([part for s in total for part in ((s, s * share) if labelled else (s,))])

        def mixed() -> Any:
            itself = jnp.eye(block, dtype=bool) & (i == j)
            alike = cut(labels, i)[:, None] == cut(labels, j)[None, :]
            every = kernels(jnp.where(itself, 0, exponent()))
            chosen = [part for e in every for part in ((e, jnp.where(alike, e, 0)) if labelled else (e,))]
            return jnp.stack([sums(kernel) for kernel in chosen])

        case = jnp.where(near, jnp.where(kind == MIXED, 2, 1), 0)
        added = lax.switch(case, [none, uniform, mixed]).astype(jnp.float64)
        total, left_out = state
        total = total.at[i].add(added[:, 0]).at[j].add(added[:, 1] * (i != j))
        far = jnp.where(near, 0.0, 1.0)
        left_out = left_out.at[i].add(far * block_weights[j]).at[j].add(far * block_weights[i] * (i != j))
        return total, left_out

    start = (jnp.zeros((n_blocks, n_sums, block), jnp.float64), jnp.zeros(n_blocks, jnp.float64))
    return lax.fori_loop(0, span[2], body, start)
