"""The program's frame: its commands, its options, and how errors end it."""

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
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
        with _interrupted_by_sigterm() as signals:
            code = app(sys.argv[1:] or ["--help"], prog_name="infoplane", standalone_mode=False)
        if signals and code == 128 + signal.SIGINT:  # typer turns every interruption into that of Ctrl-C
            typer.echo("infoplane: interrupted", err=True)
            code = 128 + signals[0]
        sys.exit(code)
    except DiskFullError as error:
        fail(str(error), code=DISK_FULL)
    except InfoplaneError as error:
        fail(str(error))
    except _UsageError as error:
        fail(f"{error.format_message()} (see 'infoplane --help')")
    except (KeyboardInterrupt, typer.Abort) as stop:
        typer.echo("infoplane: interrupted", err=True)
        sys.exit(128 + stopping_signal(stop))
    except BrokenPipeError:
        _close_stdout()
        sys.exit(BAD_INPUT)
    except OSError as error:
        where = f"{str(error.filename)[:200]}: " if error.filename is not None else ""
        fail(f"{where}{error.strerror or error}")
    except (ValueError, RecursionError, OverflowError) as error:
        fail(f"the input cannot be used ({type(error).__name__}: {' '.join(str(error).split())[:300]})")


_UsageError: Any = typer.BadParameter.__base__  # of every wrong use of the command line


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[list[int]]:
    """Turn SIGTERM into KeyboardInterrupt, so that commands end in order, with exit code 143.

    Commands that save what they have handle signals themselves. The list holds the signals that came.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def interrupt(number: int, _: Any) -> None:
        came.append(number)
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)
        # Python ends by SIGINT, whatever the exit code, if an interruption left a text run by exec or eval (as
        # dataclasses and named tuples do). Running another text makes it forget.
        eval("None")


def stopping_signal(stop: BaseException) -> int:
    """Return the number of the signal that interrupted a command: SIGTERM, or SIGINT of Ctrl-C."""
    cause = stop if isinstance(stop, KeyboardInterrupt) else stop.__cause__ or stop.__context__
    args = getattr(cause, "args", ())
    return int(args[0]) if args and isinstance(args[0], int) else int(signal.SIGINT)


def _close_stdout() -> None:
    """Point standard output at nothing after its reader has gone, so that Python's end does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(text: str, *, code: int = BAD_INPUT) -> NoReturn:
    """Print on stderr what is wrong and end with an exit code."""
    typer.echo(f"infoplane: {text}", err=True)
    sys.exit(code)
