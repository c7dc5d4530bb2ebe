"""Activation rows as symbols: which samples have exactly the same activations."""

import numpy as np
from jaxtyping import Int, Shaped, UInt64

from infoplane.estimators.base import Layers

_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Odd multiplier from the golden ratio; spreads neighbouring words over all 64 bits."""


def row_codes(t: Shaped[np.ndarray, "batch dim sample"]) -> UInt64[np.ndarray, "batch sample"]:
    """Give equal rows equal 64-bit codes, and different rows different ones.

    The code is a hash: two given different rows share one with probability near 2⁻⁶⁴, so among 240 000 rows a
    collision has probability below 2⁻²⁹. 0.0 and −0.0 are the same number.
    """
    codes = np.zeros((t.shape[0], t.shape[2]), np.uint64)
    for unit in range(t.shape[1]):
        mix_in(codes, t[:, unit])
    return codes


def mix_in(codes: UInt64[np.ndarray, "batch sample"], values: Shaped[np.ndarray, "batch sample"]) -> None:
    """Change codes of rows into those of the same rows with another value at the end."""
    codes ^= (values + values.dtype.type(0)).view(f"u{values.dtype.itemsize}")  # + 0 turns −0.0 into 0.0
    codes *= _MIX
    codes ^= codes >> np.uint64(29)


LOOK = 64
"""Units after which it is seen whether all rows differ already."""


def shared_row_codes(layers: Layers) -> UInt64[np.ndarray, "batch sample"]:
    """Return codes that tell which rows are equal, computed once for all that ask for them.

    Once all rows of all layers differ, further units cannot change that, and are not looked at.
    """
    if "row codes" not in layers.shared:
        codes = np.zeros((layers.n_layers, layers.n_samples), np.uint64)
        for start in range(0, layers.n_units, LOOK):
            for unit in range(start, min(start + LOOK, layers.n_units)):
                mix_in(codes, layers.host[:, unit])
            if start + LOOK < layers.n_units and (_n_distinct(codes) == layers.n_samples).all():
                break
        layers.shared["row codes"] = codes
    return layers.shared["row codes"]


def distinct_rows(layers: Layers) -> Int[np.ndarray, " batch"]:
    """Count the distinct activation rows of each layer, compared exactly."""
    return _n_distinct(shared_row_codes(layers))


def _n_distinct(codes: UInt64[np.ndarray, "batch sample"]) -> Int[np.ndarray, " batch"]:
    codes = np.sort(codes, axis=1)
    return 1 + (codes[:, 1:] != codes[:, :-1]).sum(axis=1)
