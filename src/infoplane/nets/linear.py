"""Deep linear networks by full-batch gradient descent in float64.

The squared error of a linear network depends on the data through two moments only, so that an epoch costs the same
for ten inputs and for ten million.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

LARGEST = 1e6
"""A weight beyond which training has diverged, where inputs and labels are of the order of one."""

Kernel = Float[np.ndarray, "_n_out _n_in"]
Weights = tuple[Kernel, ...]
"""Kernels from the input to the output; there are no biases."""


def initialise(sizes: Sequence[int], scale: float, rng: np.random.Generator) -> Weights:
    """Draw kernels with entries N(0, scale² / fan-in).

    Args:
        sizes: numbers of units from the input to the output.
        scale: 1 keeps the size of what passes through; small values begin near the saddle at zero.
        rng: where the entries come from.
    """
    shapes = zip(sizes[1:], sizes[:-1], strict=True)
    return tuple(scale * rng.standard_normal(shape) / np.sqrt(shape[1]) for shape in shapes)


def maps(weights: Weights) -> Weights:
    """Return for each layer the map from the input to it: W1, W2 W1, …; the last is the whole network."""
    made = [weights[0]]
    for kernel in weights[1:]:
        made.append(kernel @ made[-1])
    return tuple(made)


def gradients(weights: Weights, second: Float[np.ndarray, "dim dim"], cross: Float[np.ndarray, "label dim"]) -> Weights:
    """Return the gradient of ½ mean ‖y − W x‖² in each kernel, W = W_L … W_1.

    With R = W ⟨x xᵀ⟩ − ⟨y xᵀ⟩ it is (W_L … W_{l+1})ᵀ R (W_{l−1} … W_1)ᵀ (Saxe, McClelland & Ganguli 2014).

    Args:
        weights: the kernels.
        second: ⟨x xᵀ⟩ over the rows trained on.
        cross: ⟨y xᵀ⟩ over them.
    """
    below = [None, *maps(weights)[:-1]]
    back = maps(weights)[-1] @ second - cross
    made: list[np.ndarray] = []
    for kernel, under in zip(reversed(weights), reversed(below), strict=True):
        made.append(back if under is None else back @ under.T)
        back = kernel.T @ back
    return tuple(reversed(made))


def descend(
    weights: Weights,
    inputs: Float[np.ndarray, "sample dim"],
    labels: Float[np.ndarray, "sample label"],
    *,
    learning_rate: float,
    epochs: int,
) -> Iterator[Weights]:
    """Yield the weights of epochs 0 (as they are given), 1, … by gradient descent on ½ mean ‖y − W x‖².

    Ends early where a weight exceeds `LARGEST`: the learning rate is too large, and the path diverges.
    """
    second, cross = inputs.T @ inputs / len(inputs), labels.T @ inputs / len(inputs)
    yield weights
    for _ in range(epochs):
        steps = gradients(weights, second, cross)
        weights = tuple(w - learning_rate * step for w, step in zip(weights, steps, strict=True))
        if max(float(np.abs(w).max()) for w in weights) > LARGEST:
            return
        yield weights
