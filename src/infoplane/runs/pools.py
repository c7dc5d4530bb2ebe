"""Where tasks are computed: threads of this process, local worker processes, a cluster, any executor.

Whatever it is stands behind the interface of `concurrent.futures.Executor`; worker processes and clusters are
Dask's. Workers are spawned, never forked, since JAX does not survive a fork.
"""

import contextlib
import importlib.util
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from infoplane.errors import ConfigError
from infoplane.runs import threads, worker
from infoplane.runs.task import Measured, Outcome, Work

if TYPE_CHECKING:
    from infoplane.runs.group import Advanced

Where = Any
"""None: this process; a number of local worker processes; the address of a Dask scheduler; an executor. Checked by
hand in `prepared`, since users give it."""

CONNECT_SECONDS = 4
"""How long a scheduler may take to answer."""

MAX_WORKERS = 1024


class Pool:
    """An executor that tasks are sent to.

    Attributes:
        shares_process: whether tasks run in this process, so that they can be stopped and followed.
    """

    def __init__(self, executor: Executor, slots: Callable[[], int]) -> None:
        self._executor, self._slots = executor, slots
        self.shares_process = isinstance(executor, ThreadPoolExecutor)

    @property
    def slots(self) -> int:
        """Number of tasks that can be computed at once now."""
        return max(1, self._slots())

    def submit(self, task: Work, stop: threading.Event, advanced: "Advanced") -> "Future[Outcome | Measured]":
        """Send a task."""
        if self.shares_process:
            return self._executor.submit(worker.compute, task, stop, advanced)
        return self._executor.submit(worker.compute, task)


_LIGHT = {
    "distributed.admin.large-graph-warning-threshold": "1TB",
    "distributed.admin.low-level-log-length": 1,  # messages are tasks with their weights, and 1000 would be kept
}
"""Settings of Dask without which a long run fills the memory, or the screen."""

Opener = Callable[[int], contextlib.AbstractContextManager[Pool]]
"""Opens a pool for a number of threads that JAX computes with."""


@contextlib.contextmanager
def prepared(where: Where) -> Iterator[Opener]:
    """Check where tasks are to be computed, before anything is written, and connect to a cluster.

    Raises:
        ConfigError: when Dask is missing, nobody listens at an address, or its workers run other versions.
    """
    if where is None:
        yield _threads
    elif isinstance(where, bool) or not isinstance(where, int | str | Executor):
        raise ConfigError(f"executor is {where!r}; expected a number of workers, an address or an executor")
    elif isinstance(where, Executor):
        yield lambda _: contextlib.nullcontext(Pool(where, lambda: _workers_of(where)))
    elif isinstance(where, int):
        if not 1 <= where <= MAX_WORKERS:
            raise ConfigError(f"workers is {where}; expected 1 to {MAX_WORKERS} processes")
        _need_dask()
        yield lambda _: _local_cluster(where)
    else:
        _need_dask()
        with _connection(where) as pool:
            yield lambda _: contextlib.nullcontext(pool)


def _workers_of(executor: Executor) -> int:
    """Number of tasks that an executor computes at once, where it says so; else a guess."""
    client = getattr(executor, "_client", None)
    if client is not None:
        return _dask_threads(client)
    return getattr(executor, "_max_workers", None) or threads.cores()


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


@contextlib.contextmanager
def _local_cluster(n_workers: int) -> Iterator[Pool]:
    """Worker processes on this machine, one task each at a time; a dead one is replaced."""
    from dask import config as dask_config  # pyright: ignore[reportPrivateImportUsage]
    from distributed import Client, LocalCluster

    settings = {
        "distributed.nanny.pre-spawn-environ": threads.worker_environment(n_workers),
        "distributed.scheduler.allowed-failures": 0,  # the run itself decides what is tried again, and beside what
        "distributed.worker.multiprocessing-method": "spawn",
        **_LIGHT,
    }
    with _environment_kept(), dask_config.set(settings):
        cluster = LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address=None,  # pyright: ignore[reportArgumentType]
            silence_logs=logging.CRITICAL + 1,
            preload=["infoplane.runs.worker"],
        )
        client = Client(cluster, set_as_default=False)  # or everything else would be sent there too
        try:
            yield Pool(client.get_executor(pure=False), lambda: _dask_threads(client))
        finally:
            _end(cluster, client)


def _end(cluster: Any, client: Any) -> None:
    """End worker processes at once: whatever they still compute is of no use to anybody."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        with contextlib.suppress(OSError, TypeError):  # it is dead already, or has yet to start
            os.kill(nanny.pid, signal.SIGKILL)
    for end in (client, cluster):
        with contextlib.suppress(Exception):  # what Dask has to say at its end
            end.close(timeout=2)


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """Put back the environment variables that Dask sets here for its workers."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for key in set(os.environ) - set(before):
            del os.environ[key]
        os.environ.update(before)


@contextlib.contextmanager
def _connection(address: str) -> Iterator[Pool]:
    """A Dask cluster that somebody else keeps."""
    from dask import config as dask_config  # pyright: ignore[reportPrivateImportUsage]
    from distributed import Client

    with dask_config.set(_LIGHT):
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except Exception as error:  # Dask raises what its transport raises, for a bad address too
            text = " ".join(str(error).split())[:200]
            raise ConfigError(f"cluster: no Dask scheduler answers at '{address}' ({text}); start one") from None
        try:
            _check_versions(client, address)
            yield Pool(client.get_executor(pure=False), lambda: _dask_threads(client))
        finally:
            with contextlib.suppress(Exception):
                client.close(timeout=2)


def _check_versions(client: Any, address: str) -> None:
    """Refuse a cluster whose workers would compute other numbers."""
    from infoplane.runs.provenance import differences, versions

    try:
        found = client.run(worker.versions)
    except Exception as error:  # whatever a worker without infoplane raises
        text = " ".join(str(error).split())[:200]
        raise ConfigError(f"cluster: a worker of {address} cannot use infoplane ({text}); install it there") from None
    if not found:
        raise ConfigError(f"cluster: {address} has no workers yet; start some, then run again")
    for name, there in found.items():
        if told := differences(versions(), there):
            raise ConfigError(f"cluster: worker {name} has other versions ({'; '.join(told)}); install the same")


def _dask_threads(client: Any) -> int:
    """Number of threads of a cluster's workers now; one where the cluster does not answer."""
    try:
        return sum(client.nthreads().values())
    except Exception:  # its futures will tell that it is gone
        return 1
