"""The one place that adopts and checks users' arrays."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from infoplane._objects import convert_objects, is_category, plain_words, refuse_container, refuse_missing
from infoplane.errors import InputError

Samples = Float[np.ndarray, "sample dim"]
Codes = Int[np.ndarray, " sample"]

ALWAYS_CLASSES, MOST_CLASSES = 10, 1000
"""Whole numbers stored as floats are classes up to this number of different values; in between, each value has to be
carried by two samples on average."""


def to_numpy(value: Any, argument: str) -> np.ndarray:
    """View or copy a user's data as a NumPy array of numbers, booleans or words.

    Accepts lists, NumPy, JAX, torch on any device, DLPack, xarray, pandas, polars and pyarrow. Categories, nullable
    columns and object arrays become plain arrays; a category is a word, unless the categories are whole numbers. Words
    among whole numbers make all of them words. Long doubles become float64.

    Raises:
        InputError: for missing values (None, NA, NaT, nulls, masked entries, and NaN where the array holds no floats)
            with their number and the first row; ragged lists, dates, complex numbers and other objects.
    """
    refuse_container(value, argument)
    refuse_missing(value, argument)
    if hasattr(value, "detach"):  # torch: leave the graph and the device, without importing torch
        value = value.detach().cpu()
        if "bfloat16" in str(getattr(value, "dtype", "")):
            value = value.float()
    try:
        array = np.from_dlpack(value) if _dlpack_only(value) else np.asarray(value)
        if array.dtype.kind in "US" and isinstance(value, list | tuple):
            array = np.asarray(value, dtype=object)  # NumPy would write NaN among words as the word 'nan'
    except (ValueError, TypeError, RuntimeError, BufferError, OverflowError) as error:
        raise InputError(f"{argument} cannot be read as an array: {error}") from None
    if is_category(value) and array.dtype.kind not in "biu":
        array = array.astype(str)
    return _plain(array, argument)


def _dlpack_only(value: Any) -> bool:
    return hasattr(value, "__dlpack__") and not hasattr(value, "__array__")


def _plain(array: np.ndarray, argument: str) -> np.ndarray:
    """Return the array with a type that every estimator knows, or refuse it with what to do."""
    if array.dtype.kind == "V" and "float" in array.dtype.name:  # bfloat16 and float8 are no types of NumPy
        return array.astype(np.float32)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):  # beyond float64 is infinite, which is refused or flagged later
            return array.astype(np.float64)
    if array.dtype.kind in "OcVMmT":
        return convert_objects(array, argument)
    return plain_words(array, argument) if array.dtype.kind in "US" else array


def is_discrete(array: np.ndarray) -> bool:
    """Say whether the values are symbols (integers, booleans or strings) and not coordinates."""
    return array.dtype.kind in "biuUS"


def are_classes(array: np.ndarray) -> bool:
    """Say whether floats are the numbers of classes: all whole, with few different values.

    "Few" are up to `ALWAYS_CLASSES`, or up to half the number of rows and at most `MOST_CLASSES`. Several columns count
    as one joint value.
    """
    if array.dtype.kind != "f" or array.ndim == 0 or array.size == 0:
        return False
    if not np.isfinite(array).all() or (array != np.rint(array)).any() or np.abs(array).max() >= 2**53:
        return False
    n_values = len(np.unique(array.reshape(len(array), -1), axis=0))
    return n_values <= max(ALWAYS_CLASSES, min(MOST_CLASSES, len(array) // 2))


def as_samples(value: Any, argument: str, *, at_least: int = 2) -> Samples:
    """Return ``value`` as floats of shape (sample, dim); a flat array is one dimension.

    float32 and float64 stay as they are, every other number becomes float64. Non-finite values pass:
    the estimator answers for them with NaN and a flag.

    Raises:
        InputError: for 0-d or 3-d arrays, strings, no columns or fewer than ``at_least`` rows.
    """
    array = to_numpy(value, argument)
    if array.dtype.kind in "US":
        raise InputError(
            f"{argument} holds strings; expected numbers of shape (sample, dim). Number the words with "
            f"numpy.unique({argument}, return_inverse=True)[1] if their numbers are meant as coordinates"
        )
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(
            f"{argument} has shape {array.shape}; expected (sample,) or (sample, dim). {_flatten(array, argument)}"
        )
    if len(array) < at_least:
        raise InputError(f"{argument} has {len(array)} rows; expected at least {at_least}")
    if array.dtype.kind in "iu" and array.size and max(-int(array.min()), int(array.max())) > 2**53:
        raise InputError(
            f"{argument} holds whole numbers beyond 2^53, which floats cannot tell apart; "
            "replace them by ranks first, for example by numpy.unique(..., return_inverse=True)"
        )
    if array.dtype.name not in ("float32", "float64"):
        array = array.astype(np.float64)
    return array


def as_labels(value: Any, argument: str, n_samples: int) -> Codes:
    """Return labels as integer codes 0…C−1, one a row; several columns count as one joint symbol.

    Floats are classes if they are all whole and have few different values (`are_classes`).

    Raises:
        InputError: for other floating-point labels, missing values, or a length other than ``n_samples``.
    """
    array = to_numpy(value, argument)
    if array.ndim == 0 or array.ndim > 2 or len(array) != n_samples:
        raise InputError(
            f"{argument} has shape {array.shape}; expected ({n_samples},), one label for each row of activations"
        )
    if not is_discrete(array) and not are_classes(array):
        raise InputError(_no_classes(array, argument))
    flat = array.reshape(n_samples, -1)
    _, codes = np.unique(flat[:, 0] if flat.shape[1] == 1 else flat, return_inverse=True, axis=0)
    return codes.reshape(n_samples).astype(np.int64)


def _no_classes(array: np.ndarray, argument: str) -> str:
    """Say why floats are no classes, and what to do with them."""
    bad = np.asarray(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
    if bad.any():
        return (
            f"{argument}: expected a class in every row, got {int(bad.sum())} rows of {len(bad)} that are NaN or "
            f"infinite, the first is row {int(bad.argmax())}. Drop these rows from every argument"
        )
    text = f"{argument} has dtype {array.dtype}; expected classes as integers, booleans or strings"
    if (array == np.rint(array)).all():
        n_values = len(np.unique(array.reshape(len(array), -1), axis=0))
        return (
            f"{text}, got whole numbers with {n_values} different values in {len(array)} rows. Use "
            f"{argument}.astype(int) if each value is a class"
        )
    return (
        f"{text}, got numbers that are not whole. Cut them into classes, for example {argument} > "
        f"numpy.median({argument})"
    )


def _flatten(array: np.ndarray, argument: str) -> str:
    """Say how to bring an array of another shape into rows."""
    if array.ndim == 0 or array.shape[-1] == 0:
        return "Pass one row for each sample, with at least one value"
    return f"Flatten the values of each sample into one row: {argument}.reshape(len({argument}), -1)"
