"""Arrays in one file that carries a checksum of its own content; reading it never runs code."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from infoplane import files
from infoplane.errors import StoreError

_CHECK = "sha256"


def write(
    path: Path, arrays: Mapping[str, np.ndarray], record: files.Record | None = None, *, inside: Path | None = None
) -> str:
    """Write arrays whole or not at all and return the SHA-256 of the file; see `infoplane.files.write`."""
    checked = dict(arrays) | {_CHECK: np.array(_content_check(path.name, arrays))}

    return files.write(path, lambda file: np.savez(file, allow_pickle=False, **checked), record, inside=inside)


def read(path: Path) -> dict[str, np.ndarray]:
    """Read arrays and compare them with their own checksum.

    Raises:
        StoreError: when they cannot be read or are not what was written under this name.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except Exception as error:  # a damaged archive makes its readers fail in many ways
        raise StoreError(f"{path}: cannot be read ({error})") from None
    if str(arrays.pop(_CHECK, "")) != _content_check(path.name, arrays):
        raise StoreError(f"{path}: content differs from what was written (its own SHA-256)")
    return arrays


def holds(path: Path, name: str) -> bool:
    """Whether there is an array of this name, without reading any.

    Raises:
        StoreError: when the file cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return name in archive.files
    except Exception as error:  # see `read`
        raise StoreError(f"{path}: cannot be read ({error})") from None


def _content_check(name: str, arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a file's name and of the names, types, shapes and values of its arrays."""
    hashed = hashlib.sha256(name.encode())
    for key in sorted(arrays):
        values = np.ascontiguousarray(arrays[key])
        hashed.update(f"{key} {values.dtype.str} {arrays[key].shape}".encode())
        hashed.update(values.tobytes())
    return hashed.hexdigest()


def leaves_of(state: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a state under the names that they have on disk, in order."""
    return {f"leaf{index:04d}": leaf for index, leaf in enumerate(state)}


def state_of(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return the arrays of a state that `leaves_of` has named."""
    return tuple(arrays[name] for name in sorted(arrays) if name.startswith("leaf"))
