"""What makes an estimate from nearest neighbours suspect, with the amounts."""

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.special import digamma

from infoplane.estimators._neighbors_scale import wild_words
from infoplane.estimators._neighbors_space import AnySpace, Labels, Space
from infoplane.estimators._neighbors_sweep import Found
from infoplane.estimators.base import saturation_reason
from infoplane.estimators.pair import PairValue

LN2 = math.log(2.0)

TIES_SHARE = 0.01
"""Share of samples with copies or shared distances above which the flag ``ties`` is raised."""

CEILING_SHARE = 0.7
"""Share of the largest possible value above which ``ceiling`` is raised: on strongly dependent data the estimate
stops growing at about three quarters of it."""

COLLINEAR = 1e-10
"""Eigenvalue of the correlations of columns below which a combination of them is constant."""

_ENTRIES = 1 << 21
"""Distances looked at together."""

_STRONG = 1.0
"""Bits from which the estimate is compared with that of the nearest neighbor."""

_CHANGE, _CHANGE_ERRORS = 0.25, 6.0
"""``k-dependent`` is raised where k = 1 gives more by this many bits, or by this over √N, four standard errors."""

FILLED = 4.0
"""``high-dimension`` is raised where N < k·4^d with d the intrinsic dimension: then the k neighbours lie in a ball
that spans more than a quarter of the data in every direction, and the density is not constant within it."""


def mean_digamma(counts: Int[np.ndarray, " sample"]) -> float:
    """Mean of ψ over whole numbers, the same for every order of the samples."""
    times = np.bincount(counts)
    present = np.flatnonzero(times)
    return math.fsum(times[present] * digamma(present)) / len(counts)


def intrinsic_dimension(distances: Float[np.ndarray, "sample k"]) -> float:
    """Dimension of the data by maximum likelihood from the distances to k neighbours; NaN for k = 1.

    1/d = mean of ln(r_k/r_j) over samples and j < k (Levina and Bickel 2004, pooled over samples as MacKay and
    Ghahramani 2005 propose). Samples with copies, or with fewer than k neighbours, do not take part.
    """
    whole = np.flatnonzero((distances[:, 0] > 0) & np.isfinite(distances[:, -1]))
    if distances.shape[1] < 2 or not len(whole):
        return math.nan
    blocks = np.array_split(whole, math.ceil(len(whole) * distances.shape[1] / _ENTRIES))
    totals = [float(np.log(distances[rows, -1:] / distances[rows, :-1]).sum()) for rows in blocks]
    mean = math.fsum(totals) / (len(whole) * (distances.shape[1] - 1))
    return 1 / mean if mean > 0 else math.inf


def judged(bits: float, spaces: tuple[AnySpace, ...], found: Found, k: int, dropped: int = 0) -> PairValue:
    """Return the value of a pair with its flags and reasons.

    Args:
        bits: the estimate.
        spaces: the two variables.
        found: their neighbours.
        k: number of neighbours.
        dropped: samples left out since no other has their symbol.
    """
    labels = next((space for space in spaces if isinstance(space, Labels)), None)
    if all(isinstance(space, Labels) for space in spaces):
        words = _saturated(bits, spaces[0].n)
        return PairValue(bits, frozenset({"saturated"} if words else ()), words)
    notes = {
        "ties": _ties(spaces, found, k),
        "outliers": wild_words(sum(space.n_wild for space in spaces if isinstance(space, Space))),
        "manifold": _dependent(spaces),
        "small-class": "" if labels is None else small_classes(labels, k, dropped),
        "ceiling": _ceiling(bits, spaces[0].n, k) if labels is None else "",
        "saturated": _saturated(bits, spaces[0].n),
        "k-dependent": _depends_on_k(bits, spaces, found, k),
        "high-dimension": _high_dimension(found, k, _n_around(spaces, labels), sum(space.dims for space in spaces)),
    }
    raised = {flag: words for flag, words in notes.items() if words}
    return PairValue(bits, frozenset(raised), "; ".join(raised.values()))


def dependent_columns(points: Float[np.ndarray, "sample dim"]) -> str:
    """Say how many columns are copies or linear combinations of the others, or nothing.

    Eigenvalues of the correlations below 10⁻¹⁰ count: a combination holds up to 10⁻⁵ of its spread, far below the
    distances of neighbors.
    """
    n, dims = points.shape
    if dims < 2 or n <= 2 * dims:
        return ""
    centered = points - points.mean(axis=0)
    centered /= np.maximum(np.sqrt((centered**2).mean(axis=0)), np.finfo(float).tiny)
    lacking = int((np.linalg.eigvalsh(centered.T @ centered / n) < COLLINEAR).sum())
    if not lacking:
        return ""
    return (
        f"{lacking} of {dims} columns are copies or linear combinations of the others, so there is no density; "
        "leave them out"
    )


def _ties(spaces: tuple[AnySpace, ...], found: Found, k: int) -> str:
    """Say how many samples have copies in a variable, or a k-th neighbour at the distance of the next."""
    wanted = np.isfinite(found.distances).sum(axis=1)
    tied = found.within > np.minimum(wanted, k)
    for space in spaces:
        if isinstance(space, Space):
            tied = tied | (space.others > 0)
    share = float(tied.mean())
    if share <= TIES_SHARE:
        return ""
    return f"{share:.0%} of the samples equal another one in x or y, or share their neighbour's distance with others"


def _dependent(spaces: tuple[AnySpace, ...]) -> str:
    """Say which variables have linearly dependent columns."""
    words = [dependent_columns(space.unit_points) for space in spaces if isinstance(space, Space)]
    return "; ".join(filter(None, words))


def small_classes(labels: Labels, k: int, dropped: int) -> str:
    """Say how many classes have too few samples for k neighbours, or nothing."""
    counts = np.bincount(labels.codes)
    small = int(((counts > 0) & (counts <= k)).sum())
    parts = [f"{small} classes have at most k = {k} samples and use fewer neighbours"] if small else []
    parts += [f"{dropped} samples left out: the only ones of their class"] if dropped else []
    return "; ".join(parts)


def _ceiling(bits: float, n: int, k: int) -> str:
    """Say so where the value is near ψ(N) − ψ(k), which continuous data cannot exceed."""
    ceiling = float(digamma(n) - digamma(k)) / LN2
    if bits <= CEILING_SHARE * ceiling:
        return ""
    return f"{bits:.1f} of at most {ceiling:.1f} bits that {n} samples can show with k = {k}"


def _depends_on_k(bits: float, spaces: tuple[AnySpace, ...], found: Found, k: int) -> str:
    """Say so where the nearest neighbor alone gives much more, for two coordinates that depend strongly.

    Counting along lines costs little beside the search; with more coordinates it would double the time.
    """
    first, second = spaces
    if k == 1 or bits < _STRONG or not all(isinstance(space, Space) and space.dims == 1 for space in spaces):
        return ""
    nearest = found.distances[:, 0]
    if not (nearest > 0).all():
        return ""
    assert isinstance(first, Space) and isinstance(second, Space)
    alone, all_k = (_along_lines((first, second), found, number) for number in (1, k))
    least = min(bits, all_k)  # ksg2 lies above ksg1 where both are too low
    if alone - least <= max(_CHANGE, _CHANGE_ERRORS / math.sqrt(first.n)):
        return ""
    return (
        f"ksg1 gives {alone:.2f} bits with k = 1 and {least:.2f} with k = {k}: neighbors are farther apart than the "
        "dependence is wide, and the information is larger; use lnc or more samples"
    )


def _along_lines(spaces: tuple[Space, Space], found: Found, k: int) -> float:
    """Return what `Ksg1` gives in bits for two coordinates with so many of the neighbors."""
    radius = found.distances[:, k - 1]
    counts = [mean_digamma(space.count_on_line(radius, closed=False) + 1) for space in spaces]
    return float(digamma(k) + digamma(spaces[0].n) - sum(counts)) / LN2


def _saturated(bits: float, n: int) -> str:
    return saturation_reason(bits, math.log2(n), about="the number of samples, not the data")


def _n_around(spaces: tuple[AnySpace, ...], labels: Labels | None) -> float:
    """Number of samples among which a sample's neighbours are sought, on average."""
    return float(spaces[0].n) if labels is None else float(labels.others.mean()) + 1


def _high_dimension(found: Found, k: int, n: float, dims: int) -> str:
    # Equal distances on a grid look like many dimensions.
    dimension = min(intrinsic_dimension(found.distances), float(dims))
    if not dimension > math.log(n / k) / math.log(FILLED):
        return ""
    return f"intrinsic dimension {dimension:.1f} is too high for {n:.0f} samples: {samples_needed(dimension, k)}"


def samples_needed(dimension: float, k: int) -> str:
    """Give k·4^d, which no float can hold from 512 dimensions on."""
    exponent = math.log10(k) + dimension * math.log10(FILLED)
    return f"{k}·4^d = " + (f"{k * FILLED**dimension:.2g}" if exponent < 300 else f"1e{exponent:.0f}")
