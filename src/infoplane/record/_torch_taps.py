"""The tensors that the modules of a PyTorch model give: their names, which of them are layers, which are wanted."""

import dataclasses
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch import nn

from infoplane.errors import InputError, did_you_mean
from infoplane.record._torch_closed import ROOT
from infoplane.record.probes import select_names


@dataclasses.dataclass(frozen=True)
class Tap:
    """One tensor among the outputs of one call of a module.

    Attributes:
        module: name of the module.
        call: 1 for its first call in a forward pass, 2 for the second, …
        path: keys and places that lead to the tensor in a tuple or mapping, empty for a plain tensor.
        shape: its shape for a batch of three samples.
        axis: which axis is the sample; None where none is.
        floating: whether it holds floating-point numbers.
        is_layer: whether it is measured when all layers are.
    """

    module: str
    call: int
    path: tuple[str, ...]
    shape: tuple[int, ...]
    axis: int | None
    floating: bool
    is_layer: bool = False

    @property
    def name(self) -> str:
        """Name of the layer: the module's, ``#2`` for a second call, the path in its output."""
        return ".".join([self.module if self.call == 1 else f"{self.module}#{self.call}", *self.path])

    @property
    def usable(self) -> bool:
        """Whether its rows are samples."""
        return self.axis is not None


def named_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Return every module by its name; a module that stands at two places has its first name."""
    named: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        if not hasattr(module, "_orig_mod"):  # compiled parts go by their own name, not by the wrapper's
            named[".".join(part for part in name.split(".") if part != "_orig_mod")] = module
    root = named.pop("")
    return named if ROOT in named else named | {ROOT: root}


def tensors_of(output: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], torch.Tensor]]:
    """Yield the tensors of numbers in an output, with the keys and places that lead to them."""
    if isinstance(output, torch.Tensor):
        if not (output.is_complex() or output.is_nested or output.is_sparse or output.is_quantized):
            yield path, output
    elif isinstance(output, Mapping):
        for key, part in output.items():
            yield from tensors_of(part, (*path, str(key)))
    elif isinstance(output, tuple | list):
        for place, part in enumerate(output):
            yield from tensors_of(part, (*path, str(place)))


def check_layers(named: Mapping[str, nn.Module], layers: Any) -> tuple[Any, ...]:
    """Return the wanted layers one by one, before anything is run.

    Raises:
        InputError: for a name that no module has, or what is neither a name, a pattern nor a type.
    """
    wanted = tuple(layers) if isinstance(layers, Sequence | set) and not isinstance(layers, str) else (layers,)
    for item in wanted:
        if isinstance(item, str) and item != "all":
            if not _may_be_output(item, named):
                select_names(list(named), item)
        elif item is not None and item != "all" and not (isinstance(item, type) and issubclass(item, nn.Module)):
            raise InputError(
                f"layers: {item!r} is a {type(item).__name__}; expected a module's name, a pattern such as "
                '"encoder.*", or a type such as torch.nn.Linear'
            )
    return wanted


def _may_be_output(item: str, named: Mapping[str, nn.Module]) -> bool:
    """Say whether the name can be that of a later call, or of a part of an output: "act#2", "rnn.0"."""
    parts = item.replace("#", ".#").split(".")
    stems = (".".join(parts[:length]).replace(".#", "#") for length in range(1, len(parts) + 1))
    return any(stem in named for stem in stems)


def choose(taps: Sequence[Tap], wanted: Sequence[Any], named: Mapping[str, nn.Module]) -> list[Tap]:
    """Return the taps that are wanted, in the order they run.

    Raises:
        InputError: for a layer that gives nothing that can be measured.
    """
    kept = {tap.name for item in wanted for tap in _fitting(taps, item, named)}
    if not kept:
        raise InputError(f"the model gives no layers; its modules are {', '.join(named)}")
    return [tap for tap in taps if tap.name in kept]


def _fitting(taps: Sequence[Tap], item: Any, named: Mapping[str, nn.Module]) -> list[Tap]:
    layers = [tap for tap in taps if tap.is_layer]
    usable = [tap for tap in taps if tap.usable and tap.floating]
    if item is None or item == "all":
        return layers
    if isinstance(item, type):
        fitting = [tap for tap in usable if isinstance(named[tap.module], item)]
        types = ", ".join(sorted({type(named[tap.module]).__name__ for tap in usable}))
        return fitting or _refuse(f"layers: no module of type {item.__name__} gives a layer (types: {types})")
    exact = [tap for tap in taps if item in (tap.module, tap.name)]
    if item in named or exact:
        return _named_exactly(item, exact)
    patterns = ([tap for tap in among if fnmatch.fnmatchcase(tap.name, item)] for among in (layers, usable))
    names = [tap.name for tap in usable]
    near = did_you_mean(item, names).partition("; known:")[0]  # they are listed in their own order
    return next(filter(None, patterns), None) or _refuse(
        f"layers: '{item}' fits no layer{near} (layers: {', '.join(names)})"
    )


def _named_exactly(item: str, taps: Sequence[Tap]) -> list[Tap]:
    usable = [tap for tap in taps if tap.usable]
    if usable:
        return usable
    if not taps:
        raise InputError(
            f"layer '{item}' gives no tensor when the model is evaluated: its forward is not called, or gives "
            "something else (complex, sparse, nested and quantised tensors are not measured); name another module"
        )
    raise InputError(
        f"layer '{item}' gives shape {taps[0].shape} for 3 inputs; expected one axis of that length, a row for each "
        "input"
    )


def _refuse(text: str) -> NoReturn:
    raise InputError(text)
