"""A normalised Gaussian fitted around each sample: Newton's method, all samples at once."""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float

from infoplane.estimators._lga_moments import Moments

Vector = Float[np.ndarray, "sample dim"]
Matrix = Float[np.ndarray, "sample dim dim"]
Scalar = Float[np.ndarray, " sample"]

_LOG_2PI = math.log(2 * math.pi)

_WIDEST = 0.9
"""Largest eigenvalue of the kernel's covariance at the start: 1 belongs to a uniform density and an infinite Σ."""

_NARROWEST = 1e-14
"""Smallest eigenvalue, in squared bandwidths: what float64 leaves of a covariance."""

_STEPS = 200
_LONGEST = 2.0
"""Largest step, in standard deviations of the fitted Gaussian."""

_CONVERGED = 1e-10
"""Newton decrement (twice the rise of the objective still to be expected) at which a fit is done."""

_SMALLEST_CURVATURE = 1e-8
_CHUNK = 4096
"""Samples fitted at a time; bounds the memory of their Hessians."""


@dataclasses.dataclass(frozen=True)
class Fit:
    """A Gaussian around each sample, from its position and in its bandwidths: Σ = U diag(variances) Uᵀ.

    Attributes:
        mean: mean μ.
        axes: U, the axes in its columns.
        variances: variances along the axes.
    """

    mean: Vector
    axes: Matrix
    variances: Vector

    def take(self, rows: Bool[np.ndarray, " sample"]) -> "Fit":
        """Return the fits of some samples."""
        return Fit(self.mean[rows], self.axes[rows], self.variances[rows])

    def put(self, rows: Bool[np.ndarray, " sample"], other: "Fit") -> "Fit":
        """Return these fits with those of ``rows`` taken from ``other``, which is as long."""
        wide = rows[:, None]
        return Fit(
            np.where(wide, other.mean, self.mean),
            np.where(wide[:, None], other.axes, self.axes),
            np.where(wide, other.variances, self.variances),
        )

    def along(self, vectors: Vector) -> Vector:
        """Coordinates of vectors along the axes."""
        return np.einsum("sij,si->sj", self.axes, vectors)

    def log_density(self, widened: float = 0.0) -> Scalar:
        """Ln N(0; μ, Σ + widened·I): the density of the fit at the sample."""
        variances = self.variances + widened
        along = self.along(self.mean)
        return -0.5 * (_LOG_2PI + np.log(variances) + along * along / variances).sum(axis=1)


def objective(fit: Fit, around: Moments) -> Scalar:
    """The local likelihood L / s but for a constant, s the kernel density.

    L = s ⟨ln N(u; μ, Σ)⟩ − N(0; μ, Σ + I) with ⟨·⟩ over the kernel's neighbours (S. Gao and others 2015).
    """
    off = fit.along(around.mean - fit.mean)
    within = np.einsum("sij,sik,skj->sj", fit.axes, around.covariance, fit.axes, optimize=True)
    spread = (np.log(fit.variances) + (within + off * off) / fit.variances).sum(axis=1)
    return -0.5 * spread - np.exp(fit.log_density(1.0)) / around.density


def closed_form(around: Moments) -> Fit:
    """Where the amplitude is free too (W. Gao, Oh and Viswanath 2016): Σ = (C⁻¹ − I)⁻¹, μ = Σ C⁻¹ m."""
    values, axes = np.linalg.eigh(around.covariance)
    values = np.clip(values, _NARROWEST, _WIDEST)
    along = np.einsum("sij,si->sj", axes, around.mean) / (1 - values)
    return Fit(np.einsum("sij,sj->si", axes, along), axes, values / (1 - values))


def derivatives(fit: Fit, around: Moments) -> tuple[Float[np.ndarray, "sample p"], Float[np.ndarray, "sample p p"]]:
    """Gradient of `objective` and its negative Hessian, for natural parameters seen from the fit itself.

    With z = Σ^(−½)(u − μ) and the statistics T = (z_i, (z_i² − 1)/√2, z_i z_j), which are orthonormal under the fit,
    the gradient is T̂ − r T̃: T̂ their mean under the kernel's neighbours, T̃ under the fit times the kernel, which is a
    Gaussian with mean ν and variances S = 1/(1 + variances), and r = N(0; μ, Σ + I)/s. The negative Hessian is
    (1 − r) I + r (Cov T + T̃T̃ᵀ), and Cov T = J S Jᵀ plus a diagonal, J = ∂T/∂z at ν.
    """
    n, dim = fit.mean.shape
    first, second = np.triu_indices(dim, 1)
    scale, shrunk = np.sqrt(fit.variances), 1 / (1 + fit.variances)
    off = fit.along(around.mean - fit.mean) / scale
    whitening = fit.axes / scale[:, None, :]
    moment = whitening.transpose(0, 2, 1) @ around.covariance @ whitening + off[:, :, None] * off[:, None, :]
    ratio = np.exp(fit.log_density(1.0)) / around.density
    nu = -fit.along(fit.mean) * scale * shrunk
    tilted = _statistics(nu, shrunk + nu * nu, nu[:, first] * nu[:, second])
    seen = _statistics(off, np.einsum("sii->si", moment), moment[:, first, second])
    factor = np.concatenate([_jacobian(nu) * np.sqrt(shrunk)[:, None, :], tilted[:, :, None]], axis=2)
    rest = np.concatenate([np.zeros((n, dim)), shrunk * shrunk, shrunk[:, first] * shrunk[:, second]], axis=1)
    curvature = ratio[:, None, None] * (factor @ factor.transpose(0, 2, 1))
    place = np.arange(curvature.shape[1])
    curvature[:, place, place] += (1 - ratio)[:, None] + ratio[:, None] * rest
    return seen - ratio[:, None] * tilted, curvature


def _jacobian(at: Vector) -> Float[np.ndarray, "sample p dim"]:
    """Derivatives of the orthonormal statistics by z."""
    n, dim = at.shape
    first, second = np.triu_indices(dim, 1)
    every, pair = np.arange(dim), np.arange(len(first))
    found = np.zeros((n, 2 * dim + len(first), dim))
    found[:, every, every] = 1.0
    found[:, dim + every, every] = math.sqrt(2) * at
    found[:, 2 * dim + pair, first] = at[:, second]
    found[:, 2 * dim + pair, second] = at[:, first]
    return found


def _statistics(
    mean: Vector, squares: Vector, products: Float[np.ndarray, "sample pair"]
) -> Float[np.ndarray, "sample p"]:
    """Means of the orthonormal statistics from those of z_i, z_i² and z_i z_j."""
    return np.concatenate([mean, (squares - 1) / math.sqrt(2), products], axis=1)


def moved(fit: Fit, step: Float[np.ndarray, "sample p"]) -> Fit:
    """Go from a fit by a step of its natural parameters; Σ stays positive: Σ^½ exp(Y) Σ^½."""
    dim = fit.mean.shape[1]
    first, second = np.triu_indices(dim, 1)
    change = np.zeros((len(step), dim, dim))
    every = np.arange(dim)
    change[:, every, every] = math.sqrt(2) * step[:, dim : 2 * dim]
    change[:, first, second] = change[:, second, first] = step[:, 2 * dim :]
    values, vectors = np.linalg.eigh(change)
    root = fit.axes * np.sqrt(fit.variances)[:, None, :]
    # Singular values of the root, not eigenvalues of Σ: those of thin directions would be lost in rounding.
    axes, scale, _ = np.linalg.svd(root @ (vectors * np.exp(values / 2)[:, None, :]))
    mean = fit.mean + np.einsum("sij,sj->si", root, step[:, :dim])
    return Fit(mean, axes, np.maximum(scale * scale, np.finfo(float).tiny))


def _newton_step(
    gradient: Float[np.ndarray, "sample p"], curvature: Float[np.ndarray, "sample p p"], damping: Scalar
) -> tuple[Float[np.ndarray, "sample p"], Scalar]:
    """Newton step uphill with the absolute eigenvalues of the Hessian, and its decrement."""
    values, vectors = np.linalg.eigh(curvature)
    values = np.maximum(np.abs(values), _SMALLEST_CURVATURE) + damping[:, None]
    along = np.einsum("sij,si->sj", vectors, gradient)
    step = np.einsum("sij,sj->si", vectors, along / values)
    length = np.linalg.norm(step, axis=1)
    step *= np.minimum(1.0, _LONGEST / np.maximum(length, _LONGEST))[:, None]
    return step, (along * along / values).sum(axis=1)


def _fit_chunk(around: Moments) -> tuple[Scalar, int]:
    """Log-densities at the samples and how many fits have not converged."""
    log_density = np.empty(len(around.density))
    open_rows = np.arange(len(log_density))
    fit, damping = closed_form(around), np.zeros(len(log_density))
    height = objective(fit, around)
    for _ in range(_STEPS):
        step, decrement = _newton_step(*derivatives(fit, around), damping)
        tried = moved(fit, step)
        reached = objective(tried, around)
        better = reached >= height - 1e-12 * np.abs(height)
        fit, height = fit.put(better, tried), np.where(better, reached, height)
        damping = np.where(better, np.where(damping < 1e-3, 0.0, damping / 8), np.maximum(damping * 8, 0.1))
        done = decrement < _CONVERGED
        log_density[open_rows[done]] = fit.take(done).log_density()
        left = ~done
        open_rows, fit, height, damping = open_rows[left], fit.take(left), height[left], damping[left]
        around = Moments(around.density[left], around.mean[left], around.covariance[left], 0)
        if not len(open_rows):
            break
    log_density[open_rows] = fit.log_density()
    return log_density, len(open_rows)


def log_densities(around: Moments) -> tuple[Scalar, int]:
    """Natural logarithm of each sample's fitted density, in its bandwidths, and the number of unconverged fits."""
    starts = range(0, len(around.density), _CHUNK)
    found = [_fit_chunk(around.take(slice(start, start + _CHUNK))) for start in starts]
    return np.concatenate([one for one, _ in found]), sum(left for _, left in found)
