"""Clouds with known answers: equal samples, far clouds, one common cloud; and what bias does with few samples."""

import numpy as np
import pytest

import infoplane as ip
from infoplane.experiments.clouds.measure import (
    APART,
    CONTROLS,
    against,
    common_cloud,
    controls,
    deterministic,
    far_clouds,
    measure,
)

SPECS = (
    "ross",
    {"name": "binning", "bins": 30, "edges": "layer", "correction": "grassberger"},
    {"name": "binning", "bins": 30, "edges": "layer", "correction": "none"},
    {"name": "kde", "variance": 0.5},
    "gaussian",
)
COARSE = {"name": "binning", "bins": 2, "edges": "layer", "correction": "grassberger"}


@pytest.fixture(scope="module")
def layer():
    """Overlapping clouds of 40 inputs in two units, and labels."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((40, 2))
    return (centres + 0.3 * rng.standard_normal((16, 40, 2))).astype(np.float32), (centres[:, 0] > 0).astype(int)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_controls_are_what_they_are_known_to_be(layer, spec):
    found = controls(*layer, spec, None)
    identical, far, _ = found["control_bits"] - found["control_expected"]
    assert abs(identical) < 1e-12
    assert abs(far) < 1e-6
    assert found["control_expected"][1:].tolist() == [np.log2(40), 0.0]
    assert len(CONTROLS) == 3


@pytest.mark.parametrize("spec", ["ross", COARSE, {"name": "kde", "variance": 0.5}, "gaussian"], ids=str)
def test_a_common_cloud_says_nothing_of_the_input(layer, spec):
    """Within five standard errors and the bias of 16 samples of 40 inputs."""
    found = controls(*layer, spec, None)
    assert abs(found["control_bits"][2]) < 5 * found["control_std_error"][2] + 0.3


def test_a_common_cloud_shows_the_bias_of_fine_bins(layer):
    """900 cells for 16 samples of an input: nearly every sample alone in its cell."""
    corrected, counted = (controls(*layer, spec, None)["control_bits"][2] for spec in SPECS[1:3])
    assert counted > 3
    assert corrected < counted - 1


@pytest.mark.parametrize("shape", [(4, 819, 2), (4, 819, 12), (4, 30, 1), (4, 5, 3)])
def test_far_clouds_are_far(shape):
    t = far_clouds(*shape)
    centres = np.round(t.mean(axis=0) / APART)
    assert t.shape == shape
    assert len(np.unique(centres, axis=0)) == shape[1]
    assert np.abs(t - APART * centres).max() < 10


def test_one_common_cloud_has_the_same_rows_at_other_inputs(layer):
    t, _ = layer
    common = common_cloud(t)
    assert not np.array_equal(common, t)
    assert all(
        np.array_equal(np.unique(one, axis=0), np.unique(other, axis=0)) for one, other in zip(common, t, strict=True)
    )


def test_what_is_measured_is_what_as_if_random_says(layer):
    t, y = layer
    numbers = measure(t, y, SPECS, 50)
    for row, spec in enumerate(SPECS):
        found = ip.as_if_random(t, y, spec, queries=50)
        assert numbers.bits[row].tolist() == [found.input.bits, found.label.bits]
        assert numbers.std_error[row].tolist() == [found.input.std_error, found.label.std_error]


def test_a_single_update_is_measured_by_the_same_bins(layer):
    t, y = layer
    found = ip.layer_information(t[-1], y, "binning", bins=30, edges="layer")
    assert deterministic(t, y, SPECS[2]).tolist() == [found.input.bits, found.label.bits]
    assert deterministic(t, y, "ross")[0] == pytest.approx(np.log2(40))


def test_an_estimate_is_followed_from_all_samples_to_none(layer):
    t, y = layer
    found = against(t, y, SPECS[2], None)
    whole = measure(t, y, [SPECS[2]], None).bits[0]
    assert found["by_samples"].shape == (4, 2)
    assert found["by_samples"][0] == pytest.approx(whole)
    assert found["by_samples"][0, 0] < found["by_samples"][-1, 0]  # few samples look farther apart
    assert found["limit"][0] < whole[0]
    assert np.isfinite(found["limit_std_error"]).all()
