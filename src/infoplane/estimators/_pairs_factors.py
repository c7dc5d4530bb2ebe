"""How the distances of rows are factored into matrices, precise even where rows are close."""

from typing import Any

import numpy as np
from jaxtyping import Int

from infoplane.estimators._pairs_kernel import Factors
from infoplane.estimators._pairs_rows import PIECE, Rows

LARGE = 64
"""Coordinates from which on points are kept once; see `LargeFactors`."""


def grid(dtype: Any) -> float:
    """Half a step of the grid on which products of coordinates in the unit ball are exact."""
    return 2.0**-12 if dtype is np.float32 else 2.0**-26


def factors(
    rows: Rows,
    order: Int[np.ndarray, " visited"],
    length: int,
    dtype: Any,
    *,
    split: bool,
) -> tuple[Factors, Factors | None]:
    """Factor −‖a−b‖² = 2ab − ‖a‖² − ‖b‖² into two matrices, or into two exact and two small ones.

    The difference of large numbers loses digits where a and b are close: with exponent scale s an error of
    s times the rounding of 1, the same for all pairs of a tight cluster. A split writes each point as
    a = high + low with high on a grid so coarse that −‖high_a − high_b‖² is an integer number of squared
    steps below 2^24 (2^52), hence exact in float32 (float64). What remains,
    2 (high_a low_b + low_a b) − (‖a‖² − ‖high_a‖²) − (‖b‖² − ‖high_b‖²), is smaller by the grid step.
    """
    dim = rows.shape[1]
    if dim >= LARGE:
        held = LargeFactors(length, dim, dtype, split=split)
        held.write(rows, order, 0)
        return held.coarse, held.fine
    width = -(-(dim + 2) // 4) * 4 - 2  # few shapes, few compilations
    step = 2 * grid(dtype)
    widths = (width + 2, 2 * width + 2) if split else (width + 2,)
    lefts = [aligned((length, w), dtype) for w in widths]
    rights = [aligned((w, length), dtype) for w in widths]
    for here in _pieces(len(order)):
        x = np.zeros((here.stop - here.start, width))
        x[:, :dim] = rows[order[here]]
        high = np.round(x / step) * step if split else x
        low, one = x - high, np.ones((len(x), 1))
        exact = (high**2).sum(1, keepdims=True)
        rest = (low * (high + x)).sum(1, keepdims=True)
        columns = ((2 * high, -exact, -one), (2 * high, 2 * low, -rest, -one))
        opposite = ((high.T, one.T, exact.T), (low.T, x.T, one.T, rest.T))
        for left, right, a, b in zip(lefts, rights, columns, opposite, strict=False):
            np.concatenate(a, axis=1, out=left[here], casting="same_kind")
            np.concatenate(b, axis=0, out=right[:, here], casting="same_kind")
    coarse, *fine = zip(lefts, rights, strict=True)
    return coarse, fine[0] if fine else None


class LargeFactors:
    """Points and half of the norms of rows of many coordinates, kept once; zero where nothing was written.

    The loop makes both factors of them. Coordinates dominate there, and writing them once instead of twice (of a split:
    six times) bounds the memory.

    Attributes:
        coarse: the points, or on a coarse grid where they are split, and their norms.
        fine: what is left of points and norms; None where they are not split.
    """

    def __init__(self, length: int, dim: int, dtype: Any, *, split: bool) -> None:
        self._step = 2 * grid(dtype)
        self.coarse: Factors = aligned((length, dim), dtype), np.zeros(length, dtype)
        self.fine: Factors | None = None
        if split:
            self.fine = aligned((length, dim), dtype), np.zeros(length, dtype)

    def write(self, rows: Rows, order: Int[np.ndarray, " visited"], at: int) -> None:
        """Write some rows to the places from ``at`` on."""
        highs, exacts = self.coarse
        for piece in _pieces(len(order)):
            x, here = rows[order[piece]], slice(at + piece.start, at + piece.stop)
            high = x if self.fine is None else np.round(x / self._step) * self._step
            highs[here], exacts[here] = high, (high**2).sum(1)
            if self.fine is not None:
                lows, rests = self.fine
                low = x - high
                lows[here], rests[here] = low, (low * (high + x)).sum(1)


def _pieces(count: int) -> list[slice]:
    """Slices of rows, so that float64 copies of them stay small."""
    return [slice(start, min(start + PIECE, count)) for start in range(0, count, PIECE)]


def aligned(shape: tuple[int, int], dtype: Any) -> np.ndarray:
    """Zeros on a 64-byte boundary, which JAX adopts on the CPU without a copy."""
    size = shape[0] * shape[1] * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)
