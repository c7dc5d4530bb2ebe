"""The state of a PyTorch model and its inputs while it is measured; afterwards the model is as it was."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from infoplane._arrays import to_numpy
from infoplane.errors import InputError
from infoplane.record._torch_closed import running_eagerly


@contextlib.contextmanager
def measured_state(model: nn.Module, *, batch_statistics: bool = False) -> Iterator[None]:
    """Evaluate without gradients, and give everything back: training modes, buffers, random state.

    Args:
        model: what is evaluated.
        batch_statistics: whether batch norms use the statistics of each batch instead of the running ones.

    Raises:
        InputError: for a model whose weights do not exist yet.
    """
    tensors = [*model.parameters(), *model.buffers()]
    _refuse_missing(tensors)
    modules = list(model.modules())
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.callback(torch.clear_autocast_cache)  # it keeps half-precision weights that lead to no gradient
        _fork_random_state(stack, tensors)
        stack.enter_context(_kept_buffers(modules))
        for norm in batch_norms(modules) if batch_statistics else []:  # _kept_buffers puts them back
            norm._buffers["running_mean"] = norm._buffers["running_var"] = None
        # the attribute and not eval(): a model that overrides it, to keep a part frozen or to merge weights, would
        # not come back bit by bit
        stack.enter_context(_with(modules, "training", False))
        # packed sequences would pass by the modules inside, and differ from what is trained
        packing = [module for module in modules if isinstance(module, nn.TransformerEncoder)]
        stack.enter_context(_with(packing, "use_nested_tensor", False))
        stack.enter_context(running_eagerly(modules))
        yield


def batch_norms(modules: Iterable[nn.Module]) -> list[nn.Module]:
    """Return the batch norms that keep running statistics."""
    kind = nn.modules.batchnorm._BatchNorm
    return [m for m in modules if isinstance(m, kind) and m.running_mean is not None and m.running_var is not None]


def has_initial_statistics(norm: Any) -> bool:
    """Say whether a batch norm has seen no batch yet: its running means are 0 and its running variances 1."""
    return not bool(norm.running_mean.any()) and bool((norm.running_var == 1).all())


def _refuse_missing(tensors: Sequence[torch.Tensor]) -> None:
    if any(nn.parameter.is_lazy(tensor) for tensor in tensors):
        raise InputError(
            "the model has lazy layers whose weights do not exist yet; give it one batch before it is measured"
        )
    if any(tensor.is_meta for tensor in tensors):
        raise InputError("the model's weights are on device 'meta' and hold no numbers; load them first")


@contextlib.contextmanager
def kept_random_state(model: nn.Module) -> Iterator[None]:
    """Give back the random state as it was."""
    with contextlib.ExitStack() as stack:
        _fork_random_state(stack, [*model.parameters(), *model.buffers()])
        yield


def _fork_random_state(stack: contextlib.ExitStack, tensors: Sequence[torch.Tensor]) -> None:
    """Give back the random state of the CPU and of every device that the model lies on."""
    stack.enter_context(torch.random.fork_rng(devices=[]))
    accelerators = {tensor.device for tensor in tensors if tensor.device.type != "cpu"}
    for device in sorted(accelerators, key=str):
        stack.enter_context(torch.random.fork_rng(devices=[device], device_type=device.type))


@contextlib.contextmanager
def _with(modules: Iterable[nn.Module], attribute: str, value: bool) -> Iterator[None]:
    """Set an attribute of modules, and give each its own value back."""
    before = [(module, getattr(module, attribute)) for module in modules]
    try:
        for module, _ in before:
            setattr(module, attribute, value)
        yield
    finally:
        for module, own in before:
            setattr(module, attribute, own)


@contextlib.contextmanager
def _kept_buffers(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Give back the buffers that evaluation changes, such as counters and caches.

    Those that are unchanged stay untouched, since writing even the same numbers would spoil a pending backward pass.
    """
    kept = [
        (module, name, buffer, None if buffer is None else (buffer.detach().clone(), buffer._version))
        for module in modules
        for name, buffer in module._buffers.items()
    ]
    try:
        yield
    finally:
        for module, name, buffer, before in kept:
            if before is not None and buffer is not None and buffer._version != before[1]:
                buffer.copy_(before[0])
            module._buffers[name] = buffer


class Inputs:
    """Turns batches of inputs into what the model's ``forward`` takes.

    Attributes:
        devices: where the model lies, its first weight's first; empty for a model without weights.
        dtype: the floating type of its weights, None where it has none.
        move: whether tensors are copied to the model's device and floating type, as NumPy arrays are.
    """

    def __init__(self, model: nn.Module, move: bool) -> None:
        tensors = [*model.parameters(), *model.buffers()]
        self.devices = list(dict.fromkeys(tensor.device for tensor in tensors))
        self.dtype = next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), None)
        self.move = move

    def adopt(self, batch: Any) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
        """Return the positional and keyword arguments, copies all: a model may write into its inputs.

        Raises:
            InputError: for tensors on another device than the model, or what cannot be a tensor.
        """
        if isinstance(batch, Mapping):
            return (), {str(key): self._adopt(part, f"inputs[{key!r}]") for key, part in batch.items()}
        if isinstance(batch, tuple):
            return tuple(self._adopt(part, f"inputs[{place}]") for place, part in enumerate(batch)), {}
        return (self._adopt(batch, "inputs"),), {}

    def _adopt(self, part: Any, argument: str) -> torch.Tensor:
        if not isinstance(part, torch.Tensor):
            return self._moved(_as_tensor(part, argument))
        if self.move:
            return self._moved(part)
        if self.devices and part.device not in self.devices:
            home = self.devices[0]
            raise InputError(
                f"{argument} are on device '{part.device}', the model is on '{home}'; call .to('{home}') on the inputs"
            )
        return part.detach().clone()

    def _moved(self, part: torch.Tensor) -> torch.Tensor:
        dtype = self.dtype if part.is_floating_point() and self.dtype is not None else part.dtype
        return part.detach().to(device=self.devices[0] if self.devices else part.device, dtype=dtype, copy=True)

    def differ(self, tensors: Sequence[torch.Tensor], error: Exception) -> str:
        """Say how the type of the arguments differs from the model's, where that can be what failed; else empty.

        Whole numbers differ from the weights of an embedding too, so that the error has to speak of types.
        """
        is_of_types = "dtype" in str(error) or "scalar type" in str(error)
        others = [
            tensor.dtype
            for tensor in tensors
            if tensor.dtype != self.dtype and (is_of_types or tensor.is_floating_point())
        ]
        if not others or self.dtype is None:
            return ""
        return f"inputs are {others[0]}, the model's weights {self.dtype}; call .to({self.dtype}) on the inputs"


def _as_tensor(part: Any, argument: str) -> torch.Tensor:
    array = to_numpy(part, argument)
    if array.dtype.kind in "US":
        raise InputError(f"{argument} hold strings (dtype {array.dtype}); expected numbers")
    return torch.tensor(np.ascontiguousarray(array, array.dtype.newbyteorder("=")))


def pick(batch: Any, order: torch.Tensor) -> Any:
    """Return copies of these samples of a batch of arguments, in this order."""
    if isinstance(batch, torch.Tensor):
        return batch[order.to(batch.device)]
    if isinstance(batch, Mapping):
        return {key: pick(part, order) for key, part in batch.items()}
    return tuple(pick(part, order) for part in batch)
