"""Keys and values as they are typed on the command line."""

import tomllib
from typing import Any

from infoplane.errors import ConfigError


def parse_assignment(text: str) -> tuple[str, Any]:
    """Read ``a.b=c`` of ``--set``: c as a TOML value, or as a string where it is none.

    Raises:
        ConfigError: when there is no ``=`` or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {text}: expected KEY=VALUE, for example train.learning_rate=0.001")
    return key.strip(), _parse_value(value)


def parse_sweep(text: str) -> tuple[str, list[Any]]:
    """Read ``a.b=c,d`` of ``--sweep``: the values as a TOML list, or what stands between commas.

    Raises:
        ConfigError: when there is no ``=`` or no key.
    """
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise ConfigError(f"--sweep {text}: expected KEY=VALUE,VALUE, for example model.activation=tanh,relu")
    listed = _parse_value(values)
    return key.strip(), listed if isinstance(listed, list) else [_parse_value(one) for one in values.split(",")]


def _parse_value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        read = {}
    return read["value"] if list(read) == ["value"] else text.strip()
