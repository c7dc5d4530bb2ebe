"""A run's folder: what was asked for, the pieces measured so far, the log of every file.

The folder is the truth: whatever a run loses, `resume` goes on from what stands here. A piece holds all rows
of one group of members over a stretch of epochs; the state from which the next stretch goes on is written
before its piece, so that a piece on disk can always be continued. Every file's SHA-256 stands in the log;
``run.json``, pieces and states carry one of their content too, so that a damaged log costs nothing.
"""

import contextlib
import dataclasses
import json
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from infoplane import files
from infoplane.errors import ConfigError, StoreError
from infoplane.runs import archive, threads
from infoplane.runs.config import Config, Section, parse
from infoplane.runs.provenance import provenance
from infoplane.runs.task import MISSING

FORMAT = 4
"""Version of the folder's layout; another one is refused."""

KEPT_STATES = 2
"""States kept of each group: one to go on from, and one before it in case that is damaged."""

_ASKED = "run.json"
_PIECE = re.compile(r"group-(\d+)-epochs-(\d+)-(\d+)\.npz")
_STATE = re.compile(r"group-(\d+)-(epoch|survey)-(\d+)\.npz")
_LEFT_BY_A_START = {files.LOCK, _ASKED + files.PARTIAL}
"""What a process that was killed at its start leaves behind."""


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


@dataclasses.dataclass(frozen=True)
class Saved:
    """A state on disk: a group's weights and optimiser at the end of an epoch, in training or in its survey."""

    group: int
    epoch: int
    survey: bool = False

    @property
    def file_name(self) -> str:
        """Name of its file."""
        return f"group-{self.group:04d}-{'survey' if self.survey else 'epoch'}-{self.epoch:07d}.npz"


class Store:
    """One run's folder.

    Attributes:
        folder: its path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: dict[str, set[str]] | None = None

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
            if owner := cls(folder).owner():
                raise StoreError(f"{folder}: in use by {owner}; wait for it or stop it, or give another --out")
            go_on = f"infoplane resume {shlex.quote(str(folder))}"
            raise StoreError(
                f"{folder}: already a run; continue it with '{go_on}', start a new one beside it with --force-new, "
                "or give another --out"
            )
        if names - _LEFT_BY_A_START:
            raise StoreError(f"{folder}: is not empty; give --out a folder that does not exist yet")

    @classmethod
    def beside(cls, folder: Path) -> Path:
        """Return the first of ``DIR-2``, ``DIR-3``, … that does not exist."""
        number = 2
        while (candidate := folder.with_name(f"{folder.name}-{number}")).exists():
            number += 1
        return candidate

    @classmethod
    @contextlib.contextmanager
    def create(
        cls, folder: Path, config: Section, data: Mapping[str, str] | None = None, kind: str = "trained"
    ) -> Iterator["Store"]:
        """Make the folder, hold it, and write what is asked for, before anything is computed.

        ``data`` is the SHA-256 of every data set, see `infoplane.runs.job.Job.data`; ``kind`` says how the run comes
        about: its networks are trained, or it is computed (`infoplane.runs.computed`).

        Raises:
            StoreError: see `check_free`; also when another process is just starting there.
        """
        cls.check_free(folder)
        files.make_folder(folder)
        files.refuse_links(folder)
        store = cls(folder)
        with store.lock():
            if (folder / _ASKED).exists():  # another process was faster
                raise StoreError(f"{folder}: already a run, which has just begun; give another --out")
            asked = {"format": FORMAT, "kind": kind, "config": config.model_dump(mode="json"), "data": dict(data or {})}
            asked |= {"threads": threads.cores()} | provenance()
            files.write_json(folder / _ASKED, files.sealed(asked))
            store.sweep()
            yield store

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """Open the folder of an existing run.

        Raises:
            StoreError: when it is none, cannot be read, was changed, or comes from another version.
        """
        store = cls(folder)
        about = store.about
        files.refuse_links(folder)
        made = about.get("format")
        if made != FORMAT:
            raise StoreError(
                f"{folder}: written by another version of infoplane (folder format {made}, known {FORMAT}); "
                "use that version, or update this one"
            )
        if not files.is_sealed(about):
            raise StoreError(
                f"{folder / _ASKED}: content differs from what was written (SHA-256); put the original back, or "
                "start again: what was measured cannot be told from something else"
            )
        return store

    @property
    def about(self) -> dict[str, Any]:
        """What run.json says."""
        path = self.folder / _ASKED
        with files.named(path):
            if not path.is_symlink() and not path.is_file():
                raise StoreError(f"{self.folder}: not a run's folder (no {_ASKED} in it)")
            content = files.read_bytes(path)
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
        with files.hold(self.folder):
            yield

    def owner(self) -> str | None:
        """Return the process that holds the folder now, None where none does."""
        return files.holder(self.folder)

    def record(self, event: str, **details: Any) -> None:
        """Append an event to the log."""
        files.append_line(self.folder / "log.jsonl", {"time": round(time.time(), 3), "event": event} | details)

    def record_file(self, path: Path, digest: str) -> None:
        """Record the checksum of a file of this folder."""
        name = path.relative_to(self.folder).as_posix()
        self.record("file", path=name, sha256=digest)
        self._recorded.setdefault(name, set()).add(digest)

    def events(self) -> list[dict[str, Any]]:
        """Return the events of the log; what a crash or damage made unreadable is left out."""
        path = self.folder / "log.jsonl"
        with files.named(path):
            return list(files.read_lines(path))

    @property
    def _recorded(self) -> dict[str, set[str]]:
        if self._digests is None:
            self._digests = files.recorded(self.folder / "log.jsonl")
        return self._digests

    def is_sound(self, name: str) -> bool:
        """Whether a file of this folder is there and is what was written."""
        path = self.folder / name
        return path.is_file() and files.sha256(path) in self._recorded.get(name, ())

    def save(self, state: Saved, leaves: Mapping[str, np.ndarray], others: Sequence[Saved] = ()) -> list[Saved]:
        """Write the state of a group; drop those of the others that nothing needs any longer, return what is left."""
        archive.write(self.folder / "weights" / state.file_name, leaves, self.record_file, inside=self.folder)
        left = sorted({*others, state}, key=lambda one: (one.survey, one.epoch))
        same_kind = [one for one in left if one.survey == state.survey]
        for old in same_kind[: -1 if state.survey else -KEPT_STATES]:
            if old != state:
                self.drop(old)
                left.remove(old)
        return left

    def save_piece(
        self,
        piece: Piece,
        arrays: Mapping[str, np.ndarray],
        state: Mapping[str, np.ndarray],
        others: Sequence[Saved] = (),
    ) -> list[Saved]:
        """Write the state at the end of a stretch, then its rows; return the states that are left, see `save`."""
        left = self.save(Saved(piece.group, piece.last), state, others)
        archive.write(self.folder / "pieces" / piece.file_name, arrays, self.record_file, inside=self.folder)
        return left

    def drop(self, state: Saved) -> None:
        """Remove a state that nothing needs any longer."""
        files.remove(self.folder / "weights" / state.file_name, inside=self.folder)

    def drop_piece(self, piece: Piece) -> None:
        """Remove a stretch that is to be computed again."""
        files.remove(self.folder / "pieces" / piece.file_name, inside=self.folder)

    def pieces(self, group: int | None = None) -> list[Piece]:
        """Return the stretches on disk in order of group and epoch; none overlaps another."""
        matches = (_PIECE.fullmatch(path.name) for path in (self.folder / "pieces").glob("*.npz"))
        found = (Piece(*(int(part) for part in match.groups())) for match in matches if match)
        kept: list[Piece] = []
        for piece in sorted(found, key=lambda piece: (piece.group, piece.first, -piece.last)):
            if group in (None, piece.group):
                before = kept[-1] if kept and kept[-1].group == piece.group else None
                if before is None or piece.first > before.last:
                    kept.append(piece)
        return kept

    def states(self, group: int | None = None) -> list[Saved]:
        """Return the states on disk in order of group, kind and epoch."""
        matches = (_STATE.fullmatch(path.name) for path in (self.folder / "weights").glob("*.npz"))
        found = [Saved(int(match[1]), int(match[3]), match[2] == "survey") for match in matches if match]
        return sorted(
            (state for state in found if group in (None, state.group)), key=lambda s: (s.group, s.survey, s.epoch)
        )

    def read_piece(self, piece: Piece) -> dict[str, np.ndarray]:
        """Read the rows of a stretch.

        Raises:
            StoreError: when its content is not what was written.
        """
        return self._read(self.folder / "pieces" / piece.file_name)

    def read_state(self, state: Saved) -> dict[str, np.ndarray]:
        """Read the arrays of a state; see `read_piece`."""
        return self._read(self.folder / "weights" / state.file_name)

    def sweep(self) -> None:
        """Remove what a killed process left half written, and make the folders it had no time to make.

        Raises:
            StoreError: when a link in the folder leads somewhere else: nothing is written through it.
        """
        files.refuse_links(self.folder)
        for name in files.SUBFOLDERS:
            files.make_folder(self.folder / name, inside=self.folder)
        for place in (self.folder, *(self.folder / name for name in files.SUBFOLDERS)):
            for path in place.glob(f"*{files.PARTIAL}"):
                files.remove(path, inside=self.folder)

    def drop_damaged(self) -> list[str]:
        """Drop pieces and states whose content is not what was written; return a line about each.

        One whose checksum the log has lost, but whose content agrees with its own, is kept.
        """
        told = []
        for path in self._stored():
            name = path.relative_to(self.folder).as_posix()
            if self.is_sound(name):
                continue
            try:
                self._read(path) if name in self._recorded else archive.read(path)
            except StoreError as error:
                files.remove(path, inside=self.folder)
                self.record("damaged", path=name)
                told.append(f"{error}; dropped, its task is computed again")
            else:
                self.record_file(path, files.sha256(path))
                told.append(f"{self.folder / 'log.jsonl'}: damaged, lacks the SHA-256 of {name}; its content is sound")
        return told

    def drop_missing(self) -> list[str]:
        """Drop pieces in which some layers could not be measured; return a line about each.

        To be called after `drop_damaged`: pieces are not checked.
        """
        told = []
        for piece in self.pieces():
            path = self.folder / "pieces" / piece.file_name
            if archive.holds(path, MISSING):
                files.remove(path, inside=self.folder)
                told.append(f"{path}: some layers could not be measured; its task is computed again")
        return told

    def _stored(self) -> list[Path]:
        """Paths of all pieces and states."""
        pieces = (path for path in (self.folder / "pieces").iterdir() if _PIECE.fullmatch(path.name))
        states = (path for path in (self.folder / "weights").iterdir() if _STATE.fullmatch(path.name))
        return sorted([*pieces, *states])

    def _read(self, path: Path) -> dict[str, np.ndarray]:
        if files.sha256(path) not in self._recorded.get(path.relative_to(self.folder).as_posix(), ()):
            raise StoreError(f"{path}: content differs from what was written (SHA-256)")
        return archive.read(path)
