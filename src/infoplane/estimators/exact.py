"""Information of a layer whose activations are symbols: counted exactly, no bins, no noise."""

import dataclasses
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators.base import EntropyEstimator, Layers, LayerValues
from infoplane.estimators.counting import ALL_ROWS, Counted, count, values_of_counts
from infoplane.estimators.discrete import check_correction
from infoplane.estimators.rows import shared_row_codes


@dataclasses.dataclass(frozen=True)
class Exact(EntropyEstimator):
    """Count equal activation rows: I(X;T) = H(T), I(T;Y) = H(T) − Σ p(y) H(T|Y=y), in bits.

    For quantised or integer activations this is the information itself, without any choice. For floating-point
    activations rows are equal when every bit is: the number then says how many different activation vectors
    the arithmetic can tell apart, which for most layers is all of them.

    Args:
        correction: bias correction of each entropy, see `infoplane.estimators.discrete`. Over all inputs of a
            data set there is no sampling, and ``none`` is exact.

    Range:
        0 ≤ I(T;Y) ≤ I(X;T) ≤ log2 N without a correction.

    Flags:
        ``saturated``: within 0.1 bit of log2 N, nearly every row is distinct: the number of samples, not the
        layer. ``constant``, ``non-finite``: as their names say.

    When it misleads:
        On floating-point layers it depends on the precision of the arithmetic: a saturated tanh loses rows in
        float32 that it keeps in float64.

    References:
        Lorenzen, Igel & Nielsen (2022), for quantised networks.

    Example:
        >>> import numpy as np
        >>> from infoplane.estimators import Exact
        >>> Exact().of_layer(np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])).input.bits
        1.5
    """

    correction: str = "none"
    name: ClassVar[str] = "exact"
    shuffle_rows: ClassVar[tuple[int, ...]] = ALL_ROWS

    def __post_init__(self) -> None:
        check_correction(self.correction)

    def conditional_entropy(self, n_units: int) -> float:
        """0: a quantised layer is a function of its input."""
        return 0.0

    def measure(self, layers: Layers) -> LayerValues:
        """Return I(X;T) and I(T;Y) of every layer of the batch."""
        return values_of_counts(layers, _counted(layers), self.correction)

    def label_bits(
        self, layers: Layers, index: int, orders: Int[np.ndarray, "order sample"], rows: int
    ) -> Float[np.ndarray, " order"]:
        """Return I(T;Y) of one layer with the labels in each of several orders, always on all rows."""
        return _counted(layers).label_bits(layers, index, orders, self.correction)


def _counted(layers: Layers) -> Counted:
    """Return the counts of the rows, which several corrections sort once."""
    if "rows" not in layers.shared:
        layers.shared["rows"] = count(layers, shared_row_codes(layers))
    return layers.shared["rows"]
