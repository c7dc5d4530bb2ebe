"""Matrix-based Rényi entropy of a layer: from the eigenvalues of its kernel matrix."""

import dataclasses
import math
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError, did_you_mean
from infoplane.estimators._pairs_rows import in_unit_ball
from infoplane.estimators.base import LayerEstimator, Layers, LayerValues, Values, saturation_reason

WIDTHS = ("silverman", "neighbours", "alignment")

NEIGHBOURS = 10
"""Nearest rows over which the rule ``neighbours`` averages distances."""

ALIGNMENT_GRID = np.geomspace(0.1, 10, 41)
"""Widths that the rule ``alignment`` tries, as multiples of the mean distance between rows."""

NEAREST_TO_SHANNON = 1e-6
"""Below this |α − 1| rounding of the eigenvalues would show in the entropy (1e-16 / 1e-6 a value)."""

Gram = Float[np.ndarray, "row row"]
Squares = Float[np.ndarray, "channel row row"]


@dataclasses.dataclass(frozen=True)
class Renyi(LayerEstimator):
    r"""Matrix-based Rényi α-information of a layer with its input and the label: its own quantity, in Rényi bits.

    Not Shannon information and no estimate of it: a functional of the kernel matrix of the samples. With the
    Gaussian kernel K_ij = exp(−‖t_i − t_j‖²/2w²) and A = K / n,

        S_α(A) = log2(Σ λ_i(A)^α) / (1 − α),      I_α = S_α(A) + S_α(B) − S_α(A∘B / tr(A∘B)).

    B is the kernel of the other variable. For the label it is 1 within a class and 0 else. X is *which row*,
    whose kernel is the identity, so I_α(X;T) = S_α(A). (Papers that put a Gaussian kernel on the inputs' own
    values measure something else: how similar inputs look.) Rows are shuffled once and split into equal
    batches of at most ``batch``; values are means over the batches, and belong to that batch size.

    Args:
        alpha: order α > 0, other than 1. Near 1 (1.01) as in the papers; 2 needs no eigenvalues.
        width: kernel width w, a number in units of the activations, or a rule applied to each batch:
            ``silverman``: w = gamma · s · n^(−1/(4+d)), with s the root mean squared distance of the rows
            from their mean; the rule's rate, with a spread that covers all d units together.
            ``neighbours``: mean distance of a row to its 10 nearest rows, over all rows.
            ``alignment``: that of 41 widths from 0.1 to 10 mean distances at which the kernel is most aligned
            with the label's, ⟨K, L⟩/(‖K‖ ‖L‖); chosen anew for each layer (Wickstrøm et al. also average over
            iterations of training). Needs labels.
        gamma: factor of the rule ``silverman``.
        batch: most rows of one kernel matrix.
        channels: the units are this many channels, one after another (a flattened array of shape
            (sample, channel, …)), each with its own kernel and width; K is the product of the kernels.

    Range: 0 ≤ I_α(X;T) ≤ log2 n with n the rows of a batch, and I_α(T;Y) ≤ min(I_α(X;T), S_α of the label's
    kernel), for a product of kernels is never less spread than a factor. Below zero I_α(T;Y) is possible: only
    α → 1, the entropy of von Neumann, rules it out.

    Cost: N/batch eigenvalue problems, time N · batch² + N · batch · d, memory batch² · channels.

    Flags: ``saturated`` within 0.1 bit of log2 n: the kernel is so narrow that it sees rows and no layer;
    ``constant`` where all rows are equal (exactly 0) or there is one class; ``non-finite`` (NaN).

    When it misleads: the width decides the value. A rule that follows the spread of the layer (all three) does
    not see a layer shrink or grow as a whole; a fixed width does. Values of different ``alpha``, ``width`` or
    ``batch`` cannot be compared, and none of them with bits of the other estimators.

    Raises:
        InputError: for a parameter outside its range, labels that are missing, or units that cannot be split
            into channels; names it.

    References:
        Sanchez Giraldo, Rao & Principe (2015), IEEE Trans. Inf. Theory 61; Yu et al. (2020), "Multivariate
        extension of matrix-based Rényi's α-order entropy functional"; Wickstrøm et al. (2019), "Information
        plane analysis of deep neural networks via matrix-based Rényi's entropy and tensor kernels".

    Example:
        >>> import numpy as np
        >>> from infoplane.estimators.renyi import Renyi
        >>> four_clusters = np.repeat([[0.0], [9.0], [20.0], [50.0]], 8, axis=0)
        >>> information = Renyi(width=1.0).of_layer(four_clusters, np.repeat([0, 0, 1, 1], 8))
        >>> print(f"{information.input.bits:.4f} {information.label.bits:.4f}")
        2.0000 1.0000
    """

    alpha: float = 1.01
    width: float | Literal["silverman", "neighbours", "alignment"] = "silverman"
    gamma: float = 1.0
    batch: int = 512
    channels: int = 1
    quantity: ClassVar[str] = "matrix-based Rényi"
    name: ClassVar[str] = "renyi"
    shuffle_rows: ClassVar[tuple[int, ...]] = (512,)

    def __post_init__(self) -> None:
        if not (0 < self.alpha < math.inf and abs(self.alpha - 1) >= NEAREST_TO_SHANNON):
            raise InputError(
                f"renyi alpha is {self.alpha}; expected a positive number at least {NEAREST_TO_SHANNON:g} away "
                "from 1, such as 1.01"
            )
        if isinstance(self.width, str):
            if self.width not in WIDTHS:
                raise InputError(f"renyi width is '{self.width}'{did_you_mean(self.width, WIDTHS)}, or a number")
        elif not 0 < self.width < math.inf:
            raise InputError(f"renyi width is {self.width}; expected a positive finite number or a rule's name")
        if not 0 < self.gamma < math.inf:
            raise InputError(f"renyi gamma is {self.gamma}; expected a positive finite number")
        if self.batch < 2:
            raise InputError(f"renyi batch is {self.batch}; expected at least 2 rows")
        if self.channels < 1:
            raise InputError(f"renyi channels is {self.channels}; expected at least 1")

    def check_units(self, n_units: int) -> None:
        """Refuse a number of units that the channels do not divide."""
        if n_units % self.channels:
            raise InputError(
                f"renyi channels is {self.channels} and the layer has {n_units} units; "
                "expected a number of channels that divides them"
            )

    def measure(self, layers: Layers) -> LayerValues:
        """Return both quantities for every layer of the batch, in Rényi bits."""
        if self.width == "alignment" and layers.labels is None:
            raise InputError("renyi width is 'alignment' and there are no labels; give labels or another width")
        self.check_units(layers.n_units)
        split = _split(layers.n_samples, self.batch)
        pairs = [self._measure_layer(layers, index, split) for index in range(layers.n_layers)]
        of_input, of_label = np.array(pairs).T
        notes = [_judge(layers, index, float(of_input[index]), split) for index in range(layers.n_layers)]
        label = None if layers.labels is None else _collect(of_label, [part[1] for part in notes])
        return LayerValues(_collect(of_input, [part[0] for part in notes]), label)

    def _measure_layer(
        self, layers: Layers, index: int, split: list[Int[np.ndarray, " row"]]
    ) -> Float[np.ndarray, "2"]:
        """I(X;T) and I(T;Y) of one layer, means over the batches; NaN without labels."""
        if not layers.finite[index]:
            return np.full(2, np.nan)
        t = layers.host[index]
        if (t == t[:, :1]).all():
            return np.zeros(2)
        rows, radius = in_unit_ball(t)
        labels = layers.labels
        parts = [self._of_rows(rows[own], radius, None if labels is None else labels[own]) for own in split]
        return np.mean(parts, axis=0)

    def label_bits(
        self, layers: Layers, index: int, orders: Int[np.ndarray, "order sample"], rows: int
    ) -> Float[np.ndarray, " order"]:
        """Return I_α(T;Y) of one layer with the labels in each of several orders, on its first batches."""
        assert layers.labels is not None
        points, radius = in_unit_ball(layers.host[index])
        split = _split(layers.n_samples, self.batch)[: max(1, rows // self.batch)]
        bits = [self._of_orders(points[own[:rows]], radius, layers.labels[orders[:, own[:rows]]]) for own in split]
        return np.mean(bits, axis=0)

    def _of_orders(
        self, rows: Float[np.ndarray, "row dim"], radius: float, labels: Int[np.ndarray, "order row"]
    ) -> Float[np.ndarray, " order"]:
        """I(T;Y) of one batch of rows with several arrays of labels; the rule ``alignment`` looks at each of them."""
        if self.width == "alignment":
            return np.array([self._of_rows(rows, radius, own)[1] for own in labels])
        gram = self._gram(rows, radius, None)
        of_layer = matrix_entropy(gram, self.alpha)
        within = [label_entropy(own, self.alpha) - entropy_with_label(gram, own, self.alpha) for own in labels]
        return of_layer + np.array(within)

    def _of_rows(
        self, rows: Float[np.ndarray, "row dim"], radius: float, labels: Int[np.ndarray, " row"] | None
    ) -> tuple[float, float]:
        """I(X;T) and I(T;Y) of one batch of rows, given in the unit ball; ``radius`` is what they were divided by."""
        gram = self._gram(rows, radius, labels)
        of_layer = matrix_entropy(gram, self.alpha)
        if labels is None:
            return of_layer, math.nan
        return of_layer, of_layer + label_entropy(labels, self.alpha) - entropy_with_label(gram, labels, self.alpha)

    def _gram(self, rows: Float[np.ndarray, "row dim"], radius: float, labels: Int[np.ndarray, " row"] | None) -> Gram:
        """Kernel matrix of one batch of rows, given in the unit ball."""
        squares = squared_distances(rows.reshape(len(rows), self.channels, -1))
        if isinstance(self.width, str):
            widths = np.array(
                [self._ruled_width(channel, labels, rows.shape[1] // self.channels) for channel in squares]
            )
        else:
            widths = np.full(self.channels, self.width / radius)
        return gaussian_gram(squares, widths)

    def _ruled_width(self, squares: Gram, labels: Int[np.ndarray, " row"] | None, dim: int) -> float:
        if self.width == "silverman":
            return self.gamma * silverman_width(squares, dim)
        if self.width == "neighbours":
            return neighbours_width(squares)
        assert labels is not None
        return aligned_width(squares, labels)


def squared_distances(t: Float[np.ndarray, "row channel dim"]) -> Squares:
    """Squared Euclidean distances of the rows in each channel; exactly 0 between equal rows."""
    from scipy.spatial.distance import pdist, squareform

    return np.stack([squareform(pdist(t[:, channel], "sqeuclidean")) for channel in range(t.shape[1])])


def silverman_width(squares: Gram, dim: int) -> float:
    """Silverman's s · n^(−1/(4+d)); s² is the mean squared distance from the mean, half that of all pairs."""
    return math.sqrt(squares.mean() / 2) * len(squares) ** (-1 / (4 + dim))


def neighbours_width(squares: Gram) -> float:
    """Mean distance of a row to its 10 nearest others (all others where there are fewer)."""
    nearest = min(NEIGHBOURS, len(squares) - 1)
    # The smallest of each line is the row itself.
    return float(np.sqrt(np.partition(squares, nearest, axis=1)[:, 1 : nearest + 1]).mean())


def aligned_width(squares: Gram, labels: Int[np.ndarray, " row"]) -> float:
    """The width of the grid whose kernel is most aligned with the label's; the widest of equals; 0 for equal rows."""
    n_rows = len(squares)
    upper = np.triu_indices(n_rows, 1)
    distances, alike = squares[upper], (labels[:, None] == labels)[upper].astype(float)
    mean = float(np.sqrt(distances).mean())
    if mean == 0:
        return 0.0

    def alignment(width: float) -> float:
        """⟨K, L⟩/‖K‖, from the pairs above the diagonal of ones."""
        kernel = np.exp(-distances / (2 * width**2))
        return (n_rows + 2 * (alike @ kernel)) / math.sqrt(n_rows + 2 * (kernel @ kernel))

    return float(max(mean * ALIGNMENT_GRID[::-1], key=alignment))


def gaussian_gram(squares: Squares, widths: Float[np.ndarray, " channel"]) -> Gram:
    """Product over channels of exp(−D/2w²), 1 on the diagonal; a width of 0 tells apart all but equal rows."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        exponents = np.where(squares > 0, squares / (2 * widths[:, None, None] ** 2), 0)
    return np.exp(-exponents.sum(axis=0))


def matrix_entropy(gram: Gram, alpha: float) -> float:
    """Rényi entropy of order ``alpha``, in bits, of a positive semidefinite matrix divided by its trace.

    α = 2 is −log2 of the sum of squared entries and needs no eigenvalues.
    """
    normalised = gram / np.trace(gram)
    if alpha == 2:
        return float(-np.log2((normalised**2).sum()))
    return spectral_entropy(np.linalg.eigvalsh(normalised), alpha)


def spectral_entropy(eigenvalues: Float[np.ndarray, " row"], alpha: float) -> float:
    """log2(Σ λ^α) / (1 − α) of eigenvalues that add up to 1.

    What lies below n · 2⁻⁵² is rounding of a zero, which a small α would raise to something; 0^α is 0.
    """
    present = eigenvalues[eigenvalues > len(eigenvalues) * np.finfo(float).eps]
    logs = alpha * np.log2(present / present.sum())
    largest = logs.max()  # taken out, for a large α underflows
    return float((largest + np.log2(np.exp2(logs - largest).sum())) / (1 - alpha))


def label_entropy(labels: Int[np.ndarray, " row"], alpha: float) -> float:
    """S_α of the label's kernel: its eigenvalues are the shares of the classes."""
    return spectral_entropy(np.unique(labels, return_counts=True)[1] / len(labels), alpha)


def entropy_with_label(gram: Gram, labels: Int[np.ndarray, " row"], alpha: float) -> float:
    """S_α of the product with the label's kernel, which leaves one block of the matrix for each class."""
    blocks = [gram[np.ix_(own, own)] / np.trace(gram) for own in (labels == label for label in np.unique(labels))]
    if alpha == 2:
        return float(-np.log2(sum((block**2).sum() for block in blocks)))
    return spectral_entropy(np.concatenate([np.linalg.eigvalsh(block) for block in blocks]), alpha)


def _split(n_samples: int, batch: int) -> list[Int[np.ndarray, " row"]]:
    """Share the rows out over batches of nearly equal size, always in the same way."""
    n_batches = -(-n_samples // batch)
    if n_batches == 1:
        return [np.arange(n_samples)]
    order = np.random.Generator(np.random.Philox(key=0)).permutation(n_samples)
    return np.array_split(order, n_batches)


def _judge(
    layers: Layers, index: int, of_input: float, split: list[Int[np.ndarray, " row"]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Flags and reasons of both quantities."""
    if not layers.finite[index]:
        unknown = {"non-finite": layers.non_finite_reason(index)}
        return unknown, unknown
    if (layers.host[index] == layers.host[index][:, :1]).all():
        constant = {"constant": f"all {layers.n_samples} rows are equal"}
        return constant, constant
    cap = float(np.mean([np.log2(len(own)) for own in split]))
    reason = saturation_reason(of_input, cap, about=f"the {len(split[0])} rows of a batch, not the network")
    one_class = {"constant": "all labels are equal"}
    return {"saturated": reason} if reason else {}, one_class if layers.n_classes == 1 else {}


def _collect(bits: Float[np.ndarray, " batch"], notes: list[dict[str, str]]) -> Values:
    """Put the results of a batch side by side, under a kind of their own."""
    flags = tuple(frozenset(found) for found in notes)
    return Values(bits, flags, tuple("; ".join(found.values()) for found in notes), kind="renyi")
