"""Continuous variables whose differential entropy is known."""

import abc
import dataclasses
import math

import numpy as np
from jaxtyping import Float

from infoplane.truth.base import NAT, Number, check, generator


class Marginal(abc.ABC):
    """One continuous variable whose differential entropy is known exactly."""

    @property
    @abc.abstractmethod
    def entropy(self) -> float:
        """The differential entropy in bits, which may be negative."""

    @abc.abstractmethod
    def draw(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "sample dim"]:
        """Draw n samples from a generator."""

    def sample(self, n: int, seed: int = 0) -> Float[np.ndarray, "sample dim"]:
        """Draw n independent samples of shape (n, dim).

        Raises:
            InputError: for fewer than one sample or a negative seed.
        """
        return self.draw(n, generator(n, seed))


@dataclasses.dataclass(frozen=True)
class NormalMarginal(Marginal):
    """Independent normal coordinates: h = d log(σ √(2πe)).

    From −log p = ½ log 2πσ² + x²/2σ² and E x² = σ².
    """

    dims: int = 1
    sd: Number = 1.0

    def __post_init__(self) -> None:
        _check(self.dims, "sd", self.sd)

    @property
    def entropy(self) -> float:
        """The differential entropy in bits."""
        return self.dims * (0.5 * math.log(2 * math.pi * math.e) + math.log(self.sd)) * NAT

    def draw(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "sample dim"]:
        """Draw n samples."""
        return self.sd * rng.standard_normal((n, self.dims))


@dataclasses.dataclass(frozen=True)
class UniformMarginal(Marginal):
    """Independent coordinates uniform on [0, width]: h = d log width, since −log p = log width everywhere."""

    dims: int = 1
    width: Number = 1.0

    def __post_init__(self) -> None:
        _check(self.dims, "width", self.width)

    @property
    def entropy(self) -> float:
        """The differential entropy in bits."""
        return self.dims * math.log2(self.width)

    def draw(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "sample dim"]:
        """Draw n samples."""
        return self.width * rng.random((n, self.dims))


@dataclasses.dataclass(frozen=True)
class ExponentialMarginal(Marginal):
    """Independent exponential coordinates: h = d (1 + log mean), from −log p = log mean + x / mean."""

    dims: int = 1
    mean: Number = 1.0

    def __post_init__(self) -> None:
        _check(self.dims, "mean", self.mean)

    @property
    def entropy(self) -> float:
        """The differential entropy in bits."""
        return self.dims * (1 + math.log(self.mean)) * NAT

    def draw(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "sample dim"]:
        """Draw n samples."""
        return rng.exponential(self.mean, (n, self.dims))


@dataclasses.dataclass(frozen=True)
class LaplaceMarginal(Marginal):
    """Independent Laplace coordinates: h = d (1 + log 2b), from −log p = log 2b + |x| / b and E|x| = b."""

    dims: int = 1
    scale: Number = 1.0

    def __post_init__(self) -> None:
        _check(self.dims, "scale", self.scale)

    @property
    def entropy(self) -> float:
        """The differential entropy in bits."""
        return self.dims * (1 + math.log(2 * self.scale)) * NAT

    def draw(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "sample dim"]:
        """Draw n samples."""
        return rng.laplace(0.0, self.scale, (n, self.dims))


@dataclasses.dataclass(frozen=True)
class StudentMarginal(Marginal):
    """One Student-t vector with identity dispersion and ν degrees of freedom; its coordinates are not independent.

    −log p = log Γ(ν/2) − log Γ((ν+d)/2) + (d/2) log νπ + ((ν+d)/2) log(1 + ‖x‖²/ν), and
    E log(1 + ‖x‖²/ν) = ψ((ν+d)/2) − ψ(ν/2) (Arellano-Valle, Contreras-Reyes & Genton 2013, equation 7).
    """

    dims: int = 1
    dof: Number = 1.0

    def __post_init__(self) -> None:
        _check(self.dims, "dof", self.dof)

    @property
    def entropy(self) -> float:
        """The differential entropy in bits."""
        from scipy.special import digamma, gammaln

        half, all_ = self.dof / 2, (self.dof + self.dims) / 2
        constant = gammaln(half) - gammaln(all_) + self.dims / 2 * math.log(self.dof * math.pi)
        return float(constant + all_ * (digamma(all_) - digamma(half))) * NAT

    def draw(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "sample dim"]:
        """Draw n samples: a normal vector over the root of an independent chi-square, divided by ν."""
        return rng.standard_normal((n, self.dims)) / np.sqrt(rng.chisquare(self.dof, (n, 1)) / self.dof)


def _check(dims: int, name: str, value: Number) -> None:
    check(dims >= 1, "dims", dims, "at least one coordinate")
    check(value > 0 and math.isfinite(value), name, value, "a positive number")
