"""Training with a forward pass of one's own: as the engine trains with its pass, the same bits however stopped."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infoplane.nets import mlp
from infoplane.nets.network import Together
from infoplane.nets.passes import Passes
from infoplane.nets.train import Group, Trainer, make_optimiser

SIZES = [3, 4, 2]
X = np.random.default_rng(0).standard_normal((3, 40)).astype(np.float32)
Y = (X.sum(axis=0) > 0).astype(np.int64)
ROWS = np.arange(30)


def passes(outputs=lambda weights, x, taken, keys: mlp.logits(weights, "tanh", x), **options):
    return Passes(X, Y, ROWS, optimiser=make_optimiser("adam", 0.01), batch_size=8, seed=5, outputs=outputs, **options)


def start(one):
    return one.start(mlp.init_weights(SIZES, "keras", "keras", 5, [0, 3]))


def equal(one, other, **tolerance):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.allclose(a, b, **tolerance) if tolerance else np.array_equal(a, b) for a, b in pairs)


def test_the_plain_pass_trains_as_the_engine_does():
    one = passes()
    mine, _ = one.train(start(one), [0, 3], 0, 7)
    trainer = Trainer(X, Y, ROWS, np.arange(30, 40), network=Together("tanh"), optimiser=make_optimiser("adam", 0.01),
                      batch_size=8, seed=5)  # fmt: skip
    group = Group(trainer, [0, 3], jax.local_devices()[0])
    theirs = group.start(mlp.init_weights(SIZES, "keras", "keras", 5, [0, 3]))
    theirs, _ = group.advance(theirs, 0, 7, 100)
    assert equal(mine.weights, theirs.weights, atol=1e-6)  # float32; two programs round differently


def test_stopping_changes_no_bit():
    one = passes()
    whole, _ = one.train(start(one), [0, 3], 0, 60)  # beyond one block of mini-batches
    state, at = start(one), 0
    for end in (3, 50, 51, 60):
        state, _ = one.train(state, [0, 3], at, end)
        at = end
    assert equal(whole, state)


def test_the_pass_is_told_the_epochs_made_and_keeps_what_was_prepared():
    one = passes(prepare=lambda weights, before, epoch: jnp.where(epoch < 4, epoch, before))
    _, taken = one.train(start(one), [0, 3], 0, 3, jnp.int32(-1))
    assert int(taken) == 2
    _, taken = one.train(start(one), [0, 3], 3, 60, taken)
    assert int(taken) == 3


def test_keys_follow_from_epoch_and_step_and_reach_the_pass():
    def noisy(weights, x, taken, keys):
        return mlp.logits(weights, "tanh", x) + keys

    def disturbed(epoch, step):
        shift = jnp.array([[1e3], [0.0]])  # of the first label's output
        one = passes(noisy, keys=lambda _, at, number: shift * ((at == epoch) & (number == step)))
        return one.train(start(one), [0, 3], 0, 3)[0]

    plain, _ = passes().train(start(passes()), [0, 3], 0, 3)
    assert equal(disturbed(2, 9), plain, atol=1e-6)  # there are four steps an epoch: nothing is added
    assert not equal(disturbed(2, 3), plain, atol=1e-3)


@pytest.mark.parametrize("begin", [0, 5])
def test_training_to_where_it_is_does_nothing(begin):
    one = passes()
    state = start(one)
    assert one.train(state, [0, 3], begin, begin)[0] is state
