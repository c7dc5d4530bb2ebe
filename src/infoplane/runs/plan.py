"""What a configuration comes to: the data, the rows trained on, the epochs measured, the layers' names."""

import dataclasses
import hashlib
import itertools
import json
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

    @property
    def n_weights(self) -> int:
        """Number of weights and biases of one member."""
        return sum(n_in * n_out + n_out for n_in, n_out in itertools.pairwise(self.sizes))

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
        self._check_memory()
        if self.record_bytes > MAX_RECORD_BYTES:
            amounts = f"{self.record_bytes / 2**30:.3g} GiB, above {MAX_RECORD_BYTES / 2**30:.0f} GiB"
            raise ConfigError(f"schedule: what is measured needs {amounts}; make it smaller")

    def _check_memory(self) -> None:
        """Hold what one group needs against ``memory``: its weights with two moments are a checkpoint."""
        allowed, n_weights = self.config.memory, self.n_weights
        checkpoint = 4 * self.config.width * 3 * n_weights
        whole = 4 * self.config.width * (4 * n_weights + sum(self.sizes) * self.dataset.n_samples)
        if whole > allowed:
            raise ConfigError(
                f"model.hidden: a group of members needs {whole} bytes, {checkpoint} of them for one checkpoint, above "
                f"memory = {allowed}; make model.hidden or group_width smaller, or allow it with memory = {whole}"
            )

    @property
    def record_bytes(self) -> int:
        """Memory of what is measured: four numbers and flags of two variables, six figures of each layer."""
        layer = len(self.estimators) * 2 * (4 * 8 + 4) + 6 * 4
        return self.config.members * len(self.epochs) * len(self.layers) * layer
