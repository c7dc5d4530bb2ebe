"""The keys of ``as-if-random``, and what they come to: the data, the windows, the samples of each source."""

import functools
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field, field_validator, model_validator

from infoplane import data
from infoplane.data.base import split_rows
from infoplane.errors import InputError
from infoplane.estimators import build_all
from infoplane.estimators.as_if_random import MEASURES
from infoplane.runs.computed import Settings
from infoplane.runs.config import Activation, EstimatorSpec, Initialisation, Positive, PositiveFloat, Section

Source = Literal["window", "branch", "init"]

LEAST = 8
"""Samples of the weights without which an estimate cannot be followed against their number."""

MOST = 10_000
"""Samples of the weights at most: each has a number of its own for its mini-batches."""

PARTS = ("all", "train", "test")


class ModelSettings(Section):
    """The networks: hidden units, the activations that are set side by side, how kernels are drawn."""

    hidden: Annotated[tuple[Positive, ...], Field(min_length=1)] = (12, 10, 8, 6, 4)
    activations: Annotated[tuple[Activation, ...], Field(min_length=1)] = ("relu", "tanh")
    init: Initialisation = "keras"


class TrainSettings(Section):
    """How they are trained, by Adam on shuffled mini-batches of the rows that are not held out."""

    learning_rate: PositiveFloat = 1e-3
    batch_size: Positive = 512
    epochs: Positive = 1500
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.8


class WindowSettings(Section):
    """The windows: ``length`` consecutive updates or epochs up to each of ``ends``.

    As many branches, and as many independent networks, give the samples of the other sources. ``lengths`` are those of
    further windows up to the last end, against which information is drawn.
    """

    unit: Literal["updates", "epochs"] = "updates"
    length: int = 100
    ends: tuple[Positive, ...] = (100, 300, 1000, 3000, 6100, 10_500)
    lengths: tuple[int, ...] = (10, 30, 100, 300)

    @model_validator(mode="after")
    def _enough(self) -> "WindowSettings":
        if self.length == 1:
            raise ValueError(
                "window.length is 1: one sample of the weights is a network, not a distribution; measure it with "
                "infoplane.layer_information or an experiment such as szt"
            )
        if not LEAST <= self.length <= MOST:
            raise ValueError(f"window.length is {self.length}; expected {LEAST} to {MOST} samples of the weights")
        if not self.ends or list(self.ends) != sorted(set(self.ends)):
            raise ValueError(f"window.ends is {list(self.ends)}; expected at least one, each later than the one before")
        if self.ends[0] < self.length:
            raise ValueError(
                f"window.ends begins with {self.ends[0]}, but a window of {self.length} {self.unit} up to there would "
                f"begin before the training; expected {self.length} or later"
            )
        last = self.ends[-1]
        wrong = [length for length in self.lengths if not 2 <= length <= last]
        if wrong or list(self.lengths) != sorted(set(self.lengths)):
            raise ValueError(
                f"window.lengths is {list(self.lengths)}; expected rising numbers from 2 to the last end, {last}"
            )
        return self


class MeasureSettings(Section):
    """Which inputs are measured, and how many of them; over how many rows means are taken (None for all)."""

    part: Literal["all", "train", "test"] = "test"
    inputs: Annotated[int, Field(ge=2)] | None = None
    queries: Annotated[int, Field(ge=2)] | None = 100


class CloudSettings(Settings):
    """The keys of ``as-if-random``."""

    members: Annotated[int, Field(ge=1, le=10_000)] = 5
    sources: Annotated[tuple[Source, ...], Field(min_length=1)] = ("window", "branch", "init")
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    window: WindowSettings = WindowSettings()
    measure: MeasureSettings = MeasureSettings()
    estimators: Annotated[tuple[EstimatorSpec, ...], Field(min_length=1)] = (
        "ross",
        {"name": "binning", "bins": 30, "edges": "layer", "correction": "grassberger"},
        {"name": "binning", "bins": 30, "edges": "layer", "correction": "none"},
        {"name": "kde", "variance": 0.01},
        "gaussian",
    )

    @field_validator("estimators")
    @classmethod
    def _measures_clouds(cls, specs: tuple[EstimatorSpec, ...]) -> tuple[EstimatorSpec, ...]:
        try:
            built = build_all(specs)
        except InputError as error:
            raise ValueError(str(error)) from None
        wrong = [one.name for one in built.values() if one.name not in MEASURES]
        if wrong or len(built) != len(specs):
            raise ValueError(f"clouds are measured by {', '.join(MEASURES)} with one value a parameter; got {specs}")
        return specs

    @model_validator(mode="after")
    def _consistent(self) -> "CloudSettings":
        for key, values in (("sources", self.sources), ("model.activations", self.model.activations)):
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names one of {', '.join(values)} twice")
        try:
            train, measured = self.rows[0], self.measured
        except InputError as error:
            raise ValueError(f"train.fraction: {error}") from None
        if self.train.batch_size > len(train):
            raise ValueError(f"train.batch_size is {self.train.batch_size}; there are {len(train)} rows to train on")
        if len(measured) < 2:
            raise ValueError(
                f"measure.part is '{self.measure.part}', which has {len(measured)} rows; lower train.fraction"
            )
        last, total = self.window.ends[-1], self.train.epochs * self.n_steps // self.pace
        if last > total:
            raise ValueError(
                f"window.ends names {last}, past the end: {self.train.epochs} epochs are {total} {self.window.unit}"
            )
        return self

    @property
    def rows(self) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]:
        """Rows trained on and rows held out, the same for all members."""
        return _rows(self.train.fraction, self.seed)

    @property
    def measured(self) -> Int[np.ndarray, " row"]:
        """Rows of the inputs that are measured: a part of all, or as many of it as are asked for, evenly spaced."""
        every = np.arange(_dataset().n_samples)
        part = dict(zip(PARTS, (every, *self.rows), strict=True))[self.measure.part]
        asked = self.measure.inputs
        return part if asked is None or asked >= len(part) else part[np.arange(asked) * len(part) // asked]

    @property
    def dataset(self) -> data.Dataset:
        """The data set."""
        return _dataset()

    @property
    def samples(self) -> tuple[Float[np.ndarray, "input feature"], Int[np.ndarray, " input"]]:
        """The inputs that are measured, and their labels."""
        return self.dataset.inputs[self.measured], self.dataset.labels[self.measured]

    @property
    def n_steps(self) -> int:
        """Updates an epoch."""
        return -(-len(self.rows[0]) // self.train.batch_size)

    @property
    def pace(self) -> int:
        """Updates from one sample of a window to the next."""
        return self.n_steps if self.window.unit == "epochs" else 1

    @property
    def layers(self) -> list[str]:
        """Names of the layers, the output last."""
        return [*(f"hidden{n}" for n, _ in enumerate(self.model.hidden, start=1)), "output"]

    @property
    def sizes(self) -> list[int]:
        """Numbers of units from the input to the output."""
        return [_dataset().n_features, *self.model.hidden, _dataset().n_classes]

    @property
    def measures(self) -> "dict[str, EstimatorSpec]":
        """The estimators, as they were asked for, by the name that they carry in the result."""
        return dict(zip(build_all(self.estimators), self.estimators, strict=True))

    def network(self, activation: str, source: str) -> dict[str, Any]:
        """Return the keys of one activation and one source, as nested keys."""
        tree = self.tree()
        del tree["sources"], tree["model"]["activations"]
        tree["model"]["activation"] = activation
        return tree | {"source": source}


@functools.cache
def _dataset() -> data.Dataset:
    """The 12-bit task."""
    return data.make("szt")


@functools.lru_cache(maxsize=8)
def _rows(fraction: float, seed: int) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]:
    return split_rows(_dataset(), fraction, "shuffled", seed)
