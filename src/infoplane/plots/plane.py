"""The information plane: where each layer stands between input and label, epoch by epoch."""

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError
from infoplane.plots import content, style
from infoplane.plots.bound import curve_of
from infoplane.plots.labels import place_names

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Limits = tuple[float, float]

FEW = 12
"""Layers up to which paths have their full width."""

BASELINE: dict[str, Any] = {"s": 17, "marker": "D", "color": "white", "edgecolors": style.GREY, "linewidths": 0.9}


def plane(
    ds: "xr.Dataset",
    *,
    estimator: str | None = None,
    shuffled: "xr.Dataset | None" = None,
    bound: bool = False,
    ax: "Axes | None" = None,
) -> "Figure":
    """Draw the information plane: the mean over members in front, every member faint behind it.

    Each layer is a path through I(X;T) and I(T;Y) in bits, coloured by epoch on a scale that is logarithmic
    from epoch 1 and has epoch 0, the initialisation, half a decade below. A path begins at a white disc and
    ends at a coloured one. A thin line joins the input node (the square) and the layers of one epoch. Dashed:
    H(X) and H(Y). Layers that stand on each other share a name: "input, hidden1". Means are over the
    members that have a number at an epoch, dead and diverged ones included; the caption counts those.

    Two baselines: the white discs are random weights; grey diamonds, a dotted line from layer to layer, are where the
    same networks end when they are trained on shuffled labels.

    Args:
        ds: a result.
        estimator: which estimator's information; the first where it is None.
        shuffled: a result of the same networks on shuffled labels, whose end is marked.
        bound: whether to draw the information bottleneck's curve, the largest I(T;Y) at each I(X;T).
        ax: axes to draw into, for a figure of your own; a figure of one column where it is None.

    Raises:
        InputError: for an estimator that a result does not hold, a result without labels, or the bound of one whose
            p(x,y) is not known.
    """
    name, information = content.select(ds, estimator)
    if ax is None:
        ax = style.new_figure(style.SINGLE, 3.05).add_subplot()
    ds = content.measured(ds, name)
    draw_plane(ax, ds, information)
    if bound:
        _draw_bound(ax, ds)
    if shuffled is not None:
        _draw_shuffled(ax, shuffled, name)
    if ds.sizes["epoch"] > 1:
        draw_colour_bar(ax.figure, [ax], ds["epoch"].values, content.epoch_word(ds))
    told = [*content.caption(ds, estimator=name), *_told(shuffled, bound=bound)]
    lines = [part for line in told for part in textwrap.wrap(line, 58)]
    ax.set_title("\n".join(lines), loc="left", fontsize=style.SMALL - 0.5, color=style.GREY, linespacing=1.3)
    name_layers(ax, ds, information)
    return ax.figure.canvas.figure


def draw_plane(ax: "Axes", ds: "xr.Dataset", information: "xr.DataArray", *, small: bool = False) -> None:
    """Draw one information plane into axes, without title, colour bar or names.

    A small one has no values beside H(X) and H(Y). Names come last, when nothing moves the axes: `name_layers`.
    """
    content.need_labels(information, "plane")
    values = information.sel(variable=["input", "label"]).values
    epochs = ds["epoch"].values
    mean, _ = content.mean_sd(values)
    node = _input_node(ds)
    colours = _colours(epochs)

    style.dress(ax, "I(X;T) (bits)", "I(T;Y) (bits)")
    x_limits, y_limits = _limits(ds, values)
    ax.set_xlim(x_limits)
    ax.set_ylim(y_limits)
    style.draw_entropies(ax, ds.attrs["input_entropy"], ds.attrs["label_entropy"])
    if not small:
        _write_entropies(ax, ds)
    if len(values) > 1:
        _draw_members(ax, values)
    _draw_chains(ax, node, mean, epochs, colours)
    for layer, path in zip(ds["layer"].values, mean.swapaxes(0, 1), strict=True):
        _draw_path(ax, str(layer), path, epochs, colours, thin=min(1.0, FEW / mean.shape[1]))
    ax.plot(*node, gid="input", **style.NODE)


def hold_all(axes: "Sequence[Axes]", drawn: "Sequence[tuple[xr.Dataset, xr.DataArray]]") -> None:
    """Give planes side by side, which share their axes, limits that hold what is drawn in every one of them."""
    limits = np.array([_limits(ds, information.sel(variable=["input", "label"]).values) for ds, information in drawn])
    for ax in axes:
        ax.set_xlim(limits[:, 0, 0].min(), limits[:, 0, 1].max())
        ax.set_ylim(limits[:, 1, 0].min(), limits[:, 1, 1].max())


def _input_node(ds: "xr.Dataset") -> Float[np.ndarray, " 2"]:
    """Return where the input stands; NaN of a continuous one, which lies outside the plane."""
    node = np.array([ds.attrs["input_entropy"], ds.attrs["label_information"]], float)
    return np.where(np.isfinite(node).all(), node, np.nan)


def _draw_bound(ax: "Axes", ds: "xr.Dataset") -> None:
    """Draw the largest I(T;Y) that any T can have at each I(X;T).

    Raises:
        InputError: when the result's p(x,y) is not known.
    """
    curve = curve_of(ds)
    if curve is None:
        raise InputError("bound=True needs labels that the input decides, or drawn by a known p(y|x); leave it out")
    ax.plot(curve.input, curve.label, color=style.INK, linewidth=1.0, zorder=2.5, gid="bound")


def _draw_shuffled(ax: "Axes", shuffled: "xr.Dataset", estimator: str) -> None:
    """Mark where the layers of networks end that were trained on shuffled labels: their mean over members."""
    _, information = content.select(shuffled, estimator)
    content.need_labels(information, "plane")
    mean, _ = content.mean_sd(information.sel(variable=["input", "label"]).values)
    ends = _known(mean[-1])
    ax.plot(*ends.T, color=style.GREY, linestyle=(0, (1, 1.5)), linewidth=0.8, zorder=5.5)
    ax.scatter(*ends.T, gid="shuffled labels", zorder=6, **BASELINE)


def _told(shuffled: "xr.Dataset | None", *, bound: bool) -> list[str]:
    """Say what stands in the plane beside the layers' paths."""
    words = ["grey diamonds: trained on shuffled labels"] if shuffled is not None else []
    words += ["line: the bound of the information bottleneck"] if bound else []
    return ["  ·  ".join(words)] if words else []


def _limits(ds: "xr.Dataset", values: Float[np.ndarray, "member epoch layer 2"]) -> tuple[Limits, Limits]:
    """Return limits that show 0, both entropies and every member, with room for names above and to the right."""
    across = style.include((0.0, ds.attrs["input_entropy"]), values[..., 0], 0.02, 0.15)
    return across, style.include((0.0, ds.attrs["label_entropy"]), values[..., 1], 0.06, 0.17)


def _write_entropies(ax: "Axes", ds: "xr.Dataset") -> None:
    """Write the values of H(X) and H(Y) beside their dashed lines."""
    h_x, h_y = float(ds.attrs["input_entropy"]), float(ds.attrs["label_entropy"])
    beside: dict[str, Any] = {"textcoords": "offset points", **style.WORDS}
    if np.isfinite(h_x):
        ax.annotate(f"H(X) = {h_x:.4g}", (h_x, ax.get_ylim()[0]), (-3, 4), ha="right", **beside)
    if np.isfinite(h_y):
        ax.annotate(f"H(Y) = {h_y:.4g}", (ax.get_xlim()[0], h_y), (4, 2.5), **beside)


def _draw_members(ax: "Axes", values: Float[np.ndarray, "member epoch layer 2"]) -> None:
    """Draw one faint line for each member and layer, as an image: a PDF need not hold 100 000 points."""
    from matplotlib.collections import LineCollection

    paths = [_known(path) for path in values.swapaxes(1, 2).reshape(-1, *values.shape[1::2])]
    alpha = float(np.clip(15 / len(values), 0.2, 0.7))
    faint = {"colors": style.FAINT, "linewidths": 0.4, "alpha": alpha}
    ax.add_collection(LineCollection(paths, gid="members", zorder=1, rasterized=True, **faint), autolim=False)


def _draw_chains(
    ax: "Axes",
    node: Float[np.ndarray, " 2"],
    mean: Float[np.ndarray, "epoch layer 2"],
    epochs: Int[np.ndarray, " epoch"],
    colours: dict[str, Any],
) -> None:
    """Join the input node and the layers of each epoch by a thin line."""
    from matplotlib.collections import LineCollection

    chains = [_known(np.vstack([node, layers])) for layers in mean]
    thin = {"linewidths": 0.4, "alpha": float(np.clip(40 / len(chains), 0.22, 0.8)), "zorder": 2}
    ax.add_collection(LineCollection(chains, array=epochs, gid="chains", **thin, **colours), autolim=False)


def _draw_path(
    ax: "Axes",
    layer: str,
    path: Float[np.ndarray, "epoch 2"],
    epochs: Int[np.ndarray, " epoch"],
    colours: dict[str, Any],
    *,
    thin: float,
) -> None:
    """Draw a layer's mean path; each piece has the colour of the epoch where it ends.

    ``thin`` is the share of the usual width: lower where there are many layers, which would run into one area.
    """
    from matplotlib.collections import LineCollection

    known = np.isfinite(path).all(axis=1)
    path, epochs = path[known], epochs[known]
    if not len(path):
        return
    pieces = np.stack([path[:-1], path[1:]], axis=1)
    # nothing leaves the axes, and layouts of hundreds of artists take seconds
    line = {"linewidths": max(2.0 * thin, 0.5), "capstyle": "round", "zorder": 4, "in_layout": False}
    ax.add_collection(
        LineCollection(list(pieces), array=epochs[1:], gid=f"mean {layer}", **line, **colours), autolim=False
    )
    ends = {
        "s": max(14 * thin, 5),
        "edgecolors": style.INK,
        "linewidths": max(0.6 * thin, 0.3),
        "zorder": 5,
        "in_layout": False,
    }
    if len(path) > 1:
        ax.scatter(*path[-1], c=epochs[-1:], gid=f"end {layer}", **ends, **colours)
    ax.scatter(*path[0], color="white", gid=f"start {layer}", **ends)


def _known(path: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, "known 2"]:
    return path[np.isfinite(path).all(axis=1)]


def _colours(epochs: Int[np.ndarray, " epoch"]) -> dict[str, Any]:
    """The colours of epochs, as matplotlib's artists take them."""
    return {"cmap": style.epoch_colours(), "norm": style.epoch_norm(epochs)}


def draw_colour_bar(
    figure: Any, axes: "Sequence[Axes]", epochs: Int[np.ndarray, " epoch"], word: str = "epoch"
) -> None:
    """Draw the scale of epochs beside some axes of a figure."""
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(**_colours(epochs)), ax=list(axes), fraction=0.045, pad=0.02, aspect=28)
    ticks = style.epoch_ticks(int(epochs[-1]))
    bar.set_ticks(ticks, labels=[str(tick) for tick in ticks])
    bar.ax.minorticks_off()
    bar.set_label(word, fontsize=style.NORMAL, color=style.INK, labelpad=2)
    bar.ax.tick_params(labelsize=style.SMALL, width=0.6, length=2.5, color=style.GREY, labelcolor=style.INK)
    bar.outline.set(linewidth=0.6, edgecolor=style.GREY)


def name_layers(ax: "Axes", ds: "xr.Dataset", information: "xr.DataArray", *, small: bool = False) -> None:
    """Write the names of the input and of the layers beside the first or last point of their paths.

    The axes' place in the figure must be final. A small plane has short names: X, 1, 2, … out.
    """
    name = _short if small else str
    node, values = _input_node(ds), information.sel(variable=["input", "label"]).values
    mean, _ = content.mean_sd(values)
    anchors = {name("input"): np.stack([node, node])} if np.isfinite(node).all() else {}
    for layer, path in zip(ds["layer"].values, mean.swapaxes(0, 1), strict=True):
        if len(_known(path)):
            anchors[name(str(layer))] = _known(path)[[0, -1]]
    drawn = [(values, 0.05), (_sheet(node, mean), 0.15), *_beside_entropies(ax, ds), (mean, 1.0)]
    place_names(ax, anchors, [(points.reshape(-1, 2), weight) for points, weight in drawn])


def _short(name: str) -> str:
    """Shorten a packaged network's layer name; others stay as they are."""
    numbered = re.fullmatch(r"hidden(\d+)", name)
    return numbered[1] if numbered else {"input": "X", "output": "out"}.get(name, name)


def _sheet(
    node: Float[np.ndarray, " 2"], mean: Float[np.ndarray, "epoch layer 2"]
) -> Float[np.ndarray, "epoch layer step 2"]:
    """Return points along the chains of some 50 epochs."""
    every = max(1, len(mean) // 50)
    chains = np.concatenate([np.broadcast_to(node, (len(mean), 1, 2)), mean], axis=1)[::every]
    steps = np.linspace(0, 1, 40)[:, None]
    return chains[:, :-1, None] + steps * np.diff(chains, axis=1)[:, :, None]


def _beside_entropies(ax: "Axes", ds: "xr.Dataset") -> list[tuple[np.ndarray, float]]:
    """Return points of the dashed lines and of the words beside them, and how much they matter."""
    h_x, h_y = (np.where(np.isfinite(h), h, np.nan) for h in (ds.attrs["input_entropy"], ds.attrs["label_entropy"]))
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    across, up = np.linspace(left, right, 400), np.linspace(bottom, top, 400)
    words_of_x = np.meshgrid(h_x - (across[:100] - left), up[:24])
    words_of_y = np.meshgrid(across[:120], h_y + (up[:24] - bottom))
    lines = [np.stack([across, np.full(400, h_y)], axis=-1), np.stack([np.full(400, h_x), up], axis=-1)]
    words = [np.stack(grid, axis=-1) for grid in (words_of_x, words_of_y)]
    return [*((line, 0.5) for line in lines), *((word, 1.0) for word in words)]
