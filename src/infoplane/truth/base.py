"""What every distribution of this room knows: its information in bits, and how to draw from it."""

import abc
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from infoplane.errors import InputError

NAT = 1 / math.log(2)
"""One nat in bits."""

Number = float | int
"""A parameter: run-time checks would refuse a whole number where a float is asked for."""

Pairs = tuple[Num[np.ndarray, "sample dim_x"], Num[np.ndarray, "sample dim_y"]]
"""Samples of X and of Y, one pair a row: floats are coordinates, integers are symbols."""


class Distribution(abc.ABC):
    """Two variables X and Y whose mutual information is known exactly.

    Subclasses are frozen dataclasses; their fields are the parameters, and their docstrings derive the value.
    """

    @property
    @abc.abstractmethod
    def information(self) -> float:
        """I(X;Y) in bits."""

    @abc.abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs from a generator: x (n, dim) and y (n, dim)."""

    def sample(self, n: int, seed: int = 0) -> Pairs:
        """Draw n independent pairs; the same seed gives the same pairs, whatever was drawn before.

        Returns:
            x and y of shape (n, dim): float64 coordinates, or int64 symbols.

        Raises:
            InputError: for fewer than one sample or a negative seed.
        """
        return self.draw(n, generator(n, seed))


def generator(n: int, seed: int) -> np.random.Generator:
    """Return the generator of a seed, after checking it and the number of samples.

    Raises:
        InputError: for fewer than one sample or a negative seed.
    """
    if n < 1:
        raise InputError(f"n is {n}; expected at least one sample")
    if seed < 0:
        raise InputError(f"seed is {seed}; expected a whole number from 0")
    return np.random.Generator(np.random.Philox(seed))


def check(holds: Any, argument: str, value: object, expected: str) -> None:
    """Refuse a parameter.

    Raises:
        InputError: unless the condition holds; names the parameter, its value and what was expected.
    """
    if not holds:
        raise InputError(f"{argument} is {value}; expected {expected}")


def check_bits(bits: Number, above: Number = 0.0, below: Number = math.inf) -> None:
    """Refuse an amount of information that a family cannot have.

    Raises:
        InputError: when it is not between the limits; a limit itself is allowed.
    """
    limits = f"at least {above:.6g}" + (f" and at most {below:.6g}" if math.isfinite(below) else "")
    check(math.isfinite(bits) and above <= bits <= below, "bits", bits, f"{limits} bits of this family")


def solve(information: Callable[[float], float], bits: Number, low: float, high: float) -> float:
    """Return the parameter between two limits at which a monotone information has this many bits."""
    from scipy.optimize import brentq

    return float(brentq(lambda parameter: information(parameter) - bits, low, high, xtol=1e-15, rtol=1e-14))  # pyright: ignore[reportArgumentType]


def entropy_of(p: Float[np.ndarray, "..."]) -> float:
    """Return the entropy of probabilities in bits; those that are zero count nothing."""
    from scipy.special import entr

    return float(entr(p).sum()) * NAT


def binary_entropy(p: Number) -> float:
    """Return the entropy of a coin that shows heads with probability p, in bits."""
    return entropy_of(np.array([p, 1 - p]))
