"""A noisy linear layer T = W x + ε of normal inputs: what it knows of the input and of a linear label, exactly.

With x ~ N(0, Σ) and ε ~ N(0, σ² I) all variables are jointly normal, so that information is a difference of
logarithms of determinants (Cover & Thomas 2006, theorem 8.4.1; Saxe et al. 2018, section 3).
"""

import numpy as np
from jaxtyping import Bool, Float

from infoplane.truth.base import NAT, Number, check

Layer = Float[np.ndarray, "unit dim"]
Covariance = Float[np.ndarray, "dim dim"]


def input_information(weights: Layer, covariance: Covariance, variance: Number) -> float:
    """I(X;T) = ½ log2 det(I + W Σ Wᵀ/σ²) in bits.

    Args:
        weights: W, one row a unit.
        covariance: Σ of the inputs.
        variance: σ² of the noise on every unit.

    Raises:
        InputError: for a variance that is not above 0: without noise a linear layer that is one-to-one knows
            infinitely many bits of a continuous input.

    Example:
        >>> import numpy as np
        >>> from infoplane.truth.linear import input_information
        >>> round(input_information(np.array([[3.0]]), np.eye(1), 1.0), 4)  # ½ log2(1 + 9)
        1.661
    """
    check(0 < variance < np.inf, "variance", variance, "a finite number above 0")
    signal = weights @ covariance @ weights.T / variance
    return float(np.linalg.slogdet(np.eye(len(weights)) + signal)[1]) / 2 * NAT


def part_information(weights: Layer, covariance: Covariance, variance: Number, part: Bool[np.ndarray, " dim"]) -> float:
    """I(X_part;T) in bits, of some of the inputs, which must be independent of the others.

    The others then act as noise that is correlated between the units:
    I(X_part;T) = I(X;T) − ½ log2 det(I + W_rest Σ_rest W_restᵀ/σ²).

    Args:
        weights: W, one row a unit.
        covariance: Σ of the inputs.
        variance: σ² of the noise on every unit.
        part: which inputs.

    Raises:
        InputError: when these inputs and the others are correlated, or for a variance that is not above 0.
    """
    crossed = float(np.abs(covariance[np.ix_(part, ~part)]).max(initial=0.0))
    check(crossed == 0, "largest covariance between the part and the rest", crossed, "0: independent inputs")
    rest = input_information(weights[:, ~part], covariance[np.ix_(~part, ~part)], variance)
    return input_information(weights, covariance, variance) - rest


def label_information(
    weights: Layer, covariance: Covariance, variance: Number, teacher: Float[np.ndarray, " dim"], label_noise: Number
) -> float:
    """I(T;Y) in bits for the label Y = v·x + η, η ~ N(0, s²).

    I(T;Y) = ½ log2(Var Y / Var(Y|T)) with Var(Y|T) = vᵀΣv + s² − cᵀ(W Σ Wᵀ + σ² I)⁻¹c, c = W Σ v. It is at
    most I(X;Y) = ½ log2(1 + vᵀΣv/s²).

    Args:
        weights: W, one row a unit.
        covariance: Σ of the inputs.
        variance: σ² of the noise on every unit.
        teacher: v.
        label_noise: s².

    Raises:
        InputError: for variances that are not above 0.
    """
    check(0 < variance < np.inf, "variance", variance, "a finite number above 0")
    check(0 < label_noise < np.inf, "label_noise", label_noise, "a finite number above 0")
    of_layer = weights @ covariance @ weights.T + variance * np.eye(len(weights))
    shared = weights @ covariance @ teacher
    label = float(teacher @ covariance @ teacher) + label_noise
    unknown = label - float(shared @ np.linalg.solve(of_layer, shared))
    return float(np.log(label / unknown)) / 2 * NAT
