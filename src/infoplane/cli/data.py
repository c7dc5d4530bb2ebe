"""Commands for the files of data sets: data list, data fetch."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoplane.cli.app import app
from infoplane.cli.progress import Progress

if TYPE_CHECKING:
    from infoplane.data.fetch import Fetched

data = typer.Typer(help="Say which data sets there are; fetch the files of one.", rich_markup_mode=None)
app.add_typer(data, name="data")


@data.command("list")
def list_(
    path: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also read the images in DIR and in the folders in it.")
    ] = None,
) -> None:
    """Name the data sets, a line each: what needs no files first, then what is read from files.

    Example: infoplane data list --path data
    """
    from infoplane.data import DATASETS, describe, reads_files
    from infoplane.data.survey import folders, look

    width = max(map(len, DATASETS))
    for title, files in (("there without files", False), ("read from files", True)):
        typer.echo(f"{title}:")
        for name in DATASETS:
            if reads_files(name) == files:
                typer.echo(f"  {name:<{width}}  {describe(name)}")
    if path is None:
        return
    typer.echo(f"in {path}:")
    found = folders(path)
    for folder, name in found:
        typer.echo(f"  {name:<{width}}  {folder}: {look(folder, name)}")
    if not found:
        typer.echo("  no files of images, neither there nor in the folders there")


@data.command("fetch")
def fetch_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="mnist, notmnist or another one of 'data list'.")],
    from_: Annotated[
        str, typer.Option("--from", metavar="URL", help="Address of the folder of the files, or of one of them.")
    ],
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Where they go; default: data/NAME.")] = None,
    accept_unverified: Annotated[
        bool, typer.Option("--accept-unverified", help="Also store files whose right content is not known.")
    ] = False,
) -> None:
    """Fetch the files of a data set from an address that you trust.

    A file is stored when the SHA-256 of its content is the right one. That is known of all files of mnist and of the
    test files of notmnist; others need --accept-unverified. Nothing is ever fetched by another command.

    Example: infoplane data fetch mnist --from https://ADDRESS/OF/THE/FOLDER --to data/mnist
    """
    from infoplane.data.fetch import fetch

    folder = Path("data") / name if to is None else to
    try:
        with Progress(name) as progress:
            done = fetch(name, from_, folder, accept_unverified=accept_unverified, on_event=progress.show)
    except KeyboardInterrupt:
        typer.echo("interrupted; of the file that was on its way nothing is kept", err=True)
        raise typer.Exit(130) from None
    for one in done.files:
        typer.echo(_line(one))
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"next: infoplane data list --path {shlex.quote(str(folder))}")


def _line(one: "Fetched") -> str:
    how = "was there" if one.address is None else f"from {one.address}"
    known = "verified" if one.verified else f"NOT verified, SHA-256 of the content {one.sha256}"
    return f"{one.path}: {how}; {known}"
