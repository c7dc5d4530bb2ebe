"""One group of members on one device: trained, measured at its epochs, up to where a task ends."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from infoplane.estimators.base import Layers, LayerValues, Values
from infoplane.estimators.layers import measure_layers
from infoplane.estimators.rows import distinct_rows
from infoplane.nets import histogram, mlp, precision
from infoplane.nets.network import network
from infoplane.nets.spread import Spread
from infoplane.nets.train import Device, Group, Progress, State, Trainer, make_optimiser, state_leaves
from infoplane.results import encode_flags
from infoplane.runs.plan import TEST_EVERY, Plan
from infoplane.runs.stretch import QUANTITIES, join_members, missing_rows, stack_epochs, stack_layers
from infoplane.runs.task import FRESH, Cell, Measured, Measurement, Outcome, Rows, Task, kept_members
from infoplane.runs.task import State as Leaves

MAX_REDRAWS = 20

Advanced = Callable[[int], None]
"""Told the net-epochs that a task has trained so far."""


LARGE = 64 * 2**20
"""Bytes of a layer's activations above which no other network is measured in this process at the same time."""

_ONE_LARGE = threading.Lock()
"""Held meanwhile: estimators use all cores by themselves, and two layers of 70 000 × 1024 would need 4 GiB."""


class Seen(NamedTuple):
    """What is measured of a layer of some members.

    Attributes:
        t: activations.
        spread: how they are spread.
        run_range: their range over the run, where known.
        exact: the same in float64, where asked for.
    """

    t: Float[Array | np.ndarray, "member unit sample"]
    spread: Spread
    run_range: Float[np.ndarray, "member 2"] | None
    exact: Float[np.ndarray, "member unit sample"] | None


def make_trainer(plan: Plan) -> Trainer:
    """Build the programs that all groups of a plan share."""
    config = plan.config
    train = config.train
    return Trainer(
        plan.dataset.inputs.T,
        plan.dataset.labels,
        *plan.rows,
        network=network(plan.shape, config.model.activation),
        optimiser=make_optimiser(
            train.optimizer,
            train.learning_rate,
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            flat=not plan.shape.apart,
        ),
        batch_size=train.batch_size,
        seed=config.seed,
        by_update=config.schedule.unit == "updates",
    )


class GroupRun:
    """Trains and measures one group of a plan on one device."""

    def __init__(self, plan: Plan, trainer: Trainer, group: int, device: Device) -> None:
        self.plan, self.group = plan, group
        self.kept = kept_members(plan, group)
        self.nets = Group(trainer, plan.config.groups[group], device)
        self._test_every = TEST_EVERY * plan.rounds
        self._run_range: Float[np.ndarray, "layer member 2"] | None = None

    def work(self, task: Task, stop: threading.Event, advanced: Advanced) -> Outcome:
        """Go on from a task's state to where it ends, or until ``stop`` is set, and return what was measured."""
        self._run_range = task.run_range
        state, epoch = self._begin(task)
        stretch, pace, trained = _Recorded(task.apart), _Pace(), 0
        if epoch == FRESH:
            epoch = 0
            if task.first <= 0:
                stretch.add_progress(self.nets.score(state))
                self._measure_into(stretch, 0, state, task)
        while epoch < task.until and not stop.is_set() and not stretch.full:
            measured = self._next_measured(epoch, task)
            room = (task.until if epoch + 1 >= task.first else task.first - 1) - epoch
            with stretch.timed("training"):
                state, progress = self.nets.advance(state, epoch, measured, self._test_every, min(pace.epochs, room))
            n_epochs = len(progress.train_loss)
            epoch, trained = epoch + n_epochs, trained + n_epochs * len(self.kept)
            advanced(trained)
            pace.took(n_epochs)
            if epoch >= task.first:
                stretch.add_progress(progress)
                if epoch == measured:
                    self._measure_into(stretch, epoch, state, task)
                    pace.restart()
            if stretch.seconds > task.seconds:
                break
        rows = None if task.survey else stretch.arrays(len(self.kept))
        leaves = tuple(state_leaves(state))
        return Outcome(epoch, leaves, rows, self._run_range, stretch.spent, trained, stretch.weights)

    def measure(self, task: Measurement, stop: threading.Event) -> Measured:
        """Measure some layers at some epochs from the weights, or until ``stop`` is set."""
        self._run_range, start = task.run_range, time.monotonic()
        rows: dict[Cell, Rows] = {}
        for epoch, leaves in task.weights.items():
            if stop.is_set():
                break
            measured = self._measure(epoch, self._with_weights(leaves), task.layers)
            rows |= {(epoch, layer): of_layer for layer, of_layer in zip(task.layers, measured, strict=True)}
        return Measured(rows, time.monotonic() - start)

    def _with_weights(self, leaves: Leaves) -> State:
        """Return a state that can be observed, not trained."""
        placed = jax.device_put(list(zip(leaves[::2], leaves[1::2], strict=True)), self.nets.device)
        return State(placed, ())

    def _next_measured(self, epoch: int, task: Task) -> int:
        """The first epoch after this one that is measured, or may be."""
        if self.plan.follows:
            return max(epoch + 1, task.weights_from)
        return int(self.plan.epochs[np.searchsorted(self.plan.epochs, epoch, side="right")])

    def _widen_range(self, state: State) -> None:
        """Widen the run's range to the activations of a state."""
        low, high = np.moveaxis(np.array(self._ranges(state)), -1, 0)
        if self._run_range is not None:
            low, high = np.minimum(low, self._run_range[..., 0]), np.maximum(high, self._run_range[..., 1])
        self._run_range = np.stack([low, high], axis=-1)

    def _ranges(self, state: State) -> list[np.ndarray]:
        """Smallest and largest activation of each layer, for each kept member."""
        found = [
            [np.stack([s.minimum, s.maximum], axis=-1) for s in spreads]
            for _, spreads in self.nets.observe_some(state, self.plan.observed, len(self.kept))
        ]
        return [np.concatenate(of_layer) for of_layer in zip(*found, strict=True)]

    def _begin(self, task: Task) -> tuple[State, int]:
        """Return the state to go on from and its epoch."""
        if task.state is None:
            return self.nets.start(self._initial_weights()), FRESH
        config = self.plan.config
        members = list(config.groups[self.group])
        template = mlp.draw_weights(self.plan.shape.kernels, *config.model.initialisations, config.seed, members)
        return self.nets.restore(self.nets.start(template), task.state), task.begin

    def _initial_weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Draw the group's weights; with ``train.redraw_dead`` again for members that start dead."""
        config, shapes = self.plan.config, self.plan.shape.kernels
        members = list(config.groups[self.group])
        weights = mlp.draw_weights(shapes, *config.model.initialisations, config.seed, members)
        if not config.train.redraw_dead:
            return weights
        for attempt in range(1, MAX_REDRAWS + 1):
            found = self.nets.observe_some(self.nets.start(weights), self.plan.observed, len(members))
            dead = np.flatnonzero(np.concatenate([spreads[-2].dead_share for _, spreads in found]) == 1)
            if len(dead) == 0:
                break
            again = [members[index] for index in dead]
            redrawn = mlp.draw_weights(shapes, *config.model.initialisations, config.seed, again, attempt)
            for (kernel, _), (new_kernel, _) in zip(weights, redrawn, strict=True):
                kernel[dead] = new_kernel
        return weights

    def _measure_into(self, stretch: "_Recorded", epoch: int, state: State, task: Task) -> None:
        with stretch.timed("measuring"):
            if task.survey:
                self._widen_range(state)
            elif task.apart:
                stretch.weights[epoch] = tuple(np.array(leaf) for layer in state.weights for leaf in layer)
            else:
                every = range(len(self.plan.layers))
                stretch.add_measurement(epoch, stack_layers(self._measure(epoch, state, every)))

    def _measure(self, epoch: int, state: State, layers: Sequence[int]) -> list[Rows]:
        """Measure some layers of the kept members by every estimator."""
        # the activations of every layer, though some may do: another program could round differently
        blocks = []
        with self._turn():
            observed = self._observe(state)
            while seen := next(observed, None):
                blocks.append([self._measure_layer(epoch, *seen[layer]) for layer in layers])
                del seen  # before the next one is observed: of 70 000 rows each takes most of a gigabyte
        return [join_members(of_layer) for of_layer in zip(*blocks, strict=True)]

    def _turn(self) -> contextlib.AbstractContextManager[Any]:
        """Return what is held while this network is measured: large ones wait for each other."""
        largest = 4 * len(self.plan.observed) * max(self.plan.shape.units)
        return _ONE_LARGE if largest > LARGE else contextlib.nullcontext()

    def _observe(self, state: State) -> Iterator[list[Seen]]:
        """What is measured of every layer: of all kept members, or where they train apart of one after the other."""
        first = 0
        for activations, spreads in self.nets.observe_some(state, self.plan.observed, len(self.kept)):
            here = slice(first, first + len(activations[0]))
            ranges = [None] * len(spreads) if self._run_range is None else [r[here] for r in self._run_range]
            yield [
                Seen(*of_layer) for of_layer in zip(activations, spreads, ranges, self._in_float64(state), strict=True)
            ]
            first = here.stop
            del activations, spreads

    def _in_float64(self, state: State) -> list[np.ndarray] | list[None]:
        """Activations of the kept members in float64, where these are asked for."""
        if not self.plan.config.measure.precisions:
            return [None] * len(self.plan.layers)
        whole = [(np.array(kernel), np.array(bias)) for kernel, bias in state.weights]
        kept = [(kernel[: len(self.kept)], bias[: len(self.kept)]) for kernel, bias in whole]
        return precision.activations(kept, self.plan.config.model.activation, self.plan.dataset.inputs.T)

    def _measure_layer(
        self,
        epoch: int,
        t: Float[Array | np.ndarray, "member unit sample"],
        spread: Spread,
        run_range: Float[np.ndarray, "member 2"] | None,
        exact: Float[np.ndarray, "member unit sample"] | None,
    ) -> Rows:
        """Measure a layer of some members; see `Seen`."""
        labels, observed = self.plan.dataset.labels, self.plan.observed
        rows = missing_rows(self.plan, len(t))
        rows |= {f"spread_{key}": np.asarray(part) for key, part in spread._asdict().items()}
        if exact is not None:
            counts = precision.counts(np.asarray(t), exact)
            rows |= {f"spread_{key}": count.astype(np.float32) for key, count in counts.items()}
        if self.plan.config.measure.histograms:
            rows["spread_histogram"] = histogram.shares(np.asarray(t))
        for part, chosen in self.plan.parts.items():
            every = len(chosen) == len(observed)
            some = t if every else np.take(np.asarray(t), np.searchsorted(observed, chosen), axis=2)
            layers = Layers(some, labels[chosen], run_range)
            due = self.plan.due(epoch, part)
            estimators = [list(self.plan.estimators.values())[place] for place in due]
            compared = [estimator for estimator in estimators if self.plan.compares(epoch, estimator)]
            for place, values in zip(due, measure_layers(layers, estimators, compared=compared), strict=True):
                for key in QUANTITIES:
                    rows[part + key][place] = _quantity(values, key)
                rows[f"{part}flags"][place] = _flags(values)
            rows[f"{part}spread_distinct_rows"] = distinct_rows(layers).astype(np.float32)
        return rows


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


def _quantity(values: LayerValues, key: str) -> Float[np.ndarray, "member variable"]:
    """One number of both variables; NaN where the estimator has none."""

    def column(part: Values | None) -> np.ndarray:
        numbers = None if part is None else getattr(part, key)
        return np.full(len(values.input.bits), np.nan) if numbers is None else numbers

    return np.stack([column(values.input), column(values.label)], axis=-1)


def _flags(values: LayerValues) -> np.ndarray:
    columns = [values.input, values.label or values.input]
    return np.array([[encode_flags(f) for f in column.flags] for column in columns], np.int32).T


class _Recorded:
    """Rows of one task, and the weights that are to be measured elsewhere, of so many epochs at most."""

    def __init__(self, apart: int) -> None:
        self._started, self._apart = time.monotonic(), apart
        self.weights: dict[int, Leaves] = {}
        self.spent = {"training": 0.0, "measuring": 0.0}
        self._progress: list[Progress] = []
        self._epochs: list[int] = []
        self._rows: list[Rows] = []

    @property
    def seconds(self) -> float:
        """Time since the stretch began."""
        return time.monotonic() - self._started

    @property
    def full(self) -> bool:
        """Whether no more weights may be sent back."""
        return 0 < self._apart <= len(self.weights)

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

    def arrays(self, n_kept: int) -> Rows | None:
        """Everything as arrays: measurements with the epoch before the layer, curves with the epoch first."""
        if not self._progress:
            return None
        curves = {
            f"curve_{key}": np.concatenate([getattr(p, key) for p in self._progress])[:, :n_kept]
            for key in Progress._fields
        }
        return stack_epochs(self._epochs, self._rows) | curves
