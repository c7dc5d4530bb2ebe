"""Information between two variables: what such an estimator takes, gives and shares with layers."""

import abc
import dataclasses
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int, Num

from infoplane._arrays import are_classes, as_labels, as_samples, is_discrete, to_numpy
from infoplane.errors import InputError
from infoplane.estimators._label_orders import some_rows
from infoplane.estimators._pair_value import PairValue, checkable, not_negative, within_entropy
from infoplane.estimators.base import Estimate, Estimator, LayerEstimator, Layers, LayerValues, Values

SUITABLE = {
    "continuous": ("ksg1", "ksg2", "mixed-ksg", "kl"),
    "discrete": ("plugin", "mixed-ksg"),
    "mixed": ("ross", "mixed-ksg", "kl"),
}
"""Names of estimators that error texts recommend for each kind of pair, the first choice first."""

Order = Int[np.ndarray, " sample"]
"""Which row stands where: each once."""

_SHOWN = 5
"""How many rows an error text names."""


@dataclasses.dataclass(frozen=True, eq=False)
class Variable:
    """One variable, checked: coordinates of its samples, or the symbol of each sample.

    Attributes:
        values: continuous: float64 coordinates as they were given; discrete: int64 codes 0…C−1 in one column,
            several columns having become one joint symbol.
        discrete: whether the values are symbols.
        columns: number of columns that were given; 0 stands for as many as ``values`` has.
        numbers: whether the symbols were given as integers, which could be coordinates.
    """

    values: Num[np.ndarray, "sample dim"]
    discrete: bool
    columns: int = 0
    numbers: bool = False

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.values)

    @property
    def dims(self) -> int:
        """Number of coordinates that were given."""
        return self.columns or self.values.shape[1]

    @property
    def varying(self) -> Num[np.ndarray, "sample live"]:
        """The values without the columns that are constant."""
        return self.values[:, (self.values != self.values[:1]).any(axis=0)]

    def take(self, rows: Any) -> "Variable":
        """Return the samples of these rows (indices or a mask); codes keep their numbers."""
        return dataclasses.replace(self, values=self.values[rows])

    @property
    def constant(self) -> bool:
        """Whether all samples are equal."""
        return bool((self.values == self.values[:1]).all())


def as_variable(value: Any, argument: str) -> Variable:
    """Check one variable of a pair: integers, booleans and strings are symbols, floats are coordinates.

    Args:
        value: shape (sample,) or (sample, dim): list, NumPy, JAX or torch array; it is never changed.
        argument: what the caller calls it, for the error text.

    Raises:
        InputError: for missing, NaN or infinite values (says how many and where), fewer than 2 rows, shapes other than
            (sample,) and (sample, dim), objects and complex numbers.
    """
    array = to_numpy(value, argument)
    if array.ndim not in (1, 2) or 0 in array.shape[1:]:
        raise InputError(
            f"{argument} has shape {array.shape}; expected (sample,) or (sample, dim); "
            f"flatten each sample's values into one row: {argument}.reshape(len({argument}), -1)"
        )
    if len(array) < 2:
        raise InputError(f"{argument} has shape {array.shape}; expected at least 2 rows, one for each sample")
    columns = array.shape[1] if array.ndim == 2 else 1
    if is_discrete(array):
        codes = as_labels(array, argument, len(array))[:, None]
        return Variable(codes, True, columns, numbers=array.dtype.kind in "biu")
    samples = as_samples(array, argument).astype(np.float64)
    _check_finite(samples, argument)
    return Variable(samples, False)


def _check_finite(samples: Float[np.ndarray, "sample dim"], argument: str) -> None:
    """Refuse NaN and infinite values, saying how many there are and in which rows."""
    bad = ~np.isfinite(samples)
    if not bad.any():
        return
    rows = np.flatnonzero(bad.any(axis=1))
    shown = ", ".join(str(row) for row in rows[:_SHOWN]) + (", …" if len(rows) > _SHOWN else "")
    raise InputError(
        f"{argument} holds {int(bad.sum())} values that are NaN or infinite, in {len(rows)} of {len(samples)} rows "
        f"({shown}); drop these rows from both variables"
    )


def kind_of_pair(x: Variable, y: Variable) -> str:
    """Say whether a pair is "continuous", "discrete" or "mixed" (one of each)."""
    if x.discrete != y.discrete:
        return "mixed"
    return "discrete" if x.discrete else "continuous"


def nothing_to_tell(x: Variable, y: Variable) -> PairValue | None:
    """Return 0 bits with the flag ``constant`` where a variable has one value only, else None."""
    names = [name for name, variable in (("x", x), ("y", y)) if variable.constant]
    if not names:
        return None
    return PairValue(0.0, frozenset({"constant"}), f"all {x.n} rows of {' and of '.join(names)} are equal")


class PairEstimator(Estimator):
    """Measures I(X;Y) between two variables whose rows answer to each other.

    Attributes:
        kinds: which pairs it measures: "continuous", "discrete", "mixed".
    """

    kinds: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) of checked variables of equal length and of a kind in ``kinds``."""

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return I(X;Y) in bits with the rows of y in each of several orders: what a permutation null asks for.

        Estimators override it with what gives the same numbers faster.
        """
        return [self.between(x, y.take(order)).bits for order in orders]

    def settled(self, x: Variable, y: Variable) -> "PairEstimator":
        """Return the estimator with what it chooses by the number of samples held fixed, for parts of them."""
        return self

    def __call__(self, x: Any, y: Any) -> Estimate:
        """Estimate I(X;Y) in bits; see `infoplane.mutual_information`."""
        return measure_pair(self, as_variable(x, "x"), as_variable(y, "y"))


class LabelEstimator(PairEstimator, LayerEstimator):
    """A pair estimator for "mixed" pairs, which therefore gives I(T;Y) of a layer T and its labels Y.

    I(X;T) it cannot give: a layer with continuous activations and no noise tells everything about its input,
    so that information is infinite or log2 N, and the number is NaN with the reason.
    """

    shuffle_rows: ClassVar[tuple[int, ...]] = (512, 4096)

    def measure(self, layers: Layers) -> LayerValues:
        """Return I(T;Y) of every layer of the batch, and NaN with a reason for I(X;T)."""
        judged = [_judge_input(layers, index) for index in range(layers.n_layers)]
        if layers.labels is None:
            return LayerValues(_values(judged), None)
        labels = Variable(layers.labels.astype(np.int64)[:, None], True)
        measured = [
            # A layer that is constant or not finite answers the same for both quantities.
            known if known.flags else self._of_label_bounded(layers, index, labels)
            for index, known in enumerate(judged)
        ]
        return LayerValues(_values(judged), _values(measured))

    def _of_label_bounded(self, layers: Layers, index: int, labels: Variable) -> PairValue:
        """Return I(T;Y) of one layer, flagged if it is below 0 or above the entropy of the labels."""
        value = self.between(Variable(layers.host[index].T.astype(np.float64), False), labels)
        return not_negative(within_entropy(value, layers.class_counts), layers.n_samples)

    def label_bits(
        self, layers: Layers, index: int, orders: Int[np.ndarray, "order sample"], rows: int
    ) -> Float[np.ndarray, " order"]:
        """Return I(T;Y) of one layer with the labels in each of several orders, on so many rows."""
        assert layers.labels is not None
        chosen = some_rows(layers.n_samples, rows)
        t = Variable(layers.host[index][:, chosen].T.astype(np.float64), False)
        labels = Variable(layers.labels[chosen].astype(np.int64)[:, None], True)
        moves = list(orders[:, chosen].argsort(axis=1).argsort(axis=1))  # ranks: an order of the chosen rows
        return np.array(self.between_shuffled(t, labels, moves))


def _judge_input(layers: Layers, index: int) -> PairValue:
    """I(X;T) of one layer without a noise model: NaN, or 0 where the layer is constant."""
    if not layers.finite[index]:
        return PairValue(np.nan, frozenset({"non-finite"}), layers.non_finite_reason(index))
    if (layers.host[index] == layers.host[index][:, :1]).all():
        return PairValue(0.0, frozenset({"constant"}), "every sample has the same activations")
    return PairValue(
        np.nan,
        reason="I(X;T) of a layer without noise is infinite, or log2 N over N inputs; "
        "use binning, kde or noisy, which name their noise",
    )


def _values(found: list[PairValue]) -> Values:
    """Put the values of a batch side by side."""

    def together(field: str) -> Float[np.ndarray, " batch"] | None:
        numbers = [getattr(value, field) for value in found]
        if all(number is None for number in numbers):
            return None
        return np.array([np.nan if number is None else number for number in numbers], np.float64)

    return Values(
        bits=np.array([value.bits for value in found], np.float64),
        flags=tuple(value.flags for value in found),
        reasons=tuple(value.reason for value in found),
        lower=together("lower"),
        upper=together("upper"),
        std_error=together("std_error"),
        kind=next((value.kind for value in found if value.kind != "estimate"), "estimate"),
    )


def take_as_symbols(estimator: PairEstimator, x: Variable, y: Variable) -> tuple[Variable, Variable, str]:
    """Take class numbers stored as floats as symbols where an estimator measures symbols only.

    Floats are coordinates. An estimator that does not measure the pair as it is takes y, else x, else both of them as
    symbols, if their values are all whole and few (`infoplane._arrays.are_classes`).

    Returns:
        x, y, and a sentence for ``reason`` that names what was taken as symbols; empty where nothing was.
    """
    for names in (("y",), ("x",), ("x", "y")):
        pair = {"x": x, "y": y}
        if kind_of_pair(x, y) in estimator.kinds:
            break
        taken = pair | {name: as_symbols(pair[name], name) for name in names if not pair[name].discrete}
        if kind_of_pair(taken["x"], taken["y"]) in estimator.kinds:
            new = [name for name in names if taken[name] is not pair[name]]
            said = " and ".join(f"{name} ({int(taken[name].values.max()) + 1} different values)" for name in new)
            return taken["x"], taken["y"], f"{said}: whole numbers stored as floats, taken as classes"
    return x, y, ""


def as_symbols(variable: Variable, argument: str) -> Variable:
    """Return class numbers stored as floats as symbols, every other variable as it is."""
    if variable.discrete or not are_classes(variable.values):
        return variable
    return Variable(as_labels(variable.values, argument, variable.n)[:, None], True, variable.dims)


def to_coordinates(variable: Variable) -> str:
    """Say how symbols become coordinates; empty for words, which have none."""
    return ", or convert with .astype(float)" if variable.numbers else ""


def check_pair(estimator: PairEstimator, x: Variable, y: Variable) -> None:
    """Refuse variables of unequal length, and kinds that the estimator does not measure.

    Raises:
        InputError: names the lengths, or the estimators for this kind of pair.
    """
    if x.n != y.n:
        raise InputError(f"x has {x.n} rows and y has {y.n}; expected the same samples in the same order in both")
    kind = kind_of_pair(x, y)
    if kind not in estimator.kinds:
        named = [("x", x), ("y", y)]
        discrete = " and ".join(name for name, variable in named if variable.discrete) or "neither"
        raise InputError(
            f"estimator '{estimator.name}' measures {' or '.join(estimator.kinds)} pairs; {discrete} of x and y is "
            f"discrete (integers, booleans or strings): use {', '.join(SUITABLE[kind])}{_or_convert(estimator, x, y)}"
        )


def _or_convert(estimator: PairEstimator, x: Variable, y: Variable) -> str:
    """Say which variable of a pair can be converted so that the estimator measures it; empty where none can."""
    if "continuous" in estimator.kinds:
        named = [f"{name} with {name}.astype(float)" for name, v in (("x", x), ("y", y)) if v.discrete and v.numbers]
        words = [name for name, v in (("x", x), ("y", y)) if v.discrete and not v.numbers]
        return f", or convert {' and '.join(named)} if the numbers are coordinates" if named and not words else ""
    if "mixed" in estimator.kinds and not (x.discrete or y.discrete):
        return ", or cut one of them into classes, for example y > numpy.median(y)"
    return ""


def measure_pair(estimator: PairEstimator, x: Variable, y: Variable) -> Estimate:
    """Check a pair against an estimator, measure it and take the time.

    Raises:
        InputError: as `check_pair`, and where the estimator's parameters do not fit the number of samples.
    """
    x, y, note = take_as_symbols(estimator, x, y)
    check_pair(estimator, x, y)
    start = time.perf_counter()
    value = estimator.between(x, y)
    if x.discrete != y.discrete:
        value = within_entropy(value, np.bincount((x if x.discrete else y).values[:, 0]))
    value = not_negative(value, x.n)
    if not (x.discrete or y.discrete):
        value = checkable(value, x.n)
    reasons = [value.reason, note, *_never_repeating(x, y)]
    value = dataclasses.replace(value, reason="; ".join(reason for reason in reasons if reason))
    return Estimate(
        **{field.name: getattr(value, field.name) for field in dataclasses.fields(value)},
        n=x.n,
        dims=(x.dims, y.dims),
        estimator=estimator.name,
        params=estimator.params,
        seconds=time.perf_counter() - start,
    )


def _never_repeating(x: Variable, y: Variable) -> list[str]:
    """Say which integers are probably coordinates: none of their values repeats."""
    return [
        f"no value of {name} repeats, so as symbols its {v.n} values are all different; if they are coordinates pass "
        f"{name}.astype(float)"
        for name, v in (("x", x), ("y", y))
        if v.discrete and v.numbers and int(v.values.max()) + 1 == v.n
    ]
