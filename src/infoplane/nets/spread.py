"""How the activations of a layer lie: range, standard deviation, dead units, saturated values."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

BOUNDS = {"tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0), "softmax": (0.0, 1.0)}
"""Ranges of the bounded activations."""

UNITS = 64
"""Units whose values are looked at together where the activations of all samples are large."""


class Spread(NamedTuple):
    """How the values of one layer lie, for each member; shares are of values (0…1)."""

    minimum: Float[Array | np.ndarray, " member"]
    maximum: Float[Array | np.ndarray, " member"]
    sd: Float[Array | np.ndarray, " member"]
    dead_share: Float[Array | np.ndarray, " member"]
    saturated_share: Float[Array | np.ndarray, " member"]


def spread(t: Float[Array, "member unit sample"], activation: str) -> Spread:
    """Range, standard deviation (over all values of the layer), dead units and saturated values.

    A unit is dead when it gives the same value for every sample. A value is saturated within 1 % of the
    range from an end of a bounded activation; for others the share is NaN.
    """
    dead = (t.min(axis=2) == t.max(axis=2)).mean(axis=1)
    saturated = jnp.full(t.shape[0], jnp.nan)
    if activation in BOUNDS:
        low, high = _ends(activation)
        saturated = ((t < low) | (t > high)).mean(axis=(1, 2))
    return Spread(t.min(axis=(1, 2)), t.max(axis=(1, 2)), t.std(axis=(1, 2)), dead, saturated)


def spread_of_large(t: Float[np.ndarray, "unit sample"], activation: str) -> Spread:
    """The same of one member's activations in host memory, without another array of their size; see `spread`."""
    lows, highs = t.min(axis=1), t.max(axis=1)
    parts = [t[start : start + UNITS] for start in range(0, len(t), UNITS)]
    mean = sum(float(part.sum(dtype=np.float64)) for part in parts) / t.size
    squares = sum(float(((part - mean) ** 2).sum(dtype=np.float64)) for part in parts)
    saturated = np.nan
    if activation in BOUNDS:
        low, high = (np.float32(end) for end in _ends(activation))
        saturated = sum(int(((part < low) | (part > high)).sum()) for part in parts) / t.size
    numbers = (lows.min(), highs.max(), np.sqrt(squares / t.size), (lows == highs).mean(), saturated)
    return Spread(*(np.array([number], np.float32) for number in numbers))


def _ends(activation: str) -> tuple[float, float]:
    """Where saturation begins at the two ends of a bounded activation."""
    low, high = BOUNDS[activation]
    margin = 0.01 * (high - low)
    return low + margin, high - margin
