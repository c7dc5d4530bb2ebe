"""How activations are distributed, and how that changes while a network trains: a panel a layer."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError
from infoplane.plots import content, naming, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2
SEEN = 1e-3
"""Share of a layer's values from which a cell counts when the limits of the axes are chosen."""

NAMED = (-100, -10, -1, -0.5, 0, 0.5, 1, 10, 100)
"""Activations to name on the axis."""


def has_histograms(ds: "xr.Dataset") -> bool:
    """Say whether a result holds distributions of activations."""
    return "histogram" in ds and bool(ds["histogram"].notnull().any())


def histograms(ds: "xr.Dataset") -> "Figure":
    """Draw the share of each layer's activations in cells of equal height against epoch: mean over members.

    The axis of activations is linear from −1 to 1 and logarithmic beyond. The darker a cell, the more of the layer's
    values lie in it; the scale of greys is that of the root, so that shares of a hundredth are seen. Saturation is a
    dark band at an end: −1 and 1 of tanh, 0 of relu.

    Args:
        ds: a result.

    Raises:
        InputError: for a result without histograms.
    """
    if not has_histograms(ds):
        raise InputError("this result holds no histograms of activations; run it with measure.histograms = true")
    known = ds["histogram"].notnull().any(["member", "layer", "cell"]).values
    shares, _ = content.mean_sd(ds["histogram"].transpose("member", "epoch", "layer", "cell").values[:, known])
    epochs, lower = ds["epoch"].values[known], ds["cell"].values
    shown, left_out = style.choose_panels(ds["layer"].values)
    layers = [str(ds["layer"].values[place]) for place in shown]
    n_rows = -(-len(layers) // COLUMNS)
    figure = style.new_figure(style.SINGLE, 0.9 + 1.2 * n_rows)
    grid = figure.subplots(n_rows, min(COLUMNS, len(layers)), squeeze=False, sharex=True, sharey=True)
    for ax in grid.ravel()[len(layers) :]:
        ax.set_visible(False)
    used = list(grid.ravel()[: len(layers)])
    for index, (ax, layer) in enumerate(zip(used, layers, strict=True)):
        last = index + COLUMNS >= len(layers)
        style.dress(ax, content.epoch_word(ds) if last else "", "activation" if index % COLUMNS == 0 else "")
        ax.set_title(naming.shorten(layer, 20), loc="left", fontsize=style.SMALL, color=style.INK)
        _draw(ax, epochs, shares[:, shown[index]])
        style.epoch_axis(ax, int(epochs[-1]))
        if last:
            ax.xaxis.set_tick_params(labelbottom=True)
    _name_activations(grid[0, 0], lower, shares)
    _draw_bar(figure, used)
    first, *problems = content.caption(ds)
    told = "mean over members  ·  cells are 0.05 wide from −1 to 1, ever wider beyond"
    style.write_caption(figure, [first, told, *left_out, *problems])
    return figure


def _draw_bar(figure: "Figure", used: "list[Axes]") -> None:
    """Draw the scale of greys below the panels."""
    place = {"location": "bottom", "fraction": 0.05, "aspect": 40, "ticks": [0, 0.01, 0.1, 0.25, 0.5, 1]}
    bar = figure.colorbar(used[0].collections[0], ax=used, format="%g", **place)
    bar.ax.tick_params(labelsize=style.SMALL, width=0.6, length=2.5, color=style.GREY, labelcolor=style.INK)
    bar.set_label("share of the values", fontsize=style.SMALL, color=style.INK)
    bar.outline.set_linewidth(0.6)  # pyright: ignore[reportCallIssue]


def _draw(ax: "Axes", epochs: Int[np.ndarray, " epoch"], shares: Float[np.ndarray, "epoch cell"]) -> None:
    """Draw the shares of one layer; each epoch reaches half way to its neighbours on the axis of epochs."""
    from matplotlib.colors import PowerNorm

    ends = _borders(epochs)
    look = {"cmap": "Greys", "norm": PowerNorm(0.5, 0, 1), "rasterized": True, "gid": "shares"}
    ax.pcolormesh(ends, np.arange(shares.shape[1] + 1.0), shares.T, **look)


def _borders(epochs: Int[np.ndarray, " epoch"]) -> Float[np.ndarray, " border"]:
    """Return where the columns of some epochs begin and end: half way between neighbours, on a logarithmic scale."""
    if len(epochs) == 1:
        return np.array([max(epochs[0] - 0.5, -0.1), epochs[0] + 0.5])
    logs = np.log1p(epochs)
    middle = (logs[1:] + logs[:-1]) / 2
    return np.expm1(np.concatenate([[logs[0]], middle, [logs[-1]]]))


def _name_activations(
    ax: "Axes", lower: Float[np.ndarray, " cell"], shares: Float[np.ndarray, "epoch layer cell"]
) -> None:
    """Name the ends of some cells, and show those in which there is anything."""
    seen = np.flatnonzero((np.nan_to_num(shares) > SEEN).any(axis=(0, 1)))
    low, high = max(seen[0] - 1, 0), min(seen[-1] + 2, len(lower))
    places = {value: int(np.abs(lower - value).argmin()) for value in NAMED}
    named = {value: place for value, place in places.items() if low <= place <= high}
    ax.set_yticks([*named.values()], [f"{value:g}".replace("-", "−") for value in named])
    ax.set_ylim(low, high)
