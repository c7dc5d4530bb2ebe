"""The default layers of deep Keras and Flax models: the outputs of blocks, which are the residual stream."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

DEEP = 20
"""Layers above which a model with blocks is measured at the outputs of its blocks, if no layers are named."""

CONTAINERS = ("Sequential", "Functional", "Model")
"""Classes of parts that only hold others, and are no blocks."""


def default_calls(seen: Sequence[Any], root: str) -> list[str]:
    """Return the names of the default layers among the calls of a model's parts.

    A model of more than `DEEP` layers is measured at its blocks and at its layers outside of blocks that do not
    normalize. Blocks are parts with layers inside of which several of one class stand side by side. A model without
    such blocks that adds residuals in layers (``Add``) is measured at these and at the layers behind the last one.

    Args:
        seen: the calls, in the order they finish; see `infoplane.record._calls.Call`.
        root: name of the whole model.
    """
    layers = [call for call in seen if call.is_layer]
    if len(layers) <= DEEP:
        return [call.name for call in layers]
    blocks = _blocks(seen, root)
    sums = [place for place, call in enumerate(layers) if type(call.part).__name__ == "Add"]
    if blocks:
        inside = tuple(f"{_plain(name)}{mark}" for name in blocks for mark in "./")
        rest = [call for call in layers if not call.name.startswith(inside)]
    elif len(sums) > 1:
        rest = [*(layers[place] for place in sums), *layers[sums[-1] + 1 :]]
    else:
        return [call.name for call in layers]
    kept = {*blocks, *(call.name for call in rest if "Norm" not in type(call.part).__name__)}
    return [call.name for call in seen if call.name in kept]


def _blocks(seen: Sequence[Any], root: str) -> list[str]:
    """Return the outermost parts with layers inside of which several of one class stand side by side."""
    names = [call.name for call in seen if call.is_layer]
    groups: dict[Any, list[str]] = defaultdict(list)
    for call in seen:
        stem = _plain(call.name)
        holds = any(name.startswith((f"{stem}.", f"{stem}/")) for name in names)
        if stem != root and holds and type(call.part).__name__ not in CONTAINERS:
            groups[re.sub(r"[^./]*$", "", stem), type(call.part)].append(call.name)
    found = [name for group in groups.values() if len({_plain(name) for name in group}) > 1 for name in group]
    outer = tuple(f"{_plain(name)}{mark}" for name in found for mark in "./")
    return [name for name in found if not name.startswith(outer)]


def _plain(name: str) -> str:
    """Return the name of the part of a call, without the number of the call."""
    return re.sub(r"#\d+$", "", name)
