"""The experiment ``quantised``: networks on few levels beside the same networks in floats, counted exactly."""

import functools
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int
from pydantic import Field, field_validator, model_validator

from infoplane import results
from infoplane.errors import InputError
from infoplane.estimators import build_all
from infoplane.estimators.base import LayerEstimator, Layers, Values
from infoplane.estimators.layers import measure_layers
from infoplane.experiments.networks.result import assemble, missing
from infoplane.experiments.networks.settings import ACTIVATION, NetworkSettings, few
from infoplane.nets import mlp, quantize
from infoplane.nets.passes import Passes
from infoplane.nets.spread import spread
from infoplane.nets.train import make_optimiser
from infoplane.runs.computed import Computation
from infoplane.runs.config import EstimatorSpec, Section

BITS, FLOAT = "model.bits", "float"
"""The dimension of the precisions, and the label of the network that is not quantised."""


class QuantizeSettings(Section):
    """How activations come on their levels.

    ``how``: trained on the levels, with straight-through gradients, or trained in floats and rounded afterwards, where
    it is measured. ``calibrate``: number of epochs in which the range of an unbounded activation follows the layer,
    before it is frozen; of what is rounded afterwards it follows to the end. ``weight_bits``: of the kernels, in
    training and measurement; None leaves them in floats.
    """

    how: Literal["straight-through", "afterwards"] = "straight-through"
    calibrate: Annotated[int, Field(ge=1)] = 1000
    weight_bits: int | None = None

    @field_validator("weight_bits")
    @classmethod
    def _bits(cls, bits: int | None) -> int | None:
        return None if bits is None else _checked(bits, "weight_bits")


class MeasureSettings(Section):
    """When is measured, and how seldom by estimators that cost much, ``kde`` and ``noisy``."""

    points: Annotated[int, Field(ge=2, le=10**5)] = 60
    costly_points: Annotated[int, Field(ge=2, le=10**5)] = 4


class QuantisedSettings(NetworkSettings):
    """The keys of ``quantised``."""

    bits: Annotated[tuple[int | Literal["float"], ...], Field(min_length=1)] = (2, 4, 8, "float")
    quantize: QuantizeSettings = QuantizeSettings()
    measure: MeasureSettings = MeasureSettings()
    estimators: Annotated[tuple[EstimatorSpec, ...], Field(min_length=1)] = (
        "exact",
        {"name": "binning", "bins": 30, "edges": "layer"},
        {"name": "kde", "variance": 0.001},
    )

    @field_validator("bits")
    @classmethod
    def _precisions(cls, bits: tuple[int | str, ...]) -> tuple[int | str, ...]:
        return tuple(one if one == FLOAT else _checked(one, "bits") for one in bits)

    @model_validator(mode="after")
    def _consistent(self) -> "QuantisedSettings":
        self.check()
        try:
            build_all(self.estimators)
        except InputError as error:
            raise ValueError(f"estimators: {error}") from None
        return self

    @property
    def axes(self) -> dict[str, list[Any]]:
        """Activations, and numbers of bits as text."""
        return {ACTIVATION: list(self.model.activations), BITS: [str(bits) for bits in self.bits]}

    @property
    def layers(self) -> list[str]:
        """Hidden layers, then the output, whose probabilities are on levels too."""
        return [*self.hidden, "output"]

    @property
    def epochs(self) -> Int[np.ndarray, " epoch"]:
        """The epochs of a logarithmic schedule."""
        from infoplane.schedules.fixed import Log

        return Log(self.measure.points).epochs(self.train.epochs)

    @property
    def measures(self) -> list[str]:
        """Estimators by the names that they carry."""
        return list(build_all(self.estimators))

    def network(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Return the keys of one network."""
        tree = self.tree()
        del tree["bits"], tree["model"]["activations"]
        tree["model"] |= {"activation": labels[ACTIVATION], "bits": labels[BITS]}
        if labels[BITS] == FLOAT:
            del tree["quantize"]
        return tree


def _checked(bits: Any, argument: str) -> int:
    try:
        return quantize.check_bits(bits, argument)
    except InputError as error:
        raise ValueError(str(error)) from None


class Levels(NamedTuple):
    """How a network is computed.

    Attributes:
        activation: name of the hidden activation.
        bits: b of the activations; None for floats.
        weight_bits: b of the kernels; None for floats.
        calibrate: epochs in which ranges follow.
        trained: whether training sees the levels.
    """

    activation: str
    bits: int | None
    weight_bits: int | None
    calibrate: int
    trained: bool

    def outputs(self, weights: mlp.Weights, x: Array, ranges: Any, _: Any) -> Array:
        """Return the outputs before the softmax, as training sees them."""
        if self.bits is None or not self.trained:
            return mlp.logits(weights, self.activation, x)
        return quantize.forward(weights, self.activation, x, ranges, self.bits, self.weight_bits)[-1]

    def ranges(self, weights: mlp.Weights, x: Array, before: Any, epoch: Any) -> Any:
        """Return the ranges of an epoch: those of the network as it is, until they are frozen."""
        if self.bits is None:
            return before
        if not self.trained:
            return self.calibrated(weights, x)
        return jax.lax.cond(epoch < self.calibrate, lambda: self.calibrated(weights, x), lambda: before)

    def calibrated(self, weights: mlp.Weights, x: Array) -> Any:
        """Return the ranges of the network as it is."""
        if self.bits is None:
            return None
        used = weights if self.weight_bits is None else quantize.quantize_weights(weights, self.weight_bits)
        return quantize.calibrate(used, self.activation, x)

    def measured(self, weights: mlp.Weights, x: Array, ranges: Any) -> tuple[list[Array], Array]:
        """Return every layer as it is measured, and the outputs before the softmax."""
        if self.bits is None:
            return mlp.activations(weights, self.activation, x), mlp.logits(weights, self.activation, x)
        own = (weights, self.activation, x, ranges, self.bits, self.weight_bits)
        return quantize.activations(*own), quantize.forward(*own)[-1]


def compute(settings: QuantisedSettings, piece: int) -> dict[str, np.ndarray]:
    """Train the members of a piece and measure them at every epoch of the schedule."""
    network, members = settings.piece(piece)
    labels, own = settings.networks[network], settings.quantize
    bits = None if labels[BITS] == FLOAT else int(labels[BITS])
    weight_bits = None if bits is None else own.weight_bits
    levels = Levels(labels[ACTIVATION], bits, weight_bits, own.calibrate, own.how == "straight-through")
    passes, observe = _programs(settings.canonical(), levels)
    init = settings.model.init
    state = passes.start(mlp.init_weights(settings.sizes, init, init, settings.seed, members))
    ranges = levels.calibrated(state.weights, jnp.asarray(settings.inputs[:, settings.rows[0]]))
    made, at = missing(settings, _NAMES, len(members)), 0
    for place, epoch in enumerate(settings.epochs):
        state, ranges = passes.train(state, members, at, int(epoch), ranges)
        at = int(epoch)
        ranges, layers, outputs = observe(state.weights, ranges, np.int32(epoch))
        _measure(settings, made, place, layers)
        _score(settings, made, place, outputs)
    constant = made["dead_share"][:, -1, len(settings.hidden) - 1] == 1
    made["member_flags"][:] = np.where(constant, results.encode_flags(["dead"]), 0)
    return made


@functools.lru_cache(maxsize=4)
def _programs(canonical: str, levels: Levels) -> tuple[Passes, Any]:
    """Return what trains networks on some levels, and what follows their ranges and computes all that is measured."""
    settings = QuantisedSettings.model_validate_json(canonical)
    x = jnp.asarray(settings.inputs)
    trained_on = x[:, settings.rows[0]]

    def follow(weights: mlp.Weights, before: Any, epoch: Any) -> Any:
        return levels.ranges(weights, trained_on, before, epoch)

    def observe(weights: mlp.Weights, before: Any, epoch: Any) -> tuple[Any, list[Array], Array]:
        ranges = follow(weights, before, epoch)
        return ranges, *levels.measured(weights, x, ranges)

    passes = Passes(
        settings.inputs,
        settings.dataset.labels,
        settings.rows[0],
        optimiser=make_optimiser("adam", settings.train.learning_rate),
        batch_size=settings.train.batch_size,
        seed=settings.seed,
        outputs=levels.outputs,
        prepare=follow if levels.trained else None,
    )
    return passes, jax.jit(observe)


_NAMES = ("information", "information_lower", "information_upper", "flags", "accuracy_at_epoch", "dead_share",
          "member_flags")  # fmt: skip

COSTLY = ("kde", "noisy")
"""Estimators that compare every pair of inputs."""


def _measure(settings: QuantisedSettings, made: dict[str, np.ndarray], place: int, layers: list[Array]) -> None:
    """Measure every layer of all members at one epoch, each by the estimators that are due."""
    built = build_all(settings.estimators)
    seldom = place not in few(settings.epochs, settings.measure.costly_points)
    due = [at for at, one in enumerate(built.values()) if not (seldom and one.name in COSTLY)]
    estimators: list[LayerEstimator] = [list(built.values())[at] for at in due]
    for layer, t in enumerate(layers):
        found = measure_layers(Layers(t, settings.dataset.labels), estimators)
        for at, values in zip(due, found, strict=True):
            for variable, one in enumerate((values.input, values.label)):
                if one is not None:
                    _put(made, (slice(None), at, place, layer, variable), one)
        made["dead_share"][:, place, layer] = spread(t, "").dead_share


def _put(made: dict[str, np.ndarray], at: tuple[Any, ...], values: Values) -> None:
    made["information"][at] = values.bits
    made["flags"][at] = [results.encode_flags(flags) for flags in values.flags]
    for end in ("lower", "upper"):
        known = getattr(values, end)
        if known is not None:
            made[f"information_{end}"][at] = known


def _score(settings: NetworkSettings, made: dict[str, np.ndarray], place: int, outputs: Any) -> None:
    """Note the share of the rows trained on, and of those held out, that get their class."""
    right = np.asarray(outputs).argmax(axis=1) == settings.dataset.labels
    for split, rows in enumerate(settings.rows):
        made["accuracy_at_epoch"][:, split, place] = right[:, rows].mean(axis=1) if len(rows) else np.nan


COMPUTATION = Computation("quantised", QuantisedSettings, compute, assemble)
