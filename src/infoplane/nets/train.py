"""Training a group of members as one program: same bits alone, beside others, stopped and resumed.

Everything random is a function of (seed, member, epoch): never a chain that is carried along. The loop over
epochs is one compiled program with a run-time count, so where a run is measured, stopped or resumed does not
change a bit of it.
"""

import operator
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from infoplane.errors import ConfigError, did_you_mean
from infoplane.nets.batches import MAX_BLOCK, block_length, epoch_batches
from infoplane.nets.gradients import Moments, add_gradient, mean_and_std, no_moments
from infoplane.nets.mlp import Weights
from infoplane.nets.network import Apart, Network
from infoplane.nets.spread import Spread, spread, spread_of_large

OPTIMISERS = ("adam", "sgd", "momentum")

Device = Any
"""A ``jax.Device``, which type checkers take for a variable."""


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


def make_optimiser(
    name: str, learning_rate: float, *, momentum: float = 0.9, weight_decay: float = 0.0, flat: bool = True
) -> optax.GradientTransformation:
    """Build the optimiser from optax; ``weight_decay`` adds its multiple of the kernels to their gradient.

    With ``flat`` it sees all weights of a group as one vector: one fused operation a step instead of one a matrix,
    which pays where these are small.
    """
    base = {
        "adam": lambda: optax.adam(learning_rate),
        "sgd": lambda: optax.sgd(learning_rate),
        "momentum": lambda: optax.sgd(learning_rate, momentum=momentum),
    }
    if name not in base:
        raise ConfigError(f"train.optimizer is '{name}'{did_you_mean(name, OPTIMISERS)}")
    rule = optax.flatten(base[name]()) if flat else base[name]()
    if weight_decay == 0:
        return rule
    return optax.chain(optax.add_decayed_weights(weight_decay, mask=_kernels_only), rule)


def _kernels_only(weights: Weights) -> list[tuple[bool, bool]]:
    return [(True, False) for _ in weights]


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


Observed = tuple[Sequence[Float[Array | np.ndarray, "member unit sample"]], Sequence[Spread]]
"""Activations of every measured layer, and how they are spread."""


class Task(NamedTuple):
    """The data on one device.

    Attributes:
        x: inputs as `Network.place` gives them, shared by the members.
        y: class of each sample.
        mask: 1 for each place of each mini-batch that holds a row (step, place); the last may be partly filled.
        train: the rows trained on.
        test: the rows held out; there may be none.
    """

    x: Float[Array, "_ _"]
    y: Int[Array, " sample"]
    mask: Float[Array, "step place"]
    train: Int[Array, " train"]
    test: Int[Array, " test"]


class Trainer:
    """Compiled programs that train and observe groups of members; compiled once for each device.

    Args:
        x: inputs, float32 (feature, sample).
        y: class of each sample.
        train_rows: rows trained on.
        test_rows: rows held out; may be empty.
        network: what computes outputs and activations.
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
        network: Network,
        optimiser: optax.GradientTransformation,
        batch_size: int,
        seed: int,
        by_update: bool = False,
    ) -> None:
        self.network, self.optimiser = network, optimiser
        self.batch_size, self.seed, self.train_rows, self.by_update = batch_size, seed, train_rows, by_update
        n_steps = -(-len(train_rows) // batch_size)
        self.block = block_length(len(train_rows)) * (n_steps if by_update else 1)
        mask = (np.arange(n_steps * batch_size) < len(train_rows)).astype(np.float32)
        placed, y = network.place(np.asarray(x, np.float32)), np.asarray(y, np.int32)
        rows = train_rows.astype(np.int32), test_rows.astype(np.int32)
        self._task = Task(placed, y, mask.reshape(n_steps, batch_size), *rows)  # pyright: ignore[reportArgumentType]
        self._tasks: dict[Device, Task] = {}
        self._advance = jax.jit(self._advance_program)
        self._observe = jax.jit(self._observe_program)
        self._score = jax.jit(self._score_program)
        self._activate = jax.jit(lambda x, weights, rows: network.layers(weights, network.take(x, rows)))

    def task(self, device: Device) -> Task:
        """Return the data on a device; it is put there once."""
        if device not in self._tasks:
            self._tasks[device] = jax.device_put(self._task, device)
        return self._tasks[device]

    def start(self, weights: Sequence[tuple[np.ndarray, np.ndarray]], device: Device) -> State:
        """Put initial weights and the optimiser's first state on a device."""
        placed = jax.device_put([tuple(layer) for layer in weights], device)
        begin = jax.vmap(lambda own: self.optimiser.init(_grouped(own))) if self.network.apart else self.optimiser.init
        return State(placed, jax.device_put(begin(placed), device))  # pyright: ignore[reportArgumentType]

    def _advance_program(
        self, task: Task, state: State, batches: Array, scored: Array, first: Array, last: Array
    ) -> tuple[State, list[Array]]:
        """Train from epoch ``first`` to ``last`` of a block; rows of a `Progress` for every epoch of the block."""
        n_members, n_layers = batches.shape[1], len(state.weights)
        unscored = jnp.full(n_members, jnp.nan)

        def epoch(index: Array, carry: tuple[State, list[Array]]) -> tuple[State, list[Array]]:
            state, records = carry
            mask = task.mask[index % len(task.mask)][None] if self.by_update else task.mask
            state, (loss, accuracy, *gradients) = self._train(task, state, batches[index], mask, scored[index])
            tested = jax.lax.cond(
                scored[index],
                lambda weights: self._mean_score(task, weights, task.test),
                lambda _: (unscored, unscored),
                state.weights,
            )
            row = (loss, accuracy, *tested, _weight_norms(state.weights), *gradients)
            return state, [column.at[index].set(value) for column, value in zip(records, row, strict=True)]

        shapes = [(self.block, n_members)] * 4 + [(self.block, n_members, n_layers)] * 3
        records = [jnp.full(shape, jnp.nan) for shape in shapes]
        return jax.lax.fori_loop(first, last, epoch, (state, records))

    def _train(
        self, task: Task, state: State, rows: Int[Array, "member row"], mask: Float[Array, "step place"], scored: Array
    ) -> tuple[State, tuple[Array, ...]]:
        """Train a group for an epoch, at once or member by member; these keep no gradients of epochs that nobody asked.

        The gradients of a wide network are as large as its weights: taking them down costs a fifth of the training.
        """
        if not self.network.apart:
            return self._epoch(task, state, rows, mask, moments=True)

        def one(member: tuple[State, Array], moments: bool) -> tuple[State, tuple[Array, ...]]:
            (weights, optimiser), own = member
            trained, records = self._epoch(task, State(_grouped(weights), optimiser), own[None], mask, moments=moments)
            return State(_single(trained.weights), trained.optimiser), _single(records)

        return jax.lax.cond(
            scored,
            lambda group: jax.lax.map(lambda member: one(member, moments=True), group),
            lambda group: jax.lax.map(lambda member: one(member, moments=False), group),
            (state, rows),
        )

    def _epoch(
        self,
        task: Task,
        state: State,
        rows: Int[Array, "member row"],
        mask: Float[Array, "step place"],
        *,
        moments: bool,
    ) -> tuple[State, tuple[Array, ...]]:
        n_steps, n_train = mask.shape[0], mask.sum() if self.by_update else task.train.shape[0]
        by_step = rows.reshape(rows.shape[0], *mask.shape).transpose(1, 0, 2)
        counts = jnp.arange(1.0, n_steps + 1)

        def step(carry: tuple[State, Any], batch: tuple[Array, ...]) -> tuple[tuple[State, Any], Any]:
            (state, sums), (rows, mask, count) = carry, batch
            state, gradient, records = self._step(task, state, rows, mask)
            return (state, add_gradient(sums, gradient, count) if moments else sums), records

        carry = state, no_moments(state.weights) if moments else ()
        (state, sums), (loss, correct) = jax.lax.scan(step, carry, (by_step, mask, counts), unroll=min(2, n_steps))
        unknown = jnp.full((rows.shape[0], len(state.weights)), jnp.nan)
        gradients = mean_and_std(sums, n_steps) if isinstance(sums, Moments) else (unknown, unknown)
        return state, (loss.sum(axis=0) / n_train, correct.sum(axis=0) / n_train, *gradients)

    def _step(
        self, task: Task, state: State, rows: Int[Array, "member place"], mask: Float[Array, " place"]
    ) -> tuple[State, Weights, tuple[Array, Array]]:
        x, y = self.network.take(task.x, rows), task.y[rows]

        def loss(weights: Weights) -> tuple[Array, tuple[Array, Array]]:
            per_sample, correct = cross_entropy(self.network.logits(weights, x), y)
            total = (per_sample * mask).sum(axis=-1)
            return total.sum() / mask.sum(), (total, (correct * mask).sum(axis=-1))

        gradient, records = jax.grad(loss, has_aux=True)(state.weights)
        updates, optimiser = self.optimiser.update(gradient, state.optimiser, state.weights)  # pyright: ignore[reportArgumentType]
        weights = optax.apply_updates(state.weights, updates)  # pyright: ignore[reportArgumentType]
        return State(weights, optimiser), gradient, records  # pyright: ignore[reportArgumentType]

    def _mean_score(self, task: Task, weights: Weights, rows: Int[Array, " row"]) -> tuple[Array, Array]:
        """Mean loss and accuracy on some rows; of no rows NaN."""

        def score(rows: Array) -> tuple[Array, Array]:
            return cross_entropy(self.network.logits(weights, self.network.take(task.x, rows)), task.y[rows])

        if not isinstance(self.network, Apart) or len(rows) <= self.network.scored_rows:
            loss, correct = score(rows)
            return loss.mean(axis=-1), correct.mean(axis=-1)
        size = self.network.scored_rows
        filled = jnp.pad(rows, (0, -len(rows) % size)).reshape(-1, size)
        counts = (jnp.arange(filled.size) < len(rows)).reshape(filled.shape)

        def part(given: tuple[Array, Array]) -> tuple[Array, Array]:
            (loss, correct), counts = score(given[0]), given[1]
            return (loss * counts).sum(axis=-1), (correct & counts).sum(axis=-1)

        loss, correct = jax.lax.map(part, (filled, counts))
        return loss.sum(axis=0) / len(rows), correct.sum(axis=0) / len(rows)

    def _score_program(self, task: Task, weights: Weights) -> tuple[Array, ...]:
        trained, tested = (self._mean_score(task, weights, rows) for rows in (task.train, task.test))
        norms = _weight_norms(weights)
        return (*trained, *tested, norms, *[jnp.full_like(norms, jnp.nan)] * 2)  # nothing has trained yet

    def _observe_program(self, task: Task, weights: Weights) -> tuple[list[Array], list[Spread]]:
        layers = self.network.layers(weights, task.x)
        return layers, [spread(t, name) for t, name in zip(layers, self._names(layers), strict=True)]

    def _observe_apart(self, task: Task, weights: Weights, rows: Int[np.ndarray, " row"]) -> Observed:
        """Observe one member on some rows, part by part into arrays in host memory."""
        layers: list[np.ndarray] = []
        assert isinstance(self.network, Apart)
        size = self.network.scored_rows
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size].astype(np.int32)
            filled = np.pad(chosen, (0, min(size, len(rows)) - len(chosen)), mode="edge")
            parts = self._activate(task.x, weights, filled)
            layers = layers or [np.empty((1, part.shape[1], len(rows)), np.float32) for part in parts]
            for layer, part in zip(layers, parts, strict=True):
                layer[..., start : start + len(chosen)] = np.asarray(part)[..., : len(chosen)]
        return layers, [spread_of_large(t[0], name) for t, name in zip(layers, self._names(layers), strict=True)]

    def _names(self, layers: Sequence[Any]) -> list[str]:
        return [self.network.activation] * (len(layers) - 1) + ["softmax"]


def _grouped(tree: Any) -> Any:
    """Return the arrays of one member as those of a group of one."""
    return jax.tree.map(lambda leaf: leaf[None], tree)


def _single(tree: Any) -> Any:
    """Return the arrays of a group of one as those of its member."""
    return jax.tree.map(lambda leaf: leaf[0], tree)


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

    def observe(self, state: State) -> Observed:
        """Activations of every layer on all samples, and how they are spread."""
        return self.trainer._observe(self._task, state.weights)

    def observe_some(self, state: State, rows: Int[np.ndarray, " row"], n_members: int) -> Iterator[Observed]:
        """Observe the first members on some rows: all at once, or where they train apart one after the other."""
        if not self.trainer.network.apart:
            layers, spreads = self.observe(state)
            every = len(rows) == layers[0].shape[2]
            kept = [t[:n_members] if every else np.take(np.asarray(t[:n_members]), rows, axis=2) for t in layers]
            yield kept, [Spread(*(np.asarray(part)[:n_members] for part in one)) for one in spreads]
            return
        for member in range(n_members):
            weights = jax.tree.map(operator.itemgetter(slice(member, member + 1)), state.weights)
            yield self.trainer._observe_apart(self._task, weights, rows)

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


def _weight_norms(weights: Weights) -> Float[Array, "member layer"]:
    return jnp.stack([jnp.sqrt((kernel**2).sum(axis=range(1, kernel.ndim))) for kernel, _ in weights], axis=-1)
