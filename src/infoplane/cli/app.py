"""The program's frame: its commands, its options, and how errors end it."""

import io
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from infoplane.errors import DiskFullError, InfoplaneError

BAD_INPUT, DISK_FULL = 2, 1
"""Exit codes of a refused input, and of work that ends early since the disk is full."""

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


def main() -> None:
    """Run the command line; every error that infoplane raises on purpose becomes one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "±" must not cost a result
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="infoplane", standalone_mode=False))
    except DiskFullError as error:
        fail(str(error), code=DISK_FULL)
    except InfoplaneError as error:
        fail(str(error))
    except _UsageError as error:
        fail(f"{error.format_message()} (see 'infoplane --help')")


_UsageError: Any = typer.BadParameter.__base__  # of every wrong use of the command line


def fail(text: str, *, code: int = BAD_INPUT) -> NoReturn:
    """Print on stderr what is wrong and end with an exit code."""
    typer.echo(f"infoplane: {text}", err=True)
    sys.exit(code)
