"""The calls of a model's parts while it runs, for frameworks without hooks: Keras and Flax NNX.

A call of a part is led through `Calls` by its class's ``__call__``, which is put back when the run is over.
"""

import contextlib
import dataclasses
import fnmatch
import functools
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.extend import core as extended

from infoplane.errors import InputError, did_you_mean
from infoplane.record._deep import default_calls
from infoplane.record._notes import NO_SAMPLES, OUTPUT_LAYER, UNSEEN, output_among
from infoplane.record.probes import select_names, with_exclusions

ROOT = "output"
"""Name of what the model as a whole gives."""

# older releases of JAX have it at the second place
_trace_state: Any = getattr(extended, "get_opaque_trace_state", None) or jax.core.get_opaque_trace_state  # pyright: ignore
_ONE_AT_A_TIME = threading.RLock()  # classes are shared by threads


@dataclasses.dataclass
class Call:
    """One call of one part.

    Attributes:
        name: the part's, with ``#2`` for its second call.
        part: the layer or module.
        is_layer: whether it is measured when all layers are: no layer runs within it, and what it gives is new.
    """

    name: str
    part: Any
    is_layer: bool = True
    shapes: Sequence[Sequence[int]] = ()


@dataclasses.dataclass
class Calls:
    """Takes down the calls of a model's parts in one run, and what they give, in the order they finish.

    Parts that run inside a loop or transformation of their own (scan, vmap, a jitted part) have no array to show
    and are passed over; `unseen` names them.

    Attributes:
        name_of: gives a part's name from the parts around it; None for what is no part of the model.
        is_closed: whether a part counts as one, and is not looked into.
        repeats: whether a part gives the numbers that it is given.
        keep: names of the calls whose outputs are kept; while there are none, the run tells which are layers.
        reduce: takes a part and an array that it gave, gives {suffix of its name: array}.
        seen: the calls.
        kept: {layer's name: array}.
        returned: the array that the model returns, reduced as a layer is, or none.
        left_out: (name, reason) of the parts that no layer can show.
        adapt: changes the keyword arguments of a part's call.
    """

    name_of: Callable[[Sequence[Any], Any], str | None]
    is_closed: Callable[[Any], bool]
    repeats: Callable[[Any], bool]
    keep: Collection[str]
    reduce: Callable[[Any, Any], Mapping[str, Any]]
    seen: list[Call] = dataclasses.field(default_factory=list)
    kept: OrderedDict[str, Any] = dataclasses.field(default_factory=OrderedDict)
    returned: Sequence[Any] = ()
    left_out: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    adapt: Callable[[Any, dict[str, Any]], dict[str, Any]] = lambda _, kwargs: kwargs

    def __post_init__(self) -> None:
        self._open: list[Call] = []
        self._count: Counter[str] = Counter()
        self._known: dict[int, Any] = {}  # what layers gave, by id; held, so that nothing else takes an id
        self._trace, self._thread = _trace_state(convention="infoplane"), threading.get_ident()

    def take(self, part: Any, call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a part, and take down its call."""
        kwargs = self.adapt(part, dict(kwargs))
        around = [open_.part for open_ in self._open]
        name = None if self._is_apart(around, part) else self.name_of(around, part)
        if name is None:
            return call(part, *args, **kwargs)
        current = Call(name, part)
        self._open.append(current)
        try:
            output = call(part, *args, **kwargs)
        finally:
            self._open.pop()
        self._finish(current, output, (*args, *kwargs.values()))
        return output

    def unseen(self, named: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return (name, reason) of the parts that were passed over or did not run, without the parts inside these."""
        ran = {id(call.part) for call in self.seen}
        names = [name for name, part in named.items() if id(part) not in ran]
        inside = tuple(f"{name}{mark}" for name in names for mark in "./")
        return [(name, UNSEEN) for name in names if not name.startswith(inside)]

    def end(self, model: Any, output: Any) -> None:
        """Keep what the model returns: of several arrays "logits", or the first."""
        arrays = {place: array for place, array in arrays_of(output) if "float" in str(array.dtype)}
        main = next((array for place, array in arrays.items() if place.endswith(".logits")), None)
        main = next(iter(arrays.values()), None) if main is None else main
        self.returned = () if main is None else [*self.reduce(model, main).values()][-1:]

    def _is_apart(self, around: Sequence[Any], part: Any) -> bool:
        inner = bool(around) and (around[-1] is part or self.is_closed(around[-1]))
        elsewhere = threading.get_ident() != self._thread or _trace_state(convention="infoplane") != self._trace
        return inner or elsewhere

    def _finish(self, call: Call, output: Any, given: tuple[Any, ...]) -> None:
        self._count[call.name] += 1
        if (nth := self._count[call.name]) > 1:
            call.name = f"{call.name}#{nth}"
        arrays = dict(arrays_of(output))
        call.shapes = [tuple(array.shape) for array in arrays.values()]
        if not self.keep:
            self._survey(call, output, list(arrays.values()), given)
        self.seen.append(call)
        if call.name in self.keep:
            for place, array in arrays.items():
                parts = self.reduce(call.part, array)
                self.kept.update({f"{call.name}{place}{suffix}": part for suffix, part in parts.items()})

    def _survey(self, call: Call, output: Any, arrays: Sequence[Any], given: tuple[Any, ...]) -> None:
        """Find out whether a call is a layer: a dropout that repeats the inputs or a layer is none."""
        is_first = not any(earlier.is_layer for earlier in self.seen)
        is_known = is_first or all(id(array) in self._known for _, array in arrays_of(given))
        repeats = is_known and (self.repeats(call.part) or any(output is argument for argument in given))
        is_new = not repeats and any("float" in str(array.dtype) for array in arrays)
        call.is_layer = call.is_layer and is_new
        if is_new:
            for outer in self._open:
                outer.is_layer = False
        if repeats or call.is_layer:
            self._known.update({id(array): array for array in arrays})


def arrays_of(output: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the arrays with samples in an output, with the keys and places that lead to them: ``.0``, ``.key``."""
    if isinstance(output, Mapping):
        for key, part in output.items():
            yield from arrays_of(part, f"{place}.{key}")
    elif isinstance(output, tuple | list):
        for number, part in enumerate(output):
            yield from arrays_of(part, f"{place}.{number}")
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        for field in dataclasses.fields(output):
            yield from arrays_of(getattr(output, field.name, None), f"{place}.{field.name}")
    elif hasattr(output, "dtype") and getattr(output, "ndim", 0) > 0:
        yield place, output


@contextlib.contextmanager
def watching(classes: Iterable[type], calls: Calls) -> Iterator[None]:
    """Lead the calls of these classes' instances through ``calls`` for as long as the block lasts."""
    with _ONE_AT_A_TIME, contextlib.ExitStack() as restored:
        for cls in classes:
            if "__call__" in cls.__dict__:
                restored.callback(setattr, cls, "__call__", cls.__dict__["__call__"])
            else:
                restored.callback(delattr, cls, "__call__")
            _lead_through(calls, cls)
        yield


def _lead_through(calls: Calls, cls: Any) -> None:
    original = cls.__call__

    @functools.wraps(original)
    def call(part: Any, *args: Any, **kwargs: Any) -> Any:
        return calls.take(part, original, args, kwargs)

    cls.__call__ = call


def check_layers(names: Sequence[str], layers: Any, kind: type) -> tuple[Any, ...]:
    """Return the wanted layers one by one, before anything is run.

    Args:
        names: names of all parts, that of the whole model, `ROOT`, included.
        layers: None, "all", a name, a pattern or a type of parts, or several of these.
        kind: the framework's class of parts.

    Raises:
        InputError: for a name that no part has, or what is neither a name, a pattern nor a type.
    """
    wanted = tuple(layers) if isinstance(layers, Sequence | set) and not isinstance(layers, str) else (layers,)
    for item in wanted:
        if isinstance(item, str) and item.removeprefix("!") != "all":
            select_names(names, re.sub(r"#\d+$", "", item.removeprefix("!")))
        elif not isinstance(item, str | None) and not (isinstance(item, type) and issubclass(item, kind)):
            raise InputError(
                f"layers: {item!r} is a {type(item).__name__}; expected a layer's name, a pattern such as "
                f'"encoder*", or a subclass of {kind.__name__}'
            )
    return wanted


def without_constants(seen: Sequence[Call], other: Sequence[Call]) -> list[tuple[str, str]]:
    """Take calls for no layers whose output is as long for another number of samples, as of learned positions.

    Returns:
        Their names, each with the reason.
    """
    shapes = {call.name: call.shapes for call in other}
    constant = [call for call in seen if call.is_layer and list(call.shapes) == list(shapes.get(call.name, ()))]
    for call in constant:
        call.is_layer = False
    return [(call.name, NO_SAMPLES) for call in constant]


def note_output(notes: dict[str, str], layers: Mapping[str, Any], returned: Sequence[Any], plain: Any) -> None:
    """Note which layer the model returns, unless it is known; ``plain`` turns an array into one of NumPy."""
    if OUTPUT_LAYER in notes:
        return
    arrays = {name: plain(array) for name, array in layers.items()}
    name = output_among(arrays, plain(returned[0])) if returned else ""
    if name is not None:
        notes[OUTPUT_LAYER] = name


def choose(seen: Sequence[Call], wanted: Sequence[Any]) -> frozenset[str]:
    """Return the names of the calls that are wanted.

    Raises:
        InputError: for one that fits none; lists the names.
    """
    kept, dropped = with_exclusions(wanted)
    left = {name for item in dropped for name in _fitting(seen, item)}
    inside = tuple(f"{name}{mark}" for name in left for mark in "./")
    names = {name for item in kept for name in _fitting(seen, item)}
    return frozenset(name for name in names if name not in left and not name.startswith(inside))


def _fitting(seen: Sequence[Call], item: Any) -> list[str]:
    names = [call.name for call in seen]
    layers = [call.name for call in seen if call.is_layer]
    if item is None:
        return default_calls(seen, ROOT)
    if item == "all":
        return layers
    if isinstance(item, type):
        fitting = [call.name for call in seen if isinstance(call.part, item)]
        types = ", ".join(sorted({type(call.part).__name__ for call in seen}))
        if not fitting:
            raise InputError(f"layers: no layer of type {item.__name__} runs (types: {types})")
        return fitting
    fitting = [item] if item in names else fnmatch.filter(layers, item) or fnmatch.filter(names, item)
    if not fitting:
        near = did_you_mean(item, names).partition("; known:")[0]  # they are listed in their own order
        raise InputError(
            f"layers: '{item}' fits no layer that runs, or one inside scan or vmap{near} (layers: {', '.join(names)})"
        )
    return fitting
