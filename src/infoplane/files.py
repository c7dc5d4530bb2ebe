"""The one place that writes files: a partial file, flushed to disk, renamed, its SHA-256 recorded."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from infoplane.errors import StoreError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when there is no room left."""

LOCK = "LOCK"
"""File that the process which holds a folder keeps locked; it says which process that is."""

PARTIAL = ".partial"
"""Ending of a file that is being written; whatever carries it is worth nothing."""


Record = Callable[[Path, str], object]
"""Told the path and the SHA-256 of a file when it is on disk and about to get its name."""


def write(path: Path, fill: Callable[[Path], object], record: Record | None = None) -> str:
    """Write a file whole or not at all and return the SHA-256 of its content.

    Args:
        path: where the file is to be; its folder must exist.
        fill: writes the content to the path that it is given.
        record: told the SHA-256 before the file gets its name, so that no file ever stands there unrecorded.

    Raises:
        StoreError: when it cannot be written; names the path and the bytes that are free. What stood at
            ``path`` before stays as it was.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        with named(path):
            fill(partial)
            with partial.open("rb+") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            if record is not None:
                record(path, digest)
            partial.replace(path)
            _sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return digest


def write_bytes(path: Path, content: bytes, record: Record | None = None) -> str:
    """Write ``content`` to a file, whole or not at all; see `write`."""
    return write(path, lambda partial: partial.write_bytes(content), record)


def write_json(path: Path, content: Mapping[str, Any]) -> str:
    """Write a mapping as indented JSON, whole or not at all; see `write`."""
    return write_bytes(path, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Append one JSON line to a log and flush it to disk.

    A last line that a crash or a full disk tore is ended first, so that it spoils no other.

    Raises:
        StoreError: when it cannot be written.
    """
    line = (json.dumps(record, sort_keys=True) + "\n").encode()
    with named(path), path.open("ab+") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            line = line if file.read() == b"\n" else b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a log; a last line torn by a crash is left out."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict):
                yield record


def recorded(log: Path) -> dict[str, set[str]]:
    """Return every SHA-256 that a log has of each file, by the file's path from the log's folder.

    A file that was written again may have its older content, when the disk was full or the process killed
    just before the newer one got its name: both are what was written.
    """
    digests: dict[str, set[str]] = {}
    for record in read_lines(log):
        if record.get("event") == "file":
            digests.setdefault(str(record.get("path")), set()).add(str(record.get("sha256")))
    return digests


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        StoreError: when it cannot be read.
    """
    with named(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        StoreError: when it cannot be made.
    """
    with named(path):
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the system lets go of it when the process dies.

    Raises:
        StoreError: when another process holds it; names its pid and host.
    """
    import fcntl

    path = folder / LOCK
    with contextlib.ExitStack() as held:
        with named(path):
            file = held.enter_context(path.open("ab", buffering=0))  # nothing is left to be written when it is closed
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{folder}: in use by {_owner_in(path)}; wait for it or stop it") from None
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield


def holder(folder: Path) -> str | None:
    """Return the process that holds a folder now, None where none does."""
    import fcntl

    path = folder / LOCK
    if not path.exists():
        return None
    with named(path), path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner_in(path)
    return None


def _owner_in(path: Path) -> str:
    """Return the process that has locked a file; waits a moment for one that has yet to write its name."""
    for _ in range(20):
        if owner := path.read_text().strip():
            return owner
        time.sleep(0.05)
    return "another process"


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into a `StoreError` that names the path and the free space."""
    try:
        yield
    except OSError as error:
        free = _free_space(path) if error.errno in FULL else ""
        raise StoreError(f"{path}: {error.strerror or error}{free}") from error


def _free_space(path: Path) -> str:
    for folder in path.absolute().parents:
        with contextlib.suppress(OSError):
            return f" ({shutil.disk_usage(folder).free} bytes free)"
    return ""


def _sync_folder(folder: Path) -> None:
    """Flush a folder's entry of a renamed file; systems that cannot open folders go without."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
