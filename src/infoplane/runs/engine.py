"""The engine: trains groups of members, measures them on the way, keeps what was measured.

One worker thread for each device takes one group after the other. A group's numbers depend on the configuration
and the group alone, so one device and several give the same bits.
"""

import contextlib
import os
import queue
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane.errors import StoreError
from infoplane.runs.config import Config
from infoplane.runs.plan import Plan
from infoplane.runs.store import Piece, Store

if TYPE_CHECKING:
    import xarray as xr

    from infoplane.nets.train import Device

OnEvent = Callable[["Advanced"], None]


class Advanced:
    """Progress of a run: epochs done and to do, counted over members (net-epochs)."""

    __slots__ = ("done", "resumed", "total")

    def __init__(self, done: int, total: int, resumed: int) -> None:
        self.done, self.total, self.resumed = done, total, resumed


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop; what was measured is on disk.

    Attributes:
        folder: the run's folder.
        signal_number: the signal that asked for it.
    """

    def __init__(self, folder: Path, signal_number: int) -> None:
        command = f"infoplane resume {shlex.quote(str(folder))}"
        super().__init__(f"interrupted; what was measured is in {folder / 'results.nc'}; continue with '{command}'")
        self.folder, self.signal_number = folder, signal_number


def run(config: Config, folder: Path, on_event: OnEvent | None = None) -> "xr.Dataset":
    """Train and measure a configuration in a new folder and return its result.

    Raises:
        ConfigError: when the configuration does not fit its data; nothing is written.
        StoreError: when the folder cannot be used.
        Interrupted: on SIGINT or SIGTERM, after what was measured is on disk.
    """
    plan = Plan(config)
    plan.check()
    with Store.create(folder, config) as store:
        return _work(plan, store, on_event)


def resume(folder: Path, on_event: OnEvent | None = None) -> "xr.Dataset":
    """Go on with a run from what is on disk, to the bit as if it had never stopped; see `run`."""
    store = Store.open(folder)
    plan = Plan(store.config)
    with store.lock():
        store.sweep()
        return _work(plan, store, on_event)


def _work(plan: Plan, store: Store, on_event: OnEvent | None) -> "xr.Dataset":
    """Compute what is missing, then put the pieces together."""
    left = [index for index, _ in enumerate(plan.config.groups) if not _finished(plan, store, index)]
    store.record("start", groups_left=len(left))
    if left:
        with _stop_on_signals() as stop:
            _compute(plan, store, left, stop, on_event)
        if stop.signal_number is not None:
            with contextlib.suppress(StoreError):
                _finish(plan, store)
            raise Interrupted(store.folder, stop.signal_number)
    ds = _finish(plan, store)
    store.record("done")
    return ds


def _finished(plan: Plan, store: Store, group: int) -> bool:
    chain = store.pieces(group)
    return bool(chain) and chain[-1].last == plan.config.train.epochs


def _finish(plan: Plan, store: Store) -> "xr.Dataset":
    """Merge the pieces on disk into ``results.nc``."""
    from infoplane import results
    from infoplane.runs.merge import merge

    ds = merge(plan, store)
    results.save(ds, store.folder / "results.nc", store.record_file)
    return ds


class _Stop(threading.Event):
    """Set when the run is to stop; remembers which signal asked for it."""

    signal_number: int | None = None


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[_Stop]:
    """Turn the first SIGINT or SIGTERM into a request to stop; a second one ends the process at once."""
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: Any) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.signal_number = number
        stop.set()

    for number in kept:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def devices(wanted: int) -> "list[Device]":
    """Return the devices to train on: accelerators where JAX has them, else one CPU device a core.

    The number of CPU devices is set before JAX is first used; where JAX is already running, what is there is
    used. The numbers do not depend on it.
    """
    import jax

    with contextlib.suppress(RuntimeError):  # JAX is already running
        jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    return jax.local_devices()[:wanted]


def _compute(plan: Plan, store: Store, groups: list[int], stop: _Stop, on_event: OnEvent | None) -> None:
    """Work through the groups, one thread a device; the first failure stops the others."""
    from infoplane.runs.group import GroupRun, make_trainer

    free: queue.Queue[Any] = queue.Queue()
    available = devices(len(groups))
    for device in available:
        free.put(device)
    trainer = make_trainer(plan)
    meter = _Meter(plan, store, on_event)
    writing = threading.Lock()

    def work(group: int) -> None:
        device = free.get()
        try:
            if not stop.is_set():
                GroupRun(plan, trainer, group, device).work(store, writing, stop, meter.advance)
        except BaseException:
            stop.set()
            raise
        finally:
            free.put(device)

    with ThreadPoolExecutor(len(available), thread_name_prefix="infoplane") as pool:
        futures = [pool.submit(work, group) for group in groups]
        _wait(futures)
    for future in futures:
        future.result()


def _wait(futures: list[Any]) -> None:
    """Wait in short steps, so that the main thread hears signals."""
    for future in futures:
        while not future.done():
            time.sleep(0.02)


class _Meter:
    """Counts net-epochs over all threads and tells whoever listens."""

    def __init__(self, plan: Plan, store: Store, on_event: OnEvent | None) -> None:
        config = plan.config
        sizes = [sum(member < config.members for member in group) for group in config.groups]
        self._total = config.members * config.train.epochs
        self._resumed = sum(sizes[piece.group] * _epochs_of(piece) for piece in store.pieces())
        self._done, self._on_event, self._lock = self._resumed, on_event, threading.Lock()

    def advance(self, net_epochs: int) -> None:
        with self._lock:
            self._done += net_epochs
            if self._on_event:
                self._on_event(Advanced(self._done, self._total, self._resumed))


def _epochs_of(piece: Piece) -> int:
    """Number of trained epochs in a stretch; epoch 0 is not trained."""
    return piece.last - max(piece.first, 1) + 1
