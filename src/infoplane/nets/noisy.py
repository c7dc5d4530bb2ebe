"""Networks with Gaussian noise on every hidden activation, in training and in measurement alike."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from infoplane.errors import InputError
from infoplane.nets.mlp import ACTIVATIONS, Weights

Keys = Any
"""One JAX key for each member, which type checkers take for an array of numbers."""

MEASURED = 2**31
"""Steps from which the noise of a measurement is counted, so that it is never that of training."""


def check_beta(beta: Any) -> float:
    """Return the standard deviation of the noise.

    Raises:
        InputError: unless it is a finite number from 0.
    """
    number = isinstance(beta, int | float | np.integer | np.floating) and not isinstance(beta, bool)
    if not number or not 0 <= beta < float("inf"):
        raise InputError(f"beta is {beta!r}; expected the standard deviation of the noise, a finite number from 0")
    return float(beta)


def noise_keys(seed: int, members: Any, epoch: Any, step: Any) -> Keys:
    """Return a key for each member that follows from (seed, member, epoch, step) alone.

    No chain is carried along: any step of any member can be repeated by itself. ``members``, ``epoch`` and ``step`` may
    be traced.
    """

    def one(member: Any) -> Any:
        key = jax.random.fold_in(jax.random.key(seed), member)
        return jax.random.fold_in(jax.random.fold_in(key, epoch), step)

    return jax.vmap(one)(jnp.asarray(members, jnp.uint32))


def forward(
    weights: Weights, activation: str, x: Float[Array, "*member feature sample"], beta: Any, keys: Keys
) -> list[Float[Array, "member _ sample"]]:
    """Noisy activations T = act(W T' + b) + N(0, β² I) of each hidden layer, then the outputs before the softmax.

    Every layer sees the noisy activations of the one before; the outputs get no noise. Gradients pass through as
    if the noise were given. With β = 0 these are the activations of `infoplane.nets.mlp.forward`.

    Args:
        weights: of a group of members.
        activation: name in `infoplane.nets.mlp.ACTIVATIONS`.
        x: inputs, shared by the members or one batch each.
        beta: β, the standard deviation of the noise on every unit, in units of the activations.
        keys: one a member, from `noise_keys`; the noise of a layer is its own, whatever layers follow.

    Reference:
        Z. Goldfeld et al., "Estimating information flow in deep neural networks", ICML 2019.
    """
    means, output = _pass(weights, activation, x, beta, keys)
    return [*(noisy for _, noisy in means), output]


def centres(
    weights: Weights,
    activation: str,
    x: Float[Array, "feature sample"],
    beta: Any,
    *,
    seed: int,
    members: Sequence[int],
    draws: int,
    epoch: int = 0,
) -> list[Float[np.ndarray, "member draw sample _"]]:
    """Activations of each hidden layer before its own noise, drawn again and again with new noise upstream.

    The layer itself is T = centre + N(0, β² I); given the input, the centre is random where a layer before is noisy.
    What `infoplane.estimators.nested.nested` takes is one member of one layer.

    Args:
        weights: of the members.
        activation: name in `infoplane.nets.mlp.ACTIVATIONS`.
        x: the inputs measured on.
        beta: as in `forward`.
        seed: seed of the run.
        members: their numbers, from which their noise follows.
        draws: how often every input passes.
        epoch: of the weights; another epoch has other noise.

    Raises:
        InputError: for a β that is no standard deviation, or no draw.
    """
    check_beta(beta)
    if draws < 1:
        raise InputError(f"draws is {draws}; expected at least 1 pass of every input")
    passes = [
        _means(weights, x, beta, noise_keys(seed, members, epoch, MEASURED + draw), activation=activation)
        for draw in range(draws)
    ]
    return [
        np.stack([np.asarray(one[layer]).swapaxes(1, 2) for one in passes], axis=1) for layer in range(len(weights) - 1)
    ]


@partial(jax.jit, static_argnames="activation")
def _means(weights: Any, x: Array, beta: Any, keys: Keys, *, activation: str) -> list[Array]:
    """Activations of each hidden layer before its own noise, by a program that is compiled once."""
    return [mean for mean, _ in _pass(weights, activation, x, beta, keys)[0]]


def _pass(
    weights: Weights, activation: str, x: Array, beta: Any, keys: Keys
) -> tuple[list[tuple[Array, Array]], Array]:
    """(before noise, after noise) of each hidden layer, and the outputs."""
    layers, hidden = [], x
    for index, (kernel, bias) in enumerate(weights):
        operands = "moi,mis->mos" if hidden.ndim == 3 else "moi,is->mos"
        z = jnp.einsum(operands, kernel, hidden) + bias
        if index == len(weights) - 1:
            return layers, z
        mean = ACTIVATIONS[activation](z)
        hidden = mean + beta * _noise(keys, index, mean)
        layers.append((mean, hidden))
    raise InputError("weights is empty; expected at least an output layer")


def _noise(keys: Keys, layer: int, like: Float[Array, "member unit sample"]) -> Float[Array, "member unit sample"]:
    """Draw standard normal noise for one layer of every member."""

    def one(key: Any) -> Array:
        return jax.random.normal(jax.random.fold_in(key, layer), like.shape[1:], like.dtype)

    return jax.vmap(one)(keys)
