"""A sweep: every variant with every combination of some keys' values, each a configuration of its own."""

import dataclasses
import itertools
import json
from collections.abc import Sequence
from typing import Any

from infoplane import results
from infoplane.errors import ConfigError
from infoplane.runs.config import Config, override, parse

VARIANT = "variant"
"""Dimension of the variants; the first is the configuration as it is."""

_COORDINATES = {"estimator", "member", "epoch", "layer", "variable", "split", "step", "quantity"}

TAKEN = {VARIANT, *_COORDINATES, *results.DESCRIPTIONS}
"""Names that a result uses already, which no dimension of a sweep can have."""

NOT_SWEPT = ("name", "sweep", "variants", "memory")

Label = str | int | float | bool


@dataclasses.dataclass(frozen=True)
class Combination:
    """One combination of a sweep's values; without a sweep the only one, with no labels.

    Attributes:
        labels: the value of each swept key by the name of its dimension.
        config: what is run.
    """

    labels: dict[str, Label]
    config: Config

    @property
    def name(self) -> str:
        """The labels in one word, for names of files and lists."""
        return "-".join(f"{name}={label}" for name, label in self.labels.items())


def combinations(config: Config) -> list[Combination]:
    """Return every combination of a configuration's variants and its sweep, the last key varying fastest.

    Raises:
        ConfigError: when a key cannot be swept or one of the values is wrong; names the combination.
    """
    varied = [*config.sweep, *(change for _, changes in config.variants for change in changes)]
    for key, _ in varied:
        if key.partition(".")[0] in NOT_SWEPT:
            raise ConfigError(f"sweep: '{key}' does not change what is measured; sweep another key")
    tree = config.model_dump(mode="json", exclude={"sweep", "variants"})
    axes = axis_labels(config)
    found = []
    for changes, labels in zip(_changes(config), itertools.product(*axes.values()), strict=True):
        named = dict(zip(axes, labels, strict=True))
        try:
            one = parse(override(tree, changes))
        except ConfigError as error:
            raise ConfigError(f"sweep{f' at {named}' if named else ''}: {error}") from None
        found.append(Combination(named, one))
    return found


def _changes(config: Config) -> list[dict[str, Any]]:
    """Return what each combination changes, by dotted key; a key of the sweep wins over that of a variant."""
    keys = [key for key, _ in config.sweep]
    variants = [dict(changes) for _, changes in config.variants] or [{}]
    swept = [dict(zip(keys, values, strict=True)) for values in itertools.product(*(v for _, v in config.sweep))]
    return [variant | values for variant, values in itertools.product(variants, swept)]


def axis_labels(config: Config) -> dict[str, list[Label]]:
    """Return the dimensions that variants and a sweep add to the result, each with its coordinate."""
    names = _dimension_names([key for key, _ in config.sweep])
    variants: list[Label] = [label for label, _ in config.variants]
    swept = {name: _labels(values) for name, (_, values) in zip(names, config.sweep, strict=True)}
    return ({VARIANT: variants} if config.variants else {}) | swept


def _dimension_names(keys: Sequence[str]) -> list[str]:
    """Name each key by as few of its last parts as tell it from the others and from a result's own names."""
    names = []
    for key in keys:
        parts = key.split(".")
        tails = ["_".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        others = [other.split(".") for other in keys if other != key]
        free = [
            tail
            for length, tail in enumerate(tails, start=1)
            if tail not in TAKEN and all(parts[-length:] != other[-length:] for other in others)
        ]
        names.append(free[0] if free else f"sweep_{tails[-1]}")
    return names


def _labels(values: Sequence[Any]) -> list[Label]:
    """Return values as a coordinate: numbers as they are, anything else as text."""
    if all(isinstance(value, bool) for value in values) or all(isinstance(value, str) for value in values):
        return list(values)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return list(values)
    return [value if isinstance(value, str) else json.dumps(value, separators=(",", ":")) for value in values]
