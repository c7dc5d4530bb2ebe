"""The plan of a measurement and its remaining time, on a terminal."""

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

PATIENCE = 2.0
"""Seconds from which a measurement states its plan and its progress."""

SECONDS_PER_NUMBER = 2e-8
"""Time of an estimator for one activation, until the first layer has been measured: that of ``binning``."""

MODEL, LAYERS = "model", "layers"
"""The two stages of a measurement: the model is run, then each layer is measured."""


class Progress:
    """The progress of measurements on stderr, with the remaining time; silent unless stderr is a terminal.

    Args:
        wanted: whether to show anything at all.

    Attributes:
        shown: whether anything is shown.
        title: what is measured, for example "epoch 3".
        part: which of several measurements is running, and how many there are.
    """

    def __init__(self, wanted: bool = True) -> None:
        self.shown = wanted and sys.stderr is not None and sys.stderr.isatty()
        self.title, self.part = "", (0, 1)
        self._rates: dict[str, float] = {LAYERS: SECONDS_PER_NUMBER}
        self._is_planned = False
        self._bar: Any = None
        self._reset()

    def _reset(self) -> None:
        self._begin = self._last = time.monotonic()
        self._done: dict[str, int] = {MODEL: 0, LAYERS: 0}
        self._totals: dict[str, int] = {MODEL: 0, LAYERS: 0}
        self._spent: dict[str, float] = {MODEL: 0.0, LAYERS: 0.0}

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Show the progress of one measurement, of as many stages as `expect` states."""
        self._reset()
        try:
            yield
        finally:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def expect(self, amounts: Mapping[str, int]) -> None:
        """Add what there is to do: rows for the model, activations for the estimators."""
        self._last = time.monotonic()
        for stage, amount in amounts.items():
            self._totals[stage] += amount

    def assume(self, stage: str, seconds: float) -> None:
        """State the expected time of one unit of a stage that has not begun."""
        if not self._done[stage]:
            self._rates[stage] = seconds

    def advance(self, stage: str, amount: int, words: str) -> None:
        """State that so much of a stage has been done since the last call, and what is done next."""
        now = time.monotonic()
        self._spent[stage] += now - self._last
        self._done[stage] += amount
        self._last = now
        if self._spent[stage] > 0:
            self._rates[stage] = self._spent[stage] / self._done[stage]
        self.draw(words)

    @property
    def remaining(self) -> float:
        """Seconds until the end of this measurement, as far as they can be told."""
        return sum(self._rates.get(stage, 0.0) * (total - self._done[stage]) for stage, total in self._totals.items())

    def plan(self, text: str) -> None:
        """Print the plan of the first measurement that takes long."""
        if self.shown and not self._is_planned and self.remaining >= PATIENCE:
            self._is_planned = True
            print(f"infoplane: {text}", file=sys.stderr, flush=True)

    def draw(self, words: str) -> None:
        """Draw the bar, if the measurement takes long."""
        if not self.shown:
            return
        now, left = time.monotonic(), self.remaining
        elapsed = now - self._begin
        if self._bar is None and elapsed + left < PATIENCE and self.part[1] * (elapsed + left) < PATIENCE:
            return
        if self._bar is None:
            self._bar = _bar()
            self._bar.start()
        within = elapsed / max(elapsed + left, 1e-9)
        done, total = self.part
        left += (total - done - 1) * (elapsed + left)
        text = f"{self.title}: {words}" if self.title else words
        share = (done + within) / total
        self._bar.update(self._bar.task_ids[0], completed=share, description=text, left=f"{duration(left)} left")


def duration(seconds: float) -> str:
    """Return a time in words: "12 s", "4 min", "2.5 h"."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def shorter_layers(names: Sequence[str]) -> str:
    """Return a pattern that chooses some of the layers: the one that most names share, or the first and the last."""
    patterns = Counter(re.sub(r"\d", "?", name) for name in names if re.search(r"\d", name))
    pattern, count = next(iter(patterns.most_common(1)), ("", 0))
    if 1 < count < len(names):
        return repr(pattern)
    return f"[{names[0]!r}, {names[-1]!r}]"


def fewer_rows(n_samples: int) -> int:
    """Return about a quarter of the rows, as a round number."""
    quarter = max(n_samples // 4, 2)
    unit = 10 ** (len(str(quarter)) - 1)
    return quarter // unit * unit


def _bar() -> Any:
    from rich import progress
    from rich.console import Console

    bar = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("· {task.fields[left]}"),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("", total=1.0, left="")
    return bar
