"""Saxe et al.'s minimal model x ~ N(0, 1), h = f(w x), and the linear Gaussian channel: known to 1e-4 bits.

The exact value under bins is the entropy of the cells' probabilities, Φ at their edges. The estimator sees the
midpoints of a million equally likely slices of x: each cell's probability is then right to 1e-6, its entropy to
30 · 1e-6 · log2(1e6) < 1e-3 / 1.5 at worst and far better in fact, since the errors of neighbours cancel.
"""

import numpy as np
import pytest
from scipy import stats

from infoplane import layer_information
from infoplane.estimators import Binning, Kde, Noisy

SLICES = 10**6


@pytest.fixture(scope="module")
def x():
    return stats.norm.ppf((np.arange(SLICES) + 0.5) / SLICES)


def softsign(z):
    return z / (1 + np.abs(z))


@pytest.mark.parametrize(
    ("weight", "bits"),
    [(0.1, 2.6445), (0.5, 4.6312), (0.869, 4.8998), (1, 4.8771), (2, 4.1573), (5, 2.7751), (10, 2.0442), (100, 1.1506)],
)
def test_tanh_rises_and_falls_with_the_weight(x, weight, bits):
    measured = layer_information(np.tanh(weight * x), None, Binning(bins=30)).input.bits
    assert measured == pytest.approx(bits, abs=1e-4)


def test_tanh_under_idnns_bins_peaks_lower(x):
    peak = max(
        layer_information(np.tanh(w * x), None, Binning(bins=30, edges="idnns")).input.bits
        for w in np.linspace(0.8, 0.95, 7)
    )
    assert peak == pytest.approx(4.851, abs=5e-4)


@pytest.mark.parametrize(("weight", "bits"), [(1.781, 4.5175), (10, 3.8574)])
def test_softsign_falls_more_slowly(x, weight, bits):
    assert layer_information(softsign(weight * x), None, Binning(bins=30)).input.bits == pytest.approx(bits, abs=1e-4)


@pytest.mark.parametrize(("weight", "bits"), [(0.5, 2.6815), (1, 3.2844), (5, 4.5585), (10, 5.0778), (100, 6.7603)])
def test_relu_only_rises(x, weight, bits):
    bins = Binning(edges="width", width=0.07)
    tolerance = 2e-4 if weight < 100 else 1e-3  # thousands of cells: those of the tail hold less than one slice
    assert layer_information(np.maximum(0, weight * x), None, bins).input.bits == pytest.approx(bits, abs=tolerance)


@pytest.mark.parametrize(("weight", "bits"), [(1, 5.8839), (10, 9.2055)])
def test_linear_gains_a_bit_with_each_doubling(x, weight, bits):
    bins = Binning(edges="width", width=0.07)
    assert layer_information(weight * x, None, bins).input.bits == pytest.approx(bits, abs=1e-3)


WEIGHTS = np.array([0.6, -1.0, 0.3, 0.8, -0.2])
POWER = float(WEIGHTS @ WEIGHTS)


@pytest.fixture(scope="module")
def gaussian_layer():
    """T = w x for x ~ N(0, 1) by 4096 equally likely slices, each at its mean, scaled to variance 1."""
    edges = stats.norm.ppf(np.arange(4097) / 4096)
    means = 4096 * -np.diff(stats.norm.pdf(edges))
    return np.outer(means / means.std(), WEIGHTS)


def channel(variance):
    """½ log2 det(I + w wᵀ/σ²) = ½ log2(1 + |w|²/σ²)."""
    return 0.5 * np.log2(1 + POWER / variance)


def kl_bound(variance):
    """The Kolchinsky–Tracey upper bound of the same layer in closed form.

    Along w the layer is a normal of variance s² = |w|², and E_j exp(−(a − x_j)²/2σ²) is
    √(σ²/(σ² + s²)) exp(−a²/2(σ² + s²)); minus the mean of its logarithm is ½ ln((σ² + s²)/σ²) + s²/2(σ² + s²) nats.
    """
    return channel(variance) + POWER / (2 * (variance + POWER)) * np.log2(np.e)


@pytest.mark.parametrize("variance", [0.05, 0.5, 4.0])
def test_kde_bounds_of_a_linear_gaussian_layer_have_their_closed_form(gaussian_layer, variance):
    # 4096 points end near 3.5 sd; what is missing beyond weighs more the narrower the noise
    tolerance = 1e-4 if variance > 0.1 else 5e-4
    estimate = layer_information(gaussian_layer, None, Kde(variance=variance)).input
    assert estimate.upper == pytest.approx(kl_bound(variance), abs=tolerance)
    assert estimate.lower == pytest.approx(kl_bound(4 * variance), abs=tolerance)
    assert estimate.lower < channel(variance) < estimate.upper


@pytest.mark.parametrize("variance", [0.5, 4.0])
def test_noisy_sampling_gives_the_linear_gaussian_channel(gaussian_layer, variance):
    estimate = layer_information(gaussian_layer, None, Noisy(variance=variance, draws=20)).input
    assert estimate.std_error < 2e-3
    assert estimate.bits == pytest.approx(channel(variance), abs=1e-4 + 4 * estimate.std_error)


@pytest.mark.slow
def test_noisy_sampling_gives_the_linear_gaussian_channel_to_1e_4(gaussian_layer):
    estimate = layer_information(gaussian_layer, None, Noisy(variance=4.0, draws=6000)).input
    assert estimate.std_error < 5e-5
    assert estimate.bits == pytest.approx(channel(4.0), abs=1e-4 + 2 * estimate.std_error)
