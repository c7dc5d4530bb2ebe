"""Quantised networks: levels, gradients, ranges, and exact information against counting by hand."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.estimators import Exact
from infoplane.nets import quantize as q
from infoplane.nets.mlp import forward, init_weights

LOW, HIGH = jnp.float32(-1), jnp.float32(1)


def network(activation="tanh", seed=0):
    """Two members of 4-5-3-2, and 64 inputs."""
    weights = [
        (jnp.asarray(k), jnp.asarray(b)) for k, b in init_weights([4, 5, 3, 2], "fan-in", "fan-in", seed, [0, 1])
    ]
    x = np.random.default_rng(seed).standard_normal((4, 64)).astype(np.float32)
    return weights, jnp.asarray(x), q.calibrate(weights, activation, jnp.asarray(x))


@pytest.mark.parametrize("bits", range(1, 9))
def test_there_are_exactly_two_to_the_b_levels(bits):
    values = q.quantize(jnp.linspace(-1.5, 1.5, 20_001), LOW, HIGH, bits)
    levels = np.unique(values)
    assert len(levels) == 2**bits
    assert (levels[0], levels[-1]) == (-1.0, 1.0)
    np.testing.assert_allclose(np.diff(levels), 2 / (2**bits - 1), rtol=1e-4)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 3.7), (-0.31, 1e-3)])
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_rounding_twice_is_rounding_once(low, high, bits):
    ends = jnp.float32(low), jnp.float32(high)
    once = q.quantize(jnp.linspace(low - 1, high + 1, 5001), *ends, bits)
    np.testing.assert_array_equal(q.quantize(once, *ends, bits), once)


def test_values_go_to_the_nearest_level():
    values = jnp.linspace(-1, 1, 1001)
    assert float(jnp.abs(q.quantize(values, LOW, HIGH, 3) - values).max()) <= 1 / 7 + 1e-6  # half a step


def test_the_gradient_is_one_inside_the_range_and_zero_outside():
    gradient = jax.grad(lambda v: q.quantize(v, LOW, HIGH, 2).sum())(jnp.array([-3.0, -1.0, -0.2, 0.0, 0.7, 1.0, 1.1]))
    np.testing.assert_array_equal(gradient, [0, 1, 1, 1, 1, 1, 0])


@pytest.mark.parametrize("bits", [0, 9, -1, 2.0, True, None])
def test_other_numbers_of_bits_are_refused(bits):
    with pytest.raises(InputError, match="expected a whole number of bits from 1 to 8"):
        q.check_bits(bits)


def test_bounded_activations_have_their_own_range_whatever_the_data():
    weights, x, _ = network()
    for scale in (0.1, 10):
        for low, high in q.calibrate(weights, "tanh", scale * x):
            assert low.shape == (2, 1, 1)
            np.testing.assert_array_equal(np.stack([low, high]).reshape(2, 2), [[-1, -1], [1, 1]])


def test_rectified_layers_are_calibrated_for_each_member_from_zero():
    weights, x, ranges = network("relu")
    layers = forward(weights, "relu", x)
    for (low, high), layer in zip(ranges, layers, strict=False):
        np.testing.assert_array_equal(low, 0)
        np.testing.assert_allclose(high[:, 0, 0], np.asarray(layer).max(axis=(1, 2)), rtol=1e-6)


def test_a_frozen_range_clips_what_grows_beyond_it():
    weights, x, ranges = network("relu")
    grown = q.forward(weights, "relu", 10 * x, ranges, 4)
    for (_, high), layer in zip(ranges, grown, strict=False):
        assert (np.asarray(layer) <= np.asarray(high)).all()


@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
def test_many_levels_are_near_the_network_in_floats(activation):
    weights, x, ranges = network(activation)
    layers = zip(forward(weights, activation, x), q.forward(weights, activation, x, ranges, 8), strict=True)
    for plain, rounded in layers:
        assert float(jnp.abs(plain - rounded).max()) < 0.1


def test_a_layer_whose_range_is_a_point_stays_there():
    value = jnp.float32(0.3)
    np.testing.assert_array_equal(q.quantize(jnp.array([0.0, 0.3, 2.0]), value, value, 4), jnp.full(3, value))


def test_kernels_are_rounded_and_biases_are_not():
    weights, _, _ = network()
    weights = [(kernel, bias + 0.123) for kernel, bias in weights]
    for (kernel, bias), (rounded, same) in zip(weights, q.quantize_weights(weights, 2), strict=True):
        assert all(len(np.unique(member)) <= 4 for member in rounded)
        np.testing.assert_allclose(jnp.abs(rounded).max(axis=(1, 2)), jnp.abs(kernel).max(axis=(1, 2)))
        np.testing.assert_array_equal(bias, same)


def test_a_network_on_levels_still_learns_through_its_gradient():
    weights, x, ranges = network()
    target = jnp.sign(x[0])

    def loss(weights):
        output = q.forward(weights, "tanh", x, ranges, 3, weight_bits=6)[-1]
        return ((output[:, 0] - target) ** 2).mean()

    before, step = loss(weights), jax.jit(jax.grad(loss))
    for _ in range(100):
        weights = jax.tree.map(lambda w, g: w - 0.1 * g, weights, step(weights))
    assert float(loss(weights)) < 0.6 * float(before)


def test_exact_information_is_that_of_counting_rows_by_hand():
    weights, x, ranges = network()
    y = np.arange(64) % 2
    for layer in q.activations(weights, "tanh", x, ranges, 2):
        rows = [tuple(row) for row in np.asarray(layer[0]).T.tolist()]
        joint, alone = collections.Counter(zip(rows, y.tolist(), strict=True)), collections.Counter(rows)
        h_t = -sum(n / 64 * np.log2(n / 64) for n in alone.values())
        h_ty = -sum(n / 64 * np.log2(n / 64) for n in joint.values())
        found = Exact().of_layer(np.asarray(layer[0]).T, y)
        assert found.input.bits == pytest.approx(h_t, abs=1e-12)
        assert found.label.bits == pytest.approx(h_t + 1 - h_ty, abs=1e-12)
        assert found.input.bits <= min(6, 2 * layer.shape[1])


def test_codes_tell_as_much_as_levels():
    weights, x, ranges = network()
    hidden = q.activations(weights, "tanh", x, ranges, 3)[0]
    numbers = q.codes(hidden, *ranges[0], 3)
    assert (int(numbers.min()) >= 0, int(numbers.max()) <= 7) == (True, True)
    of_codes, of_levels = (Exact().of_layer(np.asarray(one[1], float).T).input.bits for one in (numbers, hidden))
    assert of_codes == of_levels


def test_ranges_for_another_number_of_layers_are_refused():
    weights, x, ranges = network()
    with pytest.raises(InputError, match="ranges holds 1; expected 2"):
        q.forward(weights, "tanh", x, ranges[:1], 4)
