"""Inputs that come in batches or one by one: DataLoaders, datasets, iterables of batches, lists of dictionaries."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from infoplane.errors import InputError

LABEL_NAMES = ("labels", "label", "targets", "target", "y")
"""Names under which a batch that is a dictionary holds its labels; the first that is there is taken."""


def joined(inputs: Any, labels: Any, argument: str) -> tuple[Any, Any]:
    """Return inputs and labels as whole arrays, in the order in which the batches come.

    Arrays and mappings of arrays are returned unchanged. Batches are read once, so that the inputs of a loader that
    shuffles keep their own labels.

    Args:
        inputs: arrays; or a DataLoader, a dataset, an iterable of batches, a list of dictionaries.
        labels: labels of the inputs; the name of the labels in a mapping; None to take the labels of the batches.
        argument: name of the inputs in errors.

    Raises:
        InputError: for batches that cannot be joined, or labels that cannot be matched with them.
    """
    if isinstance(inputs, Mapping):
        return _split_mapping(inputs, labels, argument) if isinstance(labels, str) else (inputs, labels)
    if isinstance(labels, str) and not (_is_of_batches(inputs) or _is_of_samples(inputs) or _are_mappings(inputs)):
        raise InputError(f"labels: expected an array, got the name '{labels}', which only dictionaries can hold.")
    if _are_mappings(inputs):
        return _join(inputs, labels, argument, as_samples=not _are_batches(inputs, labels))
    if _is_of_samples(inputs):
        return _join((inputs[place] for place in range(len(inputs))), labels, argument, as_samples=True)
    if _is_of_batches(inputs):
        _refuse_foreign_labels(inputs, labels, argument)
        first, items = _first_of(inputs, argument)
        return _join(items, labels, argument, as_samples=_is_sample(first, labels, argument))
    return inputs, labels


def _split_mapping(inputs: Mapping[Any, Any], name: str, argument: str) -> tuple[dict[Any, Any], Any]:
    if name not in inputs:
        raise InputError(
            f"labels: expected one of {', '.join(map(str, inputs))}, got '{name}'. Name a part of {argument}."
        )
    return {key: part for key, part in inputs.items() if key != name}, inputs[name]


def _roots(value: Any) -> set[str]:
    return {cls.__module__ for cls in type(value).__mro__}


def _is_of_samples(inputs: Any) -> bool:
    """Say whether an object is a dataset that gives its samples by their number."""
    is_dataset = any(root.startswith(("torch.utils.data.dataset", "datasets.")) for root in _roots(inputs))
    return is_dataset and hasattr(inputs, "__len__") and hasattr(inputs, "__getitem__")


def _is_of_batches(inputs: Any) -> bool:
    """Say whether an object gives batches one after the other, and is neither an array nor a collection."""
    if isinstance(inputs, list):
        return bool(inputs) and all(isinstance(item, tuple) and _lengths(item) for item in inputs)
    is_array = hasattr(inputs, "shape") or hasattr(inputs, "__array__")
    return (
        isinstance(inputs, Iterable) and not isinstance(inputs, str | bytes | Mapping | Sequence | set) and not is_array
    )


def _are_mappings(inputs: Any) -> bool:
    return isinstance(inputs, list) and bool(inputs) and all(isinstance(item, Mapping) for item in inputs)


def _first_of(items: Iterable[Any], argument: str) -> tuple[Any, Iterable[Any]]:
    """Return the first item of an iterable, and all of its items, read once."""
    rest = iter(items)
    try:
        first = next(rest)
    except StopIteration:
        kind = type(items).__name__
        raise InputError(f"{argument}: expected batches, got an empty {kind}. Pass a new iterator.") from None
    return first, itertools.chain([first], rest)


def _is_sample(item: Any, labels: Any, argument: str) -> bool:
    """Say whether an iterable gives single samples; its labels tell: one number for a sample.

    Raises:
        InputError: for items that are neither samples with their label nor batches.
    """
    part, label = _without_labels(item, labels)
    if label is not None:
        return np.ndim(_plain(label)) == 0
    arrays = [*part.values()] if isinstance(part, Mapping) else [*part] if isinstance(part, tuple) else [part]
    shapes = [np.shape(_plain(array)) for array in arrays]
    if max(map(len, shapes)) < 2:
        raise InputError(
            f"{argument}: expected an array of shape (sample, …) or an iterable of batches of that shape, got items of "
            f"shape {shapes[0]}. Stack single samples to one array."
        )
    return False


def _lengths(batch: Sequence[Any]) -> bool:
    """Say whether the parts of a batch are arrays of the same length."""
    shapes: list[Sequence[int]] = [getattr(part, "shape", ()) for part in batch]
    return len(shapes) > 1 and all(len(shape) > 0 for shape in shapes) and len({shape[0] for shape in shapes}) == 1


def _are_batches(items: Sequence[Mapping[Any, Any]], labels: Any) -> bool:
    """Say whether a list of dictionaries holds batches; its labels tell: one number for a sample, several for a batch.

    Raises:
        InputError: if nothing tells.
    """
    name = _label_name(items[0], labels)
    depths = {key: np.ndim(_plain(part)) for key, part in items[0].items()}
    if name is not None or 0 in depths.values():
        return depths.get(name, 0) > 0 if name is not None else False
    if labels is not None and len(items) == len(labels):
        return False
    raise InputError(
        f"inputs: expected a list of dictionaries that tells samples from batches, got dictionaries of {list(depths)} "
        "without labels. Pass the labels of the inputs, or one dictionary of whole arrays."
    )


def _label_name(item: Mapping[Any, Any], labels: Any) -> Any:
    if isinstance(labels, str):
        return labels
    return None if labels is not None else next((name for name in LABEL_NAMES if name in item), None)


def _refuse_foreign_labels(inputs: Any, labels: Any, argument: str) -> None:
    sampler = type(getattr(inputs, "sampler", None)).__name__
    if labels is not None and not isinstance(labels, str) and sampler not in ("NoneType", "SequentialSampler"):
        raise InputError(
            f"labels: expected the labels of a loader that shuffles ({sampler}) to come with its batches, got an "
            f"array. Leave labels out, or pass a loader with shuffle=False as {argument}."
        )


def _join(items: Iterable[Any], labels: Any, argument: str, *, as_samples: bool) -> tuple[Any, Any]:
    parts, codes = [], []
    for item in items:
        part, own = _without_labels(item, labels)
        parts.append(part)
        codes.append(own)
    whole = _joined_parts(parts, argument, as_samples)
    if labels is not None and not isinstance(labels, str):
        return whole, labels
    return whole, None if codes[0] is None else _whole(codes, "labels", as_samples)


def _without_labels(item: Any, labels: Any) -> tuple[Any, Any]:
    """Return the inputs of a batch and its labels; None where it holds none."""
    takes = labels is None or isinstance(labels, str)
    if isinstance(item, Mapping):
        name = _label_name(item, labels)
        if name is not None and name not in item:
            raise InputError(
                f"labels: expected one of {', '.join(map(str, item))}, got '{name}'. Name a part of a batch."
            )
        return {key: part for key, part in item.items() if key != name}, None if name is None else item[name]
    if isinstance(item, tuple | list) and len(item) > 1 and takes:
        return item[0] if len(item) == 2 else tuple(item[:-1]), item[-1]
    if isinstance(item, tuple | list) and len(item) == 2:  # a batch (inputs, labels) whose labels are given apart
        return item[0], None
    return (item[0] if isinstance(item, tuple | list) and len(item) == 1 else item), None


def _joined_parts(parts: Sequence[Any], argument: str, as_samples: bool) -> Any:
    first = parts[0]
    if isinstance(first, Mapping):
        return {key: _whole([part[key] for part in parts], f"{argument}[{key!r}]", as_samples) for key in first}
    if isinstance(first, tuple):
        return tuple(
            _whole([part[place] for part in parts], f"{argument}[{place}]", as_samples) for place in range(len(first))
        )
    return _whole(parts, argument, as_samples)


def _whole(parts: Sequence[Any], argument: str, as_samples: bool) -> Any:
    """Return one array of many: of the framework of the parts for tensors of PyTorch, else NumPy's.

    Raises:
        InputError: for parts of different shapes.
    """
    shapes = {tuple(np.shape(_plain(part)))[0 if as_samples else 1 :] for part in parts}
    if len(shapes) > 1:
        raise InputError(
            f"{argument}: expected one shape for all samples, got {' and '.join(map(str, sorted(shapes)[:2]))}. Pad "
            "the samples to one length before they are batched."
        )
    if hasattr(parts[0], "detach"):
        import torch

        tensors = [part.detach() for part in parts]
        return torch.stack(tensors) if as_samples else torch.cat(tensors)
    arrays = [np.asarray(part) for part in parts]
    return np.stack(arrays) if as_samples else np.concatenate(arrays)


def _plain(part: Any) -> Any:
    return part if hasattr(part, "shape") else np.asarray(part)
