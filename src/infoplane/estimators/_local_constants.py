"""Constants of the local estimators that no closed form gives: Monte Carlo, with their standard errors."""

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import digamma

from infoplane.estimators._local_gaussian import fit, log_ball

TRIGGERED = 5e-3
"""Probability with which uniform neighbours are taken for a flat neighbourhood (S. Gao and others 2015)."""

_DRAWS = 200_000
"""Neighbourhoods behind a constant that is not in a table."""

_NUMBERS = 1 << 21
"""Coordinates drawn at a time."""


class Constant(NamedTuple):
    """A number and its standard error."""

    value: float
    std_error: float


@functools.cache
def bias_constant(k: int, m: int, dims: int) -> Constant:
    """Bias of the local Gaussian entropy with k and m neighbours in so many dimensions, in nats.

    It depends on nothing else (W. Gao, Oh & Viswanath 2016): near a sample the others are a Poisson
    process, whose distances are R_j = (T_j/T_k)^{1/d} in units of the k-th, T_j = E_1 + … + E_j with E iid
    exponential, in directions θ_j uniform on the sphere. With u_j = R_j θ_j and c_d the volume of the unit ball,

        B = E[−ln S0 + (d/2) ln 2π + ln T_k − ln c_d + ½ ln|Σ| + ½ μᵀΣ⁻¹μ].

    Args:
        k: neighbour whose distance is the bandwidth.
        m: neighbours that take part; at least k and d + 2.
        dims: d.
    """
    known = _BIAS.get((k, m, dims))
    return Constant(*known) if known else draw_bias(k, m, dims, _DRAWS)


@functools.cache
def volume_ratio(k: int, dims: int) -> Constant:
    """Ratio α of volumes below which k neighbours are taken to lie on a surface, in so many dimensions.

    The `TRIGGERED` quantile of the volume of the box along their principal axes, over that along the coordinates,
    where the density is constant: k − 1 points uniform in a cube around the sample and one uniform on its surface,
    which is what the k nearest in the largest norm are.
    """
    known = _RATIOS.get((k, dims))
    return Constant(*known) if known else draw_ratio(k, dims, _DRAWS)


def draw_bias(k: int, m: int, dims: int, draws: int, seed: int = 0) -> Constant:
    """Draw `bias_constant`.

    T_k, T_m and ln T_k, whose expectations are known, serve as control variates.
    """
    values, controls = [], []
    for rng, size in _batches(draws, m * dims, seed):
        times = np.cumsum(rng.standard_exponential((size, m)), axis=1)
        directions = rng.standard_normal((size, m, dims))
        directions /= np.linalg.norm(directions, axis=2, keepdims=True)
        radii = (times / times[:, k - 1 : k]) ** (1 / dims)
        log_kth = np.log(times[:, k - 1])
        values.append(fit(radii[:, :, None] * directions).nats + log_kth - log_ball(dims))
        controls.append(np.stack([log_kth - float(digamma(k)), times[:, k - 1] - k, times[:, -1] - m], axis=1))
    return _controlled(np.concatenate(values), np.concatenate(controls))


def draw_ratio(k: int, dims: int, draws: int, seed: int = 0) -> Constant:
    """Draw `volume_ratio`; the standard error is that of the quantile's rank."""
    ratios = np.sort(np.concatenate([_ratios(rng, size, k, dims) for rng, size in _batches(draws, k * dims, seed)]))
    rank = TRIGGERED * draws
    off = math.sqrt(rank * (1 - TRIGGERED))
    low, middle, high = (float(ratios[round(place)]) for place in (rank - off, rank, rank + off))
    return Constant(middle, (high - low) / 2)


def log_boxes(z: Float[np.ndarray, "block k dim"], resolution: float = 0.0) -> Float[np.ndarray, "block dim+1"]:
    """Ln of the half-widths of the boxes around neighbours: those along principal axes, and the sum along coordinates.

    Args:
        z: neighbours seen from each sample.
        resolution: rounding error of z; a principal half-width is not taken below it.
    """
    axes = np.linalg.eigh(np.matmul(z.transpose(0, 2, 1), z))[1]
    principal = np.maximum(np.abs(np.matmul(z, axes)).max(axis=1), resolution)
    with np.errstate(divide="ignore"):  # coordinates without spread
        along = np.log(np.abs(z).max(axis=1)).sum(axis=1, keepdims=True)
        return np.hstack([np.log(principal), along])


def _ratios(rng: np.random.Generator, size: int, k: int, dims: int) -> Float[np.ndarray, " block"]:
    """Ratios of volumes for uniform neighbours."""
    z = rng.uniform(-1, 1, (size, k, dims))
    z[np.arange(size), 0, rng.integers(0, dims, size)] = 1.0
    logs = log_boxes(z)
    return np.exp(logs[:, :-1].sum(axis=1) - logs[:, -1])


def _batches(draws: int, numbers: int, seed: int) -> Iterator[tuple[np.random.Generator, int]]:
    """Divide draws of so many numbers each into batches of bounded memory."""
    rng = np.random.Generator(np.random.Philox(seed))
    size = max(1, _NUMBERS // numbers)
    for start in range(0, draws, size):
        yield rng, min(size, draws - start)


def _controlled(values: Float[np.ndarray, " draw"], controls: Float[np.ndarray, "draw control"]) -> Constant:
    """Mean of values less their regression on controls of expectation 0."""
    centred = controls - controls.mean(axis=0)
    slopes = np.linalg.lstsq(centred, values - values.mean())[0]
    left = values - controls @ slopes
    return Constant(float(left.mean()), float(left.std() / math.sqrt(len(left))))


_BIAS: dict[tuple[int, int, int], tuple[float, float]] = {}
"""(k, m, d): value and standard error of `draw_bias` with 2 million draws, seed 1 (k = 3: 8 million)."""

_RATIOS: dict[tuple[int, int], tuple[float, float]] = {}
"""(k, d): value and standard error of `draw_ratio` with 2 million draws, seed 1."""
