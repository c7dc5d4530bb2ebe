"""Samples of the weights: which states a window takes, where branches leave, what is drawn anew."""

import jax
import numpy as np
import pytest

from infoplane.experiments.clouds import networks
from infoplane.experiments.clouds.networks import BRANCH, INIT, ITSELF


@pytest.fixture(scope="module")
def net(small):
    return networks.group(small, "tanh", networks.numbers(0, ITSELF, 1))


@pytest.fixture(scope="module")
def states(small, net):
    return networks.path(net, networks.initial(small, net), networks.wanted(small))


def leaves(weights):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(weights)]


def test_a_window_holds_consecutive_updates_up_to_its_end(small):
    assert networks.window_updates(small, 20, 4) == [17, 18, 19, 20]


def test_a_window_of_epochs_holds_ends_of_epochs(small):
    settings = small.model_copy(update={"window": small.window.model_copy(update={"unit": "epochs"})})
    assert networks.window_updates(settings, 5, 3) == [24, 32, 40]


def test_what_is_wanted_holds_windows_and_where_branches_leave(small):
    wanted = networks.wanted(small)
    assert wanted >= {0, 12, 40, *range(1, 9), *range(13, 21), *range(33, 49)}
    assert 10 not in wanted


def test_the_samples_of_a_window_are_the_states_of_its_updates(small, states):
    weights = networks.window(small, states, 20, 8)
    for sample, update in enumerate(range(13, 21)):
        for one, other in zip(leaves(weights), leaves(states[update].weights), strict=True):
            assert np.array_equal(one[sample], other[0])


def test_where_a_path_is_kept_changes_no_bit(small, net, states):
    direct = networks.path(net, networks.initial(small, net), [48])
    assert all(
        np.array_equal(one, other)
        for one, other in zip(leaves(direct[48].weights), leaves(states[48].weights), strict=True)
    )


def test_a_branch_with_the_mini_batches_of_the_network_itself_is_the_network(small, states):
    """Its state is repeated rightly, that of the optimiser too; groups of another width round otherwise (float32)."""
    again = networks.group(small, "tanh", networks.numbers(0, ITSELF, 1) * 3)
    end = networks.train(again, networks.repeated(states[12], 3), 12, 20)
    for one, other in zip(leaves(end.weights), leaves(states[20].weights), strict=True):
        assert np.allclose(one, np.repeat(other, 3, axis=0), rtol=1e-4, atol=1e-5)


def test_branches_differ_and_stay_near_where_they_left(small, states):
    weights = leaves(networks.branches(small, "tanh", 0, states, 20))
    start = leaves(states[12].weights)
    assert all(len(leaf) == 8 for leaf in weights)
    assert all(np.ptp(leaf, axis=0).max() > 0 for leaf in weights)
    assert max(np.abs(leaf - origin).max() for leaf, origin in zip(weights, start, strict=True)) < 8 * 0.011


def test_no_two_networks_share_their_randomness():
    drawn = [networks.numbers(member, role, 10_000) for member in range(3) for role in (ITSELF, BRANCH, INIT)]
    assert len({number for numbers in drawn for number in numbers}) == 9 * 10_000


def test_clouds_have_samples_inputs_units(small, states):
    inputs, _ = small.samples
    layers, outputs = networks.clouds(networks.window(small, states, 20, 8), inputs, "tanh")
    assert [t.shape for t in layers] == [(8, 61, 4), (8, 61, 3), (8, 61, 2)]
    assert outputs.shape == (8, 61, 2)
    assert layers[-1].sum(axis=-1) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(layers[-1].argmax(axis=-1), outputs.argmax(axis=-1))


def test_activations_are_those_of_the_sample(small, states):
    inputs, _ = small.samples
    layers, _ = networks.clouds(networks.window(small, states, 20, 8), inputs, "tanh")
    kernel, bias = leaves(states[17].weights)[:2]
    assert layers[0][4] == pytest.approx(np.tanh(inputs @ kernel[0].T + bias[0].T), abs=1e-5)
