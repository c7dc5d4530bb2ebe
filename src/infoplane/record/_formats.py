"""Puts the weights of one checkpoint file into a model, running nothing that the file holds."""

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from infoplane import files
from infoplane._arrays import to_numpy
from infoplane.errors import InputError
from infoplane.record import _safetensors
from infoplane.record._keras_files import check_built, load_keras
from infoplane.record._names import SHOWN, aligned, check_names, damaged, misfit, set_by_name, some

ENDINGS = (".safetensors", ".weights.h5", ".keras", ".pt", ".pth", ".bin", ".ckpt")
"""Endings of the files that can be read: safetensors; Keras 3; PyTorch, of which Lightning's is one."""

SAFE_TORCH = (2, 10)
"""PyTorch that reads a state_dict without a known way to run code (older: CVE-2025-32434, CVE-2026-24747)."""

STATES = ("state_dict", "model_state_dict", "model")
"""Where the weights stand in a file that holds more than them; the first is Lightning's."""

Load = Callable[[Path], Any]
"""Takes a checkpoint file and gives the model with its weights in it."""


def loader_of(model: Any) -> Load:
    """Return the function that gives the model as it was saved in a file.

    Args:
        model: a PyTorch, Keras or Flax NNX model, which the function changes; a function without arguments that
            makes one; or a function of the weights, {name: NumPy array}, that gives a function of the inputs.

    Raises:
        InputError: for anything else, or when the model cannot be made.
    """
    if _framework(model):
        return lambda path: load_into(model, path)
    if not callable(model):
        raise InputError(f"model is a {type(model).__name__}; expected a model, or a function that makes one")
    needed = _needed_arguments(model)
    if needed and (len(needed) > 1 or isinstance(model, type)):
        raise InputError(f"model needs the arguments {', '.join(needed)}; give lambda: {_name(model)}(…)")
    if needed:
        return lambda path: _from_arrays(model, path)
    made = model()
    if not _framework(made):
        raise InputError(
            f"model: {_name(model)}() gave a {type(made).__name__}; expected a PyTorch, Keras or NNX model"
        )
    return lambda path: load_into(made, path)


def load_into(model: Any, path: Path) -> Any:
    """Put the weights of a file into a model of a framework and return the model.

    Raises:
        InputError: when the file cannot be read safely, or its weights do not fit; names the file.
        StoreError: when the system cannot read it.
    """
    framework = _framework(model)
    if path.name.endswith((".keras", ".weights.h5")):
        if framework != "keras":
            raise InputError(f"{path}: holds Keras weights, which fit Keras models only; save it as safetensors")
        load_keras(model, path)
    else:
        into = {"torch": _into_torch, "keras": _into_keras, "flax": _into_nnx}[framework]
        into(model, read_arrays(path), path)
    return model


def read_arrays(path: Path) -> Mapping[str, Any]:
    """Return the weights of a safetensors or PyTorch file by name.

    Raises:
        InputError: when it is damaged, or holds what could run code.
    """
    return _safetensors.read(path) if path.name.endswith(".safetensors") else _read_torch(path)


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


def _from_arrays(function: Any, path: Path) -> Any:
    if path.name.endswith((".keras", ".weights.h5")):
        raise InputError(f"{path}: holds Keras weights, which fit Keras models only; save it as safetensors")
    made = function({name: to_numpy(value, f"{path}: {name}") for name, value in read_arrays(path).items()})
    if _framework(made) or not callable(made):
        raise InputError(
            f"model: {_name(function)}(weights) gave a {type(made).__name__}; expected a function of the inputs that "
            "gives {layer: activations}; a function that makes a model takes no argument"
        )
    return made


# ---- PyTorch


def _read_torch(path: Path) -> Mapping[str, Any]:
    """Return the state_dict of a PyTorch file, its tensors in main memory."""
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
    return _state_in(content, path)


def _state_in(content: Any, path: Path) -> Mapping[str, Any]:
    """Find the weights among what a PyTorch file holds."""
    if isinstance(content, Mapping):
        states = [content[key] for key in STATES if isinstance(content.get(key), Mapping)]
        state = states[0] if states else content
        if all(isinstance(name, str) for name in state) and any(hasattr(value, "shape") for value in state.values()):
            return state
    held = f"a table of {some(content)}" if isinstance(content, Mapping) else f"a {type(content).__name__}"
    raise InputError(f"{path}: holds {held}; expected a state_dict, alone or under {', '.join(map(repr, STATES))}")


def _into_torch(model: Any, state: Mapping[str, Any], path: Path) -> None:
    import torch

    state = aligned(state, model.state_dict())
    if any(isinstance(value, np.ndarray) for value in state.values()):
        state = {name: torch.from_numpy(value) for name, value in state.items()}
    try:
        left = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        wrong = [line.strip() for line in str(error).splitlines() if "mismatch" in line] or str(error).splitlines()[:1]
        raise misfit(path, "; ".join(wrong[:SHOWN])) from None
    check_names(path, left.missing_keys, left.unexpected_keys)


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
