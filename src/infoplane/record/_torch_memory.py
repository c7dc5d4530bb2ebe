"""The memory of a PyTorch model's forward pass, measured on a few inputs."""

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that are made while it is active, as long as they live.

    Args:
        known: storages that exist already, such as those of the weights.
    """

    def __init__(self, known: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self._known = {tensor.untyped_storage()._cdata for tensor in known}
        self.live = self.peak = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep the compiler of PyTorch out of this, whose import takes seconds: no compiled code runs here."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, self.live)
        return output

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known.add(key)
            self.live += size
            weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def bytes_per_sample(forward: Callable[[int], Any], known: Iterable[torch.Tensor]) -> float:
    """Return the bytes by which the peak of a forward pass grows with each sample.

    Work space inside of operations, such as that of a convolution, is not included.

    Args:
        forward: runs the model on so many samples.
        known: tensors that exist before and after, such as weights.
    """
    known, peaks = list(known), []
    for n in (2, 3):
        with _LiveBytes(known) as counter:
            forward(n)
        peaks.append(counter.peak)
    return float(max(peaks[1] - peaks[0], 0))
