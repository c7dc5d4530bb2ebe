"""Log-determinants of covariances: standardised columns, bases, Wishart bias, shrinkage; all in nats."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError
from infoplane.estimators.pair import Order

Columns = Float[np.ndarray, "sample dim"]
Factor = Float[np.ndarray, "row dim"]

_EPSILON = float(np.finfo(np.float64).eps)

_NEAR_1 = 0.99
"""Largest canonical correlation that is taken as it is: its distance from 1 has lost at most two digits."""

_TURNED = 0.01
"""Largest error of a direction that is kept."""

_SLACK = 8.0
"""Factor on the rounding error below which a direction counts as having no variance."""


@dataclasses.dataclass(frozen=True)
class Standardised:
    """Columns with mean 0 and variance 1, those that are constant left out.

    Attributes:
        columns: the standardised columns.
        n_constant: how many constant columns were left out.
        log_scale: sum of the natural logarithms of the columns' standard deviations (divided by N, not N − 1).
        rounding: relative size of the rounding errors of the columns: float64's resolution, times how far the
            data lie from 0 in standard deviations.
    """

    columns: Columns
    n_constant: int
    log_scale: float
    rounding: float


def standardise(values: Columns) -> Standardised:
    """Centre and scale each column; any shift and scale that float64 holds gives the same but for rounding.

    Columns are divided by a power of 2 first, which is exact, so that squares neither overflow nor vanish.
    """
    varying = (values != values[:1]).any(axis=0)
    columns = values[:, varying]
    exponents = np.frexp(np.abs(columns).max(axis=0, initial=0.0))[1]
    columns = np.ldexp(columns, -exponents)
    columns -= columns.mean(axis=0)
    deviation = np.sqrt(np.einsum("sd,sd->d", columns, columns) / len(columns))
    columns /= deviation
    rounding = _EPSILON * max(1.0, float((1 / deviation).max(initial=1.0)))
    log_scale = float(np.log(deviation).sum() + math.log(2) * exponents.sum())
    return Standardised(columns, int((~varying).sum()), log_scale, rounding)


def triangular(columns: Columns) -> Factor:
    """R of the QR decomposition: a matrix with the inner products of the columns, and few rows."""
    return np.asarray(np.linalg.qr(columns, mode="r"))


@dataclasses.dataclass(frozen=True)
class Basis:
    """Orthonormal basis of the span of some columns.

    Attributes:
        vectors: the basis, one vector a column, as many as the rank.
        singular: the singular values of the columns that belong to it, descending.
        transform: the matrix that turns the columns into ``vectors``.
        error: size of the error of the basis vectors.
    """

    vectors: Float[np.ndarray, "row rank"]
    singular: Float[np.ndarray, " rank"]
    transform: Float[np.ndarray, "dim rank"]
    error: float

    @property
    def rank(self) -> int:
        """Number of linearly independent columns."""
        return len(self.singular)


def basis(columns: Factor, rounding: float) -> Basis:
    """Span of the columns, without directions that rounding errors may have made or turned by more than 0.01.

    Smooth images have directions down to the last digit: the rows there are rounding errors, of which any y seems to be
    a linear combination.

    Raises:
        InputError: where all are within rounding of nothing.
    """
    vectors, singular, right = np.linalg.svd(columns, full_matrices=False)
    tolerance = _SLACK * math.sqrt(columns.shape[1]) * rounding
    keep = singular > max(tolerance, min(tolerance / _TURNED, _TURNED)) * singular[0]
    if not keep.any():
        raise InputError(
            "x or y varies by hardly more than the rounding of its values; subtract its mean before it is stored"
        )
    singular = singular[keep]
    condition = float(singular[0] / singular[-1])
    return Basis(vectors[:, keep], singular, right[keep].T / singular, tolerance * condition)


def remaining(of: Basis, beside: Basis) -> Float[np.ndarray, " rank"]:
    """Sines of the angles between two spans: what part of each direction the other does not determine.

    The sine is taken from the residual, not as √(1 − cos²), which would lose all digits near 0.
    """
    residual = of.vectors - beside.vectors @ (beside.vectors.T @ of.vectors)
    return np.linalg.svd(residual, compute_uv=False)


def log_determinant_bias(n: int, dim: int) -> float:
    """E ln|Σ̂| − ln|Σ| for the unbiased covariance of n Gaussian samples, exact (Wishart distribution).

    Σ_{i=1}^{dim} ψ((n−i)/2) + dim ln(2/(n−1)); needs n > dim.
    """
    from scipy.special import digamma

    return float(digamma((n - np.arange(1, dim + 1)) / 2).sum() + dim * math.log(2 / (n - 1)))


def log_determinant(singular: Float[np.ndarray, " rank"], n: int) -> float:
    """ln|Σ̂| of n centred samples with these singular values."""
    return float(2 * np.log(singular).sum() - len(singular) * math.log(n - 1))


def shrunk_covariance(columns: Columns) -> tuple[Float[np.ndarray, "dim dim"], float]:
    """Covariance of centred columns shrunk towards a multiple of the identity, and by what share.

    The share minimises the expected squared error (Ledoit and Wolf 2004). Columns that are all 0 stay so.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage

    covariance = columns.T @ columns / len(columns)
    mean_variance = float(np.trace(covariance)) / len(covariance)
    share = float(ledoit_wolf_shrinkage(columns, assume_centered=True)) if mean_variance > 0 else 0.0
    return (1 - share) * covariance + share * mean_variance * np.eye(len(covariance)), share


def orthonormal(scaled: Standardised) -> Columns:
    """Orthonormal basis of the span of standardised columns, one row a sample."""
    span = basis(triangular(scaled.columns), scaled.rounding)
    return np.asarray(np.linalg.qr(scaled.columns @ span.transform)[0])


def shared_shuffled(x: Columns, y: Float[np.ndarray, "sample dim_y"], orders: Sequence[Order]) -> list[float]:
    """−½ Σ ln(1 − ρ²) of two orthonormal bases in nats, with the rows of y in each of several orders.

    NaN where a ρ is too near 1 for this way to see it.
    """
    lines = np.ascontiguousarray(y.T)
    products = np.stack([lines.take(order, axis=1) @ x for order in orders])
    correlations = np.linalg.svd(products, compute_uv=False)
    nats = -0.5 * np.log1p(-(np.minimum(correlations, _NEAR_1) ** 2)).sum(axis=1)
    return [
        math.nan if largest > _NEAR_1 else float(own) for own, largest in zip(nats, correlations[:, 0], strict=True)
    ]


def between_classes(columns: Columns, codes: Int[np.ndarray, " sample"], counts: Int[np.ndarray, " label"]) -> float:
    """½ ln|Σ| − ½ Σ_y p(y) ln|Σ_y| of an orthonormal basis, in nats; NaN where a class has hardly any variance.

    Args:
        columns: the basis.
        codes: class 0…C−1 of each sample.
        counts: number of samples of each class.
    """
    n, dims = columns.shape
    total = 0.0
    for code, count in enumerate(counts):
        members = columns[codes == code]
        members = members - members.mean(axis=0)
        sizes = np.linalg.eigvalsh(members.T @ members * (n / count))
        if sizes[0] < 1 - _NEAR_1:
            return math.nan
        total += count / n * float(np.log(sizes).sum() + dims * math.log((n - 1) * count / ((count - 1) * n)))
    return -total / 2
