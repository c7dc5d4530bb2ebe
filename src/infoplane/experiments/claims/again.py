"""The command that makes a result again, as one would type it."""

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane.results import config_of

if TYPE_CHECKING:
    import xarray as xr


def command(ds: "xr.Dataset", *, shown: Callable[[str], str] = str) -> str:
    """Return the command that makes a result: its experiment's name, data, the variant, and the keys that differ.

    Args:
        ds: a result.
        shown: how the path of a set of data is told; as it is, unless another way is given.
    """
    from infoplane.experiments import EXPERIMENTS, configure
    from infoplane.experiments.side_by_side import beside, sets_of
    from infoplane.runs.axes import flatten

    config, name = config_of(ds), str(ds.attrs.get("title", ""))
    if name not in EXPERIMENTS:
        return f"infoplane run {name}.toml" if config else f"ip.Recorder, name={name!r}"
    sets, mine = sets_of(config), dict(flatten(config))
    other: dict[str, list[str]] = {}
    for paper in ("", " --as paper"):
        for quick in ("", " --quick"):
            asked: Any = {"quick": bool(quick), "as_paper": bool(paper)}
            tree = EXPERIMENTS[name].tree(**asked)
            changes = beside(sets, tree) if len(sets) > 1 else next(iter(sets.values()), {})
            base = configure(name, **asked, changes=changes)
            words = f"infoplane run {name}{paper}{quick}"
            other[words] = _changes(mine, dict(flatten(base.model_dump(mode="json"))))
    nearest = min(other, key=lambda text: len(other[text]))
    return " ".join([nearest, *_data(sets, shown), *other[nearest]])


def _data(sets: Mapping[str, Mapping[str, Any]], shown: Callable[[str], str]) -> list[str]:
    """Return the options that name the sets of data."""
    options = []
    for keys in sets.values():
        path, name = keys["data.path"], str(keys["data.name"])
        options.append(f"--data {shlex.quote(shown(path) if path else name)}")
        if len(sets) == 1 and name not in ("file", "idx", Path(path).name.lower()):
            options.append(f"--set data.name={name}")
    return options


def _changes(mine: dict[str, Any], base: dict[str, Any]) -> list[str]:
    """Return the options that change a configuration into another one."""
    changed = {key: value for key, value in mine.items() if base.get(key) != value and value is not None}
    swept = [f"--sweep '{key}={json.dumps(values)}'" for key, values in changed.pop("sweep", [])]
    members = changed.pop("members", None)
    options = [] if members is None else [f"--members {members}"]
    if [label for label, _ in changed.get("variants", [])] == [label for label, _ in base.get("variants", [])]:
        changed |= _of_variants(changed.pop("variants", []), base.get("variants", []))
    return [*options, *(f"--set '{key}={json.dumps(value)}'" for key, value in changed.items()), *swept]


def _of_variants(mine: list[Any], base: list[Any]) -> dict[str, Any]:
    """Return the keys in which variants of the same names differ, counted as ``--set`` counts them."""
    return {
        f"variants.{place}.{key}": value
        for place, ((_, own), (_, other)) in enumerate(zip(mine, base, strict=True))
        for key, value in own
        if dict(other).get(key, ...) != value
    }
