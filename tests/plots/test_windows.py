"""Figures of networks as if their weights were random: they show what the result holds, and refuse others."""

import matplotlib.text
import numpy as np
import pytest

from infoplane import plots
from infoplane.errors import InputError
from infoplane.plots.windows import controls_in_words


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


@pytest.mark.parametrize("name", ["windows", "lengths", "clouds"])
def test_another_result_is_refused_in_words(result, name):
    assert plots.suited(result, [name]) == []
    with pytest.raises(InputError, match=f"{name} needs windows, branches or initialisations side by side"):
        plots.FIGURES[name](result)


@pytest.mark.parametrize("name", ["windows", "lengths"])
def test_an_estimator_that_is_not_there_is_refused(side_by_side, name):
    with pytest.raises(InputError, match="estimator 'ksg1' is not in this result; it holds: ross, kde"):
        plots.FIGURES[name](side_by_side, estimator="ksg1")


def test_windows_draws_every_source_of_each_layer_side_by_side(side_by_side, by_id):
    axes = plots.windows(side_by_side).axes
    assert [ax.get_title("left") for ax in axes] == ["relu", "tanh", "relu", "tanh"]
    drawn = by_id(axes[1], "branch hidden3")[0]
    own = side_by_side["information"].sel({"model.activation": "tanh", "source": "branch", "estimator": "ross"})
    expected = own.sel(variable="input", layer="hidden3").mean("member")
    assert drawn.get_ydata() == pytest.approx(expected.values)
    assert drawn.get_xdata().tolist() == side_by_side["epoch"].values.tolist()
    assert len(by_id(axes[0], "window output")) >= 1
    assert len(by_id(axes[0], "init output")) == 1


def test_windows_draws_the_estimator_that_is_asked_for(side_by_side, by_id):
    ax = plots.windows(side_by_side, estimator="kde").axes[0]
    own = side_by_side["information"].sel({"model.activation": "relu", "source": "init", "estimator": "kde"})
    expected = own.sel(variable="input", layer="output").mean("member")
    assert by_id(ax, "init output")[0].get_ydata() == pytest.approx(expected.values)


def test_stored_results_stand_at_their_updates(side_by_side, by_id):
    figure = plots.windows(side_by_side)
    marks = by_id(figure.axes[0], "published")
    assert [mark.get_xdata()[1] for mark in marks] == [6100] * 6
    assert [mark.get_ydata()[1] for mark in marks] == [9.68, 9.68, 9.68, 5.67, 5.42, 1.34]
    assert "infonet" in words(figure)
    assert "infonet" not in words(plots.windows(side_by_side.drop_vars("published")))


def test_lengths_draws_windows_the_last_update_and_the_limit(side_by_side, by_id):
    ax = plots.lengths(side_by_side).axes[0]
    own = side_by_side.sel({"model.activation": "relu", "estimator": "ross", "variable": "input", "layer": "hidden2"})
    assert by_id(ax, "mean hidden2")[0].get_ydata() == pytest.approx(own["by_length"].mean("member").values)
    alone = [mark.get_ydata()[0] for mark in by_id(ax, "alone")]
    assert alone[1] == pytest.approx(float(own["single_update"].isel(epoch=-1).mean("member")))
    assert len(ax.containers) == 6


def test_the_controls_are_said_by_their_worst(side_by_side):
    ds = side_by_side.assign(control_bits=side_by_side["control_expected"].copy())
    ds["control_bits"][{"member": 1, "control": 2, "layer": 3}] += 0.25
    assert controls_in_words(ds, "ross").endswith("one common cloud: 0.25 bits")
    assert "identical samples: 0 bits" in controls_in_words(ds, "ross")
    assert controls_in_words(ds, "ross") in words(plots.lengths(ds))


def test_members_without_numbers_are_left_out(side_by_side, tmp_path):
    ds = side_by_side.copy(deep=True)
    for name in ("information", "by_length", "limit", "single_update"):
        ds[name][{"member": [1, 2]}] = np.nan
    for name in ("windows", "lengths"):
        plots.save(plots.FIGURES[name](ds), tmp_path / name)


def test_drawing_leaves_the_result_as_it_was(side_by_side):
    before = side_by_side.copy(deep=True)
    for name in ("windows", "lengths", "clouds"):
        plots.FIGURES[name](side_by_side)
    assert side_by_side.identical(before)
