"""Pairs of a symbol and a coordinate, and coordinates with atoms."""

import dataclasses
import math

import numpy as np

from infoplane.truth.base import NAT, Distribution, Number, Pairs, binary_entropy, check, check_bits, solve


@dataclasses.dataclass(frozen=True)
class SharedIntervals(Distribution):
    """X uniform over the symbols 0 … m−1; Y uniform on [X, X + 2], so that neighbours overlap by half.

    Y in [i, i+1] can come from X = i−1 or i, except at both ends. H(X|Y) is log 2 there and 0 in the end
    intervals, which have mass 1/2m each: I = log m − (m−1)/m log 2 (Gao, Kannan, Oh & Viswanath 2017).

    Args:
        symbols: m ≥ 1.

    Raises:
        InputError: for no symbol.
    """

    symbols: int

    def __post_init__(self) -> None:
        check(self.symbols >= 1, "symbols", self.symbols, "at least one")

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        return math.log2(self.symbols) - (self.symbols - 1) / self.symbols

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs: x symbols, y coordinates."""
        x = rng.integers(0, self.symbols, (n, 1))
        return x, x + rng.uniform(0.0, 2.0, (n, 1))


def _poisson_nats() -> float:
    """I(X;Y) in nats of X exponential with mean 1 and Y Poisson with mean X."""
    k = np.arange(1, 80)
    return 2 * math.log(2) - float(np.euler_gamma) - float((np.log(k) * 0.5**k).sum())


@dataclasses.dataclass(frozen=True)
class ZeroInflatedPoisson(Distribution):
    """X exponential with mean 1; Y a symbol: 0 with probability p, otherwise Poisson with mean X.

    With p = 0, Y is geometric, P(k) = 2^(−k−1), and I = I₀ = 2 log 2 − γ − Σ_k log(k) 2^(−k) nats. A zero with
    p > 0 may come from either cause, so the information is *less* than the (1 − p) I₀ of Gao, Kannan, Oh &
    Viswanath (2017), who count the cause as known. For y > 0 the factor q = 1 − p cancels in the ratio
    P(y|x)/P(y) and these terms give q times their share of I₀, which is I₀ less that of y = 0. With u = e^(−x)
    uniform on [0, 1] and P(0|x) = p + q u, the term of y = 0 is ∫ (p + q u) log(p + q u) du − P(0) log P(0),
    where ∫ v log v dv = v² (2 log v − 1) / 4 from p to 1 is divided by q, and P(0) = p + q/2.

    Args:
        inflation: p, at least 0 and less than 1.

    Raises:
        InputError: for a probability outside [0, 1).
    """

    inflation: Number

    def __post_init__(self) -> None:
        check(0 <= self.inflation < 1, "inflation", self.inflation, "a probability below 1")

    @classmethod
    def from_information(cls, bits: Number) -> "ZeroInflatedPoisson":
        """Return the one with these bits, at most I₀ = 0.4346; the information falls with p."""
        check_bits(bits, above=1e-6, below=cls(0.0).information)
        return cls(solve(lambda inflation: cls(inflation).information, bits, 0.0, 1 - 1e-9))

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        share = 1 - self.inflation
        positive = share * (_poisson_nats() - _zero_term(0.0))
        return (positive + _zero_term(self.inflation)) * NAT

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs: x coordinates, y symbols."""
        x = rng.standard_exponential((n, 1))
        return x, np.where(rng.random((n, 1)) < self.inflation, 0, rng.poisson(x))


def _zero_term(inflation: Number) -> float:
    """What y = 0 adds to the information, in nats: E P(0|x) log P(0|x) − P(0) log P(0)."""
    share = 1 - inflation
    at_start = inflation**2 * (2 * math.log(inflation) - 1) / 4 if inflation else 0.0
    p_zero = inflation + share / 2
    return (-0.25 - at_start) / share - p_zero * math.log(p_zero)


@dataclasses.dataclass(frozen=True)
class NormalOrSwitch(Distribution):
    """With probability ½ a pair of correlated normals, with ½ a bit ±1 sent through a symmetric channel.

    Whether X is one of the atoms ±1 tells which case it is, and Y tells it too: I = log 2 + ½ I_normal + ½ I_bits
    (Gao, Kannan, Oh & Viswanath 2017).

    Args:
        correlation: ρ of the normals, between −1 and 1.
        flip: probability that the bit arrives flipped.

    Raises:
        InputError: for a correlation or a probability out of range.
    """

    correlation: Number = 0.9
    flip: Number = 0.1

    def __post_init__(self) -> None:
        check(-1 < self.correlation < 1, "correlation", self.correlation, "between -1 and 1")
        check(0 <= self.flip <= 1, "flip", self.flip, "a probability")

    @classmethod
    def from_information(cls, bits: Number, flip: Number = 0.1) -> "NormalOrSwitch":
        """Return the one with these bits: what the case and the bit do not give, the normals do."""
        least = cls(0.0, flip).information
        check_bits(bits, above=least)
        return cls(math.sqrt(-math.expm1(-4 * (bits - least) / NAT)), flip)

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        normal = -0.5 * math.log2(1 - self.correlation**2)
        return 1 + normal / 2 + (1 - binary_entropy(self.flip)) / 2

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs: coordinates, half of them atoms."""
        x, noise = rng.standard_normal((2, n, 1))
        y = self.correlation * x + math.sqrt(1 - self.correlation**2) * noise
        bit = rng.choice([-1.0, 1.0], (n, 1))
        arrived = np.where(rng.random((n, 1)) < self.flip, -bit, bit)
        switch = rng.random((n, 1)) < 0.5
        return np.where(switch, bit, x), np.where(switch, arrived, y)
