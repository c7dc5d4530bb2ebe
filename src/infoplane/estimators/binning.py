"""Plug-in information of a layer quantised into cells."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError, did_you_mean
from infoplane.estimators import cells
from infoplane.estimators.base import EntropyEstimator, Layers, LayerValues
from infoplane.estimators.counting import ALL_ROWS, Counted, count, values_of_counts
from infoplane.estimators.discrete import check_correction

EDGES = ("fixed", "idnns", "width", "layer", "run", "quantile", "adaptive")
FITTED = ("layer", "run", "quantile", "adaptive")
"""Edges that follow the activations, of the whole layer or unit by unit."""

MAX_BINS = 2**20

Numbering = Callable[[cells.Activations], cells.Cells]
"""Numbers the cells of some units' values between edges that are settled."""


@dataclasses.dataclass(frozen=True)
class Binning(EntropyEstimator):
    r"""Quantise each unit into bins and count: I(X;T) = H(T), I(T;Y) = H(T) − Σ p(y) H(T|Y=y), in bits.

    A quantised layer of a deterministic network has H(T|X) = 0, so its information with *which input* is its
    entropy. The number belongs to the quantised layer, and changes with the bins.

    Args:
        bins: number of cells of each unit (``width`` has as many as it needs).
        edges: where the cells lie.
            ``fixed``: equal cells from ``low`` to ``high``.
            ``idnns``: edges at ``linspace(low, high, bins)``, the bins of IDNNs: ``bins − 1`` equal cells and
            one more for values from ``high`` up.
            ``width``: floor(t / width), without limits (Saxe et al. 2018).
            ``layer``: equal cells from the smallest to the largest value of the layer as it is now.
            ``run``: the same with the range over all measured epochs of the run; in packaged runs only, which
            train a second time to know it.
            ``quantile``: cells of equal mass. Equal values share a cell.
            ``adaptive``: cells of equal mass among the layer's *distinct* values, so that the zeros of a
            rectified unit take one cell only (Chelombiev, Houghton & O'Donnell 2019).
        low, high: range for ``fixed`` and ``idnns``. Values outside go to the outer cells and raise the flag
            ``clipped``. (IDNNs itself puts values below ``low`` into the *last* cell.)
        width: width of a cell for ``width``.
        per: whether fitted edges (layer, run, quantile, adaptive) follow the whole ``layer`` or each ``unit``.
        correction: bias correction of each entropy, see `infoplane.estimators.discrete`; ``none`` is the
            plug-in of every paper on the information plane.

    Range:
        0 ≤ I(T;Y) ≤ I(X;T) ≤ min(log2 N, dim · log2 bins) without a correction.

    Flags:
        ``saturated``: I(X;T) within 0.1 bit of log2 N: the number of samples, not the layer.
        ``clipped``: values outside the range; their share is in the reason.
        ``constant``: every sample has the same activations. ``non-finite``: the estimate is NaN.

    When it misleads:
        Plug-in entropy is too small by about (cells − 1)/2N nats when cells are many, and cannot exceed
        log2 N. With fixed edges an unbounded activation is clipped, and the picture shows the clipping. With
        edges that follow the layer, a layer that only grows looks as if nothing happened.

    Raises:
        InputError: for a parameter outside its range; names it.

    References:
        Shwartz-Ziv & Tishby (2017) and the edges of their public code (IDNNs); Saxe et al. (2018);
        Chelombiev, Houghton & O'Donnell (2019).

    Example:
        >>> import numpy as np
        >>> from infoplane.estimators import Binning
        >>> t = np.array([[-0.9], [-0.9], [0.9], [0.9]])
        >>> Binning(bins=2).of_layer(t, [0, 0, 1, 1]).label.bits
        1.0
    """

    bins: int = 30
    edges: Literal["fixed", "idnns", "width", "layer", "run", "quantile", "adaptive"] = "fixed"
    low: float = -1.0
    high: float = 1.0
    width: float = 0.07
    per: Literal["layer", "unit"] = "layer"
    correction: str = "none"
    name: ClassVar[str] = "binning"
    shuffle_rows: ClassVar[tuple[int, ...]] = ALL_ROWS

    def __post_init__(self) -> None:
        if not isinstance(self.bins, int | np.integer) or isinstance(self.bins, bool):
            raise InputError(f"binning bins is {self.bins!r}; expected a whole number")
        if self.edges not in EDGES:
            raise InputError(f"binning edges is '{self.edges}'{did_you_mean(str(self.edges), EDGES)}")
        fewest = 2 if self.edges == "idnns" else 1
        if not fewest <= self.bins <= MAX_BINS:
            raise InputError(f"binning bins is {self.bins}; expected {fewest} to {MAX_BINS} for edges '{self.edges}'")
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise InputError(f"binning low, high is {self.low}, {self.high}; expected finite numbers, low < high")
        if not (np.isfinite(self.width) and self.width > 0):
            raise InputError(f"binning width is {self.width}; expected a finite number above 0")
        if self.per == "unit" and self.edges not in FITTED:
            raise InputError(
                f"binning per is 'unit' with edges '{self.edges}'; expected edges among {', '.join(FITTED)}"
            )
        check_correction(self.correction)

    def conditional_entropy(self, n_units: int) -> float:
        """0: a quantised layer is a function of its input."""
        return 0.0

    def measure(self, layers: Layers) -> LayerValues:
        """Return I(X;T) and I(T;Y) of every layer of the batch from one sort of its cells."""
        return values_of_counts(layers, self._counted(layers), self.correction)

    def label_bits(
        self, layers: Layers, index: int, orders: Int[np.ndarray, "order sample"], rows: int
    ) -> Float[np.ndarray, " order"]:
        """Return I(T;Y) of one layer with the labels in each of several orders, always on all rows."""
        return self._counted(layers).label_bits(layers, index, orders, self.correction)

    def _counted(self, layers: Layers) -> Counted:
        """Return the counts of the cells; several corrections of the same cells cut and sort the batch once."""
        cut = dataclasses.replace(self, correction="none")
        shared = layers.shared.setdefault("cells", {})
        if cut not in shared:
            shared[cut] = self._count(layers)
        return shared[cut]

    def _count(self, layers: Layers) -> Counted:
        """Give each sample of each layer the number of its joint cell; layers that are not finite get 0."""
        codes = np.zeros((layers.n_layers, layers.n_samples), np.uint64)
        clipped = np.zeros(layers.n_layers)
        for index in np.flatnonzero(layers.finite):
            codes[index] = self.cells_of(layers, int(index))
            clipped[index] = self.clipped_share(layers.host[index])
        return count(layers, codes, clipped)

    def cells_of(self, layers: Layers, index: int) -> cells.Codes:
        """Number the joint cell of each sample of one layer, which is finite."""
        return cells.mixed_radix(self._digits(layers.host[index], layers, index))

    def _digits(self, t: Float[np.ndarray, "dim sample"], layers: Layers, index: int) -> Iterator[cells.Digit]:
        """Give the cells of each unit and their number; of a wide layer few units are held at a time."""
        if self.edges == "width":
            yield from cells.width_cells(t, self.width)
            return
        for part in [t] if self.per == "layer" else [t[unit : unit + 1] for unit in range(len(t))]:
            number, step = self._numbering(part, layers, index), max(1, cells.BLOCK // t.shape[1])
            for start in range(0, len(part), step):
                yield from ((row, self.bins) for row in number(part[start : start + step]))

    def _numbering(self, t: Float[np.ndarray, "dim sample"], layers: Layers, index: int) -> Numbering:
        """Settle the edges of some units and return what numbers the cells of their values."""
        if self.edges == "quantile" or self.edges == "adaptive":
            edges = cells.equal_mass_edges(t, self.bins, distinct=self.edges == "adaptive")
            return lambda part: cells.cells_between(part, edges)
        low, high, n_equal = self.low, self.high, self.bins
        if self.edges == "layer":
            low, high = cells.value_range(t)
        elif self.edges == "run":
            low, high = cells.widened(*layers.range_over_run(index))
        elif self.edges == "idnns":
            n_equal = self.bins - 1
        return lambda part: cells.uniform_cells(part, low, high, n_equal, last_open=self.edges == "idnns")

    def clipped_share(self, t: Float[np.ndarray, "dim sample"]) -> float:
        """Share of values outside the range of fixed edges."""
        if self.edges not in ("fixed", "idnns"):
            return 0.0
        step = max(1, cells.BLOCK // t.shape[1])  # no copy of a wide layer
        parts = (t[start : start + step] for start in range(0, len(t), step))
        return sum(np.count_nonzero((part < self.low) | (part > self.high)) for part in parts) / t.size
