"""Estimators on samples of a network whose information is known: truth against estimate."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from infoplane import results
from infoplane.estimators import Estimate
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.kde import Kde
from infoplane.estimators.mutual import mutual_information
from infoplane.estimators.neighbors import Ksg1
from infoplane.estimators.noisy import Noisy
from infoplane.nets.linear import Weights

BOUNDS = {"lower": "information_lower", "upper": "information_upper", "std_error": "information_std_error"}
"""What stands beside an estimate, and its name in a result."""

DRAWS = 1
"""Noise vectors a row of ``noisy``: with thousands of rows its error is below a hundredth of a bit."""

PAIRS = (Gaussian(), Ksg1())


def names(variance: float) -> list[str]:
    """Return the names of the estimators at a variance of the noise, as results carry them."""
    return [f"kde(variance={variance:g})", f"noisy(variance={variance:g})", *(one.name for one in PAIRS)]


def measure(
    epochs: Sequence[Weights],
    inputs: Float[np.ndarray, "sample dim"],
    labels: Float[np.ndarray, "sample 1"],
    variance: float,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Measure every layer at some epochs.

    ``kde`` and ``noisy`` measure I(X;T+ε) of the empirical X, the samples being all the inputs there are, which is at
    most log2 N; the estimators of pairs get (x, t + ε) and (t + ε, y), ε drawn once.

    Args:
        epochs: at each the maps from the input to the layers.
        inputs: x.
        labels: y; continuous, which ``kde`` and ``noisy`` do not take.
        variance: σ² of the noise.
        rng: where the noise comes from.

    Returns:
        ``oracle_bits``, ``oracle_lower``, ``oracle_upper``, ``oracle_std_error`` and ``oracle_flags``, shape
        (estimator, epoch, layer, variable); NaN where there is no number.
    """
    shape = (len(names(variance)), len(epochs), len(epochs[0]), len(results.VARIABLES))
    made = {f"oracle_{key}": np.full(shape, np.nan) for key in ("bits", *BOUNDS)}
    made["oracle_flags"] = np.zeros(shape, np.int32)
    layered = (Kde(variance=variance), Noisy(variance=variance, draws=DRAWS))
    for place, maps in enumerate(epochs):
        for layer, to_layer in enumerate(maps):
            t = inputs @ to_layer.T
            noisy = t + np.sqrt(variance) * rng.standard_normal(t.shape)
            for row, estimator in enumerate(layered):
                _put(made, (row, place, layer, 0), estimator.of_layer(t, None).input)
            for row, estimator in enumerate(PAIRS, start=len(layered)):
                for variable, (one, other) in enumerate(((inputs, noisy), (noisy, labels))):
                    _put(made, (row, place, layer, variable), mutual_information(one, other, estimator))
    return made


def _put(made: dict[str, np.ndarray], place: tuple[int, int, int, int], estimate: Estimate) -> None:
    """Write an estimate into its place."""
    made["oracle_bits"][place] = estimate.bits
    for key in BOUNDS:
        value = getattr(estimate, key)
        made[f"oracle_{key}"][place] = np.nan if value is None else value
    made["oracle_flags"][place] = results.encode_flags(estimate.flags)
