"""Planes of several definitions side by side."""

import pytest

from infoplane import InputError
from infoplane.plots import planes

NAMES = ("binning", "exact", "kde", "noisy", "renyi")


@pytest.mark.parametrize("n", [1, 3, 5])
def test_every_estimator_has_a_plane_and_the_rest_of_the_grid_is_empty(make_result, n):
    figure = planes(make_result(estimators=NAMES[:n]))
    shown = [ax for ax in figure.axes if ax.get_visible() and ax.get_title(loc="left")]
    assert [ax.get_title(loc="left") for ax in shown] == list(NAMES[:n])
    assert all(ax.get_xlim() == shown[0].get_xlim() for ax in shown)


def test_shared_axes_hold_what_every_plane_shows(make_result):
    """The first estimator reaches furthest, and the last must not cut it off."""
    ds = make_result(estimators=NAMES[:2])
    ds["information"][1] = 0.3 * ds["information"][1]
    shown = planes(ds).axes[0]
    reached = ds["information"].max(["estimator", "member", "epoch", "layer"])
    assert shown.get_xlim()[1] > reached.sel(variable="input")
    assert shown.get_ylim()[1] > reached.sel(variable="label")


def test_the_lowest_plane_of_each_column_names_its_axis(make_result):
    figure = planes(make_result(estimators=NAMES))
    figure.draw_without_rendering()
    named = [ax.get_title(loc="left") for ax in figure.axes if ax.get_visible() and ax.get_xlabel()]
    assert named == list(NAMES[2:])


def test_a_wrong_number_of_titles_is_refused(make_result):
    with pytest.raises(InputError, match="titles has 1 entries; expected 2, one for each estimator"):
        planes(make_result(estimators=NAMES[:2]), titles=["only"])
