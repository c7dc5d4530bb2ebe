"""Schedules that know beforehand which epochs they measure, whatever is measured there."""

import abc
import dataclasses
import itertools
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from infoplane.errors import InputError

Epochs = Int[np.ndarray, " epoch"]

FIRST_EPOCHS = 20
"""Epochs 0 to this one belong to every logarithmic schedule."""

USUAL_LAST = 8000
"""Epochs that a logarithmic grid is laid out for where a training's length is not known."""

SAXE_PIECES = ((20, 1), (100, 5), (2000, 20), (None, 100))
"""Up to 20 every epoch, up to 100 every 5th, up to 2000 every 20th, then every 100th (Saxe et al. 2018)."""


class Schedule(abc.ABC):
    """Answers which epochs of 0…E are measured."""

    kind: ClassVar[str]

    @abc.abstractmethod
    def epochs(self, last: int) -> Epochs:
        """Return the measured epochs of a training of ``last`` epochs, ascending, 0 and ``last`` included."""

    @abc.abstractmethod
    def grid(self, stop: int) -> Epochs:
        """Return the schedule's own epochs up to ``stop``, in a training whose length is not known."""

    def due(self, previous: int | None, epoch: int) -> bool:
        """Say whether to measure now, in a training whose length is not known.

        That is so at the first epoch told, and whenever the schedule has an epoch after ``previous``, the last
        one told, up to this one.
        """
        return previous is None or bool((self.grid(epoch) > previous).any())


@dataclasses.dataclass(frozen=True)
class Every(Schedule):
    """Every ``n``-th epoch, the first and the last.

    Raises:
        InputError: when ``n`` is below 1.
    """

    n: int = 1
    kind: ClassVar[str] = "every"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"schedule n is {self.n}; expected at least 1")

    def epochs(self, last: int) -> Epochs:
        """Return 0, n, 2n, … and ``last``."""
        return _distinct(self.grid(last), last)

    def grid(self, stop: int) -> Epochs:
        """Return 0, n, 2n, … up to ``stop``."""
        return np.arange(0, stop + 1, self.n)


@dataclasses.dataclass(frozen=True)
class Log(Schedule):
    """Distinct integers of a logarithmic grid from 1 to E, with epochs 0–20 and E always.

    The grid is that of IDNNs, the code of Shwartz-Ziv & Tishby (2017): ``points`` numbers evenly spaced in
    the logarithm, cut to integers; 400 points give 274 distinct ones for E = 8000.

    Raises:
        InputError: when ``points`` is below 2.
    """

    points: int = 400
    kind: ClassVar[str] = "log"

    def __post_init__(self) -> None:
        if self.points < 2:
            raise InputError(f"schedule points is {self.points}; expected at least 2")

    def epochs(self, last: int) -> Epochs:
        """Return the grid's integers, 0–20 and ``last``."""
        return _distinct(np.concatenate([np.arange(FIRST_EPOCHS + 1), log_grid(last, self.points)]), last)

    def grid(self, stop: int) -> Epochs:
        """Return 0–20 and the integers of the grid that has ``points`` numbers from 1 to 8000, and goes on."""
        octaves = np.log2(USUAL_LAST) / (self.points - 1)
        count = int(np.log2(max(stop, 1) + 1) / octaves) + 1
        numbers = 2 ** (octaves * np.arange(count)) * (1 + 1e-12)
        candidates = np.concatenate([np.arange(FIRST_EPOCHS + 1), numbers.astype(np.int64)])
        return np.unique(candidates[candidates <= stop])


@dataclasses.dataclass(frozen=True)
class Piecewise(Schedule):
    """Several strides one after the other: pairs (up to this epoch, every n-th), the last one open.

    The default is the schedule of Saxe et al. (2018).

    Raises:
        InputError: when strides are below 1 or the ends do not increase.
    """

    pieces: tuple[tuple[int | None, int], ...] = SAXE_PIECES
    kind: ClassVar[str] = "piecewise"

    def __post_init__(self) -> None:
        ends = [np.inf if end is None else end for end, _ in self.pieces]
        increasing = all(a < b for a, b in itertools.pairwise([0, *ends]))
        if not ends or not increasing or any(n < 1 for _, n in self.pieces):
            raise InputError(
                f"schedule pieces are {self.pieces}; expected (end, stride) pairs with increasing ends and strides >= 1"
            )

    def epochs(self, last: int) -> Epochs:
        """Return the epochs of each piece, and ``last``."""
        return _distinct(self.grid(last), last)

    def grid(self, stop: int) -> Epochs:
        """Return the epochs of each piece up to ``stop``."""
        start, parts = 0, [np.zeros(1, np.int64)]
        for end, stride in self.pieces:
            piece_stop = stop + 1 if end is None else min(end, stop + 1)
            parts.append(np.arange(start, piece_stop, stride))
            start = piece_stop
        return np.unique(np.concatenate(parts))


@dataclasses.dataclass(frozen=True)
class Listed(Schedule):
    """The epochs of a list; those beyond the last epoch of a training are left out.

    Raises:
        InputError: when an epoch is negative or the list is empty.
    """

    listed: tuple[int, ...]
    kind: ClassVar[str] = "list"

    def __post_init__(self) -> None:
        if not self.listed or min(self.listed) < 0:
            raise InputError(f"schedule epochs are {self.listed}; expected at least one, none negative")

    def epochs(self, last: int) -> Epochs:
        """Return the listed epochs up to ``last``, with 0 and ``last``."""
        return _distinct(self.grid(last), last)

    def grid(self, stop: int) -> Epochs:
        """Return the listed epochs up to ``stop``."""
        return np.unique(np.asarray([epoch for epoch in self.listed if epoch <= stop], np.int64))


def log_grid(last: int, points: int) -> Epochs:
    """Return the distinct integers among ``points`` logarithmically even numbers from 1 to ``last``."""
    if last < 1:
        return np.zeros(0, np.int64)
    # what is a whole number in exact arithmetic, as `last` is, may come out a hair below
    grid = np.logspace(0, np.log2(last), points, base=2) * (1 + 1e-12)
    return np.unique(grid.astype(np.int64))


def _distinct(candidates: Int[np.ndarray, " candidate"], last: int) -> Epochs:
    """Return the candidates within 0…last in order, with both ends."""
    return np.unique(np.concatenate([[0, last], candidates[candidates <= last]])).astype(np.int64)
