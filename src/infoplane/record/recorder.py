"""Records the information plane of a model of any framework while it trains."""

import bisect
import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane import results, schedules
from infoplane.errors import InputError
from infoplane.estimators import EstimatorLike, build_all
from infoplane.estimators.base import Estimator
from infoplane.record._about import about, attributes
from infoplane.record._checks import check_arguments, check_curves, check_epoch, refuse_run_edges
from infoplane.record._notes import named_output
from infoplane.record._progress import Progress
from infoplane.record._views import as_view
from infoplane.record.folder import RESULT, Folder, lost_attribute, warned
from infoplane.record.measure import Measured, measure_model, measure_set, slices
from infoplane.record.probes import Probe, as_probe, probe_of
from infoplane.record.rows import Entry, assemble
from infoplane.record.sets import SETS, measured_sets

if TYPE_CHECKING:
    import xarray as xr

SAVE_SECONDS = 30.0
"""The result of a recording with a folder goes to disk at least this often, and at its end."""


class Recorder:
    """Measures I(X;T) and I(T;Y) of a model's layers at the epochs that a schedule names.

    The caller trains and numbers the epochs; epoch 0 is the untouched initialisation::

        recorder = ip.Recorder(inputs, labels, schedule="log")
        with recorder.attach(model):
            recorder.step(0)
            for epoch in range(1, 101):
                train_one_epoch(model)
                recorder.step(epoch)
        ip.plot_plane(recorder.results())

    Args:
        inputs: what the model is measured on, shape (sample, …), in the framework's own arrays or NumPy's; a mapping
            or tuple of arrays for a model with several inputs; or a DataLoader, a dataset, an iterable of batches or
            a list of dictionaries, which are read once, with their labels. X is which of them: H(X) is log2 N when
            they differ.
        labels: class of each input, shape (sample,): integers, booleans, words, categories, one-hot rows, or floats
            that are all whole with few different values (up to 10, or up to half the number of inputs and 1000). Other
            floats are targets of a regression: they are cut into ``target_bins`` classes of equal mass, or taken as
            classes if they have no more values than that. The attribute ``targets`` of the result states what was
            done with floats. The name of the labels in a dictionary. Without labels there is only I(X;T);
            a batch (inputs, labels), or a dictionary with "labels", gives its own.
        estimators: names, instances, or tables such as ``{"name": "kde", "variance": 0.1}``. Each names its noise
            model; without one the information of a deterministic network is about N, not about the network.
        schedule: which epochs are measured: "log", "every", "piecewise", "delta-approx" (steps that grow while little
            changes), a stride, a list, or a schedule.
        layers: layers of a function or mapping given to `step`: None, "all", names, or patterns (``"encoder.*"``).
        out: a folder that keeps every row as soon as it is measured. A training that is started again with the
            same folder, inputs and estimators goes on with the same record.
        held_out: a second set, inputs or the pair (inputs, labels), measured beside the first;
            `infoplane.results.held_out` shows it.
        epochs: number of the last epoch, where it is known: it is then measured, and a logarithmic schedule is
            laid out for it. A training that goes on beyond it is measured as if it were not known.
        batch_size: number of inputs that the model is given at once, at least 2; a last one joins the others. "all":
            all at once and never fewer, as graph networks need. A model that fails on two inputs is run on batches of
            exactly this size; the last batch is then filled up by some of its own inputs.
        exact_batch: run the model on ``batch_size`` inputs every time, and never try it on two or three inputs.
        memory: bytes of activations, and of the model's forward pass, held at once. Activations beyond it wait in a
            temporary file, and batches are made smaller; the forward pass of a function is not known.
        target_bins: number of classes for the targets of a regression.
        ignore_index: leave out the inputs with this label, such as −100; without it −100 among classes is refused.
        rows: measure on so many inputs, drawn at random, always the same; ``n_given`` in the result: of how many.
        view: reduce each wide layer before it is measured: "projection" or "pca" to 16 coordinates, or a table such as
            ``{"name": "pca", "coordinates": 8}``. The result states it.
        progress: state plan and remaining time on stderr, if it is a terminal and a measurement takes over 2 s.
        on_row: called with each `Row` when it has been kept, for example to log it.
        name: title of the result.
        live: whether epochs come once and in order. False if any can be had at any time, as from checkpoints:
            `insert` takes them, and the schedule "delta-exact" is not refused.
        attributes: further attributes of the result, numbers or text. ``{"output_layer": "logits"}`` states which
            layer of a function is the model's output; an empty name states that the output is not recorded.

    Raises:
        InputError: for an argument that cannot be used.
        StoreError: when ``out`` cannot be used, or holds a recording of something else.
    """

    def __init__(
        self,
        inputs: Any,
        labels: Any = None,
        estimators: EstimatorLike = ("binning",),
        schedule: Any = "log",
        layers: str | Sequence[str] | None = None,
        out: Any = None,
        *,
        held_out: Any = None,
        epochs: Any = None,
        batch_size: Any = 1024,
        exact_batch: bool = False,
        memory: Any = 2**30,
        target_bins: Any = 10,
        ignore_index: int | None = None,
        rows: Any = None,
        view: Any = None,
        progress: bool | Progress = True,
        on_row: Any = None,
        name: str = "recording",
        live: bool = True,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        numbers = {"memory": memory, "target_bins": target_bins, "epochs": epochs, "rows": rows}
        check_arguments(on_row=on_row, out=out, batch_size=batch_size, **numbers)
        single = isinstance(estimators, str | Mapping | Estimator)
        self.estimators = build_all([estimators] if single else estimators)
        refuse_run_edges(self.estimators.values())
        options = {"batch_size": batch_size, "exact_batch": exact_batch, "target_bins": target_bins,
                   "ignore_index": ignore_index, "rows": rows}  # fmt: skip
        self._sets = measured_sets(inputs, labels, held_out, **options)
        self.schedule = schedules.as_live_schedule(schedule) if live else schedules.as_schedule(schedule)
        self.layers, self.name, self.memory, self.on_row = layers, name, memory, on_row
        self._progress = progress if isinstance(progress, Progress) else Progress(progress)
        self._view = as_view(view)
        self._last, self._further = epochs, dict(attributes or {}) | ({"view": str(self._view)} if view else {})
        self._probe: Probe | None = None
        self._previous: int | None = None
        self._planner: schedules.ApproxPlanner | None = None
        self._curves: list[tuple[int, dict[str, float]]] = []
        self._saved_at = time.monotonic()
        self._folder = None if out is None else Folder(Path(out), self._about(), self._attributes())
        self.entries: list[Entry] = self._folder.entries if self._folder else []

    def step(
        self,
        epoch: Any,
        activations: Any = None,
        *,
        curves: Any = None,
        force: bool = False,
    ) -> bool:
        """Measure the model as it is now, if the schedule names this epoch.

        Args:
            epoch: number of the epoch (or update) that has just ended; 0 before the first. It only rises; the last
                one may be named again to force it.
            activations: of the measured inputs: a mapping {layer's name: array of shape (sample, …)}, or a
                function that takes a batch of inputs and gives such a mapping, called only when it is measured.
                Not needed for a model that is attached.
            curves: training curves of the epoch: "loss", "accuracy", "test_loss", "test_accuracy".
            force: measure also where the schedule does not ask for it, for example at the last epoch.

        Returns:
            Whether the epoch was measured.

        Raises:
            InputError: for an epoch that goes backwards, activations that cannot be used, changed inputs.
        """
        epoch = self._check_epoch(epoch, force)
        due = force or self._due(epoch)
        given = None if curves is None else check_curves(curves)
        if given is not None and curves:
            self._curves.append((epoch, given))
        entry = self._measure(epoch, activations) if due else None
        if entry is not None:
            self._keep(entry)
        self._previous = epoch
        if entry is not None:
            self._announce(entry)
        return due

    def insert(self, epoch: Any, activations: Any = None) -> None:
        """Measure an epoch that has not been measured yet, whatever the schedule and the epochs before.

        Args:
            epoch: number of the epoch that the model stands at.
            activations: see `step`; or a probe of a model.

        Raises:
            InputError: for an epoch that was measured, activations that cannot be used, changed inputs.
        """
        epoch = check_epoch(epoch)
        if any(entry.epoch == epoch for entry in self.entries):
            raise InputError(f"epoch {epoch} has been measured; expected another")
        entry = self._measure(epoch, activations)
        self._add(entry)
        self._announce(entry)

    def values(self) -> dict[int, schedules.Values]:
        """What was measured so far, by epoch, as the planner of a schedule is told it."""
        return {entry.epoch: _values(entry) for entry in self.entries}

    @property
    def entropies(self) -> schedules.Entropies:
        """H(X) and H(Y) of the measured inputs in bits; H(Y) is NaN without labels."""
        set_ = self._sets[SETS[0]]
        return set_.input_entropy, set_.label_entropy

    @contextlib.contextmanager
    def attach(self, model: Any, layers: Any = None, **options: Any) -> Iterator["Recorder"]:
        """See into a model for as long as the block lasts; `step` then needs no activations.

        Nothing is measured by attaching, and training is as it was: weights, gradients, running statistics,
        training mode and random state are the same bits with and without a recorder.

        Args:
            model: a PyTorch module, a Keras model, a Flax NNX module, or a function that takes a batch of
                inputs and gives {layer's name: activations}.
            layers: "all", names, patterns, or types, as the framework's page says; the recorder's when not given.
            options: the framework's own, such as ``channels="mean"``.

        Raises:
            InputError: for a model of an unknown kind, or layers that fit nothing (lists the names).
        """
        outer, self._probe = self._probe, probe_of(model, self.layers if layers is None else layers, **options)
        try:
            yield self
        finally:
            self._probe = outer
            self._save_or_warn()

    @property
    def last_epoch(self) -> int | None:
        """The last epoch of `step`; None before the first."""
        return self._previous

    def results(self) -> "xr.Dataset":
        """Return the recording as a dataset, see `infoplane.results`; warn if the folder cannot be written.

        Raises:
            InputError: when nothing has been measured yet.
        """
        if not self.entries:
            raise InputError("nothing has been measured yet; call step(epoch) first")
        ds = self._assembled()
        self._save_or_warn()
        if self._folder is not None:
            ds.attrs["folder"] = str(self._folder.path)
        return ds

    def save(self) -> None:
        """Write the result into the folder, where there is one and something was measured.

        Raises:
            DiskFullError: when the disk is full; what was measured stays in memory.
            StoreError: when it cannot be written for another reason.
        """
        if self._folder is not None and self._folder.is_open and self.entries:
            self._saved_at = time.monotonic()  # also where it fails: not at every epoch
            self._folder.flush()
            results.save(self._assembled(), self._folder.path / RESULT, self._folder.record)

    def close(self) -> None:
        """Write the result and let go of the folder; nothing can be measured into it any more.

        Raises:
            StoreError: see `save`; the folder is free for another recorder all the same.
        """
        try:
            self.save()
        finally:
            if self._folder is not None:
                self._folder.close()

    def _save_or_warn(self) -> None:
        with warned(f"{RESULT} is written again later, at the latest by close()"):
            self.save()

    def _assembled(self) -> "xr.Dataset":
        lost, last = [] if self._folder is None else self._folder.lost, self.entries[-1]
        # with the curves of epochs after the last measured one
        entries = [*self.entries[:-1], dataclasses.replace(last, curves=(*last.curves, *self._curves))]
        return assemble(entries, self.estimators, self._attributes() | lost_attribute(lost))

    def state_dict(self) -> dict[str, Any]:
        """Return the record as plain numbers and lists, for a checkpoint of the training."""
        return {
            "previous": self._previous,
            "about": self._about(),
            "rows": [entry.to_line() for entry in self.entries],
            "curves": list(self._curves),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a record that `state_dict` gave; what a folder has of later epochs gives way to it.

        Raises:
            InputError: when it is of other inputs, estimators or layers.
        """
        if {"view": None} | state["about"] != self._about():
            raise InputError("the checkpoint's record is of other inputs, labels, estimators or layers")
        self.entries = [Entry.from_line(line, "the checkpoint") for line in state["rows"]]
        self._previous = state["previous"]
        self._curves = [(epoch, dict(values)) for epoch, values in state["curves"]]
        self._planner = None
        if self._folder is not None:
            self._folder.go_back(0)
            for entry in self.entries:
                self._folder.append(entry)

    def _check_epoch(self, epoch: Any, force: bool) -> int:
        epoch = check_epoch(epoch)
        if self._previous is not None and epoch < self._previous + (not force):
            raise InputError(f"epoch {epoch} comes after epoch {self._previous}; expected epochs that only rise")
        if self._last is not None and epoch > self._last:  # the training goes on beyond what was said
            self._last = self._planner = None
        return epoch

    def _due(self, epoch: int) -> bool:
        if isinstance(self.schedule, schedules.DeltaExact):
            raise InputError("schedule 'delta-exact' chooses epochs in an order of its own; use insert, not step")
        if isinstance(self.schedule, schedules.DeltaApprox):
            return self._planner_before(epoch, self.schedule).due(epoch)
        previous = self._previous
        if previous is None:  # a training that is started again goes on from what its folder holds
            previous = max((entry.epoch for entry in self.entries if entry.epoch < epoch), default=None)
        if self._last is None:
            return self.schedule.due(previous, epoch)
        wanted = self.schedule.epochs(self._last)
        return previous is None or bool(((wanted > previous) & (wanted <= epoch)).any())

    def _planner_before(self, epoch: int, schedule: schedules.DeltaApprox) -> schedules.ApproxPlanner:
        """The planner; a training that is started again goes on from what was measured before this epoch."""
        if self._planner is None:
            self._forget_from(epoch)
            self._planner = schedule.planner(self._last, self.entropies)
            self._planner.replay(self.values())
        return self._planner

    def _measure(self, epoch: int, activations: Any) -> Entry:
        self._progress.title = f"{self._further.get('epoch_unit', 'epoch')} {epoch}"
        if isinstance(activations, Mapping):
            measured, notes = self._measure_given(activations)
        else:
            measured, notes = self._measure_model(
                self._probe if activations is None else as_probe(activations, self.layers)
            )
        now = measured[SETS[0]].layers
        if self.entries and (was := self.entries[-1].sets[SETS[0]].layers) != now:
            raise InputError(f"layers are {', '.join(now)}; expected those of the epochs before: {', '.join(was)}")
        return Entry(epoch, measured, tuple(self._curves), notes)

    def _measure_given(self, activations: Mapping[Any, Any]) -> Measured:
        if len(self._sets) > 1:
            raise InputError("activations are of one set only; with held_out give step a function, or attach a model")
        set_ = self._sets[SETS[0]]
        source = slices(activations, set_.n_samples, self.layers)
        options = {"progress": self._progress, "view": self._view}
        with self._progress.measuring():
            measured = measure_set(set_, source, [*self.estimators.values()], self.memory, **options)
        return {SETS[0]: measured}, named_output([*map(str, activations)], measured.layers)

    def _measure_model(self, probe: Probe | None) -> Measured:
        if probe is None:
            raise InputError("activations are missing; give step a mapping or a function, or attach a model")
        return measure_model(probe, self._sets, list(self.estimators.values()), self.memory, self._progress, self._view)

    def _keep(self, entry: Entry) -> None:
        self._forget_from(entry.epoch)
        self._add(entry)
        if self._planner is not None:
            self._planner.tell(entry.epoch, _values(entry))

    def _forget_from(self, epoch: int) -> None:
        """Give up later epochs, which are of a training that was stopped and is started again."""
        if self.entries and epoch <= self.entries[-1].epoch:
            self.entries = [kept for kept in self.entries if kept.epoch < epoch]
            if self._folder is not None:
                self._folder.go_back(epoch)

    def _add(self, entry: Entry) -> None:
        if self._folder is not None:
            self._folder.append(entry)
        bisect.insort(self.entries, entry, key=lambda kept: kept.epoch)
        self._curves = []
        if self._folder is not None and time.monotonic() - self._saved_at > SAVE_SECONDS:
            self._save_or_warn()

    def _announce(self, entry: Entry) -> None:
        """Tell the rows of an epoch that is kept: an error of the listener leaves the record whole."""
        if self.on_row is not None:
            for row in entry.rows(list(self.estimators)):
                self.on_row(row)

    def _about(self) -> dict[str, Any]:
        return about(self.name, self._specs(), self._sets, self._view)

    def _specs(self) -> list[dict[str, Any]]:
        return [{"name": e.name, **e.params} for e in self.estimators.values()]

    def _attributes(self) -> dict[str, Any]:
        return attributes(self.name, self._specs(), str(self.schedule), self._sets) | self._further


def _values(entry: Entry) -> schedules.Values:
    """What an epoch gave on the first set of inputs, as of an ensemble of one."""
    return entry.sets[SETS[0]].values["bits"][:, None]
