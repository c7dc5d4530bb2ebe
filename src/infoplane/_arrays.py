"""The one place that adopts and checks users' arrays."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError

Samples = Float[np.ndarray, "sample dim"]
Codes = Int[np.ndarray, " sample"]


def to_numpy(value: Any, argument: str) -> np.ndarray:
    """View or copy ``value`` (list, NumPy, JAX, torch on any device, DLPack) as a NumPy array.

    Raises:
        InputError: for masked arrays, ragged lists, objects and complex numbers.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise InputError(f"{argument} is a masked array; drop the masked rows or fill them first")
    if getattr(value, "is_meta", False):
        raise InputError(f"{argument} lies on device 'meta' and holds no numbers; make it on the CPU")
    if hasattr(value, "detach"):  # torch: leave the graph and the device, without importing torch
        value = value.detach().cpu()
        if "bfloat16" in str(getattr(value, "dtype", "")):
            value = value.float()
    try:
        array = np.from_dlpack(value) if _dlpack_only(value) else np.asarray(value)
    except (ValueError, TypeError, RuntimeError, BufferError) as error:
        raise InputError(f"{argument} cannot be read as an array: {error}") from None
    if array.dtype.kind == "V" and "float" in array.dtype.name:  # bfloat16 and float8 are no types of NumPy
        array = array.astype(np.float32)
    if array.dtype.kind in "OcVMm":
        raise InputError(
            f"{argument} has dtype {array.dtype}; expected numbers, booleans or strings; "
            "convert it, for example with .astype(float)"
        )
    return array


def _dlpack_only(value: Any) -> bool:
    return hasattr(value, "__dlpack__") and not hasattr(value, "__array__")


def is_discrete(array: np.ndarray) -> bool:
    """Say whether the values are symbols (integers, booleans or strings) and not coordinates."""
    return array.dtype.kind in "biuUS"


def as_samples(value: Any, argument: str, *, at_least: int = 2) -> Samples:
    """Return ``value`` as floats of shape (sample, dim); a flat array is one dimension.

    float32 and float64 stay as they are, every other number becomes float64. Non-finite values pass:
    the estimator answers for them with NaN and a flag.

    Raises:
        InputError: for 0-d or 3-d arrays, strings, no columns or fewer than ``at_least`` rows.
    """
    array = to_numpy(value, argument)
    if array.dtype.kind in "US":
        raise InputError(f"{argument} holds strings; expected numbers of shape (sample, dim)")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(
            f"{argument} has shape {to_numpy(value, argument).shape}; expected (sample,) or (sample, dim); "
            "flatten each sample's values into one row"
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

    Raises:
        InputError: for floating-point labels, or a length other than ``n_samples``.
    """
    array = to_numpy(value, argument)
    if array.ndim == 0 or array.ndim > 2 or len(array) != n_samples:
        raise InputError(
            f"{argument} has shape {array.shape}; expected ({n_samples},), one label for each row of activations"
        )
    if not is_discrete(array):
        raise InputError(
            f"{argument} has dtype {array.dtype}; expected classes as integers, booleans or strings; "
            f"if these numbers are classes use {argument}.astype(int)"
        )
    flat = array.reshape(n_samples, -1)
    _, codes = np.unique(flat[:, 0] if flat.shape[1] == 1 else flat, return_inverse=True, axis=0)
    return codes.reshape(n_samples).astype(np.int64)
