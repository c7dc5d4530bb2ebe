"""What a configuration comes to: the data, the rows trained on, the epochs measured, the layers' names."""

import dataclasses
import hashlib
import json
from functools import cached_property

import numpy as np
from jaxtyping import Int

from infoplane import data, results
from infoplane.data.base import Dataset, random_order, split_rows
from infoplane.errors import ConfigError, InputError, did_you_mean
from infoplane.estimators import LayerEstimator, list_estimators
from infoplane.estimators.binning import Binning
from infoplane.estimators.counting import ALL_ROWS
from infoplane.nets import histogram
from infoplane.nets.shapes import WIDE, Convolutional, Dense, Shape, n_weights
from infoplane.runs.config import MAX_RECORD_BYTES, Config
from infoplane.schedules import AnySchedule, DeltaApprox, DeltaExact, Epochs

COMPARED = 8
"""Measured epochs between the first and the last at which label values are compared with shuffled labels."""

TEST_EVERY = 10
"""Held-out loss and accuracy are recorded at measured epochs and at each multiple of this."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """A checked configuration with everything that follows from it, before anything is trained.

    Attributes:
        config: one configuration, without a sweep.
        datasets: data sets made so far by `data_key`; plans of one job share them.
    """

    config: Config
    datasets: dict[str, Dataset] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    @property
    def data_key(self) -> str:
        """What of the configuration decides the data set, as JSON."""
        settings = self.config.data
        asked = settings.model_dump(mode="json") | ({"seed": self.config.seed} if settings.shuffle_labels else {})
        if settings.path is None:
            del asked["path"]  # as before there were any, so that older runs keep their data's names
        return json.dumps(asked, sort_keys=True)

    @property
    def dataset(self) -> Dataset:
        """The data set, its labels shuffled where the configuration says so."""
        if self.data_key not in self.datasets:
            self.datasets[self.data_key] = self._make_dataset()
        return self.datasets[self.data_key]

    @cached_property
    def data_sha256(self) -> str:
        """SHA-256 of the data set's inputs, labels and division."""
        dataset = self.dataset
        hashed = hashlib.sha256()
        for part in (dataset.inputs, dataset.labels, dataset.split):
            values = np.ascontiguousarray([] if part is None else part)
            hashed.update(f"{values.shape} {values.dtype}".encode())
            hashed.update(values.view(np.uint8).data)
        return hashed.hexdigest()

    def _make_dataset(self) -> Dataset:
        settings = self.config.data
        try:
            dataset = data.make(settings.name, **settings.rule)
        except InputError as error:
            raise ConfigError(f"data: {error}") from None
        return dataset.with_shuffled_labels(self.config.seed) if settings.shuffle_labels else dataset

    @cached_property
    def rows(self) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]:
        """Rows trained on and rows held out."""
        train = self.config.train
        try:
            return split_rows(self.dataset, train.fraction, train.split, self.config.seed)
        except InputError as error:
            raise ConfigError(f"train: {error}") from None

    @property
    def rounds(self) -> int:
        """How many of what the schedule counts there are in an epoch: 1, or the number of updates."""
        return -(-len(self.rows[0]) // self.config.train.batch_size) if self.config.schedule.unit == "updates" else 1

    @property
    def last(self) -> int:
        """Number of the last epoch, or of the last update where the schedule counts those."""
        return self.config.train.epochs * self.rounds

    @cached_property
    def schedule(self) -> AnySchedule:
        """Which epochs are measured; weights kept for bisection fit in the schedule's memory.

        Raises:
            ConfigError: when that holds not even the weights of one epoch.
        """
        schedule = self.config.schedule.build()
        if not isinstance(schedule, DeltaExact):
            return schedule
        try:
            return schedule.fit_memory(self.epoch_bytes)
        except InputError as error:
            raise ConfigError(str(error)) from None

    @property
    def follows(self) -> bool:
        """Whether which epochs are measured follows from what is measured."""
        return isinstance(self.schedule, DeltaExact | DeltaApprox)

    @cached_property
    def epochs(self) -> Epochs:
        """The epochs that are measured, 0 and the last included; every one where that follows from what is measured."""
        schedule = self.schedule
        if isinstance(schedule, DeltaExact | DeltaApprox):
            return np.arange(self.last + 1)
        return schedule.epochs(self.last)

    @cached_property
    def parts(self) -> dict[str, Int[np.ndarray, " row"]]:
        """Rows of each part that is measured, by what the names of its variables begin with; the first with nothing."""
        train, test = self.rows
        rows = {"all": np.arange(self.dataset.n_samples), "train": train, "test": test}
        prefixes = ["", *(results.PARTS[name] for name in self.config.measure.parts[1:])]
        return {
            prefix: self._some(rows[name]) for prefix, name in zip(prefixes, self.config.measure.parts, strict=True)
        }

    def _some(self, rows: Int[np.ndarray, " row"]) -> Int[np.ndarray, " chosen"]:
        """Return at most ``measure.rows`` of some rows, in their order."""
        wanted = self.config.measure.rows
        if wanted is None or wanted >= len(rows):
            return rows
        return rows[np.sort(random_order(len(rows), self.config.seed, "measured rows")[:wanted])]

    @cached_property
    def observed(self) -> Int[np.ndarray, " row"]:
        """Rows whose activations are computed where something is measured: of large networks no more than needed."""
        if not self.shape.apart:
            return np.arange(self.dataset.n_samples)
        return np.unique(np.concatenate(list(self.parts.values())))

    @cached_property
    def estimators(self) -> dict[str, LayerEstimator]:
        """The estimators by the name they carry in the result."""
        return self.config.build_estimators()

    @cached_property
    def _sparse_epochs(self) -> frozenset[int]:
        """Epochs at which the estimators in ``measure.sparse`` are measured: those nearest to a logarithmic grid."""
        if not self.config.sparse:
            return frozenset()
        grid = [0.0, *np.geomspace(self.last, 1, self.config.measure.points - 1)]
        return frozenset(int(self.epochs[np.abs(self.epochs - point).argmin()]) for point in grid)

    def compares(self, epoch: int, estimator: LayerEstimator) -> bool:
        """Whether label values of an estimator are compared with shuffled labels at an epoch.

        Estimators that count are compared at `compared_epochs`, the others, whose comparison is costly, at the last.
        """
        return epoch == self.last or (epoch in self.compared_epochs and estimator.shuffle_rows == ALL_ROWS)

    @cached_property
    def compared_epochs(self) -> frozenset[int]:
        """Epochs at which label values are compared with shuffled labels, which would double the time of measuring.

        The first, the last, and `COMPARED` epochs between them, evenly spaced on a logarithmic scale. Schedules that
        follow the measured values compare at the first and the last epoch only.
        """
        if self.follows:
            return frozenset({0, self.last})
        grid = [0.0, *np.geomspace(1, max(self.last, 1), COMPARED + 1)]
        return frozenset(int(self.epochs[np.abs(self.epochs - point).argmin()]) for point in grid)

    def due(self, epoch: int, part: str) -> list[int]:
        """Places of the estimators that measure a part (see `parts`) at an epoch of the schedule."""
        sparse = () if epoch in self._sparse_epochs and not part else self.config.sparse
        return [place for place, estimator in enumerate(self.estimators.values()) if estimator.name not in sparse]

    @property
    def needs_run_range(self) -> bool:
        """Whether an estimator asks for the range of activations over the whole run before it can measure."""
        return any(isinstance(e, Binning) and e.edges == "run" for e in self.estimators.values())

    @property
    def layers(self) -> list[str]:
        """Names of the measured layers: hidden ones in order, then the output."""
        return self.shape.layers

    @cached_property
    def shape(self) -> Shape:
        """The networks' architecture.

        Raises:
            ConfigError: for convolutions of what are no images, or of too small ones.
        """
        model, dataset = self.config.model, self.dataset
        if model.kind == "mlp":
            return Dense([dataset.n_features, *model.hidden, dataset.n_classes])
        if dataset.shape is None or len(dataset.shape) != 2:
            raise ConfigError(
                f"model.kind is 'conv', but the inputs of '{dataset.name}' are no images; use data of images"
            )
        settings = {"filters": model.filters or (8, 16), "kernel": model.kernel or 3}
        measured = model.channels or "flatten"
        try:
            return Convolutional(
                dataset.shape, **settings, hidden=model.hidden, n_classes=dataset.n_classes, channels=measured
            )
        except InputError as error:
            raise ConfigError(f"model: {error}") from None

    @property
    def n_weights(self) -> int:
        """Number of weights and biases of one member."""
        return n_weights(self.shape)

    @property
    def epoch_bytes(self) -> int:
        """Size of the weights of one epoch, of all members together."""
        return 4 * self.n_weights * self.config.width * len(self.config.groups)

    def check(self) -> None:
        """Refuse what only the data can tell is wrong.

        Raises:
            ConfigError: when a mini-batch is larger than the rows trained on, there is one class only, or
                the networks or what is measured of them need too much memory.
        """
        n_train, batch_size = len(self.rows[0]), self.config.train.batch_size
        if batch_size > n_train:
            raise ConfigError(f"train.batch_size is {batch_size}; expected at most the {n_train} rows trained on")
        for name, estimator in self.estimators.items():
            for layer, n_units in zip(self.layers, self.shape.units, strict=True):
                try:
                    estimator.check_units(n_units)
                except InputError as error:
                    raise ConfigError(f"estimators: {name} cannot measure {layer}: {error}") from None
        self._check_measured()
        if self.dataset.n_classes < 2:
            raise ConfigError(f"data set '{self.dataset.name}' has one class only; nothing can be learnt")
        if self.follows and self.needs_run_range:
            raise ConfigError(
                "estimators: binning with edges 'run' needs to know beforehand which epochs are measured, which "
                f"schedule '{self.config.schedule.kind}' does not say; use schedule 'log', or other edges"
            )
        self._check_memory()
        if self.record_bytes > MAX_RECORD_BYTES:
            amounts = f"{self.record_bytes / 2**30:.3g} GiB, above {MAX_RECORD_BYTES / 2**30:.0f} GiB"
            raise ConfigError(f"schedule: what is measured needs {amounts}; make it smaller")

    def _check_measured(self) -> None:
        """Refuse parts without rows, and estimators at fewer epochs that do not exist."""
        for name, rows in zip(self.config.measure.parts, self.parts.values(), strict=True):
            if len(rows) < 2:
                raise ConfigError(
                    f"measure.parts names '{name}', which has {len(rows)} rows; lower train.fraction, or leave it out"
                )
        if self.config.measure.precisions and self.shape.apart:
            raise ConfigError(
                f"measure.precisions is for networks whose layers have fewer than {WIDE} units, and data with fewer "
                "features; leave it out"
            )
        known = [estimator.name for estimator in list_estimators()]
        for name in self.config.measure.sparse:
            if name not in known:
                raise ConfigError(f"measure.sparse names '{name}', which is no estimator{did_you_mean(name, known)}")

    def _check_memory(self) -> None:
        """Hold what one group needs against ``memory``: weights with two moments, the gradient and its mean."""
        allowed, n_weights = self.config.memory, self.n_weights
        checkpoint = 4 * self.config.width * 3 * n_weights
        kept = 1 if self.shape.apart else self.config.width  # whose activations are held at once
        values = (self.dataset.n_features + sum(self.shape.units)) * len(self.observed)
        whole = 4 * (self.config.width * 5 * n_weights + kept * values)
        if whole > allowed:
            raise ConfigError(
                f"model.hidden: a group of members needs {whole} bytes, {checkpoint} of them for one checkpoint, above "
                f"memory = {allowed}; make model.hidden or group_width smaller, or allow it with memory = {whole}"
            )

    @property
    def record_bytes(self) -> int:
        """Memory of the curves and of what is measured: numbers and flags of two variables, figures of each layer."""
        layer = (len(self.estimators) * 2 * (4 * 8 + 4) + 6 * 4) * len(self.parts)
        layer += 4 * len(histogram.LOWER) * self.config.measure.histograms
        curves = 4 * self.last * (4 + 3 * len(self.layers))
        return self.config.members * (len(self.epochs) * len(self.layers) * layer + curves)
