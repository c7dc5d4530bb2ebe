"""Labels of the measured inputs as classes: one for each input."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from infoplane._arrays import Codes, are_classes, as_labels, is_discrete, to_numpy
from infoplane.errors import InputError

IGNORED = -100
"""The label that PyTorch and Hugging Face leave out of a loss."""


def as_classes(labels: Any, name: str, n_samples: int, target_bins: int) -> tuple[Codes | None, str]:
    """Return the labels as codes, and a sentence on how numbers were turned into classes (empty for classes).

    Raises:
        InputError: for another number of labels than inputs, several labels for each input, ignored labels.
    """
    if labels is None:
        return None, ""
    values = to_numpy(labels, name)
    if values.ndim == 0 or len(values) != n_samples:
        raise InputError(
            f"{name} has shape {values.shape}; expected ({n_samples},), one label for each input. Pass the labels of "
            "the same inputs."
        )
    _refuse_ignored(values, name)
    columns = values.reshape(n_samples, -1)
    if columns.shape[1] > 1 and _is_one_hot(columns):
        return as_labels(columns.argmax(axis=1), name, n_samples), ""
    if columns.shape[1] > 1 and (is_discrete(columns) or _is_zero_or_one(columns)):
        _refuse_several(values, name)
    if is_discrete(values):
        return as_labels(columns, name, n_samples), ""
    bad = ~np.isfinite(columns).all(axis=1)
    if bad.any():
        raise InputError(
            f"{name} is not finite in {int(bad.sum())} of {n_samples} rows, the first is row {int(bad.argmax())}; "
            "leave them out of inputs and labels"
        )
    if columns.shape[1] == 1 and are_classes(columns):
        codes = as_labels(columns, name, n_samples)
        n_values = int(codes.max()) + 1
        return codes, f"labels are whole numbers stored as floats, {n_values} values, each of which is a class"
    return _cut(columns, name, target_bins)


def ignored_rows(labels: Any, name: str, ignore_index: int) -> Any:
    """Return which inputs are kept, shape (sample,): those whose label is not the ignored one.

    Raises:
        InputError: for labels that are not one number for each input, or where none is kept.
    """
    values = to_numpy(labels, name)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise InputError(f"{name}: expected one number for each input, got shape {values.shape}, dtype {values.dtype}.")
    kept = values != ignore_index
    if kept.sum() < 2:
        raise InputError(
            f"{name}: expected at least 2 labels other than {ignore_index}, got {kept.sum()}. Pass other inputs."
        )
    return kept


def _refuse_ignored(values: np.ndarray, name: str) -> None:
    if values.dtype.kind not in "if" or not (values == IGNORED).any():
        return
    if (rest := values[values != IGNORED]).size and rest.min() >= 0:
        n_ignored = int((values == IGNORED).sum())
        raise InputError(
            f"{name}: expected classes, got {IGNORED} in {n_ignored} of {values.size} places, which losses ignore. "
            f"Pass ignore_index={IGNORED} to leave out these inputs, or leave them out of inputs and labels."
        )


def _refuse_several(values: np.ndarray, name: str) -> None:
    n_samples, n_columns = values.shape[0], values[0].size
    raise InputError(
        f"{name}: expected one label for each input, shape ({n_samples},), got shape {values.shape}. For labels per "
        f"position of a sequence measure one position: positions=3 with {name}[:, 3]. For several labels per input "
        f"(multi-label) measure one at a time, {name}[:, 0] to {name}[:, {n_columns - 1}]. To take each combination as "
        f"a class: numpy.unique({name}, axis=0, return_inverse=True)[1]."
    )


def _is_zero_or_one(columns: np.ndarray) -> bool:
    return columns.dtype.kind in "biuf" and bool(((columns == 0) | (columns == 1)).all())


def _is_one_hot(columns: np.ndarray) -> bool:
    return _is_zero_or_one(columns) and bool((columns.sum(axis=1) == 1).all())


def _cut(targets: Float[np.ndarray, "sample column"], name: str, n_bins: int) -> tuple[Codes, str]:
    """Return the targets of a regression as classes, and in words how."""
    n_values = [len(np.unique(column)) for column in targets.T]
    parts = [
        column if n <= n_bins else _equal_mass(column, n_bins) for column, n in zip(targets.T, n_values, strict=True)
    ]
    codes = [np.unique(part, return_inverse=True)[1].reshape(-1) for part in parts]
    classes = as_labels(np.stack(codes, axis=1), name, len(targets))
    n_classes = int(classes.max()) + 1
    if len(codes) > 1 and 2 * n_classes > len(targets):
        raise InputError(
            f"{name}: expected several inputs for each class, got {n_classes} combinations of {len(codes)} targets for "
            f"{len(targets)} inputs: each input would be a class of its own. Measure one target at a time, "
            f"{name}[:, 0], or set target_bins below {n_bins}."
        )
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
