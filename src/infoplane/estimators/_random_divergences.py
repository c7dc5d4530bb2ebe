"""Divergences between Gaussians, all pairs of many: Kullback–Leibler and Bhattacharyya, summed as kernels."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane._arrays import Codes
from infoplane.estimators._threads import n_threads

ENTRIES = 2**20
"""Numbers in an array of what is done together."""

FAR = 45.0
"""Nats from which a pair adds nothing: e^−45 of 10⁵ inputs is 10⁻¹⁵ of the one itself."""

Inputs = Int[np.ndarray, " some"]
Sums = tuple[Float[np.ndarray, " some"], Float[np.ndarray, " some"]]
"""For each of some inputs, kernels summed over all inputs and over those of its class."""


class Fits(NamedTuple):
    """A Gaussian for each input.

    Attributes:
        means, covariances: its parameters, positive definite.
        inverse_roots: L⁻¹ for the covariance L Lᵀ.
        log_determinants: of the covariances.
        atoms: inputs that are one point instead; only their means count.
        points: equal numbers for equal first samples: which atoms are the same.
    """

    means: Float[np.ndarray, "input dim"]
    covariances: Float[np.ndarray, "input dim dim"]
    inverse_roots: Float[np.ndarray, "input dim dim"]
    log_determinants: Float[np.ndarray, " input"]
    atoms: Bool[np.ndarray, " input"]
    points: Int[np.ndarray, " input"]

    @classmethod
    def of(
        cls,
        means: Float[np.ndarray, "input dim"],
        covariances: Float[np.ndarray, "input dim dim"],
        atoms: Bool[np.ndarray, " input"],
        points: np.ndarray,
    ) -> "Fits":
        """Prepare what all pairs need."""
        roots = np.linalg.cholesky(covariances)
        log_determinants = 2 * np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
        codes = np.unique(points, return_inverse=True)[1].reshape(-1)
        return cls(means, covariances, np.linalg.inv(roots), log_determinants, atoms, codes)


def kernel_sums(fits: Fits, inputs: Inputs, labels: Codes) -> Sums:
    """Sum exp(−KL(i‖j)) over all j for each of some inputs i."""
    n, dim = fits.means.shape
    precisions = (fits.inverse_roots.transpose(0, 2, 1) @ fits.inverse_roots).reshape(n, -1)
    classes = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)
    every, within = np.empty(len(inputs)), np.empty(len(inputs))
    step = max(1, ENTRIES // n)

    def part(start: int) -> None:
        here = slice(start, start + step)
        some = inputs[here]
        nats = fits.covariances[some].reshape(len(some), -1) @ precisions.T - dim
        nats += _squared_distances(fits, some) + fits.log_determinants - fits.log_determinants[some, None]
        kernels = np.exp(-np.maximum(nats, 0) / 2)
        _settle(kernels, fits, some)
        by_class = kernels @ classes
        every[here], within[here] = by_class.sum(axis=1), by_class[np.arange(len(some)), labels[some]]

    with ThreadPoolExecutor(n_threads()) as threads:
        list(threads.map(part, range(0, len(inputs), step)))
    return every, within


def _squared_distances(fits: Fits, some: Inputs) -> Float[np.ndarray, "some input"]:
    """(μ_i − μ_j)ᵀ Σ_j⁻¹ (μ_i − μ_j), from differences: clouds may be tiny beside their distances."""
    n, dim = fits.means.shape
    out = np.empty((len(some), n))
    step = max(1, ENTRIES // (len(some) * dim))
    for start in range(0, n, step):
        here = slice(start, start + step)
        differences = fits.means[some] - fits.means[here, None]  # input, some, dim
        along = differences @ fits.inverse_roots[here].transpose(0, 2, 1)
        out[:, here] = np.einsum("isd,isd->si", along, along)
    return out


def _settle(kernels: Float[np.ndarray, "some input"], fits: Fits, some: Inputs) -> None:
    """Write down what is known: 1 for an input itself and for equal atoms, 0 for an atom beside anything else."""
    single = fits.atoms[some, None] | fits.atoms
    same = fits.atoms[some, None] & fits.atoms & (fits.points[some, None] == fits.points)
    kernels[single] = 0.0
    kernels[same] = 1.0
    kernels[np.arange(len(some)), some] = 1.0


def coefficient_sums(fits: Fits, inputs: Inputs, labels: Codes) -> Sums:
    """Sum the Bhattacharyya coefficients exp(−BD(i, j)) over all j for each of some inputs i.

    BD = ⅛ (μ_i − μ_j)ᵀ Σ̄⁻¹ (μ_i − μ_j) + ½ ln |Σ̄| − ¼ ln |Σ_i| |Σ_j| with Σ̄ the mean of both covariances. It is
    at least |μ_i − μ_j|² / 4(λ_i + λ_j), λ the largest eigenvalues; pairs beyond `FAR` by that are left out.
    """
    n = len(fits.means)
    widths = np.linalg.eigvalsh(fits.covariances)[:, -1]
    norms = np.einsum("id,id->i", fits.means, fits.means)
    symmetric = len(inputs) == n
    step = max(1, ENTRIES // n)
    sums = np.zeros((2, n))

    def part(start: int) -> Float[np.ndarray, "2 input"]:
        some = inputs[start : start + step]
        squared = norms[some, None] + norms - 2 * fits.means[some] @ fits.means.T
        near = squared < 4 * FAR * (widths[some, None] + widths) + 1e-9
        single = fits.atoms[some, None] | fits.atoms
        same = fits.atoms[some, None] & fits.atoms & (fits.points[some, None] == fits.points)
        near &= ~single | same
        near &= (np.arange(n) > some[:, None]) if symmetric else (np.arange(n) != some[:, None])
        place, second = np.nonzero(near)
        first = some[place]
        kernels = np.where(same[place, second], 1.0, _coefficients(fits, first, second))
        alike = np.where(labels[first] == labels[second], kernels, 0.0)
        added = np.zeros((2, n))
        for ends in (first, second) if symmetric else (first,):
            added += np.stack([np.bincount(ends, one, n) for one in (kernels, alike)])
        return added

    with ThreadPoolExecutor(n_threads()) as threads:
        for added in threads.map(part, range(0, len(inputs), step)):
            sums += added
    sums += 1.0  # of each input with itself
    return sums[0, inputs], sums[1, inputs]


def _coefficients(fits: Fits, first: Inputs, second: Inputs) -> Float[np.ndarray, " pair"]:
    """exp(−BD) of some pairs, from one Cholesky decomposition each.

    Of the matrix (Σ̄, Δ; Δᵀ, very large) its last row is L⁻¹Δ.
    """
    dim = fits.means.shape[1]
    out = np.empty(len(first))
    step = max(1, ENTRIES // (dim + 1) ** 2)
    for start in range(0, len(first), step):
        i, j = first[start : start + step], second[start : start + step]
        bordered = np.empty((len(i), dim + 1, dim + 1))
        np.add(fits.covariances[i], fits.covariances[j], out=bordered[:, :dim, :dim])
        bordered[:, :dim, :dim] /= 2
        bordered[:, dim, :dim] = fits.means[i] - fits.means[j]  # the lower triangle is all that is read
        bordered[:, dim, dim] = 1e200
        roots = np.linalg.cholesky(bordered)
        squared = np.einsum("pd,pd->p", roots[:, dim, :dim], roots[:, dim, :dim])
        half_log = np.log(np.diagonal(roots, axis1=1, axis2=2)[:, :dim]).sum(axis=1)
        own = (fits.log_determinants[i] + fits.log_determinants[j]) / 4
        out[start : start + step] = np.exp(-np.maximum(squared / 8 + half_log - own, 0))
    return out
