"""How every figure looks: sizes, fonts, colours, and the one scale of epochs.

Nothing here touches matplotlib's global state: figures are built on their own canvas and every size and
colour is given to the artist that has it, so that figures can be drawn in threads and without a screen.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from infoplane.errors import InputError
from infoplane.plots import naming

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, SymLogNorm
    from matplotlib.figure import Figure

SINGLE, DOUBLE = 8 / 2.54, 17.8 / 2.54
"""Width of one column and of a page, in inches: 8 and 17.8 cm, the width at which journals print them."""

SMALL, NORMAL = 6.5, 7.5
"""Font sizes in points: ticks, names and titles; labels of axes. Nothing is smaller than ``SMALL - 0.5``."""

INK, GREY, FAINT = "#222222", "#6b6b6b", "#a8a8a8"
"""Text and marks; what stands behind them; what stands behind everything."""

DASHED: dict[str, Any] = {"linestyle": (0, (4, 3)), "linewidth": 0.7, "color": GREY, "zorder": 1.5}
WORDS: dict[str, Any] = {"fontsize": SMALL - 0.5, "color": GREY}
NODE: dict[str, Any] = {"marker": "s", "markersize": 4.5, "color": INK, "linestyle": "none", "zorder": 7}
LEGEND: dict[str, Any] = {"fontsize": SMALL, "labelcolor": INK, "frameon": False, "handletextpad": 0.5}
OPEN_NODE: dict[str, Any] = NODE | {"markersize": 7.5, "markerfacecolor": "none", "markeredgewidth": 0.9}
"""Lines of entropies, words beside them, the input node, legends."""

LETTERS = 21
"""Letters of a caption that fit into an inch."""

LAYER_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7")
"""Colours told apart with any colour vision on white (Okabe & Ito 2008, without yellow and black)."""

LINEAR = {"linthresh": 1, "linscale": 0.45, "base": 10}
"""The scale of epochs: logarithmic from 1; from 0 to 1 it is 0.45 / (1 − 1/10) = half a decade (matplotlib's rule)."""

LISTED, NAMED, SHORT = 12, 7, 18
"""Layers up to which a legend lists all; layers named beside a color bar; characters of a name in a legend."""

PANELS, TICKS = 24, 16
"""Layers that get a panel each; layers named below the panels of a figure."""

Colours = Float[np.ndarray, "layer 4"]


def width_in_inches(width: Any) -> tuple[float, bool]:
    """Return the width of a figure of several panels, and whether they stand below each other in it.

    Args:
        width: in cm, None for a page.

    Raises:
        InputError: for a width that is no number from 6 to 60.
    """
    if width is None:
        return DOUBLE, False
    is_number = isinstance(width, int | float | np.number) and not isinstance(width, bool)
    if not is_number or not 6 <= width <= 60:
        raise InputError(f"width: expected cm from 6 to 60, got {width!r}. Pass for example 8, the width of a column.")
    return float(width) / 2.54, bool(width < 12)


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of a size in inches on a canvas of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from infoplane.plots.picture import Picture

    figure = Picture(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def dress(ax: "Axes", x_label: str, y_label: str) -> None:
    """Name the axes and give ticks, frame and fonts their sizes."""
    ax.set_facecolor("white")
    ax.set_xlabel(x_label, fontsize=NORMAL, color=INK)
    ax.set_ylabel(y_label, fontsize=NORMAL, color=INK)
    ax.tick_params(labelsize=SMALL, width=0.6, length=2.5, color=GREY, labelcolor=INK)
    for side, spine in ax.spines.items():
        # above everything: the white edge of a name must not blank an axis
        spine.set(linewidth=0.6, edgecolor=GREY, visible=side in ("left", "bottom"), zorder=20)


def layer_colours(n_layers: int) -> Colours:
    """Return one colour a layer; more layers than names of colours get steps of one colour map."""
    import matplotlib
    from matplotlib.colors import to_rgba_array

    if n_layers <= len(LAYER_COLOURS):
        return np.asarray(to_rgba_array(LAYER_COLOURS[:n_layers]))
    return np.asarray(matplotlib.colormaps["viridis"](np.linspace(0, 0.92, n_layers)))


def colours_by_name(layers: Iterable[Any]) -> dict[str, Float[np.ndarray, " 4"]]:
    """Return the colour of each layer by name, of results of several depths in one figure: those of the deepest."""
    deepest = max(layers, key=len)
    return dict(zip(map(str, deepest), layer_colours(len(deepest)), strict=True))


def epoch_colours() -> "Colormap":
    """Return the colour map of epochs: dark violet to orange, of evenly rising lightness, never pale."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps["plasma"](np.linspace(0, 0.9, 256)), name="epochs")


def epoch_norm(epochs: Int[np.ndarray, " epoch"]) -> "SymLogNorm":
    """Return the scale of epochs: logarithmic from 1, with epoch 0 half a decade below it."""
    from matplotlib.colors import SymLogNorm

    last = max(float(epochs[-1]), 1.0)
    return SymLogNorm(vmin=0, vmax=last, **LINEAR)


def epoch_ticks(last: int, apart: float = 2.5) -> list[int]:
    """Return the epochs to name on the scale: 0, powers of ten, the last; none so near it that names collide."""
    decades = [10**power for power in range(len(str(max(last, 1))))]
    return [0, *[decade for decade in decades if decade * apart <= last], max(last, 1)]


def epoch_axis(ax: "Axes", last: int, *, narrow: bool = False) -> None:
    """Give an axes the scale of epochs; fewer of them are named on a narrow one."""
    ax.set_xscale("symlog", **LINEAR)
    ticks = epoch_ticks(last, 20.0 if narrow else 2.5)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(-0.12, max(last, 1) * 1.12)


def include(
    limits: tuple[float, float], values: Shaped[np.ndarray, "..."], below: float, above: float
) -> tuple[float, float]:
    """Widen limits to hold all finite values, then add shares of their length below and above."""
    every = np.concatenate([np.asarray(limits, float), np.asarray(values, float).ravel()])
    finite = every[np.isfinite(every)]
    low, high = float(finite.min()), float(finite.max())
    length = (high - low) or 1.0
    return low - below * length, high + above * length


def draw_entropies(ax: "Axes", h_x: float, h_y: float) -> None:
    """Mark H(X) and H(Y) in an information plane, where they are finite."""
    if np.isfinite(h_x):
        ax.axvline(h_x, gid="H(X)", **DASHED)
    if np.isfinite(h_y):
        ax.axhline(h_y, gid="H(Y)", **DASHED)


def draw_rug(ax: "Axes", epochs: Int[np.ndarray, " epoch"]) -> None:
    """Mark epochs by short ticks inside the lower edge."""
    thin = {"linewidth": 0.5, "color": GREY, "alpha": 0.8}
    ax.vlines(epochs, 0, 0.025, transform=ax.get_xaxis_transform(), gid="measured", **thin)


def layer_legend(
    figure: "Figure", layers: Iterable[str], *, node: dict[str, Any] | None = None, shrink: float = 1.0
) -> None:
    """Name the colors of the layers, and the input's mark where it is given, beside the panels.

    More than `LISTED` layers get a color bar by depth in place of a list, which would cover the figure.

    Args:
        figure: whose panels are complete.
        layers: names in order.
        node: look of the input's mark, if it is drawn.
        shrink: share of the panels' height that a color bar takes, from their top.
    """
    from matplotlib.lines import Line2D

    names = [str(layer) for layer in layers]
    if len(names) > LISTED:
        _depth_bar(figure, names, node, shrink)
        return
    dots = {"marker": "o", "linestyle": "none", "markersize": 4.5}
    marks = [
        Line2D([], [], label=str(place), **dots, color=colour) for place, colour in enumerate(layer_colours(len(names)))
    ]
    labels = [naming.shorten(name, _letters(figure)) for name in names]
    if node is not None:
        marks.insert(0, Line2D([], [], label="input", **node))
        labels.insert(0, "input")
    shown = figure.legend(handles=marks, loc="outside right center", **LEGEND)
    for text, label in zip(shown.get_texts(), labels, strict=True):
        text.set_text(label)  # as the label of a mark, "_name" would be left out


def _letters(figure: "Figure") -> int:
    """Return how many letters of a name fit beside the panels and leave them most of the width."""
    return min(SHORT, int(3 * figure.get_figwidth()))


def _depth_bar(figure: "Figure", names: Sequence[str], node: dict[str, Any] | None, shrink: float) -> None:
    """Draw the colors of many layers as one bar, the first layer at its top, with the names of some."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    steps = BoundaryNorm(np.arange(len(names) + 1) - 0.5, len(names))
    colours = ScalarMappable(steps, ListedColormap(layer_colours(len(names))))
    axes = [ax for ax in figure.axes if ax.get_visible()]
    place: dict[str, Any] = {"fraction": 0.045, "pad": 0.02, "aspect": 28, "shrink": shrink, "anchor": (0.0, 1.0)}
    bar = figure.colorbar(colours, ax=axes, **place)
    places = naming.spread(len(names), NAMED)
    bar.set_ticks(places, labels=[naming.shorten(names[place], _letters(figure)) for place in places])
    bar.ax.minorticks_off()
    bar.ax.invert_yaxis()
    bar.ax.tick_params(labelsize=SMALL, width=0.6, length=2.5, color=GREY, labelcolor=INK)
    bar.outline.set(linewidth=0.6, edgecolor=GREY)
    title = f"{len(names)} layers"
    bar.ax.set_title(f"□ input\n{title}" if node else title, fontsize=SMALL, color=INK, loc="left")


def layer_ticks(ax: "Axes", places: Sequence[float | int], layers: Iterable[Any], *, columns: int = 1) -> None:
    """Name layers below an axes: of many some, evenly apart, and slanted if they would touch each other.

    Args:
        ax: whose layers are named.
        places: where each layer is on the horizontal axis.
        layers: names in order.
        columns: axes beside each other in the figure, which share its width.
    """
    names = [str(layer) for layer in layers]
    shown = naming.spread(len(names), max(TICKS // columns, 4))
    labels = [naming.shorten(names[index], SHORT) for index in shown]
    crowded = sum(map(len, labels)) + 2 * len(labels) > 0.8 * LETTERS * ax.figure.canvas.figure.get_figwidth() / columns
    slanted: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    ax.set_xticks([places[index] for index in shown], labels, fontsize=SMALL, **slanted)


def choose_panels(layers: Iterable[Any]) -> tuple[list[int], list[str]]:
    """Return the places of the layers that get a panel each, and the sentence for a caption if some have none."""
    names = list(layers)
    places = naming.spread(len(names), PANELS)
    told = f"{len(places)} of {len(names)} layers; ds.sel(layer=[…]) chooses others"
    return places, [told] * (len(places) < len(names))


def legend(ax: "Axes") -> None:
    """Name the lines of one panel inside it."""
    ax.legend(loc="best", **LEGEND)


def write_caption(figure: "Figure", lines: Sequence[str]) -> None:
    """Write a caption above the panels of a figure, from its left edge; lines that are too long for it are broken."""
    fitting = int(LETTERS * figure.get_figwidth())
    lines = [part for line in lines for part in textwrap.wrap(line, fitting)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)
