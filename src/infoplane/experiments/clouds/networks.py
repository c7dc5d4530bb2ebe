"""Samples of a network's weights: from a window of its training, from its continuations, from independent trainings.

Every network trains in the programs of `infoplane.nets.train`; samples of the weights stand where these have members.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from infoplane.experiments.clouds.settings import MOST, CloudSettings
from infoplane.nets import mlp
from infoplane.nets.network import Together
from infoplane.nets.train import Group, State, Trainer, make_optimiser

NEVER = 10**9
"""Held-out rows are scored after as many updates: not while training."""

ITSELF, BRANCH, INIT = range(3)
"""What a member's networks are for; each has mini-batches of its own."""

Path = dict[int, State]
"""States of a group by the number of updates made."""


@functools.lru_cache(maxsize=4)
def trainer(canonical: str, activation: str) -> Trainer:
    """Return the programs that train all networks with an activation, from the settings as canonical text."""
    settings = CloudSettings.model_validate_json(canonical)
    return Trainer(
        np.ascontiguousarray(settings.dataset.inputs.T),
        settings.dataset.labels,
        *settings.rows,
        network=Together(activation),
        optimiser=make_optimiser("adam", settings.train.learning_rate),
        batch_size=settings.train.batch_size,
        seed=settings.seed,
        by_update=True,
    )


def numbers(member: int, role: int, count: int) -> list[int]:
    """Return the numbers of a member's networks in a role, from which their randomness follows."""
    first = (3 * member + role) * MOST
    return list(range(first, first + count))


def group(settings: CloudSettings, activation: str, of: Sequence[int]) -> Group:
    """Return networks that train together."""
    return Group(trainer(settings.canonical(), activation), of, jax.local_devices()[0])


def initial(settings: CloudSettings, nets: Group) -> State:
    """Draw the initial weights of networks by their numbers."""
    init = settings.model.init
    return nets.start(mlp.init_weights(settings.sizes, init, init, settings.seed, nets.members))


def train(nets: Group, state: State, begin: int, end: int) -> State:
    """Train from one number of updates to another."""
    while begin < end:
        state, progress = nets.advance(state, begin, end, NEVER)
        begin += len(progress.train_loss)
    return state


def path(nets: Group, state: State, updates: Iterable[int]) -> Path:
    """Train from the beginning and keep the states after some numbers of updates."""
    kept, at = {}, 0
    for update in sorted(set(updates)):
        state, at = train(nets, state, at, update), update
        kept[update] = state
    return kept


def window_updates(settings: CloudSettings, end: int, length: int) -> list[int]:
    """Return the numbers of updates after which the samples of a window are taken."""
    return [(end - back) * settings.pace for back in range(length - 1, -1, -1)]


def wanted(settings: CloudSettings) -> set[int]:
    """Return the numbers of updates at which the network itself is needed: windows, and where branches leave."""
    window = settings.window
    windows = [(end, window.length) for end in window.ends] + [(window.ends[-1], length) for length in window.lengths]
    updates = {update for one in windows for update in window_updates(settings, *one)}
    return updates | {(end - window.length) * settings.pace for end in window.ends}


def window(settings: CloudSettings, states: Path, end: int, length: int) -> mlp.Weights:
    """Return the weights of consecutive updates or epochs of one network up to an end, as those of a group."""
    weights = [states[update].weights for update in window_updates(settings, end, length)]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *weights)


def branches(settings: CloudSettings, activation: str, member: int, states: Path, end: int) -> mlp.Weights:
    """Return the weights of continuations of one network, from where the window up to an end begins.

    Each has an order of mini-batches of its own. Where the network leaves an epoch half done, a branch goes on in the
    middle of an epoch of its own order, and may meet some rows again.
    """
    count = settings.window.length
    begin = (end - count) * settings.pace
    nets = group(settings, activation, numbers(member, BRANCH, count))
    return train(nets, repeated(states[begin], count), begin, end * settings.pace).weights


def repeated(state: State, count: int) -> State:
    """Return the state of one network as that of a group of equal ones.

    The optimiser holds all weights of a group as one vector, layer after layer, members side by side in each.
    """
    sizes = np.cumsum([leaf.size for leaf in jax.tree.leaves(state.weights)])

    def of_optimiser(leaf: Array) -> Array:
        if leaf.shape != (sizes[-1],):
            return leaf
        return jnp.concatenate([jnp.tile(part, count) for part in jnp.split(leaf, sizes[:-1])])

    weights = jax.tree.map(lambda leaf: jnp.repeat(leaf, count, axis=0), state.weights)
    return State(weights, jax.tree.map(of_optimiser, state.optimiser))


@functools.partial(jax.jit, static_argnames="activation")
def _activations(weights: Any, x: Array, activation: str) -> tuple[list[Array], Array]:
    layers = mlp.activations(weights, activation, x)
    return [t.transpose(0, 2, 1) for t in layers], mlp.logits(weights, activation, x).transpose(0, 2, 1)


def clouds(
    weights: mlp.Weights, inputs: Float[np.ndarray, "input feature"], activation: str
) -> tuple[list[Float[np.ndarray, "sample input unit"]], Float[np.ndarray, "sample input label"]]:
    """Return the activations of each layer in every sample of the weights, and the outputs before the softmax."""
    layers, outputs = _activations(weights, np.ascontiguousarray(inputs.T), activation)
    return [np.array(t) for t in layers], np.array(outputs)
