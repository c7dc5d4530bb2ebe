"""Measures a model after its training, from a folder of its checkpoints."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane import files
from infoplane.errors import StoreError
from infoplane.estimators import EstimatorLike
from infoplane.record._finding import find_checkpoints
from infoplane.record._formats import Load, loader_of
from infoplane.record._layouts import digest, weight_files
from infoplane.record._progress import Progress
from infoplane.record.probes import Probe, probe_of
from infoplane.record.recorder import Recorder
from infoplane.record.rows import Row
from infoplane.schedules import Every, Schedule

if TYPE_CHECKING:
    import xarray as xr

SOURCES = "checkpoints.jsonl"
"""File of a recording's folder that says which checkpoint each epoch was measured from."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """Told when a checkpoint has been measured.

    Attributes:
        epoch: its epoch.
        path: its file.
        done: number of checkpoints measured so far, those of an earlier call included.
        total: number that are to be measured; at most, for a schedule that depends on what is measured.
    """

    epoch: int
    path: Path
    done: int
    total: int


def measure_checkpoints(
    folder: str | Path,
    model: Any,
    inputs: Any,
    labels: Any = None,
    *,
    estimators: EstimatorLike = ("binning",),
    schedule: Any = "every",
    layers: Any = None,
    pattern: str | None = None,
    epochs: Any = None,
    weights: str | None = None,
    out: str | Path | None = None,
    held_out: Any = None,
    batch_size: Any = 1024,
    exact_batch: bool = False,
    memory: int = 2**30,
    target_bins: int = 10,
    ignore_index: int | None = None,
    rows: Any = None,
    view: Any = None,
    progress: bool = True,
    on_row: Callable[[Row], object] | None = None,
    on_event: Callable[[Measured], object] | None = None,
    name: str = "checkpoints",
    **options: Any,
) -> "xr.Dataset":
    """Measure I(X;T) and I(T;Y) of a model's layers at the checkpoints of its training, in bits.

    For example, for a training that saved ``model.state_dict()`` as ``epoch-0.pt``, ``epoch-1.pt``…::

        ds = ip.measure_checkpoints("checkpoints", make_model, inputs, labels, schedule="log")
        ip.plot_plane(ds)

    **Files.** safetensors; Keras ``.weights.h5``, ``.keras`` and ``.h5``; PyTorch state_dicts and the checkpoints of
    Lightning, timm and fastai (``.pt``, ``.pth``, ``.bin``, ``.ckpt``, ``.pth.tar``); folders of Hugging Face such as
    ``checkpoint-500/``, also in shards with an index. Other files, for example optimizer states, are left alone.
    Checkpoints are loaded one at a time, in ascending epoch. Nothing in a file is ever executed: a file that holds
    more than arrays and plain values is refused.

    **Weights.** Every weight of the model must be in the file. A weight that the model uses under several names, such
    as the tied embedding of GPT-2, may be stored once. One prefix before every name may differ (``model.``,
    ``module.``, ``transformer.``); with a prefix, the file may hold further parts of the training, such as a head.

    **Epoch.** The number after ``epoch``, ``ep`` or ``e`` in the name; otherwise the number after ``step`` or ``iter``,
    or of a folder ``checkpoint-500``, which counts updates; otherwise the only whole number that is no metric,
    setting, date or part of a model's name. Ambiguous names are refused: pass ``epochs`` or ``pattern``. Names such as
    ``last`` and ``best`` are copies and left out. The attribute ``epochs_from`` of the result states which number was
    used. Lightning counts from 0 and saves after an epoch, so that its epoch 0 is one epoch after the initialization.

    Args:
        folder: where the checkpoints lie.
        model: a PyTorch, Keras or Flax NNX model, which is left with the last weights measured; a function without
            arguments that makes one, called once; or, for any other JAX model, a function of the weights
            ``{name: NumPy array}`` that gives a function of the inputs, which gives {layer's name: activations}.
        inputs: what it is measured on, shape (sample, …); see `Recorder`, also for what follows.
        labels: class of each input, shape (sample,); without them there is only I(X;T).
        estimators: names, instances or tables; each names its noise model.
        schedule: which checkpoints are loaded: "every", "log", "piecewise", a stride, a list, or a schedule. Of the
            epochs there are, it takes the first at or after each of its own, and the first and last of all.
            "delta-exact" and "delta-approx" count files, and load more of them where more changes.
        layers: which layers: "all", names, or patterns such as ``"encoder.*"``.
        pattern: regular expression with one group, the epoch, to be found in the file's name; files in whose name
            it is not found are left out.
        epochs: the epochs, instead of ``pattern``: "epoch" or "step", for the number of that kind in the names; a
            mapping {name: epoch}, in which None leaves a file out, and names that are absent state their own epoch; or
            a function of the name. The names are those of the files in the folder, or of folders (``checkpoint-500``).
        weights: key of the weights in PyTorch files that hold several, such as "state_dict_ema" or "generator";
            default: the first of "state_dict", "model_state_dict", "model" and similar keys.
        out: a folder that keeps every row as soon as it is measured. A call that was interrupted goes on there.
        held_out: a second set, inputs or the pair (inputs, labels), measured beside the first.
        batch_size: number of inputs that the model is given at once; "all" for all of them.
        exact_batch: never run the model on fewer inputs than ``batch_size``.
        memory: bytes of activations, and of the model's forward pass, held at once. See `Recorder`.
        target_bins: number of classes for the targets of a regression.
        ignore_index: leave out the inputs with this label, such as −100.
        rows: measure on so many of the inputs, drawn at random, always the same ones.
        view: reduce each wide layer before it is measured: "projection" or "pca". See `Recorder`.
        progress: state the plan and the remaining time on stderr, if it takes long and stderr is a terminal.
        on_row: called with each `Row` when it has been kept.
        on_event: called with a `Measured` after each checkpoint.
        name: title of the result.
        options: the framework's own, such as ``channels="mean"``.

    Raises:
        InputError: for a folder without checkpoints, names without an epoch or two with the same, a file that is
            damaged, may run code or does not fit the model; names the file.
        StoreError: when ``out`` cannot be used, or a file has changed since it was measured.

    Warns:
        CheckpointWarning: if the order of the epochs contradicts the files' modification times.
    """
    checkpoints = find_checkpoints(folder, pattern, epochs)
    found = checkpoints.paths
    snapshots = Snapshots(loader_of(model, weights), layers, options)
    shown = Progress(progress)
    recorder = Recorder(
        inputs, labels, estimators, schedule, out=out, held_out=held_out, batch_size=batch_size,
        exact_batch=exact_batch, memory=memory, target_bins=target_bins, ignore_index=ignore_index, rows=rows,
        view=view, progress=shown, on_row=on_row, name=name, live=False,
        attributes={"epoch_unit": checkpoints.unit, "epochs_from": checkpoints.source},
    )  # fmt: skip
    try:
        sources = Sources(None if out is None else Path(out), Path(folder))
        sources.check_unchanged({entry.epoch: found[entry.epoch] for entry in recorder.entries if entry.epoch in found})
        for epoch, done, total in _epochs_to_measure(recorder, list(found)):
            shown.part = (done, total)
            sources.note(epoch, found[epoch])
            measure_file(recorder, snapshots.probe(found[epoch]), epoch)
            if on_event is not None:
                on_event(Measured(epoch, found[epoch], done + 1, total))
        return recorder.results()
    finally:
        recorder.close()


def _epochs_to_measure(recorder: Recorder, there: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield each epoch that the schedule still asks for, how many it has, and of how many at most.

    The caller measures an epoch before it asks for the next.
    """
    schedule = recorder.schedule
    if isinstance(schedule, Schedule):
        wanted = choose_epochs(there, schedule)
        measured = recorder.values().keys()
        for epoch in [epoch for epoch in wanted if epoch not in measured]:
            yield epoch, sum(entry.epoch in wanted for entry in recorder.entries), len(wanted)
        return
    planner = schedule.planner(len(there) - 1, recorder.entropies)  # it counts the files
    planner.replay({there.index(epoch): values for epoch, values in recorder.values().items() if epoch in there})
    while not planner.done:
        for place in planner.wanted():
            yield there[place], len(planner.measured), len(there)
            planner.tell(place, recorder.values()[there[place]])


def measure_file(recorder: Recorder, probe: Probe, epoch: int) -> None:
    """Measure a model as it was saved, as the given epoch; whatever the recorder's schedule says.

    Raises:
        InputError: when its activations cannot be used.
    """
    recorder.insert(epoch, probe)


class Snapshots:
    """Sees into a model as it was saved in one file or another.

    Args:
        load: gives the model as it was saved in a file.
        layers: which layers, as the model's framework takes them.
        options: the framework's own.
    """

    def __init__(self, load: Load, layers: Any, options: Mapping[str, Any]) -> None:
        self._load, self._layers, self._options = load, layers, options
        self._model: Any = None
        self._probe: Probe | None = None

    def probe(self, path: Path) -> Probe:
        """Load a file and return the probe of its model, valid until the next file is loaded.

        Raises:
            InputError: when the file cannot be loaded into the model; names it.
        """
        model = self._load(path)
        if self._probe is None or model is not self._model:  # one that is loaded anew keeps its compiled probe
            self._model, self._probe = model, probe_of(model, self._layers, **self._options)
        return self._probe


def choose_epochs(available: Iterable[int], schedule: Schedule) -> list[int]:
    """Return those of the available epochs that a schedule asks for, ascending.

    They are the first at or after each of its own epochs, and the first and last of all.
    """
    there = np.unique(np.fromiter(available, np.int64))
    if isinstance(schedule, Every):  # from each multiple on; those of large step numbers are too many to list
        first = np.unique(there // schedule.n, return_index=True)[1]
    else:
        first = np.searchsorted(there, schedule.epochs(int(there[-1])))
    return np.unique([there[0], *there[first], there[-1]]).tolist()


class Sources:
    """Which file each epoch of a recording's folder was measured from.

    Args:
        folder: the recording's folder, if there is one.
        checkpoints: the folder of the checkpoints.

    Attributes:
        path: the list, a line for each epoch; None without a folder.
    """

    def __init__(self, folder: Path | None, checkpoints: Path) -> None:
        self.path = None if folder is None else folder / SOURCES
        self._checkpoints = checkpoints

    def note(self, epoch: int, file: Path) -> None:
        """Write which file an epoch is about to be measured from."""
        if self.path is not None:
            about = {"epoch": epoch, "file": str(file.relative_to(self._checkpoints)), "sha256": digest(file)}
            files.append_line(self.path, about | _stamp(file))

    def check_unchanged(self, measured: Mapping[int, Path]) -> None:
        """Refuse to go on where a file is not the one that its epoch was measured from.

        Raises:
            StoreError: then, naming it.
        """
        lines = [] if self.path is None else files.read_lines(self.path)
        noted = {line["epoch"]: line for line in lines if {"epoch", "sha256"} <= set(line)}
        for epoch, file in measured.items():
            line = noted.get(epoch)
            if line is None or _stamp(file).items() <= line.items() or line["sha256"] == digest(file):
                continue
            raise StoreError(f"{file}: has changed since epoch {epoch} was measured; give out= another folder")


def _stamp(path: Path) -> dict[str, int]:
    """Return numbers that change with a checkpoint's content, without reading it."""
    with files.named(path):
        stats = [file.stat() for file in weight_files(path)]
    return {"bytes": sum(one.st_size for one in stats), "mtime_ns": sum(one.st_mtime_ns for one in stats)}
