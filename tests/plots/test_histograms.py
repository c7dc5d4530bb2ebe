"""Distributions of activations against epoch."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.plots import histograms


def test_each_layer_has_a_panel_with_the_mean_share_over_members(result, by_id):
    axes = [ax for ax in histograms(result).axes if by_id(ax, "shares")]
    assert [ax.get_title(loc="left") for ax in axes] == list(result["layer"].values)
    for ax, layer in zip(axes, result["layer"].values, strict=True):
        (shares,) = by_id(ax, "shares")
        expected = result["histogram"].sel(layer=layer).mean("member").transpose("cell", "epoch")
        np.testing.assert_allclose(
            np.asarray(shares.get_array()).reshape(expected.shape), expected, atol=1e-6
        )  # float32


def test_columns_meet_between_measured_epochs_and_end_at_the_first_and_last(result, by_id):
    (shares,) = by_id(histograms(result).axes[0], "shares")
    borders = shares.get_coordinates()[0, :, 0]
    epochs = result["epoch"].values
    assert (borders[0], round(float(borders[-1]), 6)) == (epochs[0], epochs[-1])
    assert ((borders[1:-1] > epochs[:-1]) & (borders[1:-1] < epochs[1:])).all()


def test_activations_are_named_where_their_cells_begin(result, by_id):
    ax = histograms(result).axes[0]
    lower = result["cell"].values
    for place, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True):
        assert lower[int(place)] == pytest.approx(float(label.get_text().replace("−", "-")), abs=1e-6)


def test_a_result_without_histograms_is_refused_with_the_remedy(result):
    with pytest.raises(InputError, match=r"no histograms of activations; run it with measure.histograms = true"):
        histograms(result.drop_vars("histogram"))
