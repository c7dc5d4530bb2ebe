"""What a run's folder holds, in words."""

import datetime
import shlex
import time
from pathlib import Path
from typing import Any

from infoplane.runs import computed
from infoplane.runs.config import Config
from infoplane.runs.engine import failures
from infoplane.runs.job import Job
from infoplane.runs.ledger import GroupLedger, ledgers
from infoplane.runs.store import Store


def status_lines(folder: Path) -> list[str]:
    """Say what was asked for, what is done, what failed, what is left and how long it will take.

    Raises:
        StoreError: when the folder holds no run, or it cannot be read.
    """
    if computed.is_computed(folder):
        return computed.status_lines(folder)
    store = Store.open(folder)
    job = Job(store.config)
    found, events = ledgers(job, store), store.events()
    finished = sum(ledger.finished for ledger in found)
    total = sum(ledger.last * len(ledger.kept) for ledger in found)
    done = sum(ledger.epochs_done * len(ledger.kept) for ledger in found)
    failed = failures(events, found)
    groups = f"{finished} of {len(found)} groups of {job.config.width} members"
    lines = [
        f"{folder}: {describe(job.config)}, started {store.about.get('created', 'at an unknown time')}",
        f"done: {groups}, {done / total:.1%} of all epochs",
        *(_tell_failure(one) for one in failed),
    ]
    if finished == len(found) and (folder / "results.nc").is_file():
        return [*lines, "complete: results.nc is there"]
    lines += _time_left(events, found, total - done, running=bool(owner := store.owner()))
    go_on = f"infoplane resume {shlex.quote(str(folder))}"
    return [*lines, f"running: {owner}" if owner else f"left: continue with '{go_on}'"]


def describe(config: Config) -> str:
    """Say in a few words what a configuration asks for."""
    words = f"{config.name}, {config.members} members × {config.train.epochs} epochs"
    if config.variants:
        words += f", {len(config.variants)} variants"
    if config.sweep:
        words += ", swept over " + " × ".join(f"{key} ({len(values)})" for key, values in config.sweep)
    return words


def _tell_failure(one: dict[str, Any]) -> str:
    where = f"{one['layer']} of " if "layer" in one else ""
    return f"failed: {where}members {one['members']} at epoch {one['epoch']} ({one['tries']} tries): {one['reason']}"


def _time_left(events: list[dict[str, Any]], found: list[GroupLedger], left: int, *, running: bool) -> list[str]:
    """Estimate the time that is left from the pace of the last session that has written anything."""
    pace = _pace(events, found)
    if pace is None or left == 0:
        return []
    per_second, last = pace
    seconds = left / per_second - (max(0.0, time.time() - last) if running else 0.0)
    duration = datetime.timedelta(seconds=max(1, round(seconds)))
    return [f"time left: about {duration} at the pace of the last session ({per_second:.3g} net-epochs/s)"]


def _pace(events: list[dict[str, Any]], found: list[GroupLedger]) -> tuple[float, float] | None:
    """Return net-epochs per second of the last session with a piece, and when it wrote its last one."""
    sessions: list[list[dict[str, Any]]] = []
    for event in events:
        if not isinstance(event.get("time"), int | float):
            continue  # damaged
        if event.get("event") == "start":
            sessions.append([event])
        elif event.get("event") == "piece" and sessions:
            sessions[-1].append(event)
    for start, *pieces in reversed(sessions):
        trained = sum(_net_epochs(piece, found) for piece in pieces)
        if pieces and trained > 0:
            seconds = pieces[-1]["time"] - start["time"]
            return trained / max(seconds, 1e-3), float(pieces[-1]["time"])
    return None


def _net_epochs(piece: dict[str, Any], found: list[GroupLedger]) -> int:
    """Epochs of a piece of the log, counted over members."""
    number, epochs = piece.get("group"), piece.get("epochs")
    if not isinstance(number, int) or not 0 <= number < len(found) or not isinstance(epochs, int):
        return 0
    return epochs * len(found[number].kept)
