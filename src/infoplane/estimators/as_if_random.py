"""As-if-random networks: information of a layer whose weights are random, from samples of the weights."""

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from infoplane._numbers import digits
from infoplane.errors import InputError
from infoplane.estimators import _random_bins as bins
from infoplane.estimators import build
from infoplane.estimators._random_clouds import Clouds, Quantities, Quantity, as_clouds
from infoplane.estimators.base import Estimate, Estimator, LayerInformation

MEASURES = ("binning", "kde", "ross", "gaussian")
"""Names of the estimators that measure clouds."""

PARTS = (1, 2, 3, 4)
"""Into how many parts the samples of the weights are divided where an estimate is followed against their number."""

REPEATS = 2
"""How many random divisions into each."""


def as_if_random(
    t: Any,
    y: Any = None,
    estimator: Any = "ross",
    *,
    queries: Any = None,
    seed: Any = 0,
    input_ids: Any = None,
    **params: Any,
) -> LayerInformation:
    r"""Measure I(X;T) and I(T;Y) of a layer whose weights are random, in bits.

    With weights θ drawn from a distribution the activation T = F_θ(x) is random even where the input x is known, so
    that I(X;T) = H(T) − H(T|X) with H(T|X) > 0: it is small where the clouds of activations of different inputs
    overlap. X is *which input*, uniform over the N inputs; M samples of the weights draw M points of each cloud.

    ``binning``: entropies of cells, those of all N·M rows and those of the M rows of each input. For the logarithm of
        a count stands one that is right on average (``correction="grassberger"``, the default here; also
        ``"miller-madow"``, ``"none"``), in the part of the count that is left to chance: see below.
    ``kde``: noise of variance σ² is added; both entropies from pairwise distances (Kolchinsky & Tracey 2017), ``bits``
        the difference of the two upper bounds, ``lower`` and ``upper`` those of opposite ones, which hold the truth.
        Twice the value of all samples less that of its two halves (m even and odd) is free of the bias in 1/M.
    ``ross``: nearest neighbors, with the input as the symbol (Ross 2014), and with the label for I(T;Y). Where several
        rows are equally far, the mean over all orders of the equal distances is taken; rows that equal their k-th
        neighbor are counted, as by W. Gao et al. (2017). ``scale`` of `Ross` is not used: all units keep the scale
        that the network gives them, and the value has ``scale=None`` in its parameters.
    ``gaussian``: a Gaussian fitted to each cloud; ``bits`` and ``upper`` from pairwise Kullback–Leibler divergences of
        the Gaussians, ``lower`` from Bhattacharyya distances. Covariances are shrunk where there are not enough
        samples for the units (flag ``high-dimension``, and the reason says so). Bias and error by leaving out
        tenths of the samples.

    Two departures from the sources, without which distinct clouds would not give log2 N at finite M, nor equal
    samples the deterministic value: a cell's count n varies by n(1 − s) only, s = Σ_i n_i²/(M n) over the inputs in
    it, since every input has M rows for certain; and Ross' ψ(NM) − ψ(M) becomes log N in the share in which no other
    cloud is near.

    Args:
        t: activations, shape (M samples of weights, N inputs, d units): the same inputs in the same order in each.
        y: class of each input, shape (N,): integers, booleans or strings; without it I(T;Y) is None.
        estimator: ``"binning"``, ``"kde"``, ``"ross"``, ``"gaussian"``, a table such as ``{"name": "kde", "variance":
            0.01}``, or an instance (an instance of Binning keeps its own correction).
        queries: number of rows, of N·M, over which means are taken, drawn at random; None for all of them. The
            standard error then holds their scatter. ``binning`` counts all rows in any case, ``gaussian`` takes the
            means over the inputs that were drawn.
        seed: from which the rows are drawn.
        input_ids: which input stands in each place of each sample, shape (M, N): refused where the order differs.
        params: parameters of the estimator, such as ``bins=30, edges="layer"``, ``variance=0.1``, ``k=3``.

    Returns:
        Both informations, each with ``std_error`` and a 95 % ``interval``. They say how the value would scatter with
        other samples of the weights, taken as independent, all inputs moving together with each sample.

    Range:
        About 0 ≤ I(T;Y) ≤ I(X;T) ≤ log2 N. Values are raw: with little overlap, or none left, they scatter around the
        ends. M equal samples give what `infoplane.layer_information` gives of one; of ``ross`` and ``gaussian``, which
        know no bins and no noise, what ``exact`` gives.

    Flags:
        ``saturated``: within 0.1 bit of log2 N: the clouds hardly overlap; or the M samples of an input stand alone
        in their cells or under the noise, which gives log2 N whatever the overlap (the reason says which).
        ``constant``, ``non-finite`` (NaN), ``clipped``, ``ties``, ``high-dimension``.

    When it misleads:
        The samples of a window of consecutive updates are not independent, and errors then too small. With few samples
        clouds look farther apart than they are, most in many dimensions: follow the estimate against their number
        with `against_samples` before calling a difference compression. A cloud that is no Gaussian, such as that of
        a rectified unit near 0, is one to ``gaussian``.

    Raises:
        InputError: for arrays or parameters that cannot be used, for one sample of the weights, and for any other
            estimator.

    References:
        A. Kolchinsky and B. Tracey, Entropy 19 (2017) 361; B. Ross, PLoS ONE 9 (2014) e87357; W. Gao, S. Kannan, S. Oh
        and P. Viswanath, NeurIPS 2017; P. Grassberger, arXiv physics/0307138.

    Example:
        >>> import numpy as np, infoplane as ip
        >>> centres = np.array([[0.0], [0.0], [9.0], [9.0]])  # two pairs of inputs with one cloud each
        >>> t = centres + 0.1 * np.random.default_rng(0).standard_normal((200, 4, 1))
        >>> information = ip.as_if_random(t, [0, 0, 1, 1])
        >>> abs(information.input.bits - 1) < 0.05, abs(information.label.bits - 1) < 0.05
        (True, True)
    """
    measure = _build(estimator, params)
    clouds = as_clouds(t, y, input_ids, queries, seed)
    return _measured(clouds, measure)


def _build(spec: Any, params: Mapping[str, Any]) -> Estimator:
    """Return the estimator asked for, with the correction for clouds where none is named."""
    built = build(spec, **params)
    if built.name not in MEASURES:
        raise InputError(
            f"estimator is '{built.name}'; as-if-random clouds are measured by {', '.join(MEASURES)}; "
            "for one sample of the weights use infoplane.layer_information"
        )
    if built.name == "kde" and isinstance(built.params["variance"], tuple):
        raise InputError(f"kde variance holds several values, {built.params['variance']}; expected one number")
    if built.name == "ross":
        return build(built, scale=None)
    if built.name != "binning":
        return built
    named = "correction" in params or (isinstance(spec, Mapping) and "correction" in spec)
    bins.check_correction(built.params["correction"])
    return built if named or isinstance(spec, Estimator) else build(built, correction=bins.DEFAULT)


def _measured(clouds: Clouds, estimator: Estimator) -> LayerInformation:
    """Measure checked clouds and take the time."""
    start = time.perf_counter()
    about_input, about_label = _known(clouds) or _by(clouds, estimator)
    if clouds.labels is not None and not clouds.labels.any() and math.isfinite(about_input.bits):
        about_label = _settled(0.0, "constant", "all labels are equal")
    seconds = time.perf_counter() - start
    dims = (clouds.n_units,)
    return LayerInformation(
        _estimate(about_input, clouds, estimator, dims, seconds),
        None if about_label is None else _estimate(about_label, clouds, estimator, (*dims, 1), seconds),
    )


def _by(clouds: Clouds, estimator: Estimator) -> Quantities:
    """Measure by the estimator; its module is loaded here."""
    from infoplane.estimators import _random_gaussians, _random_kernels, _random_neighbors
    from infoplane.estimators.binning import Binning
    from infoplane.estimators.gaussian import Gaussian
    from infoplane.estimators.kde import Kde
    from infoplane.estimators.neighbors import Ross

    if isinstance(estimator, Binning):
        return bins.measure(clouds, estimator)
    if isinstance(estimator, Kde):
        return _random_kernels.measure(clouds, estimator)
    if isinstance(estimator, Ross):
        return _random_neighbors.measure(clouds, estimator)
    assert isinstance(estimator, Gaussian)
    return _random_gaussians.measure(clouds, estimator)


def _known(clouds: Clouds) -> Quantities | None:
    """Return what needs no measuring: clouds that are not finite, or all one point."""
    bad = int(clouds.t.size - np.isfinite(clouds.t).sum())
    if bad:
        known = _settled(math.nan, "non-finite", f"{bad} of {clouds.t.size} activations are not finite")
    elif (clouds.rows == clouds.rows[:1]).all():
        known = _settled(0.0, "constant", "every input has the same activations in every sample")
    else:
        return None
    return known, None if clouds.labels is None else known


def _settled(bits: float, flag: str, reason: str) -> Quantity:
    return Quantity(bits, None if math.isnan(bits) else 0.0, notes={flag: reason})


def _estimate(
    quantity: Quantity, clouds: Clouds, estimator: Estimator, dims: tuple[int, ...], seconds: float
) -> Estimate:
    """Put a quantity into the record that all estimators give."""
    part = f"means over {len(clouds.queries)} of {clouds.size} rows" if len(clouds.queries) < clouds.size else ""
    return Estimate(
        bits=quantity.bits,
        std_error=quantity.std_error,
        interval=quantity.interval(clouds.n_weights - 1),
        lower=quantity.lower,
        upper=quantity.upper,
        kind=quantity.kind,
        n=clouds.size,
        dims=dims,
        flags=frozenset(quantity.notes),
        reason="; ".join(text for text in (quantity.reason, part) if text),
        estimator=estimator.name,
        params=estimator.params,
        seconds=seconds,
    )


@dataclasses.dataclass(frozen=True)
class AgainstSamples:
    """Estimates from fewer and fewer samples of the weights, and what they tend to with infinitely many.

    Attributes:
        samples: numbers M of samples, descending, the first all of them.
        input: I(X;T) from so many, in bits, mean over parts.
        label: I(T;Y) likewise, or None without labels.
        limit: the values at 1/M = 0 of straight lines in 1/M, with standard errors and 95 % intervals.
    """

    samples: Float[np.ndarray, " size"]
    input: Float[np.ndarray, " size"]
    label: Float[np.ndarray, " size"] | None
    limit: LayerInformation


def against_samples(
    t: Any,
    y: Any = None,
    estimator: Any = "ross",
    *,
    queries: Any = None,
    seed: Any = 0,
    input_ids: Any = None,
    **params: Any,
) -> AgainstSamples:
    """Follow `as_if_random` against the number M of samples of the weights, and fit its limit at 1/M → 0.

    The samples are divided at random into 2, 3 and 4 disjoint parts (twice each), each of which is measured. A line in
    1/M through the means of the parts and the whole, by least squares, is read at 0. What remains of an estimate's bias
    of order 1/M, the commonest kind, is gone there; without bias the limit is the estimate with a larger error.

    The standard error holds two things: the variance of the estimate on all samples, from the scatter B/M between the
    disjoint parts, and what chance in the divisions does to the line. About three times the cost of one measurement.

    Misleads when: M/4 samples are so few that the bias is no longer of order 1/M (bins with a sample each, many units):
    then the points do not lie on a line, and the limit is only nearer to the truth than the estimate.

    Arguments are those of `as_if_random`; ``queries`` is the number of rows of every part.

    Raises:
        InputError: as `as_if_random`, and for fewer than 8 samples, of which a quarter would be one.

    Example:
        >>> import numpy as np
        >>> from infoplane.estimators.as_if_random import against_samples
        >>> t = np.random.default_rng(0).standard_normal((64, 32, 1))  # one cloud for all: 0 bits
        >>> found = against_samples(t, estimator="binning", correction="none", low=-4, high=4)
        >>> found.samples.tolist(), bool(abs(found.limit.input.bits) < found.input[0])
        ([64.0, 32.0, 21.333333333333332, 16.0], True)
    """
    measure = _build(estimator, params)
    clouds = as_clouds(t, y, input_ids, queries, seed)
    if clouds.n_weights < 2 * max(PARTS):
        raise InputError(
            f"t holds {clouds.n_weights} samples of the weights; expected at least {2 * max(PARTS)}, so that a quarter "
            "of them is more than one; measure these with infoplane.as_if_random"
        )
    whole = _measured(clouds, measure)
    found = {1: [[whole]]} | {
        m: [
            [_measured(clouds.take(weights, queries, seed), measure) for weights in division]
            for division in _divisions(clouds.n_weights, m, int(seed))
        ]
        for m in PARTS[1:]
    }
    sizes = clouds.n_weights / np.array(PARTS)
    of_input = {m: np.array([[part.input.bits for part in division] for division in own]) for m, own in found.items()}
    if whole.label is None:
        return AgainstSamples(sizes, _per_size(of_input), None, LayerInformation(_limit(whole.input, of_input), None))
    of_label = {
        m: np.array([[math.nan if part.label is None else part.label.bits for part in division] for division in own])
        for m, own in found.items()
    }
    limit = LayerInformation(_limit(whole.input, of_input), _limit(whole.label, of_label))
    return AgainstSamples(sizes, _per_size(of_input), _per_size(of_label), limit)


def _divisions(n: int, m: int, seed: int) -> list[list[np.ndarray]]:
    """Divide n samples into m disjoint parts, in several ways."""
    orders = [np.random.default_rng([seed, m, repeat]).permutation(n) for repeat in range(REPEATS)]
    return [[np.sort(part) for part in np.array_split(order, m)] for order in orders]


def _per_size(bits: Mapping[int, Float[np.ndarray, "repeat part"]]) -> Float[np.ndarray, " size"]:
    return np.array([float(own.mean()) for own in bits.values()])


def _limit(whole: Estimate, bits: Mapping[int, Float[np.ndarray, "repeat part"]]) -> Estimate:
    """Read the line through the means of parts at none; its weights sum to 1."""
    from infoplane.estimators.uncertainty import Spread

    parts = {m: own for m, own in bits.items() if m > 1}
    weights = np.linalg.pinv(np.vander(np.array(list(bits)), 2))[1]
    value = float(weights @ _per_size(bits))
    freedom = sum(own.shape[0] * (m - 1) for m, own in parts.items())
    variance = sum(float((m - 1) / m * own.var(axis=1, ddof=1).sum()) for m, own in parts.items()) / freedom
    # All means share the samples, so what is common to them varies as the estimate itself does; what differs shows
    # in the scatter between divisions.
    scatter = np.array([own.mean(axis=1).var(ddof=1) / len(own) for own in parts.values()])
    error, low, high = Spread(variance, freedom).interval(value, also=float(weights[1:] ** 2 @ scatter))
    words = f"{whole.bits - value:+.4g} bits taken off {digits(whole.bits)} by a line in 1/M"
    reason = "; ".join(text for text in (whole.reason, words) if text)
    return dataclasses.replace(
        whole, bits=value, std_error=error, interval=(low, high), lower=None, upper=None, reason=reason
    )
