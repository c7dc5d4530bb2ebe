"""The command that writes a report."""

from pathlib import Path
from typing import Annotated

import typer

from infoplane.cli.app import app


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders of runs, or their results.nc.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where the page goes; default: report.html in DIR.")
    ] = None,
) -> None:
    """Write one offline HTML page that shows and explains runs.

    Summary, what to distrust, the plane with a slider over epochs, curves, claims, configuration. It needs nothing but
    a browser, and asks nothing of any network. Several runs stand side by side in one page, which goes into the first
    folder. Example: infoplane report runs/tanh runs/relu --to tanh-relu.html
    """
    from infoplane.reports import report_folders

    path = report_folders(folders, to)
    typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB; open it in a browser")
