"""Runs that are computed piece by piece by a function of their own, such as a formula, not by the engine.

Their folder keeps the contract of every run: ``run.json`` before anything is computed, a lock, a piece for each member
(or for members that are computed together) with its checksum in the log, ``results.nc``. A run that is stopped goes on
with the pieces it lacks, to the same bits, since their numbers depend on the settings and their number alone.
"""

import dataclasses
import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from infoplane import results
from infoplane.errors import ConfigError, StoreError
from infoplane.runs import archive
from infoplane.runs.axes import flatten
from infoplane.runs.config import Section, override, read
from infoplane.runs.dispatch import Meter, Noted, OnEvent
from infoplane.runs.engine import RESULT, Interrupted, ready
from infoplane.runs.provenance import differences, versions
from infoplane.runs.stop import droppable, stop_on_signals
from infoplane.runs.store import Piece, Store
from infoplane.runs.threads import one_blas_thread

if TYPE_CHECKING:
    import xarray as xr

KIND = "computed"
"""What run.json says of such a folder."""

GRACE = 3.0
"""Seconds that a member, or other piece, has to end after a request to stop, before it is dropped."""

Pieces = Mapping[int, Mapping[str, np.ndarray]]
"""The arrays of each member, or other piece, that is there."""


class Settings(Section):
    """The keys that every computed run has; each experiment adds its own."""

    name: str
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    members: Annotated[int, Field(ge=1, le=10_000)] = 20
    unit: ClassVar[str] = "members"
    """What a piece is called: a member, unless several are computed together."""

    @property
    def pieces(self) -> int:
        """Number of pieces that are computed one by one and kept as files of their own."""
        return self.members

    def tree(self) -> dict[str, Any]:
        """Return the settings as nested keys."""
        return self.model_dump(mode="json")

    def canonical(self) -> str:
        """Return the settings as JSON with sorted keys: equal text, equal run."""
        return json.dumps(self.tree(), sort_keys=True, separators=(",", ":"))


@dataclasses.dataclass(frozen=True)
class Computation:
    """What is computed.

    Attributes:
        name: of the experiment.
        settings: its keys.
        member: returns the arrays of one member, or other piece; depends on its arguments alone.
        assemble: puts the pieces that are there into a data set; what others lack is NaN.
    """

    name: str
    settings: type[Settings]
    member: Callable[[Any, int], Mapping[str, np.ndarray]]
    assemble: "Callable[[Any, Pieces], xr.Dataset]"

    def read(self, tree: Mapping[str, Any]) -> Settings:
        """Check nested keys and return them.

        Raises:
            ConfigError: one line with the key's path, what came and what was expected.
        """
        settings = read(tree, self.settings)
        if settings.name != self.name:
            raise ConfigError(f"name is '{settings.name}'; a computed experiment keeps its name, '{self.name}'")
        return settings


def is_computed(folder: Path) -> bool:
    """Say whether a folder holds a computed run.

    Raises:
        StoreError: when it holds no run, or it cannot be read.
    """
    return Store(folder).about.get("kind") == KIND


def settings_in(folder: Path) -> dict[str, Any]:
    """Return the settings that a folder's run was asked for.

    Raises:
        StoreError: see `infoplane.runs.store.Store.open`.
    """
    return Store.open(folder).about["config"]


def run(computation: Computation, settings: Settings, folder: Path, on_event: OnEvent | None = None) -> "xr.Dataset":
    """Compute every piece in a new folder and return the result.

    Raises:
        StoreError: when the folder cannot be used.
        Interrupted: on SIGINT or SIGTERM, after what was computed is on disk.
    """
    with Store.create(folder, settings, kind=KIND) as store:
        return _work(computation, settings, store, on_event)


def resume(
    computation: Computation, folder: Path, on_event: OnEvent | None = None, overrides: Mapping[str, Any] | None = None
) -> "xr.Dataset":
    """Compute what a run lacks; what is damaged on disk is dropped and computed again.

    Raises:
        StoreError: also when the settings or a package are other ones than before; names each difference.
    """
    store = Store.open(folder)
    before = computation.read(store.about["config"])
    asked = computation.read(override(before.tree(), overrides or {}))
    told = differences(dict(flatten(before.tree())), dict(flatten(asked.tree())))
    told += [f"versions.{line}" for line in differences(store.about.get("versions", {}), versions())]
    if told:
        raise StoreError(
            f"{folder}: cannot go on, since new numbers would disagree with the old ones: {'; '.join(told)}; undo "
            "that, or start a new run beside it with --force-new"
        )
    with store.lock():
        store.sweep()
        for text in store.drop_damaged():
            if on_event:
                on_event(Noted(text))
        return _work(computation, before, store, on_event)


def _work(computation: Computation, settings: Settings, store: Store, on_event: OnEvent | None) -> "xr.Dataset":
    """Compute the pieces that are missing, then put all together."""
    there = {piece.group for piece in store.pieces()}
    left = [piece for piece in range(settings.pieces) if piece not in there]
    if not left and (done := ready(store, on_event)) is not None:
        return done
    store.record("start", groups=settings.pieces, groups_left=len(left), unit=settings.unit)
    meter = Meter(len(there), settings.pieces, on_event, settings.unit)
    with stop_on_signals() as stop:
        for piece in left:
            if stop.is_set():
                break
            arrays = None
            # one thread: the same bits on any number of cores; small matrices gain nothing from more
            with droppable(stop, GRACE), one_blas_thread:
                arrays = computation.member(settings, piece)
            if arrays is None:
                break
            path = store.folder / "pieces" / _piece(piece).file_name
            archive.write(path, arrays, store.record_file, inside=store.folder)
            meter.settle(piece, 1)
        if stop.signal_number is not None:
            if store.pieces():
                _finish(computation, settings, store)
            raise Interrupted(store.folder, stop.signal_number)
    digest = _finish(computation, settings, store)
    store.record("done", sha256=digest)
    return results.load(store.folder / RESULT)


def _piece(number: int) -> Piece:
    """What is kept of a piece, which has no stretches of epochs."""
    return Piece(number, 0, 0)


def _finish(computation: Computation, settings: Settings, store: Store) -> str:
    """Put the pieces on disk together into ``results.nc`` and return its SHA-256."""
    pieces = {piece.group: store.read_piece(piece) for piece in store.pieces()}
    told = {
        "config": settings.canonical(),
        "title": settings.name,
        "units": "bits",
        "seed": settings.seed,
        "versions": json.dumps(store.about["versions"], sort_keys=True),
        "failed": "[]",
    }
    ds = results.describe(computation.assemble(settings, pieces).assign_attrs(told))
    return results.save(ds, store.folder / RESULT, store.record_file)


def status_lines(folder: Path) -> list[str]:
    """Say what was asked for, what is done and what is left.

    Raises:
        StoreError: when the folder holds no run, or it cannot be read.
    """
    store = Store.open(folder)
    about, done = store.about, len(store.pieces())
    started = [event for event in store.events() if event.get("event") == "start"]
    asked = started[-1] if started else {}
    pieces, unit = int(asked.get("groups", about["config"]["members"])), asked.get("unit", Settings.unit)
    lines = [
        f"{folder}: {about['config']['name']}, computed, started {about.get('created', 'at an unknown time')}",
        f"done: {done} of {pieces} {unit}",
    ]
    if done == pieces and (folder / RESULT).is_file():
        return [*lines, f"complete: {RESULT} is there"]
    go_on = f"infoplane resume {shlex.quote(str(folder))}"
    return [*lines, f"running: {owner}" if (owner := store.owner()) else f"left: continue with '{go_on}'"]
