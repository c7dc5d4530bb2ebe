"""Discrete channels with equally likely inputs."""

import abc
import dataclasses
import math

import numpy as np
from jaxtyping import Float

from infoplane.truth.base import Distribution, Number, Pairs, binary_entropy, check, check_bits, solve


class DiscreteChannel(Distribution):
    """X uniform over symbols 0, 1, …; Y drawn from the row of the channel's matrix that X names."""

    @property
    @abc.abstractmethod
    def matrix(self) -> Float[np.ndarray, "input output"]:
        """P(Y|X): one row for each input, each adding up to 1."""

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs."""
        edges = np.cumsum(self.matrix, axis=1)[:, :-1]
        x = rng.integers(0, len(self.matrix), (n, 1))
        return x, (rng.random((n, 1)) > edges[x[:, 0]]).sum(axis=1, keepdims=True)


@dataclasses.dataclass(frozen=True)
class BinarySymmetric(DiscreteChannel):
    """A bit that arrives flipped with probability ε: I = 1 − H(ε), since Y is uniform and H(Y|X) = H(ε).

    Args:
        flip: ε between 0 and 1.

    Raises:
        InputError: for a probability outside [0, 1].
    """

    flip: Number

    def __post_init__(self) -> None:
        check(0 <= self.flip <= 1, "flip", self.flip, "a probability")

    @classmethod
    def from_information(cls, bits: Number) -> "BinarySymmetric":
        """Return the one with these bits and ε ≤ ½."""
        check_bits(bits, below=1.0)
        return cls(solve(lambda flip: cls(flip).information, bits, 0.0, 0.5))

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        return 1 - binary_entropy(self.flip)

    @property
    def matrix(self) -> Float[np.ndarray, "input output"]:
        """P(Y|X)."""
        return np.array([[1 - self.flip, self.flip], [self.flip, 1 - self.flip]])


@dataclasses.dataclass(frozen=True)
class BinaryErasure(DiscreteChannel):
    """A bit that arrives as 2, "lost", with probability e: H(X|Y) = e, hence I = 1 − e.

    Args:
        erasure: e between 0 and 1.

    Raises:
        InputError: for a probability outside [0, 1].
    """

    erasure: Number

    def __post_init__(self) -> None:
        check(0 <= self.erasure <= 1, "erasure", self.erasure, "a probability")

    @classmethod
    def from_information(cls, bits: Number) -> "BinaryErasure":
        """Return the one with these bits."""
        check_bits(bits, below=1.0)
        return cls(1 - bits)

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        return 1 - self.erasure

    @property
    def matrix(self) -> Float[np.ndarray, "input output"]:
        """P(Y|X)."""
        kept = 1 - self.erasure
        return np.array([[kept, 0, self.erasure], [0, kept, self.erasure]])


@dataclasses.dataclass(frozen=True)
class Symmetric(DiscreteChannel):
    """One of K symbols that arrives as each other one with probability ε / (K − 1).

    Y is uniform and H(Y|X) = H(ε) + ε log (K − 1), so I = log K − H(ε) − ε log (K − 1).

    Args:
        symbols: K ≥ 2.
        error: ε between 0 and 1; 1 − 1/K leaves no information.

    Raises:
        InputError: for fewer than two symbols or a probability outside [0, 1].
    """

    symbols: int
    error: Number

    def __post_init__(self) -> None:
        check(self.symbols >= 2, "symbols", self.symbols, "at least two")
        check(0 <= self.error <= 1, "error", self.error, "a probability")

    @classmethod
    def from_information(cls, bits: Number, symbols: int = 10) -> "Symmetric":
        """Return the one with these bits and ε ≤ 1 − 1/K."""
        check(symbols >= 2, "symbols", symbols, "at least two")
        check_bits(bits, below=math.log2(symbols))
        lost = 1 - 1 / symbols
        if bits < cls(symbols, lost).information + 1e-14:  # rounding of 0 may be above what is asked for
            return cls(symbols, lost)
        return cls(symbols, solve(lambda error: cls(symbols, error).information, bits, 0.0, lost))

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        spread = self.error * math.log2(self.symbols - 1)
        return math.log2(self.symbols) - binary_entropy(self.error) - spread

    @property
    def matrix(self) -> Float[np.ndarray, "input output"]:
        """P(Y|X)."""
        other = self.error / (self.symbols - 1)
        return np.full((self.symbols, self.symbols), other) + (1 - self.error - other) * np.eye(self.symbols)
