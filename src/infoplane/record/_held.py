"""The activations of a pass over the inputs, in memory or in a temporary file, until each layer is measured."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError, StoreError

Shape = tuple[int, np.dtype]
"""Number of units of a layer, and the type of its activations."""

SPARE = 2**30
"""Bytes of the temporary folder's disk that are left free."""

_IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs")
"""File systems that lie in memory, so that a file there saves nothing."""


class Held:
    """Activations of several layers in memory; `put` takes the batches, `take` gives each layer once.

    Args:
        shapes: the layers.
        n_samples: number of samples.
    """

    def __init__(self, shapes: Mapping[str, Shape], n_samples: int) -> None:
        self._buffers = {name: np.empty((1, units, n_samples), dtype) for name, (units, dtype) in shapes.items()}

    def put(self, name: str, rows: Float[np.ndarray, "sample dim"], place: slice) -> None:
        """Keep a batch of a layer.

        Raises:
            InputError: for another number of units, or type, than that of the batches before.
        """
        buffer = self._buffers[name]
        check_batch(name, rows, place, (buffer.shape[1], buffer.dtype))
        buffer[0, :, place] = rows.T

    def take(self, name: str) -> Float[np.ndarray, "1 dim sample"]:
        """Return a layer and forget it."""
        return self._buffers.pop(name)


class HeldInFile:
    """Activations of several layers in a temporary file, of which one layer at a time is read into memory.

    Batches lie in the file as they came, units first. The file has no name once it is open, so that nothing is left
    of it when the process ends in any way.

    Args:
        shapes: the layers.
        n_samples: number of samples.
        folder: where the file is made.
    """

    def __init__(self, shapes: Mapping[str, Shape], n_samples: int, folder: Path) -> None:
        self._shapes, self._n_samples = dict(shapes), n_samples
        sizes = [units * dtype.itemsize * n_samples for units, dtype in self._shapes.values()]
        self._starts = dict(zip(self._shapes, np.cumsum([0, *sizes]).tolist(), strict=False))
        self._places: dict[str, list[slice]] = {name: [] for name in self._shapes}
        self._folder = folder
        self._file: Any = tempfile.TemporaryFile(prefix="infoplane-", dir=folder, buffering=0)  # noqa: SIM115

    def put(self, name: str, rows: Float[np.ndarray, "sample dim"], place: slice) -> None:
        """Keep a batch of a layer.

        Raises:
            InputError: for another number of units, or type, than that of the batches before.
            StoreError: if the disk is full.
        """
        check_batch(name, rows, place, self._shapes[name])
        content = np.ascontiguousarray(rows.T).data.cast("B")
        self._file.seek(self._position(name, place))
        try:
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            raise StoreError(
                f"{self._folder}: the activations cannot be written to a temporary file ({error.strerror}). Set TMPDIR "
                "to a folder with more space, or measure on fewer inputs with rows="
            ) from error
        self._places[name].append(place)

    def take(self, name: str) -> Float[np.ndarray, "1 dim sample"]:
        """Read a layer."""
        units, dtype = self._shapes[name]
        layer = np.empty((1, units, self._n_samples), dtype)
        for place in self._places[name]:
            batch = np.empty((units, place.stop - place.start), dtype)
            self._file.seek(self._position(name, place))
            content = batch.data.cast("B")
            while content:
                content = content[self._file.readinto(content) :]
            layer[0, :, place] = batch
        return layer

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def _position(self, name: str, place: slice) -> int:
        units, dtype = self._shapes[name]
        return self._starts[name] + units * dtype.itemsize * place.start


@contextlib.contextmanager
def holding(shapes: Mapping[str, Shape], n_samples: int, folder: Path | None) -> Iterator[Held | HeldInFile]:
    """Hold activations in a temporary file in a folder, or in memory if it is None."""
    if folder is None:
        yield Held(shapes, n_samples)
        return
    with contextlib.closing(HeldInFile(shapes, n_samples, folder)) as held:
        yield held


def check_batch(name: str, rows: Float[np.ndarray, "sample dim"], place: slice, shape: Shape) -> None:
    """Refuse a batch of other units than the batches before.

    Raises:
        InputError: then; names the layer and the batch.
    """
    units, dtype = shape
    if rows.shape[1] != units or rows.dtype != dtype:
        raise InputError(
            f"activations of '{name}' have {rows.shape[1]} units ({rows.dtype}) for inputs {place.start}–"
            f"{place.stop - 1}, {units} ({dtype}) before; expected the same for every batch"
        )


def folder_with_space(n_bytes: int) -> Path | None:
    """Return a folder for temporary files on a disk with so much free space; None if there is none."""
    for folder in dict.fromkeys([tempfile.gettempdir(), "/var/tmp"]):
        with contextlib.suppress(OSError):
            is_usable = os.access(folder, os.W_OK) and not _is_in_memory(folder)
            if is_usable and shutil.disk_usage(folder).free >= n_bytes + SPARE:
                return Path(folder)
    return None


def _is_in_memory(folder: str) -> bool:
    """Return whether a folder is on a file system in memory; False if the system has no list of mounts."""
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return False
    mounts: Sequence[list[str]] = [line.split() for line in lines]
    path = str(Path(folder).resolve())
    holding = [m for m in mounts if m[1] == "/" or path == m[1] or path.startswith(f"{m[1]}/")]
    return bool(holding) and max(holding, key=lambda m: len(m[1]))[2] in _IN_MEMORY
