"""Clouds as Gaussians, one for each input: bounds on the information between inputs and the mixture of them."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane._arrays import Codes
from infoplane.errors import InputError
from infoplane.estimators._covariance import shrunk_covariance, standardise
from infoplane.estimators._random_clouds import Clouds, Quantities, Quantity, saturated
from infoplane.estimators._random_divergences import Fits, coefficient_sums, kernel_sums
from infoplane.estimators.gaussian import CROWDED, Gaussian
from infoplane.estimators.rows import row_codes

GROUPS = 10
"""Groups of samples of weights that are left out in turn."""

LARGEST = 2**26
"""Numbers in all covariances together: half a GiB."""

FLOOR = 1e-12
"""Variance in every direction that is added, in units of the pooled variance, so that none is without: a cloud that
is flat to within rounding has this width there."""

LOWER_INPUTS = 256
"""Inputs over which the bias of the lower bound is taken."""


class Bounds(NamedTuple):
    """Upper and lower bound of I(X;T), and of Σ_y p(y) I(X;T|Y=y), at each of some inputs, in bits."""

    upper: Float[np.ndarray, " input"]
    lower: Float[np.ndarray, " input"]
    upper_within: Float[np.ndarray, " input"]
    lower_within: Float[np.ndarray, " input"]


def measure(clouds: Clouds, estimator: Gaussian) -> Quantities:
    """Return the bounds of I(X;T) and of I(T;Y); see `infoplane.as_if_random`."""
    t = standardise(clouds.rows.astype(np.float64)).columns.reshape(*clouds.t.shape[:2], -1)
    if (clouds.t == clouds.t[:1]).all():  # points: those differ that are given so, by however little
        t = _numbered(clouds.t)
    n_weights, n_inputs, n_units = t.shape
    if n_inputs * n_units**2 > LARGEST:
        raise InputError(
            f"t has {n_inputs} inputs and {n_units} units that vary; covariances for estimator 'gaussian' hold "
            f"{n_inputs * n_units**2:.1g} numbers, above {LARGEST:.1g}; measure fewer inputs, or use 'kde'"
        )
    n_groups = min(GROUPS, n_weights)
    fewest = n_weights - -(-n_weights // n_groups)
    shrinks = estimator.shrinkage == "ledoit-wolf" or (estimator.shrinkage == "auto" and fewest <= n_units)
    if estimator.shrinkage == "none" and fewest <= n_units:
        raise InputError(
            f"gaussian shrinkage is 'none' with {n_weights} samples of the weights and {n_units} units; covariances "
            f"need more samples than units, also without a tenth of them; use shrinkage='auto'"
        )
    inputs = np.unique(clouds.queries % n_inputs)
    whole = _bounds(fit(t, shrinks=shrinks), inputs, inputs, clouds.labels)
    few = inputs[:: -(-len(inputs) // LOWER_INPUTS)]
    groups = np.arange(n_weights) % n_groups
    left = (fit(t[groups != group], shrinks=shrinks) for group in range(n_groups if fewest >= 2 else 0))
    shrunk = f"{n_units} units that vary, {n_weights} samples of the weights: covariances shrunk" if shrinks else ""
    return _summarise(clouds, estimator, whole, [_bounds(fits, inputs, few, clouds.labels) for fits in left], shrunk)


def _numbered(t: Float[np.ndarray, "weights input unit"]) -> Float[np.ndarray, "weights input 1"]:
    """Return equal samples with a number in place of each point, one that equal points share."""
    codes = row_codes(np.ascontiguousarray(t[:1].transpose(0, 2, 1)))[0]
    numbers = np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.float64)
    return np.broadcast_to(numbers[None, :, None], (*t.shape[:2], 1)).copy()


def fit(t: Float[np.ndarray, "weights input dim"], *, shrinks: bool) -> Fits:
    """Fit a Gaussian to the samples of each input; those that are all equal are atoms."""
    n_weights, _, n_units = t.shape
    moved = t - t[:1]
    means = t[0] + moved.mean(axis=0)  # so that equal samples have exactly their own mean
    columns = np.ascontiguousarray((t - means).transpose(1, 0, 2))
    if shrinks:
        covariances = np.stack([_shrunk(own) for own in columns])
    else:
        covariances = columns.transpose(0, 2, 1) @ columns / (n_weights - 1)
    covariances += FLOOR * np.eye(n_units)
    return Fits.of(means, covariances, (moved == 0).all(axis=(0, 2)), row_codes(t[:1].transpose(0, 2, 1))[0])


def _shrunk(columns: Float[np.ndarray, "weights dim"]) -> Float[np.ndarray, "dim dim"]:
    """Shrink by Ledoit and Wolf's share, at least by 1/M: from two samples, which every line fits, theirs is 0."""
    covariance, share = shrunk_covariance(columns)
    more = max(0.0, (1 / len(columns) - share) / (1 - share)) if share < 1 else 0.0
    return (1 - more) * covariance + more * np.trace(covariance) / len(covariance) * np.eye(len(covariance))


def _bounds(
    fits: Fits, inputs: Int[np.ndarray, " input"], few: Int[np.ndarray, " few"], labels: Codes | None
) -> Bounds:
    """Both bounds, the lower one at fewer inputs."""
    n = len(fits.means)
    codes = np.zeros(n, np.int64) if labels is None else labels
    members = np.bincount(codes)
    upper, upper_within = kernel_sums(fits, inputs, codes)
    lower, lower_within = coefficient_sums(fits, few, codes)
    return Bounds(
        math.log2(n) - np.log2(upper),
        math.log2(n) - np.log2(lower),
        np.log2(members[codes[inputs]]) - np.log2(upper_within),
        np.log2(members[codes[few]]) - np.log2(lower_within),
    )


def _summarise(clouds: Clouds, estimator: Gaussian, whole: Bounds, left: list[Bounds], shrunk: str) -> Quantities:
    """Turn the bounds into bits, free of bias by leaving out groups of the samples of the weights in turn.

    With G groups and I_g the value without group g, the bias of order 1/M is (G−1)(mean of I_g − I), and the variance
    of I is (G−1)/G Σ_g (I_g − mean)² (Quenouille 1956, Tukey 1958). Inputs whose samples are equal have no bias.
    """
    plain, few = _means(whole), _means(_thinned(whole))
    without = np.array([_means(bounds) for bounds in left])
    bias = (len(left) - 1) * (without.mean(axis=0) - few) if left and estimator.correction else np.zeros(4)
    upper, lower, upper_within, lower_within = plain - bias
    notes = saturated(float(upper), clouds)
    if shrunk:
        notes = notes | {CROWDED: shrunk}
    about_input = Quantity(
        float(upper),
        _error(clouds, without[:, 0] if left else None, whole.upper),
        float(lower),
        float(upper),
        kind="upper",
        notes=notes,
        taken=float(bias[0]) if left and estimator.correction else None,
        remarks=() if left else (f"{clouds.n_weights} samples of the weights are too few for a standard error",),
    )
    if clouds.labels is None:
        return about_input, None
    about_label = Quantity(
        float(upper - upper_within),
        _error(clouds, without[:, 0] - without[:, 2] if left else None, whole.upper - whole.upper_within),
        float(lower - upper_within),
        float(upper - lower_within),
        taken=float(bias[0] - bias[2]) if left and estimator.correction else None,
        notes={CROWDED: shrunk} if shrunk else {},
    )
    return about_input, about_label


def _thinned(bounds: Bounds) -> Bounds:
    """The lower bounds at those inputs at which their bias is taken."""
    step = -(-len(bounds.upper) // LOWER_INPUTS)
    return bounds._replace(lower=bounds.lower[::step], lower_within=bounds.lower_within[::step])


def _means(bounds: Bounds) -> Float[np.ndarray, "4"]:
    return np.array([float(part.mean()) for part in bounds])


def _error(
    clouds: Clouds, without: Float[np.ndarray, " group"] | None, local: Float[np.ndarray, " input"]
) -> float | None:
    """Standard error from the groups left out, and from taking some inputs for all."""
    if without is None:
        return None
    of_weights = (len(without) - 1) ** 2 / len(without) * float(without.var(ddof=1))
    of_inputs = float(local.var(ddof=1)) / len(local) * (1 - len(local) / clouds.n_inputs) if len(local) > 1 else 0.0
    return math.sqrt(of_weights + of_inputs)
