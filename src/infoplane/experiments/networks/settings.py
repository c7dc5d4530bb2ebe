"""Keys that experiments on quantised and on noisy networks share, and what they come to: data, groups, epochs."""

import functools
import itertools
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from infoplane import data
from infoplane.data.base import split_rows
from infoplane.errors import InputError
from infoplane.runs.computed import Settings
from infoplane.runs.config import Activation, Initialisation, Positive, PositiveFloat, Section

ACTIVATION = "model.activation"
"""The dimension of the activations that stand side by side."""


class ModelSettings(Section):
    """The networks: hidden units, the activations that are set side by side, how kernels are drawn (biases are 0)."""

    hidden: Annotated[tuple[Positive, ...], Field(min_length=1)] = (10, 7, 5, 4, 3)
    activations: Annotated[tuple[Activation, ...], Field(min_length=1)] = ("tanh", "relu")
    init: Initialisation = "keras"


class TrainSettings(Section):
    """How they are trained, by Adam on shuffled mini-batches of the rows that are not held out."""

    learning_rate: PositiveFloat = 1e-4
    batch_size: Positive = 256
    epochs: Positive = 8000
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.8
    split: Literal["shuffled", "stratified"] = "stratified"


class NetworkSettings(Settings):
    """The keys of both experiments; ``group_width`` members train as one program, which is part of the rounding."""

    group_width: Annotated[int, Field(ge=1, le=1000)] = 10
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    unit: ClassVar[str] = "groups of networks"

    def check(self) -> None:
        """Refuse what does not fit together.

        Raises:
            ValueError: names the key.
        """
        for key, values in self.axes.items():
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names one of {', '.join(map(str, values))} twice")
        try:
            train, _ = self.rows
        except InputError as error:
            raise ValueError(f"train.fraction: {error}") from None
        if self.train.batch_size > len(train):
            raise ValueError(f"train.batch_size is {self.train.batch_size}; there are {len(train)} rows to train on")

    @property
    @abstractmethod
    def axes(self) -> dict[str, list[Any]]:
        """What stands side by side: dimensions of the result with their labels."""

    @property
    @abstractmethod
    def layers(self) -> list[str]:
        """Names of the layers that are measured."""

    @property
    @abstractmethod
    def epochs(self) -> Int[np.ndarray, " epoch"]:
        """The epochs that are measured."""

    @property
    @abstractmethod
    def measures(self) -> Sequence[str]:
        """Names of what measures, as in the result."""

    @abstractmethod
    def network(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Return the keys of one of the networks side by side, as nested keys."""

    @property
    def networks(self) -> list[dict[str, Any]]:
        """The labels of each of the networks side by side."""
        return [dict(zip(self.axes, labels, strict=True)) for labels in itertools.product(*self.axes.values())]

    @property
    def pieces(self) -> int:
        """A piece for each group of members of each network."""
        return -(-self.members // self.group_width) * len(self.networks)

    def piece(self, number: int) -> tuple[int, list[int]]:
        """Return which network a piece is of, and which members: all networks of a group, then the next group."""
        group, network = divmod(number, len(self.networks))
        first = group * self.group_width
        return network, list(range(first, min(first + self.group_width, self.members)))

    @property
    def dataset(self) -> data.Dataset:
        """The data set."""
        return _dataset()

    @property
    def rows(self) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]:
        """Rows trained on and rows held out, the same for all members."""
        return _rows(self.train.fraction, self.train.split, self.seed)

    @property
    def sizes(self) -> list[int]:
        """Numbers of units from the input to the output."""
        return [_dataset().n_features, *self.model.hidden, _dataset().n_classes]

    @property
    def hidden(self) -> list[str]:
        """Names of the hidden layers."""
        return [f"hidden{n}" for n, _ in enumerate(self.model.hidden, start=1)]

    @property
    def inputs(self) -> Float[np.ndarray, "feature input"]:
        """All inputs, as networks take them."""
        return np.ascontiguousarray(_dataset().inputs.T, np.float32)


def few(epochs: Int[np.ndarray, " epoch"], points: int) -> Int[np.ndarray, " place"]:
    """Return the places of about as many epochs, evenly on a logarithmic scale, the first and the last among them."""
    grid = np.linspace(0.0, np.log1p(epochs[-1]), points)
    return np.unique([int(np.abs(np.log1p(epochs) - at).argmin()) for at in grid])


@functools.cache
def _dataset() -> data.Dataset:
    """The 12-bit task."""
    return data.make("szt")


@functools.lru_cache(maxsize=8)
def _rows(fraction: float, split: str, seed: int) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]:
    return split_rows(_dataset(), fraction, split, seed)
