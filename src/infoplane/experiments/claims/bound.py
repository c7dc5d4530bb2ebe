"""The best that any layer could do, the order of the layers, and rows that stay distinct."""

import functools

import numpy as np

from infoplane.experiments.claims.base import Case, Claim, LackingError
from infoplane.experiments.claims.view import NOTICEABLE, Run

PAPER = "Shwartz-Ziv & Tishby 2017"
DRAFTS = "the argument that random matrices are invertible, hence nothing compresses"
ALL_DISTINCT = 0.999


def _distances(variable: str, run: Run) -> list[Case]:
    """Return how far the converged layers are from the bound, in I(T;Y) or in I(X;T)."""
    from infoplane.plots.bound import curve_of

    cases = []
    for part in run.main():
        curve = curve_of(part.ds)
        if curve is None:
            raise LackingError("labels that the input determines, or labels drawn from a known p(y|x)")
        for estimator in part.estimators()[:1]:
            for layer in part.layers:
                end = [part.bits(layer, estimator, name)[:, -1] for name in ("input", "label")]
                distance = curve.label_at(end[0]) - end[1] if variable == "label" else end[0] - curve.input_at(end[1])
                name = part.named(*([] if part.labels or not part.activation else [part.activation]), estimator, layer)
                cases.append(Case(name, (part.sample(distance),), part.clipping(layer, estimator)))
    return cases


def _violations(variable: str, run: Run) -> list[Case]:
    """Return the largest excess of a layer over the one before it at any epoch."""
    cases = []
    for part in run.main():
        if len(part.layers) < 2:
            raise LackingError("at least two layers")
        for kind in ("binning", "kde"):
            for estimator in part.estimators(kind)[:1]:
                bits = np.stack([part.bits(layer, estimator, variable) for layer in part.layers], axis=-1)
                excess = np.diff(bits, axis=-1).max(axis=(1, 2), initial=0.0)  # NaN where a member lacks a number
                name = part.named(*([] if part.labels or not part.activation else [part.activation]), estimator)
                told = max(part.clipping(layer, estimator) for layer in part.layers)
                cases.append(Case(name, (part.sample(excess),), told))
    if not cases:
        raise LackingError("the estimator binning or kde")
    return cases


def _distinct(variable: str, place: int, run: Run) -> list[Case]:
    """Return the share of inputs with an activation row of their own, layer by layer."""
    cases = []
    for part in run.main():
        if place == 0 and part.ds["epoch"].values[0] != 0:
            raise LackingError("the initialisation, epoch 0")
        rows = part.quantity(variable).transpose("member", "epoch", "layer").values[:, place]
        shares = rows / part.attribute("n_distinct")
        for layer, share in zip(part.layers, shares.T, strict=True):
            if layer not in part.hidden:
                continue
            cases.append(
                Case(
                    part.named(*([] if part.labels or not part.activation else [part.activation]), layer),
                    (part.sample(share),),
                )
            )
    return cases


def _nearness(variable: str) -> Claim:
    of = {
        "label": (NOTICEABLE, "maximum information on the label"),
        "input": (1.0, "minimum information on the input for their label information"),
    }
    limit, words = of[variable]
    quantity = {
        "label": "largest possible I(T;Y) at the layer's I(X;T), minus its I(T;Y), at the end",
        "input": "I(X;T) of a layer at the end, minus the minimum for its I(T;Y)",
    }[variable]
    return Claim(
        id=f"near-bound-{variable}",
        sentence=f"Converged layers are near the information bottleneck bound: they have nearly the {words}.",
        source=f"{PAPER}, figure 7",
        quantity=quantity,
        units="bits",
        side="below",
        bound=limit,
        needs="labels that the input determines, or a known p(y|x)",
        figure="bound",
        measure=functools.partial(_distances, variable),
    )


def _order(variable: str, symbol: str) -> Claim:
    return Claim(
        id=f"layers-in-order-{variable}",
        sentence=f"The layers are in order: no layer's {symbol} exceeds that of the layer before it, as measured.",
        source=f"{PAPER}, section 2 (data processing); Geiger 2021: estimates need not obey it",
        quantity=f"largest excess of {symbol} of a layer over that of the layer before it, at any epoch",
        units="bits",
        side="below",
        bound=NOTICEABLE,
        needs="bins or the kernel estimate",
        figure="information",
        measure=functools.partial(_violations, variable),
    )


def _stay_distinct(id_: str, when: str, place: int, variable: str, precision: str) -> Claim:
    return Claim(
        id=id_,
        sentence=f"No information is lost, because every input has a distinct activation row, {when}, in {precision}.",
        source=DRAFTS,
        quantity=f"share of the inputs with a distinct activation row {when}, in {precision}",
        units="of all inputs",
        side="above",
        bound=ALL_DISTINCT,
        needs=f"distinct rows in {precision}",
        figure="rows",
        measure=functools.partial(_distinct, variable, place),
    )


CLAIMS = (
    _nearness("label"),
    _nearness("input"),
    _order("input", "I(X;T)"),
    _order("label", "I(T;Y)"),
    _stay_distinct("rows-distinct-at-start", "with random weights", 0, "distinct_rows", "float32"),
    _stay_distinct("rows-distinct-at-end", "after training", -1, "distinct_rows", "float32"),
    _stay_distinct("rows-distinct-at-end-float64", "after training", -1, "distinct_rows_float64", "float64"),
    _stay_distinct("rows-distinct-at-end-float16", "after training", -1, "distinct_rows_float16", "float16"),
)
