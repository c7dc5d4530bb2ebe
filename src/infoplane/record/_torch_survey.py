"""Runs of a PyTorch model on a few inputs, which show the modules that run and the sample axis of each output."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from infoplane.record._notes import NO_SAMPLES
from infoplane.record._torch_closed import hooked
from infoplane.record._torch_taps import Tap, name_path, omissions_of, outputs_of, tensors_of

REPEATING = (nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
             nn.AlphaDropout, nn.FeatureAlphaDropout)  # fmt: skip
"""Modules that give the numbers they get, when a model is evaluated."""


@dataclasses.dataclass
class _Call:
    """A call of a module in a forward pass."""

    module: str
    call: int
    enclosing: tuple["_Call", ...]
    took: tuple[tuple[int, int, int], ...]
    outputs: tuple[tuple[tuple[str, ...], torch.Tensor], ...] = ()
    omissions: tuple[tuple[tuple[str, ...], str], ...] = ()
    gave: tuple[tuple[int, int, int], ...] = ()
    repeats: bool = False
    holds_layers: bool = False


def survey(named: Mapping[str, nn.Module], forward: Callable[[int], Any]) -> list[Tap]:
    """Run the model on two and on three samples and return the outputs of its modules, in the order they finish.

    The sample axis is the axis whose length is 2, then 3. A layer is the output of a module in which no other layer
    runs; a module that repeats the inputs or a layer is not a layer.

    Args:
        named: the modules by name.
        forward: runs the model on so many samples and returns the tensors of these.
    """
    two, three = (_watch(named, lambda n=n: forward(n)) for n in (2, 3))
    others = _outputs(two)
    return _with_layers(three, lambda key, tensor: _growing_axis(others.get(key), tensor))


def survey_batch(named: Mapping[str, nn.Module], forward: Callable[[bool], Any], n_samples: int) -> list[Tap]:
    """Run the model on a whole batch, then on the batch in reverse order, and return the outputs of its modules.

    This is the survey of models that run on one number of inputs alone. The sample axis is the axis as long as the
    batch that reverses with the batch. A model that lets its samples interact, such as a graph network, reverses no
    axis: its sample axis is the first one, if it is as long as the batch and the output depends on the order.

    Args:
        named: the modules by name.
        forward: runs the model on the batch, reversed if told so, and returns its tensors.
        n_samples: number of samples of the batch.
    """
    plain, reverse = (_watch(named, lambda turned=turned: forward(turned)) for turned in (False, True))
    others = _outputs(reverse)
    return _with_layers(plain, lambda key, tensor: _reversing_axis(others.get(key), tensor, n_samples))


def _outputs(calls: Sequence[_Call]) -> dict[Any, torch.Tensor]:
    return {(call.module, call.call, path): tensor for call in calls for path, tensor in call.outputs}


def _with_layers(calls: Sequence[_Call], axis_of: Callable[[Any, torch.Tensor], int | None]) -> list[Tap]:
    """Return the outputs of calls with their sample axes, and tell which of them are layers."""
    found = [
        (
            call,
            [
                _tap(call, path, tensor, axis_of((call.module, call.call, path), tensor))
                for path, tensor in call.outputs
            ],
        )
        for call in calls
    ]
    for call, taps in found:
        if not call.repeats and any(tap.usable and tap.floating for tap in taps):
            for outer in call.enclosing:
                outer.holds_layers = True
    return [tap for call, taps in found for tap in _judged(call, taps)]


def _judged(call: _Call, taps: Sequence[Tap]) -> list[Tap]:
    """Return the outputs of a call, with whether each is a layer, or why it is left out."""
    if call.repeats or call.holds_layers:
        return list(taps)
    others = [
        Tap(call.module, call.call, path, (), None, floating=False, left_out=reason, is_tensor=False)
        for path, reason in call.omissions
    ]
    judged = [
        dataclasses.replace(tap, is_layer=tap.usable, left_out="" if tap.usable else NO_SAMPLES)
        if tap.floating
        else tap
        for tap in taps
    ]
    return judged + others


def _tap(call: _Call, path: tuple[str, ...], tensor: torch.Tensor, axis: int | None) -> Tap:
    return Tap(call.module, call.call, path, tuple(tensor.shape), axis, tensor.is_floating_point())


def _growing_axis(two: torch.Tensor | None, three: torch.Tensor) -> int | None:
    """Return the axis that has the length 2 in one tensor and 3 in the other; None if there is not exactly one."""
    if two is None or two.ndim != three.ndim:
        return None
    differing = [axis for axis, pair in enumerate(zip(two.shape, three.shape, strict=True)) if pair[0] != pair[1]]
    if len(differing) != 1 or (two.shape[differing[0]], three.shape[differing[0]]) != (2, 3):
        return None
    return differing[0]


def _reversing_axis(reverse: torch.Tensor | None, plain: torch.Tensor, n_samples: int) -> int | None:
    """Return the sample axis of an output for a batch, given the output for the batch in reverse order."""
    if reverse is None or reverse.shape != plain.shape:
        return None
    candidates = [axis for axis, length in enumerate(plain.shape) if length == n_samples]
    for axis in candidates:
        if torch.allclose(plain.flip(axis), reverse, rtol=1e-4, atol=1e-6, equal_nan=True):
            return axis
    return 0 if 0 in candidates and not torch.equal(plain, reverse) else None


def _watch(named: Mapping[str, nn.Module], run: Callable[[], Sequence[torch.Tensor]]) -> list[_Call]:
    """Run the model once and return the calls of its modules, in the order they finish."""
    open_: list[_Call] = []
    finished: list[_Call] = []
    count = dict.fromkeys(named, 0)

    def enter(name: str, inputs: Any) -> None:
        count[name] += 1
        open_.append(_Call(name, count[name], tuple(open_), tuple(_identity(t) for _, t in tensors_of(inputs))))

    def leave(name: str, _: Any, output: Any) -> None:
        while (call := open_.pop()).module != name:
            pass  # a call that failed, and whose error the model caught
        call.outputs = tuple(
            outputs_of(named[name], output)
        )  # held, so that no other tensor takes their place in memory
        call.omissions = tuple((name_path(named[name], path), reason) for path, reason in omissions_of(output))
        call.gave = tuple(_identity(tensor) for _, tensor in call.outputs)
        finished.append(call)

    with hooked(named, leave, enter):
        known = {_identity(tensor) for tensor in run()}
    for call in finished:
        call.repeats = isinstance(named[call.module], REPEATING) and known.issuperset(call.took)
        known.update(call.gave)
    return finished


def _identity(tensor: torch.Tensor) -> tuple[int, int, int]:
    """Tell which numbers a tensor holds: their place in memory, how many, how often they were overwritten."""
    return tensor.data_ptr(), tensor.numel(), 0 if tensor.is_inference() else tensor._version
