"""What of a run is on disk and what comes next: tasks are planned from the folder alone."""

import dataclasses
from collections.abc import Sequence

from jaxtyping import Float
from numpy import ndarray

from infoplane.errors import StoreError
from infoplane.runs import task as tasks
from infoplane.runs.archive import leaves_of, state_of
from infoplane.runs.job import Job
from infoplane.runs.plan import Plan
from infoplane.runs.store import Piece, Saved, Store
from infoplane.runs.task import FRESH, Outcome, Task, kept_members, task_id
from infoplane.schedules import Values

_RANGE = "run_range"


@dataclasses.dataclass(frozen=True)
class _Start:
    """Where a task can begin: the end of an epoch, and for a survey what it has found up to there."""

    epoch: int
    state: tuple[ndarray, ...] | None
    run_range: Float[ndarray, "layer member 2"] | None


class GroupLedger:
    """One group of a run: the stretches that are done, and the task that comes next.

    Attributes:
        number: the group's number in the run.
        plan: its plan.
        group: its number within the plan.
    """

    def __init__(self, number: int, plan: Plan, group: int, store: Store) -> None:
        self.number, self.plan, self.group = number, plan, group
        self._store = store
        self._done: list[Piece] = []
        self._saved: list[Saved] = []
        self._latest: tuple[Saved, _Start] | None = None
        self._run_range: Float[ndarray, "layer member 2"] | None = None

    def know(self, pieces: Sequence[Piece], saved: Sequence[Saved]) -> None:
        """Take up what is on disk."""
        self._done, self._saved = list(pieces), list(saved)

    @property
    def last(self) -> int:
        """The last epoch of the training."""
        return self.plan.last

    @property
    def kept(self) -> list[int]:
        """Members of the group that the result holds."""
        return kept_members(self.plan, self.group)

    @property
    def epochs_done(self) -> int:
        """Number of trained epochs whose rows are on disk; epoch 0 is not trained."""
        return sum(piece.last - max(piece.first, 1) + 1 for piece in self._done)

    @property
    def gap(self) -> tuple[int, int] | None:
        """First stretch of epochs that has no rows; None where there is none."""
        first = 0
        for piece in self._done:
            if piece.first > first:
                return first, piece.first - 1
            first = piece.last + 1
        return (first, self.last) if first <= self.last else None

    def measured(self) -> dict[int, Values]:
        """Information of every measured epoch that is on disk."""
        known: dict[int, Values] = {}
        for piece in self._done:
            rows = self._store.read_piece(piece)
            known |= {int(epoch): rows["bits"][:, :, place] for place, epoch in enumerate(rows["epochs"])}
        return known

    def holds(self, epoch: int) -> bool:
        """Whether the stretch of an epoch is on disk."""
        return any(piece.first <= epoch <= piece.last for piece in self._done)

    def forget(self, epoch: int) -> list[int]:
        """Remove the stretch of an epoch from disk, to be trained again; return the epochs that it measured."""
        piece = next(piece for piece in self._done if piece.first <= epoch <= piece.last)
        lost = self._store.read_piece(piece)["epochs"]
        self._store.drop_piece(piece)
        self._done.remove(piece)
        return [int(epoch) for epoch in lost]

    @property
    def finished(self) -> bool:
        """Whether all rows and the final state are there."""
        return self.gap is None and Saved(self.number, self.last) in self._saved

    @property
    def next_id(self) -> str:
        """Name of the task that comes next, by a hash of what decides its numbers."""
        return task_id(self.plan, self.group, self.gap[0] if self.gap else self.last + 1)

    def next_task(self, threads: int, attempt: int = 0) -> Task | None:
        """Return what is to be computed next; None when all is there."""
        if self.finished:
            return None
        first, until = self.gap or (self.last + 1, self.last)
        survey = self._survey_start()
        if survey is not None:
            first, until, start = 0, self.last, survey
        else:
            start = dataclasses.replace(self._best_start(first - 1), run_range=self._run_range)
        return Task(
            config=self.plan.config.canonical(),
            data_sha256=self.plan.data_sha256,
            threads=threads,
            number=self.number,
            group=self.group,
            begin=start.epoch,
            state=start.state,
            first=first,
            until=until,
            survey=survey is not None,
            run_range=start.run_range,
            seconds=tasks.FLUSH_SECONDS,
            attempt=attempt,
        )

    def keep(self, task: Task, outcome: Outcome) -> None:
        """Write what a task has computed; the next one goes on from it without reading it back.

        Raises:
            StoreError: when it cannot be written.
        """
        if outcome.epoch <= task.begin:
            return
        saved = Saved(self.number, outcome.epoch, task.survey)
        leaves = leaves_of(outcome.state)
        if task.survey and outcome.run_range is not None:
            self._saved = self._store.save(saved, leaves | {_RANGE: outcome.run_range}, self._saved)
        elif outcome.rows is None:
            self._saved = self._store.save(saved, leaves, self._saved)
        else:
            piece = Piece(self.number, task.first, outcome.epoch)
            self._saved = self._store.save_piece(piece, outcome.rows, leaves, self._saved)
            self._done = sorted([*self._done, piece], key=lambda piece: piece.first)
        self._latest = saved, _Start(outcome.epoch, outcome.state, outcome.run_range)
        if self.finished:
            self._forget()

    def _forget(self) -> None:
        """Let go of what a finished group needs no longer."""
        self._latest = None
        for saved in [saved for saved in self._saved if saved.survey]:
            self._store.drop(saved)
            self._saved.remove(saved)

    def _survey_start(self) -> _Start | None:
        """Return where the survey of the run's range goes on; None when none is needed or it is done."""
        if self.gap is None or not self.plan.needs_run_range or self._run_range is not None:
            return None
        start = self._best_start(self.last, survey=True)
        if start.epoch < self.last:
            return start
        self._run_range = start.run_range
        return None

    def _best_start(self, limit: int, *, survey: bool = False) -> _Start:
        """Return the latest state up to an epoch that can be read; without one the group begins afresh."""
        for saved in sorted(self._saved, key=lambda saved: -saved.epoch):
            if saved.survey != survey or saved.epoch > limit:
                continue
            if self._latest and self._latest[0] == saved:
                return self._latest[1]
            try:
                arrays = self._store.read_state(saved)
            except StoreError:  # `Store.drop_damaged` has told of those that were there when the run went on
                continue
            return _Start(saved.epoch, state_of(arrays), arrays.get(_RANGE))
        return _Start(FRESH, None, None)


def ledgers(job: Job, store: Store) -> list[GroupLedger]:
    """Return the ledger of every group of a run, as the folder stands."""
    found = [GroupLedger(number, plan, group, store) for number, (plan, group) in enumerate(job.groups)]
    pieces: dict[int, list[Piece]] = {}
    saved: dict[int, list[Saved]] = {}
    for piece in store.pieces():
        pieces.setdefault(piece.group, []).append(piece)
    for state in store.states():
        saved.setdefault(state.group, []).append(state)
    for ledger in found:
        ledger.know(pieces.get(ledger.number, []), saved.get(ledger.number, []))
    return found
