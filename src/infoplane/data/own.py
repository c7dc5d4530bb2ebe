"""One's own data, from a ``.npz``, ``.csv`` or ``.mat`` file; nothing in a file is ever executed."""

import dataclasses
import math
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from infoplane import files
from infoplane._arrays import are_classes, as_labels, is_discrete, to_numpy
from infoplane.data import tables
from infoplane.data.base import Dataset
from infoplane.errors import InputError, StoreError

NAMES = (("inputs", "labels"), ("X", "y"), ("x", "y"), ("F", "y"))
"""How inputs and labels may be called in a .npz or .mat file; the last as in the published file of the 12-bit task."""

LABEL_COLUMNS = ("label", "y")
"""Names of the column of labels in a .csv file; without one of them it is the last column."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """Inputs in the shape that a model takes, and what is known of them.

    Attributes:
        inputs: shape (sample, …): floating-point numbers are float32; whole numbers, as tokens are, stay whole.
        labels: shape (sample, …), one for each input: classes, one-hot rows or targets of a regression; None where
            the file has none.
        name: the file's, without its ending.
    """

    inputs: np.ndarray
    labels: np.ndarray | None
    name: str


def load_samples(path: str | Path, columns: Sequence[str] = (), label_column: str | None = None) -> Samples:
    """Load a file of inputs and labels and keep the inputs in their shape, as images need it.

    ``.npz`` and ``.mat`` hold arrays named inputs and labels, X and y, x and y, or F and y; the labels may be
    missing. ``.csv`` and ``.tsv`` hold a row of names, then numbers between commas, semicolons or tabs; the labels are
    the column ``label`` or ``y``, else the last. An index column as pandas writes it (no name) is left out.
    Labels stored as integers or words are classes. Labels stored as floats are classes if they are all whole with few
    different values (up to 10, or up to half the number of rows and 1000), else targets of a regression.
    Pixels in 0…255 are not scaled; do to inputs what was done in training before saving them.

    Args:
        path: the file.
        columns: names of the columns of inputs in a table; all but the labels by default.
        label_column: name of the column of labels in a table.

    Raises:
        InputError: for another kind of file, one that is damaged, too large for the memory of this machine, holds
            objects, or lacks the arrays (names those that it has), inputs that are not finite, missing values and
            decimal commas (names line and column), or labels of another length.
        StoreError: when there is no file there.
    """
    path = Path(path)
    if path.suffix.lower() not in _READERS:
        raise InputError(f"{path}: is no {', '.join(_READERS)} file; save the arrays with numpy.savez(…)")
    if (columns or label_column) and path.suffix.lower() not in tables.ENDINGS:
        raise InputError(f"{path}: expected a table for columns, got {path.suffix}. Save it as .csv with names")
    with files.named(path):
        there = path.is_file()
    if not there:
        raise StoreError(f"{path}: no such file")
    try:
        if columns or label_column:
            inputs, labels = _read_csv(path, columns, label_column)
        else:
            inputs, labels = _READERS[path.suffix.lower()](path)
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path}: its arrays do not fit into memory; save fewer rows") from None
    except Exception as error:  # a damaged file makes its readers fail in many ways
        text = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read; cut short or damaged? ({text})") from None
    return _checked(path, inputs, labels)


def load_file(path: str | Path) -> Dataset:
    """Your own inputs and classes, from a .npz, .csv or .mat file.

    Each input is flattened into one row; see `load_samples` for what a file holds.

    Classes become codes 0…C−1 in ascending order of their values.

    Raises:
        InputError: as `load_samples`, and for a file without labels or with labels that are no classes.
        StoreError: when there is no file there.
    """
    samples = load_samples(path)
    if samples.labels is None:
        raise InputError(f"{path}: has no labels; a data set needs an array named {_either(1)}")
    flat = samples.inputs.reshape(len(samples.inputs), -1).astype(np.float32, copy=False)
    codes = as_labels(samples.labels, f"{path}: labels", len(flat))
    return Dataset(np.ascontiguousarray(flat), codes, None, samples.name)


# ---- what every format goes through


def _checked(path: Path, inputs: Any, labels: Any) -> Samples:
    inputs = to_numpy(inputs, f"{path}: inputs")
    if inputs.dtype.kind in "US" or inputs.ndim == 0 or inputs.size == 0:
        raise InputError(
            f"{path}: inputs have shape {inputs.shape}, dtype {inputs.dtype}; expected numbers (sample, …)"
        )
    inputs = inputs[:, None] if inputs.ndim == 1 else inputs
    if inputs.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused as not finite
            inputs = inputs.astype(np.float32, copy=False)
        _refuse_gaps(path, inputs)
    if labels is not None:
        labels = _labels(path, to_numpy(labels, f"{path}: labels"), len(inputs))
    return Samples(inputs, labels, path.stem)


def _refuse_gaps(path: Path, inputs: np.ndarray) -> None:
    bad = sum(1 for row in inputs if not np.isfinite(row).all())
    if bad:
        raise InputError(f"{path}: {bad} of {len(inputs)} inputs are not finite; drop or fill those rows first")


def _labels(path: Path, labels: np.ndarray, n_samples: int) -> np.ndarray:
    """Return labels with the sample first: MATLAB has no flat arrays, and whole numbers in floating point."""
    if labels.ndim == 2 and 1 in labels.shape:
        labels = labels.reshape(-1)
    if labels.ndim == 0 or len(labels) != n_samples:
        raise InputError(
            f"{path}: labels have shape {labels.shape}, there are {n_samples} inputs; expected the sample first in both"
        )
    if not is_discrete(labels) and not np.isfinite(labels).all():
        bad = np.asarray(~np.isfinite(labels.reshape(len(labels), -1)).all(axis=1))
        raise InputError(
            f"{path}: labels are not finite in {int(bad.sum())} of {len(bad)} rows, the first is row "
            f"{int(bad.argmax())}; leave those rows out"
        )
    return labels.astype(np.int64) if are_classes(labels) else labels


def _either(place: int) -> str:
    return " or ".join(dict.fromkeys(repr(pair[place]) for pair in NAMES))


def _pick(path: Path, names: Iterable[str]) -> tuple[str, str | None]:
    """Return the names of inputs and labels among those of a file."""
    there = [*names]
    for inputs, labels in NAMES:
        if inputs in there:
            return inputs, labels if labels in there else None
    held = ", ".join(repr(name) for name in there[:10]) or "nothing"
    raise InputError(f"{path}: holds {held}; expected arrays named inputs and labels, or X and y")


# ---- formats


def _read_npz(path: Path) -> tuple[Any, Any]:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: is no whole .npz archive; save the arrays with numpy.savez(…)")
    with zipfile.ZipFile(path) as archive:
        tables.refuse_large(path, max((item.file_size for item in archive.infolist()), default=0), "Save fewer rows")
    with np.load(path, allow_pickle=False) as arrays:
        inputs, labels = _pick(path, arrays.files)
        return _member(path, arrays, inputs), None if labels is None else _member(path, arrays, labels)


def _member(path: Path, arrays: Any, name: str) -> np.ndarray:
    try:
        return arrays[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise InputError(
            f"{path}: refused, since array {name!r} holds objects, which could run code; save numbers or strings, for "
            "example with .astype(float)"
        ) from None


def _read_mat(path: Path) -> tuple[Any, Any]:
    from scipy import io

    try:
        there = io.whosmat(str(path), appendmat=False)
    except NotImplementedError:
        raise InputError(f"{path}: is of MATLAB 7.3, which is not read; save it with -v7, or as .npz") from None
    kinds = {name: kind for name, _, kind in there}
    inputs, labels = _pick(path, kinds)
    n_values = max(math.prod(shape) for name, shape, _ in there if name in (inputs, labels))
    tables.refuse_large(path, n_values, "Save fewer rows")
    wanted = [name for name in (inputs, labels) if name is not None]
    for name in wanted:
        if kinds[name] in ("struct", "cell", "object", "function", "opaque", "sparse", "unknown"):
            raise InputError(f"{path}: refused, since {name!r} is a MATLAB {kinds[name]}; save numbers, as full arrays")
    arrays = io.loadmat(str(path), appendmat=False, variable_names=wanted)
    return arrays[inputs], None if labels is None else arrays[labels]


def _read_csv(path: Path, columns: Sequence[str] = (), label: str | None = None) -> tuple[Any, Any]:
    layout = tables.read_layout(path)
    _check_names(path, layout)
    names = layout.first
    if label is None:
        label = next((name for name in LABEL_COLUMNS if name in names), names[-1])
    place = layout.place(label)
    candidates = [other for other in range(int(layout.indexed), layout.width) if other != place]
    places = [layout.place(name) for name in columns] or candidates
    if not places:
        raise InputError(f"{path}: has no column of inputs beside the labels {label!r}; add one")
    inputs, cells, lines = tables.read_numbers(layout, places, place)
    if not lines:
        raise InputError(f"{path}: has no rows below the names; expected one for each sample")
    return inputs, tables.parse_column(path, repr(label), cells, lines)


def _check_names(path: Path, layout: tables.Layout) -> None:
    """Refuse a first line that does not name the columns; ``0, 1, 2, …`` as pandas writes are names."""
    names = layout.first
    if len(names) < 2:
        raise InputError(f"{path}: its first row is {','.join(names)[:80]!r}; expected names with commas between them")
    counted = list(names) == [str(place) for place in range(len(names))]
    if all(map(tables.is_number, names)) and not counted:
        raise InputError(f"{path}: its first row holds numbers; expected names, for example x1,x2,label")
    if len(set(names)) < len(names):
        raise InputError(f"{path}: two columns have the same name; expected a name of its own for each")


_READERS: Mapping[str, Callable[[Path], tuple[Any, Any]]] = {
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".mat": _read_mat,
}
