"""Commands that train and measure: run, resume, status."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infoplane.cli.app import Folder, app, fail
from infoplane.cli.progress import compute

if TYPE_CHECKING:
    import xarray as xr


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
        fail(f"--as {as_}: expected 'paper' or 'code'")
    changes: dict[str, Any] = dict(parse_assignment(text) for text in set_ or [])
    if members is not None:
        changes["members"] = members
    config = configure(what, quick=quick, as_paper=as_ == "paper", changes=changes)
    folder = out if out is not None else new_folder(config.name)
    if as_ == "paper" and what in EXPERIMENTS:
        typer.echo(f"note: {EXPERIMENTS[what].paper_note}", err=True)
    _show_result(compute(config.name, lambda show: run_experiment(config, folder, on_event=show)), folder)


@app.command()
def resume(folder: Folder) -> None:
    """Go on with a stopped run, to the bit as if it had not been."""
    from infoplane.experiments import resume as resume_experiment

    _show_result(compute(str(folder), lambda show: resume_experiment(folder, on_event=show)), folder)


@app.command()
def status(folder: Folder) -> None:
    """Say what a run's folder holds: what is done, what is left."""
    from infoplane.runs.status import status_lines

    for line in status_lines(folder):
        typer.echo(line)


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
