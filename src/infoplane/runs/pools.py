"""Where tasks are computed: threads of this process, local worker processes, a cluster, any executor.

Whatever it is stands behind the interface of `concurrent.futures.Executor`; worker processes and clusters are
Dask's. Workers are spawned, never forked, since JAX does not survive a fork.
"""

import contextlib
import functools
import importlib.util
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from infoplane._import_jax import check_process
from infoplane.errors import ConfigError
from infoplane.runs import clusters, threads, worker
from infoplane.runs.clusters import Cluster
from infoplane.runs.provenance import versions
from infoplane.runs.task import Measured, Outcome, Work

if TYPE_CHECKING:
    from infoplane.runs.group import Advanced

Where = Any
"""None: this process; a number of local worker processes; the address of a Dask scheduler, or a `Cluster`; an executor.
Checked by hand in `prepared`, since users give it."""

MAX_WORKERS = 1024


class Pool:
    """An executor that tasks are sent to.

    Args:
        executor: computes the tasks.
        slots: returns the number of tasks that can be computed at once now.
        roll: the workers of a cluster that may compute.

    Attributes:
        shares_process: whether tasks run in this process, so that they can be stopped and followed.
    """

    def __init__(self, executor: Executor, slots: Callable[[], int], roll: "clusters.Roll | None" = None) -> None:
        self._executor, self._slots, self._roll = executor, slots, roll
        self.shares_process = isinstance(executor, ThreadPoolExecutor)
        self._versions = versions()

    @property
    def slots(self) -> int:
        """Number of tasks that can be computed at once now."""
        return max(1, self._slots())

    def submit(self, task: Work, stop: threading.Event, advanced: "Advanced") -> "Future[Outcome | Measured]":
        """Send a task; another process computes it only with the package versions of this one."""
        if self.shares_process:
            return self._executor.submit(worker.compute, task, stop, advanced)
        chosen = self._roll.chosen() if self._roll else {}
        return self._executor.submit(functools.partial(worker.compute_as, self._versions), task, **chosen)

    def refused(self) -> dict[str, str]:
        """Return the workers that were refused since the last call, each with the reason."""
        return self._roll.news() if self._roll else {}


Opener = Callable[[int], contextlib.AbstractContextManager[Pool]]
"""Opens a pool for a number of threads that JAX computes with."""


@contextlib.contextmanager
def prepared(where: Where) -> Iterator[Opener]:
    """Check where tasks are to be computed, before anything is written, and connect to a cluster.

    Raises:
        InfoplaneError: when this process is a fork in which JAX cannot start.
        ConfigError: when Dask is missing, nobody listens at an address, or its workers run other versions.
    """
    if where is None:
        check_process()
        yield _threads
    elif isinstance(where, bool) or not isinstance(where, int | str | Cluster | Executor):
        raise ConfigError(f"executor is {where!r}; expected a number of workers, an address or an executor")
    elif isinstance(where, Executor):
        pool = _executor_pool(where)
        yield lambda _: contextlib.nullcontext(pool)
    elif isinstance(where, int):
        if not 1 <= where <= MAX_WORKERS:
            raise ConfigError(f"workers is {where}; expected 1 to {MAX_WORKERS} processes")
        _need_dask()
        _need_cryptography()
        yield lambda _: _workers(where)
    else:
        _need_dask()
        with clusters.connection(where if isinstance(where, Cluster) else Cluster(where)) as client:
            pool = _cluster_pool(client.get_executor(pure=False), client)
            yield lambda _: contextlib.nullcontext(pool)


def _executor_pool(executor: Executor) -> Pool:
    """Return the pool of an executor that somebody else keeps."""
    client = getattr(executor, "_client", None)
    if client is None:
        return Pool(executor, lambda: getattr(executor, "_max_workers", None) or threads.cores())
    if type(executor).__module__.startswith("distributed."):
        return _cluster_pool(executor, client)
    return Pool(executor, lambda: clusters.n_threads(client))


def _cluster_pool(executor: Executor, client: Any) -> Pool:
    """Return the pool of a Dask cluster that somebody else keeps: each worker is checked when it joins."""
    roll = clusters.Roll(client)
    roll.require_all()
    return Pool(executor, roll.slots, roll)


@contextlib.contextmanager
def _workers(count: int) -> Iterator[Pool]:
    """Worker processes on this machine."""
    with clusters.local(count) as client:
        yield Pool(client.get_executor(pure=False), lambda: clusters.n_threads(client))


@contextlib.contextmanager
def _threads(n_threads: int) -> Iterator[Pool]:
    """One thread a device of this process; those without a group measure for the others."""
    count = worker.n_devices(n_threads)
    executor = ThreadPoolExecutor(count, thread_name_prefix="infoplane")
    try:
        yield Pool(executor, lambda: count)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _need_dask() -> None:
    if importlib.util.find_spec("distributed") is None:
        raise ConfigError("workers and clusters need Dask: pip install 'infoplane[dask]'")


def _need_cryptography() -> None:
    if importlib.util.find_spec("cryptography") is None:
        raise ConfigError("workers need the package cryptography for their TLS: pip install 'infoplane[dask]'")
