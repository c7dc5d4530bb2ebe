"""The folder of a recording: what it is of, its rows as they come, its result.

Every measured epoch is one line of ``rows.jsonl``, flushed to disk before training goes on; a last line that a crash
tore is left out. A training that is started again goes on in the same folder: its rows replace those of the same and
later epochs. Every line and ``run.json`` carry a checksum; the log has a copy of ``run.json``.
"""

import collections
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane import files
from infoplane.errors import StoreError
from infoplane.estimators import build_all
from infoplane.record.lines import LEFT_OUT, RESTART, Lines, read_lines
from infoplane.record.rows import Entry, assemble

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 2
"""Version of the folder's layout; 1 had no checksum of run.json and of restarts. Others are refused."""

_OLD = 1

KIND = "recording"

ASKED, ROWS, LOG, RESULT = "run.json", "rows.jsonl", "log.jsonl", "results.nc"

DAMAGED = "damaged"
"""Attribute of a result that lacks damaged lines: a JSON list with a sentence for each."""


class Folder:
    """A recording's folder, held by this process until `close`.

    Attributes:
        path: where it is.
        entries: what it holds, ascending.
        is_open: whether it is still held.
        lost: a sentence for each damaged line of the recording, which is left out.

    Raises:
        StoreError: when it holds other things, another recording, or is in use.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
        self.path = path
        with files.named(path):
            if path.exists() and not path.is_dir():
                raise StoreError(f"{path}: is a file; give out= a folder")
            others = {item.name for item in path.iterdir()} if path.exists() else set()
        # a process that was killed at its very beginning leaves these
        if others - {files.LOCK, ASKED + files.PARTIAL} and ASKED not in others:
            raise StoreError(f"{path}: is not empty; give out= a folder that does not exist yet")
        files.make_folder(path)
        files.refuse_links(path)
        self._held = contextlib.ExitStack()
        self._held.enter_context(_hold(path))
        self.is_open = True
        self.lost: list[str] = []
        self._lines, self._waiting = Lines(), collections.deque[Mapping[str, Any]]()
        try:
            self.entries = self._open(about, attributes)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the folder; from now on another recorder may have it."""
        self.is_open = False
        self._held.close()

    def append(self, entry: Entry) -> None:
        """Write an epoch, flushed to disk; where this fails, warn and keep it for the next time."""
        self._write(entry.to_line())

    def go_back(self, epoch: int) -> None:
        """Write that the epochs from this one on are measured anew; see `append`."""
        self._write({RESTART: epoch})

    def flush(self) -> None:
        """Write the lines that could not be written before.

        Raises:
            StoreError: when they still cannot be written.
        """
        while self._waiting:
            line, after = self._lines.next(self._waiting[0])
            files.append_line(self.path / ROWS, line)
            self._lines = after
            self._waiting.popleft()

    def _write(self, content: Mapping[str, Any]) -> None:
        if not self.is_open:
            raise StoreError(f"{self.path}: its recorder was closed; make a new one with the same out=, which goes on")
        self._waiting.append(content)
        with warned(f"{len(self._waiting)} lines wait in memory and are written at the next epoch"):
            self.flush()

    def record(self, path: Path, digest: str) -> None:
        """Write the SHA-256 of a file into the log."""
        self._log("file", path=path.name, sha256=digest)

    def _log(self, event: str, **details: Any) -> None:
        files.append_line(self.path / LOG, {"time": round(time.time(), 3), "event": event} | details)

    def _open(self, about: Mapping[str, Any], attributes: Mapping[str, Any]) -> list[Entry]:
        asked = {"format": FORMAT, "kind": KIND, **about}
        is_unused = is_recording(self.path) and not (self.path / ROWS).exists()
        if is_unused or not (self.path / ASKED).exists():  # the first attempt may have had other arguments
            made = {"version": importlib.metadata.version("infoplane"), "created": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
            header = files.sealed(asked | made | {"attributes": dict(attributes)})
            files.write_json(self.path / ASKED, header)
            self._log("header", header=header)
            return []
        recording = read_recording(self.path)
        refuse_other(self.path, recording.about, asked)
        self._lines = recording.lines
        self._repair(recording)
        return list(recording.lines.entries)

    def _repair(self, recording: "Recording") -> None:
        """Leave out damaged lines from now on, put back a damaged run.json, and warn of both."""
        lines = recording.lines
        if lines.torn:
            files.cut(self.path / ROWS, lines.size)
        if recording.header_damage:
            files.write_json(self.path / ASKED, recording.about)
        if lines.damaged:
            line, self._lines = lines.next({LEFT_OUT: list(lines.damaged)})
            files.append_line(self.path / ROWS, line)
        self.lost = recording.lost
        if recording.damage:
            warnings.warn(f"{'; '.join(recording.damage)}; the recorder goes on without them", stacklevel=5)


@contextlib.contextmanager
def warned(consequence: str) -> Iterator[None]:
    """Warn where something cannot be written, so that a training goes on without it."""
    try:
        yield
    except StoreError as error:
        warnings.warn(f"{error}; training goes on: {consequence}", RuntimeWarning, stacklevel=6)


@contextlib.contextmanager
def _hold(path: Path) -> Iterator[None]:
    """Hold the folder; where this very process has it, as after running a notebook's cell again, say what to do."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.hold(path))
        except StoreError as error:
            if f"in use by process {os.getpid()} on {socket.gethostname()}" not in str(error):
                raise
            text = (
                f"{path}: in use by process {os.getpid()}, which is this one; call close() on the recorder that has it"
            )
            raise StoreError(text) from None
        yield


def is_recording(path: Path) -> bool:
    """Return whether a folder holds a recording, and not a run; also where its run.json is damaged."""
    try:
        return read_about(path).get("kind") == KIND
    except StoreError:
        return (path / ROWS).is_file()


def read_about(path: Path) -> dict[str, Any]:
    """Return the content of run.json.

    Raises:
        StoreError: when there is none, it cannot be read, or it is not what was written.
    """
    file = path / ASKED
    with files.named(file):
        if not file.is_symlink() and not file.is_file():
            raise StoreError(f"{path}: no {ASKED} in it")
        content = files.read_bytes(file)
    try:
        about = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{file}: cannot be read ({error})") from None
    if not isinstance(about, dict):
        raise StoreError(f"{file}: cannot be read (no table in it)")
    if not files.is_sealed(about) and (about.get("format") != _OLD or files.CHECK in about):
        raise StoreError(f"{file}: content differs from what was written (SHA-256)")
    return about


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a folder holds, damaged or not.

    Attributes:
        path: the folder.
        about: the content of run.json; from its copy in the log, where it is damaged.
        lines: what its rows contain.
        header_damage: why the copy was taken; empty where run.json is sound.
    """

    path: Path
    about: Mapping[str, Any]
    lines: Lines
    header_damage: str = ""

    @property
    def damage(self) -> list[str]:
        """A sentence for each damage that no recorder knows of yet."""
        return [*([self.header_damage] if self.header_damage else []), *map(self._sentence, self.lines.damaged)]

    @property
    def lost(self) -> list[str]:
        """A sentence for each damaged line, which the result lacks."""
        return [self._sentence(number) for number in sorted([*self.lines.damaged, *self.lines.left_out])]

    def _sentence(self, number: int) -> str:
        return f"{self.path / ROWS}: line {number}: content differs from what was written (SHA-256)"


def read_recording(path: Path) -> Recording:
    """Read what is sound of a recording.

    Raises:
        StoreError: when run.json is damaged and the log has no copy of it, or a link is in the folder.
    """
    files.refuse_links(path)
    about, damage = _about(path)
    return Recording(path, about, read_lines(path / ROWS, old=about.get("format") == _OLD), damage)


def _about(path: Path) -> tuple[dict[str, Any], str]:
    """Return the content of run.json, or where it is damaged its copy and a sentence."""
    try:
        return read_about(path), ""
    except StoreError as error:
        events = [event for event in files.read_lines(path / LOG) if event.get("event") == "header"]
        copies = [event["header"] for event in events if isinstance(event.get("header"), dict)]
        sound = [copy for copy in copies if files.is_sealed(copy) and copy.get("kind") == KIND]
        if not sound:
            raise StoreError(f"{error}; {RESULT} holds the result up to its last save: load that file") from None
        return sound[-1], str(error)


def read_result(path: Path, *, skip_damaged: bool = False) -> "xr.Dataset":
    """Return what a recording holds now, also while its training runs or after it was killed.

    Args:
        path: the folder.
        skip_damaged: whether to return the remaining epochs of a damaged recording; the attribute ``damaged`` of the
            result names what is missing.

    Raises:
        StoreError: when it holds no row yet, or is damaged and this was not allowed; names every damaged line.
    """
    recording = read_recording(path)
    entries = recording.lines.entries
    if recording.damage and not skip_damaged:
        raise StoreError(
            f"{'; '.join(recording.damage)}. Load the {len(entries)} readable epochs with ip.load({str(path)!r}, "
            "skip_damaged=True), or train again with the same out="
        )
    if not entries:
        raise StoreError(f"{path}: nothing has been measured yet")
    about = recording.about
    return assemble(entries, build_all(about["estimators"]), {**about["attributes"], **lost_attribute(recording.lost)})


def lost_attribute(lost: Sequence[str]) -> dict[str, str]:
    """Return the attribute of a result that names its damaged lines; none where there are none."""
    return {DAMAGED: json.dumps(list(lost))} if lost else {}


def recording_lines(path: Path) -> tuple[list[str], list[str]]:
    """Return what a recording holds and who holds it, in plain lines, and a line for each damage."""
    recording = read_recording(path)
    about, entries = recording.about, recording.lines.entries
    estimators = ", ".join(str(spec["name"]) for spec in about["estimators"])
    lines = [f"{path}: the recording '{about['name']}' by {estimators}, {len(entries)} epochs measured"]
    if entries:
        layers = next(iter(entries[-1].sets.values())).layers
        lines.append(f"last: epoch {entries[-1].epoch}; layers: {', '.join(layers)}")
    if recording.lines.torn:
        lines.append("the last line was cut short by a crash or is being written; its epoch is missing")
    if recording.lines.left_out:
        numbers = ", ".join(map(str, recording.lines.left_out))
        lines.append(f"left out: damaged lines of {ROWS}: {numbers}")
    if about.get("format") == _OLD:
        lines.append(f"written by an earlier version without a checksum of {ASKED}: damage there cannot be found")
    holder = files.holder(path)
    lines.append(f"running: {holder}" if holder else "go on by running your training again with the same folder")
    return lines, recording.damage


def refuse_other(path: Path, made: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to go on with a recording of other inputs, labels, estimators or layers.

    Raises:
        StoreError: names what differs, was and is.
    """
    if made.get("kind") != KIND or made.get("format") not in (_OLD, FORMAT):
        raise StoreError(f"{path}: holds no recording of this version; give out= another folder")
    for key, now in asked.items():
        was = made.get(key)
        if was == now or key == "format":
            continue
        if key in ("inputs", "held_out") and isinstance(was, Mapping) and isinstance(now, Mapping):
            raise StoreError(f"{path}: {_other_data(key, was, now)}; give out= another folder")
        if key == "held_out":
            has, asks = ("a", "none") if now is None else ("no", "one")
            raise StoreError(
                f"{path}: was recorded with {has} held-out set, now there is {asks}; give out= another folder"
            )
        raise StoreError(f"{path}: its {key} is {was!r}, now {now!r}; give out= another folder")


def _other_data(key: str, was: Mapping[str, str], now: Mapping[str, str]) -> str:
    if was["rows"] != now["rows"]:
        same = was["any_order"] == now["any_order"]
        what = "are the recorded ones in another order" if same else "differ from the recorded ones"
        return f"the {key.replace('_', '-')} rows {what}"
    return f"the labels of the {key.replace('_', '-')} rows differ from the recorded ones"
