"""Rows of a recording: what each measured epoch gave, as text that survives a crash, and as a data set."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from infoplane import files, results
from infoplane.errors import StoreError
from infoplane.estimators import LayerEstimator
from infoplane.record.measure import QUANTITIES, SPREADS, Measurement
from infoplane.record.sets import SETS

if TYPE_CHECKING:
    import xarray as xr

CURVES = {"loss": ("train", "loss"), "accuracy": ("train", "accuracy"),
          "test_loss": ("test", "loss"), "test_accuracy": ("test", "accuracy")}  # fmt: skip
"""Training curves that can be recorded: split and name of each."""

_VARIABLES = {**{key: f"information_{key}" for key in QUANTITIES}, "bits": "information"}
_SPREADS = dict(zip(SPREADS, ("activation_min", "activation_max", "activation_sd", "dead_share", "distinct_rows"),
                    strict=True))  # fmt: skip

Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]
"""Arrays with their dimensions, by the name of the variable."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One number of a recording, as it is told to ``on_row``.

    Attributes:
        epoch: the epoch that the caller named.
        estimator: name of the estimator.
        layer: name of the layer.
        variable: "input" for I(X;T), "label" for I(T;Y).
        bits: the value; NaN where there is none.
        std_error, lower, upper: in bits, NaN where the estimator gives none.
        flags: names of what makes it suspect.
        reason: the amounts behind the flags, in words.
        set: "measured", or "held_out" for the second set of inputs.
    """

    epoch: int
    estimator: str
    layer: str
    variable: str
    bits: float
    std_error: float
    lower: float
    upper: float
    flags: frozenset[str]
    set: str
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One measured epoch: a measurement of each set of inputs, and the training curves since the last one.

    Attributes:
        epoch: the epoch.
        sets: measurements by the name of their set.
        curves: (epoch, {curve: value}) of this epoch and of those before it that were not measured.
        notes: attributes of the result that the run of the model showed, such as ``output_layer``.
    """

    epoch: int
    sets: Mapping[str, Measurement]
    curves: Sequence[tuple[int, Mapping[str, float]]] = ()
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def rows(self, estimators: Sequence[str]) -> Iterator[Row]:
        """Yield every number of the epoch."""
        for set_, measurement in self.sets.items():
            yield from _rows(self.epoch, estimators, set_, measurement)

    def to_line(self) -> dict[str, Any]:
        """Return the entry as a JSON record that carries its own checksum."""
        content = {
            "epoch": self.epoch,
            "sets": {name: _plain(measurement) for name, measurement in self.sets.items()},
            "curves": [
                [epoch, {name: _word(value) for name, value in values.items()}] for epoch, values in self.curves
            ],
        }
        return files.sealed(content | ({"notes": dict(self.notes)} if self.notes else {}))

    @staticmethod
    def from_line(line: Mapping[str, Any], where: str) -> "Entry":
        """Read what `to_line` gave.

        Raises:
            StoreError: when it is not what was written; names where it stands.
        """
        if not files.is_sealed(line):
            raise StoreError(f"{where}: content differs from what was written (SHA-256)")
        return Entry(
            epoch=line["epoch"],
            sets={name: _measurement(part) for name, part in line["sets"].items()},
            curves=[
                (epoch, {name: float(value) for name, value in values.items()}) for epoch, values in line["curves"]
            ],
            notes=line.get("notes", {}),  # folders of earlier versions hold none
        )


def _rows(epoch: int, estimators: Sequence[str], set_: str, m: Measurement) -> Iterator[Row]:
    names = (estimators, m.layers, results.VARIABLES)
    for (i, estimator), (j, layer), (k, variable) in itertools.product(*map(enumerate, names)):
        yield Row(
            epoch=epoch,
            estimator=estimator,
            layer=layer,
            variable=variable,
            bits=float(m.values["bits"][i, j, k]),
            std_error=float(m.values["std_error"][i, j, k]),
            lower=float(m.values["lower"][i, j, k]),
            upper=float(m.values["upper"][i, j, k]),
            flags=results.decode_flags(int(m.flags[i, j, k])),
            set=set_,
            reason=str(m.reasons[i, j, k]),
        )


def _plain(m: Measurement) -> dict[str, Any]:
    """Return a measurement as lists of numbers that every reader of JSON takes: NaN is null, infinity a word."""
    numbers = {key: _finite(value) for key, value in [*m.values.items(), *m.spreads.items()]}
    return {"layers": list(m.layers), "flags": m.flags.tolist(), "reasons": m.reasons.tolist()} | numbers


def _finite(values: Float[np.ndarray, "..."]) -> Any:
    numbers = values.astype(object)
    numbers[np.isnan(values)] = None
    numbers[np.isposinf(values)], numbers[np.isneginf(values)] = "inf", "-inf"
    return numbers.tolist()


def _word(value: float) -> float | str:
    return str(value) if math.isinf(value) else value


def _measurement(part: Mapping[str, Any]) -> Measurement:
    flags = np.array(part["flags"], np.int32)
    return Measurement(
        layers=tuple(part["layers"]),
        values={key: np.array(part[key], float) for key in QUANTITIES},
        flags=flags,
        # folders of earlier versions hold no reasons
        reasons=np.array(part.get("reasons", np.full(flags.shape, "").tolist()), object),
        spreads={key: np.array(part[key], float) for key in SPREADS},
    )


def assemble(
    entries: Sequence[Entry], estimators: Mapping[str, LayerEstimator], attributes: Mapping[str, Any]
) -> "xr.Dataset":
    """Put entries together as the data set that every result is; see `infoplane.results`.

    Args:
        entries: measured epochs, ascending.
        estimators: by the name they carry.
        attributes: what is known of the recording as a whole.
    """
    coords: dict[str, Any] = {
        "estimator": list(estimators),
        "member": np.arange(1),
        "epoch": np.array([entry.epoch for entry in entries], np.int64),
        "layer": list(entries[0].sets[SETS[0]].layers),
        "variable": list(results.VARIABLES),
    }
    variables: Variables = {}
    for set_ in entries[0].sets:
        named = _variables([entry.sets[set_] for entry in entries])
        prefix = "" if set_ == SETS[0] else results.HELD_OUT
        variables |= {prefix + name: variable for name, variable in named.items()}
    curves = _curves(entries)
    if curves:
        coords |= {"split": list(results.SPLITS), "step": curves.pop("step")}
        variables |= {name: (results.CURVE_DIMS, values) for name, values in curves.items()}
    notes = {key: text for entry in entries for key, text in entry.notes.items()}
    ds = results.new(coords, variables, {**notes, **attributes})
    ds = ds.assign_coords(quantity=("estimator", [estimator.quantity for estimator in estimators.values()]))
    ds["order_violation"] = results.order_violation(ds["information"])
    diverged = ds["activation_sd"].isel(epoch=-1).isnull().any("layer").values
    ds["member_flags"] = ("member", (diverged * results.encode_flags(["diverged"])).astype(np.int32))
    return results.describe(ds)


def _variables(measurements: Sequence[Measurement]) -> Variables:
    """Stack the epochs of one set; quantities that no estimator gave are left out."""
    # (estimator, layer, variable) of each epoch → (estimator, member, epoch, layer, variable)
    stacked = {key: np.stack([m.values[key] for m in measurements], axis=1)[:, None] for key in QUANTITIES}
    kept = {key: value for key, value in stacked.items() if key == "bits" or not np.isnan(value).all()}
    variables: Variables = {_VARIABLES[key]: (results.INFORMATION_DIMS, value) for key, value in kept.items()}
    flags = np.stack([m.flags for m in measurements], axis=1)[:, None]
    variables["flags"] = (results.INFORMATION_DIMS, flags)
    reasons = np.stack([m.reasons for m in measurements], axis=1)[:, None]
    variables["reasons"] = (results.INFORMATION_DIMS, reasons)
    for key, name in _SPREADS.items():
        spread = np.stack([m.spreads[key] for m in measurements])[None].astype(np.float32)
        variables[name] = (results.LAYER_DIMS, spread)
    return variables


def _curves(entries: Sequence[Entry]) -> dict[str, np.ndarray]:
    """Training curves (split, member, step) and their steps; nothing where none was recorded."""
    known = dict(pair for entry in entries for pair in entry.curves)
    if not known:
        return {}
    steps = sorted(known)
    curves = {name: np.full((2, 1, len(steps)), np.nan, np.float32) for name in ("loss", "accuracy")}
    for place, step in enumerate(steps):
        for curve, value in known[step].items():
            split, name = CURVES[curve]
            curves[name][results.SPLITS.index(split), 0, place] = value
    return curves | {"step": np.array(steps, np.int64)}
