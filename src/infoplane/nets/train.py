"""Training a group of members as one program: same bits alone, beside others, stopped and resumed.

Everything random is a function of (seed, member, epoch): never a chain that is carried along. The loop over
epochs is one compiled program with a run-time count, so where a run is measured, stopped or resumed does not
change a bit of it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from infoplane.errors import ConfigError, did_you_mean
from infoplane.nets.gradients import Moments, add_gradient, mean_and_std, no_moments
from infoplane.nets.mlp import Weights, activations, logits

OPTIMISERS = ("adam", "sgd", "momentum")

Device = Any
"""A ``jax.Device``, which type checkers take for a variable."""

PERMUTED_INDICES = 2**20
"""Upper size of a block of epochs whose mini-batches are drawn together, in indices for each member."""

MAX_BLOCK = 50


class State(NamedTuple):
    """What training carries from epoch to epoch."""

    weights: Weights
    optimiser: optax.OptState


class Progress(NamedTuple):
    """What a stretch of epochs records, one row an epoch; of gradients see `infoplane.nets.gradients`."""

    train_loss: Float[np.ndarray, "epoch member"]
    train_accuracy: Float[np.ndarray, "epoch member"]
    test_loss: Float[np.ndarray, "epoch member"]
    test_accuracy: Float[np.ndarray, "epoch member"]
    weight_norm: Float[np.ndarray, "epoch member layer"]
    gradient_mean: Float[np.ndarray, "epoch member layer"]
    gradient_std: Float[np.ndarray, "epoch member layer"]


class Spread(NamedTuple):
    """How the values of one layer lie, for each member; shares are of values (0…1)."""

    minimum: Float[Array, " member"]
    maximum: Float[Array, " member"]
    sd: Float[Array, " member"]
    dead_share: Float[Array, " member"]
    saturated_share: Float[Array, " member"]


def make_optimiser(
    name: str, learning_rate: float, *, momentum: float = 0.9, weight_decay: float = 0.0
) -> optax.GradientTransformation:
    """Build the optimiser from optax; ``weight_decay`` adds its multiple of the kernels to their gradient.

    The optimiser sees all weights of a member as one vector: one fused operation a step instead of one a
    matrix.
    """
    base = {
        "adam": lambda: optax.adam(learning_rate),
        "sgd": lambda: optax.sgd(learning_rate),
        "momentum": lambda: optax.sgd(learning_rate, momentum=momentum),
    }
    if name not in base:
        raise ConfigError(f"train.optimizer is '{name}'{did_you_mean(name, OPTIMISERS)}")
    flat = optax.flatten(base[name]())
    if weight_decay == 0:
        return flat
    return optax.chain(optax.add_decayed_weights(weight_decay, mask=_kernels_only), flat)


def _kernels_only(weights: Weights) -> list[tuple[bool, bool]]:
    return [(True, False) for _ in weights]


def block_length(n_train: int) -> int:
    """Number of epochs whose mini-batches are drawn together; a function of the data's size alone."""
    return max(1, min(MAX_BLOCK, PERMUTED_INDICES // n_train))


def epoch_batches(
    seed: int, members: Sequence[int], block: int, train_rows: Int[np.ndarray, " row"], batch_size: int
) -> Int[np.ndarray, "epoch member place"]:
    """Rows of each mini-batch in order, for every epoch of one block and every member.

    Each epoch is a fresh permutation: 64-bit words whose upper bits are random and whose lower bits are the
    row are sorted. The last, partial mini-batch is filled up with a row that the training masks out.
    """
    n_epochs, n_rows = block_length(len(train_rows)), len(train_rows)
    bits = max(1, int(n_rows - 1).bit_length())
    filled = -(-n_rows // batch_size) * batch_size
    batches = np.full((n_epochs, len(members), filled), train_rows[0], np.int32)
    for index, member in enumerate(members):
        words = np.random.Philox(key=[seed, member], counter=[0, 0, 0, block]).random_raw(n_epochs * n_rows)
        words = words.reshape(n_epochs, n_rows)
        words <<= np.uint64(bits)
        words |= np.arange(n_rows, dtype=np.uint64)
        words.sort(axis=1)
        words &= np.uint64(2**bits - 1)
        batches[:, index, :n_rows] = train_rows[words.astype(np.int64)]
    return batches


def cross_entropy(
    z: Float[Array, "member label sample"], y: Int[Array, "*member sample"]
) -> tuple[Float[Array, "member sample"], Bool[Array, "member sample"]]:
    """Cross-entropy in nats of each sample, and whether its class is the first of the largest outputs."""
    classes = jnp.arange(z.shape[-2])[:, None]
    own = y[..., None, :] == classes
    loss = -jnp.where(own, jax.nn.log_softmax(z, axis=-2), 0).sum(axis=-2)
    own_z = jnp.where(own, z, -jnp.inf).max(axis=-2)
    earlier_z = jnp.where(classes < y[..., None, :], z, -jnp.inf).max(axis=-2)
    return loss, (own_z >= z.max(axis=-2)) & (own_z > earlier_z)


class Task(NamedTuple):
    """The data on one device.

    Attributes:
        x: inputs (feature, sample), shared by the members.
        y: class of each sample.
        mask: 1 for each place of each mini-batch that holds a row (step, place); the last may be partly filled.
        x_train, y_train: the rows trained on.
        x_test, y_test: the rows held out; there may be none.
    """

    x: Float[Array, "feature sample"]
    y: Int[Array, " sample"]
    mask: Float[Array, "step place"]
    x_train: Float[Array, "feature train"]
    y_train: Int[Array, " train"]
    x_test: Float[Array, "feature test"]
    y_test: Int[Array, " test"]


class Trainer:
    """Compiled programs that train and observe groups of members; compiled once for each device.

    Args:
        x: inputs, float32 (feature, sample).
        y: class of each sample.
        train_rows: rows trained on.
        test_rows: rows held out; may be empty.
        activation: name in `infoplane.nets.mlp.ACTIVATIONS`.
        optimiser: an optax transformation.
        batch_size: rows a mini-batch; the last one of an epoch may be smaller.
        seed: seed of the run.
        by_update: count single updates instead of epochs, wherever the word epoch stands. The same mini-batches
            train in the same order; only roundings differ.
    """

    def __init__(
        self,
        x: Float[np.ndarray, "feature sample"],
        y: Int[np.ndarray, " sample"],
        train_rows: Int[np.ndarray, " train"],
        test_rows: Int[np.ndarray, " test"],
        *,
        activation: str,
        optimiser: optax.GradientTransformation,
        batch_size: int,
        seed: int,
        by_update: bool = False,
    ) -> None:
        self.activation, self.optimiser = activation, optimiser
        self.batch_size, self.seed, self.train_rows, self.by_update = batch_size, seed, train_rows, by_update
        n_steps = -(-len(train_rows) // batch_size)
        self.block = block_length(len(train_rows)) * (n_steps if by_update else 1)
        mask = (np.arange(n_steps * batch_size) < len(train_rows)).astype(np.float32)
        x, y = np.asarray(x, np.float32), np.asarray(y, np.int32)
        held_out = x[:, test_rows], y[test_rows]
        self._task = Task(x, y, mask.reshape(n_steps, batch_size), x[:, train_rows], y[train_rows], *held_out)  # pyright: ignore[reportArgumentType]
        self._tasks: dict[Device, Task] = {}
        self._advance = jax.jit(self._advance_program)
        self._observe = jax.jit(self._observe_program)
        self._score = jax.jit(self._score_program)

    def task(self, device: Device) -> Task:
        """Return the data on a device; it is put there once."""
        if device not in self._tasks:
            self._tasks[device] = jax.device_put(self._task, device)
        return self._tasks[device]

    def start(self, weights: Sequence[tuple[np.ndarray, np.ndarray]], device: Device) -> State:
        """Put initial weights and the optimiser's first state on a device."""
        placed = jax.device_put([tuple(layer) for layer in weights], device)
        return State(placed, jax.device_put(self.optimiser.init(placed), device))

    def _advance_program(
        self, task: Task, state: State, batches: Array, scored: Array, first: Array, last: Array
    ) -> tuple[State, list[Array]]:
        """Train from epoch ``first`` to ``last`` of a block; rows of a `Progress` for every epoch of the block."""
        n_members, n_layers = batches.shape[1], len(state.weights)
        unscored = jnp.full(n_members, jnp.nan)

        def epoch(index: Array, carry: tuple[State, list[Array]]) -> tuple[State, list[Array]]:
            state, records = carry
            mask = task.mask[index % len(task.mask)][None] if self.by_update else task.mask
            state, (loss, accuracy, *gradients) = self._epoch(task, state, batches[index], mask)
            tested = jax.lax.cond(
                scored[index],
                lambda weights: self._mean_score(weights, task.x_test, task.y_test),
                lambda _: (unscored, unscored),
                state.weights,
            )
            row = (loss, accuracy, *tested, _weight_norms(state.weights), *gradients)
            return state, [column.at[index].set(value) for column, value in zip(records, row, strict=True)]

        shapes = [(self.block, n_members)] * 4 + [(self.block, n_members, n_layers)] * 3
        records = [jnp.full(shape, jnp.nan) for shape in shapes]
        return jax.lax.fori_loop(first, last, epoch, (state, records))

    def _epoch(
        self, task: Task, state: State, rows: Int[Array, "member row"], mask: Float[Array, "step place"]
    ) -> tuple[State, tuple[Array, ...]]:
        n_steps, n_train = mask.shape[0], mask.sum() if self.by_update else task.y_train.shape[0]
        by_step = rows.reshape(rows.shape[0], *mask.shape).transpose(1, 0, 2)
        counts = jnp.arange(1.0, n_steps + 1)

        def step(carry: tuple[State, Moments], batch: tuple[Array, ...]) -> tuple[tuple[State, Moments], Any]:
            (state, moments), (rows, mask, count) = carry, batch
            state, gradient, records = self._step(task, state, rows, mask)
            return (state, add_gradient(moments, gradient, count)), records

        carry = state, no_moments(state.weights)
        (state, moments), (loss, correct) = jax.lax.scan(step, carry, (by_step, mask, counts), unroll=min(2, n_steps))
        return state, (loss.sum(axis=0) / n_train, correct.sum(axis=0) / n_train, *mean_and_std(moments, n_steps))

    def _step(
        self, task: Task, state: State, rows: Int[Array, "member place"], mask: Float[Array, " place"]
    ) -> tuple[State, Weights, tuple[Array, Array]]:
        x, y = task.x[:, rows].transpose(1, 0, 2), task.y[rows]

        def loss(weights: Weights) -> tuple[Array, tuple[Array, Array]]:
            per_sample, correct = cross_entropy(logits(weights, self.activation, x), y)
            total = (per_sample * mask).sum(axis=-1)
            return total.sum() / mask.sum(), (total, (correct * mask).sum(axis=-1))

        gradient, records = jax.grad(loss, has_aux=True)(state.weights)
        updates, optimiser = self.optimiser.update(gradient, state.optimiser, state.weights)  # pyright: ignore[reportArgumentType]
        weights = optax.apply_updates(state.weights, updates)  # pyright: ignore[reportArgumentType]
        return State(weights, optimiser), gradient, records  # pyright: ignore[reportArgumentType]

    def _mean_score(self, weights: Weights, x: Array, y: Array) -> tuple[Array, Array]:
        loss, correct = cross_entropy(logits(weights, self.activation, x), y)
        return loss.mean(axis=-1), correct.mean(axis=-1)  # of no rows: NaN

    def _score_program(self, task: Task, weights: Weights) -> tuple[Array, ...]:
        trained = self._mean_score(weights, task.x_train, task.y_train)
        tested = self._mean_score(weights, task.x_test, task.y_test)
        norms = _weight_norms(weights)
        return (*trained, *tested, norms, *[jnp.full_like(norms, jnp.nan)] * 2)  # nothing has trained yet

    def _observe_program(self, task: Task, weights: Weights) -> tuple[list[Array], list[Spread]]:
        layers = activations(weights, self.activation, task.x)
        names = [self.activation] * (len(layers) - 1) + ["softmax"]
        return layers, [spread(t, name) for t, name in zip(layers, names, strict=True)]


class Group:
    """One group of members on one device, trained and observed by the programs of a `Trainer`."""

    def __init__(self, trainer: Trainer, members: Sequence[int], device: Device) -> None:
        self.trainer, self.members, self.device = trainer, tuple(members), device
        self._task = trainer.task(device)
        self._held: dict[int, Array] = {}

    def start(self, weights: Sequence[tuple[np.ndarray, np.ndarray]]) -> State:
        """Put initial weights and the optimiser's first state on the device."""
        return self.trainer.start(weights, self.device)

    def restore(self, template: State, leaves: Sequence[np.ndarray]) -> State:
        """Rebuild a state from the arrays of `leaves`, in that order."""
        structure = jax.tree.structure(template)
        return jax.device_put(jax.tree.unflatten(structure, leaves), self.device)

    def advance(
        self, state: State, epoch: int, until: int, test_every: int, at_most: int = MAX_BLOCK
    ) -> tuple[State, Progress]:
        """Train from the end of ``epoch`` towards the end of ``until``, at most to the end of a block.

        The held-out rows are scored after ``until`` and after each multiple of ``test_every``. ``at_most`` bounds
        the number of epochs; where the training pauses changes nothing.
        """
        size = self.trainer.block
        block, first = divmod(epoch, size)
        last = min(first + min(until - epoch, at_most), size)
        ends = epoch - first + 1 + np.arange(size)
        scored = (ends % test_every == 0) | (ends == until)
        batches = self._batches(block)
        state, records = self.trainer._advance(self._task, state, batches, scored, np.int32(first), np.int32(last))
        if last == size:
            self._batches(block + 1)  # drawn on the host while the device is still training
        return state, Progress(*(np.asarray(record)[first:last] for record in records))

    def observe(self, state: State) -> tuple[list[Float[Array, "member unit sample"]], list[Spread]]:
        """Activations of every layer on all samples, and how they are spread."""
        return self.trainer._observe(self._task, state.weights)

    def score(self, state: State) -> Progress:
        """Loss and accuracy of a state as it is, on the rows trained on and on those held out."""
        return Progress(*(np.asarray(value)[None] for value in self.trainer._score(self._task, state.weights)))

    def _batches(self, block: int) -> Array:
        """Mini-batches of a block, kept on the device while that block or the one before lasts."""
        if block not in self._held:
            trainer = self.trainer
            rows = epoch_batches(trainer.seed, self.members, block, trainer.train_rows, trainer.batch_size)
            if trainer.by_update:
                steps = rows.reshape(*rows.shape[:2], -1, trainer.batch_size).swapaxes(1, 2)
                rows = steps.reshape(-1, *steps.shape[2:])
            kept = {old: held for old, held in self._held.items() if old == block - 1}
            self._held = kept | {block: jax.device_put(rows, self.device)}
        return self._held[block]


def state_leaves(state: State) -> list[np.ndarray]:
    """Every array of a state, copied to the host."""
    return [np.array(leaf) for leaf in jax.tree.leaves(state)]


BOUNDS = {"tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0), "softmax": (0.0, 1.0)}
"""Ranges of the bounded activations."""


def spread(t: Float[Array, "member unit sample"], activation: str) -> Spread:
    """Range, standard deviation (over all values of the layer), dead units and saturated values.

    A unit is dead when it gives the same value for every sample. A value is saturated within 1 % of the
    range from an end of a bounded activation; for others the share is NaN.
    """
    dead = (t.min(axis=2) == t.max(axis=2)).mean(axis=1)
    saturated = jnp.full(t.shape[0], jnp.nan)
    if activation in BOUNDS:
        low, high = BOUNDS[activation]
        margin = 0.01 * (high - low)
        saturated = ((t < low + margin) | (t > high - margin)).mean(axis=(1, 2))
    return Spread(t.min(axis=(1, 2)), t.max(axis=(1, 2)), t.std(axis=(1, 2)), dead, saturated)


def _weight_norms(weights: Weights) -> Float[Array, "member layer"]:
    return jnp.stack([jnp.sqrt((kernel**2).sum(axis=(1, 2))) for kernel, _ in weights], axis=-1)
