"""The command line: reads what is asked for, shows progress and results, turns errors into exit codes.

Exit codes: 0 done, 2 bad input, 130 or 143 interrupted and resumable.
"""

import io
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from infoplane.errors import InfoplaneError

if TYPE_CHECKING:
    import xarray as xr

    from infoplane.runs.engine import OnEvent

BAD_INPUT = 2

app = typer.Typer(
    name="infoplane",
    help="Measure the information inside a neural network, layer by layer, while it trains, in bits.",
    epilog="Start with:  infoplane run szt --quick",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder.")]


def _print_version(asked: bool | None) -> None:
    if asked:
        import importlib.metadata

        typer.echo(f"infoplane {importlib.metadata.version('infoplane')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = None,
) -> None:
    pass


@app.command("list")
def list_() -> None:
    """Name the experiments, estimators and data sets, a line each."""
    from infoplane import data
    from infoplane.estimators import list_estimators
    from infoplane.experiments import EXPERIMENTS

    _section("experiments", [(e.name, e.title) for e in EXPERIMENTS.values()])
    _section("estimators", [(e.name, e.meaning) for e in list_estimators()])
    _section("data sets", [(name, data.describe(name)) for name in data.DATASETS])


@app.command()
def run(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE.toml", help="An experiment (see list) or a configuration.")],
    quick: Annotated[bool, typer.Option("--quick", help="The small version: under a minute.")] = False,
    as_: Annotated[
        str, typer.Option("--as", metavar="paper|code", help="Follow the paper's text or its public code.")
    ] = "code",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's folder; default: a new one under runs/.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a configuration key, e.g. train.learning_rate=0.001."),
    ] = None,
    members: Annotated[int | None, typer.Option(help="Number of networks, independently initialised.")] = None,
) -> None:
    """Train networks, measure every layer, draw the information plane.

    Example: infoplane run szt --quick --set model.activation=relu --set data.shuffle_labels=true
    """
    from infoplane.experiments import EXPERIMENTS, configure, new_folder
    from infoplane.experiments import run as run_experiment
    from infoplane.runs.config import parse_assignment

    if as_ not in ("paper", "code"):
        _fail(f"--as {as_}: expected 'paper' or 'code'")
    changes: dict[str, Any] = dict(parse_assignment(text) for text in set_ or [])
    if members is not None:
        changes["members"] = members
    config = configure(what, quick=quick, as_paper=as_ == "paper", changes=changes)
    folder = out if out is not None else new_folder(config.name)
    if as_ == "paper" and what in EXPERIMENTS:
        typer.echo(f"note: {EXPERIMENTS[what].paper_note}", err=True)
    _show_result(_compute(config.name, lambda show: run_experiment(config, folder, on_event=show)), folder)


@app.command()
def resume(folder: Folder) -> None:
    """Go on with a stopped run, to the bit as if it had not been."""
    from infoplane.experiments import resume as resume_experiment

    _show_result(_compute(str(folder), lambda show: resume_experiment(folder, on_event=show)), folder)


@app.command()
def status(folder: Folder) -> None:
    """Say what a run's folder holds: what is done, what is left."""
    from infoplane.runs.status import status_lines

    for line in status_lines(folder):
        typer.echo(line)


@app.command()
def plot(folder: Folder) -> None:
    """Draw the figures of a run again, as PNG and PDF."""
    from infoplane import experiments
    from infoplane.results import load

    for path in experiments.draw(load(folder), folder):
        typer.echo(path)


@app.command()
def export(
    folder: Folder,
    to: Annotated[str, typer.Option("--to", metavar="csv", help="Format of the table.")] = "csv",
) -> None:
    """Write a run's information as a tidy table into its folder."""
    from infoplane import files
    from infoplane.results import load, to_table

    if to != "csv":
        _fail(f"--to {to}: expected 'csv'")
    path = folder / "information.csv"
    table = to_table(load(folder))
    files.write(path, lambda partial: table.to_csv(partial, index=False))
    typer.echo(f"{path}: {len(table)} rows")


@app.command()
def explain(flag: Annotated[str, typer.Argument(help="Name of a flag, e.g. saturated.")]) -> None:
    """Say in plain words what a flag means and what to do about it."""
    from infoplane.estimators.flags import explain as explain_flag

    typer.echo(explain_flag(flag))


def main() -> None:
    """Run the command line; every error that infoplane raises on purpose becomes one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "±" must not cost a result
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="infoplane", standalone_mode=False))
    except InfoplaneError as error:
        _fail(str(error))
    except _UsageError as error:
        _fail(f"{error.format_message()} (see 'infoplane --help')")


_UsageError: Any = typer.BadParameter.__base__  # of every wrong use of the command line


def _fail(text: str) -> NoReturn:
    typer.echo(f"infoplane: {text}", err=True)
    sys.exit(BAD_INPUT)


def _compute(name: str, work: "Callable[[OnEvent], xr.Dataset]") -> "xr.Dataset":
    """Do the work with its progress shown; when it is stopped, say what is left of it and end."""
    try:
        with _Progress(name) as progress:
            return work(progress.show)
    except KeyboardInterrupt as stop:  # caught here, because typer would drop its text and its signal
        typer.echo(str(stop) or "interrupted", err=True)
        raise typer.Exit(128 + getattr(stop, "signal_number", signal.SIGINT)) from None


def _section(title: str, lines: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in lines)
    typer.echo(f"{title}:")
    for name, text in lines:
        typer.echo(f"  {name:<{width}}  {text}")


def _show_result(ds: "xr.Dataset", folder: Path) -> None:
    """Print the summary table, a sentence a layer, and where the files are."""
    from infoplane.experiments import summary
    from infoplane.plots.content import describe_estimator

    for estimator in ds["estimator"].values:
        layers = summary.summarise(ds, str(estimator))
        quantity = str(ds["quantity"].sel(estimator=estimator).item())
        other = "" if quantity == "Shannon" else f" of {quantity} information, which is not Shannon's"
        typer.echo(
            f"\n{describe_estimator(ds, str(estimator))}; mean over {ds.sizes['member']} members, in bits{other}"
        )
        _table([summary.columns(), *(summary.row(layer) for layer in layers)])
        for layer in layers:
            typer.echo(f"{layer.layer}: {layer.sentence}")
    for line in summary.remarks(ds):
        typer.echo(line)
    typer.echo(f"\n{folder}: results.nc, figures/ (plane.png, …)")
    typer.echo(f"next: infoplane export {shlex.quote(str(folder))} --to csv")


def _table(rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        first, *numbers = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join([first.strip().ljust(widths[0]), *numbers]))


class _Progress:
    """Draws progress on stderr: a bar on a terminal, elsewhere a plain line every 30 seconds."""

    PLAIN_SECONDS = 30.0

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> "_Progress":
        import time

        self._clock = time.monotonic
        self._started = self._said = self._clock()
        self._bar: Any = _bar(self._name) if sys.stderr.isatty() else None
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, event: Any) -> None:
        """Draw one event of the engine."""
        now = self._clock()
        rate = (event.done - event.resumed) / max(now - self._started, 1e-9)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], total=event.total, completed=event.done, rate=f"{rate:,.0f}")
        elif now - self._said >= self.PLAIN_SECONDS:
            self._said = now
            left = (event.total - event.done) / max(rate, 1e-9)
            typer.echo(
                f"{self._name}: {event.done / event.total:.0%}, {rate:,.0f} net-epochs/s, {left:.0f} s left",
                err=True,
            )


def _bar(name: str) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]} net-epochs/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    bar.add_task(name, total=None, rate="–")
    return bar
