"""Nested sampling: one noisy layer, closed forms of a chain, limits of the noise."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.estimators import Noisy
from infoplane.estimators.nested import nested
from infoplane.truth import GaussianClouds, TwoPoints

TANH = np.tanh(np.random.default_rng(0).standard_normal((120, 2)))
Y = np.arange(120) % 3


def test_one_noisy_layer_is_what_noisy_says_of_it():
    found = nested(np.repeat(TANH[None], 20, axis=0), Y, variance=0.1)
    known = Noisy(variance=0.1, draws=64).of_layer(TANH, Y)
    for one, other in ((found.input, known.input), (found.label, known.label)):
        assert abs(one.bits - other.bits) < 4 * np.hypot(one.std_error, other.std_error) < 0.1


def test_without_noise_it_tends_to_log2_n():
    found = [nested(np.repeat(TANH[None], 8, axis=0), variance=beta**2).input.bits for beta in (1.0, 0.1, 0.01, 1e-5)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(np.log2(120), abs=1e-6)


def test_two_points_behind_two_layers_of_noise_are_two_points_in_the_sum_of_both():
    rng = np.random.default_rng(0)
    centres = np.array([[-1.0], [1.0]]) + 0.8 * rng.standard_normal((1500, 2, 1))  # N(0, .64), then N(0, .36)
    found = nested(centres, [0, 1], variance=0.36)
    assert found.input.bits == pytest.approx(TwoPoints(2.0).information, abs=0.03)
    assert found.label.bits == pytest.approx(found.input.bits, abs=1e-6)
    assert abs(found.input.bits - TwoPoints(2.0).information) < 4 * found.input.std_error


def test_a_chain_of_two_linear_layers_has_the_information_of_its_gains_and_noises():
    # T1 = 2x + N(0, .5), T2 = .7 T1 + N(0, .3), x ~ N(0, 1): I(X;T2) = ½ log2(1 + 1.96 / (.49 · .5 + .3)).
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400, 1))
    x = (x - x.mean()) / x.std()
    centres = 0.7 * (2 * x + np.sqrt(0.5) * rng.standard_normal((40, 400, 1)))
    found = nested(centres, variance=0.3, queries=4000).input
    expected = 0.5 * np.log2(1 + (0.7 * 2) ** 2 / (0.7**2 * 0.5 + 0.3))
    assert found.bits == pytest.approx(expected, abs=0.05)  # 400 inputs for infinitely many, and 4 errors of 0.01


@pytest.mark.slow
def test_it_lies_at_the_truth_of_clouds_with_noise_added_between_the_bounds_of_pairs():
    plain = GaussianClouds.spread_out(24, 3, 0.3)
    covariances = plain.roots @ plain.roots.transpose(0, 2, 1) + 0.2 * np.eye(3)
    known = GaussianClouds(plain.means, np.linalg.cholesky(covariances), plain.labels)
    found = nested(plain.samples(100), plain.labels, variance=0.2)
    assert found.input.bits == pytest.approx(known.information, abs=0.05)
    assert found.label.bits == pytest.approx(known.label_information, abs=0.05)


def test_some_of_the_centres_meet_all_within_the_error():
    centres = GaussianClouds.spread_out(24, 2, 0.3).samples(40)
    every, some = (nested(centres, variance=0.2, queries=queries).input for queries in (None, 200))
    assert abs(every.bits - some.bits) < 4 * some.std_error
    assert some.std_error > every.std_error


def test_centres_that_are_not_finite_give_nan_and_a_flag():
    centres = np.zeros((3, 4, 1))
    centres[0, 0] = np.inf
    found = nested(centres, [0, 1, 0, 1], variance=0.1)
    assert np.isnan(found.input.bits) and np.isnan(found.label.bits)
    assert found.input.flags == {"non-finite"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"variance": 0.0}, "variance is 0.0"),
        ({"variance": "0.1"}, "variance is '0.1'"),
        ({"draws": 0}, "draws is 0"),
        ({"centres": np.zeros((1, 3, 1))}, "one sample of the weights"),
        ({"centres": np.zeros((2, 3, 101))}, "centres have 101 units; expected at most 100"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        nested(**({"centres": np.zeros((2, 3, 1)), "variance": 0.1} | arguments))
