"""Names beside points: near, free, apart."""

import numpy as np
import pytest
from matplotlib.text import Text

from infoplane.plots import style
from infoplane.plots.labels import place_names

NOTHING = np.empty((0, 2))


@pytest.fixture
def ax():
    """Empty axes from 0 to 1."""
    axes = style.new_figure(3.0, 3.0).add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    return axes


def box_in_data(note):
    note.figure.draw_without_rendering()
    return Text.get_window_extent(note).transformed(note.axes.transData.inverted())


def test_a_lonely_name_stands_right_beside_its_point(ax):
    (note,) = place_names(ax, {"here": np.array([[0.5, 0.5]])}, [(NOTHING, 1.0)])
    assert note.xy == pytest.approx((0.5, 0.5))
    box = box_in_data(note)
    gap = max(box.x0 - 0.5, 0.5 - box.x1, box.y0 - 0.5, 0.5 - box.y1)
    assert 0 < gap < 0.05  # 3 points of a 3 inch figure, and the box's margin


def test_a_name_stays_inside_the_axes(ax):
    (note,) = place_names(ax, {"corner": np.array([[1.0, 1.0]])}, [(NOTHING, 1.0)])
    box = box_in_data(note)
    assert box.x1 < 1 and box.y1 < 1


def test_a_name_goes_where_nothing_is_drawn(ax):
    upper = np.random.default_rng(0).uniform([0, 0.555], [1, 0.7], (20000, 2))  # where a name above would end
    (note,) = place_names(ax, {"beside": np.array([[0.5, 0.5]])}, [(upper, 1.0)])
    assert box_in_data(note).y1 < 0.555


def test_the_second_point_is_taken_where_the_first_is_crowded(ax):
    left = np.random.default_rng(0).uniform([0, 0], [0.6, 1], (40000, 2))
    points = np.array([[0.2, 0.5], [0.8, 0.5]])
    (free,) = place_names(ax, {"free": points}, [(NOTHING, 1.0)])
    (crowded,) = place_names(ax, {"crowded": points}, [(left, 1.0)])
    assert free.xy == pytest.approx((0.2, 0.5))
    assert crowded.xy == pytest.approx((0.8, 0.5))


@pytest.mark.parametrize("step", [(0.0, 0.03), (0.1, 0.0)])
def test_neighbours_keep_apart(ax, step):
    anchors = {f"name{i}": np.array([[0.3, 0.44]]) + i * np.array(step) for i in range(5)}
    boxes = [box_in_data(note) for note in place_names(ax, anchors, [(NOTHING, 1.0)])]
    assert len(boxes) == 5
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_names_of_one_point_are_joined(ax):
    point, elsewhere = np.array([[0.5, 0.5]]), np.array([[0.1, 0.1]])
    notes = place_names(ax, {"a": point, "b": elsewhere, "c": point}, [(NOTHING, 1.0)])
    assert [note.get_text() for note in notes] == ["a, c", "b"]
