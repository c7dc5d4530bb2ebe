"""Drift and diffusion: how the gradients' mean and spread over mini-batches change while a network trains."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from infoplane.errors import InputError
from infoplane.plots import content, naming, style
from infoplane.results import normalised_gradients
from infoplane.runs.combine import split

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPREAD_LINE = (0, (2.2, 1.1))
POINTS = 80
"""Epochs on the logarithmic scale, before equal ones are left out."""

SMOOTHED = 11
"""Epochs whose median stands for one when the transition is looked for: single mini-batches make it jump."""


def gradients(ds: "xr.Dataset") -> "Figure":
    """Draw the norm of the mean gradient and its spread over mini-batches against epoch, a row a combination.

    Left: as they are (Saxe et al. 2018); middle: divided by the norm of the layer's kernel (Shwartz-Ziv & Tishby 2017,
    figure 4); solid the mean, dashed the spread. Right: their ratio, the signal-to-noise ratio, the same in both.
    Everything is the median over members at some 60 epochs. The grey line is the transition: the epoch at which
    the ratio of all layers together, √(Σm²/Σs²), falls below 1 for the first time, as the median over members, its
    running median over 11 epochs being taken; none is drawn where half of the members never get there.

    Args:
        ds: a result, of a sweep or not.

    Raises:
        InputError: for a result without gradients.
    """
    parts = [(labels, part) for labels, part in split(ds) if _has_gradients(part)]
    if not parts:
        raise InputError("gradients needs 'gradient_mean', which this result does not hold; draw 'training' instead")
    figure = style.new_figure(style.DOUBLE, 0.5 + 1.75 * len(parts))
    grid = figure.subplots(len(parts), 3, squeeze=False, sharex=True)
    colours = style.colours_by_name(part["layer"].values for _, part in parts)
    for (labels, part), axes in zip(parts, grid, strict=True):
        _draw_row(axes, part, [colours[str(layer)] for layer in part["layer"].values])
        title = "  ".join(map(str, labels.values()))
        axes[0].set_title(naming.shorten(title, 60), loc="left", fontsize=style.NORMAL, color=style.INK)
    for ax in grid[-1]:
        ax.set_xlabel(content.epoch_word(parts[0][1]), fontsize=style.NORMAL, color=style.INK)
    style.layer_legend(figure, colours)
    first = content.caption(parts[0][1])[0]
    style.write_caption(figure, [first, "solid: norm of the mean gradient, dashed: its spread; median over members"])
    return figure


def _has_gradients(ds: "xr.Dataset") -> bool:
    return "gradient_mean" in ds and bool(np.isfinite(ds["gradient_mean"]).any())


def _draw_row(axes: "np.ndarray", ds: "xr.Dataset", colours: Sequence[np.ndarray]) -> None:
    """Draw the three panels of one combination."""
    shown = ds.sel(step=np.unique(np.geomspace(1, content.trained_epochs(ds), POINTS).astype(int)))
    divided = normalised_gradients(shown)
    lines = [
        [(shown["gradient_mean"], "-"), (shown["gradient_std"], SPREAD_LINE)],
        [(divided["gradient_mean"], "-"), (divided["gradient_std"], SPREAD_LINE)],
        [(divided["signal_to_noise"], "-")],
    ]
    names = ("m, s", "m/‖W‖, s/‖W‖", "m/s")
    at = transition(ds)
    for ax, name, drawn in zip(axes, names, lines, strict=True):
        style.dress(ax, "", name)
        ax.set(xscale="log", yscale="log")
        for values, look in drawn:
            _draw_layers(ax, shown["step"].values, values.transpose("member", "step", "layer").values, look, colours)
        if np.isfinite(at):
            ax.axvline(at, gid="transition", **style.DASHED | {"linestyle": "-", "linewidth": 1.0})
    axes[2].axhline(1, gid="as much signal as noise", **style.DASHED)
    if np.isfinite(at):
        place = {"textcoords": "offset points", "xycoords": axes[2].get_xaxis_transform(), "va": "top"}
        axes[2].annotate(f"epoch {at:.0f}", (at, 1.0), (2, -1), **place, **style.WORDS)


def _draw_layers(
    ax: "Axes",
    steps: Int[np.ndarray, " step"],
    values: Float[np.ndarray, "member step layer"],
    look: Any,
    colours: Sequence[np.ndarray],
) -> None:
    """Draw the median over members of each layer where there is one."""
    known = np.isfinite(values).any(axis=(0, 2)) & (np.nan_to_num(values) > 0).any(axis=(0, 2))
    if not known.any():
        return
    middle = np.nanmedian(values[:, known], axis=0)
    for layer, colour in enumerate(colours):
        ax.plot(steps[known], middle[:, layer], color=colour, linestyle=look, linewidth=0.9, gid="median")


def transition(ds: "xr.Dataset") -> float:
    """Epoch at which noise first exceeds signal in all layers together, the median over members; NaN without one."""
    from scipy.ndimage import median_filter

    squares = [(ds[name] ** 2).sum("layer", skipna=False) for name in ("gradient_mean", "gradient_std")]
    with np.errstate(invalid="ignore", divide="ignore"):  # dead members have gradients of 0
        ratio = np.sqrt((squares[0] / squares[1]).transpose("member", "step").values)
    recorded, alive = np.isfinite(ratio).any(axis=0), np.isfinite(ratio).any(axis=1)  # a dead one has no gradients
    if not recorded.any():
        return float("nan")
    known = np.nan_to_num(ratio[alive][:, recorded], nan=np.inf)
    below = median_filter(known, (1, min(SMOOTHED, known.shape[1])), mode="nearest") < 1
    steps = ds["step"].values[recorded]
    first = np.where(below.any(axis=1), steps[np.argmax(below, axis=1)], np.inf)
    middle = float(np.median(first))
    return middle if np.isfinite(middle) else float("nan")
