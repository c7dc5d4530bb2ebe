"""Tables, object arrays and masked arrays: which values are missing, and what plain array the others make."""

import numbers
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Bool

from infoplane.errors import InputError

STRINGIFIED = ("nan", "NaN", "<NA>", "NaT")
"""Words that NumPy and pandas write for missing values when they turn objects into words."""

_NULLS = ("NAType", "NaTType")
"""Types of the missing values of pandas, by name since pandas is not imported."""


def refuse_container(value: Any, argument: str) -> None:
    """Refuse what holds its numbers in another form than rows, and say how to get an array from it.

    Raises:
        InputError: for sparse matrices, lazy tables, data loaders' parts on no device, and collections without order.
    """
    if getattr(value, "is_meta", False):
        raise InputError(f"{argument} lies on device 'meta' and holds no numbers; make it on the CPU")
    if hasattr(value, "todense") and not hasattr(value, "__array__"):
        raise InputError(f"{argument}: expected a full array, got a sparse one. Pass {argument}.todense()")
    if getattr(value, "is_sparse", False) is True or "sparse_cs" in str(getattr(value, "layout", "")):
        raise InputError(f"{argument}: expected a full tensor, got a sparse one. Pass {argument}.to_dense()")
    if getattr(value, "is_quantized", False) is True:
        raise InputError(f"{argument}: expected numbers, got a quantized tensor. Pass {argument}.dequantize()")
    if hasattr(value, "collect") and hasattr(value, "collect_schema"):
        raise InputError(f"{argument}: expected a table, got a lazy one. Pass {argument}.collect()")
    if isinstance(value, dict | set | frozenset) or (hasattr(value, "__next__") and not hasattr(value, "__len__")):
        name = type(value).__name__
        remedy = f"list({argument}.values())" if isinstance(value, dict) else f"sorted({argument})"
        remedy = remedy if isinstance(value, dict | set | frozenset) else f"list({argument})"
        raise InputError(f"{argument}: expected an array or a list, got a {name}. Pass for example {remedy}")


def refuse_missing(value: Any, argument: str) -> None:
    """Refuse missing values that the conversion to NumPy would hide: masks, nulls and NA of tables.

    Raises:
        InputError: with the number of missing values and the first row.
    """
    missing = _mask(value)
    if missing is not None and missing.any():
        _refuse(missing, argument)


def _mask(value: Any) -> Bool[np.ndarray, "..."] | None:
    """Return where values are missing, None for arrays that cannot tell."""
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.getmaskarray(value)
    if hasattr(value, "isna"):  # pandas; NaN in a column of plain floats is a number that is not finite
        types = getattr(value, "dtypes", getattr(value, "dtype", None))
        kinds: Any = types if isinstance(types, Iterable) and not isinstance(types, np.dtype) else [types]
        extension = any(not isinstance(kind, np.dtype) for kind in kinds)
        return np.asarray(value.isna(), dtype=bool) if extension else None
    if hasattr(value, "is_null"):  # a column of polars or pyarrow
        return np.asarray(value.is_null(), dtype=bool)
    if hasattr(value, "null_count"):  # a table of polars
        return np.stack([np.asarray(column.is_null(), dtype=bool) for column in value.get_columns()], axis=-1)
    if hasattr(value, "column_names") and hasattr(value, "columns"):  # a table of pyarrow
        return np.stack([np.asarray(column.is_null(), dtype=bool) for column in value.columns], axis=-1)
    return None


def _refuse(missing: Bool[np.ndarray, "..."], argument: str) -> NoReturn:
    rows = _by_row(missing)
    n, first = int(missing.sum()), int(rows.argmax())
    values = f"{n} missing value{'s' if n > 1 else ''}"
    raise InputError(
        f"{argument}: expected a value in every row, got {values} in {len(rows)} rows, the first in row {first}. Drop "
        "these rows from every argument, or fill them"
    )


def _by_row(cells: Any) -> Bool[np.ndarray, " row"]:
    return cells.reshape(len(cells), -1).any(axis=1) if cells.ndim else cells.reshape(1)


def is_category(value: Any) -> bool:
    """Say whether a column of pandas holds categories, whatever their values."""
    return type(getattr(value, "dtype", None)).__name__ == "CategoricalDtype"


def plain_words(array: np.ndarray, argument: str) -> np.ndarray:
    """Return words, unless some are missing values that were turned into words.

    Raises:
        InputError: then; names the word, how often it stands there and where first.
    """
    for word in STRINGIFIED:
        found = np.asarray(array == (word.encode() if array.dtype.kind == "S" else word))
        if found.any():
            rows = _by_row(found)
            raise InputError(
                f"{argument}: expected a value in every row, got the word '{word}', which NumPy and pandas write for "
                f"missing values, in {int(rows.sum())} of {len(rows)} rows, the first is row {int(rows.argmax())}. "
                "Drop these rows from every argument, or rename the word if it is a class"
            )
    return array


def convert_objects(array: np.ndarray, argument: str) -> np.ndarray:
    """Return an array of objects as booleans, integers, floats or words.

    Raises:
        InputError: for missing values, words among floats, and everything that is neither number nor word.
    """
    if array.dtype.kind == "c":
        parts = f"numpy.column_stack([{argument}.real, {argument}.imag])"
        raise InputError(
            f"{argument} has dtype {array.dtype}; expected real numbers. Pass the real and the imaginary part as "
            f"columns: {parts}"
        )
    if array.dtype.kind in "Mm":
        _refuse_times(array, argument)
    if array.dtype.kind == "V":
        _refuse_records(array, argument)
    objects = array.astype(object)
    missing = np.array([is_missing(item) for item in objects.flat], dtype=bool).reshape(objects.shape)
    if objects.ndim and missing.any():
        _refuse(missing, argument)
    return _typed(objects, {type(item) for item in objects.flat}, argument)


def is_missing(item: Any) -> bool:
    """Say whether an object stands for a missing value: None, NaN, NA or NaT."""
    if item is None or type(item).__name__ in _NULLS:
        return True
    return isinstance(item, float | np.floating | Decimal | np.datetime64 | np.timedelta64) and bool(item != item)


def _typed(objects: np.ndarray, types: set[type], argument: str) -> np.ndarray:
    """Return objects as an array of the type that all of them have."""
    words = {kind for kind in types if issubclass(kind, str)}
    whole = {kind for kind in types if issubclass(kind, numbers.Integral | np.bool_)}
    real = {kind for kind in types if issubclass(kind, numbers.Real | Decimal | np.bool_)}
    try:
        if types and all(issubclass(kind, bool | np.bool_) for kind in types):
            return objects.astype(bool)
        if types == whole:
            return objects.astype(np.int64)
        if types == real:
            return objects.astype(np.float64)
        if all(issubclass(kind, bytes) for kind in types):
            return plain_words(objects.astype("S"), argument)
        if types == words | whole:
            return plain_words(objects.astype(str), argument)
    except OverflowError:
        raise InputError(
            f"{argument} has dtype object; expected numbers, got whole numbers beyond 64 bits. Replace them by their "
            f"ranks: numpy.unique({argument}, return_inverse=True)[1]"
        ) from None
    if types == words | real:
        raise InputError(
            f"{argument}: expected words or numbers, got both words and floats. Pass the columns of words and of "
            "numbers separately, or turn all values into words with numpy.array(..., dtype=str)"
        )
    return _refuse_objects(types - words - real, argument)


def _refuse_objects(types: set[type], argument: str) -> NoReturn:
    names = ", ".join(sorted(kind.__name__ for kind in types))
    if any(hasattr(kind, "isoformat") or hasattr(kind, "total_seconds") for kind in types):
        raise InputError(
            f"{argument} has dtype object; expected numbers, booleans or strings, got times ({names}). Pass them as "
            f"seconds: numpy.array({argument}, 'M8[us]').astype('int64') / 1e6"
        )
    raise InputError(
        f"{argument} has dtype object; expected numbers, booleans or strings, got objects of type {names}. Pass one "
        "number or word for each sample and column"
    )


def _refuse_times(array: np.ndarray, argument: str) -> NoReturn:
    missing = np.isnat(array)
    if missing.any():
        _refuse(missing, argument)
    since = f"({argument} - {argument}.min())" if array.dtype.kind == "M" else argument
    raise InputError(
        f"{argument} has dtype {array.dtype}; expected numbers, booleans or strings. Pass the times as days: "
        f"{since} / numpy.timedelta64(1, 'D')"
    )


def _refuse_records(array: np.ndarray, argument: str) -> NoReturn:
    if array.dtype.names:
        raise InputError(
            f"{argument} has the fields {', '.join(array.dtype.names)}; expected numbers of shape (sample, dim). Pass "
            f"the fields as columns: numpy.column_stack([{argument}[name] for name in {argument}.dtype.names])"
        )
    raise InputError(f"{argument} has dtype {array.dtype}; expected numbers, booleans or strings, got raw bytes")
