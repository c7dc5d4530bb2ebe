"""Noisy against quadrature, closed forms, published tables and the bounds that must hold."""

import math

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from infoplane import InputError
from infoplane.estimators import noisy
from infoplane.estimators.base import Layers
from infoplane.estimators.noisy import Noisy

BIT = math.log(2)


def quadrature_entropy(points, sigma):
    """Differential entropy in bits of points blurred by N(0, σ²), by the trapezium rule.

    For a smooth density whose ends vanish the rule's error falls faster than any power of the step (σ/8).
    """
    u = np.arange(points.min() - 9 * sigma, points.max() + 9 * sigma, sigma / 8)
    density = np.zeros_like(u)
    for some in np.array_split(points, max(len(points) // 64, 1)):
        density += np.exp(-((u[:, None] - some) ** 2) / (2 * sigma**2)).sum(1)
    density /= len(points) * sigma * math.sqrt(2 * math.pi)
    return float(-(density * np.log2(np.where(density > 0, density, 1))).sum() * sigma / 8)


def quadrature_information(points, labels, sigma):
    """I(X;T+Z) and I(T+Z;Y) in bits for points on a line."""
    whole = quadrature_entropy(points, sigma)
    within = sum((labels == c).mean() * quadrature_entropy(points[labels == c], sigma) for c in np.unique(labels))
    return whole - math.log2(2 * math.pi * math.e * sigma**2) / 2, whole - within


def kernel_bounds(t, variance):
    """Kolchinsky and Tracey's bounds on I(X;T+Z) in bits, written down directly."""
    squares = ((t[:, None] - t) ** 2).sum(-1)
    return [-np.log2(np.exp(-squares / (2 * v)).mean(1)).mean() for v in (4 * variance, variance)]


def within(estimate, truth, *, errors=4.0, floor=1e-9):
    """Say whether the truth lies within so many standard errors (4: one false alarm in 16 000)."""
    return abs(estimate.bits - truth) < errors * estimate.std_error + floor


def example(seed, n=300, d=3):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 5))
    return np.tanh(x @ rng.standard_normal((5, d))), (x[:, 0] > 0).astype(int)


@pytest.mark.parametrize(("distance", "nats"), [(1, 0.111421), (2, 0.336831), (4, 0.632720), (8, 0.693053)])
def test_two_points_give_the_binary_input_gaussian_channel(distance, nats):
    t = np.repeat([[0.0], [distance]], 2000, axis=0)
    estimate = Noisy(variance=1.0).of_layer(t).input
    assert estimate.std_error < 0.002
    assert within(estimate, nats / BIT)


TANH_CHANNEL = [  # σ, w, information in nats of X ~ N(0,1) with tanh(wX) + N(0, σ²)
    *zip([0.1] * 5, [0.5, 1, 2, 5, 20], [1.42686, 1.68043, 1.59129, 1.24915, 0.89052], strict=True),
    *zip([0.3] * 5, [0.5, 1, 2, 5, 20], [0.53288, 0.79573, 0.88592, 0.83778, 0.74418], strict=True),
]


@pytest.mark.parametrize(("sigma", "weight", "nats"), TANH_CHANNEL)
def test_the_tanh_channel_has_its_published_information(sigma, weight, nats):
    n = 4096
    t = np.tanh(weight * ndtri((np.arange(n) + 0.5) / n))
    # What the grid of equal probabilities changes, computed without drawing, is below the standard error.
    assert quadrature_information(t, np.zeros(n), sigma)[0] == pytest.approx(nats / BIT, abs=2e-4)
    estimate = Noisy(variance=sigma**2).of_layer(t).input
    assert 4e-4 < estimate.std_error < 0.003
    assert within(estimate, nats / BIT, floor=2e-4)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.5, 3.0])
@pytest.mark.parametrize("dim", [1, 7])
def test_points_on_a_line_agree_with_quadrature_in_any_direction(dim, sigma):
    rng = np.random.default_rng(5)
    points, labels = rng.uniform(-1, 1, 400), rng.integers(0, 3, 400)
    points[labels == 2] += 0.7
    direction = rng.standard_normal(dim)
    t = points[:, None] * direction / np.linalg.norm(direction)  # noise across the line tells nothing
    truth = quadrature_information(points, labels, sigma)
    information = Noisy(variance=sigma**2, draws=8).of_layer(t, labels)
    assert within(information.input, truth[0])
    assert within(information.label, truth[1])
    assert information.input.std_error < 0.01


def test_a_linear_layer_of_gaussian_inputs_has_its_closed_form():
    n, variance = 4096, 0.5
    rng = np.random.default_rng(2)
    x = rng.standard_normal((n, 4))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / n)).T  # covariance exactly 1
    weights = rng.standard_normal((4, 2)) / 2
    determinant = np.linalg.det(np.eye(2) + weights.T @ weights / variance)
    estimate = Noisy(variance=variance).of_layer(x @ weights).input
    # With p the Gaussian and q the noisy rows, equal second moments make −E_q log p = h(p). So h(q) falls short of
    # h(p) by KL(q‖p) ≤ log(1 + χ²(q‖p)), and E χ² = (det − 1)/N for rows drawn from p; three times that is rare.
    shortfall = 3 * (determinant - 1) / n / BIT
    assert shortfall < 0.02
    difference = math.log2(determinant) / 2 - estimate.bits
    assert -4 * estimate.std_error < difference < shortfall + 4 * estimate.std_error


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), d=st.integers(1, 6), variance=st.sampled_from([1e-3, 0.03, 0.3, 3.0, 100.0]))
def test_the_value_lies_between_the_kernel_bounds(seed, d, variance):
    t, labels = example(seed, n=128, d=d)
    information = Noisy(variance=variance, draws=4).of_layer(t, labels)
    lower, upper = kernel_bounds(t, variance)
    # The floor is what 1024 draws can have missed altogether: an overlap met once in 1000, worth log2 N.
    slack = 4 * information.input.std_error + 7 / 1024
    assert lower - slack < information.input.bits < upper + slack
    # Single draws may leave more doubt about the label than there was, on average they cannot. 1e-6: float32.
    assert -4 * information.label.std_error - 1e-6 <= information.label.bits <= 1 + 1e-6
    assert information.label.bits <= information.input.bits + slack


def test_the_standard_error_is_the_spread_over_seeds():
    t, labels = example(0)
    runs = [Noisy(variance=0.1, draws=3, seed=seed).of_layer(t, labels) for seed in range(60)]
    for quantity in ("input", "label"):
        values = [getattr(run, quantity) for run in runs]
        spread = np.std([value.bits for value in values], ddof=1)
        # 60 values fix a standard deviation to 1/√118 = 9 %; three times that.
        assert spread == pytest.approx(np.mean([value.std_error for value in values]), rel=0.28)


def test_with_one_draw_the_standard_error_is_too_large_rather_than_too_small():
    t, _ = example(1)
    runs = [Noisy(variance=0.1, draws=1, seed=seed).of_layer(t).input for seed in range(40)]
    spread = np.std([run.bits for run in runs], ddof=1)
    assert spread < min(run.std_error for run in runs) * 1.34  # 3 / √78 above


def test_ten_times_the_draws_shrink_the_error_by_the_root_of_ten():
    t, _ = example(2)
    few, many = (Noisy(variance=0.1, draws=draws).of_layer(t).input for draws in (20, 200))
    # An error from 20 draws in each of 300 rows is itself known to about 1/√(2·300·19) = 1 %.
    assert few.std_error / many.std_error == pytest.approx(math.sqrt(10), rel=0.05)
    assert within(few, many.bits)


@pytest.mark.parametrize("variance", [0.1, 1e-9])
def test_a_constant_layer_says_exactly_nothing(variance):
    information = Noisy(variance=variance).of_layer(np.full((100, 3), 0.7), [0, 1] * 50)
    for estimate in (information.input, information.label):
        assert (estimate.bits, estimate.std_error) == (0, 0)
        assert estimate.flags == {"constant"}
        assert estimate.reason == "all 100 rows are equal"


def test_one_class_leaves_exactly_no_label_information():
    t, _ = example(0)
    information = Noisy().of_layer(t, np.zeros(300, int))
    assert (information.label.bits, information.label.flags) == (0, {"constant"})
    assert "constant" not in information.input.flags


def test_without_labels_there_is_no_label_information():
    t, labels = example(0)
    alone = Noisy().of_layer(t)
    assert alone.label is None
    # Labels change the order in which a row's sums are added, by float32 rounding.
    assert alone.input.bits == pytest.approx(Noisy().of_layer(t, labels).input.bits, abs=1e-6)


def test_rows_far_apart_give_exactly_log2_n_and_h_of_y():
    t = np.arange(64.0)[:, None] * 100
    labels = np.repeat([0, 1, 1, 1], 16)
    information = Noisy(variance=1.0).of_layer(t, labels)
    assert (information.input.bits, information.input.std_error) == (6, 0)
    assert information.input.flags == {"saturated"}
    assert information.input.reason == "saturated at 6.0 of 6.0 bits: reflects the number of inputs, not the network"
    assert information.label.bits == pytest.approx(-0.25 * math.log2(0.25) - 0.75 * math.log2(0.75), abs=1e-12)


def test_copies_of_all_rows_change_nothing_and_are_flagged():
    t, labels = example(3)
    once = Noisy(variance=0.1, draws=8).of_layer(t, labels)
    thrice = Noisy(variance=0.1, draws=8).of_layer(np.tile(t, (3, 1)), np.tile(labels, 3))
    for one, three in ((once.input, thrice.input), (once.label, thrice.label)):
        assert abs(one.bits - three.bits) < 4 * math.hypot(one.std_error, three.std_error)
        assert three.flags == {"ties"}
        assert three.reason == "600 of 900 rows are exact copies of others"


def test_merging_equal_rows_changes_rounding_only(monkeypatch):
    t, labels = example(4)
    t, labels = np.tile(t, (2, 1)), np.concatenate([labels, 1 - labels])
    merged = Noisy(variance=0.01).of_layer(t, labels)
    monkeypatch.setattr(noisy, "merge_equal", lambda rows, labels: None)
    plain = Noisy(variance=0.01).of_layer(t, labels)
    # float32: 1e-7 of exponents up to (spread/σ)² = 300, in each of 600 rows, of either sign
    assert merged.input.bits == pytest.approx(plain.input.bits, abs=1e-5)
    assert merged.label.bits == pytest.approx(plain.label.bits, abs=1e-5)
    assert merged.label.bits == pytest.approx(0, abs=1e-5)  # every point carries both labels


def test_float32_and_both_ways_in_float64_agree(monkeypatch):
    t, labels = example(5)
    single = Noisy(variance=1e-3).of_layer(t, labels)
    monkeypatch.setattr(noisy, "FLOAT32_LIMIT", 0.0)
    double = Noisy(variance=1e-3).of_layer(t, labels)
    monkeypatch.setattr(noisy, "DIRECT", 0.0)
    direct = Noisy(variance=1e-3).of_layer(t, labels)
    assert single.input.bits == pytest.approx(double.input.bits, abs=1e-5)
    assert single.label.bits == pytest.approx(double.label.bits, abs=1e-5)
    assert direct.input.bits == pytest.approx(double.input.bits, abs=1e-10)
    assert direct.label.bits == pytest.approx(double.label.bits, abs=1e-10)
    assert direct.input.bits != double.input.bits != single.input.bits  # three paths indeed


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_close_pairs_far_from_the_origin_and_from_each_other_keep_their_distance(offset):
    sigma = 2.0**-9  # σ² near 4e-6; every coordinate below is exact in float64
    centres = offset + np.arange(128.0) * 1000
    t = np.sort(np.concatenate([centres, centres + 2 * sigma]))[:, None]
    # 128 pairs, each the channel of two points 2σ apart
    estimate = Noisy(variance=sigma**2, draws=8).of_layer(t).input
    assert within(estimate, 7 + 0.336831 / BIT)
    assert 0 < estimate.std_error < 0.01


def test_moving_and_scaling_everything_together_changes_nothing():
    t, labels = example(6)
    one = Noisy(variance=0.1).of_layer(t, labels)
    two = Noisy(variance=0.1 * 4**2).of_layer(4 * (t + 0.5), labels)  # the same noise in units of σ
    assert one.input.bits == pytest.approx(two.input.bits, abs=1e-5)
    assert one.label.bits == pytest.approx(two.label.bits, abs=1e-5)


def test_turning_the_layer_changes_the_value_within_its_error():
    t, labels = example(7)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    one, two = Noisy(draws=4).of_layer(t, labels), Noisy(draws=4).of_layer(t @ turn, labels)
    assert one.input.bits != two.input.bits
    for a, b in ((one.input, two.input), (one.label, two.label)):
        assert abs(a.bits - b.bits) < 4 * math.hypot(a.std_error, b.std_error)


def test_more_noise_leaves_less_information():
    t, labels = example(8)
    values = [Noisy(variance=variance, draws=8).of_layer(t, labels) for variance in (1e-4, 0.01, 0.1, 1.0, 100.0)]
    assert (np.diff([value.input.bits for value in values]) < 0).all()
    assert (np.diff([value.label.bits for value in values]) < 0).all()


def test_a_layer_gives_the_same_number_alone_and_in_any_batch():
    layers = np.stack([example(seed)[0].T for seed in range(3)])
    labels = example(0)[1]
    together = Noisy().measure(Layers(layers, labels))
    for index in range(3):
        alone = Noisy().measure(Layers(layers[index : index + 1], labels))
        assert alone.input.bits[0] == together.input.bits[index]
        assert alone.label.bits[0] == together.label.bits[index]
        assert alone.input.std_error[0] == together.input.std_error[index]


def test_the_seed_chooses_the_noise():
    t, _ = example(0)
    one, again, other = (Noisy(seed=seed).of_layer(t).input.bits for seed in (1, 1, 2))
    assert one == again != other


def test_draws_are_independent_of_each_other():
    t, _ = example(0)
    labels = np.zeros(300, np.int64)
    merged = noisy.Merged(np.arange(300), np.ones(300, np.int64), np.arange(300))
    left = noisy._posterior_entropies(3 * t, labels, merged, 27.0, 40, 0)[0]
    residual = left - left.mean(0)
    # 300 rows: the correlation of two independent draws is below 5/√300 for all of the 780 pairs
    assert np.abs(np.corrcoef(residual) - np.eye(40)).max() < 5 / math.sqrt(300)


def test_rows_of_different_queries_get_different_noise():
    t = np.tile(np.array([[0.0], [1.0]]), (512, 1))
    merged = noisy.Merged(np.arange(1024), np.ones(1024, np.int64), np.arange(1024))
    left = noisy._posterior_entropies(t, np.zeros(1024, np.int64), merged, 1.0, 1, 0)[0, 0]
    assert len(np.unique(left[::2])) == len(np.unique(left[1::2])) == 512


def test_a_non_finite_layer_is_nan_and_touches_no_neighbour():
    layers = np.stack([example(seed)[0].T for seed in range(3)])
    labels = example(0)[1]
    clean = Noisy().measure(Layers(layers.copy(), labels))
    layers[1, 2, 7] = np.inf
    values = Noisy().measure(Layers(layers, labels))
    for found in (values.input, values.label):
        assert np.isnan(found.bits).tolist() == [False, True, False]
        assert np.isnan(found.std_error).tolist() == [False, True, False]
        assert found.flags[1] == {"non-finite"}
        assert found.reasons[1] == "1 of 900 activations are not finite"
    assert (values.input.bits[[0, 2]] == clean.input.bits[[0, 2]]).all()
    assert (values.label.bits[[0, 2]] == clean.label.bits[[0, 2]]).all()


@pytest.mark.parametrize(("t", "variance"), [([0.0, 1e308, 2.0], 0.1), ([0.0, 1.0, 2.0], 5e-324)])
def test_noise_that_float64_cannot_resolve_is_nan_and_says_so(t, variance):
    estimate = Noisy(variance=variance).of_layer(np.array(t)).input
    assert math.isnan(estimate.bits)
    assert estimate.flags == {"non-finite"}
    assert "standard deviations of the noise" in estimate.reason


def test_a_class_of_one_sample_is_flagged():
    t, labels = example(0)
    labels[5] = 2
    label = Noisy().of_layer(t, labels).label
    assert label.flags == {"small-class"}
    assert label.reason == "1 of 3 classes have one sample"


def test_entropy_adds_that_of_the_noise():
    points = np.random.default_rng(0).uniform(-1, 1, 400)
    estimate = Noisy(variance=0.04, draws=8).entropy(points)
    assert within(estimate, quadrature_entropy(points, 0.2))
    # in two dimensions, one of them silent: the entropy of its noise comes on top
    silent = Noisy(variance=0.04, draws=8).entropy(np.column_stack([points, np.zeros(400)]))
    assert within(silent, quadrature_entropy(points, 0.2) + math.log2(2 * math.pi * math.e * 0.04) / 2)


def test_inputs_are_not_changed():
    t, labels = example(0)
    before = t.copy(), labels.copy()
    Noisy().of_layer(t, labels)
    assert (t == before[0]).all()
    assert (labels == before[1]).all()


def test_jax_keeps_its_default_precision_outside():
    Noisy().of_layer(example(0)[0])
    assert jax.numpy.ones(1).dtype == np.float32


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"variance": 0.0}, "noisy variance is 0.0; expected a positive finite number, such as 0.1"),
        ({"variance": -1.0}, "noisy variance is -1.0; expected a positive finite number, such as 0.1"),
        ({"variance": math.nan}, "noisy variance is nan; expected a positive finite number, such as 0.1"),
        ({"variance": math.inf}, "noisy variance is inf; expected a positive finite number, such as 0.1"),
        ({"variance": "small"}, "noisy variance is 'small'; expected a number"),
        ({"draws": 0}, "noisy draws is 0; expected at least 1 noise vector for each row"),
        ({"draws": 2.5}, "noisy draws is 2.5; expected a whole number"),
        ({"draws": True}, "noisy draws is True; expected a whole number"),
        ({"seed": -1}, "noisy seed is -1; expected a whole number from 0 to 2^64 - 1"),
        ({"sigma": 1.0}, "estimator 'noisy' has no parameter 'sigma'; known: draws, seed, variance"),
    ],
)
def test_a_bad_parameter_is_named(params, text):
    with pytest.raises(InputError) as caught:
        Noisy.with_params(params)
    assert str(caught.value) == text
