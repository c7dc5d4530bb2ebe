"""The program's frame: its commands, its options, and how errors end it."""

import io
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from infoplane.errors import InfoplaneError

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


def main() -> None:
    """Run the command line; every error that infoplane raises on purpose becomes one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "±" must not cost a result
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="infoplane", standalone_mode=False))
    except InfoplaneError as error:
        fail(str(error))
    except _UsageError as error:
        fail(f"{error.format_message()} (see 'infoplane --help')")


_UsageError: Any = typer.BadParameter.__base__  # of every wrong use of the command line


def fail(text: str) -> NoReturn:
    """Say on stderr what is wrong and end with exit code 2."""
    typer.echo(f"infoplane: {text}", err=True)
    sys.exit(BAD_INPUT)
