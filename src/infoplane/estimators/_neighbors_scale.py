"""Units in which neighbors are compared: columns of unit spread, few wild values left out of the spread."""

import dataclasses
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from infoplane.estimators.pair import Variable

Scale = Literal["standard"] | None
"""How columns are scaled: each by its standard deviation, or all of a variable by the pooled one (None)."""

WILD_GAP = 10.0
"""A few values are wild where they are this many times farther from the median than all others."""

WILD_SHARE = 0.05
"""Share of the samples that may be wild: more are a part of the distribution."""

INFLATED = 3.0
"""Wild values matter where they make the standard deviation this many times larger."""

_WILD_LIMIT = 1000.0
"""Wild values are put at most this many spreads from the median: far from all others, and within every number type."""

_REPEATED = 0.01
"""Share of copies in a column above which its values may be those of a grid."""

_FEWEST = 20
"""Samples from which a grid is recognized."""

_GRID_ROUNDING = 2.0**-22
"""Largest error of a value of a grid, relative to the largest value: rounding of 32-bit numbers, with room."""


_MOST_STEPS = 2.0**24
"""Steps from the lowest to the highest value up to which a grid is recognized."""


class Scaled(NamedTuple):
    """Samples with the unit of each column.

    Attributes:
        points: coordinates, moved so that the median is 0; whole numbers where a column lies on a grid.
        spread: standard deviation in the unit of the points: one number, or one for each column.
        log2_units: log2 of the standard deviation of each column in the unit of the values.
        wild: which samples have a wild value.
    """

    points: Float[np.ndarray, "sample dim"]
    spread: Any
    log2_units: Float[np.ndarray, " dim"]
    wild: Bool[np.ndarray, " sample"]

    @property
    def n_wild(self) -> int:
        """Number of samples with a wild value."""
        return int(self.wild.sum())

    @property
    def in_units(self) -> Float[np.ndarray, "sample dim"]:
        """The samples in units of their spread."""
        return self.points / self.spread


def scaled(values: Float[np.ndarray, "sample dim"], scale: Scale = "standard", *, limited: bool = True) -> Scaled:
    """Return samples, none of whose columns is constant, with the unit of each column.

    Args:
        values: the samples.
        scale: "standard" or None.
        limited: move wild values to a distance that every number type can hold; an entropy takes them as they are.
    """
    if scale is None or values.shape[1] == 1:
        points, spread = centred(values)
        powers = np.full(values.shape[1], power_of_two(values))
        spreads = np.full(values.shape[1], spread)
    else:
        powers = np.frexp(np.abs(values).max(axis=0))[1] + 1
        points = _at_median(np.ldexp(values, -powers))
        spreads = np.sqrt(((points - points.mean(axis=0)) ** 2).mean(axis=0))
    wild = np.zeros(len(points), bool)
    units = np.ones(len(spreads))
    if scale is not None:
        for column in range(points.shape[1]):
            far = _wild(points[:, column], spreads[column])
            if far is not None:
                wild |= far
                spreads[column] = _spread(points[~far, column])
                if limited:
                    limit = _WILD_LIMIT * spreads[column]
                    points[:, column] = np.where(far, np.clip(points[:, column], -limit, limit), points[:, column])
            units[column] = _snap(points[:, column])
    spreads = np.where(spreads > 0, spreads, 1.0)  # constant columns
    own = spreads / units
    one = scale is None or points.shape[1] == 1
    return Scaled(points, float(own[0]) if one else own, np.log2(spreads) + powers, wild)


def centred(values: Float[np.ndarray, "sample dim"]) -> tuple[Float[np.ndarray, "sample dim"], float]:
    """Move each coordinate to a middle sample, times a power of two; also return the pooled standard deviation.

    A power of two and the position of a sample keep differences exact where they were, and nothing overflows.
    """
    points = _at_median(np.ldexp(values, -power_of_two(values)))
    spread = float(np.sqrt(((points - points.mean(axis=0)) ** 2).mean()))
    return points, spread


def power_of_two(values: Float[np.ndarray, "sample dim"]) -> int:
    """The exponent e for which all |values| are below 2^e."""
    return int(np.frexp(np.abs(values).max())[1]) + 1


def wild_words(n_wild: int) -> str:
    """Say how many samples have wild values and what was done, or nothing."""
    if not n_wild:
        return ""
    return (
        f"{n_wild} samples have a value more than {WILD_GAP:.0f} times farther from the median than all others; they "
        "are left out of the scale of their column. Drop these rows if the values stand for missing measurements"
    )


def _at_median(points: Float[np.ndarray, "sample dim"]) -> Float[np.ndarray, "sample dim"]:
    """Move each column so that a middle sample is at 0."""
    middle = len(points) // 2
    return points - np.partition(points, middle, axis=0)[middle]


def _spread(points: Float[np.ndarray, " kept"]) -> float:
    """Standard deviation, of numbers however small."""
    largest = float(np.abs(points).max()) or 1.0
    return float((points / largest).std()) * largest


def _wild(points: Float[np.ndarray, " sample"], spread: float) -> Bool[np.ndarray, " sample"] | None:
    """Find the few values far from all others that make the spread of a column meaningless; None where there are none.

    The values are split at the first gap in their distances from the median that leaves at most 5 % outside. Where the
    other values are all equal they are an atom, and the few are not wild but all the information of the column.
    """
    most = int(WILD_SHARE * len(points))
    if not most or spread <= INFLATED * float(np.median(np.abs(points))):
        return None
    distances = np.abs(points)
    ordered = np.sort(distances)[-most - 1 :]
    split = np.flatnonzero(ordered[1:] > WILD_GAP * ordered[:-1])
    if not len(split):
        return None
    far = distances > ordered[split[0]]
    kept = _spread(points[~far])
    return far if kept > 0 and spread > INFLATED * kept else None


def _snap(points: Float[np.ndarray, " sample"]) -> float:
    """Turn a column on a grid into whole numbers, in place, and return the step; 1 where it is on none.

    Multiples of 0.1 are rounded, so that their equal distances differ in the last bit. Whole numbers do not.
    """
    step = _grid_step(points)
    if not step:
        return 1.0
    np.rint(points / step, out=points)
    return step


def spread_over_cells(values: Float[np.ndarray, "sample dim"], stream: int) -> Float[np.ndarray, "sample dim"]:
    """Return samples with the values of columns on a grid spread evenly over their cells; others as they are.

    Noise U of exactly one step is removed by rounding, so that I(X + U; Y) = I(X; Y); X + U has a density, which is
    that of X where the grid is fine. The noise is the same in every call with as many samples.

    Args:
        values: the samples.
        stream: number of the noise; the two variables of a pair need different ones.
    """
    moved = values
    for column in range(values.shape[1]):
        step = _grid_step(_at_median(values[:, column, None])[:, 0])
        if step:
            moved = values.copy() if moved is values else moved
            noise = np.random.default_rng([stream, column]).random(len(values)) - 0.5
            moved[:, column] += step * noise
    return moved


def off_the_grid(*variables: Variable) -> tuple[Any, ...]:
    """Return variables with the values of grids spread over their cells, and words that say so, or none."""
    moved = [
        one if one.discrete else dataclasses.replace(one, values=spread_over_cells(one.values, stream))
        for stream, one in enumerate(variables)
    ]
    changed = any(now.values is not one.values for now, one in zip(moved, variables, strict=True))
    return *moved, "values on a grid were spread evenly over its cells, which changes no information" if changed else ""


def _grid_step(points: Float[np.ndarray, " sample"]) -> float:
    """Step of the grid on which the values of a column lie, the median being 0; 0 where they are on none."""
    distinct = np.unique(points)
    if len(distinct) > (1 - _REPEATED) * len(points) or len(distinct) < 2 or len(points) < _FEWEST:
        return 0.0
    width = distinct[-1] - distinct[0]
    smallest = np.diff(distinct).min()
    if width > _MOST_STEPS * smallest:
        return 0.0
    steps = float(np.rint(width / smallest))
    step = width / steps
    off = np.abs(distinct / step - np.rint(distinct / step)).max() * step
    if off > _GRID_ROUNDING * np.abs(distinct).max() or off > 0.01 * step:
        return 0.0
    return float(step)
