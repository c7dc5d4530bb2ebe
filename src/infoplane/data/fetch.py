"""The files of a data set of images from an address that the user gives, stored only with the right content."""

import dataclasses
import hashlib
import posixpath
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from infoplane import files
from infoplane.data import idx
from infoplane.data.download import MissingError, OnDownload, check_address, deadline, download
from infoplane.data.images import AXES, PARTS, SETS, ImageSet, file_in, file_names
from infoplane.errors import InputError, StoreError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Content:
    """What the uncompressed content of a file is known to be.

    Attributes:
        sha256: of the content.
        size: number of its bytes.
    """

    sha256: str
    size: int


VERIFIED: dict[tuple[str, str, str], Content] = {
    ("mnist", "train", "images"): Content(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47_040_016
    ),
    ("mnist", "train", "labels"): Content("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60_008),
    ("mnist", "test", "images"): Content("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7_840_016),
    ("mnist", "test", "labels"): Content("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10_008),
    ("notmnist", "test", "images"): Content(
        "8e7f38ae95cc8f48e0986175ffc9137e5007ebcf3d8fdf6656c904eb9dab198b", 7_840_016
    ),
    ("notmnist", "test", "labels"): Content("5f8e6012f2ce730700d8d05fca098bc47f71d25b890e4bec7ac5ebfd614a4001", 10_008),
}
"""The files whose content was checked, by data set, part and kind; no others are known for certain."""

SPARE = 2**16
"""Bytes that a file may have beyond its content: what compression adds to content that cannot be compressed."""


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A file that was fetched, or was there before.

    Attributes:
        path: where it is.
        sha256: of its uncompressed content.
        verified: whether that is what it is known to be; else nothing is known.
        address: where it came from, after redirects; None where it was there before.
    """

    path: Path
    sha256: str
    verified: bool
    address: str | None


@dataclasses.dataclass(frozen=True)
class Fetch:
    """What came of fetching a data set.

    Attributes:
        files: the files that are now there.
        notes: what was left out and why, a sentence each.
    """

    files: list[Fetched]
    notes: list[str]


def fetch(
    name: str,
    url: str,
    folder: Path,
    *,
    accept_unverified: bool = False,
    on_event: OnDownload | None = None,
) -> Fetch:
    """Fetch the files of a data set into a folder; each is there whole, with the right content, or not at all.

    Args:
        name: a data set in `infoplane.data.images.SETS`.
        url: the http or https address of the folder that the files lie in, or of one of the files.
        folder: where they go; it is made. Files that are there already are checked and not fetched.
        accept_unverified: also store files whose content is not known for certain. What is known to be another
            content is refused all the same.
        on_event: told the progress.

    Raises:
        InputError: for an unknown name, another kind of address, or one that cannot be reached; where nothing of the
            data set is there, content is not what it must be, too large, cut short, no IDX file, or not known and
            not accepted.
        StoreError: when the folder or a file cannot be written, or a file is there already with other content.
    """
    if name not in SETS:
        raise InputError(f"data set is '{name}'{did_you_mean(name, SETS)}")
    check_address(url)
    known, notes = SETS[name], []
    wanted = _wanted(known, url)
    allowed = [one for one in wanted if accept_unverified or (name, *one) in VERIFIED]
    if left := [file_names(known, *one)[0] for one in wanted if one not in allowed]:
        notes.append(f"left out, since what they hold is not known for certain: {', '.join(left)}; "
                     "--accept-unverified takes them")  # fmt: skip
    if not allowed:
        raise InputError(f"{name}: {notes[0]}")
    files.make_folder(folder)
    end = deadline()
    found: dict[tuple[str, str], Fetched] = {}
    for part, kind in allowed:
        try:
            found[part, kind] = _one(known, part, kind, url, folder, on_event, end)
        except MissingError as error:
            notes.append(str(error))
    if not found:
        raise InputError(f"nothing of {name} there: {'; '.join(notes)}")
    for part, kind in found:
        (other,) = AXES.keys() - {kind}
        if file_in(folder, known, part, other) is None:
            raise InputError(
                f"{folder}: has {kind} of {part} now, but no {other}; {'; '.join(notes) or 'fetch them too'}"
            )
    return Fetch([*found.values()], notes)


def content_sha256(path: Path, limit: int = idx.MAX_BYTES) -> str:
    """Return the SHA-256 of a file's uncompressed content, which may be gzip-compressed.

    Raises:
        InputError: for content above ``limit`` bytes, or a damaged gzip stream.
        StoreError: when it cannot be read.
    """
    hashed, size = hashlib.sha256(), 0
    with files.named(path), path.open("rb") as file:
        for part in idx.contents(file, path):
            size += len(part)
            if size > limit:
                raise InputError(f"{path}: unpacks to more than {limit} bytes, the most that it can hold")
            hashed.update(part)
    return hashed.hexdigest()


def is_verified(path: Path, name: str, part: str, kind: str) -> bool:
    """Say whether a file's content is what it is known to be; False also where nothing is known.

    Raises:
        InputError: for a damaged gzip stream.
        StoreError: when it cannot be read.
    """
    known = VERIFIED.get((name, part, kind))
    return known is not None and content_sha256(path) == known.sha256


def _wanted(known: ImageSet, url: str) -> list[tuple[str, str]]:
    """Return part and kind of the files that an address is to give: all, or the one whose name it ends in."""
    every = [(part, kind) for part in PARTS for kind in AXES]
    last = posixpath.basename(urllib.parse.urlsplit(url).path)
    return [one for one in every if last in file_names(known, *one)] or every


def _one(
    known: ImageSet, part: str, kind: str, url: str, folder: Path, on_event: OnDownload | None, end: float
) -> Fetched:
    """Fetch one file under the first of its names that the server has."""
    names = file_names(known, part, kind)
    content = VERIFIED.get((known.name, part, kind))
    if (path := file_in(folder, known, part, kind)) is not None:
        return _there(path, kind, content)
    missing: list[str] = []
    for address in _addresses(url, names):
        try:
            return _fetch_file(address, folder, kind, content, on_event, end)
        except MissingError:
            missing.append(address)
    others = f", nor under {len(missing) - 1} other names" if len(missing) > 1 else ""
    raise MissingError(f"no {kind} of {part} at {missing[0]}{others}")


def _addresses(url: str, names: list[str]) -> Iterator[str]:
    """Yield where a file may be, compressed ones first."""
    parts = urllib.parse.urlsplit(url)
    if posixpath.basename(parts.path) in names:
        yield url
        return
    for name in sorted(names, key=lambda name: not name.endswith(".gz")):
        yield parts._replace(path=f"{parts.path.rstrip('/')}/{name}").geturl()


def _fetch_file(
    address: str, folder: Path, kind: str, content: Content | None, on_event: OnDownload | None, end: float
) -> Fetched:
    """Fetch one file, and give it its name when its content has been checked."""
    path, limit = folder / posixpath.basename(urllib.parse.urlsplit(address).path), _limit(content)
    came_from = digest = ""

    def fill(file: BinaryIO) -> None:
        nonlocal came_from, digest
        came_from = download(address, file, limit + SPARE, on_event, end=end)
        file.flush()
        digest = _checked(path.with_name(path.name + files.PARTIAL), address, kind, content)

    files.write(path, fill)
    return Fetched(path, digest, content is not None, came_from)


def _limit(content: Content | None) -> int:
    return content.size if content else idx.MAX_BYTES


def _checked(path: Path, address: str, kind: str, content: Content | None) -> str:
    """Return the SHA-256 of what was fetched.

    Raises:
        InputError: where it is not what it must be, or no IDX file of this kind; names the address.
    """
    try:
        digest = content_sha256(path, _limit(content))
        if content and digest != content.sha256:
            raise InputError(f"{path}: its content has SHA-256 {digest}; expected {content.sha256}")
        idx.read(path, AXES[kind])
    except InputError as error:
        raise InputError(f"{address}: not stored: {str(error).removeprefix(f'{path}: ')}") from None
    return digest


def _there(path: Path, kind: str, content: Content | None) -> Fetched:
    """Return a file that is there already.

    Raises:
        StoreError: where it is not what it must be.
    """
    try:
        return Fetched(path, _checked(path, str(path), kind, content), content is not None, None)
    except InputError as error:
        told = str(error).removeprefix(f"{path}: not stored: ")
        raise StoreError(f"{path}: is there already, but {told}; remove it, or choose another folder") from None
