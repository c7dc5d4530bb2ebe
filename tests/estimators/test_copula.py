"""Information of ranks: invariance, ties, and what measures the scores."""

import math

import numpy as np
import pytest
from scipy import stats

from infoplane.errors import InputError
from infoplane.estimators.copula import Copula, normal_scores
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.neighbors import Ksg1, Ross
from infoplane.estimators.pair import Variable, as_variable


@pytest.fixture(scope="module")
def pair():
    """Three normals each side, correlation .6 a pair: 0.966 bits."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3))
    return x, 0.6 * x + 0.8 * rng.standard_normal((400, 3))


def by_hand(x):
    """Normal scores of each column, through scipy's ranks and quantiles."""
    columns = [stats.norm.ppf(stats.rankdata(column) / (len(column) + 1)) for column in x.T]
    return np.stack(columns, axis=1)


def test_value_is_the_gaussian_formula_of_normal_scores(pair):
    x, y = pair
    assert Copula()(x, y).bits == pytest.approx(Gaussian()(by_hand(x), by_hand(y)).bits, abs=1e-12)


def test_scores_of_five_values_are_quantiles_of_sixths():
    scores = normal_scores(as_variable([3.0, -1.0, 7.0, 3.0, 0.5], "x")).values[:, 0]
    assert scores == pytest.approx(stats.norm.ppf(np.array([3.5, 1, 5, 3.5, 2]) / 6), abs=1e-14)


@pytest.mark.parametrize("then", ["gaussian", "ksg1"])
def test_increasing_maps_of_every_coordinate_leave_every_bit(pair, then):
    x, y = pair
    maps = (np.exp(3 * x[:, 0]), x[:, 1] ** 3, 1e-12 * np.arctan(x[:, 2]))
    assert Copula(then=then)(np.stack(maps, axis=1), 1e4 * np.sinh(y)).bits == Copula(then=then)(x, y).bits


def test_decreasing_maps_change_nothing_but_rounding(pair):
    x, y = pair
    assert Copula()(-x, np.exp(-y)).bits == pytest.approx(Copula()(x, y).bits, abs=1e-12)


def test_correlated_normals_in_one_dimension_have_their_closed_form():
    rng = np.random.default_rng(1)
    x, noise = rng.standard_normal((2, 20_000))
    value = Copula()(np.exp(x), np.tanh(0.8 * x + 0.6 * noise))
    assert value.bits == pytest.approx(-math.log2(0.6), abs=4 * 0.8 / math.sqrt(20_000) / math.log(2))  # ρ/√N nats


def test_dependence_without_correlation_of_ranks_is_not_seen():
    angle = np.random.default_rng(2).uniform(0, 2 * np.pi, 5000)
    circle = np.cos(angle), np.sin(angle)
    assert abs(Copula()(*circle).bits) < 0.01
    assert Copula(then="ksg1")(*circle).bits > 3


def test_neighbours_work_on_the_scores(pair):
    x, y = pair
    value = Copula(then="ksg1", k=4, norm="euclidean")(x, y)
    assert value.bits == Ksg1(4, "euclidean")(by_hand(x), by_hand(y)).bits


@pytest.mark.parametrize("then", ["gaussian", "ksg1"])
def test_labels_are_not_ranked(pair, then):
    x, _ = pair
    y = np.where(x[:, 0] > 0, 7, -3)
    expected = {"gaussian": Gaussian(), "ksg1": Ross()}[then](by_hand(x), y)
    assert Copula(then=then)(x, y).bits == pytest.approx(expected.bits, abs=1e-12)
    assert Copula(then=then)(y, x).bits == pytest.approx(expected.bits, abs=1e-12)


def test_many_values_are_those_of_one_at_a_time(pair):
    x, y = pair
    x, y = Variable(x, False), Variable(y, False)
    orders = [np.arange(400), np.arange(400)[::-1]]
    for estimator in (Copula(), Copula(then="ksg1")):
        alone = [estimator.between(x, y.take(order)).bits for order in orders]
        assert estimator.between_shuffled(x, y, orders) == pytest.approx(alone, abs=1e-12)
    assert Copula().between_shuffled(Variable(0 * x.values, False), y, orders) == [0.0, 0.0]


# ties and constants


def test_ties_take_mean_ranks_and_are_flagged(pair):
    x, y = pair
    coarse = np.round(x)
    value = Copula()(coarse, y)
    assert value.bits == pytest.approx(Gaussian()(by_hand(coarse), by_hand(y)).bits, abs=1e-12)
    assert value.flags == {"ties"}
    shares = [np.mean(np.bincount((column + 9).astype(int))[(column + 9).astype(int)] > 1) for column in coarse.T]
    assert value.reason == f"{np.mean(shares):.1%} of the values of x are tied"


def test_one_tied_pair_among_many_samples_is_no_flag(pair):
    x, y = pair
    twice = x.copy()
    twice[1] = twice[0]
    assert Copula()(twice, y).flags == frozenset()


def test_a_constant_coordinate_changes_nothing(pair):
    x, y = pair
    for estimator in (Copula(), Copula(then="ksg1")):
        value = estimator(np.c_[x, np.ones(400)], y)
        assert value.bits == pytest.approx(estimator(x, y).bits, abs=1e-12)
        assert value.flags == estimator(x, y).flags


def test_constant_data_tell_nothing(pair):
    value = Copula()(pair[0], np.ones(400))
    assert (value.bits, value.flags) == (0.0, {"constant"})


@pytest.mark.parametrize(("params", "words"), [
    ({"then": "kde"}, "then"),
    ({"k": 0}, "k is 0; expected a whole number of neighbours"),
])  # fmt: skip
def test_parameters_that_mean_nothing_are_refused(params, words):
    with pytest.raises(InputError, match=words):
        Copula.with_params(params)


@pytest.mark.parametrize("n", [250, 400])
def test_halves_of_a_normal_are_no_normal_classes(n):
    """One bit; the Gaussian says .7, below it: half a normal has a skewness of 1, and one sample far out hides it."""
    for seed in range(5):
        x = np.random.default_rng(seed).standard_normal(n)
        labels = (x > 0).astype(int)
        x[0] = 1e6
        assert "not-gaussian" in Copula()(x, labels).flags


@pytest.mark.parametrize("n", [60, 400])
def test_normal_classes_are_not_flagged(n):
    rng = np.random.default_rng(3)
    for _ in range(40):
        labels = rng.integers(0, 2, n)
        assert "not-gaussian" not in Gaussian()(rng.standard_normal((n, 3)) + labels[:, None], labels).flags
