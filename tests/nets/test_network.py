"""Networks whose members train apart: the same numbers as together, whatever trains beside them."""

import jax
import numpy as np
import pytest

from infoplane.nets import mlp
from infoplane.nets.network import Apart, Together, Wide, network
from infoplane.nets.shapes import WIDE, Dense
from infoplane.nets.spread import Spread, spread, spread_of_large
from infoplane.nets.train import Group, Progress, Trainer, make_optimiser, state_leaves

SIZES, BATCH, SEED, N_TRAIN, N_SAMPLES = (6, 5, 4, 3), 8, 3, 30, 37
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_SAMPLES, SIZES[0])).astype(np.float32)
Y = RNG.integers(0, SIZES[-1], N_SAMPLES)
TRAIN_ROWS, TEST_ROWS = np.split(RNG.permutation(N_SAMPLES), [N_TRAIN])


def assert_close(found, expected):
    """Float32 sums in another order, over some ten updates."""
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def group(kind, members=(0, 1, 2), optimiser="sgd", **options):
    made = make_optimiser(optimiser, 0.05, flat=kind is Together, **options)
    trainer = Trainer(X.T, Y, TRAIN_ROWS, TEST_ROWS, network=kind("tanh"), optimiser=made, batch_size=BATCH, seed=SEED)
    return Group(trainer, members, jax.devices()[0])


def trained(nets, stops):
    """Train to each stop; return the last state and all curves."""
    state, curves, epoch = nets.start(mlp.init_weights(SIZES, "keras", "keras", SEED, nets.members)), [], 0
    for stop in stops:
        while epoch < stop:
            state, progress = nets.advance(state, epoch, stop, 4)
            curves.append(progress)
            epoch += len(progress.train_loss)
    return state, Progress(*(np.concatenate(parts) for parts in zip(*curves, strict=True)))


@pytest.fixture(scope="module")
def apart():
    nets = group(Wide)
    return nets, *trained(nets, [3])


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_apart_and_together_train_the_same_networks(optimiser):
    (one, curves), (other, expected) = (trained(group(kind, optimiser=optimiser), [3]) for kind in (Wide, Together))
    for leaf, same in zip(jax.tree.leaves(one.weights), jax.tree.leaves(other.weights), strict=True):
        assert_close(leaf, same)
    for name in ("train_loss", "train_accuracy", "weight_norm"):
        assert_close(getattr(curves, name), getattr(expected, name))
    for name in ("test_loss", "test_accuracy", "gradient_mean", "gradient_std"):
        assert_close(getattr(curves, name)[-1], getattr(expected, name)[-1])


def test_apart_keeps_gradients_of_scored_epochs_only(apart):
    known = np.isfinite(apart[2].gradient_mean).all(axis=(1, 2))
    assert known.tolist() == [False, False, True]


def test_a_member_apart_is_the_same_to_the_bit_whatever_trains_beside_it(apart):
    alone, curves = trained(group(Wide, (1,)), [3])
    for leaf, among in zip(jax.tree.leaves(alone.weights), jax.tree.leaves(apart[1].weights), strict=True):
        np.testing.assert_array_equal(leaf[0], among[1])
    np.testing.assert_array_equal(curves.train_loss[:, 0], apart[2].train_loss[:, 1])


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_training_apart_goes_on_from_its_leaves_to_the_bit(optimiser):
    nets = group(Wide, optimiser=optimiser)
    whole, _ = trained(nets, [2, 5])
    begun, _ = trained(nets, [2])
    state = nets.restore(nets.start(mlp.init_weights(SIZES, "keras", "keras", SEED, nets.members)), state_leaves(begun))
    again, _ = nets.advance(state, 2, 5, 4)
    for leaf, expected in zip(state_leaves(again), state_leaves(whole), strict=True):
        np.testing.assert_array_equal(leaf, expected)


def test_scores_in_parts_are_those_at_once(apart, monkeypatch):
    monkeypatch.setattr(Apart, "scored_rows", 8)
    nets = group(Wide)
    for part, whole in zip(nets.score(apart[1]), apart[0].score(apart[1]), strict=True):
        assert_close(part, whole)


@pytest.mark.parametrize("size", [8, 2048])
def test_members_apart_are_observed_one_by_one_on_the_rows_that_are_asked_for(apart, size, monkeypatch):
    monkeypatch.setattr(Apart, "scored_rows", size)
    rows = np.arange(1, N_SAMPLES, 2)
    found = list(apart[0].observe_some(apart[1], rows, 2))
    layers, _ = group(Together).observe(apart[1])
    assert len(found) == 2
    for member, (seen, _) in enumerate(found):
        for t, every in zip(seen, layers, strict=True):
            assert_close(t[0], every[member][:, rows])


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_spread_of_large_layers_is_that_of_small_ones(activation):
    t = np.tanh(RNG.normal(size=(150, 40)) * 3).astype(np.float32)
    t[3] = 0.25
    expected = Spread(*(np.asarray(part) for part in spread(jax.numpy.asarray(t[None]), activation)))
    for part, same in zip(spread_of_large(t, activation), expected, strict=True):
        np.testing.assert_allclose(part, same, rtol=1e-5)


def test_wide_networks_train_apart_and_small_ones_together():
    assert network(Dense([12, 10, 2]), "tanh") == Together("tanh")
    assert network(Dense([12, WIDE, 2]), "tanh") == network(Dense([WIDE, 3, 2]), "tanh") == Wide("tanh")
