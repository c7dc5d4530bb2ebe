"""The folder of a recording: what it is of, its rows as they come, its result.

Every measured epoch is one line of ``rows.jsonl``, flushed to disk before training goes on; a line that a crash
tore is left out. A training that is started again goes on in the same folder: rows from its first epoch on give
way to the new ones.
"""

import contextlib
import importlib.metadata
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane import files
from infoplane.errors import StoreError
from infoplane.estimators import build_all
from infoplane.record.rows import Entry, assemble

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 1
"""Version of the folder's layout; another one is refused."""

KIND = "recording"

ASKED, ROWS, LOG, RESULT = "run.json", "rows.jsonl", "log.jsonl", "results.nc"


class Folder:
    """A recording's folder, held by this process until `close`.

    Attributes:
        path: where it is.
        entries: what it holds, ascending.
        is_open: whether it is still held.

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
        self._held = contextlib.ExitStack()
        self._held.enter_context(_hold(path))
        self.is_open = True
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
        """Write an epoch, flushed to disk."""
        self._write(entry.to_line())

    def go_back(self, epoch: int) -> None:
        """Write that the epochs from this one on are measured anew."""
        self._write({"from_epoch": epoch})

    def _write(self, line: Mapping[str, Any]) -> None:
        if not self.is_open:
            raise StoreError(f"{self.path}: its recorder was closed; make a new one with the same out=, which goes on")
        files.append_line(self.path / ROWS, line)

    def record(self, path: Path, digest: str) -> None:
        """Write the SHA-256 of a file into the log."""
        line = {"time": round(time.time(), 3), "event": "file", "path": path.name, "sha256": digest}
        files.append_line(self.path / LOG, line)

    def _open(self, about: Mapping[str, Any], attributes: Mapping[str, Any]) -> list[Entry]:
        asked = {"format": FORMAT, "kind": KIND, **about}
        is_unused = is_recording(self.path) and not (self.path / ROWS).exists()
        if is_unused or not (self.path / ASKED).exists():  # the first attempt may have had other arguments
            made = {"version": importlib.metadata.version("infoplane"), "created": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
            files.write_json(self.path / ASKED, asked | made | {"attributes": dict(attributes)})
            return []
        refuse_other(self.path, read_about(self.path), asked)
        return read_entries(self.path)


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
    """Say whether a folder holds a recording, and not a run."""
    with contextlib.suppress(StoreError):
        return read_about(path).get("kind") == KIND
    return False


def read_about(path: Path) -> dict[str, Any]:
    """Return what run.json says.

    Raises:
        StoreError: when there is none or it cannot be read.
    """
    file = path / ASKED
    with files.named(file):
        if not file.is_file():
            raise StoreError(f"{path}: no {ASKED} in it")
        content = file.read_bytes()
    try:
        about = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{file}: cannot be read ({error})") from None
    if not isinstance(about, dict):
        raise StoreError(f"{file}: cannot be read (no table in it)")
    return about


def read_result(path: Path) -> "xr.Dataset":
    """Return what a recording holds now, also while its training runs or after it was killed.

    Raises:
        StoreError: when it holds no row yet, or is not what was written.
    """
    about, entries = read_about(path), read_entries(path)
    if not entries:
        raise StoreError(f"{path}: nothing has been measured yet")
    return assemble(entries, build_all(about["estimators"]), about["attributes"])


def recording_lines(path: Path) -> list[str]:
    """Say what a recording holds, and who holds it, in plain lines."""
    about, entries = read_about(path), read_entries(path)
    estimators = ", ".join(str(spec["name"]) for spec in about["estimators"])
    lines = [f"{path}: the recording '{about['name']}' by {estimators}, {len(entries)} epochs measured"]
    if entries:
        layers = next(iter(entries[-1].sets.values())).layers
        lines.append(f"last: epoch {entries[-1].epoch}; layers: {', '.join(layers)}")
    holder = files.holder(path)
    return [*lines, f"running: {holder}" if holder else "go on by running your training again with the same folder"]


def refuse_other(path: Path, made: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to go on with a recording of other inputs, labels, estimators or layers.

    Raises:
        StoreError: names what differs, was and is.
    """
    if made.get("kind") != KIND or made.get("format") != FORMAT:
        raise StoreError(f"{path}: holds no recording of this version; give out= another folder")
    for key, now in asked.items():
        was = made.get(key)
        if was == now:
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


def read_entries(path: Path) -> list[Entry]:
    """Return the measured epochs, ascending; those that were measured anew only as they were last.

    Raises:
        StoreError: when a line is not what was written.
    """
    entries: list[Entry] = []
    for number, line in _lines(path / ROWS):
        if set(line) == {"from_epoch"}:
            entries = [entry for entry in entries if entry.epoch < line["from_epoch"]]
        else:
            entries.append(Entry.from_line(line, f"{path / ROWS}: line {number}"))
    return sorted(entries, key=lambda entry: entry.epoch)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the lines with their numbers; one that a crash tore, which has no end, is left out."""
    if not path.exists():
        return
    with files.named(path):
        lines = path.read_bytes().split(b"\n")
    for number, text in enumerate(lines, start=1):
        try:
            line = json.loads(text)
        except ValueError:
            if text.endswith(b"}"):
                raise StoreError(f"{path}: line {number}: content differs from what was written") from None
            continue
        if not isinstance(line, dict):
            raise StoreError(f"{path}: line {number}: content differs from what was written")
        yield number, line
