"""Information of Gaussian codes: quadrature, limits, bounds."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

import infoplane as ip

MEANS, SDS = np.array([-1.0, 0.3, 1.2, 1.2]), np.array([0.5, 1.0, 0.4, 0.8])


def entropy_of_mixture(means, sds):
    """h of an equal mixture of Gaussians in bits, by quadrature."""

    def integrand(z):
        p = stats.norm.pdf(z, means, sds).mean()
        return -p * math.log2(p) if p > 0 else 0.0

    return integrate.quad(integrand, -12, 12, limit=400, points=[-1, 0.3, 1.2])[0]


def information(means, sds):
    own = np.mean([0.5 * math.log2(2 * math.pi * math.e * sd**2) for sd in sds])
    return entropy_of_mixture(means, sds) - own


def test_values_of_one_coordinate_are_those_of_quadrature():
    exact = information(MEANS, SDS)
    labels = np.array([0, 1, 1, 0])
    parts = [labels == c for c in (0, 1)]
    exact_label = exact - np.mean([information(MEANS[part], SDS[part]) for part in parts])
    found = ip.gaussian_encoder(MEANS, (SDS**2)[:, None], labels, draws=4000)
    for estimate, truth in ((found.input, exact), (found.label, exact_label)):
        assert estimate is not None
        assert estimate.std_error is not None
        assert estimate.std_error < 0.01
        assert abs(estimate.bits - truth) < 4 * estimate.std_error
    assert found.input.lower is not None
    assert found.input.upper is not None
    assert found.input.lower <= exact <= found.input.upper


def test_codes_far_apart_are_log2_n_and_the_labels_entropy():
    found = ip.gaussian_encoder(100 * np.eye(8), 1.0, np.arange(8) % 2)
    assert found.label is not None
    for value in (found.input.bits, found.input.lower, found.input.upper):
        assert value == pytest.approx(3)
    assert found.label.bits == pytest.approx(1)
    assert found.input.flags == {"saturated"}


def test_codes_that_coincide_are_0_bits():
    found = ip.gaussian_encoder(np.zeros((50, 3)), np.full((50, 3), 2.0), np.arange(50) % 5)
    assert found.label is not None
    for value in (found.input.bits, found.input.lower, found.input.upper, found.label.bits):
        assert value == pytest.approx(0, abs=1e-12)


def test_bounds_of_two_equal_widths_are_those_by_hand():
    # distance 2, width 1: Bhattacharyya 4/8, Kullback-Leibler 4/2; −log2 of (1 + e^−D)/2
    found = ip.gaussian_encoder(np.array([[-1.0], [1.0]]), 1.0)
    assert found.input.lower == pytest.approx(-math.log2((1 + math.exp(-0.5)) / 2))
    assert found.input.upper == pytest.approx(-math.log2((1 + math.exp(-2)) / 2))


def test_values_do_not_depend_on_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    mean, variance = rng.standard_normal((30, 2)), rng.uniform(0.5, 2, (30, 2))
    whole = ip.gaussian_encoder(mean, variance, np.arange(30) % 3)
    monkeypatch.setattr("infoplane.estimators.gaussian_encoder.BLOCK", 7 * 60)
    parts = ip.gaussian_encoder(mean, variance, np.arange(30) % 3)
    assert parts.input.bits == pytest.approx(whole.input.bits, abs=1e-12)
    assert parts.input.upper == pytest.approx(whole.input.upper, abs=1e-12)
    assert float(parts.label or 0) == pytest.approx(float(whole.label or 1), abs=1e-12)


@pytest.mark.parametrize(
    ("variance", "said"),
    [(-1.0, "above 0 and finite means, got others"), (np.ones((3, 2)), r"one number or shape \(4, 1\), got \(3, 2\)")],
)
def test_variances_that_are_none_are_refused(variance, said):
    with pytest.raises(ip.InputError, match=said):
        ip.gaussian_encoder(np.zeros((4, 1)), variance)
