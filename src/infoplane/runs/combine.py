"""The results of a sweep's combinations as one data set with a dimension for each swept key, and back."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane import results
from infoplane.runs.config import Config
from infoplane.runs.job import Job
from infoplane.runs.sweep import Combination, Label, axis_labels, combinations

if TYPE_CHECKING:
    import xarray as xr

COMPUTED = "computed"
"""What ``kind`` says of a result whose networks stand side by side but come from no sweep."""

_FLAGS = ("flags", "member_flags", *(f"{prefix}flags" for prefix in results.PARTS.values()))
"""Variables of whole numbers: what a combination lacks has no flag."""


def combine(parts: "list[xr.Dataset]", job: Job) -> "xr.Dataset":
    """Return one data set with the sweep's dimensions in front; what a combination lacks is NaN.

    Attributes that differ between combinations stand as JSON in ``sweep``, one entry a combination.
    """
    axes = axis_labels(job.config)
    shape = tuple(len(labels) for labels in axes.values())
    dims = dict.fromkeys(str(dim) for part in parts for dim in part.sizes)
    coords = {dim: _union([part[dim].values for part in parts if dim in part.sizes]) for dim in dims}
    variables = {}
    for name in dict.fromkeys(str(name) for part in parts for name in part.data_vars):
        like = next(part[name] for part in parts if name in part)
        sizes = tuple(len(coords[str(dim)]) for dim in like.dims)
        stacked = np.full((len(parts), *sizes), 0 if name in _FLAGS else np.nan, like.dtype)
        for place, part in zip(stacked, parts, strict=True):
            if name in part:
                place[np.ix_(*(_places(part[dim].values, coords[str(dim)]) for dim in like.dims))] = part[name].values
        variables[name] = ((*axes, *map(str, like.dims)), stacked.reshape(*shape, *sizes))
    ds = results.new(dict(axes) | coords, variables, _attributes(parts, job))
    quantities = {str(one["estimator"].item()): str(one.item()) for part in parts for one in part["quantity"]}
    return ds.assign_coords(quantity=("estimator", [quantities[str(name)] for name in ds["estimator"].values]))


def _places(labels: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return where each label stands among all of them."""
    order = np.argsort(among, kind="stable")
    return order[np.searchsorted(among, labels, sorter=order)]


def _union(values: list[np.ndarray]) -> np.ndarray:
    """Return all values: numbers in order; names as in the longest list, then those it lacks."""
    if values[0].dtype.kind in "iuf":
        return np.unique(np.concatenate(values))
    names = dict.fromkeys(str(name) for one in sorted(values, key=len, reverse=True) for name in one)
    return np.array(list(names))


def _attributes(parts: "list[xr.Dataset]", job: Job) -> dict[str, Any]:
    own = [dict(part.attrs) for part in parts]
    shared = {key: value for key, value in own[0].items() if all(one.get(key) == value for one in own)}
    entries = [
        {
            "labels": combination.labels,
            "attributes": {key: part.attrs[key] for key in map(str, part.attrs) if key not in shared},
            "n_steps": part.sizes["step"],
        }
        for combination, part in zip(job.combinations, parts, strict=True)
    ]
    return shared | {"config": job.config.canonical(), "sweep": json.dumps(entries)}


def is_sweep(ds: "xr.Dataset") -> bool:
    """Whether a result holds the combinations of a sweep."""
    return "sweep" in ds.attrs


def split(ds: "xr.Dataset") -> "list[tuple[dict[str, Label], xr.Dataset]]":
    """Return each combination of a result, with its labels, as a result of its own; without a sweep the result."""
    if not is_sweep(ds):
        return [({}, ds)]
    entries = json.loads(ds.attrs["sweep"])
    if ds.attrs.get("kind") == COMPUTED:
        return [(entry["labels"], _side(ds, entry)) for entry in entries]
    made = combinations(Config.model_validate_json(ds.attrs["config"]))
    return [(one.labels, _part(ds, one, entry)) for one, entry in zip(made, entries, strict=True)]


def _side(ds: "xr.Dataset", entry: dict[str, Any]) -> "xr.Dataset":
    """Return one of several networks of a computed run, which have the same dimensions."""
    part = ds.sel(entry["labels"], drop=True)
    part.attrs = {key: value for key, value in ds.attrs.items() if key not in ("sweep", "kind")} | entry["attributes"]
    return part


def _part(ds: "xr.Dataset", combination: Combination, entry: dict[str, Any]) -> "xr.Dataset":
    """Return one combination, without what only others have."""
    config = combination.config
    part = ds.sel(dict(combination.labels), drop=True)
    flat = [*(f"hidden{n}" for n, _ in enumerate(config.model.hidden, start=1)), "output"]
    known = part["distinct_rows"].notnull().any(("member", "epoch"))
    maps = [str(name) for name in part["layer"].values[known.values] if str(name) not in flat]
    layers = [*(maps if config.model.kind == "conv" else []), *flat]
    part = part.sel(estimator=list(config.build_estimators()), layer=layers)
    part = part.isel(member=slice(config.members), step=slice(entry.get("n_steps", config.train.epochs + 1)))
    measured = part["distinct_rows"].notnull().any(("member", "layer"))
    part = part.isel(epoch=np.flatnonzero(measured.values))
    bounds = [name for name in part.data_vars if "information_" in str(name)]
    empty = [name for name in bounds if bool(part[name].isnull().all())]
    unmeasured = tuple(results.PARTS[name] for name in results.PARTS if name not in config.measure.parts[1:])
    part = part.drop_vars([*empty, *(name for name in part.data_vars if str(name).startswith(unmeasured))])
    part.attrs = {key: value for key, value in ds.attrs.items() if key != "sweep"} | entry["attributes"]
    return part
