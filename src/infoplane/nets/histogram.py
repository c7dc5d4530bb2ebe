"""How the activations of a layer are distributed: shares of its values in cells that never change."""

import numpy as np
from jaxtyping import Float

FINE, BEYOND = 20, 8
"""Cells from 0 to 1; cells a decade from 1 to `REACH`."""

REACH = 100.0
"""Where the last cell begins, which has no end."""


def _edges() -> Float[np.ndarray, " edge"]:
    """Return where each cell but the first begins: every 0.05 up to 1 on both sides, logarithmic from there on."""
    fine = np.linspace(-1, 1, 2 * FINE + 1)
    decades = round(np.log10(REACH))
    beyond = np.geomspace(1, REACH, BEYOND * decades + 1)[1:]
    fine[-1] = np.nextafter(np.float32(1), np.float32(2))  # 1 itself, where tanh saturates, is in the cell below
    return np.concatenate([-beyond[::-1], fine, beyond])


EDGES = _edges()
LOWER = np.concatenate([[-np.inf], EDGES])
"""Where each cell begins; the first and the last have no end outwards."""


def shares(t: Float[np.ndarray, "member unit sample"]) -> Float[np.ndarray, "member cell"]:
    """Share of all values of a layer that lie in each cell, for each member; NaN where some are not finite.

    The cells are the same for every layer, epoch, member and activation, so that their shares can be compared and
    averaged; those of bounded activations fill the fine ones, and unbounded ones reach further with the same few cells.
    A value on an edge is in the cell that begins there.
    """
    found = np.full((len(t), len(LOWER)), np.nan, np.float32)
    for member, values in enumerate(t):
        if np.isfinite(values).all():
            cells = np.searchsorted(EDGES, values.ravel(), side="right")
            found[member] = np.bincount(cells, minlength=len(LOWER)) / values.size
    return found
