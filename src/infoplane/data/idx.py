"""The IDX format, raw or gzip-compressed: arrays of unsigned bytes, read in bounded memory whatever a file claims."""

import dataclasses
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from infoplane import files
from infoplane.errors import InputError, StoreError

MAX_BYTES = 2**30
"""Largest content that is read: twice the largest file of the family, 70 times that of 60 000 images of 28 × 28."""

MAX_AXES = 4
"""Most axes of an array: images with channels have four."""

CHUNK = 2**20
"""Bytes that are read, or come out of decompression, at once."""

MAX_RATIO = 1032
"""No deflate stream expands further than this; what claims to is cut short."""

GZIP = b"\x1f\x8b"
UNSIGNED_BYTES = 0x08


@dataclasses.dataclass(frozen=True)
class Header:
    """What the first bytes of a file claim.

    Attributes:
        shape: length of each axis.
    """

    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of bytes of the header itself."""
        return 4 + 4 * len(self.shape)

    @property
    def n_values(self) -> int:
        """Number of bytes that follow."""
        return math.prod(self.shape)


def read(path: Path, n_axes: int) -> UInt8[np.ndarray, "..."]:
    """Read an array of unsigned bytes; compression is told by the content, not by the file's name.

    No more memory is used than the content needs, whatever its header claims, and at most `MAX_BYTES`.

    Args:
        path: the file.
        n_axes: number of axes that the array must have: 3 for images, 1 for labels.

    Raises:
        InputError: for a file that is damaged, cut short, has something behind its content, or holds another kind
            of array; the text says what it claims and what there is.
        StoreError: when there is no file there, or it cannot be read.
    """
    if not path.is_file():
        raise StoreError(f"{path}: no such file")
    with files.named(path), path.open("rb") as file:
        n_stored = path.stat().st_size
        packed = file.read(2) == GZIP
        file.seek(0)
        content = _Content(contents(file, path))
        header = _header(content, path, n_axes)
        _check_size(header, path, n_stored, packed=packed)
        return _values(content, header, path)


def contents(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the uncompressed content of an open file, raw or gzip, at most `CHUNK` bytes at once.

    Raises:
        InputError: for a gzip stream that is damaged or cut short, or that has something behind it. Each is told
            when it is met, after the content before it.
    """
    first = file.read(CHUNK)
    if not first.startswith(GZIP):
        while first:
            yield first
            first = file.read(CHUNK)
        return
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    stored = first
    while not stream.eof:
        try:
            part = stream.decompress(stored, CHUNK)
        except zlib.error as error:
            raise InputError(f"{path}: its gzip stream is damaged ({error}); get the file again") from None
        if part:
            yield part
        stored = stream.unconsumed_tail or (b"" if stream.eof else file.read(CHUNK))
        if not stored and not part and not stream.eof:
            raise InputError(f"{path}: its gzip stream is cut short; get the file again")
    if stream.unused_data or file.read(1):
        raise InputError(f"{path}: something follows its gzip stream; unpack it with gunzip and give the raw file")


class _Content:
    """Takes as many bytes as are asked for from chunks of any length."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, memoryview(b"")

    def take(self, count: int) -> memoryview:
        """Return up to ``count`` bytes, none at the end only."""
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def exactly(self, count: int) -> bytes:
        """Return ``count`` bytes, fewer at the end only; for small counts."""
        taken = b""
        while len(taken) < count and (part := self.take(count - len(taken))):
            taken += part
        return taken


def _header(content: _Content, path: Path, n_axes: int) -> Header:
    start = content.exactly(4)
    if len(start) < 4 or start[:2] != b"\0\0":
        raise InputError(
            f"{path}: begins with {start.hex(' ') or 'nothing'}; expected 00 00 08, the start of an IDX file"
        )
    kind, axes = start[2], start[3]
    if kind != UNSIGNED_BYTES:
        raise InputError(f"{path}: holds values of type {kind:#04x}; expected {UNSIGNED_BYTES:#04x}, unsigned bytes")
    if axes != n_axes:
        wanted = {1: "labels have 1", 3: "images have 3"}.get(n_axes, f"expected {n_axes}")
        raise InputError(f"{path}: has {axes} axes; {wanted}")
    lengths = content.exactly(4 * axes)
    if len(lengths) < 4 * axes:
        raise InputError(f"{path}: is cut short within its header; get the file again")
    header = Header(struct.unpack(f">{axes}I", lengths))
    if not header.n_values:
        raise InputError(f"{path}: claims to hold {_shape(header)} values; expected at least one")
    return header


def _check_size(header: Header, path: Path, n_stored: int, *, packed: bool) -> None:
    """Hold what is claimed against the file's size, before memory is taken."""
    claimed = header.size + header.n_values
    if claimed > MAX_BYTES:
        raise InputError(
            f"{path}: claims to hold {_shape(header)} values, above {MAX_BYTES} bytes, the most that is read"
        )
    if not packed and claimed != n_stored:
        _refuse_length(header, path, f"{n_stored - header.size} follow its header")
    if packed and claimed > MAX_RATIO * n_stored:
        _refuse_length(header, path, f"at most {MAX_RATIO * n_stored} can come out of {n_stored} compressed bytes")


def _values(content: _Content, header: Header, path: Path) -> UInt8[np.ndarray, "..."]:
    values = np.empty(header.n_values, np.uint8)
    filled = 0
    while filled < len(values) and (part := content.take(len(values) - filled)):
        values[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
        filled += len(part)
    if filled < len(values):
        _refuse_length(header, path, f"there are {filled}")
    if content.take(1):  # also checks the sum at the end of a gzip stream
        _refuse_length(header, path, "there are more")
    return values.reshape(header.shape)


def _refuse_length(header: Header, path: Path, there: str) -> None:
    raise InputError(
        f"{path}: claims to hold {_shape(header)} = {header.n_values} values, but {there}; get the file again"
    )


def _shape(header: Header) -> str:
    return " × ".join(map(str, header.shape))
