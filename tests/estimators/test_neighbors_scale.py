"""Units of columns, wild values, dependent columns, grids of entropies, and values that depend on k."""

import math

import numpy as np
import pytest

import infoplane as ip
from infoplane.estimators._neighbors_scale import scaled, spread_over_cells

PAIRS = ("ksg1", "ksg2", "mixed-ksg", "kl", "lnc")
TRUTH = -math.log2(1 - 0.9**2) / 2


def pair(n=2000, seed=5):
    """Normals of correlation 0.9: −½ log2(1 − 0.81) = 1.198 bits; and an independent column."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    y = 0.9 * x + math.sqrt(0.19) * rng.standard_normal(n)
    return x, y, rng.standard_normal(n)


@pytest.mark.parametrize("unit", [1e-6, 0.3, 100.0, 1e12])
@pytest.mark.parametrize("name", PAIRS)
def test_the_unit_of_a_column_changes_nothing(name, unit):
    x, y, other = pair(600)
    plain, moved = (ip.mutual_information(np.c_[x, factor * other], y, name) for factor in (1, unit))
    assert moved.bits == pytest.approx(plain.bits, abs=1e-9)
    assert moved.flags == plain.flags


@pytest.mark.parametrize("name", PAIRS)
def test_two_columns_in_units_far_apart_have_their_information(name):
    """The standard error is about 0.03 bits with 2000 samples; raw distances gave 0.0 or less."""
    x, y, other = pair()
    assert ip.mutual_information(np.c_[x, 100 * other], y, name).bits == pytest.approx(TRUTH, abs=0.12)


@pytest.mark.parametrize("name", ["ross", "mixed-ksg", "kl"])
def test_the_unit_of_a_column_changes_nothing_beside_a_label(name):
    x, y, other = pair(600)
    label = (y > 0).astype(int)
    plain, moved = (ip.mutual_information(np.c_[x, factor * other], label, name).bits for factor in (1, 1e5))
    assert moved == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize("name", ["ksg1", "ksg2", "mixed-ksg", "kl", "lnc", "ross"])
def test_scale_none_takes_distances_as_they_are(name):
    """With one column 10⁴ times as wide the other one plays no part, so that the pair is independent."""
    x, y, other = pair(600)
    if name == "ross":
        y = (y > 0).astype(int)
    raw = ip.mutual_information(np.c_[x, 1e4 * other], y, name, scale=None).bits
    assert raw < ip.mutual_information(np.c_[x, 1e4 * other], y, name).bits - 0.3


def test_scikit_learn_and_ksg1_on_standardized_columns_agree():
    """Columns divided by their standard deviation by hand, raw distances: the same number."""
    x, y, other = pair(500)
    both = np.c_[x, 1e3 * other]
    by_hand = ip.mutual_information(both / both.std(axis=0), y, "ksg1", scale=None).bits
    assert ip.mutual_information(both, y, "ksg1").bits == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("name", ["ksg1", "ross", "kl", "lnc", "lnn"])
def test_an_unknown_scale_is_refused(name):
    with pytest.raises(ip.InputError, match="scale is 'robust'; expected"):
        ip.mutual_information(np.arange(9.0), np.arange(9.0), name, scale="robust")


@pytest.mark.parametrize("wild", [[1e6], [1e30, -1e30, 1e6], [1e300], [-999.0] * 20])
@pytest.mark.parametrize("name", PAIRS)
def test_a_few_wild_values_change_little_and_are_flagged_with_their_number(name, wild):
    """At most 20 of 2000 samples: 1 % of them can take away 1 % of the information and of the logarithms, 0.1 bits."""
    x, y, _ = pair()
    x[: len(wild)] = wild
    found = ip.mutual_information(x, y, name)
    if name == "kl" and len(wild) > 3:  # equal values are an atom: no entropy
        assert math.isnan(found.bits) and "ties" in found.flags
    else:
        assert found.bits == pytest.approx(TRUTH, abs=0.12)
    assert "outliers" in found.flags and f"{len(wild)} samples" in found.reason


def test_a_wild_value_in_one_of_several_columns_is_found():
    x, y, other = pair()
    other[7] = 1e9
    found = ip.mutual_information(np.c_[x, other], y, "ksg1")
    assert found.bits == pytest.approx(TRUTH, abs=0.1) and "outliers" in found.flags


def test_a_wild_value_beside_a_label_is_found():
    """Label sign of y: the value without the wild one differs by a thousandth of the samples."""
    x, y, _ = pair()
    label = (y > 0).astype(int)
    plain = ip.mutual_information(x, label, "ross")
    x[3] = -1e8
    found = ip.mutual_information(x, label, "ross")
    assert found.bits == pytest.approx(plain.bits, abs=0.02) and "outliers" in found.flags


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.standard_normal(2000),
        lambda rng: rng.exponential(size=2000),
        lambda rng: np.maximum(rng.standard_normal(2000) - 2, 0),
        lambda rng: rng.integers(0, 2, 2000).astype(float),
        lambda rng: (rng.random(2000) < 0.01).astype(float),
        lambda rng: rng.poisson(0.1, 2000).astype(float),
        lambda rng: np.r_[rng.standard_normal(1800), rng.standard_normal(200) + 1e4],
        lambda rng: np.exp(1.5 * rng.standard_normal(2000)),
    ],
)
def test_tails_rare_events_and_clusters_are_no_outliers(draw):
    values = draw(np.random.default_rng(0))[:, None]
    assert scaled(values).n_wild == 0


def test_the_entropy_of_kl_is_in_the_units_of_the_data():
    """Two normals with standard deviations 1 and 1000: 2·½ log2(2πe) + log2 1000."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 2)) * [1.0, 1000.0]
    truth = math.log2(2 * math.pi * math.e) + math.log2(1000)
    assert ip.entropy(x, "kl").bits == pytest.approx(truth, abs=0.06)
    assert ip.entropy(x * [1.0, 1e-9], "kl").bits == pytest.approx(truth - math.log2(1e9), abs=0.06)


@pytest.mark.parametrize("name", ["kl", "lnn"])
def test_the_entropy_of_one_coordinate_follows_its_unit(name):
    x = np.random.default_rng(0).standard_normal(500)
    plain, moved = (ip.entropy(factor * x, name).bits for factor in (1, 1e-3))
    assert moved == pytest.approx(plain - math.log2(1000), abs=1e-9)


# columns that depend on each other


@pytest.mark.parametrize("name", ["ksg1", "ksg2", "mixed-ksg", "kl", "ross"])
@pytest.mark.parametrize("third", [lambda a, b: a, lambda a, b: (a - 2 * b).astype(np.float32)])
def test_columns_that_are_copies_or_combinations_are_flagged(name, third):
    a, y, b = pair(400)
    if name == "ross":
        y = (y > 0).astype(int)
    found = ip.mutual_information(np.c_[a, b, third(a, b)], y, name)
    assert "manifold" in found.flags and "1 of 3 columns" in found.reason
    assert "manifold" not in ip.mutual_information(np.c_[a, b], y, name).flags


def test_the_entropy_of_copied_columns_is_flagged():
    a = pair(400)[0]
    assert "manifold" in ip.entropy(np.c_[a, a], "kl").flags


# grids for estimators of a density


@pytest.mark.parametrize("decimals", [1, 2])
@pytest.mark.parametrize("name", ["kl", "lnc"])
def test_densities_of_rounded_normals_have_their_information(name, decimals):
    """ρ = 0.8: 0.729 bits with 1 decimal by the sum over cells (test_neighbors_ties), 0.737 with 2."""
    bits = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal(2000)
        y = 0.8 * x + 0.6 * rng.standard_normal(2000)
        found = ip.mutual_information(x.round(decimals), y.round(decimals), name)
        assert "ties" in found.flags
        bits.append(found.bits)
    assert np.mean(bits) == pytest.approx(0.733, abs=0.06)


@pytest.mark.parametrize("name", ["kl", "lnc"])
def test_densities_of_independent_counts_have_no_information(name):
    bits = [
        ip.mutual_information(*np.random.default_rng(seed).poisson(4.0, (2, 2000)).astype(float), name).bits
        for seed in range(5)
    ]
    assert abs(np.mean(bits)) < 0.06


def test_kl_of_counts_and_random_labels_is_0():
    rng = np.random.default_rng(0)
    found = ip.mutual_information(rng.poisson(4.0, 2000).astype(float), rng.integers(0, 3, 2000), "kl")
    assert abs(found.bits) < 0.06


def test_the_entropy_of_rounded_normals_is_that_of_normals():
    """½ log2(2πe); a step of 0.01 changes it by 10⁻⁵. The standard error with 3000 samples is 0.02 bits."""
    found = ip.entropy(np.random.default_rng(0).standard_normal(3000).round(2), "kl")
    assert found.bits == pytest.approx(math.log2(2 * math.pi * math.e) / 2, abs=0.06)
    assert "ties" in found.flags


def test_noise_within_the_cells_is_removed_by_rounding_and_is_the_same_every_time():
    values = np.random.default_rng(0).standard_normal((300, 2)).round(1)
    moved = spread_over_cells(values, 0)
    np.testing.assert_array_equal(np.abs(moved - values) <= 0.05 + 1e-12, True)
    np.testing.assert_array_equal(moved, spread_over_cells(values, 0))
    assert (moved != spread_over_cells(values, 1)).all()


def test_shuffles_of_kl_on_a_grid_spread_each_value_once():
    from infoplane.estimators._neighbors_scale import off_the_grid
    from infoplane.estimators.kozachenko import Kl
    from infoplane.estimators.pair import as_variable

    rng = np.random.default_rng(1)
    x, y = (as_variable(rng.poisson(4.0, 300).astype(float), "x") for _ in range(2))
    orders = [rng.permutation(300) for _ in range(9)]
    apart_x, apart_y, _ = off_the_grid(x, y)
    each = [Kl().between(apart_x, apart_y.take(order)).bits for order in orders]
    np.testing.assert_allclose(Kl().between_shuffled(x, y, orders), each, atol=1e-9)


# values that depend on k


@pytest.mark.parametrize("name", ["ksg1", "mixed-ksg"])
def test_a_dependence_finer_than_the_neighbors_is_flagged(name):
    """sin 4πx plus uniform noise of width 10⁻³ has 10.65 bits; with 1000 samples the value is below 6."""
    rng = np.random.default_rng(1)
    x = rng.random(1000)
    found = ip.mutual_information(x, np.sin(4 * np.pi * x) + 1e-3 * rng.random(1000), name)
    assert found.bits < 8 and "k-dependent" in found.flags and "k = 1" in found.reason


@pytest.mark.parametrize("rho", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [300, 3000])
def test_normal_pairs_that_are_measured_well_are_not_flagged(rho, n):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(n)
    y = rho * x + math.sqrt(1 - rho**2) * rng.standard_normal(n)
    assert "k-dependent" not in ip.mutual_information(x, y, "ksg1").flags


@pytest.mark.parametrize("name", ["ksg1", "ksg2", "mixed-ksg"])
def test_a_parabola_of_few_samples_is_flagged_by_each(name):
    """Infinite; in 40 samples ksg2 lies above ksg1, which the comparison with one neighbor has to allow for."""
    for seed in range(5):
        x = np.random.default_rng(seed).standard_normal(40)
        assert "k-dependent" in ip.mutual_information(x, x**2, name).flags
        noise = np.random.default_rng(seed + 100).standard_normal(40)
        assert "k-dependent" not in ip.mutual_information(x, 0.9 * x + math.sqrt(0.19) * noise, name).flags
