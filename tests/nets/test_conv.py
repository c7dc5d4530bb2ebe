"""Convolutional networks against a convolution by hand, finite differences, and what is measured of their maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate2d

from infoplane.errors import InputError
from infoplane.nets import mlp
from infoplane.nets.network import Conv, pooled
from infoplane.nets.shapes import Convolutional, n_weights
from infoplane.nets.train import Group, Trainer, cross_entropy, make_optimiser

SHAPE = Convolutional((7, 6), (2, 3), 3, (5,), 4)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, SHAPE.n_features)).astype(np.float32)
Y = RNG.integers(0, 4, 9)


def drawn(shape=SHAPE, members=(0, 1)):
    weights = mlp.draw_weights(shape.kernels, "keras", "keras", 1, members)
    return [(kernel, RNG.normal(size=bias.shape).astype(np.float32) / 4) for kernel, bias in weights]


WEIGHTS = drawn()


def by_hand(member, sample):
    """Feature maps after each pooling, the hidden layer and the outputs, with loops and SciPy's correlation."""
    maps, layers = [X[sample].reshape(SHAPE.image).astype(float)], []
    for kernel, bias in WEIGHTS[:2]:
        pools = []
        for out, offset in zip(kernel[member], bias[member, :, 0], strict=True):
            z = sum(correlate2d(one, own, mode="same") for one, own in zip(maps, out, strict=True)) + offset
            height, width = (size // 2 for size in z.shape)
            t = np.tanh(z)
            pools.append([[t[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max() for j in range(width)] for i in range(height)])
        maps = [np.array(pool) for pool in pools]
        layers.append(np.stack(maps, axis=-1))
    hidden = np.tanh(WEIGHTS[2][0][member] @ layers[-1].ravel() + WEIGHTS[2][1][member, :, 0])
    return [*layers, hidden, WEIGHTS[3][0][member] @ hidden + WEIGHTS[3][1][member, :, 0]]


def layers_of(channels):
    shape = Convolutional(SHAPE.image, SHAPE.filters, SHAPE.kernel, SHAPE.hidden, SHAPE.n_classes, channels)
    return shape, Conv("tanh", shape).layers(jax.tree.map(jnp.asarray, WEIGHTS), jnp.asarray(X))


def test_outputs_are_those_of_a_convolution_by_hand():
    outputs = Conv("tanh", SHAPE).logits(jax.tree.map(jnp.asarray, WEIGHTS), jnp.asarray(X))
    for member, sample in ((0, 0), (1, 5)):
        np.testing.assert_allclose(outputs[member, :, sample], by_hand(member, sample)[-1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", ["flatten", "mean", "each"])
def test_feature_maps_are_measured_flat_or_pooled_or_by_channel(channels):
    shape, layers = layers_of(channels)
    first, second, hidden, _ = by_hand(1, 3)
    expected = {
        "flatten": [first.ravel(), second.ravel(), hidden],
        "mean": [first.mean(axis=(0, 1)), second.mean(axis=(0, 1)), hidden],
        "each": [*(maps[..., n].ravel() for maps in (first, second) for n in range(maps.shape[2])), hidden],
    }[channels]
    assert [t.shape[1] for t in layers] == shape.units
    assert len(shape.layers) == len(shape.units) == len(shape.kernel_of)
    for t, by_loop in zip(layers, expected, strict=False):
        np.testing.assert_allclose(t[1, :, 3], by_loop, rtol=1e-5, atol=1e-6)


def test_layers_are_named_as_a_recorder_names_channels():
    assert layers_of("each")[0].layers == [
        *("conv1[0]", "conv1[1]", "conv2[0]", "conv2[1]", "conv2[2]"), "hidden1", "output",
    ]  # fmt: skip
    assert layers_of("each")[0].kernel_of == [0, 0, 1, 1, 1, 2, 3]
    assert layers_of("mean")[0].layers == ["conv1", "conv2", "hidden1", "output"]


def test_pooling_leaves_out_an_odd_last_row():
    maps = jnp.arange(15.0).reshape(1, 5, 3, 1)
    assert pooled(maps)[0, :, :, 0].tolist() == [[4.0], [10.0]]


def test_one_step_of_descent_follows_the_finite_differences_of_the_loss():
    network, rate = Conv("tanh", SHAPE), 0.1

    def loss(weights):
        return float(cross_entropy(network.logits(weights, jnp.asarray(X)), jnp.asarray(Y))[0].mean())

    options = {
        "network": network,
        "optimiser": make_optimiser("sgd", rate, flat=False),
        "batch_size": len(X),
        "seed": 0,
    }
    trainer = Trainer(X.T, Y, np.arange(len(X)), np.zeros(0, np.int64), **options)
    nets = Group(trainer, (0,), jax.devices()[0])
    begin = [(kernel[:1], bias[:1]) for kernel, bias in WEIGHTS]
    state, _ = nets.advance(nets.start(begin), 0, 1, 10)
    step = 1e-2
    for layer in range(4):
        for part in range(2):
            moved = (np.asarray(state.weights[layer][part]) - begin[layer][part]) / -rate
            place = np.unravel_index(np.abs(moved).argmax(), moved.shape)
            losses = []
            for sign in (1, -1):
                changed = [[np.array(leaf) for leaf in pair] for pair in begin]
                changed[layer][part][place] += sign * step
                losses.append(loss([tuple(map(jnp.asarray, pair)) for pair in changed]))
            # float32 losses near 1.4 resolve 1e-7: 1e-5 of the slope; the cubic term is of the order of step²
            assert moved[place] == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=0.01, abs=1e-4)


def test_keras_limits_count_every_place_of_a_kernel():
    kernel = mlp.draw_weights([(64, 32, 3, 3)], "keras", "keras", 0, [0])[0][0]
    limit = np.sqrt(6 / (9 * 32 + 9 * 64))
    assert limit * 0.999 < np.abs(kernel).max() <= limit * (1 + 1e-6)


def test_weights_are_counted_with_biases():
    assert n_weights(SHAPE) == sum(kernel[0].size + bias[0].size for kernel, bias in WEIGHTS)


def test_what_cannot_be_pooled_or_has_no_middle_is_refused():
    with pytest.raises(InputError, match=r"images are 7 × 6 and filters has 3 entries"):
        Convolutional((7, 6), (2, 3, 4), 3, (5,), 4)
    with pytest.raises(InputError, match=r"kernel is 4; expected an odd number"):
        Convolutional((7, 6), (2, 3), 4, (5,), 4)
