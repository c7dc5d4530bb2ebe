"""The nearest samples of every sample themselves, for estimators that look at their positions."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators._neighbors_space import centred, power_of_two
from infoplane.estimators.pair import Variable

_NUMBERS = 1 << 24
"""Coordinates of neighbours that are held at a time."""


class Points(NamedTuple):
    """Samples in units of their pooled standard deviation, with the rounding error of their differences."""

    values: Float[np.ndarray, "sample dim"]
    resolution: float


def in_units(variable: Variable) -> Points:
    """The samples of a variable, which is not constant, in units of their pooled standard deviation."""
    points, spread = centred(variable.values)
    largest = float(np.abs(np.ldexp(variable.values, -power_of_two(variable.values))).max())
    return Points(points / spread, 2 * float(np.finfo(float).eps) * largest / spread)


def joined(x: Points, y: Points) -> Points:
    """The coordinates of both variables side by side."""
    return Points(np.hstack([x.values, y.values]), max(x.resolution, y.resolution))


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
