"""Local Gaussian approximation: the fit, its limits, known information, invariances and guards."""

import dataclasses
import math
import time
from typing import Literal

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.stats import multivariate_normal

import infoplane as ip
from infoplane.errors import InputError
from infoplane.estimators import _lga_fit, _lga_moments, lga
from infoplane.estimators._gaussian_fit import distance_from_normal
from infoplane.estimators._lga_moments import Moments
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.lga import Lga
from infoplane.estimators.neighbors import Ksg1
from infoplane.truth import Normal, Transformed, tasks, transforms

LN2 = math.log(2)
SWISS_ROLL = "swissroll_x-normal_cdf-1v1-normal-0.75"


@pytest.fixture(scope="module")
def pair():
    """Two curved coordinates of x and one of y, 300 samples."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 2))
    return x, x[:, :1] ** 2 + x[:, 1:] + 0.3 * rng.standard_normal((300, 1))


@pytest.fixture(scope="module")
def around():
    """The moments around a point of 60 others in three dimensions, bandwidth 1, summed by hand; and the others."""
    others = np.random.default_rng(1).standard_normal((60, 3)) * [1.0, 0.5, 2.0] + [0.3, 0.0, -0.4]
    weights = np.exp(-0.5 * (others**2).sum(axis=1))
    mean = weights @ others / weights.sum()
    covariance = (others * weights[:, None]).T @ others / weights.sum() - np.outer(mean, mean)
    density = weights.sum() / (60 * (2 * math.pi) ** 1.5)
    return Moments(np.array([density]), mean[None], covariance[None], 0), others


def normal_log_density(point, mean, covariance):
    off = point - mean
    determinant = np.linalg.det(2 * math.pi * covariance)
    return -0.5 * (off @ np.linalg.solve(covariance, off) + math.log(determinant))


def likelihood(mean, covariance, others):
    """The local likelihood at the origin, term by term from its definition."""
    kernel = multivariate_normal(np.zeros(3)).pdf(others)
    overlap = multivariate_normal(mean, covariance + np.eye(3)).pdf(np.zeros(3))
    return np.mean(kernel * multivariate_normal(mean, covariance).logpdf(others)) - overlap


def fit_of(theta):
    """A fit from its mean and the lower triangle of a Cholesky factor with logarithmic diagonal."""
    root = np.zeros((3, 3))
    root[np.tril_indices(3)] = theta[3:]
    root[np.diag_indices(3)] = np.exp(root.diagonal())
    axes, scale, _ = np.linalg.svd(root)
    return _lga_fit.Fit(theta[None, :3], axes[None], scale[None] ** 2), root @ root.T


def test_moments_are_the_weighted_means_over_all_other_samples(pair):
    points, bandwidth = np.hstack(pair), np.linspace(0.3, 2.0, 300)
    found = _lga_moments.moments(points, bandwidth)
    for row in (0, 17, 299):
        u = np.delete(points - points[row], row, axis=0) / bandwidth[row]
        w = np.exp(-0.5 * (u**2).sum(axis=1))
        mean = w @ u / w.sum()
        assert found.density[row] == pytest.approx(w.sum() / 299 / (2 * math.pi) ** 1.5, rel=1e-9)
        assert found.mean[row] == pytest.approx(mean, abs=1e-9)
        if mean @ np.linalg.solve((u * w[:, None]).T @ u / w.sum() - np.outer(mean, mean), mean) < 15:
            assert found.covariance[row] == pytest.approx(
                (u * w[:, None]).T @ u / w.sum() - np.outer(mean, mean), abs=1e-9
            )


def test_samples_out_of_reach_change_nothing_that_can_be_seen():
    points = np.random.default_rng(2).standard_normal((1500, 2))  # several blocks
    bandwidth = np.full(1500, 0.1)
    distance = ((points[:, None] - points) ** 2).sum(axis=2)
    weights = np.exp(-0.5 * distance / 0.01) - np.eye(1500)
    expected = weights.sum(axis=1) / 1499 / (2 * math.pi)
    # beyond 7 bandwidths a kernel is below exp(-24.5) = 2e-11
    assert _lga_moments.moments(points, bandwidth).density == pytest.approx(expected, rel=1e-8, abs=2e-11)


def test_an_outlier_is_reached_at_four_standard_deviations():
    points = np.vstack([0.01 * np.random.default_rng(3).standard_normal((50, 2)), [[5.0, 0.0]]])
    found = _lga_moments.moments(points, np.full(51, 5.0))
    off = found.mean[-1] @ np.linalg.solve(found.covariance[-1], found.mean[-1])
    assert off == pytest.approx(16.0)
    assert found.n_outlying == 1


def test_objective_is_the_local_likelihood_but_for_constants(around):
    moments, others = around
    rng = np.random.default_rng(4)
    (first, one), (second, two) = (fit_of(0.5 * rng.standard_normal(9)) for _ in range(2))
    difference = _lga_fit.objective(first, moments)[0] - _lga_fit.objective(second, moments)[0]
    by_hand = likelihood(first.mean[0], one, others) - likelihood(second.mean[0], two, others)
    assert difference == pytest.approx(by_hand / moments.density[0], rel=1e-10)


def test_gradient_is_that_of_numerical_differences(around):
    fit, _ = fit_of(0.5 * np.random.default_rng(5).standard_normal(9))
    gradient, _ = _lga_fit.derivatives(fit, around[0])

    def along(step):
        return _lga_fit.objective(_lga_fit.moved(fit, step[None]), around[0])[0]

    # central differences of step 1e-5: error 1e-10 of the third derivative, and 1e-11 of rounding
    numerical = [(along(1e-5 * one) - along(-1e-5 * one)) / 2e-5 for one in np.eye(9)]
    assert gradient[0] == pytest.approx(numerical, abs=1e-7)


def test_hessian_at_the_optimum_is_that_of_numerical_differences(around):
    fit = optimum(around[0])
    _, curvature = _lga_fit.derivatives(fit, around[0])

    def along(step):
        return _lga_fit.objective(_lga_fit.moved(fit, step[None]), around[0])[0]

    # where the gradient is 0 the Hessian does not depend on how parameters curve; step 1e-3: errors of order 1e-6
    eye = 1e-3 * np.eye(9)
    numerical = [[(along(a + b) - along(a - b) - along(b - a) + along(-a - b)) / 4e-6 for b in eye] for a in eye]
    assert -curvature[0] == pytest.approx(np.array(numerical), abs=2e-5)


def optimum(around):
    """Climb from the closed form with the package's own steps."""
    fit = _lga_fit.closed_form(around)
    for _ in range(60):
        step, _ = _lga_fit._newton_step(*_lga_fit.derivatives(fit, around), np.zeros(1))
        fit = _lga_fit.moved(fit, step)
    return fit


def test_fit_is_the_optimum_that_a_general_optimiser_finds(around):
    moments, others = around
    found = optimize.minimize(lambda theta: -likelihood(theta[:3], fit_of(theta)[1], others), np.zeros(9), tol=1e-12)
    log_density, left = _lga_fit.log_densities(moments)
    # BFGS with numerical gradients is good to about 1e-5 in parameters
    assert log_density[0] == pytest.approx(fit_of(found.x)[0].log_density()[0], abs=1e-4)
    assert left == 0


def test_fit_is_stationary(around):
    gradient, _ = _lga_fit.derivatives(optimum(around[0]), around[0])
    assert np.abs(gradient).max() < 1e-10


def test_start_is_the_closed_form_of_a_free_amplitude(around):
    """Gaussian times kernel has the kernel's moments: Σ̃ = (Σ⁻¹ + I)⁻¹ = C and Σ̃ Σ⁻¹ μ = m."""
    moments, _ = around
    start = _lga_fit.closed_form(moments)
    axes = start.axes[0]
    precision = axes @ np.diag(1 / start.variances[0]) @ axes.T
    tilted = np.linalg.inv(precision + np.eye(3))
    assert tilted == pytest.approx(moments.covariance[0], abs=1e-12)
    assert tilted @ precision @ start.mean[0] == pytest.approx(moments.mean[0], abs=1e-12)


def test_gaussian_moments_are_a_fixed_point_of_the_whole_fit():
    """Where the kernel's moments are those of a Gaussian and its mass too, the closed form is the solution."""
    variances, mean = np.array([[0.5, 3.0]]), np.array([[0.4, -0.7]])
    shrunk = 1 / (1 + variances)
    exact = _lga_fit.Fit(mean, np.eye(2)[None], variances)
    covariance = np.eye(2)[None] * (variances * shrunk)[:, None, :]
    around = Moments(np.exp(exact.log_density(1.0)), mean * shrunk, covariance, 0)
    assert _lga_fit.log_densities(around)[0] == pytest.approx(exact.log_density(), abs=1e-9)


def test_infinite_bandwidth_gives_the_gaussian_of_the_others(pair):
    points = np.hstack(pair)
    width = np.full(300, 1e4)
    found = _lga_fit.log_densities(_lga_moments.moments(points, width))[0] - 3 * math.log(1e4)
    for row in (0, 5, 100):
        others = np.delete(points, row, axis=0)
        expected = normal_log_density(points[row], others.mean(axis=0), np.cov(others.T, bias=True))
        # the kernel's curvature leaves a relative error of order (extent / bandwidth)² = 1e-7
        assert found[row] == pytest.approx(expected, abs=1e-5)


def test_infinite_bandwidth_gives_the_information_of_the_gaussian():
    x, y = Normal.pairs([0.8, 0.5], (2, 2)).sample(2000, 0)
    ratios, _ = lga.local_information(x, y, np.full(2000, 1e4))
    nats = float(ratios.mean())
    # leaving a sample out of its Gaussian costs the order of d_x d_y / N
    assert nats / LN2 == pytest.approx(Gaussian()(x, y).bits, abs=2 * 4 / 2000 / LN2)


def mean_error(distribution, n, seeds, estimator=None):
    """Mean error in nats over seeds 0, 1, …"""
    estimator = estimator or Lga()
    values = [estimator(*distribution.sample(n, seed)).bits for seed in range(seeds)]
    return (np.mean(values) - distribution.information) * LN2


def test_normals_of_correlation_08_are_within_002_nats():
    assert abs(mean_error(Normal.pairs([0.8], (1, 1)), 1000, 8)) < 0.02  # over 24 seeds .011, standard error .006


def test_normals_of_correlation_09999_are_within_006_nats_where_neighbours_miss_a_quarter():
    strong = Normal.pairs([0.9999], (1, 1))
    assert abs(mean_error(strong, 500, 12)) < 0.06  # over 24 seeds −.035, standard error .010
    assert mean_error(strong, 500, 4, Ksg1()) < -0.2


@pytest.mark.slow
@pytest.mark.parametrize("correlations", [[0.8, 0.8], [0.3, 0.4, 0.5]])
@pytest.mark.parametrize("dim", [3, 5])
def test_normals_in_3_and_5_dimensions_are_nearer_than_by_neighbours(correlations, dim):
    normal = Normal.pairs(correlations, (dim, dim))
    assert abs(mean_error(normal, 5000, 4)) < abs(mean_error(normal, 5000, 4, Ksg1()))


def bimodal(correlation):
    """Two pairs of normals with two modes in every coordinate."""
    normal = Normal.pairs([correlation, correlation], (2, 2))
    return Transformed(normal, transforms.Bimodal(0.3, (0.0, 5.0)), transforms.Bimodal(0.5, (-1.0, 3.0)))


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.75, 0.97])
def test_bimodal_pairs_are_nearer_than_by_neighbours(correlation):
    """As they are: .073 too high at .75, for sixteen modes with gaps between them are no local Gaussians."""
    pairs = bimodal(correlation)
    assert abs(mean_error(pairs, 5000, 6)) < abs(mean_error(pairs, 5000, 6, Ksg1()))


@pytest.mark.slow
def test_ten_thousand_samples_in_four_dimensions_take_less_than_30_seconds():
    x, y = Normal.pairs([0.8, 0.8], (2, 2)).sample(10_000, 0)
    start = time.process_time()
    Lga()(x, y)
    assert time.process_time() - start < 30


@pytest.mark.slow
def test_independent_samples_have_little_information():
    assert abs(mean_error(Normal.pairs([0.0], (1, 1)), 1000, 4)) < 0.03
    assert abs(mean_error(Normal.pairs([0.0], (10, 10)), 1000, 2)) < 0.03


def test_heavy_tails_cost_nothing_in_silence():
    cauchy = tasks()["student-identity-1-1-1"]
    pair = cauchy.sample(1000, 0)
    for marginals, words in (("as-is", "far from all others"), ("auto", "2 coordinates made normal by their ranks")):
        value = Lga(marginals=marginals)(*pair)
        assert value.bits == pytest.approx(cauchy.information, abs=0.2)  # 3 standard deviations of 1000 samples
        assert words in value.reason


def test_increasing_maps_of_single_coordinates_change_nothing_on_normal_scores(pair):
    x, y = pair
    assert Lga(marginals="normal")(x**3, np.exp(y)).bits == Lga(marginals="normal")(x, y).bits


@pytest.mark.slow
def test_coordinates_are_made_normal_where_they_are_clearly_not(pair):
    x, y = Normal.pairs([0.8], (1, 1)).sample(3000, 1)
    assert Lga()(x, y).bits == Lga(marginals="as-is")(x, y).bits
    mapped, as_is = Lga()(np.exp(2 * x), y), Lga(marginals="as-is")(np.exp(2 * x), y)
    assert "1 coordinates made normal by their ranks" in mapped.reason
    assert mapped.bits == pytest.approx(Lga()(x, y).bits, abs=0.02)  # ranks scatter a little less than the values
    assert as_is.bits != pytest.approx(mapped.bits, abs=0.02)


def test_linear_dependence_is_found_before_ranks_hide_it():
    x = np.random.default_rng(10).random((3000, 2))
    assert Lga()(x, x[:, 0] - x[:, 1]).bits == math.inf
    wider = Lga()(np.hstack([x, x.sum(axis=1, keepdims=True)]), x[:, :1] ** 2)
    assert "span 2" in wider.reason
    assert "1 coordinates made normal by their ranks" in wider.reason  # that of y


def test_distance_from_a_normal_is_that_of_scipy():
    values = np.random.default_rng(11).exponential(size=500)
    expected = stats.kstest((values - values.mean()) / values.std(), "norm").statistic
    assert distance_from_normal(1e200 * values) == pytest.approx(expected, rel=1e-9)


def test_scale_and_shift_change_nothing_but_rounding(pair):
    x, y = pair
    assert Lga()(1e5 * x - 3e4, 1e-7 * y + 2e-7).bits == pytest.approx(Lga()(x, y).bits, abs=1e-7)


def test_linear_maps_of_a_side_change_nothing_but_rounding(pair):
    x, y = pair
    assert Lga()(x @ [[1.0, 0.9], [0.2, -3.0]], -y).bits == pytest.approx(Lga()(x, y).bits, abs=1e-7)


def test_order_of_the_variables_changes_nothing_but_rounding(pair):
    x, y = pair
    assert Lga()(y, x).bits == pytest.approx(Lga()(x, y).bits, abs=1e-7)


def test_order_of_the_samples_changes_nothing_but_rounding(pair):
    x, y = pair
    assert Lga()(x[::-1], y[::-1]).bits == pytest.approx(Lga()(x, y).bits, abs=1e-7)


def test_repeated_calls_give_the_same_bits_and_leave_their_input(pair):
    x, y = (side.copy() for side in pair)
    assert Lga()(x, y).bits == Lga()(x, y).bits
    assert (x == pair[0]).all()


def test_linearly_dependent_and_constant_coordinates_are_left_out(pair):
    x, y = pair
    wider = np.hstack([x, x[:, :1] - 2 * x[:, 1:], np.ones((300, 1))])
    value, alone = Lga()(wider, y), Lga()(x, y)
    assert value.bits == pytest.approx(alone.bits, abs=1e-7)
    assert value.flags == alone.flags | {"manifold"}
    assert "3 coordinates of x span 2" in value.reason


@pytest.mark.parametrize("n", [60, 300, 3000])
def test_swiss_roll_is_refused_with_a_flag(n):
    x, y = tasks()[SWISS_ROLL].sample(n, 0)
    for value in (Lga()(x, y), Lga()(y, x)):
        assert math.isnan(value.bits)
        assert value.flags == {"manifold"}
        assert "curve or surface" in value.reason


def test_surface_in_three_dimensions_is_refused_with_a_flag():
    u = np.random.default_rng(6).standard_normal((500, 2))
    x = np.column_stack([u, np.sin(2 * u[:, 0]) * u[:, 1]])
    assert "manifold" in Lga()(x, u[:, 0]).flags


def test_thin_bands_that_the_samples_resolve_are_measured():
    rng = np.random.default_rng(7)
    u, across, noise = rng.standard_normal((3, 1000))
    value = Lga()(np.column_stack([u, u**2 + 0.1 * across]), u + noise)
    assert value.flags == frozenset()
    # given u the other coordinate tells nothing: I = ½ log2(1 + 1); three standard errors and the bias
    assert value.bits == pytest.approx(0.5, abs=0.15)


def test_determined_linear_combinations_have_infinite_information(pair):
    x, _ = pair
    value = Lga()(x, x[:, 0] - x[:, 1])
    assert value.bits == math.inf
    assert "manifold" in value.flags


def test_constant_variables_tell_nothing():
    value = Lga()(np.ones(50), np.arange(50.0))
    assert (value.bits, value.flags) == (0.0, {"constant"})


def test_samples_with_k_copies_give_nan_and_a_flag(pair):
    x, y = (side.copy() for side in pair)
    x[:30], y[:30] = x[0], y[0]
    value = Lga()(x, y)
    assert math.isnan(value.bits)
    assert value.flags == {"ties"}
    assert "use mixed-ksg" in value.reason


def test_rounded_samples_are_flagged_and_measured(pair):
    x, y = pair
    value = Lga()(np.round(x[:, 0], 1), y)
    assert value.flags == {"ties"}
    assert math.isfinite(value.bits)


def test_unconverged_fits_are_counted(pair, monkeypatch):
    monkeypatch.setattr(_lga_fit, "_STEPS", 1)
    assert "of 900 local fits have not converged" in Lga()(*pair).reason


@pytest.mark.slow
def test_more_than_six_coordinates_say_what_was_measured():
    x, y = Normal.pairs([0.7, 0.6, 0.5, 0.4], (4, 4)).sample(1500, 0)
    value = Lga()(x, y)
    assert "high-dimension" in value.flags
    assert "4 and 4 coordinates: the first 3 canonical pairs locally" in value.reason
    assert value.bits == pytest.approx(Gaussian()(x, y).bits, abs=0.1)


def test_fit_parameters_are_checked():
    assert dataclasses.asdict(Lga(k=10)) == {"k": 10, "marginals": "auto"}
    with pytest.raises(InputError, match="lga k is 0; expected a whole number of neighbours"):
        Lga(k=0)
    with pytest.raises(InputError, match="marginals"):
        Lga.with_params({"marginals": "ranks"})


def test_too_few_samples_are_refused():
    rng = np.random.default_rng(8)
    with pytest.raises(InputError, match="lga k is 25 with 20 samples; expected k < N"):
        Lga()(rng.random(20), rng.random(20))
    with pytest.raises(InputError, match="x and y have 20 and 20 independent coordinates and 40 rows"):
        Lga()(rng.random((40, 20)), rng.random((40, 20)))


def test_labels_are_refused():
    with pytest.raises(InputError, match="estimator 'lga' measures continuous pairs"):
        Lga()(np.random.default_rng(9).random(40), np.arange(40) % 2)


@pytest.mark.parametrize("marginals", ["as-is", "auto"])
@pytest.mark.parametrize("wild", [1e6, 1e30])
def test_one_wild_value_keeps_the_value_and_is_flagged(marginals: Literal["as-is", "auto"], wild):
    x, noise = np.random.default_rng(0).standard_normal((2, 500))
    y = 0.8 * x + 0.6 * noise
    x[5] = wild
    found = ip.mutual_information(x, y, "lga", marginals=marginals)
    assert found.bits == pytest.approx(-np.log2(0.6), abs=0.12)  # as without the wild value, one standard error is 0.04
    assert "outliers" in found.flags


@pytest.mark.parametrize(("n", "waves"), [(150, 3), (150, 10), (300, 3)])
def test_dependence_finer_than_the_bandwidth_is_flagged(n, waves):
    x = np.random.default_rng([n, waves]).standard_normal(n)
    found = ip.mutual_information(x, np.sin(waves * x), "lga")  # infinite
    assert "k-dependent" in found.flags
    assert "do not follow the dependence" in found.reason


def test_a_value_that_changes_with_the_bandwidth_is_flagged():
    x, noise = np.random.default_rng(4).standard_normal((2, 300))
    found = ip.mutual_information(np.stack([x, noise], axis=1), x**2, "lga", k=10)  # infinite; ksg1 gives less
    assert "k-dependent" in found.flags
    assert "with 20 neighbors than with 10" in found.reason


@pytest.mark.parametrize(("rho", "dims"), [(0.0, 1), (0.5, 1), (0.95, 1), (0.0, 2), (0.6, 2)])
def test_normal_samples_are_not_flagged(rho, dims):
    for n in (40, 150, 300):
        x, noise = np.random.default_rng([n, dims]).standard_normal((2, n, dims))
        y = rho * x + math.sqrt(1 - rho**2) * noise
        assert ip.mutual_information(x, y, "lga").flags == frozenset()


def test_moments_around_some_rows_are_those_around_all():
    points = np.random.default_rng(6).standard_normal((700, 2))
    width, rows = np.linspace(0.3, 0.5, 700), np.arange(0, 700, 7)
    every, some = _lga_moments.moments(points, width), _lga_moments.moments(points, width[rows], rows)
    assert some.density == pytest.approx(every.density[rows], rel=1e-10)
    assert some.mean == pytest.approx(every.mean[rows], abs=1e-10)
    assert some.covariance == pytest.approx(every.covariance[rows], abs=1e-10)
