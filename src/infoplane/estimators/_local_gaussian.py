"""The log of a density that is Gaussian around a sample, from its neighbours (Loader's local likelihood)."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

FARTHEST = 20.0
"""Standard deviations of the fitted Gaussian that a sample is taken to be off its centre, at most."""

_EPS, _TINY = float(np.finfo(float).eps), float(np.finfo(float).tiny)


class Fit(NamedTuple):
    """Local fits of a batch of samples.

    Attributes:
        nats: −ln S0 + (d/2) ln 2π + ½ ln|Σ| + ½ μᵀΣ⁻¹μ of each sample.
        singular: whether Σ has a direction without variance, to rounding.
    """

    nats: Float[np.ndarray, " block"]
    singular: Bool[np.ndarray, " block"]


def fit(u: Float[np.ndarray, "block m dim"], resolution: Float[np.ndarray, " block"] | float = 0.0) -> Fit:
    """Fit the log-density around each sample by a quadratic, weighted with the standard normal kernel.

    With w_j = exp(−|u_j|²/2), S0 = Σ w_j, and μ, Σ the weighted mean and covariance of the neighbours, the
    likelihood is largest in closed form, for a Gaussian kernel times a Gaussian is Gaussian (Loader 1996; W. Gao,
    Oh & Viswanath 2016).

    ½ μᵀΣ⁻¹μ is held at `FARTHEST`²/2: without that it has no expectation where k ≤ d + 1, and no variance up to
    k = d + 3, since with probability (R_{k+1} > r) ~ r^{−dk} only k neighbours have weight, and where these lie near
    a plane it grows like exp(r²/2). From k = 4 on the bias constant does not notice (10⁻⁴).

    Args:
        u: the neighbours seen from each sample, in units of its bandwidth.
        resolution: rounding error of u; eigenvalues of Σ are not taken below its square, nor below ε tr Σ/d.
    """
    squared = np.einsum("bmd,bmd->bm", u, u)
    weights = np.exp(-squared / 2)
    total = weights.sum(axis=1)
    share = weights / total[:, None]
    mean = np.einsum("bm,bmd->bd", share, u)
    centred = (u - mean[:, None]) * np.sqrt(share)[:, :, None]
    variances, axes = np.linalg.eigh(np.matmul(centred.transpose(0, 2, 1), centred))
    floor = np.maximum(_EPS * variances.mean(axis=1), np.square(resolution) + _TINY)[:, None]
    singular = variances[:, 0] <= floor[:, 0]
    variances = np.maximum(variances, floor)
    off_centre = (np.einsum("bde,bd->be", axes, mean) ** 2 / variances).sum(axis=1)
    nats = (
        u.shape[2] / 2 * math.log(2 * math.pi)
        - np.log(total)
        + np.log(variances).sum(axis=1) / 2
        + np.minimum(off_centre, FARTHEST**2) / 2
    )
    return Fit(nats, singular)


def log_ball(dims: int) -> float:
    """Ln of the volume of the euclidean unit ball."""
    return dims / 2 * math.log(math.pi) - math.lgamma(dims / 2 + 1)
