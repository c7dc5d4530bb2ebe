"""From counted symbols to values with flags: what `binning` and `exact` share."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int, UInt64

from infoplane.estimators.base import Layers, LayerValues, Values, saturation_reason
from infoplane.estimators.discrete import information_of_counts, information_of_labels
from infoplane.estimators.sorting import CellCounts, count_cells

ALL_ROWS = (2**62,)
"""`LayerEstimator.shuffle_rows` of estimators that count: shuffled labels cost them little on all rows."""


@dataclasses.dataclass(frozen=True)
class Counted:
    """The symbols of a batch, sorted and counted, and the share of values that were clipped in each layer."""

    counts: CellCounts
    clipped: Float[np.ndarray, " batch"]
    codes: UInt64[np.ndarray, "batch sample"]

    def label_bits(
        self, layers: Layers, index: int, orders: Int[np.ndarray, "order sample"], correction: str
    ) -> Float[np.ndarray, " order"]:
        """Return I(T;Y) of one layer with the labels in each of several orders; see `LayerEstimator.label_bits`."""
        assert layers.labels is not None
        return information_of_labels(self.codes[index], layers.labels[orders], layers.n_classes, correction)


def count(
    layers: Layers, codes: UInt64[np.ndarray, "batch sample"], clipped: Float[np.ndarray, " batch"] | None = None
) -> Counted:
    """Sort and count the symbol of each sample, alone and with its label."""
    clipped = np.zeros(layers.n_layers) if clipped is None else clipped
    return Counted(count_cells(codes, layers.labels, layers.n_classes), clipped, codes)


def values_of_counts(layers: Layers, counted: Counted, correction: str) -> LayerValues:
    """Return I(X;T) = H(T) and I(T;Y) of counted symbols; a layer that is not finite gets NaN."""
    h_t, i_ty, n_cells = information_of_counts(counted.counts, correction)
    judged = [
        _judge(layers, index, float(h_t[index]), int(n_cells[index]), float(counted.clipped[index]))
        for index in range(layers.n_layers)
    ]
    flags, reasons = tuple(found for found, _ in judged), tuple(words for _, words in judged)
    bits = [np.where(layers.finite, part, np.nan) for part in (h_t, i_ty) if part is not None]
    values = [Values(part, flags, reasons) for part in bits]
    return LayerValues(values[0], values[1] if len(values) > 1 else None)


def _judge(layers: Layers, index: int, h_t: float, n_cells: int, clipped: float) -> tuple[frozenset[str], str]:
    """Say what makes a value suspect, with the amounts."""
    if not layers.finite[index]:
        return frozenset({"non-finite"}), layers.non_finite_reason(index)
    found: dict[str, str] = {}
    if reason := saturation_reason(h_t, layers.cap):
        found["saturated"] = reason
    if clipped > 0:
        found["clipped"] = f"{clipped:.2%} of values outside the bins' range went to the outer cells"
    if n_cells == 1 and (layers.host[index] == layers.host[index][:, :1]).all():
        found["constant"] = "every sample has the same activations"
    return frozenset(found), "; ".join(found.values())
