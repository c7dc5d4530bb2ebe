"""Nested keys by their dotted paths, and what varies them: keys with several values, variants that change a few."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from infoplane.errors import ConfigError

BASE = "base"
"""Label of the configuration as it is, which comes before its variants; a first one that changes nothing renames it."""

MAX_LABEL = 60


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the values of nested mappings with their dotted paths, in order."""
    pairs: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            pairs += flatten(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs


def copied(value: Any) -> Any:
    """Return a copy of nested mappings and lists."""
    if isinstance(value, Mapping):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list | tuple) else value


def step_into(place: Any, section: str, path: str) -> Any:
    """Return what lies under a key, or under a number in a list; a bare estimator's name becomes a table."""
    if isinstance(place, dict):
        return place.setdefault(section, {})
    index = index_of(place, section, path)
    if isinstance(place[index], str):
        place[index] = {"name": place[index]}
    return place[index]


def index_of(place: list[Any], section: str, path: str) -> int:
    """Return the number of an entry of a list.

    Raises:
        ConfigError: when it is none.
    """
    if not section.isdecimal() or int(section) >= len(place):
        raise ConfigError(f"{path}: '{section}' is not the number of an entry; expected 0 to {len(place) - 1}")
    return int(section)


def shorten(value: Any) -> str:
    """Return a value as text of at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _sweep_pairs(value: Any) -> Any:
    """Return a table of lists, nested or with dotted keys, as pairs of a dotted key and its values."""
    pairs = list(dict(flatten(value)).items()) if isinstance(value, Mapping) else value
    if not _are_pairs(pairs):
        raise ValueError(f'expected lists by key, as "model.activation" = ["tanh", "relu"], got {shorten(value)}')
    for key, values in pairs:
        if not isinstance(values, list | tuple) or not values:
            raise ValueError(f"{key} is {shorten(values)}; expected a list of the values to run")
        if len({json.dumps(one) for one in values}) < len(values):
            raise ValueError(f"{key} has a value twice")
    return tuple((key, tuple(values)) for key, values in pairs)


def _are_pairs(value: Any) -> bool:
    """Return whether a value is a list of pairs of a key and anything, as a stored configuration has them."""
    return isinstance(value, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in value
    )


def _variant_pairs(value: Any) -> Any:
    """Return tables of a label and keys as pairs of the label and its (dotted key, value) pairs, the base first."""
    if not isinstance(value, list | tuple):
        raise ValueError(f'expected tables as {{label = "batch 64", "train.batch_size" = 64}}, got {shorten(value)}')
    variants = [_variant(one) for one in value]
    if variants and variants[0][1]:
        variants.insert(0, (BASE, ()))
    labels = [label for label, _ in variants]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ValueError(f"the label '{twice}' stands twice; '{labels[0]}' is the configuration as it is")
    idle = next((label for label, changes in variants[1:] if not changes), None)
    if idle is not None:
        raise ValueError(f"variant '{idle}' changes no key; only the first may, which then names the base")
    return tuple(variants)


def _variant(one: Any) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """Return one variant, given as a table or as it stands in a stored configuration."""
    if isinstance(one, list | tuple) and len(one) == 2 and _are_pairs(one[1]):
        one = {"label": one[0]} | dict(one[1])
    label = one.get("label") if isinstance(one, Mapping) else None
    if not isinstance(one, Mapping) or not isinstance(label, str) or not 0 < len(label) <= MAX_LABEL:
        raise ValueError(f"{shorten(one)} has no label; expected a text of 1 to {MAX_LABEL} characters")
    return label, tuple(flatten({key: value for key, value in one.items() if key != "label"}))


Sweep = Annotated[tuple[tuple[str, tuple[Any, ...]], ...], BeforeValidator(_sweep_pairs)]
"""Keys and the values they are to take; every combination is run."""

Variants = Annotated[tuple[tuple[str, tuple[tuple[str, Any], ...]], ...], BeforeValidator(_variant_pairs)]
"""Labels, and the keys that each changes; the first, which changes none, is the configuration as it is."""
