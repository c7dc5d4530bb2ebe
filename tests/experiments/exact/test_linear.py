"""Linear students: numbers of an epoch worked out by hand, conservation, what estimators make of samples."""

import numpy as np
import pytest

from infoplane.experiments import configure
from infoplane.experiments.exact.linear import DATA, STUDENT, assemble, compute
from infoplane.nets import linear
from infoplane.results import decode_flags
from infoplane.truth.linear import input_information

SMALL = {
    "members": 2,
    "data.inputs": 8,
    "data.samples": 40,
    "model.hidden": [6],
    "train.epochs": 80,
    "measure.points": 12,
}
SAMPLED = SMALL | {"train.epochs": 600, "measure.oracle_samples": 1000, "measure.oracle_points": 4}


def result(name="saxe-linear", **changes):
    settings = configure(name, changes=SMALL | {"measure.oracle_samples": 0} | changes)
    return settings, assemble(settings, {member: compute(settings, member) for member in range(settings.members)})


@pytest.fixture(scope="module")
def sampled():
    """One student with what estimators make of it."""
    return result(**SAMPLED)[1].isel(member=0)


def test_an_epoch_is_that_of_gradient_descent():
    settings, ds = result()
    teacher = settings.teacher(1)
    x, y = teacher.sample(40, settings.rng(1, DATA))
    start = linear.initialise((8, 6, 1), settings.model.scale, settings.rng(1, STUDENT))
    *_, (first, second) = linear.descend(start, x, y, learning_rate=0.02, epochs=80)
    end = ds.isel(member=1, epoch=-1)
    assert int(end["epoch"]) == 80
    assert float(end["training_error"]) == pytest.approx(
        np.mean((y - x @ (second @ first).T) ** 2) / teacher.label_variance
    )
    assert float(end["generalisation_error"]) == pytest.approx(teacher.generalisation_error((second @ first)[0]))
    bits = end["information"].isel(estimator=0).sel(variable="input").values
    expected = [input_information(layer, np.eye(8), 0.01) for layer in (first, second @ first)]
    assert bits == pytest.approx(expected)


def test_no_layer_exceeds_what_can_be_known():
    _, ds = result()
    label = ds["information"].sel(variable="label")
    assert float(label.max()) <= ds.attrs["label_information"]
    assert float(label.min()) >= 0
    assert float(label.isel(epoch=-1).min()) > float(label.isel(epoch=0).max())


def test_every_member_has_a_teacher_and_rows_of_its_own():
    settings, ds = result()
    assert not np.allclose(settings.teacher(0).weights, settings.teacher(1).weights)
    assert not np.allclose(ds["generalisation_error"].isel(member=0), ds["generalisation_error"].isel(member=1))


def test_parts_of_the_input_are_less_than_all_of_it():
    """I(X;T) = I(X_rel;T) + I(X_irrel;T|X_rel) ≥ the sum of both: independent inputs are noise to each other."""
    settings, ds = result("saxe-irrelevant", **{"data.relevant": 3})
    bits = ds["information"].isel(estimator=0)
    both = bits.sel(variable="relevant") + bits.sel(variable="irrelevant")
    assert bool((bits.sel(variable="input") >= both - 1e-9).all())
    assert settings.teacher(0).relevant.sum() == 3


def test_several_hidden_layers_have_names_and_numbers():
    _, ds = result(**{"model.hidden": [6, 4]})
    assert ds["layer"].values.tolist() == ["hidden1", "hidden2", "output"]
    assert bool(ds["information"].notnull().all())


@pytest.mark.filterwarnings("error")
def test_a_student_that_diverges_is_flagged_and_has_no_numbers():
    _, ds = result(**{"train.learning_rate": 50.0})
    assert {flag for code in ds["member_flags"].values for flag in decode_flags(int(code))} == {"diverged"}
    assert bool(ds["information"].isel(epoch=-1).isnull().all())
    assert bool(ds["information"].isel(epoch=0).notnull().all())


@pytest.mark.slow
def test_bounds_of_the_kernel_estimate_bracket_the_truth(sampled):
    """1000 inputs stand for all: the mean log density of a scalar errs by √½/√1000 nats, 0.03 bits."""
    one = sampled.sel(layer="output", variable="input")
    exact, kde = one["information"].isel(estimator=0), one.sel(estimator="kde(variance=0.01)")
    known = kde["information"].notnull().values
    assert known.sum() == 4
    assert (kde["information_lower"].values[known] <= exact.values[known] + 0.1).all()
    assert (kde["information_upper"].values[known] >= exact.values[known] - 0.1).all()
    assert float(exact.values[known].max()) > 1.5


@pytest.mark.parametrize(
    ("estimator", "layer", "variable", "tolerance"),
    [
        ("noisy(variance=0.01)", "output", "input", 0.1),  # the rows' own error, as above
        ("gaussian", "output", "label", 0.15),  # a correlation on 1000 rows: √(1 − ρ²)-ish, below 0.05 bits of sd
        ("gaussian", "hidden1", "label", 0.15),
        ("ksg1", "output", "label", 0.2),  # one against one coordinate, 1 / √1000 nats and its bias
    ],
)
def test_estimators_find_the_truth_where_they_can(sampled, estimator, layer, variable, tolerance):
    one = sampled["information"].sel(layer=layer, variable=variable)
    exact, found = one.isel(estimator=0).values, one.sel(estimator=estimator).values
    known = np.isfinite(found)
    assert known.sum() == 4
    assert found[known] == pytest.approx(exact[known], abs=tolerance)


def test_estimators_measure_the_first_member_alone_and_change_no_exact_number():
    _, with_them = result(**SAMPLED)
    _, without = result(**SAMPLED | {"measure.oracle_samples": 0})
    assert bool(with_them["information"].isel(estimator=slice(1, None), member=1).isnull().all())
    assert np.array_equal(with_them["information"].isel(estimator=0), without["information"].isel(estimator=0))
    assert without.sizes["estimator"] == 1
