"""The one place that writes files: a partial file, flushed to disk, renamed, its SHA-256 recorded.

A folder may come from somebody else. The path that a user names may be a link; below it no link is followed: every
file is opened by the descriptor of its folder with ``O_NOFOLLOW``, and a link is refused by its name.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from infoplane.errors import DiskFullError, StoreError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of the system when there is no room left."""

LOCK = "LOCK"
"""File that the process which holds a folder keeps locked; it names the process."""

PARTIAL = ".partial"
"""Suffix of an unfinished file; safe to delete."""

SUBFOLDERS = ("pieces", "weights", "figures")
"""Folders within a run's folder."""

CHECK = "sha256"
"""Key under which a record carries the checksum of its other keys."""

Fill = Callable[[BinaryIO], object]
"""Writes the content of a file to the open file that it is given, and leaves it open."""

Record = Callable[[Path, str], object]
"""Receives the path and the SHA-256 of a file when it is on disk and about to get its name."""


def write(path: Path, fill: Fill, record: Record | None = None, *, inside: Path | None = None) -> str:
    """Write a file whole or not at all and return the SHA-256 of its content.

    Args:
        path: where the file is to be; its folder must exist.
        fill: writes the content to the open file that it is given.
        record: receives the SHA-256 before the file gets its name, so that no unrecorded file ever has this name.
        inside: the folder below which no link is followed; the file's own folder where it is None.

    Raises:
        DiskFullError: when the disk is full; names the path and the free bytes. The previous content of ``path``
            stays as it was.
        StoreError: when it cannot be written for another reason, or a link is in the way.
    """
    partial = path.name + PARTIAL
    with named(path), _folder_of(path, inside) as folder:
        _refuse_link(path, folder)
        _remove(partial, folder)
        try:
            with os.fdopen(os.open(partial, _NEW, 0o666, dir_fd=folder), "w+b") as file:
                fill(file)
                file.flush()
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            if record is not None:
                record(path, digest)
            os.replace(partial, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            with contextlib.suppress(OSError):  # some file systems cannot flush a folder
                os.fsync(folder)
        finally:
            with contextlib.suppress(OSError):
                _remove(partial, folder)
    return digest


def write_bytes(path: Path, content: bytes, record: Record | None = None, *, inside: Path | None = None) -> str:
    """Write ``content`` to a file, whole or not at all; see `write`."""
    return write(path, lambda file: file.write(content), record, inside=inside)


def write_json(path: Path, content: Mapping[str, Any]) -> str:
    """Write a mapping as indented JSON, whole or not at all; see `write`."""
    return write_bytes(path, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Append one JSON line to a log and flush it to disk.

    A last line that a crash tore is ended first, so that the new line stays readable. When the new line cannot be
    written whole, the file gets its previous length back.

    Raises:
        DiskFullError: when the disk is full.
        StoreError: when it cannot be written for another reason.
    """
    line = (json.dumps(record, sort_keys=True) + "\n").encode()
    with named(path), _opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, own=True) as handle:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            line = b"\n" + line
        try:
            written = 0
            while written < len(line):
                written += os.write(handle, line[written:])
            os.fsync(handle)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, size)
            raise


def cut(path: Path, size: int) -> None:
    """Give a file of a folder a shorter length.

    Raises:
        StoreError: when it cannot be written.
    """
    with named(path), _opened(path, os.O_RDWR, own=True) as handle:
        os.ftruncate(handle, size)
        os.fsync(handle)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file of a folder; a link is not followed.

    Raises:
        StoreError: when it cannot be read, or is a link.
    """
    with named(path), _opened(path, os.O_RDONLY) as handle, os.fdopen(os.dup(handle), "rb") as file:
        return file.read()


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a log; lines that cannot be read are left out."""
    if not path.is_file():
        return
    for line in read_bytes(path).split(b"\n"):
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict):
                yield record


def check_of(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a record contains besides its own checksum."""
    text = json.dumps({key: value for key, value in record.items() if key != CHECK}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its own checksum."""
    return {**record, CHECK: check_of(record)}


def is_sealed(record: Mapping[str, Any]) -> bool:
    """Return whether a record agrees with its own checksum; False without one."""
    return record.get(CHECK) == check_of(record)


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


def make_folder(path: Path, *, inside: Path | None = None) -> None:
    """Make a folder and those above it.

    Raises:
        StoreError: when it cannot be made, or is a link within the folder ``inside``.
    """
    with named(path):
        if inside is not None and path.is_symlink():
            raise _link(path)
        path.mkdir(parents=True, exist_ok=True)


def remove(path: Path, *, inside: Path | None = None) -> None:
    """Remove a file of a folder, where it exists; see `write`.

    Raises:
        StoreError: when it cannot be removed, or a link is in the way.
    """
    with named(path):
        if path.parent.exists():
            with _folder_of(path, inside) as folder:
                _remove(path.name, folder)


def refuse_links(folder: Path) -> None:
    """Refuse a folder of a run or a recording with a link in it: nothing is read or written through a link.

    Raises:
        StoreError: names the link.
    """
    for place in (folder, *(folder / name for name in SUBFOLDERS)):
        with named(place):
            if not place.is_dir():
                continue
            with os.scandir(place) as entries:
                links = sorted(entry.name for entry in entries if entry.is_symlink())
        if links:
            raise _link(place / links[0])


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
            handle = held.enter_context(_opened(path, os.O_RDWR | os.O_CREAT, own=True))
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{folder}: in use by {_owner_in(path)}; wait for it or stop it") from None
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield


def holder(folder: Path) -> str | None:
    """Return the process that holds a folder now, None where none does."""
    import fcntl

    path = folder / LOCK
    if not path.is_file():
        return None
    with named(path), _opened(path, os.O_RDONLY) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner_in(path)
    return None


def _owner_in(path: Path) -> str:
    """Return the process that has locked a file; waits a moment for one that has yet to write its name."""
    for _ in range(20):
        if owner := path.read_text(errors="replace").strip():
            return owner
        time.sleep(0.05)
    return "another process"


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn an error of the file system into a `StoreError` that names the path, and the free space of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(f"{path}: {error.strerror or error}{_free_space(path)}") from error
        raise StoreError(f"{path}: {error.strerror or error}") from error


def _free_space(path: Path) -> str:
    for folder in path.absolute().parents:
        with contextlib.suppress(OSError):
            return f" ({shutil.disk_usage(folder).free} bytes free)"
    return ""


_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK


@contextlib.contextmanager
def _folder_of(path: Path, inside: Path | None = None) -> Iterator[int]:
    """Open the folder of a file, following no link below ``inside``, and yield its descriptor."""
    root = path.parent if inside is None else inside
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.parent.relative_to(root).parts:
            root = root / part
            _refuse_link(root, handle)
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _opened(path: Path, flags: int, *, own: bool = False) -> Iterator[int]:
    """Open a regular file and yield its descriptor; ``own``: it is about to be changed and must have no other name."""
    with _folder_of(path) as folder:
        _refuse_link(path, folder)
        # a pipe in place of the file must not block
        handle = os.open(path.name, flags | _NO_LINK | os.O_NONBLOCK, 0o666, dir_fd=folder)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{path}: expected a regular file, got another kind. Remove it.")
        if own and status.st_nlink > 1:
            raise StoreError(
                f"{path}: has a second name (hard link), and writing would change that file too. Replace it by a copy."
            )
        yield handle
    finally:
        os.close(handle)


def _refuse_link(path: Path, folder: int) -> None:
    """Refuse a link of a path's name in an open folder."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISLNK(os.lstat(path.name, dir_fd=folder).st_mode):
            raise _link(path)


def _link(path: Path) -> StoreError:
    return StoreError(f"{path}: is a link; a run's folder holds files of its own only, so remove it")


def _remove(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
