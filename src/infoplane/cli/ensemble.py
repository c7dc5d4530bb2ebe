"""The command that joins several trainings of one model as members of one result."""

from pathlib import Path
from typing import Annotated

import typer

from infoplane.cli.app import app


@app.command()
def ensemble(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR DIR…", help="Folders of recordings or runs.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The result's folder; default: a new one under runs/.")
    ] = None,
    epochs: Annotated[
        str, typer.Option(metavar="same|common|union", help="Require the same epochs, or keep the common or all ones.")
    ] = "same",
) -> None:
    """Join several trainings of your own model in one result.

    The result has intervals over members: plot, claims, report and export take its folder.
    Example: infoplane ensemble runs/seed1 runs/seed2 runs/seed3 --out runs/seeds
    """
    from infoplane import files, results
    from infoplane.errors import StoreError
    from infoplane.experiments import new_folder
    from infoplane.record.ensemble import ensemble as join

    ds = join(folders, epochs=epochs)
    folder = out if out is not None else new_folder("ensemble")
    with files.named(folder):
        if folder.exists() and any(folder.iterdir()):
            raise StoreError(f"{folder}: is not empty; give --out a folder that does not exist yet")
    files.make_folder(folder)
    results.save(ds, folder / "results.nc")
    typer.echo(f"{folder}: {ds.sizes['member']} members: {', '.join(ds['member_name'].values)}")
    typer.echo(f"next: infoplane plot {folder}")
