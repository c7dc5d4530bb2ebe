"""Information of a Gaussian encoder with known mean and variance, as in a variational autoencoder."""

import math
import time
from typing import Any

import numpy as np
from jaxtyping import Float

from infoplane._arrays import Codes, as_labels, as_samples
from infoplane.errors import InputError
from infoplane.estimators.base import SATURATION_MARGIN, Estimate, LayerInformation

BLOCK = 2**24
"""Numbers of a block of pairwise log densities times coordinates: 128 MiB."""

Rows = Float[np.ndarray, "input dim"]


def gaussian_encoder(
    mean: Any, variance: Any, labels: Any = None, *, draws: int = 16, seed: int = 0
) -> LayerInformation:
    r"""Return I(X;Z) and I(Z;Y) of a code Z ~ N(mean(x), diag variance(x)), in bits.

    X is *which input*, uniform over the N inputs, so that Z has the density p(z) = (1/N) Σ_j N(z; μ_j, σ_j²) and

    .. math:: I(X;Z) = \frac1N \sum_i \mathbb{E}_{z \sim p(z|i)} \log_2 \frac{p(z|i)}{p(z)}.

    Both densities are known, so that only the expectation is taken by ``draws`` samples for each input: ``bits`` is
    free of bias and ``std_error`` is its standard error. ``lower`` and ``upper`` of I(X;Z) are exact bounds in closed
    form, by Bhattacharyya and Kullback–Leibler divergences between the inputs (Kolchinsky & Tracey 2017, eq. 10–12).
    I(Z;Y) = I(X;Z) − I(X;Z|Y) is taken from the same samples.

    Args:
        mean: mean of the code of each input, shape (N, d).
        variance: variance of the code, shape (N, d) or one number; above 0. An encoder that returns the logarithm of
            the variance needs ``log_variance.exp()``.
        labels: class of each input, shape (N,).
        draws: samples of the code of each input; the standard error falls with the root of N · draws.
        seed: seed of these samples.

    Returns:
        Estimates of I(X;Z) and I(Z;Y), from 0 to log2 N and to H(Y).

    Flags:
        saturated: I(X;Z) is within 0.1 bit of log2 N.

    Raises:
        InputError: for arrays of different shapes, or variances that are not above 0.

    References:
        Kolchinsky & Tracey (2017), Estimating mixture entropy with pairwise distances.

    Examples:
        >>> import numpy as np, infoplane as ip
        >>> two = ip.gaussian_encoder(np.array([[-20.0], [20.0]]), 1.0)
        >>> round(two.input.bits, 6)
        1.0
    """
    start = time.perf_counter()
    mu, var = _checked(mean, variance)
    codes = None if labels is None else as_labels(labels, "labels", len(mu))
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise InputError(f"draws: expected a whole number of at least 1, got {draws!r}.")
    whole, within = _sampled(mu, var, codes, draws, seed)
    low, high = _bounds(mu, var)
    saturated = whole.mean() > math.log2(len(mu)) - SATURATION_MARGIN
    common: dict[str, Any] = {
        "n": len(mu),
        "dims": (mu.shape[1],),
        "estimator": "gaussian-encoder",
        "params": {"draws": draws, "seed": seed},
        "seconds": time.perf_counter() - start,
    }
    flags = frozenset({"saturated"} if saturated else ())
    about_input = Estimate(**_mean(whole), lower=low, upper=high, flags=flags, **common)
    return LayerInformation(about_input, None if within is None else Estimate(**_mean(whole - within), **common))


def _mean(bits: Float[np.ndarray, " draw"]) -> dict[str, Any]:
    """Return the mean of the draws with its standard error, which does not cover the choice of the inputs."""
    error = float(bits.std(ddof=1) / math.sqrt(len(bits))) if len(bits) > 1 else None
    return {"bits": float(bits.mean()), "std_error": error}


def _checked(mean: Any, variance: Any) -> tuple[Rows, Rows]:
    mu = as_samples(mean, "mean").astype(np.float64)
    var = np.asarray(variance.detach().cpu() if hasattr(variance, "detach") else variance, np.float64)
    if var.ndim and var.reshape(len(var), -1).shape != mu.shape:
        raise InputError(f"variance: expected one number or shape {mu.shape}, got {var.shape}. Pass one for each mean.")
    var = np.broadcast_to(var if var.ndim == 0 else var.reshape(mu.shape), mu.shape).copy()
    if not (np.isfinite(mu).all() and np.isfinite(var).all() and (var > 0).all()):
        raise InputError(
            "variance: expected finite numbers above 0 and finite means, got others. If the encoder returns the "
            "logarithm of the variance, pass its exponential."
        )
    return mu, var


def _sampled(
    mu: Rows, var: Rows, codes: Codes | None, draws: int, seed: int
) -> tuple[Float[np.ndarray, " draw"], Float[np.ndarray, " draw"] | None]:
    """Return for each draw the mean over the inputs of log2 p(z|i)/p(z), and of log2 p(z|i)/p(z|y)."""
    rng = np.random.default_rng(seed)
    whole, within = np.zeros(draws), np.zeros(draws)
    step = max(1, BLOCK // mu.size)
    for draw in range(draws):
        z = mu + np.sqrt(var) * rng.standard_normal(mu.shape)
        for start in range(0, len(mu), step):
            here = slice(start, start + step)
            logs = _log_densities(z[here], mu, var)
            own = np.diagonal(logs, offset=start)
            whole[draw] += (own - _log_mean(logs)).sum()
            if codes is not None:
                others = np.where(codes[here, None] == codes[None], logs, -np.inf)
                share = np.bincount(codes)[codes[here]] / len(mu)
                within[draw] += (own - _log_mean(others) + np.log(share)).sum()
    scale = len(mu) * math.log(2)
    return whole / scale, None if codes is None else within / scale


def _log_densities(z: Float[np.ndarray, "row dim"], mu: Rows, var: Rows) -> Float[np.ndarray, "row input"]:
    """Return ln N(z; μ_j, σ_j²) up to the constant of the dimension."""
    squares = np.square(z[:, None] - mu[None]) / var[None]
    return -0.5 * (squares.sum(axis=2) + np.log(var).sum(axis=1))


def _log_mean(logs: Float[np.ndarray, "row input"]) -> Float[np.ndarray, " row"]:
    top = logs.max(axis=1)
    return top + np.log(np.exp(logs - top[:, None]).mean(axis=1))


def _bounds(mu: Rows, var: Rows) -> tuple[float, float]:
    """Return −(1/N) Σ_i log2 (1/N) Σ_j exp(−D_ij), D of Bhattacharyya and of Kullback and Leibler."""
    low, high = np.empty(len(mu)), np.empty(len(mu))
    step = max(1, BLOCK // mu.size)
    for start in range(0, len(mu), step):
        here = slice(start, start + step)
        squares = np.square(mu[here, None] - mu[None])
        own, other = var[here, None], var[None]
        middle = (own + other) / 2
        bhattacharyya = (squares / middle / 8 + 0.5 * np.log(middle / np.sqrt(own * other))).sum(axis=2)
        kullback = 0.5 * (own / other + squares / other - 1 + np.log(other / own)).sum(axis=2)
        low[here], high[here] = -_log_mean(-bhattacharyya), -_log_mean(-kullback)
    return float(low.mean() / math.log(2)), float(high.mean() / math.log(2))
