"""Kernel density bounds against closed forms, identities and a slow implementation."""

import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

import infoplane.estimators.kde as module
from infoplane import InputError
from infoplane.estimators.base import Layers
from infoplane.estimators.kde import Kde
from infoplane.estimators.layers import layer_information, measure_layers

FLOAT32 = 1e-5  # bits: what the default path may differ from float64
BITS = 1 / math.log(2)


def measure(t, y=None, **params):
    """One layer given as (sample, dim); most tests have 300 rows, so that few programs are compiled."""
    y = np.arange(len(t)) % 2 if y is None else y
    return layer_information(np.asarray(t, float), y, [Kde(**params)])[0]


def slow_bounds(t, variance):
    """Upper and lower bound on I(X;T) in bits: the published formulas, all pairs, float64 differences."""
    squared = ((t[:, None, :] - t[None, :, :]) ** 2).sum(2)
    return tuple(
        -float((logsumexp(-squared / (2 * v), axis=1) - math.log(len(t))).mean()) * BITS
        for v in (variance, 4 * variance)
    )


def slow_values(t, y, variance):
    """(upper, lower, label difference, label lower, label upper) in bits."""
    upper, lower = slow_bounds(t, variance)
    within = np.zeros(2)
    for label in np.unique(y):
        within += (y == label).mean() * np.array(slow_bounds(t[y == label], variance))
    return upper, lower, upper - within[0], lower - within[0], upper - within[1]


def values(information):
    i, label = information.input, information.label
    return i.bits, i.lower, label.bits, label.lower, label.upper


# Two points at distance Δ with σ = 1, in nats: b3's table (KL, Bhattacharyya, true value).
TWO_POINTS = {
    1: (0.219070, 0.060548, 0.111421),
    2: (0.566219, 0.219070, 0.336831),
    4: (0.692812, 0.566219, 0.632720),
    8: (0.693147, 0.692812, 0.693054),
}


@pytest.mark.parametrize("distance", TWO_POINTS)
def test_two_points_give_the_table_of_the_binary_input_channel(distance):
    upper, lower, true = (value * BITS for value in TWO_POINTS[distance])
    found = measure([[0.0], [distance]], np.array([0, 1]), variance=1.0)
    assert found.input.bits == found.input.upper == pytest.approx(upper, abs=1e-6)
    assert found.input.lower == pytest.approx(lower, abs=1e-6)
    assert found.input.lower < true < found.input.upper
    assert found.label.lower < true < found.label.upper  # here T tells the label as much as the input


@pytest.mark.parametrize("clusters", [2, 5, 7])
def test_tight_far_clusters_give_the_logarithm_of_their_number(clusters):
    rng = np.random.default_rng(0)
    t = 100.0 * np.repeat(np.arange(clusters), 40)[:, None] + 1e-7 * rng.normal(size=(40 * clusters, 3))
    found = measure(t, variance=1.0).input
    assert found.lower == pytest.approx(math.log2(clusters), abs=FLOAT32)
    assert found.upper == pytest.approx(math.log2(clusters), abs=FLOAT32)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30])
def test_identical_rows_give_zero_exactly_and_say_constant(value):
    found = measure(np.full((30, 4), value), np.arange(30) % 2)
    assert values(found) == (0, 0, 0, 0, 0)
    assert found.input.flags == found.label.flags == {"constant"}
    assert "30 rows are equal" in found.input.reason


def test_one_class_gives_no_label_information_and_says_constant():
    found = measure(np.random.default_rng(1).normal(size=(300, 2)), np.zeros(300, int))
    assert found.label.bits == 0
    assert found.label.lower <= 0 <= found.label.upper
    assert found.label.flags == {"constant"} and found.input.flags == frozenset()


def test_a_constant_unit_among_live_ones_changes_nothing():
    t = np.random.default_rng(2).normal(size=(300, 3))
    assert values(measure(t)) == pytest.approx(values(measure(np.c_[t, np.full(300, 7.0)])), abs=1e-9)


def test_vanishing_noise_gives_the_entropy_of_the_distinct_rows():
    t = np.repeat([[0.0, 1.0], [2.0, 0.0], [5.0, 5.0]], [1, 2, 5], axis=0)
    entropy = -sum(p * math.log2(p) for p in (1 / 8, 2 / 8, 5 / 8))
    found = measure(t, variance=1e-6).input
    assert (found.lower, found.upper) == pytest.approx((entropy, entropy), abs=1e-12)


def test_lower_bound_is_the_upper_bound_at_four_times_the_variance():
    t = np.random.default_rng(3).normal(size=(300, 5))
    assert measure(t, variance=0.3).input.lower == pytest.approx(measure(t, variance=1.2).input.upper, abs=FLOAT32)


@pytest.mark.parametrize("dim", [1, 10])
@pytest.mark.parametrize(("variance", "tolerance"), [(0.1, FLOAT32), (1e-3, FLOAT32), (1e-5, 1e-10)])
def test_values_equal_a_slow_float64_implementation(dim, variance, tolerance):
    # 1e-5 takes the float64 path: max‖t‖²/4σ² is above 1e4.
    rng = np.random.default_rng(dim)
    centres = rng.normal(size=(12, dim))
    t = centres[rng.integers(12, size=300)] + math.sqrt(variance) * rng.normal(size=(300, dim))
    y = rng.choice(4, 300, p=[0.6, 0.3, 0.08, 0.02])
    found = measure(t, y, variance=variance, tolerance=1e-12)
    assert values(found) == pytest.approx(slow_values(t, y, variance), abs=tolerance)


def test_a_far_offset_with_little_noise_does_not_cancel():
    rng = np.random.default_rng(4)
    t = rng.integers(0, 5, (300, 3)) + math.sqrt(1e-5) * rng.normal(size=(300, 3))
    y = np.arange(300) % 3
    far = 1e3 + t
    assert values(measure(far, y, variance=1e-5)) == pytest.approx(slow_values(far - 1e3, y, 1e-5), abs=1e-8)
    single = far.astype(np.float32)  # what the float32 input itself tells
    expected = slow_values(single.astype(float) - 1e3, y, 1e-5)
    found = layer_information(single, y, [Kde(variance=1e-5)])[0]
    assert values(found) == pytest.approx(expected, abs=1e-8)


def rotation(rng, dim):
    return np.linalg.qr(rng.normal(size=(dim, dim)))[0]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), log_variance=st.floats(-3, 1), factor=st.floats(1e-3, 1e3))
def test_values_ignore_rotation_translation_order_and_joint_scale(seed, log_variance, factor):
    rng = np.random.default_rng(seed)
    t, y, variance = np.tanh(2 * rng.normal(size=(300, 4))), rng.integers(0, 3, 300), 10.0**log_variance
    expected = pytest.approx(values(measure(t, y, variance=variance)), abs=FLOAT32)
    order = rng.permutation(300)
    assert values(measure(t @ rotation(rng, 4), y, variance=variance)) == expected
    assert values(measure(t + 10 * rng.normal(size=4), y, variance=variance)) == expected
    assert values(measure(t[order], y[order], variance=variance)) == expected
    assert values(measure(factor * t, y, variance=factor**2 * variance)) == expected
    # Relative noise needs no scale to go with the layer's.
    relative = pytest.approx(values(measure(t, y, variance=variance, relative=True)), abs=FLOAT32)
    assert values(measure(factor * t, y, variance=variance, relative=True)) == relative


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), log_variance=st.floats(-4, 2))
def test_bounds_lie_in_order_between_zero_and_the_cap(seed, log_variance):
    rng = np.random.default_rng(seed)
    t, y = rng.normal(size=(300, 3)), rng.integers(0, 3, 300)
    upper, lower, label, label_lower, label_upper = values(measure(t, y, variance=10.0**log_variance))
    slack = 1e-6  # float32 sums
    assert -slack <= lower <= upper + slack <= math.log2(300) + 2 * slack
    assert label_lower - slack <= label <= label_upper + slack


def test_relative_noise_is_a_share_of_the_mean_variance_of_the_units():
    t = np.random.default_rng(5).normal(size=(300, 3)) * [1.0, 5.0, 0.1]
    absolute = measure(t, variance=0.1 * t.var(axis=0).mean()).input.bits
    assert measure(t, variance=0.1, relative=True).input.bits == pytest.approx(absolute, abs=FLOAT32)


def test_data_given_ten_times_over_keep_their_values_and_say_ties():
    rng = np.random.default_rng(6)
    t, y = rng.normal(size=(30, 3)), rng.integers(0, 2, 30)
    once, often = measure(t, y), measure(np.tile(t, (10, 1)), np.tile(y, 10))
    assert values(often) == pytest.approx(values(once), abs=1e-6)
    assert "ties" in often.input.flags and "270 of 300 rows" in often.input.reason
    assert "ties" not in once.input.flags


def test_saturation_is_flagged_and_explained():
    found = measure(np.arange(64.0)[:, None], variance=1e-3).input
    assert found.flags == {"saturated"}
    assert found.reason.startswith("saturated at 6.0 of 6.0 bits: reflects the number of inputs, not the network; ")
    assert "100% of the rows have no neighbor" in found.reason
    assert measure(np.arange(64.0)[:, None], variance=1.0).input.flags == frozenset()


def test_a_class_of_one_sample_is_flagged_for_the_label_only():
    y = np.r_[np.zeros(299, int), 1]
    found = measure(np.random.default_rng(7).normal(size=(300, 2)), y)
    assert found.label.flags == {"small-class", "uninformative"}  # shuffled labels give one sample as much
    assert found.input.flags == frozenset()
    assert found.label.reason.startswith("1 of 2 classes have one sample; ")


def test_pruning_is_reported_with_its_bound():
    rng = np.random.default_rng(8)
    t = rng.choice([-1.0, 1.0], (2048, 3)) + 0.01 * rng.normal(size=(2048, 3))
    assert "of the pairs left out, error below" in measure(t, variance=1e-3).input.reason


def test_several_kdes_take_one_pass_over_each_layer(monkeypatch):
    passes = []

    def counted(rows, labels, scales, **options):
        passes.append(len(scales))
        return pair_sums(rows, labels, scales, **options)

    pair_sums = module.pair_sums
    monkeypatch.setattr(module, "pair_sums", counted)
    t = np.random.default_rng(9).normal(size=(2, 3, 300))
    kdes = [Kde(variance=v) for v in (0.1, 1e-3)] + [Kde(variance=0.1, relative=True), Kde(variance=0.1)]
    together = measure_layers(Layers(t, np.arange(300) % 2), kdes)
    assert passes == [3, 3]  # one pass a layer for the three different noises
    for kde, shared in zip(kdes, together, strict=True):
        alone = kde.measure(Layers(t, np.arange(300) % 2))
        np.testing.assert_allclose(shared.input.bits, alone.input.bits, atol=FLOAT32)
        np.testing.assert_allclose(shared.label.bits, alone.label.bits, atol=FLOAT32)


def test_an_unannounced_kde_takes_its_own_pass():
    layers = Layers(np.random.default_rng(10).normal(size=(1, 2, 50)))
    first = Kde(variance=0.1).measure(layers)
    second = Kde(variance=1.0).measure(layers)
    assert first.label is None and second.input.bits[0] < first.input.bits[0]


def test_a_layer_with_nan_is_nan_and_leaves_its_neighbours_bit_equal():
    clean = np.random.default_rng(11).normal(size=(3, 4, 300))
    y = np.arange(300) % 2
    spoilt = clean.copy()
    spoilt[1, 2, 7], spoilt[1, 0, 0] = np.nan, np.inf
    expected, found = (Kde().measure(Layers(t, y)) for t in (clean, spoilt))
    assert np.isnan([found.input.bits[1], found.input.lower[1], found.label.bits[1]]).all()
    assert found.input.flags[1] == found.label.flags[1] == {"non-finite"}
    assert found.input.reasons[1] == "2 of 1200 activations are not finite"
    for one, other in ((expected.input, found.input), (expected.label, found.label)):
        for name in ("bits", "lower", "upper"):
            assert (getattr(one, name)[[0, 2]] == getattr(other, name)[[0, 2]]).all()


@pytest.mark.parametrize("t", [[[1e308], [-1e308], [0.0]], [[1e200], [0.0], [1.0]]])
def test_a_spread_that_float64_cannot_resolve_is_nan_and_says_so(t):
    found = measure(t).input  # and no warning: they are errors here
    assert math.isnan(found.bits) and found.flags == {"non-finite"}
    assert "float64 does not resolve noise of variance 0.1" in found.reason


def test_huge_noise_leaves_no_information():
    found = measure([[0.0], [1.0], [2.0]], variance=1e308).input
    assert found.bits == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("variance", [0.0, -0.1, math.nan, math.inf, (0.1, -1.0)])
def test_a_variance_that_is_no_positive_number_is_refused(variance):
    with pytest.raises(InputError, match=r"^variance is .*; expected a positive finite number"):
        Kde(variance=variance)


@pytest.mark.parametrize("variance", ["0.1", True, None, [[0.1]]])
def test_a_variance_that_is_no_number_is_refused(variance):
    with pytest.raises(InputError, match=r"variance is .*; expected"):
        Kde.with_params({"variance": variance})
    with pytest.raises(InputError, match=r"^variance is .*; expected a positive finite number"):
        module._require_positive("variance", variance, "the noise")


@pytest.mark.parametrize("tolerance", [0.0, -1e-9, math.nan, math.inf])
def test_a_tolerance_that_is_no_positive_number_is_refused(tolerance):
    with pytest.raises(InputError, match=r"^tolerance is .*; expected a positive finite number: an error in bits"):
        Kde(tolerance=tolerance)


def test_several_variances_are_refused_by_one_measurement():
    with pytest.raises(InputError, match=r"variance holds several values, \(0\.1, 0\.2\); .* a list with one Kde"):
        Kde(variance=(0.1, 0.2)).measure(Layers(np.zeros((1, 1, 3))))
    with pytest.raises(InputError, match="variance is empty"):
        Kde(variance=())


def test_entropy_of_noisy_rows_adds_the_entropy_of_the_noise():
    # One point: N(0, σ²) has (1/2) log2(2πe σ²) bits for each coordinate.
    noise = math.log2(2 * math.pi * math.e * 0.25)
    assert Kde(variance=0.25).entropy(np.zeros((10, 2))).bits == pytest.approx(noise, abs=1e-12)
    with pytest.raises(InputError, match="use relative=False"):
        Kde(relative=True).entropy(np.zeros((10, 2)))


def test_inputs_stay_as_they_were_and_read_only_ones_are_taken():
    t = np.random.default_rng(12).normal(size=(1, 3, 300))
    y = np.arange(300) % 2
    before = t.copy()
    t.flags.writeable = y.flags.writeable = False
    Kde().measure(Layers(t, y))
    assert (t == before).all()


MEMORY = """
import pathlib
import numpy as np
from infoplane.estimators.base import Layers
from infoplane.estimators.kde import Kde

n, dim = {n}, {dim}
t = np.random.default_rng(0).standard_normal((1, dim, n), dtype=np.float32)
found = Kde(variance={variance}).measure(Layers(t, np.arange(n) % 10))
assert 0 < found.input.lower[0] <= found.input.bits[0] <= np.log2(n)
status = pathlib.Path("/proc/self/status").read_text()  # getrusage would count the parent's peak as well
print(int(status.split("VmHWM:")[1].split()[0]) / 2**20)
"""
linux = pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="peak memory is read from /proc")


def peak_gib(n, dim, variance):
    """Peak memory in GiB of a process that measures n rows."""
    script = MEMORY.format(n=n, dim=dim, variance=variance)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.slow
@linux
def test_50000_rows_stay_below_0_9_gib():
    assert peak_gib(50_000, 10, 0.1) < 0.9  # the full matrix would take 20 GB


@linux
@pytest.mark.slow
def test_240000_rows_of_64_units_stay_within_1_gib_above_the_data():
    data = 240_000 * 64 * 4 / 2**30
    assert peak_gib(240_000, 64, 0.1) < data + 1
