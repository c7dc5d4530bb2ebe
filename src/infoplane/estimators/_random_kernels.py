"""Clouds under Gaussian noise: bounds from pairwise distances of all rows and of the rows of one input."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators._pairs import UNRESOLVED
from infoplane.estimators._random_clouds import Clouds, Local, Quantities, Quantity, alone, saturated
from infoplane.estimators._random_sums import Sums, kernel_sums, own_sums, scaled
from infoplane.estimators.base import Estimate
from infoplane.estimators.kde import Kde

Both = Float[np.ndarray, "kernel query"]
"""A term of the upper and of the lower bound for each measured row, in bits."""


def measure(clouds: Clouds, estimator: Kde) -> Quantities:
    """Return I(X;T+Z) and I(T+Z;Y) over the measured rows; see `infoplane.as_if_random`."""
    if clouds.identical:
        return _deterministic(clouds, estimator)
    variance = float(estimator.variance)  # pyright: ignore[reportArgumentType]
    if estimator.relative:
        variance *= float(clouds.rows.astype(np.float64).var(axis=0).mean())
    rows, radius = scaled(clouds.rows, variance)
    if radius * radius / 8 >= UNRESOLVED:
        words = f"activations spread over {radius:.2g} σ: float64 does not resolve noise of variance {variance:.2g}"
        unknown = Quantity(math.nan, notes={"non-finite": words})
        return unknown, None if clouds.labels is None else unknown
    halves = np.arange(clouds.size) // clouds.n_inputs % 2
    some = rows[clouds.queries], clouds.row_labels[clouds.queries], halves[clouds.queries]
    sums = kernel_sums(*some, rows, clouds.row_labels, halves)
    of_input = own_sums(some[0], clouds.queries % clouds.n_inputs, some[2], rows.reshape(clouds.t.shape))
    return _quantities(clouds, sums, of_input)


def _quantities(clouds: Clouds, sums: Sums, of_input: Float[np.ndarray, "half kernel query"]) -> Quantities:
    """Turn sums into bits.

    What is left out of the entropy of a mixture by taking M samples for infinitely many is of order 1/M. The two
    halves of the samples, each by itself, miss twice as much: twice the whole less the halves is free of it.
    """
    parity = clouds.queries // clouds.n_inputs % 2
    half = np.where(parity == 0, (clouds.n_weights + 1) // 2, clouds.n_weights // 2)
    pooled = _entropy(sums.pooled, clouds.size), _entropy(sums.pooled_half, half * clouds.n_inputs)
    own = _entropy(of_input[0], clouds.n_weights), _entropy(of_input[1], half)
    about_input = _difference(clouds, pooled, own)
    left = float(own[0][0].mean())
    notes = alone(left, clouds, "more noise or more samples are needed") or saturated(about_input.bits, clouds)
    about_input = dataclasses.replace(about_input, notes=notes)
    if clouds.labels is None:
        return about_input, None
    members = np.bincount(clouds.labels)[clouds.row_labels[clouds.queries]]
    of_class = _entropy(sums.of_class, members * clouds.n_weights), _entropy(sums.of_class_half, members * half)
    return about_input, dataclasses.replace(_difference(clouds, pooled, of_class), notes=notes)


def _entropy(sums: Both, counts: Int[np.ndarray, " query"] | int) -> Both:
    """−log2 of the mean kernel."""
    return np.log2(counts) - np.log2(sums)


def _difference(clouds: Clouds, without: tuple[Both, Both], within: tuple[Both, Both]) -> Quantity:
    """h(T) − h(T|·): the difference of the upper bounds, between those of opposite bounds."""
    upper, lower = 0, 1
    bits, error = clouds.mean(_free_of_bias(without, within, upper, upper))
    plain = float((without[0][upper] - within[0][upper]).mean())
    return Quantity(
        bits,
        error,
        lower=float(_free_of_bias(without, within, lower, upper).mean()),
        upper=float(_free_of_bias(without, within, upper, lower).mean()),
        taken=plain - bits,
    )


def _free_of_bias(without: tuple[Both, Both], within: tuple[Both, Both], first: int, second: int) -> Local:
    whole, halves = (a[first] - b[second] for a, b in zip(without, within, strict=True))
    return 2 * whole - halves


def _deterministic(clouds: Clouds, estimator: Kde) -> Quantities:
    """One sample repeated is a layer without chance: the same sums as of that layer, to the last bit."""
    layer = estimator.of_layer(clouds.t[0], clouds.labels)

    def quantity(known: Estimate) -> Quantity:
        notes = dict.fromkeys(known.flags, known.reason)
        return Quantity(known.bits, 0.0, known.lower, known.upper, notes=notes)

    return quantity(layer.input), None if layer.label is None else quantity(layer.label)
