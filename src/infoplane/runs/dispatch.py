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
from infoplane.runs.task import Outcome, Task
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


class Dispatch:
    """Works through the groups of a run.

    Attributes:
        unfinished: whether tasks of this process still run though the run has stopped.
    """

    def __init__(
        self, ledgers: Iterable[GroupLedger], pool: Pool, store: Store, stop: threading.Event, meter: "Meter"
    ) -> None:
        self._pool, self._store, self._stop, self._meter = pool, store, stop, meter
        self._threads = int(store.about["threads"])
        self._waiting = collections.deque(ledgers)
        self._last_tries: collections.deque[GroupLedger] = collections.deque()
        self._failures: dict[int, int] = {}
        self._running: dict[Future[Outcome], tuple[GroupLedger, Task]] = {}
        self.unfinished = False

    def work(self) -> None:
        """Compute until everything is done or given up, or the run is to stop.

        Raises:
            StoreError: when what was measured cannot be written.
            WorkersLostError: when there is nobody left to compute.
        """
        try:
            while (self._waiting or self._last_tries or self._running) and not self._stop.is_set():
                self._fill()
                done, _ = wait(self._running, timeout=0.1, return_when=FIRST_COMPLETED)
                for future in done:
                    self._settle(future)
            self._drain(keep=True)
        except BaseException:
            self._drain(keep=False)
            raise

    def _fill(self) -> None:
        """Hand out tasks while somebody is free; a last try only when nobody is busy."""
        slots = self._pool.slots
        while self._waiting and len(self._running) < slots:
            self._submit(self._waiting.popleft())
        if self._last_tries and not self._running:
            self._submit(self._last_tries.popleft())

    def _submit(self, ledger: GroupLedger) -> None:
        task = ledger.next_task(self._threads, self._failures.get(ledger.number, 0))
        if task is None:
            return
        try:
            future = self._pool.submit(task, self._stop, lambda n: self._meter.advance(task.number, n))
        except (BrokenExecutor, RuntimeError) as error:  # it was shut down
            raise WorkersLostError(f"the executor takes no more tasks ({reason_of(error)})") from None
        self._running[future] = ledger, task

    def _settle(self, future: "Future[Outcome]") -> None:
        """Keep what a task has computed, or try it again, or give its group up."""
        ledger, task = self._running.pop(future)
        try:
            outcome = future.result()
        except (CancelledError, BrokenExecutor) as error:
            raise WorkersLostError(f"the workers are gone ({reason_of(error)})") from None
        except Exception as error:  # whatever a task raises is its own failure, not the run's
            self._meter.forget(task.number)
            self._try_again(ledger, task, reason_of(error))
            return
        self._failures.pop(task.number, None)
        self._keep(ledger, task, outcome)
        if not ledger.finished:
            self._waiting.appendleft(ledger)

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

    def _try_again(self, ledger: GroupLedger, task: Task, reason: str) -> None:
        failures = self._failures[task.number] = self._failures.get(task.number, 0) + 1
        first, members = task.first, ledger.kept
        if failures < TRIES:
            self._store.record("retry", task=ledger.next_id, group=task.number, reason=reason)
            (self._last_tries if failures == TRIES - 1 else self._waiting).append(ledger)
            return
        told = {"task": ledger.next_id, "group": task.number, "members": members, "epoch": first}
        self._store.record("failed", **told, tries=failures, reason=reason)
        self._meter.note(
            f"group {task.number} (members {members[0]}–{members[-1]}) failed {failures} times at epoch {first} "
            f"and is left out: {reason}"
        )

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
            ledger, task = self._running.pop(future)
            if keep and not future.cancelled() and future.exception() is None:
                self._keep(ledger, task, future.result())


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
