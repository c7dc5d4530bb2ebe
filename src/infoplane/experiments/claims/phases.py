"""Fitting, then compression: the two phases, layer by layer, by bins and with Gaussian noise."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int

from infoplane import results
from infoplane._numbers import digits
from infoplane.estimators.base import SATURATION_MARGIN
from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError
from infoplane.experiments.claims.view import NOTICEABLE, Part, Run
from infoplane.results import mean_known

PAPER = "Shwartz-Ziv & Tishby 2017"
KINDS = ("binning", "kde")
LONG_ENOUGH = 2000
"""Epochs that a run must have before a phase of fewer than 1000 means anything."""
NEARLY_ALL = 0.95
"""Share of what a layer loses after which its compression counts as over."""


def _last_hidden(measure: Callable[[Part, str, str], view.Values], run: Run) -> list[Case]:
    """Return a case for the last hidden layer of each main network by bins and by the kernel estimate."""

    def case(part: Part, estimator: str, layer: str) -> Case:
        sample = part.sample(measure(part, estimator, layer))
        return Case(part.named(*_activation(run, part), estimator, layer), (sample,), obstacle(part, estimator, layer))

    return view.each(run, case, KINDS)


def _activation(run: Run, part: Part) -> list[str]:
    """Return the activation where the sweep's values do not say it already."""
    return [part.activation] if part.activation and not part.labels else []


def obstacle(part: Part, estimator: str, layer: str) -> str:
    """Say why the numbers of a layer cannot decide: clipped values, or a layer that stays at H(X) or at 0."""
    if why := part.clipping(layer, estimator):
        return why
    means, cap = mean_known(part.bits(layer, estimator)), part.attribute("input_entropy")
    known = means[np.isfinite(means)]
    if len(known) and known.min() > cap - SATURATION_MARGIN:
        least = f"{digits(known.min())} of H(X) = {digits(cap)}"
        return f"needs a coarser measure: never below {least}, which reflects the number of inputs, not the network"
    if len(known) and known.max() < SATURATION_MARGIN:
        most = f"{digits(known.max())} bits"
        return f"needs a finer measure: never above {most}, which reflects the measure, not the network"
    return ""


def _label_gain(part: Part, estimator: str, layer: str) -> view.Values:
    label = part.bits(layer, estimator, "label")
    return label[:, view.peak(part.bits(layer, estimator))] - label[:, part.start(estimator)]


def _turning(part: Part, estimator: str, layer: str) -> view.Values:
    return view.turning(part.bits(layer, estimator), _long(part, estimator))


def _long(part: Part, estimator: str) -> Int[np.ndarray, " epoch"]:
    """Return the measured epochs of a training that is long enough for phases.

    Raises:
        LackingError: where it is not.
    """
    epochs = part.times(estimator)
    if epochs[-1] < LONG_ENOUGH:
        raise LackingError(f"at least {LONG_ENOUGH} epochs of training; this run has {epochs[-1]}")
    return epochs


def _share_spent(part: Part, estimator: str, layer: str) -> view.Values:
    """Share of the training from each member's peak to the epoch by which nearly all is lost that it loses."""
    bits, epochs = part.bits(layer, estimator), _long(part, estimator)
    spent = (view.lost_by(bits, epochs, NEARLY_ALL) - view.turning(bits, epochs)) / epochs[-1]
    lost = view.own_compression(bits)
    return np.where(np.isnan(lost), np.nan, np.where(lost > NOTICEABLE, spent, 0.0))


def _below_start(part: Part, estimator: str, layer: str) -> view.Values:
    bits = part.bits(layer, estimator)
    return bits[:, part.start(estimator)] - bits[:, -1]


def _label_kept(run: Run) -> list[Case]:
    """Return what the last hidden layer gains of the label after its peak, beside what it loses of the input."""

    def case(part: Part, estimator: str, layer: str) -> Case:
        bits, label = part.bits(layer, estimator), part.bits(layer, estimator, "label")
        gained = part.sample(label[:, -1] - label[:, view.peak(bits)], "label")
        lost = view.compression(bits)
        samples = (gained, part.sample(lost - NOTICEABLE, f"compression beyond {NOTICEABLE}"))
        told = obstacle(part, estimator, layer)
        mean = float(results.mean_known(lost[:, None])[0])
        if not mean > NOTICEABLE:
            told = told or f"needs a layer that compresses; this one loses {digits(mean)} bits"
        return Case(part.named(*_activation(run, part), estimator, layer), samples, told)

    return view.each(run, case, KINDS)


def _first_gap(run: Run) -> list[Case]:
    """Return how far the first layer ever falls below H(X)."""

    def case(part: Part, estimator: str, _: str) -> Case:
        bits = part.bits(part.layers[0], estimator)
        gap = part.attribute("input_entropy") - bits.min(axis=1)
        name = part.named(*_activation(run, part), estimator, part.layers[0])
        return Case(name, (part.sample(gap),), part.clipping(part.layers[0], estimator))

    return view.each(run, case, KINDS[:1])


def _compression(kind: str, activations: Sequence[str], run: Run) -> list[Case]:
    """Return a case for every layer of the networks with some activations."""
    cases = []
    for part in run.main(activations):
        for estimator in part.estimators(kind)[:1]:
            cases += [_layer_compression(run, part, estimator, layer) for layer in part.layers]
    if not cases:
        raise LackingError(f"the estimator {kind}")
    return cases


def _layer_compression(run: Run, part: Part, estimator: str, layer: str) -> Case:
    lost = view.compression(part.bits(layer, estimator))
    name = part.named(*_activation(run, part), estimator, layer)
    return Case(name, (part.sample(lost),), obstacle(part, estimator, layer))


def _compresses(id_: str, kind: str, activation: str, source: str) -> Claim:
    measured = "by bins" if kind == "binning" else "with Gaussian noise (upper bound)"
    return Claim(
        id=id_,
        sentence=f"Layers of {activation} networks compress: they lose information on the input, {measured}.",
        source=source,
        quantity="I(X;T) of a layer at the epoch of the largest mean, minus at the end",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs=f"networks with {activation} measured by {kind}",
        figure="information",
        measure=functools.partial(_compression, kind, (activation,)),
    )


CLAIMS = (
    Claim(
        id="fitting",
        sentence="Training starts with a fitting phase, in which layers gain information on the label.",
        source=f"{PAPER}, figures 2 and 3",
        quantity="I(T;Y) of the last hidden layer at the epoch of its largest mean I(X;T), minus at the start",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs="labels",
        figure="plane",
        measure=functools.partial(_last_hidden, _label_gain),
    ),
    Claim(
        id="fitting-is-short",
        sentence="The fitting phase is short: it ends before epoch 1000.",
        source=f"{PAPER}, figures 2 and 3",
        quantity="epoch of the largest I(X;T) of each member's last hidden layer",
        units="epochs",
        side="below",
        bound=1000.0,
        needs="training of 2000 epochs",
        figure="information",
        measure=functools.partial(_last_hidden, _turning),
    ),
    _compresses("compression-tanh-bins", "binning", "tanh", f"{PAPER}, figures 2 and 3; Saxe et al. 2018, figure 1"),
    _compresses("compression-tanh-kde", "kde", "tanh", f"{PAPER}, figures 2 and 3; Saxe et al. 2018, appendix"),
    _compresses(
        "compression-relu-bins", "binning", "relu", f"{PAPER}, discussion; denied by Saxe et al. 2018, figure 1"
    ),
    _compresses("compression-relu-kde", "kde", "relu", f"{PAPER}, discussion; denied by Saxe et al. 2018, appendix"),
    Claim(
        id="mostly-compression",
        sentence="Compression takes most of the training.",
        source=f"{PAPER}, section 3 and figure 3",
        quantity="epochs from the largest I(X;T) of each member's last hidden layer until "
        f"{100 * NEARLY_ALL:g} % of its loss, as a share of all; 0 if the loss is below {NOTICEABLE} bits",
        units="of all epochs",
        side="above",
        bound=0.5,
        needs="training of 2000 epochs",
        figure="information",
        measure=functools.partial(_last_hidden, _share_spent),
    ),
    Claim(
        id="below-random-weights",
        sentence="After training, the last hidden layer has less information on the input than with random weights.",
        source=f"baseline of {PAPER}, figure 2",
        quantity="I(X;T) of the last hidden layer at initialization, minus at the end",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs="epoch 0 and the end",
        figure="snapshots",
        measure=functools.partial(_last_hidden, _below_start),
    ),
    Claim(
        id="label-is-kept",
        sentence="While it compresses, the last hidden layer loses no information on the label.",
        source=f"{PAPER}, figure 3 (85 % of the data)",
        quantity="I(T;Y) of the last hidden layer at the end, minus at the epoch of its largest mean I(X;T), and its "
        f"loss of I(X;T) since then, minus {NOTICEABLE} bits; both must be above 0",
        units="bits",
        side="above",
        bound=0.0,
        needs="labels",
        figure="plane",
        measure=_label_kept,
    ),
    Claim(
        id="first-layer-stays",
        sentence="The first hidden layer stays at H(X) throughout: it loses nothing.",
        source="Saxe et al. 2018, section 2: an injective layer keeps H(X)",
        quantity="H(X) minus the smallest I(X;T) of the first hidden layer at any epoch",
        units="bits",
        side="below",
        bound=NOTICEABLE,
        needs="bins",
        figure="information",
        measure=_first_gap,
    ),
)
