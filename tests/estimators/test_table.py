"""The table of estimators, and how several are named."""

import numpy as np
import pytest

import infoplane as ip
from infoplane.estimators import build, build_all
from infoplane.estimators.base import LayerEstimator, Layers
from infoplane.estimators.layers import measure_layers
from infoplane.estimators.pair import PairEstimator

NAMES = [entry.name for entry in ip.list_estimators()]
LAYERS = [name for name in NAMES if isinstance(build(name), LayerEstimator)]
NOISY = [name for name in LAYERS if not isinstance(build(name), PairEstimator)]
"""Those whose noise or cells make I(X;T) finite."""


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    return np.tanh(rng.standard_normal((200, 3)) + y[:, None]).astype(np.float32), y


@pytest.fixture(scope="module")
def together(layer):
    """What every estimator gives for two layers at once, the second of which is `layer`."""
    t, y = layer
    batch = Layers(np.stack([t.T[:, ::-1], t.T]), y)
    return measure_layers(batch, list(build_all(LAYERS).values()))


@pytest.mark.parametrize("name", NAMES)
def test_every_estimator_says_what_it_is(name):
    entry = next(entry for entry in ip.list_estimators() if entry.name == name)
    assert build(name).name == name
    assert all(len(text) > 3 for text in (entry.data, entry.meaning, entry.cost, entry.reference))


@pytest.mark.parametrize("name", LAYERS)
def test_every_estimator_gives_the_same_alone_in_a_batch_and_beside_others(name, layer, together):
    alone = ip.layer_information(*layer, name)
    beside = together[LAYERS.index(name)]
    assert beside.input.bits[1] == pytest.approx(alone.input.bits, abs=1e-9, nan_ok=name not in NOISY)
    assert beside.label.bits[1] == pytest.approx(alone.label.bits, abs=1e-9)
    assert alone.input.estimator == name


@pytest.mark.parametrize("name", LAYERS)
def test_every_estimator_answers_without_labels(name, layer):
    information = ip.layer_information(layer[0], None, name)
    assert information.label is None
    assert np.isfinite(information.input.bits) == (name in NOISY)
    assert name in NOISY or information.input.reason


@pytest.mark.parametrize("name", LAYERS)
def test_every_estimator_gives_0_for_a_constant_layer_and_nan_for_a_broken_one(name):
    y = np.arange(60) % 2
    constant = ip.layer_information(np.full((60, 2), 0.4), y, name)
    assert constant.input.bits == pytest.approx(0, abs=1e-12)
    assert constant.label.bits == pytest.approx(0, abs=1e-12)
    assert "constant" in constant.input.flags
    broken = np.ones((60, 2))
    broken[3, 1] = np.inf
    information = ip.layer_information(broken, y, name)
    assert np.isnan(information.input.bits)
    assert "non-finite" in information.input.flags


@pytest.mark.parametrize("name", LAYERS)
def test_one_class_has_no_label_information(name, layer):
    assert ip.layer_information(layer[0], np.zeros(200, int), name).label.bits == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_calling_an_estimator_gives_an_estimate(name, layer):
    t, y = layer
    information = ip.layer_information(t, y, name)
    assert float(build(name)(t, y)) == pytest.approx(information.label.bits, abs=1e-9)
    if name in NOISY:  # float32 sums in another order
        assert float(build(name)(t)) == pytest.approx(information.input.bits, abs=1e-6)


def test_names_used_twice_carry_what_they_differ_in():
    named = build_all([{"name": "kde", "variance": [0.001, 0.1]}, "exact", "binning"])
    assert list(named) == ["kde(variance=0.001)", "kde(variance=0.1)", "exact", "binning"]


def test_the_same_estimator_twice_is_refused():
    with pytest.raises(ip.InputError, match="estimator 'exact' is asked for twice"):
        build_all(["exact", "exact"])


def test_several_values_of_a_parameter_give_one_result_each(layer):
    measured = ip.layer_information(*layer, "kde", variance=(0.01, 1))
    assert list(measured) == ["kde(variance=0.01)", "kde(variance=1.0)"]
    one = ip.layer_information(*layer, "kde", variance=0.01)
    assert measured["kde(variance=0.01)"].input.bits == pytest.approx(one.input.bits, abs=1e-8)


def test_every_entry_measures_layers_or_pairs():
    assert all(isinstance(build(name), LayerEstimator | PairEstimator) for name in NAMES)


def test_every_class_of_the_table_can_be_imported_from_the_package():
    from infoplane import estimators

    for entry in ip.list_estimators():
        assert getattr(estimators, entry.path.partition(":")[2]) is type(build(entry.name))
