"""Which conclusions survive: the last hidden layer's compression, with one thing changed at a time."""

import functools
import json
from collections.abc import Callable, Sequence

from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError, Sample, interval
from infoplane.experiments.claims.phases import obstacle
from infoplane.experiments.claims.view import NOTICEABLE, Part, Run

FACTORS = {
    "initialisation": "model.init",
    "split": "train.split",
    "batch-size": "train.batch_size",
    "learning-rate": "train.learning_rate",
    "widths": "model.hidden",
    "seed": "seed",
    "activation": "model.activation",
    "optimiser": "train.optimizer",
}
"""The changed setting, and its key in the configuration."""
NAMES = {"initialisation": "initialization", "optimiser": "optimizer"}


def _compression(part: Part, estimator: str, name: str) -> Sample:
    return part.sample(view.compression(part.bits(part.last_hidden, estimator)), name)


def _case(samples: Sequence[tuple[Sample, str]], name: str) -> list[Case]:
    """Return one case of all settings; those whose numbers cannot decide are told in the name."""
    if samples and samples[0][1]:
        raise LackingError(f"a first setting that can decide; {samples[0][0].name} {samples[0][1]}")
    usable = [sample for sample, why in samples if not why]
    others = [sample.name for sample, why in samples if why]
    told = f"{name}; without {', '.join(others)} (clipped, or at H(X))" if others else name
    if len(usable) < 2:
        raise LackingError("two settings under which no activation is clipped and the layer is not at H(X)")
    first = interval(usable[0].values)
    lost = f"{usable[0].name} loses {first.estimate:.4g} ({first.low:.4g} to {first.high:.4g}) bits"
    idle = "" if first.low > NOTICEABLE else f"needs a first setting under which the layer compresses; {lost}"
    return [Case(told, tuple(usable), idle)]


def _along(key: str, run: Run) -> list[Case]:
    """Return the compression at every value of a key, all else equal, by bins and by the kernel estimate."""
    cases, lacking = [], LackingError("the estimator binning or kde")
    for kind in ("binning", "kde"):
        try:
            cases += _along_by(key, kind, run)
        except LackingError as error:
            lacking = error
    if not cases:
        raise lacking
    return cases


def _along_by(key: str, kind: str, run: Run) -> list[Case]:
    samples, name = [], key.rpartition(".")[2]
    depth = len(run.main()[0].layers)
    for part in (part for part in run.along(key) if len(part.layers) == depth):  # another depth is another claim
        for estimator in part.estimators(kind)[:1]:
            value = part.keys.get(key)
            setting = f"{name} = {value if isinstance(value, str) else json.dumps(value)}"
            samples.append((_compression(part, estimator, setting), obstacle(part, estimator, part.last_hidden)))
    return _case(samples, f"{name}, {kind}, {run.main()[0].last_hidden}")


def _across(kind: str, run: Run) -> list[Case]:
    """Return the compression of the first network by every estimator of a kind."""
    part = run.main()[0]
    names = part.estimators(kind)
    if len(names) < 2:
        raise LackingError(f"{kind} with at least two settings, as in: infoplane run robustness")
    samples = [(_compression(part, name, name), obstacle(part, name, part.last_hidden)) for name in names]
    return _case(samples, f"{kind}, {part.last_hidden}")


def _kinds(run: Run) -> list[Case]:
    """Return the compression of the first network by the first estimator of each kind."""
    part = run.main()[0]
    first: dict[str, str] = {}
    for name in part.estimators():
        first.setdefault(name.partition("(")[0], name)
    if len(first) < 2:
        raise LackingError("at least two kinds of estimator, as in: infoplane run robustness")
    samples = [(_compression(part, name, name), obstacle(part, name, part.last_hidden)) for name in first.values()]
    return _case(samples, f"estimators, {part.last_hidden}")


def _survives(factor: str, measure: Callable[[Run], Sequence[Case]], what: str) -> Claim:
    return Claim(
        id=f"survives-{factor}",
        sentence=f"Compression of the last hidden layer does not depend on the {what}.",
        source="the first aim of the dissertation: which conclusions survive",
        quantity="compression of the last hidden layer under each setting",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs=f"results that differ in the {what} alone",
        figure="compression",
        measure=measure,
    )


CLAIMS = (
    _survives("bins", functools.partial(_across, "binning"), "bins"),
    _survives("noise", functools.partial(_across, "kde"), "noise variance σ²"),
    _survives("estimator", _kinds, "kind of estimator"),
    *(
        _survives(factor, functools.partial(_along, key), NAMES.get(factor, factor.replace("-", " ")))
        for factor, key in FACTORS.items()
    ),
)
