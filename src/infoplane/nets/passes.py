"""Training with a forward pass of one's own, such as a quantised or a noisy one, for a group of members at once.

What is random is a function of (seed, member, epoch, step), as in `infoplane.nets.train`: the same mini-batches and
the same bits wherever training is stopped.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from infoplane.nets.batches import block_length, epoch_batches
from infoplane.nets.mlp import Weights
from infoplane.nets.train import State, cross_entropy

Outputs = Callable[[Weights, Float[Array, "member feature place"], Any, Any], Float[Array, "member label place"]]
"""(weights, a mini-batch of each member, what the pass takes, keys of the step) → outputs before the softmax."""

Prepare = Callable[[Weights, Any, Any], Any]
"""(weights at the beginning of an epoch, what the pass took before, epochs made) → what it takes in that epoch."""

Keys = Callable[[Any, Any, Any], Any]
"""(what the pass takes, epochs made, step) → what is random in that step, such as a key a member; all are traced."""


class Passes:
    """A compiled program that trains groups of members with a forward pass of its own; compiled once for each width.

    Args:
        x: inputs (feature, sample).
        y: class of each sample.
        rows: those trained on.
        optimiser: an optax transformation.
        batch_size: rows a mini-batch; the last of an epoch may be smaller.
        seed: seed of the run.
        outputs: the forward pass.
        prepare: what the pass takes, made anew at the beginning of each epoch; None leaves it.
        keys: randomness of the pass; None for none.
    """

    def __init__(
        self,
        x: Float[np.ndarray, "feature sample"],
        y: Int[np.ndarray, " sample"],
        rows: Int[np.ndarray, " row"],
        *,
        optimiser: optax.GradientTransformation,
        batch_size: int,
        seed: int,
        outputs: Outputs,
        prepare: Prepare | None = None,
        keys: Keys | None = None,
    ) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.optimiser, self._outputs, self._prepare, self._keys = optimiser, outputs, prepare, keys
        self._x, self._y = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.int32)
        n_steps = -(-len(rows) // batch_size)
        mask = (np.arange(n_steps * batch_size) < len(rows)).astype(np.float32)
        self._mask = jnp.asarray(mask.reshape(n_steps, batch_size))
        self._program = jax.jit(self._stretch)

    def start(self, weights: Sequence[tuple[np.ndarray, np.ndarray]]) -> State:
        """Return initial weights and the optimiser's first state."""
        placed = [(jnp.asarray(kernel), jnp.asarray(bias)) for kernel, bias in weights]
        return State(placed, self.optimiser.init(placed))  # pyright: ignore[reportArgumentType]

    def train(self, state: State, members: Sequence[int], begin: int, end: int, taken: Any = None) -> tuple[State, Any]:
        """Train from the end of one epoch to the end of another.

        Args:
            state: at the end of epoch ``begin``.
            members: their numbers, from which their mini-batches follow.
            begin: epochs made.
            end: epochs to be made in all.
            taken: what the pass takes, such as ranges.

        Returns:
            The state, and what the pass took in the last epoch.
        """
        length = block_length(len(self.rows))
        while begin < end:
            block, first = divmod(begin, length)
            last = min(first + end - begin, length)
            batches = epoch_batches(self.seed, members, block, self.rows, self.batch_size)
            state, taken = self._program(
                state, taken, batches, np.int32(block * length), np.int32(first), np.int32(last)
            )
            begin += last - first
        return state, taken

    def _stretch(
        self, state: State, taken: Any, batches: Array, offset: Array, first: Array, last: Array
    ) -> tuple[State, Any]:
        """Train from epoch ``first`` to ``last`` of a block, whose first epoch is number ``offset``."""

        def epoch(index: Array, carry: tuple[State, Any]) -> tuple[State, Any]:
            state, taken = carry
            taken = taken if self._prepare is None else self._prepare(state.weights, taken, offset + index)
            return self._epoch(state, taken, batches[index], offset + index), taken

        return jax.lax.fori_loop(first, last, epoch, (state, taken))

    def _epoch(self, state: State, taken: Any, rows: Int[Array, "member place"], epoch: Array) -> State:
        n_steps = len(self._mask)
        by_step = rows.reshape(rows.shape[0], *self._mask.shape).transpose(1, 0, 2)

        def step(state: State, batch: tuple[Array, Array, Array]) -> tuple[State, None]:
            rows, mask, at = batch
            x, y = self._x[:, rows].transpose(1, 0, 2), self._y[rows]
            keys = None if self._keys is None else self._keys(taken, epoch, at)

            def loss(weights: Weights) -> Array:
                per_sample, _ = cross_entropy(self._outputs(weights, x, taken, keys), y)
                return (per_sample * mask).sum() / mask.sum()

            gradient = jax.grad(loss)(state.weights)
            updates, optimiser = self.optimiser.update(gradient, state.optimiser, state.weights)  # pyright: ignore[reportArgumentType]
            return State(optax.apply_updates(state.weights, updates), optimiser), None  # pyright: ignore[reportArgumentType]

        return jax.lax.scan(step, state, (by_step, self._mask, jnp.arange(n_steps)))[0]
