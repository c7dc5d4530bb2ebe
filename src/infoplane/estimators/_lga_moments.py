"""What a Gaussian kernel sees around each sample: the weight of the others, their mean and their covariance."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

Points = Float[np.ndarray, "sample dim"]
Indices = Int[np.ndarray, " place"]

_BLOCK = 256
"""Samples measured together: near each other, so that a block has few samples within its reach."""

_CHUNK = 4096
"""Neighbours of a block taken at a time; bounds the memory."""

_REACH = 7.0
"""Bandwidths beyond which samples are left out: the kernel there is below 3e-11."""

_DEEPEST = -200.0
"""Smallest exponent: keeps every kernel a normal number, subnormal ones are slow."""

_OUTLYING = 4.0
"""Standard deviations of its neighbours by which a sample may lie off their mean."""


@dataclasses.dataclass(frozen=True)
class Moments:
    """The kernel around each sample, in units of its bandwidth and from its position.

    Attributes:
        density: kernel estimate of the density, the sample itself left out, per unit volume in bandwidths.
        mean: mean of the others.
        covariance: covariance of the others.
        n_outlying: samples so far off their neighbours that the covariance was widened towards them.
    """

    density: Float[np.ndarray, " sample"]
    mean: Float[np.ndarray, "sample dim"]
    covariance: Float[np.ndarray, "sample dim dim"]
    n_outlying: int

    def take(self, rows: slice) -> "Moments":
        """Return the moments of some samples."""
        return Moments(self.density[rows], self.mean[rows], self.covariance[rows], 0)


def moments(points: Points, bandwidth: Float[np.ndarray, " row"], rows: Indices | None = None) -> Moments:
    """Sum up the kernel of width ``bandwidth`` around some samples, by default all, each itself left out."""
    rows = np.arange(len(points)) if rows is None else rows
    n, dim = len(rows), points.shape[1]
    upper, centers = np.triu_indices(dim), points[rows]
    weight, mean, covariance = np.empty(n), np.empty((n, dim)), np.empty((n, dim, dim))
    for own in _blocks(centers):
        width = bandwidth[own]
        centre = centers[own].mean(axis=0)
        sums = _sums(points, rows[own], centre, width)
        weight[own] = sums[:, 0]
        shift = sums[:, 1 : 1 + dim] / sums[:, :1]
        square = np.empty((len(own), dim, dim))
        square[:, upper[0], upper[1]] = square[:, upper[1], upper[0]] = sums[:, 1 + dim :] / sums[:, :1]
        mean[own] = (shift - (centers[own] - centre)) / width[:, None]
        covariance[own] = (square - shift[:, :, None] * shift[:, None, :]) / (width * width)[:, None, None]
    density = weight / ((len(points) - 1) * (2 * math.pi) ** (dim / 2))
    return _reaching(density, mean, covariance)


def _blocks(points: Points) -> Iterator[Indices]:
    """Split the samples at medians of the widest coordinate into small boxes."""
    waiting = [np.arange(len(points))]
    while waiting:
        own = waiting.pop()
        if len(own) <= _BLOCK:
            yield own
            continue
        axis = int(np.argmax(np.ptp(points[own], axis=0)))
        order = np.argsort(points[own, axis], kind="stable")
        half = len(own) // 2
        waiting += [own[order[half:]], own[order[:half]]]


def _sums(
    points: Points, own: Indices, centre: Float[np.ndarray, " dim"], width: Float[np.ndarray, " place"]
) -> Float[np.ndarray, "place feature"]:
    """Kernel sums of 1, of the coordinates and of their products, for the samples of one block.

    Coordinates are taken from the block's centre, which keeps the cancellation in distances and covariances small.
    """
    low, high = points[own].min(axis=0), points[own].max(axis=0)
    outside = np.maximum(np.maximum(low - points, points - high), 0.0)
    reach = _REACH * float(width.max())
    near = np.flatnonzero(np.einsum("sd,sd->s", outside, outside) <= reach * reach)
    here, upper = points[own] - centre, np.triu_indices(points.shape[1])
    total = np.zeros((len(own), 1 + len(centre) + len(upper[0])))
    for start in range(0, len(near), _CHUNK):
        chosen = near[start : start + _CHUNK]
        there = points[chosen] - centre
        squared = np.einsum("sd,sd->s", here, here)[:, None] + np.einsum("sd,sd->s", there, there)
        squared -= 2 * here @ there.T
        kernel = np.exp(np.clip(squared / (-2 * width * width)[:, None], _DEEPEST, 0.0))
        kernel[own[:, None] == chosen] = 0.0
        total += kernel @ np.hstack([np.ones((len(chosen), 1)), there, there[:, upper[0]] * there[:, upper[1]]])
    return total


def _reaching(
    density: Float[np.ndarray, " sample"],
    mean: Float[np.ndarray, "sample dim"],
    covariance: Float[np.ndarray, "sample dim dim"],
) -> Moments:
    """Widen covariances towards samples that lie more than `_OUTLYING` standard deviations off their neighbours.

    With q = mᵀC⁻¹m above its limit c², C + (1/c² − 1/q) m mᵀ has q = c². Without this one sample in a heavy tail,
    whose neighbours are all far away on one side, would count −q/2, which may be −10⁵ nats.
    """
    values, vectors = np.linalg.eigh(covariance)
    along = np.einsum("sij,si->sj", vectors, mean)
    off = (along * along / np.maximum(values, np.finfo(float).tiny)).sum(axis=1)
    limit = _OUTLYING**2
    outlying = off > limit
    excess = np.where(outlying, 1 / limit - 1 / np.maximum(off, limit), 0.0)
    widened = covariance + excess[:, None, None] * mean[:, :, None] * mean[:, None, :]
    return Moments(density, mean, widened, int(outlying.sum()))
