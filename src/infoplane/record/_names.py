"""Brings the arrays of a checkpoint and the names of a model together, and says where they differ."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from infoplane._arrays import to_numpy
from infoplane.errors import InputError

SHOWN = 3
"""Names that an error lists before it says how many more there are."""


def set_by_name(
    variables: Mapping[str, Any], arrays: Mapping[str, Any], path: Path, assign: Callable[[Any, np.ndarray], object]
) -> None:
    """Set variables to the arrays of their names, in which dots and slashes count alike.

    Args:
        variables: the model's, by their names with dots.
        arrays: the file's, by name.
        path: the file.
        assign: sets one variable.

    Raises:
        InputError: when names or shapes differ; no variable is set then.
    """
    given = aligned({name.replace("/", "."): array for name, array in arrays.items()}, variables)
    check_names(path, [name for name in variables if name not in given], [n for n in given if n not in variables])
    ready = {name: to_numpy(array, f"{path}: {name}") for name, array in given.items()}
    shapes = [(name, ready[name].shape, tuple(variable.shape)) for name, variable in variables.items()]
    wrong = [f"{name!r} has shape {now}, the model's {model}" for name, now, model in shapes if now != model]
    if wrong:
        raise misfit(path, "; ".join(wrong[:SHOWN]))
    for name, variable in variables.items():
        assign(variable, ready[name])


def aligned(given: Mapping[str, Any], expected: Iterable[str]) -> Mapping[str, Any]:
    """Return weights under the model's names, where all that differs is one prefix before every name.

    Such are "model." of Lightning, "module." of DataParallel and "_orig_mod." of compiled models, on either side.
    """
    wanted = set(expected)
    if set(given) == wanted:
        return given
    theirs, ours = _common_parts(given), _common_parts(wanted)
    if theirs[len(theirs) - len(ours) :] != ours and ours[len(ours) - len(theirs) :] != theirs:
        return given
    head = "".join(part + "." for part in ours)
    renamed = {head + ".".join(name.split(".")[len(theirs) :]): value for name, value in given.items()}
    return renamed if set(renamed) == wanted else given


def _common_parts(names: Iterable[str]) -> list[str]:
    """Return the parts that all names begin with, their last part left out."""
    split = [name.split(".")[:-1] for name in names]
    shared = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return shared


def check_names(path: Path, missing: Iterable[str], unexpected: Iterable[str]) -> None:
    """Refuse a file that lacks weights of the model or has others.

    Raises:
        InputError: names the file and the first of them.
    """
    missing, unexpected = list(missing), list(unexpected)
    parts = [f"missing {some(missing)}"] if missing else []
    parts += [f"unexpected {some(unexpected)}"] if unexpected else []
    if parts:
        raise misfit(path, ", ".join(parts))


def some(names: Iterable[Any]) -> str:
    """List the first names and say how many more there are."""
    listed = [repr(name)[:80] for name in names]
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def misfit(path: Path, why: str) -> InputError:
    """Return the error of a file that belongs to another model."""
    return InputError(f"{path}: its weights do not fit the model: {why}; make the model as it was trained")


def damaged(path: Path, error: Exception) -> InputError:
    """Return the error of a file that its reader could not read."""
    return InputError(f"{path}: cannot be read; cut short or damaged? ({str(error).partition(chr(10))[0][:200]})")
