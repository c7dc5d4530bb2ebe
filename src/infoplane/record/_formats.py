"""Puts the weights of one checkpoint into a model, running nothing that its files hold."""

import inspect
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

from infoplane._arrays import to_numpy
from infoplane.errors import InputError
from infoplane.record import _safetensors
from infoplane.record._keras_files import check_built, load_keras
from infoplane.record._layouts import HDF5, first_bytes, is_index, read_shards
from infoplane.record._names import SHOWN, aligned, check_kinds, check_names, misfit, set_by_name
from infoplane.record._torch_files import read_torch

Load = Callable[[Path], Any]
"""Takes a checkpoint file and gives the model with its weights in it."""


def loader_of(model: Any, weights: str | None = None) -> Load:
    """Return the function that gives the model as it was saved in a file.

    Args:
        model: a PyTorch, Keras or Flax NNX model, which the function changes; a function without arguments that
            makes one; or a function of the weights, {name: NumPy array}, that gives a function of the inputs.
        weights: see `read_arrays`.

    Raises:
        InputError: for anything else, or when the model cannot be made.
    """
    if _framework(model):
        return lambda path: load_into(model, path, weights)
    if not callable(model):
        raise InputError(f"model is a {type(model).__name__}; expected a model, or a function that makes one")
    needed = _needed_arguments(model)
    if needed and (len(needed) > 1 or isinstance(model, type)):
        raise InputError(f"model needs the arguments {', '.join(needed)}; give lambda: {_name(model)}(…)")
    if needed:
        return lambda path: _from_arrays(model, path, weights)
    made = model()
    if not _framework(made):
        raise InputError(
            f"model: {_name(model)}() gave a {type(made).__name__}; expected a PyTorch, Keras or NNX model"
        )
    return lambda path: load_into(made, path, weights)


def load_into(model: Any, path: Path, weights: str | None = None) -> Any:
    """Put the weights of a file into a model of a framework and return the model.

    Raises:
        InputError: when the file cannot be read safely, or its weights do not fit; names the file.
        StoreError: when the system cannot read it.
    """
    framework = _framework(model)
    if _is_keras(path):
        if framework != "keras":
            raise _refuse_keras(path)
        load_keras(model, path)
    else:
        into = {"torch": _into_torch, "keras": _into_keras, "flax": _into_nnx}[framework]
        into(model, read_arrays(path, weights), path)
    return model


def read_arrays(path: Path, weights: str | None = None) -> Mapping[str, Any]:
    """Return the weights of a safetensors or PyTorch file by name, or of the shards that an index names.

    Args:
        path: the file.
        weights: key of the weights in a PyTorch file that holds several; the usual ones if it is None.

    Raises:
        InputError: when it is damaged, or holds what could run code.
    """
    if is_index(path):
        return read_shards(path, read_arrays)
    return _safetensors.read(path) if path.name.endswith(".safetensors") else read_torch(path, weights)


def _is_keras(path: Path) -> bool:
    has_ending = path.name.endswith((".keras", ".h5", ".hdf5"))
    return has_ending or (path.suffix[1:].isdecimal() and first_bytes(path) == HDF5)


def _refuse_keras(path: Path) -> InputError:
    return InputError(f"{path}: holds Keras weights, which fit Keras models only; save it as safetensors")


def _framework(model: Any) -> str:
    """Name the framework of a model, "" for anything else, classes included; a Keras model may be torch's too."""
    if isinstance(model, type):
        return ""
    roots = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    return next((name for name in ("keras", "torch", "flax") if name in roots), "")


def _needed_arguments(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-in functions have none
        return []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variable]


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _from_arrays(function: Any, path: Path, weights: str | None) -> Any:
    if _is_keras(path):
        raise _refuse_keras(path)
    made = function({name: to_numpy(value, f"{path}: {name}") for name, value in read_arrays(path, weights).items()})
    if _framework(made) or not callable(made):
        raise InputError(
            f"model: {_name(function)}(weights) gave a {type(made).__name__}; expected a function of the inputs that "
            "gives {layer: activations}; a function that makes a model takes no argument"
        )
    return made


# ---- PyTorch


def _into_torch(model: Any, state: Mapping[str, Any], path: Path) -> None:
    import torch

    own, ties = _tensors(model.state_dict()), _ties(model)
    fitting = aligned(state, own, path, ties, _derived(model))
    tensors = {name: torch.as_tensor(value) for name, value in _tensors(fitting).items()}
    _check_ties(path, tensors, ties)
    check_kinds(path, _floating(tensors), _floating(own))
    ready = OrderedDict(fitting | tensors)
    if hasattr(state, "_metadata") and set(ready) == set(state):  # the versions of the modules that saved it
        ready._metadata = state._metadata  # type: ignore[attr-defined]
    try:
        left = model.load_state_dict(ready, strict=False)
    except RuntimeError as error:
        wrong = [line.strip() for line in str(error).splitlines() if "mismatch" in line] or str(error).splitlines()[:1]
        raise misfit(path, "; ".join(wrong[:SHOWN])) from None
    check_names(path, left.missing_keys, left.unexpected_keys)


def _tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays among the entries of a state_dict, which may hold further state of a module."""
    return {name: value for name, value in state.items() if hasattr(value, "shape")}


def _floating(tensors: Mapping[str, Any]) -> dict[str, bool]:
    return {name: tensor.is_floating_point() or tensor.is_complex() for name, tensor in tensors.items()}


def _ties(model: Any) -> list[set[str]]:
    """Return the groups of names under which a model holds one and the same weight."""
    groups: dict[tuple[Any, ...], set[str]] = {}
    for name, tensor in _tensors(model.state_dict()).items():
        if tensor.numel() and not tensor.is_meta:
            key = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
            groups.setdefault(key, set()).add(name)
    return [names for names in groups.values() if len(names) > 1]


def _check_ties(path: Path, state: Mapping[str, Any], ties: Iterable[Set[str]]) -> None:
    """Refuse a file that holds different numbers for a weight that the model holds once."""
    import torch

    for names in ties:
        first, *others = sorted(names)
        for other in others:
            if first in state and other in state and not torch.equal(state[first], state[other]):
                raise misfit(path, f"{first!r} and {other!r} differ, but the model holds one weight for both")


def _derived(model: Any) -> Callable[[str, Any], bool]:
    """Return the function that finds arrays that the model computes itself, which older versions of libraries saved.

    Models of transformers name such arrays; others hold them as buffers that are not saved.
    """
    saved = model.state_dict()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name not in saved}
    patterns = [
        pattern
        for module in model.modules()
        for pattern in getattr(module, "_keys_to_ignore_on_load_unexpected", None) or ()
    ]

    def is_derived(name: str, value: Any) -> bool:
        if any(re.search(pattern, name) for pattern in patterns):
            return True
        return name in buffers and np.array_equal(to_numpy(value, name), to_numpy(buffers[name], name))

    return is_derived


# ---- Keras and Flax NNX, by name


def _into_keras(model: Any, arrays: Mapping[str, Any], path: Path) -> None:
    check_built(model)
    variables = {variable.path.replace("/", "."): variable for variable in model.weights}
    set_by_name(variables, arrays, path, lambda variable, array: variable.assign(array))


def _into_nnx(model: Any, arrays: Mapping[str, Any], path: Path) -> None:
    """Set parameters and running statistics; the state of random generators is not in such files."""
    from flax import nnx

    variables = {
        ".".join(map(str, place)): node
        for place, node in nnx.iter_graph(model)
        if isinstance(node, nnx.Variable) and not isinstance(node, nnx.RngState)
    }
    set_by_name(variables, arrays, path, _set_nnx)


def _set_nnx(variable: Any, array: np.ndarray) -> None:
    import jax.numpy as jnp

    value = jnp.asarray(array, variable.dtype)
    if hasattr(variable, "set_value"):
        variable.set_value(value)
    else:  # before Flax 0.12
        variable.value = value
