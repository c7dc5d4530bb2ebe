"""What claims read in a result: its networks, layers and the quantities of each member."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane import results
from infoplane.experiments.claims.sample import LackingError, Sample, Values
from infoplane.results import config_of, decode_flags

if TYPE_CHECKING:
    import xarray as xr

Bits = Float[np.ndarray, "member epoch"]

NOTICEABLE = 0.1
"""Bits that a layer must lose to count as compressing: the resolution at which a layer counts as saturated."""

SMOOTHED = 11
"""Recorded epochs whose median stands for a signal-to-noise ratio: mini-batches make single ones jump."""

UNSOUND = ("dead", "diverged")
"""Flags of members that are left out."""

IGNORED = ("name", "sweep", "variants", "memory", "group_width", "members", "measure", "schedule", "estimators")
"""Keys of the configuration that do not make another network or training."""


@dataclasses.dataclass(frozen=True)
class Part:
    """One network with its training: a run without a sweep, or one combination of a sweep.

    Attributes:
        labels: the values of what the sweep varies.
        ds: its result.
    """

    labels: Mapping[str, Any]
    ds: "xr.Dataset"

    @cached_property
    def keys(self) -> dict[str, Any]:
        """The configuration by dotted key, as JSON where it is a list."""
        return _flat(config_of(self.ds))

    @cached_property
    def network(self) -> dict[str, Any]:
        """The keys that make the network, its data and its training."""
        return {key: value for key, value in self.keys.items() if key.partition(".")[0] not in IGNORED}

    @property
    def activation(self) -> str:
        """Name of the hidden activation; empty where the result does not say."""
        return str(self.keys.get("model.activation", ""))

    @property
    def shuffled(self) -> bool:
        """Whether its labels were shuffled."""
        return bool(self.keys.get("data.shuffle_labels", False))

    @property
    def layers(self) -> list[str]:
        """Names of the layers in order."""
        return [str(name) for name in self.ds["layer"].values]

    @property
    def output(self) -> str:
        """The layer that gives the model's output: see `results.output_of`.

        Raises:
            LackingError: if it was not recorded.
        """
        name = results.output_of(self.ds)
        if name is None:
            raise LackingError("the model's output among the recorded layers")
        return name

    @property
    def hidden(self) -> list[str]:
        """Names of the layers other than the output, in order."""
        output = results.output_of(self.ds)
        return [layer for layer in self.layers if layer != output]

    @property
    def last_hidden(self) -> str:
        """The last layer before the output, whether or not the output was recorded.

        Raises:
            LackingError: if there is none.
        """
        if not self.hidden:
            raise LackingError("a hidden layer before the output")
        return self.hidden[-1]

    def epochs(self, estimator: str) -> Int[np.ndarray, " epoch"]:
        """Return the epochs that an estimator measured.

        Raises:
            LackingError: where these are fewer than two.
        """
        if estimator not in self.estimators():
            raise LackingError(f"the estimator {estimator}")
        epochs = self.ds["epoch"].values[self._measured(estimator)]
        if len(epochs) < 2:
            raise LackingError(f"at least two epochs measured by {estimator}")
        return epochs

    def times(self, estimator: str) -> Int[np.ndarray, " epoch"]:
        """Return the epochs that an estimator measured, for what is said of their number.

        Raises:
            LackingError: see `epochs`; also for a run that counts updates.
        """
        if self.ds.attrs.get("epoch_unit", "epoch") != "epoch":
            raise LackingError('numbers of epochs; this run counts updates (schedule.unit = "epochs")')
        return self.epochs(estimator)

    def start(self, estimator: str) -> int:
        """Return the place of epoch 0, the initialisation, among the epochs that an estimator measured.

        Raises:
            LackingError: where it did not measure it.
        """
        if self.epochs(estimator)[0] != 0:
            raise LackingError(f"the initialisation, epoch 0, measured by {estimator}")
        return 0

    def _measured(self, estimator: str) -> Bool[np.ndarray, " epoch"]:
        """Say at which epochs an estimator gave any number: slow ones measure some of the epochs only."""
        known = self.ds["information"].sel(estimator=estimator).notnull()
        return known.any([str(dim) for dim in known.dims if dim != "epoch"]).values

    @cached_property
    def sound(self) -> Bool[np.ndarray, " member"]:
        """Which members are neither dead nor diverged."""
        return np.array([not flags.intersection(UNSOUND) for flags in self._flags], bool)

    @cached_property
    def left_out(self) -> str:
        """Says which members are left out."""
        counts = {flag: sum(flag in flags for flags in self._flags) for flag in UNSOUND}
        told = [f"{count} {flag}" for flag, count in counts.items() if count]
        return f"left out of {len(self._flags)} members: {', '.join(told)}" if told else ""

    @cached_property
    def _flags(self) -> list[frozenset[str]]:
        if "member_flags" not in self.ds:
            return [frozenset()] * self.ds.sizes["member"]
        return [decode_flags(int(code)) for code in self.ds["member_flags"].values]

    def estimators(self, kind: str = "") -> list[str]:
        """Names of the estimators of a kind (``binning`` or ``kde``), or of all."""
        names = [str(name) for name in self.ds["estimator"].values]
        return [name for name in names if not kind or name.partition("(")[0] == kind]

    def bits(self, layer: str, estimator: str, variable: str = "input") -> Bits:
        """Information of the sound members at each epoch that the estimator measured.

        Raises:
            LackingError: see `epochs`.
        """
        self.epochs(estimator)
        values = self.ds["information"].sel(layer=layer, estimator=estimator, variable=variable)
        return values.transpose("member", "epoch").values[np.ix_(self.sound, self._measured(estimator))]

    def is_clipped(self, layer: str, estimator: str) -> bool:
        """Say whether activations lay outside the bins."""
        if "flags" not in self.ds:
            return False
        codes = np.unique(self.ds["flags"].sel(layer=layer, estimator=estimator).values)
        return any("clipped" in decode_flags(int(code)) for code in codes)

    def clipping(self, layer: str, estimator: str) -> str:
        """Say why clipped activations cannot decide; empty where none are."""
        if not self.is_clipped(layer, estimator):
            return ""
        return "needs bins that cover the activations: values beyond them are clipped, which looks like compression"

    def attribute(self, name: str) -> float:
        """Return a number of the whole result, such as H(X).

        Raises:
            LackingError: where the result does not say.
        """
        value = float(self.ds.attrs.get(name, np.nan))
        if not np.isfinite(value):
            raise LackingError(f"{name.replace('_', ' ')}, which this result does not contain")
        return value

    def quantity(self, name: str) -> "xr.DataArray":
        """Return a variable of the sound members.

        Raises:
            LackingError: where the result does not hold it.
        """
        if name not in self.ds or not bool(self.ds[name].notnull().any()):
            raise LackingError(f"{name.replace('_', ' ')}, which this result does not contain")
        return self.ds[name].isel(member=np.flatnonzero(self.sound))

    def sample(self, values: Values, name: str = "", other: Float[np.ndarray, " other"] | None = None) -> Sample:
        """Return numbers of the sound members with the word on those left out."""
        return Sample(name, np.asarray(values, float), other, self.left_out)

    def named(self, *words: str) -> str:
        """Return what a case is about: the sweep's values, then some words."""
        return ", ".join([*(f"{key}={value}" for key, value in self.labels.items()), *words])


@dataclasses.dataclass(frozen=True)
class Run:
    """All networks of a result."""

    parts: Sequence[Part]

    def main(self, activations: Sequence[str] = ()) -> list[Part]:
        """Return the first network with true labels, and those that differ from it in the activation alone.

        Raises:
            LackingError: where there is none, or none with one of the activations that are asked for.
        """
        true = [part for part in self.parts if not part.shuffled]
        if not true:
            raise LackingError("a network trained on labels that are not shuffled")
        found = [part for part in true if differing(true[0], part) <= {"model.activation"}]
        found = [part for part in found if not activations or part.activation in activations]
        if not found:
            raise LackingError(f"networks with {' or '.join(activations)} (infoplane run … --sweep model.activation=…)")
        return found

    def along(self, key: str) -> list[Part]:
        """Return the networks that differ from the first one in one key alone, each value once.

        Raises:
            LackingError: where there are fewer than two.
        """
        first = self.main()[0]
        found = {json.dumps(part.network.get(key)): part for part in self.parts if differing(first, part) <= {key}}
        if len(found) < 2:
            raise LackingError(f"networks that differ in {key} (infoplane run … --sweep {key}=…)")
        return list(found.values())


def differing(one: Part, other: Part) -> set[str]:
    """Return the keys in which two networks, their data or their training differ."""
    keys = one.network.keys() | other.network.keys()
    return {key for key in keys if one.network.get(key) != other.network.get(key)}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings by dotted key."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def of(ds: "xr.Dataset") -> Run:
    """Return the networks of a result of which anything was measured.

    Raises:
        LackingError: where nothing was measured, or a run was not finished.
    """
    from infoplane.runs.combine import split

    parts = [Part(labels, part) for labels, part in split(ds) if part.sizes["epoch"] and part.sizes["member"]]
    if not parts:
        raise LackingError("at least one measured epoch")
    for part in parts:
        measured = int(part.ds["epoch"].values[-1])
        trained = int(part.ds["step"].values[-1]) if "step" in part.ds else measured
        planned = int(part.keys.get("train.epochs", trained))
        if measured < trained or trained < planned:
            whole = trained >= planned
            words = "the last epoch in the schedule" if whole else "a finished run (infoplane resume DIR)"
            raise LackingError(f"{words}; measured up to epoch {measured} of {max(trained, planned)}")
    return Run(parts)


def each(
    run: Run, measure: Callable[[Part, str, str], Any], kinds: Sequence[str], activations: Sequence[str] = ()
) -> list[Any]:
    """Return what a function makes of the last hidden layer of the main networks by one estimator of each kind.

    Raises:
        LackingError: where there is no such network or estimator.
    """
    found, lacking = [], LackingError(f"the estimator {' or '.join(kinds)}")
    for part in run.main(activations):
        for kind in kinds:
            for name in part.estimators(kind)[:1]:
                try:
                    found.append(measure(part, name, part.last_hidden))
                except LackingError as error:  # one that measured too little leaves the others
                    lacking = error
    if not found:
        raise lacking
    return found


# ---- quantities of each member


def peak(values: Bits) -> int:
    """Place of the epoch at which the mean over members is largest."""
    return int(np.argmax(np.nan_to_num(results.mean_known(values), nan=-np.inf)))


def compression(values: Bits) -> Values:
    """What each member loses from the epoch of the largest mean to the end, in bits."""
    return values[:, peak(values)] - values[:, -1]


def own_peak(values: Bits) -> Int[np.ndarray, " member"]:
    """Place of each member's own largest value."""
    return np.argmax(np.nan_to_num(values, nan=-np.inf), axis=1)


def turning(values: Bits, epochs: Int[np.ndarray, " epoch"]) -> Values:
    """Epoch of each member's largest I(X;T), after which it falls; NaN for a member without numbers."""
    return np.where(np.isfinite(values).any(axis=1), epochs[own_peak(values)], np.nan)


def own_compression(values: Bits) -> Values:
    """What each member loses from its own largest value to the end, in bits."""
    return np.take_along_axis(values, own_peak(values)[:, None], axis=1)[:, 0] - values[:, -1]


def lost_by(values: Bits, epochs: Int[np.ndarray, " epoch"], share: float) -> Values:
    """Epoch by which each member has lost a share of what it loses; NaN where it loses nothing worth a word."""
    lost, top = own_compression(values), own_peak(values)
    late = np.arange(values.shape[1]) >= top[:, None]
    low = values <= (values[:, -1] + (1 - share) * lost)[:, None]
    return np.where(lost > NOTICEABLE, epochs[np.argmax(late & low, axis=1)], np.nan)


def signal_to_noise(part: Part) -> tuple[Int[np.ndarray, " step"], Float[np.ndarray, "member step"]]:
    """Norm of the mean gradient over its spread, of all layers together, at the epochs that have one, smoothed.

    Raises:
        LackingError: where no gradients are recorded, or there is one mini-batch only.
    """
    from scipy.ndimage import median_filter

    squares = [
        (part.quantity(name) ** 2).sum("layer", skipna=False).transpose("member", "step")
        for name in ("gradient_mean", "gradient_std")
    ]
    ratio = np.sqrt((squares[0] / squares[1]).values)
    recorded = np.isfinite(ratio).any(axis=0)
    if not recorded.any():
        raise LackingError("several mini-batches an epoch, so that gradients have a spread")
    kept = ratio[:, recorded]
    size = min(SMOOTHED, kept.shape[1] - 1 + kept.shape[1] % 2)
    return part.ds["step"].values[recorded], median_filter(kept, (1, max(size, 1)), mode="nearest")


def transition(part: Part) -> Values:
    """First epoch at which each member's gradients are noise more than signal; NaN where that never happens.

    Raises:
        LackingError: see `signal_to_noise`.
    """
    steps, ratio = signal_to_noise(part)
    below = ratio < 1
    return np.where(below.any(axis=1), steps[np.argmax(below, axis=1)], np.nan)


def held_out(part: Part) -> Part:
    """Return the same network measured on the held-out inputs.

    Raises:
        LackingError: where these were not measured.
    """
    if f"{results.HELD_OUT}information" not in part.ds:
        raise LackingError('held-out inputs measured separately (measure.parts = ["all", "test"])')
    return Part(part.labels, results.held_out(part.ds))
