"""The one place that decides how many threads and devices a process computes with.

XLA rounds large products differently with another number of threads. So the number belongs to the run: it is fixed
when the run begins, kept in ``run.json``, and every process that computes for the run, worker or not, starts JAX
with it. BLAS gets one thread while a task computes, for the same reason and because tasks already run side by side.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from infoplane._import_jax import import_jax
from infoplane.errors import ConfigError

if TYPE_CHECKING:
    from infoplane.nets.train import Device

MAX_THREADS = 1024

BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables by which BLAS libraries learn their number of threads when they are loaded."""


THREADS = "INFOPLANE_THREADS"
"""Environment variable that says how many threads to use where it is not to be every core."""


def cores() -> int:
    """Number of threads to compute with: what ``INFOPLANE_THREADS`` says, else every core this process may use.

    Raises:
        ConfigError: when the variable is no number of threads.
    """
    asked = os.environ.get(THREADS, "")
    if asked and not (asked.isdecimal() and 1 <= int(asked) <= MAX_THREADS):
        raise ConfigError(f"{THREADS} is '{asked}'; expected a number of threads from 1 to {MAX_THREADS}")
    if asked:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_environment(n_workers: int) -> dict[str, str]:
    """Environment variables of each of several worker processes on this machine.

    ``INFOPLANE_THREADS`` is then the worker's share of the cores.
    """
    share = max(1, cores() // n_workers)
    return dict.fromkeys(BLAS_THREADS, "1") | {THREADS: str(share)}


def start_jax(n_threads: int) -> "list[Device]":
    """Start JAX with a number of threads and as many CPU devices, and return what there is to compute on.

    Accelerators are used where JAX has them. Where JAX is already running, what is there is used.
    """
    import_jax()
    import jax

    with contextlib.suppress(RuntimeError):  # JAX is already running
        jax.config.update("jax_num_cpu_devices", n_threads)
    with _environment({"NPROC": str(n_threads)}):  # read by XLA when it starts
        return jax.local_devices()


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


class _OneBlasThread:
    """Holds BLAS at one thread while any thread of this process computes."""

    def __init__(self) -> None:
        self._lock, self._users, self._limits = threading.Lock(), 0, contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limits.enter_context(_blas().limit(limits=1, user_api="blas"))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limits.close()


one_blas_thread = _OneBlasThread()
"""Context in which BLAS has one thread; may be entered by several threads at once."""


def _blas() -> Any:
    """Return the BLAS libraries that are loaded; looked up each time, since a task may have loaded more."""
    import threadpoolctl  # comes with scikit-learn

    return threadpoolctl.ThreadpoolController()


class Devices:
    """Devices of this process, each lent to one task at a time; the one given back last is lent first."""

    def __init__(self, devices: "list[Device]") -> None:
        self._free, self._count = list(devices), len(devices)
        self._ready = threading.Condition()

    def __len__(self) -> int:
        return self._count

    @contextlib.contextmanager
    def one(self) -> "Iterator[Device]":
        """Wait for a device and hold it."""
        with self._ready:
            self._ready.wait_for(lambda: self._free)
            device = self._free.pop()
        try:
            yield device
        finally:
            with self._ready:
                self._free.append(device)
                self._ready.notify()
