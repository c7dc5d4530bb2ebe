"""Mini-batches, loss, gradient and spread, each by itself: by hand, by counting, by a plain second formula."""

import itertools
import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from infoplane import ConfigError
from infoplane.nets import mlp
from infoplane.nets.batches import MAX_BLOCK, PERMUTED_INDICES, block_length, epoch_batches
from infoplane.nets.spread import spread
from infoplane.nets.train import cross_entropy, make_optimiser

SIZES, MEMBERS, BATCH, SEED = (5, 4, 3, 3), (0, 1), 8, 3
N_SAMPLES, N_TRAIN = 37, 30  # four mini-batches an epoch, the last with six rows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_SAMPLES, SIZES[0])).astype(np.float32)
Y = RNG.integers(0, SIZES[-1], N_SAMPLES)
TRAIN_ROWS = RNG.permutation(N_SAMPLES)[:N_TRAIN]


# ---------------------------------------------------------------- mini-batches


@pytest.mark.parametrize(
    ("n_train", "epochs"),
    [
        (1, MAX_BLOCK),
        (30, MAX_BLOCK),
        (3277, MAX_BLOCK),
        (60_000, 17),
        (PERMUTED_INDICES // 2, 2),
        (2**23, 1),
    ],
)
def test_block_holds_at_most_50_epochs_and_a_million_indices(n_train, epochs):
    assert block_length(n_train) == epochs


def test_each_epoch_is_a_permutation_of_the_training_rows():
    batches = epoch_batches(SEED, MEMBERS, 2, TRAIN_ROWS, BATCH)
    assert batches.shape == (MAX_BLOCK, len(MEMBERS), 32)
    every = np.broadcast_to(np.sort(TRAIN_ROWS), (MAX_BLOCK, len(MEMBERS), N_TRAIN))
    np.testing.assert_array_equal(np.sort(batches[:, :, :N_TRAIN], axis=2), every)
    assert np.isin(batches[:, :, N_TRAIN:], TRAIN_ROWS).all()


def test_epochs_members_blocks_and_seeds_all_have_orders_of_their_own():
    blocks = [epoch_batches(s, (0, 1, 2), b, TRAIN_ROWS, BATCH) for s, b in itertools.product((0, 1), (0, 1))]
    orders = np.concatenate(blocks)[:, :, :N_TRAIN].reshape(-1, N_TRAIN)
    assert len(np.unique(orders, axis=0)) == 2 * 2 * 3 * MAX_BLOCK  # two of 30! orders do not meet by chance


def test_mini_batches_of_a_member_and_block_can_be_made_alone():
    together = epoch_batches(SEED, (4, 5, 6), 3, TRAIN_ROWS, BATCH)
    np.testing.assert_array_equal(epoch_batches(SEED, (5,), 3, TRAIN_ROWS, BATCH)[:, 0], together[:, 1])


def test_every_order_is_equally_likely():
    batches = epoch_batches(SEED, range(240), 0, np.arange(3), 3).reshape(-1, 3)
    counts = Counter(map(tuple, batches.tolist()))
    assert len(counts) == 6
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_a_single_training_row_is_its_own_epoch():
    np.testing.assert_array_equal(epoch_batches(0, (0,), 0, np.array([9]), 1), np.full((MAX_BLOCK, 1, 1), 9))


# ---------------------------------------------------------------- loss and gradient


def plain_loss(act, weights, x, y):
    """Mean cross-entropy of one member written out: rows are samples, the log of a sum of exponentials."""
    hidden = x
    for index, (kernel, bias) in enumerate(weights):
        z = hidden @ kernel.T + bias[:, 0]
        hidden = act(z) if index < len(weights) - 1 else z
    return jnp.mean(jnp.log(jnp.exp(hidden).sum(axis=1)) - hidden[jnp.arange(len(y)), y])


PLAIN = {
    "tanh": lambda z: 1 - 2 / (jnp.exp(2 * z) + 1),
    "relu": lambda z: jnp.where(z > 0, z, 0),
    "linear": lambda z: z,
    "softsign": lambda z: z / (1 + jnp.abs(z)),
    "softplus": lambda z: jnp.log(1 + jnp.exp(z)),
    "elu": lambda z: jnp.where(z > 0, z, jnp.exp(z) - 1),
    "swish": lambda z: z / (1 + jnp.exp(-z)),
    "leaky-relu": lambda z: jnp.where(z > 0, z, 0.01 * z),
}


@pytest.mark.parametrize("activation", PLAIN)
def test_gradient_of_a_group_is_that_of_each_member_written_plainly(activation):
    weights = jax.tree.map(jnp.asarray, mlp.init_weights(SIZES, "fan-in", "fan-in", SEED, MEMBERS))

    def group_loss(w):
        z = mlp.logits(w, activation, jnp.asarray(X.T))
        return cross_entropy(z, jnp.asarray(Y))[0].mean(axis=1).sum()

    gradient = jax.grad(group_loss)(weights)
    for member in range(len(MEMBERS)):
        own = [(kernel[member], bias[member]) for kernel, bias in weights]
        expected = jax.grad(lambda w: plain_loss(PLAIN[activation], w, jnp.asarray(X), jnp.asarray(Y)))(own)
        for got, wanted in zip(jax.tree.leaves(gradient), jax.tree.leaves(expected), strict=True):
            # gradients are of order 0.1; float32 sums of 37 terms keep about 1e-7 of that
            np.testing.assert_allclose(got[member], wanted, rtol=1e-4, atol=5e-7)


def test_cross_entropy_is_minus_the_log_of_the_softmax_in_nats():
    z = np.array([[[1.0, 0.0], [2.0, 0.0], [0.0, 80.0]]], np.float32)  # one member, three classes, two samples
    loss, _ = cross_entropy(jnp.asarray(z), jnp.array([1, 0]))
    expected = [math.log(math.exp(1) + math.exp(2) + 1) - 2, 80.0]
    np.testing.assert_allclose(loss[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "given_to"),
    [
        ((3, 1, 2), {0}),
        ((1, 3, 2), {1}),
        ((1, 2, 3), {2}),
        ((3, 3, 1), {0}),
        ((1, 3, 3), {1}),
        ((2, 2, 2), {0}),
    ],
)
def test_a_tie_counts_for_the_first_class_only(outputs, given_to):
    z = jnp.repeat(jnp.array(outputs, jnp.float32)[None, :, None], 3, axis=2)
    assert set(np.flatnonzero(cross_entropy(z, jnp.arange(3))[1][0])) == given_to


def test_optimiser_of_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"train\.optimizer is 'adamm'; did you mean 'adam'\?"):
        make_optimiser("adamm", 0.1)


# ---------------------------------------------------------------- spread of activations


def test_spread_of_a_layer_worked_out_by_hand():
    t = np.array(
        [
            [[0.0, 0.0, 0.0, 0.0], [1.0, -1.0, 0.5, 0.5], [0.985, -0.985, 0.975, -0.975]],
            [[0.1, 0.1, 0.1, 0.1], [0.2, 0.2, 0.2, 0.2], [0.3, 0.3, 0.3, 0.3]],
        ],
        np.float32,
    )
    s = spread(jnp.asarray(t), "tanh")
    np.testing.assert_array_equal(s.minimum, np.float32([-1.0, 0.1]))
    np.testing.assert_array_equal(s.maximum, np.float32([1.0, 0.3]))
    np.testing.assert_allclose(s.dead_share, [1 / 3, 1])
    np.testing.assert_allclose(s.saturated_share, [4 / 12, 0])  # beyond ±0.98: 1 % of the range 2 from an end
    mean = 1 / 12
    squares = 1 + 1 + 2 * 0.25 + 2 * 0.985**2 + 2 * 0.975**2
    np.testing.assert_allclose(s.sd, [math.sqrt(squares / 12 - mean**2), math.sqrt(0.02 / 3)], rtol=1e-5)


def test_softmax_is_saturated_within_a_hundredth_of_0_and_1():
    t = jnp.array([[[0.005, 0.5, 0.02], [0.995, 0.5, 0.98]]])
    np.testing.assert_allclose(spread(t, "softmax").saturated_share, [2 / 6], rtol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "linear", "softplus", "elu", "swish", "leaky-relu"])
def test_an_unbounded_activation_has_no_saturated_share(activation):
    assert np.isnan(spread(jnp.ones((1, 2, 3)), activation).saturated_share).all()


def test_a_unit_that_is_nan_does_not_count_as_dead():
    assert spread(jnp.full((1, 2, 3), jnp.nan), "relu").dead_share[0] == 0
