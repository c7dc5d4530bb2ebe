"""Whether a Gaussian describes a pair: normal coordinates, nothing left in the residuals, 0 bits for shuffled rows."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane.estimators.pair import Order

Points = Float[np.ndarray, "sample dim"]
OfX = Float[np.ndarray, "sample dim_x"]
OfY = Float[np.ndarray, "sample dim_y"]

_NOT_NORMAL = 0.03
"""Largest distance of a coordinate's distribution function from that of a normal that passes; a uniform coordinate is
.057 away, Student's t with 3 degrees of freedom .06."""

_BY_CHANCE = 1.5
"""The same times √N: normal samples are hardly ever so far away (none of 40 000 drawn was; Lilliefors 1967: 1 in 100
beyond 1.03)."""

_BY_CHANCE_OF_MANY = 1.75
"""As ``_BY_CHANCE``, where every class and coordinate is tested."""

_SKEWED, _ERRORS = 0.3, 4.75
"""Skewness that passes, and standard errors of skewness and kurtosis that do; half a normal has a skewness of 1."""

_BY_SHAPE = 1e-4
"""Probability of the shape of normal samples (Shapiro and Wilk 1965), shared by all coordinates, below which a skewness
passes no more: half a normal shows in 125 samples."""
_MOST_SHAPED = 5000
"""Samples up to which this probability is known (Royston 1995)."""

_KNOTS = 7
"""Knots of the functions of ranks that are tried on residuals."""

_MOST_SAMPLES = 10_000
_MOST_DIMS = 100
"""Coordinates of both sides together up to which residuals are examined."""

_FEWEST = 30
"""Fewest samples, and samples for each coordinate, with which residuals are examined: correlations of ranks are normal
from here on."""
_SAMPLES_A_DIM = 4

SHORT_OF_NEAR = 3.0
"""Nats over √N, five standard errors, by which the information from neighbors may exceed that of a model. Their
difference scattered by 0.6 for normals with ρ = 0 … 0.99 and 40 and 100 samples."""

_MOST_NEAR, _MOST_NEAR_DIMS = 400, 10
"""Samples and coordinates up to which neighbors are asked besides: residuals show less in few samples."""

_SHUFFLES = 4
_SHUFFLED_BITS = 0.05
"""Mean value of shuffled rows in bits above which a Gaussian does not describe the rows."""


def not_normal(values: Points, chance: float = _BY_CHANCE) -> Bool[np.ndarray, " dim"]:
    """Say which coordinates are clearly not normal."""
    far = np.array([distance_from_normal(column) for column in values.T])
    return far > max(_NOT_NORMAL, chance / math.sqrt(len(values)))


def distance_from_normal(values: Float[np.ndarray, " sample"]) -> float:
    """Largest distance between the distribution function of samples and that of a normal of equal mean and variance."""
    from scipy.special import ndtr

    ordered = np.sort(values)
    scale = np.abs(ordered - ordered.mean()).max()
    scaled = (ordered - ordered.mean()) / scale
    theory, n = ndtr(scaled / scaled.std()), len(values)
    steps = np.arange(n + 1) / n
    return float(np.maximum(steps[1:] - theory, theory - steps[:-1]).max())


def unexplained(x: OfX, y: OfY, chance: float) -> float:
    """Return the largest correlation of functions of one side and residuals of the other, 0 if chance explains it.

    If x and y are jointly normal, what a linear regression of y on x leaves is independent of x, and the other way
    round. Ranks of each residual, and of its size, are correlated with seven functions of each coordinate of the other
    side and of its distance from the middle. A bend shows in the residual, a shared scale or a second branch in its
    size.

    Args:
        x: coordinates.
        y: coordinates, the same samples.
        chance: probability that any correlation of normal samples is reported.
    """
    sides = _examined(x, y)
    if sides is None:
        return 0.0
    x, y = sides
    correlations = [_left_by(first, second) for first, second in ((x, y), (y, x))]
    largest = max(float(np.abs(one).max(initial=0.0)) for one in correlations)
    tests = sum(one.size for one in correlations)
    return largest if largest * math.sqrt(len(x)) > _quantile(chance / max(tests, 1)) else 0.0


def seen_by_neighbors(x: OfX, y: OfY, bits: float) -> float:
    """Return the bits from neighbors of ranks if these clearly exceed the bits of a model, otherwise 0.

    Only for few samples, whose residuals show little: with 40 samples of y = sin 3x neighbors give 1.0 bits, and
    `unexplained` found something in 2 % of the draws.
    """
    from infoplane.estimators.neighbors import Ksg1
    from infoplane.estimators.pair import Variable

    n = len(x)
    if x.shape[1] + y.shape[1] > _MOST_NEAR_DIMS or not _FEWEST <= n <= _MOST_NEAR:
        return 0.0
    near = Ksg1().between(Variable(_ranks(x), False), Variable(_ranks(y), False)).bits
    return near if near > bits + SHORT_OF_NEAR / math.sqrt(n) / math.log(2) else 0.0


def bent_residuals(x: OfX, y: OfY) -> int:
    """Return how many residuals of a linear regression of one side on the other are clearly not normal."""
    sides = _examined(x, y)
    if sides is None:
        return 0
    x, y = sides
    left = np.hstack([_residuals(x, y), _residuals(y, x)])
    return int(_varying_not_normal(left).sum())


def _examined(x: OfX, y: OfY) -> tuple[Float[np.ndarray, "row rank_x"], Float[np.ndarray, "row rank_y"]] | None:
    """Orthonormal coordinates of at most 10 000 samples of both sides; None where there are too few samples."""
    dims = x.shape[1] + y.shape[1]
    if dims > _MOST_DIMS or len(x) < max(_FEWEST, _SAMPLES_A_DIM * dims):
        return None
    step = -(-len(x) // _MOST_SAMPLES)
    x, y = (_whitened(side[::step]) for side in (x, y))
    return x, y


def _quantile(chance: float) -> float:
    """Standard errors that a normal number exceeds in size with this probability."""
    from scipy.special import ndtri

    return -float(ndtri(chance / 2))


def _whitened(values: Points) -> Float[np.ndarray, "sample rank"]:
    """Orthonormal columns that span the centered coordinates."""
    centered = values - values.mean(axis=0)
    scale = np.abs(centered).max(axis=0)
    left, singular, _ = np.linalg.svd(centered[:, scale > 0] / scale[scale > 0], full_matrices=False)
    return left[:, singular > 1e-10 * singular.max(initial=0.0)]


def _left_by(x: OfX, y: OfY) -> Float[np.ndarray, "function residual"]:
    """Correlations of functions of x with ranks of what regression on x leaves of y, and with ranks of its size."""
    distance = np.sqrt(np.einsum("sd,sd->s", x, x))[:, None]
    left, functions = _residuals(x, y), _standard(_functions(np.hstack([x, distance]) if x.shape[1] > 1 else x))
    return functions.T @ _standard(_ranks(np.hstack([left, np.abs(left)]))) / len(x)


def _residuals(x: OfX, y: OfY) -> OfY:
    """What regression on x leaves of y, each row in units of its own deviation."""
    leverage = np.einsum("sd,sd->s", x, x)
    return (y - x @ (x.T @ y)) / np.sqrt(np.maximum(1 - leverage, 1e-9))[:, None]


def _functions(values: Points) -> Float[np.ndarray, "sample function"]:
    """Piecewise linear functions of the ranks of each coordinate, 1 at one knot and 0 at the others."""
    place = _ranks(values) * (_KNOTS - 1)
    return np.maximum(0.0, 1.0 - np.abs(place[..., None] - np.arange(_KNOTS))).reshape(len(values), -1)


def _ranks(values: Points) -> Points:
    from scipy.stats import rankdata

    return rankdata(values, axis=0) / (len(values) + 1)


def _standard(values: Points) -> Points:
    """Columns with mean 0 and variance 1; those that are constant become 0."""
    centered = values - values.mean(axis=0)
    spread = centered.std(axis=0)
    return centered / np.where(spread > 1e-9, spread, np.inf)


def classes_not_normal(columns: Points, codes: Int[np.ndarray, " sample"]) -> int:
    """Return in how many coordinates a class is not normal, or all together in units of their means and deviations."""
    step = -(-len(codes) // _MOST_SAMPLES)
    columns, codes = columns[::step, :_MOST_DIMS], codes[::step]
    order = np.argsort(codes, kind="stable")
    left, bent = np.zeros_like(columns), np.zeros(columns.shape[1], bool)
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        left[rows] = _standard(columns[rows])
        bent |= _varying_not_normal(columns[rows])
    return int((bent | _varying_not_normal(left)).sum())


def _varying_not_normal(values: Points) -> Bool[np.ndarray, " dim"]:
    varying = (values != values[:1]).any(axis=0)
    found = np.zeros(values.shape[1], bool)
    if varying.any():
        found[varying] = not_normal(values[:, varying], _BY_CHANCE_OF_MANY) | _lopsided_or_flat(values[:, varying])
    return found


def _lopsided_or_flat(values: Points) -> Bool[np.ndarray, " dim"]:
    """Say which coordinates have a skewness, or a kurtosis below that of a normal, of many standard errors."""
    scaled = _standard(values)
    skewness, kurtosis = (scaled**3).mean(axis=0), (scaled**4).mean(axis=0) - 3
    n = len(values)
    lopsided = np.abs(skewness) > max(_SKEWED, _ERRORS * math.sqrt(6 / n))
    for column in np.flatnonzero(~lopsided & (np.abs(skewness) > _SKEWED)):
        lopsided[column] = _shape_by_chance(values[:, column]) < _BY_SHAPE / values.shape[1]
    return lopsided | (kurtosis < -_ERRORS * math.sqrt(24 / n))


def _shape_by_chance(values: Float[np.ndarray, " sample"]) -> float:
    """Probability that normal samples have such distances when sorted; 1 where it is not known."""
    from scipy.stats import shapiro

    return float(shapiro(values).pvalue) if _FEWEST <= len(values) <= _MOST_SHAPED else 1.0


def shuffled(measure: Callable[[Sequence[Order]], list[float]], n: int) -> tuple[float, float]:
    """Return mean and deviation of the values of a few shuffles in bits; the mean is 0 unless it clearly is not."""
    rng = np.random.default_rng(0)
    values = np.array(measure([rng.permutation(n) for _ in range(_SHUFFLES)]))
    if not np.isfinite(values).all():
        return math.inf, math.inf
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    clear = abs(mean) > _SHUFFLED_BITS + 5 * deviation / math.sqrt(_SHUFFLES)
    return mean if clear else 0.0, deviation
