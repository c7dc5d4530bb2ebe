"""Data sets: made by rule or read from a folder that the user names; nothing is downloaded."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infoplane.data.base import Dataset, split_rows
from infoplane.data.images import (
    SETS,
    any_idx,
    digits,
    emnist_digits,
    expected_files,
    fashion_mnist,
    guess,
    mnist,
    notmnist,
)
from infoplane.data.own import Samples, load_file, load_samples
from infoplane.data.szt import exact_information, g1, g2, label_probabilities, szt
from infoplane.errors import InputError, did_you_mean

DATASETS: dict[str, Callable[..., Dataset]] = {
    "szt": szt,
    "g1": g1,
    "g2": g2,
    "digits": digits,
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "notmnist": notmnist,
    "emnist-digits": emnist_digits,
    "idx": any_idx,
    "file": load_file,
}
"""Every data set by the name that a configuration uses; the docstring's first line describes it."""

__all__ = [
    "DATASETS",
    "Dataset",
    "Samples",
    "describe",
    "digits",
    "exact_information",
    "g1",
    "g2",
    "guess",
    "label_probabilities",
    "load",
    "load_file",
    "load_samples",
    "make",
    "reads_files",
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
    if reads_files(name) and "path" not in params:
        raise InputError(
            f"data set '{name}' is read from files; say where they are with path (of a run: --data PATH, or data.path)"
            + (f"; looked for: {', '.join(expected_files(name))}, also with .gz" if name in SETS else "")
        )
    return function(**params)


def load(name: str, path: str | Path) -> Dataset:
    """Load the data set called ``name`` from the folder of its files, or ``file`` from a .npz, .csv or .mat file.

    Images are rows of numbers from 0 to 1, those to train on first; ``split`` says which are which.

    Raises:
        InputError: for an unknown name, one of a data set that reads no files, or files that cannot be used.
        StoreError: when there is nothing at ``path``.
    """
    return make(name, path=path)


def reads_files(name: str) -> bool:
    """Say whether the data set called ``name`` is read from files, whose place is its parameter ``path``."""
    return "path" in inspect.signature(_find(name)).parameters


def describe(name: str) -> str:
    """One line on the data set called ``name``, for lists."""
    return (inspect.getdoc(_find(name)) or "").partition("\n")[0]


def _find(name: str) -> Callable[..., Dataset]:
    if name not in DATASETS:
        raise InputError(f"data set is '{name}'{did_you_mean(name, DATASETS)}")
    return DATASETS[name]
