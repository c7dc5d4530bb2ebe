"""A run's folder: what was asked for, the pieces measured so far, the log of every file.

The folder is the truth: whatever a run loses, `resume` goes on from what stands here. A piece holds all rows
of one group of members over a stretch of epochs; the state from which the next stretch goes on is written
before its piece, so that a piece on disk can always be continued.
"""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import platform
import re
import shlex
import socket
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from infoplane import files
from infoplane.errors import ConfigError, StoreError
from infoplane.runs.config import Config, parse

FORMAT = 1
"""Version of the folder's layout; another one is refused."""

_ASKED = "run.json"
_PIECE = re.compile(r"group-(\d+)-epochs-(\d+)-(\d+)\.npz")
_STATE = re.compile(r"group-(\d+)-epoch-(\d+)\.npz")


@dataclasses.dataclass(frozen=True)
class Piece:
    """A stretch of epochs of one group, both ends included."""

    group: int
    first: int
    last: int

    @property
    def file_name(self) -> str:
        """Name of its file."""
        return f"group-{self.group:04d}-epochs-{self.first:07d}-{self.last:07d}.npz"


class Store:
    """One run's folder.

    Attributes:
        folder: its path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def check_free(cls, folder: Path) -> None:
        """Refuse a place where no new run can start, before anything is written.

        Raises:
            StoreError: when the path is a file, already holds a run, or is a folder of other things.
        """
        with files.named(folder):
            if not folder.exists():
                return
            if not folder.is_dir():
                raise StoreError(f"{folder}: is a file; give --out a folder that does not exist yet")
            names = {path.name for path in folder.iterdir()}
        if _ASKED in names:
            go_on = f"infoplane resume {shlex.quote(str(folder))}"
            raise StoreError(f"{folder}: already a run; continue it with '{go_on}' or give another --out")
        if names - {"LOCK", _ASKED + files.PARTIAL}:  # these two a process killed at its start leaves behind
            raise StoreError(f"{folder}: is not empty; give --out a folder that does not exist yet")

    @classmethod
    @contextlib.contextmanager
    def create(cls, folder: Path, config: Config) -> Iterator["Store"]:
        """Make the folder, hold it, and write what is asked for, before anything is computed.

        Raises:
            StoreError: see `check_free`; also when another process is just starting there.
        """
        cls.check_free(folder)
        files.make_folder(folder)
        store = cls(folder)
        with store.lock():
            cls.check_free(folder)
            asked = {"format": FORMAT, "config": config.model_dump(mode="json")}
            files.write_json(folder / _ASKED, asked | provenance())
            store.sweep()
            yield store

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """Open the folder of an existing run.

        Raises:
            StoreError: when it is none, cannot be read, or comes from a newer version.
        """
        store = cls(folder)
        made = store.about.get("format")
        if made != FORMAT:
            raise StoreError(
                f"{folder}: written by another version of infoplane (folder format {made}, known {FORMAT}); "
                "use that version, or update this one"
            )
        return store

    @property
    def about(self) -> dict[str, Any]:
        """What run.json says."""
        path = self.folder / _ASKED
        with files.named(path):
            if not path.is_file():
                raise StoreError(f"{self.folder}: not a run's folder (no {_ASKED} in it)")
            content = path.read_bytes()
        try:
            about = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{path}: cannot be read ({error})") from None
        if not isinstance(about, dict) or not isinstance(about.get("config"), dict):
            raise StoreError(f"{path}: cannot be read (no configuration in it)")
        return about

    @property
    def config(self) -> Config:
        """The configuration that was asked for."""
        try:
            return parse(self.about["config"])
        except ConfigError as error:
            raise StoreError(f"{self.folder / _ASKED}: {error}") from None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; the system lets go of it when the process dies.

        Raises:
            StoreError: when another process holds it; names its pid and host.
        """
        import fcntl

        path = self.folder / "LOCK"
        with contextlib.ExitStack() as held:
            with files.named(path):
                file = held.enter_context(path.open("a+"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    owner = path.read_text().strip() or "another process"
                    raise StoreError(f"{self.folder}: in use by {owner}; wait for it or stop it") from None
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
                file.flush()
            yield

    def owner(self) -> str | None:
        """Return the process that holds the folder now, None where none does."""
        import fcntl

        path = self.folder / "LOCK"
        if not path.exists():
            return None
        with files.named(path), path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "another process"
        return None

    def record(self, event: str, **details: Any) -> None:
        """Append an event to the log."""
        files.append_line(self.folder / "log.jsonl", {"time": round(time.time(), 3), "event": event} | details)

    def record_file(self, path: Path, digest: str) -> None:
        """Record the checksum of a file of this folder."""
        self.record("file", path=path.relative_to(self.folder).as_posix(), sha256=digest)

    def save_piece(self, piece: Piece, arrays: Mapping[str, np.ndarray], state: Sequence[np.ndarray]) -> None:
        """Write the state at the end of a stretch, then its rows, then drop older states."""
        state_file = self.folder / "weights" / f"group-{piece.group:04d}-epoch-{piece.last:07d}.npz"
        leaves = {f"leaf{index:03d}": leaf for index, leaf in enumerate(state)}
        self._write_npz(state_file, leaves)
        piece_file = self.folder / "pieces" / piece.file_name
        self._write_npz(piece_file, arrays)
        for old in self._states(piece.group):
            if old != piece.last:
                (self.folder / "weights" / f"group-{piece.group:04d}-epoch-{old:07d}.npz").unlink(missing_ok=True)

    def pieces(self, group: int | None = None) -> list[Piece]:
        """Return the chain of stretches on disk, for each group from epoch 0 on without a gap."""
        found: dict[int, dict[int, Piece]] = {}
        for path in (self.folder / "pieces").glob("*.npz"):
            if match := _PIECE.fullmatch(path.name):
                piece = Piece(*(int(part) for part in match.groups()))
                longest = found.setdefault(piece.group, {}).get(piece.first)
                if longest is None or longest.last < piece.last:
                    found[piece.group][piece.first] = piece
        chain = []
        for number in sorted(found) if group is None else [group]:
            first = 0
            while piece := found.get(number, {}).get(first):
                chain.append(piece)
                first = piece.last + 1
        return chain

    def read_piece(self, piece: Piece) -> dict[str, np.ndarray]:
        """Read the rows of a stretch.

        Raises:
            StoreError: when its content is not what was written.
        """
        return self._read(self.folder / "pieces" / piece.file_name)

    def read_state(self, group: int) -> tuple[int, list[np.ndarray]] | None:
        """Return the epoch and the arrays from which a group goes on; None to start afresh."""
        chain = self.pieces(group)
        if not chain or chain[-1].last not in self._states(group):
            return None
        path = self.folder / "weights" / f"group-{group:04d}-epoch-{chain[-1].last:07d}.npz"
        arrays = self._read(path)
        return chain[-1].last, [arrays[name] for name in sorted(arrays)]

    def sweep(self) -> None:
        """Remove what a killed process left half written, and make the folders it had no time to make."""
        for name in ("pieces", "weights", "figures"):
            files.make_folder(self.folder / name)
        for path in self.folder.rglob(f"*{files.PARTIAL}"):
            path.unlink(missing_ok=True)

    def _states(self, group: int) -> list[int]:
        matches = (_STATE.fullmatch(path.name) for path in (self.folder / "weights").glob("*.npz"))
        return sorted(int(match[2]) for match in matches if match and int(match[1]) == group)

    def _read(self, path: Path) -> dict[str, np.ndarray]:
        recorded = files.recorded(self.folder / "log.jsonl").get(path.relative_to(self.folder).as_posix(), ())
        if files.sha256(path) not in recorded:
            raise StoreError(f"{path}: content differs from what was written (SHA-256); delete it and resume")
        try:
            with np.load(path, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise StoreError(f"{path}: cannot be read ({error})") from None

    def _write_npz(self, path: Path, arrays: Mapping[str, np.ndarray]) -> None:
        def fill(partial: Path) -> None:
            with partial.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)

        files.write(path, fill, self.record_file)


def provenance() -> dict[str, Any]:
    """Versions and machine that a result comes from."""
    packages = ("infoplane", "jax", "jaxlib", "numpy", "optax")
    return {
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "command": " ".join(Path(part).name if i == 0 else part for i, part in enumerate(sys.argv)),
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
