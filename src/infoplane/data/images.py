"""Data sets of images: read from a folder of files in the IDX format, or the digits that scikit-learn brings along."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from infoplane import files
from infoplane.data import idx
from infoplane.data.base import Dataset
from infoplane.errors import InputError, StoreError

WHITE = 255
"""The largest pixel."""

Pixels = UInt8[np.ndarray, "image height width"]


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """What is known of a data set of the family.

    Attributes:
        name: what configurations and figures call it.
        prefix: what the names of its files begin with.
        n_classes: labels are 0…n_classes−1; None where any are taken.
        transposed: whether its files hold columns where others hold rows.
    """

    name: str
    prefix: str = ""
    n_classes: int | None = 10
    transposed: bool = False


PARTS = {"train": ("train",), "test": ("t10k", "test")}
"""What stands in the names of the files of each part."""

AXES = {"images": 3, "labels": 1}
"""What kinds of files there are, and how many axes their arrays have."""

SETS = {
    one.name: one
    for one in (
        ImageSet("mnist"),
        ImageSet("fashion-mnist"),
        ImageSet("notmnist"),
        ImageSet("emnist-digits", prefix="emnist-digits-", transposed=True),
        ImageSet("idx", n_classes=None),
    )
}
"""The data sets of the family by name; ``idx`` stands for any other one."""


def mnist(path: str | Path) -> Dataset:
    """MNIST, handwritten digits of 28 × 28 pixels, from the folder of its files.

    LeCun, Bottou, Bengio & Haffner 1998. See `read_folder`.
    """
    return read_folder(path, "mnist")


def fashion_mnist(path: str | Path) -> Dataset:
    """Fashion-MNIST, articles of clothing, 28 × 28, from the folder of its files.

    Xiao, Rasul & Vollgraf 2017. See `read_folder`.
    """
    return read_folder(path, "fashion-mnist")


def notmnist(path: str | Path) -> Dataset:
    """notMNIST, letters A–J of many typefaces, 28 × 28, from the folder of its files.

    Bulatov 2011. Some images occur more than once: 9804 of the 10 000 test images are distinct. See `read_folder`.
    """
    return read_folder(path, "notmnist")


def emnist_digits(path: str | Path) -> Dataset:
    """EMNIST digits, 240 000 to train on, 28 × 28, from the folder of its files.

    Cohen, Afshar, Tapson & van Schaik 2017. Its files hold every image transposed; here it stands upright. See
    `read_folder`.
    """
    return read_folder(path, "emnist-digits")


def any_idx(path: str | Path) -> Dataset:
    """Any other images in files named like MNIST's, from their folder.

    The data set has the folder's name. See `read_folder`.
    """
    return read_folder(path, "idx")


def digits() -> Dataset:
    """1797 handwritten digits of 8 × 8 pixels that come with scikit-learn.

    Pixels are scaled from 0…16 to 0…1. Alpaydin & Kaynak 1998; the data set has no division of its own.
    """
    from sklearn.datasets import load_digits

    loaded: Any = load_digits()
    inputs = (loaded.data / 16).astype(np.float32)
    return Dataset(inputs, loaded.target.astype(np.int64), None, "digits", loaded.images.shape[1:])


def read_folder(path: str | Path, name: str) -> Dataset:
    """Read images and labels of the IDX family, raw or gzip-compressed; training rows come first, then test rows.

    A part may be missing: with test files only, ``split`` is "test" throughout. Pixels are scaled from 0…255 to 0…1.

    Args:
        path: the folder that holds the files.
        name: a name in `SETS`.

    Raises:
        InputError: where ``path`` is no folder, a file is missing (names what was looked for) or damaged, there are
            not as many labels as images, a label is outside the classes, or the parts' images differ in size.
        StoreError: when there is nothing at ``path``, or a file cannot be read.
    """
    folder, known = Path(path), SETS[name]
    parts = {part: _read_part(*found, known) for part, found in find(folder, known).items()}
    shapes = {images.shape[1:] for images, _ in parts.values()}
    if len(shapes) > 1:
        told = " and ".join(f"{height} × {width}" for height, width in sorted(shapes))
        raise InputError(f"{folder}: images of the two parts are {told}; expected one size")
    return Dataset(
        scaled([images for images, _ in parts.values()]),
        np.concatenate([labels for _, labels in parts.values()]),
        np.repeat([*parts], [len(labels) for _, labels in parts.values()]),
        folder.resolve().name if name == "idx" else name,
        shapes.pop(),
    )


def scaled(parts: Sequence[UInt8[np.ndarray, "_ height width"]]) -> Float32[np.ndarray, "sample feature"]:
    """Return images as rows of numbers from 0 to 1, those of all parts below one another."""
    height, width = parts[0].shape[1:]
    rows = _aligned((sum(map(len, parts)), height, width))
    begin = 0
    for images in parts:
        np.divide(images, np.float32(WHITE), out=rows[begin : begin + len(images)])
        begin += len(images)
    return rows.reshape(len(rows), -1)


def _aligned(shape: tuple[int, ...]) -> Float32[np.ndarray, "..."]:
    """Return an empty array that begins at a multiple of 64 bytes: JAX on a CPU reads such a one where it lies."""
    space = np.empty(math.prod(shape) + 16, np.float32)
    begin = -space.ctypes.data % 64 // space.itemsize
    return space[begin : begin + math.prod(shape)].reshape(shape)


def find(folder: Path, known: ImageSet) -> dict[str, tuple[Path, Path]]:
    """Return the files of images and labels of each part that is there.

    Raises:
        InputError: where ``folder`` is none, neither part is there, or a part has its images or labels only.
        StoreError: when there is nothing at ``folder``.
    """
    with files.named(folder):
        there, is_folder = folder.exists(), folder.is_dir()
    if not there:
        raise StoreError(f"{folder}: no such folder; expected one that holds the files of {known.name}")
    if not is_folder:
        raise InputError(f"{folder}: is no folder; expected the folder that holds the files of {known.name}")
    found: dict[str, tuple[Path, Path]] = {}
    for part in PARTS:
        images, labels = (file_in(folder, known, part, kind) for kind in AXES)
        if images and labels:
            found[part] = images, labels
        elif images or labels:
            kind, there = ("labels", images) if images else ("images", labels)
            wanted = _wanted(known, [part], kind)
            raise InputError(f"{folder}: holds {there and there.name} but no {kind} with it; looked for {wanted}")
    if not found:
        inner = sorted(one for one in folder.iterdir() if one.is_dir())
        inside = [one.name for one in inner if any(_parts_in(one, other) for other in SETS.values())]
        hint = f"; its folders {', '.join(inside[:5])} hold some" if inside else ""
        raise InputError(
            f"{folder}: holds no images of {known.name}{hint}; looked for {_wanted(known, PARTS, 'images')}"
        )
    return found


def guess(path: Path) -> str:
    """Return the name under which to load what is at ``path``: a file, or a folder called like a data set or not.

    Raises:
        InputError: for a folder without images.
        StoreError: when there is nothing at ``path``.
    """
    with files.named(path):
        if path.is_file():
            return "file"
        if not path.exists():  # nor can a loop of links be resolved
            raise StoreError(f"{path}: no such folder or file; expected the folder of some images")
    named = SETS.get(path.resolve().name.lower(), SETS["idx"])
    others = [one for one in SETS.values() if one.prefix and _parts_in(path, one)]
    chosen = others[0] if others and not _parts_in(path, named) else named
    find(path, chosen)
    return chosen.name


def _parts_in(folder: Path, known: ImageSet) -> list[str]:
    """Return the parts of which there are images."""
    return [part for part in PARTS if file_in(folder, known, part, "images")]


def file_names(known: ImageSet, part: str, kind: str) -> list[str]:
    """Return how the file of images or labels of a part may be called, the likeliest first."""
    stems = [f"{known.prefix}{word}-{kind}{mark}idx{AXES[kind]}-ubyte" for word in PARTS[part] for mark in "-."]
    return [stem + ending for stem in stems for ending in ("", ".gz")]


def file_in(folder: Path, known: ImageSet, part: str, kind: str) -> Path | None:
    """Return the file of images or labels of a part, None where there is none."""
    return next((folder / name for name in file_names(known, part, kind) if (folder / name).is_file()), None)


def expected_files(name: str) -> list[str]:
    """Return how the files of a data set in `SETS` are usually called."""
    return [file_names(SETS[name], part, kind)[0] for part in PARTS for kind in ("images", "labels")]


def _wanted(known: ImageSet, parts: Iterable[str], kind: str) -> str:
    """Return the names that were looked for, in words."""
    names = [name for part in parts for name in file_names(known, part, kind) if f"{kind}-" in name]
    return f"{', '.join(name for name in names if not name.endswith('.gz'))}, also with .idx for -idx and with .gz"


def _read_part(images_path: Path, labels_path: Path, known: ImageSet) -> tuple[Pixels, Int64[np.ndarray, " sample"]]:
    images, labels = idx.read(images_path, AXES["images"]), idx.read(labels_path, AXES["labels"])
    if len(images) != len(labels):
        raise InputError(
            f"{labels_path}: holds {len(labels)} labels, {images_path.name} {len(images)} images; expected as many"
        )
    if known.n_classes is not None and labels.max() >= known.n_classes:
        outside = np.flatnonzero(labels >= known.n_classes)
        raise InputError(
            f"{labels_path}: label {labels[outside[0]]} of row {outside[0]} is outside the classes of {known.name}, "
            f"0…{known.n_classes - 1}; {len(outside)} such labels; is it another data set? 'idx' takes any labels"
        )
    return images.transpose(0, 2, 1) if known.transposed else images, labels.astype(np.int64)
