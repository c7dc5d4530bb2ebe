"""One group of members: trained, measured at its epochs, written to disk in stretches."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Array, Float

from infoplane.estimators.base import Layers, LayerValues, Values, measure_layers
from infoplane.estimators.rows import distinct_rows
from infoplane.nets import mlp
from infoplane.nets.train import Device, Group, Progress, Spread, State, Trainer, make_optimiser, state_leaves
from infoplane.results import encode_flags
from infoplane.runs.plan import TEST_EVERY, Plan
from infoplane.runs.store import Piece, Store

FLUSH_SECONDS = 10.0
"""A group's rows go to disk at least this often."""

MAX_REDRAWS = 20

Rows = dict[str, np.ndarray]


def make_trainer(plan: Plan) -> Trainer:
    """Build the programs that all groups of a plan share."""
    config = plan.config
    train = config.train
    return Trainer(
        np.ascontiguousarray(plan.dataset.inputs.T),
        plan.dataset.labels,
        *plan.rows,
        activation=config.model.activation,
        optimiser=make_optimiser(
            train.optimizer, train.learning_rate, momentum=train.momentum, weight_decay=train.weight_decay
        ),
        batch_size=train.batch_size,
        seed=config.seed,
    )


class GroupRun:
    """Trains and measures one group of a plan on one device."""

    def __init__(self, plan: Plan, trainer: Trainer, group: int, device: Device) -> None:
        self.plan, self.group = plan, group
        members = plan.config.groups[group]
        self.kept = [member for member in members if member < plan.config.members]
        self.nets = Group(trainer, members, device)
        self._run_range: Float[np.ndarray, "layer member 2"] | None = None

    def work(
        self, store: Store, writing: threading.Lock, stop: threading.Event, advanced: Callable[[int], None]
    ) -> None:
        """Go on from what is on disk to the last epoch, or until ``stop`` is set; write what was measured."""
        if self.plan.needs_run_range:
            self._run_range = self._survey(stop)
        state, epoch = self._begin(store)
        stretch = _Stretch(self.group, epoch + 1)
        if epoch < 0:
            stretch.add_progress(self.nets.score(state))
            self._measure_into(stretch, 0, state)
            epoch = 0
        pace = _Pace()
        while epoch < self.plan.config.train.epochs and not stop.is_set():
            target = self._next_measured(epoch)
            with stretch.timed("training"):
                state, progress = self.nets.advance(state, epoch, target, TEST_EVERY, pace.epochs)
            n_epochs = len(progress.train_loss)
            stretch.add_progress(progress)
            epoch += n_epochs
            advanced(n_epochs * len(self.kept))
            pace.took(n_epochs)
            if epoch == target:
                self._measure_into(stretch, epoch, state)
                pace.restart()
            if stretch.seconds > FLUSH_SECONDS:
                stretch = self._flush(store, writing, stretch, epoch, state)
        self._flush(store, writing, stretch, epoch, state)

    def _next_measured(self, epoch: int) -> int:
        """The first epoch after this one that is measured."""
        return int(self.plan.epochs[np.searchsorted(self.plan.epochs, epoch, side="right")])

    def _survey(self, stop: threading.Event) -> Float[np.ndarray, "layer member 2"]:
        """Train once without measuring: the range of every layer over all epochs that will be measured."""
        state, epoch = self.nets.start(self._initial_weights()), 0
        ranges = [self._ranges(state)]
        for target in self.plan.epochs[1:]:
            while epoch < target and not stop.is_set():
                state, progress = self.nets.advance(state, epoch, int(target), TEST_EVERY)
                epoch += len(progress.train_loss)
            ranges.append(self._ranges(state))
        low, high = np.moveaxis(np.array(ranges), -1, 0)
        return np.stack([low.min(axis=0), high.max(axis=0)], axis=-1)

    def _ranges(self, state: State) -> list[np.ndarray]:
        """Smallest and largest activation of each layer, for each kept member."""
        _, spreads = self.nets.observe(state)
        return [np.stack([s.minimum, s.maximum], axis=-1)[: len(self.kept)] for s in spreads]

    def _begin(self, store: Store) -> tuple[State, int]:
        """Return the state to go on from and its epoch; −1 when nothing is on disk."""
        fresh = self.nets.start(self._initial_weights())
        saved = store.read_state(self.group)
        if saved is None:
            return fresh, -1
        epoch, leaves = saved
        return self.nets.restore(fresh, leaves), epoch

    def _initial_weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Draw the group's weights; with ``train.redraw_dead`` again for members that start dead."""
        config, sizes = self.plan.config, self.plan.sizes
        members = list(config.groups[self.group])
        weights = mlp.init_weights(sizes, *config.model.initialisations, config.seed, members)
        if not config.train.redraw_dead:
            return weights
        for attempt in range(1, MAX_REDRAWS + 1):
            _, spreads = self.nets.observe(self.nets.start(weights))
            dead = np.flatnonzero(np.asarray(spreads[-2].dead_share) == 1)
            if len(dead) == 0:
                break
            again = [members[index] for index in dead]
            redrawn = mlp.init_weights(sizes, *config.model.initialisations, config.seed, again, attempt)
            for (kernel, _), (new_kernel, _) in zip(weights, redrawn, strict=True):
                kernel[dead] = new_kernel
        return weights

    def _measure_into(self, stretch: "_Stretch", epoch: int, state: State) -> None:
        with stretch.timed("measuring"):
            stretch.add_measurement(epoch, self._measure(state))

    def _measure(self, state: State) -> Rows:
        """Measure every layer of the kept members by every estimator."""
        activations, spreads = self.nets.observe(state)
        ranges = [None] * len(spreads) if self._run_range is None else self._run_range
        rows = [self._measure_layer(*layer) for layer in zip(activations, spreads, ranges, strict=True)]
        # [estimator, member, variable] of each layer → [estimator, member, layer, variable]; spreads [member, layer]
        return {key: np.stack([row[key] for row in rows], axis=_layer_axis(key)) for key in rows[0]}

    def _measure_layer(
        self, t: Float[Array, "member unit sample"], spread: Spread, run_range: Float[np.ndarray, "member 2"] | None
    ) -> Rows:
        n_kept = len(self.kept)
        layers = Layers(t[:n_kept], self.plan.dataset.labels, run_range)
        values = measure_layers(layers, list(self.plan.estimators.values()))
        rows: Rows = {key: np.stack([_quantity(v, key) for v in values]) for key in _QUANTITIES}
        rows["flags"] = np.stack([_flags(v) for v in values])
        rows |= {f"spread_{key}": np.asarray(part)[:n_kept] for key, part in spread._asdict().items()}
        rows["spread_distinct_rows"] = distinct_rows(layers).astype(np.float32)
        return rows

    def _flush(
        self, store: Store, writing: threading.Lock, stretch: "_Stretch", epoch: int, state: State
    ) -> "_Stretch":
        """Write a stretch that ends with ``epoch`` and return the next, empty one."""
        if epoch >= stretch.first:
            piece = Piece(self.group, stretch.first, epoch)
            with writing:
                store.save_piece(piece, stretch.arrays(len(self.kept)), state_leaves(state))
                store.record("piece", group=self.group, epoch=epoch, seconds=stretch.spent)
        return _Stretch(self.group, epoch + 1)


class _Pace:
    """Bounds the epochs trained in one call to about a second, so that a request to stop is soon heard."""

    def __init__(self) -> None:
        self.epochs = 1
        self.restart()

    def restart(self) -> None:
        """Leave out the time since the last call."""
        self._started = time.monotonic()

    def took(self, n_epochs: int) -> None:
        """Learn from a call that has just ended."""
        seconds = max(time.monotonic() - self._started, 1e-6)
        self.epochs = max(1, min(2 * n_epochs if n_epochs == self.epochs else self.epochs, int(n_epochs / seconds)))
        self.restart()


_QUANTITIES = ("bits", "lower", "upper", "std_error")


def _layer_axis(key: str) -> int:
    return 1 if key.startswith("spread_") else 2


def _quantity(values: LayerValues, key: str) -> Float[np.ndarray, "member variable"]:
    """One number of both variables; NaN where the estimator has none."""

    def column(part: Values | None) -> np.ndarray:
        numbers = None if part is None else getattr(part, key)
        return np.full(len(values.input.bits), np.nan) if numbers is None else numbers

    return np.stack([column(values.input), column(values.label)], axis=-1)


def _flags(values: LayerValues) -> np.ndarray:
    columns = [values.input, values.label or values.input]
    return np.array([[encode_flags(f) for f in column.flags] for column in columns], np.int32).T


class _Stretch:
    """Rows of one group since they last went to disk."""

    def __init__(self, group: int, first: int) -> None:
        self.group, self.first = group, first
        self._started = time.monotonic()
        self.spent = {"training": 0.0, "measuring": 0.0}
        self._progress: list[Progress] = []
        self._epochs: list[int] = []
        self._rows: list[Rows] = []

    @property
    def seconds(self) -> float:
        """Time since the stretch began."""
        return time.monotonic() - self._started

    @contextlib.contextmanager
    def timed(self, work: str) -> Iterator[None]:
        """Add the wall time of what is done inside to ``spent``."""
        start = time.monotonic()
        yield
        self.spent[work] = round(self.spent[work] + time.monotonic() - start, 3)

    def add_progress(self, progress: Progress) -> None:
        """Add training curves of some epochs."""
        self._progress.append(progress)

    def add_measurement(self, epoch: int, rows: Rows) -> None:
        """Add what was measured at one epoch."""
        self._epochs.append(epoch)
        self._rows.append(rows)

    def arrays(self, n_kept: int) -> Rows:
        """Everything as arrays: measurements with the epoch before the layer, curves with the epoch first."""
        curves = {
            f"curve_{key}": np.concatenate([getattr(p, key) for p in self._progress])[:, :n_kept]
            for key in Progress._fields
        }
        measured = {
            key: np.stack([row[key] for row in self._rows], axis=_layer_axis(key)) for key in (self._rows or [{}])[0]
        }
        return {"epochs": np.array(self._epochs, np.int64)} | measured | curves
