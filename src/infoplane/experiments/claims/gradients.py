"""From drift to diffusion: the gradients' signal and noise, and what they have to do with compression."""

import functools
from collections.abc import Sequence

import numpy as np

from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError
from infoplane.experiments.claims.phases import obstacle
from infoplane.experiments.claims.view import NOTICEABLE, Part, Run

NEEDS = "gradients over several mini-batches an epoch"
FIGURE = "gradients"

CLEAR = 0.5
"""Powers of 2 by which the ratio must begin above 1 and end below: the largest of many epochs exceeds 1 by chance."""
TENTH = 10
"""The beginning and the end of training are a tenth of it each."""


def _crossing(part: Part) -> view.Values:
    """How far the ratio begins above 1 or ends below it, whichever is less, as a power of 2."""
    steps, ratio = view.signal_to_noise(part)
    logs = np.log2(np.maximum(ratio, np.finfo(float).tiny))
    early, late = steps <= steps[-1] / TENTH, steps >= steps[-1] * (1 - 1 / TENTH)
    if not early.any():
        raise LackingError("gradients of the first tenth of the training")
    return np.minimum(logs[:, early].max(axis=1), -np.median(logs[:, late], axis=1))


def _transitions(activations: Sequence[str], run: Run) -> list[Case]:
    return [
        Case(part.named(*([] if part.labels else [part.activation])), (part.sample(_crossing(part)),))
        for part in run.main(activations)
    ]


def _without_compression(run: Run) -> list[Case]:
    """Return the crossing of networks that need not compress, beside what their last hidden layer lacks to compress."""

    def case(part: Part, estimator: str, layer: str) -> Case:
        kept = NOTICEABLE - view.compression(part.bits(layer, estimator))
        samples = (part.sample(_crossing(part) - CLEAR, "transition"), part.sample(kept, "no compression"))
        name = part.named(*([] if part.labels else [part.activation]), estimator, layer)
        return Case(name, samples, obstacle(part, estimator, layer))

    return view.each(run, case, ("binning", "kde"), ("relu", "linear"))


def _share_after(run: Run) -> list[Case]:
    """Return how much of the compression of the last hidden layer comes after the transition."""

    def case(part: Part, estimator: str, layer: str) -> Case:
        bits, epochs = part.bits(layer, estimator), part.times(estimator)
        at, lost = view.transition(part), view.own_compression(bits)
        reached = np.array([np.interp(epoch, epochs, row) for epoch, row in zip(at, bits, strict=True)])
        top = bits[np.arange(len(bits)), view.own_peak(bits)]
        late = at >= view.turning(bits, epochs)  # a transition before the peak has all of the compression after it
        share = np.where(late, (reached - bits[:, -1]) / np.where(lost > NOTICEABLE, lost, np.nan), 1.0)
        share = np.where(np.isnan(at), 0.0, share)  # without a transition nothing comes after it
        share = np.where((lost > NOTICEABLE) & np.isfinite(top), share, np.nan)
        name = part.named(*([] if part.labels else [part.activation]), estimator, layer)
        if not np.isfinite(share).any():
            return Case(name, (part.sample(share),), f"needs members that lose more than {NOTICEABLE} bits; none does")
        return Case(name, (part.sample(share),), obstacle(part, estimator, layer))

    return view.each(run, case, ("binning", "kde"))


def _claim(id_: str, sentence: str, source: str, activations: Sequence[str]) -> Claim:
    return Claim(
        id=id_,
        sentence=sentence,
        source=source,
        quantity="log2 of the gradients' signal-to-noise ratio, all layers together: the largest in the first tenth of "
        "the training, or minus the median of the last tenth, whichever is smaller: it must cross 1 by that much",
        units="",
        side="above",
        bound=CLEAR,
        needs=NEEDS,
        figure=FIGURE,
        measure=functools.partial(_transitions, activations),
    )


CLAIMS = (
    _claim(
        "gradient-transition-tanh",
        "Gradients pass from drift (signal above noise) to diffusion (noise above signal).",
        "Shwartz-Ziv & Tishby 2017, figure 4",
        ("tanh",),
    ),
    _claim(
        "gradient-transition-relu-linear",
        "The same transition of the gradients occurs in ReLU and linear networks, which need not compress.",
        "Saxe et al. 2018, appendix on gradients",
        ("relu", "linear"),
    ),
    Claim(
        id="transition-without-compression",
        sentence="Gradients pass from drift to diffusion in networks that do not compress.",
        source="Saxe et al. 2018, appendix on gradients",
        quantity=f"log2 of the gradients' ratio as in gradient-transition-relu-linear minus {CLEAR}, and "
        f"{NOTICEABLE} bits minus the compression of the last hidden layer; both must be above 0",
        units="",
        side="above",
        bound=0.0,
        needs=NEEDS,
        figure=FIGURE,
        measure=_without_compression,
    ),
    Claim(
        id="transition-before-compression",
        sentence="Most of the compression occurs after the gradients' transition to diffusion.",
        source="Shwartz-Ziv & Tishby 2017, figures 3 and 4",
        quantity="share of the loss of the last hidden layer after the transition, for each compressing member; 0 "
        "without a transition",
        units="of the compression",
        side="above",
        bound=0.5,
        needs=NEEDS,
        figure=FIGURE,
        measure=_share_after,
    ),
)
