"""Data sets: made by rule or read from a folder that the user names; nothing is downloaded."""

import inspect
from collections.abc import Callable
from typing import Any

from infoplane.data.base import Dataset, split_rows
from infoplane.data.own import Samples, load_file, load_samples
from infoplane.data.szt import exact_information, g1, g2, label_probabilities, szt
from infoplane.errors import InputError, did_you_mean

DATASETS: dict[str, Callable[..., Dataset]] = {
    "szt": szt,
    "g1": g1,
    "g2": g2,
}
"""Every data set by the name that a configuration uses; the docstring's first line describes it."""

__all__ = [
    "DATASETS",
    "Dataset",
    "Samples",
    "describe",
    "exact_information",
    "g1",
    "g2",
    "label_probabilities",
    "load_file",
    "load_samples",
    "make",
    "split_rows",
    "szt",
]


def make(name: str, **params: Any) -> Dataset:
    """Make the data set called ``name``; ``params`` are the arguments of its function.

    Raises:
        InputError: for a name that is not in `DATASETS`, or a parameter that its function does not take;
            the text names the nearest.
    """
    function = _find(name)
    known = inspect.signature(function).parameters
    for key in params:
        if key not in known:
            hint = did_you_mean(key, known) if known else "; it takes none"
            raise InputError(f"data set '{name}' has no parameter '{key}'{hint}")
    return function(**params)


def describe(name: str) -> str:
    """One line on the data set called ``name``, for lists."""
    return (inspect.getdoc(_find(name)) or "").partition("\n")[0]


def _find(name: str) -> Callable[..., Dataset]:
    if name not in DATASETS:
        raise InputError(f"data set is '{name}'{did_you_mean(name, DATASETS)}")
    return DATASETS[name]
