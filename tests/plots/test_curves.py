"""Curves against epoch: means, bands, entropies, splits."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.plots import information, training


def test_lines_are_means_over_members(result, by_id):
    panels = information(result).axes
    for ax, variable in zip(panels, ("input", "label"), strict=True):
        for layer in result["layer"].values:
            (line,) = by_id(ax, f"mean {layer}")
            expected = result["information"][0].sel(layer=layer, variable=variable).mean("member")
            np.testing.assert_array_equal(line.get_xdata(), result["epoch"])
            np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)


def test_bands_are_one_sd_either_side(result, by_id):
    ax = information(result).axes[0]
    band = by_id(ax, "band")[2].get_paths()[0].vertices
    values = result["information"][0].sel(layer="output", variable="input")
    mean, sd = values.mean("member").values, values.std("member", ddof=1).values
    at_5 = np.unique(band[band[:, 0] == 5, 1])
    np.testing.assert_allclose(at_5, [(mean - sd)[3], (mean + sd)[3]], rtol=1e-12)


def test_caption_says_what_the_band_is(result):
    figure = information(result)
    assert "mean ± 1 sd over members" in figure.get_suptitle()
    assert "binning: bins 30, edges idnns" in figure.get_suptitle()


def test_a_single_member_has_no_band_and_says_none(make_result, by_id):
    figure = information(make_result(members=1))
    assert by_id(figure.axes[0], "band") == []
    assert "sd" not in figure.get_suptitle()


def test_scale_of_epochs_shows_0_and_the_measured_epochs(result, by_id):
    ax = information(result).axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "10", "40"]
    assert ax.get_xscale() == "symlog"
    (rug,) = by_id(ax, "measured")
    np.testing.assert_array_equal([tick[0, 0] for tick in rug.get_segments()], result["epoch"])


def test_entropies_are_dashed_lines(result, by_id):
    x_panel, y_panel = information(result).axes
    assert by_id(x_panel, "H(X)")[0].get_ydata()[0] == 8
    assert by_id(y_panel, "H(Y)")[0].get_ydata()[0] == 1


def test_without_labels_only_the_input_is_drawn(result):
    result["information"][..., 1] = np.nan
    result.attrs["label_entropy"] = float("nan")
    assert [ax.get_ylabel() for ax in information(result).axes] == ["I(X;T) (bits)"]


def test_one_epoch_is_drawn_as_dots_with_bars(make_result):
    ax = information(make_result(epochs=(0,))).axes[0]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert len(dots) == 3
    assert len(ax.containers) == 3


def test_training_curves_are_means_of_the_epochs_that_have_one(result, by_id):
    loss, accuracy, _ = training(result).axes
    for ax, curve in ((loss, "loss"), (accuracy, "accuracy")):
        for split in ("train", "test"):
            (line,) = by_id(ax, f"mean {split}")
            expected = result[curve].sel(split=split).mean("member").dropna("step")
            np.testing.assert_array_equal(line.get_xdata(), expected["step"])
            np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["train", "test"]
    assert loss.get_ylabel() == "loss (nats)"


def test_weight_norms_are_a_third_panel_where_recorded(result, by_id):
    (line,) = by_id(training(result).axes[2], "mean hidden2")
    assert set(line.get_ydata()) == {2.0}
    assert len(training(result.drop_vars("weight_norm")).axes) == 2


def test_training_of_an_interrupted_run_ends_where_it_ended(result):
    result["loss"][..., 8:] = np.nan
    figure = training(result)
    assert figure.axes[0].get_xlim()[1] < 10
    assert "epochs 0–7" in figure.get_suptitle()


def test_result_without_curves_is_refused(result):
    with pytest.raises(InputError, match="training needs loss and accuracy"):
        training(result.drop_vars(["loss", "accuracy"]))
