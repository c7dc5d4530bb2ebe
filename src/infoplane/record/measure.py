"""Measures every layer of a model on a set of inputs, with bounded memory."""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from infoplane._arrays import to_numpy
from infoplane.errors import InputError
from infoplane.estimators import LayerEstimator
from infoplane.estimators.base import Layers, LayerValues, Values
from infoplane.estimators.cells import BLOCK
from infoplane.estimators.layers import measure_layers
from infoplane.estimators.rows import distinct_rows
from infoplane.record._held import Held, HeldInFile, holding
from infoplane.record._plan import Plan, plan_passes, state_plan
from infoplane.record._progress import LAYERS, MODEL, Progress
from infoplane.record._views import View
from infoplane.record.probes import SIZE_ERRORS, select_names
from infoplane.record.sets import MeasuredSet, parts_of
from infoplane.results import encode_flags

Source = Callable[[slice, Any], Mapping[str, Any]]
"""Takes the place of a batch among the samples and its inputs, gives {layer: activations}."""

SILENT = Progress(wanted=False)

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
    measured: MeasuredSet,
    source: Source,
    estimators: Sequence[LayerEstimator],
    memory: int,
    *,
    evaluate: Any = None,
    progress: Progress = SILENT,
    view: View | None = None,
) -> Measurement:
    """Evaluate a model on all inputs and measure each layer.

    The model runs over the inputs once; activations that do not fit into ``memory`` bytes wait in a temporary file.

    Args:
        measured: the inputs and labels.
        source: gives the activations of a batch.
        estimators: what measures the layers.
        memory: bytes of activations and of a batch's forward pass held at once.
        evaluate: what ``source`` runs, if it reports its memory (``bytes_per_sample``) and make a ``trial``.
        progress: shows how far it is.
        view: the reduction of each layer before the measurement.

    Raises:
        InputError: for activations that cannot be used, or a single layer that is larger than ``memory``.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    if view is not None:
        source = _viewed(source, view)
    seen = look(measured, source)
    if not seen.first:
        raise InputError("the model gives no layers; nothing to measure")
    plan = _plan(measured, evaluate, memory, seen)
    numbers = {name: first.size * measured.n_samples * len(estimators) for name, first in seen.first.items()}
    progress.expect({MODEL: measured.n_samples * len(plan.groups), LAYERS: sum(numbers.values())})
    state_plan(plan, measured, evaluate, progress, seen.seconds)
    for name, activations in _activations(measured, source, plan, seen, progress):
        extra = _flags_of_run(name, seen, evaluate)
        activations = activations if view is None else view.of_layer(activations)
        found[name] = _measure_layer(activations, measured, estimators, name, extra)
        del activations  # before the next layer takes its place
        progress.advance(LAYERS, numbers[name], f"layer {len(found)} of {len(numbers)}")
    names = [*found]
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
    probe: Any,
    sets: Mapping[str, MeasuredSet],
    estimators: Sequence[LayerEstimator],
    memory: int,
    progress: Progress = SILENT,
    view: View | None = None,
) -> Measured:
    """Measure each layer of a model on each set of inputs; return also what the run showed, see `_notes`.

    Raises:
        InputError: see `measure_set`, and for inputs that have changed.
    """
    for set_ in sets.values():
        set_.check_unchanged()
    if hasattr(probe, "exact_batch"):
        probe.exact_batch = next(iter(sets.values())).exact_batch
    with probe.measuring() as evaluate, progress.measuring():

        def source(_: slice, batch: Any) -> Mapping[str, Any]:
            return evaluate(batch)

        measured = {
            name: measure_set(set_, source, estimators, memory, evaluate=evaluate, progress=progress, view=view)
            for name, set_ in sets.items()
        }
    units = str(getattr(probe, "units", ""))
    return measured, dict(getattr(probe, "notes", {})) | ({"reduction": units} if units else {})


def _viewed(source: Source, view: View) -> Source:
    """Return a source whose activations are reduced batch by batch."""
    return lambda place, batch: {n: view.of_batch(values, n) for n, values in source(place, batch).items()}


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
        seconds: time of the second run for each sample.
    """

    first: Mapping[str, Float[np.ndarray, "1 dim"]]
    stochastic: frozenset[str]
    exact_size: int
    seconds: float


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
            given = source(place, batch)
            start = time.monotonic()
            again = source(place, batch)
            seconds = (time.monotonic() - start) / (place.stop - place.start)
        except SIZE_ERRORS as error:
            failed = error, batch
        else:
            one, two = (
                {name: _batch_rows(part, name, place, size) for name, part in g.items()} for g in (given, again)
            )
            drawn = frozenset(name for name in one if name in two and _differ(one[name], two[name]))
            return Look({name: rows[:1] for name, rows in one.items()}, drawn, size, seconds)
    raise _explained(*failed)


def _differ(one: Float[np.ndarray, "sample dim"], two: Float[np.ndarray, "sample dim"]) -> bool:
    """Say whether activations differ by more than accelerators do, whose sums change in the last digits."""
    if one.shape != two.shape:
        return True
    largest = np.abs(one).max(where=np.isfinite(one), initial=0)
    return not np.allclose(one, two, rtol=0, atol=1e-4 * float(largest), equal_nan=True)


def _flags_of_run(name: str, seen: Look, evaluate: Any) -> dict[str, str]:
    """Return the flags of a layer that the run of the model shows, with their reasons."""
    flags = {"stochastic": ""} if name in seen.stochastic else {}
    # a channel that is a layer of its own has its number behind the name
    if {name, re.sub(r"\[\d+\]$", "", name)} & getattr(evaluate, "initial_statistics", frozenset()):
        flags["initial-statistics"] = "a batch norm at or before this layer has the running statistics 0 and 1"
    return flags


def _plan(measured: MeasuredSet, evaluate: Any, memory: int, seen: Look) -> Plan:
    """Choose batch size and passes of the model; the memory of its forward pass is measured at most once."""
    recorded = sum(first.nbytes for first in seen.first.values())
    whole = 0.0
    if hasattr(evaluate, "bytes_per_sample") and not seen.exact_size:
        whole = evaluate.bytes_per_sample(next(measured.batches(3))[1])
    sizes = {name: first.nbytes * measured.n_samples for name, first in seen.first.items()}
    plan = plan_passes(sizes, measured, memory, per_sample=float(max(whole, recorded)), exact_size=seen.exact_size)
    if not getattr(evaluate, "batch_statistics", False):
        return plan
    n_batches = -(-measured.n_samples // plan.batch_size)
    size = plan.batch_size if plan.is_exact else -(-measured.n_samples // n_batches)  # no small last batch
    evaluate.notes["batch_statistics"] = f"batch norms use the statistics of each batch of {size} inputs"
    return dataclasses.replace(plan, batch_size=size)


def _activations(
    measured: MeasuredSet, source: Source, plan: Plan, seen: Look, progress: Progress
) -> Iterator[tuple[str, Float[np.ndarray, "1 dim sample"]]]:
    """Yield the activations of each layer, one layer at a time."""
    shapes = {name: (first.size, first.dtype) for name, first in seen.first.items()}
    for group in plan.groups:
        with holding({name: shapes[name] for name in group}, measured.n_samples, plan.folder) as held:
            for place, batch in plan.batches(measured):
                _put(held, group, source(place, batch), place, seen.exact_size)
                words = f"{place.stop} of {measured.n_samples} inputs"
                progress.advance(MODEL, place.stop - place.start, words)
            for name in group:
                yield name, held.take(name)


def _put(
    held: Held | HeldInFile, group: Sequence[str], given: Mapping[str, Any], place: slice, exact_size: int
) -> None:
    """Keep the activations of a batch."""
    for name in group:
        if name not in given:
            raise InputError(f"layer '{name}' is missing for inputs {place.start}–{place.stop - 1}")
        held.put(name, _batch_rows(given[name], name, place, exact_size), place)


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


def _measure_layer(
    activations: Float[np.ndarray, "1 dim sample"],
    measured: MeasuredSet,
    estimators: Sequence[LayerEstimator],
    name: str,
    flags: Mapping[str, str],
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
        [[encode_flags((part or v.input).flags[0] | set(flags)) for part in _pair(v)] for v in values], np.int32
    )
    more = [reason for reason in flags.values() if reason]
    rows["reasons"] = np.array(
        [["; ".join(filter(None, [(part or v.input).reasons[0], *more])) for part in _pair(v)] for v in values], object
    )
    return rows | _spread(layers)


def _pair(values: LayerValues) -> tuple[Values, Values | None]:
    return values.input, values.label


def _number(part: Values | None, key: str) -> float:
    numbers = None if part is None else getattr(part, key)
    return np.nan if numbers is None else float(numbers[0])


def _spread(layers: Layers) -> dict[str, np.ndarray]:
    """How the values of a layer lie; NaN where they are not finite.

    A few units at a time, which stay in the processor's cache: no copy of the layer in double precision.
    """
    t = layers.host[0]
    step = max(1, BLOCK // t.shape[1])
    lows, highs, means, within = [], [], [], 0.0
    for start in range(0, len(t), step):
        part = t[start : start + step]
        lows.append(part.min(axis=1))
        highs.append(part.max(axis=1))
        if layers.finite[0]:
            centered = part.astype(np.float64)
            means.append(centered.mean(axis=1))
            centered -= means[-1][:, None]
            within += float(np.vdot(centered, centered))
    low, high = np.concatenate(lows), np.concatenate(highs)
    numbers = {
        "minimum": low.min(),
        "maximum": high.max(),
        "sd": np.sqrt(within / t.size + np.concatenate(means).var()) if means else np.nan,
        "dead_share": (low == high).mean(),
        "distinct_rows": distinct_rows(layers)[0],
    }
    return {key: np.array(number, float) for key, number in numbers.items()}
