"""What the figures show of a result: one estimator's information, means over members, and the caption."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError
from infoplane.plots import naming
from infoplane.results import VIEWS, config_of, need_result

if TYPE_CHECKING:
    import xarray as xr

Means = Float[np.ndarray, "..."]

TITLE = 60
"""Characters of a result's title in a caption."""


def select(ds: "xr.Dataset", estimator: str | None) -> tuple[str, "xr.DataArray"]:
    """Return the name of an estimator and its information (member, epoch, layer, variable) where it has been measured.

    Args:
        ds: a result.
        estimator: which estimator; the first where it is None.

    Raises:
        InputError: for an estimator that the result does not hold, and for a result in which nothing has been
            measured.
    """
    need_result(ds)
    names = [str(name) for name in ds["estimator"].values]
    name = names[0] if estimator is None else estimator
    if name not in names:
        raise InputError(f"estimator '{name}' is not in this result; it holds: {', '.join(names)}")
    information = measured(ds, name)["information"].sel(estimator=name)
    if not np.isfinite(information.sel(variable="input")).any():
        raise InputError(f"estimator '{name}' measured no I(X;T) in this result; nothing to draw")
    return name, information.transpose("member", "epoch", "layer", "variable")


def measured(ds: "xr.Dataset", estimator: str) -> "xr.Dataset":
    """Return a result at the epochs at which an estimator has any number: some are measured at fewer than others."""
    known = ds["information"].sel(estimator=estimator, variable="input").notnull().any(["member", "layer"])
    return ds if bool(known.all()) else ds.isel(epoch=np.flatnonzero(known.values))


def is_baseline(ds: "xr.Dataset") -> bool:
    """Whether the networks of a result were trained on shuffled labels."""
    return bool(config_of(ds).get("data", {}).get("shuffle_labels", False))


def need_labels(information: "xr.DataArray", figure: str) -> None:
    """Refuse a figure that needs I(T;Y) for a result that has none.

    Raises:
        InputError: when no I(T;Y) was measured.
    """
    if not np.isfinite(information.sel(variable="label")).any():
        raise InputError(f"{figure} needs I(T;Y), but this result has no labels; draw 'information' instead")


def need_curves(ds: "xr.Dataset") -> None:
    """Refuse a result without training curves.

    Raises:
        InputError: when no loss was recorded.
    """
    if "loss" not in ds or not np.isfinite(ds["loss"]).any():
        raise InputError("training needs loss and accuracy, but this result holds none; draw 'information' instead")


def mean_sd(values: Float[np.ndarray, "member *rest"]) -> tuple[Means, Means]:
    """Mean and standard deviation over the members that have a number; NaN where too few have."""
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    filled = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / counts
        squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
        return mean, np.sqrt(np.where(counts > 1, squares, np.nan) / (counts - 1))


def caption(ds: "xr.Dataset", *, estimator: str | None = None, band: bool = False) -> list[str]:
    """Return what must be known to read a figure: run, members, epochs; noise model; what is wrong.

    Args:
        ds: a result.
        estimator: which estimator's numbers are drawn, if any are.
        band: whether means are drawn with a band of one standard deviation.
    """
    n_members = ds.sizes["member"]
    ds = ds if estimator is None else measured(ds, estimator)
    first = [naming.shorten(ds.attrs.get("title", "run"), TITLE), _members(n_members), _epochs(ds, estimator)]
    if band and n_members > 1:
        first.append("mean ± 1 sd over members")
    if "n_given" in ds.attrs:
        first.append(n_inputs(ds))
    lines = ["  ·  ".join(first)]
    if estimator is not None:
        lines.append(describe_estimator(ds, estimator))
    lines += [str(ds.attrs[key]) for key in VIEWS if ds.attrs.get(key)]
    problems = [*_flagged(ds), *([] if estimator is None else _unequal(ds, estimator))]
    return lines + ["; ".join(problems)] * bool(problems)


def n_inputs(ds: "xr.Dataset") -> str:
    """Return the number of measured inputs in words, and of how many they were drawn."""
    n, given = int(ds.attrs["n_samples"]), int(ds.attrs.get("n_given", 0))
    return f"{n} of {given} inputs, drawn at random" if given > n else f"{n} inputs"


def describe_estimator(ds: "xr.Dataset", estimator: str) -> str:
    """Return an estimator's name and the parameters that make its noise model.

    These are the first two, since estimators list what matters most first, unless they are switched off, and all that
    differ from their defaults.
    """
    from infoplane.estimators import build_all

    specs = config_of(ds).get("estimators", [])
    try:
        built = build_all(specs)[estimator]
    except (InputError, KeyError):  # a plug-in that is not installed here: its name is all there is
        return estimator
    if built.params.get("edges") == "width":  # these have no number of bins
        return f"{built.name}: bins {_word(built.params['width'])} wide, without limits"
    defaults = {field.name: field.default for field in dataclasses.fields(built)}  # pyright: ignore[reportArgumentType]
    params = enumerate(built.params.items())
    told = (
        (key, value) for place, (key, value) in params if value != defaults[key] or (place < 2 and value is not False)
    )
    words = [f"{key} {_word(value)}" for key, value in told]
    return f"{built.name}: {', '.join(words)}" if words else built.name


def _word(value: Any) -> str:
    return f"{value:g}".replace("-", "−") if isinstance(value, float) else str(value)


def _members(count: int) -> str:
    return f"{count} member{'s' if count != 1 else ''}"


def _epochs(ds: "xr.Dataset", estimator: str | None) -> str:
    """Say which epochs a figure shows: the measured ones, or those of the training curves."""
    if estimator is None:
        return f"{epoch_word(ds)}s 0–{trained_epochs(ds)}"
    epochs = ds["epoch"].values
    if len(epochs) == 1:
        return f"{epoch_word(ds)} {epochs[0]}"
    return f"{epoch_word(ds)}s {epochs[0]}–{epochs[-1]}, {len(epochs)} measured"


def epoch_word(ds: "xr.Dataset") -> str:
    """Return what the result counts: "epoch", or "update"."""
    return str(ds.attrs.get("epoch_unit", "epoch"))


def trained_epochs(ds: "xr.Dataset") -> int:
    """Return the last epoch of which any member has a training curve."""
    if "loss" not in ds:
        return int(ds["epoch"].values[-1])
    known = ds["loss"].notnull().any(["split", "member"]).values
    return int(ds["step"].values[known][-1])


def _flagged(ds: "xr.Dataset") -> list[str]:
    """Say how many members carry each flag."""
    from infoplane.results import decode_flags

    if "member_flags" not in ds:
        return []
    flags = [flag for code in ds["member_flags"].values for flag in sorted(decode_flags(code))]
    return [f"{flags.count(flag)} of {_members(ds.sizes['member'])} {flag}" for flag in dict.fromkeys(flags)]


def _unequal(ds: "xr.Dataset", estimator: str) -> list[str]:
    """Say from which epoch on fewer members have been measured, as in a run that was interrupted."""
    information = ds["information"].sel(variable="input", estimator=estimator)
    counts = information.notnull().any("layer").sum("member").values
    fewer = np.flatnonzero(counts < counts.max())
    if not len(fewer):
        return []
    first = ds["epoch"].values[fewer[0]]
    return [f"from epoch {first} on as few as {counts.min()} of {_members(ds.sizes['member'])} measured"]
