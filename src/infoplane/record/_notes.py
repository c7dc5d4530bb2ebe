"""What a run of a model shows besides its layers: which layer is the model's output, and which outputs are left out."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

OUTPUT_LAYER, LEFT_OUT = "output_layer", "left_out"
"""Attributes of a result: the layer that is the model's output; {reason: names} of the omitted outputs, as JSON."""

OUTPUT = "output"
"""Name by which a function tells which of its layers is the output."""

NO_SAMPLES = "the output has no axis of samples"
UNSEEN = "the part runs inside jit, scan or vmap, or does not run"


def output_among(layers: Mapping[str, Shaped[np.ndarray, "..."]], returned: Shaped[np.ndarray, "..."]) -> str | None:
    """Return the layer that a model returns, empty if it is none of them; None if the values cannot tell.

    Arrays have the shape (sample, …).

    A model that returns softmax, log-softmax or sigmoid of a layer returns this layer: no information differs.
    """
    target = _rows(returned)
    if not target.size or not np.isfinite(target).all():
        return None
    rows = {name: _rows(values) for name, values in layers.items()}
    for function, tolerance in _LAST_STEPS:
        for name in reversed(rows):
            if rows[name].shape == target.shape and _is_close(function(rows[name]), target, tolerance):
                return name
    return ""


def named_output(names: Iterable[str], kept: Iterable[str]) -> dict[str, str]:
    """Return the note on the output of layers given by name: a layer named "output"; without such a layer nothing."""
    return {OUTPUT_LAYER: OUTPUT if OUTPUT in kept else ""} if OUTPUT in names else {}


def behind_initial_norms(parts: Sequence[str], layers: Sequence[str], norms: Sequence[str]) -> frozenset[str]:
    """Return the layers at or behind the first batch norm that has seen no batch.

    Args:
        parts: names of the parts that run, in order.
        layers: the layer that each of them gives.
        norms: names of these batch norms; if one of them is no part, all layers are behind it.
    """
    if not norms:
        return frozenset()
    first = min(parts.index(name) if name in parts else 0 for name in norms)
    return frozenset(layers[first:])


def left_out(reasons: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the note on outputs that are left out, given pairs (name, reason)."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in dict.fromkeys(reasons):
        by_reason.setdefault(reason, []).append(name)
    return {LEFT_OUT: json.dumps(by_reason)} if by_reason else {}


def _rows(values: Any) -> Float[np.ndarray, "sample dim"]:
    array = np.asarray(values, np.float64)
    return array.reshape(len(array), -1)


def _is_close(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    return np.allclose(one, other, rtol=0, atol=tolerance * max(float(np.abs(other).max()), 1e-300))


def _softmax(rows: Float[np.ndarray, "sample dim"]) -> Float[np.ndarray, "sample dim"]:
    return np.exp(_log_softmax(rows))


def _log_softmax(rows: Float[np.ndarray, "sample dim"]) -> Float[np.ndarray, "sample dim"]:
    centered = rows - rows.max(axis=1, keepdims=True)
    return centered - np.log(np.exp(centered).sum(axis=1, keepdims=True))


def _sigmoid(rows: Float[np.ndarray, "sample dim"]) -> Float[np.ndarray, "sample dim"]:
    return 0.5 + 0.5 * np.tanh(0.5 * rows)


# the first tolerance tells a layer from its batch norm with untrained statistics, which divides by 1.000005
_LAST_STEPS: Sequence[tuple[Callable[[np.ndarray], np.ndarray], float]] = (
    (lambda rows: rows, 1e-6), (_log_softmax, 1e-4), (_softmax, 1e-4), (_sigmoid, 1e-4),
)  # fmt: skip
