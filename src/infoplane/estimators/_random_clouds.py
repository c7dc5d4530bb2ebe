"""Clouds of activations: what M samples of weights make of N inputs, which of their rows are measured, and errors."""

import dataclasses
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from infoplane._arrays import Codes, as_labels, to_numpy
from infoplane._numbers import digits
from infoplane.errors import InputError
from infoplane.estimators.base import SATURATION_MARGIN

CONFIDENCE = 0.95
"""Probability that an interval is made for."""

Local = Float[np.ndarray, " query"]
"""One term for each measured row, whose mean is the estimate."""


@dataclasses.dataclass(frozen=True, eq=False)
class Clouds:
    """M samples of the weights, N inputs and the activations that the weights give to the inputs, checked.

    Attributes:
        t: the activations; all that is said below of rows counts them weights by weights, row m·N + i for input i
            under the m-th weights.
        labels: class 0…C−1 of each input, or None.
        queries: the rows over which means are taken, ascending; all of them, or a random part.
    """

    t: Float[np.ndarray, "weights input dim"]
    labels: Codes | None
    queries: Int[np.ndarray, " query"]

    @property
    def n_weights(self) -> int:
        """M, the number of samples of the weights."""
        return self.t.shape[0]

    @property
    def n_inputs(self) -> int:
        """N, the number of inputs."""
        return self.t.shape[1]

    @property
    def n_units(self) -> int:
        """Number of units of the layer."""
        return self.t.shape[2]

    @property
    def size(self) -> int:
        """N·M, the number of rows of all clouds together."""
        return self.n_weights * self.n_inputs

    @cached_property
    def rows(self) -> Float[np.ndarray, "row dim"]:
        """The activations of all clouds together."""
        return self.t.reshape(self.size, self.n_units)

    @cached_property
    def inputs(self) -> Int[np.ndarray, " row"]:
        """Which input each row belongs to."""
        return np.tile(np.arange(self.n_inputs), self.n_weights)

    @cached_property
    def row_labels(self) -> Codes:
        """The class of each row; 0 everywhere without labels."""
        return np.tile(np.zeros(self.n_inputs, np.int64) if self.labels is None else self.labels, self.n_weights)

    @cached_property
    def identical(self) -> bool:
        """Whether all samples of the weights give the same activations: a deterministic layer."""
        return bool((self.t == self.t[:1]).all())

    @property
    def cap(self) -> float:
        """log2 N, which I(X;T) cannot exceed, in bits."""
        return math.log2(self.n_inputs)

    def mean(self, local: Local, rows: Int[np.ndarray, " query"] | None = None) -> tuple[float, float]:
        """Mean over the measured rows (or other ``rows``) and its standard error.

        All rows of one sample of the weights move together, so what varies independently are these samples: with e_m
        the sum of the deviations from the mean over the measured rows of sample m, the variance of the mean is
        M/(M−1) Σ_m e_m² / Q². It holds the scatter over a random part of the rows as well.
        """
        mean = float(local.mean())
        weights = (self.queries if rows is None else rows) // self.n_inputs
        deviations = np.bincount(weights, weights=local - mean, minlength=self.n_weights)
        factor = self.n_weights / (self.n_weights - 1)
        return mean, math.sqrt(factor * float(deviations @ deviations)) / len(local)

    def take(self, weights: Int[np.ndarray, " part"], n_queries: int | None, seed: int) -> "Clouds":
        """Return the clouds of some samples of the weights."""
        size = len(weights) * self.n_inputs
        return Clouds(self.t[weights], self.labels, choose_queries(size, n_queries, seed))


def as_clouds(t: Any, y: Any, input_ids: Any, queries: Any, seed: Any) -> Clouds:
    """Check what a user gives; see `infoplane.as_if_random`.

    Raises:
        InputError: names the argument, what came, what was expected and the remedy.
    """
    array = to_numpy(t, "t")
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(
            f"t has shape {array.shape}; expected (M samples of weights, N inputs, d units); stack the activations of "
            "each sample of the weights, for a single unit with a last axis of length 1"
        )
    if array.dtype.kind not in "biuf":
        raise InputError(f"t has dtype {array.dtype}; expected numbers")
    if array.shape[0] == 1:
        raise InputError(
            "t holds one sample of the weights (M = 1), so the layer is a function of its input; expected at least 2; "
            "use infoplane.layer_information(t[0], y)"
        )
    if array.shape[1] == 1:
        raise InputError("t holds one input (N = 1), which tells nothing; expected at least 2")
    if array.dtype.name not in ("float32", "float64"):
        array = array.astype(np.float64)
    labels = None if y is None else _labels(y, array.shape[0], array.shape[1])
    if input_ids is not None:
        _check_same_inputs(input_ids, array.shape[:2])
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"seed is {seed!r}; expected a whole number from 0")
    whole = isinstance(queries, int | np.integer) and not isinstance(queries, bool)
    if queries is not None and not (whole and queries >= 2):
        raise InputError(f"queries is {queries!r}; expected None for all rows, or a whole number of rows, at least 2")
    chosen = choose_queries(array.shape[0] * array.shape[1], None if queries is None else int(queries), int(seed))
    return Clouds(np.ascontiguousarray(array), labels, chosen)


def _labels(y: Any, n_weights: int, n_inputs: int) -> Codes:
    """Return the class of each input."""
    shape = to_numpy(y, "y").shape
    if shape and shape[0] == n_inputs:
        return as_labels(y, "y", n_inputs)
    again = " ; it holds a label for each row of all samples: give those of one" if shape[:1] == (n_weights,) else ""
    raise InputError(f"y has shape {shape}; expected ({n_inputs},), one label for each input of t{again}")


def _check_same_inputs(input_ids: Any, shape: tuple[int, int]) -> None:
    """Refuse samples whose inputs stand in another order than those of the first."""
    ids = to_numpy(input_ids, "input_ids")
    if ids.shape != shape:
        raise InputError(
            f"input_ids has shape {ids.shape}; expected {shape}: which input stands in each place of each sample of t"
        )
    differing = ids != ids[:1]
    if not differing.any():
        return
    sample = int(np.flatnonzero(differing.any(axis=1))[0])
    place = int(np.flatnonzero(differing[sample])[0])
    raise InputError(
        f"input_ids differ between samples: place {place} holds {ids[0, place]} in sample 0 and {ids[sample, place]} "
        f"in sample {sample}; expected the same inputs in the same order in every sample; sort each sample by its ids"
    )


def choose_queries(size: int, queries: int | None, seed: int) -> Int[np.ndarray, " query"]:
    """Return the rows to measure: all, or so many drawn at random without replacement."""
    if queries is None or queries >= size:
        return np.arange(size)
    return np.sort(np.random.default_rng([seed, size]).choice(size, int(queries), replace=False))


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One information in bits, before it becomes an `Estimate`; fields as there.

    Attributes:
        taken: bits that were taken off for the bias that comes from few samples, or None where nothing was.
        notes: the amounts behind each flag.
        remarks: what else is to be said.
    """

    bits: float
    std_error: float | None = None
    lower: float | None = None
    upper: float | None = None
    kind: str = "estimate"
    taken: float | None = None
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def interval(self, freedom: int) -> tuple[float, float] | None:
        """The 95 % interval: Student's, for the number of samples of the weights less one.

        It reaches further, on both sides, by what was taken off for bias: as much again may remain.
        """
        if self.std_error is None or math.isnan(self.bits):
            return None
        from scipy.stats import t

        half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * self.std_error + abs(self.taken or 0.0)
        return self.bits - half, self.bits + half

    @property
    def reason(self) -> str:
        """All that is to be said, each sentence once: one may stand for two flags."""
        plain = self.bits + (self.taken or 0.0)
        bias = (
            "" if self.taken is None else f"{self.taken:+.4g} bits of bias from few samples taken off {digits(plain)}"
        )
        return "; ".join(text for text in dict.fromkeys([*self.notes.values(), bias, *self.remarks]) if text)


Quantities = tuple[Quantity, Quantity | None]
"""I(X;T), and I(T;Y) where there are labels."""


def saturated(bits: float, clouds: Clouds) -> dict[str, str]:
    """Say so where I(X;T) is within 0.1 bit of log2 N."""
    if not bits > clouds.cap - SATURATION_MARGIN:
        return {}
    return {"saturated": f"{bits:.1f} of {clouds.cap:.1f}: the clouds of different inputs hardly overlap"}


def alone(left: float, clouds: Clouds, what: str) -> dict[str, str]:
    """Say so where each input's samples hardly share anything: then every value is near log2 N, overlap or not.

    Args:
        left: mean of the entropy of an input's samples under the measure, in bits; at most log2 M.
        clouds: the clouds.
        what: what would have to be coarser.
    """
    most = math.log2(clouds.n_weights)
    if left <= most - SATURATION_MARGIN:
        return {}
    words = f"the {clouds.n_weights} samples of an input stand alone ({left:.1f} of {most:.1f} bits): {what}"
    return {"saturated": words}
