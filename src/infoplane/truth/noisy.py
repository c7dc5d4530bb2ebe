"""Channels with Gaussian noise, whose information is an integral in one dimension."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float

from infoplane.truth.base import NAT, Distribution, Number, Pairs, check, check_bits, solve
from infoplane.truth.marginals import NormalMarginal

_TAIL = 10.0
"""Standard deviations beyond which a normal density is nothing: exp(−50) of its height."""


@dataclasses.dataclass(frozen=True)
class TwoPoints(Distribution):
    """X a bit, Y = ±Δ/2 + N(0,1): two points seen through unit noise, known as binary phase-shift keying.

    P(X=1|y) = 1 / (1 + e^(−Δy)); by symmetry H(X|Y) is the mean of log(1 + e^(−ΔY)) under X = 1, so
    I = log 2 − ∫ φ(y − Δ/2) log(1 + e^(−Δy)) dy, by the trapezium rule.

    Args:
        distance: Δ ≥ 0 in standard deviations of the noise.

    Raises:
        InputError: for a negative distance.
    """

    distance: Number

    def __post_init__(self) -> None:
        check(0 <= self.distance < math.inf, "distance", self.distance, "a number from 0")

    @classmethod
    def from_information(cls, bits: Number) -> "TwoPoints":
        """Return the one with these bits, below 1."""
        check_bits(bits, below=1 - 1e-12)
        return cls(solve(lambda distance: cls(distance).information, bits, 0.0, 20.0))

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        noise = np.linspace(-_TAIL, _TAIL, 4001)
        loss = np.logaddexp(0.0, -self.distance * (noise + self.distance / 2))
        return 1 - float(np.trapezoid(_normal_density(noise) * loss, noise)) * NAT

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs: x symbols, y coordinates."""
        x = rng.integers(0, 2, (n, 1))
        return x, self.distance * (x - 0.5) + rng.standard_normal((n, 1))


@dataclasses.dataclass(frozen=True)
class LabelledMixture(Distribution):
    """X the label of a component, Y normal with the mean and standard deviation of that component.

    I = h(Y) − Σ w_c log(σ_c √(2πe)), with h(Y) of the mixture by the trapezium rule on a grid of a sixteenth of
    the narrowest component.

    Args:
        means, sds: one a component.
        weights: one a component, positive, adding up to 1; without them all are equally likely.

    Raises:
        InputError: for unequal lengths, standard deviations or weights that are not positive, or weights that do
            not add up to 1.
    """

    means: tuple[Number, ...]
    sds: tuple[Number, ...]
    weights: tuple[Number, ...] = ()

    def __post_init__(self) -> None:
        check(self.means, "means", "empty", "at least one component")
        check(len(self.sds) == len(self.means), "sds", self.sds, f"{len(self.means)}, one for each mean")
        check(min(self.sds) > 0, "sds", self.sds, "positive numbers")
        if self.weights:
            check(len(self.weights) == len(self.means), "weights", self.weights, f"{len(self.means)}, one a mean")
            positive = min(self.weights) > 0 and math.isclose(sum(self.weights), 1.0)
            check(positive, "weights", self.weights, "positive numbers that add up to 1")

    @property
    def shares(self) -> Float[np.ndarray, " component"]:
        """The probability of each label."""
        return np.array(self.weights) if self.weights else np.full(len(self.means), 1 / len(self.means))

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        means, sds = np.array(self.means), np.array(self.sds)
        low, high = float((means - _TAIL * sds).min()), float((means + _TAIL * sds).max())
        grid = np.linspace(low, high, math.ceil((high - low) / sds.min() * 16) + 1)
        density = (self.shares / sds) @ _normal_density((grid - means[:, None]) / sds[:, None])
        conditional = self.shares @ [NormalMarginal(sd=sd).entropy for sd in self.sds]
        return _entropy(grid, density) - float(conditional)

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs: x labels, y coordinates."""
        x = rng.choice(len(self.means), (n, 1), p=self.shares)
        return x, np.array(self.means)[x] + np.array(self.sds)[x] * rng.standard_normal((n, 1))


@dataclasses.dataclass(frozen=True)
class TanhChannel(Distribution):
    """X ~ N(0,1), Y = tanh(w X) + N(0,σ²): one unit of a network with noise on its output.

    I = h(Y) − log(σ √(2πe)), the density of Y being the integral over x and its entropy the one over y, both by
    the trapezium rule. As w grows the information first rises, then falls to that of a bit in noise: the unit
    saturates, and compresses (Goldfeld et al. 2019).

    Args:
        gain: w, the weight.
        noise: σ > 0.

    Raises:
        InputError: for noise that is not positive.
    """

    gain: Number
    noise: Number

    def __post_init__(self) -> None:
        check(math.isfinite(self.gain), "gain", self.gain, "a number")
        check(self.noise > 0 and math.isfinite(self.noise), "noise", self.noise, "a positive number")

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        # Steps of a sixteenth of the noise in y, and in x of what moves tanh by at most half the noise.
        step = min(0.01, self.noise / max(abs(self.gain), 1e-9) / 2)
        x = np.linspace(-_TAIL, _TAIL, math.ceil(2 * _TAIL / step) + 1)
        height, weight = np.tanh(self.gain * x), _normal_density(x) * (x[1] - x[0])
        edge = 1 + _TAIL * self.noise
        y = np.linspace(-edge, edge, math.ceil(32 * edge / self.noise) + 1)
        density = np.array([weight @ _normal_density((value - height) / self.noise) for value in y]) / self.noise
        return _entropy(y, density) - NormalMarginal(sd=self.noise).entropy

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs: coordinates."""
        x, noise = rng.standard_normal((2, n, 1))
        return x, np.tanh(self.gain * x) + self.noise * noise


def _normal_density(z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def _entropy(grid: Float[np.ndarray, " point"], density: Float[np.ndarray, " point"]) -> float:
    """Return the differential entropy of a density on a fine grid, in bits."""
    from scipy.special import entr

    return float(np.trapezoid(entr(density), grid)) * NAT
