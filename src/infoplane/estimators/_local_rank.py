"""Whether samples fill the dimensions of their coordinates, or lie near a curve or surface among them."""

import numpy as np
from jaxtyping import Float

from infoplane.estimators._local_neighbors import around, nearest

FLAT = 0.1
"""A direction counts where the spread of the neighbours along it is above this share of their largest spread. Four
neighbours for each dimension, uniform in a ball, have about 1/3; those on a circle of radius R, spread over 2h,
0.26 h/R."""

LACKING = 0.5
"""Dimensions that may lack on average: above that, most samples see a surface."""

CURVED = 1.5
"""Power of the neighbours' distance with which their thickness grows, above which a surface is curved, not thick."""


def local_rank(samples: Float[np.ndarray, "sample dim"], k: int | None = None) -> float:
    """Mean number of directions in which a sample's nearest neighbours spread out.

    The coordinates are first made comparable: tails are drawn in by asinh((u − median)/interquartile range), which
    bends space but tears nothing, and the whole is given unit covariance. Then the covariance of the k nearest
    neighbours of each sample is taken, and its directions with more than `FLAT` of the largest spread are counted.

    Args:
        samples: N samples of d coordinates.
        k: neighbours; 4 d by default, at most N − 1. More see more curvature.

    Returns:
        Between 0 and d; d where the samples have a density. Samples all of whose neighbours are copies do not count.
        Linearly dependent coordinates count once.

    When it misleads:
        What it sees is the scale of the neighbours. A surface with noise has full rank once neighbours are nearer
        than the noise is thick; a tightly wound one has, as long as they are farther apart than its turns.
    """
    points = _comparable(samples)
    n, dims = points.shape
    if dims < 2 or n < 3:
        return float(dims)
    counts = [_directions(seen) for seen in around(points, nearest(points, min(k or 4 * dims, n - 1)))]
    together = np.concatenate(counts)
    together = together[together > 0]
    return min(float(together.mean()), _linear_rank(samples)) if len(together) else 0.0


def lacks_dimensions(side: str, samples: Float[np.ndarray, "sample dim"]) -> str:
    """Say so in words where the samples lie on a surface of fewer dimensions than coordinates, else nothing."""
    dims = samples.shape[1]
    if dims < 2:
        return ""
    rank = local_rank(samples)
    if rank >= dims - LACKING:
        return ""
    return f"the {dims} coordinates of {side} lie near a surface of {rank:.1f} dimensions"


def surfaces(x: Float[np.ndarray, "sample dim_x"], y: Float[np.ndarray, "sample dim_y"]) -> list[str]:
    """Say in words on what surfaces the samples of a pair lie; nothing where they fill space, or are a thick surface.

    Args:
        x: samples in units of their standard deviation.
        y: as x.
    """
    sides = [words for words in (lacks_dimensions("x", x), lacks_dimensions("y", y)) if words]
    if sides or not curves(np.hstack([x, y])):
        return sides
    return ["x and y together lie near a curve thinner than their neighbours are apart: the information is larger"]


def curves(points: Float[np.ndarray, "sample dim"]) -> bool:
    """Say whether samples lie near a surface whose thickness, as the neighbours show it, is its curvature.

    From 4 d neighbours to 8 d the smallest spread grows like the largest to some power: 0 where the surface is thick
    with noise, 1 where there is no surface, 2 where a curved surface is thinner than can be seen.
    """
    n, dims = points.shape
    k = 4 * dims
    if dims < 2 or n <= 2 * k:
        return False
    blocks = around(points, nearest(points, 2 * k))
    pairs = np.concatenate([np.stack([_variances(seen[:, :k]), _variances(seen)]) for seen in blocks], axis=1)
    near, far = pairs
    thin = (near[:, 0] > 0) & (far[:, 0] < FLAT**2 * far[:, -1])
    if thin.mean() <= LACKING:
        return False
    growth = np.median(np.log(far[thin] / near[thin]), axis=0)
    return bool(growth[0] > CURVED * growth[-1])


def _comparable(samples: Float[np.ndarray, "sample dim"]) -> Float[np.ndarray, "sample dim"]:
    """Draw in tails and give the samples unit covariance; directions without any spread stay without."""
    low, middle, high = np.quantile(samples, (0.25, 0.5, 0.75), axis=0)
    spread = np.where(high > low, high - low, samples.std(axis=0))
    tamed = np.arcsinh((samples - middle) / np.where(spread > 0, spread, 1.0))
    tamed -= tamed.mean(axis=0)
    left, singular, _ = np.linalg.svd(tamed, full_matrices=False)
    rounding = len(samples) * np.finfo(float).eps * singular[0]
    return left * np.sqrt(len(samples)) * (singular > rounding)


def _linear_rank(samples: Float[np.ndarray, "sample dim"]) -> float:
    """Number of coordinates that are not linear combinations of the others."""
    centred = samples - samples.mean(axis=0)
    spreads = centred.std(axis=0)
    return float(np.linalg.matrix_rank(centred / np.where(spreads > 0, spreads, 1.0)))


def _directions(seen: Float[np.ndarray, "block k dim"]) -> Float[np.ndarray, " block"]:
    """Number of directions in which the neighbours of each sample spread out."""
    variances = _variances(seen)
    return (variances > FLAT**2 * np.maximum(variances[:, -1:], np.finfo(float).tiny)).sum(axis=1).astype(float)


def _variances(seen: Float[np.ndarray, "block k dim"]) -> Float[np.ndarray, "block dim"]:
    """Squared spreads of the neighbours of each sample along their principal axes, ascending."""
    centred = seen - seen.mean(axis=1, keepdims=True)
    return np.linalg.eigvalsh(np.matmul(centred.transpose(0, 2, 1), centred) / seen.shape[1])
