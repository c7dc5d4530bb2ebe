"""The command that compares two runs."""

from pathlib import Path
from typing import Annotated

import typer

from infoplane.cli.app import app


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run's folder or its results.nc.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other one.")],
) -> None:
    """Say what differs between two runs.

    That is every key of the configuration, and every variable of the results, with the largest difference and
    where it is.
    """
    from infoplane.runs.diff import diff as compare

    for line in compare(a, b).lines:
        typer.echo(line)
