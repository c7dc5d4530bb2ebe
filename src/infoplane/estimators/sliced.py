"""Sliced mutual information: the average information of one-dimensional projections."""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError
from infoplane.estimators import _covariance as covariance
from infoplane.estimators.base import Layers
from infoplane.estimators.copula import Copula, neighbors
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.pair import LabelEstimator, Order, PairEstimator, PairValue, Variable, nothing_to_tell

Direction = Float[np.ndarray, " dim"]

_COMPARED = 10
"""Random directions along which labels are compared with shuffled ones."""


@dataclasses.dataclass(frozen=True)
class Sliced(LabelEstimator):
    """Average information between one-dimensional projections of x and y: a quantity of its own, in bits.

    SI(X;Y) = E I(θ·X; φ·Y) over directions θ and φ, drawn uniformly from the unit spheres of either side. It is 0 if
    and only if X and Y are independent, never more than I(X;Y), and can be estimated in any dimension at the speed of
    one. It is not I(X;Y): processing can make it larger (that is what learning features does), and it falls with the
    dimension, for a random direction meets a given one less and less. ``kind`` is "sliced": compare it with its own
    kind only, in the same dimensions. A label is not projected.

    Args:
        directions: how many pairs of directions; for ``"pca"`` at most so many.
        kind: ``"random"``: the definition. ``"pca"``: all pairs of the leading principal directions of either side
            (as many each as the square root of ``directions``; with a label, ``directions``): no average over the
            sphere but of what the directions of largest variance tell.
        then: what measures the projections: ``"ksg1"`` (Ross for a label), ``"gaussian"`` or ``"copula"``.
        k: number of neighbours, for ``"ksg1"``.
        seed: of the random directions. The same seed takes the same directions for any data of these dimensions.

    Std_error: of the average over random directions, the samples given; `infoplane.mutual_information` with
    ``uncertainty=True`` adds that of the samples. None for principal directions, which are not random.

    When it misleads: coordinates of different scale are weighted by it, as the definition has it; standardise them
    first if that is not meant. Where two principal variances are equal the directions are arbitrary.

    Flags: those of the projections, with the number of directions that have them; ``constant``.

    Reference:
        Z. Goldfeld and K. Greenewald, "Sliced mutual information: a scalable measure of statistical dependence",
        NeurIPS 2021, definition 1.

    Example:
        >>> import numpy as np
        >>> from infoplane.estimators.sliced import Sliced
        >>> x = np.random.default_rng(0).standard_normal((1000, 5))
        >>> value = Sliced(directions=20, then="gaussian")(x, x[:, :2])
        >>> print(value.kind, f"{value.bits:.2f} +- {value.std_error:.2f}")
        sliced 0.10 +- 0.03
    """

    name: ClassVar[str] = "sliced"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "mixed")

    directions: int = 50
    kind: Literal["random", "pca"] = "random"
    then: Literal["ksg1", "gaussian", "copula"] = "ksg1"
    k: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for argument, least in (("directions", 1), ("k", 1), ("seed", 0)):
            value = getattr(self, argument)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise InputError(f"{argument} is {value!r}; expected a whole number, at least {least}")
        if self.kind not in ("random", "pca"):
            raise InputError(f"kind is {self.kind!r}; expected 'random' or 'pca'")
        if self.then not in ("ksg1", "gaussian", "copula"):
            raise InputError(f"then is {self.then!r}; expected 'ksg1', 'gaussian' or 'copula'")

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return SI(X;Y) of checked variables of equal length, at most one of them discrete."""
        known = nothing_to_tell(x, y)
        if known is not None:
            return dataclasses.replace(known, kind="sliced")
        inner = self._inner(x, y)
        values = [inner.between(_project(x, theta), _project(y, phi)) for theta, phi in self._pairs(x, y)]
        bits = np.array([value.bits for value in values])
        random = self.kind == "random" and len(bits) > 1
        flagged = Counter(flag for value in values for flag in value.flags)
        return PairValue(
            float(bits.mean()),
            frozenset(flagged),
            "; ".join(f"{flag} in {times} of {len(bits)} directions" for flag, times in sorted(flagged.items())),
            std_error=float(bits.std(ddof=1) / math.sqrt(len(bits))) if random else None,
            kind="sliced",
        )

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return SI(X;Y) in bits with the rows of y in each of several orders; both are projected once."""
        if nothing_to_tell(x, y) is not None:
            return [0.0] * len(orders)
        inner = self._inner(x, y)
        bits = [
            inner.between_shuffled(_project(x, theta), _project(y, phi), orders) for theta, phi in self._pairs(x, y)
        ]
        return [float(mean) for mean in np.mean(bits, axis=0)]

    def label_bits(
        self, layers: Layers, index: int, orders: Int[np.ndarray, "order sample"], rows: int
    ) -> Float[np.ndarray, " order"]:
        """Return the sliced information with the labels in each of several orders, along at most 10 directions."""
        few = dataclasses.replace(self, directions=min(self.directions, _COMPARED))
        return super(Sliced, few).label_bits(layers, index, orders, rows)

    def _inner(self, x: Variable, y: Variable) -> PairEstimator:
        """Return what measures the projections."""
        if self.then == "ksg1":
            return neighbors(self.k, "max", labelled=x.discrete or y.discrete)
        return Gaussian() if self.then == "gaussian" else Copula()

    def _pairs(self, x: Variable, y: Variable) -> Iterator[tuple[Direction, Direction]]:
        """Go through the pairs of directions; a variable of one column has one direction only."""
        if self.kind == "pca":
            most = self.directions if x.discrete or y.discrete else math.isqrt(self.directions)
            of_y = _principal(y, most)
            yield from ((theta, phi) for theta in _principal(x, most) for phi in of_y)
            return
        shapes = [variable.values.shape[1] for variable in (x, y)]
        for index in range(1 if shapes == [1, 1] else self.directions):
            rng = np.random.default_rng([self.seed, index])
            theta, phi = (_on_sphere(rng, dims) for dims in shapes)
            yield theta, phi


def _on_sphere(rng: np.random.Generator, dims: int) -> Direction:
    """Draw a direction; in one dimension it is 1, for the sign does not matter."""
    if dims == 1:
        return np.ones(1)
    drawn = rng.standard_normal(dims)
    return drawn / np.linalg.norm(drawn)


def _principal(variable: Variable, most: int) -> list[Direction]:
    """Directions of largest variance, one a row, descending; those without variance left out."""
    if variable.values.shape[1] == 1:
        return [np.ones(1)]
    scaled = _scaled(variable.values)
    factor = covariance.triangular(scaled - scaled.mean(axis=0))
    _, singular, directions = np.linalg.svd(factor)
    varying = int((singular > singular[0] * max(factor.shape) * np.finfo(float).eps).sum())
    return list(directions[: min(varying, most)])


def _project(variable: Variable, direction: Direction) -> Variable:
    """Return the projection as a variable of one column; symbols stay as they are.

    The sum over coordinates goes through them in the same order for every row, unlike a matrix product: equal rows
    stay equal, bit by bit, and ties remain ties.
    """
    if variable.discrete or len(direction) == 1:
        return variable
    return Variable((_scaled(variable.values) * direction).sum(axis=1, keepdims=True), False)


def _scaled(values: Float[np.ndarray, "sample dim"]) -> Float[np.ndarray, "sample dim"]:
    """Divide by a power of 2, which is exact, so that sums do not overflow."""
    return np.ldexp(values, -np.frexp(np.abs(values).max())[1])
