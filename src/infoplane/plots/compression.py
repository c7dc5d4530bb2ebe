"""How much each layer loses from its peak to the end, as bars."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from infoplane.plots import content, naming, style
from infoplane.results import compression as measure
from infoplane.results import decode_flags
from infoplane.runs.combine import split

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAINT_BAR, HATCH = "#c9c9c9", "/////"
"""Shuffled labels; activations beyond the bins."""

SHARE = 0.8
"""Of the distance between two groups, what the bars of one take."""


@dataclasses.dataclass(frozen=True)
class _Group:
    """Bars that stand together: the layers of one result by one estimator."""

    label: str
    ds: "xr.Dataset"
    estimator: str


def compression(ds: "xr.Dataset") -> "Figure":
    """Draw what each layer loses of I(X;T) from its largest mean to the end, with the 95 % interval over members.

    A panel for each kind of estimator, its first one; a group of bars for each combination of a sweep. Where one
    combination is measured by several definitions, a panel more shows them side by side. Grey bars: shuffled labels.
    Grey dashes: how far the layer had risen above random weights (epoch 0); a bar above its dash ends lower than it
    began. Hatched: activations were clipped to the bins at some epoch, which alone can look like a loss. Intervals are
    Student's t over the members that have both numbers.

    Args:
        ds: a result, of a sweep or not.

    Raises:
        InputError: for a result in which nothing has been measured.
    """
    parts = [(labels, part) for labels, part in split(ds) if part.sizes["epoch"]]
    rows, colours = _rows(parts), style.colours_by_name(part["layer"].values for _, part in parts)
    figure = style.new_figure(style.DOUBLE, 0.5 + 1.9 * len(rows))
    for ax, (title, groups) in zip(figure.subplots(len(rows), 1, squeeze=False)[:, 0], rows.items(), strict=True):
        style.dress(ax, "", "lost I(X;T) (bits)")
        ax.set_title(naming.shorten(title, 90), loc="left", fontsize=style.NORMAL, color=style.INK)
        for place, group in enumerate(groups):
            _draw_group(ax, place, group, colours)
        ax.axhline(0, color=style.GREY, linewidth=0.6)
        _name_groups(ax, groups)
    if len(parts) > 1:
        style.layer_legend(figure, colours)
    every = [group for groups in rows.values() for group in groups]
    clipped = any(_clipped(group, str(layer)) for group in every for layer in group.ds["layer"].values)
    told = ["grey dashes: rise above random weights", *["hatched: activations clipped to the bins"] * clipped]
    several = max(part.sizes["member"] for _, part in parts) > 1
    first = content.caption(parts[0][1])[0] + "  ·  mean and 95 % interval over members" * several
    style.write_caption(figure, [first, "  ·  ".join(told)])
    return figure


def _clipped(group: _Group, layer: str) -> bool:
    """Whether values of a layer lay outside the bins."""
    if "flags" not in group.ds:
        return False
    codes = np.unique(group.ds["flags"].sel(estimator=group.estimator, layer=layer).values)
    return any("clipped" in decode_flags(code) for code in codes)


def _rows(parts: "Sequence[tuple[dict, xr.Dataset]]") -> dict[str, list[_Group]]:
    """Return the groups of each panel by its title."""
    rows: dict[str, list[_Group]] = {}
    for labels, part in parts:
        named = "  ".join(map(str, labels.values()))
        kinds: dict[str, list[str]] = {}
        for name in map(str, part["estimator"].values):
            kinds.setdefault(name.partition("(")[0], []).append(name)
        for kind, names in kinds.items():
            rows.setdefault(content.describe_estimator(part, names[0]), []).append(_Group(named, part, names[0]))
            if len(names) > 1:
                others = [_Group(_parameters(name), part, name) for name in sorted(names, key=_in_order)]
                rows[f"{kind} by its settings, {named or part.attrs['title']}"] = others
    return rows


def _name_groups(ax: "Axes", groups: Sequence[_Group]) -> None:
    """Write below the bars what they are: the combinations, or of a single one the layers."""
    ax.set_xlim(-0.6, len(groups) - 0.4)
    if len(groups) == 1:
        layers = groups[0].ds["layer"].values
        style.layer_ticks(ax, [_place(0, index, len(layers)) for index in range(len(layers))], layers)
        return
    slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(groups) > 4 else {}
    ax.set_xticks(
        range(len(groups)), [naming.shorten(group.label) for group in groups], fontsize=style.SMALL, **slanted
    )


def _place(group: int, layer: int, n_layers: int) -> float:
    """Return where the bar of a layer stands."""
    return group + (layer - (n_layers - 1) / 2) * SHARE / n_layers


def _in_order(name: str) -> tuple[str, list[float]]:
    """Sort names by their words first, then by their numbers."""
    number = r"\d+(?:\.\d+)?(?:e[-+]?\d+)?"
    return re.sub(number, "", name), [float(found) for found in re.findall(number, name)]


def _parameters(name: str) -> str:
    """Return what stands in brackets in the name of an estimator."""
    return name.partition("(")[2].removesuffix(")").replace("edges=", "").replace("variance=", "σ² = ")


def _draw_group(ax: "Axes", place: int, group: _Group, colours: Mapping[str, np.ndarray]) -> None:
    """Draw one bar a layer around a place, each layer always at the same distance from it."""
    _, information = content.select(group.ds, group.estimator)
    layers = group.ds["layer"].values
    width = SHARE / len(layers)
    for index, layer in enumerate(layers):
        values = information.sel(layer=layer, variable="input").values
        lost = measure(values)
        at = _place(place, index, len(layers))
        shade = FAINT_BAR if content.is_baseline(group.ds) else colours[str(layer)]
        hatched = {"hatch": HATCH, "edgecolor": "white", "linewidth": 0} if _clipped(group, str(layer)) else {}
        ax.bar(at, lost.mean, 0.9 * width, color=shade, gid=f"bar {layer}", **hatched)
        if np.isfinite(lost.half_width):  # one member has no interval
            ax.errorbar(at, lost.mean, lost.half_width, fmt="none", ecolor=style.INK, elinewidth=0.6, capsize=1.0)
        if np.isfinite(lost.rise):
            ax.hlines(lost.rise, at - 0.45 * width, at + 0.45 * width, color=style.GREY, linewidth=1.0, gid="rise")
