"""Gradient statistics of an epoch against a loop over single samples in plain NumPy, and what they leave alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infoplane import results
from infoplane.nets import mlp
from infoplane.nets.gradients import add_gradient, mean_and_std, no_moments
from infoplane.nets.network import Together
from infoplane.nets.train import Group, Trainer, epoch_batches, make_optimiser

SIZES, MEMBERS, SEED, RATE, N_TRAIN = (5, 4, 3, 3), (0, 1), 3, 0.1, 30
N_EPOCHS, DECAY = 4, 0.03

RNG = np.random.default_rng(0)
X = RNG.normal(size=(37, SIZES[0])).astype(np.float32)
Y = RNG.integers(0, SIZES[-1], 37)
TRAIN_ROWS, TEST_ROWS = np.split(RNG.permutation(37), [N_TRAIN])


def train(batch_size, decay=0.0):
    optimiser = make_optimiser("sgd", RATE, weight_decay=decay)
    options = {"network": Together("tanh"), "optimiser": optimiser, "batch_size": batch_size, "seed": SEED}
    trainer = Trainer(np.ascontiguousarray(X.T), Y, TRAIN_ROWS, TEST_ROWS, **options)
    group = Group(trainer, MEMBERS, jax.devices()[0])
    state = group.start(mlp.init_weights(SIZES, "fan-in", "fan-in", SEED, MEMBERS))
    return group.advance(state, 0, N_EPOCHS, 10)[1], group.score(state)


def sample_gradient(weights, x, y):
    """Gradient of one sample's cross-entropy in a tanh net, kernel and bias of each layer, in float64."""
    layers = [x]
    for index, (kernel, bias) in enumerate(weights):
        z = kernel @ layers[-1] + bias
        layers.append(np.tanh(z) if index < len(weights) - 1 else z)
    delta = np.exp(z) / np.exp(z).sum()
    delta[y] -= 1
    gradient = []
    for (kernel, _), below in zip(weights[::-1], layers[-2::-1], strict=True):
        gradient.append((np.outer(delta, below), delta))
        delta = (kernel.T @ delta) * (1 - below**2)
    return gradient[::-1]


def replay(member, batch_size, decay=0.0):
    """Train by hand with SGD, sample by sample: (m, s, norm of the kernel) of each epoch and layer."""
    start = mlp.init_weights(SIZES, "fan-in", "fan-in", SEED, (member,))
    weights = [(kernel[0].astype(np.float64), bias[0, :, 0].astype(np.float64)) for kernel, bias in start]
    orders = epoch_batches(SEED, (member,), 0, TRAIN_ROWS, batch_size)[:N_EPOCHS, 0, :N_TRAIN]
    told = []
    for order in orders:
        met = [[] for _ in weights]
        for first in range(0, N_TRAIN, batch_size):
            rows = order[first : first + batch_size]
            each = [sample_gradient(weights, X[row].astype(np.float64), Y[row]) for row in rows]
            for layer, (kernel, bias) in enumerate(weights):
                of_kernel = sum(one[layer][0] for one in each) / len(rows)
                met[layer].append(of_kernel.ravel())
                of_bias = sum(one[layer][1] for one in each) / len(rows)
                weights[layer] = kernel - RATE * (of_kernel + decay * kernel), bias - RATE * of_bias
        spread = [np.trace(np.atleast_2d(np.cov(np.array(one).T))) if len(one) > 1 else np.nan for one in met]
        means = [np.linalg.norm(np.mean(one, axis=0)) for one in met]
        told.append([means, np.sqrt(spread), [np.linalg.norm(kernel) for kernel, _ in weights]])
    return np.array(told)


@pytest.mark.parametrize(("batch_size", "decay"), [(8, 0.0), (10, 0.0), (29, 0.0), (8, DECAY)])
def test_statistics_are_those_of_the_mini_batches_that_trained(batch_size, decay):
    """8: four mini-batches, the last of six rows; 29: the last is one row; decay is no part of the gradient."""
    progress, _ = train(batch_size, decay)
    for member in MEMBERS:
        by_hand = replay(member, batch_size, decay)
        # float32 against float64: 16 steps, each rounding numbers of order 0.1 to 1 by 6e-8
        np.testing.assert_allclose(progress.gradient_mean[:, member], by_hand[:, 0], atol=2e-6)
        np.testing.assert_allclose(progress.gradient_std[:, member], by_hand[:, 1], atol=2e-6)


def test_divided_by_weight_norms_they_are_the_other_normalisation_and_their_ratio_stays():
    progress, _ = train(8)
    dims = dict.fromkeys(("weight_norm", "gradient_mean", "gradient_std"), ("step", "member", "layer"))
    coords = {"step": np.arange(1, N_EPOCHS + 1), "member": list(MEMBERS), "layer": ["hidden1", "hidden2", "output"]}
    ds = results.new(coords, {name: (dims[name], getattr(progress, name)) for name in dims}, {})
    divided = results.normalised_gradients(ds)
    for member in MEMBERS:
        m, s, norms = replay(member, 8).transpose(1, 0, 2)
        one = divided.sel(member=member)
        np.testing.assert_allclose(one["gradient_mean"], m / norms, atol=2e-6)
        np.testing.assert_allclose(one["gradient_std"], s / norms, atol=2e-6)
        np.testing.assert_allclose(one["signal_to_noise"], m / s, rtol=1e-4)  # m and s themselves to 1e-5 of their size


def test_full_batch_has_a_mean_but_no_spread():
    progress, _ = train(N_TRAIN)
    for member in MEMBERS:
        np.testing.assert_allclose(progress.gradient_mean[:, member], replay(member, N_TRAIN)[:, 0], atol=2e-6)
    assert np.isnan(progress.gradient_std).all()


def test_before_training_there_are_none():
    _, score = train(8)
    assert np.isnan(score.gradient_mean).all()
    assert np.isnan(score.gradient_std).all()


def test_a_small_spread_beside_a_large_mean_keeps_its_digits():
    """Gradients 1000 ± 0.01: sums of squares in float32 would be off by more than the spread itself."""
    rng = np.random.default_rng(1)
    gradients = (1000 + 0.01 * rng.standard_normal((20, 1, 3, 2))).astype(np.float32)
    layers = [[(jnp.asarray(kernel), jnp.zeros((1, 3, 1)))] for kernel in gradients]
    moments = no_moments(layers[0])
    for count, layer in enumerate(layers, start=1):
        moments = add_gradient(moments, layer, jnp.asarray(count, jnp.float32))
    _, std = mean_and_std(moments, len(gradients))
    exact = np.sqrt(gradients.astype(np.float64).var(axis=0, ddof=1).sum())
    # float32 holds 1000 to 6e-5 and the running mean moves on that grid: 0.6 % of a spread of 0.01
    assert float(std[0, 0]) == pytest.approx(exact, rel=0.02)


def test_a_result_without_gradients_is_refused():
    with pytest.raises(results.InputError, match="holds no gradients"):
        results.normalised_gradients(results.new({}, {}, {}))
