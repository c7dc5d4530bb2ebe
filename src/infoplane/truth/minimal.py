"""The minimal model of Saxe et al.: one unit h = f(w x + b) with x ~ N(0, 1), its information under bins exactly."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float

from infoplane.truth.base import Number, check, entropy_of

Points = Float[np.ndarray, " edge"]

REACH = 12.0
"""Standard deviations beyond which a normal variable has no mass that counts: 2 Φ(−12) < 1e-32."""


def _arctanh(h: Points) -> Points:
    with np.errstate(divide="ignore"):
        return np.arctanh(np.clip(h, -1, 1))


def _softsign(h: Points) -> Points:
    with np.errstate(divide="ignore"):
        inner = np.clip(h, -1, 1)
        return inner / (1 - np.abs(inner))


def _relu(h: Points) -> Points:
    return np.where(h > 0, h, -np.inf)


def _softplus(h: Points) -> Points:
    """log(eʰ − 1), as h + log(1 − e⁻ʰ) so that a large h does not overflow."""
    above = np.where(h > 0, h, 1.0)
    return np.where(h > 0, above + np.log(-np.expm1(-above)), -np.inf)


INVERSES: Mapping[str, Callable[[Points], Points]] = {
    "tanh": _arctanh,
    "softsign": _softsign,
    "relu": _relu,
    "softplus": _softplus,
    "linear": lambda h: h,
}
"""For each f the smallest z with f(z) ≥ h: every cell h ≤ f(z) < h′ is then a stretch of z."""

Edges = Literal["fixed", "idnns", "width"]


def minimal_information(
    activation: str,
    weight: Number,
    *,
    bias: Number = 0.0,
    edges: Edges = "fixed",
    bins: int = 30,
    width: Number = 0.07,
) -> float:
    """I(X;T) in bits of the binned unit T = bin(f(w x + b)), x ~ N(0, 1).

    A quantised unit has H(T|X) = 0, so I(X;T) = H(T) = −Σ p log2 p over its cells. As f does not fall,
    P(T < e) = Φ((f⁻¹(e) − b) / w), and the cells' probabilities are differences of Φ at their edges.

    Args:
        activation: "tanh", "softsign", "relu", "softplus" or "linear".
        weight: w > 0.
        bias: b.
        edges: as of the estimator ``binning``: "fixed" for equal cells of [−1, 1], "idnns" for edges
            linspace(−1, 1, bins) with a last cell for values from 1 up, "width" for cells ⌊h / width⌋ without
            limits. Values outside go to the outer cells.
        bins: number of cells, for "fixed" and "idnns".
        width: of a cell, for "width".

    Raises:
        InputError: for an unknown activation or parameters outside their range.

    References:
        Saxe et al. (2018), section 2 and figure 2.

    Example:
        >>> from infoplane.truth.minimal import minimal_information
        >>> [round(minimal_information("tanh", w), 4) for w in (0.1, 1, 100)]
        [2.6445, 4.8771, 1.1506]
    """
    check(activation in INVERSES, "activation", repr(activation), f"one of {', '.join(INVERSES)}")
    check(0 < weight < np.inf, "weight", weight, "a finite number above 0")
    check(np.isfinite(bias), "bias", bias, "a finite number")
    inner = inner_edges(edges, bins) if edges != "width" else _width_edges(activation, weight, bias, width)
    return entropy_of(_probabilities((INVERSES[activation](inner) - bias) / weight))


def inner_edges(edges: Edges, bins: int) -> Points:
    """Return the edges between the cells of [−1, 1], without the outer ones, ascending."""
    check(edges in ("fixed", "idnns"), "edges", repr(edges), "'fixed', 'idnns' or 'width'")
    check(bins >= 2, "bins", bins, "at least 2")
    return np.linspace(-1, 1, bins)[1:] if edges == "idnns" else np.linspace(-1, 1, bins + 1)[1:-1]


def _width_edges(activation: str, weight: Number, bias: Number, width: Number) -> Points:
    """Return the multiples of a width between the smallest and the largest value that have any mass."""
    check(0 < width < np.inf, "width", width, "a finite number above 0")
    reach = abs(bias) + REACH * weight
    low, high = {"tanh": (-1, 1), "softsign": (-1, 1), "linear": (-reach, reach)}.get(activation, (0, reach + 1))
    check((high - low) / width < 1e8, "width", width, f"more than {(high - low) / 1e8:.3g} at weight {weight}")
    return width * np.arange(np.floor(low / width), np.ceil(high / width) + 1)


def _probabilities(z: Points) -> Float[np.ndarray, " cell"]:
    """Return the mass of a standard normal between ascending points, and outside them; of both tails exactly.

    Above zero Φ is so near 1 that differences lose their digits; there those of 1 − Φ are taken.
    """
    from scipy.special import ndtr

    edges = np.concatenate([[-np.inf], z, [np.inf]])
    below, above = np.diff(ndtr(edges)), -np.diff(ndtr(-edges))
    return np.where(edges[:-1] > 0, above, below)
