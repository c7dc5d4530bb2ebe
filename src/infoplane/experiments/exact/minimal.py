"""The minimal model: one unit of a normal input, its information under bins against its weight."""

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from infoplane import results
from infoplane.runs.computed import Computation, Pieces, Settings
from infoplane.truth.linear import input_information
from infoplane.truth.minimal import INVERSES, Edges, minimal_information

if TYPE_CHECKING:
    import xarray as xr

PositiveFloat = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]

BOUNDED = ("tanh", "softsign")


class MinimalSettings(Settings):
    """The keys of ``saxe-minimal``."""

    smallest: PositiveFloat = 0.01
    """Smallest weight of the grid, which is even in the logarithm."""
    largest: PositiveFloat = 1000.0
    """Largest weight."""
    points: Annotated[int, Field(ge=2, le=10_000)] = 101
    """Number of weights."""
    bins: Annotated[int, Field(ge=2, le=10_000)] = 30
    """Of [−1, 1], for both conventions of equal bins."""
    width: Annotated[float, Field(ge=0.001, le=10)] = 0.07
    """Of bins without limits."""
    variance: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.001
    """Of the noise of the Gaussian channel w x + ε, which the linear unit has besides."""
    bias_sd: Annotated[float, Field(ge=0, le=10)] = 0.1
    """Member 0 is the paper's unit, without bias; the others have b ~ N(0, bias_sd²)."""

    @model_validator(mode="after")
    def _ascending(self) -> "MinimalSettings":
        if not self.smallest < self.largest:
            raise ValueError(
                f"smallest is {self.smallest:g} and largest {self.largest:g}; expected a smaller one first"
            )
        return self


def _weights(settings: MinimalSettings) -> Float[np.ndarray, " weight"]:
    return np.geomspace(settings.smallest, settings.largest, settings.points)


def _definitions(settings: MinimalSettings) -> dict[str, dict[str, Any] | None]:
    """Return the ways to quantise by the name they carry in the result; None is Gaussian noise."""
    conventions: dict[str, Edges] = {f"exact(bins={settings.bins})": "fixed", "exact(edges=idnns)": "idnns"}
    binned: dict[str, dict[str, Any] | None] = {
        name: {"edges": edges, "bins": settings.bins} for name, edges in conventions.items()
    }
    width: dict[str, Any] = {"edges": "width", "width": settings.width}
    return binned | {f"exact(width={settings.width:g})": width, f"exact(variance={settings.variance:g})": None}


def _bias(settings: MinimalSettings, member: int) -> float:
    drawn = np.random.default_rng([settings.seed, member]).standard_normal()
    return settings.bias_sd * float(drawn) if member else 0.0


def compute(settings: MinimalSettings, member: int) -> dict[str, np.ndarray]:
    """Return a unit's information by definition, weight and activation, shape (estimator, weight, layer)."""
    bias = _bias(settings, member)
    bits = [
        [
            [_bits(name, float(weight), bias, how, settings.variance) for name in INVERSES]
            for weight in _weights(settings)
        ]
        for how in _definitions(settings).values()
    ]
    return {"bits": np.array(bits)}


def _bits(activation: str, weight: float, bias: float, how: dict[str, Any] | None, variance: float) -> float:
    """Information in bits; NaN for the Gaussian channel of a unit that is not linear."""
    if how is not None:
        return minimal_information(activation, weight, bias=bias, **how)
    if activation != "linear":
        return np.nan
    return input_information(np.array([[weight]]), np.eye(1), variance)


def assemble(settings: MinimalSettings, pieces: Pieces) -> "xr.Dataset":
    """Put the units together: layers are activations, and epochs are numbers of weights on the grid."""
    names, layers, weights = list(_definitions(settings)), list(INVERSES), _weights(settings)
    shape = (len(names), settings.members, len(weights), len(layers), len(results.VARIABLES))
    information, flags = np.full(shape, np.nan), np.zeros(shape, np.int32)
    for member, arrays in pieces.items():
        information[:, member, :, :, 0] = arrays["bits"]
    unbounded = np.array([name not in BOUNDED for name in layers])
    flags[:2, :, :, unbounded] = results.encode_flags(["clipped"])  # a normal input leaves [−1, 1] at any weight
    coords = {
        "estimator": names,
        "member": np.arange(settings.members),
        "epoch": np.arange(len(weights)),
        "layer": layers,
        "variable": list(results.VARIABLES),
    }
    variables = {
        "information": (results.INFORMATION_DIMS, information),
        "flags": (results.INFORMATION_DIMS, flags),
        "member_flags": (("member",), np.zeros(settings.members, np.int32)),
    }
    attributes = {
        "epoch_unit": "weight number",
        "input_entropy": np.inf,
        "label_entropy": np.nan,
        "layers": "alternatives",  # activations side by side, not one behind the other
    }
    ds = results.new(coords, variables, attributes)
    return ds.assign_coords(quantity=("estimator", ["Shannon"] * len(names)), weight=("epoch", weights))


COMPUTATION = Computation("saxe-minimal", MinimalSettings, compute, assemble)
