"""Brings the arrays of a checkpoint and the names of a model together, and says where they differ."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from infoplane._arrays import to_numpy
from infoplane.errors import InputError

T = TypeVar("T")
Container = Mapping[str, Any]

WRAPPERS = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"})
"""Parts of names that torch.compile, FSDP, activation checkpoints and Fabric add at any level."""

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
    given = aligned({name.replace("/", "."): array for name, array in arrays.items()}, variables, path)
    check_names(path, [name for name in variables if name not in given], [n for n in given if n not in variables])
    ready = {name: to_numpy(array, f"{path}: {name}") for name, array in given.items()}
    shapes = [(name, ready[name].shape, tuple(variable.shape)) for name, variable in variables.items()]
    wrong = [f"{name!r} has shape {now}, the model's {model}" for name, now, model in shapes if now != model]
    if wrong:
        raise misfit(path, "; ".join(wrong[:SHOWN]))
    floating = {name: _is_floating(variable.dtype) for name, variable in variables.items()}
    check_kinds(path, {name: _is_floating(array.dtype) for name, array in ready.items()}, floating)
    for name, variable in variables.items():
        assign(variable, ready[name])


def aligned(
    given: Mapping[str, T],
    expected: Iterable[str],
    path: Path,
    ties: Sequence[Set[str]] = (),
    is_derived: Callable[[str, Any], bool] = lambda name, value: False,
) -> dict[str, T]:
    """Return weights under the model's names, where one prefix before every name may differ.

    Such prefixes are "model." of Lightning, "module." of DataParallel and "transformer." of Hugging Face. A prefix of
    the file may be one of several: the weights without it, such as a head or the loss, are then left out.

    Args:
        given: the file's weights by name.
        expected: the model's names.
        path: the file.
        ties: groups of the model's names that share one weight, of which the file may hold one name only.
        is_derived: whether the model computes an array of the file, which it does not expect, itself.

    Returns:
        The weights by the model's names if they fit; else by the names that fit best, for the error.

    Raises:
        InputError: if the weights fit under several prefixes.
    """
    wanted, arrays = _unwrapped({name: name for name in expected}), _unwrapped(given)
    groups = {name: group for group in ({_plain(name) for name in tied} for tied in ties) for name in group}
    changed = [(pair, _changed(arrays, *pair)) for pair in _prefixes(arrays, wanted, groups)]
    kept = [(pair, {n: v for n, v in new.items() if n in wanted or not is_derived(n, v)}) for pair, new in changed]
    fits = [_fit(weights, wanted, groups, *pair) for pair, weights in kept]
    complete = [fit for fit in fits if not fit.missing]
    if len(complete) > 1 and not (complete[0].strip == complete[0].add == "" and not complete[0].unexpected):
        prefixes = ", ".join(repr(fit.strip) for fit in complete)
        raise InputError(
            f"{path}: holds weights of the model's names under several prefixes: {prefixes}. Save the weights of one "
            "network alone, or give a model that holds all of them"
        )
    best = min(fits, key=lambda fit: fit.missing + fit.unexpected)
    renamed = {wanted.get(name, name): value for name, value in best.weights.items()}
    for name, actual in wanted.items():
        held = [alias for alias in groups.get(name, ()) if alias in best.weights]
        if name not in best.weights and held:
            renamed[actual] = best.weights[held[0]]
    return renamed


@dataclasses.dataclass(frozen=True)
class _Fit:
    """Weights under the names that a change of prefix gives them, and how many names do not fit."""

    strip: str
    add: str
    weights: dict[str, Any]
    missing: int
    unexpected: int


def _changed(given: Mapping[str, T], strip: str, add: str) -> dict[str, T]:
    return {add + name[len(strip) :]: value for name, value in given.items() if name.startswith(strip)}


def _fit(weights: dict[str, Any], wanted: Container, groups: Mapping[str, Set[str]], strip: str, add: str) -> _Fit:
    missing = sum(not groups.get(name, {name}) & weights.keys() for name in wanted)
    return _Fit(strip, add, weights, missing, sum(name not in wanted for name in weights))


def _prefixes(given: Container, wanted: Container, groups: Mapping[str, Set[str]]) -> list[tuple[str, str]]:
    """Return the changes of prefix that can be: the part that is removed, then the part that is added."""
    pairs = {("", ""): None}
    for own in sorted(groups.get(next(iter(wanted), ""), {next(iter(wanted), "")})):
        pairs |= {(name[: -len(own)], ""): None for name in given if own and name.endswith("." + own)}
    first = next(iter(given), "")
    pairs |= {("", name[: -len(first)]): None for name in wanted if first and name.endswith("." + first)}
    return list(pairs)


def _plain(name: str) -> str:
    """Return a name without the parts that wrappers of modules add anywhere."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _unwrapped(named: Mapping[str, T]) -> dict[str, T]:
    """Return values under plain names; under their own, if two would be the same."""
    plain = {_plain(name): value for name, value in named.items()}
    return plain if len(plain) == len(named) else dict(named)


def _is_floating(dtype: Any) -> bool:
    """Return whether a dtype of NumPy, JAX or Keras is floating-point or complex."""
    return any(word in str(dtype) for word in ("float", "complex"))


def check_kinds(path: Path, given: Mapping[str, bool], wanted: Mapping[str, bool]) -> None:
    """Refuse whole numbers for weights that are floating-point numbers, and the reverse.

    Weights that were quantized to integers need their scales: as plain numbers they are another network.

    Args:
        path: the file.
        given: whether each array of the file is floating-point, by the model's name.
        wanted: the same for the model.

    Raises:
        InputError: for the first that differs.
    """
    for name in wanted:
        if name in given and given[name] != wanted[name]:
            kinds = ("whole numbers", "floating-point numbers")
            text = f"{name!r} holds {kinds[given[name]]}, the model's are {kinds[wanted[name]]}"
            raise InputError(f"{path}: {text}. Save the weights as floating-point numbers, not quantized")


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
