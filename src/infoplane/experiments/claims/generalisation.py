"""Whether compression goes with generalisation, and whether it needs the noise of mini-batches."""

import math

import numpy as np
from jaxtyping import Float, Int

from infoplane import results
from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError, Values
from infoplane.experiments.claims.phases import obstacle
from infoplane.experiments.claims.settings import FRACTION
from infoplane.experiments.claims.view import NOTICEABLE, Part, Run

PAPER = "Saxe et al. 2018"
KINDS = ("binning", "kde")
BATCH = "train.batch_size"

GAP = 0.05
"""Accuracy on rows trained on above that on held-out rows that counts as generalising badly."""

AS_WELL = 0.02
"""Test accuracy that a network may lack and still generalise as well as another."""


def _accuracy(part: Part, split: str) -> Values:
    """Return each member's accuracy at the end."""
    curve = part.quantity("accuracy")
    if split not in curve["split"].values:
        raise LackingError(f"the accuracy on {split} rows")
    return curve.sel(split=split).isel(step=-1).values.astype(float)


def _lost(part: Part, estimator: str) -> Values:
    return view.compression(part.bits(part.last_hidden, estimator))


def _bad_compression(run: Run) -> list[Case]:
    """Return what the last hidden layer loses with the least data, beside how much accuracy is lost on other rows."""
    least = min(run.along(FRACTION), key=lambda part: float(part.keys[FRACTION]))
    gap = _accuracy(least, "train") - _accuracy(least, "test")
    cases = []
    for kind in KINDS:
        for name in least.estimators(kind)[:1]:
            samples = (
                least.sample(_lost(least, name) - NOTICEABLE, "compression"),
                least.sample(gap - GAP, "accuracy lost on held-out rows"),
            )
            told = obstacle(least, name, least.last_hidden)
            rows = f"{least.activation}, {float(least.keys[FRACTION]):.0%} of the rows"
            cases.append(Case(f"{rows}, {name}, {least.last_hidden}", samples, told))
    if not cases:
        raise LackingError(f"the estimator {' or '.join(KINDS)}")
    return cases


def _accuracies(run: Run) -> list[Case]:
    """Return the test accuracy of networks that do not saturate on both sides, minus that of tanh networks."""
    tanh = run.main(("tanh",))[0]
    return [
        Case(f"{part.activation} against tanh", (part.sample(_accuracy(part, "test"), other=_accuracy(tanh, "test")),))
        for part in run.main(("relu", "softplus"))
    ]


def _updates(part: Part) -> int:
    """Number of updates of an epoch.

    Raises:
        LackingError: where the result does not say how many rows there are.
    """
    if results.parts(part.ds)[0] != "all" or not {BATCH, FRACTION} <= part.keys.keys():
        raise LackingError("the number of rows trained on, which this result does not contain")
    n_train = round(part.attribute("n_samples") * float(part.keys[FRACTION]))
    return math.ceil(n_train / int(part.keys[BATCH]))


def _batches(run: Run) -> tuple[Part, Part]:
    """Return the networks trained with mini-batches and those trained on the full batch.

    Raises:
        LackingError: where one of them is missing.
    """
    by_updates = {_updates(part): part for part in reversed(run.along(BATCH))}
    first = run.main()[0]
    if 1 not in by_updates or _updates(first) == 1:
        raise LackingError(
            "networks trained with mini-batches first, then on the full batch (infoplane run saxe-batch)"
        )
    return first, by_updates[1]


def _full_batch(run: Run) -> list[Case]:
    """Return what the last hidden layer loses when it is trained without noise."""
    _, full = _batches(run)
    cases = [
        Case(
            f"{full.activation}, full batch, {name}, {full.last_hidden}",
            (full.sample(_lost(full, name)),),
            obstacle(full, name, full.last_hidden),
        )
        for kind in KINDS
        for name in full.estimators(kind)[:1]
    ]
    if not cases:
        raise LackingError(f"the estimator {' or '.join(KINDS)}")
    return cases


def _without_noise(run: Run) -> list[Case]:
    """Return the full batch's compression minus half of that with mini-batches after as many updates."""
    mini, full = _batches(run)
    cases = []
    for kind in KINDS:
        for name, also in zip(full.estimators(kind)[:1], mini.estimators(kind)[:1], strict=False):
            layer, epochs = full.last_hidden, full.times(name)
            equal = epochs[-1] / _updates(mini)
            cut = _until(mini.bits(layer, also), mini.epochs(also), equal)
            sample = full.sample(_lost(full, name), other=view.compression(cut) / 2)
            told = obstacle(full, name, layer) or obstacle(mini, also, layer)
            cases.append(Case(f"{full.activation}, {name}, {layer}, {epochs[-1]} updates", (sample,), told))
    if not cases:
        raise LackingError(f"the estimator {' or '.join(KINDS)}")
    return cases


def _until(bits: view.Bits, epochs: Int[np.ndarray, " epoch"], end: float) -> Float[np.ndarray, "member kept"]:
    """Return the numbers up to an epoch, which lies between measured ones."""
    there = np.array([np.interp(end, epochs, row) for row in bits])
    return np.concatenate([bits[:, epochs < end], there[:, None]], axis=1)


CLAIMS = (
    Claim(
        id="compression-without-generalisation",
        sentence="Networks that compress may generalize badly: with little training data they do both.",
        source=f"{PAPER}, figure 4",
        quantity=f"with the fewest training rows: compression of the last hidden layer minus {NOTICEABLE} bits, and "
        f"accuracy on training rows minus accuracy on held-out rows minus {GAP}; both must be above 0",
        units="",
        side="above",
        bound=0.0,
        needs="networks trained on different shares of the rows",
        figure="training",
        measure=_bad_compression,
    ),
    Claim(
        id="generalisation-without-compression",
        sentence="Networks with units that do not saturate on both sides generalize as well as tanh networks.",
        source=f"{PAPER}, figure 1",
        quantity="test accuracy at the end, minus that of tanh networks",
        units="of the rows",
        side="above",
        bound=-AS_WELL,
        needs="networks with tanh and with relu or softplus",
        figure="training",
        measure=_accuracies,
    ),
    Claim(
        id="full-batch-compresses",
        sentence="Compression needs no mini-batch noise: networks trained on the full batch compress.",
        source=f"{PAPER}, figure 5",
        quantity="compression of the last hidden layer of networks trained on the full batch",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs="networks trained on the full batch and on mini-batches",
        figure="compression",
        measure=_full_batch,
    ),
    Claim(
        id="noise-adds-little",
        sentence="Most of the compression occurs without mini-batch noise.",
        source=f"{PAPER}, figure 5",
        quantity="compression of the last hidden layer trained on the full batch, minus half of the compression with "
        "mini-batches after the same number of updates",
        units="bits",
        side="above",
        bound=0.0,
        needs="networks trained on the full batch and on mini-batches",
        figure="compression",
        measure=_without_noise,
    ),
)
