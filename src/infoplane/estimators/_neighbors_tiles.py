"""Coarse distances in blocks: quick to compute, with a bound on their error, so that few pairs need exact ones."""

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators._neighbors_space import AnySpace, Labels, Space

PRECISIONS = {"max": ("int16", "float32", "float64"), "euclidean": ("float32", "float64")}
"""Number types of coarse distances, the quickest first."""

_STEPS = 32_766
"""Steps of the 16-bit grid across the data: differences of whole steps still fit into 16 bits."""


@dataclasses.dataclass(frozen=True, eq=False)
class Tiles:
    """Coarse distances between some samples and all, in every space, in one common unit.

    max norm: whole steps of a grid of 16 bits, or distances in floats. Euclidean norm: squared distances from
    a matrix product. In each case a coarse distance tells the exact one up to `_error`, and the pairs whose
    comparison it leaves open are compared exactly by the caller.
    """

    spaces: tuple[AnySpace, ...]
    precision: str
    common_step: float = 0.0

    @cached_property
    def dtype(self) -> Any:
        """NumPy type of the coarse distances."""
        return np.dtype(self.precision)

    @property
    def largest(self) -> Any:
        """What stands for infinitely far."""
        return self.dtype.type((np.iinfo if self.precision == "int16" else np.finfo)(self.dtype).max)

    @cached_property
    def squared(self) -> bool:
        """Whether the unit is a squared distance."""
        return any(isinstance(space, Space) and space.norm == "euclidean" for space in self.spaces)

    @cached_property
    def step(self) -> float:
        """What one unit of the coarse distance is; the common one of several sets of spaces where it is given."""
        if self.precision != "int16" or self.common_step:
            return self.common_step or 1.0
        ranges = [np.ptp(space.unit_points, axis=0).max() for space in self.spaces if isinstance(space, Space)]
        return float(max(ranges)) / _STEPS or 1.0  # all points equal: any step

    @cached_property
    def _coordinates(self) -> list[np.ndarray]:
        """Of each space: coordinates (dim, sample), or factors (sample, dim + 2) of squared distances, or codes."""
        return [self._prepare(space) for space in self.spaces]

    def _prepare(self, space: AnySpace) -> np.ndarray:
        if isinstance(space, Labels):
            return space.codes.astype(np.int32)
        points = space.unit_points
        if self.precision == "int16":
            middle = (points.max(axis=0) + points.min(axis=0)) / 2
            return np.ascontiguousarray(np.rint((points - middle).T / self.step), np.int16)
        if not self.squared:
            return np.ascontiguousarray(points.T, self.dtype)
        norms = np.einsum("sd,sd->s", points, points)[:, None]
        return np.concatenate([points, norms, np.ones_like(norms)], axis=1).astype(self.dtype)

    def prepare(self) -> None:
        """Compute once what all blocks need, before threads ask for it at the same time."""
        _ = self._coordinates, self._size
        for space in self.spaces:
            if isinstance(space, Labels):
                _ = space.others

    def fill(self, which: int, rows: Int[np.ndarray, " row"], out: np.ndarray, scratch: np.ndarray) -> None:
        """Write the coarse distances from ``rows`` to all samples in one space into ``out`` (row, sample)."""
        coordinates = self._coordinates[which]
        if coordinates.ndim == 1:
            np.multiply(coordinates[rows][:, None] != coordinates, self.largest, out=out)
        elif self.squared:
            left = coordinates[rows]
            left[:, :-2] *= -2
            left[:, -2:] = left[:, :-3:-1]  # (−2a, 1, |a|²) times (b, |b|², 1)
            np.matmul(left, coordinates.T, out=out)
        else:
            for place, line in enumerate(coordinates):
                target = scratch if place else out
                np.subtract(line[rows][:, None], line, out=target)
                np.abs(target, out=target)
                if place:
                    np.maximum(out, scratch, out=out)

    @cached_property
    def _size(self) -> Float[np.ndarray, " sample"]:
        """Largest |coordinate| (squared: length) of each sample over the spaces."""
        sizes = [np.zeros(self.spaces[0].n)]
        for space in self.spaces:
            if isinstance(space, Space):
                points = space.unit_points
                sizes.append(np.sqrt((points**2).sum(1)) if self.squared else np.abs(points).max(axis=1))
        return np.max(sizes, axis=0)

    def _error(self, rows: Int[np.ndarray, " row"], value: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
        """How far a coarse distance near ``value`` may be from the exact one, both in its unit.

        On the grid: half a step for each end. In floats with rounding u, |a| of the row and |b| ≤ |a| + value:
        u (|a| + |b| + value); squared, with dim + 2 products and sums, (dim + 8) u (|a| + |b|)². Doubled.
        """
        if self.precision == "int16":
            return np.full(len(rows), 1.0 + 1e-6)
        rounding = float(np.finfo(self.dtype).eps)
        if not self.squared:
            return 2 * rounding * (self._size[rows] + value)
        dims = max(space.dims for space in self.spaces)
        return 2 * (dims + 8) * rounding * (4 * self._size[rows] ** 2 + value)

    def bracket(
        self, rows: Int[np.ndarray, " row"], radius: Float[np.ndarray, " row"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coarse distances below the first are certainly nearer than ``radius``, above the second certainly farther."""
        value = radius**2 if self.squared else radius / self.step
        error = self._error(rows, value)
        return self._cast(value - error, up=False), self._cast(value + error, up=True)

    def beyond(self, rows: Int[np.ndarray, " row"], value: np.ndarray) -> np.ndarray:
        """What no coarse distance exceeds whose exact one is at most that of the coarse ``value``."""
        value = value.astype(np.float64)
        return self._cast(value + 2.1 * self._error(rows, value), up=True)

    def at_least(self, rows: Int[np.ndarray, " row"], value: np.ndarray) -> Float[np.ndarray, " row"]:
        """The distance below which no sample is whose coarse distance is at least ``value``."""
        value = value.astype(np.float64)
        least = np.maximum(value - 1.1 * self._error(rows, value), 0.0)
        return np.sqrt(least) if self.squared else least * self.step

    def _cast(self, value: Float[np.ndarray, " row"], *, up: bool) -> np.ndarray:
        """Round to the type of the coarse distances, away from what is certain."""
        if self.precision == "int16":
            whole = np.floor(value) if up else np.ceil(value)
            return np.clip(whole, -1, np.iinfo(np.int16).max - 1).astype(np.int16)
        cast = value.astype(self.dtype)
        return np.nextafter(cast, self.dtype.type(np.inf if up else -np.inf))


def choose_tiles(spaces: tuple[AnySpace, ...], k: int, open_share: float = 1e-3) -> Tiles:
    """Take the quickest number type that leaves few comparisons open, judged on a few samples.

    Data with far outliers or tight clusters need finer numbers. Exact ties stay open under every type.
    """
    norm = next(space.norm for space in spaces if isinstance(space, Space))
    exact = Tiles(spaces, "float64")
    n = exact.spaces[0].n
    rows = np.unique(np.linspace(0, n - 1, min(n, 16)).astype(np.int64))
    distances = np.empty((len(spaces), len(rows), n))
    for which in range(len(spaces)):
        exact.fill(which, rows, distances[which], np.empty((len(rows), n)))
    joint = np.sort(distances.max(axis=0), axis=1)
    finite = (joint < exact.largest).sum(axis=1) - 1
    kth = joint[np.arange(len(rows)), np.minimum(k, finite)]
    radius = np.sqrt(np.maximum(kth, 0)) if exact.squared else kth
    for precision in PRECISIONS[norm][:-1]:
        tiles = Tiles(spaces, precision)
        value = radius**2 if tiles.squared else radius / tiles.step
        error = tiles._error(rows, value) * (1.0 if tiles.squared else tiles.step)
        gap = np.abs(distances - kth[:, None])
        still_open = (gap <= error[:, None]).mean() - (gap <= 1e-12 * kth[:, None]).mean()
        if still_open <= open_share:
            return tiles
    return exact
