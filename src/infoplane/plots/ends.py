"""What each layer knows of the input at the end of training, and knew at the start, network beside network."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane.errors import InputError
from infoplane.plots import content, naming, style
from infoplane.results import mean_interval
from infoplane.runs.combine import split

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHIFT = 0.3
"""Of the distance between two layers, what the marks of all networks take."""

END: dict[str, Any] = {"marker": "o", "markersize": 3, "linewidth": 1.2}
INTERVAL: dict[str, Any] = {"fmt": "none", "elinewidth": 0.8, "capsize": 2.0}
START: dict[str, Any] = {"linestyle": ":", "linewidth": 1.0}
STORED: dict[str, Any] = {"marker": "x", "markersize": 5.5, "markeredgewidth": 1.2, "linestyle": "none", "zorder": 6}
KEY: dict[str, Any] = {"marker": "o", "markersize": 3.5, "linewidth": 1.2}


@dataclasses.dataclass(frozen=True)
class _Line:
    """One network in one panel.

    Attributes:
        ds: its result.
        estimator: who measured it.
        colour: of its marks, as matplotlib takes it.
        shift: where its marks stand beside the layer's place.
        places: where its layers stand among those of all.
        stored: the end points that are held beside it.
    """

    ds: "xr.Dataset"
    estimator: str
    colour: Any
    shift: float
    places: np.ndarray
    stored: Sequence[float]


def ends(
    ds: "xr.Dataset", *, stored: Mapping[str, Sequence[float]] | None = None, whose: str = "", by: str = ""
) -> "Figure":
    """Draw I(X;T) of every layer at the last measured epoch, a line for each combination of a sweep.

    A panel for each kind of estimator, its first one. Dots are means over members with the 95 % interval (Student's
    t), dotted lines the means at the first measured epoch, crosses the end points that another code stored, dashed
    lines H(X).

    Args:
        ds: a result, of a sweep or not.
        stored: I(X;T) in bits of each layer at the end, by the name of the combination.
        whose: who stored them.
        by: the estimator in whose panel they stand; empty for all panels.

    Raises:
        InputError: for a result in which nothing was measured, and for stored values of a combination or a number of
            layers that it does not have.
    """
    parts = {"  ".join(map(str, labels.values())): part for labels, part in split(ds) if part.sizes["epoch"]}
    if not parts:
        raise InputError("ends needs a measured epoch, and this result has none")
    _check(stored or {}, parts)
    own = {str(name) for part in parts.values() for name in part["layer"].values}
    layers = [name for name in map(str, ds["layer"].values) if name in own]
    colours = dict(zip(parts, style.layer_colours(len(parts)), strict=True))
    panels = _panels(parts, colours, layers, stored or {}, by)
    figure = style.new_figure(style.DOUBLE, 3.0)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    held: list[np.ndarray] = []
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        style.dress(ax, "", "I(X;T) (bits)" if ax is axes[0] else "")
        ax.set_title(title, loc="left", fontsize=style.NORMAL, color=style.INK)
        held += [_draw(ax, line) for line in lines]
        style.layer_ticks(ax, range(len(layers)), layers, columns=len(panels))
    every = np.concatenate(held)
    axes[0].set_ylim(
        style.include((0.0, float(np.nanmax(every))), every, 0.04, 0.08)
    )  # intervals of two members go far
    if len(parts) > 1:
        _name(figure, colours)
    several = max(part.sizes["member"] for part in parts.values()) > 1
    told = ["dots: end" + ", mean and 95 % interval over members" * several, "dotted: start", "dashed: H(X)"]
    told += [f"crosses: {whose}"] * any(line.stored for lines in panels.values() for line in lines)
    style.write_caption(figure, [content.caption(next(iter(parts.values())))[0], "  ·  ".join(told)])
    return figure


def _check(stored: Mapping[str, Sequence[float]], parts: "Mapping[str, xr.Dataset]") -> None:
    """Refuse stored values that belong to nothing.

    Raises:
        InputError: for a combination or a number of layers that there is not.
    """
    for label, values in stored.items():
        if label not in parts:
            raise InputError(f"stored '{label}' is no combination of this result; it has: {', '.join(parts)}")
        if len(values) != parts[label].sizes["layer"]:
            layers = parts[label].sizes["layer"]
            raise InputError(f"stored '{label}' has {len(values)} values; one for each of {layers} layers is needed")


def _panels(
    parts: "Mapping[str, xr.Dataset]",
    colours: Mapping[str, Any],
    layers: Sequence[str],
    stored: Mapping[str, Sequence[float]],
    by: str,
) -> dict[str, list[_Line]]:
    """Return the lines of each panel by its title: of every kind of estimator the first one."""
    panels: dict[str, list[_Line]] = {}
    for place, (label, part) in enumerate(parts.items()):
        shift = SHIFT * ((place + 0.5) / len(parts) - 0.5)
        places = np.array([layers.index(str(layer)) for layer in part["layer"].values])
        kinds = {str(name).partition("(")[0]: str(name) for name in part["estimator"].values[::-1]}
        for name in reversed(kinds.values()):
            beside = stored.get(label, ()) if by in ("", name) else ()
            line = _Line(part, name, colours[label], shift, places, beside)
            panels.setdefault(content.describe_estimator(part, name), []).append(line)
    return panels


def _draw(ax: "Axes", line: _Line) -> np.ndarray:
    """Draw one network, its end, its beginning and what is stored of another one like it; return what must be seen."""
    _, information = content.select(line.ds, line.estimator)
    values = information.sel(variable="input").values
    places = line.places + line.shift
    last, first = values[:, -1], values[:, 0]
    means, halves = np.transpose([mean_interval(of[np.isfinite(of)]) for of in last.T])
    ax.plot(places, means, color=line.colour, gid="end", **END)
    if np.isfinite(halves).any():
        ax.errorbar(places, means, halves, color=line.colour, **INTERVAL)
    start = content.mean_sd(first)[0]
    if values.shape[1] > 1:
        ax.plot(places, start, color=line.colour, gid="start", **START)
    if line.stored:
        ax.plot(places, line.stored, color=line.colour, gid="stored", **STORED)
    h_x = float(line.ds.attrs.get("input_entropy", np.nan))
    if np.isfinite(h_x):
        ax.axhline(h_x, gid="H(X)", **style.DASHED)
    return np.array([*means, *start, *line.stored, h_x])


def _name(figure: "Figure", colours: Mapping[str, Any]) -> None:
    """Name the networks beside the panels."""
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], label=naming.shorten(label), color=colour, **KEY) for label, colour in colours.items()]
    figure.legend(handles=marks, loc="outside right center", **style.LEGEND)
