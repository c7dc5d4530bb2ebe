"""How the gradient varies over the mini-batches of an epoch, taken while they train.

Each mini-batch's gradient is the one that trained: at the weights it met, of the mean loss over its rows, kernels only
(without biases, and before weight decay is added), layer by layer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from infoplane.nets.mlp import Weights


class Moments(NamedTuple):
    """Gradients of the mini-batches so far, layer by layer.

    Attributes:
        means: their mean [member, out, in] for each layer.
        squares: sum of their squared distances from that mean [member] for each layer.
    """

    means: list[Array]
    squares: list[Array]


def no_moments(weights: Weights) -> Moments:
    """Return the moments before the first mini-batch."""
    kernels = [kernel for kernel, _ in weights]
    return Moments([jnp.zeros_like(kernel) for kernel in kernels], [jnp.zeros(kernel.shape[0]) for kernel in kernels])


def add_gradient(moments: Moments, gradient: Weights, count: Float[Array, ""]) -> Moments:
    """Take in the gradient of the ``count``-th mini-batch; small spreads beside large means lose no digits.

    Reference:
        B. Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics 4 (1962).
    """
    moved = [kernel - mean for (kernel, _), mean in zip(gradient, moments.means, strict=True)]
    means = [mean + step / count for mean, step in zip(moments.means, moved, strict=True)]
    added = [(step**2).sum(axis=range(1, step.ndim)) * ((count - 1) / count) for step in moved]
    return Moments(means, [square + more for square, more in zip(moments.squares, added, strict=True)])


def mean_and_std(moments: Moments, n_batches: int) -> tuple[Float[Array, "member layer"], Float[Array, "member layer"]]:
    """Norm of the mean gradient, and the root of the trace of its covariance over mini-batches.

    The covariance divides by the number of mini-batches less one; of a single one it does not exist: NaN.
    """
    means = _by_layer([jnp.sqrt((mean**2).sum(axis=range(1, mean.ndim))) for mean in moments.means])
    stds = _by_layer([jnp.sqrt(square / (n_batches - 1)) for square in moments.squares])
    return means, stds if n_batches > 1 else jnp.full_like(stds, jnp.nan)


def _by_layer(values: Sequence[Array]) -> Float[Array, "member layer"]:
    return jnp.stack(values, axis=-1)
