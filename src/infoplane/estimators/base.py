"""What an estimator takes and gives: a batch of layers in, information in bits out."""

import abc
import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from infoplane._arrays import Codes
from infoplane._html import table
from infoplane._numbers import digits
from infoplane.errors import InputError, did_you_mean

SATURATION_MARGIN = 0.1
"""Bits below log2 N within which a value reflects the number of samples only."""


def saturation_reason(bits: float, cap: float, *, about: str = "the number of inputs, not the network") -> str:
    """Return the reason of the flag ``saturated``; an empty text for a value below the margin."""
    if not bits > cap - SATURATION_MARGIN:
        return ""
    return f"saturated at {bits:.1f} of {cap:.1f} bits: reflects {about}"


FLAGS = ("saturated", "constant", "ties", "clipped", "non-finite", "small-class", "ceiling",
         "high-dimension", "manifold", "dead", "diverged", "above-entropy", "not-gaussian", "k-dependent",
         "stochastic", "outliers", "uninformative", "autocorrelated", "initial-statistics", "negative",
         "few-samples")  # fmt: skip
"""Every flag there is; the order is the order of bits in a stored result and never changes."""


@dataclasses.dataclass(frozen=True)
class Null:
    """The estimate on shuffled data: its mean and standard deviation in bits, and the p-value."""

    mean: float
    sd: float
    p: float


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One number of information, in bits, with everything needed to judge it.

    Attributes:
        bits: the raw estimate; it may be negative, and is NaN where nothing can be said.
        std_error: standard error in bits, where it was asked for or comes for free.
        interval: 95 % interval in bits as (low, high), where it was asked for.
        lower: a bound below the true value under the stated noise model, else None.
        upper: a bound above the true value under the stated noise model, else None.
        null: the estimate on shuffled data, where it was asked for.
        kind: what ``bits`` is: "estimate", a "lower" or "upper" bound, or "renyi" or "sliced", which are not
            Shannon information.
        n: number of samples.
        dims: number of coordinates of each variable.
        flags: bare names of what makes the number suspect (``infoplane explain FLAG``).
        reason: the amounts behind the flags, and why, in words.
        estimator: name of the estimator.
        params: its parameters.
        seconds: wall time of the computation.
    """

    bits: float
    std_error: float | None = None
    interval: tuple[float, float] | None = None
    lower: float | None = None
    upper: float | None = None
    null: Null | None = None
    kind: str = "estimate"
    n: int = 0
    dims: tuple[int, ...] = ()
    flags: frozenset[str] = frozenset()
    reason: str = ""
    estimator: str = ""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    def __float__(self) -> float:
        return self.bits

    def _repr_html_(self) -> str:
        """Return a table for notebooks: the number, how sure it is, what it was made of, what to distrust."""
        params = ", ".join(f"{key} {value}" for key, value in self.params.items())
        made = f"{self.estimator}: {params}" if params else self.estimator
        rows = [*_in_words(self), ("flags", ", ".join(sorted(self.flags))), ("reason", self.reason)]
        size = f"{self.n} samples, {' + '.join(map(str, self.dims))} coordinates" if self.n else ""
        return table(_value(self), [*rows, ("measured by", made), ("from", size)])


def _value(estimate: Estimate) -> str:
    """Return the number of an estimate with its unit, and what it is where it is no plain estimate."""
    return f"{digits(estimate.bits)} bits" + ("" if estimate.kind == "estimate" else f" ({estimate.kind})")


def _in_words(estimate: Estimate) -> list[tuple[str, str]]:
    """Return how sure an estimate is: interval, standard error, bounds, null; empty where it does not say."""
    low, high = estimate.interval or (None, None)
    null = estimate.null
    return [
        ("95 % interval", "" if low is None or high is None else f"{digits(low)} to {digits(high)} bits"),
        ("standard error", "" if estimate.std_error is None else f"{digits(estimate.std_error)} bits"),
        ("not below", "" if estimate.lower is None else f"{digits(estimate.lower)} bits"),
        ("not above", "" if estimate.upper is None else f"{digits(estimate.upper)} bits"),
        ("shuffled", "" if null is None else f"{digits(null.mean)} ± {digits(null.sd)} bits, p = {null.p:.3g}"),
    ]


@dataclasses.dataclass(frozen=True)
class LayerInformation:
    """What a layer T says of its input and of the label: I(X;T) and I(T;Y) (None without labels)."""

    input: Estimate
    label: Estimate | None

    def _repr_html_(self) -> str:
        """Return a table for notebooks: I(X;T), and I(T;Y) where there are labels."""
        both = {"I(X;T)": self.input} | ({} if self.label is None else {"I(T;Y)": self.label})
        rows = [
            (name, "; ".join(filter(None, [_value(one), ", ".join(sorted(one.flags)), one.reason])))
            for name, one in both.items()
        ]
        return table(self.input.estimator, rows)


@dataclasses.dataclass(frozen=True)
class Values:
    """One quantity for each layer of a batch, in bits; flags and reasons one a layer."""

    bits: Float[np.ndarray, " batch"]
    flags: tuple[frozenset[str], ...]
    reasons: tuple[str, ...]
    lower: Float[np.ndarray, " batch"] | None = None
    upper: Float[np.ndarray, " batch"] | None = None
    std_error: Float[np.ndarray, " batch"] | None = None
    kind: str = "estimate"


@dataclasses.dataclass(frozen=True)
class LayerValues:
    """I(X;T) and I(T;Y) for each layer of a batch; ``label`` is None without labels."""

    input: Values
    label: Values | None


class Layers:
    """A batch of activation matrices on the same samples, shared by all estimators asked for.

    Whatever several estimators need of the same activations (codes, distances, sorts) is computed
    here once and kept as long as the batch lives. One batch holds one layer of several networks, or of
    one network at several epochs.

    Attributes:
        activations: floats of shape (batch, dim, sample), units first so that a unit's values lie together.
        labels: integer codes 0…C−1 of shape (sample,), or None.
        run_range: smallest and largest activation of each layer over the whole run, (batch, 2), where known.
        shared: what estimators of one kind keep for each other, by the name of the kind.
    """

    def __init__(
        self,
        activations: Any,
        labels: Codes | None = None,
        run_range: Float[np.ndarray, "batch 2"] | None = None,
    ) -> None:
        self.activations = activations
        self.labels = labels
        self.run_range = run_range
        self.n_layers, self.n_units, self.n_samples = activations.shape
        self.shared: dict[str, Any] = {}

    @cached_property
    def host(self) -> Float[np.ndarray, "batch dim sample"]:
        """The activations in host memory (no copy where the device is the CPU)."""
        return np.asarray(self.activations)

    @cached_property
    def finite(self) -> Bool[np.ndarray, " batch"]:
        """Which layers hold finite numbers only."""
        # NaN is passed on by both; no array of the size of the layers is made
        lows, highs = self.host.min(axis=(1, 2)), self.host.max(axis=(1, 2))
        return np.asarray(np.isfinite(lows) & np.isfinite(highs))

    @cached_property
    def n_classes(self) -> int:
        """Number of classes among the labels."""
        return 0 if self.labels is None else int(self.labels.max()) + 1

    @cached_property
    def class_counts(self) -> Int[np.ndarray, " label"]:
        """Number of samples of each class."""
        assert self.labels is not None
        return np.bincount(self.labels, minlength=self.n_classes)

    @cached_property
    def cap(self) -> float:
        """log2 N: what no plug-in value or pairwise bound on these samples can exceed, in bits."""
        return float(np.log2(self.n_samples))

    def range_over_run(self, index: int) -> tuple[float, float]:
        """Smallest and largest activation of one layer over the whole run.

        Raises:
            InputError: where it is not known.
        """
        if self.run_range is None:
            raise InputError(
                "binning edges 'run' need the layer's range over a whole run, which is known in packaged runs only; "
                "use edges 'layer', or 'fixed' with low and high"
            )
        return float(self.run_range[index, 0]), float(self.run_range[index, 1])

    def non_finite_reason(self, index: int) -> str:
        """Say how many values of one layer are not finite."""
        bad = int(self.n_units * self.n_samples - np.isfinite(self.host[index]).sum())
        return f"{bad} of {self.n_units * self.n_samples} activations are not finite"


class Estimator(abc.ABC):
    """A frozen dataclass whose fields are all its parameters; the class is its documentation.

    Subclasses say what they can measure by inheriting from `LayerEstimator`, `PairEstimator` and
    `EntropyEstimator`.
    """

    name: ClassVar[str]

    @property
    def params(self) -> dict[str, Any]:
        """The parameters as a plain dictionary."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # pyright: ignore[reportArgumentType]

    @classmethod
    def with_params(cls, params: Mapping[str, Any]) -> "Estimator":
        """Build from a mapping of parameters.

        Raises:
            InputError: for what is not a parameter (the nearest is named) or has the wrong type.
        """
        hints = typing.get_type_hints(cls)
        known = [field.name for field in dataclasses.fields(cls)]  # pyright: ignore[reportArgumentType]
        for key, value in params.items():
            if key not in known:
                raise InputError(f"estimator '{cls.name}' has no parameter '{key}'{did_you_mean(key, known)}")
            if not _fits(value, hints[key]):
                raise InputError(f"{cls.name} {key} is {value!r}; expected {_spoken(hints[key])}")
        return cls(**{key: _cast(value, hints[key]) for key, value in params.items()})


def _fits(value: Any, hint: Any) -> bool:
    """Say whether a value can stand where ``hint`` is expected; a whole number may stand for a float."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return value in parts
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(_fits(item, parts[0]) for item in value)
    if hint in (int, float):
        numbers = (int, np.integer) if hint is int else (int, float, np.integer, np.floating)
        return isinstance(value, numbers) and not isinstance(value, bool)
    return isinstance(value, hint)


def _cast(value: Any, hint: Any) -> Any:
    """Turn a list into a tuple, and a whole number into a float where only floats are taken."""
    if isinstance(value, list | tuple):
        return tuple(float(item) for item in value)
    takes = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return float(value) if whole and float in takes and int not in takes else value


def _spoken(hint: Any) -> str:
    """Name an expected type in words."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(part) for part in parts)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_spoken(part) for part in parts)
    if origin is tuple:
        return f"a list, each {_spoken(parts[0])}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a name", types.NoneType: "nothing"}
    return words.get(hint, str(hint))


class LayerEstimator(Estimator):
    """Measures I(X;T) and I(T;Y) of layers whose rows answer to the rows of X.

    Attributes:
        quantity: which information its numbers are; different quantities are never compared or averaged.
        shuffle_rows: numbers of rows on which the label value is compared with shuffled labels, ascending: the
            comparison stops at the first number on which the two differ. Empty where ``label_bits`` gives nothing.
    """

    quantity: ClassVar[str] = "Shannon"
    shuffle_rows: ClassVar[tuple[int, ...]] = ()

    def check_units(self, n_units: int) -> None:
        """Refuse layers of so many units, before anything is computed.

        Raises:
            InputError: when this estimator cannot measure them.
        """

    @abc.abstractmethod
    def measure(self, layers: Layers) -> LayerValues:
        """Return both quantities for every layer of the batch, in bits."""

    def label_bits(
        self, layers: Layers, index: int, orders: Int[np.ndarray, "order sample"], rows: int
    ) -> Float[np.ndarray, " order"]:
        """Return I(T;Y) of one layer in bits with the labels in each of several orders.

        What does not depend on the labels is computed once. A costly estimator looks at so many ``rows`` only, the
        same for every order, so that values of different orders are comparable.

        Args:
            layers: the batch, with labels.
            index: which of its layers.
            orders: in each row, which sample's label every sample gets.
            rows: number of samples whose terms are averaged, or that are measured at all.
        """
        raise NotImplementedError(f"estimator '{self.name}' names shuffle_rows without label_bits")

    def of_layer(self, t: Any, y: Any = None) -> LayerInformation:
        """Measure one activation matrix t (sample, dim) with labels y (sample,) or None."""
        from infoplane.estimators.layers import layer_information  # that module builds on this one

        return layer_information(t, y, [self])[0]

    def __call__(self, t: Any, y: Any = None) -> Estimate:
        """Return I(T;Y) when labels are given, otherwise I(X;T), where X is which row."""
        information = self.of_layer(t, y)
        return information.input if information.label is None else information.label


class EntropyEstimator(LayerEstimator):
    """A layer estimator that also gives an entropy: H(T) = I(X;T) + H(T|X) with H(T|X) known."""

    @abc.abstractmethod
    def conditional_entropy(self, n_units: int) -> float:
        """H(T|X) in bits for a layer of so many units: 0 for quantised layers, the noise's entropy for others."""

    def entropy(self, x: Any) -> Estimate:
        """Return the entropy of the rows of x (sample, dim) in bits; see `infoplane.entropy`."""
        given = self.of_layer(x).input
        offset = self.conditional_entropy(given.dims[0])
        moved = {
            key: None if getattr(given, key) is None else getattr(given, key) + offset for key in ("lower", "upper")
        }
        return dataclasses.replace(given, bits=given.bits + offset, **moved)


@typing.runtime_checkable
class GivesEntropy(typing.Protocol):
    """Any estimator that gives an entropy of the rows of an array."""

    def entropy(self, x: Any) -> Estimate:
        """Return the entropy of the rows of x in bits; see `infoplane.entropy`."""
        ...


class SharedPass(abc.ABC):
    """An estimator that shares one pass over the data with others of its kind (distances, for example)."""

    @abc.abstractmethod
    def announce(self, layers: Layers) -> None:
        """Tell the batch what this estimator will ask for, before any estimator measures."""
