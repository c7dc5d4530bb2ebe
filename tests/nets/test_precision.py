"""Distinct rows and ranks in several precisions, against cases worked out by hand and the float32 network."""

import jax.numpy as jnp
import numpy as np
import pytest

from infoplane.nets import mlp, precision


def one(rows):
    """Activations of one member given as rows, one a sample."""
    return np.array(rows, np.float64).T[None]


def counts(rows):
    exact = one(rows)
    return {name: float(value[0]) for name, value in precision.counts(exact.astype(np.float32), exact).items()}


def test_rows_that_differ_by_more_than_every_precision_are_distinct_in_each():
    assert counts([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]) == {
        "distinct_rows_float16": 3,
        "distinct_rows_float64": 3,
        "rank": 2,
        "rank_float64": 2,
    }


def test_half_precision_merges_rows_a_ten_thousandth_apart_and_float64_keeps_what_float32_merges():
    # half precision near 1 has steps of 2^-11 = 4.9e-4 below and 9.8e-4 above; float32 of 6e-8 below
    found = counts([[0.9], [0.9001], [0.9 + 1e-9]])
    assert (found["distinct_rows_float16"], found["distinct_rows_float64"]) == (1, 3)


def test_saturation_merges_rows_in_float64_too():
    z = np.array([[20.0], [30.0], [40.0], [1.0]])  # tanh(20) and beyond are 1 to 1e-17
    assert counts(np.tanh(z))["distinct_rows_float64"] == 2


def test_units_that_repeat_or_are_dead_lower_the_rank():
    rng = np.random.default_rng(0)
    free = rng.standard_normal((50, 2))
    rows = np.column_stack([free, free.sum(axis=1), np.zeros(50)])
    assert counts(rows)["rank"] == counts(rows)["rank_float64"] == 2


def test_what_is_not_finite_has_no_count():
    assert np.isnan(list(counts([[np.inf, 1.0], [2.0, 3.0]]).values())).all()


@pytest.mark.parametrize("activation", mlp.ACTIVATIONS)
def test_float64_activations_are_those_of_the_network(activation):
    weights = mlp.init_weights([12, 8, 5, 2], "fan-in", "fan-in", 0, [0, 1])
    x = np.random.default_rng(0).standard_normal((12, 30)).astype(np.float32)
    as_trained = mlp.activations([tuple(map(jnp.asarray, layer)) for layer in weights], activation, jnp.asarray(x))
    for exact, rounded in zip(precision.activations(weights, activation, x), as_trained, strict=True):
        assert exact.dtype == np.float64
        np.testing.assert_allclose(exact, rounded, atol=2e-6)  # a few float32 roundings of numbers near 1


def test_every_activation_has_its_float64_twin():
    assert set(precision.ACTIVATIONS) == set(mlp.ACTIVATIONS)


def test_a_random_square_layer_of_linear_units_is_invertible():
    """The drafts' argument where it holds: random square matrices have full rank, and rows stay apart."""
    weights = mlp.init_weights([12, 12, 2], "fan-in", "fan-in", 0, [0])
    x = (np.arange(4096)[:, None] >> np.arange(12) & 1).T.astype(np.float32)
    hidden = precision.activations(weights, "linear", x)[0]
    found = precision.counts(hidden.astype(np.float32), hidden)
    assert (found["rank"][0], found["distinct_rows_float64"][0]) == (12, 4096)


def test_relu_of_a_random_matrix_merges_inputs_in_every_precision():
    """And where it does not: a narrow layer of ReLU units gives one row to all inputs that none of them hears."""
    weights = mlp.init_weights([12, 3, 2], "fan-in", "fan-in", 0, list(range(20)))
    x = (np.arange(4096)[:, None] >> np.arange(12) & 1).T.astype(np.float32)
    hidden = precision.activations(weights, "relu", x)[0]
    found = precision.counts(hidden.astype(np.float32), hidden)
    assert (found["distinct_rows_float64"] < 4096).any()
