"""Pieces on disk → one data set."""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane import results
from infoplane.errors import StoreError
from infoplane.estimators.base import FLAGS
from infoplane.nets import histogram, precision
from infoplane.runs.combine import combine
from infoplane.runs.job import Job
from infoplane.runs.plan import Plan
from infoplane.runs.store import Piece, Store
from infoplane.runs.task import kept_members
from infoplane.schedules import Epochs

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
_BY_LAYER = ("weight_norm", "gradient_mean", "gradient_std")


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
    ds = combine(parts, job) if job.config.sweep or job.config.variants else parts[0]
    versions = json.dumps(store.about["versions"], sort_keys=True)
    return results.describe(ds.assign_attrs(versions=versions, failed=json.dumps(list(failed), sort_keys=True)))


def _merge_plan(plan: Plan, store: Store, pieces: Sequence[tuple[Piece, int]]) -> "xr.Dataset":
    """Put the pieces of one plan together; each comes with the number of its group within the plan."""
    epochs = _epochs(plan, store, [piece for piece, _ in pieces])
    arrays = _empty(plan, len(epochs))
    measured, diverged = np.zeros(len(epochs), bool), np.zeros(plan.config.members, bool)
    for piece, group in pieces:
        rows, members = store.read_piece(piece), kept_members(plan, group)
        at = np.searchsorted(epochs, rows["epochs"])
        if not np.isin(rows["epochs"], epochs).all():
            raise StoreError(f"{store.folder}: {piece.file_name} holds epochs that the schedule does not measure")
        measured[at] = True
        if len(at):
            for part, (key, name) in itertools.product(plan.parts, _INFORMATION.items()):
                arrays[part + name][np.ix_(np.arange(len(plan.estimators)), np.array(members), at)] = rows[part + key]
            for part, key, name in _spreads(plan):
                arrays[part + name][np.ix_(np.array(members), at)] = rows[f"{part}spread_{key}"]
        diverged[members] |= ~np.isfinite(rows["curve_train_loss"]).all(axis=0)
        _place_curves(plan, arrays, rows, members, slice(piece.first, piece.last + 1))
    ds = _assemble(plan, arrays, epochs).isel(epoch=measured)
    ds = ds.assign_coords(quantity=("estimator", [e.quantity for e in plan.estimators.values()]))
    ds["order_violation"] = results.order_violation(ds["information"])
    ds["member_flags"] = ("member", _member_flags(plan, ds, diverged))
    return _drop_unused(ds)


def _epochs(plan: Plan, store: Store, pieces: Sequence[Piece]) -> Epochs:
    """The epochs that can be measured: the schedule's, or where they follow from what is measured those on disk."""
    if not plan.follows:
        return plan.epochs
    return np.unique(np.concatenate([np.zeros(0, np.int64), *(store.read_piece(piece)["epochs"] for piece in pieces)]))


def _empty(plan: Plan, epochs: int) -> dict[str, np.ndarray]:
    members, layers = plan.config.members, len(plan.layers)
    steps = plan.last + 1
    information = (len(plan.estimators), members, epochs, layers, len(results.VARIABLES))
    arrays = {}
    for part in plan.parts:
        arrays |= {part + name: np.full(information, np.nan) for name in _INFORMATION.values() if name != "flags"}
        arrays[f"{part}flags"] = np.zeros(information, np.int32)
    for part, _, name in _spreads(plan):
        cells = (len(histogram.LOWER),) if name == "histogram" else ()
        arrays[part + name] = np.full((members, epochs, layers, *cells), np.nan, np.float32)
    arrays |= {
        name: np.full((len(results.SPLITS), members, steps), np.nan, np.float32) for name in ("loss", "accuracy")
    }
    arrays |= {name: np.full((members, steps, layers), np.nan, np.float32) for name in _BY_LAYER}
    return arrays


def _spreads(plan: Plan) -> list[tuple[str, str, str]]:
    """Part, key of a piece and name of each number of a layer; the range and spread are of all inputs, once."""
    once = [("", key, name) for key, name in _SPREADS.items()]
    once += [("", key, key) for key in precision.COUNTS if plan.config.measure.precisions]
    once += [("", "histogram", "histogram")] * plan.config.measure.histograms
    return once + [(part, "distinct_rows", "distinct_rows") for part in plan.parts if part]


def _place_curves(
    plan: Plan, arrays: dict[str, np.ndarray], rows: dict[str, np.ndarray], members: list[int], steps: slice
) -> None:
    for split_index, split in enumerate(results.SPLITS):
        for curve in ("loss", "accuracy"):
            arrays[curve][split_index, members, steps] = rows[f"curve_{split}_{curve}"].T
    for curve in _BY_LAYER:
        arrays[curve][members, steps] = rows[f"curve_{curve}"][..., plan.shape.kernel_of].swapaxes(0, 1)


def _assemble(plan: Plan, arrays: dict[str, np.ndarray], epochs: Epochs) -> "xr.Dataset":
    named = [part + name for part in plan.parts for name in _INFORMATION.values()]
    dims: dict[str, tuple[str, ...]] = dict.fromkeys(named, results.INFORMATION_DIMS)
    dims |= dict.fromkeys([part + name for part, _, name in _spreads(plan)], results.LAYER_DIMS)
    dims |= {"histogram": results.HISTOGRAM_DIMS} if "histogram" in arrays else {}
    dims |= dict.fromkeys(("loss", "accuracy"), results.CURVE_DIMS)
    dims |= dict.fromkeys(_BY_LAYER, results.NORM_DIMS)
    coords = {
        "estimator": list(plan.estimators),
        "member": np.arange(plan.config.members),
        "epoch": epochs,
        "layer": plan.layers,
        "variable": list(results.VARIABLES),
        "split": list(results.SPLITS),
        "step": np.arange(plan.last + 1),
    }
    coords |= {"cell": histogram.LOWER} if "histogram" in arrays else {}
    return results.new(coords, {name: (dims[name], array) for name, array in arrays.items()}, _attributes(plan))


def _attributes(plan: Plan) -> dict[str, str | float | int]:
    attributes: dict[str, str | float | int] = {
        "config": plan.config.canonical(),
        "title": plan.config.name,
        "units": "bits",
        "epoch_unit": "update" if plan.config.schedule.unit == "updates" else "epoch",
        "seed": plan.config.seed,
    }
    for part, rows in plan.parts.items():
        chosen = plan.dataset.only(rows)
        attributes |= {
            f"{part}input_entropy": chosen.input_entropy,
            f"{part}label_entropy": chosen.label_entropy,
            f"{part}label_information": chosen.label_information,
            f"{part}n_samples": chosen.n_samples,
            f"{part}n_distinct": chosen.n_distinct,
        }
    return attributes


def _member_flags(plan: Plan, ds: "xr.Dataset", diverged: np.ndarray) -> np.ndarray:
    """Flag members whose last hidden layer is dead at the end, that never learnt, or that diverged."""
    dead = (ds["dead_share"].isel(layer=-2, epoch=slice(-1, None)) == 1).any("epoch").values
    if plan.config.train.epochs >= LEARNT_BY:
        labels = plan.dataset.labels[plan.rows[0]]
        majority = np.bincount(labels).max() / len(labels)
        curve = ds["accuracy"].sel(split="train")
        reached = curve.isel(step=LEARNT_BY * plan.rounds).notnull().values
        dead |= reached & (curve.max("step").values <= majority + LEARNT_MARGIN)
    codes = dead * (1 << FLAGS.index("dead")) + diverged * (1 << FLAGS.index("diverged"))
    return codes.astype(np.int32)


def _drop_unused(ds: "xr.Dataset") -> "xr.Dataset":
    """Leave out bounds and standard errors that no estimator gave."""
    optional = [str(name) for name in ds.data_vars if "information_" in str(name)]
    return ds.drop_vars([name for name in optional if bool(ds[name].isnull().all())])
