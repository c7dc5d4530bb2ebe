"""What a configuration comes to: the data, the rows trained on, the epochs measured, the layers' names."""

import dataclasses
from functools import cached_property

import numpy as np
from jaxtyping import Int

from infoplane import data
from infoplane.data.base import Dataset, split_rows
from infoplane.errors import ConfigError, InputError
from infoplane.estimators import LayerEstimator
from infoplane.estimators.binning import Binning
from infoplane.runs.config import MAX_RECORD_BYTES, Config
from infoplane.schedules import Epochs

TEST_EVERY = 10
"""Held-out loss and accuracy are recorded at measured epochs and at each multiple of this."""

MAX_GROUP_BYTES = 2**36
"""Largest memory that the weights and activations of one group may need; a run beyond it is refused."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """A checked configuration with everything that follows from it, before anything is trained."""

    config: Config

    @cached_property
    def dataset(self) -> Dataset:
        """The data set, its labels shuffled where the configuration says so."""
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

    @cached_property
    def epochs(self) -> Epochs:
        """The epochs that are measured, 0 and the last included."""
        return self.config.schedule.build().epochs(self.config.train.epochs)

    @cached_property
    def estimators(self) -> dict[str, LayerEstimator]:
        """The estimators by the name they carry in the result."""
        return self.config.build_estimators()

    @property
    def needs_run_range(self) -> bool:
        """Whether an estimator asks for the range of activations over the whole run before it can measure."""
        return any(isinstance(e, Binning) and e.edges == "run" for e in self.estimators.values())

    @property
    def layers(self) -> list[str]:
        """Names of the measured layers: hidden ones in order, then the output."""
        return [*(f"hidden{n}" for n, _ in enumerate(self.config.model.hidden, start=1)), "output"]

    @property
    def sizes(self) -> list[int]:
        """Numbers of units from the input to the output."""
        return [self.dataset.n_features, *self.config.model.hidden, self.dataset.n_classes]

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
            for layer, n_units in zip(self.layers, self.sizes[1:], strict=True):
                try:
                    estimator.check_units(n_units)
                except InputError as error:
                    raise ConfigError(f"estimators: {name} cannot measure {layer}: {error}") from None
        if self.dataset.n_classes < 2:
            raise ConfigError(f"data set '{self.dataset.name}' has one class only; nothing can be learnt")
        self._check_cost("model.hidden", self._group_bytes, MAX_GROUP_BYTES, "a group of members")
        self._check_cost("schedule", self._record_bytes, MAX_RECORD_BYTES, "what is measured")

    def _check_cost(self, key: str, needed: int, limit: int, subject: str) -> None:
        if needed > limit:
            amounts = f"{needed / 2**30:.3g} GiB, above {limit / 2**30:.0f} GiB"
            raise ConfigError(f"{key}: {subject} needs {amounts}; make it smaller")

    @property
    def _group_bytes(self) -> int:
        """Memory of one group: weights, gradient and two moments of them, activations of all samples."""
        weights = sum(a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        values = 4 * weights + sum(self.sizes) * self.dataset.n_samples
        return 4 * self.config.width * values

    @property
    def _record_bytes(self) -> int:
        """Memory of what is measured: four numbers and flags of two variables, six figures of each layer."""
        layer = len(self.estimators) * 2 * (4 * 8 + 4) + 6 * 4
        return self.config.members * len(self.epochs) * len(self.layers) * layer
