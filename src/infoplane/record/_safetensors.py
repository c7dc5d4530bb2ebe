"""Reads a safetensors file: named arrays and nothing that could run.

The layout: eight bytes with the length of a header (little-endian), the header as JSON
``{name: {"dtype", "shape", "data_offsets"}}``, then the arrays' bytes, one after the other without gaps.
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt8

from infoplane import files
from infoplane.errors import InputError

MAX_HEADER = 10**8
"""Bytes; the format allows no longer header."""

DTYPES = {
    "BOOL": "<u1", "U8": "<u1", "I8": "<i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2",
}  # fmt: skip
"""How NumPy reads each type; booleans and bfloat16, which NumPy does not have, begin as their bits."""

MAX_AXES, MAX_VALUES = 32, 2**59
"""Axes and values of the largest array of every NumPy (from version 1.26); an axis of length 0 counts as 1."""

_Bytes = UInt8[np.ndarray, " byte"]


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name; bfloat16 becomes float32, which holds it exactly.

    The arrays share one buffer of the file's size.

    Raises:
        InputError: when the file is cut short or is not laid out as the format says; nothing outside its own
            bytes is ever read.
        StoreError: when the system cannot read it.
    """
    with files.named(path), path.open("rb") as file:
        size = path.stat().st_size
        header = _read_header(file, size, path)
        data = np.fromfile(file, np.uint8)
    header.pop("__metadata__", None)
    places = {name: _place(name, entry, path) for name, entry in header.items()}
    _check_cover([place[2:] for place in places.values()], len(data), path)
    return {name: _array(data, *place) for name, place in places.items()}


def _read_header(file: BinaryIO, size: int, path: Path) -> dict[str, Any]:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, MAX_HEADER):
        raise _refuse(path, f"its header would end beyond its {size} bytes")
    try:
        header = json.loads(file.read(length), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _refuse(path, f"its header is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise _refuse(path, "its header is no table")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name occurs twice")
    return table


def _place(name: str, entry: Any, path: Path) -> tuple[str, tuple[int, ...], int, int]:
    """Return type, shape, begin and end of an array, whose bytes are as many as its shape needs."""
    known: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
    dtype, shape, offsets = (known.get(key, ()) for key in ("dtype", "shape", "data_offsets"))
    if not _whole(shape) or not _whole(offsets) or len(offsets) != 2 or not isinstance(dtype, str):
        raise _refuse(path, f"the entry of {name!r} lacks a dtype, a shape or its place")
    if dtype not in DTYPES:
        raise _refuse(path, f"{name!r} has dtype {dtype!r}; expected one of {', '.join(DTYPES)}")
    begin, end = offsets
    if len(shape) > MAX_AXES or math.prod(max(length, 1) for length in shape) > MAX_VALUES:
        raise _refuse(path, f"the shape of {name!r}, with {len(shape)} axes, is larger than that of any array")
    if end - begin != math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize:
        held = f"{name!r} of shape {tuple(shape)} and dtype {dtype} has {end - begin} bytes"
        raise _refuse(path, held[:300])
    return dtype, tuple(shape), begin, end


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(number) is int and number >= 0 for number in numbers)


def _check_cover(places: Iterable[tuple[int, int]], size: int, path: Path) -> None:
    """Refuse arrays that overlap, leave gaps or reach beyond the data."""
    reached = 0
    for begin, end in sorted(places):
        if begin != reached:
            raise _refuse(path, f"its arrays overlap or leave a gap at byte {reached}")
        reached = end
    if reached != size:
        raise _refuse(path, f"its arrays need {reached} bytes, {size} follow the header")


def _array(data: _Bytes, dtype: str, shape: tuple[int, ...], begin: int, end: int) -> np.ndarray:
    stored = data[begin:end].view(DTYPES[dtype])
    if dtype == "BOOL":
        stored = stored != 0
    if dtype == "BF16":  # the upper half of a float32
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    if sys.byteorder == "big":
        stored = stored.astype(stored.dtype.newbyteorder("="))
    return np.require(stored, requirements="A").reshape(shape)


def _refuse(path: Path, why: str) -> InputError:
    return InputError(f"{path}: no whole safetensors file: {why}; save or copy it again")
