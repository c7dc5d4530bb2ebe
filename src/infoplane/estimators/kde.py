"""Kernel density bounds: what a layer tells when Gaussian noise is added to it."""

import dataclasses
import math
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError
from infoplane.estimators._label_kernels import class_sums, query_blocks, squared_distances
from infoplane.estimators._pairs import UNRESOLVED, PairSums, pair_sums
from infoplane.estimators._pairs_rows import Rows, in_unit_ball, mean_square
from infoplane.estimators.base import (
    EntropyEstimator,
    Layers,
    LayerValues,
    SharedPass,
    Values,
    saturation_reason,
)

COPIES_SHARE = 0.1
"""Share of samples that are exact copies of another one above which the flag `ties` is raised."""

LONELY = 1e-3
"""A sample to which all others together contribute less than this stands alone under the noise."""


class Noise(NamedTuple):
    """What one `Kde` asks of the shared pass."""

    variance: float
    relative: bool
    tolerance: float

    def variance_of(self, points: Rows, radius: float) -> float:
        """Variance of the noise on each unit of a layer, given in the unit ball."""
        spread = mean_square(points) * radius * radius if self.relative else 1.0  # mean variance of a unit
        return self.variance * spread


@dataclasses.dataclass(frozen=True)
class Kde(EntropyEstimator, SharedPass):
    """Bounds on I(X; T + noise) for Gaussian noise of variance σ² on every unit (Kolchinsky and Tracey).

    A deterministic layer with continuous activations tells everything about its input, so a finite number
    needs a noise model; here it is N(0, σ² I) added to the activations as they are. With D_ij the squared
    distance between the activations of samples i and j,

        upper(σ²) = −mean_i log2 [ (1/N) Σ_j exp(−D_ij / 2σ²) ],     lower(σ²) = upper(4σ²),

    and the true I(X; T + noise) lies between the two: they are entropies of the mixture with the
    Kullback–Leibler and the Bhattacharyya distance. As σ → 0 both become the entropy of the distinct rows.

    For the label, ``bits`` is the usual difference upper − Σ_y p(y) upper_y, which is itself no bound;
    ``lower`` and ``upper`` are lower − Σ p(y) upper_y and upper − Σ p(y) lower_y, which are.

    Misleads when: σ is small against the distances, for then the value is log2 N whatever the network does
    (flag ``saturated``); layers of different scale are compared at one σ² (use ``relative``); σ² is read as
    an estimate of the density (it is the noise model, not a bandwidth to be optimised).

    Flags: ``saturated`` within 0.1 bit of log2 N; ``constant`` where all rows are equal (0 bits exactly) or
    there is one class only; ``ties`` where more than a tenth of the rows are exact copies (no error here);
    ``small-class`` where a class has one sample; ``non-finite`` (NaN) for activations that are not finite or
    spread over more than 10⁹ σ, where float64 does not resolve distances of one σ.

    Attributes:
        variance: σ² of the noise on each unit, in squared units of the activations. Papers use 0.1 (images)
            and 0.001 (small networks).
        relative: if True, σ² is ``variance`` times the mean over units of the variance over samples (divided
            by N), layer by layer: the result no longer changes when a layer is scaled.
        tolerance: how far, in bits, leaving out pairs of far samples may move any value.

    Reference:
        A. Kolchinsky and B. Tracey, "Estimating mixture entropy with pairwise distances", Entropy 19 (2017)
        361; the noise model for layers is that of A. Saxe et al., ICLR 2018.

    Example:
        >>> import numpy as np
        >>> from infoplane.estimators.base import Layers
        >>> two_points = np.array([[[0.0, 4.0]]])  # (batch, dim, sample): 4 standard deviations apart
        >>> value = Kde(variance=1.0).measure(Layers(two_points)).input
        >>> print(f"{value.lower[0]:.4f} <= I(X;T) <= {value.upper[0]:.4f} bits")
        0.8169 <= I(X;T) <= 0.9995 bits
    """

    name: ClassVar[str] = "kde"
    shuffle_rows: ClassVar[tuple[int, ...]] = (64, 256, 1024)

    variance: float | tuple[float, ...] = 0.1
    relative: bool = False
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        variances = self.variance if isinstance(self.variance, tuple | list) else (self.variance,)
        if not variances:
            raise InputError("variance is empty; expected at least one noise variance, such as 0.1")
        for value in variances:
            _require_positive("variance", value, "the noise variance of each unit, such as 0.1 or 1e-3")
        if not isinstance(self.relative, bool):
            raise InputError(f"relative is {self.relative!r}; expected True or False")
        _require_positive("tolerance", self.tolerance, "an error in bits, such as 1e-9")

    def announce(self, layers: Layers) -> None:
        """Ask for this noise in the pass over the distances that all `Kde` share."""
        asked = layers.shared.setdefault("kde", {})
        asked.setdefault(self._noise(), None)

    def measure(self, layers: Layers) -> LayerValues:
        """Return both quantities for every layer of the batch, in bits."""
        self.announce(layers)
        asked = layers.shared["kde"]
        if asked[self._noise()] is None:
            waiting = [noise for noise, result in asked.items() if result is None]
            asked.update(zip(waiting, _measure(layers, waiting), strict=True))
        return asked[self._noise()]

    def label_bits(
        self, layers: Layers, index: int, orders: Int[np.ndarray, "order sample"], rows: int
    ) -> Float[np.ndarray, " order"]:
        """Return I(T;Y) of one layer with the labels in each of several orders, averaged over so many rows.

        The label value is the mean over rows of log2 (W_i N / N_y S_i), with S_i what all rows contribute to row i and
        W_i what those of its class do; here the mean is taken over some rows, and the sums over all.
        """
        assert layers.labels is not None
        points, radius = in_unit_ball(layers.host[index])
        labels = layers.labels[orders]
        factor, n = 4 * _scale(radius, self._noise().variance_of(points, radius)), layers.n_samples
        total = np.zeros(len(orders))
        for queries in query_blocks(n, rows):
            kernel = np.exp(-np.minimum(squared_distances(points, queries, factor), 80))
            every = kernel.sum(axis=1)
            own = labels[:, queries]
            sums = class_sums(kernel, labels, layers.n_classes)
            within = np.take_along_axis(sums, own[:, :, None], axis=2)[:, :, 0]
            total += np.log2(within * n / (layers.class_counts[own] * every)).sum(axis=1)
        return total / min(rows, n)

    def conditional_entropy(self, n_units: int) -> float:
        """h(T + noise | X) in bits: the entropy of the noise, (n_units / 2) log2(2πe σ²).

        Raises:
            InputError: with ``relative``, where σ² differs from layer to layer.
        """
        if self.relative:
            raise InputError("kde relative is True; an entropy needs the same noise everywhere: use relative=False")
        return n_units / 2 * (math.log2(2 * math.pi * math.e) + math.log2(self._single_variance()))

    def _noise(self) -> Noise:
        return Noise(self._single_variance(), self.relative, float(self.tolerance))

    def _single_variance(self) -> float:
        if isinstance(self.variance, tuple | list):
            raise InputError(
                f"variance holds several values, {self.variance}; one measurement takes one number: "
                "pass a list with one Kde for each variance, or use infoplane.layer_information"
            )
        return float(self.variance)


def _require_positive(argument: str, value: Any, meaning: str) -> None:
    """Refuse what is not a positive finite number."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise InputError(f"{argument} is {value!r}; expected a positive finite number: {meaning}")


class _Result(NamedTuple):
    """What one layer gives under one noise."""

    bits: tuple[float, float]
    """Lower and upper bound on I(X;T)."""
    label: tuple[float, float, float]
    """I(T;Y): usual difference, lower and upper bound."""
    flags: frozenset[str]
    label_flags: frozenset[str]
    reason: str
    label_reason: str


def _measure(layers: Layers, noises: list[Noise]) -> list[LayerValues]:
    """Measure every layer of the batch under every noise, with one pass over the distances of each layer."""
    table = [_measure_layer(layers, index, noises) for index in range(layers.n_layers)]
    return [_collect([row[k] for row in table], layers) for k in range(len(noises))]


def _collect(results: list[_Result], layers: Layers) -> LayerValues:
    """Put the results of a batch side by side."""
    lower, upper = np.array([r.bits for r in results]).T
    difference, label_lower, label_upper = np.array([r.label for r in results]).T
    label = Values(
        bits=difference,
        lower=label_lower,
        upper=label_upper,
        flags=tuple(r.label_flags for r in results),
        reasons=tuple(r.label_reason for r in results),
    )
    return LayerValues(
        input=Values(
            bits=upper,
            lower=lower,
            upper=upper,
            kind="upper",
            flags=tuple(r.flags for r in results),
            reasons=tuple(r.reason for r in results),
        ),
        label=None if layers.labels is None else label,
    )


def _measure_layer(layers: Layers, index: int, noises: list[Noise]) -> list[_Result]:
    """Measure one layer under every noise."""
    if not layers.finite[index]:
        return [_unknown(layers.non_finite_reason(index))] * len(noises)
    t = layers.host[index]
    if (t == t[:, :1]).all():
        return [_plain(0.0, "constant", f"all {layers.n_samples} rows are equal")] * len(noises)
    rows, radius = in_unit_ball(t)
    variances = [noise.variance_of(rows, radius) for noise in noises]
    scales = np.array([_scale(radius, variance) for variance in variances])
    resolved = scales < UNRESOLVED
    results = [
        _unknown(f"activations spread over {radius:.2g}: float64 does not resolve noise of variance {variance:.2g}")
        for variance in variances
    ]
    if resolved.any():
        tolerance = min(noise.tolerance for noise in noises)
        sums = pair_sums(rows, layers.labels, scales[resolved], tolerance=tolerance)
        for k, where in enumerate(np.flatnonzero(resolved)):
            results[where] = _summarise(layers, sums, k)
    return results


def _scale(radius: float, variance: float) -> float:
    """radius²/8σ², infinite where it overflows."""
    root = math.sqrt(8) * math.sqrt(variance)
    ratio = radius / root if root > 0 else math.inf
    return ratio * ratio


def _unknown(reason: str) -> _Result:
    return _plain(math.nan, "non-finite", reason)


def _plain(value: float, flag: str, reason: str) -> _Result:
    """The same value for every quantity."""
    flags = frozenset((flag,))
    return _Result((value, value), (value, value, value), flags, flags, reason, reason)


def _summarise(layers: Layers, sums: PairSums, k: int) -> _Result:
    """Turn the sums for one sigma into bits, flags and reasons."""
    lower, upper = layers.cap - _mean_log2(sums.lower[k]), layers.cap - _mean_log2(sums.upper[k])
    notes: dict[str, str] = {}
    if reason := saturation_reason(upper, layers.cap):
        alone = float((sums.upper[k] < 1 + LONELY).mean())
        notes["saturated"] = f"{reason}; {alone:.0%} of the rows have no neighbor under this noise"
    if sums.copies > COPIES_SHARE * layers.n_samples:
        notes["ties"] = f"{sums.copies} of {layers.n_samples} rows are exact copies of others"
    pruned = f"{sums.skipped:.0%} of the pairs left out, error below {sums.error:.1g} bits" if sums.skipped else ""
    label, label_notes = (math.nan, math.nan, math.nan), {}
    if layers.labels is not None:
        label, label_notes = _label_information(layers, sums, k, lower, upper)
        label_notes |= {flag: text for flag, text in notes.items() if flag == "ties"}
    return _Result(
        (lower, upper),
        label,
        frozenset(notes),
        frozenset(label_notes),
        "; ".join(text for text in (*notes.values(), pruned) if text),
        "; ".join(text for text in (*label_notes.values(), pruned) if text),
    )


def _label_information(
    layers: Layers, sums: PairSums, k: int, lower: float, upper: float
) -> tuple[tuple[float, float, float], dict[str, str]]:
    """I(T;Y) as the usual difference with its bracket, from the sums within each class."""
    assert sums.upper_within is not None and sums.lower_within is not None
    counts = layers.class_counts
    if layers.n_classes == 1:
        return (0.0, lower - upper, upper - lower), {"constant": "all labels are equal"}
    # Σ_y p(y) log2 N_y, from which the means of the logarithms are taken.
    cap = float((counts * np.log2(counts)).sum() / layers.n_samples)
    lower_within, upper_within = (
        cap - _mean_log2(sums.lower_within[k]),
        cap - _mean_log2(sums.upper_within[k]),
    )
    small = int((counts < 2).sum())
    notes = {"small-class": f"{small} of {layers.n_classes} classes have one sample"} if small else {}
    return (upper - upper_within, lower - upper_within, upper - lower_within), notes


def _mean_log2(sums: Float[np.ndarray, " sample"]) -> float:
    return float(np.log2(sums).mean())
