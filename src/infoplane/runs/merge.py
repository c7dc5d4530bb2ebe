"""Pieces on disk → one data set."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane import results
from infoplane.errors import StoreError
from infoplane.estimators.base import FLAGS
from infoplane.runs.combine import combine
from infoplane.runs.job import Job
from infoplane.runs.plan import Plan
from infoplane.runs.store import Piece, Store
from infoplane.runs.task import kept_members

if TYPE_CHECKING:
    import xarray as xr

LEARNT_BY, LEARNT_MARGIN = 1000, 0.02
"""A member never learnt when, after this many epochs, its training accuracy has not once exceeded the largest
class's share by this much (Lorenzen, Igel & Nielsen 2022 restart such members)."""

_INFORMATION = {
    "bits": "information",
    "lower": "information_lower",
    "upper": "information_upper",
    "std_error": "information_std_error",
    "flags": "flags",
}
_SPREADS = {
    "minimum": "activation_min",
    "maximum": "activation_max",
    "sd": "activation_sd",
    "dead_share": "dead_share",
    "saturated_share": "saturated_share",
    "distinct_rows": "distinct_rows",
}


def merge(job: Job, store: Store, failed: Sequence[Mapping[str, Any]] = ()) -> "xr.Dataset":
    """Put the pieces of a run together; epochs that no member has measured yet are left out.

    Args:
        job: what was asked for.
        store: where the pieces are.
        failed: groups whose task failed for good, as the log has them; what they lack is NaN.
    """
    pieces = store.pieces()
    parts = []
    for plan in job.plans:
        numbers = job.groups_of(plan)
        own = [(piece, piece.group - numbers.start) for piece in pieces if piece.group in numbers]
        parts.append(_merge_plan(plan, store, own))
    ds = combine(parts, job) if job.config.sweep else parts[0]
    versions = json.dumps(store.about["versions"], sort_keys=True)
    return results.describe(ds.assign_attrs(versions=versions, failed=json.dumps(list(failed), sort_keys=True)))


def _merge_plan(plan: Plan, store: Store, pieces: Sequence[tuple[Piece, int]]) -> "xr.Dataset":
    """Put the pieces of one plan together; each comes with the number of its group within the plan."""
    arrays = _empty(plan)
    measured, diverged = np.zeros(len(plan.epochs), bool), np.zeros(plan.config.members, bool)
    for piece, group in pieces:
        rows, members = store.read_piece(piece), kept_members(plan, group)
        at = np.searchsorted(plan.epochs, rows["epochs"])
        if not np.isin(rows["epochs"], plan.epochs).all():
            raise StoreError(f"{store.folder}: {piece.file_name} holds epochs that the schedule does not measure")
        measured[at] = True
        if len(at):
            for key, name in _INFORMATION.items():
                arrays[name][np.ix_(np.arange(len(plan.estimators)), np.array(members), at)] = rows[key]
            for key, name in _SPREADS.items():
                arrays[name][np.ix_(np.array(members), at)] = rows[f"spread_{key}"]
        diverged[members] |= ~np.isfinite(rows["curve_train_loss"]).all(axis=0)
        _place_curves(arrays, rows, members, slice(piece.first, piece.last + 1))
    ds = _assemble(plan, arrays).isel(epoch=measured)
    ds = ds.assign_coords(quantity=("estimator", [e.quantity for e in plan.estimators.values()]))
    ds["order_violation"] = results.order_violation(ds["information"])
    ds["member_flags"] = ("member", _member_flags(plan, ds, diverged))
    return _drop_unused(ds)


def _empty(plan: Plan) -> dict[str, np.ndarray]:
    members, epochs, layers = plan.config.members, len(plan.epochs), len(plan.layers)
    steps = plan.config.train.epochs + 1
    information = (len(plan.estimators), members, epochs, layers, len(results.VARIABLES))
    arrays = {name: np.full(information, np.nan) for name in _INFORMATION.values() if name != "flags"}
    arrays["flags"] = np.zeros(information, np.int32)
    arrays |= {name: np.full((members, epochs, layers), np.nan, np.float32) for name in _SPREADS.values()}
    arrays |= {
        name: np.full((len(results.SPLITS), members, steps), np.nan, np.float32) for name in ("loss", "accuracy")
    }
    arrays["weight_norm"] = np.full((members, steps, layers), np.nan, np.float32)
    return arrays


def _place_curves(arrays: dict[str, np.ndarray], rows: dict[str, np.ndarray], members: list[int], steps: slice) -> None:
    for split_index, split in enumerate(results.SPLITS):
        for curve in ("loss", "accuracy"):
            arrays[curve][split_index, members, steps] = rows[f"curve_{split}_{curve}"].T
    arrays["weight_norm"][members, steps] = rows["curve_weight_norm"].swapaxes(0, 1)


def _assemble(plan: Plan, arrays: dict[str, np.ndarray]) -> "xr.Dataset":
    dims: dict[str, tuple[str, ...]] = dict.fromkeys(_INFORMATION.values(), results.INFORMATION_DIMS)
    dims |= dict.fromkeys(_SPREADS.values(), results.LAYER_DIMS)
    dims |= dict.fromkeys(("loss", "accuracy"), results.CURVE_DIMS)
    dims["weight_norm"] = results.NORM_DIMS
    coords = {
        "estimator": list(plan.estimators),
        "member": np.arange(plan.config.members),
        "epoch": plan.epochs,
        "layer": plan.layers,
        "variable": list(results.VARIABLES),
        "split": list(results.SPLITS),
        "step": np.arange(plan.config.train.epochs + 1),
    }
    return results.new(coords, {name: (dims[name], array) for name, array in arrays.items()}, _attributes(plan))


def _attributes(plan: Plan) -> dict[str, str | float | int]:
    dataset = plan.dataset
    return {
        "config": plan.config.canonical(),
        "title": plan.config.name,
        "units": "bits",
        "input_entropy": dataset.input_entropy,
        "label_entropy": dataset.label_entropy,
        "label_information": dataset.label_information,
        "n_samples": dataset.n_samples,
        "n_distinct": dataset.n_distinct,
        "seed": plan.config.seed,
    }


def _member_flags(plan: Plan, ds: "xr.Dataset", diverged: np.ndarray) -> np.ndarray:
    """Flag members whose last hidden layer is dead at the end, that never learnt, or that diverged."""
    dead = (ds["dead_share"].isel(layer=-2, epoch=slice(-1, None)) == 1).any("epoch").values
    if plan.config.train.epochs >= LEARNT_BY:
        labels = plan.dataset.labels[plan.rows[0]]
        majority = np.bincount(labels).max() / len(labels)
        curve = ds["accuracy"].sel(split="train")
        reached = curve.isel(step=LEARNT_BY).notnull().values
        dead |= reached & (curve.max("step").values <= majority + LEARNT_MARGIN)
    codes = dead * (1 << FLAGS.index("dead")) + diverged * (1 << FLAGS.index("diverged"))
    return codes.astype(np.int32)


def _drop_unused(ds: "xr.Dataset") -> "xr.Dataset":
    """Leave out bounds and standard errors that no estimator gave."""
    optional = [name for name in _INFORMATION.values() if name not in ("information", "flags")]
    return ds.drop_vars([name for name in optional if bool(ds[name].isnull().all())])
