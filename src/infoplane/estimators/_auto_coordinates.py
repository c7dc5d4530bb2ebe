"""Coordinates that `auto` measures in: ranks or robust units made uncorrelated, and functions of them."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from infoplane.estimators.copula import normal_scores
from infoplane.estimators.pair import Variable

Points = Float[np.ndarray, "sample dim"]
OfX = Float[np.ndarray, "sample dim_x"]
OfY = Float[np.ndarray, "sample dim_y"]
Features = Float[np.ndarray, "sample feature"]

_KNOTS = 7
"""Knots of functions of one number, at equal distances in its ranks."""

_WAVES = 300
"""Waves of the random dictionary, half of them twice as long as the others."""

_MOST_FEATURES = 1500
"""Features that a dictionary may have; above that it is not used."""

_MOST_PRODUCTS = 30
"""Coordinates up to which their products are features."""

_FAR = 1e100
"""Units of the interquartile range beyond which samples are put there, so that no square overflows."""

_NOTHING = 1e-10
"""Share of the largest variance below which a direction has none."""


def whitened_scores(variable: Variable) -> Points:
    """Normal scores of each coordinate, then rotated and scaled to be uncorrelated."""
    scores = normal_scores(variable).values
    return scores @ _whitening(scores)


def robust(variable: Variable) -> Points:
    """Coordinates in units of their interquartile range, made uncorrelated by the correlations of their ranks.

    No moment of the coordinates themselves is taken, so that no tail is too heavy.
    """
    values = variable.varying
    values = np.ldexp(values, -np.frexp(np.abs(values).max(axis=0))[1])  # exact, and no difference overflows
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    spread = np.where(high > low, high - low, values.std(axis=0))
    units = np.clip((values - middle) / spread, -_FAR, _FAR)
    return units @ _whitening(normal_scores(variable).values)


def _whitening(scores: Points) -> Float[np.ndarray, "dim rank"]:
    """The matrix after which samples are uncorrelated with variance 1; directions without variance are left out."""
    centred = scores - scores.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(scores))
    kept = values > _NOTHING * values[-1]
    return vectors[:, kept] / np.sqrt(values[kept])


def _steps(ranks: Points) -> Float[np.ndarray, "sample dim knot"]:
    """Piecewise linear functions of ranks between 0 and 1: one for each knot, 1 there and 0 at the others."""
    place = ranks * (_KNOTS - 1)
    return np.maximum(0.0, 1.0 - np.abs(place[..., None] - np.arange(_KNOTS)))


def _ranks(values: Points) -> Points:
    from scipy.stats import rankdata

    return rankdata(values, axis=0) / (len(values) + 1)


def linear(points: Points) -> Points:
    """The coordinates themselves."""
    return points


def radial(points: Points) -> Features:
    """Functions of the distance from the middle, and each coordinate times such functions.

    They hold what heavy tails share, a scale, and linear relations that change with the distance.
    """
    steps = _steps(_ranks(np.linalg.norm(points, axis=1)[:, None]))[:, 0]
    products = (points[:, :, None] * steps[:, None, :]).reshape(len(points), -1)
    return np.hstack([products, steps[:, 1:]])


def directional(points: Points) -> Features:
    """As `radial`, with the direction in place of the coordinates: bounded however far samples lie."""
    distance = np.linalg.norm(points, axis=1, keepdims=True)
    steps = _steps(_ranks(distance))[:, 0]
    unit = points / np.where(distance > 0, distance, 1.0)
    return np.hstack([(unit[:, :, None] * steps[:, None, :]).reshape(len(points), -1), steps[:, 1:]])


def additive(points: Points) -> Features:
    """Functions of each coordinate by itself, and the products of two coordinates."""
    steps = _steps(_ranks(points))[:, :, 1:].reshape(len(points), -1)
    dims = points.shape[1]
    if dims > _MOST_PRODUCTS:
        return np.hstack([points, steps])
    first, second = np.triu_indices(dims)
    return np.hstack([points, steps, points[:, first] * points[:, second]])


def waves(points: Points) -> Features:
    """The coordinates, and cosines along random directions (Rahimi and Recht 2007): any smooth function of few."""
    rng, dims = np.random.default_rng(0), points.shape[1]
    frequency = rng.standard_normal((dims, _WAVES)) / np.sqrt(dims)
    frequency[:, ::2] /= 2
    return np.hstack([points, np.cos(points @ frequency + rng.uniform(0, 2 * np.pi, _WAVES))])


@dataclasses.dataclass(frozen=True)
class Dictionary:
    """Functions of the coordinates of one variable.

    Attributes:
        coordinates: in which coordinates.
        functions: which functions of them.
        width: how many there are in so many coordinates.
    """

    coordinates: Callable[[Variable], Points]
    functions: Callable[[Points], Features]
    width: Callable[[int], int]


DICTIONARIES = {
    "linear": Dictionary(whitened_scores, linear, lambda dims: dims),
    "radial": Dictionary(whitened_scores, radial, lambda dims: (dims + 1) * _KNOTS),
    "directional": Dictionary(robust, directional, lambda dims: (dims + 1) * _KNOTS),
    "additive": Dictionary(whitened_scores, additive, lambda dims: dims * _KNOTS),
    "waves": Dictionary(whitened_scores, waves, lambda dims: dims + _WAVES),
}


def features(variable: Variable, dictionary: str) -> Features | None:
    """Functions of one variable's coordinates in units of their standard deviations; for symbols, one for each.

    None where there would be more than can be handled.
    """
    chosen = DICTIONARIES[dictionary]
    symbols = int(variable.values.max()) + 1 if variable.discrete else 0
    if (symbols or chosen.width(variable.varying.shape[1])) > _MOST_FEATURES:
        return None
    found = np.eye(symbols)[variable.values[:, 0]] if symbols else chosen.functions(chosen.coordinates(variable))
    found = found - found.mean(axis=0)
    spread = found.std(axis=0)
    kept = spread > 0
    return found[:, kept] / spread[kept]
