"""The 12-bit tasks: Shwartz-Ziv & Tishby's rotation-invariant rule, and the two ridge rules g1 and g2."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy.polynomial import legendre

from infoplane.data.base import Dataset, Inputs, random_words
from infoplane.errors import InputError

N_BITS = 12
MAX_DEGREE = 100

GOLDEN = (1 + math.sqrt(5)) / 2
VERTICES = np.array(
    [
        (GOLDEN, 0, 1), (GOLDEN, 0, -1), (0, 1, -GOLDEN), (1, GOLDEN, 0),
        (0, -1, -GOLDEN), (0, -1, GOLDEN), (-1, -GOLDEN, 0), (-GOLDEN, 0, 1),
        (-1, GOLDEN, 0), (-GOLDEN, 0, -1), (0, 1, GOLDEN), (1, -GOLDEN, 0),
    ]
) / math.sqrt(1 + GOLDEN**2)  # fmt: skip
"""Where bit i sits on the unit sphere: the 12 vertices of an icosahedron."""

COSINES = (-1.0, -1 / math.sqrt(5), 1 / math.sqrt(5))
"""Cosines between two different vertices: opposite, far, near."""

RIDGES = np.array(
    [
        (0.1, 0.4, 0.3, 0.5, 0.3, 0.7, 0.1, 0.2, 0.4, 0.3, 0.5, 0.25),
        (0.4, 0.7, 0.7, 0.4, 0.6, 0.6, 0.3, 0.1, 0.15, 0.25, 0.45, 0.05),
        (0.4, 0.2, 0.3, 0.6, 0.1, 0.65, 0.55, 0.25, 0.1, 0.25, 0.7, 0.15),
    ]
)
"""Weights R of the three ridges of g1 and g2, one row a ridge."""

Patterns = Float64[np.ndarray, " pattern"]


def szt(
    threshold: float | int = 7.6,
    degrees: Sequence[int] = (0, 1),
    gamma: float | int | None = None,
    seed: int = 0,
) -> Dataset:
    """Shwartz-Ziv & Tishby's 12-bit task: 4096 patterns on an icosahedron, 2 classes.

    Row n holds the bits of n, the most significant first; bit i sits on vertex v_i. With S the set bits,
    y = 1 where |S| + ‖Σ v_i‖ > 7.6. The defaults give the labels of the papers, all 4096 of them: 2118
    ones, H(Y) = I(X;Y) = 0.999157 bits. The values nearest to 7.6 are 7.5628 and 7.7013, so rounding
    cannot flip a label, and any threshold between those two gives the same task.

    Args:
        threshold: y = 1 where the value of the pattern lies above it.
        degrees: which degrees of spherical harmonics count (see `pattern_values`).
        gamma: None for the rule; a number draws each label once with p(y=1|x) from
            `label_probabilities`. At 30.5 I(X;Y) is 0.9697 bits. The drawn table itself cannot show
            that (each row occurs once, so it says H(Y)): take `exact_information`.
        seed: of the drawn labels; without ``gamma`` it has no say.

    Raises:
        InputError: for a threshold that is not finite, a negative ``gamma`` or degrees that are not
            different integers from 0 to 100.

    References:
        Shwartz-Ziv & Tishby (2017), arXiv 1703.00810.

    >>> task = szt()
    >>> task.input_entropy, round(task.label_entropy, 6), int(task.labels.sum())
    (12.0, 0.999157, 2118)
    """
    if gamma is None:
        above = pattern_values(degrees) > _finite(threshold, "threshold")
    else:
        uniform = (random_words(2**N_BITS, seed, "szt labels") >> np.uint64(11)) * 2.0**-53
        above = uniform < label_probabilities(threshold, degrees, gamma)
    return Dataset(_bits(), above.astype(np.int64), None, _name(threshold, degrees, gamma, seed))


def g1() -> Dataset:
    """The 12-bit task g1: y = 1 where three rectified ridges sum above 5.89, 2 classes.

    y = 1 iff Σ_k max(0, R_k·x − t_k) > 5.89 with t = (.1, .3, .2); 2063 ones. Sums are multiples of 0.05
    and the nearest to 5.89 is 5.90, so rounding cannot flip a label.
    """
    ridges = _bits() @ RIDGES.T - (0.1, 0.3, 0.2)
    above = np.maximum(0, ridges).sum(axis=1) > 5.89
    return Dataset(_bits(), above.astype(np.int64), None, "g1")


def g2() -> Dataset:
    """The 12-bit task g2: y = 1 where three sigmoid ridges sum above 1.945, 2 classes.

    y = 1 iff Σ_k sigmoid(7 (R′_k·x − .41)) > 1.945, R′ being the rows of R divided by their sums; 2045
    ones. The sum nearest to 1.945 is 1.8e-4 away, far beyond rounding.
    """
    from scipy.special import expit

    shares = RIDGES / RIDGES.sum(axis=1, keepdims=True)
    above = expit(7 * (_bits() @ shares.T - 0.41)).sum(axis=1) > 1.945
    return Dataset(_bits(), above.astype(np.int64), None, "g2")


def pattern_values(degrees: Sequence[int] = (0, 1)) -> Patterns:
    """Sum over the chosen degrees l of the norm of a pattern's degree-l spherical harmonics.

    No harmonics are computed. By the addition theorem Σ_m Y_lm(u) Y_lm(v) = (2l+1)/4π P_l(u·v), the
    coefficients c_lm = √(4π/(2l+1)) Σ_{i∈S} Y_lm(v_i) have

        ‖c_l‖² = Σ_{i,j∈S} P_l(v_i·v_j),

    P_l being the Legendre polynomial. This gives |S| for l = 0 and ‖Σ v_i‖ for l = 1. A rotation leaves
    every v_i·v_j as it is, hence the value. Two different vertices have one of three cosines (−1, ∓1/√5),
    so the value depends on how many pairs of S have each: 64 different counts, 64 values at most.

    Args:
        degrees: different integers from 0 to 100.

    Returns:
        One value for each of the 4096 patterns, in row order. Patterns that a symmetry of the
        icosahedron maps to each other get the same float, bit for bit.
    """
    _check_degrees(degrees)
    size = _bits().sum(axis=1, dtype=np.float64)
    pairs = _pair_counts()
    values = np.zeros(len(size))
    for degree in degrees:
        # P_l is the Legendre series whose only coefficient, 1, is the l-th.
        at_cosines = legendre.legval(COSINES, np.eye(degree + 1)[degree])
        squared = size + 2 * (pairs * at_cosines).sum(axis=1)
        # A norm that is 0 (all 12 vertices cancel in degrees 1 to 5) leaves ±1e-14 here, whose root is 1e-7.
        values += np.sqrt(np.where(squared < 1e-10, 0, squared))
    return values


def label_probabilities(
    threshold: float | int = 7.6, degrees: Sequence[int] = (0, 1), gamma: float | int = 30.5
) -> Patterns:
    """p(y=1|x) = 1/(1 + exp(−γ (f(x) − θ))) for each of the 4096 patterns, f from `pattern_values`.

    Args:
        threshold: θ, where either label is equally likely.
        degrees: which degrees of spherical harmonics count.
        gamma: steepness; 0 gives coin flips, and the larger, the nearer to the rule of `szt`.

    Raises:
        InputError: for a threshold or ``gamma`` that is not finite, a negative ``gamma``, or degrees that
            are not different integers from 0 to 100.
    """
    from scipy.special import expit

    if _finite(gamma, "gamma") < 0:
        raise InputError(f"gamma is {gamma}; expected 0 or more (None in szt() for labels without chance)")
    return expit(gamma * (pattern_values(degrees) - _finite(threshold, "threshold")))


def exact_information(p_one: Float[np.ndarray, " sample"]) -> float:
    """I(X;Y) in bits of two labels with p(y=1|x) given for equally likely inputs: H(Y) − mean H(Y|x).

    Raises:
        InputError: for no inputs, or an entry that is not a probability.

    >>> round(exact_information(label_probabilities(gamma=30.5)), 4)
    0.9697
    """
    if len(p_one) == 0 or not ((p_one >= 0) & (p_one <= 1)).all():
        raise InputError("p_one has no entry or one outside 0…1; expected a probability for each input")
    of_mean = _binary_entropy(p_one.mean(keepdims=True))
    return float(of_mean[0] - _binary_entropy(p_one).mean())


def _binary_entropy(p_one: Float[np.ndarray, " sample"]) -> Float[np.ndarray, " sample"]:
    from scipy.special import entr

    return (entr(p_one) + entr(1 - p_one)) / math.log(2)


def _bits() -> Inputs:
    """All patterns of 12 bits in counting order, bit 0 the most significant."""
    numbers = np.arange(2**N_BITS)[:, None]
    return (numbers >> np.arange(N_BITS)[::-1] & 1).astype(np.float32)


def _pair_counts() -> Int64[np.ndarray, "pattern cosine"]:
    """How many pairs of set bits have each of the three `COSINES`: what a rotation cannot change."""
    bits = _bits().astype(np.int64)
    cosines = VERTICES @ VERTICES.T
    counts = [((bits @ np.isclose(cosines, cosine)) * bits).sum(axis=1) // 2 for cosine in COSINES]
    return np.stack(counts, axis=1)


def _check_degrees(degrees: Sequence[int]) -> None:
    known = range(MAX_DEGREE + 1)
    whole = isinstance(degrees, Sequence) and all(isinstance(degree, int | np.integer) for degree in degrees)
    if not whole or not degrees or not set(degrees) <= set(known) or len(set(degrees)) < len(degrees):
        raise InputError(
            f"degrees is {degrees!r}; expected one or more different integers from 0 to {MAX_DEGREE}, "
            "for example (0, 1)"
        )


def _finite(value: float | int, argument: str) -> float | int:
    if not isinstance(value, int | float | np.number) or not math.isfinite(value):
        raise InputError(f"{argument} is {value!r}; expected a finite number")
    return value


def _name(threshold: float | int, degrees: Sequence[int], gamma: float | int | None, seed: int) -> str:
    """``szt``, followed by what differs from the task of the papers."""
    changes = []
    if threshold != 7.6:
        changes.append(f"threshold {threshold}")
    if sorted(degrees) != [0, 1]:
        changes.append(f"degrees {'+'.join(map(str, sorted(degrees)))}")
    if gamma is not None:
        changes.append(f"gamma {gamma}, seed {seed}")
    return f"szt ({', '.join(changes)})" if changes else "szt"
