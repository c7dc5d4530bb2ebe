"""The command that measures the checkpoints of a model's training: measure."""

import importlib
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infoplane._numbers import digits
from infoplane.cli.app import app
from infoplane.errors import CheckpointWarning, InfoplaneError, InputError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from infoplane.record.checkpoints import Measured


@app.command()
def measure(
    checkpoints: Annotated[Path, typer.Argument(metavar="CHECKPOINTS", help="The folder of the saved weights.")],
    model: Annotated[
        str, typer.Option(metavar="MODULE:FACTORY", help="A function without arguments that makes the model.")
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE|DIR|NAME",
            help="A .npz, .csv or .mat file, a folder of images (DIR:test takes one part), or a data set of list.",
        ),
    ],
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="NAME", help="Column of inputs of a table; may be repeated.")
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option("--label-column", metavar="NAME", help="Column of labels of a table."),
    ] = None,
    held_out: Annotated[
        str | None, typer.Option(metavar="FILE|DIR|NAME", help="A second set, measured beside.")
    ] = None,
    estimator: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="One of list; may be repeated; default: binning.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME.KEY=VALUE", help="An estimator's parameter, e.g. binning.bins=100."),
    ] = None,
    schedule: Annotated[
        str,
        typer.Option(metavar="every|log|delta-exact|N|A,B,…", help="Which checkpoints: every N-th epoch, or a list."),
    ] = "every",
    layers: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Layers to measure; may be repeated; default: all.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(metavar="REGEX", help=r"Where the epoch is in a file's name, e.g. 'step=(\d+)'.")
    ] = None,
    epochs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="epoch|step|NAME=EPOCH",
            help="Number of the names to use, or a file's epoch (NAME=none leaves it out); may be repeated.",
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="KEY", help="Key of the weights in PyTorch files that hold several.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The results' folder; default: a new one under runs/.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Inputs that the model is given at once.")] = 1024,
    exact_batch: Annotated[
        bool, typer.Option("--exact-batch", help="Never run the model on fewer inputs than --batch-size.")
    ] = False,
    ignore_index: Annotated[
        int | None, typer.Option(metavar="LABEL", help="Leave out the inputs with this label, such as -100.")
    ] = None,
    rows: Annotated[int | None, typer.Option(metavar="N", help="Measure on N of the inputs, drawn at random.")] = None,
) -> None:
    """Measure your own model at each checkpoint; draw its plane.

    PyTorch (state_dicts, Lightning, timm), safetensors, Keras files and folders of Hugging Face. Epochs are read from
    the names, e.g. epoch_3_loss_0.5.pt, epoch=3-step=400.ckpt, checkpoint-500/; ambiguous names are refused: use
    --epochs or --pattern. Nothing in a file is ever executed.

    Example: infoplane measure checkpoints --model net:make --data digits.npz --schedule log

    where net.py, in the current folder, has a function make that returns the untrained model, and digits.npz was
    saved by numpy.savez("digits.npz", inputs=…, labels=…). After Ctrl-C the same command with --out goes on.
    """
    from infoplane.experiments import new_folder
    from infoplane.record.checkpoints import measure_checkpoints

    asked = _estimators(estimator or ["binning"], set_ or [])
    options: dict[str, Any] = {"schedule": _schedule(schedule), "pattern": pattern, "batch_size": batch_size}
    options |= {"epochs": _epochs(epochs or []), "weights": weights}
    options |= {"exact_batch": exact_batch, "ignore_index": ignore_index, "rows": rows}
    inputs, labels = _load(data, column or [], label_column)
    held = None if held_out is None else _load(held_out, column or [], label_column)
    factory = _find_factory(model)
    folder = out if out is not None else new_folder("measure")

    def work(show: "Callable[[Measured], None]") -> "xr.Dataset":
        return measure_checkpoints(
            checkpoints, factory, inputs, labels, estimators=asked, layers=layers, out=folder, held_out=held,
            on_event=show, **options,
        )  # fmt: skip

    _show_result(_compute(work, folder, f"inputs have shape {inputs.shape}, dtype {inputs.dtype}"), folder)


# ---- what is asked for


def _estimators(names: Sequence[str], assignments: Sequence[str]) -> list[dict[str, Any]]:
    """Return each estimator with the parameters that --set gives it."""
    from infoplane.runs.words import parse_assignment

    asked = {name: {"name": name} for name in names}
    for assignment in assignments:
        path, value = parse_assignment(assignment)
        name, _, key = path.partition(".")
        if name not in asked or not key:
            raise InputError(f"--set {assignment}: expected NAME.KEY=VALUE of an estimator{did_you_mean(name, asked)}")
        asked[name][key] = value
    return [*asked.values()]


def _schedule(text: str) -> Any:
    """Return a stride, a list of epochs or a name."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        return text
    return [int(part) for part in parts] if len(parts) > 1 else int(text)


def _epochs(texts: Sequence[str]) -> Any:
    """Return the epochs that are given, as `measure_checkpoints` takes them: a word, or a mapping from names."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    given: dict[str, int | None] = {}
    for text in texts:
        name, _, number = text.rpartition("=")  # a name may hold "=" too
        if not name or not (number.isdecimal() or number.lower() == "none"):
            raise InputError(f"--epochs {text}: expected NAME=EPOCH, NAME=none, epoch or step")
        given[name] = int(number) if number.isdecimal() else None
    return given or None


def _load(what: str, columns: Sequence[str] = (), label: str | None = None) -> "tuple[np.ndarray, np.ndarray | None]":
    """Return the inputs and labels of a file, a folder of images or one of its parts, or of a data set by name."""
    from infoplane import data, files
    from infoplane.data.own import load_samples

    folder, _, part = what.rpartition(":")
    with files.named(Path(what)):
        if Path(what).is_dir():
            folder, part = what, ""
        there, is_folder = Path(what).exists(), bool(folder) and Path(folder).is_dir()
    if is_folder and part in ("", "train", "test"):
        return _images(Path(folder), part)
    if is_folder and not there:
        raise InputError(f"data '{what}' names the part '{part}' of the folder {folder}; expected train or test")
    if what in data.DATASETS and not there:
        made = data.make(what)
        return made.inputs, made.labels
    if not Path(what).suffix:
        raise InputError(f"data '{what}' is no file with an ending, nor a data set{did_you_mean(what, data.DATASETS)}")
    samples = load_samples(what, columns, label)
    return samples.inputs, samples.labels


def _images(folder: Path, part: str) -> "tuple[np.ndarray, np.ndarray | None]":
    """Return the images in a folder, one a row, and their labels; of one part or, where it is empty, all.

    Raises:
        InputError: for a folder without images, or without that part.
    """
    from infoplane import data

    images = data.load(data.guess(folder), folder)
    if not part:
        return images.inputs, images.labels
    assert images.split is not None
    chosen = images.split == part
    if not chosen.any():
        raise InputError(f"--data {folder}:{part}: holds no {part} images; it has: {images.summary}")
    return images.inputs[chosen], images.labels[chosen]


def _find_factory(text: str) -> Callable[[], Any]:
    """Import MODULE:FACTORY, with the current folder among the places that modules come from."""
    module_name, _, attribute = text.partition(":")
    if not module_name or not attribute:
        raise InputError(f"--model {text}: expected MODULE:FACTORY, for example net:make for make() in net.py")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's own code raises
        missing = isinstance(error, ModuleNotFoundError) and error.name == module_name
        where = f"there is no {module_name}.py in {Path.cwd()}" if missing else _told(error)
        raise InputError(f"--model {text}: importing {module_name} failed: {where}") from error
    factory = getattr(module, attribute, None)
    if factory is None:
        known = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        hint = did_you_mean(attribute, known) if known else ""
        raise InputError(f"--model {text}: {module_name} has no '{attribute}'{hint}")
    return factory


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


# ---- the work and its progress


def _compute(work: "Callable[[Callable[[Measured], None]], xr.Dataset]", folder: Path, given: str) -> "xr.Dataset":
    """Do the work with its progress shown; say what is kept when it is stopped, in a line what failed."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with warnings.catch_warnings():
            _show_warnings()
            return work(_Progress().show)
    except KeyboardInterrupt as stop:
        number = stop.args[0] if stop.args else signal.SIGINT
        kept = f"what was measured is in {folder}; the same command with --out {shlex.quote(str(folder))} goes on"
        typer.echo(f"interrupted; {kept}", err=True)
        raise typer.Exit(128 + number) from None
    except InfoplaneError:
        raise
    except Exception as error:  # whatever the user's own model raises
        raise InputError(f"the model failed, {_told(error)}; {given}") from error
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_warnings() -> None:
    """Print the warnings about checkpoints as lines on stderr; others as Python does."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **options: Any) -> None:
        if issubclass(category, CheckpointWarning):
            typer.echo(f"infoplane: warning: {message}", err=True)
        else:
            usual(message, category, *where, **options)

    warnings.simplefilter("always", CheckpointWarning)
    warnings.showwarning = show


def _interrupt(number: int, _: Any) -> None:
    raise KeyboardInterrupt(number)


class _Progress:
    """Prints a line on stderr every 30 seconds; on a terminal the measurement draws its own progress."""

    PLAIN_SECONDS = 30.0

    def __init__(self) -> None:
        import time

        self._clock = time.monotonic
        self._started = self._said = self._clock()
        self._count = 0

    def show(self, event: "Measured") -> None:
        """State how many checkpoints have been measured."""
        now = self._clock()
        self._count += 1
        left = (now - self._started) / self._count * (event.total - event.done)
        if now - self._said >= self.PLAIN_SECONDS and not sys.stderr.isatty():
            self._said = now
            text = f"{event.done} of {event.total} checkpoints (epoch {event.epoch}), {left:.0f} s left"
            typer.echo(text, err=True)


# ---- the result


def _show_result(ds: "xr.Dataset", folder: Path) -> None:
    """Draw the figures; print a line for each layer and where the files are."""
    from infoplane import files
    from infoplane.experiments.base import draw_figures
    from infoplane.plots.content import describe_estimator
    from infoplane.runs.store import Store

    files.make_folder(folder / "figures", inside=folder)
    labelled = not ds["information"].sel(variable="label").isnull().all()
    names = ["plane", "information"] if labelled else ["information"]
    draw_figures(ds, names, folder / "figures", Store(folder).record_file)
    first, last = (int(ds["epoch"].values[place]) for place in (0, -1))
    for estimator in ds["estimator"].values:
        unit = "updates" if ds.attrs.get("epoch_unit") == "update" else "epochs"
        typer.echo(f"\n{describe_estimator(ds, str(estimator))}; {unit} {first} to {last}, in bits")
        for line in _table(ds["information"].sel(estimator=estimator).isel(member=0, epoch=[0, -1])):
            typer.echo(line)
    typer.echo(f"\nepochs: {ds.attrs['epochs_from']}")
    typer.echo(f"{folder}: results.nc, figures/")
    typer.echo(f"next: infoplane export {shlex.quote(str(folder))} --to csv")


def _table(information: "xr.DataArray") -> list[str]:
    """Return a line for each layer: I(X;T) first and last, I(T;Y) first and last, in bits."""
    rows = [["layer", "I(X;T) first", "I(X;T) last", "I(T;Y) first", "I(T;Y) last"]]
    for layer in information["layer"].values:
        numbers = information.sel(layer=layer).transpose("variable", "epoch").values.ravel()
        rows.append([str(layer), *(digits(bits) for bits in numbers)])
    width = max(len(row[0]) for row in rows)
    return [
        "  ".join([name.ljust(width), *(cell.rjust(len(rows[0][1])) for cell in cells)]) for name, *cells in rows
    ]  # fmt: skip
