"""Figures of quantised and noisy networks: they show what the result holds, and refuse others."""

import matplotlib.text
import numpy as np
import pytest

from infoplane import plots, results
from infoplane.errors import InputError


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


@pytest.mark.parametrize("name", ["levels", "precisions", "noise", "strengths"])
def test_another_result_is_refused_in_words(result, name):
    assert plots.suited(result, [name]) == []
    with pytest.raises(InputError, match=f"{name} needs .* side by side, which"):
        plots.FIGURES[name](result)


def test_levels_draws_every_estimator_of_the_same_network(few_levels, by_id):
    axes = plots.levels(few_levels).axes
    assert [ax.get_title("left") for ax in axes][:4] == ["tanh, 2 bits", "tanh, 4 bits", "tanh, 8 bits", "tanh, floats"]
    for name in ("exact", "binning", "kde"):
        drawn = by_id(axes[6], f"{name} hidden3")[0]
        own = few_levels["information"].sel({"model.activation": "relu", "model.bits": "8", "estimator": name})
        expected = own.sel(variable="input", layer="hidden3").mean("member")
        assert drawn.get_ydata() == pytest.approx(expected.values)


def test_levels_leaves_out_what_was_not_measured(few_levels, by_id):
    ds = few_levels.copy(deep=True)
    ds["information"][{"estimator": 2, "epoch": slice(1, -1)}] = np.nan
    drawn = by_id(plots.levels(ds).axes[0], "kde output")[0]
    assert drawn.get_xdata().tolist() == [ds["epoch"].values[0], ds["epoch"].values[-1]]


def test_noise_draws_both_quantities_under_each_strength(under_noise, by_id):
    axes = plots.noise(under_noise).axes
    assert len(axes) == 12
    drawn = by_id(axes[5], "mean hidden2")[0]
    own = under_noise["information"].sel({"model.activation": "tanh", "model.beta": 0.1, "variable": "label"})
    assert drawn.get_ydata() == pytest.approx(own.sel(layer="hidden2", estimator="noisy").mean("member").values)


@pytest.mark.parametrize(("name", "dim"), [("precisions", "model.bits"), ("strengths", "model.beta")])
def test_ends_are_drawn_against_what_the_networks_differ_in(few_levels, under_noise, by_id, name, dim):
    ds = few_levels if name == "precisions" else under_noise
    axes = plots.FIGURES[name](ds).axes
    own = ds["information"].isel(estimator=0, epoch=-1).sel({"model.activation": "tanh", "layer": "hidden1"})
    assert by_id(axes[0], "end hidden1")[0].get_ydata() == pytest.approx(
        own.sel(variable="input").mean("member").values
    )
    assert axes[-1].get_xticklabels()[0].get_text() == str(ds[dim].values[0])


def test_dead_members_are_counted_by_network(few_levels):
    assert "no dead members" in words(plots.precisions(few_levels))
    ds = few_levels.copy(deep=True)
    ds["member_flags"][{"model.activation": 1, "model.bits": 0, "member": [0, 2]}] = results.encode_flags(["dead"])
    assert "dead of 3:  relu 2: 2" in words(plots.precisions(ds))


def test_members_without_numbers_are_left_out(few_levels, under_noise, tmp_path):
    for ds, names in ((few_levels, ("levels", "precisions")), (under_noise, ("noise", "strengths"))):
        fewer = ds.copy(deep=True)
        for variable in ("information", "accuracy_at_epoch"):
            fewer[variable].loc[{"member": [1, 2]}] = np.nan
        before = fewer.copy(deep=True)
        for name in names:
            plots.save(plots.FIGURES[name](fewer), tmp_path / name)
        assert fewer.identical(before)
