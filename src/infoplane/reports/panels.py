"""The numbers of a page: one panel for each network of each result, ready to be drawn in the browser."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane import results
from infoplane.estimators.base import FLAGS
from infoplane.plots import content, style
from infoplane.plots.bound import curve_of
from infoplane.reports.pack import Packer, packed_size
from infoplane.reports.source import Source

if TYPE_CHECKING:
    import xarray as xr

ORDER = ("layer", "variable", "epoch", "member")
"""How numbers lie in the page: those of all members at one epoch stand together."""

BUDGET = 5_500_000
"""Characters that the numbers of single members may take: with Plotly (2 MB) and the words a page stays below 8 MB."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """One network with its training, measured on one set of inputs.

    Attributes:
        source: place of its result among those reported on.
        title: what it is called.
        ds: its result.
    """

    source: int
    title: str
    ds: "xr.Dataset"


def panels_of(sources: Sequence[Source]) -> list[Panel]:
    """Return the panels of all results: each combination of a sweep, and what was measured on held-out inputs."""
    return [panel for place, source in enumerate(sources) for panel in _of_source(place, source)]


def _of_source(place: int, source: Source) -> list[Panel]:
    from infoplane.runs.combine import split

    found = []
    for labels, part in split(source.ds):
        if not part.sizes["epoch"]:
            continue
        name = ": ".join([source.name, *filter(None, [", ".join(_label(key, value) for key, value in labels.items())])])
        first, *others = results.parts(part)
        found.append(Panel(place, name, results.part(part, first) if others else part))
        if results.has_held_out(part) and first != "test":
            found.append(Panel(place, f"{name}, held-out inputs", results.held_out(part)))
    return found


def _label(key: str, value: Any) -> str:
    return str(value) if key == "variant" else f"{key} = {value}"


def has_numbers(panel: Panel) -> bool:
    """Say whether there is any I(X;T) to draw."""
    return bool(np.isfinite(panel.ds["information"].sel(variable="input")).any())


def has_plane(panel: Panel) -> bool:
    """Say whether a result has an information plane: I(T;Y) beside I(X;T)."""
    return has_numbers(panel) and bool(np.isfinite(panel.ds["information"].sel(variable="label")).any())


def pack(panels: Sequence[Panel], budget: int = BUDGET) -> tuple[dict[str, Any], str, list[str]]:
    """Return the panels as JSON's types, the packed numbers, and the titles of those without single members.

    Single members are kept as long as all of them fit into the budget, panel by panel in their order; means and
    intervals always.
    """
    packer, left, without = Packer(), budget, []
    packed = []
    for panel in panels:
        size = _members_size(panel)
        fits = size <= left
        left -= size if fits else 0
        without += [] if fits else [panel.title]
        packed.append(_pack(panel, panels, packer, members=fits))
    n_layers = max((len(one["layers"]) for one in packed), default=0)
    about = {"panels": packed, "colours": _colours(n_layers), "flags": FLAGS}
    return about, packer.text(), without


def _members_size(panel: Panel) -> int:
    """Return the room that the numbers of single members take."""
    names = [name for name in ("information", *_bounds(panel.ds)) if name in panel.ds]
    return packed_size(*(panel.ds[name].transpose(..., *ORDER).values for name in names))


def _bounds(ds: "xr.Dataset") -> list[str]:
    """Return the names of what bounds an estimate, where there is any."""
    return [name for name in ("information_lower", "information_upper", "information_std_error") if name in ds]


def _pack(panel: Panel, panels: Sequence[Panel], packer: Packer, *, members: bool) -> dict[str, Any]:
    ds = panel.ds
    h_x, h_y, i_xy = (_attribute(ds, f"{name}") for name in ("input_entropy", "label_entropy", "label_information"))
    curve = curve_of(ds) if has_plane(panel) and h_x is not None else None
    return {
        "title": panel.title,
        "source": panel.source,
        "unit": content.epoch_word(ds),
        "plane": has_plane(panel),
        "hx": h_x,
        "hy": h_y,
        "ixy": i_xy,
        "bound": None if curve is None else [_numbers(curve.input), _numbers(curve.label)],
        "shuffled": _baseline(panel, panels),
        "layers": [str(name) for name in ds["layer"].values],
        "chain": ds.attrs.get("layers", "chain") == "chain",
        "members": [int(number) for number in ds["member"].values],
        "estimators": [
            _estimator(ds, name, packer, members=members) for name in map(str, ds["estimator"].values) if _any(ds, name)
        ],
    }


def _any(ds: "xr.Dataset", estimator: str) -> bool:
    return bool(ds["information"].sel(estimator=estimator).notnull().any())


def _estimator(ds: "xr.Dataset", name: str, packer: Packer, *, members: bool) -> dict[str, Any]:
    """Return what one estimator measured: means and half intervals over members, members, bounds, flags."""
    here = content.measured(ds, name)
    values = here["information"].sel(estimator=name).transpose(*ORDER).values
    flat = values.reshape(-1, values.shape[-1])
    mean, half = _means(flat)
    about: dict[str, Any] = {
        "name": name,
        "noise": content.describe_estimator(ds, name),
        "epochs": [int(epoch) for epoch in here["epoch"].values],
        "mean": packer.add(mean),
        "half": packer.add(half),
        "known": packer.add(np.isfinite(flat).sum(axis=1), "u2"),
        "range": [_extent(values[:, 0]), _extent(values[:, 1])],
    }
    if members and values.shape[-1] > 1:
        about["each"] = packer.add(values)
    if members:
        for key in _bounds(here):
            bound = here[key].sel(estimator=name).transpose(*ORDER).values
            if np.isfinite(bound).any():
                about[key.removeprefix("information_")] = packer.add(bound)
        if "flags" in here:
            about["flags"] = packer.add(here["flags"].sel(estimator=name).transpose(*ORDER).values, "u4")
    return about


def _means(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over the members that have a number, and half its 95 % interval (Student's t)."""
    from scipy import special

    known = np.isfinite(flat).sum(axis=1)
    mean, sd = content.mean_sd(flat.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = special.stdtrit(np.where(known > 1, known - 1, np.nan), 0.975) * sd / np.sqrt(known)
    return mean, half


def _baseline(panel: Panel, panels: Sequence[Panel]) -> int | None:
    """Return the place of the same network trained on shuffled labels, measured on the same inputs."""
    from infoplane.runs.config import override

    config = results.config_of(panel.ds)
    if not config.get("data") or content.is_baseline(panel.ds):
        return None
    wanted = override(config, {"data.shuffle_labels": True})
    held_out = panel.title.endswith("held-out inputs")
    for place, other in enumerate(panels):
        same = results.config_of(other.ds) == wanted
        if same and other.title.endswith("held-out inputs") == held_out:
            return place
    return None


def _extent(values: np.ndarray) -> list[float] | None:
    finite = values[np.isfinite(values)]
    return [float(finite.min()), float(finite.max())] if len(finite) else None


def _attribute(ds: "xr.Dataset", name: str) -> float | None:
    value = float(ds.attrs.get(name, np.nan))
    return value if np.isfinite(value) else None


def _numbers(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def _colours(n_layers: int) -> list[str]:
    """Return a colour a layer, told apart with any colour vision."""
    from matplotlib.colors import to_hex

    return [to_hex(tuple(colour)) for colour in style.layer_colours(max(n_layers, 1))]
