"""Clouds counted in cells: information of quantised activations whose weights are random."""

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError, did_you_mean
from infoplane.estimators._random_clouds import Clouds, Local, Quantities, Quantity, alone, saturated
from infoplane.estimators.base import Layers
from infoplane.estimators.binning import Binning

_LN2 = math.log(2.0)

Counts = Int[np.ndarray, " row"]
Share = Float[np.ndarray, " row"]


def measure(clouds: Clouds, estimator: Binning) -> Quantities:
    """Return I(X;T) and I(T;Y) of the cells, every row counted; see `infoplane.as_if_random`.

    What a correction leaves of the bias is nearly of order 1/M: the two halves of the samples, each by itself, have
    twice as much, and twice the whole less the halves is nearly free of it.
    """
    layers = Layers(np.ascontiguousarray(clouds.rows.T)[None])
    codes, clipped = estimator.cells_of(layers, 0), estimator.clipped_share(layers.host[0])
    cells = np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.int64)
    every = np.arange(clouds.size)  # counting all rows costs no more than counting some
    log_count = LOGARITHMS[estimator.correction]
    terms = cell_terms(cells, clouds, every, log_count)
    free = terms
    if estimator.correction != "none":
        halves = np.empty_like(terms)
        for parity in (0, 1):
            some = every[every // clouds.n_inputs % 2 == parity]
            halves[:, some] = cell_terms(cells, clouds, some, log_count)
        free = 2 * terms - halves
    quantities = [_quantity(clouds, own, all_rows, cells) for own, all_rows in zip(free, terms, strict=True)]
    notes = quantities[0].notes
    if clipped:
        notes = {**notes, "clipped": f"{clipped:.2%} of values outside the bins' range went to the outer cells"}
    about_input, about_label = (dataclasses.replace(one, notes=notes) for one in quantities)
    return about_input, None if clouds.labels is None else about_label


def _quantity(clouds: Clouds, local: Local, before: Local, cells: Int[np.ndarray, " row"]) -> Quantity:
    """Take the means, and say where the samples of an input hardly share a cell."""
    bits, error = clouds.mean(local, np.arange(clouds.size))
    own = _together(cells * clouds.n_inputs + clouds.inputs)
    left = float(np.log2(clouds.n_weights / own).mean())
    notes = alone(left, clouds, "wider bins or more samples are needed") or saturated(bits, clouds)
    return Quantity(bits, error, taken=None if local is before else float(before.mean()) - bits, notes=notes)


def cell_terms(
    cells: Int[np.ndarray, " row"], clouds: Clouds, rows: Int[np.ndarray, " some"], log_count: "LogCount"
) -> Float[np.ndarray, "2 some"]:
    """Local terms of I(X;T) and of I(T;Y) in bits from some rows, which hold the same number of each input.

    Args:
        cells: the cell of each row of all clouds.
        clouds: the clouds.
        rows: the rows that are counted.
        log_count: replaces the logarithm of a count; receives the counts and the share of each that is certain.
    """
    n_weights = len(rows) // clouds.n_inputs
    cells, inputs, labels = cells[rows], clouds.inputs[rows], clouds.row_labels[rows]
    own = _together(cells * clouds.n_inputs + inputs)
    within = log_count(own, own / n_weights) - math.log(n_weights)
    without = log_count(*_pool(cells, own / n_weights)) - math.log(len(rows))
    of_class = log_count(*_pool(cells * (labels.max() + 1) + labels, own / n_weights)) - np.log(_together(labels))
    return np.stack([within - without, of_class - without]) / _LN2


def check_correction(name: str) -> None:
    """Refuse a correction that has no form for clouds.

    Raises:
        InputError: names those that have.
    """
    if name not in LOGARITHMS:
        raise InputError(
            f"binning correction is '{name}'{did_you_mean(name, LOGARITHMS)}; as-if-random clouds are counted with one "
            f"of {', '.join(LOGARITHMS)}"
        )


def _together(keys: Int[np.ndarray, " row"]) -> Counts:
    """How many rows have the key of each row."""
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return counts[places.reshape(-1)]


def _pool(keys: Int[np.ndarray, " row"], p: Share) -> tuple[Counts, Share]:
    """Count the rows in the cell of each row, and say how little of that count is left to chance.

    Every input has M rows for certain, so the count n of a cell has the variance Σ_i M p_i (1 − p_i), p_i being the
    probability that a row of input i falls into the cell: n (1 − s) with s = Σ_i p_i n_i / n. Here p_i = n_i / M.
    """
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    places = places.reshape(-1)
    certain = np.bincount(places, weights=p)
    return counts[places], (certain / counts)[places]


def _plain(counts: Counts, share: Share) -> Share:
    return np.log(counts)


def _miller_madow(counts: Counts, share: Share) -> Share:
    """The mean of ln n is ln E n − (1 − s)/2n to first order, n having the variance n (1 − s)."""
    return np.log(counts) - (1 - share) / (2 * counts)


def _grassberger(counts: Counts, share: Share) -> Share:
    """Grassberger's G(n) in place of ln n, weighted by the part of the count that is chance."""
    from scipy.special import digamma

    most = int(counts.max())
    table = digamma(np.floor(np.arange(most + 1) / 2) + 0.5) + _LN2
    return (1 - share) * table[counts] + share * np.log(counts)


LogCount = Callable[[Counts, Share], Share]

LOGARITHMS: Mapping[str, LogCount] = {
    "none": _plain,
    "miller-madow": _miller_madow,
    "grassberger": _grassberger,
}
"""What stands for the logarithm of a count, by the name of the correction."""

DEFAULT = "grassberger"
"""The correction where none is asked for."""
