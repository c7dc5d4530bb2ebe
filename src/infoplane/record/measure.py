"""Measures every layer of a model on a set of inputs, with bounded memory."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from infoplane._arrays import to_numpy
from infoplane.errors import InputError
from infoplane.estimators import LayerEstimator
from infoplane.estimators.base import Layers, LayerValues, Values
from infoplane.estimators.layers import measure_layers
from infoplane.estimators.rows import distinct_rows
from infoplane.record.probes import SIZE_ERRORS, select_names
from infoplane.record.sets import MeasuredSet, parts_of
from infoplane.results import encode_flags

Source = Callable[[slice, Any], Mapping[str, Any]]
"""Takes the place of a batch among the samples and its inputs, gives {layer: activations}."""

QUANTITIES = ("bits", "lower", "upper", "std_error")
SPREADS = ("minimum", "maximum", "sd", "dead_share", "distinct_rows")


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one epoch gave on one set of inputs.

    Attributes:
        layers: names of the layers, in order.
        values: ``bits``, ``lower``, ``upper``, ``std_error`` in bits, NaN where there is none; (estimator, layer,
            variable), the variable being I(X;T), then I(T;Y).
        flags: encoded flags, (estimator, layer, variable).
        reasons: sentences with the amounts behind the flags, empty without flags, (estimator, layer, variable).
        spreads: how each layer's values lie, (layer,).
    """

    layers: tuple[str, ...]
    values: Mapping[str, Float[np.ndarray, "estimator layer 2"]]
    flags: Int[np.ndarray, "estimator layer 2"]
    reasons: Shaped[np.ndarray, "estimator layer 2"]
    spreads: Mapping[str, Float[np.ndarray, " layer"]]


Measured = tuple[dict[str, Measurement], dict[str, str]]
"""The measurement of each set of inputs, and the attributes of the result that the model's run showed."""


def measure_set(
    measured: MeasuredSet, source: Source, estimators: Sequence[LayerEstimator], memory: int
) -> Measurement:
    """Evaluate a model on all inputs and measure each layer.

    Layers that do not fit into ``memory`` bytes together are measured in several passes over the inputs.

    Raises:
        InputError: for activations that cannot be used, or a single layer that is larger than ``memory``.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    names: list[str] = []
    seen = look(measured, source)
    for name, activations in _activations(measured, source, memory, seen):
        names.append(name)
        extra = {"stochastic"} if name in seen.stochastic else set()
        found[name] = _measure_layer(activations, measured, estimators, name, extra)
    if not names:
        raise InputError("the model gives no layers; nothing to measure")
    stacked = {
        key: np.stack([found[name][key] for name in names], axis=-2 if found[names[0]][key].ndim else 0)
        for key in found[names[0]]
    }
    return Measurement(
        layers=tuple(names),
        values={key: stacked[key] for key in QUANTITIES},
        flags=stacked["flags"],
        reasons=stacked["reasons"],
        spreads={key: stacked[key] for key in SPREADS},
    )


def measure_model(
    probe: Any, sets: Mapping[str, MeasuredSet], estimators: Sequence[LayerEstimator], memory: int
) -> Measured:
    """Measure each layer of a model on each set of inputs; return also what the run showed, see `_notes`.

    Raises:
        InputError: see `measure_set`, and for inputs that have changed.
    """
    for set_ in sets.values():
        set_.check_unchanged()
    if hasattr(probe, "exact_batch"):
        probe.exact_batch = next(iter(sets.values())).exact_batch
    with probe.measuring() as evaluate:
        measured = {
            name: measure_set(set_, lambda _, batch: evaluate(batch), estimators, memory) for name, set_ in sets.items()
        }
    return measured, dict(getattr(probe, "notes", {}))


def slices(activations: Mapping[Any, Any], n_samples: int, layers: str | Sequence[str] | None) -> Source:
    """Cut activations that were computed beforehand, in the order of the inputs, into batches."""
    named = {str(layer): values for layer, values in activations.items()}
    for layer, values in named.items():
        if not hasattr(values, "__len__") or len(values) != n_samples:
            came = getattr(values, "shape", type(values).__name__)
            raise InputError(f"activations of '{layer}' have shape {came}; expected ({n_samples}, …)")
    kept = select_names([*named], layers)
    return lambda place, _: {layer: named[layer][place] for layer in kept}


class Look(NamedTuple):
    """What a run on a few inputs shows of a model.

    Attributes:
        first: activations of the first sample, by layer.
        stochastic: layers that give the same inputs other activations when they are evaluated again.
        exact_size: the only batch size that the model runs on; 0 for any.
    """

    first: Mapping[str, Float[np.ndarray, "1 dim"]]
    stochastic: frozenset[str]
    exact_size: int


def look(measured: MeasuredSet, source: Source) -> Look:
    """Run the model twice on two samples, or on whole batches if it is laid out for one batch size and fails on two.

    Raises:
        InputError: for a model that runs neither on two samples nor on a batch.
    """
    failed: Any = None
    sizes = dict.fromkeys([min(measured.batch_size, measured.n_samples), measured.batch_size])
    for size in sizes if measured.exact_batch else [0, *sizes]:
        place, batch = next(measured.exact_batches(size) if size else measured.batches(2))
        try:
            given, again = source(place, batch), source(place, batch)
        except SIZE_ERRORS as error:
            failed = error, batch
        else:
            one, two = (
                {name: _batch_rows(part, name, place, size) for name, part in g.items()} for g in (given, again)
            )
            drawn = frozenset(name for name in one if name in two and _differ(one[name], two[name]))
            return Look({name: rows[:1] for name, rows in one.items()}, drawn, size)
    raise _explained(*failed)


def _differ(one: Float[np.ndarray, "sample dim"], two: Float[np.ndarray, "sample dim"]) -> bool:
    """Say whether activations differ by more than accelerators do, whose sums change in the last digits."""
    if one.shape != two.shape:
        return True
    largest = np.abs(one).max(where=np.isfinite(one), initial=0)
    return not np.allclose(one, two, rtol=0, atol=1e-4 * float(largest), equal_nan=True)


def _activations(
    measured: MeasuredSet, source: Source, memory: int, seen: Look
) -> Iterator[tuple[str, Float[np.ndarray, "1 dim sample"]]]:
    """Yield each layer's activations, as many at a time as memory allows."""
    looks, exact_size = seen.first, seen.exact_size
    per_sample = sum(first.nbytes for first in looks.values())
    batch_size = max(2, min(measured.batch_size, memory // max(per_sample, 1)))
    for group in _groups({name: first.nbytes * measured.n_samples for name, first in looks.items()}, memory):
        buffers = {name: np.empty((1, looks[name].size, measured.n_samples), looks[name].dtype) for name in group}
        for place, batch in measured.exact_batches(exact_size) if exact_size else measured.batches(batch_size):
            given = source(place, batch)
            for name, buffer in buffers.items():
                if name not in given:
                    raise InputError(f"layer '{name}' is missing for inputs {place.start}–{place.stop - 1}")
                _fill(buffer, _batch_rows(given[name], name, place, exact_size), name, place)
        while buffers:
            name = next(iter(buffers))
            yield name, buffers.pop(name)


def _explained(error: Exception, batch: Any) -> Exception:
    """Return the error of a model that runs neither on two inputs nor on a batch, with what to do."""
    if isinstance(error, InputError):
        return error
    shapes = ", ".join(str(tuple(part.shape)) for part in parts_of(batch))
    explained = InputError(
        f"model: expected to run on inputs of shape {shapes}, got {type(error).__name__}: {error}. Call the model on "
        "these inputs yourself to find the cause. If the model runs on one number of inputs only, set batch_size to "
        'that number; a graph network takes all nodes at once: batch_size="all".'
    )
    explained.__cause__ = error
    return explained


def _batch_rows(part: Any, name: str, place: slice, exact_size: int) -> Float[np.ndarray, "sample dim"]:
    """Return the activations of a batch without the rows that only fill it up to its exact size."""
    n_samples = place.stop - place.start
    return _as_rows(part, name, slice(place.start, place.start + (exact_size or n_samples)))[:n_samples]


def _groups(sizes: Mapping[str, int], memory: int) -> list[list[str]]:
    """Cut the layers, in order, into groups whose activations fit into memory."""
    groups: list[list[str]] = []
    held = 0
    for name, size in sizes.items():
        if size > memory:
            raise InputError(
                f"layer '{name}' needs {size / 2**30:.2g} GiB for its activations, above memory={memory} bytes; leave "
                'it out with layers=…, average it (channels="mean" for PyTorch and Keras), measure on fewer inputs, or '
                "raise memory"
            )
        if not groups or held + size > memory:
            groups.append([])
            held = 0
        groups[-1].append(name)
        held += size
    return groups


def _as_rows(part: Any, name: str, place: slice) -> Float[np.ndarray, "sample dim"]:
    """Return a batch of activations as floats, a row for each sample."""
    rows = to_numpy(part, f"activations of '{name}'")
    n_samples = place.stop - place.start
    if rows.ndim == 0 or len(rows) != n_samples:
        raise InputError(
            f"activations of '{name}' have shape {rows.shape}; expected ({n_samples}, …), a row for each input"
        )
    if rows.size == 0:
        raise InputError(
            f"activations of '{name}' have shape {rows.shape}: no numbers; leave this layer out with layers=…"
        )
    if rows.dtype.kind in "US":
        raise InputError(f"activations of '{name}' have shape {rows.shape}, dtype {rows.dtype}; expected numbers")
    rows = rows.reshape(n_samples, -1)
    if rows.dtype.name in ("float32", "float64"):
        return rows
    return rows.astype(np.float32 if rows.dtype.itemsize <= 2 else np.float64)


def _fill(buffer: np.ndarray, rows: np.ndarray, name: str, place: slice) -> None:
    if rows.shape[1] != buffer.shape[1] or rows.dtype != buffer.dtype:
        raise InputError(
            f"activations of '{name}' have {rows.shape[1]} units ({rows.dtype}) for inputs {place.start}–"
            f"{place.stop - 1}, {buffer.shape[1]} ({buffer.dtype}) before; expected the same for every batch"
        )
    buffer[0, :, place] = rows.T


def _measure_layer(
    activations: Float[np.ndarray, "1 dim sample"],
    measured: MeasuredSet,
    estimators: Sequence[LayerEstimator],
    name: str,
    flags: Set[str],
) -> dict[str, np.ndarray]:
    """Measure one layer by every estimator: quantities (estimator, variable), spreads alone; flags are added."""
    layers = Layers(activations, measured.labels)
    for estimator in estimators:
        try:
            estimator.check_units(layers.n_units)
        except InputError as error:
            raise InputError(f"layer '{name}': {error}") from None
    values = measure_layers(layers, estimators)
    rows = {key: np.array([[_number(part, key) for part in _pair(v)] for v in values]) for key in QUANTITIES}
    # without labels both carry the flags of I(X;T), since they are the layer's
    rows["flags"] = np.array(
        [[encode_flags((part or v.input).flags[0] | flags) for part in _pair(v)] for v in values], np.int32
    )
    rows["reasons"] = np.array([[(part or v.input).reasons[0] for part in _pair(v)] for v in values], object)
    return rows | _spread(layers)


def _pair(values: LayerValues) -> tuple[Values, Values | None]:
    return values.input, values.label


def _number(part: Values | None, key: str) -> float:
    numbers = None if part is None else getattr(part, key)
    return np.nan if numbers is None else float(numbers[0])


def _spread(layers: Layers) -> dict[str, np.ndarray]:
    """How the values of a layer lie; NaN where they are not finite."""
    t = layers.host[0]
    low, high = t.min(axis=1), t.max(axis=1)
    numbers = {
        "minimum": low.min(),
        "maximum": high.max(),
        "sd": _sd(t) if layers.finite[0] else np.nan,
        "dead_share": (low == high).mean(),
        "distinct_rows": distinct_rows(layers)[0],
    }
    return {key: np.array(number, float) for key, number in numbers.items()}


def _sd(t: Float[np.ndarray, "dim sample"]) -> float:
    """Standard deviation of all values, unit by unit: no copy of the layer in float64."""
    means = np.array([unit.mean(dtype=np.float64) for unit in t])
    within = sum(float(np.square(unit - mean, dtype=np.float64).sum()) for unit, mean in zip(t, means, strict=True))
    return float(np.sqrt(within / t.size + means.var()))
