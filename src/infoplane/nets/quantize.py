"""Networks on few levels: activations, and weights if asked for, on 2^b values, with straight-through gradients."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from infoplane.errors import InputError
from infoplane.nets.mlp import ACTIVATIONS, Weights
from infoplane.nets.spread import BOUNDS

MOST_BITS = 8

LOWEST: Mapping[str, float] = {"relu": 0.0}
"""Lowest values of activations that are bounded on one side, so that these values are levels."""

Range = tuple[Float[Array, "member 1 1"], Float[Array, "member 1 1"]]
"""Lowest and highest level of a layer, one of each for every member."""


def check_bits(bits: Any, argument: str = "bits") -> int:
    """Return a number of bits, from 1 to 8.

    Raises:
        InputError: for anything else; names it.
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= MOST_BITS:
        raise InputError(f"{argument} is {bits!r}; expected a whole number of bits from 1 to {MOST_BITS}")
    return bits


def codes(
    values: Float[Array, "..."], low: Float[Array, "..."], high: Float[Array, "..."], bits: int
) -> Int[Array, "..."]:
    """Number the level nearest to each value, 0…2^b − 1; values outside the range go to its ends.

    Args:
        values: what is rounded.
        low: lowest level, of a shape that broadcasts with the values.
        high: highest level; where it is the lowest too every code is 0.
        bits: b.

    Raises:
        InputError: for b below 1 or above 8.
    """
    top = 2 ** check_bits(bits) - 1
    width = high - low
    share = (jnp.clip(values, low, high) - low) / jnp.where(width > 0, width, 1)
    return jnp.round(share * top).astype(jnp.int32)


def quantize(
    values: Float[Array, "..."], low: Float[Array, "..."], high: Float[Array, "..."], bits: int
) -> Float[Array, "..."]:
    """Round to the nearest of 2^b equally spaced levels from ``low`` to ``high``.

    The gradient is that of a clip: 1 for values inside the range, its ends included, 0 outside (the straight-through
    estimator of Bengio, Léonard & Courville 2013). The range gets no gradient.

    Raises:
        InputError: for b below 1 or above 8.

    Example:
        >>> import jax.numpy as jnp
        >>> quantize(jnp.array([-2.0, -0.2, 0.4, 0.9]), jnp.float32(-1), jnp.float32(1), 2).tolist()
        [-1.0, -0.3333333134651184, 0.3333333730697632, 1.0]
    """
    return _straight_through()(check_bits(bits), values, low, high)


@cache
def _straight_through() -> Any:
    """The rounding with the derivative of a clip."""

    @partial(jax.custom_jvp, nondiff_argnums=(0,))
    def rounded(bits: int, values: Array, low: Array, high: Array) -> Array:
        top = 2**bits - 1
        code = codes(values, low, high, bits).astype(values.dtype)
        # Both ends by name, for low + (high − low) need not be high.
        between = low + code * ((high - low) / top)
        return jnp.where(code == top, jnp.where(high > low, high, low), between)

    @rounded.defjvp
    def _derivative(bits: int, primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
        values, low, high = primals
        inside = (values >= low) & (values <= high)
        return rounded(bits, values, low, high), jnp.where(inside, tangents[0], 0)

    return rounded


def calibrate(weights: Weights, activation: str, x: Float[Array, "feature sample"]) -> list[Range]:
    """Return the range of every hidden layer, to be kept from then on.

    Of a bounded activation it is its own range, whatever the data; of another, from the smallest to the largest
    activation of the layer over all inputs as they are now (from 0 for ``relu``), each member by itself. Take it once,
    where quantising begins: levels that follow a layer while it trains hide its growth.

    Args:
        weights: of a group of members, in floats.
        activation: name in `infoplane.nets.mlp.ACTIVATIONS`.
        x: the inputs over which is calibrated.
    """
    ranges, hidden = [], x
    for kernel, bias in weights[:-1]:
        hidden = ACTIVATIONS[activation](_affine(kernel, bias, hidden))
        if activation in BOUNDS:
            low, high = (jnp.full((len(kernel), 1, 1), end, hidden.dtype) for end in BOUNDS[activation])
        else:
            lowest = hidden.min(axis=(1, 2), keepdims=True)
            low = jnp.full_like(lowest, LOWEST[activation]) if activation in LOWEST else lowest
            high = hidden.max(axis=(1, 2), keepdims=True)
        ranges.append((low, high))
    return ranges


def quantize_weights(weights: Weights, bits: int) -> Weights:
    """Round the kernels of every layer to 2^b levels from −m to m, m the largest |weight| of the layer of a member.

    Gradients pass straight through; biases stay as they are.
    """
    check_bits(bits, "weight_bits")
    ends = [jax.lax.stop_gradient(jnp.abs(kernel).max(axis=(1, 2), keepdims=True)) for kernel, _ in weights]
    return [(quantize(kernel, -end, end, bits), bias) for (kernel, bias), end in zip(weights, ends, strict=True)]


def forward(
    weights: Weights,
    activation: str,
    x: Float[Array, "*member feature sample"],
    ranges: Sequence[Range],
    bits: int,
    weight_bits: int | None = None,
) -> list[Float[Array, "member _ sample"]]:
    """Quantised activations of each hidden layer, then the outputs before the softmax, in floats.

    Every layer sees the quantised activations of the one before. Trained with this in place of
    `infoplane.nets.mlp.forward` the network is trained on its levels; with weights that were trained in floats it is
    rounded afterwards.

    Args:
        weights: of a group of members.
        activation: name in `infoplane.nets.mlp.ACTIVATIONS`.
        x: inputs, shared by the members or one batch each.
        ranges: of the hidden layers; see `calibrate`.
        bits: b of the activations.
        weight_bits: b of the kernels; None leaves them in floats.

    Raises:
        InputError: for b below 1 or above 8, or as many ranges as there are no hidden layers.
    """
    if len(ranges) != len(weights) - 1:
        raise InputError(f"ranges holds {len(ranges)}; expected {len(weights) - 1}, one for each hidden layer")
    used = weights if weight_bits is None else quantize_weights(weights, weight_bits)
    layers, hidden = [], x
    for (kernel, bias), (low, high) in zip(used[:-1], ranges, strict=True):
        hidden = quantize(ACTIVATIONS[activation](_affine(kernel, bias, hidden)), low, high, bits)
        layers.append(hidden)
    return [*layers, _affine(*used[-1], hidden)]


def activations(
    weights: Weights,
    activation: str,
    x: Float[Array, "feature sample"],
    ranges: Sequence[Range],
    bits: int,
    weight_bits: int | None = None,
) -> list[Float[Array, "member _ sample"]]:
    """Quantised activations of each hidden layer, then the softmax outputs on 2^b levels from 0 to 1: to be counted.

    Arguments as in `forward`. The estimator ``exact`` counts them without any further choice.
    """
    *hidden, output = forward(weights, activation, x, ranges, bits, weight_bits)
    low, high = (jnp.asarray(end, output.dtype) for end in BOUNDS["softmax"])
    return [*hidden, quantize(jax.nn.softmax(output, axis=-2), low, high, bits)]


def _affine(kernel: Array, bias: Array, hidden: Array) -> Array:
    operands = "moi,mis->mos" if hidden.ndim == 3 else "moi,is->mos"
    return jnp.einsum(operands, kernel, hidden) + bias
