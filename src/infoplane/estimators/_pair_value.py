"""The value of a pair, and the limits that every right value keeps: at least 0, at most the entropy of a label."""

import dataclasses
import math

import numpy as np
from jaxtyping import Int

from infoplane.estimators.discrete import entropy_of_counts

ABOVE_ENTROPY = "above-entropy"

_ENTROPY_SLACK = 0.01
"""Bits above the entropy of the labels that scatter is allowed."""

_NEGATIVE = 5.0
"""Nats over √N below 0 at which ``negative`` is raised: values of independent samples were measured to scatter by 0.4
to 1.1 nats over √N (ksg1, ksg2 and kl with k = 3)."""

_FEW = 30
"""Samples of two continuous variables below which nothing can be checked."""


@dataclasses.dataclass(frozen=True)
class PairValue:
    """What an estimator gives for one pair, before it becomes an `Estimate`; fields as there."""

    bits: float
    flags: frozenset[str] = frozenset()
    reason: str = ""
    lower: float | None = None
    upper: float | None = None
    std_error: float | None = None
    kind: str = "estimate"


def most_of_label(counts: Int[np.ndarray, " label"]) -> float:
    """Return the entropy in bits of labels with these counts, and what scatter may add to a value of I(X;Y)."""
    return entropy_of_counts(counts[counts > 0]) + _ENTROPY_SLACK + len(counts) / int(counts.sum()) / math.log(2)


def within_entropy(value: PairValue, counts: Int[np.ndarray, " label"]) -> PairValue:
    """Return a value of I(X;Y) with the flag ``above-entropy`` if it exceeds H(Y), and with ``upper`` at most H(Y).

    The plug-in entropy of L classes and N samples is too low by about (L−1)/2N nats, and estimates of perfectly
    separated classes are too high by as much; together with 0.01 bits this is allowed before the flag is raised.

    Args:
        value: the value, of a pair with one label or of a layer and its label.
        counts: number of samples of each class.
    """
    entropy = entropy_of_counts(counts[counts > 0])
    upper = value.upper if value.upper is not None else value.bits if value.kind == "upper" else None
    if upper is not None and not math.isnan(upper):
        value = dataclasses.replace(value, upper=min(upper, entropy))
    if not value.bits > most_of_label(counts) or value.kind not in ("estimate", "upper", "lower"):
        return value
    words = f"{value.bits:.2f} bits are above the entropy of the labels, {entropy:.2f} bits, which no value can exceed"
    reason = "; ".join(text for text in (words, value.reason) if text)
    return dataclasses.replace(value, flags=value.flags | {ABOVE_ENTROPY}, reason=reason, upper=entropy)


def not_negative(value: PairValue, n: int) -> PairValue:
    """Return a value with the flag ``negative`` if it lies below 0 by more than five standard errors.

    A lower bound may be negative, and matrix-based Rényi information as well.

    Args:
        value: the value of a pair, or of a layer and its label.
        n: number of samples.
    """
    least = -_NEGATIVE / math.sqrt(n) / math.log(2)
    if not value.bits < least or value.kind in ("lower", "renyi"):
        return value
    words = (
        f"{value.bits:.2f} bits are below 0 by more than scatter explains ({-least:.2f} bits): information is never "
        "negative, so the estimator is biased on these data"
    )
    return _noted(value, "negative", words)


def checkable(value: PairValue, n: int) -> PairValue:
    """Return the value of two continuous variables with the flag ``few-samples`` where nothing can be checked."""
    if n >= _FEW or "constant" in value.flags:
        return value
    words = f"{n} samples are too few to check the assumptions of an estimator; use at least {_FEW}"
    return _noted(value, "few-samples", words)


def _noted(value: PairValue, flag: str, words: str) -> PairValue:
    """Return a value with one more flag and its reason."""
    reason = "; ".join(text for text in (value.reason, words) if text)
    return dataclasses.replace(value, flags=value.flags | {flag}, reason=reason)
