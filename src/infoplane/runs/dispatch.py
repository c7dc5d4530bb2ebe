"""Handing out the tasks of a run, keeping what comes back, trying again what failed."""

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait

from infoplane.errors import InfoplaneError
from infoplane.runs.job import Job
from infoplane.runs.ledger import GroupLedger
from infoplane.runs.pools import Pool
from infoplane.runs.pursuit import Follower, Pursuit
from infoplane.runs.store import Store
from infoplane.runs.stretch import Course, Missing, Stretch
from infoplane.runs.task import MISSING, Measured, Measurement, Outcome, Task, Work, task_id
from infoplane.runs.worker import VersionsError, reason_of

TRIES = 3
"""How often a task is tried before it is given up; the last time nothing else runs beside it."""

MOST_REFUSALS, REFUSAL_SECONDS = 40, 0.5
"""How often in a row tasks may meet workers of other versions, and the pause after each time."""

STOP_SECONDS = 5.0
"""How long tasks of this process are waited for when the run is to stop."""


@dataclasses.dataclass(frozen=True)
class Advanced:
    """Progress of a run: epochs done and to do, counted over members (net-epochs).

    Attributes:
        done: all that is done.
        total: all there is to do.
        resumed: what was done before this process began.
        unit: what is counted: "net-epochs", or "net-updates".
    """

    done: int
    total: int
    resumed: int
    unit: str = "net-epochs"


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

    course: Course | Follower
    work: Work
    into: Stretch | Follower | None = None
    """What takes up the results of a measurement."""


class Dispatch:
    """Works through the groups of a run; with fewer groups than workers, measuring is done apart from training.

    Attributes:
        unfinished: whether tasks of this process still run though the run has stopped.
    """

    def __init__(
        self, job: Job, found: Sequence[GroupLedger], pool: Pool, store: Store, stop: threading.Event, meter: "Meter"
    ) -> None:
        self._pool, self._store, self._stop, self._meter = pool, store, stop, meter
        self._threads = int(store.about["threads"])
        self._later, self._waiting = collections.deque(_courses(job, found)), collections.deque[Course | Follower]()
        self._n_left = sum(len(courses) for courses in self._later)
        self._urgent: collections.deque[_Errand] = collections.deque()
        self._parts: collections.deque[_Errand] = collections.deque()
        self._last_tries: collections.deque[Course | Follower] = collections.deque()
        self._last_parts: collections.deque[_Errand] = collections.deque()
        self._running: dict[Future[Outcome | Measured], _Errand] = {}
        self._begun: list[Course | Follower] = []
        self._refusals = 0
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
            self._flush()
        except WorkersLostError:
            self._drain(keep=False)
            self._flush()
            raise
        except BaseException:
            self._drain(keep=False)
            raise

    def _flush(self) -> None:
        """Store all that is settled, however little it is."""
        for one in [one for course in self._begun for one in course.together]:
            self._store_complete(one, flush=True)

    @property
    def _is_left(self) -> bool:
        queues = (self._later, self._waiting, self._urgent, self._parts, self._last_tries, self._last_parts)
        return any((*queues, self._running))

    def _fill(self) -> None:
        """Hand out work while somebody is free: first what training waits for, then training, then measuring.

        A last try is made only when nobody is busy.
        """
        slots = self._pool.slots
        self._tell_refused()
        while len(self._running) < slots:
            if self._urgent:
                self._submit(self._urgent.popleft())
            elif self._waiting:
                self._train(self._waiting.popleft(), slots)
            elif self._parts:
                self._submit(self._parts.popleft())
            elif self._later:
                self._waiting.extend(courses := self._later.popleft())
                self._begun += courses
            else:
                break
        if not self._running:
            if self._last_parts:
                self._submit(self._last_parts.popleft())
            elif self._last_tries:
                self._train(self._last_tries.popleft(), slots)

    def _train(self, course: Course | Follower, slots: int) -> None:
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
        except VersionsError as error:
            self._refused(errand, error)
            return
        except Exception as error:  # whatever a task raises is its own failure, not the run's
            self._failed(errand, reason_of(error))
        else:
            self._take(errand, result)
        self._go_on(errand.course)

    def _refused(self, errand: _Errand, error: VersionsError) -> None:
        """Hand a task out again that a worker of other versions has refused: it was not tried.

        Raises:
            WorkersLostError: when no worker of the right versions has computed anything meanwhile.
        """
        self._refusals += 1
        if self._refusals > MOST_REFUSALS:
            raise WorkersLostError(f"no worker with the right versions is left ({error})")
        if self._stop.wait(REFUSAL_SECONDS):
            return
        self._submit(errand)

    def _tell_refused(self) -> None:
        """Record workers that were refused when they joined."""
        for name, why in self._pool.refused().items():
            self._store.record("refused_worker", worker=name, reason=why)
            self._meter.note(f"cluster: worker {name} {why}; it gets no tasks")

    def _take(self, errand: _Errand, result: Outcome | Measured) -> None:
        """Take up what was computed, and store what is complete."""
        course, self._refusals = errand.course, 0
        if isinstance(result, Measured):
            assert errand.into is not None  # somebody asked for it
            errand.into.take(result)
        else:
            assert isinstance(errand.work, Task)  # only tasks have outcomes
            course.failures, course.busy = 0, False
            parts = course.add(errand.work, result, self._pool.slots)
            self._parts.extend(_Errand(course, part, into) for into, part in parts)
        self._follow(course)

    def _follow(self, course: Course | Follower) -> None:
        """Queue what is to be measured next because of what was measured, and store what is complete."""
        self._urgent.extend(_Errand(one, part, one) for one, part in course.next_parts(self._pool.slots))
        for one in course.together:
            if one.progress is not None:
                self._meter.advance(one.ledger.number, one.progress)
            self._store_complete(one)

    def _go_on(self, course: Course | Follower) -> None:
        """Queue the next training of groups that may go on; a group goes on before others start."""
        for one in reversed(course.together):
            if one.may_train:
                one.busy = True
                self._waiting.appendleft(one)

    def _store_complete(self, course: Course | Follower, *, flush: bool = False) -> None:
        while settled := course.pop_complete(flush=flush):
            self._keep(course.ledger, settled.task, settled.outcome)
            for (epoch, layer), why in settled.missing.items():
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
        made_with = {} if outcome.versions is None else {"versions": outcome.versions}
        self._store.record(kind, **about, **made_with, seconds=spent)
        self._meter.settle(task.number, outcome.net_epochs)

    def _failed(self, errand: _Errand, reason: str) -> None:
        if isinstance(errand.work, Measurement):
            self._measure_again(errand, errand.work, reason)
        else:
            self._meter.forget(errand.work.number)
            self._train_again(errand.course, errand.work, reason)

    def _train_again(self, course: Course | Follower, task: Task, reason: str) -> None:
        ledger = course.ledger
        failures = course.failures = course.failures + 1
        first, members = task.first, ledger.kept
        name = ledger.next_id if task.survey else task_id(ledger.plan, ledger.group, first)
        if failures < TRIES:
            self._store.record("retry", task=name, group=task.number, epoch=first, reason=reason)
            (self._last_tries if failures == TRIES - 1 else self._waiting).append(course)
            return
        self._n_left -= 1
        told = {"task": name, "group": task.number, "members": members, "epoch": first}
        self._store.record("failed", **told, tries=failures, reason=reason)
        self._meter.note(
            f"group {task.number} (members {members[0]}–{members[-1]}) failed {failures} times at epoch {first} "
            f"and is left out: {reason}"
        )
        course.give_up()
        self._follow(course)

    def _measure_again(self, errand: _Errand, part: Measurement, reason: str) -> None:
        """Try each layer at each epoch by itself; what fails to the last is missing, the rest goes on."""
        tries, into, ledger = part.attempt + 1, errand.into, errand.course.ledger
        assert into is not None  # somebody asked for it
        if tries < TRIES:
            self._store.record("retry", group=part.number, epoch=part.first, layers=list(part.layers), reason=reason)
            again = [dataclasses.replace(errand, work=one) for one in part.again()]
            (self._last_parts if tries == TRIES - 1 else self._parts).extend(again)
            return
        for epoch, layer in part.cells:
            into.miss((epoch, layer), Missing(tries, reason))
            self._meter.note(
                f"group {part.number} (members {ledger.kept[0]}–{ledger.kept[-1]}): {ledger.plan.layers[layer]} at "
                f"epoch {epoch} could not be measured in {tries} tries: {reason}"
            )
        self._follow(errand.course)

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


def _courses(job: Job, found: Sequence[GroupLedger]) -> list[list[Course | Follower]]:
    """Return the groups that are left, those together that go on together."""
    fixed: list[Course | Follower] = []
    followers: list[list[Course | Follower]] = []
    for plan in job.plans:
        ledgers = [found[number] for number in job.groups_of(plan)]
        if all(ledger.finished for ledger in ledgers):
            continue
        if plan.follows:
            followers.append([one for one in Pursuit(plan, ledgers).followers if one.busy])
        else:
            fixed += [Course(ledger) for ledger in ledgers if not ledger.finished]
    return [fixed, *followers] if fixed else followers


class Meter:
    """Counts net-epochs over all tasks and tells whoever listens."""

    def __init__(self, resumed: int, total: int, on_event: OnEvent | None, unit: str = "net-epochs") -> None:
        self._resumed, self._total, self._on_event, self._unit = resumed, total, on_event, unit
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
                self._on_event(Advanced(done, self._total, self._resumed, self._unit))
