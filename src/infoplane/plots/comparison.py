"""What several estimators say of the same layers: a panel a layer, a line an estimator."""

from typing import TYPE_CHECKING

import numpy as np

from infoplane.errors import InputError
from infoplane.plots import content, naming, style
from infoplane.plots.curves import draw_mean

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
QUANTITIES = {"input": ("I(X;T)", "input_entropy", "H(X)"), "label": ("I(T;Y)", "label_entropy", "H(Y)")}
DOTTED_UP_TO = 16
"""Measured epochs up to which each is a dot on the line; more are ticks inside the lower edge alone."""


def comparison(ds: "xr.Dataset", *, variable: str = "input") -> "Figure":
    """Draw the information of each layer by every estimator of a result: mean over members, and a band of ± 1 sd.

    Estimators answer to different noise models, so that their numbers need not agree; what can be compared is whether
    they rise and fall together. Panels share their axes; dashed: H(X) or H(Y). Where an estimator has measured few
    epochs each is a dot.

    Args:
        ds: a result.
        variable: ``input`` for I(X;T), ``label`` for I(T;Y).

    Raises:
        InputError: for another variable, one of which nothing has been measured, or a result by one estimator.
    """
    if ds.sizes["estimator"] < 2:
        raise InputError("comparison needs two estimators or more; draw 'information' instead")
    if variable not in QUANTITIES:
        raise InputError(f"variable is {variable!r}; expected 'input' or 'label'")
    quantity, attribute, entropy = QUANTITIES[variable]
    information = ds["information"].sel(variable=variable).transpose("layer", "estimator", "member", "epoch")
    if not np.isfinite(information).any():
        raise InputError(f"this result holds no {quantity}; nothing to draw")
    shown, left_out = style.choose_panels(ds["layer"].values)
    layers = [str(ds["layer"].values[place]) for place in shown]
    n_rows = -(-len(layers) // COLUMNS)
    figure = style.new_figure(style.DOUBLE, 0.7 + 1.6 * n_rows)
    grid = figure.subplots(n_rows, min(COLUMNS, len(layers)), squeeze=False, sharex=True, sharey=True)
    for ax in grid.ravel()[len(layers) :]:
        ax.set_visible(False)
    for index, (ax, layer) in enumerate(zip(grid.ravel(), layers, strict=False)):
        last = index + COLUMNS >= len(layers)
        style.dress(ax, content.epoch_word(ds) if last else "", f"{quantity} (bits)" if index % COLUMNS == 0 else "")
        ax.set_title(naming.shorten(layer), loc="left", fontsize=style.NORMAL, color=style.INK)
        _draw(ax, information[shown[index]])
        style.epoch_axis(ax, int(ds["epoch"].values[-1]))
        ax.xaxis.set_tick_params(labelbottom=last)
        if np.isfinite(h := float(ds.attrs[attribute])):
            ax.axhline(h, gid=entropy, **style.DASHED)
    style.layer_legend(figure, [str(name) for name in ds["estimator"].values])
    first, *problems = content.caption(ds, band=True)
    style.write_caption(figure, [f"{first}  ·  dashed: {entropy}", *left_out, *problems])
    return figure


def _draw(ax: "Axes", information: "xr.DataArray") -> None:
    """Draw a line for each estimator, at the epochs where it has measured."""
    epochs = information["epoch"].values
    for name, values, colour in zip(
        information["estimator"].values, information.values, style.layer_colours(len(information)), strict=True
    ):
        known = np.isfinite(values).any(axis=0)
        if not known.any():
            continue
        few = {"marker": "o", "markersize": 2.2} if 1 < known.sum() <= DOTTED_UP_TO else {}
        draw_mean(ax, epochs[known], values[:, known], color=colour, gid=f"mean {name}", **few)
        if not few:
            style.draw_rug(ax, epochs[known])
