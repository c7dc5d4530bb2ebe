"""The engine: trains groups of members, measures them on the way, keeps what was measured.

Tasks are groups of members over stretches of training; see `infoplane.runs.task`. A task's numbers depend on
the configuration and the task alone, so one device, several, and any number of workers give the same bits.
"""

import contextlib
import json
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane import files
from infoplane.errors import InfoplaneError, StoreError
from infoplane.runs import pools, worker
from infoplane.runs.config import Config, override, parse
from infoplane.runs.dispatch import Advanced, Dispatch, Meter, Noted, OnEvent, WorkersLostError
from infoplane.runs.job import Job
from infoplane.runs.ledger import GroupLedger, ledgers
from infoplane.runs.provenance import changes
from infoplane.runs.stop import stop_on_signals
from infoplane.runs.store import Store
from infoplane.runs.task import MISSING

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Advanced", "IncompleteError", "Interrupted", "Noted", "OnEvent", "resume", "run"]

RESULT = "results.nc"


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop; what was measured is on disk.

    Attributes:
        folder: the run's folder.
        signal_number: the signal that asked for it.
        unfinished: whether threads of this process still compute, whose work is dropped.
    """

    def __init__(self, folder: Path, signal_number: int, *, unfinished: bool = False) -> None:
        super().__init__(f"interrupted; what was measured is in {folder / RESULT}; continue with '{_go_on(folder)}'")
        self.folder, self.signal_number, self.unfinished = folder, signal_number, unfinished


class IncompleteError(InfoplaneError, RuntimeError):
    """The run ended without a result that could be shown; what was measured is on disk."""


def _go_on(folder: Path) -> str:
    return f"infoplane resume {shlex.quote(str(folder))}"


def run(config: Config, folder: Path, on_event: OnEvent | None = None, executor: pools.Where = None) -> "xr.Dataset":
    """Train and measure a configuration in a new folder and return its result.

    Args:
        config: what to run; a sweep runs every combination.
        folder: where everything is kept; must not hold a run yet.
        on_event: called with the progress, and with what is to be known.
        executor: where tasks are computed: None in this process, a number of local worker processes, the
            address of a Dask scheduler, or any `concurrent.futures.Executor`. The numbers do not depend on it.

    Returns:
        The result; ``attrs["failed"]`` lists as JSON what failed for good, whose numbers are NaN.

    Raises:
        ConfigError: when the configuration does not fit its data, or the executor cannot be used; nothing is
            written.
        StoreError: when the folder cannot be used.
        Interrupted: on SIGINT or SIGTERM, after what was measured is on disk.
        IncompleteError: when the workers are lost or nothing at all could be measured.
    """
    job = Job(config)
    job.check()
    Store.check_free(folder)
    if on_event and (names := config.left_out):
        told = "measure.sparse needs epochs that are known beforehand; or set measure.sparse to []"
        on_event(Noted(f"without {', '.join(names)}, with schedule '{config.schedule.kind}': {told}"))
    with pools.prepared(executor) as opener, Store.create(folder, config, job.data) as store:
        return _work(job, store, on_event, opener)


def resume(
    folder: Path,
    on_event: OnEvent | None = None,
    executor: pools.Where = None,
    overrides: Mapping[str, Any] | None = None,
) -> "xr.Dataset":
    """Go on with a run from what is on disk, to the bit as if it had never stopped; see `run`.

    What is damaged on disk is dropped and computed again. ``overrides`` are keys of the configuration that must
    be what they were (only ``memory`` may change).

    Raises:
        StoreError: also when the configuration, the data or a package is another one than before; names each
            difference.
    """
    store = Store.open(folder)
    config = store.config
    job = Job(parse(override(config.tree(), overrides or {})))
    if told := changes(store.about, config, job.config, job.data):
        raise StoreError(
            f"{folder}: cannot go on, since new numbers would disagree with the old ones: {'; '.join(told)}; undo "
            "that, or start a new run beside it with --force-new"
        )
    with pools.prepared(executor) as opener, store.lock():
        store.sweep()
        for text in [*store.drop_damaged(), *store.drop_missing()]:
            if on_event:
                on_event(Noted(text))
        return _work(job, store, on_event, opener)


def _work(job: Job, store: Store, on_event: OnEvent | None, opener: pools.Opener) -> "xr.Dataset":
    """Compute what is missing, then put the pieces together."""
    found = ledgers(job, store)
    left = [ledger for ledger in found if not ledger.finished]
    if not left and (done := ready(store, on_event)) is not None:
        return done
    store.record("start", groups=len(found), groups_left=len(left))
    if left:
        _compute(job, store, found, on_event, opener)
    ds = _finish(job, store, found)
    if ds.sizes["epoch"] == 0:
        reasons = {one["reason"] for one in json.loads(ds.attrs["failed"])}
        raise IncompleteError(f"{store.folder}: nothing could be measured: {'; '.join(sorted(reasons))}")
    return ds


def ready(store: Store, on_event: OnEvent | None) -> "xr.Dataset | None":
    """Return the result of a run that has ended, when it stands as it was written."""
    from infoplane import results

    ended = [event for event in store.events() if event.get("event") in ("start", "done")]
    if not ended or ended[-1]["event"] != "done":
        return None
    path = store.folder / RESULT
    if path.is_file() and files.sha256(path) == ended[-1].get("sha256"):
        return results.load(path)
    if on_event:
        on_event(Noted(f"{path}: content differs from what was written (SHA-256); put together again"))
    return None


def _compute(
    job: Job,
    store: Store,
    found: list[GroupLedger],
    on_event: OnEvent | None,
    opener: pools.Opener,
) -> None:
    """Work through the groups that are left; on a signal write what there is and raise `Interrupted`."""
    resumed = sum(len(one.kept) * one.epochs_done for one in found)
    meter = Meter(resumed, job.net_epochs, on_event, job.unit)
    with stop_on_signals() as stop, opener(int(store.about["threads"])) as pool:
        dispatch = Dispatch(job, found, pool, store, stop, meter)
        for plan in job.plans if pool.shares_process else ():
            worker.know(plan)
        try:
            dispatch.work()
        except WorkersLostError as lost:
            with contextlib.suppress(StoreError):
                _finish(job, store, found)
            told = f"{lost}; what was measured is kept; continue with '{_go_on(store.folder)}'"
            raise IncompleteError(told) from None
        finally:
            worker.forget()
        if stop.signal_number is not None:
            with contextlib.suppress(StoreError):
                _finish(job, store, found)
            raise Interrupted(store.folder, stop.signal_number, unfinished=dispatch.unfinished)


def _finish(job: Job, store: Store, found: list[GroupLedger]) -> "xr.Dataset":
    """Merge the pieces on disk into ``results.nc``."""
    from infoplane import results
    from infoplane.runs.merge import merge

    start = time.monotonic()
    failed = [one | {"labels": job.labels_of(one["group"])} for one in failures(store.events(), found)]
    ds = merge(job, store, failed)
    digest = results.save(ds, store.folder / RESULT, store.record_file)
    if all(ledger.finished for ledger in found):
        store.record("done", sha256=digest, seconds={"storing": round(time.monotonic() - start, 3)})
    return ds


def failures(events: list[dict[str, Any]], found: list[GroupLedger]) -> list[dict[str, Any]]:
    """Return what failed for good since the run was last started, as the log has it.

    An entry with a ``layer`` is about that layer at that epoch, another about all from that epoch on.
    """
    starts = [place for place, event in enumerate(events) if event.get("event") == "start"]
    told = {}
    for event in events[starts[-1] :] if starts else []:
        number, keys = event.get("group"), ["group", "members", "epoch", "tries", "reason"]
        if not isinstance(number, int) or not 0 <= number < len(found):
            continue
        if event.get("event") == MISSING:
            keys.insert(3, "layer")
        elif event.get("event") != "failed" or found[number].finished or event.get("task") != found[number].next_id:
            continue
        told[number, event.get("epoch"), event.get("layer")] = {key: event.get(key) for key in keys}
    return list(told.values())
