"""Quantised and noisy networks: compression where no bins and no bandwidth are chosen."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError, Sample
from infoplane.experiments.claims.view import NOTICEABLE, Part, Run

LORENZEN = "Lorenzen, Igel & Nielsen 2022"
GOLDFELD = "Goldfeld et al. 2019"

POINTS = 0.02
"""Share of the inputs, two points of accuracy, that quantising may cost."""

LEARNT = 0.7
"""Accuracy on the inputs trained on below which a network says nothing of fitting; the larger class has 0.52."""

EXACT, BINS = "exact", "binning"
FLOAT = "float"

NEEDS = "quantized networks, counted exactly (infoplane run quantised)"
NEEDS_NOISE = "networks with noise in training and measurement (infoplane run noisy)"


def _quantised(run: Run, activations: Sequence[str] = (), bits: Sequence[str] = ()) -> list[Part]:
    """Return the networks on levels, of some activations and bits.

    Raises:
        LackingError: where there are none.
    """
    found = [part for part in run.parts if str(part.keys.get("model.bits", FLOAT)) != FLOAT and not part.shuffled]
    found = [part for part in found if not activations or part.activation in activations]
    found = [part for part in found if not bits or str(part.keys["model.bits"]) in bits]
    if not found:
        raise LackingError(f"{NEEDS}{', ' * bool(activations)}{' or '.join(activations)}")
    return found


def _noisy(run: Run, activations: Sequence[str] = ()) -> list[Part]:
    """Return the networks with noise, of some activations.

    Raises:
        LackingError: where there are none.
    """
    found = [part for part in run.parts if "model.beta" in part.keys and not part.shuffled]
    found = [part for part in found if not activations or part.activation in activations]
    if not found:
        raise LackingError(f"{NEEDS_NOISE}{', ' * bool(activations)}{' or '.join(activations)}")
    return found


def _exact(part: Part) -> str:
    """Return the name of the counting estimator.

    Raises:
        LackingError: where it did not measure.
    """
    names = part.estimators(EXACT)
    if not names:
        raise LackingError("exact information (estimators that hold 'exact')")
    return names[0]


def _accuracy(part: Part, split: str) -> view.Values:
    """Return the accuracy at the end."""
    return part.quantity("accuracy_at_epoch").sel(split=split).isel(epoch=-1).values


def _unlearnt(part: Part) -> str:
    """Say why a network cannot speak of what learning does, where it has hardly learnt."""
    known = _accuracy(part, "train")
    mean = float(np.mean(known[np.isfinite(known)])) if np.isfinite(known).any() else float("nan")
    if mean >= LEARNT:
        return ""
    return f"needs networks that learn: accuracy on the inputs trained on is {mean:.3f} at the end (train.epochs)"


def _fitting(run: Run) -> list[Case]:
    """Return what each layer of networks on levels gains of I(T;Y); a layer that begins at H(Y) cannot."""
    cases = []
    for part in _quantised(run):
        name, cap = _exact(part), part.attribute("label_entropy")
        for layer in part.layers:
            bits = part.bits(layer, name, "label")
            gain = bits[:, view.peak(bits)] - bits[:, part.start(name)]
            begins = float(np.nanmean(bits[:, 0])) if np.isfinite(bits[:, 0]).any() else float("nan")
            full = f"needs room for a rise: the layer starts with {begins:.3f} of {cap:.3f} bits of the label"
            obstacle = _unlearnt(part) or full * (begins > cap - 2 * NOTICEABLE)
            cases.append(Case(part.named(layer), (part.sample(gain),), obstacle))
    return cases


def _output(run: Run) -> list[Case]:
    """Return what the output of networks on levels loses of I(X;T) after its peak."""
    return [
        Case(part.named(part.output), (part.sample(view.compression(_bits(part, part.output))),), _unlearnt(part))
        for part in _quantised(run)
    ]


def _hidden(activation: str, run: Run) -> list[Case]:
    """Return the most that any hidden layer loses of I(X;T) after its peak."""
    cases = []
    for part in _quantised(run, (activation,)):
        lost = [view.compression(_bits(part, layer)) for layer in part.hidden]
        most = max(lost, key=_mean)
        cases.append(Case(part.named("hidden layer that loses most"), (part.sample(most),), _unlearnt(part)))
    return cases


def _mean(values: view.Values) -> float:
    """Mean of the members that have a number; below all others where none has."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else -np.inf


def _bits(part: Part, layer: str) -> view.Bits:
    return part.bits(layer, _exact(part))


def _as_accurate(run: Run) -> list[Case]:
    """Return the accuracy on held-out inputs of networks in floats, minus that on 8 bits."""
    floats = {part.activation: part for part in run.parts if str(part.keys.get("model.bits")) == FLOAT}
    cases = []
    for part in _quantised(run, bits=("8",)):
        if part.activation in floats:
            other = floats[part.activation]
            sample = Sample("", _accuracy(other, "test"), _accuracy(part, "test"), part.left_out or other.left_out)
            cases.append(Case(part.named("held-out inputs"), (sample,), _unlearnt(other)))
    if not cases:
        raise LackingError('the same networks in floats and on 8 bits (bits = [8, "float"])')
    return cases


def _bins_differ(run: Run) -> list[Case]:
    """Return by how much bins miss what is counted in the last hidden layer of networks on 8 bits."""
    cases = []
    for part in _quantised(run, bits=("8",)):
        for name in part.estimators(BINS):
            exact, binned = (part.bits(part.last_hidden, one)[:, -1] for one in (_exact(part), name))
            cases.append(Case(part.named(name, part.last_hidden), (part.sample(np.abs(exact - binned)),)))
    if not cases:
        raise LackingError("bins beside the exact numbers of networks on 8 bits")
    return cases


def _layers(parts: Sequence[Part]) -> Iterator[tuple[Part, str, str]]:
    for part in parts:
        for name in part.estimators()[:1]:
            for layer in part.layers:
                yield part, name, layer


def _noise_compresses(activation: str) -> Callable[[Run], list[Case]]:
    def measure(run: Run) -> list[Case]:
        return [
            Case(part.named(layer), (part.sample(view.compression(part.bits(layer, name))),), _unlearnt(part))
            for part, name, layer in _layers(_noisy(run, (activation,)))
        ]

    return measure


def _keeps_label(run: Run) -> list[Case]:
    """Return how I(T;Y) changes while a layer loses I(X;T); layers that lose none say nothing."""
    cases = []
    for part, name, layer in _layers(_noisy(run)):
        bits, label = part.bits(layer, name), part.bits(layer, name, "label")
        peak = view.peak(bits)
        lost = float(np.nanmean(bits[:, peak] - bits[:, -1])) if np.isfinite(bits).any() else float("nan")
        nothing = f"needs compression: the layer loses {lost:.3f} bits" * (not lost > NOTICEABLE)
        cases.append(Case(part.named(layer), (part.sample(label[:, -1] - label[:, peak]),), _unlearnt(part) or nothing))
    return cases


def _more_noise(run: Run) -> list[Case]:
    """Return I(X;T) at the end under the least noise, minus that under the most."""
    cases = []
    parts = _noisy(run)
    for activation in dict.fromkeys(part.activation for part in parts):
        own = sorted(
            (part for part in parts if part.activation == activation), key=lambda part: part.keys["model.beta"]
        )
        if len(own) < 2:
            continue
        for layer in own[0].layers:
            values = [part.bits(layer, part.estimators()[0])[:, -1] for part in (own[0], own[-1])]
            sample = Sample("", values[0], values[1], own[0].left_out or own[-1].left_out)
            cases.append(Case(f"model.activation={activation}, {layer}", (sample,)))
    if not cases:
        raise LackingError("noise of at least two strengths (betas)")
    return cases


def _of_levels(
    id_: str, sentence: str, quantity: str, side: str, measure: Callable[[Run], list[Case]],
    *, bound: float = NOTICEABLE, units: str = "bits", source: str = LORENZEN, figure: str = "precisions",
) -> Claim:  # fmt: skip
    return Claim(id_, sentence, source, quantity, units, side, bound, NEEDS, figure, measure)


def _of_noise(
    id_: str, sentence: str, quantity: str, measure: Callable[[Run], list[Case]], *, bound: float = NOTICEABLE,
    source: str = GOLDFELD, figure: str = "noise",
) -> Claim:  # fmt: skip
    return Claim(id_, sentence, source, quantity, "bits", "above", bound, NEEDS_NOISE, figure, measure)


_LOST = "I(X;T) at its largest mean, minus at the end"

CLAIMS = (
    _of_levels(
        "quantised-fitting-in-all-layers",
        "In quantized networks every layer has a fitting phase, in which it gains information on the label.",
        "I(T;Y) at its largest mean, minus at epoch 0",
        "above",
        _fitting,
    ),
    _of_levels(
        "quantised-output-compresses",
        "The output of a quantized network compresses its input after fitting.",
        _LOST,
        "above",
        _output,
    ),
    _of_levels(
        "quantised-tanh-hidden-compresses",
        "A hidden layer of quantized tanh networks compresses.",
        f"{_LOST}, of the hidden layer with the largest loss",
        "above",
        lambda run: _hidden("tanh", run),
    ),
    _of_levels(
        "quantised-relu-hidden-stays",
        "No hidden layer of quantized ReLU networks compresses.",
        f"{_LOST}, of the hidden layer with the largest loss",
        "below",
        lambda run: _hidden("relu", run),
    ),
    _of_levels(
        "quantised-8-bits-as-accurate",
        "A network on 8 bits is as accurate as in floats, within 2 points.",
        "accuracy on held-out inputs in floats, minus on 8 bits",
        "below",
        _as_accurate,
        bound=POINTS,
        units="of the inputs",
        source="our question",
    ),
    _of_levels(
        "quantised-bins-differ",
        "Thirty bins do not measure the exact information of an 8-bit network on its input.",
        "|I(X;T) counted exactly − I(X;T) by bins| of the last hidden layer at the end",
        "above",
        _bins_differ,
        figure="levels",
    ),
    _of_noise(
        "noisy-tanh-compresses",
        "In noisy tanh networks the layers compress during training.",
        _LOST,
        _noise_compresses("tanh"),
    ),
    _of_noise(
        "noisy-relu-compresses",
        "In noisy ReLU networks the layers compress during training.",
        _LOST,
        _noise_compresses("relu"),
    ),
    _of_noise(
        "noisy-compression-keeps-label",
        "Noisy layers lose information on the input, but not on the label.",
        "I(T;Y) at the end, minus at the largest mean of I(X;T)",
        _keeps_label,
        bound=-NOTICEABLE,
    ),
    _of_noise(
        "noisy-more-noise-less-information",
        "Layers of networks trained with more noise have less information on the input.",
        "I(X;T) at the end under the least noise, minus under the most",
        _more_noise,
        source="our question",
        figure="strengths",
    ),
)
"""Claims on quantised and on noisy networks."""
