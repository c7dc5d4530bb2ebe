"""Sees into PyTorch models: which modules are layers, and what they give for a batch of inputs."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped

from infoplane.errors import InputError
from infoplane.record._notes import OUTPUT_LAYER, behind_initial_norms, left_out, output_among
from infoplane.record._torch_closed import ROOT, closed_parts, hooked, refuse_closed, unwrapped, without_hidden
from infoplane.record._torch_memory import bytes_per_sample
from infoplane.record._torch_state import (
    Inputs,
    batch_norms,
    has_initial_statistics,
    kept_random_state,
    measured_state,
    pick,
)
from infoplane.record._torch_survey import survey, survey_batch
from infoplane.record._torch_taps import Tap, check_layers, choose, named_modules, omitted, outputs_of, tensors_of
from infoplane.record._units import Units
from infoplane.record.probes import SIZE_ERRORS, Evaluate

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

    **Which layers.** By default every module in which no other layer runs (Linear, Conv2d, Tanh, BatchNorm2d,
    MultiheadAttention…), in the order they finish. In a model of more than 20 layers that stacks blocks in a
    Sequential or ModuleList, the default is the output of each block, which is the residual stream, and the layers
    outside of blocks that do not normalize; ``"all"`` takes every layer. Identity, Flatten and Dropout are left out
    where they only repeat the inputs or a layer; a Dropout that gets the result of a function, as in
    ``self.dropout(F.relu(self.linear(x)))``, is where that result is seen. What ``forward`` computes by functions
    alone is no module and not seen; make it a module (``nn.ReLU()``) to measure it.

    **Names** are the module's (``encoder.0.linear1``), ``act#2`` for the second time a module runs in one forward
    pass, ``rnn.output``, ``rnn.h`` and ``rnn.c`` for the parts of a recurrent module, ``block.0`` or ``head.logits``
    for those of a tuple, mapping or dataclass, ``conv[3]`` for a channel; ``output`` is what the whole model gives.
    Outputs that are not tensors, packed sequences, and outputs without an axis of samples are left out; the attribute
    ``left_out`` of the result names them, and `ip.show` too.

    **Batch by batch**, each layer is reduced on the model's device, then copied to host memory: float64 as it is,
    float16 and bfloat16 as float32. The sample may be any axis; the one that grows with the batch is found.

    Hooks are on the model only inside `measuring`. It evaluates without gradients in evaluation mode; afterwards each
    module's training mode, the buffers and the random state are what they were.

    Args:
        model: any module; inside ``torch.compile`` or ``DistributedDataParallel`` the original one is measured.
        layers: None or "all"; names; patterns; types such as ``nn.Linear``; or a list of these. ``"encoder.*"`` takes
            every layer inside; another pattern is compared level by level, ``"layer?.?"`` with the blocks of each
            stage. ``"!pos"`` leaves out what fits, and all inside. The name of a module takes all that it gives.
        channels: what becomes of outputs (sample, channel, …): "flatten" takes all numbers as one vector, "mean"
            averages each channel over space, "pool" over the two halves of each axis, "each" makes every channel a
            layer of its own.
        positions: what becomes of sequences (sample, position, feature): "flatten", "mean" over the positions, or the
            place of one (−1 the last). When it is given, outputs of three axes are sequences; otherwise ``channels``
            treats them as (sample, channel, position), which is what Conv1d gives.
        move_inputs: copy tensors to the model's device and floating type, as NumPy arrays always are; without it
            tensors on another device are refused.
        arguments: keyword arguments that are the same for every batch, such as ``{"edge_index": edges}`` for a graph
            network. They are passed on as they are.
        batch_statistics: batch norms use the mean and variance of each batch, as in training, instead of the running
            ones, which are 0 and 1 at epoch 0. An activation then depends on the other inputs of its batch; the
            attribute ``batch_statistics`` of the result states the size of the batches.

    Attributes:
        exact_batch: never run the model on fewer inputs than it is given; see `Recorder`.
        bytes_per_sample: memory of a forward pass for one sample, by the shape of the inputs.
        notes: what the last measurement showed: ``output_layer`` and ``left_out``, attributes of the result.
        initial_statistics: layers at or behind a batch norm that has seen no batch yet, in the last measurement.

    Raises:
        InputError: for layers that fit nothing (lists the names) or options that are none of these.
    """

    def __init__(
        self,
        model: Any,
        layers: Any = None,
        *,
        channels: Any = "flatten",
        positions: Any = None,
        move_inputs: bool = False,
        arguments: Any = None,
        batch_statistics: bool = False,
    ) -> None:
        self.units = Units(channels, positions)
        self.model = unwrapped(model)
        named = named_modules(self.model)
        closed = closed_parts(named)
        self.named = without_hidden(named, closed)
        refuse_closed(self.named, closed, layers)
        self.wanted = check_layers(self.named, layers)
        self.move_inputs = move_inputs
        self.arguments = as_arguments(arguments)
        self.exact_batch = False
        self.bytes_per_sample: dict[Any, float] = {}
        self.batch_statistics = batch_statistics
        self.initial_statistics: frozenset[str] = frozenset()
        self.notes: dict[str, str] = {}

    @contextlib.contextmanager
    def measuring(self) -> Iterator[Evaluate]:
        """Bring the model into the state in which it is measured, and afterwards back into its own.

        Yields a function that takes a batch of inputs and gives {layer: activations of shape (sample, unit)}.

        Raises:
            InputError: for weights that hold no numbers.
        """
        self.notes = {}
        with measured_state(self.model, batch_statistics=self.batch_statistics), contextlib.ExitStack() as hooks:
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


def as_arguments(arguments: Any) -> dict[str, Any]:
    """Return the keyword arguments that are the same for every batch.

    Raises:
        InputError: for an object that is not a mapping.
    """
    if arguments is not None and not isinstance(arguments, Mapping):
        raise InputError(
            f"arguments: expected a mapping of keyword arguments, got {type(arguments).__name__}. Pass a mapping such "
            'as {"edge_index": edges}.'
        )
    return {str(name): value for name, value in (arguments or {}).items()}


class _Evaluation:
    """Runs the model on batches, with hooks on the wanted modules that stay until ``hooks`` is closed."""

    def __init__(self, probe: TorchProbe, inputs: Inputs, hooks: contextlib.ExitStack) -> None:
        self._probe, self._inputs, self._hooks = probe, inputs, hooks
        self._taps: dict[str, list[Tap]] = {}  # by module, once the first batch has shown what there is
        self._calls: dict[str, int] = {}
        self._found: dict[str, Shaped[np.ndarray, "sample unit"]] = {}

    @property
    def notes(self) -> dict[str, str]:
        """Attributes of the result."""
        return self._probe.notes

    @property
    def batch_statistics(self) -> bool:
        """Whether an activation depends on the other inputs of its batch."""
        return self._probe.batch_statistics

    @property
    def initial_statistics(self) -> frozenset[str]:
        """The layers at or behind a batch norm that has seen no batch yet."""
        return self._probe.initial_statistics

    def __call__(self, batch: Any) -> dict[str, Shaped[np.ndarray, "sample unit"]]:
        """Give what each layer gives for a batch, in the order they run."""
        args, kwargs = self._inputs.adopt(batch)
        if not self._taps:
            self._look_around(args, kwargs)
        self._calls, self._found = dict.fromkeys(self._taps, 0), {}
        returned = self._forward(args, kwargs)
        if OUTPUT_LAYER not in self._probe.notes:
            self._note_output(returned, len(next(iter((*args, *kwargs.values())))))
        return self._found

    def trial(self, batch: Any) -> None:
        """Run the model on a batch without any effect on the random numbers of later batches."""
        with kept_random_state(self._probe.model):
            self(batch)

    def bytes_per_sample(self, batch: Any) -> float:
        """Return the memory of one sample in a batch: of the forward pass and of the recorded activations.

        It is measured once for each shape of the inputs; 0 if it cannot be measured.
        """
        args, kwargs = self._inputs.adopt(batch)
        parts = [*args, *kwargs.values()]
        key = tuple(tuple(part.shape[1:]) for part in parts)
        if key not in self._probe.bytes_per_sample:
            model = self._probe.model
            known = [*model.parameters(), *model.buffers(), *parts]

            def forward(n: int) -> None:
                order = torch.arange(n) % len(parts[0])
                self._calls, self._found = dict.fromkeys(self._taps, 0), {}
                self._forward(pick(args, order), pick(kwargs, order))

            try:
                with kept_random_state(model):
                    self._probe.bytes_per_sample[key] = bytes_per_sample(forward, known)
            except SIZE_ERRORS:
                self._probe.bytes_per_sample[key] = 0.0
            self._found = {}
        return self._probe.bytes_per_sample[key]

    def _note_output(self, returned: Any, n_samples: int) -> None:
        """Note which layer the model returns: of several tensors "logits", or the first that has samples."""
        tensors = [(p, t) for p, t in tensors_of(returned) if t.is_floating_point() and n_samples in t.shape]
        tensor = next((t for path, t in tensors if path[-1:] == ("logits",)), tensors[0][1] if tensors else None)
        names: list[str | None] = [] if tensor is not None else [""]
        for axis, length in enumerate(() if tensor is None else tensor.shape):
            if tensor is not None and length == n_samples:
                parts = self._probe.reduce(tensor, Tap(ROOT, 1, (), tuple(tensor.shape), axis, floating=True))
                last = [*parts.values()][-1]  # of several channels, which are layers of their own
                names.append(output_among(self._found, last.reshape(len(last), -1).cpu().numpy()))
        if known := [name for name in names if name is not None]:
            self._probe.notes[OUTPUT_LAYER] = max(known)  # a name comes after the empty one

    def _look_around(self, args: Arguments, kwargs: Keywords) -> None:
        modules = self._probe.named
        taps = self._survey(args, kwargs)
        self._probe.initial_statistics = behind_initial_norms(
            [tap.module for tap in taps],
            [tap.name for tap in taps],
            [name for name, module in modules.items() if batch_norms([module]) and has_initial_statistics(module)],
        )
        self._probe.notes |= left_out(omitted(taps, self._probe.wanted))
        for tap in choose([tap for tap in taps if tap.is_tensor], self._probe.wanted, modules):
            self._taps.setdefault(tap.module, []).append(tap)
        wanted = {name: modules[name] for name in self._taps}
        self._hooks.enter_context(hooked(wanted, lambda name, _, output: self._see(name, output)))

    def _survey(self, args: Arguments, kwargs: Keywords) -> list[Tap]:
        """Run the model on two and three samples, or on the whole batch if it runs on no other number."""

        def run(order: torch.Tensor) -> list[torch.Tensor]:
            some, named = pick(args, order), pick(kwargs, order)
            self._forward(some, named)
            return [*some, *named.values()]

        modules, n_samples = self._probe.named, len(next(iter((*args, *kwargs.values()))))
        every = torch.arange(n_samples)
        if not self._probe.exact_batch:
            try:
                return survey(modules, lambda n: run(torch.arange(n) % n_samples))
            except SIZE_ERRORS:
                if n_samples <= 3:
                    raise
        return survey_batch(modules, lambda turned: run(every.flip(0) if turned else every), n_samples)

    def _see(self, module: str, output: Any) -> None:
        """Keep a module's output as it is now: a later module may overwrite it."""
        self._calls[module] += 1
        parts = dict(outputs_of(self._probe.named[module], output))
        for tap in self._taps[module]:
            if tap.call == self._calls[module] and tap.path in parts:
                for name, rows in self._probe.reduce(parts[tap.path], tap).items():
                    # turned over here, where it is quick: the recorder keeps each unit's values together
                    units = rows.reshape(len(rows), -1).t().clone(memory_format=torch.contiguous_format)
                    self._found[name] = units.cpu().numpy().T

    def _forward(self, args: Arguments, kwargs: Keywords) -> Any:
        try:
            return self._probe.model(*args, **kwargs, **self._probe.arguments)
        except RuntimeError as error:
            difference = self._inputs.differ([*args, *kwargs.values()], error)
            if difference:
                raise InputError(f"{difference} ({error})") from error
            raise
