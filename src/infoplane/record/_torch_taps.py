"""The tensors that the modules of a PyTorch model give: their names, which of them are layers, which are wanted."""

import dataclasses
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch import nn

from infoplane.errors import InputError, did_you_mean
from infoplane.record._deep import DEEP
from infoplane.record._torch_closed import ROOT
from infoplane.record.probes import select_names, with_exclusions


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
        left_out: why it is left out where other modules are measured, in words.
        is_tensor: whether it is a tensor of numbers; other outputs are listed only as left out.
    """

    module: str
    call: int
    path: tuple[str, ...]
    shape: tuple[int, ...]
    axis: int | None
    floating: bool
    is_layer: bool = False
    left_out: str = ""
    is_tensor: bool = True

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
    """Yield the tensors of numbers in an output, with the keys, fields and places that lead to them.

    Packed sequences are left out: their rows are time steps, and the rest are indices.
    """
    if isinstance(output, torch.Tensor):
        if not (output.is_complex() or output.is_nested or output.is_sparse or output.is_quantized):
            yield path, output
    elif isinstance(output, Mapping):
        for key, part in output.items():
            yield from tensors_of(part, (*path, str(key)))
    elif isinstance(output, tuple | list) and not isinstance(output, nn.utils.rnn.PackedSequence):
        for place, part in enumerate(output):
            yield from tensors_of(part, (*path, str(place)))
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        for field in dataclasses.fields(output):
            yield from tensors_of(getattr(output, field.name, None), (*path, field.name))


def omissions_of(output: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the parts of an output that `tensors_of` leaves out, with the reason."""
    if isinstance(output, torch.Tensor):
        if output.is_complex() or output.is_nested or output.is_sparse or output.is_quantized:
            yield path, "the output is a complex, nested, sparse or quantized tensor"
    elif isinstance(output, nn.utils.rnn.PackedSequence):
        yield path, "the output is a packed sequence, whose rows are time steps"
    elif isinstance(output, Mapping):
        for key, part in output.items():
            yield from omissions_of(part, (*path, str(key)))
    elif isinstance(output, tuple | list):
        for place, part in enumerate(output):
            yield from omissions_of(part, (*path, str(place)))
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        for field in dataclasses.fields(output):
            yield from omissions_of(getattr(output, field.name, None), (*path, field.name))
    elif not (output is None or isinstance(output, str | int | float)):
        yield path, f"the output is an object of type {type(output).__name__}"


RECURRENT: dict[tuple[str, ...], tuple[str, ...]] = {
    ("0",): ("output",),
    ("1",): ("h",),
    ("1", "0"): ("h",),
    ("1", "1"): ("c",),
}
"""Names of what PyTorch's recurrent modules return: the output at each step, the last hidden state, the cell state."""


def name_path(module: nn.Module, path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the path to a part of a module's output, with the names of recurrent modules."""
    return RECURRENT.get(path, path) if isinstance(module, nn.RNNBase) else path


def outputs_of(module: nn.Module, output: Any) -> Iterator[tuple[tuple[str, ...], torch.Tensor]]:
    """Yield the tensors of a module's output with their names: "output", "h" and "c" for a recurrent module."""
    for path, tensor in tensors_of(output):
        yield name_path(module, path), tensor


def check_layers(named: Mapping[str, nn.Module], layers: Any) -> tuple[Any, ...]:
    """Return the wanted layers one by one, before anything is run.

    Raises:
        InputError: for a name that no module has, or what is neither a name, a pattern nor a type.
    """
    wanted = tuple(layers) if isinstance(layers, Sequence | set) and not isinstance(layers, str) else (layers,)
    for item in wanted:
        if isinstance(item, str) and item != "all":
            name = item.removeprefix("!")
            if not _may_be_output(name, named):
                select_names(list(named), name)
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
    chosen, dropped = with_exclusions(wanted)
    kept = {tap.name for item in chosen for tap in _fitting(taps, item, named)}
    if not kept:
        raise InputError(f"the model gives no layers; its modules are {', '.join(named)}")
    left = {tap.name for item in dropped for tap in _inside(taps, item, named)}
    if kept <= left:
        raise InputError(f"layers: expected some layers, got exclusions of all: {', '.join(sorted(kept))}.")
    return [tap for tap in taps if tap.name in kept and tap.name not in left]


def omitted(taps: Sequence[Tap], wanted: Sequence[Any]) -> list[tuple[str, str]]:
    """Return (name, reason) of outputs that are left out; if all layers are named, of these modules alone."""
    names = {item for item in wanted if isinstance(item, str) and not (item == "all" or set(item) & set("!*?["))}
    by_name = all(item in names for item in wanted)
    return [(tap.name, tap.left_out) for tap in taps if tap.left_out and (tap.module in names or not by_name)]


def _inside(taps: Sequence[Tap], item: str, named: Mapping[str, nn.Module]) -> list[Tap]:
    """Return the outputs of the modules that fit, and of all modules inside these."""
    outer = [tap.name for tap in taps if item in (tap.module, tap.name)] or [t.name for t in _by_pattern(taps, item)]
    outer = outer or ([item] if item in named else [])  # a container that is never called
    if not outer:
        raise InputError(f"layers: '!{item}' fits no layer (layers: {', '.join(tap.name for tap in taps)})")
    return [tap for tap in taps if any(tap.name == name or tap.name.startswith(f"{name}.") for name in outer)]


def _by_pattern(taps: Sequence[Tap], pattern: str) -> list[Tap]:
    """Return the outputs that fit a pattern.

    "encoder.*" stands for every layer inside. Another pattern is compared level by level, so that "layer?.?" fits the
    blocks of a stage and nothing inside them; where it fits no level, "*" may stand for several levels.
    """
    layers, usable = [tap for tap in taps if tap.is_layer], [tap for tap in taps if tap.usable and tap.floating]
    outer = {tap.module.rsplit(".", level)[0] for tap in layers for level in range(tap.module.count(".") + 1)}
    levels = [tap for tap in usable if tap.module in outer and _fits_levels(tap.name, pattern)]
    if levels and not pattern.endswith("*"):
        return levels
    among = ([tap for tap in group if fnmatch.fnmatchcase(tap.name, pattern)] for group in (layers, usable))
    return next(filter(None, among), [])


def _fits_levels(name: str, pattern: str) -> bool:
    parts, patterns = name.split("."), pattern.split(".")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


def _deep_default(taps: Sequence[Tap], named: Mapping[str, nn.Module]) -> list[Tap]:
    """Return the layers of a model; of a deep model the outputs of its blocks, and its layers outside of blocks.

    A block is a module with layers inside that stands in a Sequential or ModuleList, as in "layer1.0" or "h.11": its
    output is the residual stream behind it. Normalizations outside of blocks are left out.
    """
    layers = [tap for tap in taps if tap.is_layer]
    if len(layers) <= DEEP:
        return layers
    blocks = [tap for tap in taps if tap.usable and tap.floating and not tap.is_layer and _is_block(tap.module, named)]
    outer = {tap.module for tap in blocks}
    outer = {name for name in outer if not any(name.startswith(f"{other}.") for other in outer)}
    if not outer:
        return layers
    rest = [
        tap
        for tap in layers
        if not any(tap.module.startswith(f"{name}.") for name in outer)
        and "Norm" not in type(named[tap.module]).__name__
    ]
    kept = {tap.name for tap in [*rest, *(tap for tap in blocks if tap.module in outer)]}
    return [tap for tap in taps if tap.name in kept]


def _is_block(name: str, named: Mapping[str, nn.Module]) -> bool:
    parent = named.get(name.rpartition(".")[0])
    is_stacked = isinstance(parent, nn.Sequential | nn.ModuleList)
    return is_stacked and not isinstance(named[name], nn.Sequential | nn.ModuleList)


def _fitting(taps: Sequence[Tap], item: Any, named: Mapping[str, nn.Module]) -> list[Tap]:
    layers = [tap for tap in taps if tap.is_layer]
    usable = [tap for tap in taps if tap.usable and tap.floating]
    if item is None:
        return _deep_default(taps, named)
    if item == "all":
        return layers
    if isinstance(item, type):
        fitting = [tap for tap in usable if isinstance(named[tap.module], item)]
        types = ", ".join(sorted({type(named[tap.module]).__name__ for tap in usable}))
        return fitting or _refuse(f"layers: no module of type {item.__name__} gives a layer (types: {types})")
    exact = [tap for tap in taps if item in (tap.module, tap.name, _place_name(tap, named))]
    if item in named or exact:
        return _named_exactly(item, exact)
    names = [tap.name for tap in usable]
    near = did_you_mean(item, names).partition("; known:")[0]  # they are listed in their own order
    return _by_pattern(taps, item) or _refuse(f"layers: '{item}' fits no layer{near} (layers: {', '.join(names)})")


def _place_name(tap: Tap, named: Mapping[str, nn.Module]) -> str:
    """Return the name of an output of a recurrent module by its place, "rnn.0", "rnn.1.1"; it may be asked for too."""
    if not isinstance(named[tap.module], nn.RNNBase):
        return tap.name
    is_lstm = isinstance(named[tap.module], nn.LSTM)
    places: dict[tuple[str, ...], tuple[str, ...]] = {
        ("output",): ("0",),
        ("h",): ("1", "0") if is_lstm else ("1",),
        ("c",): ("1", "1"),
    }
    return dataclasses.replace(tap, path=places.get(tap.path, tap.path)).name


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
