"""How far two measured points of a training lie apart, as one number."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError

Values = Float[np.ndarray, "estimator member layer 2"]
"""Information of one epoch in bits: I(X;T), then I(T;Y) along the last axis; NaN where there is none."""

Entropies = tuple[float, float]
"""H(X) and H(Y) in bits; H(Y) is NaN where there are no labels."""

Kind = Literal["scaled", "raw"]


def distance(a: Values, b: Values, entropies: Entropies, *, kind: Kind = "scaled", quantile: float = 1.0) -> float:
    """Distance between two measured points, at least 0; infinite where a value is missing at one of them.

    The distance of a member is the largest |I_s(a) − I_s(b)| / H(s) over layers, estimators and s ∈ {X, Y}. A
    value that is NaN at both points counts 0, which is also so for I(T;Y) without labels; one that is NaN at one
    point only counts as infinitely far, so that the epoch at which a network diverges is never passed over.

    Args:
        a: values of one point, shape (estimator, member, layer, 2), bits.
        b: values of the other point.
        entropies: H(X) and H(Y) in bits, the scale of the two variables.
        kind: "scaled" divides by the entropies, so that the distance is a share; "raw" leaves bits.
        quantile: which member speaks for an ensemble: 1 the one that moved most; 0.9 the one than which a tenth
            moved further. It is a member's own distance, never one between two.

    Raises:
        InputError: when values differ in a variable whose entropy is NaN.
    """
    return float(distances(a, b, entropies, kind=kind, quantile=quantile))


def distances(
    a: Float[np.ndarray, "*point estimator member layer 2"],
    b: Float[np.ndarray, "*point estimator member layer 2"],
    entropies: Entropies,
    *,
    kind: Kind = "scaled",
    quantile: float = 1.0,
) -> Float[np.ndarray, "*point"]:
    """Distances between pairs of measured points; see `distance`."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(divide="ignore", invalid="ignore"):  # where they are the same, or H(Y) is 0
        apart = np.abs(a - b)
        apart[np.isnan(apart)] = np.inf
        apart /= np.array(entropies if kind == "scaled" else (1.0, 1.0))
    apart[same] = 0.0
    if np.isnan(apart).any():
        raise InputError(f"entropies are {entropies}; expected numbers for each variable that was measured")
    return _over_members(apart.max(axis=(-4, -2, -1)), quantile)


def _over_members(members: Float[np.ndarray, "*point member"], quantile: float) -> Float[np.ndarray, "*point"]:
    """The smallest distance that at least the share ``quantile`` of the members do not exceed."""
    # by hand: NumPy's quantile is NaN beside infinite values; the small number undoes 0.28 · 25 = 7.000000000000001
    rank = int(np.ceil(quantile * members.shape[-1] - 1e-9))
    return np.sort(members, axis=-1)[..., max(rank, 1) - 1]
