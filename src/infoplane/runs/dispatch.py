"""Handing out the tasks of a run, keeping what comes back, trying again what failed."""

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait

from infoplane.errors import InfoplaneError
from infoplane.runs.ledger import GroupLedger
from infoplane.runs.pools import Pool
from infoplane.runs.store import Store
from infoplane.runs.stretch import Course, Missing, Stretch
from infoplane.runs.task import MISSING, Measured, Measurement, Outcome, Task, Work, task_id
from infoplane.runs.worker import reason_of

TRIES = 3
"""How often a task is tried before it is given up; the last time nothing else runs beside it."""

STOP_SECONDS = 5.0
"""How long tasks of this process are waited for when the run is to stop."""


@dataclasses.dataclass(frozen=True)
class Advanced:
    """Progress of a run: epochs done and to do, counted over members (net-epochs).

    Attributes:
        done: all that is done.
        total: all there is to do.
        resumed: what was done before this process began.
    """

    done: int
    total: int
    resumed: int


@dataclasses.dataclass(frozen=True)
class Noted:
    """Something that whoever runs this should know, in one line."""

    text: str


OnEvent = Callable[[Advanced | Noted], None]


class WorkersLostError(InfoplaneError):
    """The executor cannot compute any longer; what was measured is on disk."""


@dataclasses.dataclass(frozen=True)
class _Errand:
    """What somebody computes now: the training of a group, or a part of the measuring of one of its stretches."""

    course: Course
    work: Work
    stretch: Stretch | None = None


class Dispatch:
    """Works through the groups of a run; with fewer groups than workers, measuring is done apart from training.

    Attributes:
        unfinished: whether tasks of this process still run though the run has stopped.
    """

    def __init__(
        self, ledgers: Iterable[GroupLedger], pool: Pool, store: Store, stop: threading.Event, meter: "Meter"
    ) -> None:
        self._pool, self._store, self._stop, self._meter = pool, store, stop, meter
        self._threads = int(store.about["threads"])
        self._waiting = collections.deque(Course(ledger) for ledger in ledgers)
        self._n_left = len(self._waiting)
        self._parts: collections.deque[_Errand] = collections.deque()
        self._last_tries: collections.deque[Course] = collections.deque()
        self._last_parts: collections.deque[_Errand] = collections.deque()
        self._running: dict[Future[Outcome | Measured], _Errand] = {}
        self.unfinished = False

    def work(self) -> None:
        """Compute until everything is done or given up, or the run is to stop.

        Raises:
            StoreError: when what was measured cannot be written.
            WorkersLostError: when there is nobody left to compute.
        """
        try:
            while self._is_left and not self._stop.is_set():
                self._fill()
                done, _ = wait(self._running, timeout=0.1, return_when=FIRST_COMPLETED)
                for future in done:
                    self._settle(future)
            self._drain(keep=True)
        except BaseException:
            self._drain(keep=False)
            raise

    @property
    def _is_left(self) -> bool:
        return any((self._waiting, self._parts, self._last_tries, self._last_parts, self._running))

    def _fill(self) -> None:
        """Hand out work while somebody is free, training first; a last try only when nobody is busy."""
        slots = self._pool.slots
        while (self._waiting or self._parts) and len(self._running) < slots:
            if self._waiting:
                self._train(self._waiting.popleft(), slots)
            else:
                self._submit(self._parts.popleft())
        if not self._running:
            if self._last_parts:
                self._submit(self._last_parts.popleft())
            elif self._last_tries:
                self._train(self._last_tries.popleft(), slots)

    def _train(self, course: Course, slots: int) -> None:
        """Hand out a group's next training; it measures too where nobody else would be free for that."""
        apart = slots > self._n_left and not course.failures
        task = course.next_task(self._threads, slots if apart else 0)
        if task is not None:
            self._submit(_Errand(course, task))

    def _submit(self, errand: _Errand) -> None:
        number = errand.work.number
        # what is trained ahead counts once it is stored
        live = isinstance(errand.work, Task) and not errand.course.ahead(errand.work)
        advanced = (lambda n: self._meter.advance(number, n)) if live else (lambda _: None)
        try:
            future = self._pool.submit(errand.work, self._stop, advanced)
        except (BrokenExecutor, RuntimeError) as error:  # it was shut down
            raise WorkersLostError(f"the executor takes no more tasks ({reason_of(error)})") from None
        self._running[future] = errand

    def _settle(self, future: "Future[Outcome | Measured]") -> None:
        """Keep what was computed, or try it again, or give it up."""
        errand = self._running.pop(future)
        try:
            result = future.result()
        except (CancelledError, BrokenExecutor) as error:
            raise WorkersLostError(f"the workers are gone ({reason_of(error)})") from None
        except Exception as error:  # whatever a task raises is its own failure, not the run's
            self._failed(errand, reason_of(error))
        else:
            self._take(errand, result)
        self._go_on(errand.course)

    def _take(self, errand: _Errand, result: Outcome | Measured) -> None:
        """Take up what was computed, and store what is complete."""
        course = errand.course
        if isinstance(result, Measured):
            assert errand.stretch is not None  # only parts of a stretch are measured
            errand.stretch.take(result)
        else:
            assert isinstance(errand.work, Task)  # only tasks have outcomes
            course.failures, course.busy = 0, False
            stretch, parts = course.add(errand.work, result, self._pool.slots)
            self._parts.extend(_Errand(course, part, stretch) for part in parts)
        self._store_complete(course)

    def _go_on(self, course: Course) -> None:
        """Queue a group's next training as soon as it may begin; a group goes on before others start."""
        if course.may_train:
            course.busy = True
            self._waiting.appendleft(course)

    def _store_complete(self, course: Course) -> None:
        while stretch := course.pop_complete():
            self._keep(course.ledger, stretch.task, stretch.outcome())
            for (epoch, layer), why in stretch.missing.items():
                name, members = course.ledger.plan.layers[layer], course.ledger.kept
                about = {"group": course.ledger.number, "members": members, "epoch": epoch, "layer": name}
                self._store.record(MISSING, **about, **dataclasses.asdict(why))
            self._n_left -= course.ledger.finished

    def _keep(self, ledger: GroupLedger, task: Task, outcome: Outcome) -> None:
        start, name = time.monotonic(), ledger.next_id
        ledger.keep(task, outcome)
        spent = outcome.spent | {"storing": round(time.monotonic() - start, 3)}
        kind = "survey" if task.survey else "piece" if outcome.rows is not None else "state"
        about = {
            "task": name,
            "group": task.number,
            "epoch": outcome.epoch,
            "epochs": outcome.epoch - max(task.begin, 0),
        }
        self._store.record(kind, **about, seconds=spent)
        self._meter.settle(task.number, outcome.net_epochs)

    def _failed(self, errand: _Errand, reason: str) -> None:
        if isinstance(errand.work, Measurement):
            self._measure_again(errand, errand.work, reason)
        else:
            self._meter.forget(errand.work.number)
            self._train_again(errand.course, errand.work, reason)

    def _train_again(self, course: Course, task: Task, reason: str) -> None:
        ledger = course.ledger
        failures = course.failures = course.failures + 1
        first, members = task.first, ledger.kept
        if failures < TRIES:
            name = ledger.next_id if task.survey else task_id(ledger.plan, ledger.group, first)
            self._store.record("retry", task=name, group=task.number, epoch=first, reason=reason)
            (self._last_tries if failures == TRIES - 1 else self._waiting).append(course)
            return
        self._n_left -= 1
        told = {"task": ledger.next_id, "group": task.number, "members": members, "epoch": first}
        self._store.record("failed", **told, tries=failures, reason=reason)
        self._meter.note(
            f"group {task.number} (members {members[0]}–{members[-1]}) failed {failures} times at epoch {first} "
            f"and is left out: {reason}"
        )

    def _measure_again(self, errand: _Errand, part: Measurement, reason: str) -> None:
        """Try each layer at each epoch by itself; what fails to the last is missing, the rest goes on."""
        tries, stretch, ledger = part.attempt + 1, errand.stretch, errand.course.ledger
        assert stretch is not None  # only parts of a stretch are measured
        if tries < TRIES:
            self._store.record("retry", group=part.number, epoch=part.first, layers=list(part.layers), reason=reason)
            again = [dataclasses.replace(errand, work=one) for one in part.again()]
            (self._last_parts if tries == TRIES - 1 else self._parts).extend(again)
            return
        for epoch, layer in part.cells:
            stretch.missing[epoch, layer] = Missing(tries, reason)
            self._meter.note(
                f"group {part.number} (members {ledger.kept[0]}–{ledger.kept[-1]}): {ledger.plan.layers[layer]} at "
                f"epoch {epoch} could not be measured in {tries} tries: {reason}"
            )
        self._store_complete(errand.course)

    def _drain(self, *, keep: bool) -> None:
        """Stop what still runs: wait a moment for tasks of this process, let go of those of workers."""
        if not self._running:
            return
        self._stop.set()
        for future in self._running:
            future.cancel()
        done, left = wait(self._running, timeout=STOP_SECONDS if self._pool.shares_process else 0)
        self.unfinished = bool(left) and self._pool.shares_process
        for future in done:
            errand = self._running.pop(future)
            if keep and not future.cancelled() and future.exception() is None:
                self._take(errand, future.result())


class Meter:
    """Counts net-epochs over all tasks and tells whoever listens."""

    def __init__(self, resumed: int, total: int, on_event: OnEvent | None) -> None:
        self._resumed, self._total, self._on_event = resumed, total, on_event
        self._settled, self._live, self._lock = resumed, {}, threading.Lock()

    def advance(self, number: int, net_epochs: int) -> None:
        """A task has trained so much so far."""
        self._change(number, net_epochs, 0)

    def settle(self, number: int, net_epochs: int) -> None:
        """A task has trained so much in all."""
        self._change(number, 0, net_epochs)

    def forget(self, number: int) -> None:
        """A task's work is lost."""
        self._change(number, 0, 0)

    def note(self, text: str) -> None:
        """Tell something in words."""
        if self._on_event:
            self._on_event(Noted(text))

    def _change(self, number: int, live: int, settled: int) -> None:
        with self._lock:
            self._live[number] = live
            self._settled += settled
            if self._on_event:
                done = min(self._settled + sum(self._live.values()), self._total)
                self._on_event(Advanced(done, self._total, self._resumed))
