"""Progress of long work, drawn on stderr."""

import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import xarray as xr

    from infoplane.runs.engine import OnEvent


PARTIAL = 1
"""Exit code of a run that ended with failed parts."""


def compute(name: str, work: "Callable[[OnEvent], xr.Dataset]") -> "xr.Dataset":
    """Do the work with its progress shown; when it is stopped, say what is left of it and end."""
    from infoplane.runs.engine import IncompleteError

    try:
        with Progress(name) as progress:
            return work(progress.show)
    except IncompleteError as error:
        typer.echo(f"infoplane: {error}", err=True)
        raise typer.Exit(PARTIAL) from None
    except KeyboardInterrupt as stop:  # caught here, because typer would drop its text and its signal
        typer.echo(str(stop) or "interrupted", err=True)
        code = 128 + getattr(stop, "signal_number", signal.SIGINT)
        if getattr(stop, "unfinished", False):  # threads still compute, and Python would wait for them
            sys.stdout.flush()
            os._exit(code)
        raise typer.Exit(code) from None


class Progress:
    """Draws progress on stderr: a bar on a terminal, elsewhere a plain line every 30 seconds.

    While nothing is finished, as when a wide layer is measured, the bar counts the time and the lines say so.
    """

    PLAIN_SECONDS = 30.0
    QUIET_SECONDS = 60.0
    """How often a line is due, and how long nothing may be said at all."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> "Progress":
        import threading
        import time

        self._clock = time.monotonic
        self._said = self._moved = self._clock()
        self._share = 0.0
        self._ended = threading.Event()
        self._begun: tuple[float, int] | None = None
        self._done = 0
        self._bar: Any = _bar(self._name) if sys.stderr.isatty() else None
        if self._bar:
            self._bar.start()
        else:
            threading.Thread(target=self._watch, name="progress", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._bar:
            self._bar.stop()

    def _watch(self) -> None:
        """Say that the work goes on where nothing has been finished for long."""
        while not self._ended.wait(self.QUIET_SECONDS / 4):
            now = self._clock()
            if now - self._said >= self.QUIET_SECONDS:
                self._said = now
                at_it = f"{self._share:.0%}, nothing finished for {now - self._moved:.0f} s, still at it"
                typer.echo(f"{self._name}: {at_it}", err=True)

    def show(self, event: Any) -> None:
        """Draw one event of the engine."""
        if (text := getattr(event, "text", None)) is not None:
            self._note(text)
            return
        self.advance(event.done, event.total, event.unit)

    def advance(self, done: int, total: int, unit: str) -> None:
        """Draw how much is done of what there is to do."""
        now = self._clock()
        if done < self._done:  # the next one of several files
            self._begun = None
        if done > self._done:
            self._moved = now
        self._done, self._share = done, done / total if total else 0.0
        begin, before = self._begun = self._begun or (now, done)  # not the time to compile
        rate = (done - before) / max(now - begin, 1e-9)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], total=total, completed=done, rate=_pace(rate, unit))
        elif rate > 0 and now - self._said >= self.PLAIN_SECONDS:
            self._said = now
            left = (total - done) / rate
            typer.echo(
                f"{self._name}: {done / total:.0%}, {_pace(rate, unit)}, {left:.0f} s left",
                err=True,
            )

    def _note(self, text: str) -> None:
        """Say something in words, above the bar where there is one."""
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            typer.echo(text, err=True)


def _pace(rate: float, unit: str) -> str:
    """Return a rate in words; a slow one with its first two digits."""
    return f"{rate:,.0f} {unit}/s" if rate >= 10 else f"{rate:.2g} {unit}/s"


def _bar(name: str) -> Any:
    from rich import progress
    from rich.console import Console

    bar = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeElapsedColumn(),
        progress.TextColumn("·"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    bar.add_task(name, total=None, rate="–")
    return bar
