"""Standard errors by sub-sampling, intervals, shuffled data, extrapolation."""

import dataclasses
import math
from typing import ClassVar

import numpy as np
import pytest
from scipy import stats

from infoplane.errors import InputError
from infoplane.estimators.copula import Copula
from infoplane.estimators.exact import Exact
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.neighbors import Ksg1, MixedKsg, Ross
from infoplane.estimators.pair import PairEstimator, PairValue, Variable, as_variable, measure_pair
from infoplane.estimators.plugin import Plugin
from infoplane.estimators.sliced import Sliced
from infoplane.estimators.uncertainty import (
    _ORDERS_BYTES,
    Spread,
    _shuffled_orders,
    _spread,
    entropy_with_uncertainty,
    extrapolate,
    with_uncertainty,
)


def measured(estimator, x, y, *, seed=0, uncertainty=True, null=0):
    """Estimate with what was asked for."""
    x, y = as_variable(x, "x"), as_variable(y, "y")
    found = measure_pair(estimator, x, y)
    return with_uncertainty(estimator, x, y, found, seed=seed, uncertainty=uncertainty, null=null)


def normal_pair(n, dims=1, rho=0.5, seed=0):
    """Two normals of so many dimensions, each pair of coordinates with correlation rho."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dims))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((n, dims))


@dataclasses.dataclass(frozen=True)
class Mean(PairEstimator):
    """The mean of x plus a bias of b/N: its variance and bias are known exactly."""

    b: float = 0.0
    name: ClassVar[str] = "mean"
    kinds: ClassVar[tuple[str, ...]] = ("continuous",)

    def between(self, x, y):
        return PairValue(float(x.values.mean()) + self.b / x.n)


@dataclasses.dataclass(frozen=True)
class Needs(Mean):
    """A mean that refuses fewer than so many samples."""

    least: int = 50

    def between(self, x, y):
        if x.n < self.least:
            raise InputError(f"{x.n} samples are too few")
        return super().between(x, y)


# standard error and interval


def test_variance_is_that_of_parts_by_the_law_b_over_n():
    # Parts of halves 0 and 2: variance 2 on n/2 samples, 1 on n. Two divisions into four, variances 4 and 8 on n/4:
    # mean 6/4 on n, three degrees of freedom each. Weighted by freedom: (1 · 1 + 6 · 1.5) / 7.
    halves = np.array([[0.0, 2.0]])
    quarters = np.array([[0.0, 0.0, 0.0, 4.0], [0.0, 0.0, 0.0, math.sqrt(32)]])
    found = _spread({2: halves, 4: quarters})
    assert found.freedom == 7
    assert found.variance == pytest.approx(10 / 7, abs=1e-14)


def test_interval_is_that_of_student():
    error, low, high = Spread(0.04, 12).interval(1.0)
    assert (error, (high - low) / 2) == pytest.approx((0.2, 0.2 * stats.t.ppf(0.975, 12)), abs=1e-12)
    assert (low + high) / 2 == pytest.approx(1.0, abs=1e-12)


def test_standard_error_of_a_mean_is_the_known_one():
    errors = [measured(Mean(), *normal_pair(400, seed=seed), seed=seed).std_error for seed in range(40)]
    # One has 48 degrees of freedom: relative scatter 1/√96; the mean of 40 is within four of its standard errors.
    assert np.mean(errors) == pytest.approx(1 / math.sqrt(400), rel=4 / math.sqrt(96 * 40))
    assert np.std(errors) * math.sqrt(400) < 2 / math.sqrt(96)


@pytest.mark.slow
def test_standard_error_of_the_gaussian_is_the_asymptotic_one():
    # ρ/√N nats (delta method on Fisher's variance of a correlation).
    found = [measured(Gaussian(), *normal_pair(2000, rho=0.7, seed=seed)).std_error for seed in range(10)]
    assert np.mean(found) == pytest.approx(0.7 / math.sqrt(2000) / math.log(2), rel=0.15)  # 4/√960


def test_nothing_else_of_the_estimate_changes():
    x, y = normal_pair(200)
    plain = measured(Gaussian(), x, y, uncertainty=False)
    assert (plain.std_error, plain.interval, plain.null) == (None, None, None)
    full = measured(Gaussian(), x, y, null=10)
    assert dataclasses.replace(full, std_error=None, interval=None, null=None, seconds=plain.seconds) == plain
    assert full.interval[0] < full.bits < full.interval[1]


def test_everything_is_a_function_of_the_seed():
    x, y = normal_pair(200)
    state = np.random.get_state()[1].copy()
    once, again, other = (measured(Gaussian(), x, y, seed=seed, null=10) for seed in (1, 1, 2))
    assert (once.std_error, once.null) == (again.std_error, again.null)
    assert once.std_error != other.std_error
    assert once.null != other.null
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.slow
def test_the_estimators_own_error_is_added_in_quadrature():
    x, y = normal_pair(300, dims=3)
    estimator = Sliced(directions=8, then="gaussian")
    own = estimator(x, y)
    samples = with_uncertainty(
        estimator,
        Variable(x, False),
        Variable(y, False),
        dataclasses.replace(own, std_error=None),
        seed=0,
        uncertainty=True,
        null=0,
    )
    assert measured(estimator, x, y).std_error == pytest.approx(math.hypot(own.std_error, samples.std_error), rel=1e-9)


def test_parts_the_estimator_refuses_are_made_larger():
    x, y = normal_pair(220)
    assert measured(Needs(least=110), x, y).std_error > 0  # halves only
    few = measured(Needs(least=111), x, y)
    assert (few.std_error, few.interval) == (None, None)
    assert few.reason == "no standard error: the estimator cannot measure parts of the 220 samples"


def test_parts_are_measured_without_shrinkage_where_the_whole_is():
    # 20 of 150 samples in a part of twelve dimensions would be shrunk, and vary by far less.
    x, y = normal_pair(150, dims=6, rho=0.5)
    assert Gaussian().settled(Variable(x, False), Variable(y, False)).shrinkage == "none"
    assert Copula().settled(Variable(x, False), Variable(y, False)).shrinkage == "none"
    assert Gaussian().settled(Variable(x[:12], False), Variable(y[:12], False)).shrinkage == "ledoit-wolf"
    assert measured(Gaussian(), x, y).std_error == measured(Gaussian(shrinkage="none"), x, y).std_error


@pytest.mark.parametrize("estimator", [Gaussian(), Copula(), Ross(), Sliced(directions=2), MixedKsg()])
def test_parts_that_lose_a_class_do_no_harm(estimator):
    x, _ = normal_pair(200, dims=2)
    y = np.where(np.arange(200) < 3, "rare", np.where(np.arange(200) < 100, "a", "b"))
    found = measured(estimator, x, y, null=3)
    assert np.isfinite([found.std_error, found.null.mean]).all()


def test_discrete_variables_have_standard_errors():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 30, 300)
    found = measured(Plugin(), x, np.where(rng.random(300) < 0.2, rng.integers(0, 30, 300), x), null=5)
    assert 0.005 < found.std_error < 0.5
    assert found.null.mean < found.bits


def test_infinite_and_undefined_estimates_have_no_standard_error():
    x, _ = normal_pair(200)
    infinite = measured(Gaussian(), x, 2 * x, null=5)
    assert (infinite.bits, infinite.std_error) == (math.inf, None)
    assert infinite.null.p == 1 / 6
    undefined = measured(Gaussian(shrinkage="none"), np.c_[x, x**2], [0] * 198 + [1, 2], null=5)
    assert math.isnan(undefined.bits)
    assert (undefined.std_error, undefined.null) == (None, None)


def test_entropies_have_standard_errors_too():
    x = np.random.default_rng(0).integers(0, 2, (1000, 1)) * (np.random.default_rng(1).random((1000, 1)) < 0.3)
    found = entropy_with_uncertainty(Exact(), x.astype(float), Exact().entropy(x), seed=0)
    p = 0.15  # H'(p) = log2((1−p)/p): standard error |H'| √(p(1−p)/N)
    expected = math.log2((1 - p) / p) * math.sqrt(p * (1 - p) / 1000)
    assert found.std_error == pytest.approx(expected, rel=0.4)  # 4/√96


# shuffled data


def test_null_is_the_estimate_on_shuffled_data():
    x, y = normal_pair(200)
    found = measured(Gaussian(), x, y, null=50).null
    by_hand = []
    for order in _shuffled_orders(200, 0, range(50)):
        by_hand.append(Gaussian()(x, y[order]).bits)
    assert found.mean == pytest.approx(np.mean(by_hand), abs=1e-12)
    assert found.sd == pytest.approx(np.std(by_hand, ddof=1), abs=1e-12)
    assert found.p == 1 / 51


def test_orders_hold_each_row_once_and_each_place_is_equally_likely():
    """4000 orders of 7 rows: 49 cells of 571, 36 of them free."""
    orders = _shuffled_orders(7, 0, range(4000))
    assert (np.sort(orders, axis=1) == np.arange(7)).all()
    counts = np.stack([np.bincount(column, minlength=7) for column in orders.T])
    assert stats.chi2.sf(((counts - 4000 / 7) ** 2 / (4000 / 7)).sum(), 36) > 0.001


@pytest.mark.slow
def test_p_of_independent_data_is_uniform():
    p = [measured(Gaussian(), *normal_pair(60, rho=0.0, seed=s), uncertainty=False, null=19).null.p for s in range(200)]
    shares = np.bincount(np.round(np.array(p) * 20).astype(int), minlength=21)[1:]
    assert stats.chisquare(shares).pvalue > 0.001


def test_shuffles_in_blocks_are_the_same(monkeypatch):
    x, y = normal_pair(200)
    whole = measured(Gaussian(), x, y, uncertainty=False, null=7).null
    monkeypatch.setattr("infoplane.estimators.uncertainty._ORDERS_BYTES", 3 * 8 * 200)
    assert measured(Gaussian(), x, y, uncertainty=False, null=7).null == whole
    assert _ORDERS_BYTES > 8 * 200


@pytest.mark.parametrize(("arguments", "words"), [
    ({"null": 1}, "null is 1; expected 0, or at least 2 shuffles"),
    ({"null": -1}, "null is -1; expected a whole number, at least 0"),
    ({"seed": -1}, "seed is -1; expected a whole number, at least 0"),
])  # fmt: skip
def test_numbers_that_cannot_be_used_are_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        measured(Gaussian(), *normal_pair(50), **arguments)


# extrapolation


def test_extrapolation_takes_off_a_bias_of_order_1_over_n_exactly():
    x, y = normal_pair(240)  # 240 is a multiple of 2, 3 and 4, so the means of parts are the mean of all
    found = extrapolate(Mean(b=30.0), x, y)
    assert found.bits == pytest.approx(x.mean(), abs=1e-12)
    assert found.reason == f"+0.125 bits taken off {x.mean() + 0.125:.4f} by a line in 1/N"
    assert found.std_error == pytest.approx(1 / math.sqrt(240), rel=0.5)  # 24 degrees of freedom: 1/√48


def test_extrapolation_takes_off_the_bias_of_plug_in_values():
    # A 6 × 6 table: (36 − 6 − 6 + 1) / 2N nats too much, and some 1/N² that the line takes for 1/N.
    taken = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 6, 1000)
        y = np.where(rng.random(1000) < 0.5, x, rng.integers(0, 6, 1000))
        taken.append(Plugin()(x, y).bits - extrapolate(Plugin(), x, y, seed=seed).bits)
    assert np.mean(taken) == pytest.approx(25 / 2000 / math.log(2), rel=0.25)


def test_extrapolation_takes_names_and_refuses_what_it_cannot_measure():
    x, y = normal_pair(200)
    assert extrapolate("gaussian", x, y).bits == extrapolate(Gaussian(), x, y).bits
    with pytest.raises(InputError, match="estimator 'exact' does not measure pairs"):
        extrapolate("exact", x, y)
    with pytest.raises(InputError, match="cannot measure parts of 50 of the 200 samples"):
        extrapolate(Needs(least=60), x, y)


# coverage


def normals(rng, n, dims, rho):
    x = rng.standard_normal((n, dims))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((n, dims))


def bits_of_normals(dims, rho):
    return -dims * math.log2(1 - rho**2) / 2


def zero_inflated_poisson(rng, n):
    """X exponential, Y = 0 with probability .15, else Poisson(X)."""
    x = rng.exponential(size=n)
    return x, np.where(rng.random(n) < 0.15, 0, rng.poisson(x)).astype(float)


def bits_of_zero_inflated_poisson():
    """By quadrature over x. (.85 times the .3012 nats of the Poisson part is too much: a 0 may be either.)"""
    grid = np.linspace(0, 40, 10_001)
    weight = np.exp(-grid) * (grid[1] - grid[0])
    weight[0] /= 2
    given = 0.85 * stats.poisson.pmf(np.arange(60)[:, None], grid)
    given[0] += 0.15
    ratio = np.log2(np.maximum(given, 1e-300) / (given @ weight)[:, None])
    return float(((given * ratio) @ weight).sum())


def binary_channel(rng, n):
    x = rng.integers(0, 2, n)
    return x, x ^ (rng.random(n) < 0.2)


def two_classes(rng, n):
    y = rng.integers(0, 2, n)
    return rng.standard_normal(n) + 2 * y - 1, y


def bits_of_two_classes():
    """Entropy of the mixture of N(±1, 1) by quadrature, less that of one."""
    grid = np.linspace(-12, 12, 4001)
    density = (stats.norm.pdf(grid, -1) + stats.norm.pdf(grid, 1)) / 2
    return float(-(density * np.log2(density)).sum() * (grid[1] - grid[0]) - stats.norm.entropy() / math.log(2))


COVERED = {
    "normals, independent, ksg1": (Ksg1(), lambda rng: normals(rng, 600, 1, 0.0), 0.0),
    "normals, ρ=.8, gaussian": (Gaussian(), lambda rng: normals(rng, 1000, 1, 0.8), bits_of_normals(1, 0.8)),
    "normals, 3×3, ρ=.6, gaussian": (Gaussian(), lambda rng: normals(rng, 1000, 3, 0.6), bits_of_normals(3, 0.6)),
    "zero-inflated Poisson, mixed-ksg": (
        MixedKsg(),
        lambda rng: zero_inflated_poisson(rng, 600),
        bits_of_zero_inflated_poisson(),
    ),
    "binary symmetric channel, plugin": (
        Plugin(),
        lambda rng: binary_channel(rng, 1000),
        1 - stats.entropy([0.2, 0.8], base=2),
    ),
    "two normal classes, ross": (Ross(), lambda rng: two_classes(rng, 600), bits_of_two_classes()),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", COVERED)
def test_intervals_cover_the_truth_as_often_as_they_say(case):
    estimator, draw, truth = COVERED[case]
    hits = 0
    for repeat in range(200):
        x, y = draw(np.random.default_rng([7, repeat]))
        low, high = measured(estimator, x, y, seed=repeat).interval
        hits += low <= truth <= high
    print(f"{case}: {hits / 200:.3f}")
    assert 0.90 <= hits / 200 <= 0.98
