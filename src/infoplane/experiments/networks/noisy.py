"""The experiment ``noisy``: networks with Gaussian noise on every hidden unit, in training and in measurement alike."""

import functools
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int
from pydantic import Field, model_validator

from infoplane import results
from infoplane.estimators import build
from infoplane.estimators.base import Estimate, LayerInformation
from infoplane.estimators.nested import nested
from infoplane.experiments.networks.result import assemble, missing
from infoplane.experiments.networks.settings import ACTIVATION, NetworkSettings, TrainSettings, few
from infoplane.nets import mlp, noisy
from infoplane.nets.passes import Passes
from infoplane.nets.spread import spread
from infoplane.nets.train import make_optimiser
from infoplane.runs.computed import Computation
from infoplane.runs.config import PositiveFloat, Section

BETA = "model.beta"
"""The dimension of the noise: its standard deviation on each unit."""

ESTIMATOR = "noisy"
"""What the one column of the result is called: ``noisy`` for the first layer, nested sampling behind it."""

PASS = 2**30
"""Step whose noise is that under which accuracies are scored: neither that of training nor of measuring."""


class MeasureSettings(Section):
    """When and how is measured.

    ``passes``: how often every input passes the noise upstream of a layer. ``queries``: at how many noisy points, drawn
    at random, the densities of a layer behind others are compared.
    """

    points: Annotated[int, Field(ge=2, le=10**5)] = 7
    passes: Annotated[int, Field(ge=2, le=10_000)] = 12
    queries: Annotated[int, Field(ge=2)] = 150


class NoisySettings(NetworkSettings):
    """The keys of ``noisy``."""

    betas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (0.01, 0.03, 0.1)
    train: TrainSettings = TrainSettings(learning_rate=4e-4, epochs=4000)
    measure: MeasureSettings = MeasureSettings()

    @model_validator(mode="after")
    def _consistent(self) -> "NoisySettings":
        self.check()
        return self

    @property
    def axes(self) -> dict[str, list[Any]]:
        """Activations, and standard deviations of the noise."""
        return {ACTIVATION: list(self.model.activations), BETA: list(self.betas)}

    @property
    def layers(self) -> list[str]:
        """The hidden layers: outputs get no noise."""
        return self.hidden

    @property
    def epochs(self) -> Int[np.ndarray, " epoch"]:
        """A few epochs, evenly on a logarithmic scale."""
        return few(np.arange(self.train.epochs + 1), self.measure.points)

    @property
    def measures(self) -> list[str]:
        """The one estimator."""
        return [ESTIMATOR]

    def network(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Return the keys of one network."""
        tree = self.tree()
        del tree["betas"], tree["model"]["activations"]
        tree["model"] |= {"activation": labels[ACTIVATION], "beta": labels[BETA]}
        return tree


_NAMES = ("information", "information_std_error", "flags", "accuracy_at_epoch", "dead_share", "member_flags")


def compute(settings: NoisySettings, piece: int) -> dict[str, np.ndarray]:
    """Train the members of a piece under noise and measure them at every epoch of the schedule."""
    network, members = settings.piece(piece)
    activation, beta = settings.networks[network].values()
    seed, init = settings.seed, settings.model.init
    passes, scored = _programs(settings.canonical(), activation)
    taken = Noise(np.asarray(members, np.uint32), np.float32(beta))
    state, x = passes.start(mlp.init_weights(settings.sizes, init, init, seed, members)), jnp.asarray(settings.inputs)
    made, at = missing(settings, _NAMES, len(members)), 0
    for place, epoch in enumerate(settings.epochs):
        state, _ = passes.train(state, members, at, int(epoch), taken)
        at = int(epoch)
        _measure(settings, made, place, state.weights, members, activation, beta)
        right = scored(state.weights, x, taken, noisy.noise_keys(seed, members, at, PASS))
        _score(settings, made, place, np.asarray(right).argmax(axis=1))
    made["member_flags"][:] = np.where(made["dead_share"][:, -1, -1] == 1, results.encode_flags(["dead"]), 0)
    return made


class Noise(NamedTuple):
    """What the noise of a group follows from: numbers of its members, and its standard deviation."""

    members: Any
    beta: Any


@functools.lru_cache(maxsize=4)
def _programs(canonical: str, activation: str) -> tuple[Passes, Any]:
    """Return what trains networks under noise of any strength, and what gives their outputs before the softmax."""
    settings = NoisySettings.model_validate_json(canonical)
    seed = settings.seed

    def outputs(weights: mlp.Weights, x: Array, taken: Noise, keys: Any) -> Array:
        return noisy.forward(weights, activation, x, taken.beta, keys)[-1]

    passes = Passes(
        settings.inputs,
        settings.dataset.labels,
        settings.rows[0],
        optimiser=make_optimiser("adam", settings.train.learning_rate),
        batch_size=settings.train.batch_size,
        seed=seed,
        outputs=outputs,
        keys=lambda taken, epoch, step: noisy.noise_keys(seed, taken.members, epoch, step),
    )
    return passes, jax.jit(outputs)


def _score(
    settings: NoisySettings, made: dict[str, np.ndarray], place: int, given: Int[np.ndarray, "member input"]
) -> None:
    """Note the share of the rows trained on, and of those held out, that get their class under noise."""
    right = given == settings.dataset.labels
    for split, rows in enumerate(settings.rows):
        made["accuracy_at_epoch"][:, split, place] = right[:, rows].mean(axis=1) if len(rows) else np.nan


def _measure(
    settings: NoisySettings,
    made: dict[str, np.ndarray],
    place: int,
    weights: mlp.Weights,
    members: list[int],
    activation: str,
    beta: float,
) -> None:
    """Measure every hidden layer of all members at one epoch."""
    x, own = jnp.asarray(settings.inputs), settings.measure
    epoch = int(settings.epochs[place])
    centres = noisy.centres(
        weights, activation, x, beta, seed=settings.seed, members=members, draws=own.passes, epoch=epoch
    )
    quiet = mlp.forward(weights, activation, x)
    for layer, each in enumerate(centres):
        made["dead_share"][:, place, layer] = spread(quiet[layer], "").dead_share
        for member, of_member in enumerate(each):
            found = information(of_member, settings.dataset.labels, beta, layer, own.queries)
            for variable, one in enumerate((found.input, found.label)):
                assert one is not None
                where = (member, 0, place, layer, variable)
                made["information"][where] = one.bits
                made["information_std_error"][where] = _error(one)
                made["flags"][where] = results.encode_flags(one.flags)


def information(
    centres: np.ndarray, labels: Int[np.ndarray, " input"], beta: float, layer: int, queries: int
) -> LayerInformation:
    """Return I(X;T) and I(T;Y) of a layer, from its activations before its own noise in several passes.

    The first layer (number 0) is the only noisy one up to there: its passes are equal, and one is compared with itself
    in all its rows. Behind it the passes differ: nested sampling.
    """
    if layer == 0:
        return build("noisy", variance=beta**2).of_layer(centres[0], labels)  # pyright: ignore[reportAttributeAccessIssue]
    return nested(centres, labels, variance=beta**2, queries=min(queries, centres.shape[0] * centres.shape[1]))


def _error(estimate: Estimate) -> float:
    return np.nan if estimate.std_error is None else estimate.std_error


COMPUTATION = Computation("noisy", NoisySettings, compute, assemble)
