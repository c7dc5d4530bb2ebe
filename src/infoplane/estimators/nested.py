"""Information of a layer in a noisy network, by nested sampling: its own noise, and that of the layers before it."""

import math
import time
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError
from infoplane.estimators._pairs import UNRESOLVED
from infoplane.estimators._random_clouds import Clouds, Quantity, as_clouds, saturated
from infoplane.estimators._random_sums import kernel_sums, own_sums, scaled
from infoplane.estimators.base import Estimate, LayerInformation

MOST_UNITS = 100
"""Units up to which the density of noise around its own centre, e^(−d/2) of its height, is a normal float32."""


def nested(
    centres: Any, y: Any = None, *, variance: Any, draws: Any = 1, queries: Any = None, seed: Any = 0
) -> LayerInformation:
    r"""Measure I(X;T) and I(T;Y) of T = centre + N(0, σ² I) where the centre is random given the input, in bits.

    In a network with noise on every layer, a layer T given the input is a mixture: M passes of the input x give M
    centres s_m(x), each with the layer's own noise around it. With u = s_m(x) + z,

        I(X;T) = E log2 [ (1/M) Σ_k φ(u − s_k(x)) / (1/NM) Σ_{x',k} φ(u − s_k(x')) ],

    φ the density of the noise, the mean over all x, m and draws of z, each with both signs. This is the estimator of
    Goldfeld et al. with the layer's entropy and the conditional one from the same draws. Unlike pairwise bounds it
    is no bound but the information itself, up to its error. The M centres stand for infinitely many; twice the value
    less that of the two halves of them (m even and odd) is free of what that adds in 1/M. With a single noisy layer all
    centres of an input are equal, and the value is that of ``noisy``.

    Args:
        centres: shape (M passes, N inputs, d units): activations before the layer's own noise, the same inputs in
            the same order in each, for example of `infoplane.nets.noisy.centres`.
        y: class of each input, shape (N,); without it I(T;Y) is None.
        variance: σ² of the layer's own noise on each unit: β² in a network trained with noise β.
        draws: noise vectors for each centre, each used with both signs.
        queries: number of centres, of N·M, that get noise, drawn at random; None for all.
        seed: from which centres and noise are drawn.

    Returns:
        Both informations with standard errors, which hold the noise and the passes, and 95 % intervals.

    Range: about 0 ≤ I(T;Y) ≤ I(X;T) ≤ log2 N; raw.

    Flags: ``saturated`` within 0.1 bit of log2 N; ``non-finite`` (NaN) for centres that are not finite, or spread over
    more than 10⁹ σ.

    When it misleads: with few passes M, and noise upstream that is wide beside σ, the M centres of an input stand
    alone; the value is then near log2 N whatever the network does. Follow it against M.

    Raises:
        InputError: for arrays that cannot be used, a variance that is not positive, more than 100 units, or M = 1.

    Reference:
        Z. Goldfeld et al., "Estimating information flow in deep neural networks", ICML 2019.

    Example:
        >>> import numpy as np
        >>> two = np.repeat(np.array([[[0.0], [2.0]]]), 1000, axis=0)  # two points, two standard deviations apart
        >>> bool(abs(nested(two, variance=1.0).input.bits - 0.33683 / np.log(2)) < 0.02)
        True
    """
    start = time.perf_counter()
    number = isinstance(variance, int | float | np.integer | np.floating) and not isinstance(variance, bool)
    if not number or not 0 < variance < math.inf:
        raise InputError(f"variance is {variance!r}; expected a positive finite number, β² of the layer's noise")
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise InputError(f"draws is {draws!r}; expected a whole number, at least 1")
    clouds = as_clouds(centres, y, None, queries, seed)
    if clouds.n_units > MOST_UNITS:
        raise InputError(f"centres have {clouds.n_units} units; expected at most {MOST_UNITS}")
    local, why = _local(clouds, float(variance), int(draws), int(seed))
    parameters = {"variance": float(variance), "draws": draws, "queries": queries, "seed": seed}
    informations = []
    for own in local:
        bits, error = (math.nan, None) if why else clouds.mean(own[0])
        notes = {"non-finite": why} if why else saturated(bits, clouds) if not informations else {}
        taken = None if why else float((own[1] - own[0]).mean())
        quantity = Quantity(bits, error, taken=taken, notes=notes)
        informations.append(
            Estimate(
                bits,
                std_error=error,
                interval=quantity.interval(clouds.n_weights - 1),
                n=clouds.size,
                dims=(clouds.n_units,) if not informations else (clouds.n_units, 1),
                flags=frozenset(notes),
                reason=quantity.reason,
                estimator="nested",
                params=parameters,
                seconds=time.perf_counter() - start,
            )
        )
    return LayerInformation(informations[0], None if clouds.labels is None else informations[1])


def _local(clouds: Clouds, variance: float, draws: int, seed: int) -> tuple[Float[np.ndarray, "quantity 2 query"], str]:
    """Terms of I(X;T) and I(T;Y) for each centre that gets noise, free of bias and as they are; or why none."""
    nothing = np.zeros((2, 2, len(clouds.queries)))
    bad = int(clouds.t.size - np.isfinite(clouds.t).sum())
    if bad:
        return nothing, f"{bad} of {clouds.t.size} centres are not finite"
    rows, radius = scaled(clouds.rows, variance)
    if radius * radius / 8 >= UNRESOLVED:
        return nothing, f"centres spread over {radius:.2g} σ: float64 does not resolve the noise"
    rng = np.random.default_rng([seed, 1])
    found = []
    for _ in range(draws):
        noise = rng.standard_normal((len(clouds.queries), clouds.n_units))
        found += [_terms(clouds, rows, rows[clouds.queries] + sign * noise) for sign in (1.0, -1.0)]
    return np.mean(found, axis=0), ""


def _terms(
    clouds: Clouds, rows: Float[np.ndarray, "row dim"], points: Float[np.ndarray, "query dim"]
) -> Float[np.ndarray, "quantity 2 query"]:
    """Local terms for one noisy point of each centre, in units of σ."""
    halves: Int[np.ndarray, " row"] = np.arange(clouds.size) // clouds.n_inputs % 2
    own_half, labels = halves[clouds.queries], clouds.row_labels
    sums = kernel_sums(points, labels[clouds.queries], own_half, rows, labels, halves)
    own = own_sums(points, clouds.queries % clouds.n_inputs, own_half, rows.reshape(clouds.t.shape))[:, 0]
    m = clouds.n_weights
    half = np.where(own_half == 0, (m + 1) // 2, m // 2)
    members = np.bincount(labels)[labels[clouds.queries]] // m
    whole = [own[0] / m, sums.of_class[0] / (members * m), sums.pooled[0] / clouds.size]
    part = [own[1] / half, sums.of_class_half[0] / (members * half), sums.pooled_half[0] / (half * clouds.n_inputs)]
    plain, halved = (np.stack([np.log2(a / c), np.log2(b / c)]) for a, b, c in (whole, part))
    return np.stack([2 * plain - halved, plain], axis=1)
