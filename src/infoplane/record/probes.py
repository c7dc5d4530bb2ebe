"""What the recorder asks of a model: the activations of its layers for a batch of inputs."""

import contextlib
import dataclasses
import fnmatch
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from infoplane._import_jax import import_jax
from infoplane.errors import InputError, did_you_mean
from infoplane.record._notes import named_output

Evaluate = Callable[[Any], Mapping[str, Any]]
"""Takes a batch of inputs, gives {layer's name: activations with the sample first} in the order of the layers."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """An `Evaluate` that also reports the batch norms of its model.

    Attributes:
        function: evaluates the model on a batch.
        notes: attributes of the result.
        batch_statistics: whether an activation depends on the other inputs of its batch.
        behind: gives the layers at or behind a batch norm that has seen no batch, once the model has run.
    """

    function: Evaluate
    notes: dict[str, str]
    batch_statistics: bool
    behind: Callable[[], frozenset[str]]

    def __call__(self, inputs: Any) -> Mapping[str, Any]:
        """Evaluate the model on a batch."""
        return self.function(inputs)

    @property
    def initial_statistics(self) -> frozenset[str]:
        """The layers at or behind a batch norm that has seen no batch yet."""
        return self.behind()


SIZE_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError)
"""Errors of models that do not run on the number of inputs that they are given."""


@runtime_checkable
class Probe(Protocol):
    """Sees into one model."""

    def measuring(self) -> contextlib.AbstractContextManager[Evaluate]:
        """Bring the model into the state in which it is measured, and afterwards back into its own."""
        ...


@dataclasses.dataclass(frozen=True)
class FunctionProbe:
    """Sees what a function gives.

    Attributes:
        function: takes a batch of inputs, gives {layer: activations}, of shape (sample, …).
        layers: names or patterns of the layers to keep, None for all.
        notes: attributes of the result that the last run showed, see `infoplane.record._notes`.
    """

    function: Any
    layers: str | Sequence[str] | None = None
    notes: dict[str, str] = dataclasses.field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InputError(
                f"activations are a {type(self.function).__name__}; expected a mapping {{layer's name: array}}, or a "
                "function of a batch of inputs that gives one"
            )

    def measuring(self) -> contextlib.AbstractContextManager[Evaluate]:
        """Give the function, with the layers chosen."""
        return contextlib.nullcontext(self._evaluate)

    def _evaluate(self, inputs: Any) -> Mapping[str, Any]:
        given = self.function(inputs)
        if not isinstance(given, Mapping):
            raise InputError(
                f"activations are a {type(given).__name__}; expected a mapping {{layer's name: array}}; into a model "
                "the recorder sees by attach(model)"
            )
        named = {str(name): values for name, values in given.items()}
        kept = select_names([*named], self.layers)
        self.notes.update(named_output(named, kept))
        return {name: named[name] for name in kept}


def as_probe(activations: Any, layers: str | Sequence[str] | None) -> Probe:
    """Return a probe as it is, and the probe of a function."""
    return activations if isinstance(activations, Probe) else FunctionProbe(activations, layers)


def select_names(names: Sequence[str], wanted: str | Iterable[str] | None) -> list[str]:
    """Return the names that are wanted, in their own order.

    Args:
        names: names of all layers, in order.
        wanted: None or "all" for all of them; a name, a pattern such as ``"encoder.*"``, or several of these; with
            ``"!"`` before it, layers to leave out.

    Raises:
        InputError: when one of them fits no layer; lists the names.
    """
    kept, dropped = with_exclusions([None] if wanted is None else [wanted] if isinstance(wanted, str) else [*wanted])
    left = {name for item in dropped for name in _matching(names, item)}
    chosen = {name for item in kept for name in _matching(names, item)}
    return [name for name in names if name in chosen and name not in left]


def _matching(names: Sequence[str], item: Any) -> list[str]:
    if item is None or item == "all":
        return list(names)
    fitting = [name for name in names if name == item] or fnmatch.filter(names, str(item))
    if not fitting:
        near = did_you_mean(str(item), names).partition("; known:")[0]  # they are listed in their own order
        raise InputError(f"layers: '{item}' fits no layer{near} (layers: {', '.join(names)})")
    return fitting


def with_exclusions(wanted: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """Return the chosen layers and the excluded ones, ``"!pos"`` without its mark; these alone: of all."""
    items = list(wanted)
    dropped = [item[1:] for item in items if isinstance(item, str) and item.startswith("!")]
    kept = [item for item in items if not (isinstance(item, str) and item.startswith("!"))]
    return kept or ([None] if dropped else []), dropped


_FRAMEWORKS = {  # root of a class's module → who sees into its instances; Keras first: its models may be torch's too
    "keras": "infoplane.record.keras:KerasProbe",
    "torch": "infoplane.record.torch:TorchProbe",
    "flax": "infoplane.record.jax:NnxProbe",
}


def probe_of(model: Any, layers: Any = None, **options: Any) -> Probe:
    """Return the probe for a model of any known framework, or for a function.

    Args:
        model: a PyTorch module, a Keras model, a Flax NNX module, or a function that takes a batch of inputs and
            gives {layer's name: activations}.
        layers: which layers; what it may be besides names and patterns depends on the framework.
        options: the framework's own, such as ``channels="mean"``.

    Raises:
        InputError: for a model of an unknown kind, or an option that its kind does not take.
    """
    if isinstance(model, type):
        raise InputError(f"model is the class {model.__name__}; expected a model made of it, {model.__name__}(…)")
    roots = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    for root, home in _FRAMEWORKS.items():
        if root in roots:
            module, _, name = home.partition(":")
            import_jax()  # the modules of Keras and Flax import it
            probe = getattr(importlib.import_module(module), name)
            _check_options(options, list(inspect.signature(probe).parameters)[2:], name)
            return probe(model, layers, **options)
    if not callable(model):
        raise InputError(
            f"model is a {type(model).__name__}; expected a PyTorch, Keras or Flax NNX model, or a function that "
            "takes a batch of inputs and gives {layer's name: activations}"
        )
    if options:
        raise InputError(f"a function takes no option '{next(iter(options))}'; do it inside the function")
    return FunctionProbe(model, layers)


def _check_options(options: Iterable[str], known: Sequence[str], probe: str) -> None:
    for option in options:
        if option not in known:
            raise InputError(f"{probe} takes no option '{option}'{did_you_mean(option, known)}")
