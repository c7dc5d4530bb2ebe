"""What the recorder refuses before it does anything."""

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from infoplane.errors import InputError, did_you_mean
from infoplane.estimators.binning import Binning
from infoplane.record.rows import CURVES

LEAST = {"batch_size": 1, "memory": 1, "target_bins": 2, "epochs": 0, "rows": 2}
"""The smallest value of each argument that is a whole number."""


OPTIONAL = ("epochs", "rows")
"""Those of them that may be None."""


def check_arguments(*, on_row: Any, out: Any, **numbers: Any) -> None:
    """Refuse arguments of another kind than expected.

    Raises:
        InputError: names the argument, what came and what was expected.
    """
    for argument, value in numbers.items():
        if _is_open(argument, value):
            continue
        if not is_whole(value) or value < LEAST[argument]:
            least = LEAST[argument]
            raise InputError(f"{argument} is {value!r}; expected at least {least}, a whole number")
    if on_row is not None and not isinstance(on_row, Callable):
        raise InputError(f"on_row is a {type(on_row).__name__}; expected a function that takes a Row")
    if out is not None and not isinstance(out, str | os.PathLike):
        raise InputError(f"out is a {type(out).__name__}; expected the path of a folder")


def _is_open(argument: str, value: Any) -> bool:
    """Say whether a value leaves the number open."""
    if argument == "batch_size":
        return isinstance(value, str) and value == "all"
    return argument in OPTIONAL and value is None


def is_whole(value: Any) -> bool:
    """Say whether a value is a whole number, of Python or NumPy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_epoch(epoch: Any) -> int:
    """Return the number of an epoch.

    Raises:
        InputError: for what is none.
    """
    if not is_whole(epoch) or epoch < 0:
        raise InputError(f"epoch is {epoch!r}; expected a whole number, 0 before training")
    return int(epoch)


def check_curves(curves: Any) -> dict[str, float]:
    """Return the training curves of an epoch as numbers; those that are NaN are left out.

    Raises:
        InputError: for an unknown name, or what is no number.
    """
    if not isinstance(curves, Mapping):
        raise InputError(f'curves is a {type(curves).__name__}; expected a mapping such as {{"loss": 0.5}}')
    values: dict[str, float] = {}
    for key, value in curves.items():
        if key not in CURVES:
            raise InputError(f"curves: unknown '{key}'{did_you_mean(str(key), CURVES)}")
        try:
            values[key] = float(value)
        except (TypeError, ValueError, RuntimeError):  # text, lists, tensors of several numbers
            raise InputError(f"curves: '{key}' is {str(value)[:80]!r}; expected one number") from None
    return {key: value for key, value in values.items() if not math.isnan(value)}


def refuse_run_edges(estimators: Iterable[Any]) -> None:
    """Refuse bins that are laid over a whole training: its first epoch is measured before its range is known.

    Raises:
        InputError: then.
    """
    if any(isinstance(e, Binning) and e.edges == "run" for e in estimators):
        raise InputError(
            "binning edges 'run' need the range over a whole training, which is not known when its first epoch is "
            "measured; use edges 'layer', or 'fixed' with low and high"
        )
