"""What makes an estimate from nearest neighbours suspect, and what is refused."""

import math

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.special import digamma

import infoplane as ip
from infoplane.estimators._neighbors_judge import intrinsic_dimension

LN2 = math.log(2)
CONTINUOUS = ("ksg1", "ksg2", "mixed-ksg")
MIXED = ("ross", "mixed-ksg")


def normal_pair(n, rho, dims=1, seed=0):
    """Jointly normal with correlation rho in each coordinate."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dims))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((n, dims))


def test_near_the_largest_possible_value_is_flagged():
    x = np.random.default_rng(0).standard_normal(500)
    estimate = ip.mutual_information(x, np.tanh(x), "ksg1")
    assert "ceiling" in estimate.flags
    ceiling = (digamma(500) - digamma(3)) / LN2
    assert f"of at most {ceiling:.1f} bits" in estimate.reason
    assert estimate.bits <= ceiling + 1e-9


@pytest.mark.parametrize("name", ["ksg1", "ksg2"])
def test_moderate_dependence_in_few_dimensions_has_no_flag(name):
    assert ip.mutual_information(*normal_pair(1000, 0.8), name).flags == frozenset()


@pytest.mark.parametrize(("n", "dims", "flagged"), [(2000, 1, False), (2000, 2, False), (300, 5, True)])
def test_too_many_dimensions_for_the_samples_are_flagged(n, dims, flagged):
    estimate = ip.mutual_information(*normal_pair(n, 0.3, dims), "ksg1")
    assert ("high-dimension" in estimate.flags) == flagged
    assert ("intrinsic dimension" in estimate.reason) == flagged


def test_a_curve_in_many_coordinates_is_not_of_high_dimension():
    rng = np.random.default_rng(0)
    t, noise = rng.random(600), 0.1 * rng.standard_normal(600)
    x = np.stack([np.cos(j * t) for j in range(1, 11)], 1)
    y = np.stack([np.sin(j * (t + noise)) for j in range(1, 11)], 1)
    assert "high-dimension" not in ip.mutual_information(x, y, "ksg1").flags


@pytest.mark.parametrize("dims", [1, 2, 4])
def test_intrinsic_dimension_is_that_of_uniform_data(dims):
    """Points in a cube; the edges take a few per cent off."""
    points = np.random.default_rng(dims).random((4000, dims))
    distances = cKDTree(points).query(points, 5, p=np.inf)[0][:, 1:]
    assert intrinsic_dimension(distances) == pytest.approx(dims, rel=0.08)
    assert math.isnan(intrinsic_dimension(distances[:, :1]))


@pytest.mark.parametrize("name", [*CONTINUOUS, "ross"])
def test_duplicates_are_finite_and_flagged_with_their_share(name):
    x, y = (np.tile(part, (10, 1)) for part in normal_pair(40, 0.5, 2))
    estimate = ip.mutual_information(x, (y[:, 0] > 0).astype(int) if name == "ross" else y, name)
    assert math.isfinite(estimate.bits)
    assert "ties" in estimate.flags
    assert "100% of the samples" in estimate.reason


@pytest.mark.parametrize("name", CONTINUOUS)
def test_whole_numbers_as_coordinates_are_finite_and_flagged(name):
    x, y = normal_pair(300, 0.8)
    estimate = ip.mutual_information(np.round(4 * x), np.round(4 * y), name)
    assert math.isfinite(estimate.bits)
    assert "ties" in estimate.flags


@pytest.mark.parametrize("name", MIXED)
def test_small_classes_are_flagged_and_single_samples_left_out(name):
    x, y = normal_pair(200, 0.8)
    labels = (y[:, 0] > 0).astype(int)
    labels[:2], labels[2] = 7, 8
    estimate = ip.mutual_information(x, labels, name)
    assert "small-class" in estimate.flags
    assert estimate.reason == (
        "1 classes have at most k = 3 samples and use fewer neighbours; "
        "1 samples left out: the only ones of their class"
    )
    rest = np.arange(200) != 2
    assert estimate.bits == pytest.approx(ip.mutual_information(x[rest], labels[rest], name).bits, abs=1e-12)


@pytest.mark.parametrize("name", [*MIXED, "kl"])
def test_labels_that_are_all_different_cannot_be_measured(name):
    estimate = ip.mutual_information(np.arange(20.0), np.arange(20), name)
    assert math.isnan(estimate.bits)
    assert estimate.flags == {"small-class"}
    assert "no two samples have the same label" in estimate.reason


@pytest.mark.parametrize("name", [*CONTINUOUS, "ross", "kl"])
def test_as_many_neighbours_as_samples_are_refused(name):
    x = np.arange(5.0)
    y = np.array([0, 0, 0, 1, 1]) if name == "ross" else np.array([3.0, 1, 4, 1.5, 9])
    assert math.isfinite(ip.mutual_information(x, y, name, k=4).bits)
    with pytest.raises(ip.InputError, match=f"{name} k is 5 with 5 samples; expected k < N"):
        ip.mutual_information(x, y, name, k=5)
