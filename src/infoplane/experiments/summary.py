"""What a run says, in a table and a plain sentence for each layer."""

import csv
import dataclasses
import io
import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from infoplane._numbers import digits
from infoplane.estimators.base import SATURATION_MARGIN, saturation_reason
from infoplane.results import VIEWS, compression, config_of, decode_flags, mean_known, order_violation, reasons_at

if TYPE_CHECKING:
    import xarray as xr

MOST_NAMED = 8
"""Layers without numbers that are named."""

NOTICEABLE = 0.05
"""Bits below which a rise or a loss, which would be printed as 0.0, is not worth a sentence."""


INITIAL = "initial-statistics"

CLIPPED_SHARE = re.compile(r"([\d.]+)% of values outside the bins")
"""The share of clipped values in the reason of a value."""


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """One layer of a run as means over members, in bits.

    Attributes:
        layer: its name.
        input_start, input_peak, input_end: I(X;T) at the first epoch, at the largest mean, at the last epoch.
        peak_epoch, end_epoch: the epoch of the largest mean, and the last one.
        label_start, label_peak, label_end: I(T;Y) at the same epochs.
        compression: mean over members of I(X;T) at the peak epoch minus at the end.
        half_width: half the 95 % interval of the compression over members (Student's t); NaN for one member.
        cap: H(X), which I(X;T) cannot exceed.
        unit: what is counted, "epoch" or "update".
        skipped: which epochs are not counted, in words; empty if all are.
        clipped: how many values lie outside the bins at the worst epoch, in words; empty if none do.
    """

    layer: str
    input_start: float
    input_peak: float
    input_end: float
    peak_epoch: int
    end_epoch: int
    label_start: float
    label_peak: float
    label_end: float
    compression: float
    half_width: float
    cap: float
    unit: str = "epoch"
    clipped: str = ""
    skipped: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is no number at any epoch."""
        return bool(np.isnan(self.input_peak) and np.isnan(self.label_peak))

    @property
    def sentence(self) -> str:
        """What the layer did, in words; with values outside the bins no loss is claimed."""
        return "; ".join(filter(None, [self._story, self.clipped, self.skipped]))

    @property
    def _story(self) -> str:
        if min(self.input_start, self.input_end) > self.cap - SATURATION_MARGIN:
            return saturation_reason(self.input_end, self.cap)
        if np.isnan(self.input_peak):
            return "no number"
        if np.isnan(self.input_end):
            return "no number at the end: activations are not finite"
        rise = self.input_peak - self.input_start
        risen = rise > NOTICEABLE
        start = (
            f"rises to {self.input_peak:.1f} by {self.unit} {self.peak_epoch}"
            if risen
            else f"starts at {self.input_start:.1f}"
        )
        if risen and self.peak_epoch == self.end_epoch:
            return f"{start}, the end"
        if self.compression <= NOTICEABLE:
            return f"{start} and stays there (ends at {self.input_end:.1f})"
        amount = f"{_pm(self.compression, self.half_width)} bits"
        if self.clipped:
            return f"{start}; the end is {amount} lower, which clipping alone can cause"
        if not np.isnan(self.half_width) and self.half_width >= self.compression:
            return f"{start}; the end is {amount} lower (the members disagree: the 95 % interval includes 0)"
        return f"{start}, then loses {amount}"


def summarise(ds: "xr.Dataset", estimator: str | None = None) -> list[LayerSummary]:
    """Summarise every layer of a result for one estimator (the first where none is named)."""
    information = ds["information"].sel(estimator=estimator or ds["estimator"].values[0])
    return [_summarise_layer(ds, information.sel(layer=layer), str(layer)) for layer in ds["layer"].values]


def _summarise_layer(ds: "xr.Dataset", information: "xr.DataArray", layer: str) -> LayerSummary:
    skipped = _initial_epochs(ds, information, layer)
    epochs = np.delete(ds["epoch"].values, skipped)
    both = information.isel(epoch=np.delete(np.arange(ds.sizes["epoch"]), skipped)).transpose(
        "variable", "member", "epoch"
    )
    inputs, labels = both.sel(variable="input").values, both.sel(variable="label").values
    mean_input, mean_label = (mean_known(part) for part in (inputs, labels))
    peak = int(np.argmax(np.nan_to_num(mean_input, nan=-np.inf)))
    lost = compression(inputs)
    return LayerSummary(
        layer=layer,
        input_start=mean_input[0],
        input_peak=mean_input[peak],
        input_end=mean_input[-1],
        peak_epoch=int(epochs[peak]),
        end_epoch=int(epochs[-1]),
        label_start=mean_label[0],
        label_peak=mean_label[peak],
        label_end=mean_label[-1],
        compression=lost.mean,
        half_width=lost.half_width,
        cap=float(ds.attrs["input_entropy"]),
        unit=str(ds.attrs.get("epoch_unit", "epoch")),
        clipped=_clipping(ds, str(information["estimator"].item()), layer),
        skipped=_skipped_words(ds, skipped),
    )


def _initial_epochs(ds: "xr.Dataset", information: "xr.DataArray", layer: str) -> list[int]:
    """Return the places of the epochs at which batch norms have no statistics yet, unless these are all."""
    if "flags" not in ds:
        return []
    flags = (
        ds["flags"].sel(estimator=information["estimator"], layer=layer, variable="input").transpose("epoch", "member")
    )
    places = [place for place, codes in enumerate(flags.values) if any(INITIAL in decode_flags(c) for c in codes)]
    return places if len(places) < ds.sizes["epoch"] else []


def _skipped_words(ds: "xr.Dataset", places: Sequence[int]) -> str:
    if not places:
        return ""
    unit, epochs = ds.attrs.get("epoch_unit", "epoch"), ds["epoch"].values[list(places)]
    return f"{unit} {', '.join(map(str, epochs))} not counted: the batch norms have seen no batch"


def _clipping(ds: "xr.Dataset", estimator: str, layer: str) -> str:
    """Return how many values of a layer lie outside the bins, empty if none do; runs without reasons give no share."""
    place = {"estimator": estimator, "layer": layer}
    if "flags" not in ds or not _has_flag(ds.sel(estimator=[estimator]), layer, "clipped"):
        return ""
    reasons = ds["reasons"].sel(place).values.ravel() if "reasons" in ds else []
    shares = [float(found.group(1)) for text in reasons if (found := CLIPPED_SHARE.search(str(text)))]
    return f"up to {digits(max(shares))} % of values lie outside the bins" if shares else "values lie outside the bins"


def _pm(value: float, half_width: float) -> str:
    return f"{value:.1f}" if np.isnan(half_width) else f"{value:.1f} ± {half_width:.1f}"


def columns() -> list[str]:
    """Headings of the summary table."""
    inputs = ["I(X;T) start", "I(X;T) peak", "peak epoch", "I(X;T) end"]
    return ["layer", *inputs, "I(T;Y) start", "I(T;Y) peak", "I(T;Y) end", "compression", "± 95 %"]


def row(summary: LayerSummary) -> list[str]:
    """Return one layer's entries of the summary table."""
    return _entries(summary, digits)


def without_numbers(layers: Sequence[str]) -> list[str]:
    """Return the line on the layers that a table omits, if there are any."""
    return [f"not measured: {_named(layers)}"] * bool(layers)


def _entries(summary: LayerSummary, bits: Callable[[float], str]) -> list[str]:
    return [
        summary.layer,
        bits(summary.input_start),
        bits(summary.input_peak),
        str(summary.peak_epoch),
        bits(summary.input_end),
        bits(summary.label_start),
        bits(summary.label_peak),
        bits(summary.label_end),
        bits(summary.compression),
        bits(summary.half_width),
    ]


def to_csv(ds: "xr.Dataset") -> str:
    """The summary of every estimator as comma-separated text, bits with 4 decimals."""
    lines = [["estimator", *columns()]]
    for estimator in ds["estimator"].values:
        lines += [[str(estimator), *_entries(layer, "{:.4f}".format)] for layer in summarise(ds, str(estimator))]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def remarks(ds: "xr.Dataset") -> list[str]:
    """What is to be distrusted in a result, a sentence each."""
    lines = [f"damaged and left out: {text}" for text in json.loads(ds.attrs.get("damaged", "[]"))]
    told = {
        "dead": "dead or never learnt; they are in the means",
        "diverged": "diverged; they are in the means up to the epoch where their numbers end",
    }
    for flag, text in told.items():
        count = sum(flag in decode_flags(code) for code in ds["member_flags"].values)
        if count:
            lines.append(f"{count} of {ds.sizes['member']} members {text}")
    if "step" in ds and ds["epoch"].values[-1] < ds["step"].values[-1]:
        word, reached, asked = ds.attrs.get("epoch_unit", "epoch"), ds["epoch"].values[-1], ds["step"].values[-1]
        lines.append(f"incomplete: measured up to {word} {reached} of {asked}")
    lines += [*views(ds), *left_out(ds), *_repeats(ds), *_assumed_output(ds)]
    violations = largest_violation(ds) if ds.attrs.get("layers", "chain") == "chain" else 0.0
    if violations > NOTICEABLE:
        lines.append(
            f"a deeper layer has up to {violations:.1f} bits more than the one before it: layers are quantised "
            "separately, so this is a property of the definition, not an error"
        )
    clipped = [str(layer) for layer in ds["layer"].values if _has_flag(ds, str(layer), "clipped")]
    if clipped:
        lines.append(f"clipped: values outside the bins in {', '.join(clipped)}; the picture shows the clipping too")
    lines += [f"reason at the end, {estimator} of {layer}: {text}" for estimator, layer, text in reasons_at(ds)]
    return lines


def views(ds: "xr.Dataset") -> list[str]:
    """Return a line for each way in which activations were changed before they were measured."""
    return [f"{ds.attrs[key]}" for key in VIEWS if ds.attrs.get(key)]


def left_out(ds: "xr.Dataset") -> list[str]:
    """Return a line for each reason for which outputs of a recorded model are left out."""
    by_reason = json.loads(str(ds.attrs.get("left_out", "{}")))
    return [f"left out: {_named(names)}: {reason}" for reason, names in by_reason.items()]


def _named(layers: Sequence[str]) -> str:
    """Return names in a row; of many the first ones and how many more there are."""
    more = f" and {len(layers) - MOST_NAMED} more" if len(layers) > MOST_NAMED else ""
    return ", ".join(layers[:MOST_NAMED]) + more


def _assumed_output(ds: "xr.Dataset") -> list[str]:
    """Return the note that the output of a recorded model is a guess, if it is."""
    layers = [str(name) for name in ds["layer"].values]
    if "output_layer" in ds.attrs or "model" in config_of(ds) or len(layers) < 2 or layers[-1] == "output":
        return []
    return [
        f"the last recorded layer, {layers[-1]}, is taken as the model's output: claims about the last hidden layer "
        f"use {layers[-2]}"
    ]


def _repeats(ds: "xr.Dataset") -> list[str]:
    """Say that inputs occur more than once, where they do."""
    n_samples, n_distinct = ds.attrs.get("n_samples", 0), ds.attrs.get("n_distinct", 0)
    if not 0 < n_distinct < n_samples:
        return []
    entropy = f"H(X) = {digits(ds.attrs['input_entropy'])} bits"
    return [
        f"{n_samples - n_distinct} of {n_samples} inputs repeat another one; {entropy} counts the {n_distinct} distinct"
    ]


def largest_violation(ds: "xr.Dataset") -> float:
    """Largest excess of I(X;T) over the layer before, in the mean over members, at any epoch, in bits."""
    inputs = ds["information"].sel(variable="input").mean("member")
    return float(order_violation(inputs).max())


def _has_flag(ds: "xr.Dataset", layer: str, flag: str) -> bool:
    codes = np.unique(ds["flags"].sel(layer=layer).values)
    return any(flag in decode_flags(code) for code in codes)
