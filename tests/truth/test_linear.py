"""The algebra of noisy linear layers against hand-worked cases, the joint normal, identities and samples."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.estimators.noisy import Noisy
from infoplane.truth import Normal
from infoplane.truth.linear import input_information, label_information, part_information

W = np.random.default_rng(0).standard_normal((3, 5))
ROOT = np.random.default_rng(1).standard_normal((5, 5))
SIGMA = ROOT @ ROOT.T / 5
V = np.random.default_rng(2).standard_normal(5)


@pytest.mark.parametrize(("weight", "variance", "bits"), [(1, 1e-3, 4.984), (10, 1e-3, 8.305), (1, 1, 0.5)])
def test_one_unit_is_the_gaussian_channel(weight, variance, bits):
    assert input_information(np.array([[float(weight)]]), np.eye(1), variance) == pytest.approx(bits, abs=5e-4)


def joint(variance):
    """Covariance of (x, T)."""
    return np.block([[SIGMA, SIGMA @ W.T], [W @ SIGMA, W @ SIGMA @ W.T + variance * np.eye(3)]])


@pytest.mark.parametrize("variance", [0.01, 1.0, 30.0])
def test_input_information_is_that_of_the_joint_normal(variance):
    expected = Normal((joint(variance) + joint(variance).T) / 2, 5).information
    assert input_information(W, SIGMA, variance) == pytest.approx(expected, rel=1e-9)


def test_label_information_is_that_of_the_joint_normal():
    of_layer = W @ SIGMA @ W.T + 0.3 * np.eye(3)
    cross = W @ SIGMA @ V
    covariance = np.block([[of_layer, cross[:, None]], [cross[None], np.array([[V @ SIGMA @ V + 0.2]])]])
    assert label_information(W, SIGMA, 0.3, V, 0.2) == pytest.approx(
        Normal((covariance + covariance.T) / 2, 3).information
    )


def test_a_layer_that_is_the_teacher_knows_of_the_label_what_two_noises_leave():
    """T = v·x + ε, Y = v·x + η, both noises 1 and v·x of variance 4: ρ = 4/5, I = −½ log2(1 − 16/25)."""
    found = label_information(np.array([[2.0]]), np.eye(1), 1.0, np.array([2.0]), 1.0)
    assert found == pytest.approx(-0.5 * np.log2(9 / 25))


def test_no_layer_knows_more_of_the_label_than_the_input_does():
    bound = 0.5 * np.log2(1 + V @ SIGMA @ V / 0.2)
    assert label_information(W, SIGMA, 0.3, V, 0.2) < bound
    assert label_information(np.eye(5), SIGMA, 1e-9, V, 0.2) == pytest.approx(bound, abs=1e-6)


def test_rotating_the_units_changes_nothing():
    rotation = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    assert input_information(rotation @ W, SIGMA, 0.5) == pytest.approx(input_information(W, SIGMA, 0.5))


def test_parts_obey_the_chain_rule():
    """I(X;T) = I(X1;T) + I(X2;T|X1), and given X1 only X2 moves T."""
    part = np.array([True, True, False, False, False])
    given = input_information(W[:, ~part], np.eye(3), 0.5)
    assert part_information(W, np.eye(5), 0.5, part) + given == pytest.approx(input_information(W, np.eye(5), 0.5))


def test_the_rest_is_noise_to_a_part():
    """T = x1 + x2 + ε with unit variances: I(x1;T) = ½ log2(3/2)."""
    found = part_information(np.array([[1.0, 1.0]]), np.eye(2), 1.0, np.array([True, False]))
    assert found == pytest.approx(0.5 * np.log2(1.5))


def test_sampled_rows_tell_the_same_within_their_error():
    """4000 rows drawn at random stand for all; the sd of their mean log density is √(d/2)/√N nats, 0.03 bits."""
    x = np.random.default_rng(4).standard_normal((4000, 2))
    weights = np.array([[1.0, 0.5], [-0.3, 0.8]])
    measured = Noisy(variance=1.0, draws=2).of_layer(x @ weights.T, None).input.bits
    assert measured == pytest.approx(input_information(weights, np.eye(2), 1.0), abs=0.09)


def test_correlated_parts_are_refused():
    with pytest.raises(InputError, match=r"largest covariance between the part and the rest is .*; expected 0"):
        part_information(W, SIGMA, 1.0, np.array([True, False, False, False, False]))


@pytest.mark.parametrize("variance", [0.0, -1.0, np.nan])
def test_layers_without_noise_are_refused(variance):
    with pytest.raises(InputError, match="variance is"):
        input_information(W, SIGMA, variance)
    with pytest.raises(InputError, match="variance is"):
        label_information(W, SIGMA, variance, V, 1.0)
    with pytest.raises(InputError, match="label_noise is"):
        label_information(W, SIGMA, 1.0, V, variance)
