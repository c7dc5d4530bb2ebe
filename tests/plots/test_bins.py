"""One network by many definitions."""

import json

import numpy as np
import pytest

from infoplane import results
from infoplane.estimators import build_all
from infoplane.plots import bins, content

SPECS = {
    "30 edges on [−1, 1]": {"name": "binning", "edges": "idnns"},
    "100 bins on [0, 10]": {"name": "binning", "bins": 100, "low": 0.0, "high": 10.0},
    "bins 0.07 wide": {"name": "binning", "edges": "width"},
    "30 bins, range of the epoch": {"name": "binning", "edges": "layer"},
    "30 bins, range of the run": {"name": "binning", "edges": "run"},
    "30 bins of equal mass": {"name": "binning", "edges": "quantile"},
    "30 bins, equal mass, distinct": {"name": "binning", "edges": "adaptive"},
    "noise, σ² = 0.001": {"name": "kde", "variance": 1e-3},
}


@pytest.fixture
def several(make_result):
    """A result of as many definitions as there are kinds, the first of which clips the second layer."""
    ds = make_result(estimators=tuple(build_all(list(SPECS.values()))))
    codes = np.zeros(ds["information"].shape, np.int32)
    codes[0, :, 3, 1] = results.encode_flags(["clipped"])
    config = json.dumps({"estimators": list(SPECS.values())})
    return ds.assign(flags=(results.INFORMATION_DIMS, codes)).assign_attrs(config=config)


def test_each_definition_has_a_panel_that_says_in_words_what_it_is(several):
    assert [ax.get_title(loc="left") for ax in bins(several).axes] == list(SPECS)


def test_a_caption_names_the_width_of_bins_that_have_no_number(several):
    (wide,) = [name for name in several["estimator"].values if "width" in name]
    assert content.describe_estimator(several, wide) == "binning: bins 0.07 wide, without limits"


def test_lines_are_means_over_members(several, by_id):
    for ax, name in zip(bins(several).axes, several["estimator"].values, strict=True):
        for layer in several["layer"].values:
            (line,) = by_id(ax, f"mean {layer}")
            expected = several["information"].sel(estimator=name, layer=layer, variable="input").mean("member")
            np.testing.assert_allclose(line.get_ydata(), expected)


def test_only_layers_that_were_clipped_are_dashed(several, by_id):
    first, second, *_ = bins(several).axes
    dashed = {layer: by_id(first, f"mean {layer}")[0].get_linestyle() == "--" for layer in several["layer"].values}
    assert dashed == {"hidden1": False, "hidden2": True, "output": False}
    assert by_id(second, "mean hidden2")[0].get_linestyle() == "-"


def test_panels_share_their_axes_and_the_grey_line_is_the_entropy_of_the_inputs(several, by_id):
    axes = bins(several).axes
    assert len({ax.get_ylim() for ax in axes}) == len({ax.get_xlim() for ax in axes}) == 1
    assert all(set(by_id(ax, "H(X)")[0].get_ydata()) == {several.attrs["input_entropy"]} for ax in axes)


def test_the_caption_says_what_dashes_mean_only_where_there_are_any(several):
    assert "dashed" in bins(several).get_suptitle()
    assert "dashed" not in bins(several.drop_vars("flags")).get_suptitle()


def test_an_estimator_that_measured_nothing_has_no_panel(several):
    several["information"][1] = np.nan
    shown = [ax for ax in bins(several).axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in shown] == [name for place, name in enumerate(SPECS) if place != 1]
