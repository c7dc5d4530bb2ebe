"""Maps of one variable that lose nothing, so that the information stays what it was.

I(f(X); g(Y)) = I(X;Y) for injective f and g, since both data-processing inequalities hold. Each map here takes
and gives coordinates (sample, dim) and says why it is injective. Parameters are those of Czyż et al. (2023).
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from infoplane.truth.base import Distribution, Number, Pairs, check

Coordinates = Float[np.ndarray, "sample dim"]
Map = Callable[[Coordinates], Coordinates]


@dataclasses.dataclass(frozen=True)
class Transformed(Distribution):
    """Injective maps of the two sides of another distribution; the information is that of the other.

    Args:
        base: what is sampled first.
        on_x, on_y: maps of `infoplane.truth.transforms`, or others that are injective: this is not checked.
    """

    base: Distribution
    on_x: Map
    on_y: Map

    @property
    def information(self) -> float:
        """I(X;Y) in bits."""
        return self.base.information

    def draw(self, n: int, rng: np.random.Generator) -> Pairs:
        """Draw n pairs."""
        x, y = self.base.draw(n, rng)
        return self.on_x(x), self.on_y(y)


def identity(x: Coordinates) -> Coordinates:
    """Return x as it is."""
    return x


def log(x: Coordinates) -> Coordinates:
    """Logarithm of each coordinate; increasing where all are positive."""
    return np.log(x)


def asinh(x: Coordinates) -> Coordinates:
    """Inverse hyperbolic sine of each coordinate: increasing, and logarithmic in the tails."""
    return np.arcsinh(x)


def half_cube(x: Coordinates) -> Coordinates:
    """Multiply each coordinate by the root of its size, x √|x|: increasing, and heavier in the tails."""
    return x * np.sqrt(np.abs(x))


def normal_cdf(x: Coordinates) -> Coordinates:
    """Φ of each coordinate: increasing; standard normal coordinates become uniform on [0, 1]."""
    from scipy.special import ndtr

    return ndtr(x)


def wiggly_x(x: Coordinates) -> Coordinates:
    """Add three waves to each coordinate; increasing, since the slope is at least 1 − 0.4 − 0.34 − 0.099."""
    return x + 0.4 * np.sin(x) + 0.2 * np.sin(1.7 * x + 1) + 0.03 * np.sin(3.3 * x - 2.5)


def wiggly_y(y: Coordinates) -> Coordinates:
    """Add three other waves to each coordinate; increasing, since the slope is at least 1 − 0.16 − 0.221 − 0.086."""
    return y - 0.4 * np.sin(0.4 * y) + 0.17 * np.sin(1.3 * y + 3.5) + 0.02 * np.sin(4.3 * y - 2.5)


def swiss_roll(u: Coordinates) -> Float[np.ndarray, "sample 2"]:
    """Roll the interval [0, 1] up into the plane: t = 1.5 π (1 + 2u), (t cos t, t sin t) / 21.

    Injective, since the distance from the origin, t / 21, increases with u. The curve has no density in the plane.

    Raises:
        InputError: for more than one coordinate.
    """
    check(u.shape[1] == 1, "number of coordinates", u.shape[1], "1: the Swiss roll adds the second")
    t = 1.5 * math.pi * (1 + 2 * u)
    return np.hstack([t * np.cos(t), t * np.sin(t)]) / 21


@dataclasses.dataclass(frozen=True)
class Spiral:
    """Turn x in the plane of two coordinates by the angle speed · ‖x‖².

    Injective, since turning keeps ‖x‖, from which the angle and so the way back are known.

    Args:
        first, second: the coordinates that turn, from the first towards the second.
        speed: angle in radians at ‖x‖ = 1.
    """

    first: int
    second: int
    speed: Number

    def __call__(self, x: Coordinates) -> Coordinates:
        """Return the turned coordinates.

        Raises:
            InputError: for too few coordinates.
        """
        needed = max(self.first, self.second) + 1
        check(x.shape[1] >= needed, "number of coordinates", x.shape[1], f"at least {needed}")
        angle = self.speed * np.square(x).sum(axis=1)
        turned = x.copy()
        turned[:, self.first] = np.cos(angle) * x[:, self.first] - np.sin(angle) * x[:, self.second]
        turned[:, self.second] = np.sin(angle) * x[:, self.first] + np.cos(angle) * x[:, self.second]
        return turned


@dataclasses.dataclass(frozen=True)
class Bimodal:
    """Map standard normal coordinates to a mixture of two unit normals, F⁻¹(Φ(x)): increasing.

    Args:
        weight: share of the first component.
        means: the two centres.
    """

    weight: Number
    means: tuple[Number, Number]

    def __call__(self, x: Coordinates) -> Coordinates:
        """Return the mapped coordinates, accurate to rounding by bisection."""
        from scipy.special import ndtr

        target = ndtr(x)
        low, high = np.full_like(target, min(self.means) - 40), np.full_like(target, max(self.means) + 40)
        for _ in range(64):  # halves the bracket below the rounding of a double
            middle = (low + high) / 2
            below = self._cdf(middle) < target
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2

    def _cdf(self, value: Coordinates) -> Coordinates:
        from scipy.special import ndtr

        return self.weight * ndtr(value - self.means[0]) + (1 - self.weight) * ndtr(value - self.means[1])
