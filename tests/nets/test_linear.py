"""Deep linear networks: gradients against finite differences, descent against the closed form of regression."""

import numpy as np
import pytest

from infoplane.nets.linear import LARGEST, descend, gradients, initialise, maps

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 4))
Y = X @ RNG.standard_normal((4, 2)) + 0.3 * RNG.standard_normal((40, 2))


def loss(weights):
    return 0.5 * np.mean(((Y - X @ maps(weights)[-1].T) ** 2).sum(axis=1))


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3)])
def test_gradients_are_those_of_finite_differences(hidden):
    weights = initialise((4, *hidden, 2), 1.0, np.random.default_rng(1))
    found = gradients(weights, X.T @ X / 40, Y.T @ X / 40)
    step = 1e-6
    for layer, kernel in enumerate(weights):
        for place in np.ndindex(*kernel.shape):
            ends = []
            for sign in (1, -1):
                moved = [one.copy() for one in weights]
                moved[layer][place] += sign * step
                ends.append(loss(tuple(moved)))
            assert found[layer][place] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7)


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_descent_ends_at_the_least_squares_solution(hidden):
    start = initialise((4, *hidden, 2), 0.5, np.random.default_rng(2))
    *_, last = descend(start, X, Y, learning_rate=0.1, epochs=3000)
    expected = np.linalg.lstsq(X, Y, rcond=None)[0].T
    assert maps(last)[-1] == pytest.approx(expected, abs=1e-8)


def test_a_single_layer_follows_the_exact_path():
    """W(e) = W* + (W(0) − W*)(1 − ηS)^e, with S = ⟨x xᵀ⟩ and W* = ⟨y xᵀ⟩ S⁻¹."""
    start = initialise((4, 2), 1.0, np.random.default_rng(3))
    second = X.T @ X / 40
    best = Y.T @ X / 40 @ np.linalg.inv(second)
    path = list(descend(start, X, Y, learning_rate=0.05, epochs=20))
    expected = best + (start[0] - best) @ np.linalg.matrix_power(np.eye(4) - 0.05 * second, 20)
    assert path[20][0] == pytest.approx(expected, abs=1e-12)


def test_the_path_begins_where_it_is_told_and_has_an_entry_an_epoch():
    start = initialise((4, 3, 2), 1.0, np.random.default_rng(4))
    path = list(descend(start, X, Y, learning_rate=0.01, epochs=7))
    assert len(path) == 8
    assert all(np.array_equal(one, other) for one, other in zip(path[0], start, strict=True))


def test_maps_are_products_of_kernels():
    one, two, three = initialise((4, 3, 3, 2), 1.0, np.random.default_rng(5))
    made = maps((one, two, three))
    assert np.array_equal(made[0], one)
    assert made[2] == pytest.approx(three @ two @ one)


def test_the_initial_scale_is_that_of_the_entries():
    (kernel,) = initialise((400, 400), 0.3, np.random.default_rng(6))
    assert kernel.std() * np.sqrt(400) == pytest.approx(0.3, rel=0.02)  # 160 000 entries: 0.2 % of standard error


def test_a_learning_rate_that_is_too_large_ends_the_path_early():
    start = initialise((4, 3, 2), 1.0, np.random.default_rng(7))
    path = list(descend(start, X, Y, learning_rate=100.0, epochs=500))
    assert len(path) < 500
    assert all(np.abs(kernel).max() <= LARGEST for weights in path for kernel in weights)
