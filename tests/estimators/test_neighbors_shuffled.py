"""Information of many shuffles at once: what each gives by itself, bit for bit."""

import math

import numpy as np
import pytest

import infoplane as ip
from infoplane.estimators.neighbors import Ksg1, MixedKsg, Ross
from infoplane.estimators.pair import as_variable

CONTINUOUS = ("ksg1", "ksg2", "mixed-ksg")


def normal_pair(n, rho, dims=1, seed=0):
    """Jointly normal with correlation rho in each coordinate."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dims))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((n, dims))


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("dims", [1, 3])
def test_many_second_variables_give_what_each_gives(name, dims):
    x, y = (as_variable(part, "x") for part in normal_pair(150, 0.7, dims))
    rng = np.random.default_rng(0)
    orders = [rng.permutation(150) for _ in range(13)]
    estimator = {"ksg1": Ksg1, "mixed-ksg": MixedKsg}.get(name, type(ip.estimators.build(name)))()
    assert estimator.between_shuffled(x, y, orders) == [estimator.between(x, y.take(one)).bits for one in orders]


@pytest.mark.parametrize("estimator", [Ross(), MixedKsg(k=2), Ross(norm="euclidean")])
@pytest.mark.parametrize("data", ["normal", "copies", "clusters", "line"])
def test_many_shuffled_labels_give_what_each_gives(estimator, data):
    """Ten shuffles use lists of near samples, which are too short for some; copies are atoms."""
    n = 1000
    x, y = normal_pair(n, 0.7, 2)
    if data == "copies":
        x = np.maximum(x, 0)
    if data == "clusters":
        x[::50] += 30
    points = as_variable(x[:, :1] if data == "line" else x, "x")
    labels, rng = as_variable(np.digitize(y[:, 0], [0, 1]), "y"), np.random.default_rng(0)
    orders = [rng.permutation(n) for _ in range(10)]
    alone = [estimator.between(points, labels.take(order)).bits for order in orders]
    assert estimator.between_shuffled(points, labels, orders) == alone
    alone = [estimator.between(labels, points.take(order)).bits for order in orders]
    assert estimator.between_shuffled(labels, points, orders) == alone


def test_a_label_that_occurs_once_is_left_out_of_each_shuffle():
    x, y = normal_pair(100, 0.7, 2)
    labels = as_variable(np.append(np.digitize(y[1:, 0], [0, 1]), 9), "y")
    points, rng = as_variable(x, "x"), np.random.default_rng(0)
    orders = [rng.permutation(100) for _ in range(9)]
    alone = [Ross().between(points, labels.take(order)).bits for order in orders]
    assert Ross().between_shuffled(points, labels, orders) == alone


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("norm", ["max", pytest.param("euclidean", marks=pytest.mark.slow)])
@pytest.mark.parametrize("data", ["normal", "tails", "copies", "clusters", "grid", "line beside two"])
def test_many_shuffles_give_what_each_gives(name, norm, data):
    """Nine shuffles of 600 samples use lists of 67 near samples, which are too short for some."""
    x, y = normal_pair(600, 0.7, 2)
    if data == "tails":
        x, y = x**5, np.sinh(3 * y)
    if data == "copies":
        x = np.maximum(x, 0)
    if data == "clusters":
        x[::50] += 1e6
    if data == "grid":
        x, y = np.round(2 * x), np.round(3 * y)
    if data == "line beside two":
        x = x[:, :1]
    x, y, rng = as_variable(x, "x"), as_variable(y, "y"), np.random.default_rng(0)
    estimator = type(ip.estimators.build(name))(k=3, norm=norm)
    orders = [rng.permutation(600) for _ in range(9)]
    alone = [estimator.between(x, y.take(order)).bits for order in orders]
    assert estimator.between_shuffled(x, y, orders) == alone


@pytest.mark.parametrize("estimator", [Ross(), MixedKsg()])
def test_a_label_whose_values_are_all_equal_is_shuffled_as_any_other(estimator):
    """The coordinate varies, since the other labels have values of their own."""
    labels = np.repeat([0, 1, 2], [4, 5, 30])
    x = np.concatenate([np.full(4, 0.5), np.full(5, 0.25), np.random.default_rng(0).standard_normal(30).round(1)])
    first, second = as_variable(x, "x"), as_variable(labels, "y")
    orders = [np.arange(39), np.random.default_rng(1).permutation(39)]
    bits = estimator.between_shuffled(first, second, orders)
    assert bits == [estimator.between(first, second.take(one)).bits for one in orders]
