"""The pass over pairs against the full matrix of differences in float64, with and without pruning."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoplane.estimators import _pairs
from infoplane.estimators._pairs import pair_sums
from infoplane.estimators._pairs_rows import unit_ball

# Exponent scale of each way to do the arithmetic, and the error in bits that it may make: the rounding of
# exponents below 60 in float32 (6e-8 · 60) or float64, and of sums of up to 1000 terms.
PATHS = {
    "float32": (4.0, 5e-6),
    "float32-split": (1000.0, 5e-6),
    "float32-split-limit": (4.9e3, 1e-5),
    "float64": (2e4, 1e-12),
    "float64-deep": (1e12, 1e-8),
}


def full_matrix_sums(rows, labels, scale):
    """Upper, lower, and the same within classes, from all differences; no product form, no blocks."""
    squared = np.zeros((len(rows), len(rows)))
    for column in rows.T:
        squared += np.subtract.outer(column, column) ** 2
    alike = np.equal.outer(labels, labels)
    lower, upper = np.exp(-scale * squared), np.exp(-4 * scale * squared)
    return upper.sum(1), lower.sum(1), (upper * alike).sum(1), (lower * alike).sum(1)


def all_sums(sums, k=0):
    return sums.upper[k], sums.lower[k], sums.upper_within[k], sums.lower_within[k]


def greatest_error(found, expected):
    """Largest difference of mean −log2, in bits: what reaches a result."""
    return max(abs(np.log2(a).mean() - np.log2(b).mean()) for a, b in zip(found, expected, strict=True))


def clustered(seed, n, dim, scale, width=1.0):
    """Points of the unit ball in a few clusters whose width is that of the kernel at ``scale``."""
    rng = np.random.default_rng(seed)
    corners = rng.choice([-1.0, 1.0], (6, dim)) / np.sqrt(dim)
    return unit_ball((corners[rng.integers(6, size=n)] + width * rng.normal(size=(n, dim)) / np.sqrt(scale)).T)[0]


@pytest.mark.parametrize("dim", [1, 10, 70])
@pytest.mark.parametrize("path", PATHS)
def test_sums_equal_the_full_matrix(path, dim):
    scale, tolerance = PATHS[path]
    rows = clustered(0, 300, dim, scale)
    labels = np.random.default_rng(1).choice(3, 300, p=[0.7, 0.25, 0.05])
    sums = pair_sums(rows, labels, np.array([scale]), tolerance=1e-14)
    assert greatest_error(all_sums(sums), full_matrix_sums(rows, labels, scale)) < tolerance


def test_blocks_equal_the_dense_matrix_at_5000_rows_on_the_float64_path():
    rows = clustered(2, 5000, 2, 2e4)
    squared = np.subtract.outer(rows[:, 0], rows[:, 0]) ** 2 + np.subtract.outer(rows[:, 1], rows[:, 1]) ** 2
    expected = np.exp(-2e4 * squared).sum(1)
    found = pair_sums(rows, None, np.array([2e4]), tolerance=1e-15).lower[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("dim", [5, 70])
def test_float32_equals_float64_on_saturated_clusters_at_the_limit(dim, monkeypatch):
    # Tight clusters far from the origin: the product form alone would be wrong by the same amount for all pairs.
    rows = clustered(3, 2048, dim, 4.9e3, width=0.3 if dim == 5 else 0.05)
    labels = np.arange(2048) % 2
    single = pair_sums(rows, labels, np.array([4.9e3]), tolerance=1e-9)
    monkeypatch.setattr(_pairs, "FLOAT32_LIMIT", 0.0)
    double = pair_sums(rows, labels, np.array([4.9e3]), tolerance=1e-9)
    assert greatest_error(all_sums(single), all_sums(double)) < 1e-5


def data_of(kind, seed, n=2048, dim=3):
    """Rows as a layer might give them."""
    rng = np.random.default_rng(seed)
    if kind == "random":
        return rng.normal(size=(n, dim))
    if kind == "clusters":
        return rng.choice([-1.0, 1.0], (n, dim)) + 0.01 * rng.normal(size=(n, dim))
    if kind == "copies":
        return rng.integers(0, 4, (n, dim)).astype(float)
    if kind == "constant unit":
        return np.hstack([rng.normal(size=(n, dim - 1)), np.full((n, 1), 0.3)])
    return 1e3 + 0.01 * rng.normal(size=(n, dim))  # far offset


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(["random", "clusters", "copies", "constant unit", "far offset"]),
    seed=st.integers(0, 2**31),
    exponent=st.floats(0, 4),
    tolerance=st.sampled_from([1e-12, 1e-9, 1e-4]),
)
def test_pruned_equals_dense_within_the_stated_error(kind, seed, exponent, tolerance):
    rows, _ = unit_ball(data_of(kind, seed).T)
    labels = np.random.default_rng(seed).integers(0, 3, len(rows))
    scales = np.array([10.0**exponent])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pairs, "FLOAT32_LIMIT", 0.0)  # in float64, so that rounding does not hide the error
        dense = pair_sums(rows, labels, scales, tolerance=tolerance, prune=False)
        pruned = pair_sums(rows, labels, scales, tolerance=tolerance)
    assert dense.skipped == 0 and dense.copies == 0
    assert pruned.error <= tolerance * (1 + 1e-12)
    assert greatest_error(all_sums(pruned), all_sums(dense)) <= pruned.error + 1e-13  # rounding of sums


def test_pruning_leaves_far_clusters_out_and_bounds_the_error():
    rows = clustered(5, 2048, 4, 1e3, width=0.1)
    sums = pair_sums(rows, None, np.array([1e3]), tolerance=1e-9)
    assert sums.skipped > 0.5  # six clusters: five sixths of the pairs are far
    assert 0 < sums.error <= 1e-9
    assert sums.upper_within is None and sums.lower_within is None


def test_a_larger_sigma_in_the_same_pass_is_not_pruned_by_the_smaller():
    rows = clustered(6, 2048, 3, 1e3)
    labels = np.zeros(2048, int)
    both = pair_sums(rows, labels, np.array([1e3, 1.0]), tolerance=1e-9)
    assert greatest_error(all_sums(both, 0), full_matrix_sums(rows, labels, 1e3)) < 5e-6
    assert greatest_error(all_sums(both, 1), full_matrix_sums(rows, labels, 1.0)) < 5e-6


def test_equal_rows_are_merged_by_label_and_counted():
    base = clustered(7, 60, 3, 100.0)
    rows, labels = np.tile(base, (5, 1)), np.repeat([0, 1, 1, 1, 1], 60)
    sums = pair_sums(rows, labels, np.array([100.0]), tolerance=1e-12)
    assert sums.copies == 180
    assert greatest_error(all_sums(sums), full_matrix_sums(rows, labels, 100.0)) < 5e-6


def test_every_row_its_own_class_gives_within_sums_of_one():
    rows = clustered(8, 300, 3, 10.0)
    sums = pair_sums(rows, np.arange(300), np.array([10.0]), tolerance=1e-9)
    assert (sums.upper_within == 1).all() and (sums.lower_within == 1).all()


def test_repeating_gives_the_same_bits_on_either_device():
    rows = clustered(9, 2048, 5, 50.0)
    labels = np.arange(2048) % 3
    results = []
    for device in [*jax.local_devices()[:2], jax.local_devices()[0]]:
        with jax.default_device(device):
            results.append(pair_sums(rows, labels, np.array([50.0]), tolerance=1e-9))
    for other in results[1:]:
        assert all((a == b).all() for a, b in zip(all_sums(results[0]), all_sums(other), strict=True))


def test_unit_ball_removes_offset_and_scale():
    rng = np.random.default_rng(10)
    rows, radius = unit_ball((1e3 + rng.normal(size=(50, 4))).T)
    assert np.abs(rows.mean(0)).max() < 1e-12 and (rows**2).sum(1).max() == pytest.approx(1, abs=1e-15)
    assert 1 < radius < 6


def test_unit_ball_of_the_largest_numbers_overflows_to_infinity_only_in_the_radius():
    rows, radius = unit_ball(np.array([[1.7e308, -1.7e308], [1.7e308, -1.7e308]]))
    assert np.isfinite(rows).all() and radius == np.inf


def test_unit_ball_of_the_smallest_numbers_keeps_distances():
    rows, radius = unit_ball(np.array([[0.0, 1e-310]]))
    np.testing.assert_allclose(rows[:, 0], [-1, 1])
    assert radius == pytest.approx(5e-311)


@pytest.mark.parametrize("tolerance", [1e-300, 1e3])
def test_extreme_tolerances_give_finite_sums(tolerance):
    rows = clustered(11, 2048, 4, 1e3)
    sums = pair_sums(rows, None, np.array([1e3]), tolerance=tolerance)
    assert np.isfinite(np.log2(sums.upper)).all() and (sums.upper >= 1).all()
