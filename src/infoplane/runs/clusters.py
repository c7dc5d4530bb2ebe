"""Dask clusters: worker processes of this machine, and clusters that somebody else keeps.

Who reaches a Dask scheduler or worker can run code there as the user that started it. So the processes started here
speak TLS with temporary credentials, which never leave them, and open no web page.
"""

import contextlib
import dataclasses
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infoplane.errors import ConfigError
from infoplane.runs import threads, worker
from infoplane.runs.provenance import differences, versions

CONNECT_SECONDS = 4
"""Seconds that a scheduler may take to answer."""

_LIGHT = {
    "distributed.admin.large-graph-warning-threshold": "1TB",
    "distributed.admin.low-level-log-length": 1,  # messages are tasks with their weights, and 1000 would be kept
}
"""Settings of Dask without which a long run fills the memory, or the screen."""

_CLOSED = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
"""Settings of Dask without its web pages, which need no credentials."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A Dask scheduler, and the credentials of a user of it.

    Attributes:
        address: as ``tls://HOST:PORT`` or ``tcp://HOST:PORT``.
        ca: file with the certificate of the authority that signed those of the cluster.
        cert: file with the certificate of this user.
        key: file with its private key; None if it is in the file of the certificate.
    """

    address: str
    ca: str | Path | None = None
    cert: str | Path | None = None
    key: str | Path | None = None

    def security(self) -> Any:
        """Return the credentials as Dask takes them; None without any.

        Raises:
            ConfigError: for credentials that are incomplete or missing, or an address without TLS.
        """
        from distributed.security import Security

        given = {name: getattr(self, name) for name in ("ca", "cert", "key") if getattr(self, name) is not None}
        if not given:
            return None
        if not self.address.startswith("tls://"):
            raise ConfigError(f"cluster is '{self.address}'; expected tls://HOST:PORT with credentials of TLS")
        for name in ("ca", "cert"):
            if name not in given:
                raise ConfigError(f"tls-{name} is missing; give the files of the authority and of the certificate")
        for name, path in given.items():
            if not Path(path).is_file():
                raise ConfigError(f"tls-{name}: expected a file, got '{path}'. Give the path of a PEM file.")
        files = {"tls_ca_file": self.ca, "tls_client_cert": self.cert, "tls_client_key": self.key or self.cert}
        return Security(require_encryption=True, **{name: str(path) for name, path in files.items()})


@contextlib.contextmanager
def local(n_workers: int) -> Iterator[Any]:
    """Start worker processes on this machine, one task each at a time; yield a Dask client of them.

    A dead worker is replaced. Scheduler, workers and client speak TLS with credentials made for this call.
    """
    from dask import config as dask_config  # pyright: ignore[reportPrivateImportUsage]
    from distributed import Client, LocalCluster
    from distributed.security import Security

    settings = {
        "distributed.nanny.pre-spawn-environ": threads.worker_environment(n_workers),
        "distributed.scheduler.allowed-failures": 0,  # the run itself repeats failed tasks
        "distributed.worker.multiprocessing-method": "spawn",
        **_LIGHT,
        **_CLOSED,
    }
    with _environment_kept(), dask_config.set(settings):
        cluster: Any = LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            security=Security.temporary(),
            dashboard_address="127.0.0.1:0",  # without an address Dask opens port 8787
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL + 1,
            preload=["infoplane.runs.worker"],
        )
        cluster.loop.add_callback(cluster.scheduler.http_server.stop)
        client = Client(cluster, set_as_default=False)  # or everything else would be sent there too
        try:
            yield client
        finally:
            _end(cluster, client)


def _end(cluster: Any, client: Any) -> None:
    """End worker processes at once: whatever they still compute is of no use to anybody."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        with contextlib.suppress(OSError, TypeError):  # it is dead already, or has yet to start
            os.kill(nanny.pid, signal.SIGKILL)
    for end in (client, cluster):
        with contextlib.suppress(Exception):  # errors of Dask at its end
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
def connection(cluster: Cluster) -> Iterator[Any]:
    """Connect to a Dask cluster that somebody else keeps; yield a Dask client of it.

    Raises:
        ConfigError: when no scheduler answers, or the credentials cannot be used.
    """
    from dask import config as dask_config  # pyright: ignore[reportPrivateImportUsage]
    from distributed import Client

    security = cluster.security()
    with dask_config.set(_LIGHT):
        try:
            client = Client(cluster.address, timeout=CONNECT_SECONDS, set_as_default=False, security=security)
        except Exception as error:  # Dask raises what its transport raises, for a bad address too
            text = " ".join(str(error).split())[:200]
            raise ConfigError(
                f"cluster: no Dask scheduler answers at '{cluster.address}' ({text}); start one"
            ) from None
        try:
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.close(timeout=2)


class Roll:
    """The workers of a cluster, each checked when it joins: those with other package versions get no task."""

    def __init__(self, client: Any) -> None:
        self._client, self._own = client, versions()
        self._accepted: set[str] = set()
        self._refused: dict[str, str] = {}
        self._news: dict[str, str] = {}
        self._slots = 0

    def require_all(self) -> None:
        """Check the workers at the start of a run.

        Raises:
            ConfigError: when there is none, or one cannot be used.
        """
        self.slots()
        if self._refused:
            name, why = next(iter(self._refused.items()))
            raise ConfigError(f"cluster: worker {name} {why}; give it the same versions and variables")
        if not self._accepted:
            raise ConfigError("cluster: has no workers yet; start some, then run again")

    def slots(self) -> int:
        """Check new workers, and return the number of threads of the accepted ones."""
        try:
            there: Mapping[str, int] = self._client.nthreads()
            self._check([name for name in there if name not in self._accepted and name not in self._refused])
        except Exception:  # the cluster does not answer: its futures raise then
            return max(1, self._slots)
        self._accepted &= set(there)
        self._refused = {name: why for name, why in self._refused.items() if name in there}
        self._slots = sum(count for name, count in there.items() if name in self._accepted)
        return self._slots

    def chosen(self) -> dict[str, Any]:
        """Return the arguments with which Dask sends a task to accepted workers.

        Another worker may take it when they are gone, as after a restart; `infoplane.runs.worker.compute_as` refuses
        the task there if the versions differ.
        """
        return {"workers": sorted(self._accepted), "allow_other_workers": True} if self._accepted else {}

    def news(self) -> dict[str, str]:
        """Return the workers that were refused since the last call, each with the reason."""
        news, self._news = self._news, {}
        return news

    def _check(self, names: list[str]) -> None:
        if not names:
            return
        found = self._client.run(worker.versions, workers=names, on_error="return")
        for name, there in found.items():
            if isinstance(there, Mapping) and there == self._own:
                self._accepted.add(name)
            else:
                self._refused[name] = self._news[name] = _why(self._own, there)


def _why(own: Mapping[str, str], there: Any) -> str:
    if isinstance(there, Mapping):
        return f"has other versions ({'; '.join(differences(own, there))})"
    return f"cannot use infoplane ({' '.join(str(there).split())[:200]})"


def n_threads(client: Any) -> int:
    """Return the number of threads of a cluster's workers now; one where the cluster does not answer."""
    try:
        return sum(client.nthreads().values())
    except Exception:  # its futures raise then
        return 1
