"""The command that holds results against the claims of papers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoplane.cli.app import app, fail

if TYPE_CHECKING:
    from infoplane.experiments.claims.table import Answered

COLOURS = {"confirmed": "green", "denied": "red", "not decided": "yellow"}
NARROWEST = 150
"""Columns of the table where the output is no terminal."""


@app.command()
def claims(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders of runs, or their results.nc.")],
    json_: Annotated[bool, typer.Option("--json", help="Print every verdict as JSON.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print every verdict as comma-separated text.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of reproductions.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="List also the claims that do not concern the run.")] = False,
) -> None:
    """Say which claims of the papers a run confirms or denies.

    Each claim has a rule that was written before any result: the 95 % interval over networks lies on one side of a
    bound, or on the other, or around it. Example: infoplane claims runs/szt --markdown > docs/reproductions.md
    """
    from infoplane.experiments.claims import table

    if json_ + csv + markdown > 1:
        fail("--json, --csv, --markdown: give one of them")
    answered = [_answer(folder) for folder in folders]
    if json_:
        typer.echo(table.to_json(answered))
    elif csv:
        typer.echo(table.to_csv(answered), nl=False)
    elif markdown:
        typer.echo(table.to_markdown(answered), nl=False)
    else:
        for one in answered:
            _show(one, every=all_)


def _answer(folder: Path) -> "Answered":
    """Hold the claims against the result in a folder."""
    from infoplane.experiments.claims import again, table
    from infoplane.experiments.claims import claims as judge
    from infoplane.record import load

    ds = load(folder)
    place = folder if folder.is_dir() else folder.parent
    return table.Answered(place.resolve().name, again.command(ds), judge(ds), table.pictures(place), table.purpose(ds))


def _show(one: "Answered", *, every: bool) -> None:
    """Print the table of one result and what it lacks for its own claims, or for all."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from infoplane.experiments.claims import table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=NARROWEST)
    shown = Table(title=f"{one.name}: {one.command}", title_justify="left", box=None, pad_edge=False)
    for heading in table.COLUMNS:
        shown.add_column(heading, overflow="fold")
    rows, lacking = (one.asked, one.lacking) if every else (one.chosen, one.needing)
    for verdict in rows:
        *cells, said, reason = map(Text, table.row(verdict))
        said.stylize(COLOURS[verdict.verdict])
        shown.add_row(*cells, said, reason)
    if rows:
        console.print(shown)
    counts = [f"{sum(v.verdict == said for v in rows)} {said}" for said in COLOURS]
    console.print(Text(f"{one.name}: {', '.join(counts)}"))
    if lacking:
        console.print(Text(f"not decided, since this result lacks what they need ({len(lacking)}):"))
    for verdict in lacking:
        console.print(Text(f"  {verdict.claim.id}: {verdict.reason}"))
    if not every and one.n_others:
        console.print(Text(f"{one.n_others} other claims do not concern this run; --all lists them"))
