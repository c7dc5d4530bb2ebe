"""What rounding does to a layer: distinct activation rows in three precisions, and numerical ranks in two."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators.rows import row_codes

COUNTS = ("distinct_rows_float16", "distinct_rows_float64", "rank", "rank_float64")
"""What `counts` gives, beside the distinct rows in float32 that every run records."""

Kernels = Sequence[tuple[Float[np.ndarray, "member _ _"], Float[np.ndarray, "member _ 1"]]]
"""One (kernel [member, out, in], bias [member, out, 1]) for each layer."""

ACTIVATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "softplus": lambda z: np.logaddexp(z, 0),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "swish": lambda z: z * 0.5 * (1 + np.tanh(z / 2)),
    "leaky-relu": lambda z: np.where(z >= 0, z, 0.01 * z),
}
"""The activations of `infoplane.nets.mlp` in NumPy: JAX computes in float32 unless a process is told otherwise."""


def activations(
    weights: Kernels, activation: str, x: Float[np.ndarray, "feature sample"]
) -> list[Float[np.ndarray, "member _ sample"]]:
    """Compute every layer in float64 from float32 weights, the softmax outputs last.

    The function that float32 rounds: where it keeps two inputs apart and float32 does not, rounding has merged them.
    """
    from scipy.special import softmax

    hidden, layers = np.asarray(x, np.float64), []
    for index, (kernel, bias) in enumerate(weights):
        z = np.asarray(kernel, np.float64) @ hidden + bias
        hidden = softmax(z, axis=-2) if index == len(weights) - 1 else ACTIVATIONS[activation](z)
        layers.append(hidden)
    return layers


def counts(
    t: Float[np.ndarray, "member unit sample"], exact: Float[np.ndarray, "member unit sample"]
) -> dict[str, Float[np.ndarray, " member"]]:
    """Count distinct rows and ranks of one layer for each member; NaN where activations are not finite.

    Args:
        t: activations as they are trained and measured, in float32.
        exact: the same layer in float64; see `activations`.

    Returns:
        ``distinct_rows_float16`` of t rounded to half precision, ``distinct_rows_float64`` of exact; ``rank`` and
        ``rank_float64``: singular values of the matrix (unit, sample) above the largest times its longer side times
        the precision of its numbers (NumPy's rule).
    """
    with np.errstate(over="ignore"):  # what float16 cannot hold is infinite there, and equal
        half = t.astype(np.float16)
    found = (_distinct(half), _distinct(exact), _ranks(t), _ranks(exact))
    known = np.isfinite(t).all(axis=(1, 2)) & np.isfinite(exact).all(axis=(1, 2))
    return {name: np.where(known, values, np.nan) for name, values in zip(COUNTS, found, strict=True)}


def _distinct(t: Float[np.ndarray, "member unit sample"]) -> Int[np.ndarray, " member"]:
    codes = np.sort(row_codes(t), axis=1)
    return 1 + (codes[:, 1:] != codes[:, :-1]).sum(axis=1)


def _ranks(t: Float[np.ndarray, "member unit sample"]) -> Int[np.ndarray, " member"]:
    return np.linalg.matrix_rank(np.where(np.isfinite(t), t, 0))
