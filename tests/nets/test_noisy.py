"""Noisy networks: whose noise is whose, and what it leaves of the network without noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.nets import noisy
from infoplane.nets.mlp import forward, init_weights

WEIGHTS = [(jnp.asarray(k), jnp.asarray(b)) for k, b in init_weights([3, 4, 2, 2], "fan-in", "fan-in", 0, [0, 1])]
X = jnp.asarray(np.random.default_rng(0).standard_normal((3, 500)).astype(np.float32))


def data(keys):
    return np.asarray(jax.random.key_data(keys))


def test_keys_follow_from_seed_member_epoch_and_step_alone():
    both, second = noisy.noise_keys(3, [0, 1], 5, 7), noisy.noise_keys(3, [1], 5, 7)
    np.testing.assert_array_equal(data(both)[1], data(second)[0])
    others = [(4, [1], 5, 7), (3, [2], 5, 7), (3, [1], 6, 7), (3, [1], 5, 8)]
    assert len({data(noisy.noise_keys(*one)).tobytes() for one in others} | {data(second).tobytes()}) == 5


def test_without_noise_it_is_the_plain_network():
    layers = noisy.forward(WEIGHTS, "tanh", X, 0.0, noisy.noise_keys(0, [0, 1], 0, 0))
    for plain, own in zip(forward(WEIGHTS, "tanh", X), layers, strict=True):
        np.testing.assert_allclose(plain, own, atol=1e-6)


def test_the_first_layer_has_noise_of_the_deviation_asked_for():
    first = noisy.forward(WEIGHTS, "tanh", X, 0.3, noisy.noise_keys(0, [0, 1], 0, 0))[0]
    added = np.asarray(first - forward(WEIGHTS, "tanh", X)[0])
    assert added.std() == pytest.approx(0.3, rel=0.05)  # 1 / √8000 is 0.011
    assert abs(np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1]) < 0.1  # members have noise of their own


def test_later_layers_see_the_noise_of_earlier_ones():
    keys = noisy.noise_keys(0, [0, 1], 0, 0)
    layers = noisy.forward(WEIGHTS, "tanh", X, 0.3, keys)
    kernel, bias = WEIGHTS[2]
    np.testing.assert_allclose(jnp.einsum("moi,mis->mos", kernel, layers[1]) + bias, layers[2], atol=1e-5)


def test_gradients_pass_through_the_noise():
    keys = noisy.noise_keys(0, [0, 1], 0, 0)
    gradient = jax.grad(lambda w: (noisy.forward(w, "tanh", X, 0.3, keys)[-1] ** 2).sum())(WEIGHTS)
    assert all(float(jnp.abs(kernel).max()) > 0 for kernel, _ in gradient)


def test_centres_of_the_first_layer_are_certain_and_of_the_second_are_not():
    first, second = noisy.centres(WEIGHTS, "tanh", X[:, :10], 0.3, seed=1, members=[0, 1], draws=4)
    assert (first.shape, second.shape) == ((2, 4, 10, 4), (2, 4, 10, 2))
    np.testing.assert_array_equal(first, np.repeat(first[:, :1], 4, axis=1))
    np.testing.assert_allclose(first[:, 0].swapaxes(1, 2), forward(WEIGHTS, "tanh", X[:, :10])[0], atol=1e-6)
    assert (second.std(axis=1) > 0.01).all()


def test_centres_are_repeatable_and_differ_between_epochs():
    one, again, other = (
        noisy.centres(WEIGHTS, "tanh", X[:, :5], 0.3, seed=1, members=[0, 1], draws=2, epoch=epoch)[1]
        for epoch in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize("beta", [-0.1, float("nan"), "0.1", True])
def test_a_beta_that_is_no_deviation_is_refused(beta):
    with pytest.raises(InputError, match="beta is"):
        noisy.check_beta(beta)
