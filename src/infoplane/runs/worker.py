"""Computing one task, in this process or in a worker: the only function that workers are sent."""

import collections
import dataclasses
import threading
from typing import TYPE_CHECKING, Any

from infoplane._import_jax import precision
from infoplane.errors import ConfigError
from infoplane.runs import threads
from infoplane.runs.config import Config
from infoplane.runs.plan import Plan
from infoplane.runs.task import Measured, Measurement, Outcome, Work

if TYPE_CHECKING:
    from infoplane.nets.train import Trainer
    from infoplane.runs.group import Advanced

KEPT_PLANS = 4
"""Plans whose data and compiled programs a process keeps at hand."""


class _Workshop:
    """What a process needs to compute tasks: devices, and the plans and programs it has used last."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._devices: threads.Devices | None = None
        self._built: collections.OrderedDict[tuple[str, str], tuple[Plan, Trainer]] = collections.OrderedDict()
        self._made: dict[str, Plan] = {}

    def know(self, plan: Plan) -> None:
        """Use the data that this process has already made for a plan."""
        with self._lock:
            self._made[plan.config.canonical()] = plan

    def forget(self) -> None:
        """Let go of all data and programs."""
        with self._lock:
            self._made.clear()
            self._built.clear()

    def devices(self, n_threads: int) -> threads.Devices:
        """Return the devices of this process; JAX is started at the first call."""
        with self._lock:
            if self._devices is None:
                self._devices = threads.Devices(threads.start_jax(n_threads))
            return self._devices

    def build(self, task: Work) -> "tuple[Plan, Trainer]":
        """Return the plan and the programs of a task.

        Raises:
            ConfigError: when the data set here is not the one that the run began with.
        """
        key = task.config, task.data_sha256
        with self._lock:
            if key not in self._built:
                self._built[key] = self._build(task)
            self._built.move_to_end(key)
            if len(self._built) > KEPT_PLANS:
                self._built.popitem(last=False)
            return self._built[key]

    def _build(self, task: Work) -> "tuple[Plan, Trainer]":
        from infoplane.runs.group import make_trainer

        plan = self._made.pop(task.config, None) or Plan(Config.model_validate_json(task.config))
        if plan.data_sha256 != task.data_sha256:
            raise ConfigError(
                f"data set '{plan.dataset.name}' is another one here (SHA-256 {plan.data_sha256[:12]}…, the run's is "
                f"{task.data_sha256[:12]}…); give every worker the same files"
            )
        return plan, make_trainer(plan)


_workshop = _Workshop()
know, forget = _workshop.know, _workshop.forget


def n_devices(n_threads: int) -> int:
    """Number of tasks that this process can compute at once; starts JAX."""
    return len(_workshop.devices(n_threads))


def compute(task: Work, stop: threading.Event | None = None, advanced: "Advanced | None" = None) -> Outcome | Measured:
    """Compute a task, or measure; the numbers depend on the task alone, not on where or beside what it is computed.

    Args:
        task: what to compute.
        stop: ends the task early, with what it has measured; only where it shares the process.
        advanced: told the net-epochs trained so far; only where it shares the process.
    """
    devices = _workshop.devices(task.threads)
    from infoplane.runs.group import GroupRun

    # runs train in float32, also where the user has switched JAX to 64 bits
    with precision(double=False), devices.one() as device, threads.one_blas_thread:
        plan, trainer = _workshop.build(task)
        group, stop = GroupRun(plan, trainer, task.group, device), stop or threading.Event()
        if isinstance(task, Measurement):
            return group.measure(task, stop)
        return group.work(task, stop, advanced or (lambda _: None))


class VersionsError(ConfigError):
    """A worker has other package versions than the process that hands out the tasks."""


def compute_as(expected: dict[str, str], task: Work) -> Outcome | Measured:
    """Compute a task in another process, with the versions of the process that hands it out; see `compute`.

    Returns:
        The result with the versions that it was computed with.

    Raises:
        VersionsError: when this process has other versions; names each difference.
    """
    from infoplane.runs.provenance import differences

    own = versions()
    if told := differences(expected, own):
        raise VersionsError(f"a worker has other versions ({'; '.join(told)}); give every worker the same")
    return dataclasses.replace(compute(task), versions=own)


def versions(_: Any = None) -> dict[str, str]:
    """Versions of the packages that decide a result, in this process."""
    from infoplane.runs.provenance import versions

    return versions()


def dask_setup(started: Any) -> None:
    """Leave Ctrl-C to the process that hands out the tasks, and close the web server; called by Dask in each worker."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if (server := getattr(started, "http_server", None)) is not None:
        server.stop()


def reason_of(error: BaseException) -> str:
    """Say in one line why a task failed."""
    text = " ".join(str(error).split())
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:300]
