"""The experiment ``as-if-random``: clouds of activations by where the randomness comes from, along training."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane import results
from infoplane.experiments.clouds import infonet, networks
from infoplane.experiments.clouds.measure import CONTROLS, against, controls, deterministic, measure
from infoplane.experiments.clouds.settings import CloudSettings
from infoplane.nets import mlp
from infoplane.runs.combine import COMPUTED
from infoplane.runs.computed import Computation, Pieces

if TYPE_CHECKING:
    import xarray as xr

DRAWN = 12
"""Inputs whose clouds are kept to be drawn, of the outputs before their softmax: the first ones."""

WINDOWS = ("first", "last")

Arrays = dict[str, np.ndarray]

ACTIVATION, SOURCE = "model.activation", "source"
ALONG = (SOURCE, "epoch", "layer", "estimator", "variable")
CONTROL_NAMES = ("control_bits", "control_std_error", "control_expected")
DIMS = {
    "information": ALONG,
    "information_std_error": ALONG,
    "flags": ALONG,
    "accuracy_at_end": (SOURCE, "epoch"),
    "single_update": ("epoch", "layer", "estimator", "variable"),
    "by_length": ("length", "layer", "estimator", "variable"),
    "by_samples": ("layer", "estimator", "size", "variable"),
    "limit": ("layer", "estimator", "variable"),
    "limit_std_error": ("layer", "estimator", "variable"),
    **dict.fromkeys(CONTROL_NAMES, ("layer", "estimator", "control")),
    "cloud": ("window", "sample", "drawn", "unit"),
    "dead": (),
}
"""The arrays of one member and activation, and their dimensions."""


def compute(settings: CloudSettings, member: int) -> Arrays:
    """Train a member's networks with each activation and measure them; the activations stand first."""
    each = [_of_activation(settings, activation, member) for activation in settings.model.activations]
    return {name: np.stack([one[name] for one in each]) for name in DIMS}


def _of_activation(settings: CloudSettings, activation: str, member: int) -> Arrays:
    nets = networks.group(settings, activation, networks.numbers(member, networks.ITSELF, 1))
    states = networks.path(nets, networks.initial(settings, nets), networks.wanted(settings))
    made = _along(settings, activation, member, states)
    for work in (_alone, _by_length, _followed, _drawn):
        made |= work(settings, activation, states)
    return made


def _samples(
    settings: CloudSettings, activation: str, member: int, states: networks.Path
) -> Iterator[tuple[int, int, mlp.Weights]]:
    """Yield the samples of the weights of each source up to each end, with the places of both."""
    length, ends = settings.window.length, settings.window.ends
    for place, source in enumerate(settings.sources):
        if source == "init":
            nets = networks.group(settings, activation, networks.numbers(member, networks.INIT, length))
            others = networks.path(nets, networks.initial(settings, nets), [end * settings.pace for end in ends])
            yield from ((place, at, others[end * settings.pace].weights) for at, end in enumerate(ends))
        elif source == "branch":
            for at, end in enumerate(ends):
                yield place, at, networks.branches(settings, activation, member, states, end)
        else:
            yield from ((place, at, networks.window(settings, states, end, length)) for at, end in enumerate(ends))


def _along(settings: CloudSettings, activation: str, member: int, states: networks.Path) -> Arrays:
    """Measure the clouds of every source at every end."""
    inputs, labels = settings.samples
    made = missing(settings, ("information", "information_std_error", "flags", "accuracy_at_end"))
    for place, at, weights in _samples(settings, activation, member, states):
        layers, _ = networks.clouds(weights, inputs, activation)
        for layer, t in enumerate(layers):
            numbers = measure(t, labels, settings.estimators, settings.measure.queries)
            made["information"][place, at, layer] = numbers.bits
            made["information_std_error"][place, at, layer] = numbers.std_error
            made["flags"][place, at, layer] = numbers.flags
        made["accuracy_at_end"][place, at] = np.mean(layers[-1].argmax(axis=-1) == labels)
    return made


def _alone(settings: CloudSettings, activation: str, states: networks.Path) -> Arrays:
    """Measure the network after single updates, those at which the windows end."""
    inputs, labels = settings.samples
    made = missing(settings, ("single_update", "dead"))
    for at, end in enumerate(settings.window.ends):
        layers, _ = networks.clouds(networks.window(settings, states, end, 1), inputs, activation)
        made["single_update"][at] = [[deterministic(t, labels, spec) for spec in settings.estimators] for t in layers]
        made["dead"] = np.array(float(np.ptp(layers[-2], axis=1).max() == 0))
    return made


def _by_length(settings: CloudSettings, activation: str, states: networks.Path) -> Arrays:
    """Measure windows of other lengths up to the last end."""
    inputs, labels = settings.samples
    made = missing(settings, ("by_length",))
    for place, length in enumerate(settings.window.lengths):
        weights = networks.window(settings, states, settings.window.ends[-1], length)
        for layer, t in enumerate(networks.clouds(weights, inputs, activation)[0]):
            made["by_length"][place, layer] = measure(t, labels, settings.estimators, settings.measure.queries).bits
    return made


def _followed(settings: CloudSettings, activation: str, states: networks.Path) -> Arrays:
    """Follow the last window against the number of its samples, and measure its controls."""
    inputs, labels = settings.samples
    queries, window = settings.measure.queries, settings.window
    made = missing(settings, ("by_samples", "limit", "limit_std_error", *CONTROL_NAMES))
    weights = networks.window(settings, states, window.ends[-1], window.length)
    for layer, t in enumerate(networks.clouds(weights, inputs, activation)[0]):
        for place, spec in enumerate(settings.estimators):
            found = against(t, labels, spec, queries) | controls(t, labels, spec, queries)
            for name, values in found.items():
                made[name][layer, place] = values
    return made


def _drawn(settings: CloudSettings, activation: str, states: networks.Path) -> Arrays:
    """Return the outputs for a few inputs in the first and the last window."""
    inputs, window = settings.samples[0][:DRAWN], settings.window
    weights = [networks.window(settings, states, end, window.length) for end in (window.ends[0], window.ends[-1])]
    return {"cloud": np.stack([networks.clouds(one, inputs, activation)[1] for one in weights])}


def _sizes(settings: CloudSettings) -> dict[str, list[Any]]:
    """Return the labels of every dimension but the member."""
    from infoplane.estimators.as_if_random import PARTS

    window = settings.window
    return {
        ACTIVATION: list(settings.model.activations),
        SOURCE: list(settings.sources),
        "estimator": list(settings.measures),
        "epoch": list(window.ends),
        "layer": settings.layers,
        "variable": list(results.VARIABLES),
        "length": list(window.lengths),
        "size": [window.length / parts for parts in PARTS],
        "control": list(CONTROLS),
        "window": list(WINDOWS),
        "sample": list(range(window.length)),
        "drawn": list(range(min(DRAWN, len(settings.measured)))),
        "unit": list(range(settings.sizes[-1])),
        "when": list(infonet.WHEN),
    }


def missing(settings: CloudSettings, names: tuple[str, ...]) -> Arrays:
    """Return arrays of one member and activation without numbers."""
    sizes = {name: len(labels) for name, labels in _sizes(settings).items()}
    return {
        name: np.full([sizes[dim] for dim in DIMS[name]], 0 if name == "flags" else np.nan,
                      np.int32 if name == "flags" else float)
        for name in names
    }  # fmt: skip


def assemble(settings: CloudSettings, pieces: Pieces) -> "xr.Dataset":
    """Put the members together: a network for each activation and source, and what only windows have."""
    labels = _sizes(settings) | {"member": list(range(settings.members))}
    variables = {}
    for name, own in DIMS.items():
        empty = missing(settings, (name,))[name]
        of_all = np.stack([np.broadcast_to(empty, (len(labels[ACTIVATION]), *empty.shape))] * settings.members)
        for member, arrays in pieces.items():
            of_all[member] = arrays[name]
        variables[name] = _ordered(("member", ACTIVATION, *own), of_all)
    dead = np.nan_to_num(variables.pop("dead")[1]) * results.encode_flags(["dead"])
    by_source = np.repeat(dead[:, None], len(settings.sources), axis=1).astype(np.int32)
    variables["member_flags"] = (ACTIVATION, SOURCE, "member"), by_source
    variables |= _published(settings)
    used = {dim for dims, _ in variables.values() for dim in dims}
    coords = {name: values for name, values in labels.items() if name in used}
    ds = results.new(coords, variables, _attributes(settings))
    return ds.assign_coords(quantity=("estimator", ["Shannon"] * len(settings.measures)))


def _ordered(dims: tuple[str, ...], values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return an array with its dimensions in the order of results: what is side by side first, then the usual ones."""
    usual = (ACTIVATION, SOURCE, *results.INFORMATION_DIMS)
    order = sorted(dims, key=lambda dim: usual.index(dim) if dim in usual else len(usual) + dims.index(dim))
    return tuple(order), values.transpose([dims.index(dim) for dim in order])


def _published(settings: CloudSettings) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return the stored results of infonet, beside networks of its shape."""
    same = settings.model.hidden == infonet.HIDDEN and settings.window.unit == "updates"
    if not same or settings.measure.inputs is not None:  # fewer inputs have another H(X)
        return {}
    numbers = [infonet.stored(activation, len(settings.layers)) for activation in settings.model.activations]
    return {"published": ((ACTIVATION, "when", "layer", "variable"), np.stack(numbers))}


def _attributes(settings: CloudSettings) -> dict[str, Any]:
    """Entropies of the inputs that are measured, and the networks side by side."""
    dataset = settings.dataset.only(settings.measured)
    entries = [
        {
            "labels": {ACTIVATION: activation, SOURCE: source},
            "attributes": {"config": json.dumps(settings.network(activation, source), sort_keys=True)},
        }
        for activation in settings.model.activations
        for source in settings.sources
    ]
    return {
        "input_entropy": dataset.input_entropy,
        "label_entropy": dataset.label_entropy,
        "label_information": dataset.label_information,
        "n_samples": dataset.n_samples,
        "epoch_unit": settings.window.unit.removesuffix("s"),
        "published_at": infonet.END,
        "kind": COMPUTED,
        "sweep": json.dumps(entries),
    }


COMPUTATION = Computation("as-if-random", CloudSettings, compute, assemble)
