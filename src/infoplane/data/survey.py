"""What images a folder holds: which data sets, how large, whether their content is the known one."""

import contextlib
import itertools
from pathlib import Path

from infoplane import files
from infoplane.data.fetch import VERIFIED, is_verified
from infoplane.data.images import AXES, SETS, find, guess, read_folder
from infoplane.errors import InfoplaneError, StoreError

MAX_FOLDERS = 1000
"""Most folders that are looked into."""


def folders(path: Path) -> list[tuple[Path, str]]:
    """Return the folders with images, ``path`` itself and those in it, each with the name of its data set.

    Raises:
        StoreError: where ``path`` is no folder that can be read.
    """
    with files.named(path):
        if not path.is_dir():
            raise StoreError(f"{path}: no such folder")
        inner = sorted(itertools.islice((one for one in path.iterdir() if one.is_dir()), MAX_FOLDERS))
    found: list[tuple[Path, str]] = []
    for folder in (path, *inner):
        with contextlib.suppress(InfoplaneError):
            found.append((folder, guess(folder)))
    return found


def look(folder: Path, name: str) -> str:
    """Return one line on the images of a folder: what they are, or why they cannot be read."""
    try:
        summary = read_folder(folder, name).summary
        return f"{summary}; content {_known(folder, name)}"
    except InfoplaneError as error:
        return "cannot be read: " + str(error).removeprefix(f"{folder}: ").removeprefix(f"{folder}/")


def _known(folder: Path, name: str) -> str:
    """Say whether the content of the files is what it is known to be."""
    parts = find(folder, SETS[name]).items()
    there = {(part, kind): path for part, pair in parts for kind, path in zip(AXES, pair, strict=True)}
    known = [(name, *one) in VERIFIED for one in there]
    if not any(known):
        return "not known for certain"
    right = [is_verified(path, name, *one) for one, path in there.items() if (name, *one) in VERIFIED]
    if not all(right):
        return "is another one than the known"
    return "verified" if all(known) else "verified in part"
