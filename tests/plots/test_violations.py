"""Violations of the data-processing inequality, by estimator, and several estimators beside each other."""

import numpy as np
import pytest

from infoplane import plots, results
from infoplane.errors import InputError


@pytest.fixture
def violating(make_result):
    """Three members; at epoch 2 the second layer knows 1 bit more than the first, or 2 of the last member."""
    ds = make_result(members=3, estimators=("binning", "kde"))
    for layer, bits in enumerate((5.0, 4.0, 3.0)):
        ds["information"][:, :, :, layer] = bits
    ds["information"][0, :, 2, 1, 0] = np.array([6.0, 6.0, 7.0])
    return ds


def test_the_excess_is_drawn_at_its_epoch(violating, by_id):
    left, right = plots.violations(violating).axes
    drawn = by_id(left, "mean binning")[0]
    assert drawn.get_xdata().tolist() == violating["epoch"].values.tolist()
    assert drawn.get_ydata() == pytest.approx([0, 0, 4 / 3, 0, 0, 0])
    assert by_id(left, "largest binning")[0].get_ydata() == pytest.approx([0, 0, 2, 0, 0, 0])
    assert by_id(right, "mean binning")[0].get_ydata() == pytest.approx(np.zeros(6))


def test_each_estimator_has_a_line_where_it_has_measured(violating, by_id):
    violating["information"][1, :, 1:4] = np.nan
    left, _ = plots.violations(violating).axes
    assert by_id(left, "mean kde")[0].get_xdata().tolist() == [0, 10, 40]
    assert len(by_id(left, "measured")[0].get_segments()) == 6


def test_one_layer_has_no_order_to_violate(make_result):
    ds = make_result(layers=("output",))
    assert plots.suited(ds, ["violations"]) == []
    with pytest.raises(InputError, match="violations needs two layers or more"):
        plots.violations(ds)


def test_layers_that_do_not_follow_each_other_are_refused(result):
    with pytest.raises(InputError, match="that follow each other"):
        plots.violations(result.assign_attrs(layers="free"))


def test_comparison_has_a_panel_a_layer_and_a_line_an_estimator(violating, by_id):
    figure = plots.comparison(violating)
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in shown] == ["hidden1", "hidden2", "output"]
    for ax, layer in zip(shown, violating["layer"].values, strict=True):
        for name in ("binning", "kde"):
            expected = violating["information"].sel(estimator=name, layer=layer, variable="input").mean("member")
            assert by_id(ax, f"mean {name}")[0].get_ydata() == pytest.approx(expected.values)


def test_few_measured_epochs_are_dots_and_many_are_ticks(make_result, by_id):
    ds = make_result(epochs=range(41), estimators=("binning", "kde"))
    ds["information"][1, :, 1:40] = np.nan
    first = plots.comparison(ds).axes[0]
    assert by_id(first, "mean kde")[0].get_marker() == "o"
    assert by_id(first, "mean binning")[0].get_marker() == "None"
    assert len(by_id(first, "measured")[0].get_segments()) == 41


@pytest.mark.parametrize(
    ("estimators", "options", "words"),
    [
        (("binning",), {}, "comparison needs two estimators or more"),
        (("binning", "kde"), {"variable": "both"}, "variable is 'both'; expected 'input' or 'label'"),
    ],
)
def test_what_cannot_be_compared_is_refused(make_result, estimators, options, words):
    with pytest.raises(InputError, match=words):
        plots.comparison(make_result(estimators=estimators), **options)


def test_comparison_of_the_label_needs_labels(make_result):
    ds = make_result(estimators=("binning", "kde"))
    ds["information"][..., 1] = np.nan
    with pytest.raises(InputError, match=r"this result holds no I\(T;Y\)"):
        plots.comparison(ds, variable="label")


def test_the_end_on_shuffled_labels_stands_in_the_plane(result, by_id):
    shuffled = result.assign(information=result["information"] / 2)
    ax = plots.plane(result, shuffled=shuffled).axes[0]
    expected = shuffled["information"][0, :, -1].mean("member").transpose("layer", "variable")
    assert np.asarray(by_id(ax, "shuffled labels")[0].get_offsets()) == pytest.approx(expected.values)
    assert by_id(plots.plane(result).axes[0], "shuffled labels") == []


def test_the_bound_stands_in_the_plane_where_the_input_decides_the_label(result, by_id):
    line = by_id(plots.plane(result, bound=True).axes[0], "bound")[0]
    assert line.get_ydata() == pytest.approx(np.minimum(line.get_xdata(), 1.0))
    with pytest.raises(InputError, match="bound=True needs labels that the input decides"):
        plots.plane(result.assign_attrs(label_information=0.5), bound=True)


def test_order_violation_is_the_excess_over_the_layer_before(violating):
    excess = results.order_violation(violating["information"])
    assert float(excess.sel(estimator="binning", variable="input").max()) == 2.0
