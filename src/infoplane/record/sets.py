"""The inputs and labels on which a model is measured, and what is fixed about them."""

import hashlib
from collections.abc import Iterator, Mapping, Set
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int, UInt64

from infoplane._arrays import to_numpy
from infoplane.errors import InputError
from infoplane.estimators.rows import row_codes
from infoplane.record._batches import joined
from infoplane.record._labels import as_classes, ignored_rows

SETS = ("measured", "held_out")
"""Names of the measured inputs and of a second, held-out set."""

HASHED_BYTES = 2**26
"""Inputs are looked at in pieces of about this size, so that no copy of all of them is made."""


def measured_sets(inputs: Any, labels: Any, held_out: Any, **options: Any) -> dict[str, "MeasuredSet"]:
    """Return the measured inputs and the held-out inputs by the names of `SETS`.

    Args:
        inputs: the inputs.
        labels: their labels.
        held_out: a second set: inputs, the pair (inputs, labels), or None.
        options: of `MeasuredSet`.

    Raises:
        InputError: see `MeasuredSet`.
    """
    sets = {SETS[0]: MeasuredSet(inputs, labels, "inputs", **options)}
    if held_out is not None:
        pair = held_out if isinstance(held_out, tuple) and len(held_out) == 2 else (held_out, None)
        sets[SETS[1]] = MeasuredSet(*pair, "held_out inputs", **options)
    return sets


class MeasuredSet:
    """Inputs with their labels, cut into batches.

    X is *which distinct input*: H(X) is the entropy of the shares of the distinct rows.

    Args:
        inputs: an array of shape (sample, …) of any framework, or a mapping or tuple of such arrays for a model
            with several inputs; a DataLoader, a dataset or an iterable of batches, which are read once.
        labels: shape (sample,): classes as integers, booleans, words or categories; one-hot rows; floats that are
            whole with few values, which are classes too; or other floats, which are targets of a regression and are
            cut into ``target_bins`` classes of equal mass. None: no labels.
        argument: name of the inputs in errors.
        batch_size: number of samples given to the model at once; "all" for all of them, always.
        exact_batch: give the model this number of samples every time, and never fewer.
        target_bins: number of classes that the targets of a regression are cut into.
        ignore_index: inputs with this label are left out.
        rows: number of inputs to draw at random, always the same ones; None for all.

    Attributes:
        n_given: number of inputs before ``rows`` of them were drawn.

    Raises:
        InputError: for inputs without samples, of unequal lengths, or labels that do not fit.
    """

    def __init__(
        self,
        inputs: Any,
        labels: Any,
        argument: str,
        *,
        batch_size: Any,
        target_bins: int,
        exact_batch: bool = False,
        ignore_index: int | None = None,
        rows: int | None = None,
    ) -> None:
        self.argument = argument
        inputs, labels = joined(inputs, labels, argument)
        _refuse_listed_inputs(inputs, labels, argument)
        name = argument.replace("inputs", "labels")
        self.inputs = _adopt(inputs, argument)
        if ignore_index is not None and labels is not None:
            kept = ignored_rows(labels, name, ignore_index)
            self.inputs, labels = _take(self.inputs, kept), to_numpy(labels, name)[kept]
        self.n_samples = self.n_given = _common_length(self.inputs, argument)
        if rows is not None and rows < self.n_given:
            _refuse_other_length(labels, name, self.n_given)
            kept = drawn_rows(self.n_given, rows)
            self.inputs, self.n_samples = _take(self.inputs, kept), rows
            labels = None if labels is None else to_numpy(labels, name)[kept]
        self.exact_batch = batch_size == "all" or exact_batch
        self.batch_size = self.n_samples if batch_size == "all" else batch_size
        self.labels, self.targets = as_classes(labels, name, self.n_samples, target_bins)
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

    def exact_batches(self, size: int) -> Iterator[tuple[slice, Any]]:
        """Yield batches of exactly this size, each with its place among the samples.

        The last batch is filled up by its own samples, again from its first one.
        """
        for start in range(0, self.n_samples, size):
            place = slice(start, min(start + size, self.n_samples))
            batch = _take(self.inputs, place)
            yield place, batch if place.stop - start == size else _repeated(batch, size)

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
        for part in parts_of(self.inputs):
            width = max(1, int(np.prod(part.shape[1:])) * 8)
            step = max(1, HASHED_BYTES // width)
            for start in range(0, self.n_samples, step):
                block = to_numpy(part[start : start + step], self.argument)
                rows = np.ascontiguousarray(block.reshape(len(block), -1).T)[None]
                here = slice(start, start + len(block))
                codes[here] = (codes[here] * np.uint64(31)) ^ row_codes(rows)[0]
        return codes


def drawn_rows(n_samples: int, rows: int) -> Int[np.ndarray, " row"]:
    """Return the places of a random part of the samples, ascending; the same for the same numbers."""
    return np.sort(np.random.default_rng(0).permutation(n_samples)[:rows])


def _adopt(inputs: Any, argument: str) -> Any:
    """Keep arrays of any framework as they are; turn lists into NumPy arrays."""
    if isinstance(inputs, Mapping):
        return {key: _adopt_array(part, f"{argument}[{key!r}]") for key, part in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(_adopt_array(part, f"{argument}[{place}]") for place, part in enumerate(inputs))
    return _adopt_array(inputs, argument)


def _adopt_array(part: Any, argument: str) -> Any:
    _refuse_no_array(part, argument)
    array_of_framework = hasattr(part, "shape") and hasattr(part, "__getitem__") and not _is_table(part)
    kept = part if array_of_framework and not isinstance(part, np.ndarray) else to_numpy(part, argument)
    shape = tuple(kept.shape)
    if getattr(getattr(kept, "dtype", None), "kind", "") in ("U", "S"):
        raise InputError(f"{argument} hold strings; expected numbers, for example each word's place in a vocabulary")
    if not shape or shape[0] < 2:
        raise InputError(f"{argument} has shape {shape}; expected (sample, …) with at least 2 samples")
    return kept


def _is_table(part: Any) -> bool:
    """Say whether a value belongs to pandas, polars, pyarrow or xarray, which models do not take."""
    return any(hasattr(part, name) for name in ("isna", "null_count", "isnull"))


def _refuse_no_array(part: Any, argument: str) -> None:
    """Refuse what gives samples one by one or has no rows to be cut, and say how to make an array of it."""
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


def parts_of(inputs: Any) -> list[Any]:
    """Return the arrays of inputs, whether there is one or several."""
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, tuple) else [inputs]


def _common_length(inputs: Any, argument: str) -> int:
    lengths = [len(part) for part in parts_of(inputs)]
    if not lengths or len(set(lengths)) > 1:
        raise InputError(f"{argument} has parts of {lengths} samples; expected the same number in each")
    return lengths[0]


def _refuse_other_length(labels: Any, name: str, n_samples: int) -> None:
    """Refuse labels of other inputs before rows are drawn from both."""
    if labels is not None and _length(labels) != n_samples:
        raise InputError(
            f"{name}: expected one label per row ({n_samples}), got {_length(labels)}. Pass the labels of the same "
            "inputs."
        )


def _take(inputs: Any, place: slice | np.ndarray) -> Any:
    if isinstance(inputs, Mapping):
        return {key: part[place] for key, part in inputs.items()}
    return tuple(part[place] for part in inputs) if isinstance(inputs, tuple) else inputs[place]


def _repeated(batch: Any, size: int) -> Any:
    """Return so many samples: those of a batch, again from the first."""
    if isinstance(batch, Mapping):
        return {key: _repeated(part, size) for key, part in batch.items()}
    if isinstance(batch, tuple):
        return tuple(_repeated(part, size) for part in batch)
    return batch[np.arange(size) % len(batch)]


def _entropy(codes: Int[np.ndarray, " sample"]) -> float:
    """Entropy in bits of the shares of the codes."""
    counts = np.unique(codes, return_counts=True)[1]
    return float(np.log2(len(codes)) - (counts * np.log2(counts)).sum() / len(codes))
