"""Bars of what layers lose, on results whose numbers are known."""

import json

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from infoplane import results
from infoplane.estimators.base import FLAGS
from infoplane.plots import compression, style
from infoplane.runs.combine import combine
from infoplane.runs.config import parse
from infoplane.runs.job import Job

LAYERS = ("hidden1", "hidden2", "output")


def with_information(ds, paths, estimator=0):
    """The result with I(X;T) of each layer given as [member][epoch]."""
    ds = ds.copy(deep=True)
    for layer, path in enumerate(paths):
        ds["information"][estimator, :, :, layer, 0] = path
    return ds


@pytest.fixture
def known(make_result):
    """Two members, three epochs: hidden1 loses 1 and 3 bits after a rise of 4, hidden2 nothing, the output 2 and 2."""
    paths = [[[1, 5, 4], [1, 5, 2]], [[3, 4, 5], [3, 4, 5]], [[2, 3, 1], [2, 3, 1]]]
    return with_information(make_result(members=2, epochs=(0, 10, 40)), paths)


def heights(ax):
    return [patch.get_height() for patch in ax.patches]


def test_bars_are_the_mean_loss_from_the_peak_of_the_mean(known, by_id):
    (ax,) = compression(known).axes
    assert heights(ax) == pytest.approx([2, 0, 2])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["hidden1", "hidden2", "output"]
    rises = [by_id(ax, "rise")[layer].get_segments()[0][0, 1] for layer in range(3)]
    assert rises == pytest.approx([4, 2, 1])


def test_the_interval_is_students(known):
    lost = results.compression(known["information"].values[0, :, :, 0, 0])
    assert lost.mean == pytest.approx(2)
    assert lost.half_width == pytest.approx(12.706 * np.sqrt(2) / np.sqrt(2), rel=1e-4)  # t(0.975, 1) · sd / √2
    assert lost.rise == pytest.approx(4)


def test_epochs_at_which_an_estimator_was_not_measured_do_not_count(make_result):
    ds = make_result(members=2, epochs=(0, 10, 20, 40), estimators=("binning", "kde"))
    path = np.array([[1, np.nan, 5, 4], [1, np.nan, 5, 2]])
    ds = with_information(ds, [path] * 3, estimator=1)
    _, kde = compression(ds).axes
    assert heights(kde) == pytest.approx([2, 2, 2])


def test_clipped_layers_are_hatched_and_told(known):
    codes = np.zeros(known["information"].shape, np.int32)
    codes[0, 1, 1, 2, 0] = 1 << FLAGS.index("clipped")
    figure = compression(known.assign(flags=(results.INFORMATION_DIMS, codes)))
    assert [bool(patch.get_hatch()) for patch in figure.axes[0].patches] == [False, False, True]
    assert "hatched" in figure.get_suptitle()
    assert "hatched" not in compression(known).get_suptitle()


def test_variants_stand_side_by_side_and_shuffled_labels_are_grey(make_result):
    keys = {
        "members": 2,
        "model": {"hidden": [4, 3]},
        "train": {"epochs": 40},
        "schedule": {"kind": "list", "epochs": [10]},
        "estimators": [{"name": "binning", "bins": 30, "edges": "idnns"}],
        "variants": [{"label": "plain"}, {"label": "shuffled labels", "data.shuffle_labels": True}],
    }
    job = Job(parse(keys))
    base = make_result(members=2, epochs=(0, 10, 40))
    base = base.assign_coords(quantity=("estimator", ["Shannon"]))
    base["distinct_rows"] = (results.LAYER_DIMS, np.ones((2, 3, 3)))
    base["order_violation"] = results.order_violation(base["information"])
    parts = [base.assign_attrs(config=json.dumps(json.loads(plan.config.canonical()))) for plan in job.plans]
    (ax,) = compression(combine(parts, job)).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["plain", "shuffled labels"]
    colours = [patch.get_facecolor() for patch in ax.patches]
    assert len(set(colours[:3])) == 3
    assert len(set(colours[3:])) == 1


def test_settings_of_one_estimator_stand_in_the_order_of_their_numbers(make_result):
    names = ("kde(variance=0.001)", "kde(variance=1e-05)", "kde(variance=1.0)", "binning")
    figure = compression(make_result(estimators=names))
    assert len(figure.axes) == 3
    ticks = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert ticks == ["σ² = 1e-05", "σ² = 0.001", "σ² = 1.0"]


def test_a_layer_has_one_colour_in_networks_of_every_depth(make_result):
    shallow, deep = (compression(make_result(layers=layers)) for layers in (("hidden1", "output"), LAYERS))
    assert len(shallow.axes[0].patches) == 2
    colours = style.colours_by_name([("hidden1", "output"), LAYERS])
    assert [to_rgba(patch.get_facecolor()) for patch in deep.axes[0].patches] == [tuple(colours[n]) for n in LAYERS]
    assert list(colours) == list(LAYERS)
