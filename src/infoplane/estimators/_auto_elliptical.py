"""Information of elliptical distributions: a shape, and how far samples lie from the middle."""

import dataclasses
import math
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import digamma, gammaln

from infoplane.estimators import _covariance as covariance
from infoplane.estimators._auto_coordinates import OfX, OfY, Points, robust
from infoplane.estimators._auto_excess import LogRatio
from infoplane.estimators._neighbors_judge import LN2
from infoplane.estimators.pair import PairEstimator, PairValue, Variable

Shape = Float[np.ndarray, "dim dim"]
Line = Float[np.ndarray, " sample"]
Curve = tuple[Float[np.ndarray, " cell"], Float[np.ndarray, " cell"]]
"""Places on a line, ascending, and values there."""

_NEIGHBORS = 20
"""Neighbours on a line for the entropy of distances: many, since densities of distances are smooth."""

_ROUNDS = 100
_SETTLED = 1e-7
"""Largest change of an entry of the shape at which its fixed point is reached."""

_CELLS = 512
_MARGIN = 0.3
"""How far a smoothed density reaches beyond the samples, as a share of their range."""


class _Part(NamedTuple):
    """One of x, y and both.

    Attributes:
        sign: of its entropy in the information.
        dims: its coordinates.
        log_scale: ½ ln|V| of its shape.
        root: W with W Wᵀ = V⁻¹.
        logs: logarithms of the distances √(zᵀ V⁻¹ z) of the samples from the middle.
    """

    sign: int
    dims: int
    log_scale: float
    root: Shape
    logs: Line


@dataclasses.dataclass(frozen=True)
class Elliptical(PairEstimator):
    """Information of the elliptical distribution with the shape of the data and their distances from the middle.

    The density is |V|^(−½) g(√(zᵀ V⁻¹ z)) with any function g: Gaussian, Student-t and other tails. With V the shape,
    R the distance and S_d the surface of the unit sphere,

        h = ½ ln|V| + h(ln R) + d ⟨ln R⟩ + ln S_d    and    I = h_x + h_y − h_xy,

    three entropies on a line. Of all densities with this shape and these distances it has the largest entropy: where x
    by itself and y by itself are elliptical, the value is below the information.

    V is Tyler's shape (1987), which no tail disturbs; about the medians. Its errors are those of a covariance of
    N d/(d + 2) Gaussian samples, whose bias is taken off.
    """

    name: ClassVar[str] = "auto"
    kinds: ClassVar[tuple[str, ...]] = ("continuous",)

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) of the model in bits."""
        return PairValue(information(parts(robust(x), robust(y))))


def information(found: tuple[_Part, ...]) -> float:
    """h_x + h_y − h_xy in bits, less the bias of the shapes."""
    nats = 0.0
    for part in found:
        samples = len(part.logs) * found[-1].dims / (found[-1].dims + 2)
        scale = part.log_scale - covariance.log_determinant_bias(int(samples), part.dims) / 2
        distance = line_entropy(part.logs) + part.dims * float(part.logs.mean())
        nats += part.sign * (scale + distance + _log_sphere(part.dims))
    return nats / LN2


def parts(x: OfX, y: OfY) -> tuple[_Part, ...]:
    """Shape and distances of x, of y and of both."""
    both = np.hstack([x, y])
    shape = tyler_shape(both)
    dim_x = x.shape[1]
    blocks = ((1, x, shape[:dim_x, :dim_x]), (1, y, shape[dim_x:, dim_x:]), (-1, both, shape))
    return tuple(_part(*block) for block in blocks)


def _part(sign: int, points: Points, shape: Shape) -> _Part:
    root = np.linalg.cholesky(np.linalg.inv(shape))
    return _Part(sign, len(shape), -float(np.log(np.diag(root)).sum()), root, _log_distance(points @ root))


def _log_distance(points: Points) -> Line:
    squares = np.einsum("sd,sd->s", points, points)
    return 0.5 * np.log(np.maximum(squares, np.finfo(float).tiny))


def tyler_shape(points: Points) -> Shape:
    """The shape V with d ⟨z zᵀ / zᵀ V⁻¹ z⟩ = V and trace d (Tyler 1987), by its fixed point."""
    dims = points.shape[1]
    shape = np.eye(dims)
    for _ in range(_ROUNDS):
        weights = np.exp(-2 * _log_distance(points @ np.linalg.cholesky(np.linalg.inv(shape))))
        following = points.T @ (points * weights[:, None])
        following *= dims / np.trace(following)
        moved = float(np.abs(following - shape).max())
        shape = following
        if moved < _SETTLED:
            break
    return shape


def _log_sphere(dims: int) -> float:
    """Ln of the surface of the unit sphere in so many dimensions; that in one is its 2 points."""
    return math.log(2) + dims / 2 * math.log(math.pi) - float(gammaln(dims / 2))


def line_entropy(values: Line) -> float:
    """Differential entropy of numbers in nats, from the distance to the k-th neighbour (Kozachenko and Leonenko)."""
    ordered = np.sort(values)
    n, k = len(ordered), min(_NEIGHBORS, len(ordered) // 4)
    nearest = np.full(n, np.inf)
    for below in range(k + 1):  # so many of the k neighbours lie below the sample
        above = k - below
        reach = np.full(n, np.inf)
        inner = slice(below, n - above)
        place = np.arange(n)[inner]
        reach[inner] = np.maximum(ordered[place] - ordered[place - below], ordered[place + above] - ordered[place])
        nearest = np.minimum(nearest, reach)
    smallest = np.finfo(float).tiny
    return float(digamma(n) - digamma(k) + math.log(2) + np.log(np.maximum(nearest, smallest)).mean())


def log_ratio(x: OfX, y: OfY, found: tuple[_Part, ...]) -> LogRatio:
    """Ln p(x,y)/p(x)p(y) of the model, for any pairing of the samples."""
    of_x, of_y, of_both = found
    densities = [_smoothed(part.logs) for part in found]
    alone_x, alone_y = (_log_density(of, densities[i], of.logs) for i, of in enumerate((of_x, of_y)))

    def paired(rows: np.ndarray) -> Line:
        logs = _log_distance(np.hstack([x, y[rows]]) @ of_both.root)
        return _log_density(of_both, densities[2], logs) - alone_x - alone_y[rows]

    return paired


def _log_density(part: _Part, density: Curve, logs: Line) -> Line:
    """Ln of the model's density where ln R has these values."""
    return np.interp(logs, *density) - part.dims * logs - _log_sphere(part.dims) - part.log_scale


def _smoothed(values: Line) -> Curve:
    """Middles of cells and ln of the density there, smoothed by a Gaussian of Silverman's width."""
    from scipy.ndimage import gaussian_filter1d

    low, high = float(values.min()), float(values.max())
    margin = _MARGIN * (high - low) or 1.0
    edges = np.linspace(low - margin, high + margin, _CELLS + 1)
    cell = edges[1] - edges[0]
    counts = np.histogram(values, edges)[0] / len(values) / cell
    quarter, three = np.quantile(values, (0.25, 0.75))
    spread = min((three - quarter) / 1.35, float(values.std())) or float(values.std())
    width = 0.9 * spread * len(values) ** -0.2
    density = gaussian_filter1d(counts, max(width / cell, 1e-3), mode="constant")
    return (edges[1:] + edges[:-1]) / 2, np.log(np.maximum(density, 1e-300))
