"""Figures of what is known exactly: they show it, and refuse other results."""

import matplotlib.text
import numpy as np
import pytest

from infoplane import plots
from infoplane.errors import InputError
from infoplane.experiments import configure
from infoplane.experiments.exact import linear, minimal

SMALL = {
    "members": 3,
    "data.inputs": 8,
    "data.samples": 40,
    "model.hidden": [6],
    "train.epochs": 100,
    "measure.points": 12,
    "measure.oracle_samples": 0,
}


def made(name, module, changes):
    settings = configure(name, changes=changes)
    ds = module.assemble(settings, {member: module.compute(settings, member) for member in range(settings.members)})
    return ds.assign_attrs(title=name)


@pytest.fixture(scope="module")
def units():
    return made("saxe-minimal", minimal, {"points": 9, "members": 3})


@pytest.fixture(scope="module")
def students():
    return made("saxe-irrelevant", linear, SMALL | {"data.relevant": 3})


@pytest.fixture(scope="module")
def measured():
    return made("saxe-linear", linear, SMALL | {"measure.oracle_samples": 100, "measure.oracle_points": 3})


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_figures_are_offered_to_the_results_that_they_suit(units, students, measured, result):
    names = ("minimal", "errors", "relevance", "oracle")
    assert plots.suited(units, names) == ["minimal"]
    assert plots.suited(students, names) == ["errors", "relevance"]
    assert plots.suited(measured, names) == ["errors", "oracle"]
    assert plots.suited(result, names) == []


@pytest.mark.parametrize("name", ["minimal", "errors", "relevance", "oracle"])
def test_another_result_is_refused_in_words(result, name):
    with pytest.raises(InputError, match=f"{name} needs"):
        plots.FIGURES[name](result)


def test_minimal_draws_the_unit_without_bias(units, by_id):
    axes = plots.minimal(units).axes
    assert [len(by_id(ax, "no bias")) for ax in axes] == [5, 5, 5, 1]
    drawn = by_id(axes[0], "no bias")[0].get_ydata()
    assert np.array_equal(drawn, units["information"][0, 0, :, 0, 0])


def test_errors_draws_both_errors_and_the_change_of_information(students, by_id):
    first, second, _ = plots.errors(students).axes
    assert by_id(first, "mean generalisation_error")[0].get_ydata() == pytest.approx(
        students["generalisation_error"].mean("member").values
    )
    assert by_id(second, "mean hidden1")[0].get_ydata()[0] == 0


def test_relevance_has_a_panel_a_layer(students, by_id):
    _, hidden, output = plots.relevance(students).axes
    for ax in (hidden, output):
        assert all(len(by_id(ax, f"mean {name}")) == 1 for name in ("input", "relevant", "irrelevant"))


def test_oracle_shows_truth_and_estimates(measured, by_id):
    figure = plots.oracle(measured)
    first = figure.axes[0]
    assert len(by_id(first, "exact")) == 1
    assert len(by_id(first, "bracket")[0].get_segments()) == 3
    assert len(by_id(first, "gaussian")[0].get_xdata()) == 3
    assert "estimates on 100 new inputs" in words(figure)


def test_drawing_leaves_results_as_they_were(units, students, measured):
    for ds in (units, students, measured):
        before = ds.copy(deep=True)
        for name in plots.suited(ds, ("minimal", "errors", "relevance", "oracle")):
            plots.FIGURES[name](ds)
        assert ds.identical(before)


@pytest.mark.parametrize("name", ["plane", "information"])
def test_infinite_entropies_leave_planes_and_curves_as_they_are(students, tmp_path, name, by_id):
    figure = plots.FIGURES[name](students)
    plots.save(figure, tmp_path / name)
    assert by_id(figure.axes[0], "H(X)") == []
    assert "H(X)" not in words(figure)
