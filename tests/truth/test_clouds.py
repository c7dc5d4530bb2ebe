"""Clouds of Gaussian points: information against quadrature, limits and the entropies of the labels."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.truth import GaussianClouds, LabelledMixture, TwoPoints


def line(means, sds, labels=None):
    """Clouds on a line."""
    return GaussianClouds(np.array(means, float)[:, None], np.array(sds, float)[:, None, None], labels)


def test_two_clouds_on_a_line_are_binary_phase_shift_keying():
    clouds = GaussianClouds(np.array([[0.0], [2.0]]), np.ones((2, 1, 1)), precision=0.001)
    assert clouds.information == pytest.approx(TwoPoints(2.0).information, abs=0.004)
    assert clouds.std_error <= 0.001


def test_clouds_of_different_widths_agree_with_quadrature_within_five_thousandths():
    clouds, known = line([0, 1, 3, 4], [0.3, 1, 0.5, 2]), LabelledMixture((0, 1, 3, 4), (0.3, 1, 0.5, 2))
    assert clouds.information == pytest.approx(known.information, abs=0.007)  # three and a half standard errors


def test_the_label_of_pairs_of_clouds_is_what_two_mixtures_tell():
    codes = np.array([0, 0, 1, 1])
    clouds = line([0, 0, 2, 2], [1, 1, 1, 1], codes)
    assert clouds.label_information == pytest.approx(TwoPoints(2.0).information, abs=0.007)
    assert clouds.information == pytest.approx(TwoPoints(2.0).information, abs=0.007)  # pairs coincide


def test_clouds_far_apart_have_log2_n_and_a_common_one_has_nothing():
    assert GaussianClouds.spread_out(16, 3, 1e-4).information == pytest.approx(4.0, abs=1e-6)
    common = GaussianClouds.spread_out(16, 3, np.inf)
    assert common.information == pytest.approx(0.0, abs=1e-12)
    assert common.label_information == pytest.approx(0.0, abs=1e-12)


def test_information_falls_as_clouds_widen():
    found = [GaussianClouds.spread_out(16, 2, width).information for width in (0.1, 0.3, 1.0, 3.0)]
    assert found == sorted(found, reverse=True)


def test_without_labels_their_information_is_not_known():
    assert np.isnan(line([0, 1], [1, 1]).label_information)


def test_samples_of_a_cloud_have_its_mean_and_covariance():
    clouds = GaussianClouds.spread_out(3, 2, 0.5)
    t = clouds.samples(20_000, seed=1)
    assert t.shape == (20_000, 3, 2)
    np.testing.assert_allclose(t.mean(axis=0), clouds.means, atol=0.02)  # 0.75 / √20000 is 0.005
    expected = clouds.roots @ clouds.roots.transpose(0, 2, 1)
    np.testing.assert_allclose([np.cov(t[:, i].T) for i in range(3)], expected, atol=0.02)


def test_pairs_name_inputs_and_lie_in_their_clouds():
    x, t = GaussianClouds.spread_out(5, 2, 1e-6).sample(200, seed=3)
    np.testing.assert_allclose(t, GaussianClouds.spread_out(5, 2, 1e-6).means[x[:, 0]], atol=1e-5)


def test_roots_that_cannot_be_inverted_are_refused():
    with pytest.raises(InputError, match="roots that can be inverted"):
        GaussianClouds(np.zeros((2, 1)), np.zeros((2, 1, 1)))
