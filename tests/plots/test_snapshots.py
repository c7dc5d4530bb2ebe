"""Snapshots of all members: which epochs, which dots."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.plots import snapshots
from infoplane.plots.snapshots import choose_epochs


@pytest.mark.parametrize(
    ("epochs", "shown"),
    [
        ([0, 10, 395, 410, 3000, 8000], [0, 395, 8000]),  # near 400, on the logarithmic scale
        ([0, 1, 9, 50, 100], [0, 9, 100]),  # short run: near sqrt(100)
        ([0, 26, 8000], [0, 26, 8000]),
        ([0, 5], [0, 5]),
        ([7], [7]),
    ],
)
def test_epochs_shown_are_first_middle_and_last(epochs, shown):
    epochs = np.array(epochs)
    assert epochs[choose_epochs(epochs)].tolist() == shown


def test_a_dot_is_one_layer_of_one_member(result):
    panels = snapshots(result).axes
    shown = choose_epochs(result["epoch"].values)
    assert [ax.get_title() for ax in panels] == ["epoch 0", "epoch 5", "epoch 40"]
    for ax, epoch in zip(panels, shown, strict=True):
        assert len(ax.collections) == 3
        for layer, dots in enumerate(ax.collections):
            np.testing.assert_array_equal(dots.get_offsets(), result["information"][0, :, epoch, layer])


def test_colour_tells_the_layer_and_the_legend_names_it(result):
    figure = snapshots(result)
    colours = [dots.get_facecolor()[0, :3].tolist() for dots in figure.axes[0].collections]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["input", "hidden1", "hidden2", "output"]
    handles = legend.legend_handles[1:]
    assert colours == [list(handle.get_color()[:3]) for handle in handles]
    assert len({tuple(colour) for colour in colours}) == 3


def test_panels_share_axes_that_hold_every_epoch(result):
    result["information"][0, 0, 1, 0] = [9.0, -0.1]  # an epoch that is not shown
    first, *others = snapshots(result).axes
    assert first.get_xlim()[1] > 9 and first.get_ylim()[0] < -0.1
    assert {(ax.get_xlim(), ax.get_ylim()) for ax in others} == {(first.get_xlim(), first.get_ylim())}


def test_members_without_numbers_are_skipped(result):
    result["information"][0, 1, 0, 2] = np.nan
    dots = snapshots(result).axes[0].collections[2]
    assert len(dots.get_offsets()) == 3


def test_result_without_labels_is_refused(result):
    result["information"][..., 1] = np.nan
    with pytest.raises(InputError, match=r"snapshots needs I\(T;Y\)"):
        snapshots(result)
