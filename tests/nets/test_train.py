"""Training against replays by hand, and to the bit against itself in other pieces and on another device."""

import math

import jax
import numpy as np
import pytest

from infoplane.nets import mlp
from infoplane.nets.network import Together
from infoplane.nets.train import (
    Group,
    Progress,
    Trainer,
    epoch_batches,
    make_optimiser,
    state_leaves,
)

SIZES, MEMBERS, BATCH, SEED = (5, 4, 3, 3), (0, 1), 8, 3
N_SAMPLES, N_TRAIN = 37, 30  # four mini-batches an epoch, the last with six rows
EVERY = 10  # held-out rows are scored after each multiple of it

RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_SAMPLES, SIZES[0])).astype(np.float32)
Y = RNG.integers(0, SIZES[-1], N_SAMPLES)
TRAIN_ROWS, TEST_ROWS = np.split(RNG.permutation(N_SAMPLES), [N_TRAIN])


def make_trainer(optimiser=None, train_rows=TRAIN_ROWS, test_rows=TEST_ROWS, activation="tanh"):
    optimiser = optimiser or make_optimiser("adam", 0.01)
    options = {"network": Together(activation), "optimiser": optimiser, "batch_size": BATCH, "seed": SEED}
    return Trainer(np.ascontiguousarray(X.T), Y, train_rows, test_rows, **options)


def make_group(trainer, members=MEMBERS, device=0):
    return Group(trainer, members, jax.devices()[device])


def initial(members=MEMBERS):
    return mlp.init_weights(SIZES, "fan-in", "fan-in", SEED, members)


def train(group, state, stops, epoch=0):
    """Train to each stop in turn; return the last state and all curves."""
    curves = []
    for stop in stops:
        while epoch < stop:
            state, progress = group.advance(state, epoch, stop, EVERY)
            curves.append(progress)
            epoch += len(progress.train_loss)
    return state, Progress(*(np.concatenate(parts) for parts in zip(*curves, strict=True)))


def trained(group, stops):
    return train(group, group.start(initial(group.members)), stops)


def assert_same_bits(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def trainer():
    return make_trainer()


@pytest.fixture(scope="module")
def in_one_stretch(trainer):
    """State and curves of 120 epochs, as few calls as blocks allow."""
    return trained(make_group(trainer), [120])


# ---------------------------------------------------------------- replay by hand


def plain_gradient(weights, x, y):
    """Back-propagation in a tanh net, in float64; also the loss and how many rows are given their class."""
    layers = [x]
    for index, (kernel, bias) in enumerate(weights):
        z = layers[-1] @ kernel.T + bias
        layers.append(np.tanh(z) if index < len(weights) - 1 else z)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y]).sum()
    delta, gradient = (p - np.eye(p.shape[1])[y]) / len(y), []
    for (kernel, _), below in zip(weights[::-1], layers[-2::-1], strict=True):
        gradient.append((delta.T @ below, delta.sum(axis=0)))
        delta = (delta @ kernel) * (1 - below**2)
    return gradient[::-1], loss, (z.argmax(axis=1) == y).sum()


def adam(rate):
    def step(gradient, memory, count):
        m, v = memory if memory is not None else (0.0, 0.0)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        return rate * (m / (1 - 0.9**count)) / (np.sqrt(v / (1 - 0.999**count)) + 1e-8), (m, v)

    return step


def sgd(rate, momentum=0.0):
    def step(gradient, memory, count):
        velocity = gradient + momentum * (memory if memory is not None else 0.0)
        return rate * velocity, velocity

    return step


def plain_score(weights, rows):
    _, loss, correct = plain_gradient(weights, X[rows].astype(np.float64), Y[rows])
    return loss / len(rows), correct / len(rows)


def replay(member, n_epochs, step, decay=0.0):
    """Train one member: its weights, and (loss, accuracy) of each epoch, in passing and held out."""
    weights = [(kernel[0].astype(np.float64), bias[0, :, 0].astype(np.float64)) for kernel, bias in initial((member,))]
    orders = epoch_batches(SEED, (member,), 0, TRAIN_ROWS, BATCH)[:n_epochs, 0, :N_TRAIN]
    memories = [[None, None] for _ in weights]
    curves, held_out, count = [], [], 0
    for order in orders:
        sums = np.zeros(2)
        for start in range(0, N_TRAIN, BATCH):
            rows, count = order[start : start + BATCH], count + 1
            gradient, loss, correct = plain_gradient(weights, X[rows].astype(np.float64), Y[rows])
            sums += loss, correct
            for layer, (of_kernel, of_bias) in enumerate(gradient):
                kernel, bias = weights[layer]
                change, memories[layer][0] = step(of_kernel + decay * kernel, memories[layer][0], count)
                bias_change, memories[layer][1] = step(of_bias, memories[layer][1], count)
                weights[layer] = kernel - change, bias - bias_change
        curves.append(sums / N_TRAIN)
        held_out.append(plain_score(weights, TEST_ROWS))
    return weights, np.array(curves), np.array(held_out)


OPTIMISERS = {
    "adam": (make_optimiser("adam", 0.01), adam(0.01), 0.0),
    "sgd": (make_optimiser("sgd", 0.1), sgd(0.1), 0.0),
    "momentum and decay": (
        make_optimiser("momentum", 0.05, momentum=0.8, weight_decay=0.03),
        sgd(0.05, momentum=0.8),
        0.03,
    ),
}


@pytest.fixture(scope="module", params=OPTIMISERS)
def replayed(request):
    """Twelve epochs of both members: trained as a group, and by hand one by one."""
    optimiser, step, decay = OPTIMISERS[request.param]
    state, progress = trained(make_group(make_trainer(optimiser)), [12])
    return state, progress, [replay(member, 12, step, decay) for member in MEMBERS]


# Below: 48 steps in float32 against float64; each step rounds weights of order 1 by up to 6e-8.
DRIFT = 5e-6


def test_weights_follow_a_replay_by_hand(replayed):
    state, _, by_hand = replayed
    for member, (weights, *_) in enumerate(by_hand):
        for (kernel, bias), (own_kernel, own_bias) in zip(state.weights, weights, strict=True):
            np.testing.assert_allclose(kernel[member], own_kernel, atol=DRIFT)
            np.testing.assert_allclose(bias[member, :, 0], own_bias, atol=DRIFT)


def test_training_curves_are_the_means_over_rows_while_mini_batches_pass(replayed):
    _, progress, by_hand = replayed
    for member, (_, curves, _) in enumerate(by_hand):
        np.testing.assert_allclose(progress.train_loss[:, member], curves[:, 0], atol=DRIFT)
        np.testing.assert_allclose(progress.train_accuracy[:, member], curves[:, 1], atol=1e-6)


def test_held_out_rows_are_scored_at_multiples_of_ten_and_at_the_end_only(replayed):
    _, progress, by_hand = replayed
    scored = np.isin(np.arange(1, 13), [10, 12])
    for member, (_, _, held_out) in enumerate(by_hand):
        for got, wanted in zip((progress.test_loss, progress.test_accuracy), held_out.T, strict=True):
            np.testing.assert_allclose(got[:, member], np.where(scored, wanted, np.nan), atol=DRIFT)


def test_weight_norms_are_those_of_the_kernels_after_the_epoch(replayed):
    _, progress, by_hand = replayed
    for member, (weights, *_) in enumerate(by_hand):
        norms = [np.sqrt((kernel**2).sum()) for kernel, _ in weights]
        np.testing.assert_allclose(progress.weight_norm[-1, member], norms, atol=DRIFT)


def test_plain_gradient_is_the_slope_of_the_loss():
    weights = [(kernel[0].astype(np.float64), bias[0, :, 0].astype(np.float64)) for kernel, bias in initial((0,))]
    gradient, *_ = plain_gradient(weights, X.astype(np.float64), Y)
    step = 1e-5
    for layer, index in ((0, (1, 2)), (1, (2, 0)), (2, (0, 1))):
        losses = []
        for sign in (1, -1):
            moved = [(kernel.copy(), bias) for kernel, bias in weights]
            moved[layer][0][index] += sign * step
            losses.append(plain_gradient(moved, X.astype(np.float64), Y)[1] / N_SAMPLES)
        # central differences: error of order step² = 1e-10
        assert gradient[layer][0][index] == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-9)


# ---------------------------------------------------------------- scores


def test_score_before_training_is_that_of_the_initial_weights(trainer):
    group = make_group(trainer)
    score = group.score(group.start(initial()))
    for member in MEMBERS:
        weights = [(kernel[0], bias[0, :, 0]) for kernel, bias in initial((member,))]
        expected = [*plain_score(weights, TRAIN_ROWS), *plain_score(weights, TEST_ROWS)]
        np.testing.assert_allclose([curve[0, member] for curve in score[:4]], expected, rtol=1e-5)
        norms = [np.linalg.norm(kernel) for kernel, _ in weights]
        np.testing.assert_allclose(score.weight_norm[0, member], norms, rtol=1e-5)


def test_constant_outputs_score_the_share_of_the_first_class(trainer):
    group = make_group(trainer)
    nothing = group.start([(0 * kernel, bias) for kernel, bias in initial()])
    score = group.score(nothing)
    np.testing.assert_allclose(score.train_accuracy[0], (Y[TRAIN_ROWS] == 0).mean(), rtol=1e-6)
    np.testing.assert_allclose(score.test_loss[0], math.log(3), rtol=1e-6)


def test_without_held_out_rows_their_curves_are_nan():
    every, none = np.arange(N_SAMPLES), np.zeros(0, np.int64)
    group = make_group(make_trainer(train_rows=every, test_rows=none))
    _, progress = trained(group, [10])
    score = group.score(group.start(initial()))
    assert np.isnan([*progress.test_loss.flat, *progress.test_accuracy.flat]).all()
    assert np.isnan([*score.test_loss.flat, *score.test_accuracy.flat]).all()
    assert np.isfinite([*progress.train_loss.flat, *score.train_loss.flat]).all()


# ---------------------------------------------------------------- the same bits


@pytest.mark.parametrize("stops", [[1, 2, 3, 49, 50, 51, 99, 120], range(5, 121, 5)])
def test_many_small_stretches_train_to_the_same_bits_as_one(trainer, in_one_stretch, stops):
    state, progress = trained(make_group(trainer), stops)
    assert_same_bits(state_leaves(state), state_leaves(in_one_stretch[0]))
    for name in ("train_loss", "train_accuracy", "weight_norm"):
        np.testing.assert_array_equal(getattr(progress, name), getattr(in_one_stretch[1], name))
    both = np.arange(1, 121) % EVERY == 0
    assert_same_bits([c[both] for c in progress[2:4]], [c[both] for c in in_one_stretch[1][2:4]])


@pytest.mark.parametrize("stop", [7, 50, 63])
def test_stopped_stored_and_resumed_trains_to_the_same_bits(trainer, in_one_stretch, stop):
    before, first_curves = trained(make_group(trainer), [stop])
    group = make_group(trainer)
    restored = group.restore(group.start(initial()), [leaf.copy() for leaf in state_leaves(before)])
    after, later_curves = train(group, restored, [120], epoch=stop)
    assert_same_bits(state_leaves(after), state_leaves(in_one_stretch[0]))
    loss = np.concatenate([first_curves.train_loss, later_curves.train_loss])
    np.testing.assert_array_equal(loss, in_one_stretch[1].train_loss)


def test_every_array_of_the_state_is_among_its_leaves(trainer):
    group = make_group(trainer)
    leaves = state_leaves(group.start(initial()))
    n_weights = sum(kernel.size + bias.size for kernel, bias in initial())
    assert sum(leaf.size for leaf in leaves) == 3 * n_weights + 1  # weights, two moments of each, Adam's count


def test_the_other_device_trains_to_the_same_bits(trainer, in_one_stretch):
    state, progress = trained(make_group(trainer, device=1), [120])
    assert {leaf.device for leaf in jax.tree.leaves(state)} == {jax.devices()[1]}
    assert_same_bits(state_leaves(state), state_leaves(in_one_stretch[0]))
    assert_same_bits(progress, in_one_stretch[1])


def test_a_member_does_not_depend_on_whom_it_is_trained_with(trainer, in_one_stretch):
    state, progress = trained(make_group(trainer, members=(0, 99)), [120])
    assert_same_bits(*([kernel[0] for kernel, _ in s.weights] for s in (state, in_one_stretch[0])))
    np.testing.assert_array_equal(progress.train_loss[:, 0], in_one_stretch[1].train_loss[:, 0])
    assert not np.array_equal(progress.train_loss[:, 1], in_one_stretch[1].train_loss[:, 1])


def test_a_member_that_is_nan_leaves_its_neighbour_alone(trainer, in_one_stretch):
    weights = initial()
    weights[0][0][1] = np.nan
    group = make_group(trainer)
    state, progress = train(group, group.start(weights), [120])
    assert_same_bits(*([kernel[0] for kernel, _ in s.weights] for s in (state, in_one_stretch[0])))
    assert np.isnan(progress.train_loss[:, 1]).all()


def test_stretches_of_any_length_and_a_restored_state_share_one_program(in_one_stretch):
    trainer = make_trainer()
    group = make_group(trainer)
    state, _ = trained(group, [1, 7, 50, 120])
    train(make_group(trainer, members=(4, 5)), group.restore(state, state_leaves(state)), [130], epoch=120)
    assert trainer._advance._cache_size() == 1


def test_seeds_give_different_trainings(in_one_stretch):
    group = make_group(make_trainer())
    group.trainer.seed += 1
    _, progress = trained(group, [1])  # the initial weights are the same: only the order of rows differs
    assert not np.array_equal(progress.train_loss, in_one_stretch[1].train_loss[:1])


# ---------------------------------------------------------------- what is recorded of activations


def test_observed_activations_are_those_of_plain_rows(trainer, plain_activations):
    group = make_group(trainer)
    layers, spreads = group.observe(group.start(initial()))
    for member in range(len(MEMBERS)):
        expected = plain_activations(initial(), member, np.tanh, X)
        for t, own in zip(layers, expected, strict=True):
            np.testing.assert_allclose(t[member].T, own, atol=1e-6)
    np.testing.assert_allclose(spreads[0].sd, np.asarray(layers[0]).std(axis=(1, 2)), rtol=1e-5)
    assert [bool(np.isnan(s.saturated_share).any()) for s in spreads] == [False] * 3
