"""The command that makes the film of a run: animate."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoplane.cli.app import Folder, app
from infoplane.cli.progress import Progress
from infoplane.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr


@app.command()
def animate(
    folder: Folder,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="What to write: FILE.gif, FILE.mp4 or FILE.html.")],
    estimator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose information; default: the first.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a sweep or of variants which one, as in relu or seed=1.")
    ] = None,
    members: Annotated[
        str, typer.Option(metavar="all|mean", help="A dot for each network, or the mean alone.")
    ] = "all",
    frames: Annotated[int, typer.Option(metavar="N", help="At most so many frames.")] = 300,
    fps: Annotated[int, typer.Option(metavar="N", help="Frames a second, 1 to 50.")] = 25,
    width: Annotated[int, typer.Option(metavar="PIXELS", help="Width of the film.")] = 640,
) -> None:
    """Make the film of the information plane.

    A frame is a measured epoch. Of more than --frames those are taken that lie evenly on a clock which runs half with
    the logarithm of the epoch and half with the epoch itself. A .html is one file with a slider that needs no network;
    a .mp4 needs the program ffmpeg.

    Example: infoplane animate runs/szt --to plane.gif --frames 110 --fps 15 --width 480
    """
    from infoplane import plots
    from infoplane.record import load

    ds = _chosen(load(folder), variant)
    try:
        with Progress(str(to)) as progress:
            plots.animate(
                ds,
                to,
                estimator=estimator,
                members=members,
                frames=frames,
                fps=fps,
                width=width,
                on_frame=lambda done, total: progress.advance(done, total, "frames"),
            )
    except KeyboardInterrupt:
        typer.echo(f"interrupted; {to} was not written", err=True)
        raise typer.Exit(128 + signal.SIGINT) from None
    typer.echo(f"{to}: {to.stat().st_size / 1e6:.2f} MB")


def _chosen(ds: "xr.Dataset", variant: str | None) -> "xr.Dataset":
    """Return one combination of a sweep by its name; of a single run the run.

    Raises:
        InputError: for a sweep without a name, and for a name that it does not have.
    """
    from infoplane.runs.combine import is_sweep, split

    if not is_sweep(ds):
        if variant is not None:
            raise InputError(f"--variant {variant}: this result is a single run, without variants; leave it out")
        return ds
    parts = {", ".join(map(str, labels.values())): (labels, part) for labels, part in split(ds)}
    keyed = {", ".join(f"{key}={value}" for key, value in labels.items()): part for labels, part in parts.values()}
    if variant is None:
        raise InputError(
            f"a film shows one of the {len(parts)} variants of this result; choose with --variant {_listed(parts)}"
        )
    if variant in parts:
        return parts[variant][1]
    if variant not in keyed:
        raise InputError(f"--variant is '{variant}'{did_you_mean(variant, [*parts])}")
    return keyed[variant]


def _listed(names: "dict[str, tuple[dict, xr.Dataset]]") -> str:
    return " or ".join(f"'{name}'" for name in names)
