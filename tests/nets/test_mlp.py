"""Layout, activations and initialisations of the networks."""

import itertools
import math
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest, norm, truncnorm

from infoplane.nets import mlp
from infoplane.nets.train import OPTIMISERS
from infoplane.runs import config

SIZES = (12, 10, 7, 5, 4, 3, 2)

TRUNCATED_VARIANCE = 1 - 4 * norm.pdf(2) / (norm.cdf(2) - norm.cdf(-2))
"""Variance of a standard normal within 2 standard deviations, by integrating z² φ(z) by parts: 0.7737."""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


CLOSED_FORMS = {
    "tanh": lambda z: 1 - 2 / (np.exp(2 * z) + 1),
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "swish": lambda z: z * sigmoid(z),
    "leaky-relu": lambda z: np.where(z > 0, z, 0.01 * z),
}

AT_100 = {"tanh": 1, "softsign": 100 / 101}
AT_MINUS_100 = {"tanh": -1, "linear": -100, "softsign": -100 / 101, "elu": -1, "leaky-relu": -1}


def init(**changes):
    arguments = {"sizes": SIZES, "init": "fan-in", "output_init": "fan-in", "seed": 0, "members": [0]}
    return mlp.init_weights(**(arguments | changes))


def on_device(weights):
    return jax.tree.map(jnp.asarray, weights)


def same(first, second):
    return all(
        np.array_equal(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_configuration_names_every_activation_initialisation_and_optimiser():
    assert typing.get_args(config.Activation) == tuple(mlp.ACTIVATIONS)
    assert typing.get_args(config.Initialisation) == tuple(mlp.INITIALISATIONS)
    assert typing.get_args(config.TrainConfig.model_fields["optimizer"].annotation) == OPTIMISERS


@pytest.mark.parametrize("name", mlp.ACTIVATIONS)
def test_activation_is_its_closed_form(name):
    z = np.linspace(-6, 6, 97)
    # float32 keeps 6e-8 of each intermediate, and elu and tanh subtract numbers of order 1
    np.testing.assert_allclose(
        mlp.ACTIVATIONS[name](jnp.asarray(z, jnp.float32)), CLOSED_FORMS[name](z), rtol=2e-6, atol=2e-7
    )


@pytest.mark.parametrize("name", mlp.ACTIVATIONS)
def test_activation_does_not_overflow_far_from_zero(name):
    far = mlp.ACTIVATIONS[name](jnp.array([100.0, -100.0]))
    np.testing.assert_allclose(far, [AT_100.get(name, 100), AT_MINUS_100.get(name, 0)], rtol=1e-6, atol=1e-30)


def test_kernels_are_member_out_in_and_biases_are_zero_columns():
    weights = init(members=[4, 9, 2])
    assert [kernel.shape for kernel, _ in weights] == [(3, o, i) for i, o in itertools.pairwise(SIZES)]
    assert [bias.shape for _, bias in weights] == [(3, o, 1) for o in SIZES[1:]]
    assert all(kernel.dtype == bias.dtype == np.float32 for kernel, bias in weights)
    assert all((bias == 0).all() for _, bias in weights)


N_IN, N_OUT = 300, 200
SD_BEFORE = {
    "fan-in": 1 / math.sqrt(N_IN),
    "fan-out": 1 / math.sqrt(N_OUT),
    "glorot": math.sqrt(2 / (N_IN + N_OUT)),
}


def wide_kernel(name):
    return init(sizes=(N_IN, N_OUT, 2), init=name)[0][0].astype(np.float64).ravel()


@pytest.mark.parametrize("name", SD_BEFORE)
def test_truncated_initialisation_stays_within_two_standard_deviations_and_reaches_them(name):
    largest = np.abs(wide_kernel(name)).max() / SD_BEFORE[name]
    # the share beyond 1.99 of 60 000 values is about 67 of them; rounding to float32 may add 6e-8
    assert 1.99 < largest <= 2 * (1 + 1e-7)


@pytest.mark.parametrize("name", SD_BEFORE)
def test_truncated_initialisation_has_the_variance_of_resampled_tails(name):
    factor = wide_kernel(name).var() / SD_BEFORE[name] ** 2
    assert pytest.approx(0.7737, abs=1e-4) == TRUNCATED_VARIANCE
    # standard error of a variance of n values is below √(2/n) = .006 of it; clipped tails would give .92
    assert factor == pytest.approx(TRUNCATED_VARIANCE, rel=4 * math.sqrt(2 / (N_IN * N_OUT)))


@pytest.mark.parametrize("name", SD_BEFORE)
def test_truncated_initialisation_is_normal_in_between(name):
    assert kstest(wide_kernel(name) / SD_BEFORE[name], truncnorm(-2, 2).cdf).pvalue > 1e-3


def test_keras_initialisation_is_uniform_up_to_glorots_limit():
    limit = math.sqrt(6 / (N_IN + N_OUT))
    kernel = wide_kernel("keras")
    assert np.abs(kernel).max() <= limit * (1 + 1e-7)
    assert kstest(kernel / limit, "uniform", args=(-1, 2)).pvalue > 1e-3


def test_output_layer_has_an_initialisation_of_its_own():
    mixed, plain = init(init="fan-out", output_init="keras"), init(init="fan-out", output_init="fan-out")
    assert same(mixed[:-1], plain[:-1])
    assert same(mixed[-1:], init(init="fan-in", output_init="keras")[-1:])
    assert not same(mixed[-1:], plain[-1:])


def test_a_member_alone_equals_the_member_in_a_group():
    group = init(members=[3, 7, 5])
    assert same(init(members=[7]), [(kernel[1:2], bias[1:2]) for kernel, bias in group])


@pytest.mark.parametrize("change", [{"seed": 1}, {"members": [1]}, {"attempt": 1}])
def test_seed_member_and_attempt_each_change_every_kernel(change):
    assert not any(np.array_equal(a, b) for (a, _), (b, _) in zip(init(), init(**change), strict=True))


def test_layers_of_equal_shape_are_drawn_independently():
    (first, _), (second, _) = init(sizes=(6, 6, 6))
    assert not np.array_equal(first, second)


def test_forward_agrees_with_plain_rows_of_one_member(plain_activations):
    rng = np.random.default_rng(1)
    weights = [(kernel, rng.normal(size=bias.shape).astype(np.float32)) for kernel, bias in init(members=[0, 1, 2])]
    x = rng.normal(size=(12, 40)).astype(np.float32)
    layers = mlp.activations(on_device(weights), "tanh", jnp.asarray(x))
    for member in range(3):
        for t, expected in zip(layers, plain_activations(weights, member, np.tanh, x.T), strict=True):
            # float32 against float64: a few rounding errors of 6e-8 in each of six layers
            np.testing.assert_allclose(t[member].T, expected, atol=2e-6)


def test_one_batch_for_all_members_is_the_same_as_equal_batches():
    x = np.random.default_rng(2).normal(size=(12, 9)).astype(np.float32)
    weights = on_device(init(members=[0, 1]))
    shared, each = (mlp.logits(weights, "relu", jnp.asarray(batch)) for batch in (x, np.stack([x, x])))
    np.testing.assert_allclose(shared, each, rtol=1e-5, atol=1e-6)


def test_measured_layers_are_the_hidden_ones_and_the_softmax_of_the_logits():
    x = jnp.asarray(np.random.default_rng(3).normal(size=(12, 9)), jnp.float32)
    weights = on_device(init(members=[0, 1]))
    *hidden, output = mlp.activations(weights, "elu", x)
    z = np.asarray(mlp.logits(weights, "elu", x))
    assert [t.shape for t in [*hidden, output]] == [(2, units, 9) for units in SIZES[1:]]
    np.testing.assert_allclose(output, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), rtol=1e-5)
