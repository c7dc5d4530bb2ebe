"""Deep linear students of a linear teacher: errors and information of every layer, exactly, along training."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field, model_validator

from infoplane import results
from infoplane.data.teachers import Teacher
from infoplane.experiments.exact import oracle
from infoplane.nets import linear
from infoplane.runs.computed import Computation, Pieces, Settings
from infoplane.runs.config import Section
from infoplane.schedules.fixed import Log
from infoplane.truth.linear import input_information, label_information, part_information

if TYPE_CHECKING:
    import xarray as xr

Width = Annotated[int, Field(ge=1, le=2000)]
Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]

VARIABLES = (*results.VARIABLES, "relevant", "irrelevant")
"""I(X;T), I(T;Y), and where some inputs do not matter, I(X_rel;T) and I(X_irrel;T)."""

ERRORS = ("training_error", "generalisation_error")
FIRST = 10
"""Where the logarithmic grid of what estimators measure begins, after epoch 0: near it nothing happens."""

LARGEST = 2**29
"""Bytes that the rows of a teacher, or the numbers of a result, may take."""

TEACHER, DATA, STUDENT, ORACLE = range(4)
"""What the parts of a member's randomness are for."""


class DataSettings(Section):
    """The teacher y = v·x + η and how many rows it gives; x ~ N(0, I), ‖v‖ = 1."""

    inputs: Width = 100
    relevant: Width | None = None
    """How many inputs matter, the first ones; all where nothing is said."""
    samples: Annotated[int, Field(ge=1, le=10**6)] = 300
    signal_to_noise: Above = 5.0
    """Variance of v·x over that of η."""


class ModelSettings(Section):
    """The student: kernels N(0, scale² / fan-in), no biases."""

    hidden: Annotated[tuple[Width, ...], Field(min_length=1, max_length=20)] = (100,)
    scale: Above = 0.1


class TrainSettings(Section):
    """Full-batch gradient descent on half the mean squared error."""

    learning_rate: Above = 0.02
    epochs: Annotated[int, Field(ge=1, le=10**6)] = 10_000


class MeasureSettings(Section):
    """When and how it is measured."""

    points: Annotated[int, Field(ge=2, le=10**5)] = 200
    """Of the logarithmic grid of epochs."""
    variance: Above = 0.01
    """σ² of the noise on every unit, without which a linear layer knows infinitely much."""
    oracle_samples: Annotated[int, Field(ge=0, le=20_000)] = 0
    """Inputs on which estimators measure member 0 beside the exact numbers; 0 for none."""
    oracle_points: Annotated[int, Field(ge=2, le=1000)] = 8
    """Epochs at which they do."""


class LinearSettings(Settings):
    """The keys of the experiments with linear students."""

    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    measure: MeasureSettings = MeasureSettings()

    @model_validator(mode="after")
    def _consistent(self) -> "LinearSettings":
        if self.data.relevant is not None and self.data.relevant >= self.data.inputs:
            raise ValueError(
                f"data.relevant is {self.data.relevant}; expected fewer than the {self.data.inputs} inputs"
            )
        rows = 8 * self.data.samples * self.data.inputs
        if rows > LARGEST:
            raise ValueError(
                f"data.samples × data.inputs = {self.data.samples} × {self.data.inputs} numbers take "
                f"{rows / 2**30:.1f} GiB; expected at most {LARGEST / 2**30:g}"
            )
        numbers = 8 * len(VARIABLES) * len(self.layers) * self.measure.points * self.members
        if numbers > LARGEST:
            raise ValueError(
                f"members × measure.points × layers = {self.members} × {self.measure.points} × {len(self.layers)} need "
                f"{numbers / 2**30:.1f} GiB in the result; expected at most {LARGEST / 2**30:g}"
            )
        if 0 < self.measure.oracle_samples < 100:
            raise ValueError(f"measure.oracle_samples is {self.measure.oracle_samples}; expected 0 or at least 100")
        return self

    @property
    def layers(self) -> list[str]:
        """Names of the layers."""
        return [*(f"hidden{n}" for n, _ in enumerate(self.model.hidden, start=1)), "output"]

    @property
    def epochs(self) -> Int[np.ndarray, " epoch"]:
        """The epochs that are measured."""
        return Log(self.measure.points).epochs(self.train.epochs)

    @property
    def estimators(self) -> list[str]:
        """What measures, the exact numbers first."""
        sampled = oracle.names(self.measure.variance) if self.measure.oracle_samples else []
        return [f"exact(variance={self.measure.variance:g})", *sampled]

    def rng(self, member: int, part: int) -> np.random.Generator:
        """Return the randomness of a part of a member."""
        return np.random.default_rng([self.seed, member, part])

    def teacher(self, member: int) -> Teacher:
        """Return the teacher of a member."""
        data, rng = self.data, self.rng(member, TEACHER)
        return Teacher.drawn(data.inputs, relevant=data.relevant, signal_to_noise=data.signal_to_noise, rng=rng)


def compute(settings: LinearSettings, member: int) -> dict[str, np.ndarray]:
    """Train a student of its own teacher on rows of its own, and measure it.

    Returns:
        ``bits`` (epoch, layer, variable), ``errors`` (epoch, error), NaN from where it diverges; of member 0 also
        what the estimators measure, see `infoplane.experiments.exact.oracle.measure`.
    """
    teacher, due = settings.teacher(member), settings.epochs
    inputs, labels = teacher.sample(settings.data.samples, settings.rng(member, DATA))
    sizes = (settings.data.inputs, *settings.model.hidden, 1)
    start = linear.initialise(sizes, settings.model.scale, settings.rng(member, STUDENT))
    train, kept = settings.train, {}
    path = linear.descend(start, inputs, labels, learning_rate=train.learning_rate, epochs=train.epochs)
    wanted = set(due.tolist())
    for epoch, weights in enumerate(path):
        if epoch in wanted:
            kept[epoch] = linear.maps(weights)
    bits = np.full((len(due), len(settings.layers), len(VARIABLES)), np.nan)
    errors = np.full((len(due), len(ERRORS)), np.nan)
    for place, maps in enumerate(kept.values()):
        bits[place] = [_information(layer, teacher, settings.measure.variance) for layer in maps]
        missed = float(np.mean((labels - inputs @ maps[-1].T) ** 2))
        errors[place] = missed / teacher.label_variance, teacher.generalisation_error(maps[-1][0])
    made = {"bits": bits, "errors": errors}
    if member or not settings.measure.oracle_samples:
        return made
    return made | _sampled(settings, teacher, kept)


def _information(layer: Float[np.ndarray, "unit dim"], teacher: Teacher, variance: float) -> list[float]:
    """Return the information of a layer, one number for each of `VARIABLES`."""
    known = functools.partial(part_information, layer, teacher.covariance, variance)
    relevant = teacher.relevant
    split = [np.nan, np.nan] if relevant.all() else [known(relevant), known(~relevant)]
    label = label_information(layer, teacher.covariance, variance, teacher.weights, teacher.label_noise)
    return [input_information(layer, teacher.covariance, variance), label, *split]


def _sampled(settings: LinearSettings, teacher: Teacher, kept: Mapping[int, linear.Weights]) -> dict[str, np.ndarray]:
    """Measure some epochs of one student by estimators, on new inputs."""
    measure = settings.measure
    rng = settings.rng(0, ORACLE)
    inputs, labels = teacher.sample(measure.oracle_samples, rng)
    epochs = np.array(list(kept))
    grid = [0.0, *np.geomspace(min(FIRST, epochs[-1]), epochs[-1], measure.oracle_points - 1)] if epochs[-1] else [0.0]
    at = np.unique([int(np.abs(epochs - point).argmin()) for point in grid])
    maps = [kept[int(epoch)] for epoch in epochs[at]]
    return {"oracle_at": at} | oracle.measure(maps, inputs, labels, measure.variance, rng)


def assemble(settings: LinearSettings, pieces: Pieces) -> "xr.Dataset":
    """Put the students together."""
    epochs, layers = settings.epochs, settings.layers
    variables = VARIABLES if settings.data.relevant else results.VARIABLES
    shape = (len(settings.estimators), settings.members, len(epochs), len(layers), len(variables))
    arrays = {name: np.full(shape, np.nan) for name in ("information", *oracle.BOUNDS.values())}
    flags, errors = np.zeros(shape, np.int32), np.full((2, settings.members, len(epochs)), np.nan)
    diverged = np.zeros(settings.members, np.int32)
    for member, piece in pieces.items():
        arrays["information"][0, member] = piece["bits"][:, :, : len(variables)]
        errors[:, member] = piece["errors"].T
        diverged[member] = results.encode_flags(["diverged"] * bool(np.isnan(piece["errors"]).any()))
        if "oracle_at" in piece:
            for key, name in {"bits": "information", **oracle.BOUNDS}.items():
                arrays[name][1:, member][:, piece["oracle_at"], :, :2] = piece[f"oracle_{key}"]
            flags[1:, member][:, piece["oracle_at"], :, :2] = piece["oracle_flags"]
    kept = {name: array for name, array in arrays.items() if name == "information" or np.isfinite(array).any()}
    coords = {"estimator": settings.estimators, "member": np.arange(settings.members), "epoch": epochs,
              "layer": layers, "variable": list(variables)}  # fmt: skip
    made = {name: (results.INFORMATION_DIMS, array) for name, array in (kept | {"flags": flags}).items()}
    made |= {name: (("member", "epoch"), values) for name, values in zip(ERRORS, errors, strict=True)}
    ds = results.new(coords, made | {"member_flags": (("member",), diverged)}, _attributes(settings))
    ds["order_violation"] = results.order_violation(ds["information"])
    return ds.assign_coords(quantity=("estimator", ["Shannon"] * len(settings.estimators)))


def _attributes(settings: LinearSettings) -> dict[str, float | int | str]:
    """Entropies of continuous variables: H is infinite, I(X;Y) is not."""
    sampled = settings.measure.oracle_samples
    return ({"oracle_samples": sampled} if sampled else {}) | {
        "input_entropy": np.inf,
        "label_entropy": np.inf,
        "label_information": settings.teacher(0).label_information,
        "n_samples": settings.data.samples,
        "epoch_unit": "epoch",
    }


def of(name: str) -> Computation:
    """Return the computation of one of the experiments."""
    return Computation(name, LinearSettings, compute, assemble)
