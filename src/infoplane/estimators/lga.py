"""Local Gaussian approximation: a Gaussian fitted around every sample, jointly and for each variable."""

import dataclasses
import math
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError
from infoplane.estimators import _covariance as covariance
from infoplane.estimators._gaussian_fit import SHORT_OF_NEAR, not_normal
from infoplane.estimators._lga_fit import log_densities
from infoplane.estimators._lga_moments import Indices, Points, moments
from infoplane.estimators._neighbors_scale import scaled, wild_words
from infoplane.estimators.copula import normal_scores
from infoplane.estimators.neighbors import Ksg1, check_enough, check_neighbors
from infoplane.estimators.pair import PairEstimator, PairValue, Variable, nothing_to_tell

_LN2 = math.log(2.0)

_PAIRS = 3
"""Canonical pairs that are kept where there are more than twice as many coordinates in all."""

_TIES_SHARE = 0.01
"""Share of samples with copies above which the flag ``ties`` is raised."""

_SAME = 1e-13
"""Distance, in standard deviations, below which samples are copies: what rounding makes of 0."""

_THIN = 0.02
"""Typical ratio of the smallest to the largest variance of a few neighbours below which they lie on a surface.

Measured: .045 and more for Gaussian, uniform and Cauchy samples in 2 to 5 dimensions from 60 samples on; .009 and less
for a spiral and for a surface in 3 dimensions."""

_CHANGE, _CHANGE_SHARE, _CHANGE_ERRORS = 0.07, 0.1, 4.0
"""Nats, share of the value and standard errors by which the value may change with twice as many neighbors. Normals of
150 to 1000 samples changed by at most 0.03 nats, y = sin 3x by 0.2 to 0.7."""

_CHECKED = 200
"""Samples at which that is measured."""

Notes = list[tuple[str, str]]
"""Flags (or "" where none is due) with their amounts in words."""


@dataclasses.dataclass(frozen=True)
class _Sides:
    """Both variables made ready.

    Attributes:
        x, y: uncorrelated coordinates with variance 1, canonical pairs first.
        linear: information in nats that goes to the coordinates left out.
        notes: what was left out.
        spanned: for either side, whether none of its coordinates is a linear combination of others.
    """

    x: Float[np.ndarray, "sample dim_x"]
    y: Float[np.ndarray, "sample dim_y"]
    linear: float
    notes: Notes
    spanned: tuple[bool, bool]


@dataclasses.dataclass(frozen=True)
class Lga(PairEstimator):
    """Information between continuous variables by local Gaussian approximation.

    Around each sample i the density is taken as a Gaussian, normalised, with a mean and a covariance of its own: those
    that maximise the local likelihood

        L(μ, Σ) = 1/(N−1) Σ_{j≠i} K_h(x_j − x_i) ln N(x_j; μ, Σ) − ∫ K_h(t − x_i) N(t; μ, Σ) dt

    with a Gaussian kernel K_h; then f(x_i) = N(x_i; μ, Σ) and I = ⟨ln f(x_i, y_i) − ln f(x_i) − ln f(y_i)⟩. On Gaussian
    data the model is right whatever h is; for h → ∞ the value becomes that of ``gaussian``. So strong and elongated
    dependence, where neighbours give up, costs nothing in itself.

    Each side is made uncorrelated with variance 1 first: where coordinates are taken as they are, any linear map of
    either side leaves the value but for rounding. h is the Euclidean distance to the k-th neighbour **in the joint
    space, for all three densities**, so that their smoothing errors cancel: with a bandwidth of its own for each
    density the error for 3 × 3 normals was ten times as large. The sample itself is left out. The fit starts where a
    free amplitude has its closed form and goes on by damped Newton steps.

    **More than 6 coordinates in all**: the first 3 canonical pairs (the linear combinations that correlate most) are
    measured; what the other pairs say is added as if they were Gaussian, and the Gaussian's finite-sample bias is
    taken off. ``reason`` says so.

    Args:
        k: neighbours that set the bandwidth. Larger k has less scatter and smooths more: 25 is a compromise, 15 suits
            fine structure with many samples, 50 smooth data. Below 10 many fits have flat directions.
        marginals: ``"normal"`` makes each coordinate normal by its ranks first, which leaves the information but takes
            away sharp edges, gaps between modes and heavy tails of single coordinates. Linear maps that mix
            coordinates then change the value; increasing maps of single coordinates do not. Ranks cannot tell more
            than the sample size: 0.24 of 4.26 nats are missing at ρ = 0.9999 and 500 samples. ``"auto"`` does so with
            coordinates that are clearly not normal (Kolmogorov's distance above 0.03 and 1.5/√N), none of which is a
            linear combination of others; ``"as-is"`` with none.

    Range: any value; raw values of independent data scatter around a small positive bias (0.03 bits at 1000 samples of
    1 × 1 coordinates with k = 25). Infinite (flag ``manifold``) where a linear combination of y is one of x.

    Flags:
        ``manifold`` with NaN: the samples of x alone, or of y alone, lie on a curve or surface: no density.
        ``manifold`` also where coordinates of one side depend linearly on each other; they are left out, which is
        exact. ``ties``: more than 1 % of the samples have copies in x or in y; NaN where a sample has k copies of
        the pair. ``k-dependent``: twice as many neighbors give another value, or ksg1 gives more: the local Gaussians
        do not follow the dependence, and the truth is probably higher. ``outliers``: as `Ksg1`; these values are moved
        to 1000 standard deviations of the other samples. ``high-dimension``: more than 6 coordinates, see above.
        ``constant``: 0 bits.
        ``reason`` counts fits that have not converged after 200 steps, and samples more than 4 standard deviations
        off all their neighbours, whose covariance is widened to reach them.

    When it misleads:
        Sharp edges and gaps between modes of several coordinates together are no local Gaussians, nor are those of
        single coordinates as they are: errors of about 0.1 bits at thousands of samples, where neighbours have less.
        Non-linear dependence finer than the neighbourhoods is
        underestimated, by 0.5 of 1.5 bits for spirals in 3 × 3 dimensions. With a fixed k the small bias upwards does
        not vanish for many samples: 1 × 1 normals of 10 000 samples were 0.05 bits too high with k = 25, 0.01 with
        k = 100. Fits that are then reported as not converged move the value by less than 0.0001. Outliers of heavy
        tails are kept in bounds, but measured as Gaussians. Above 6 coordinates non-linear dependence outside the
        first canonical pairs is not seen.

    Cost: time N² d² for the kernel, less where N is large in few dimensions, and N d⁶ for each of about 20 to 100
    Newton steps; memory N d².

    References:
        S. Gao, Ver Steeg & Galstyan 2015, "Estimating mutual information by local Gaussian approximation"; W. Gao, Oh &
        Viswanath 2016 (closed form); Loader 1996 (local likelihood).

    Example:
        >>> import numpy as np, infoplane as ip
        >>> from infoplane.estimators.lga import Lga
        >>> x, noise = np.random.default_rng(1).standard_normal((2, 1000))
        >>> print(f"{Lga()(x, x + 0.001 * noise).bits:.1f} of {np.log2(1e6 + 1) / 2:.1f} bits")
        9.9 of 10.0 bits
    """

    k: int = 25
    marginals: Literal["auto", "as-is", "normal"] = "auto"
    name: ClassVar[str] = "lga"
    kinds: ClassVar[tuple[str, ...]] = ("continuous",)

    def __post_init__(self) -> None:
        check_neighbors(self.name, self.k, "euclidean")
        if self.marginals not in ("auto", "as-is", "normal"):
            raise InputError(f"marginals is {self.marginals!r}; expected 'auto', 'as-is' or 'normal'")

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) in bits; see the class."""
        check_enough(self.name, self.k, x.n)
        known = nothing_to_tell(x, y)
        if known is not None:
            return known
        (x, n_wild_x), (y, n_wild_y) = _without_far(x), _without_far(y)
        words = wild_words(n_wild_x + n_wild_y)
        wild = [("outliers", words)] if words else []
        sides = _sides(x.values, y.values)
        notes = [*sides.notes, *_ties(x, y), *wild]
        if math.isinf(sides.linear):
            return _value(math.inf, notes)
        (left, n_left), (right, n_right) = map(self._tamed, (x, y), sides.spanned)
        if n_left + n_right:
            sides = _sides(left, right)
            notes = [
                *sides.notes,
                *_ties(x, y),
                *wild,
                ("", f"{n_left + n_right} coordinates made normal by their ranks"),
            ]
        surfaces = [*_surface("x", sides.x), *_surface("y", sides.y)]
        if surfaces:
            return _value(math.nan, [*notes, *surfaces])
        bandwidth = neighbor_distance(np.hstack([sides.x, sides.y]), self.k)
        copies = int((bandwidth <= _SAME).sum())
        if copies:
            words = f"{copies} samples have {self.k} copies or more: the density is infinite there; use mixed-ksg"
            return _value(math.nan, [*notes, ("ties", words)])
        ratios, fitted = local_information(sides.x, sides.y, bandwidth)
        smooth = _too_smooth(sides.x, sides.y, self.k, ratios)
        return _value(math.fsum(ratios) / x.n + sides.linear, [*notes, *smooth, *fitted])

    def _tamed(self, side: Variable, spanned: bool) -> tuple[Points, int]:
        """Return the coordinates, those made normal by their ranks that are asked for, and how many these are.

        None where coordinates depend linearly on each other (``spanned`` is False), which ranks would hide.
        """
        if self.marginals == "as-is" or not spanned:
            return side.varying, 0
        tamed = normal_scores(side).values
        chosen = not_normal(side.varying) if self.marginals == "auto" else np.full(tamed.shape[1], True)
        return np.where(chosen, tamed, side.varying), int(chosen.sum())


def _without_far(side: Variable) -> tuple[Variable, int]:
    """Move wild values to a distance that squares can hold; return the variable unchanged if it has none."""
    found = scaled(side.varying)
    return (dataclasses.replace(side, values=found.in_units), found.n_wild) if found.n_wild else (side, 0)


def local_information(
    x: Float[np.ndarray, "sample dim_x"],
    y: Float[np.ndarray, "sample dim_y"],
    bandwidth: Float[np.ndarray, " row"],
    rows: Indices | None = None,
) -> tuple[Float[np.ndarray, " row"], Notes]:
    """Return ln f(x,y)/f(x)f(y) at some samples, by default all, and what to say of the fits.

    Args:
        x: coordinates.
        y: coordinates of the same samples.
        bandwidth: width of the kernel around each of ``rows``.
        rows: numbers of the samples at which Gaussians are fitted.
    """
    found = [moments(points, bandwidth, rows) for points in (x, y, np.hstack([x, y]))]
    of_x, of_y, of_both = (log_densities(one) for one in found)
    left, off = of_x[1] + of_y[1] + of_both[1], found[2].n_outlying
    notes = [("", f"{left} of {3 * len(bandwidth)} local fits have not converged")] if left else []
    notes += [("", f"{off} samples are far from all others and widen their covariance")] if off else []
    return of_both[0] - of_x[0] - of_y[0], notes


def neighbor_distance(points: Points, k: int, rows: Indices | None = None) -> Float[np.ndarray, " row"]:
    """Euclidean distance of some samples, by default all, to their k-th neighbour."""
    from scipy.spatial import KDTree

    return np.asarray(KDTree(points).query(points if rows is None else points[rows], k + 1, workers=-1)[0])[:, -1]


def _too_smooth(
    x: Float[np.ndarray, "sample dim_x"],
    y: Float[np.ndarray, "sample dim_y"],
    k: int,
    ratios: Float[np.ndarray, " sample"],
) -> Notes:
    """Say so where the local Gaussians do not follow the dependence.

    Their information does not depend on the bandwidth where they fit. It is measured again with twice as many
    neighbors at some samples; and neighbors alone, which find less than there is, must not find more.

    Args:
        x: coordinates.
        y: coordinates of the same samples.
        k: neighbors that set the bandwidth.
        ratios: ln f(x,y)/f(x)f(y) at all samples.
    """
    n, nats = len(x), float(ratios.mean())
    near = Ksg1().between(Variable(x, False), Variable(y, False)).bits * _LN2
    if near > nats + SHORT_OF_NEAR / math.sqrt(n):
        words = f"ksg1 gives {near / _LN2:.2f} bits and the local Gaussians {nats / _LN2:.2f}"
        return [("k-dependent", f"{words}: they do not follow the dependence; use ksg1 or lnc")]
    rows, wide = np.arange(0, n, -(-n // _CHECKED)), min(2 * k, n - 1)
    bandwidth = neighbor_distance(np.hstack([x, y]), wide, rows)
    change = ratios[rows] - local_information(x, y, bandwidth, rows)[0]
    mean, error = float(change.mean()), float(change.std()) / math.sqrt(len(rows))
    if abs(mean) <= max(_CHANGE + _CHANGE_SHARE * abs(nats), _CHANGE_ERRORS * error):
        return []
    words = f"{abs(mean) / _LN2:.2f} bits {'less' if mean > 0 else 'more'} with {wide} neighbors than with {k}"
    return [("k-dependent", f"{words}: the local Gaussians do not follow the dependence; use ksg1, lnc or a smaller k")]


def _sides(x: Float[np.ndarray, "sample dim_x"], y: Float[np.ndarray, "sample dim_y"]) -> _Sides:
    """Turn both sides into uncorrelated coordinates, those first that correlate most with the other side."""
    n, left, right = len(x), covariance.standardise(x), covariance.standardise(y)
    factor, dim_x = covariance.triangular(np.hstack([left.columns, right.columns])), left.columns.shape[1]
    span_x = covariance.basis(factor[:, :dim_x], left.rounding)
    span_y = covariance.basis(factor[:, dim_x:], right.rounding)
    if n <= span_x.rank + span_y.rank + 1:
        raise InputError(
            f"x and y have {span_x.rank} and {span_y.rank} independent coordinates and {n} rows; expected more rows "
            "than coordinates; reduce the dimension, or use gaussian with shrinkage='ledoit-wolf'"
        )
    turn_x, _, turn_y = np.linalg.svd(span_x.vectors.T @ span_y.vectors)
    kept_x, kept_y, linear, notes = _canonical(n, span_x, span_y)
    return _Sides(
        x=left.columns @ (span_x.transform @ turn_x[:, :kept_x]) * math.sqrt(n),
        y=right.columns @ (span_y.transform @ turn_y[:kept_y].T) * math.sqrt(n),
        linear=linear,
        notes=[*_dependent("x", left, span_x), *_dependent("y", right, span_y), *notes],
        spanned=(span_x.rank == left.columns.shape[1], span_y.rank == right.columns.shape[1]),
    )


def _canonical(n: int, span_x: covariance.Basis, span_y: covariance.Basis) -> tuple[int, int, float, Notes]:
    """How many canonical coordinates of each side are kept, what the others say in nats, and what there is to note."""
    ranks = span_x.rank, span_y.rank
    sines = np.sort(covariance.remaining(span_y, span_x))  # ascending: those that correlate most come first
    lost = int((sines <= span_x.error + span_y.error).sum())
    if lost:
        words = f"{lost} linear combinations of y are determined by x: the information is infinite"
        return *ranks, math.inf, [("manifold", words)]
    if sum(ranks) <= 2 * _PAIRS:
        return *ranks, 0.0, []
    kept = min(_PAIRS, *ranks)
    linear = -float(np.log(sines[kept:]).sum()) - _gaussian_bias(n, ranks) / 2
    words = (
        f"{ranks[0]} and {ranks[1]} coordinates: the first {kept} canonical pairs locally, "
        f"{linear / _LN2:.2g} bits for the others as Gaussians"
    )
    return kept, kept, linear, [("high-dimension", words)]


def _dependent(side: str, scaled: covariance.Standardised, span: covariance.Basis) -> Notes:
    """Say how many coordinates are linear combinations of the others."""
    dims = scaled.columns.shape[1]
    return [("manifold", f"the {dims} coordinates of {side} span {span.rank} dimensions")] if span.rank < dims else []


def _gaussian_bias(n: int, ranks: tuple[int, int]) -> float:
    """Twice the expected error of the information of Gaussian samples, in nats."""
    of_x, of_y, of_both = (covariance.log_determinant_bias(n, rank) for rank in (*ranks, sum(ranks)))
    return of_x + of_y - of_both


def _surface(side: str, points: Points) -> Notes:
    """Say so where a few neighbours of a sample lie on a curve or surface."""
    from scipy.spatial import KDTree

    n, dim = points.shape
    if dim == 1:
        return []
    near = points[KDTree(points).query(points, min(2 * dim + 2, n), workers=-1)[1]]
    near -= near.mean(axis=1, keepdims=True)
    variances = np.linalg.eigvalsh(near.transpose(0, 2, 1) @ near)
    varying = variances[:, -1] > (_SAME * _SAME)
    ratio = float(np.median(variances[varying, 0] / variances[varying, -1])) if varying.any() else 1.0
    if ratio >= _THIN:
        return []
    words = f"neighbours in {side} lie on a curve or surface, {max(ratio, 0.0):.1g} of their variance across it"
    return [("manifold", f"{words}: there is no density; use ksg1")]


def _ties(x: Variable, y: Variable) -> Notes:
    """Say how many samples have copies in x or in y."""
    copied = np.zeros(x.n, bool)
    for side in (x, y):
        _, place, times = np.unique(side.values, axis=0, return_inverse=True, return_counts=True)
        copied |= times[place.ravel()] > 1
    share = float(copied.mean())
    return [("ties", f"{share:.0%} of the samples equal another one in x or y")] if share > _TIES_SHARE else []


def _value(nats: float, notes: Notes) -> PairValue:
    """Turn nats into bits, and notes into flags and the reason."""
    flags = frozenset(flag for flag, _ in notes if flag)
    return PairValue(float(nats) / _LN2, flags, "; ".join(text for _, text in notes))
