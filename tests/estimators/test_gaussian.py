"""The Gaussian part of mutual information: closed forms, exact bias, invariances, labels."""

import math

import numpy as np
import pytest
from scipy import linalg, special, stats

import infoplane as ip
from infoplane.errors import InputError
from infoplane.estimators import _covariance as covariance
from infoplane.estimators.base import Layers
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.pair import as_variable

LN2 = math.log(2)
PLAIN = Gaussian(correction=False, shrinkage="none")


def normal_pair(n, dims, rho, seed=0):
    """Two normals of so many dimensions, each pair of coordinates with correlation rho."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dims))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((n, dims))


def determinant_formula(x, y):
    """½ log2 |Σx||Σy| / |Σ|, straight from three determinants."""
    blocks = (np.cov(x.T), np.cov(y.T), np.cov(np.hstack([x, y]).T))
    of_x, of_y, of_both = (np.linalg.slogdet(np.atleast_2d(block))[1] for block in blocks)
    return (of_x + of_y - of_both) / 2 / LN2


# the value


def test_plain_value_is_the_formula_of_three_determinants():
    x, y = normal_pair(300, 4, 0.6)
    assert PLAIN(x, y[:, :3]).bits == pytest.approx(determinant_formula(x, y[:, :3]), abs=1e-12)


def test_plain_value_is_that_of_the_canonical_correlations():
    # CCA by whitening: singular values of Σx^−½ Σxy Σy^−½.
    x, y = normal_pair(300, 3, 0.6, seed=1)
    both = np.cov(np.hstack([x, y]).T)
    roots = [linalg.inv(linalg.sqrtm(block)) for block in (both[:3, :3], both[3:, 3:])]
    rho = np.linalg.svd(roots[0] @ both[:3, 3:] @ roots[1], compute_uv=False)
    assert PLAIN(x, y).bits == pytest.approx(-np.log2(1 - rho**2).sum() / 2, abs=1e-12)


def test_one_coordinate_each_side_is_the_correlation_coefficient():
    x, y = normal_pair(200, 1, 0.7)
    r = np.corrcoef(x[:, 0], y[:, 0])[0, 1]
    assert PLAIN(x[:, 0], y[:, 0]).bits == pytest.approx(-math.log2(1 - r**2) / 2, abs=1e-13)


@pytest.mark.slow
def test_fifty_times_fifty_dimensions_raw_and_corrected():
    # ρ = .3 a pair: 2.3578 nats. Raw 2.4725 and corrected 2.347 were measured on this draw by another program.
    x, y = normal_pair(10_000, 50, 0.3)
    assert PLAIN(x, y).bits * LN2 == pytest.approx(2.4725, abs=5e-4)
    assert Gaussian()(x, y).bits * LN2 == pytest.approx(2.347, abs=5e-4)


def test_information_of_nearly_determined_coordinates_keeps_its_digits():
    # Orthogonal columns: var(x) = var(e), so 1 − ρ² = s²/(1+s²) by construction; 1 − ρ² taken from ρ would be 0.
    angle = 2 * np.pi * np.arange(64) / 64
    x, e, s = np.cos(angle), np.sin(angle), 1e-9
    expected = -math.log2(s**2 / (1 + s**2)) / 2
    assert PLAIN(x, x + s * e).bits == pytest.approx(expected, abs=1e-6)  # eps/s is 2e-7


# the correction


def test_bias_of_a_log_determinant_is_that_of_wishart_matrices():
    # ln|W| of a Wishart matrix is a sum of ln χ²: one dimension checks the formula against scipy's chi2.
    n = 7
    exact = stats.chi2(n - 1).expect(lambda w: np.log(w / (n - 1)))
    assert covariance.log_determinant_bias(n, 1) == pytest.approx(exact, abs=1e-7)
    by_hand = sum(special.digamma((n - i) / 2) + math.log(2 / (n - 1)) for i in (1, 2, 3))
    assert covariance.log_determinant_bias(n, 3) == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "dim_x", "dim_y", "rho"),
    [(12, 1, 1, 0.5), (12, 3, 2, 0.0), pytest.param(30, 5, 5, 0.8, marks=pytest.mark.slow)],
)
def test_corrected_mean_over_small_samples_is_the_truth(n, dim_x, dim_y, rho):
    truth = -min(dim_x, dim_y) * math.log2(1 - rho**2) / 2
    pairs = (normal_pair(n, max(dim_x, dim_y), rho, seed) for seed in range(400))
    bits = [Gaussian()(x[:, :dim_x], y[:, :dim_y]).bits for x, y in pairs]
    assert abs(np.mean(bits) - truth) < 4 * np.std(bits) / math.sqrt(len(bits))  # four standard errors of the mean


# invariances


@pytest.mark.parametrize("shrinkage", ["none", "auto"])
def test_any_linear_map_of_either_side_changes_nothing(shrinkage):
    x, y = normal_pair(500, 5, 0.5)
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 5, 5))
    estimator = Gaussian(shrinkage=shrinkage)
    assert estimator(x @ a + 3, y @ b - 7).bits == pytest.approx(estimator(x, y).bits, abs=1e-9)


@pytest.mark.parametrize(("of_x", "of_y"), [(1e4, 1), (1e-12, 1e-12), (1e300, 1e-300), (1, -1)])
@pytest.mark.parametrize("shrinkage", ["none", "ledoit-wolf"])
def test_scale_changes_nothing(of_x, of_y, shrinkage):
    x, y = normal_pair(200, 3, 0.5)
    estimator = Gaussian(shrinkage=shrinkage)
    assert estimator(of_x * x, of_y * y).bits == pytest.approx(estimator(x, y).bits, abs=1e-9)


def test_a_shift_far_larger_than_the_spread_changes_little():
    x, y = normal_pair(200, 2, 0.5)
    assert Gaussian()(x + 1e6, y).bits == pytest.approx(Gaussian()(x, y).bits, abs=1e-8)  # 1e6 eps is 2e-10


def test_exchanging_x_and_y_or_the_order_of_samples_changes_nothing():
    x, y = normal_pair(200, 3, 0.5)
    order = np.random.default_rng(2).permutation(200)
    bits = Gaussian()(x, y[:, :2]).bits
    assert Gaussian()(y[:, :2], x).bits == pytest.approx(bits, abs=1e-12)
    assert Gaussian()(x[order], y[order, :2]).bits == pytest.approx(bits, abs=1e-12)


def test_inputs_stay_as_they_are():
    x, y = normal_pair(50, 2, 0.5)
    before = x.copy(), y.copy()
    Gaussian()(x, y)
    assert np.array_equal(x, before[0]) and np.array_equal(y, before[1])


# degenerate data


def test_a_constant_coordinate_changes_nothing():
    x, y = normal_pair(100, 3, 0.5)
    value = Gaussian()(np.c_[x, np.full(100, 0.1)], y)
    assert value.bits == Gaussian()(x, y).bits
    assert value.flags == frozenset()
    assert value.reason == "1 of 4 coordinates of x are constant"


def test_linearly_dependent_coordinates_of_a_side_count_once():
    x, y = normal_pair(100, 3, 0.5)
    value = Gaussian()(np.c_[x, x @ [1.0, 2.0, 3.0], x[:, 0]], y)
    assert value.bits == pytest.approx(Gaussian()(x, y).bits, abs=1e-10)
    assert value.flags == {"manifold"}
    assert value.reason == "the 5 coordinates of x span 3 dimensions"


@pytest.mark.parametrize("shift", [0.0, 1e5])
def test_information_is_infinite_where_y_is_a_linear_function_of_x(shift):
    x, y = normal_pair(100, 3, 0.5)
    value = Gaussian()(x + shift, np.c_[y[:, 0], 3 * (x[:, 1] + shift) - x[:, 2]])
    assert value.bits == math.inf
    assert value.flags == {"manifold"}
    assert value.reason.startswith("1 linear combinations of y are determined by x")


def test_constant_data_tell_nothing():
    x, _ = normal_pair(50, 2, 0.5)
    value = Gaussian()(x, np.full((50, 2), 0.3))
    assert (value.bits, value.flags) == (0.0, {"constant"})


def test_no_more_samples_than_dimensions_are_refused_without_shrinkage():
    x, y = normal_pair(6, 3, 0.5)
    with pytest.raises(InputError, match="3 and 3 independent coordinates and 6 rows; expected more rows"):
        Gaussian(shrinkage="none")(x, y)


# what does not suit a Gaussian


def images_of_a_blob(n, seed):
    """Smooth 16 x 16 images: two coordinates, and directions down to the last digit."""
    grid, place = np.arange(16), np.random.default_rng(seed).uniform(4, 12, (n, 2, 1))
    line = np.exp(-((grid - place) ** 2) / 18)
    return (line[:, 0, :, None] * line[:, 1, None, :]).reshape(n, -1)


@pytest.mark.parametrize("name", ["gaussian", "copula"])
@pytest.mark.parametrize("n", [300, 600])
def test_independent_images_of_a_blob_are_not_determined_by_rounding_and_are_flagged(name, n):
    value = ip.mutual_information(images_of_a_blob(n, 0), images_of_a_blob(n, 1), name)
    assert math.isfinite(value.bits)
    assert "high-dimension" in value.flags


def test_directions_of_rounding_size_are_no_coordinates():
    images = images_of_a_blob(600, 0)
    scaled = covariance.standardise(images)
    span = covariance.basis(covariance.triangular(scaled.columns), scaled.rounding)
    assert span.rank < 145  # as many had singular values above rounding, and basis vectors that rounding had turned
    assert span.error <= 0.0101  # what is kept is turned by 0.01 at most
    assert span.singular[-1] / span.singular[0] > 1e-13


def test_combinations_that_are_determined_in_shuffled_rows_too_give_no_number():
    rng = np.random.default_rng(0)
    rare = np.eye(30)[:, :12].repeat(2, axis=0)  # columns that are 1 in two rows of 60
    x = np.c_[rare, rng.standard_normal(60)]
    value = Gaussian()(x, np.c_[np.eye(60)[:, :45]])
    assert math.isnan(value.bits) or value.flags
    assert value.bits != math.inf


BENT = {
    "parabola": lambda x, noise: 0.5 * x**2 + noise,
    "circle": lambda x, noise: np.sign(noise) * np.sqrt(np.maximum(9 - x**2, 0)),
    "two branches": lambda x, noise: x * np.sign(noise) + 0.3 * noise,
    "shared scale": lambda x, noise: noise * np.exp(np.abs(x)),
    "uniform noise": lambda x, noise: x + 0.5 * stats.norm.cdf(noise),
}


@pytest.mark.parametrize("name", ["gaussian", "copula"])
@pytest.mark.parametrize("bend", BENT)
def test_dependence_that_is_not_linear_is_flagged(bend, name):
    x, noise = np.random.default_rng(0).standard_normal((2, 1000))
    value = ip.mutual_information(x, BENT[bend](x, noise), name)
    assert value.flags == {"not-gaussian"}
    assert "linear regression" in value.reason


def test_a_wild_value_is_flagged():
    x, y = normal_pair(1000, 1, 0.9)
    x[0] = 1e6
    value = Gaussian()(x, y)
    assert value.flags >= {"outliers", "not-gaussian"}
    assert value.reason.startswith("1 samples have a value far from all others")


@pytest.mark.parametrize(("n", "dims", "rho"), [(40, 1, 0.9), (200, 3, 0.5), (1000, 10, 0.3), (3000, 2, 0.99)])
def test_normal_data_get_no_flag(n, dims, rho):
    for seed in range(10):  # 1 of 100 000 is flagged by chance
        x, y = normal_pair(n, dims, rho, seed)
        labels = np.random.default_rng(seed).integers(0, 2, n)
        assert not Gaussian()(x, y).flags
        assert not Gaussian()(x + labels[:, None], labels).flags


def test_classes_that_are_not_normal_are_flagged():
    x, y = two_classes(1000, 2.0, dims=1)
    assert not Gaussian()(x, y).flags
    value = Gaussian()(np.exp(x), y)
    assert value.flags == {"not-gaussian", "above-entropy"}
    assert "1 of 1 coordinates are not normal within the classes: the value is no upper bound" in value.reason


# shrinkage


def test_shrunk_value_is_that_of_the_covariance_of_scikit_learn():
    from sklearn.covariance import ledoit_wolf

    x, y = normal_pair(20, 15, 0.5)
    both = stats.zscore(np.hstack([x, y]), axis=0)
    matrix = ledoit_wolf(both)[0]
    of_x, of_y, of_both = (np.linalg.slogdet(m)[1] for m in (matrix[:15, :15], matrix[15:, 15:], matrix))
    assert Gaussian(shrinkage="ledoit-wolf")(x, y).bits == pytest.approx((of_x + of_y - of_both) / 2 / LN2, abs=1e-10)


def test_auto_shrinks_only_where_nothing_else_is_defined():
    x, y = normal_pair(31, 15, 0.5)
    assert Gaussian()(x, y).bits == Gaussian(shrinkage="none")(x, y).bits
    fewer = Gaussian()(x[:30], y[:30])
    assert fewer.bits == Gaussian(shrinkage="ledoit-wolf")(x[:30], y[:30]).bits
    assert fewer.flags == {"high-dimension"}
    assert fewer.reason.startswith("30 dimensions, 30 samples: shrunk by")


def test_parameters_that_mean_nothing_are_refused():
    with pytest.raises(InputError, match="gaussian shrinkage is 'oas'; expected one of 'auto', 'none', 'ledoit-wolf'"):
        Gaussian.with_params({"shrinkage": "oas"})


# labels


def two_classes(n, distance, seed=0, dims=2):
    """Two normals of unit covariance at some distance, labels fair."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return rng.standard_normal((n, dims)) + distance * y[:, None] / math.sqrt(dims), y


def test_information_of_a_label_is_the_whole_less_the_classes():
    x, y = two_classes(400, 2.0)
    parts = [x, x[y == 0], x[y == 1]]
    whole, *classes = (np.linalg.slogdet(np.cov(part.T))[1] for part in parts)
    expected = (whole - np.mean(y == 0) * classes[0] - np.mean(y == 1) * classes[1]) / 2 / LN2
    value = Gaussian(correction=False)(x, y)
    assert value.bits == pytest.approx(expected, abs=1e-12)
    assert value.kind == "upper"
    assert Gaussian(correction=False)(y, x).bits == pytest.approx(expected, abs=1e-12)


def test_information_of_a_label_bounds_that_of_gaussian_classes_from_above():
    # Mixture of N(±1, 1): I = h(mixture) − h(N(0, 1)), the first by quadrature.
    grid = np.linspace(-12, 12, 20_001)
    density = (stats.norm.pdf(grid, -1) + stats.norm.pdf(grid, 1)) / 2
    truth = -(special.xlogy(density, density)).sum() * (grid[1] - grid[0]) / LN2 - stats.norm.entropy() / LN2
    x, y = two_classes(20_000, 2.0, dims=1)
    assert truth < Gaussian()(x, y).bits < truth + 0.1  # ½ log2 2 = 0.5 bits against 0.486
    assert Gaussian()(x, y).bits == pytest.approx(0.5, abs=4 * 0.006)  # standard error of the sample 0.006


@pytest.mark.slow
def test_independent_labels_have_no_information_on_average():
    rng = np.random.default_rng(3)
    bits = [Gaussian()(rng.standard_normal((40, 3)), np.arange(40) % 4).bits for _ in range(400)]
    assert abs(np.mean(bits)) < 4 * np.std(bits) / math.sqrt(len(bits))


def test_any_linear_map_changes_nothing_for_a_label_either():
    x, y = two_classes(300, 1.5, dims=4)
    a = np.random.default_rng(4).standard_normal((4, 4))
    assert Gaussian()(1e4 * x @ a, y).bits == pytest.approx(Gaussian()(x, y).bits, abs=1e-9)
    assert Gaussian()(np.c_[x, x[:, 0]], y).bits == pytest.approx(Gaussian()(x, y).bits, abs=1e-9)


def test_classes_of_one_sample_are_left_out_and_said_so():
    x, y = two_classes(300, 1.5)
    alone = y.copy()
    alone[0] = 2
    value = Gaussian()(x, alone)
    assert value.bits == Gaussian()(x[1:], y[1:]).bits
    assert value.flags == {"small-class"}
    assert value.reason.startswith("1 of 3 classes (1 of 300 samples) are too small and were left out")


def test_a_class_smaller_than_the_dimension_is_shrunk_and_flagged():
    x, y = two_classes(300, 1.5, dims=6)
    few = np.where(np.arange(300) < 5, 2, y)
    value = Gaussian()(x, few)
    assert np.isfinite(value.bits)
    assert value.flags == {"small-class"}
    assert "covariances of 1 of 3 classes shrunk" in value.reason


def test_labels_with_one_class_of_enough_samples_give_no_number():
    value = Gaussian(shrinkage="none")(np.random.default_rng(0).standard_normal((20, 3)), [0] * 17 + [1] * 3)
    assert math.isnan(value.bits)
    assert value.flags == {"small-class"}


def test_a_class_without_variance_has_infinite_information():
    x, y = two_classes(100, 1.5)
    value = Gaussian()(np.where(y[:, None] == 0, 0.0, x), y)
    assert value.bits == math.inf
    assert value.flags == {"manifold", "above-entropy"}
    assert value.upper == pytest.approx(stats.entropy(np.bincount(y), base=2), abs=1e-12)


def test_a_bound_above_the_entropy_of_the_labels_says_so():
    x, y = two_classes(200, 100.0)
    value = Gaussian()(x, y)
    entropy = stats.entropy(np.bincount(y), base=2)
    assert value.bits > 5
    assert value.flags >= {"above-entropy"}
    assert value.upper == pytest.approx(entropy, abs=1e-12)
    assert f"above the entropy of the labels, {entropy:.2f} bits" in value.reason


def test_a_layer_gets_the_information_of_its_label_and_none_of_its_input():
    x, y = two_classes(200, 1.5)
    values = Gaussian().measure(Layers(np.stack([x.T, 0 * x.T]), y))
    assert values.label.bits[0] == pytest.approx(Gaussian()(x, y).bits, abs=1e-12)
    assert values.label.bits[1] == 0.0
    assert np.isnan(values.input.bits[0])


# entropy


def test_entropy_is_that_of_the_normal_with_this_covariance():
    x = np.random.default_rng(0).standard_normal((100, 3))
    value = Gaussian(correction=False).entropy(x @ np.diag([1e-9, 8.0, 1e9]) + 5)
    expected = stats.multivariate_normal(cov=np.cov(x.T)).entropy() / LN2 + 3  # log2 of the scales: 3
    assert value.bits == pytest.approx(expected, abs=1e-6)  # the shift costs the first coordinate 5 / 1e-9 eps
    assert value.kind == "upper"


def test_corrected_entropy_is_right_on_average_over_small_samples():
    rng = np.random.default_rng(5)
    bits = [Gaussian().entropy(rng.standard_normal((8, 3))).bits for _ in range(500)]
    truth = 1.5 * math.log2(2 * math.pi * math.e)
    assert abs(np.mean(bits) - truth) < 4 * np.std(bits) / math.sqrt(len(bits))


def test_entropy_of_rows_on_a_plane_is_minus_infinity():
    x = np.random.default_rng(0).standard_normal((100, 3))
    for flat in (np.c_[x, x[:, 0] - x[:, 1]], np.c_[x, np.ones(100)]):
        value = Gaussian().entropy(flat)
        assert (value.bits, value.flags) == (-math.inf, {"manifold"})


# shuffles


@pytest.mark.parametrize("data", ["normal", "far from 0", "dependent columns", "few rows", "determined"])
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("estimator", [Gaussian(), PLAIN, Gaussian(shrinkage="ledoit-wolf")])
def test_many_shuffles_give_what_each_gives(estimator, labelled, data):
    x, y = normal_pair(20 if data == "few rows" else 200, 3, 0.6)
    if data == "far from 0":
        x = x * 1e3 + 1e6
    if data == "dependent columns":
        x = np.column_stack([x, x.sum(axis=1), np.ones(200)])
    if data == "determined":  # its own order, which is among those below, has infinite information
        y = x[:, :2] @ np.array([[1.0, 2.0], [0.5, -1.0]])
    x, y = as_variable(x, "x"), as_variable(np.digitize(y[:, 0], [-0.5, 0.5]) if labelled else y, "y")
    rng = np.random.default_rng(0)
    orders = [np.arange(x.n), *(rng.permutation(x.n) for _ in range(4))]
    alone = [estimator.between(x, y.take(order)).bits for order in orders]
    # Coordinates a thousand standard deviations from 0 have lost three digits in either way.
    assert estimator.between_shuffled(x, y, orders) == pytest.approx(
        alone, abs=1e-12 if data != "far from 0" else 1e-10
    )
    if labelled:
        alone = [estimator.between(y, x.take(order)).bits for order in orders]
        assert estimator.between_shuffled(y, x, orders) == pytest.approx(alone, abs=1e-10)


@pytest.mark.parametrize("dims", [1, 3])
def test_two_samples_say_nothing(dims):
    """A line fits them exactly, and shrinkage has no scatter to judge by."""
    x, y = np.random.default_rng(0).standard_normal((2, 2, dims))
    estimate = Gaussian()(x, y)
    assert math.isnan(estimate.bits)
    assert estimate.flags == {"high-dimension", "few-samples"}
    assert "nothing can be said" in estimate.reason


@pytest.mark.parametrize("name", ["gaussian", "lga"])
def test_a_column_of_which_rounding_leaves_nothing_is_refused(name):
    x, y = np.random.default_rng(0).standard_normal((2, 300))
    with pytest.raises(InputError, match="hardly more than the rounding of its values"):
        ip.mutual_information(x + 1e15, y, name)


@pytest.mark.parametrize("estimator", ["gaussian", "copula"])
@pytest.mark.parametrize("seed", range(3))
def test_40_samples_of_a_bent_function_are_flagged(estimator, seed):
    x = np.random.default_rng([40, seed]).standard_normal(40)
    for y in (x**2, np.sin(3 * x)):
        found = ip.mutual_information(x, y, estimator)
        assert "not-gaussian" in found.flags
        assert "ksg1 gives" in found.reason or "residual" in found.reason or "regression" in found.reason


def test_40_normal_samples_are_not_flagged():
    rng = np.random.default_rng(41)
    for rho in (0.0, 0.5, 0.9, 0.99):
        for _ in range(5):
            x, noise = rng.standard_normal((2, 40))
            y = rho * x + math.sqrt(1 - rho**2) * noise
            assert ip.mutual_information(x, y, "gaussian").flags == frozenset()
