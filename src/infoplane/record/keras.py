"""Sees into Keras models on any of its back ends, and records them while ``fit`` trains them."""

import contextlib
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from infoplane.errors import InputError
from infoplane.record._calls import ROOT, Calls, check_layers, choose, note_output, watching, without_constants
from infoplane.record._notes import LEFT_OUT, behind_initial_norms, left_out
from infoplane.record._units import Units
from infoplane.record.probes import Evaluate, Evaluation
from infoplane.record.recorder import Recorder

_REPEATING = (keras.layers.Flatten, keras.layers.Reshape, keras.layers.Identity, keras.layers.Dropout)
"""Layers that give the numbers they get, when a model is evaluated."""

_BATCH_NORM = keras.layers.BatchNormalization

_CURVES = {
    "loss": "loss",
    "accuracy": "accuracy",
    "acc": "accuracy",
    "categorical_accuracy": "accuracy",
    "sparse_categorical_accuracy": "accuracy",
    "binary_accuracy": "accuracy",
}
"""Names that Keras logs → training curves of a record; ``val_…`` are those of the test set."""


DRAWS = 1000
"""How far the count of a seed generator moves from batch to batch: more than a forward pass draws from it."""


class KerasProbe:
    """Sees what the layers of a Keras model give when it is called with ``training=False``.

    Layers go by their Keras names within the models and layers around them, ``encoder/dense``, in the order they
    finish; a layer's second use is ``name#2``, the model as a whole ``output``. A layer that gives a tuple or a
    mapping has a layer for each array in it, ``lstm.0``, ``lstm.1``.

    The model is evaluated on its values of the moment within ``keras.StatelessScope``: weights, statistics and
    seed generators are not written to. On the JAX back end it is compiled once, unless it has ``run_eagerly``.

    Args:
        model: functional, sequential or subclassed; its weights must exist.
        layers: None or "all" for every layer that computes something and within which no other such layer runs
            (Keras' own attention, recurrent and wrapper layers count as one); names, patterns, or subclasses of
            ``keras.layers.Layer``.
        channels: "flatten", "mean", "pool" or "each"; for images, see `Units`. The channel's axis is told by
            the layer's ``data_format``, or that of the model's first layer which has one.
        positions: "flatten", "mean" or a number; what to do with sequences (sample, position, feature).
        batch_statistics: batch normalizations that train use the mean and variance of each batch, as in training,
            instead of the moving ones, which are 0 and 1 at epoch 0; see `infoplane.record.torch.TorchProbe`.

    Raises:
        InputError: for layers that fit nothing (lists the names), or an unknown option.
    """

    def __init__(
        self,
        model: keras.Model,
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
        named = dict(_named_layers(model))
        self._wanted = check_layers([*named, ROOT], layers, keras.layers.Layer)
        formats = (getattr(layer, "data_format", None) for layer in named.values())
        self._data_format = next(filter(None, formats), keras.config.image_data_format())
        self._keep: frozenset[str] | None = None
        self.notes: dict[str, str] = {}
        self._compiled: tuple[tuple[int, ...], Callable[..., Any]] = ((), self._forward)

    @contextlib.contextmanager
    def measuring(self) -> Iterator[Evaluate]:
        """Give the evaluation of the model as it is now.

        Raises:
            InputError: when its weights do not exist yet.
        """
        if not self.model.built:
            raise InputError(
                f"model '{self.model.name}' has no weights yet; call it on one batch, or model.build(shape), first"
            )
        self.notes = {key: text for key, text in self.notes.items() if key == LEFT_OUT}  # the output is noted anew
        variables = list(self.model.variables)
        values = [variable.value for variable in variables]
        calls = itertools.count()

        def evaluate(inputs: Any) -> Mapping[str, Any]:
            # each batch draws noise of its own, as it does in Keras, and the same in every measurement
            return self._evaluate(variables, _advanced(variables, values, next(calls)), inputs)

        with _backend_as_it_was(self.model):
            yield Evaluation(
                evaluate,
                self.notes,
                batch_statistics=self.batch_statistics,
                behind=lambda: behind_initial_norms(self._order, self._order, self._initial_norms()),
            )

    def _initial_norms(self) -> list[str]:
        """Return the batch normalizations that have seen no batch yet."""
        if self.batch_statistics:
            return []
        norms: dict[str, Any] = {n: layer for n, layer in _named_layers(self.model) if isinstance(layer, _BATCH_NORM)}
        return [
            name
            for name, norm in norms.items()
            if not np.any(keras.ops.convert_to_numpy(norm.moving_mean.value))
            and np.all(keras.ops.convert_to_numpy(norm.moving_variance.value) == 1)
        ]

    def _evaluate(self, variables: Sequence[Any], values: Sequence[Any], inputs: Any) -> Mapping[str, Any]:
        try:
            inputs = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
            if self._keep is None:
                self._keep = self._choose(variables, values, inputs)
            kept, returned = self._forward_of(variables)(values, inputs)
        except InputError:
            raise
        except (TypeError, ValueError) as error:
            shapes = [str(tuple(part.shape)) for part in keras.tree.flatten(inputs)]
            text = (
                f"model '{self.model.name}' cannot be called with inputs of shape {', '.join(shapes)}: {_plain(error)}"
            )
            raise InputError(text) from error
        note_output(self.notes, kept, returned, keras.ops.convert_to_numpy)
        return kept

    @property
    def _is_traced(self) -> bool:
        return keras.backend.backend() == "jax" and not self.model.run_eagerly

    def _choose(self, variables: Sequence[Any], values: Sequence[Any], inputs: Any) -> frozenset[str]:
        """Find out which layers are run, on shapes alone or on the first sample."""
        calls: list[Calls] = []

        def run(values: Sequence[Any], inputs: Any) -> None:
            calls.append(self._run(frozenset(), variables, values, inputs))

        if self._is_traced:
            import jax

            jax.eval_shape(run, values, inputs)
            more = keras.tree.map_structure(lambda a: jax.ShapeDtypeStruct((len(a) + 1, *a.shape[1:]), a.dtype), inputs)
            look_again = functools.partial(jax.eval_shape, run, values, more)
        else:
            run(values, keras.tree.map_structure(lambda part: part[:1], inputs))
            more = keras.tree.map_structure(lambda part: part[:2], inputs)
            look_again = functools.partial(run, values, more)
        with contextlib.suppress(TypeError, ValueError, RuntimeError):  # a model for one number of inputs
            look_again()
            calls[0].left_out += without_constants(calls[0].seen, calls[1].seen)
        self.notes |= left_out(calls[0].left_out)
        self._order = [call.name for call in calls[0].seen]
        return choose(calls[0].seen, self._wanted)

    def _forward_of(self, variables: Sequence[Any]) -> Callable[..., tuple[Mapping[str, Any], Any]]:
        """Return the function of values and inputs, compiled where the back end compiles."""
        ids = tuple(map(id, variables))
        if self._compiled[0] != ids:
            forward = functools.partial(self._forward, variables)
            if self._is_traced:
                import jax

                forward = jax.jit(forward)
            self._compiled = ids, forward
        return self._compiled[1]

    def _forward(self, variables: Sequence[Any], values: Sequence[Any], inputs: Any) -> tuple[Any, Any]:
        calls = self._run(self._keep or frozenset(), variables, values, inputs)
        return calls.kept, calls.returned  # an OrderedDict: JAX sorts a plain dict

    def _run(self, keep: frozenset[str], variables: Sequence[Any], values: Sequence[Any], inputs: Any) -> Calls:
        calls = Calls(
            name_of=self._name_of,
            is_closed=_is_closed,
            repeats=lambda layer: isinstance(layer, _REPEATING),
            keep=keep,
            reduce=self._reduce,
            adapt=self._adapt,
        )
        with watching([keras.layers.Layer], calls), keras.StatelessScope(zip(variables, values, strict=True)):
            calls.end(self.model, self.model(inputs, training=False))
        calls.left_out = calls.unseen(dict(_named_layers(self.model)))
        return calls

    def _adapt(self, layer: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        is_norm = self.batch_statistics and isinstance(layer, _BATCH_NORM)
        return kwargs | {"training": True} if is_norm else kwargs

    def _name_of(self, around: Sequence[Any], layer: Any) -> str | None:
        if not around:
            return ROOT if layer is self.model else None
        if not layer.built and type(layer).build is not keras.layers.Layer.build:
            raise InputError(f"layer '{layer.name}' has no weights yet; call the model on one batch first")
        return "/".join(part.name for part in (*around[1:], layer))

    def _reduce(self, layer: Any, array: Any) -> Mapping[str, Any]:
        data_format = getattr(layer, "data_format", None) or self._data_format
        return self.units.of(array, channels_first=data_format == "channels_first")


class InfoPlane(keras.callbacks.Callback):
    """Records the information plane while ``fit`` trains; an argument of ``fit(callbacks=[…])``.

    Epoch 0 is the model before training and epoch k the model after k epochs; the recorder's schedule says which
    are measured, and the last one always is. A training that goes on with ``fit(initial_epoch=…)`` goes on with the
    record. Loss and accuracy that Keras logs become the record's curves, validation those of the test set::

        recorder = ip.Recorder(inputs, labels, schedule="log")
        model.fit(x, y, epochs=100, callbacks=[InfoPlane(recorder)])
        ip.plot_plane(recorder.results())

    Place it behind callbacks that stop the training, so that the epoch at which they do is measured.

    Args:
        recorder: keeps the record.
        layers: which layers, as `KerasProbe` takes them; the recorder's when not given.
        options: ``channels`` and ``positions`` of `KerasProbe`.
    """

    def __init__(self, recorder: Recorder, layers: Any = None, **options: Any) -> None:
        super().__init__()
        self.recorder = recorder
        self._seeing = functools.partial(recorder.attach, layers=layers, **options)
        self._attached = contextlib.ExitStack()
        self._is_first = False

    def on_train_begin(self, logs: Any = None) -> None:
        """See into the model."""
        self._attached.close()  # a fit that an error ended did not say so
        self._attached.enter_context(self._seeing(self.model))
        self._is_first = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Measure the model before training, where the record has not been told of this epoch."""
        if self._is_first and self.recorder.last_epoch != epoch:
            self.recorder.step(epoch)
        self._is_first = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Measure, if it is due, the model after ``epoch`` + 1 epochs."""
        is_last = epoch + 1 == (self.params or {}).get("epochs") or bool(getattr(self.model, "stop_training", False))
        self.recorder.step(epoch + 1, curves=_curves(logs or {}), force=is_last)

    def on_train_end(self, logs: Any = None) -> None:
        """Let go of the model."""
        self._attached.close()


def _advanced(variables: Sequence[Any], values: Sequence[Any], n_batches: int) -> list[Any]:
    """Return the values of variables with the counts of seed generators as after so many batches."""
    return [
        value + keras.ops.cast([0, n_batches * DRAWS], value.dtype)
        if variable.path.endswith("seed_generator_state") and tuple(variable.shape) == (2,)
        else value
        for variable, value in zip(variables, values, strict=True)
    ]


def _plain(error: Exception) -> str:
    """Return the text of an error of Keras without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error))


def _curves(logs: Mapping[str, Any]) -> dict[str, float]:
    """Return the training curves among what Keras logged."""
    found: dict[str, float] = {}
    for name, value in logs.items():
        curve = _CURVES.get(name.removeprefix("val_"))
        if curve is not None:
            found.setdefault(f"test_{curve}" if name.startswith("val_") else curve, float(value))
    return found


def _named_layers(layer: Any, around: Sequence[Any] = ()) -> Iterator[tuple[str, Any]]:
    """Yield the layers within a layer by their names, in the order they were made, those within them too."""
    within = layer.layers if isinstance(layer, keras.Model) else layer._layers
    for part in within:
        if isinstance(part, keras.layers.InputLayer) or part in around:
            continue
        yield "/".join(outer.name for outer in (*around, part)), part
        if not _is_closed(part):
            yield from _named_layers(part, (*around, part))


def _is_closed(layer: Any) -> bool:
    """Say whether a layer is Keras' own and counts as one, whatever it is made of."""
    is_own = type(layer).call.__module__.partition(".")[0] == "keras"
    return is_own and not isinstance(layer, keras.Model)


def _backend_as_it_was(model: keras.Model) -> contextlib.AbstractContextManager[None]:
    """Keep what is outside of Keras' own state: gradients, modes and random state of torch."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    from infoplane.record._torch_state import measured_state

    return measured_state(model)  # pyright: ignore[reportArgumentType]
