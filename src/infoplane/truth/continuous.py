"""Continuous pairs of one coordinate each with a closed form, and products of any pairs."""

import dataclasses
import math

import numpy as np

from infoplane.truth.base import NAT, Distribution, Number, Pairs, check, check_bits, solve

_LARGEST = 700.0
"""Logarithm that a double can still hold as a number."""


@dataclasses.dataclass(frozen=True)
class AdditiveUniform(Distribution):
    """X uniform on [0, 1], Y = X + U with U uniform on [−ε, ε].

    h(Y|X) = log 2ε. The density of Y is a trapezium of height a = min(1, 1/2ε) whose two slopes have length
    l = min(1, 2ε): its flat part adds −log a times its mass to h(Y), each slope l a (¼ − ½ log a), in all
    h(Y) = −log a + a l / 2. So I = ε − log 2ε nats for ε ≤ ½ and 1/(4ε) above (Czyż et al. 2023).

    Args:
        noise: ε > 0, half the width of the noise.

    Raises:
        InputError: for noise that is not positive.
    """

    noise: Number

    def __post_init__(self) -> None:
        check(self.noise > 0 and math.isfinite(self.noise), "noise", self.noise, "a positive number")

    @classmethod
    def from_information(cls, bits: Number) -> "AdditiveUniform":
        """Return the one with these bits.

        Up to half a nat ε = 1/(4I). Above, ε − log 2ε = I is −ε e^(−ε) = −e^(−I)/2, so ε = −W(−e^(−I)/2) with
        the principal branch of Lambert's W.

        Raises:
            InputError: for no bits.
        """
        from scipy.special import lambertw

        check_bits(bits, above=1e-12)
        nats = bits / NAT
        return cls(0.25 / nats if nats < 0.5 else float(-lambertw(-math.exp(-nats) / 2).real))

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        nats = 0.25 / self.noise if self.noise > 0.5 else self.noise - math.log(2 * self.noise)
        return nats * NAT

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs."""
        x = rng.random((n, 1))
        return x, x + rng.uniform(-self.noise, self.noise, (n, 1))


@dataclasses.dataclass(frozen=True)
class GammaExponential(Distribution):
    """X gamma with shape θ and rate 1; Y given X exponential with rate X.

    h(Y|X) = E(1 − log X) = 1 − ψ(θ). Y has the density θ (1+y)^(−θ−1) and E log(1+Y) = 1/θ, so
    h(Y) = 1 + 1/θ − log θ. Hence I = ψ(θ) + 1/θ − log θ = ψ(θ+1) − log θ nats.

    Args:
        shape: θ > 0; the smaller, the more information and the heavier the tail of Y.
        logarithms: give log X and log Y, which keeps the information and takes the tails away. Above about
            5 bits it is the only way: X itself is smaller than any double.

    Raises:
        InputError: for a shape that is not positive.
    """

    shape: Number
    logarithms: bool = False

    def __post_init__(self) -> None:
        check(self.shape > 0 and math.isfinite(self.shape), "shape", self.shape, "a positive number")

    @classmethod
    def from_information(cls, bits: Number, logarithms: bool = False) -> "GammaExponential":
        """Return the one with these bits; the information falls with the shape.

        Raises:
            InputError: for less than 1e-6 or more than 100 bits, beyond which doubles cannot go.
        """
        check_bits(bits, above=1e-6, below=100.0)
        log_shape = solve(lambda log_shape: cls(math.exp(log_shape)).information, bits, -80.0, 20.0)
        return cls(math.exp(log_shape), logarithms)

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        from scipy.special import digamma

        return float(digamma(self.shape + 1) - math.log(self.shape)) * NAT

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs.

        Raises:
            InputError: where X or Y cannot be held as doubles.
        """
        # A gamma variable of shape θ + 1 times U^(1/θ) is one of shape θ; in logarithms nothing underflows.
        log_x = np.log(rng.gamma(self.shape + 1, size=(n, 1))) - rng.standard_exponential((n, 1)) / self.shape
        log_y = np.log(rng.standard_exponential((n, 1))) - log_x
        if self.logarithms:
            return log_x, log_y
        fits = max(-log_x.min(), log_y.max()) < _LARGEST
        check(fits, "shape", self.shape, "a larger one, since X underflows; or logarithms=True")
        return np.exp(log_x), np.exp(log_y)


@dataclasses.dataclass(frozen=True)
class Product(Distribution):
    """Independent pairs side by side: X = (X₁, X₂, …), Y = (Y₁, Y₂, …).

    The joint density is a product and its logarithm a sum, so the information is the sum over the parts.

    Args:
        parts: at least one distribution, all with the same kinds of variables (symbols or coordinates).

    Raises:
        InputError: for no part.
    """

    parts: tuple[Distribution, ...]

    def __post_init__(self) -> None:
        check(self.parts, "parts", "empty", "at least one distribution")

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        return sum(part.information for part in self.parts)

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs.

        Raises:
            InputError: where symbols and coordinates would share one variable.
        """
        xs, ys = zip(*(part.draw(n, rng) for part in self.parts), strict=True)
        for side in (xs, ys):
            kinds = {column.dtype.kind for column in side}
            check(len(kinds) == 1, "parts", "a mixture of symbols and coordinates", "one kind on each side")
        return np.hstack(xs), np.hstack(ys)
