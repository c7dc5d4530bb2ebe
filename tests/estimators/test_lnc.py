"""Information where neighbours lie along lines and surfaces: the local non-uniformity correction and its α."""

import math

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.estimators import _local_constants as constants
from infoplane.estimators.lnc import Lnc
from infoplane.estimators.neighbors import Ksg2
from infoplane.truth import tasks

LN2 = math.log(2)


def nats(x, y, **params):
    return Lnc(**params)(x, y).bits * LN2


def near_line(n, noise, seed=0):
    x, other = np.random.default_rng(seed).random((2, n))
    return x, x + noise * other


# the formula


def test_boxes_of_a_diagonal_by_hand():
    """Neighbours at ±(1, 1): the box along coordinates has half-widths 1, 1, that along the axes √2 and 0."""
    principal, along = constants.log_boxes(np.array([[[1.0, 1.0], [-1.0, -1.0]]]), resolution=1e-9)
    assert np.exp(principal[0]) == pytest.approx([1e-9, math.sqrt(2)], rel=1e-9)
    assert along[0] == pytest.approx(0, abs=1e-12)


def test_boxes_of_a_tilted_cross_by_hand():
    """Neighbours ±2(1, 1) and ±(1, −1)/2: half-widths 2, 2 along coordinates, 2√2 and √½ along the axes: V̄/V = ½."""
    z = np.array([[[2.0, 2.0], [-2.0, -2.0], [0.5, -0.5], [-0.5, 0.5]]])
    principal, along = constants.log_boxes(z)
    assert np.exp(np.sort(principal[0])) == pytest.approx([math.sqrt(0.5), 2 * math.sqrt(2)])
    assert math.exp(principal[0].sum() - along[0]) == pytest.approx(0.5)


def test_without_a_ratio_it_is_the_second_estimator_of_kraskov():
    x, y = near_line(200, 0.01)
    assert Lnc(alpha=0.0)(x, y).bits == pytest.approx(Ksg2(k=5)(x, y).bits, abs=1e-12)


def test_the_correction_by_a_plain_implementation():
    x, y = near_line(120, 0.02, seed=1)
    x, y = x / x.std(), y / y.std()
    added = 0.0
    for row in np.stack([x, y], axis=1):
        seen = np.stack([x, y], axis=1) - row
        z = seen[np.argsort(np.abs(seen).max(axis=1))[1:6]]
        axes = np.linalg.svd(z)[2]
        rotated, straight = np.abs(z @ axes.T).max(axis=0).prod(), np.abs(z).max(axis=0).prod()
        added += math.log(straight / rotated) if rotated < 0.4 * straight else 0.0
    expected = Ksg2(k=5)(x, y).bits * LN2 + added / 120
    assert added > 10
    assert nats(x, y, alpha=0.4) == pytest.approx(expected, abs=1e-9)


# α

PUBLISHED = {
    (3, 2): 0.1822, (5, 2): 0.25, (4, 3): 0.0778, (5, 3): 0.167, (10, 3): 0.49, (20, 3): 0.7573,
    (6, 5): 0.02395, (10, 5): 0.2394, (20, 5): 0.6795, (11, 10): 0.00373, (20, 10): 0.3981,
}  # fmt: skip
"""(k, d): ratios of the authors' paper and program, which no one definition reproduces."""


@pytest.mark.parametrize(("k", "dims"), PUBLISHED)
def test_ratios_are_within_a_factor_of_two_of_the_published_ones(k, dims):
    constant = constants.volume_ratio(k, dims)
    assert 0.5 < constant.value / PUBLISHED[k, dims] < 2
    assert 0 < constant.std_error < 0.02 * constant.value


@pytest.mark.parametrize("key", [(5, 2), (4, 3), (10, 5)])
def test_ratios_of_the_table_are_what_is_drawn(key):
    """Another seed; five standard errors of the shorter run."""
    drawn = constants.draw_ratio(*key, draws=40_000, seed=7)
    assert drawn.value == pytest.approx(constants._RATIOS[key][0], abs=5 * drawn.std_error)


def test_ratios_outside_the_table_are_drawn():
    assert (9, 2) not in constants._RATIOS
    assert constants.volume_ratio(8, 2).value < constants.volume_ratio(9, 2).value < constants.volume_ratio(10, 2).value


def test_uniform_neighbours_are_taken_for_a_line_once_in_two_hundred():
    """Binomial standard error of 0.005 in 40 000: 0.00035."""
    rng, size = next(constants._batches(40_000, 10, seed=11))
    share = (constants._ratios(rng, size, 5, 2) < constants.volume_ratio(5, 2).value).mean()
    assert share == pytest.approx(constants.TRIGGERED, abs=5 * 0.00035)


# distributions with known values and published figures


def test_a_line_with_little_noise_comes_out_as_published():
    """S. Gao and others 2015: 15.94 nats of 16.05 at N = 500 and noise 10⁻⁷, where KSG stops at 5.79."""
    values = [nats(*near_line(500, 1e-7, seed)) for seed in range(5)]
    assert np.mean(values) == pytest.approx(15.94, rel=0.02)
    assert np.mean(values) == pytest.approx(-math.log(1e-7), rel=0.02)


def test_a_parabola_with_little_noise_comes_out_as_published():
    """S. Gao and others 2015: 11.46 nats of 15.82 at N = 1000: the correction sees the curve."""
    values = []
    for seed in range(5):
        x, y = near_line(1000, 1e-7, seed)
        values.append(nats(x, y - x + x**2))
    assert np.mean(values) == pytest.approx(11.46, rel=0.02)


@pytest.mark.parametrize("rho", [0.0, 0.75, 0.999])
def test_normal_pairs_have_their_information(rho):
    """Mean of 4 of N = 2000, standard error 0.012; the correction adds 0.006."""
    values = []
    for seed in range(4):
        x, noise = np.random.default_rng(seed).standard_normal((2, 2000))
        values.append(nats(x, rho * x + math.sqrt(1 - rho**2) * noise))
    assert np.mean(values) == pytest.approx(-math.log(1 - rho**2) / 2, abs=0.07)


def test_independent_variables_of_four_coordinates_tell_little():
    """With k below the number of coordinates the same correction was 0.6 nats and more."""
    x, y = np.random.default_rng(2).standard_normal((2, 2000, 2))
    assert nats(x, y) == pytest.approx(0, abs=0.08)


# invariances


@pytest.mark.parametrize(("a", "b"), [(1e4, 1.0), (1e-12, 1e-12), (-3.0, 1e4), (1e200, 1e-200)])
def test_it_does_not_see_units(a, b):
    x, y = near_line(300, 0.02)
    assert nats(a * x, b * y) == pytest.approx(nats(x, y), abs=1e-9)


def test_it_sees_no_shift_no_order_and_no_side():
    x, y = near_line(300, 0.02)
    value = nats(x, y)
    order = np.random.default_rng(3).permutation(300)
    assert nats(x[order], y[order]) == pytest.approx(value, abs=1e-9)
    assert nats(y, x) == pytest.approx(value, abs=1e-9)
    assert nats(x + 4, y - 7) == pytest.approx(value, abs=1e-9)


def test_samples_are_not_changed():
    x, y = near_line(100, 0.02)
    kept = x.copy(), y.copy()
    nats(x, y)
    assert (x == kept[0]).all()
    assert (y == kept[1]).all()


# flags


def test_strong_dependence_has_no_flag():
    assert Lnc()(*near_line(500, 1e-7)).flags == set()


def test_a_swiss_roll_is_flagged():
    x, y = tasks()["swissroll_x-normal_cdf-1v1-normal-0.75"].sample(2000, 0)
    given = Lnc()(x, y)
    assert "manifold" in given.flags
    assert "the 2 coordinates of x lie near a surface of 1.0 dimensions" in given.reason
    assert "manifold" in Lnc()(y, x).flags


def test_a_curve_without_noise_and_a_variable_beside_itself_are_flagged():
    x = np.random.default_rng(4).random(400)
    curve, same = Lnc()(x, x**2), Lnc()(x, x)
    assert curve.flags == same.flags == {"manifold"}
    assert "thinner than their neighbours" in curve.reason
    assert "flat to rounding" in same.reason


def test_ties_are_flagged_and_leave_a_finite_number():
    rng = np.random.default_rng(5)
    x = np.maximum(rng.standard_normal(300), 0)
    given = Lnc()(x, x + 0.1 * rng.standard_normal(300))
    assert "ties" in given.flags
    assert math.isfinite(given.bits)
    grid = Lnc()(np.arange(1.0, 12), np.arange(1.0, 12))
    assert {"ties", "manifold"} <= grid.flags


def test_a_constant_tells_nothing():
    given = Lnc()(np.full(50, 0.3), np.random.default_rng(6).random(50))
    assert (given.bits, given.flags) == (0.0, {"constant"})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Lnc(k=0), "lnc k is 0; expected a whole number of neighbours"),
        (lambda: Lnc(alpha=1.5), "lnc alpha is 1.5; expected None or a ratio of volumes from 0 to 1"),
        (lambda: Lnc.with_params({"alpha": True}), "lnc alpha is True"),
        (lambda: Lnc()(*np.random.default_rng(0).random((2, 50, 3))), "lnc k is 5 with 3 and 3 coordinates; .*least 7"),
        (lambda: Lnc(k=4)(*np.random.default_rng(0).random((2, 50, 2))), "lnc k is 4 with 2 and 2 coordinates"),
        (lambda: Lnc()(*np.random.default_rng(0).random((2, 5))), "lnc k is 5 with 5 samples"),
        (lambda: Lnc()(np.arange(50), np.random.default_rng(0).random(50)), "estimator 'lnc' measures continuous"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(call, text):
    with pytest.raises(InputError, match=text):
        call()
