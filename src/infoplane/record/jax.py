"""Sees into Flax NNX models; any other JAX program gives its layers by a function.

A function takes a batch of inputs and gives ``{layer's name: activations}``; compile it once, outside the loop, and
hand it the parameters of the moment::

    activations = jax.jit(lambda params, x: {"hidden": hidden(params, x), "logits": logits(params, x)})
    recorder.step(epoch, functools.partial(activations, params))

The layers of a compiled function come in the order of their names, since JAX sorts the keys of a dictionary.
"""

import contextlib
import functools
import itertools
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from infoplane.errors import InputError
from infoplane.record._calls import ROOT, Calls, check_layers, choose, note_output, watching, without_constants
from infoplane.record._notes import LEFT_OUT, behind_initial_norms, left_out
from infoplane.record._units import Units
from infoplane.record.probes import Evaluate, Evaluation

DRAWS = 1000
"""How far the count of a random stream moves from batch to batch: more than a forward pass draws from it."""


class NnxProbe:
    """Sees what the modules of a Flax NNX model give when it is called in evaluation mode.

    Layers go by their paths, ``encoder.layers.0``, in the order they finish; a module's second call is
    ``name#2``, the model as a whole ``output``. What a function computes between modules, such as
    ``nnx.relu(self.linear(x))``, belongs to no module: ``linear`` is then the value before the activation.

    A copy of the model is evaluated, compiled once: batch statistics, counts of random streams and modes of the
    model itself are not touched.

    Args:
        model: its ``__call__`` takes the inputs alone; a tuple of inputs are several arguments, a mapping named ones.
        layers: None or "all" for every module that computes something and within which no other such module
            runs (Flax's own attention and recurrent modules count as one); names, patterns, or subclasses of
            ``nnx.Module``.
        channels: "flatten", "mean", "pool" or "each"; what to do with (sample, …, channel), see `Units`.
        positions: "flatten", "mean" or a number; what to do with sequences (sample, position, feature).
        batch_statistics: batch norms use the mean and variance of each batch, as in training, instead of the running
            ones, which are 0 and 1 at epoch 0; see `infoplane.record.torch.TorchProbe`.

    Raises:
        InputError: for layers that fit no module (lists the names), or an unknown option.
    """

    def __init__(
        self,
        model: nnx.Module,
        layers: Any = None,
        *,
        channels: Any = "flatten",
        positions: Any = None,
        batch_statistics: bool = False,
    ) -> None:
        self.model = model
        self.batch_statistics = batch_statistics
        self._order: list[str] = []
        self.units = Units(channels, positions)
        self._wanted = check_layers(list(_callables(model)), layers, nnx.Module)
        self._keep: frozenset[str] | None = None
        self.notes: dict[str, str] = {}
        self._compiled = jax.jit(self._forward, static_argnums=(0, 1))

    @contextlib.contextmanager
    def measuring(self) -> Iterator[Evaluate]:
        """Give the evaluation of a copy of the model as it is now."""
        self.notes = {key: text for key, text in self.notes.items() if key == LEFT_OUT}  # the output is noted anew
        copy = nnx.clone(self.model)
        copy.eval()
        norms = {path: node for path, node in _callables(copy).items() if isinstance(node, nnx.BatchNorm)}
        for norm in norms.values() if self.batch_statistics else ():
            norm.use_running_average = False
        initial = [] if self.batch_statistics else [path for path, norm in norms.items() if _is_initial(norm)]
        graph, counts, state = nnx.split(copy, nnx.RngCount, ...)
        calls = itertools.count()

        def evaluate(inputs: Any) -> Mapping[str, Any]:
            # each batch draws noise of its own, as it does in the framework, and the same in every measurement
            by = next(calls) * DRAWS
            advanced = jax.tree.map(lambda count: count + by, counts)
            return self._evaluate(graph, (advanced, state), inputs)

        yield Evaluation(
            evaluate,
            self.notes,
            batch_statistics=self.batch_statistics,
            behind=lambda: behind_initial_norms(self._order, self._order, initial),
        )

    def _evaluate(self, graph: Any, state: Any, inputs: Any) -> Mapping[str, Any]:
        args, kwargs = _arguments(inputs)
        try:
            if self._keep is None:
                self._keep = self._choose(graph, state, args, kwargs)
            kept, returned = self._compiled(graph, self._keep, state, args, kwargs)
        except InputError:
            raise
        except (TypeError, ValueError) as error:
            shapes = [jax.numpy.shape(part) for part in (*args, *kwargs.values())]
            text = f"the model cannot be called with inputs of shape {', '.join(map(str, shapes))}: {error}"
            raise InputError(text) from error
        note_output(self.notes, kept, returned, np.asarray)
        return kept

    def _choose(self, graph: Any, state: Any, args: Any, kwargs: Any) -> frozenset[str]:
        calls: list[Calls] = []
        run = functools.partial(self._run, graph, frozenset())
        jax.eval_shape(lambda *given: calls.append(run(*given)), state, args, kwargs)
        with contextlib.suppress(TypeError, ValueError):  # a model for one number of inputs
            jax.eval_shape(lambda *given: calls.append(run(*given)), state, *jax.tree.map(_one_more, (args, kwargs)))
            calls[0].left_out += without_constants(calls[0].seen, calls[1].seen)
        self.notes |= left_out(calls[0].left_out)
        self._order = [call.name for call in calls[0].seen]
        return choose(calls[0].seen, self._wanted)

    def _forward(
        self, graph: Any, keep: frozenset[str], state: Any, args: Any, kwargs: Any
    ) -> tuple[OrderedDict[str, Any], Any]:
        calls = self._run(graph, keep, state, args, kwargs)
        return calls.kept, calls.returned  # ordered: JAX sorts the keys of a plain dict

    def _run(self, graph: Any, keep: frozenset[str], state: Any, args: Any, kwargs: Any) -> Calls:
        model = nnx.merge(graph, *state)
        modules = _callables(model)
        names = {id(module): path for path, module in modules.items()}
        calls = Calls(
            name_of=lambda _, module: names.get(id(module)),
            is_closed=_is_closed,
            repeats=lambda _: False,
            keep=keep,
            reduce=lambda _, array: self.units.of(array),
        )
        with watching({type(module) for module in modules.values()}, calls):
            calls.end(model, model(*args, **kwargs))  # pyright: ignore[reportCallIssue]
        calls.left_out = calls.unseen(modules)
        return calls


def _is_initial(norm: nnx.BatchNorm) -> bool:
    """Say whether a batch norm has seen no batch yet."""
    return not bool(np.asarray(norm.mean[...]).any()) and bool((np.asarray(norm.var[...]) == 1).all())


def _callables(model: nnx.Module) -> dict[str, nnx.Module]:
    """Return the modules that can be called, by their paths; one that stands at two places has its first."""
    found = {path: node for path, node in nnx.iter_graph(model) if isinstance(node, nnx.Module) and callable(node)}
    closed = {path for path, node in found.items() if _is_closed(node)}
    return {
        ".".join(map(str, path)) or ROOT: node
        for path, node in found.items()
        if not any(path[:length] in closed for length in range(len(path)))
    }


def _is_closed(module: nnx.Module) -> bool:
    home = getattr(type(module).__call__, "__module__", "")  # pyright: ignore[reportAttributeAccessIssue]
    return home.partition(".")[0] == "flax" and not isinstance(module, nnx.Sequential)


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (inputs if isinstance(inputs, tuple) else (inputs,)), {}


def _one_more(array: Any) -> Any:
    """Return the shape of a batch with one more sample."""
    return jax.ShapeDtypeStruct((array.shape[0] + 1, *array.shape[1:]), jax.dtypes.canonicalize_dtype(array.dtype))
