"""Commands that show what there is: list, plot, export, explain."""

from typing import Annotated

import typer

from infoplane.cli.app import Folder, app, fail


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
def plot(
    folder: Folder,
    figure: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Draw this one, e.g. violations; may be repeated.")
    ] = None,
) -> None:
    """Draw the figures of a run again, as PNG and PDF.

    --figure draws others than those that belong to the run: plane, planes, variants, snapshots, information,
    training, comparison, compression, violations, gradients, histograms, bins, bound, rows, ranks, and those of exact
    experiments and of random weights.
    """
    from infoplane import experiments
    from infoplane.record import load

    for path in experiments.draw(load(folder), folder, figure):
        typer.echo(path)


@app.command()
def export(
    folder: Folder,
    to: Annotated[str, typer.Option("--to", metavar="csv", help="Format of the table.")] = "csv",
) -> None:
    """Write a run's information as a tidy table into its folder."""
    from infoplane import files
    from infoplane.record import load
    from infoplane.results import to_table

    if to != "csv":
        fail(f"--to {to}: expected 'csv'")
    path = folder / "information.csv"
    table = to_table(load(folder))
    files.write_bytes(path, table.to_csv(index=False).encode())
    typer.echo(f"{path}: {len(table)} rows")


@app.command()
def explain(flag: Annotated[str, typer.Argument(help="Name of a flag, e.g. saturated.")]) -> None:
    """Say in plain words what a flag means and what to do about it."""
    from infoplane.estimators.flags import explain as explain_flag

    typer.echo(explain_flag(flag))


def _section(title: str, lines: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in lines)
    typer.echo(f"{title}:")
    for name, text in lines:
        typer.echo(f"  {name:<{width}}  {text}")
