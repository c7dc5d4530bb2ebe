"""One experiment on several sets of data, side by side in one result."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infoplane.errors import ConfigError


def on_data(paths: Sequence[Path], tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that make a run one on some data: of several sets every variant on each of them.

    Args:
        paths: folders or files, or names of data sets that need none; each named by what is there.
        tree: the configuration as nested keys; of one set of data it may be empty.
        changes: further changes, which come last; ``data.name`` says what a single set is.

    Raises:
        ConfigError: for a data set that is given twice.
        InputError: for a folder without images.
        StoreError: when there is nothing at one of the paths.
    """
    if len(paths) == 1:
        return _keys(paths[0], str(changes.get("data.name", ""))) | dict(changes)
    sets = [_keys(path) for path in paths]
    names = [path.resolve().name for path in paths]
    if len(set(names)) < len(names):
        raise ConfigError(f"--data {', '.join(names)}: two sets have one name, which is to tell them apart")
    return beside(dict(zip(names, sets, strict=True)), tree) | dict(changes)


def beside(sets: Mapping[str, Mapping[str, Any]], tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that put every variant on each of several sets, given by name with their keys."""
    every = tree.get("variants") or [{"label": ""}]
    variants = [
        {**variant, **keys, "label": ", ".join(filter(None, (name, str(variant["label"]))))}
        for (name, keys), variant in itertools.product(sets.items(), every)
    ]
    first = next(iter(sets.values()))
    return dict(first) | {"variants": [{"label": variants[0]["label"]}, *variants[1:]]}


def sets_of(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the sets of data that a configuration's networks stand on, by name, with their keys.

    None are named where it is a single set that needs no files.
    """
    own = {f"data.{key}": config.get("data", {}).get(key) for key in ("path", "name")}
    every = [own] + [own | dict(changes) for _, changes in config.get("variants", ())[1:]]
    sets: dict[str, dict[str, Any]] = {}
    for keys in every:
        one = {key: keys[key] for key in own}
        sets.setdefault(Path(str(one["data.path"] or one["data.name"])).name, one)
    return sets if len(sets) > 1 or own["data.path"] else {}


def _keys(path: Path, name: str = "") -> dict[str, Any]:
    """Return the keys of a set of data."""
    from infoplane.data import DATASETS, guess, reads_files

    if str(path) in DATASETS and not reads_files(str(path)) and not path.exists():
        return {"data.path": None, "data.name": str(path)}
    return {"data.path": str(path), "data.name": name or guess(path)}
