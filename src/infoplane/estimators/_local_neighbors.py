"""The nearest samples of every sample themselves, for estimators that look at their positions."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators._neighbors_scale import Scale, scaled
from infoplane.estimators.pair import Variable

_NUMBERS = 1 << 24
"""Coordinates of neighbours that are held at a time."""


class Points(NamedTuple):
    """Samples in units of their spread, with the rounding error of their differences and the unit of an entropy."""

    values: Float[np.ndarray, "sample dim"]
    resolution: float
    log2_unit: float = 0.0
    n_wild: int = 0


def in_units(variable: Variable, scale: Scale = "standard", *, limited: bool = True) -> Points:
    """Return the samples of a variable, which is not constant, in units of the spread of each column.

    Wild values are moved nearer unless ``limited`` is False; see `scaled`. They have no part in the rounding error.
    """
    unit = scaled(variable.values, scale, limited=limited)
    largest = np.maximum(np.abs(variable.values[~unit.wild]).max(axis=0), np.finfo(float).tiny)
    sizes = np.exp2(np.log2(largest) - unit.log2_units)
    rounding = 2 * float(np.finfo(float).eps) * float(sizes.max())
    return Points(unit.in_units, rounding, float(unit.log2_units.sum()), unit.n_wild)


def joined(x: Points, y: Points) -> Points:
    """The coordinates of both variables side by side."""
    return Points(np.hstack([x.values, y.values]), max(x.resolution, y.resolution), n_wild=x.n_wild + y.n_wild)


def nearest(points: Float[np.ndarray, "sample dim"], k: int, p: float = 2.0) -> Int[np.ndarray, "sample k"]:
    """Rows of the k nearest others of every sample, the nearest first.

    Args:
        points: N > k points.
        k: neighbours.
        p: the norm: 2 euclidean, infinity the largest coordinate. Of samples at equal distance any may come.
    """
    from scipy.spatial import KDTree

    rows = np.arange(len(points))
    tree = KDTree(points, leafsize=16, balanced_tree=False, compact_nodes=False)
    places = np.asarray(tree.query(points, k + 1, p=p, workers=-1)[1])
    itself = places == rows[:, None]
    itself[~itself.any(axis=1), -1] = True  # among more copies than were asked for: leave out any
    return places[~itself].reshape(len(points), k)


def around(
    points: Float[np.ndarray, "sample dim"], places: Int[np.ndarray, "sample k"]
) -> Iterator[Float[np.ndarray, "block k dim"]]:
    """Give the neighbours' positions seen from each sample, some samples at a time."""
    size = max(1, _NUMBERS // (places.shape[1] * points.shape[1]))
    for start in range(0, len(points), size):
        block = slice(start, start + size)
        yield points[places[block]] - points[block, None]
