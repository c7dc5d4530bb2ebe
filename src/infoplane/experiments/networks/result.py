"""The result of networks side by side: from the pieces of a run, each a group of members of one network."""

import itertools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane import results
from infoplane.experiments.networks.settings import NetworkSettings
from infoplane.runs.combine import COMPUTED
from infoplane.runs.computed import Pieces

if TYPE_CHECKING:
    import xarray as xr

MEASURED = ("estimator", "epoch", "layer", "variable")

DIMS: Mapping[str, tuple[str, ...]] = {
    "information": MEASURED,
    "information_std_error": MEASURED,
    "information_lower": MEASURED,
    "information_upper": MEASURED,
    "flags": MEASURED,
    "accuracy_at_epoch": ("split", "epoch"),
    "dead_share": ("epoch", "layer"),
    "member_flags": (),
}
"""The arrays of a piece and their dimensions, behind the member."""

WHOLE = ("flags", "member_flags")
"""Those of whole numbers: what is missing has no flag."""


def missing(settings: NetworkSettings, names: tuple[str, ...], members: int) -> dict[str, np.ndarray]:
    """Return arrays of some members of one network without numbers."""
    sizes = {name: len(labels) for name, labels in _labels(settings).items()}
    return {
        name: np.zeros([members, *(sizes[dim] for dim in DIMS[name])], np.int32)
        if name in WHOLE
        else np.full([members, *(sizes[dim] for dim in DIMS[name])], np.nan)
        for name in names
    }


def assemble(settings: NetworkSettings, pieces: Pieces) -> "xr.Dataset":
    """Put the pieces together; members that none holds are NaN."""
    axes, n_networks = settings.axes, len(settings.networks)
    shape = [len(labels) for labels in axes.values()]
    known = dict.fromkeys(itertools.chain.from_iterable(pieces.values())) or {"information": None, "flags": None}
    variables = {}
    for name in known:
        values = np.stack([missing(settings, (name,), settings.members)[name]] * n_networks)
        for number, arrays in pieces.items():
            network, members = settings.piece(number)
            values[network, members] = arrays[name]
        values = values.reshape(*shape, *values.shape[1:])
        variables[name] = _ordered((*axes, "member", *DIMS[name]), values)
    labels = axes | _labels(settings) | {"member": list(range(settings.members))}
    used = {dim for dims, _ in variables.values() for dim in dims}
    ds = results.new({dim: values for dim, values in labels.items() if dim in used}, variables, _attributes(settings))
    ds = ds.drop_vars([name for name in ds.data_vars if "information_" in str(name) and bool(ds[name].isnull().all())])
    return ds.assign_coords(quantity=("estimator", ["Shannon"] * len(settings.measures)))


def _labels(settings: NetworkSettings) -> dict[str, list[Any]]:
    return {
        "estimator": list(settings.measures),
        "epoch": settings.epochs.tolist(),
        "layer": settings.layers,
        "variable": list(results.VARIABLES),
        "split": list(results.SPLITS),
    }


def _ordered(dims: tuple[str, ...], values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return an array with its dimensions in the order of results: what is side by side first, then the usual ones."""
    usual = results.INFORMATION_DIMS
    order = sorted(dims, key=lambda dim: usual.index(dim) if dim in usual else -1)
    return tuple(order), values.transpose([dims.index(dim) for dim in order])


def _attributes(settings: NetworkSettings) -> dict[str, Any]:
    """Entropies of the inputs and labels, and the networks side by side."""
    dataset = settings.dataset
    entries = [
        {"labels": labels, "attributes": {"config": json.dumps(settings.network(labels), sort_keys=True)}}
        for labels in settings.networks
    ]
    return {
        "input_entropy": dataset.input_entropy,
        "label_entropy": dataset.label_entropy,
        "label_information": dataset.label_information,
        "n_samples": dataset.n_samples,
        "epoch_unit": "epoch",
        "kind": COMPUTED,
        "sweep": json.dumps(entries),
    }
