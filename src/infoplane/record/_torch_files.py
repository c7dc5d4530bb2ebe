"""Reads PyTorch files: tensors and plain values, and nothing that could run."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infoplane import files
from infoplane.errors import InputError
from infoplane.record._names import damaged, some

SAFE_TORCH = (2, 10)
"""PyTorch that reads a state_dict without a known way to run code (older: CVE-2025-32434, CVE-2026-24747)."""

STATES = (
    "state_dict", "model_state_dict", "model", "model_state", "module", "net", "network", "weights", "params",
)  # fmt: skip
"""Keys of the weights in a file that holds more; the first is that of Lightning and timm."""


def read_torch(path: Path, weights: str | None = None) -> Mapping[str, Any]:
    """Return the state_dict of a PyTorch file, its tensors in main memory.

    Args:
        path: the file.
        weights: key of the state_dict in the file; None: the file itself, or the first of `STATES`.

    Raises:
        InputError: if it is damaged, holds no state_dict, or holds objects that could run code.
        StoreError: if the system cannot read it.
    """
    import pickle

    try:
        import torch
    except ImportError:
        raise InputError(f"{path}: reading it needs PyTorch; pip install torch, or save it as safetensors") from None
    if tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2]) < SAFE_TORCH:
        raise InputError(
            f"{path}: PyTorch {torch.__version__} can be made to run code by such a file (CVE-2026-24747); update it "
            "to 2.10 or newer, or save the weights as safetensors"
        )
    with files.named(path), path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise InputError(
                f"{path}: is not in the zip format of torch.save, and a bare pickle, which could run code, is never "
                "opened; save it again with torch.save(model.state_dict(), …), or as safetensors"
            )
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # settings of timm and of many scripts
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f" ({asked.group(1)})" if asked else ""
        raise InputError(
            f"{path}: refused, since it holds more than tensors{what}, which could run code; save it again with "
            "torch.save(model.state_dict(), …), or as safetensors"
        ) from None
    except Exception as error:  # a damaged file makes its readers fail in many ways
        raise damaged(path, error) from None
    return _state_in(content, path, weights)


def _state_in(content: Any, path: Path, weights: str | None) -> Mapping[str, Any]:
    """Find the weights in the content of a PyTorch file."""
    table = content if isinstance(content, Mapping) else {}
    if weights is not None:
        if not _is_state(table.get(weights)):
            raise InputError(f"{path}: weights: expected the key of a state_dict, got {weights!r}. {_held(content)}")
        return table[weights]
    nested = [key for key in table if _is_state(table[key])]
    usual = [key for key in STATES if key in nested]
    if usual or len(nested) == 1:
        return table[(usual or nested)[0]]
    if _is_state(content):
        return content
    remedy = f"Pass weights={str(nested[0])!r}, or a different key" if nested else "Save model.state_dict()"
    expected = f"expected a state_dict, alone or under {', '.join(map(repr, STATES))}"
    raise InputError(f"{path}: {expected}. {_held(content)}. {remedy}")


def _is_state(value: Any) -> bool:
    """Return whether a value is a table of tensors by name."""
    if not isinstance(value, Mapping):
        return False
    return all(isinstance(name, str) for name in value) and any(hasattr(part, "shape") for part in value.values())


def _held(content: Any) -> str:
    held = f"a table of {some(content)}" if isinstance(content, Mapping) else f"a {type(content).__name__}"
    return f"The file holds {held}"
