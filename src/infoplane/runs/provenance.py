"""Where a result comes from, and what has changed since: versions, data, configuration."""

import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infoplane.runs.axes import flatten
from infoplane.runs.config import Config

PACKAGES = ("infoplane", "jax", "jaxlib", "numpy", "optax", "scipy")
"""Packages whose version may change the numbers of a run."""

SETTINGS = ("XLA_FLAGS", "JAX_DEFAULT_MATMUL_PRECISION", "JAX_DEFAULT_PRNG_IMPL", "JAX_THREEFRY_PARTITIONABLE")
"""Environment variables that may change the numbers of a run: fast math, the precision of products, random numbers."""

HARMLESS = ("--xla_force_host_platform_device_count", "--xla_dump")
"""Beginnings of flags in ``XLA_FLAGS`` that change no number."""

NUMBERLESS = ("memory",)
"""Keys of a configuration that may be another one when a run goes on."""


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide a result, and the environment variables that may change it."""
    return {name: importlib.metadata.version(name) for name in PACKAGES} | _settings()


def _settings() -> dict[str, str]:
    """Return each variable of `SETTINGS` that is set, without flags that change no number."""
    values = {name: os.environ.get(name, "").split() for name in SETTINGS}
    told = {name: " ".join(part for part in parts if not part.startswith(HARMLESS)) for name, parts in values.items()}
    return {name: text for name, text in told.items() if text}


def provenance() -> dict[str, Any]:
    """Versions and machine that a result comes from."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "command": " ".join(Path(part).name if i == 0 else part for i, part in enumerate(sys.argv)),
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def config_differences(before: Config, after: Config) -> list[str]:
    """Return every key whose value differs, as ``key: before → after``."""
    return differences(_leaves(before), _leaves(after))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return every entry that differs, as ``key: before → after``; what one side lacks is a dash."""
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key}: {_shown(before, key)} → {_shown(after, key)}"
        for key in keys
        if (key in before) != (key in after) or before.get(key) != after.get(key)
    ]


def _leaves(config: Config) -> dict[str, Any]:
    """Return every value of a configuration by its dotted path, entries of lists of tables too."""
    tree = config.tree()
    named = {
        str(place): one if isinstance(one, Mapping) else {"name": one} for place, one in enumerate(tree["estimators"])
    }
    varied = {f"sweep.{key}": values for key, values in tree.pop("sweep").items()}
    for one in tree.pop("variants"):
        label = one.pop("label")
        varied |= {f"variants.{label}.{key}": value for key, value in one.items()}
    return dict(flatten(tree | {"estimators": named})) | varied


def _shown(values: Mapping[str, Any], key: str) -> str:
    if key not in values or values[key] is None:
        return "–"
    text = json.dumps(values[key], ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def changes(about: Mapping[str, Any], config: Config, asked: Config, data: Mapping[str, str]) -> list[str]:
    """Return what would make a run's new rows disagree with its old ones: configuration, versions, data.

    Args:
        about: what ``run.json`` says.
        config: the configuration in it.
        asked: the configuration that is to be gone on with.
        data: SHA-256 of the data sets as they are now.
    """
    told = [line for line in config_differences(config, asked) if line.partition(":")[0] not in NUMBERLESS]
    told += [f"versions.{line}" for line in differences(about.get("versions", {}), versions())]
    before = about.get("data", {})
    for key, now in data.items():
        if key in before and before[key] != now:
            name = json.loads(key)["name"]
            told.append(f"data '{name}' (SHA-256): {before[key][:12]}… → {now[:12]}…")
    return told
