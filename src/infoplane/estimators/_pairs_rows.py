"""Rows in the unit ball: as an array, or made when asked for where such a copy would take too much memory."""

import numpy as np
from jaxtyping import Float, Int, UInt64

from infoplane.estimators.rows import row_codes

WIDE = 2**27
"""Bytes of a float64 copy of a layer from which on none is made."""

PIECE = 2048
"""Rows that are made at once."""

Layer = Float[np.ndarray, "dim sample"]


def unit_ball(t: Layer) -> tuple[Float[np.ndarray, "sample dim"], float]:
    """Centre the rows and scale them into the unit ball, in float64.

    Returns:
        The rows, and the radius they had; the radius is infinite where float64 cannot hold it.
    """
    exponent = int(np.frexp(np.abs(t).max())[1])
    rows = t.T.astype(np.float64, order="C")
    np.ldexp(rows, -exponent, out=rows)  # a power of two: exact, and no sum overflows
    rows -= rows.mean(axis=0)
    radius = float(np.sqrt(np.einsum("sd,sd->s", rows, rows).max()))
    if radius > 0:
        rows /= radius
    return rows, radius * 2.0 ** (exponent - 1) * 2.0


class WideRows:
    """Rows of a layer in the unit ball, which `unit_ball` would copy: made in float64 where they are asked for.

    Attributes:
        shape: (row, dim).
        mean_square: mean of the squared coordinates.
    """

    def __init__(self, t: Layer) -> None:
        self._t, self._kept = t, None
        self._exponent = int(np.frexp(max(abs(float(t.max())), abs(float(t.min()))))[1])
        self._centre, self._radius = np.zeros(len(t)), 1.0
        self._centre = np.array([self._scaled(unit).mean() for unit in t])
        largest, total = 0.0, 0.0
        for start in range(0, t.shape[1], PIECE):
            some = self[start : start + PIECE]
            norms = np.einsum("sd,sd->s", some, some)
            largest, total = max(largest, float(norms.max())), total + float(norms.sum())
        self._radius = np.sqrt(largest) or 1.0
        self.shape = t.shape[1], t.shape[0]
        self.mean_square = float(total / t.size / self._radius**2)  # of NumPy, what overflows later warns

    @property
    def radius(self) -> float:
        """The radius that the rows had; infinite where float64 cannot hold it."""
        return float(self._radius) * 2.0 ** (self._exponent - 1) * 2.0

    def _scaled(self, values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return np.ldexp(values.astype(np.float64), -self._exponent)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen dim"]:
        """Make some rows."""
        chosen = index if self._kept is None else self._kept[index]
        return (np.ascontiguousarray(self._scaled(self._t[:, chosen]).T) - self._centre) / self._radius

    def only(self, index: Int[np.ndarray, " chosen"]) -> "WideRows":
        """Return some of the rows, without making them."""
        some = object.__new__(WideRows)
        some.__dict__.update(self.__dict__)
        some._kept = index if self._kept is None else self._kept[index]
        some.shape = len(index), self.shape[1]
        return some

    def codes(self) -> UInt64[np.ndarray, " row"]:
        """Give equal rows equal codes; see `row_codes`."""
        codes = row_codes(self._t[None])[0]
        return codes if self._kept is None else codes[self._kept]


Rows = Float[np.ndarray, "row dim"] | WideRows


def in_unit_ball(t: Layer) -> tuple[Float[np.ndarray, "sample dim"] | WideRows, float]:
    """Return the rows of a layer in the unit ball and the radius they had; see `unit_ball`."""
    if 8 * t.size <= WIDE:
        return unit_ball(t)
    rows = WideRows(t)
    return rows, rows.radius


def mean_square(rows: Rows) -> float:
    """Mean of the squared coordinates."""
    if isinstance(rows, WideRows):
        return rows.mean_square
    return float(np.einsum("sd,sd->", rows, rows) / rows.size)


def codes_of(rows: Rows) -> UInt64[np.ndarray, " row"]:
    """Give equal rows equal codes; see `row_codes`."""
    return rows.codes() if isinstance(rows, WideRows) else row_codes(rows.T[None])[0]


def only(rows: Rows, index: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "chosen dim"] | WideRows:
    """Return some of the rows."""
    return rows.only(index) if isinstance(rows, WideRows) else rows[index]
