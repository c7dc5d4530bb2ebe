"""What a layer tells when Gaussian noise is added to it, by drawing the noise (sample propagation)."""

import dataclasses
import math
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane._arrays import Codes
from infoplane._import_jax import import_jax
from infoplane.errors import InputError
from infoplane.estimators._label_kernels import class_sums, products, query_blocks, squared_distances
from infoplane.estimators._pairs import FLOAT32_LIMIT, UNRESOLVED
from infoplane.estimators._pairs_factors import aligned
from infoplane.estimators._pairs_kernel import double_precision
from infoplane.estimators._pairs_pruned import Merged, merge_equal
from infoplane.estimators._pairs_rows import PIECE, Rows, in_unit_ball
from infoplane.estimators._threads import n_threads
from infoplane.estimators.base import EntropyEstimator, Layers, LayerValues, Values, saturation_reason

QUERIES = 256
"""Rows that get their noise together; part of the definition of the noise, so never changed."""

BLOCK = {"cpu": 512, "gpu": 16384}
"""Rows that they are compared with at once. 256 × 512 stays in the CPU's cache; the GPU's is not measured."""

DIRECT = 1e9
"""(radius/σ)² from which exponents come from differences of coordinates: float64 products err by 1e-6."""

COPIES_SHARE = 0.1
"""Share of rows that are exact copies of another one above which the flag ``ties`` is raised."""


@dataclasses.dataclass(frozen=True)
class Noisy(EntropyEstimator):
    r"""I(X; T + Z) and I(T + Z; Y) for noise Z ~ N(0, σ² I) on every unit, by Monte Carlo, in bits.

    With u = t_i + z, the noisy activation of input i, the inputs have posterior weights
    p(k|u) ∝ exp(−‖u − t_k‖²/2σ²). Then, exactly,

        I(X; T+Z) = log2 N − E H(X | u),      I(T+Z; Y) = H(Y) − E H(Y | u),

    the mean taken over all rows i and over noise z. Each draw gives both entropies of its posterior, so both
    values come from the same noise and cannot exceed log2 N and H(Y). This is the estimator of Goldfeld
    et al., the mean of −log2 p(u) less the entropy of the noise, averaged over which row u may have come
    from; on random tanh layers of 1 to 10 units its standard error was 1.4 to 16 times smaller.

    Args:
        variance: σ² of the noise on each unit, in squared units of the activations.
        draws: noise vectors for each row; each is used with both signs (z and −z), which cancels errors of
            odd order. The standard error falls as 1/√(N draws); time grows with draws.
        seed: which noise; the noise of a row depends on seed, its place and the layer's width only, so
            neither the batch nor the epoch changes it, and a curve over epochs is smoother than its errors.

    The standard error is that of the noise alone: the N rows are the whole population of inputs, not a
    sample from one. It comes from the spread of the ± pairs within each row. With ``draws=1`` the spread
    between rows takes its place, which is too large.

    Range: 0 ≤ I(X;T+Z) ≤ log2 N, and within the bounds of ``kde`` at the same σ² up to the error. I(T+Z;Y) is at
    most H(Y), and below 0 by its error only.

    Cost: about 2 · draws · N² exponentials in blocks; memory grows with N · dim. 4096 rows of 10 units take
    0.1 s on two cores, 70 000 rows of 20 units less than a minute; three times that where σ² is so small that
    max‖t‖²/4σ² > 1e4 and float64 is needed.

    Flags: ``saturated`` within 0.1 bit of log2 N; ``constant`` where all rows are equal (exactly 0) or there
    is one class only; ``ties`` where more than a tenth of the rows are copies of others (no error here);
    ``small-class`` where a class has one sample; ``non-finite`` (NaN) for activations that are not finite or
    spread over more than about 10⁹ σ, where float64 does not resolve distances of one σ.

    When it misleads: σ is a property of the question, not a bandwidth to tune: with small σ the value is
    log2 N whatever the network does. Where nearly all rows stand alone the error can come out as 0, because
    no draw met the rare overlap; what was missed is of the order log2 N / (N · draws).

    Raises:
        InputError: for a parameter outside its range; names it.

    References:
        Goldfeld et al., "Estimating information flow in deep neural networks", ICML 2019.

    Example:
        >>> import numpy as np
        >>> from infoplane.estimators.noisy import Noisy
        >>> two_points = np.repeat([[0.0], [2.0]], 2000, axis=0)  # two standard deviations apart
        >>> estimate = Noisy(variance=1.0).of_layer(two_points).input
        >>> abs(estimate.bits - 0.33683 / np.log(2)) < 4 * estimate.std_error < 0.02
        True
    """

    variance: float = 0.1
    draws: int = 2
    seed: int = 0
    name: ClassVar[str] = "noisy"
    shuffle_rows: ClassVar[tuple[int, ...]] = (64, 256, 1024)

    def __post_init__(self) -> None:
        if not 0 < self.variance < math.inf:
            raise InputError(f"noisy variance is {self.variance}; expected a positive finite number, such as 0.1")
        if self.draws < 1:
            raise InputError(f"noisy draws is {self.draws}; expected at least 1 noise vector for each row")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"noisy seed is {self.seed}; expected a whole number from 0 to 2^64 - 1")

    def conditional_entropy(self, n_units: int) -> float:
        """h(T + Z | X) in bits: the entropy of the noise, (n_units / 2) log2(2πe σ²)."""
        return n_units / 2 * (math.log2(2 * math.pi * math.e) + math.log2(self.variance))

    def measure(self, layers: Layers) -> LayerValues:
        """Return both quantities for every layer of the batch, in bits."""
        results = [self._measure_layer(layers, index) for index in range(layers.n_layers)]
        label = None if layers.labels is None else _collect([result[1] for result in results])
        return LayerValues(_collect([result[0] for result in results]), label)

    def label_bits(
        self, layers: Layers, index: int, orders: Int[np.ndarray, "order sample"], rows: int
    ) -> Float[np.ndarray, " order"]:
        """Return I(T+Z;Y) of one layer with the labels in each of several orders, from one draw at so many rows."""
        assert layers.labels is not None
        points, radius = in_unit_ball(layers.host[index])
        labels, spread = layers.labels[orders], radius / math.sqrt(self.variance)
        total, n_queries = np.zeros(len(orders)), 0
        for queries in query_blocks(layers.n_samples, rows):
            closeness = -squared_distances(points, queries, spread**2 / 2)
            stream = np.random.Philox(key=np.array([self.seed, self.draws], np.uint64), counter=[0, 0, 0, n_queries])
            noise = np.random.Generator(stream).standard_normal((len(queries), layers.n_units))
            slant = products(points, noise, None, spread)
            slant -= slant[np.arange(len(queries)), queries][:, None]
            for sign in (1, -1):
                kernel = np.exp(np.clip(closeness + sign * slant, -80, 80))
                total += [_left_open(sums) for sums in class_sums(kernel, labels, layers.n_classes)]
            n_queries += len(queries)
        shares = layers.class_counts / layers.n_samples
        return -float(shares @ np.log2(shares)) - total / (2 * n_queries)

    def _measure_layer(self, layers: Layers, index: int) -> "tuple[_Result, _Result]":
        """Measure one layer: what it tells of the input and of the label."""
        if not layers.finite[index]:
            return _both(math.nan, "non-finite", layers.non_finite_reason(index))
        t = layers.host[index]
        if (t == t[:, :1]).all():
            return _both(0.0, "constant", f"all {layers.n_samples} rows are equal")
        rows, radius = in_unit_ball(t)
        spread = radius / math.sqrt(self.variance)
        if not spread * spread / 8 < UNRESOLVED:
            reason = (
                f"activations spread over {spread:.2g} standard deviations of the noise: float64 cannot resolve one"
            )
            return _both(math.nan, "non-finite", reason)
        labels = np.zeros(layers.n_samples, np.int64) if layers.labels is None else layers.labels
        each = np.arange(layers.n_samples)
        merged = merge_equal(rows, labels) or Merged(each, np.ones_like(each), each)
        left = _posterior_entropies(rows, labels, merged, spread**2, self.draws, self.seed, scale=spread)
        return _summarise(layers, left, layers.n_samples - len(merged.first))


def _left_open(sums: Float[np.ndarray, "query label"]) -> float:
    """Sum over rows the entropy of the label in bits, given the contribution of each class."""
    shares = sums / sums.sum(axis=1, keepdims=True)
    return float(-(shares * np.log2(np.where(shares > 0, shares, 1))).sum())


class _Result(NamedTuple):
    """One quantity of one layer."""

    bits: float
    std_error: float
    notes: dict[str, str]


def _plain(value: float, flag: str, reason: str) -> _Result:
    """A value known without drawing noise."""
    return _Result(value, value, {flag: reason})


def _both(value: float, flag: str, reason: str) -> tuple[_Result, _Result]:
    """The same known value for both quantities."""
    return _plain(value, flag, reason), _plain(value, flag, reason)


def _collect(results: list[_Result]) -> Values:
    """Put the results of a batch side by side."""
    return Values(
        bits=np.array([result.bits for result in results]),
        std_error=np.array([result.std_error for result in results]),
        flags=tuple(frozenset(result.notes) for result in results),
        reasons=tuple("; ".join(result.notes.values()) for result in results),
    )


def _summarise(layers: Layers, left: Float[np.ndarray, "quantity draw sample"], copies: int) -> tuple[_Result, _Result]:
    """Turn what noise leaves open about the input and the label, in nats, into bits, errors and flags."""
    means, errors = zip(*(_mean_and_error(part / math.log(2)) for part in left), strict=True)
    ties = {"ties": f"{copies} of {layers.n_samples} rows are exact copies of others"}
    ties = ties if copies > COPIES_SHARE * layers.n_samples else {}
    bits = layers.cap - means[0]
    reason = saturation_reason(bits, layers.cap)
    about_input = _Result(bits, errors[0], ({"saturated": reason} if reason else {}) | ties)
    if layers.labels is None:
        return about_input, about_input
    if layers.n_classes == 1:
        return about_input, _plain(0.0, "constant", "all labels are equal")
    small = int((layers.class_counts < 2).sum())
    notes = {"small-class": f"{small} of {layers.n_classes} classes have one sample"} if small else {}
    shares = layers.class_counts / layers.n_samples
    return about_input, _Result(float(-(shares @ np.log2(shares))) - means[1], errors[1], notes | ties)


def _mean_and_error(values: Float[np.ndarray, "draw sample"]) -> tuple[float, float]:
    """Mean over draws and rows, and its standard error when the draws are random and the rows are not."""
    n_draws, n_rows = values.shape
    variances = values.var(axis=0, ddof=1) if n_draws > 1 else values.var(axis=1, ddof=1)
    return float(values.mean()), float(np.sqrt(variances.mean() / (n_draws * n_rows)))


def _posterior_entropies(
    rows: Rows, labels: Codes, merged: Merged, squared_spread: float, n_draws: int, seed: int, *, scale: float = 1.0
) -> Float[np.ndarray, "quantity draw row"]:
    """Entropy of the input and of the label that noise leaves, in nats, for each draw and row.

    Args:
        rows: activations, centred.
        labels: class of each row.
        merged: the distinct rows, which are what each is compared with.
        squared_spread: (largest norm of a row)².
        n_draws: ± pairs of noise for each row.
        seed: which noise.
        scale: what rows are multiplied by to be in units of σ.
    """
    import_jax()
    import jax

    n_rows, dim = rows.shape
    dtype = np.float32 if squared_spread <= 8 * FLOAT32_LIMIT else np.float64
    width = -(-dim // 4) * 4  # few shapes, few compilations
    n_queries = -(-n_rows // QUERIES)
    places = _padded(merged.place, (n_queries * QUERIES,), np.int32)
    (device,) = jax.numpy.zeros(()).devices()  # put there, for worker threads do not inherit the choice of a device
    block = BLOCK["cpu" if device.platform == "cpu" else "gpu"]
    length = -(-n_rows // block) * block  # as if no row had been merged: few shapes again
    compared = (
        _points(rows, merged.first, scale, (length, width), dtype),
        _padded(labels[merged.first], (length,), np.int32),
        _padded(merged.counts, (length,), dtype),
        np.int32(-(-len(merged.first) // block)),
    )
    with double_precision():
        compared = jax.device_put(compared, device)
    sizes = {"n_classes": int(labels.max()) + 1, "block": block, "direct": squared_spread > DIRECT}
    kernel = _compiled_kernel()

    def part(task: int) -> Float[np.ndarray, "quantity query"]:
        draw, query = divmod(task, n_queries)
        stream = np.random.Philox(key=np.array([seed, draw], np.uint64), counter=[0, 0, 0, query])
        noise = _padded(np.random.Generator(stream).standard_normal((QUERIES, dim)), (QUERIES, width), dtype)
        own = slice(query * QUERIES, (query + 1) * QUERIES)
        queries = _points(rows, np.arange(own.start, min(own.stop, n_rows)), scale, (QUERIES, width), dtype)
        with double_precision():
            return np.asarray(kernel(queries, places[own], noise, *compared, **sizes))

    with ThreadPoolExecutor(n_threads()) as threads:
        parts = list(threads.map(part, range(n_draws * n_queries)))
    return np.stack(parts, axis=1).reshape(2, n_draws, -1)[:, :, :n_rows]


def _points(
    rows: Rows, index: Int[np.ndarray, " some"], scale: float, shape: tuple[int, int], dtype: Any
) -> Float[np.ndarray, "place _"]:
    """Return some rows times the scale with zeros appended, made few at a time."""
    points = aligned(shape, dtype)
    for start in range(0, len(index), PIECE):
        some = rows[index[start : start + PIECE]]
        points[start : start + len(some), : rows.shape[1]] = some * scale
    return points


def _padded(values: np.ndarray, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Append zeros in every direction."""
    out = np.zeros(shape, dtype)
    out[tuple(slice(size) for size in values.shape)] = values
    return out


@cache
def _compiled_kernel() -> Any:
    """The jitted `_kernel`, made at the first use so that importing this module loads no JAX."""
    import_jax()
    import jax

    return jax.jit(_kernel, static_argnames=("n_classes", "block", "direct"))


def _kernel(
    queries: Float[Any, "query dim"],
    places: Int[Any, " query"],
    noise: Float[Any, "query dim"],
    rows: Float[Any, "row dim"],
    labels: Int[Any, " row"],
    counts: Float[Any, " row"],
    n_blocks: Int[Any, ""],
    *,
    n_classes: int,
    block: int,
    direct: bool,
) -> Float[Any, "2 query"]:
    """Mean over z and −z of H(X | t + z) and H(Y | t + z), in nats.

    The weight of row k for u = t + z is exp(E) with E = (‖z‖² − ‖u − t_k‖²)/2 = −‖t − t_k‖²/2 + z·(t_k − t),
    in units of σ: exactly 1 for the row itself, so a row that stands alone has entropy exactly 0.

    Args:
        queries: the rows t that get noise.
        places: where each of them is among ``rows``.
        noise: z.
        rows: all distinct rows, padded.
        labels: class of each.
        counts: how often each occurs; 0 for padding.
        n_blocks: blocks of rows in use.
        n_classes: number of classes.
        block: rows of a block.
        direct: whether to subtract coordinates one by one instead of expanding the square.
    """
    import_jax()
    import jax.numpy as jnp
    from jax import lax

    def exponents(some: Any) -> tuple[Any, Any]:
        """−‖t − t_k‖²/2 and z·(t_k − t)."""
        if direct:
            difference = some[None] - queries[:, None]
            return -(difference**2).sum(-1) / 2, (difference * noise[:, None]).sum(-1)
        half = [(array**2).sum(-1) / 2 for array in (queries, some)]
        product = jnp.matmul(queries, some.T, precision=lax.Precision.HIGHEST)
        slant = jnp.matmul(noise, some.T, precision=lax.Precision.HIGHEST)
        return jnp.minimum(product - half[0][:, None] - half[1], 0), slant - (noise * queries).sum(-1)[:, None]

    def body(index: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        some, own_labels, weights = (
            lax.dynamic_slice_in_dim(array, index * block, block) for array in (rows, labels, counts)
        )
        closeness, slant = exponents(some)
        itself = places[:, None] == index * block + jnp.arange(block)
        both = jnp.where(itself, 0, jnp.stack([closeness + slant, closeness - slant]))
        both = jnp.clip(both, -80, 80)  # subnormal numbers would be slow; above 20 is out of any noise's reach
        kernel = jnp.exp(both)
        classes = jnp.where(own_labels[:, None] == jnp.arange(n_classes), weights[:, None], 0)
        sums, moments = state
        return sums + kernel @ classes, moments + (kernel * both) @ weights

    shape = (2, len(queries))
    start = (jnp.zeros((*shape, n_classes), jnp.float64), jnp.zeros(shape, jnp.float64))
    sums, moments = lax.fori_loop(0, n_blocks, body, start)
    total = sums.sum(-1)
    log_sums = jnp.log(jnp.where(sums > 0, sums, 1))
    of_input = jnp.log(total) - moments / total
    of_label = jnp.log(total) - (sums * log_sums).sum(-1) / total
    return jnp.stack([of_input.mean(0), of_label.mean(0)])
