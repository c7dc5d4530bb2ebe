"""Neighbours and counts: both back ends, every number type, against all distances computed plainly."""

import math

import numpy as np
import pytest

from infoplane.estimators import _neighbors_search, _neighbors_sweep
from infoplane.estimators._neighbors_labels import list_length_of_labels
from infoplane.estimators._neighbors_near import count_within, near_samples
from infoplane.estimators._neighbors_permuted import find_permuted, list_length
from infoplane.estimators._neighbors_scale import centred
from infoplane.estimators._neighbors_search import find
from infoplane.estimators._neighbors_space import Labels, Space, as_space
from infoplane.estimators._neighbors_sweep import Task, count_lines, set_places, sweep
from infoplane.estimators._neighbors_tiles import PRECISIONS, Tiles, choose_tiles
from infoplane.estimators.pair import Variable

TASKS = {
    "ball": Task(3),
    "rectangle": Task(3, rectangle=True, closed=True),
    "atoms": Task(3, atoms=True),
    "one": Task(1),
    "many": Task(40),
}


def plain(spaces, task):
    """The same by all distances at once: (distances, within, radii, counts)."""
    n = spaces[0].n
    row, column = (index.ravel() for index in np.indices((n, n)))
    each = [space.distance(row, column).reshape(n, n) for space in spaces]
    for distances in each:
        np.fill_diagonal(distances, np.inf)
    joint = np.max(each, axis=0)
    nearest = np.sort(joint, axis=1)[:, : task.k]
    last = np.isfinite(nearest).sum(1) - 1
    kth = nearest[np.arange(n), last]
    inside = joint <= kth[:, None]
    if task.rectangle:
        radii = [np.where(inside, own, 0).max(1) for own in each]
    else:
        radii = [np.maximum(kth, np.nextafter(0, 1)) if task.atoms else kth] * len(each)
    compare = np.less_equal if task.closed else np.less
    counts = [compare(own, radius[:, None]).sum(1) for own, radius in zip(each, radii, strict=True)]
    return nearest, inside.sum(1), radii, counts


def space(values, norm="max"):
    return as_space(Variable(np.asarray(values, float).reshape(len(values), -1), False), norm)


def agree(found, expected):
    distances, within, radii, counts = expected
    np.testing.assert_array_equal(found.distances, distances)
    np.testing.assert_array_equal(found.within, within)
    for own, other in zip(found.radii, radii, strict=True):
        np.testing.assert_array_equal(own, other)
    for own, other in zip(found.counts, counts, strict=True):
        np.testing.assert_array_equal(own, other)


def clouds(name, norm):
    """Pairs of spaces with the difficulties of real data."""
    rng = np.random.default_rng(5)
    n = 211
    x, y = rng.standard_normal((n, 3)), rng.standard_normal((n, 2))
    if name == "tails":
        x, y = rng.standard_t(1, (n, 3)), rng.standard_cauchy((n, 2)) ** 3
    if name == "clusters":  # of a width far below what float32 resolves at their distance
        x, y = x * 1e-9 + rng.integers(0, 3, (n, 1)), y * 1e-9 - rng.integers(0, 2, (n, 1))
    if name == "grid":
        x, y = np.round(x), np.round(2 * y)
    if name == "copies":
        x, y = np.tile(x[:43], (5, 1))[:n], np.tile(y[:43], (5, 1))[:n]
    if name == "lines":
        x, y = x[:, :1], np.maximum(y[:, :1], 0)
    if name == "one line":
        x = np.maximum(x[:, :1], -0.3)
    return space(x, norm), space(y, norm)


CLOUDS = ("normal", "tails", "clusters", "grid", "copies", "lines", "one line")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_sweep_gives_exactly_what_all_distances_give(cloud, task):
    spaces = clouds(cloud, "max")
    agree(find([spaces], TASKS[task], back_end="sweep")[0], plain(spaces, TASKS[task]))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_sweep_gives_exactly_what_all_euclidean_distances_give(cloud):
    spaces = clouds(cloud, "euclidean")
    agree(find([spaces], TASKS["ball"])[0], plain(spaces, TASKS["ball"]))


@pytest.mark.parametrize(("norm", "precision"), [(norm, name) for norm in PRECISIONS for name in PRECISIONS[norm]])
@pytest.mark.parametrize("cloud", ["normal", "tails", "copies", "grid"])
def test_every_number_type_gives_the_same(cloud, norm, precision):
    spaces = clouds(cloud, norm)
    task = TASKS["rectangle"]
    counted = find([spaces], task)[0]
    swept = sweep([Tiles(spaces, precision)], task)[0]
    np.testing.assert_array_equal(swept.distances, counted.distances)
    np.testing.assert_array_equal(swept.within, counted.within)
    for which in (0, 1):
        np.testing.assert_array_equal(swept.radii[which], counted.radii[which])
        np.testing.assert_array_equal(swept.counts[which], counted.counts[which])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("cloud", ["lines"])
def test_a_tree_and_the_sweep_give_the_same_for_lines(cloud, task):
    spaces = clouds(cloud, "max")
    agree(find([spaces], TASKS[task], back_end="tree")[0], plain(spaces, TASKS[task]))


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("norm", ["max", "euclidean"])
def test_a_tree_and_the_sweep_give_the_same_neighbours_in_one_space(cloud, norm):
    one = clouds(cloud, norm)[:1]
    task = Task(4, counts=False)
    tree, swept = (find([one], task, back_end=name)[0] for name in ("tree", "sweep"))
    np.testing.assert_array_equal(tree.distances, swept.distances)
    np.testing.assert_array_equal(tree.within, swept.within)


@pytest.mark.parametrize("back_end", ["tree", "sweep"])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_neighbours_of_a_labelled_sample_have_its_label(back_end, k):
    rng = np.random.default_rng(6)
    codes = np.repeat([0, 1, 2, 4], [2, 5, 60, 80])  # the first two have fewer others than 7, a code is not used
    spaces = space(np.round(rng.standard_normal(147), 1)), Labels(rng.permutation(codes))
    found = find([spaces], Task(k), back_end=back_end)[0]
    distances, within, radii, counts = plain(spaces, Task(k))
    agree(found, (distances, within, radii, (counts[0], spaces[1].others)))


def test_a_tree_asked_in_blocks_gives_the_same(monkeypatch):
    spaces = clouds("one line", "max")
    whole = find([spaces], TASKS["many"], back_end="tree")[0]
    monkeypatch.setattr(_neighbors_search, "_ASKED", 42 * 10)
    agree(find([spaces], TASKS["many"], back_end="tree")[0], whole)


def test_labels_may_stand_first_and_points_have_several_coordinates():
    rng = np.random.default_rng(7)
    labels, points = Labels(rng.integers(0, 3, 90)), space(rng.standard_normal((90, 4)))
    found = find([(labels, points)], Task(3))[0]
    other = find([(points, labels)], Task(3))[0]
    np.testing.assert_array_equal(found.counts[1], other.counts[0])
    np.testing.assert_array_equal(found.distances, other.distances)


@pytest.mark.parametrize("labelled", [False, True])
def test_several_second_variables_give_what_each_gives_alone(labelled):
    rng = np.random.default_rng(8)
    x = space(rng.standard_normal((150, 3)))
    if labelled:
        others = [Labels(rng.integers(0, 3, 150)) for _ in range(4)]
    else:
        others = [space(rng.standard_normal((150, 2)) ** power) for power in (1, 3, 5)]
    together = find([(x, other) for other in others], Task(3))
    for found, other in zip(together, others, strict=True):
        alone = find([(x, other)], Task(3))[0]
        agree(found, alone)


@pytest.mark.parametrize("cloud", ["normal", "tails", "clusters", "grid", "copies"])
@pytest.mark.parametrize("norm", ["max", "euclidean"])
def test_lists_of_near_samples_hold_all_that_is_within_their_reach(cloud, norm):
    points = clouds(cloud, norm)[0]
    near = near_samples(points, 30)
    row, column = (index.ravel() for index in np.indices((points.n, points.n)))
    every = points.distance(row, column).reshape(points.n, points.n)
    np.fill_diagonal(every, np.inf)
    within = every < near.reach[:, None]
    listed = near.distances < near.reach[:, None]
    np.testing.assert_array_equal(
        np.sort(np.where(listed, near.columns, -1))[:, ::-1][:, : within.sum(1).max()],
        np.sort(np.where(within, np.arange(points.n), -1))[:, ::-1][:, : within.sum(1).max()],
    )
    held = np.isfinite(near.distances)
    np.testing.assert_array_equal(near.distances[held], np.take_along_axis(every, near.columns, 1)[held])
    if cloud in ("normal", "tails"):  # ties and clusters leave lists that hold nothing for sure, which is allowed
        assert within.sum(1).mean() > 20


def test_lists_are_used_where_they_are_short_and_fit_into_memory():
    labels = [Labels(np.repeat([0, 1], [1000 - rarest, rarest])) for rarest in (240, 5)]
    assert list_length_of_labels(labels[0], 3) == 8 * 3 * 1000 // 240 + 8
    assert list_length_of_labels(labels[1], 3) == 0
    assert list_length(10_000, 3) == math.ceil(math.sqrt((3 + 2 * math.sqrt(3) + 1) * 10_000))
    assert list_length(100, 3) == 0
    assert list_length(200_000, 3) == 0


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("norm", ["max", "euclidean"])
@pytest.mark.parametrize("cloud", ["normal", "tails", "clusters", "grid", "copies"])
def test_counts_within_many_radii_are_those_of_all_distances(cloud, norm, closed):
    points = clouds(cloud, norm)[0]
    row, column = (index.ravel() for index in np.indices((points.n, points.n)))
    every = points.distance(row, column).reshape(points.n, points.n)
    np.fill_diagonal(every, np.inf)
    radii = np.sort(every, axis=1)[:, [0, 5, 60, 150]]  # distances of samples: the edges matter
    compare = np.less_equal if closed else np.less
    expected = np.stack([compare(every, radius[:, None]).sum(1) for radius in radii.T], axis=1)
    np.testing.assert_array_equal(count_within(points, radii, closed=closed), expected)


@pytest.mark.parametrize("task", ["ball", "rectangle", "atoms"])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_orders_searched_by_lists_give_exactly_what_all_distances_give(cloud, task):
    spaces, rng = clouds(cloud, "max"), np.random.default_rng(1)
    orders = [rng.permutation(spaces[0].n) for _ in range(3)]
    found = find_permuted(*spaces, orders, TASKS[task], 20)
    for one, order in zip(found, orders, strict=True):
        agree(one, plain((spaces[0], spaces[1].take(order)), TASKS[task]))


def test_blocks_and_threads_change_nothing(monkeypatch):
    spaces = clouds("normal", "max")
    whole = find([spaces], Task(3))[0]
    monkeypatch.setattr(_neighbors_sweep, "BLOCK", 211 * 8)
    for n_threads in (1, 3):
        monkeypatch.setattr(_neighbors_sweep, "n_threads", lambda n=n_threads: n)
        agree(find([spaces], Task(3))[0], whole)


def test_well_behaved_data_use_the_quickest_numbers_and_far_outliers_finer_ones():
    rng = np.random.default_rng(9)
    normal = space(rng.standard_normal((2000, 2))), space(rng.standard_normal((2000, 2)))
    assert choose_tiles(normal, 3).precision == "int16"
    tails = space(rng.standard_cauchy((2000, 2))), space(rng.standard_cauchy((2000, 2)))
    assert choose_tiles(tails, 3).precision == "float32"
    clusters = rng.standard_normal((2000, 2)) * 1e-9 + rng.integers(0, 2, (2000, 1))
    assert choose_tiles((space(clusters), space(clusters)), 3).precision == "float64"


def test_counts_on_a_line_hold_at_the_edge_of_a_grid():
    """Nine grid points: 3 strictly within 2 steps on either side less one, the edge belongs to the closed count."""
    line = Space(np.arange(9.0)[:, None] * 0.25, 1.0)
    radius = np.full(9, 0.5)
    assert line.count_on_line(radius, closed=False).tolist() == [1, 2, 2, 2, 2, 2, 2, 2, 1]
    assert line.count_on_line(radius, closed=True).tolist() == [2, 3, 4, 4, 4, 4, 4, 3, 2]


def test_counts_on_a_line_at_radius_0_are_the_copies():
    line = Space(np.array([1.0, 1.0, 2.0, 1.0])[:, None], 1.0)
    assert line.count_on_line(np.zeros(4), closed=True).tolist() == [2, 2, 0, 2]
    assert line.count_on_line(np.zeros(4), closed=False).tolist() == [0, 0, 0, 0]


def test_centring_keeps_equal_steps_equal_and_nothing_overflows():
    points, spread = centred(np.array([[1.0], [4.0], [7.0], [10.0]]) * 2.0**1020)
    assert np.ptp(np.diff(points[:, 0])) == 0
    assert np.isfinite(spread) and spread > 0


def test_samples_with_copies_are_known():
    values = np.array([[0.0, 1.0], [1.0, 0.0], [-0.0, 1.0], [1.0, 1.0]])
    assert Space(values, 1.0).others.tolist() == [1, 0, 1, 0]
    assert Space(values[:, :1], 1.0).others.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("places", [8, 2040, 2048, 20_000])
def test_what_is_set_in_a_row_is_counted_without_overflow(places):
    mask = np.random.default_rng(0).random((3, places)) < 0.5
    mask[0] = True
    assert count_lines(mask).tolist() == mask.sum(axis=1).tolist()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.7])
def test_set_places_are_those_of_a_mask(share):
    mask = np.random.default_rng(0).random((5, 264)) < share
    np.testing.assert_array_equal(set_places(mask), np.nonzero(mask))
