"""As-if-random layers: the controls, the truth of known clouds, bias and errors, and what is refused."""

import numpy as np
import pytest

import infoplane as ip
from infoplane.errors import InputError
from infoplane.estimators import Binning, Gaussian, Kde, Ross
from infoplane.estimators.as_if_random import against_samples
from infoplane.truth import GaussianClouds

MEASURES = {"binning": {"edges": "layer"}, "kde": {}, "ross": {}, "gaussian": {}}
EACH = pytest.mark.parametrize(("name", "params"), MEASURES.items(), ids=list(MEASURES))


def distinct_rows(n=64, dim=3):
    """Rows far apart under every measure, and classes."""
    t = np.random.default_rng(0).permutation(n * dim).reshape(n, dim) * 7.0
    return t, np.arange(n) % 3


# ---- controls


@EACH
def test_equal_samples_of_distinct_rows_give_log2_n(name, params):
    t, y = distinct_rows()
    params = params | ({"bins": 1000} if name == "binning" else {})  # as many as keep the rows apart
    found = ip.as_if_random(np.repeat(t[None], 12, axis=0), y, name, **params)
    exact = ip.layer_information(t, y, "exact")
    assert found.input.bits == pytest.approx(6.0, abs=1e-12)
    assert found.input.bits == pytest.approx(exact.input.bits, abs=1e-12)
    assert found.label.bits == pytest.approx(exact.label.bits, abs=1e-12)
    assert found.input.std_error == pytest.approx(0.0, abs=1e-12)


@EACH
def test_equal_samples_with_copies_among_the_rows_give_what_is_distinct(name, params):
    t, y = distinct_rows()
    t[1], t[5], t[6] = t[0], t[9], t[9]
    params = params | ({"bins": 1000} if name == "binning" else {})
    found = ip.as_if_random(np.repeat(t[None], 7, axis=0), y, name, **params)
    exact = ip.layer_information(t, y, "exact")
    assert found.input.bits == pytest.approx(exact.input.bits, abs=1e-12)
    assert found.label.bits == pytest.approx(exact.label.bits, abs=1e-12)


@pytest.mark.parametrize("name", ["ross", "gaussian"])
def test_equal_samples_of_tiny_probabilities_are_as_distinct_as_their_rows(name):
    small = (10.0 ** np.random.default_rng(0).uniform(-30, 0, 200)).astype(np.float32)
    t = np.repeat(np.stack([small, 1 - small], axis=1)[None], 10, axis=0)
    assert ip.as_if_random(t, estimator=name).input.bits == pytest.approx(np.log2(200), abs=1e-12)


def test_values_on_a_grid_tell_no_more_of_a_label_than_there_is():
    """Two far groups of clouds near 1, where float32 has steps of 6e-8: one bit, with equal distances everywhere."""
    centres = np.repeat([1 - 3e-6, 1 - 1e-5], 50)[None, :, None]
    t = (centres + 4e-7 * np.random.default_rng(0).standard_normal((40, 100, 2))).astype(np.float32)
    information = ip.as_if_random(t, np.repeat([0, 1], 50))
    assert information.label is not None
    assert information.label.bits == pytest.approx(1, abs=2e-3)
    assert information.input.bits == pytest.approx(1, abs=0.05)
    assert "ties" in information.label.flags


@pytest.mark.parametrize("estimator", [Kde(0.5), Binning(bins=5)])
def test_equal_samples_give_the_deterministic_value_under_noise_and_in_cells(estimator):
    t = np.tanh(np.random.default_rng(1).standard_normal((50, 2)))
    y = np.arange(50) % 2
    found = ip.as_if_random(np.repeat(t[None], 9, axis=0), y, estimator)
    known = ip.layer_information(t, y, estimator)
    assert found.input.bits == pytest.approx(known.input.bits, abs=1e-12)
    assert found.label.bits == pytest.approx(known.label.bits, abs=1e-12)


def test_nearly_equal_samples_are_near_the_deterministic_value_under_noise():
    t = np.tanh(np.random.default_rng(1).standard_normal((50, 2)))
    shaken = t + 1e-7 * np.random.default_rng(2).standard_normal((9, 50, 2))
    found, known = (one.input for one in (ip.as_if_random(shaken, None, "kde"), ip.layer_information(t, None, "kde")))
    assert found.bits == pytest.approx(known.bits, abs=1e-5)  # float32 kernels
    assert (found.lower, found.upper) == pytest.approx((known.lower, known.upper), abs=1e-5)


@EACH
def test_clouds_far_apart_give_log2_n(name, params):
    t, y = distinct_rows()
    params = params | ({"bins": 1000} if name == "binning" else {})
    found = ip.as_if_random(t + 0.1 * np.random.default_rng(1).random((20, *t.shape)), y, name, **params)
    assert found.input.bits == pytest.approx(6.0, abs=1e-9)
    assert "saturated" in found.input.flags


@EACH
@pytest.mark.parametrize("n_weights", [50, 100])
def test_one_common_cloud_gives_nothing_within_its_interval(name, params, n_weights):
    t = np.random.default_rng(n_weights + 1).standard_normal((n_weights, 64, 2))
    found = ip.as_if_random(t, np.arange(64) % 2, name, **params)
    for quantity in (found.input, found.label):
        assert quantity.interval[0] <= 0 <= quantity.interval[1]


# ---- the truth of known clouds


@pytest.mark.parametrize("overlap", [0.1, *(pytest.param(overlap, marks=pytest.mark.slow) for overlap in (0.3, 1.0))])
def test_neighbours_meet_the_truth_of_gaussian_clouds(overlap):
    clouds = GaussianClouds.spread_out(32, 2, overlap)
    found = ip.as_if_random(clouds.samples(200), clouds.labels, "ross")
    assert found.input.bits == pytest.approx(clouds.information, abs=0.08)
    assert found.label.bits == pytest.approx(clouds.label_information, abs=0.08)


@pytest.mark.parametrize("overlap", [0.1, 0.3, 1.0])
def test_gaussian_bounds_hold_the_truth_of_gaussian_clouds(overlap):
    clouds = GaussianClouds.spread_out(32, 3, overlap)
    found = ip.as_if_random(clouds.samples(200), clouds.labels, "gaussian").input
    assert found.lower - 0.02 <= clouds.information <= found.upper + 0.02  # chance in the fits
    assert found.bits == found.upper
    assert found.kind == "upper"


def test_kernel_bounds_hold_the_truth_with_their_noise_added():
    plain = GaussianClouds.spread_out(32, 2, 0.3)
    covariances = plain.roots @ plain.roots.transpose(0, 2, 1) + 0.2 * np.eye(2)
    noisy = GaussianClouds(plain.means, np.linalg.cholesky(covariances), plain.labels)
    found = ip.as_if_random(plain.samples(200), plain.labels, "kde", variance=0.2)
    assert found.input.lower < noisy.information < found.input.upper
    assert found.label.lower < noisy.label_information < found.label.upper
    assert found.label.bits == pytest.approx(noisy.label_information, abs=0.15)  # a difference of bounds


def test_counts_meet_the_entropies_of_the_cells():
    # Input i falls into cells i and i + 1 with probability 1/2 each, of N = 8 on a ring: H(T) = 3, H(T|X) = 1 bit.
    first = np.arange(8)
    t = (first + np.random.default_rng(0).integers(0, 2, (400, 8))) % 8 + 0.5
    found = ip.as_if_random(t[..., None], None, "binning", bins=8, low=0, high=8).input
    assert found.bits == pytest.approx(2.0, abs=0.01)  # 1 / (2 ln 2 · 400) for the worst cell is 0.002


def test_a_rare_atom_beside_a_density_is_counted_by_neighbours():
    # Two inputs: 0 exactly with probability .5, else uniform on its own side of 0: I = .5 · 1 bit.
    rng = np.random.default_rng(0)
    side = np.where(np.arange(2) == 0, -1.0, 1.0)
    t = np.where(rng.random((1000, 2)) < 0.5, 0.0, side * (0.5 + rng.random((1000, 2))))
    assert ip.as_if_random(t[..., None]).input.bits == pytest.approx(0.5, abs=0.02)


def test_the_label_by_neighbours_is_that_of_all_rows_together():
    clouds = GaussianClouds.spread_out(24, 3, 0.5)
    t = clouds.samples(30)
    found = ip.as_if_random(t, clouds.labels, "ross", k=4).label
    pooled = ip.mutual_information(t.reshape(-1, 3), np.tile(clouds.labels, 30), Ross(k=4, scale=None))
    assert found.bits == pytest.approx(pooled.bits, abs=1e-12)


def test_the_input_by_neighbours_is_ross_up_to_the_end_correction():
    clouds = GaussianClouds.spread_out(24, 3, 3.0)
    t = clouds.samples(30)
    found = ip.as_if_random(t).input.bits
    pooled = ip.mutual_information(t.reshape(-1, 3), np.tile(np.arange(24), 30), Ross()).bits
    assert 0 <= pooled - found <= 1 / (2 * 30 * np.log(2))


@EACH
def test_labels_in_another_coding_change_nothing(name, params):
    clouds = GaussianClouds.spread_out(24, 2, 0.3)
    t = clouds.samples(20)
    codes, words = (
        ip.as_if_random(t, y, name, **params).label.bits
        for y in (clouds.labels, np.where(clouds.labels == 1, "a", "b"))
    )
    assert codes == pytest.approx(words, abs=1e-9)


@EACH
def test_bits_do_not_depend_on_the_order_of_the_inputs(name, params):
    clouds = GaussianClouds.spread_out(24, 2, 0.3)
    t, order = clouds.samples(20), np.random.default_rng(0).permutation(24)
    first, second = (
        ip.as_if_random(*pair, name, **params) for pair in ((t, clouds.labels), (t[:, order], clouds.labels[order]))
    )
    assert first.input.bits == pytest.approx(second.input.bits, abs=1e-6)
    assert first.label.bits == pytest.approx(second.label.bits, abs=1e-6)


# ---- errors, subsets, the number of samples


@EACH
def test_standard_errors_are_the_scatter_over_samples_of_the_weights(name, params):
    clouds = GaussianClouds.spread_out(24, 2, 0.5)
    found = [ip.as_if_random(clouds.samples(60, seed), None, name, **params).input for seed in range(12)]
    scatter = np.std([one.bits for one in found], ddof=1)
    mean_error = np.mean([one.std_error for one in found])
    assert 0.5 < mean_error / scatter < 2.2  # a standard deviation of 12 is known to a fifth


def test_inputs_that_move_together_have_a_larger_error():
    clouds = GaussianClouds.spread_out(24, 1, 0.5)
    apart = clouds.samples(60)
    together = clouds.means + np.random.default_rng(0).standard_normal((60, 1, 1))
    errors = [ip.as_if_random(t, None, "ross").input.std_error for t in (together, apart)]
    assert errors[0] > errors[1]


@pytest.mark.parametrize("name", ["kde", "ross", "gaussian"])
def test_a_random_part_of_the_rows_meets_all_of_them_within_its_error(name):
    clouds = GaussianClouds.spread_out(64, 2, 0.3)
    t = clouds.samples(30)
    every, some = (ip.as_if_random(t, clouds.labels, name, queries=queries) for queries in (None, 300))
    for all_rows, part in ((every.input, some.input), (every.label, some.label)):
        assert part.std_error > 0
        assert abs(part.bits - all_rows.bits) < 4 * part.std_error
    assert "means over 300 of 1920 rows" in some.input.reason


def test_the_rows_drawn_follow_from_the_seed():
    t = GaussianClouds.spread_out(32, 2, 0.3).samples(20)
    first, again, other = (ip.as_if_random(t, queries=100, seed=seed).input.bits for seed in (1, 1, 2))
    assert first == again != other


def test_against_samples_reads_the_limit_of_a_biased_count():
    t = np.random.default_rng(0).standard_normal((96, 64, 1))  # one common cloud: nothing
    found = against_samples(t, np.arange(64) % 2, "binning", correction="none", low=-4, high=4)
    assert found.samples.tolist() == [96, 48, 32, 24]
    assert np.all(np.diff(found.input) > 0)
    assert abs(found.limit.input.bits) < 0.2 * found.input[0]
    assert found.limit.input.std_error > 0
    assert np.isfinite(found.limit.label.bits)
    assert "by a line in 1/M" in found.limit.input.reason


def test_against_samples_stays_where_there_is_no_bias():
    t, y = distinct_rows()
    found = against_samples(np.repeat(t[None], 12, axis=0), y, "ross")
    np.testing.assert_allclose(found.input, 6.0, atol=1e-12)
    assert found.limit.input.bits == pytest.approx(6.0, abs=1e-11)
    assert found.limit.input.std_error == pytest.approx(0.0, abs=1e-11)


def test_few_samples_for_the_units_are_shrunk_and_said():
    clouds = GaussianClouds.spread_out(16, 6, 0.3)
    found = ip.as_if_random(clouds.samples(5), None, "gaussian").input
    assert "high-dimension" in found.flags
    assert "6 units that vary, 5 samples of the weights: covariances shrunk" in found.reason
    assert np.isfinite(found.bits)


def test_units_that_are_flat_in_some_clouds_tell_them_apart():
    rng = np.random.default_rng(0)
    t = rng.standard_normal((40, 2, 2))
    t[:, 1, 1] = 0.0  # dead for the second input: clouds of different dimension share nothing
    assert ip.as_if_random(t, None, "gaussian").input.bits == pytest.approx(1.0, abs=1e-4)
    assert ip.as_if_random(t, None, "gaussian").input.lower == pytest.approx(1.0, abs=0.01)


def test_a_constant_unit_changes_nothing():
    t = GaussianClouds.spread_out(16, 2, 0.3).samples(20)
    wider = np.concatenate([t, np.full((20, 16, 1), 0.25)], axis=2)
    for name, params in MEASURES.items():
        first, second = (ip.as_if_random(one, None, name, **params).input.bits for one in (t, wider))
        assert first == pytest.approx(second, abs=1e-6)


# ---- ends and what is refused


def test_one_point_for_all_is_constant_and_nothing():
    found = ip.as_if_random(np.zeros((3, 4, 2)), [0, 1, 0, 1])
    assert (found.input.bits, found.label.bits) == (0.0, 0.0)
    assert found.input.flags == {"constant"}


def test_one_class_tells_nothing():
    found = ip.as_if_random(GaussianClouds.spread_out(8, 1, 1.0).samples(5), np.zeros(8, int)).label
    assert (found.bits, found.flags) == (0.0, {"constant"})


@EACH
def test_activations_that_are_not_finite_give_nan_and_a_flag(name, params):
    t = np.zeros((3, 4, 2))
    t[1, 2, 0] = np.nan
    found = ip.as_if_random(t, [0, 1, 0, 1], name, **params)
    assert np.isnan(found.input.bits) and np.isnan(found.label.bits)
    assert found.input.flags == {"non-finite"}
    assert found.input.reason == "1 of 24 activations are not finite"
    assert found.input.interval is None


def test_noise_that_float64_cannot_resolve_gives_nan():
    t = 1e12 * GaussianClouds.spread_out(8, 1, 1.0).samples(5)
    assert ip.as_if_random(t, None, "kde", variance=1e-12).input.flags == {"non-finite"}


def test_samples_that_stand_alone_in_their_cells_are_flagged():
    t = np.random.default_rng(0).standard_normal((20, 32, 6))
    found = ip.as_if_random(t, None, "binning", edges="layer").input
    assert "saturated" in found.flags
    assert "the 20 samples of an input stand alone" in found.reason


def test_two_samples_are_enough_and_three_for_every_error():
    t = GaussianClouds.spread_out(16, 2, 0.3).samples(3)
    for name, params in MEASURES.items():
        assert np.isfinite(ip.as_if_random(t[:2], None, name, **params).input.bits)
        assert ip.as_if_random(t, None, name, **params).input.std_error > 0


def test_the_input_is_left_as_it_was():
    t = GaussianClouds.spread_out(16, 2, 0.3).samples(5).astype(np.float32)
    before = t.copy()
    for name, params in MEASURES.items():
        ip.as_if_random(t, np.arange(16) % 2, name, **params)
    np.testing.assert_array_equal(t, before)


T = np.random.default_rng(0).standard_normal((4, 6, 2))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"t": T[:1]}, r"one sample of the weights \(M = 1\).*use infoplane.layer_information\(t\[0\], y\)"),
        ({"t": T[:, :1]}, r"one input \(N = 1\)"),
        ({"t": T[0]}, r"t has shape \(6, 2\); expected \(M samples of weights, N inputs, d units\)"),
        ({"t": T[:0]}, r"t has shape \(0, 6, 2\)"),
        ({"t": T.astype(str)}, "expected numbers"),
        ({"y": np.zeros(5, int)}, r"y has shape \(5,\); expected \(6,\), one label for each input of t"),
        ({"y": np.zeros((4, 6), int)}, "give those of one"),
        ({"y": np.full(6, 0.5)}, "expected classes as integers"),
        ({"queries": 1}, "queries is 1; expected None for all rows"),
        ({"queries": 2.5}, "queries is 2.5"),
        ({"seed": -1}, "seed is -1"),
        ({"input_ids": np.arange(6)}, r"input_ids has shape \(6,\); expected \(4, 6\)"),
        (
            {"estimator": "ksg1"},
            "estimator is 'ksg1'; as-if-random clouds are measured by binning, kde, ross, gaussian",
        ),
        ({"estimator": "nothing"}, "unknown estimator 'nothing'"),
        ({"estimator": "kde", "variance": (0.1, 0.2)}, "expected one number"),
        ({"estimator": "binning", "correction": "nsb"}, "binning correction is 'nsb'"),
        ({"estimator": "ross", "n": 3}, "has no parameter 'n'"),
        ({"estimator": Gaussian(shrinkage="none"), "t": T[:3]}, "covariances need more samples than units"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        ip.as_if_random(**({"t": T} | arguments))


def test_inputs_in_another_order_are_refused_with_the_place():
    ids = np.tile(np.arange(6), (4, 1))
    assert ip.as_if_random(T, input_ids=ids).input.n == 24
    ids[2, [1, 3]] = ids[2, [3, 1]]
    with pytest.raises(InputError, match="place 1 holds 1 in sample 0 and 3 in sample 2"):
        ip.as_if_random(T, input_ids=ids)


def test_too_few_samples_for_a_limit_are_refused():
    with pytest.raises(InputError, match="t holds 4 samples of the weights; expected at least 8"):
        against_samples(T)
