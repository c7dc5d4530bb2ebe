"""Entropy of symbols that were counted, with corrections for how few were counted; all in bits.

The plug-in entropy of counts n_1 … n_K is −Σ p̂ log2 p̂ with p̂ = n/N. It is too low by about
(K−1)/(2N ln 2) bits, and never exceeds log2 N however rich the variable is. Each correction below repairs
the first failing under its own assumption; none of them repairs the second once nearly every sample is a
symbol of its own.
"""

import dataclasses
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer, Num

from infoplane._arrays import Codes, to_numpy
from infoplane.errors import InputError, did_you_mean
from infoplane.estimators.sorting import CellCounts, Runs, count_cells, sorted_counts

MAX_ALPHABET = 1e100
"""Largest alphabet a correction accepts; the arithmetic of NSB is checked up to here."""

_LN2 = math.log(2.0)


@dataclasses.dataclass(frozen=True)
class _Tally:
    """Equal counts grouped: ``times[g]`` symbols were seen ``sizes[g]`` times each."""

    sizes: Float[np.ndarray, " size"]
    times: Float[np.ndarray, " size"]
    alphabet: float

    @property
    def n(self) -> float:
        """Number of samples."""
        return self.sum(self.sizes)

    @property
    def seen(self) -> float:
        """Number of symbols that were seen."""
        return float(self.times.sum())

    def sum(self, values: Float[np.ndarray, " size"]) -> float:
        """Sum over the seen symbols of what depends on their count only."""
        return float(self.times @ values)


def entropy_of_counts(counts: Any, correction: str = "none", alphabet: int | None = None) -> float:
    """Entropy of a variable whose symbols were counted, in bits.

    Args:
        counts: how often each symbol was seen, whole numbers of any shape; zeros are symbols not seen.
        correction: one of `CORRECTIONS`.
            ``none``: the plug-in value; too low while samples are few.
            ``miller-madow``: adds (K−1)/2N nats for the K seen symbols; too low if many are unseen.
            ``james-stein``: plug-in after shrinking towards the uniform distribution (needs K).
            ``grassberger``: the 2003 form; nearly unbiased at moderate N, may go slightly below 0.
            ``chao-shen``: reweights by the coverage estimated from symbols seen once.
            ``nsb``: Bayes mean under a prior nearly flat in entropy (needs K; slowest).
        alphabet: the number K of symbols there could be, for ``james-stein`` and ``nsb``; by default the
            number seen, which is too few for a sparse joint table: give the product of the alphabets there.

    Returns:
        The estimate, raw: never clipped to 0 or to log2 K.

    Raises:
        InputError: for an unknown correction, counts that are empty, negative, not whole or all 0, and an
            alphabet smaller than the number of symbols seen.

    References:
        Miller 1955; Hausser & Strimmer 2009; Grassberger 2003, arXiv physics/0307138; Chao & Shen 2003;
        Nemenman, Shafee & Bialek 2002.

    >>> round(entropy_of_counts([10, 5, 3, 1, 1]), 6)
    1.842738
    >>> round(entropy_of_counts([10, 5, 3, 1, 1], "nsb", alphabet=10), 4)
    2.0849
    """
    check_correction(correction)
    return _entropy(_as_counts(counts), correction, alphabet)


def check_correction(correction: str) -> None:
    """Refuse a name that is not in `CORRECTIONS`, with the nearest that is."""
    if correction not in _FORMULAS:
        raise InputError(f"correction '{correction}' is not known{did_you_mean(correction, CORRECTIONS)}")


def _as_counts(value: Any) -> Float[np.ndarray, " symbol"]:
    """Return the counts above 0 as floats, refusing what cannot be counts."""
    array = to_numpy(value, "counts").ravel()
    if array.size == 0:
        raise InputError("counts is empty; expected how often each symbol was seen, at least one number")
    if array.dtype.kind not in "iuf":
        raise InputError(f"counts has dtype {array.dtype}; expected whole numbers, one for each symbol")
    floats = array.astype(np.float64)
    broken = floats[~(np.isfinite(floats) & (floats == np.rint(floats)))]
    if broken.size:
        raise InputError(f"counts holds {broken[0]}; expected whole numbers; multiply shares by N")
    if floats.min() < 0:
        raise InputError(f"counts holds {floats.min():.0f}; expected numbers that are 0 or more")
    if floats.max() == 0:
        raise InputError("counts are all 0; expected at least one symbol that was seen")
    return floats[floats > 0]


def _check_alphabet(alphabet: int | None, seen: int) -> None:
    """Refuse an alphabet that is smaller than what was seen, or too large to compute with."""
    if alphabet is not None and (not seen <= alphabet <= MAX_ALPHABET or alphabet % 1):
        raise InputError(
            f"alphabet is {alphabet}; expected the whole number of possible symbols, at least the {seen} "
            f"seen and at most {MAX_ALPHABET:g}; leave it out to use the number seen"
        )


def _entropy(counts: Num[np.ndarray, " symbol"], correction: str, alphabet: int | None) -> float:
    """Entropy of checked counts that are all above 0, in bits."""
    _check_alphabet(alphabet, len(counts))
    sizes, times = np.unique(counts, return_counts=True)
    symbols = float(len(counts) if alphabet is None else alphabet)
    tally = _Tally(sizes.astype(np.float64), times.astype(np.float64), symbols)
    return _FORMULAS[correction](tally) + 0.0  # −0.0 + 0.0 is 0.0


def _plug_in(tally: _Tally) -> float:
    """−Σ p̂ log2 p̂, written so that one symbol gives exactly 0."""
    n = tally.n
    return (n * float(np.log2(n)) - tally.sum(tally.sizes * np.log2(tally.sizes))) / n


def _miller_madow(tally: _Tally) -> float:
    """Plug-in plus (K−1)/2N nats for K seen symbols."""
    return _plug_in(tally) + (tally.seen - 1) / (2 * tally.n * _LN2)


def _james_stein(tally: _Tally) -> float:
    """Plug-in of λ/K + (1−λ)p̂ over all K symbols, λ estimated (Hausser & Strimmer 2009)."""
    p, k, unseen = tally.sizes / tally.n, tally.alphabet, tally.alphabet - tally.seen
    variance = 1 - tally.sum(p**2)
    distance = (tally.n - 1) * (tally.sum((p - 1 / k) ** 2) + unseen / k**2)
    shrink = 1.0 if distance <= variance else max(variance / distance, 0.0)
    p = shrink / k + (1 - shrink) * p
    of_unseen = unseen * (shrink / k) * math.log2(shrink / k) if shrink > 0 else 0.0
    return -tally.sum(p * np.log2(p)) - of_unseen


def _grassberger(tally: _Tally) -> float:
    """Log N − (1/N) Σ n G(n) with G(n) = ψ(⌊n/2⌋ + 1/2) + ln 2.

    That is Grassberger's ψ(n) + ½(−1)^n [ψ((n+1)/2) − ψ(n/2)] of 2003: both are −γ − ln 2 at n = 1, and for
    both G(2m+1) = G(2m) = G(2m−1) + 2/(2m−1).
    """
    from scipy.special import digamma

    g = digamma(np.floor(tally.sizes / 2) + 0.5) + _LN2
    return (math.log(tally.n) - tally.sum(tally.sizes * g) / tally.n) / _LN2


def _chao_shen(tally: _Tally) -> float:
    """Horvitz–Thompson sum over p = C p̂ with coverage C = 1 − (symbols seen once)/N (Chao & Shen 2003)."""
    n = tally.n
    once = float(tally.times[tally.sizes == 1].sum())
    coverage = 1 - min(once, n - 1) / n  # no symbol twice: as if one had not been seen once
    p = coverage * tally.sizes / n
    with np.errstate(divide="ignore"):  # log1p(−1): a single symbol is certain to be seen
        p_seen = -np.expm1(n * np.log1p(-p))
    return -tally.sum(p * np.log2(p) / p_seen)


# NSB mixes Dirichlet priors of concentration β so that their mean entropy ξ(β) = ψ(Kβ+1) − ψ(β+1) is uniform
# on (0, ln K). The integral runs over u = ln β: both tails of the weight fall at least like e^{−|u|}, so a
# trapezoid rule over all that is within e^−40 of the peak converges faster than any power of the step.
_DROP, _POINTS, _MAX_POINTS = 40.0, 129, 1 << 13


def _nsb(tally: _Tally) -> float:
    """Posterior mean of the entropy (Nemenman, Shafee & Bialek 2002); doubles the grid until it stays."""
    if tally.alphabet == 1:
        return 0.0
    low, high = _nsb_window(tally)
    points, previous = _POINTS, math.inf
    while True:
        u = np.linspace(low, high, points)
        log_weight = _nsb_log_weight(u, tally)
        weight = np.exp(log_weight - log_weight.max())
        mean = float(weight @ _nsb_mean_entropy(np.exp(u), tally) / weight.sum())
        if abs(mean - previous) < 1e-10 or points > _MAX_POINTS:
            return mean / _LN2
        points, previous = 2 * points - 1, mean


def _nsb_window(tally: _Tally) -> tuple[float, float]:
    """Find the interval of ln β outside which the posterior weight is below e^−40 of its peak.

    The peak may be a thousandth of the first interval wide: the grid shrinks to the points near it, and one
    more on each side, until it no longer shrinks by half.
    """
    low = -math.log(tally.alphabet) - math.log(1 + math.log(tally.n)) - _DROP
    high = math.log(tally.n) + _DROP
    while True:
        u = np.linspace(low, high, _POINTS)
        log_weight = _nsb_log_weight(u, tally)
        near = np.flatnonzero(log_weight > log_weight.max() - _DROP)
        first, last = max(near[0] - 1, 0), min(near[-1] + 1, _POINTS - 1)
        low, high = float(u[first]), float(u[last])
        if last - first > _POINTS // 2:
            return low, high


def _nsb_log_weight(u: Float[np.ndarray, " grid"], tally: _Tally) -> Float[np.ndarray, " grid"]:
    """Log of the evidence of the counts at β = e^u times the prior density of u."""
    beta = np.exp(u)
    seen = _log_rising(beta[:, None], tally.sizes) @ tally.times
    total = _log_rising(beta * tally.alphabet, tally.n)
    return seen - total + np.log(_nsb_density(beta, tally.alphabet)) + u


def _nsb_density(beta: Float[np.ndarray, " grid"], alphabet: float) -> Float[np.ndarray, " grid"]:
    """dξ/dβ = K ψ₁(Kβ+1) − ψ₁(β+1).

    For large β both terms are near 1/β and the difference drowns in rounding: there the 1/β is taken out of
    the asymptotic series ψ₁(z+1) = 1/z − 1/2z² + 1/6z³ − 1/30z⁵ + ….
    """
    from scipy.special import polygamma

    def tail(z: np.ndarray) -> np.ndarray:
        return -((1 / z) ** 2) / 2 + (1 / z) ** 3 / 6 - (1 / z) ** 5 / 30

    far = np.maximum(beta, 100.0)
    near = alphabet * polygamma(1, alphabet * beta + 1) - polygamma(1, beta + 1)
    return np.where(beta < 100.0, near, alphabet * tail(alphabet * far) - tail(far))


def _nsb_mean_entropy(beta: Float[np.ndarray, " grid"], tally: _Tally) -> Float[np.ndarray, " grid"]:
    """E[H | counts, β] in nats, the empty symbols included."""
    from scipy.special import digamma

    total = tally.n + tally.alphabet * beta
    after = beta[:, None] + tally.sizes
    seen = (after * digamma(after + 1)) @ tally.times
    empty = (tally.alphabet - tally.seen) * beta * digamma(beta + 1)
    return digamma(total + 1) - (seen + empty) / total


def _log_rising(a: Float[np.ndarray, "*grid"], n: Any) -> Float[np.ndarray, "..."]:
    """Ln Γ(a+n) − ln Γ(a) for n ≥ 1, without subtracting large numbers when a is large.

    Above a = 100 by Stirling's series, whose first dropped term is below 1e-17 there.
    """
    from scipy.special import gammaln

    def tail(z: np.ndarray) -> np.ndarray:
        return (1 / z) / 12 - (1 / z) ** 3 / 360 + (1 / z) ** 5 / 1260

    far = np.maximum(a, 100.0)
    stirling = n * (np.log(far) - 1) + (far + n - 0.5) * np.log1p(n / far) + tail(far + n) - tail(far)
    near = np.minimum(a, 100.0)
    return np.where(a < 100.0, gammaln(near + n) - gammaln(near), stirling)


_FORMULAS: dict[str, Callable[[_Tally], float]] = {
    "none": _plug_in,
    "miller-madow": _miller_madow,
    "james-stein": _james_stein,
    "grassberger": _grassberger,
    "chao-shen": _chao_shen,
    "nsb": _nsb,
}

CORRECTIONS = tuple(_FORMULAS)
"""Names of the corrections of a discrete entropy."""


class CellInformation(NamedTuple):
    """H(T) and I(T;Y) (None without labels) of each layer in bits, and how many cells it fills."""

    input: Float[np.ndarray, " batch"]
    label: Float[np.ndarray, " batch"] | None
    n_cells: Integer[np.ndarray, " batch"]


def cell_information(
    codes: Integer[np.ndarray, "batch sample"],
    labels: Codes | None = None,
    n_classes: int = 0,
    correction: str = "none",
    alphabet: int | None = None,
) -> CellInformation:
    """H(T) and I(T;Y) of layers whose samples fall into cells, both from one sort, in bits.

    For a deterministic layer H(T) is I(X;T). I(T;Y) = H(T) + H(Y) − H(T,Y), each entropy corrected by itself;
    uncorrected, that is the plug-in H(T) − Σ p(y) H(T|Y=y), never below 0 but for rounding.

    Args:
        codes: which cell each sample of each layer falls into; any integers, equal ones are the same cell.
        labels: classes 0…C−1 of the samples, the same for every layer; None measures H(T) only.
        n_classes: C; the alphabet of Y.
        correction: one of `CORRECTIONS`.
        alphabet: how many cells a layer could fill, for ``james-stein`` and ``nsb``; by default as many as it
            does fill. The pair (T, Y) has ``n_classes`` times as many.

    Returns:
        One entry a layer. Under every correction a layer with one cell has exactly 0.0 for both quantities,
        and one class gives I(T;Y) = 0.0: a constant tells nothing, whatever a formula makes of its count.

    Raises:
        InputError: for an unknown correction, labels beyond ``n_classes``, or more cells than ``alphabet``.
    """
    return information_of_counts(count_cells(codes, labels, n_classes), correction, alphabet)


def information_of_counts(counted: CellCounts, correction: str, alphabet: int | None = None) -> CellInformation:
    """Turn counts into entropies; see `cell_information`."""
    check_correction(correction)
    n_classes, labels = counted.n_classes, counted.labels
    h_labels = 0.0 if labels is None else _label_entropy(labels, n_classes, correction)
    h_all, shared_all = [], []
    for cells, pairs in counted.blocks:
        _check_alphabet(alphabet, int(cells.per_row.max()))
        alphabets = [alphabet or int(filled) for filled in cells.per_row]
        h_cells = _row_entropies(cells, counted.n_samples, correction, alphabets)
        shared = np.zeros(len(h_cells))
        if pairs is not None and h_labels:  # labels of entropy 0 share nothing
            h_pairs = _row_entropies(pairs, counted.n_samples, correction, [k * n_classes for k in alphabets])
            shared = np.where(cells.per_row == 1, 0.0, h_cells + h_labels - h_pairs)
        h_all.append(h_cells)
        shared_all.append(shared)
    n_cells = np.concatenate([cells.per_row for cells, _ in counted.blocks]).astype(np.int64)
    return CellInformation(np.concatenate(h_all), None if labels is None else np.concatenate(shared_all), n_cells)


def information_of_labels(
    codes: Integer[np.ndarray, " sample"],
    labels: Integer[np.ndarray, "set sample"],
    n_classes: int,
    correction: str = "none",
) -> Float[np.ndarray, " set"]:
    """I(T;Y) of one layer with the same labels in several orders, in bits; the cells are numbered once.

    Args:
        codes: which cell each sample falls into.
        labels: classes 0…C−1 of the samples, one order a row.
        n_classes: C.
        correction: one of `CORRECTIONS`.
    """
    check_correction(correction)
    _, cells, counts = np.unique(codes, return_inverse=True, return_counts=True)
    n_cells, n_samples = len(counts), len(codes)
    if n_cells == 1:
        return np.zeros(len(labels))
    h_cells = float(_row_entropies(Runs(counts, np.array([n_cells])), n_samples, correction, [n_cells])[0])
    h_labels = _label_entropy(labels[0], n_classes, correction)
    alphabets = [n_cells * n_classes] * len(labels)
    pairs = _pair_counts(cells.reshape(-1), labels, n_cells, n_classes)
    return h_cells + h_labels - _row_entropies(pairs, n_samples, correction, alphabets)


def _pair_counts(
    cells: Integer[np.ndarray, " sample"], labels: Integer[np.ndarray, "set sample"], n_cells: int, n_classes: int
) -> Runs:
    """Count the samples of each pair of a cell and a class, for each row of labels; empty pairs are left out."""
    n_pairs = n_cells * n_classes
    if n_pairs <= 8 * len(cells):  # counting into a table is faster than sorting unless most of the table is empty
        counts = np.stack([np.bincount(cells * n_classes + row, minlength=n_pairs) for row in labels])
        return Runs(counts[counts > 0], np.count_nonzero(counts, axis=1))
    width = np.uint32 if n_pairs <= 2**32 else np.uint64
    pairs = cells.astype(width) * width(n_classes) + labels.astype(width)
    pairs.sort(axis=1)
    return sorted_counts(pairs)


def _row_entropies(runs: Runs, n_samples: int, correction: str, alphabets: list[int]) -> Float[np.ndarray, " row"]:
    """Entropy of each row in bits; exactly 0.0 for a row of one run."""
    first = np.cumsum(runs.per_row) - runs.per_row
    if correction == "none":
        table = _c_log2_c(n_samples)
        return (table[n_samples] - np.add.reduceat(table[runs.counts], first)) / n_samples
    rows = zip(np.split(runs.counts, first[1:]), alphabets, strict=True)
    return np.array([_entropy(row, correction, k) if len(row) > 1 else 0.0 for row, k in rows])


def _label_entropy(labels: Codes, n_classes: int, correction: str) -> float:
    """Entropy of the labels in bits."""
    counts = np.bincount(labels, minlength=n_classes)
    if len(counts) > n_classes:
        raise InputError(f"n_classes is {n_classes}; expected more than the largest label, {len(counts) - 1}")
    seen = Runs(counts[counts > 0], np.array([np.count_nonzero(counts)]))
    return float(_row_entropies(seen, len(labels), correction, [n_classes])[0])


@lru_cache(maxsize=4)
def _c_log2_c(n: int) -> Float[np.ndarray, " count"]:
    """c·log2 c for c = 0…n: a look-up costs a fifth of the logarithm."""
    c = np.arange(n + 1, dtype=np.float64)
    table = c * np.log2(np.maximum(c, 1))
    table.setflags(write=False)
    return table
