"""Where a deeper layer seems to know more than the one before it: violations of the data-processing inequality."""

from typing import TYPE_CHECKING

import numpy as np

from infoplane.errors import InputError
from infoplane.plots import content, style
from infoplane.plots.curves import draw_mean
from infoplane.results import order_violation

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTITIES = {"input": "I(X;T)", "label": "I(T;Y)"}
SEEN = 0.02
"""Bits that the axis reaches at least: violations that are smaller still look small."""


def has_chain(ds: "xr.Dataset") -> bool:
    """Say whether the layers of a result follow each other, so that there is an order to violate."""
    return ds.sizes["layer"] > 1 and ds.attrs.get("layers", "chain") == "chain"


def violations(ds: "xr.Dataset") -> "Figure":
    """Draw by how much any layer exceeds the layer before it, against epoch: mean over members, band of ± 1 sd.

    The data-processing inequality says I(X;T1) ≥ I(X;T2) ≥ … and the same of I(T;Y), for one fixed quantisation of the
    whole chain. Layers that are binned or noised each for itself need not obey it: what is drawn here is a property of
    the definition, not an error of the network. A line is an estimator, thin above it the largest of any member; ticks
    inside the lower edge are the measured epochs.

    Args:
        ds: a result.

    Raises:
        InputError: for a result with one layer, or whose layers do not follow each other.
    """
    if not has_chain(ds):
        raise InputError("violations needs two layers or more that follow each other; draw 'information' instead")
    excess = order_violation(ds["information"])
    shown = [variable for variable in QUANTITIES if np.isfinite(excess.sel(variable=variable)).any()]
    if not shown:
        raise InputError("this result holds no information of two layers at the same epoch; nothing to draw")
    names = [str(name) for name in ds["estimator"].values]
    figure = style.new_figure(style.DOUBLE if len(shown) > 1 else style.SINGLE, 2.5)
    for ax, variable in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        style.dress(ax, content.epoch_word(ds), f"{QUANTITIES[variable]}: excess (bits)")
        _draw(ax, excess.sel(variable=variable).transpose("estimator", "member", "epoch"))
        style.epoch_axis(ax, int(ds["epoch"].values[-1]))
        style.draw_rug(ax, ds["epoch"].values)
    style.layer_legend(figure, names)
    told = "largest excess of a layer over the one before it; thin: of any member; a property of the definition"
    first, *problems = content.caption(ds, band=True)
    style.write_caption(figure, [first, told, *problems])
    return figure


def _draw(ax: "Axes", excess: "xr.DataArray") -> None:
    """Draw a line for each estimator, at the epochs where it has measured."""
    epochs, top = excess["epoch"].values, SEEN
    for name, values, colour in zip(
        excess["estimator"].values, excess.values, style.layer_colours(len(excess)), strict=True
    ):
        known = np.isfinite(values).any(axis=0)
        if not known.any():
            continue
        draw_mean(ax, epochs[known], values[:, known], color=colour, gid=f"mean {name}")
        largest = np.nanmax(values[:, known], axis=0)
        ax.plot(epochs[known], largest, color=colour, linewidth=0.5, alpha=0.7, gid=f"largest {name}", zorder=2.5)
        top = max(top, float(largest.max()))
    ax.set_ylim(0, 1.08 * top)
