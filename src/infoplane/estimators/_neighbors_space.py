"""The spaces in which neighbours are sought: exact distances between samples, and counts along a line."""

import dataclasses
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane.estimators._neighbors_scale import Scale, scaled
from infoplane.estimators.pair import Variable
from infoplane.estimators.rows import row_codes

NORMS = ("max", "euclidean")
"""Norms inside the space of one variable; the joint distance is always the larger of the two."""

_ROUNDING = 1e-15
"""Relative error of a sum of two numbers, with room; only decides which comparisons are made one by one."""


_CELLS = 4
"""Cells of a table of places, for each value."""

_LOOKS = 3
"""Values of a cell that are compared in turn, before the rest is searched."""


class Line(NamedTuple):
    """The distinct values of a variable of one coordinate, ascending, and where to look for them.

    Attributes:
        values: the values.
        below: how many samples lie below each.
        table: of cells of equal width from the first value to the last, the place of the first value in or after each.
        per_unit: cells in a unit of the values.
    """

    values: Float[np.ndarray, " distinct"]
    below: Int[np.ndarray, " distinct+1"]
    table: Int[np.ndarray, " cell"]
    per_unit: float

    def places(self, wanted: Float[np.ndarray, " row"], *, after: bool) -> Int[np.ndarray, " row"]:
        """Where each of some numbers belongs among the values (``after``: behind one that it equals).

        As `numpy.searchsorted`, several times as fast where the values are spread out: rounding keeps the order of
        numbers, so that all values of earlier cells are smaller, and few are in a cell.
        """
        smaller = np.less_equal if after else np.less
        cells = np.clip((wanted - self.values[0]) * self.per_unit, 0, len(self.table) - 1)
        places = self.table.take(cells.astype(np.int64))
        for _ in range(_LOOKS):
            places += smaller(self.values.take(places, mode="clip"), wanted) & (places < len(self.values))
        rows = np.flatnonzero(smaller(self.values.take(places, mode="clip"), wanted) & (places < len(self.values)))
        places[rows] = np.searchsorted(self.values, wanted[rows], "right" if after else "left")
        return places

    def holds(
        self, places: Int[np.ndarray, " row"], step: int, limit: Float[np.ndarray, " row"]
    ) -> Bool[np.ndarray, " row"]:
        """Whether the value at each place is not beyond a limit, below (step −1) or above (1); false where none is."""
        values = self.values.take(places, mode="clip")
        return (values >= limit) & (places >= 0) if step < 0 else (values <= limit) & (places < len(self.values))


def as_line(points: Float[np.ndarray, " sample"]) -> Line:
    """Sort the only coordinate of some samples, which may all be equal, and make a table of it."""
    values, counts = np.unique(points, return_counts=True)
    n_cells = _CELLS * len(values)
    width = float(values[-1] - values[0])
    per_unit = n_cells / width if width else 1.0
    cells = ((values - values[0]) * per_unit).astype(np.int64)
    table = np.zeros(max(n_cells, int(cells[-1])) + 1, np.int64)
    table[1:] = np.bincount(cells, minlength=len(table)).cumsum()[:-1]
    return Line(values, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), table, per_unit)


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """Continuous samples as points.

    Distances are measured on the coordinates as they were given, moved to a sample's position (which is exact
    on grids) and multiplied by ``scale`` at the end: samples at equal distance stay at equal distance, and a
    factor on the data changes nothing beyond rounding.

    Attributes:
        points: the coordinates, centred.
        scale: 1 / standard deviation: pooled over the coordinates, or one for each.
        norm: one of `NORMS`.
        n_wild: samples with a value that was left out of the standard deviation.
    """

    points: Float[np.ndarray, "sample dim"]
    scale: Any
    norm: str = "max"
    n_wild: int = 0

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.points)

    @property
    def dims(self) -> int:
        """Number of coordinates."""
        return self.points.shape[1]

    @cached_property
    def unit_points(self) -> Float[np.ndarray, "sample dim"]:
        """The coordinates in units of their standard deviation."""
        return self.points * self.scale

    def distance(self, first: Int[np.ndarray, " pair"], second: Int[np.ndarray, " pair"]) -> Float[np.ndarray, " pair"]:
        """Exact distances of pairs of samples, in units of the standard deviation."""
        difference = self.points[first] - self.points[second]
        if self.dims == 1:
            return np.abs(difference[:, 0]) * self.scale
        difference *= self.scale
        if self.norm == "max":
            return np.abs(difference, out=difference).max(axis=1)
        return np.sqrt(np.einsum("pd,pd->p", difference, difference))

    def distance_to(
        self, rows: Int[np.ndarray, " row"], others: Int[np.ndarray, "row near"]
    ) -> Float[np.ndarray, "row near"]:
        """Exact distances from each of some samples to several others; the same numbers as `distance`."""
        if self.norm != "max" and self.dims > 1:
            pairs = np.repeat(rows, others.shape[1]), others.ravel()
            return self.distance(*pairs).reshape(others.shape)
        length, beside, scales = np.zeros(0), np.empty(others.shape), np.broadcast_to(self.scale, self.dims)
        for place, line in enumerate(self.lines):
            target = beside if place else (length := np.empty(others.shape))
            np.take(line, others, out=target, mode="clip")  # which spares a check of every index
            target -= line[rows, None]
            np.abs(target, out=target)
            target *= scales[place]
            if place:
                np.maximum(length, beside, out=length)
        return length

    @cached_property
    def lines(self) -> Float[np.ndarray, "dim sample"]:
        """The coordinates, each together in memory."""
        return np.ascontiguousarray(self.points.T)

    def take(self, order: Int[np.ndarray, " sample"]) -> "Space":
        """Return the samples in another order."""
        return dataclasses.replace(self, points=self.points[order])

    @cached_property
    def line(self) -> Line:
        """The sorted distinct values of the only coordinate."""
        return as_line(self.points[:, 0])

    @cached_property
    def ascending(self) -> Int[np.ndarray, " sample"]:
        """Order of the samples along the only coordinate."""
        return np.argsort(self.points[:, 0])

    @cached_property
    def codes(self) -> Int[np.ndarray, " sample"]:
        """Numbers that are the same where the coordinates are, bit by bit."""
        codes = self.points[:, 0] if self.dims == 1 else row_codes(self.points.T[None])[0]
        return np.unique(codes, return_inverse=True)[1].reshape(-1)

    @cached_property
    def others(self) -> Int[np.ndarray, " sample"]:
        """Number of other samples with exactly the coordinates of each sample."""
        return np.bincount(self.codes)[self.codes] - 1

    @cached_property
    def repeated(self) -> float:
        """Share of samples that have a copy in a coordinate, for the coordinate with most."""
        ordered = np.sort(self.points, axis=0)
        same = ordered[1:] == ordered[:-1]
        copies = np.zeros(self.points.shape, bool)
        copies[1:] |= same
        copies[:-1] |= same
        return float(copies.mean(axis=0).max())

    def count_on_line(self, radius: Float[np.ndarray, " sample"], *, closed: bool) -> Int[np.ndarray, " sample"]:
        """Count the other samples nearer than ``radius`` (``closed``: or as near), for one coordinate, by sorting.

        Between bounds that rounding cannot reach there are whole runs of the sorted values; the few values at
        the edge are compared one by one.
        """
        line = self.line
        order = self.ascending  # sorted questions are answered several times as fast
        here, radius = self.points[order, 0], radius[order]
        reach = radius / self.scale
        slack = _ROUNDING * (np.abs(here) + reach)
        inner_low = line.places(here - (reach - slack), after=True)
        inner_high = np.maximum(line.places(here + (reach - slack), after=False), inner_low)
        counts = line.below[inner_high] - line.below[inner_low]
        for places, step, limit in (
            (inner_low - 1, -1, here - (reach + slack)),
            (inner_high, 1, here + (reach + slack)),
        ):
            rows = np.flatnonzero(line.holds(places, step, limit))
            while len(rows):  # nearly always once
                at = places[rows]
                near = np.abs(here[rows] - line.values[at]) * self.scale
                hit = near <= radius[rows] if closed else near < radius[rows]
                counts[rows] += hit * (line.below[at + 1] - line.below[at])
                places[rows] = at + step
                rows = rows[line.holds(places[rows], step, limit[rows])]
        counts -= (radius > 0) | closed  # itself
        placed = np.empty_like(counts)
        placed[order] = counts
        return placed


def ranges(start: Int[np.ndarray, " row"], stop: Int[np.ndarray, " row"]) -> tuple[np.ndarray, np.ndarray]:
    """Write out the whole numbers from start to stop of each row: (row, number) for each."""
    lengths = stop - start
    rows = np.repeat(np.arange(len(start)), lengths)
    first = np.cumsum(lengths) - lengths
    return rows, np.arange(len(rows)) - np.repeat(first - start, lengths)


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """Discrete samples as points: equal symbols at distance 0, different ones infinitely far apart."""

    codes: Int[np.ndarray, " sample"]

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.codes)

    @property
    def dims(self) -> int:
        """0: an atom has no extent."""
        return 0

    def take(self, order: Int[np.ndarray, " sample"]) -> "Labels":
        """Return the samples in another order."""
        return Labels(self.codes[order])

    @cached_property
    def others(self) -> Int[np.ndarray, " sample"]:
        """Number of other samples with the symbol of each sample."""
        return np.bincount(self.codes)[self.codes] - 1

    def distance(self, first: Int[np.ndarray, " pair"], second: Int[np.ndarray, " pair"]) -> Float[np.ndarray, " pair"]:
        """0 where the symbols are equal, infinite elsewhere."""
        return np.where(self.codes[first] == self.codes[second], 0.0, np.inf)


AnySpace = Space | Labels


def others_equal(spaces: tuple[AnySpace, ...]) -> Int[np.ndarray, " sample"]:
    """Number of other samples that equal each sample in every space."""
    if len(spaces) == 1 or not all(space.others.any() for space in spaces):
        return spaces[0].others if len(spaces) == 1 else np.zeros(spaces[0].n, np.int64)
    first, second = (space.codes for space in spaces)
    return Labels(np.unique(first * (second.max() + 1) + second, return_inverse=True)[1].reshape(-1)).others


def as_space(variable: Variable, norm: str = "max", scale: Scale = "standard") -> AnySpace:
    """Place a variable, which is not constant, in its space; coordinates that are constant are left out."""
    if variable.discrete:
        return Labels(variable.values[:, 0].astype(np.int64))
    unit = scaled(variable.varying, scale)
    return Space(unit.points, 1 / unit.spread, norm, unit.n_wild)
