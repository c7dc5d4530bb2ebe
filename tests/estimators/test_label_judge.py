"""Flags of the label value: saturated, above H(Y), and no more than shuffled labels give."""

import numpy as np
import pytest

import infoplane as ip
from infoplane.estimators import build
from infoplane.estimators._label_judge import random_labels_suffice
from infoplane.estimators._label_orders import shuffled_orders
from infoplane.estimators.base import LayerEstimator, Layers
from infoplane.estimators.discrete import cell_information, information_of_labels
from infoplane.estimators.layers import measure_layers

COMPARED = [
    entry.name
    for entry in ip.list_estimators()
    if isinstance(built := build(entry.name), LayerEstimator) and built.shuffle_rows
]
QUICK = [name for name in COMPARED if name != "auto"]


def layer(seed, n=500, units=3, classes=3, shift=0.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return np.tanh(rng.standard_normal((n, units)) + shift * y[:, None]), y


def test_every_estimator_for_layers_is_compared_with_shuffled_labels():
    layers = [entry.name for entry in ip.list_estimators() if isinstance(build(entry.name), LayerEstimator)]
    assert layers == COMPARED


@pytest.mark.parametrize("name", QUICK)
def test_random_labels_are_uninformative_and_clear_classes_are_not(name):
    random = ip.layer_information(*layer(0), name).label
    clear = ip.layer_information(*layer(0, shift=2.0), name).label
    # nearly every row has a cell of its own under fine cells: saturated whatever the labels are
    assert ("saturated" if name in ("binning", "exact") else "uninformative") in random.flags
    assert "uninformative" not in clear.flags


def test_random_labels_of_coarse_cells_are_uninformative():
    t, y = layer(0)
    assert "uninformative" in ip.layer_information(t, y, "binning", bins=3).label.flags
    assert "uninformative" not in ip.layer_information(*layer(0, shift=2.0), "binning", bins=3).label.flags


def test_auto_measures_the_label_of_a_layer_and_says_why_not_the_input():
    t, y = layer(1, n=300, units=2, classes=2, shift=4.0)
    found = ip.layer_information(t, y, "auto")
    assert 0.5 < found.label.bits <= 1.0
    assert np.isnan(found.input.bits)
    assert "noise" in found.input.reason
    assert "uninformative" not in found.label.flags


@pytest.mark.parametrize("name", ["binning", "exact", "kde", "noisy", "renyi"])
def test_label_values_of_saturated_layers_are_saturated(name):
    """H(Y|T) ≤ H(X|T) = log2 N − I(X;T): the label value is within 0.1 bit of H(Y), here of log2 3."""
    t, y = layer(2, units=40)
    params = {"variance": 1e-3} if name in ("kde", "noisy") else {"width": 1e-3} if name == "renyi" else {}
    found = ip.layer_information(t, y, name, **params)
    assert "saturated" in found.input.flags & found.label.flags
    shares = np.bincount(y) / len(y)
    assert found.label.bits >= -(shares @ np.log2(shares)) - 0.1 - 0.01  # Rényi's of order 1.01 is a little lower
    assert "uninformative" not in found.label.flags  # not compared: any labels give nearly H(Y)


def test_informative_labels_of_a_coarse_layer_carry_no_flag():
    y = np.arange(400) % 2
    found = ip.layer_information(np.where(y, 0.5, -0.5)[:, None], y, "binning", bins=4)
    assert found.label.bits == pytest.approx(1.0, abs=1e-12)
    assert not found.label.flags


def test_the_reason_gives_the_amounts():
    reason = ip.layer_information(*layer(0), "binning", bins=3).label.reason
    assert "assigned at random" in reason
    assert "8 shuffles" in reason


def test_gaussian_label_value_above_the_entropy_is_flagged_and_bounded():
    """Two classes with one variance each far from the other's: KL between Gaussians exceeds H(Y) = 1 bit by far."""
    y = np.arange(2000) % 2
    t = np.random.default_rng(0).standard_normal((2000, 6)) * np.where(y, 1e-3, 1.0)[:, None]
    for found in (ip.layer_information(t, y, "gaussian").label, ip.mutual_information(t, y, "gaussian")):
        assert found.bits > 1.5
        assert "above-entropy" in found.flags
        assert found.upper == pytest.approx(1.0)
        assert "entropy of the labels" in found.reason


def test_values_and_bounds_stay_as_they_are():
    t, y = layer(3)
    layers = Layers(np.ascontiguousarray(t.T)[None], y)
    for name in ("binning", "kde", "ross"):
        plain = build(name).measure(layers).label
        (judged,) = measure_layers(layers, [build(name)])
        assert judged.label.bits[0] == plain.bits[0]
        assert plain.lower is None or judged.label.lower[0] == plain.lower[0]


def test_shuffles_can_be_left_out():
    t, y = layer(0)
    layers = Layers(np.ascontiguousarray(t.T)[None], y)
    (judged,) = measure_layers(layers, [build("binning")], compared=())
    assert "uninformative" not in judged.label.flags[0]


@pytest.mark.parametrize("n_cells", [1, 50, 10**6])
@pytest.mark.parametrize("correction", ["none", "miller-madow", "grassberger"])
def test_several_labels_of_the_same_cells_give_what_each_gives_alone(correction, n_cells):
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, n_cells, 400), np.array([rng.permutation(np.arange(400) % 3) for _ in range(4)])
    together = information_of_labels(codes, labels, 3, correction)
    alone = [cell_information(codes[None], own, 3, correction).label[0] for own in labels]
    np.testing.assert_allclose(together, alone, atol=1e-12)


@pytest.mark.parametrize("name", ["kde", "noisy", "renyi", "ross", "binning"])
def test_label_bits_in_the_own_order_are_the_value(name):
    """On all rows; the noisy estimate up to its Monte-Carlo error, since the comparison draws noise of its own."""
    t, y = layer(4, n=240, shift=1.0)
    layers = Layers(np.ascontiguousarray(t.T)[None], y)
    estimator = build(name)
    value = estimator.measure(layers).label
    own = estimator.label_bits(layers, 0, shuffled_orders(240), 2**20)[0]
    error = 5 * value.std_error[0] if name == "noisy" else 1e-6
    assert own == pytest.approx(value.bits[0], abs=error)


def test_many_classes_are_summed_as_few_are():
    from infoplane.estimators import _label_kernels as kernels

    rng = np.random.default_rng(0)
    kernel = rng.random((5, 60))
    for n_classes in (4, 40):
        labels = rng.integers(0, n_classes, (3, 60))
        expected = [[[row[own == code].sum() for code in range(n_classes)] for row in kernel] for own in labels]
        np.testing.assert_allclose(kernels.class_sums(kernel, labels, n_classes), expected)


def test_a_value_of_the_same_normal_distribution_passes_in_one_percent_of_cases():
    drawn = np.random.default_rng(0).standard_normal((4000, 9))
    passed = np.mean([not random_labels_suffice(row[0], row[1:]) for row in drawn])
    assert passed == pytest.approx(0.01, abs=4 * np.sqrt(0.01 * 0.99 / 4000))


def test_values_that_do_not_scatter_must_exceed_rounding():
    assert random_labels_suffice(1.0, np.full(8, 1.0))
    assert not random_labels_suffice(1.1, np.full(8, 1.0))
    assert random_labels_suffice(np.inf, np.full(8, np.inf))
    assert not random_labels_suffice(np.inf, np.full(8, 1.0))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "units"), [(300, 1), (500, 2), (2000, 3)])
def test_random_labels_are_flagged_in_at_least_95_percent_of_layers(n, units):
    found = [ip.layer_information(*layer(seed, n, units), "binning").label for seed in range(400)]
    flagged = np.mean(["uninformative" in one.flags or one.bits < 0.05 for one in found])
    assert flagged >= 0.95
