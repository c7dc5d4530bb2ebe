"""Networks whose information is known without an estimator: linear students of a teacher, and single units."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from infoplane._numbers import digits
from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError
from infoplane.experiments.claims.view import NOTICEABLE, Bits, Part, Run
from infoplane.results import mean_known

PAPER = "Saxe et al. 2018"
KIND = "exact"

ENOUGH = 0.1
"""Share of the label's variance by which an error must fall, or rise again, to count."""

EARLY = 0.5
"""Share of the training before which a best epoch is an early one."""

UNBOUNDED = ("relu", "softplus", "linear")


def _errors(part: Part) -> Float[np.ndarray, "member epoch"]:
    """Return the exact error on new inputs."""
    return part.quantity("generalisation_error").transpose("member", "epoch").values


def _bits(part: Part, layer: str, variable: str = "input") -> tuple[str, Bits]:
    """Return the name of the exact numbers, and those of a layer.

    Raises:
        LackingError: where the result holds none.
    """
    if variable not in part.ds["variable"].values:
        raise LackingError(f"information on the {variable} inputs apart (infoplane run saxe-irrelevant)")
    for name in part.estimators(KIND)[:1]:
        return name, part.bits(layer, name, variable)
    raise LackingError("exact information, without an estimator (infoplane run saxe-linear)")


def _end_of_error(overtrained: bool, part: Part) -> str:
    """Say why a network cannot speak of generalisation, or of overtraining, where it shows none."""
    errors = mean_known(_errors(part))
    start, least, end = errors[0], np.nan_to_num(errors, nan=np.inf).min(), errors[-1]
    if overtrained and not end > least + ENOUGH:
        return f"needs overtraining: the error on new inputs is at least {digits(least)} and ends at {digits(end)}"
    if not overtrained and not end < start - ENOUGH:
        errors = f"begins at {digits(start)} and ends at {digits(end)}"
        return f"needs a network that generalises: its error on new inputs {errors}"
    return ""


def _lost(overtrained: bool, run: Run) -> list[Case]:
    """Return what each layer loses of I(X;T) from its largest mean to the end."""
    cases = []
    for part in run.main():
        obstacle = _end_of_error(overtrained, part)
        for layer in part.layers:
            name, bits = _bits(part, layer)
            cases.append(Case(part.named(name, layer), (part.sample(view.compression(bits)),), obstacle))
    return cases


def _gain(variable: str, sign: int, run: Run) -> list[Case]:
    """Return what each layer gains (or loses, with sign −1) from epoch 0 to the end."""
    cases = []
    for part in run.main():
        _errors(part)  # students only: others have no exact numbers by epoch
        for layer in part.layers:
            name, bits = _bits(part, layer, variable)
            if variable == "input":
                _bits(part, layer, "irrelevant")
            cases.append(Case(part.named(name, layer), (part.sample(sign * (bits[:, -1] - bits[:, 0])),)))
    return cases


def _rise_of_error(run: Run) -> list[Case]:
    def rise(part: Part) -> view.Values:
        errors = _errors(part)
        return errors[:, -1] - errors[:, int(np.argmin(np.nan_to_num(mean_known(errors), nan=np.inf)))]

    return [Case(part.named("error on new inputs"), (part.sample(rise(part)),)) for part in run.main()]


def _best_epoch(run: Run) -> list[Case]:
    def share(part: Part) -> view.Values:
        errors, epochs = _errors(part), part.ds["epoch"].values
        best = epochs[np.argmin(np.nan_to_num(errors, nan=np.inf), axis=1)] / max(epochs[-1], 1)
        return np.where(np.isfinite(errors).all(axis=1), best, np.nan)

    return [Case(part.named("error on new inputs"), (part.sample(share(part)),)) for part in run.main()]


def _units(
    measure: Callable[[Bits, Float[np.ndarray, " weight"]], view.Values], activations: Sequence[str], run: Run
) -> list[Case]:
    """Return a quantity of single units of some activations, by each definition that clips none of their values."""
    cases = []
    for part in run.main():
        if "weight" not in part.ds.coords:
            raise LackingError("information by the weight of one unit (infoplane run saxe-minimal)")
        for name in part.estimators(KIND):
            for layer in (layer for layer in part.layers if layer in activations):
                known = bool(part.ds["information"].sel(estimator=name, layer=layer).notnull().any())
                if known and not part.is_clipped(layer, name):
                    values = measure(part.bits(layer, name), part.ds["weight"].values)
                    cases.append(Case(part.named(layer, name), (part.sample(values),)))
    if not cases:
        raise LackingError(f"numbers of {' or '.join(activations)}, none of them clipped")
    return cases


def _fall(bits: Bits, _: Float[np.ndarray, " weight"]) -> view.Values:
    return view.compression(bits)


def _from_one_bit(bits: Bits, _: Float[np.ndarray, " weight"]) -> view.Values:
    return np.abs(bits[:, -1] - 1)


def _per_doubling(bits: Bits, weights: Float[np.ndarray, " weight"]) -> view.Values:
    return (bits[:, -1] - bits[:, -2]) / np.log2(weights[-1] / weights[-2])


_NEEDS = "a linear student whose errors and information are exact (infoplane run saxe-linear)"
_NEEDS_SPLIT = "relevant and irrelevant inputs, measured separately (infoplane run saxe-irrelevant)"
_NEEDS_UNIT = "information by the weight of one unit (infoplane run saxe-minimal)"
_LOST = "I(X;T) of a layer at its largest mean, minus at the end"

CLAIMS = (
    Claim(
        id="linear-generalises-without-compression",
        sentence="A network can generalize without compressing its input: exact, in a deep linear network.",
        source=f"{PAPER}, figure 3",
        quantity=_LOST,
        units="bits",
        side="below",
        bound=NOTICEABLE,
        needs=_NEEDS,
        figure="errors",
        measure=functools.partial(_lost, False),
    ),
    Claim(
        id="linear-overtrains-without-compression",
        sentence="A network can overtrain without compressing its input: exact, in a deep linear network.",
        source=f"{PAPER}, figure 4",
        quantity=_LOST,
        units="bits",
        side="below",
        bound=NOTICEABLE,
        needs=_NEEDS,
        figure="errors",
        measure=functools.partial(_lost, True),
    ),
    Claim(
        id="linear-overtrains",
        sentence="A linear network trained on few noisy samples overtrains: its error on new inputs rises after its "
        "minimum.",
        source=f"{PAPER}, figure 4",
        quantity="error on new inputs at the end, minus at the epoch of its least mean, over the label's variance",
        units="of Var y",
        side="above",
        bound=ENOUGH,
        needs=_NEEDS,
        figure="errors",
        measure=_rise_of_error,
    ),
    Claim(
        id="linear-generalises-best-early",
        sentence="A linear network generalizes best early in training.",
        source=f"{PAPER}, figure 4",
        quantity="epoch of a network's least error on new inputs, over the last epoch",
        units="of the training",
        side="below",
        bound=EARLY,
        needs=_NEEDS,
        figure="errors",
        measure=_best_epoch,
    ),
    Claim(
        id="irrelevant-falls",
        sentence="The information of a layer on the irrelevant inputs falls during training.",
        source=f"{PAPER}, figure 6",
        quantity="I(X_irrel;T) at epoch 0, minus at the end",
        units="bits",
        side="above",
        bound=0.0,
        needs=_NEEDS_SPLIT,
        figure="relevance",
        measure=functools.partial(_gain, "irrelevant", -1),
    ),
    Claim(
        id="relevant-rises",
        sentence="The information of a layer on the relevant inputs rises during training.",
        source=f"{PAPER}, figure 6",
        quantity="I(X_rel;T) at the end, minus at epoch 0",
        units="bits",
        side="above",
        bound=0.0,
        needs=_NEEDS_SPLIT,
        figure="relevance",
        measure=functools.partial(_gain, "relevant", 1),
    ),
    Claim(
        id="total-rises-with-irrelevant-inputs",
        sentence="With irrelevant inputs too, the information of a layer on all inputs together rises during training.",
        source=f"{PAPER}, figure 6",
        quantity="I(X;T) at the end, minus at epoch 0",
        units="bits",
        side="above",
        bound=0.0,
        needs=_NEEDS_SPLIT,
        figure="relevance",
        measure=functools.partial(_gain, "input", 1),
    ),
    Claim(
        id="one-tanh-unit-falls",
        sentence="The binned information of one tanh unit rises with its weight and then falls.",
        source=f"{PAPER}, figure 2",
        quantity="I(X;T) at the weight of the largest mean, minus at the largest weight",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs=_NEEDS_UNIT,
        figure="minimal",
        measure=functools.partial(_units, _fall, ("tanh",)),
    ),
    Claim(
        id="one-tanh-unit-ends-at-one-bit",
        sentence="The binned information of one tanh unit falls towards one bit.",
        source=f"{PAPER}, figure 2",
        quantity="distance of I(X;T) at the largest weight from 1 bit",
        units="bits",
        side="below",
        bound=NOTICEABLE,
        needs=_NEEDS_UNIT,
        figure="minimal",
        measure=functools.partial(_units, _from_one_bit, ("tanh",)),
    ),
    Claim(
        id="one-unbounded-unit-grows",
        sentence="The information of one relu, softplus or linear unit grows with its weight without bound.",
        source=f"{PAPER}, figure 2",
        quantity="gain of I(X;T) with each doubling of the weight, at the largest weight",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs=_NEEDS_UNIT,
        figure="minimal",
        measure=functools.partial(_units, _per_doubling, UNBOUNDED),
    ),
)
"""Claims on what is known exactly."""
