"""Neighbours of one coordinate beside another or beside labels, many shuffles at a time: as all samples give them."""

import numpy as np
import pytest

from infoplane.estimators._neighbors_labels import find_beside_labels
from infoplane.estimators._neighbors_search import find
from infoplane.estimators._neighbors_shuffled import find_shuffled
from infoplane.estimators._neighbors_space import Labels, as_line, as_space
from infoplane.estimators._neighbors_strips import cut_plane, search_strips
from infoplane.estimators._neighbors_sweep import Task
from infoplane.estimators.pair import Variable

TASKS = {
    "ball": Task(3, counts=False),
    "rectangle": Task(3, rectangle=True, closed=True, counts=False),
    "atoms": Task(3, atoms=True, counts=False),
    "one": Task(1, counts=False),
    "most": Task(8, rectangle=True, closed=True, counts=False),
}
N = 900
CUT = ("normal", "tails", "steps", "dependent", "outliers", "some copies", "copies")
"""Data for which strips suffice."""

LEFT = ("grid", "clusters")
"""Data that leave too many samples over."""


def lines(name):
    """Two coordinates with the difficulties of real data."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, N))
    if name == "tails":
        x, y = rng.standard_cauchy(N), rng.exponential(size=N) ** 3
    if name == "steps":  # a few equal values, and many equal distances
        x, y = (part.astype(np.float16).astype(np.float64) for part in (x, y))
    if name == "dependent":
        y = 0.9 * x + 0.4 * y
    if name == "outliers":
        x[:3], y[2:5] = 1e5, -1e5
    if name == "some copies":
        x[:60], y[:60] = x[60:120], y[60:120]
    if name == "grid":
        x, y = np.round(8 * x), np.round(8 * y)
    if name == "copies":
        x, y = (np.tile(part[:90], 10) for part in (x, y))
    if name == "clusters":  # of a width below what 32 bits resolve at their distance
        x, y = (1e-9 * part + rng.integers(0, 2, N) for part in (x, y))
    return tuple(as_space(Variable(part[:, None], False)) for part in (x, y))


def agree(found, expected):
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cloud", CUT)
def test_strips_find_exactly_what_all_samples_give(cloud, task):
    (x, y), order = lines(cloud), np.random.default_rng(0).permutation(N)
    cuts = cut_plane(x, y, TASKS[task].k)
    assert cuts is not None
    found = search_strips(cuts, order, TASKS[task])
    assert found is not None
    agree(found, find([(x, y.take(order))], TASKS[task], back_end="sweep")[0])


@pytest.mark.parametrize("cloud", LEFT)
def test_data_with_many_equal_distances_are_left_to_another_way(cloud):
    (x, y), order = lines(cloud), np.random.default_rng(0).permutation(N)
    cuts = cut_plane(x, y, 3)
    assert cuts is None or search_strips(cuts, order, Task(3, counts=False)) is None


@pytest.mark.parametrize("task", [Task(3), Task(2, rectangle=True, closed=True), Task(3, atoms=True)])
@pytest.mark.parametrize("cloud", [*CUT, *LEFT])
def test_shuffles_of_a_coordinate_give_what_each_gives(cloud, task):
    (x, y), rng = lines(cloud), np.random.default_rng(1)
    orders = [rng.permutation(N) for _ in range(3)]
    for order, found in zip(orders, find_shuffled((x, y), orders, task), strict=True):
        expected = find([(x, y.take(order))], task, back_end="sweep")[0]
        agree((found.distances, *found.radii, *found.counts), (expected.distances, *expected.radii, *expected.counts))


def test_few_samples_many_neighbours_and_mostly_equal_values_are_not_cut():
    x, y = lines("normal")
    assert cut_plane(x, y, 9) is None
    assert cut_plane(x.take(np.arange(400)), y.take(np.arange(400)), 3) is None
    mostly = as_space(Variable(np.maximum(y.points, np.quantile(y.points, 0.8)), False))
    assert cut_plane(x, mostly, 3) is None


@pytest.mark.parametrize("task", [Task(3), Task(3, atoms=True), Task(12), Task(3, closed=True)])
@pytest.mark.parametrize("cloud", [*CUT, *LEFT])
def test_labels_along_a_line_give_what_each_set_of_them_gives(cloud, task):
    """One label has 5 samples, fewer than 12 neighbours."""
    x, rng = lines(cloud)[0], np.random.default_rng(2)
    labels = Labels(np.repeat([0, 3, 70_000], [N - 205, 200, 5]))
    orders = [rng.permutation(N) for _ in range(3)]
    for order, found in zip(orders, find_beside_labels(x, labels, orders, task), strict=True):
        expected = find([(x, labels.take(order))], task, back_end="sweep")[0]
        for own, other in zip(found, expected, strict=True):
            agree(own if isinstance(own, tuple) else (own,), other if isinstance(other, tuple) else (other,))


@pytest.mark.parametrize("cloud", [*CUT, *LEFT])
def test_places_on_a_line_are_those_of_a_search(cloud):
    """Numbers between, at and beyond the values; two values alone; very large numbers."""
    points, rng = lines(cloud)[0].points[:, 0], np.random.default_rng(0)
    line = as_line(points)
    asked = np.concatenate([points, rng.uniform(points.min() - 1, points.max() + 1, 500), [-1e150, 1e150, 0.0]])
    for after, side in ((False, "left"), (True, "right")):
        np.testing.assert_array_equal(line.places(asked, after=after), np.searchsorted(line.values, asked, side))
    two = as_line(points[np.array([points.argmin(), points.argmax()])])
    np.testing.assert_array_equal(two.places(asked, after=False), np.searchsorted(two.values, asked))
