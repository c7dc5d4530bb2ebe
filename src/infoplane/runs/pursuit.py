"""Trainings whose measured epochs follow from what is measured: training ahead, measuring behind it, storing last.

All groups of a plan share one planner, since every member is measured at the same epochs. A group trains ahead and
sends the weights of its epochs back; they are kept until the planner can no longer ask for them, and measured where
it does. What lies behind everything that the planner may still ask for is settled and goes to disk.
"""

import collections
import dataclasses
import math
import time
from collections.abc import Sequence

import numpy as np

from infoplane.runs import task as tasks
from infoplane.runs.ledger import GroupLedger
from infoplane.runs.plan import Plan
from infoplane.runs.stretch import Missing, Settled, join_curves, missing_rows, stack_epochs, stack_layers
from infoplane.runs.task import Cell, Measured, Measurement, Outcome, Rows, State, Task
from infoplane.schedules import DeltaApprox, DeltaExact, Planner, Values

TASK_SECONDS = 1.0
"""A training task ends at the first opportunity after this long, so that measuring can follow."""

PART_SECONDS = 0.02
"""The layers of an epoch are shared out when each part takes at least this long."""

STATE_SIZE = 3
"""Size of a state (the weights and two moments) in weights."""


class Pursuit:
    """One plan's planner, and its groups on their way behind it.

    Attributes:
        plan: what is run.
        planner: says what to measure next.
        followers: every group of the plan, those that are done included.
    """

    def __init__(self, plan: Plan, ledgers: Sequence[GroupLedger]) -> None:
        schedule, dataset = plan.schedule, plan.dataset
        assert isinstance(schedule, DeltaExact | DeltaApprox)  # a fixed schedule needs no planner
        last, entropies = plan.last, (dataset.input_entropy, dataset.label_entropy)
        self.plan = plan
        self.planner: Planner = schedule.planner(last, entropies)
        self.followers = [Follower(ledger, self) for ledger in ledgers]
        self._exact = isinstance(schedule, DeltaExact)
        self._most = schedule.memory // plan.epoch_bytes if isinstance(schedule, DeltaExact) else 1
        self._longest = schedule.max_skip if isinstance(schedule, DeltaExact) else 1
        self._tell()

    @property
    def settled(self) -> int:
        """The last epoch up to which nothing more will be measured."""
        if self.planner.done:
            return self.plan.last
        return min(epochs.start for epochs in self.planner.kept()) - 1

    def may_ask(self, epoch: int) -> bool:
        """Whether the weights of an epoch may still be asked for."""
        return epoch > self.planner.frontier or any(epoch in epochs for epochs in self.planner.kept())

    def stint(self, follower: "Follower") -> tuple[int, int, int]:
        """How a group may go on training.

        Returns:
            The epoch to which it may, the first epoch whose weights are to be sent back, and of how many at most.
        """
        if not self._exact:
            return self.planner.frontier, self.planner.frontier, 1
        n_more = min(self._most - follower.n_held - _extra(follower.n_chunks), self._longest)
        return self.plan.last, 0, max(n_more, 0)

    def is_crowded(self, follower: "Follower") -> bool:
        """Whether one more state of a group would take room that two sections may need."""
        return _extra(follower.n_chunks + 1) > self._most - (2 * self._longest - 1)

    def next_parts(self, slots: int) -> "list[tuple[Follower, Measurement]]":
        """Take up what was measured, and return what can be measured now."""
        self._tell()
        asked = [(follower, epoch) for follower in self.followers for epoch in follower.due()]
        n_slices = math.ceil(slots / len(asked)) if asked else 1
        return [(follower, part) for follower, epoch in asked for part in follower.ask(epoch, n_slices)]

    def _tell(self) -> None:
        """Tell the planner what all groups have measured; drop weights that it can no longer ask for."""
        while known := [epoch for epoch in self.planner.wanted() if all(one.knows(epoch) for one in self.followers)]:
            for epoch in known:
                self.planner.tell(epoch, np.concatenate([one.values(epoch) for one in self.followers], axis=1))
        for follower in self.followers:
            follower.let_go()


def _extra(n_chunks: int) -> int:
    """Room that states between trainings take, in epochs; two states belong to any training."""
    return STATE_SIZE * max(n_chunks - 2, 0)


class Follower:
    """One group of a plan with a planner: what of it is trained, measured, and on disk.

    Attributes:
        ledger: what is on disk.
        failures: how often the training that comes next has failed.
        busy: whether its next training waits, runs, or was given up.
        missing: what could not be measured.
    """

    def __init__(self, ledger: GroupLedger, pursuit: Pursuit) -> None:
        self.ledger, self.failures, self.busy = ledger, 0, not ledger.finished
        self.missing: dict[Cell, Missing] = {}
        self._pursuit = pursuit
        self._known = ledger.measured()
        self._given_up_at: int | None = None
        self._chunks: collections.deque[_Chunk] = collections.deque()
        self._weights: dict[int, State] = {}
        self._rows: dict[int, dict[int, Rows]] = {}
        self._asked: set[int] = set()
        self._measured_seconds, self._measured_cells = 0.0, 0
        self._stored_at = time.monotonic()

    @property
    def together(self) -> "list[Follower]":
        """All groups that go on when this one does."""
        return self._pursuit.followers

    @property
    def n_held(self) -> int:
        """Number of epochs whose weights are kept."""
        return len(self._weights)

    @property
    def n_chunks(self) -> int:
        """Number of trainings that are not yet stored, each with the state at its end."""
        return len(self._chunks)

    @property
    def progress(self) -> int:
        """Net-epochs that are settled but not yet stored."""
        first = self._chunks[0].first if self._chunks else 0
        reached = min(self._pursuit.settled, self._chunks[-1].epoch) if self._chunks else 0
        return max(reached - max(first, 1) + 1, 0) * len(self.ledger.kept)

    # -- training --------------------------------------------------------------------------------------------------

    @property
    def may_train(self) -> bool:
        """Whether it can be trained on now."""
        if self.busy or self.ledger.finished or self._given_up_at is not None:
            return False
        if self._chunks and self._chunks[-1].epoch >= self._chunks[-1].task.until:
            return False  # to the end, or to what is on disk already
        until, _, n_most = self._pursuit.stint(self)
        return n_most > 0 and until > self._trained

    @property
    def _trained(self) -> int:
        """The last epoch that is trained, before the first that is missing on disk."""
        if self._chunks:
            return self._chunks[-1].epoch
        return self.ledger.gap[0] - 1 if self.ledger.gap else self.ledger.last - 1

    def next_task(self, threads: int, _: int) -> Task | None:
        """Return the training that comes next; None when all is there, or there is no room yet."""
        task = self._after_the_last() if self._chunks else self.ledger.next_task(threads, self.failures)
        if task is None:
            return None
        until, weights_from, n_most = self._pursuit.stint(self)
        if not n_most or until < task.first <= task.until:
            self.busy = False
            return None
        return dataclasses.replace(
            task,
            until=min(until, task.until),
            weights_from=max(weights_from, task.first),
            apart=n_most,
            seconds=TASK_SECONDS,
        )

    def _after_the_last(self) -> Task:
        last = self._chunks[-1]
        first = max(last.epoch + 1, last.task.first)
        return dataclasses.replace(
            last.task, begin=last.epoch, state=last.outcome.state, first=first, attempt=self.failures
        )

    def ahead(self, _: Task) -> bool:
        """Whether a training of this group counts only when it is settled."""
        return True

    def add(self, task: Task, trained: Outcome, _: int) -> "list[tuple[Follower, Measurement]]":
        """Take up what was trained; what of it is measured says `next_parts`."""
        if trained.epoch <= task.begin:
            return []
        until = self.ledger.gap[1] if self.ledger.gap else self.ledger.last
        if self._chunks and self._pursuit.is_crowded(self):
            self._chunks[-1].extend(trained)
        else:
            self._chunks.append(_Chunk(dataclasses.replace(task, until=until), trained))
        self._weights |= trained.weights
        return []

    def next_parts(self, slots: int) -> "list[tuple[Follower, Measurement]]":
        """Return what can be measured now, of any group of the plan."""
        return self._pursuit.next_parts(slots)

    def give_up(self) -> None:
        """Leave the members out from where training has failed: what is measured of them is NaN."""
        self._given_up_at = self._trained

    # -- measuring -------------------------------------------------------------------------------------------------

    def knows(self, epoch: int) -> bool:
        """Whether an epoch was measured, or never will be."""
        return epoch in self._known or (self._given_up_at is not None and epoch > self._given_up_at)

    def values(self, epoch: int) -> Values:
        """Information of the group's members at an epoch."""
        plan = self._pursuit.plan
        shape = (len(plan.estimators), len(self.ledger.kept), len(plan.layers), 2)
        return self._known[epoch] if epoch in self._known else np.full(shape, np.nan)

    def due(self) -> list[int]:
        """The epochs that can be measured now: those wanted, and those measured before whose rows were lost."""
        planner = self._pursuit.planner
        for epoch in planner.wanted():
            if not self.knows(epoch) and self.ledger.holds(epoch):
                self._train_again(epoch)
        needed = [*planner.wanted(), *(epoch for epoch in planner.measured if epoch in self._weights)]
        return [epoch for epoch in needed if epoch in self._weights and epoch not in self._asked]

    def _train_again(self, epoch: int) -> None:
        """Forget a stretch on disk in which an epoch is missing that is wanted now."""
        for lost in self.ledger.forget(epoch):
            self._known.pop(lost, None)
            self._asked.discard(lost)

    def ask(self, epoch: int, n_slices: int) -> list[Measurement]:
        """Return an epoch's measuring, its layers in so many parts where that is worth while."""
        self._asked.add(epoch)
        n_layers = len(self._pursuit.plan.layers)
        if self._measured_cells:
            seconds = self._measured_seconds / self._measured_cells * n_layers
            n_slices = min(n_slices, max(1, int(seconds / PART_SECONDS)))
        task, n_slices = self._chunks[-1].task, min(n_slices, n_layers)
        return [
            Measurement(
                config=task.config,
                data_sha256=task.data_sha256,
                threads=task.threads,
                number=task.number,
                group=task.group,
                weights={epoch: self._weights[epoch]},
                layers=tuple(range(start, n_layers, n_slices)),
            )
            for start in range(n_slices)
        ]

    def take(self, measured: Measured) -> None:
        """Take up what a part has measured."""
        for (epoch, layer), rows in measured.rows.items():
            self._rows.setdefault(epoch, {})[layer] = rows
            self._complete(epoch)
        self._measured_seconds += measured.seconds
        self._measured_cells += len(measured.rows)

    def miss(self, cell: Cell, why: Missing) -> None:
        """Take up that a layer at an epoch cannot be measured."""
        self.missing[cell] = why
        epoch, layer = cell
        plan = self._pursuit.plan
        self._rows.setdefault(epoch, {})[layer] = missing_rows(plan, len(self.ledger.kept))
        self._complete(epoch)

    def _complete(self, epoch: int) -> None:
        if len(self._rows[epoch]) == len(self._pursuit.plan.layers):
            self._known[epoch] = self._stacked(epoch)["bits"]

    def _stacked(self, epoch: int) -> Rows:
        return stack_layers([rows for _, rows in sorted(self._rows[epoch].items())])

    def let_go(self) -> None:
        """Drop the weights that can no longer be asked for."""
        measured = set(self._pursuit.planner.measured)
        self._weights = {
            epoch: leaves
            for epoch, leaves in self._weights.items()
            if self._pursuit.may_ask(epoch) or (epoch in measured and epoch not in self._asked)
        }

    # -- storing ---------------------------------------------------------------------------------------------------

    def pop_complete(self, *, flush: bool = False) -> Settled | None:
        """Return what can be stored, and forget it: what is settled, when it has gathered for some seconds."""
        chunks = [chunk for chunk in self._chunks if chunk.epoch <= self._pursuit.settled]
        if not chunks:
            return None
        first, last = chunks[0], chunks[-1]
        gathered = time.monotonic() - self._stored_at > tasks.FLUSH_SECONDS
        if not (flush or gathered or last.epoch >= last.task.until):
            return None
        measured = [epoch for epoch in self._pursuit.planner.measured if first.first <= epoch <= last.epoch]
        if self._given_up_at is not None:
            measured = [epoch for epoch in measured if epoch <= self._given_up_at]
        if any(epoch not in self._rows for epoch in measured):
            return None
        for _ in chunks:
            self._chunks.popleft()
        self._stored_at = time.monotonic()
        return self._settle(chunks, measured)

    def _settle(self, chunks: "Sequence[_Chunk]", measured: Sequence[int]) -> Settled:
        rows = stack_epochs(measured, [self._stacked(epoch) for epoch in measured])
        curves = [part for chunk in chunks for part in chunk.curves]
        missing = {cell: why for cell, why in self.missing.items() if cell[0] in measured}
        if missing:
            rows[tasks.MISSING] = np.array(sorted(missing), np.int64)
        spent = {"training": round(sum(chunk.seconds for chunk in chunks), 3)}
        spent["measuring"], self._measured_seconds, self._measured_cells = round(self._measured_seconds, 3), 0.0, 0
        outcome = dataclasses.replace(
            chunks[-1].outcome,
            rows=rows | join_curves(curves) if curves else None,
            spent=spent,
            net_epochs=sum(chunk.net_epochs for chunk in chunks),
            weights={},
        )
        self._rows = {epoch: rows for epoch, rows in self._rows.items() if epoch not in measured}
        self._asked -= set(measured)
        self.missing = {cell: why for cell, why in self.missing.items() if cell not in missing}
        return Settled(chunks[0].task, outcome, missing)


class _Chunk:
    """Consecutive trainings of a group, with the state at the end of the last one."""

    def __init__(self, task: Task, outcome: Outcome) -> None:
        self.task, self.first = task, task.first
        self.curves: list[Rows] = []
        self.seconds, self.net_epochs = 0.0, 0
        self.extend(outcome)

    @property
    def epoch(self) -> int:
        """The last epoch."""
        return self.outcome.epoch

    def extend(self, outcome: Outcome) -> None:
        """Go on to the end of another training."""
        self.outcome = dataclasses.replace(outcome, rows=None, weights={})
        self.curves += [outcome.rows] if outcome.rows is not None else []  # none on the way to the first wanted epoch
        self.seconds += outcome.spent["training"]
        self.net_epochs += outcome.net_epochs
