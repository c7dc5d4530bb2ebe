"""Autocorrelation of both variables of a pair, and the effective number of independent rows.

Of two independent stationary series with autocorrelations ρ_x(l) and ρ_y(l) the sample correlation has the variance
(1 + 2 Σ_l ρ_x(l) ρ_y(l)) / N (Bartlett 1935), so N rows are worth N / (1 + 2 Σ) independent ones. Rows that are
autocorrelated in one variable only cost nothing.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from infoplane.estimators.pair import Variable

FEWEST = 40
"""Rows below which autocorrelation is not looked for."""

LARGEST_LAG, SHARE_OF_LAGS = 100, 8
"""Lags that are looked at: up to 100, and up to an eighth of the rows."""

COLUMNS = 16
"""Columns of a variable that are looked at, evenly spaced."""

COST = 0.25
"""Value of 2 Σ ρ_x ρ_y from which rows are called autocorrelated: standard errors are then 12 % too small."""

DEVIATIONS = 4.5
"""Standard deviations of 2 Σ ρ_x ρ_y of independent rows by which it must also exceed its mean."""

Columns = Float[np.ndarray, "sample column"]


class Dependence(NamedTuple):
    """How much rows of a pair depend on each other.

    Attributes:
        inflation: 1 + 2 Σ ρ_x(l) ρ_y(l), for the pair of columns where it is largest.
        noise: value of ``inflation`` that independent rows hardly ever exceed.
        lag: largest lag at which ρ_x ρ_y is above its noise, where ``inflation`` is largest.
        first: ρ_x(1) and ρ_y(1) there.
    """

    inflation: float
    noise: float
    lag: int
    first: tuple[float, float]

    @property
    def present(self) -> bool:
        """Whether rows depend on each other so much that it matters, beyond chance."""
        return self.inflation > self.noise


def row_dependence(x: Variable, y: Variable) -> Dependence | None:
    """Return how much the rows of a pair depend on each other; None if rows are too few or constant.

    The autocorrelation of coordinates is computed from their ranks, the autocorrelation of symbols from indicators.
    If a variable is discrete, the mean within each label is subtracted from the other variable: data that are grouped
    by class, but independent given the class, are not autocorrelated.
    """
    if x.n < FEWEST:
        return None
    sides = [_columns(x), _columns(y)]
    if y.discrete:
        sides[0] = _within(sides[0], y)
    elif x.discrete:
        sides[1] = _within(sides[1], x)
    lags = min(LARGEST_LAG, x.n // SHARE_OF_LAGS)
    found = [_autocorrelations(side, lags, pooled=v.discrete) for side, v in zip(sides, (x, y), strict=True)]
    if any(one.shape[1] == 0 for one in found):
        return None
    sums = 2 * found[0].T @ found[1]
    # Where one of the two is white, its ρ(l) are independent with variance 1/N, and Σ ρ_x ρ_y has the variance
    # Σ ρ²/N with the other's ρ. Equal columns of independent rows add the mean of ρ² at each lag, 1/N.
    powers = np.maximum.outer(*((one**2).sum(axis=0) for one in found))
    noise = 2 * lags / x.n + np.maximum(COST, DEVIATIONS * 2 * np.sqrt(powers / x.n))
    best = np.unravel_index(int((sums - noise).argmax()), sums.shape)
    own, other = found[0][:, best[0]], found[1][:, best[1]]
    above = np.flatnonzero(own * other < 4 / x.n)
    lag = int(above[0]) if len(above) else lags
    return Dependence(1 + float(sums[best]), 1 + float(noise[best]), max(lag, 1), (float(own[0]), float(other[0])))


def autocorrelated(x: Variable, y: Variable) -> str:
    """Return a reason with the effective number of rows if both variables are autocorrelated, else an empty string."""
    found = row_dependence(x, y)
    if found is None or not found.present:
        return ""
    words = (
        f"rows are autocorrelated in both variables ({found.first[0]:.2f} and {found.first[1]:.2f} from one row to the "
        f"next): {x.n} rows are worth about {max(x.n / found.inflation, 1):.0f} independent ones"
    )
    if any((np.diff(v.values, axis=0) >= 0).all(axis=0).any() for v in (x, y) if not v.discrete):
        words += "; a column is in ascending order: if the rows were sorted by it, shuffle both variables alike"
    return words


def block_length(x: Variable, y: Variable) -> int:
    """Return the default number of rows of a block: twice the lag up to which both variables are autocorrelated."""
    found = row_dependence(x, y)
    return 1 if found is None or not found.present else min(2 * found.lag, max(1, x.n // 8))


def _columns(variable: Variable) -> Columns:
    """Centered columns of a variable: ranks of coordinates, indicators of symbols."""
    if variable.discrete:
        codes = variable.values[:, 0]
        frequent = np.argsort(np.bincount(codes), kind="stable")[::-1][:COLUMNS]
        columns = (codes[:, None] == frequent).astype(float)
    else:
        varying = variable.varying
        chosen = np.unique(np.linspace(0, varying.shape[1] - 1, min(COLUMNS, varying.shape[1])).astype(int))
        columns = np.stack([_ranks(varying[:, column]) for column in chosen], axis=1)
    return columns - columns.mean(axis=0)


def _ranks(values: Float[np.ndarray, " sample"]) -> Float[np.ndarray, " sample"]:
    """Return the ranks of a column; equal values have their mean rank in every order of the rows."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places.reshape(-1)]


def _within(columns: Columns, labels: Variable) -> Columns:
    """Take the mean within each label off, and divide by the standard deviation there."""
    codes = labels.values[:, 0]
    counts = np.bincount(codes)
    means = np.stack([np.bincount(codes, column) for column in columns.T], axis=1) / np.maximum(counts, 1)[:, None]
    rest = columns - means[codes]
    squares = np.stack([np.bincount(codes, column**2) for column in rest.T], axis=1) / np.maximum(counts, 1)[:, None]
    scales = np.sqrt(squares)
    return rest / np.where(scales > 1e-9 * scales.max(initial=1), scales, np.inf)[codes]


def _autocorrelations(columns: Columns, lags: int, *, pooled: bool) -> Float[np.ndarray, "lag _"]:
    """Autocorrelation of each column at lags from 1 on, without columns that do not vary.

    The columns of symbols are pooled: one autocorrelation, in which each weighs by its variance.
    """
    n = len(columns)
    spectrum = np.abs(np.fft.rfft(columns, 1 << (2 * n - 1).bit_length(), axis=0)) ** 2
    covariances = np.fft.irfft(spectrum, axis=0)[: lags + 1]
    if pooled:
        covariances = covariances.sum(axis=1, keepdims=True)
    floor = n * np.finfo(float).eps * (columns.max() - columns.min() if columns.size else 0) ** 2
    covariances = covariances[:, covariances[0] > floor]
    return covariances[1:] / covariances[0]
