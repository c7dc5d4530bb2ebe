"""The configuration of a run: every key, its type and default, checked before anything is computed."""

import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from infoplane import schedules
from infoplane.errors import ConfigError, InputError, did_you_mean
from infoplane.estimators import Estimator, LayerEstimator, build_all
from infoplane.runs.axes import Sweep, Variants, copied, flatten, index_of, shorten, step_into

MAX_RECORD_BYTES = 2**32
"""Largest record of training curves that a run may need; a run beyond it is refused before it starts."""

MAX_FILE_BYTES = 2**20
MAX_COMBINATIONS = 1000
"""Largest number of combinations of a sweep."""

MEMORY = 2**36
"""Bytes that the weights and activations of one group may need where the configuration says nothing."""

MAX_WHOLE = 10**15
"""Largest whole number in a configuration: far beyond use, and safe in every product and array."""

Natural = Annotated[int, Field(ge=0, le=MAX_WHOLE)]
Positive = Annotated[int, Field(ge=1, le=MAX_WHOLE)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Activation = Literal["tanh", "relu", "linear", "softsign", "softplus", "elu", "swish", "leaky-relu"]
Initialisation = Literal["fan-in", "fan-out", "glorot", "keras"]


class Section(BaseModel):
    """Keys that are checked: unknown ones and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Kind = TypeVar("Kind", bound=Section)


class DataConfig(Section):
    """Which data set, where its files are, whether labels are shuffled, and the rule of the 12-bit task."""

    name: str = "szt"
    path: Annotated[str, Field(min_length=1), AfterValidator(lambda path: str(Path(path).absolute()))] | None = None
    shuffle_labels: bool = False
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    degrees: Annotated[tuple[Natural, ...], Field(min_length=1)] | None = None
    gamma: PositiveFloat | None = None

    @property
    def rule(self) -> dict[str, Any]:
        """The parameters of the data set that are given."""
        given = {"path": self.path, "threshold": self.threshold, "degrees": self.degrees, "gamma": self.gamma}
        return {key: value for key, value in given.items() if value is not None}


CONV_KEYS = ("filters", "kernel", "channels")
"""The keys of convolutional networks alone."""


class ModelConfig(Section):
    """A network: hidden units, activation, how kernels are drawn (biases are 0).

    With ``kind = "conv"`` the hidden layers come after convolutions: ``filters`` is the number of channels of each (8
    and 16), ``kernel`` their height and width (3), ``channels`` what is measured of the feature maps: "flatten" all
    numbers, "mean" each channel's mean over the places, "each" every channel as a layer of its own.
    """

    kind: Literal["mlp", "conv"] = "mlp"
    filters: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    kernel: Positive | None = None
    channels: Literal["flatten", "mean", "each"] | None = None
    hidden: Annotated[tuple[Positive, ...], Field(min_length=1)] = (10, 7, 5, 4, 3)
    activation: Activation = "tanh"
    init: Initialisation = "fan-in"
    output_init: Initialisation | None = None

    @model_validator(mode="after")
    def _keys_of_kind(self) -> "ModelConfig":
        for key in CONV_KEYS:
            if self.kind != "conv" and getattr(self, key) is not None:
                raise ValueError(f"'{key}' belongs to kind 'conv'; this network has kind '{self.kind}'")
        return self

    @property
    def initialisations(self) -> tuple[str, str]:
        """How hidden and output kernels are drawn."""
        return self.init, self.output_init or self.init


class TrainConfig(Section):
    """How the network is trained.

    ``weight_decay`` adds its multiple of the kernels to their gradient; ``momentum`` is for
    ``optimizer = "momentum"``. ``redraw_dead`` draws a member again (up to 20 times) when its last hidden
    layer is dead at initialisation.
    """

    optimizer: Literal["adam", "sgd", "momentum"] = "adam"
    learning_rate: PositiveFloat = 4e-4
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    batch_size: Positive = 256
    epochs: Positive = 8000
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.8
    split: Literal["shuffled", "stratified", "unshuffled", "given"] = "shuffled"
    redraw_dead: bool = False


SCHEDULE_KEYS = {
    "every": ("n",),
    "log": ("points",),
    "piecewise": ("pieces",),
    "list": ("epochs",),
    "delta-exact": ("delta", "multiplier", "max_skip", "distance", "quantile", "memory"),
    "delta-approx": ("delta", "multiplier", "max_skip", "distance", "quantile", "fall"),
}
"""The keys of each kind of schedule."""


class ScheduleConfig(Section):
    """Which epochs are measured; each kind has keys of its own."""

    kind: Literal["every", "log", "piecewise", "list", "delta-exact", "delta-approx"] = "log"
    n: Positive | None = None
    points: Annotated[int, Field(ge=2, le=10**6)] | None = None
    pieces: tuple[tuple[Natural | None, Positive], ...] | None = None
    epochs: tuple[Natural, ...] | None = None
    delta: float | None = None
    multiplier: float | None = None
    max_skip: Annotated[int, Field(le=MAX_WHOLE)] | None = None
    distance: Literal["scaled", "raw"] | None = None
    quantile: float | None = None
    fall: bool | None = None
    memory: Positive | None = None
    unit: Literal["epochs", "updates"] = "epochs"
    """What is counted: a run that counts updates has them wherever the word epoch stands in its result."""

    @model_validator(mode="after")
    def _keys_of_kind(self) -> "ScheduleConfig":
        allowed = SCHEDULE_KEYS[self.kind]
        for key in self._given:
            if key not in allowed:
                takes = " and ".join(f"'{one}'" for one in allowed)
                raise ValueError(f"'{key}' does not belong to kind '{self.kind}', which takes {takes}")
        if self.kind == "list" and not self.epochs:
            raise ValueError("kind 'list' needs 'epochs', a list of them")
        return self

    @property
    def _given(self) -> dict[str, Any]:
        """The keys of one kind or another that have a value."""
        keys = [key for key in type(self).model_fields if key not in ("kind", "unit")]
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}

    def build(self) -> schedules.AnySchedule:
        """Return the schedule that the keys describe.

        Raises:
            InputError: for a setting outside its range.
        """
        if self.kind == "every":
            return schedules.Every(self.n or 1)
        if self.kind == "log":
            return schedules.Log(self.points or schedules.Log.points)
        if self.kind == "piecewise":
            return schedules.Piecewise(self.pieces or schedules.SAXE_PIECES)
        if self.kind == "list":
            return schedules.Listed(self.epochs or ())
        kind = schedules.DeltaExact if self.kind == "delta-exact" else schedules.DeltaApprox
        return kind(**self._given)


def _named(spec: Any) -> Any:
    if isinstance(spec, str) or (isinstance(spec, Mapping) and isinstance(spec.get("name"), str)):
        return spec
    raise ValueError(f'expected a name or {{name = "...", parameter = value}}, got {shorten(spec)}')


def _name(spec: str | Mapping[str, Any]) -> str:
    return spec if isinstance(spec, str) else str(spec["name"])


EstimatorSpec = Annotated[str | dict[str, Any], BeforeValidator(_named)]


class MeasureConfig(Section):
    """Which inputs are measured: all, the rows trained on, those held out; and what is measured at fewer epochs.

    Several parts are measured apart. The first has the names of a result to itself, the others stand beside it; see
    `infoplane.results.part`. ``rows`` is the most that is measured of a part, drawn once by the seed. Ranges, spreads
    and ``histograms`` of activations are of all inputs, of large networks those that are measured. Estimators named in
    ``sparse``, costly ones, measure the first part only, at about ``points`` of the schedule's epochs, evenly on its
    logarithmic scale; with a delta schedule, which follows from what is measured, they are left out. Without others
    beside them, nothing is. ``precisions`` adds distinct rows in float16 and float64 and the ranks of all activations.
    """

    parts: Annotated[tuple[Literal["all", "train", "test"], ...], Field(min_length=1)] = ("all",)
    rows: Annotated[int, Field(ge=2, le=MAX_WHOLE)] | None = None
    sparse: tuple[str, ...] = ()
    points: Annotated[int, Field(ge=2, le=10**6)] = 60
    precisions: bool = False
    histograms: bool = False

    @model_validator(mode="after")
    def _once(self) -> "MeasureConfig":
        if len(set(self.parts)) < len(self.parts):
            raise ValueError(f"parts names one of {', '.join(self.parts)} twice")
        return self


class Config(Section):
    """Everything a run depends on: the same configuration gives the same bits on one machine type."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]*$")] = "run"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    members: Positive = 50
    group_width: Positive | None = None
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    estimators: Annotated[tuple[EstimatorSpec, ...], Field(min_length=1)] = ("binning",)
    measure: MeasureConfig = MeasureConfig()
    sweep: Sweep = ()
    variants: Variants = ()
    memory: Positive = MEMORY
    """Bytes that one group of members may need; more is refused before anything is computed."""

    @model_validator(mode="after")
    def _affordable(self) -> "Config":
        layers = len(self.model.hidden) + 1
        record = self.members * self.train.epochs * (4 + 3 * layers) * 4
        if record > MAX_RECORD_BYTES:
            raise ValueError(
                f"members × epochs = {self.members} × {self.train.epochs} needs {record / 2**30:.3g} GiB "
                f"for training curves alone, above {MAX_RECORD_BYTES / 2**30:.0f} GiB; lower one of them"
            )
        lengths = [len(self.variants)] * bool(self.variants) + [len(values) for _, values in self.sweep]
        count = math.prod(lengths)
        if count > MAX_COMBINATIONS:
            product = " × ".join(map(str, lengths))
            raise ValueError(f"sweep: {product} = {count} combinations, above {MAX_COMBINATIONS}; name fewer values")
        return self

    @property
    def width(self) -> int:
        """Number of members trained as one program; part of the configuration, since it changes rounding."""
        return min(self.members, self.group_width or 5)

    @property
    def groups(self) -> list[list[int]]:
        """Members of each group; the last group is filled up with members that are not kept."""
        return [list(range(start, start + self.width)) for start in range(0, self.members, self.width)]

    @property
    def left_out(self) -> list[str]:
        """Names of sparse estimators that cannot be measured, since the epochs follow from what is measured."""
        return self.sparse if self.schedule.kind.startswith("delta") else []

    @property
    def sparse(self) -> list[str]:
        """Names of the estimators that ``measure.sparse`` thins out: none where there are no others beside them."""
        names = dict.fromkeys(_name(spec) for spec in self.estimators)
        sparse = [name for name in names if name in self.measure.sparse]
        return sparse if len(sparse) < len(names) else []

    def build_estimators(self) -> dict[str, LayerEstimator]:
        """Return the estimators by the name they carry in the result, without those that are left out."""
        return build_all([spec for spec in self.estimators if _name(spec) not in self.left_out])

    def tree(self) -> dict[str, Any]:
        """Return the configuration as nested keys that `override` and `parse` take."""
        tree = self.model_dump(mode="json")
        variants = [{"label": label} | dict(changes) for label, changes in tree["variants"]]
        return tree | {"sweep": dict(tree["sweep"]), "variants": variants}

    def canonical(self) -> str:
        """Return the configuration as JSON with sorted keys: equal text, equal run."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def parse(tree: Mapping[str, Any]) -> Config:
    """Check a nested mapping of keys and build the configuration.

    Raises:
        ConfigError: one line with the key's path, what came and what was expected.
    """
    config = read(tree, Config)
    try:
        config.schedule.build()
        config.build_estimators()
    except InputError as error:
        raise ConfigError(str(error)) from None
    except (TypeError, ValueError, OverflowError) as error:  # a plug-in may meet a type it did not think of
        raise ConfigError(f"estimators: a parameter has a value of the wrong type ({error})") from None
    return config


def read(tree: Mapping[str, Any], kind: type[Kind]) -> Kind:
    """Check a nested mapping against the keys of a model and build it.

    Raises:
        ConfigError: see `parse`.
    """
    try:
        return kind.model_validate_json(json.dumps(tree, default=_plain))
    except ValidationError as error:
        raise ConfigError(_explain(error, kind)) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"configuration cannot be read: {error}") from None


def _plain(value: Any) -> Any:
    """Return estimators as tables, NumPy's numbers and arrays as Python's, anything else as text."""
    if isinstance(value, Estimator):
        return {"name": value.name} | value.params
    return value.tolist() if hasattr(value, "tolist") else str(value)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a configuration file; a byte-order mark is accepted.

    Raises:
        ConfigError: when it is too large, not UTF-8 or not TOML.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path}: {path.stat().st_size} bytes; a configuration has at most {MAX_FILE_BYTES}")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # also what is not UTF-8
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def override(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree of keys with some changed, given by dotted path (``train.epochs``) or as nested mappings.

    A change of ``schedule.kind`` drops the keys of the kind before.
    """
    changed = {key: copied(value) for key, value in tree.items()}
    flat = dict(flatten(changes))
    schedule = changed.get("schedule", {})
    if isinstance(schedule, dict) and "schedule.kind" in flat:
        kind_before = schedule.get("kind", ScheduleConfig.model_fields["kind"].default)
        changed["schedule"] = schedule if flat["schedule.kind"] == kind_before else {}
    for path, value in flat.items():
        *sections, key = path.split(".")
        place: Any = changed
        for depth, section in enumerate(sections):
            place = step_into(place, section, path)
            if not isinstance(place, dict | list):
                raise ConfigError(f"{path}: '{'.'.join(sections[: depth + 1])}' is a value, not a section")
        if isinstance(place, list):
            place[index_of(place, key, path)] = value
        else:
            place[key] = value
    return changed


def _explain(error: ValidationError, kind: type[Section]) -> str:
    """Say the first thing wrong in one line, and how many more there are."""
    first, *rest = error.errors(include_url=False)
    more = [one for one in rest if one["loc"] != first["loc"][: len(one["loc"])]]  # not what follows from it
    path = ".".join(str(part) for part in first["loc"]) if first["loc"] else "configuration"
    if first["type"] == "extra_forbidden":
        text = f"unknown key '{path}'{did_you_mean(path, _known_keys(kind))}"
    elif first["type"] == "value_error":
        text = f"{path}: {first['msg'].removeprefix('Value error, ')}"
    else:
        text = f"{path}: {first['msg'][0].lower()}{first['msg'][1:]}, got {shorten(first['input'])}"
    return text + (f" (and {len(more)} more)" if more else "")


def _known_keys(section: type[Section], prefix: str = "") -> list[str]:
    """Return the path of every key, those of sections included."""
    keys: list[str] = []
    for name, field in section.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            keys += _known_keys(field.annotation, f"{prefix}{name}.")
    return keys
