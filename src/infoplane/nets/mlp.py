"""Fully connected networks: weights of a group of members, activations, initialisations.

A group of members is trained as one program. Its arrays have the member first and the sample last,
``[member, feature, sample]``: the layout that the CPU's vector units like best (2.4 times faster than
sample-major rows).
"""

import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Weights = list[tuple[Array, Array]]
"""One (kernel [member, out, in], bias [member, out, 1]) for each layer, the output last."""

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "linear": lambda z: z,
    "softsign": jax.nn.soft_sign,
    "softplus": jax.nn.softplus,
    "elu": jax.nn.elu,
    "swish": jax.nn.swish,
    "leaky-relu": lambda z: jax.nn.leaky_relu(z, 0.01),
}


def truncated_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """Draw standard normal numbers, drawing again whatever falls beyond 2 standard deviations."""
    values = rng.standard_normal(shape)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = rng.standard_normal(int(beyond.sum()))
    return values


def _fan_in(rng: np.random.Generator, shape: tuple[int, ...], n_in: int, n_out: int) -> np.ndarray:
    return truncated_normal(rng, shape) / np.sqrt(n_in)


def _fan_out(rng: np.random.Generator, shape: tuple[int, ...], n_in: int, n_out: int) -> np.ndarray:
    return truncated_normal(rng, shape) / np.sqrt(n_out)


def _glorot(rng: np.random.Generator, shape: tuple[int, ...], n_in: int, n_out: int) -> np.ndarray:
    return truncated_normal(rng, shape) * np.sqrt(2 / (n_in + n_out))


def _keras(rng: np.random.Generator, shape: tuple[int, ...], n_in: int, n_out: int) -> np.ndarray:
    limit = np.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, shape)


INITIALISATIONS: dict[str, Callable[[np.random.Generator, tuple[int, ...], int, int], np.ndarray]] = {
    "fan-in": _fan_in,
    "fan-out": _fan_out,
    "glorot": _glorot,
    "keras": _keras,
}
"""How a kernel is drawn; biases are 0 everywhere.

``fan-in`` and ``fan-out``: truncated normal with standard deviation 1/√n_in (IDNNs) and 1/√n_out (Saxe et
al.'s code) before truncation. ``glorot``: the same with standard deviation √(2/(n_in + n_out)) (Glorot & Bengio
2010). ``keras``: uniform on ±√(6/(n_in + n_out)), the default of a Keras Dense layer.
"""


def init_weights(
    sizes: Sequence[int], init: str, output_init: str, seed: int, members: Sequence[int], attempt: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw the weights of some members; each depends on (seed, member, layer, attempt) alone.

    Args:
        sizes: numbers of units from the input to the output.
        init: name in `INITIALISATIONS` for the hidden layers.
        output_init: the same for the output layer.
        seed: seed of the run.
        members: numbers of the members to draw.
        attempt: 0, or how often the member was drawn before.

    Returns:
        (kernel [member, out, in], bias [member, out, 1]) in float32 for each layer.
    """
    shapes = [(n_out, n_in) for n_in, n_out in itertools.pairwise(sizes)]
    return draw_weights(shapes, init, output_init, seed, members, attempt)


def draw_weights(
    shapes: Sequence[tuple[int, ...]], init: str, output_init: str, seed: int, members: Sequence[int], attempt: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw kernels of given shapes, (out, in) or of convolutions (out, in, height, width); see `init_weights`.

    Of a convolution every place counts for the number of inputs and outputs, as in Keras.
    """
    weights = []
    for layer, shape in enumerate(shapes):
        draw = INITIALISATIONS[output_init if layer == len(shapes) - 1 else init]
        places = math.prod(shape[2:])
        fans = shape[1] * places, shape[0] * places
        kernels = [draw(np.random.default_rng([seed, member, layer, attempt]), shape, *fans) for member in members]
        bias = np.zeros((len(members), shape[0], 1), np.float32)
        weights.append((np.stack(kernels).astype(np.float32), bias))
    return weights


def logits(
    weights: Weights, activation: str, x: Float[Array, "*member feature sample"]
) -> Float[Array, "member label sample"]:
    """Outputs before the softmax; ``x`` is shared by the members or one batch each."""
    return forward(weights, activation, x)[-1]


def forward(
    weights: Weights, activation: str, x: Float[Array, "*member feature sample"]
) -> list[Float[Array, "member unit sample"]]:
    """Activations of each hidden layer, then the outputs before the softmax."""
    act = ACTIVATIONS[activation]
    layers: list[Array] = []
    hidden = x
    for index, (kernel, bias) in enumerate(weights):
        operands = "moi,mis->mos" if hidden.ndim == 3 else "moi,is->mos"
        z = jnp.einsum(operands, kernel, hidden) + bias
        hidden = z if index == len(weights) - 1 else act(z)
        layers.append(hidden)
    return layers


def activations(
    weights: Weights, activation: str, x: Float[Array, "feature sample"]
) -> list[Float[Array, "member unit sample"]]:
    """Activations of each hidden layer, then the softmax outputs: what is measured."""
    *hidden, output = forward(weights, activation, x)
    return [*hidden, jax.nn.softmax(output, axis=-2)]
