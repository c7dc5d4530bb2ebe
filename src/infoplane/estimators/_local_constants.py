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


def draw_bias(k: int, m: int, dims: int, draws: int, seed: int = 1) -> Constant:
    """Draw `bias_constant`.

    T_k, T_m and ln T_k, whose expectations are known, serve as control variates.
    """
    values, controls = [], []
    for rng, size in _batches(draws, m * dims, seed):
        u, times = _poisson(rng, size, k, m, dims)
        log_kth = np.log(times[:, k - 1])
        values.append(fit(u).nats + log_kth - log_ball(dims))
        controls.append(np.stack([log_kth - float(digamma(k)), times[:, k - 1] - k, times[:, -1] - m], axis=1))
    return _controlled(np.concatenate(values), np.concatenate(controls))


def draw_ratio(k: int, dims: int, draws: int, seed: int = 1) -> Constant:
    """Draw `volume_ratio`; the standard error is that of the quantile's rank."""
    ratios = np.sort(np.concatenate([_ratios(rng, size, k, dims) for rng, size in _batches(draws, k * dims, seed)]))
    rank = TRIGGERED * draws
    off = math.sqrt(rank * (1 - TRIGGERED))
    low, middle, high = (float(ratios[round(place)]) for place in (rank - off, rank, rank + off))
    return Constant(middle, (high - low) / 2)


def log_boxes(
    z: Float[np.ndarray, "block k dim"], resolution: float = 0.0
) -> tuple[Float[np.ndarray, "block dim"], Float[np.ndarray, " block"]]:
    """Ln of the box around neighbours: its half-widths along their principal axes, and its volume along coordinates.

    Args:
        z: neighbours seen from each sample, which is the middle of both boxes.
        resolution: rounding error of z; a principal half-width is not taken below it.

    Returns:
        Both without the factor 2^d; the second is −∞ where the neighbours agree in a coordinate.
    """
    axes = np.linalg.eigh(np.matmul(z.transpose(0, 2, 1), z))[1]
    principal = np.maximum(np.abs(np.matmul(z, axes)).max(axis=1), resolution)
    with np.errstate(divide="ignore"):
        return np.log(principal), np.log(np.abs(z).max(axis=1)).sum(axis=1)


def _poisson(
    rng: np.random.Generator, size: int, k: int, m: int, dims: int
) -> tuple[Float[np.ndarray, "block m dim"], Float[np.ndarray, "block m"]]:
    """Draw the m nearest points of a Poisson process around a sample, the k-th at distance 1; also return their T_j."""
    times = np.cumsum(rng.standard_exponential((size, m)), axis=1)
    directions = rng.standard_normal((size, m, dims))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    radii = (times / times[:, k - 1 : k]) ** (1 / dims)
    return radii[:, :, None] * directions, times


def _ratios(rng: np.random.Generator, size: int, k: int, dims: int) -> Float[np.ndarray, " block"]:
    """Ratios of volumes for uniform neighbours."""
    z = rng.uniform(-1, 1, (size, k, dims))
    z[np.arange(size), 0, rng.integers(0, dims, size)] = 1.0
    principal, along = log_boxes(z)
    return np.exp(principal.sum(axis=1) - along)


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


_BIAS: dict[tuple[int, int, int], tuple[float, float]] = {
    (3, 30, 1): (0.0449, 0.0008), (4, 30, 1): (-0.0189, 0.0003), (5, 30, 1): (-0.0242, 0.0001),
    (6, 30, 1): (-0.0235, 0.0001), (8, 30, 1): (-0.0236, 0.0001), (10, 30, 1): (-0.0303, 0.0001),
    (3, 30, 2): (-0.1350, 0.0004), (4, 30, 2): (-0.1539, 0.0001), (5, 30, 2): (-0.1738, 0.0001),
    (6, 30, 2): (-0.2004, 0.0001), (8, 30, 2): (-0.2588, 0.0001), (10, 30, 2): (-0.3126, 0.0001),
    (3, 30, 3): (-0.4378, 0.0002), (4, 30, 3): (-0.4989, 0.0001), (5, 30, 3): (-0.5542, 0.0001),
    (6, 30, 3): (-0.6014, 0.0001), (8, 30, 3): (-0.6746, 0.0001), (10, 30, 3): (-0.7277, 0.0001),
    (3, 30, 4): (-0.8993, 0.0001), (4, 30, 4): (-0.9754, 0.0001), (5, 30, 4): (-1.0322, 0.0001),
    (6, 30, 4): (-1.0762, 0.0001), (8, 30, 4): (-1.1401, 0.0001), (10, 30, 4): (-1.1849, 0.0001),
    (5, 30, 6): (-2.0793, 0.0002), (5, 30, 8): (-3.2206, 0.0003), (5, 30, 10): (-4.4588, 0.0003),
}  # fmt: skip
"""(k, m, d): value and standard error of `draw_bias` with 2 million draws, 6 million for k = 3, 500 000 above d = 4."""

_RATIOS: dict[tuple[int, int], tuple[float, float]] = {
    (3, 2): (0.0960, 0.0007), (4, 2): (0.2202, 0.0010), (5, 2): (0.3249, 0.0012), (6, 2): (0.4076, 0.0010),
    (7, 2): (0.4732, 0.0012), (8, 2): (0.5230, 0.0011), (10, 2): (0.6014, 0.0008), (15, 2): (0.7347, 0.0010),
    (20, 2): (0.8218, 0.0007), (4, 3): (0.0503, 0.0004), (5, 3): (0.1304, 0.0008), (6, 3): (0.2177, 0.0007),
    (7, 3): (0.2972, 0.0010), (8, 3): (0.3636, 0.0009), (10, 3): (0.4783, 0.0011), (15, 3): (0.6772, 0.0009),
    (20, 3): (0.8158, 0.0009), (5, 4): (0.0301, 0.0002), (6, 4): (0.0881, 0.0004), (7, 4): (0.1545, 0.0007),
    (8, 4): (0.2264, 0.0008), (10, 4): (0.3575, 0.0009), (15, 4): (0.6244, 0.0013), (20, 4): (0.8292, 0.0017),
    (6, 5): (0.0194, 0.0001), (7, 5): (0.0606, 0.0003), (8, 5): (0.1161, 0.0005), (10, 5): (0.2431, 0.0007),
    (15, 5): (0.5575, 0.0013), (20, 5): (0.8327, 0.0014), (7, 6): (0.0131, 0.0001), (8, 6): (0.0443, 0.0002),
    (10, 6): (0.1434, 0.0005), (15, 6): (0.4734, 0.0013), (20, 6): (0.8163, 0.0017), (11, 10): (0.00392, 0.00005),
    (20, 10): (0.51848, 0.00189),
}  # fmt: skip
"""(k, d): value and standard error of `draw_ratio` with a million draws, half a million in 10 dimensions."""
