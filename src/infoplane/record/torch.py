"""Sees into PyTorch models: which modules are layers, and what they give for a batch of inputs."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import nn

from infoplane.errors import InputError
from infoplane.record._torch_state import Inputs, few, measured_state, unwrapped
from infoplane.record._torch_taps import Tap, check_layers, choose, named_modules, survey, tensors_of
from infoplane.record._units import Units
from infoplane.record.probes import Evaluate

Arguments = tuple[torch.Tensor, ...]
Keywords = dict[str, torch.Tensor]


class TorchProbe:
    """Sees into a PyTorch module; `Recorder.attach` makes one of it.

    For example, every tanh of a network and its last module, which is named "3"::

        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.Tanh(), nn.Linear(20, 10))
        recorder = ip.Recorder(images, digits, schedule="every")
        with recorder.attach(model, layers=[nn.Tanh, "3"]):
            recorder.step(0)
            for epoch in range(1, 11):
                train_one_epoch(model)
                recorder.step(epoch)
        ip.plot_plane(recorder.results())

    **Which layers.** All of them, when nothing is said: every module in which no other layer runs (Linear, Conv2d,
    Tanh, BatchNorm2d, MultiheadAttention…), in the order they finish. Identity, Flatten and Dropout are left out
    where they only repeat the inputs or a layer; a Dropout that gets the result of a function, as in
    ``self.dropout(F.relu(self.linear(x)))``, is where that result is seen. What ``forward`` computes by functions
    alone is no module and not seen; make it a module (``nn.ReLU()``) to measure it.

    **Names** are the module's (``encoder.0.linear1``), ``act#2`` for the second time a module runs in one forward
    pass, ``rnn.0`` or ``head.logits`` for parts of a tuple or mapping, ``conv[3]`` for a channel; ``output`` is what
    the whole model gives. Outputs that are not tensors are skipped.

    **Batch by batch**, each layer is reduced on the model's device, then copied to host memory: float64 as it is,
    float16 and bfloat16 as float32. The sample may be any axis; the one that grows with the batch is found.

    Hooks are on the model only inside `measuring`. It evaluates without gradients in evaluation mode; afterwards each
    module's training mode, the buffers and the random state are what they were.

    Args:
        model: any module; inside ``torch.compile`` or ``DistributedDataParallel`` the original one is measured.
        layers: None or "all"; names; patterns such as ``"encoder.*"``, which pick among all layers, and among the
            other modules where they fit none; types such as ``nn.Linear``; or a list of these. The name of a module
            takes all that it gives.
        channels: what becomes of outputs (sample, channel, …): "flatten" takes all numbers as one vector, "mean"
            averages each channel over space, "each" makes every channel a layer of its own.
        positions: what becomes of sequences (sample, position, feature): "flatten", "mean" over the positions, or the
            place of one (−1 the last). When it is given, outputs of three axes are sequences; otherwise ``channels``
            treats them as (sample, channel, position), which is what Conv1d gives.
        move_inputs: copy tensors to the model's device and floating type, as NumPy arrays always are; without it
            tensors on another device are refused.

    Raises:
        InputError: for layers that fit nothing (lists the names) or options that are none of these.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Any = None,
        *,
        channels: Any = "flatten",
        positions: Any = None,
        move_inputs: bool = False,
    ) -> None:
        self.units = Units(channels, positions)
        self.model = unwrapped(model)
        self.named = named_modules(self.model)
        self.wanted = check_layers(self.named, layers)
        self.move_inputs = move_inputs

    @contextlib.contextmanager
    def measuring(self) -> Iterator[Evaluate]:
        """Bring the model into the state in which it is measured, and afterwards back into its own.

        Yields a function that takes a batch of inputs and gives {layer: activations of shape (sample, unit)}.

        Raises:
            InputError: for weights that hold no numbers.
        """
        with measured_state(self.model), contextlib.ExitStack() as hooks:
            yield _Evaluation(self, Inputs(self.model, self.move_inputs), hooks)

    def reduce(self, output: torch.Tensor, tap: Tap) -> dict[str, Shaped[torch.Tensor, "sample *unit"]]:
        """Give the layers that one tensor makes up, on its own device, no less than float32."""
        assert tap.axis is not None
        rows = output.detach().movedim(tap.axis, 0)
        if not rows.is_floating_point():
            rows = rows.double()
        elif rows.element_size() < 4:
            rows = rows.float()
        is_sequence = rows.ndim == 3 and self.units.positions is not None
        parts = self.units.of(rows, channels_first=not is_sequence)
        return {f"{tap.name}{suffix}": part for suffix, part in parts.items()}


class _Evaluation:
    """Runs the model on batches, with hooks on the wanted modules that stay until ``hooks`` is closed."""

    def __init__(self, probe: TorchProbe, inputs: Inputs, hooks: contextlib.ExitStack) -> None:
        self._probe, self._inputs, self._hooks = probe, inputs, hooks
        self._taps: dict[str, list[Tap]] = {}  # by module, once the first batch has shown what there is
        self._calls: dict[str, int] = {}
        self._found: dict[str, Shaped[np.ndarray, "sample unit"]] = {}

    def __call__(self, batch: Any) -> dict[str, Shaped[np.ndarray, "sample unit"]]:
        """Give what each layer gives for a batch, in the order they run."""
        args, kwargs = self._inputs.adopt(batch)
        if not self._taps:
            self._look_around(args, kwargs)
        self._calls, self._found = dict.fromkeys(self._taps, 0), {}
        self._forward(args, kwargs)
        return self._found

    def _look_around(self, args: Arguments, kwargs: Keywords) -> None:
        def run_few(n_samples: int) -> list[torch.Tensor]:
            some, named = few(args, n_samples), few(kwargs, n_samples)
            self._forward(some, named)
            return [*some, *named.values()]

        modules = self._probe.named
        for tap in choose(survey(modules, run_few), self._probe.wanted, modules):
            self._taps.setdefault(tap.module, []).append(tap)
        for name in self._taps:
            hook = modules[name].register_forward_hook(lambda _m, _x, output, name=name: self._see(name, output))
            self._hooks.callback(hook.remove)

    def _see(self, module: str, output: Any) -> None:
        """Keep a module's output as it is now: a later module may overwrite it."""
        self._calls[module] += 1
        parts = dict(tensors_of(output))
        for tap in self._taps[module]:
            if tap.call == self._calls[module] and tap.path in parts:
                for name, rows in self._probe.reduce(parts[tap.path], tap).items():
                    # turned over here, where it is quick: the recorder keeps each unit's values together
                    units = rows.reshape(len(rows), -1).t().clone(memory_format=torch.contiguous_format)
                    self._found[name] = units.cpu().numpy().T

    def _forward(self, args: Arguments, kwargs: Keywords) -> None:
        try:
            self._probe.model(*args, **kwargs)
        except RuntimeError as error:
            difference = self._inputs.differ([*args, *kwargs.values()], error)
            if difference:
                raise InputError(f"{difference} ({error})") from error
            raise
