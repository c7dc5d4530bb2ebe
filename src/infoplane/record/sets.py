"""The inputs and labels on which a model is measured, and what is fixed about them."""

import hashlib
from collections.abc import Iterator, Mapping, Set
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt64

from infoplane._arrays import Codes, as_labels, is_discrete, to_numpy
from infoplane.errors import InputError
from infoplane.estimators.rows import row_codes

HASHED_BYTES = 2**26
"""Inputs are looked at in pieces of about this size, so that no copy of all of them is made."""


class MeasuredSet:
    """Inputs with their labels, cut into batches.

    X is *which distinct input*: H(X) is the entropy of the shares of the distinct rows.

    Args:
        inputs: an array of shape (sample, …) of any framework, or a mapping or tuple of such arrays for a model
            with several inputs.
        labels: shape (sample,): classes as integers, booleans or strings; one-hot rows; or numbers, which are
            targets of a regression and are cut into ``target_bins`` classes of equal mass. None: no labels.
        argument: name of the inputs in errors.
        batch_size: number of samples given to the model at once.
        target_bins: number of classes that the targets of a regression are cut into.

    Raises:
        InputError: for inputs without samples, of unequal lengths, or labels that do not fit.
    """

    def __init__(self, inputs: Any, labels: Any, argument: str, *, batch_size: int, target_bins: int) -> None:
        self.argument, self.batch_size = argument, batch_size
        _refuse_listed_inputs(inputs, labels, argument)
        self.inputs = _adopt(inputs, argument)
        self.n_samples = _common_length(self.inputs, argument)
        self.labels, self.targets = _as_classes(labels, argument, self.n_samples, target_bins)
        self.rows = self._hash_rows()

    def batches(self, size: int) -> Iterator[tuple[slice, Any]]:
        """Yield the inputs in batches of a size, each with its place among the samples.

        A last sample that would be alone joins the batch before it: models that squeeze their outputs fail on one.
        """
        starts = [*range(0, self.n_samples, size)]
        if size > 1 and self.n_samples - starts[-1] == 1:
            starts.pop()
        for start, stop in zip(starts, [*starts[1:], self.n_samples], strict=True):
            place = slice(start, stop)
            yield place, _take(self.inputs, place)

    def check_unchanged(self) -> None:
        """Refuse inputs that were changed or put in another order since they were adopted.

        Raises:
            InputError: then; the labels would belong to other inputs.
        """
        now = self._hash_rows()
        if not np.array_equal(now, self.rows):
            what = "are in another order" if np.array_equal(np.sort(now), np.sort(self.rows)) else "have changed"
            raise InputError(
                f"{self.argument} {what} since the recorder was made; give the recorder a copy that stays as it is"
            )

    @property
    def fingerprint(self) -> dict[str, str]:
        """Digests that tell whether another set is the same: rows in order, rows in any order, labels."""
        labels = b"" if self.labels is None else self.labels.tobytes()
        parts = {"rows": self.rows.tobytes(), "any_order": np.sort(self.rows).tobytes(), "labels": labels}
        return {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}

    @cached_property
    def _distinct(self) -> Int[np.ndarray, " sample"]:
        return np.unique(self.rows, return_inverse=True)[1].reshape(-1)

    @property
    def n_distinct(self) -> int:
        """Number of different inputs."""
        return int(self._distinct.max()) + 1

    @property
    def input_entropy(self) -> float:
        """H(X) in bits over the distinct inputs."""
        return _entropy(self._distinct)

    @property
    def label_entropy(self) -> float:
        """H(Y) in bits; NaN without labels."""
        return np.nan if self.labels is None else _entropy(self.labels)

    @property
    def label_information(self) -> float:
        """I(X;Y) in bits of the table: less than H(Y) only where equal inputs carry different labels."""
        if self.labels is None:
            return np.nan
        joint = self._distinct * (int(self.labels.max()) + 1) + self.labels
        return self.label_entropy + self.input_entropy - _entropy(joint)

    def _hash_rows(self) -> UInt64[np.ndarray, " sample"]:
        """Give equal inputs equal 64-bit codes."""
        codes = np.zeros(self.n_samples, np.uint64)
        for part in _parts(self.inputs):
            width = max(1, int(np.prod(part.shape[1:])) * 8)
            step = max(1, HASHED_BYTES // width)
            for start in range(0, self.n_samples, step):
                block = to_numpy(part[start : start + step], self.argument)
                rows = np.ascontiguousarray(block.reshape(len(block), -1).T)[None]
                here = slice(start, start + len(block))
                codes[here] = (codes[here] * np.uint64(31)) ^ row_codes(rows)[0]
        return codes


def _adopt(inputs: Any, argument: str) -> Any:
    """Keep arrays of any framework as they are; turn lists into NumPy arrays."""
    if isinstance(inputs, Mapping):
        return {key: _adopt_array(part, f"{argument}[{key!r}]") for key, part in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(_adopt_array(part, f"{argument}[{place}]") for place, part in enumerate(inputs))
    return _adopt_array(inputs, argument)


def _adopt_array(part: Any, argument: str) -> Any:
    _refuse_no_array(part, argument)
    if hasattr(part, "iloc"):  # a table of pandas, whose slices go by its index
        part = part.to_numpy()
    kept = part if hasattr(part, "shape") and hasattr(part, "__getitem__") else to_numpy(part, argument)
    shape = tuple(kept.shape)
    if isinstance(kept, np.ndarray):
        to_numpy(kept, argument)  # refuses objects, masks and the like
    if getattr(getattr(kept, "dtype", None), "kind", "") in ("U", "S"):
        raise InputError(f"{argument} hold strings; expected numbers, for example each word's place in a vocabulary")
    if not shape or shape[0] < 2:
        raise InputError(f"{argument} has shape {shape}; expected (sample, …) with at least 2 samples")
    return kept


def _refuse_no_array(part: Any, argument: str) -> None:
    """Refuse what gives samples one by one or has no rows to be cut, and say how to make an array of it."""
    if any(cls.__module__.startswith("torch.utils.data") for cls in type(part).__mro__):
        once = "[batch for batch, _ in loader]" if hasattr(part, "batch_size") else "[sample for sample, _ in dataset]"
        join = "torch.cat" if hasattr(part, "batch_size") else "torch.stack"
        raise InputError(f"{argument} is a {type(part).__name__}; expected an array, for example {join}({once})")
    if part is None or isinstance(part, Iterator | Set):
        raise InputError(f"{argument} is a {type(part).__name__}; expected an array of shape (sample, …)")
    if hasattr(part, "toarray") or getattr(part, "is_sparse", False):
        dense = "toarray" if hasattr(part, "toarray") else "to_dense"
        raise InputError(f"{argument} is sparse; expected a full array, for example by .{dense}()")


def _refuse_listed_inputs(inputs: Any, labels: Any, argument: str) -> None:
    """Refuse a list of a model's several inputs, which would be taken for a list of samples."""
    n_labels = _length(labels)
    if isinstance(inputs, list) and n_labels not in (None, len(inputs)) and {_length(p) for p in inputs} == {n_labels}:
        raise InputError(
            f"{argument} is a list of {len(inputs)} arrays of {n_labels} samples; expected a tuple of them, if they "
            "are the several inputs of one model"
        )


def _length(value: Any) -> int | None:
    try:
        return len(value)
    except TypeError:
        return None


def _parts(inputs: Any) -> list[Any]:
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, tuple) else [inputs]


def _common_length(inputs: Any, argument: str) -> int:
    lengths = [len(part) for part in _parts(inputs)]
    if not lengths or len(set(lengths)) > 1:
        raise InputError(f"{argument} has parts of {lengths} samples; expected the same number in each")
    return lengths[0]


def _take(inputs: Any, place: slice) -> Any:
    if isinstance(inputs, Mapping):
        return {key: part[place] for key, part in inputs.items()}
    return tuple(part[place] for part in inputs) if isinstance(inputs, tuple) else inputs[place]


def _as_classes(labels: Any, argument: str, n_samples: int, target_bins: int) -> tuple[Codes | None, str]:
    """Return the labels as codes, and in words what was done to those that are no classes."""
    if labels is None:
        return None, ""
    name = argument.replace("inputs", "labels")
    values = to_numpy(_as_words(labels), name)
    if is_discrete(values):
        return as_labels(values, name, n_samples), ""
    if values.ndim == 0 or len(values) != n_samples:
        raise InputError(f"{name} has shape {values.shape}; expected ({n_samples},), one label for each input")
    columns = values.reshape(n_samples, -1)
    if not np.isfinite(columns).all():
        bad = int((~np.isfinite(columns)).any(axis=1).sum())
        raise InputError(f"{name} is not finite in {bad} of {n_samples} rows; leave them out of inputs and labels")
    one_hot = columns.shape[1] > 1 and ((columns == 0) | (columns == 1)).all() and (columns.sum(axis=1) == 1).all()
    if one_hot:
        return as_labels(columns.argmax(axis=1), name, n_samples), ""
    return _cut(columns, target_bins)


def _as_words(labels: Any) -> Any:
    """Return strings that are kept as objects, as pandas does, as strings; everything else as it is."""
    if getattr(labels, "dtype", None) is None or hasattr(labels, "detach"):
        return labels
    array = np.asarray(labels)
    is_words = array.dtype.kind == "O" and all(isinstance(word, str) for word in array.flat)
    return array.astype(str) if is_words else labels


def _cut(targets: Float[np.ndarray, "sample column"], n_bins: int) -> tuple[Codes, str]:
    """Return the targets of a regression as classes, and in words how."""
    n_values = [len(np.unique(column)) for column in targets.T]
    parts = [
        column if n <= n_bins else _equal_mass(column, n_bins) for column, n in zip(targets.T, n_values, strict=True)
    ]
    codes = [np.unique(part, return_inverse=True)[1].reshape(-1) for part in parts]
    classes = as_labels(np.stack(codes, axis=1), "labels", len(targets))
    n_classes = int(classes.max()) + 1
    if max(n_values) <= n_bins:
        return classes, f"targets have {n_classes} different values, each of which is a class"
    if len(codes) > 1:
        return (
            classes,
            f"each of {len(codes)} targets cut at its quantiles into up to {n_bins} parts, {n_classes} classes",
        )
    mass = "equal mass" if n_classes == n_bins else "unequal mass, since many targets are equal"
    return classes, f"targets cut at their quantiles into {n_classes} classes of {mass}"


def _equal_mass(column: Float[np.ndarray, " sample"], n_bins: int) -> Int[np.ndarray, " sample"]:
    """Cut numbers at their quantiles; equal numbers share a class."""
    edges = np.quantile(column, np.arange(1, n_bins) / n_bins)
    return np.searchsorted(edges, column, side="right")


def _entropy(codes: Int[np.ndarray, " sample"]) -> float:
    """Entropy in bits of the shares of the codes."""
    counts = np.unique(codes, return_counts=True)[1]
    return float(np.log2(len(codes)) - (counts * np.log2(counts)).sum() / len(codes))
