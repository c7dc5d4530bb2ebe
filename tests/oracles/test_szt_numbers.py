"""The numbers of Shwartz-Ziv & Tishby's plane, as two independent computations gave them for 50 members.

The references are (mean, sd over members) of 50 tanh members under IDNNs' bins, in bits. A mean over n other
members differs from them by about sd·√(1/n + 1/50); four of these are allowed.
"""

import math

import numpy as np
import pytest

from infoplane.experiments import configure
from infoplane.runs import engine

N_REFERENCE = 50
LAYERS = ["hidden1", "hidden2", "hidden3", "hidden4", "hidden5", "output"]

AT_START = {"hidden4": (9.25, 0.80), "hidden5": (6.20, 0.93), "output": (1.90, 0.71)}
AT_26 = {"hidden5": (7.55, 0.81)}
AT_400 = {"hidden5": (6.6, 0.93)}  # the sd at 400 and 3200 was measured here
AT_3200 = {"hidden5": (4.2, 1.40)}
AT_END = {"hidden4": (9.27, 1.27), "hidden5": (2.96, 0.73), "output": (1.39, 0.20)}


def assert_near(values, reference):
    """Compare the mean over members with a reference (mean, sd)."""
    mean, sd = reference
    assert float(values.mean()) == pytest.approx(mean, abs=4 * sd * math.sqrt(1 / len(values) + 1 / N_REFERENCE))


def assert_layers_near(information, epoch, references):
    for layer, reference in references.items():
        assert_near(information.sel(epoch=epoch, layer=layer, variable="input").values, reference)


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight members over the first 400 epochs."""
    changes = {"group_width": 8, "train.epochs": 400, "schedule": {"kind": "list", "epochs": [0, 26, 400]}}
    config = configure("szt", quick=True, changes=changes)
    return engine.run(config, tmp_path_factory.mktemp("eight") / "run")


@pytest.fixture(scope="module")
def fifty(tmp_path_factory):
    """The whole experiment."""
    return engine.run(configure("szt"), tmp_path_factory.mktemp("fifty") / "run")


@pytest.mark.slow
def test_eight_members_begin_fit_and_turn_where_the_references_do(eight):
    information = eight.information.isel(estimator=0)
    assert_layers_near(information, 0, AT_START)
    assert_layers_near(information, 26, AT_26)
    assert_layers_near(information, 400, AT_400)


def test_the_three_unit_layer_of_eight_members_rises_then_falls(eight):
    path = eight.information.isel(estimator=0).sel(layer="hidden5", variable="input")
    # differences within a member: references 1.35 up and 0.95 down, sd over members of order .8, /√8 = .3
    assert (path.sel(epoch=26) - path.sel(epoch=0)).mean() > 0.4
    assert (path.sel(epoch=26) - path.sel(epoch=400)).mean() > 0.2


def test_wide_layers_of_eight_members_say_all_there_is(eight):
    path = eight.information.isel(estimator=0).sel(variable="input").mean("member")
    assert (path.sel(layer=["hidden1", "hidden2"]) > 11.5).all()


@pytest.mark.slow
def test_fifty_members_begin_and_end_where_the_references_do(fifty):
    information = fifty.information.isel(estimator=0)
    assert information.layer.values.tolist() == LAYERS
    assert_layers_near(information, 0, AT_START)
    assert_layers_near(information, 8000, AT_END)
    measured = information.epoch.values
    for epoch, references in ((26, AT_26), (400, AT_400), (3200, AT_3200)):
        nearest = measured[np.abs(measured - epoch).argmin()]  # at most 1 % away
        assert_layers_near(information, nearest, references)


@pytest.mark.slow
def test_the_mean_path_of_fifty_members_turns_early(fifty):
    path = fifty.information.isel(estimator=0).sel(layer="hidden5", variable="input").mean("member")
    assert 20 <= int(path.idxmax("epoch")) <= 35
    assert float(path.max()) == pytest.approx(7.55, abs=4 * 0.81 * math.sqrt(2 / N_REFERENCE))
    output = fifty.information.isel(estimator=0).sel(layer="output", variable="input").mean("member")
    assert 20 <= int(output.idxmax("epoch")) <= 45
    assert float(output.max()) == pytest.approx(4.23, abs=4 * 0.71 * math.sqrt(2 / N_REFERENCE))


@pytest.mark.slow
def test_wide_layers_of_fifty_members_never_fall(fifty):
    path = fifty.information.isel(estimator=0).sel(variable="input").mean("member")
    assert path.sel(layer="hidden1").min() > 11.96
    assert path.sel(layer="hidden2").min() > 11.8


@pytest.mark.slow
def test_labels_and_accuracy_of_fifty_members_end_where_the_references_do(fifty):
    label = fifty.information.isel(estimator=0, epoch=-1).sel(variable="label").mean("member")
    # members' sd of the output, the widest, is .018: four errors of a difference of two means are .014
    np.testing.assert_allclose(label, [0.999, 0.999, 0.996, 0.992, 0.981, 0.957], atol=0.014)
    accuracy = fifty.accuracy.sel(split="test").isel(step=-1)
    assert accuracy.mean() > 0.95
    assert_near(accuracy.values, (0.968, 0.01))
    assert accuracy.min() > 0.92  # the reference's lowest of 50: .943
    assert not fifty.member_flags.any()
