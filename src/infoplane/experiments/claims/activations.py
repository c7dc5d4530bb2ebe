"""Which activations compress, what saturation has to do with it, and whether bins and noise say the same."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float

from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError, Values
from infoplane.experiments.claims.phases import obstacle
from infoplane.experiments.claims.view import NOTICEABLE, Part, Run

PAPER = "Saxe et al. 2018"
KINDS = ("binning", "kde")
BOUNDED = ("tanh", "softsign")
FEWEST = 4
"""Members that a correlation needs before leaving one out says anything of its error."""

Losses = Float[np.ndarray, "member layer"]


def _named(part: Part, *words: str) -> str:
    return part.named(*([] if part.labels else [part.activation]), *words)


def _decidable(part: Part, estimator: str) -> tuple[list[str], str]:
    """Return the hidden layers whose numbers can decide, and words on those that cannot."""
    without = [layer for layer in part.hidden if obstacle(part, estimator, layer)]
    words = f", without {', '.join(without)} (clipped, or at H(X))" if without else ""
    return [layer for layer in part.hidden if layer not in without], words


def _lost(part: Part, estimator: str, layer: str) -> Values:
    return view.compression(part.bits(layer, estimator))


def _hidden_losses(activation: str, run: Run) -> list[Case]:
    """Return what the hidden layers lose, each layer a setting: none may compress."""

    def case(part: Part, estimator: str, last: str) -> Case:
        layers, without = _decidable(part, estimator)
        samples = tuple(part.sample(_lost(part, estimator, layer), layer) for layer in layers or [last])
        name = _named(part, estimator, f"hidden layers{without}")
        return Case(name, samples, "" if layers else obstacle(part, estimator, last))

    return view.each(run, case, KINDS, (activation,))


def _pairs(run: Run, one: str, others: Sequence[str]) -> list[tuple[Part, Part, str, str]]:
    """Return a network beside each of those with another activation, with the first estimator of each kind."""
    first, second = run.main((one,))[0], run.main(others)
    found = [
        (first, other, first.estimators(kind)[0], other.estimators(kind)[0])
        for other in second
        for kind in KINDS
        if first.estimators(kind) and other.estimators(kind)
    ]
    if not found:
        raise LackingError(f"the estimator {' or '.join(KINDS)}")
    return found


def _against(run: Run) -> list[Case]:
    """Return how much more the last hidden layer of tanh networks loses than that of others."""
    return [
        Case(
            f"tanh against {other.activation}, {by}, {tanh.last_hidden}",
            (tanh.sample(_lost(tanh, by, tanh.last_hidden), other=_lost(other, also, other.last_hidden)),),
            obstacle(tanh, by, tanh.last_hidden) or obstacle(other, also, other.last_hidden),
        )
        for tanh, other, by, also in _pairs(run, "tanh", ("relu", "softplus", "linear"))
    ]


def _weakly(run: Run) -> list[Case]:
    """Return whether the last hidden layer of softsign networks loses something, and less than that of tanh."""
    cases = []
    for softsign, tanh, by, also in _pairs(run, "softsign", ("tanh",)):
        layer = softsign.last_hidden
        weak, strong = _lost(softsign, by, layer), _lost(tanh, also, tanh.last_hidden)
        samples = (
            softsign.sample(weak - NOTICEABLE, "something is lost"),
            tanh.sample(strong, "less than by tanh", other=weak),
        )
        told = obstacle(softsign, by, layer) or obstacle(tanh, also, tanh.last_hidden)
        cases.append(Case(f"softsign, {by}, {layer}", samples, told))
    return cases


def _saturation(run: Run) -> list[Case]:
    """Return the correlation of what layers lose with how much of them saturates, over members."""

    def case(part: Part, estimator: str, last: str) -> Case:
        layers, without = _decidable(part, estimator)
        name = _named(part, estimator, f"hidden layers{without}")
        if not layers:
            return Case(name, (part.sample(_lost(part, estimator, last)),), obstacle(part, estimator, last))
        both = [(_lost(part, estimator, layer), _saturating(part, estimator, layer)) for layer in layers]
        lost, risen = (np.stack(columns, axis=-1) for columns in zip(*both, strict=True))
        known = np.asarray(np.isfinite(lost + risen).all(axis=1))
        return Case(name, (part.sample(_pseudo_values(_correlation, known, lost, risen)),))

    return view.each(run, case, KINDS, BOUNDED)


def _saturating(part: Part, estimator: str, layer: str) -> Values:
    """Return how much the share of saturated values rises from the layer's peak to the end."""
    shares = part.quantity("saturated_share").sel(layer=layer, epoch=part.epochs(estimator))
    values = shares.transpose("member", "epoch").values.astype(float)
    return values[:, -1] - values[:, view.peak(part.bits(layer, estimator))]


def _correlation(one: Losses, other: Losses) -> float:
    """Pearson's correlation over members of all layers together, each layer's mean taken away; NaN without spread."""
    a, b = one - one.mean(axis=0), other - other.mean(axis=0)
    size = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / size) if size > 0 else np.nan


def _pseudo_values(
    statistic: Callable[[Losses, Losses], float], known: Bool[np.ndarray, " member"], one: Losses, other: Losses
) -> Values:
    """Each member's part in a statistic of all members: n times it, minus n − 1 times that without the member.

    Their mean is the jackknife's estimate, and the interval of their mean its interval (Tukey 1958).
    """
    values, places = np.full(len(known), np.nan), np.flatnonzero(known)
    if len(places) < FEWEST:
        return values
    n, whole = len(places), statistic(one[places], other[places])
    for place in places:
        rest = places[places != place]
        values[place] = n * whole - (n - 1) * statistic(one[rest], other[rest])
    return values


def _agreement(run: Run) -> list[Case]:
    """Return in how many of a member's hidden layers bins and noise say the same: that it compresses, or does not."""
    cases = []
    for part in run.main():
        first = [part.estimators(kind)[0] for kind in KINDS if part.estimators(kind)]
        if len(first) < len(KINDS):
            raise LackingError(f"the estimators {' and '.join(KINDS)}")
        layers = [layer for layer in _decidable(part, first[0])[0] if layer in _decidable(part, first[1])[0]]
        lost = np.array([[_lost(part, one, layer) for layer in layers or [part.last_hidden]] for one in first])
        same = np.where(np.isfinite(lost).all(axis=0), (lost[0] > NOTICEABLE) == (lost[1] > NOTICEABLE), np.nan)
        told = "" if layers else "needs layers that neither are clipped nor stay at H(X)"
        cases.append(Case(_named(part, *layers), (part.sample(same.mean(axis=0)),), told))
    return cases


def _clipping(run: Run) -> list[Case]:
    """Return how much more rectified layers lose by bins that they leave than with noise, which has no limits."""
    cases = []
    for part in run.main(("relu",)):
        layer, free = part.last_hidden, part.estimators("kde")
        clipped = [name for name in part.estimators("binning") if part.is_clipped(layer, name)]
        if not free or not clipped:
            raise LackingError("bins with clipped values, and kde (infoplane run saxe-relu-bins)")
        noisy = _lost(part, free[0], layer)
        cases += [Case(_named(part, name, layer), (part.sample(_lost(part, name, layer) - noisy),)) for name in clipped]
    return cases


def _none(activation: str, why: str) -> Claim:
    return Claim(
        id=f"no-compression-{activation}",
        sentence=f"{activation} networks do not compress, {why}: no hidden layer loses information on the input.",
        source=f"{PAPER}, figure 1 and appendix",
        quantity="I(X;T) of a hidden layer at the epoch of the largest mean, minus at the end; each layer is a setting",
        units="bits",
        side="below",
        bound=NOTICEABLE,
        needs=f"networks with {activation} measured by bins or kde",
        figure="compression",
        measure=functools.partial(_hidden_losses, activation),
    )


CLAIMS = (
    _none("relu", "since they saturate on one side only"),
    _none("softplus", "since they saturate on one side only"),
    _none("linear", "since they never saturate"),
    Claim(
        id="tanh-compresses-more",
        sentence="tanh networks compress more than networks that do not saturate on both sides.",
        source=f"{PAPER}, figure 1",
        quantity="compression of the last hidden layer of tanh networks, minus that of the other networks",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs="networks with tanh and with relu, softplus or linear",
        figure="compression",
        measure=_against,
    ),
    Claim(
        id="softsign-compresses-weakly",
        sentence="softsign networks, which saturate slowly, compress, but less than tanh networks.",
        source=f"{PAPER}, appendix",
        quantity=f"compression of the last hidden layer with softsign minus {NOTICEABLE} bits, and that with tanh "
        "minus that with softsign; both must be above 0",
        units="bits",
        side="above",
        bound=0.0,
        needs="networks with softsign and with tanh",
        figure="compression",
        measure=_weakly,
    ),
    Claim(
        id="compression-is-saturation",
        sentence="Compression is an effect of saturation: members with more saturated layers compress more.",
        source=f"{PAPER}, sections 2 and 3",
        quantity="correlation over members between the loss of a hidden layer and the rise of its share of saturated "
        "values from the layer's peak to the last epoch, all layers together after subtraction of each layer's mean; "
        "jackknife over members",
        units="",
        side="above",
        bound=0.0,
        needs="networks with tanh or softsign",
        figure="histograms",
        measure=_saturation,
    ),
    Claim(
        id="clipping-makes-compression",
        sentence="Compression of ReLU networks by bins with limits is an effect of clipping.",
        source=f"{PAPER}, appendix, of the bins in Shwartz-Ziv & Tishby's public code",
        quantity="compression of the last hidden layer by bins that activations leave, minus that by kde",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs="bins with limits and kde on rectified networks",
        figure="bins",
        measure=_clipping,
    ),
    Claim(
        id="estimators-agree",
        sentence="Compression of a layer does not depend on the choice between bins and Gaussian noise.",
        source=f"{PAPER}, appendix",
        quantity="share of a member's hidden layers for which bins and kde agree on a loss of more than "
        f"{NOTICEABLE} bits",
        units="of the layers",
        side="above",
        bound=0.9,
        needs="bins and kde",
        figure="compression",
        measure=_agreement,
    ),
)
