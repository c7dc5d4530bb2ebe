"""Networks as if their weights were random: what windows lose, whether that is bias, and whether sources agree."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError, Sample
from infoplane.experiments.claims.view import NOTICEABLE, Part, Run

CODE = "the program infonet (2019)"

MOSTLY = 0.5
"""Share of a loss from which on it is mostly bias."""

AGREE = 0.5
"""Bits within which two sources agree: a twentieth of what the inputs say."""

NEEDS = "networks with random weights (infoplane run as-if-random)"

Layer = Callable[[Part, str, str], view.Values]
"""A quantity of every member, of a network, an estimator and a layer."""


def _of(source: str, run: Run, activations: Sequence[str] = ()) -> list[Part]:
    """Return the networks whose samples come from a source.

    Raises:
        LackingError: where there are none.
    """
    found = [part for part in run.parts if part.keys.get("source") == source and not part.shuffled]
    found = [part for part in found if not activations or part.activation in activations]
    if not found:
        raise LackingError(f"{NEEDS}, source {source}{' with ' * bool(activations)}{' or '.join(activations)}")
    return found


def _late(parts: Sequence[Part]) -> Iterator[tuple[Part, str, str]]:
    """Yield the last hidden layer and the output of each network with each estimator."""
    for part in parts:
        for name in part.estimators():
            for layer in (part.last_hidden, part.output):
                yield part, name, layer


def _each(measure: Layer, activations: Sequence[str], run: Run) -> list[Case]:
    """Return a quantity of the late layers of the windows."""
    return [
        Case(part.named(name, layer), (part.sample(measure(part, name, layer)),))
        for part, name, layer in _late(_of("window", run, activations))
    ]


def _at_end(part: Part, variable: str, estimator: str, layer: str) -> view.Values:
    """Return I(X;T) of the sound members in another variable of the result, at the last end where it has ends."""
    known = part.quantity(variable).sel(estimator=estimator, layer=layer, variable="input")
    return (known.isel(epoch=-1) if "epoch" in known.dims else known).values


def _lost_in_training(part: Part, estimator: str, layer: str) -> view.Values:
    bits = part.bits(layer, estimator)
    return bits[:, 0] - bits[:, -1]


def _lost_to_window(part: Part, estimator: str, layer: str) -> view.Values:
    return _at_end(part, "single_update", estimator, layer) - part.bits(layer, estimator)[:, -1]


def _share_of_bias(part: Part, estimator: str, layer: str) -> view.Values:
    """What extrapolation to infinitely many samples takes off, over what is lost without it; NaN of small losses."""
    lost = _lost_to_window(part, estimator, layer)
    taken = np.abs(part.bits(layer, estimator)[:, -1] - _at_end(part, "limit", estimator, layer))
    return np.where(lost > NOTICEABLE, taken / np.where(lost > NOTICEABLE, lost, 1.0), np.nan)


def _difference(run: Run) -> list[Case]:
    """Return branch minus window and window minus branch of the late layers: each must be small."""
    windows = _of("window", run)
    branches = {part.activation: part for part in _of("branch", run)}
    cases = []
    for part, name, layer in _late([part for part in windows if part.activation in branches]):
        pair = [_every(one, layer, name) for one in (branches[part.activation], part)]
        difference = (pair[0] - pair[1])[part.sound]
        samples = (Sample("branch − window", difference, left_out=part.left_out),
                   Sample("window − branch", -difference, left_out=part.left_out))  # fmt: skip
        cases.append(Case(f"{part.activation}, {name}, {layer}", samples))
    return cases


def _every(part: Part, layer: str, estimator: str) -> Float[np.ndarray, " member"]:
    """Return I(X;T) of all members at the last end."""
    part.epochs(estimator)
    known = part.ds["information"].sel(layer=layer, estimator=estimator, variable="input")
    return known.transpose("member", "epoch").values[:, -1]


def _compresses(activation: str) -> Claim:
    """Return the claim that the late layers of networks with an activation lose information in training."""
    return Claim(
        id=f"late-layers-compress-{activation}",
        sentence=f"With random weights the late layers compress during training, with {activation} too.",
        source=CODE,
        quantity="I(X;T) of the first window, minus that of the last",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs=NEEDS,
        figure="windows",
        measure=lambda run: _each(_lost_in_training, (activation,), run),
    )


CLAIMS = (
    _compresses("relu"),
    _compresses("tanh"),
    Claim(
        id="windows-lose-more-than-updates",
        sentence="A window of updates has less information on the input than its last update alone.",
        source=CODE,
        quantity="I(X;T) after the last update by the same bins or noise, minus that of the window",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs=NEEDS,
        figure="lengths",
        measure=lambda run: _each(_lost_to_window, (), run),
    ),
    Claim(
        id="window-loss-is-no-bias",
        sentence="The loss of a window is mostly not a small-sample bias.",
        source="our question",
        quantity="|I(X;T) of the last window − its limit of infinitely many samples|, over the loss of the window",
        units="of the loss",
        side="below",
        bound=MOSTLY,
        needs=NEEDS,
        figure="lengths",
        measure=lambda run: _each(_share_of_bias, (), run),
    ),
    Claim(
        id="branch-agrees-with-window",
        sentence="Continuations with other mini-batches lose as much as the window of updates over the same time.",
        source="our question",
        quantity="difference of I(X;T) between branches and window at the last end, either way",
        units="bits",
        side="below",
        bound=AGREE,
        needs=NEEDS,
        figure="windows",
        measure=_difference,
    ),
)
"""Claims on networks whose weights are taken as random."""
