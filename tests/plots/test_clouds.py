"""The clouds themselves: those of the first member, an input a colour."""

import numpy as np

from infoplane import plots


def test_every_input_has_a_cloud_in_each_window_of_each_activation(side_by_side, by_id):
    figure = plots.clouds(side_by_side)
    titles = ["relu, first window", "relu, last window", "tanh, first window", "tanh, last window"]
    assert [ax.get_title("left") for ax in figure.axes] == titles
    for ax, (activation, window) in zip(
        figure.axes, [(a, w) for a in ("relu", "tanh") for w in ("first", "last")], strict=True
    ):
        drawn = np.stack([np.transpose(cloud.get_data()) for cloud in by_id(ax, "cloud")])
        known = side_by_side["cloud"].sel({"model.activation": activation, "window": window}).isel(member=0)
        assert np.array_equal(drawn, known.transpose("drawn", "sample", "unit"))
