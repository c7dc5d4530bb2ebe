"""Mutual information between two arrays, by name of the estimator."""

import dataclasses
from typing import Any

import numpy as np

from infoplane.errors import InputError
from infoplane.estimators import build
from infoplane.estimators._row_order import autocorrelated
from infoplane.estimators.base import Estimate
from infoplane.estimators.pair import (
    SUITABLE,
    PairEstimator,
    as_variable,
    kind_of_pair,
    measure_pair,
    take_as_symbols,
)


def mutual_information(
    x: Any,
    y: Any,
    estimator: Any = "auto",
    *,
    seed: Any = 0,
    uncertainty: Any = False,
    null: Any = 0,
    null_kind: Any = "shuffle",
    block: Any = None,
    groups: Any = None,
    **params: Any,
) -> Estimate:
    """Estimate the mutual information I(X;Y) between two arrays, in bits.

    Integers, booleans, words and categories are symbols; floats are coordinates. To have integers taken as coordinates
    convert them with ``.astype(float)``, and floats as symbols with ``.astype(int)``. Estimators that need a symbol
    (``ross``, ``plugin``) take floats as symbols if they are all whole and have few values (up to 10, or up to half the
    number of rows and 1000); ``reason`` names the variable.

    The rows are assumed to be independent. The rows of a time series, or repeated measurements of one subject, are not
    independent: two unrelated slow series then give a large value, a small p-value and a narrow interval. The flag
    ``autocorrelated`` is set if successive rows resemble each other in both variables. The remedy is
    ``null_kind="shift"`` for a time series, and ``groups=`` with ``null_kind="block"`` for repeated measurements. Both
    keep the dependence of the rows of y on each other, and the standard error is computed from whole blocks or groups.
    A block should be several times longer than the autocorrelation. A series shorter than about ten such blocks
    contains too little data for any method. Rows that were only sorted or grouped by class are independent: shuffle
    the rows of both variables in the same order.

    Args:
        x: shape (sample,) or (sample, dim): an array, a list, or a column or table of pandas or polars; several
            columns of symbols count as one joint symbol. Missing values are refused with their number and first row.
        y: as x, with the same samples in the same order.
        estimator: a name (`list_estimators`), an instance such as ``Ksg1(k=5)``, or a table with ``name``. The default
            measures in several ways and says in ``reason`` which it chose and why. Quick choices: ``ksg1`` for two
            continuous variables, ``ross`` for a continuous and a discrete one, ``plugin`` for two discrete ones,
            ``mixed-ksg`` where floats repeat.
        seed: what the sub-samples and shuffles are drawn from. The estimate itself has no randomness, but for
            ``sliced``, whose random directions come from its own parameter ``Sliced(seed=…)``.
        uncertainty: also give ``std_error`` and a 95 % ``interval``.
        null: number of shuffles of y for ``null``: mean, sd and p-value of the estimate without dependence.
        null_kind: how y is rearranged for the null. "shuffle" permutes single rows, "shift" shifts the whole series
            by evenly spaced numbers of rows, "block" permutes blocks of consecutive rows, or ``groups``.
        block: number of rows of a block; by default from the autocorrelation of the two variables.
        groups: group of each row, shape (sample,): rows of a group stay together in ``null_kind="block"``, and in the
            parts from which the standard error is taken.
        params: parameters of the estimator, for example ``k=5``.

    Returns:
        An `Estimate`. The value is raw, so it may be slightly negative; read ``flags`` and ``reason``.

    Raises:
        InputError: for arrays, parameters or kinds of data that cannot be used; names them and the remedy.

    Example:
        >>> import infoplane as ip
        >>> ip.mutual_information([1, 2, 3, 4], ["a", "a", "b", "b"], "plugin").bits
        1.0
    """
    _check(seed, uncertainty, null)
    first, second = as_variable(x, "x"), as_variable(y, "y")
    built = build(estimator, **params)
    if not isinstance(built, PairEstimator):
        suitable = ", ".join(SUITABLE[kind_of_pair(first, second)])
        raise InputError(
            f"estimator '{built.name}' measures layers (infoplane.layer_information), not pairs; for this pair use "
            f"one of {suitable}"
        )
    estimate = measure_pair(built, first, second)
    words = autocorrelated(first, second)
    if words:
        reason = "; ".join(text for text in (estimate.reason, words) if text)
        estimate = dataclasses.replace(estimate, flags=estimate.flags | {"autocorrelated"}, reason=reason)
    if uncertainty or null:
        from infoplane.estimators.uncertainty import with_uncertainty

        first, second, _ = take_as_symbols(built, first, second)
        how = {"null_kind": null_kind, "block": block, "groups": groups}
        estimate = with_uncertainty(
            built, first, second, estimate, seed=seed, uncertainty=uncertainty, null=null, **how
        )
    return estimate


def _check(seed: Any, uncertainty: Any, null: Any) -> None:
    """Refuse what is not a seed, a yes or no, or a number of shuffles."""
    for name, value in (("seed", seed), ("null", null)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
            raise InputError(f"{name} is {value!r}; expected a whole number, 0 or more")
    if not isinstance(uncertainty, bool | np.bool_):
        raise InputError(f"uncertainty is {uncertainty!r}; expected True or False")
