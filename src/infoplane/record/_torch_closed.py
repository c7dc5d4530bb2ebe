"""Parts of PyTorch models that hide the modules inside them: compiled code, scripted, traced and exported modules."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, NoReturn

import torch
from torch import nn
from torch.nn.modules import module as torch_modules

from infoplane.errors import InputError

ROOT = "output"
"""Name of the output of the whole model, where none of its modules has that name."""


def unwrapped(model: Any) -> nn.Module:
    """Return the network inside ``torch.compile``, ``DataParallel``, ``DistributedDataParallel`` or an export.

    Raises:
        InputError: for an object that is not a module.
    """
    if isinstance(model, torch.export.ExportedProgram):
        return torch.export.unflatten(model)  # one module for each module of the original model
    if not isinstance(model, nn.Module):
        raise InputError(f"model: expected a torch.nn.Module, got {type(model).__name__}. Pass the network itself.")
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def closed_as(module: nn.Module) -> str:
    """Return how a module hides the modules inside it: "scripted", "exported", or "" for an ordinary module."""
    if isinstance(module, torch.jit.ScriptModule):
        return "scripted"
    if not isinstance(module, torch.fx.GraphModule):
        return ""
    called = {node.target for node in module.graph.nodes if node.op == "call_module"} - {"_guards_fn"}
    nested = [name for name, _ in module.named_parameters() if "." in name]
    return "exported" if nested and not called else ""


def closed_parts(named: Mapping[str, nn.Module]) -> dict[str, str]:
    """Return the outermost parts that hide their modules, each with how: {name: "scripted" or "exported"}."""
    closed: dict[str, str] = {}
    for name, module in [(ROOT, named.get(ROOT)), *named.items()]:
        if module is not None and not _is_inside(name, closed) and (how := closed_as(module)):
            closed[name] = how
    return closed


def without_hidden(named: Mapping[str, nn.Module], closed: Iterable[str]) -> dict[str, nn.Module]:
    """Return the modules that can be seen: all but those inside closed parts."""
    closed = set(closed)
    return {name: module for name, module in named.items() if name in closed or not _is_inside(name, closed)}


def _is_inside(name: str, closed: Iterable[str]) -> bool:
    return any(name.startswith(f"{outer}.") or (outer == ROOT and name != ROOT) for outer in closed)


def refuse_closed(named: Mapping[str, nn.Module], closed: Mapping[str, str], layers: Any) -> None:
    """Refuse a choice of layers that a closed part would shorten without notice.

    Raises:
        InputError: if there is a closed part and a layer is chosen otherwise than by its own name.
    """
    wanted = layers if isinstance(layers, Sequence | Set) and not isinstance(layers, str) else [layers]
    if closed and not all(isinstance(item, str) and item != "all" and not set(item) & set("*?[") for item in wanted):
        name, how = next(iter(closed.items()))
        kind = "scripted or traced by torch.jit" if how == "scripted" else "flattened by torch.export"
        part = "the model is" if name == ROOT else f"its part '{name}' is"
        raise InputError(
            f"model: expected modules whose layers can be seen, got a {type(named[name]).__name__}: {part} {kind}, "
            f"which hides the layers inside. {_remedy(named, name, how)}"
        )


def _remedy(named: Mapping[str, nn.Module], name: str, how: str) -> str:
    if how == "exported":
        return "Pass the exported program itself (the result of torch.export.export), or the original model."
    if name == ROOT:
        return "Record the original model, or its output alone: layers='output'."
    return f"Put the original module in its place, or name each layer to measure, such as layers=[{name!r}]."


@contextlib.contextmanager
def running_eagerly(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Run compiled code as ordinary Python: compiled code runs no hooks.

    Raises:
        InputError: for compiled modules under a release of PyTorch that cannot switch compiled code off.
    """
    if "torch._dynamo" not in sys.modules:  # nothing in this process has been compiled
        yield
    elif hasattr(torch.compiler, "set_stance"):
        with torch.compiler.set_stance("force_eager"):
            yield
    else:
        for module in modules:
            if _is_compiled(module):
                _refuse_compiled(module)
        yield


def _is_compiled(module: nn.Module) -> bool:
    own = [cls for cls in type(module).__mro__ if not cls.__module__.startswith("torch.")]
    members = [member for holder in (module, *own) for member in vars(holder).values()]
    is_wrapper = hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None
    return is_wrapper or any("_torchdynamo_orig_callable" in getattr(m, "__dict__", {}) for m in members)


def _refuse_compiled(module: nn.Module) -> NoReturn:
    raise InputError(
        f"model: expected code that can run uncompiled, got a {type(module).__name__} compiled by torch.compile, under "
        f"PyTorch {torch.__version__}. Install PyTorch 2.6 or later, or record the model before it is compiled."
    )


@contextlib.contextmanager
def hooked(
    modules: Mapping[str, nn.Module],
    after: Callable[[str, Any, Any], None],
    before: Callable[[str, Any], None] | None = None,
) -> Iterator[None]:
    """Call ``before(name, inputs)`` and ``after(name, inputs, output)`` at each call of these modules.

    Scripted modules take no hooks of their own; hooks on all modules see them.
    """
    scripted = {id(module): name for name, module in modules.items() if isinstance(module, torch.jit.ScriptModule)}

    def enter(module: nn.Module, inputs: Any) -> None:
        if before is not None and id(module) in scripted:
            before(scripted[id(module)], inputs)

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        if id(module) in scripted:
            after(scripted[id(module)], inputs, output)

    with contextlib.ExitStack() as hooks:
        if scripted:
            hooks.callback(torch_modules.register_module_forward_pre_hook(enter).remove)
            hooks.callback(torch_modules.register_module_forward_hook(leave).remove)
        for name, module in modules.items():
            if id(module) not in scripted:
                _hook(hooks, name, module, after, before)
        yield


def _hook(hooks: contextlib.ExitStack, name: str, module: nn.Module, after: Any, before: Any) -> None:
    if before is not None:
        hooks.callback(module.register_forward_pre_hook(lambda _, inputs: before(name, inputs)).remove)
    hooks.callback(module.register_forward_hook(lambda _, inputs, output: after(name, inputs, output)).remove)
