"""What makes I(T;Y) of a layer suspect: a saturated input value, more than H(Y), no more than shuffled labels give."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError
from infoplane.estimators._label_orders import SHUFFLES, shuffled_orders
from infoplane.estimators._pair_value import ABOVE_ENTROPY, PairValue, within_entropy
from infoplane.estimators.base import LayerEstimator, Layers, LayerValues, Values
from infoplane.estimators.discrete import entropy_of_counts
from infoplane.estimators.pair import LabelEstimator

LEVEL = 0.01
"""Probability that a value of labels assigned at random passes the comparison."""

FIRST_SHUFFLES, FIRST_LEVEL = 3, 0.002
"""Shuffles and level of a first, cheap comparison. Most trained layers pass it by far and need no other."""

RESOLUTION = 1e-6
"""Bits by which a value must exceed the shuffled ones where these do not scatter at all."""


def judge_labels(
    layers: Layers, estimator: LayerEstimator, values: LayerValues, *, shuffles: bool = True
) -> LayerValues:
    """Add flags and reasons to the label values of a batch; the values themselves stay as they are.

    ``saturated``: I(X;T) is within 0.1 bit of log2 N. As Y is a function of X, H(Y|T) ≤ H(X|T) = log2 N − I(X;T), so
    I(T;Y) is within 0.1 bit of H(Y) whatever the labels are.

    ``above-entropy``: the value exceeds H(Y), which no information about Y can; ``upper`` is at most H(Y).

    ``uninformative``: the value does not exceed what the same layer gives with shuffled labels: a one-sided test of
    the value against those of `shuffled_orders` by Student's t, at the level `LEVEL`. Saturated layers are not
    compared, since any labels give them nearly H(Y).

    Args:
        layers: the batch that was measured.
        estimator: what measured it.
        values: what it gave.
        shuffles: whether to make the comparison with shuffled labels.
    """
    if values.label is None or layers.n_classes < 2:
        return values
    notes = [_notes(layers, estimator, values, index, shuffles=shuffles) for index in range(layers.n_layers)]
    return dataclasses.replace(values, label=_noted(values.label, notes, layers))


def random_labels_suffice(bits: float, shuffled: Float[np.ndarray, " shuffle"], level: float = LEVEL) -> bool:
    """Say whether a value does not exceed those of shuffled labels; see `judge_labels`.

    A new value of the same normal distribution exceeds mean + t·sd·√(1 + 1/P) of P others with the probability of
    Student's t with P − 1 degrees of freedom.
    """
    from scipy.special import stdtrit

    if np.isposinf(shuffled).all():
        return True
    if not np.isfinite(shuffled).all() or bits == math.inf:
        return False
    n = len(shuffled)
    margin = float(stdtrit(n - 1, 1 - level)) * float(shuffled.std(ddof=1)) * math.sqrt(1 + 1 / n)
    return bool(bits <= shuffled.mean() + max(margin, RESOLUTION))


def _notes(
    layers: Layers, estimator: LayerEstimator, values: LayerValues, index: int, *, shuffles: bool
) -> dict[str, str]:
    """Flags of the label value of one layer, with their reasons."""
    assert values.label is not None
    bits, flags = float(values.label.bits[index]), values.label.flags[index]
    if math.isnan(bits) or flags & {"constant", "non-finite"}:
        return {}
    notes = {}
    if "saturated" in values.input.flags[index] and "saturated" not in flags:
        notes["saturated"] = (
            f"I(X;T) is {values.input.bits[index]:.1f} of at most {layers.cap:.1f} bits, so I(T;Y) is near H(Y) for "
            "any labels"
        )
    if estimator.quantity == "Shannon" and not isinstance(estimator, LabelEstimator):  # which does so itself
        bounded = within_entropy(PairValue(bits), layers.class_counts)
        notes |= {ABOVE_ENTROPY: bounded.reason} if bounded.flags else {}
    if shuffles and "saturated" not in flags | set(notes):
        notes["uninformative"] = _uninformative(layers, estimator, index)
    return {flag: words for flag, words in notes.items() if words}


def _noted(label: Values, notes: list[dict[str, str]], layers: Layers) -> Values:
    """Return label values with more flags and reasons, and with the bound that H(Y) sets."""
    if not any(notes):
        return label
    upper = label.upper
    exceeding = [index for index, found in enumerate(notes) if ABOVE_ENTROPY in found]
    if exceeding:
        upper = np.full(layers.n_layers, np.nan) if upper is None else upper.copy()
        upper[exceeding] = np.fmin(upper[exceeding], entropy_of_counts(layers.class_counts[layers.class_counts > 0]))
    return dataclasses.replace(
        label,
        flags=tuple(flags | frozenset(found) for flags, found in zip(label.flags, notes, strict=True)),
        reasons=tuple(
            "; ".join(text for text in (reason, *found.values()) if text)
            for reason, found in zip(label.reasons, notes, strict=True)
        ),
        upper=upper,
    )


def _uninformative(layers: Layers, estimator: LayerEstimator, index: int) -> str:
    """Say what shuffled labels give if a label value is no larger, else return nothing.

    Few rows and shuffles show that most trained layers are informative. Only the other layers need more of them.
    """
    orders, words = shuffled_orders(layers.n_samples), ""
    for rows, shuffles, level in _comparisons(estimator.shuffle_rows, layers.n_samples):
        try:
            bits = estimator.label_bits(layers, index, orders[: 1 + shuffles], rows)
        except InputError:  # too few rows for this estimator
            continue
        if np.isnan(bits).any():
            continue
        if not random_labels_suffice(float(bits[0]), bits[1:], level):
            return ""
        words = _in_words(bits, rows, layers.n_samples)
    return words


def _comparisons(rows: tuple[int, ...], n: int) -> list[tuple[int, int, float]]:
    """Rows, shuffles and level of each comparison; the first uses the smallest number of rows."""
    if not rows:
        return []
    first, *larger = dict.fromkeys(min(number, n) for number in rows)
    return [(first, FIRST_SHUFFLES, FIRST_LEVEL), *((number, SHUFFLES, LEVEL) for number in larger or [first])]


def _in_words(bits: Float[np.ndarray, " order"], rows: int, n: int) -> str:
    where = f" on {rows} of {n} rows" if rows < n else ""
    scatter = bits[1:].std(ddof=1) if np.isfinite(bits).all() else 0.0
    return (
        f"not distinguishable from labels assigned at random, which give {bits[1:].mean():.4f} ± {scatter:.4f} bits "
        f"({len(bits) - 1} shuffles), where the labels give {bits[0]:.4f}{where}"
    )
