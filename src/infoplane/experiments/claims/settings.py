"""What the amount of data, the depth, the labels and the inputs measured on do to the picture."""

import numpy as np

from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError
from infoplane.experiments.claims.phases import obstacle
from infoplane.experiments.claims.view import NOTICEABLE, Part, Run

PAPER = "Shwartz-Ziv & Tishby 2017"
LABEL = 0.05
"""Bits of the label that are worth a word."""
ACCURATE = 0.9
"""Test accuracy that counts as having learnt the task."""

FRACTION, HIDDEN, SHUFFLED = "train.fraction", "model.hidden", "data.shuffle_labels"


def _by_fraction(run: Run) -> list[Part]:
    """Return the networks by their share of training rows, the smallest first."""
    return sorted(run.along(FRACTION), key=lambda part: float(part.keys[FRACTION]))


def _by_depth(run: Run) -> list[Part]:
    """Return the networks by their number of hidden layers, the shallowest first; each number once.

    Raises:
        LackingError: where there are fewer than two.
    """
    found = {len(part.keys[HIDDEN]): part for part in reversed(run.along(HIDDEN))}
    if len(found) < 2:
        raise LackingError("networks of different depth (infoplane run szt-depth)")
    return [found[depth] for depth in sorted(found)]


def _label_lost(run: Run) -> list[Case]:
    """Return what the last hidden layer loses of the label with the least data."""
    least = _by_fraction(run)[0]
    estimator, layer = least.estimators()[0], least.last_hidden
    label = least.bits(layer, estimator, "label")
    name = f"{float(least.keys[FRACTION]):.0%} of the rows, {estimator}, {layer}"
    lost = view.compression(least.bits(layer, estimator)) - NOTICEABLE + LABEL
    samples = (least.sample(view.compression(label), "label"), least.sample(lost, "compression"))
    return [Case(name, samples, obstacle(least, estimator, layer))]


def _label_difference(run: Run) -> list[Case]:
    """Return what more data gives the last hidden layer of the label."""
    least, *_, most = _by_fraction(run)
    few, many = (part.bits(part.last_hidden, part.estimators()[0], "label")[:, -1] for part in (least, most))
    told = [part.clipping(part.last_hidden, part.estimators()[0]) for part in (least, most)]
    name = f"{float(most.keys[FRACTION]):.0%} against {float(least.keys[FRACTION]):.0%} of the rows"
    return [Case(name, (most.sample(many, other=few),), max(told))]


def _halved_output(run: Run) -> list[Case]:
    """Return how much sooner the output of the deepest network has lost half of what it loses, in doublings."""

    def logs(part: Part) -> view.Values:
        estimator = part.estimators()[0]
        return np.log2(view.lost_by(part.bits(part.output, estimator), part.times(estimator), 0.5) + 1)

    parts = [part for part in _by_depth(run) if np.isfinite(logs(part)).sum() > 1]
    if len(parts) < 2:
        raise LackingError(f"networks of two depths whose output loses more than {NOTICEABLE} bits")
    told = [part.clipping(part.output, part.estimators()[0]) for part in (parts[0], parts[-1])]
    return [Case(_depths(parts[0], parts[-1]), (parts[-1].sample(logs(parts[-1]), other=logs(parts[0])),), max(told))]


def _learnt(run: Run) -> list[Case]:
    """Return how much sooner the deepest network reaches the accuracy, in doublings of the number of epochs."""
    shallow, *_, deep = _by_depth(run)

    def logs(part: Part) -> view.Values:
        curve = part.quantity("accuracy").sel(split="test").transpose("member", "step")
        known = curve.notnull().any("member").values
        values, steps = curve.values[:, known], curve["step"].values[known]
        if not len(steps):
            raise LackingError("the accuracy on held-out rows")
        there = values >= ACCURATE
        first = np.where(there.any(axis=1), steps[np.argmax(there, axis=1)], steps[-1] + 1)
        return np.where(np.isfinite(values).any(axis=1), np.log2(first + 1.0), np.nan)

    return [Case(_depths(shallow, deep), (deep.sample(logs(deep), other=logs(shallow)),))]


def _depths(shallow: Part, deep: Part) -> str:
    return f"{len(deep.keys[HIDDEN])} against {len(shallow.keys[HIDDEN])} hidden layers"


def _against_shuffled(run: Run) -> list[Case]:
    """Return how much more the last hidden layer compresses than with shuffled labels."""
    true = run.main()[0]
    others = [part for part in run.parts if part.shuffled and view.differing(true, part) <= {SHUFFLED}]
    if not others:
        raise LackingError("the same networks with shuffled labels (--sweep data.shuffle_labels=false,true)")
    both = [(part, part.estimators()[0], part.last_hidden) for part in (true, others[0])]
    one, other = (view.compression(part.bits(layer, estimator)) for part, estimator, layer in both)
    told = [obstacle(*each) for each in both]
    return [Case(f"{true.estimators()[0]}, {true.last_hidden}", (true.sample(one, other=other),), max(told))]


def _held_out(run: Run) -> list[Case]:
    """Return the compression of the last hidden layer on inputs that were never trained on."""

    def case(part: Part, estimator: str, layer: str) -> Case:
        apart = view.held_out(part)
        name = part.named(*([] if part.labels else [part.activation]), estimator, layer, "held-out inputs")
        lost = view.compression(apart.bits(layer, estimator))
        return Case(name, (apart.sample(lost),), obstacle(apart, estimator, layer))

    return view.each(run, case, ("binning", "kde"))


def _held_out_label(run: Run) -> list[Case]:
    """Return what the last hidden layer says of the label of all inputs, and less of held-out ones, at the end."""

    def case(part: Part, estimator: str, layer: str) -> Case:
        apart, entropy = view.held_out(part), part.attribute("label_entropy")
        there = apart.bits(layer, estimator, "label")[:, -1] / apart.attribute("label_entropy")
        here = part.bits(layer, estimator, "label")[:, -1] / entropy
        name = part.named(*([] if part.labels else [part.activation]), estimator, layer)
        return Case(name, (part.sample(here - there),), part.clipping(layer, estimator))

    return view.each(run, case, ("binning", "kde"))


_BITS = {"units": "bits", "side": "above", "bound": NOTICEABLE}

CLAIMS = (
    Claim(
        id="little-data-loses-label",
        sentence="With little training data the layers lose information on the label while they compress.",
        source=f"{PAPER}, figure 3 (5 % of the data) and figure 6",
        quantity="I(T;Y) of the last hidden layer at its largest mean, minus at the end, with the fewest training "
        f"rows, and its compression minus {NOTICEABLE - LABEL:g} bits",
        units="bits",
        side="above",
        bound=LABEL,
        needs="networks trained on different shares of the rows",
        figure="plane",
        measure=_label_lost,
    ),
    Claim(
        id="more-data-more-label",
        sentence="With more training data the layers have more information on the label.",
        source=f"{PAPER}, figures 3 and 6",
        quantity="I(T;Y) of the last hidden layer at the end with the most training rows, minus with the fewest",
        units="bits",
        side="above",
        bound=0.05,
        needs="networks trained on different shares of the rows",
        figure="plane",
        measure=_label_difference,
    ),
    Claim(
        id="depth-compresses-sooner",
        sentence="Networks with more hidden layers compress sooner.",
        source=f"{PAPER}, figure 5",
        quantity="log2(epoch by which the output has half of its loss, plus 1), deepest minus shallowest",
        units="doublings",
        side="below",
        bound=0.0,
        needs="networks of different depth",
        figure="information",
        measure=_halved_output,
    ),
    Claim(
        id="depth-learns-sooner",
        sentence="Networks with more hidden layers need fewer epochs to generalize.",
        source=f"{PAPER}, figure 5",
        quantity=f"log2(first epoch with a test accuracy of {ACCURATE}, plus 1), deepest minus shallowest network",
        units="doublings",
        side="below",
        bound=0.0,
        needs="networks of different depth",
        figure="training",
        measure=_learnt,
    ),
    Claim(
        id="true-labels-compress-more",
        sentence="Compression removes information that the label does not need: networks on shuffled labels compress "
        "less.",
        source="baseline of shuffled labels",
        quantity="compression of the last hidden layer, minus that of networks trained on shuffled labels",
        needs="networks trained on shuffled labels",
        figure="information",
        measure=_against_shuffled,
        **_BITS,
    ),
    Claim(
        id="compression-held-out",
        sentence="Layers also compress held-out inputs.",
        source=f"{PAPER} measure all 4096 inputs, trained on or not",
        quantity="compression of the last hidden layer, measured on held-out inputs alone",
        needs="held-out inputs measured separately",
        figure="plane",
        measure=_held_out,
        **_BITS,
    ),
    Claim(
        id="held-out-label",
        sentence="The last hidden layer has less information on the label of held-out inputs.",
        source=f"{PAPER} measure all 4096 inputs, trained on or not",
        quantity="I(T;Y)/H(Y) of the last hidden layer at the end, minus that measured on held-out inputs alone (fewer "
        "rows give higher values, so that a denial may be an effect of the estimator)",
        units="of H(Y)",
        side="above",
        bound=0.0,
        needs="held-out inputs measured separately",
        figure="plane",
        measure=_held_out_label,
    ),
)
