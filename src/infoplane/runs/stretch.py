"""Stretches of a group's training on their way to disk: trained in one place, measured in others, stored in order.

With fewer groups than workers a task trains only; the weights of the epochs to be measured come back with it and are
measured in parts, epochs × layers, by whoever is free, while the next stretch is trained.
"""

import collections
import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from infoplane.nets import histogram, precision
from infoplane.runs import task as tasks
from infoplane.runs.ledger import GroupLedger
from infoplane.runs.plan import Plan
from infoplane.runs.task import Cell, Measured, Measurement, Outcome, Rows, Task

MOST_ON_THE_WAY = 2
"""Stretches of a group that are trained but not yet stored: one is measured while the next is trained."""

WEIGHTS_BYTES = 2**28
"""Upper size of the weights of one stretch that are sent back to be measured, whatever ``memory`` allows."""

PART_SECONDS = 0.2
"""A part is to take at least this long, so that sending it is worth while."""

QUANTITIES = ("bits", "lower", "upper", "std_error")
SPREADS = ("minimum", "maximum", "sd", "dead_share", "saturated_share", "distinct_rows", *precision.COUNTS)


def join_members(rows: Sequence[Rows]) -> Rows:
    """Put the rows of a layer together that belong to different members."""
    return {key: np.concatenate([row[key] for row in rows], axis=_layer_axis(key) - 1) for key in rows[0]}


def stack_layers(rows: Sequence[Rows]) -> Rows:
    """Put the rows of an epoch's layers together.

    [estimator, member, variable] of each layer → [estimator, member, layer, variable]; spreads [member, layer, …].
    """
    return {key: np.stack([row[key] for row in rows], axis=_layer_axis(key)) for key in rows[0]}


def stack_epochs(epochs: Sequence[int], rows: Sequence[Rows]) -> Rows:
    """Put the rows of several epochs together, each from `stack_layers`: the epoch comes before the layer."""
    keys = rows[0] if rows else {}
    return {"epochs": np.array(epochs, np.int64)} | {
        key: np.stack([row[key] for row in rows], axis=_layer_axis(key)) for key in keys
    }


def _layer_axis(key: str) -> int:
    return 1 if "spread_" in key else 2


def missing_rows(plan: Plan, n_members: int) -> Rows:
    """Return the rows of a layer that could not be measured: NaN, without flags."""
    shape = (len(plan.estimators), n_members, 2)
    rows: Rows = {f"spread_{key}": np.full(n_members, np.nan, np.float32) for key in SPREADS}
    if plan.config.measure.histograms:
        rows["spread_histogram"] = np.full((n_members, len(histogram.LOWER)), np.nan, np.float32)
    for part in plan.parts:
        rows |= {part + key: np.full(shape, np.nan) for key in QUANTITIES}
        rows[f"{part}flags"] = np.zeros(shape, np.int32)
        rows[f"{part}spread_distinct_rows"] = np.full(n_members, np.nan, np.float32)
    return rows


def join_curves(parts: Sequence[Rows]) -> Rows:
    """Put the training curves of consecutive trainings together; their measurements are left out."""
    keys = [key for key in parts[0] if key.startswith("curve_")]
    return {key: np.concatenate([part[key] for part in parts]) for key in keys}


@dataclasses.dataclass(frozen=True)
class Missing:
    """Why a layer at an epoch has no numbers: the reason in a line, and how often it was tried."""

    tries: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Settled:
    """Epochs of a group that are trained and measured, to be stored.

    Attributes:
        task: what was asked for.
        outcome: what one task that trains and measures would have returned.
        missing: what could not be measured.
    """

    task: Task
    outcome: Outcome
    missing: dict[Cell, Missing]


class Stretch:
    """Epochs of a group that are trained, with those of their rows that have come back.

    Attributes:
        task: what was asked for.
        trained: what came back of it.
        missing: what could not be measured.
    """

    def __init__(self, plan: Plan, n_members: int, task: Task, trained: Outcome) -> None:
        self.task, self.trained = task, trained
        self.missing: dict[Cell, Missing] = {}
        self._plan, self._n_members = plan, n_members
        self._rows: dict[Cell, Rows] = {}
        self._seconds = 0.0

    @property
    def _n_cells(self) -> int:
        return len(self.trained.weights) * len(self._plan.layers)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be measured."""
        return len(self._rows) + len(self.missing) == self._n_cells

    @property
    def seconds_per_epoch(self) -> float | None:
        """Time that measuring one epoch takes one worker; None when nothing has been measured."""
        return self._seconds / len(self._rows) * len(self._plan.layers) if self._rows else None

    def parts(self, n_parts: int) -> list[Measurement]:
        """Divide what is to be measured into about so many parts: by epochs, and by layers where those are too few."""
        epochs = list(self.trained.weights)
        if not epochs:
            return []
        n_blocks, n_layers = min(n_parts, len(epochs)), len(self._plan.layers)
        n_slices = min(n_layers, math.ceil(n_parts / n_blocks))
        layers = [tuple(range(start, n_layers, n_slices)) for start in range(n_slices)]
        return [self._part(epochs[start::n_blocks], chosen) for start in range(n_blocks) for chosen in layers]

    def _part(self, epochs: Sequence[int], layers: tuple[int, ...]) -> Measurement:
        return Measurement(
            config=self.task.config,
            data_sha256=self.task.data_sha256,
            threads=self.task.threads,
            number=self.task.number,
            group=self.task.group,
            weights={epoch: self.trained.weights[epoch] for epoch in epochs},
            layers=layers,
            run_range=self.task.run_range,
        )

    def take(self, measured: Measured) -> None:
        """Take up what a part has measured."""
        self._rows |= measured.rows
        self._seconds += measured.seconds

    def miss(self, cell: Cell, why: Missing) -> None:
        """Take up that a layer at an epoch cannot be measured."""
        self.missing[cell] = why

    def settle(self) -> Settled:
        """Return it as what is to be stored."""
        return Settled(self.task, self._outcome(), self.missing)

    def _outcome(self) -> Outcome:
        if not self.trained.weights:
            return self.trained
        assert self.trained.rows is not None  # a measured epoch has training curves
        spent = self.trained.spent | {"measuring": round(self._seconds, 3)}
        return dataclasses.replace(self.trained, rows=self.trained.rows | self._measured(), spent=spent, weights={})

    def _measured(self) -> Rows:
        epochs, n_layers = list(self.trained.weights), len(self._plan.layers)
        absent = missing_rows(self._plan, self._n_members)
        rows = [stack_layers([self._rows.get((epoch, layer), absent) for layer in range(n_layers)]) for epoch in epochs]
        told = {tasks.MISSING: np.array(sorted(self.missing), np.int64)} if self.missing else {}
        return stack_epochs(epochs, rows) | told


class Course:
    """One group's way through a run: what is on disk, and the stretches on their way there.

    Attributes:
        ledger: what is on disk.
        failures: how often the training that comes next has failed.
        busy: whether its next training waits, runs, or was given up.
    """

    def __init__(self, ledger: GroupLedger) -> None:
        self.ledger, self.failures, self.busy = ledger, 0, True
        self._on_the_way: collections.deque[Stretch] = collections.deque()
        self._seconds_per_epoch: float | None = None

    @property
    def together(self) -> "list[Course]":
        """All groups that go on when this one does."""
        return [self]

    @property
    def progress(self) -> None:
        """What is trained and not yet stored is counted while it is trained."""

    @property
    def may_train(self) -> bool:
        """Whether its next stretch can be trained now."""
        if self.busy or self.ledger.finished or len(self._on_the_way) >= MOST_ON_THE_WAY:
            return False
        return not self._on_the_way or self._on_the_way[-1].trained.epoch < self._on_the_way[-1].task.until

    def next_task(self, threads: int, n_apart: int) -> Task | None:
        """Return the training that comes next; None when all is there.

        Args:
            threads: number of threads that JAX computes with.
            n_apart: tasks that can be computed at once where measuring is done apart; 0: it trains and measures.
        """
        task = self.ledger.next_task(threads, self.failures) if not self._on_the_way else self._after_the_last()
        if task is None or task.survey or not n_apart:
            return task
        return dataclasses.replace(task, apart=self._most_epochs(n_apart))

    def ahead(self, task: Task) -> bool:
        """Whether a training of this group waits for others before it can be stored."""
        return bool(task.apart or self._on_the_way)

    def _after_the_last(self) -> Task:
        last = self._on_the_way[-1]
        epoch, state = last.trained.epoch, last.trained.state
        return dataclasses.replace(
            last.task,
            begin=epoch,
            state=state,
            first=epoch + 1,
            apart=0,
            seconds=tasks.FLUSH_SECONDS,
            attempt=self.failures,
        )

    def _most_epochs(self, slots: int) -> int:
        """Number of epochs whose weights fit in memory, and that are measured in about the time of a task."""
        plan = self.ledger.plan
        size = 4 * plan.config.width * plan.n_weights
        bound = min(WEIGHTS_BYTES, plan.config.memory // 4) // size
        seconds = self._seconds_per_epoch
        paced = slots if seconds is None else int(tasks.FLUSH_SECONDS * slots / max(seconds, 1e-6))
        return max(1, min(bound, paced))

    def add(self, task: Task, trained: Outcome, slots: int) -> list[tuple[Stretch, Measurement]]:
        """Take up what was trained; return the parts in which it is to be measured, and what takes up the results."""
        stretch = Stretch(self.ledger.plan, len(self.ledger.kept), task, trained)
        self._on_the_way.append(stretch)
        n_parts = 2 * slots
        if self._seconds_per_epoch is not None:
            seconds = self._seconds_per_epoch * len(trained.weights)
            n_parts = max(1, min(n_parts, int(seconds / PART_SECONDS)))
        return [(stretch, part) for part in stretch.parts(n_parts)]

    def next_parts(self, _: int) -> tuple[()]:
        """What is measured is known from the start: nothing follows from what was measured."""
        return ()

    def give_up(self) -> None:
        """Nothing else depends on a group that failed."""

    def pop_complete(self, *, flush: bool = False) -> Settled | None:
        """Return the stretch that can be stored next, and forget it; stretches are stored in order."""
        if not self._on_the_way or not self._on_the_way[0].complete:
            return None
        stretch = self._on_the_way.popleft()
        self._seconds_per_epoch = stretch.seconds_per_epoch or self._seconds_per_epoch
        return stretch.settle()
