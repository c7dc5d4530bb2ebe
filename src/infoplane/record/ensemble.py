"""Several trainings of one model, each a result of its own, as the members of one result."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane import results as store
from infoplane.errors import InputError
from infoplane.record import load
from infoplane.record._notes import OUTPUT_LAYER

if TYPE_CHECKING:
    import xarray as xr

RULES = ("same", "common", "union")
"""What becomes of epochs that only some results measured."""

MEMBER_NAME = "member_name"
"""Coordinate that names each member."""

_SAME = (
    "units", "epoch_unit", "targets", "input_entropy", "label_entropy", "label_information", "n_samples", "n_distinct",
)  # fmt: skip
"""Attributes, also of a second set of inputs, that must agree; the others may differ between the members."""

_OWN_SETTINGS = ("name", "schedule", "seed", "members", "group_width", "memory")
"""Keys of the configuration that may differ between the members."""


def ensemble(
    results: "Iterable[xr.Dataset | str | Path]",
    *,
    names: Sequence[str] | None = None,
    epochs: str = "same",
    title: str | None = None,
) -> "xr.Dataset":
    """Join several trainings of one model, for example with several seeds, as the members of one result.

    Figures then show the mean over members with a band, and claims have 95 % intervals. All results must have the same
    estimators, layers and inputs: H(X), H(Y) and the numbers of samples must agree.

    Args:
        results: at least two results, as `Recorder.results`, `ip.measure_checkpoints` and `ip.load` return them, or
            their folders. A result of several members adds all of them.
        names: a name for each result; default: the names of the folders, or else "1", "2" and so on. They are the
            coordinate ``member_name``.
        epochs: "same": all must have measured the same epochs. "common": only epochs that all have measured are
            kept. "union": all epochs are kept, NaN for a member that did not measure an epoch; means are then over
            the members with a value, and may jump where their number changes.
        title: title of the result; default: that of the results if it is shared, else "ensemble".

    Returns:
        A result with the members in the given order, in bits; see `infoplane.results`. The attribute ``members_of``
        holds the attributes in which the results differ, as JSON.

    Raises:
        InputError: if the results do not belong together; names the first difference.
        StoreError: if a folder holds no result.

    Example:
        >>> import infoplane as ip
        >>> rng = np.random.default_rng(0)
        >>> inputs, members = rng.normal(size=(64, 4)), []
        >>> for seed in range(3):
        ...     weights, recorder = rng.normal(size=(4, 2)), ip.Recorder(inputs)
        ...     _ = recorder.step(0, {"hidden": np.tanh(inputs @ weights)})
        ...     members.append(recorder.results())
        >>> ip.ensemble(members).sizes["member"]
        3
    """
    import xarray as xr

    if epochs not in RULES:
        raise InputError(f"epochs: expected one of {', '.join(RULES)}, got {epochs!r}")
    parts, labels = _loaded(results, names)
    _check_same(parts, labels)
    members = [f"{label} ({n})" if ds.sizes["member"] > 1 else label for label, ds in zip(labels, parts, strict=True)
               for n in range(ds.sizes["member"])]  # fmt: skip
    parts = _with_all_variables(_with_epochs(parts, labels, epochs))
    joined = xr.concat(
        [ds.drop_vars([MEMBER_NAME], errors="ignore") for ds in parts], "member", data_vars="minimal",
        coords="minimal", compat="override", join="exact", combine_attrs="drop",
    )  # fmt: skip
    joined = joined.assign_coords({"member": np.arange(len(members)), MEMBER_NAME: ("member", members)})
    for name in joined.variables:
        joined[name].attrs = dict(parts[0][name].attrs) if name in parts[0].variables else {}
    joined.attrs = _attributes(parts, labels, title)
    return joined


def _loaded(results: Any, names: Sequence[str] | None) -> "tuple[list[xr.Dataset], list[str]]":
    """Return the results and the name of each.

    Raises:
        InputError: for fewer than two, objects that are no results, or names that do not fit.
    """
    given = [results] if isinstance(results, str | Path) or hasattr(results, "data_vars") else list(results)
    if len(given) < 2:
        raise InputError(f"results: expected at least two results, got {len(given)}. Pass a list with one per training")
    parts = [load(one) if isinstance(one, str | Path) else one for one in given]
    for ds in parts:
        if not hasattr(ds, "data_vars") or "information" not in ds:
            raise InputError(f"results: expected results, as from ip.load(folder), got a {type(ds).__name__}")
        if "sweep" in ds.attrs:
            raise InputError("results: expected results without a sweep. Pass the variants one by one")
    if names is None:
        folders = [str(one) if isinstance(one, str | Path) else ds.attrs.get("folder", "") for one, ds in
                   zip(given, parts, strict=True)]  # fmt: skip
        labels = [Path(folder).resolve().name if folder else "" for folder in folders]
        is_clear = all(labels) and len(set(labels)) == len(labels)
        return parts, labels if is_clear else [str(place) for place in range(1, len(parts) + 1)]
    if len(names) != len(parts) or len(set(map(str, names))) != len(parts):
        raise InputError(f"names: expected {len(parts)} different names, one per result, got {list(names)}")
    return parts, [str(name) for name in names]


def _check_same(parts: "Sequence[xr.Dataset]", labels: Sequence[str]) -> None:
    """Refuse results of other estimators, layers, settings or inputs.

    Raises:
        InputError: names the first difference and the two results.
    """
    first = parts[0]
    for label, ds in zip(labels[1:], parts[1:], strict=True):
        for dim, remedy in (
            ("estimator", "Measure all trainings with the same estimators"),
            ("layer", "Select the same layers with layers="),
            ("variable", "Measure all trainings in the same way"),
        ):
            own, other = ([str(name) for name in one[dim].values] for one in (first, ds))
            if own != other:
                _refuse(f"{dim}s", labels[0], ", ".join(own), label, ", ".join(other), remedy)
        mine, theirs = _settings(first), _settings(ds)
        for key in sorted(mine.keys() | theirs.keys()):
            if mine.get(key) != theirs.get(key):
                remedy = "Join only trainings with the same settings"
                _refuse(f"the setting {key}", labels[0], mine.get(key), label, theirs.get(key), remedy)
        for key in [prefix + key for prefix in ("", *store.PARTS.values()) for key in _SAME]:
            own, other = (one.attrs.get(key, "epoch" if key == "epoch_unit" else None) for one in (first, ds))
            if not _is_equal(own, other):
                _refuse(key, labels[0], own, label, other, "Measure all trainings on the same inputs and labels")


def _shared_output(parts: "Sequence[xr.Dataset]", labels: Sequence[str]) -> dict[str, str]:
    """Return the attribute that names the output; recordings of earlier versions lack it.

    Raises:
        InputError: if two results name different layers.
    """
    named = [
        (label, ds.attrs[OUTPUT_LAYER]) for label, ds in zip(labels, parts, strict=True) if OUTPUT_LAYER in ds.attrs
    ]
    for label, name in named[1:]:
        if name != named[0][1]:
            _refuse(OUTPUT_LAYER, *named[0], label, name, "Join only trainings of one model")
    return {OUTPUT_LAYER: named[0][1]} if named else {}


def _refuse(what: str, label: str, value: Any, other_label: str, other_value: Any, remedy: str) -> None:
    raise InputError(f"results: {what} differ: {label!r} has {value}, {other_label!r} has {other_value}. {remedy}")


def _settings(ds: "xr.Dataset") -> dict[str, Any]:
    return {key: value for key, value in store.config_of(ds).items() if key not in _OWN_SETTINGS}


def _is_equal(one: Any, other: Any) -> bool:
    """Return whether two attributes agree: numbers within rounding, NaN with NaN."""
    if isinstance(one, int | float | np.number) and isinstance(other, int | float | np.number):
        return math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and np.array_equal(one, other)


def _with_epochs(parts: "Sequence[xr.Dataset]", labels: Sequence[str], rule: str) -> "list[xr.Dataset]":
    """Return the results at the same epochs and with training curves at the same steps.

    Raises:
        InputError: if the epochs differ and the rule does not allow it, or none is common.
    """
    measured = [ds["epoch"].values for ds in parts]
    for label, own in zip(labels, measured, strict=True):
        if rule == "same" and not np.array_equal(own, measured[0]):
            odd = np.setxor1d(own, measured[0])
            raise InputError(
                f"epochs: expected the same epochs in all results, but {labels[0]!r} and {label!r} differ in "
                f"{len(odd)}, the first is {odd[0]}. Pass epochs='common' for the epochs of all, or "
                "epochs='union' for all epochs"
            )
    epochs = reduce(np.union1d if rule == "union" else np.intersect1d, measured)
    if not len(epochs):
        raise InputError("epochs: expected epochs that all results have measured, got none. Pass epochs='union'")
    steps = reduce(np.union1d, [ds["step"].values for ds in parts if "step" in ds.dims] or [np.zeros(0, int)])
    return [_reindexed(ds, {"epoch": epochs} | ({"step": steps} if "step" in ds.dims else {})) for ds in parts]


def _reindexed(ds: "xr.Dataset", labels: Mapping[str, Any]) -> "xr.Dataset":
    """Return a result at other epochs and steps; an absent value is NaN, and has no flag."""
    same = all(np.array_equal(ds[dim].values, values) for dim, values in labels.items())
    fill = {name: 0 if ds[name].dtype.kind in "iu" else np.nan for name in ds.data_vars}
    return ds if same else ds.reindex(labels, fill_value=fill)


def _with_all_variables(parts: "Sequence[xr.Dataset]") -> "list[xr.Dataset]":
    """Return the results with each variable that one of them has, such as training curves; absent values are NaN."""
    import xarray as xr

    like = {name: ds[name] for ds in reversed(parts) for name in ds.data_vars}
    whole = []
    for ds in parts:
        for name, variable in like.items():
            if name not in ds:
                fill = 0 if variable.dtype.kind in "iu" else np.nan
                empty = xr.full_like(variable.isel(member=[0] * ds.sizes["member"]), fill)
                ds = ds.assign({name: empty.assign_coords(member=ds["member"].values)})
        whole.append(ds)
    return whole


def _attributes(parts: "Sequence[xr.Dataset]", labels: Sequence[str], title: str | None) -> dict[str, Any]:
    """Return the shared attributes, and those of each result that differ, as JSON."""
    first = parts[0].attrs
    shared = {
        str(key): value for key, value in first.items() if all(_is_equal(value, ds.attrs.get(key)) for ds in parts)
    }
    shared |= _shared_output(parts, labels)
    own = [
        {"name": label} | {str(key): _plain(value) for key, value in ds.attrs.items() if key not in shared}
        for label, ds in zip(labels, parts, strict=True)
    ]
    titles = {str(ds.attrs.get("title", "")) for ds in parts}
    name = title or (titles.pop() if len(titles) == 1 else "") or "ensemble"
    config = {"name": name} | {key: value for key, value in store.config_of(parts[0]).items() if key != "name"}
    return shared | {"title": name, "config": json.dumps(config), "members_of": json.dumps(own)}


def _plain(value: Any) -> Any:
    """Return an attribute as JSON takes it."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
