"""The clouds themselves: outputs of a network for some inputs, in every sample of its weights."""

from typing import TYPE_CHECKING

import numpy as np

from infoplane.plots import style
from infoplane.plots.windows import ACTIVATION, need_windows

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def clouds(ds: "xr.Dataset") -> "Figure":
    """Draw the two outputs before the softmax for some inputs, in the first and the last window of member 0.

    A colour is an input; every dot is one sample of the weights. T itself, behind the softmax, lies on a line: it keeps
    the difference of the two outputs only.

    Args:
        ds: a result of ``as-if-random``.

    Raises:
        InputError: for another result.
    """
    import matplotlib

    need_windows(ds, "clouds")
    activations, places = ds[ACTIVATION].values, ds["window"].values
    figure = style.new_figure(style.DOUBLE, 2.6 * len(activations) + 0.4)
    grid = figure.subplots(len(activations), len(places), squeeze=False)
    known = ds["cloud"].isel(member=0)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.95, ds.sizes["drawn"]))
    for row, activation in enumerate(activations):
        for column, place in enumerate(places):
            ax, own = grid[row, column], known.sel({ACTIVATION: activation, "window": place})
            points = own.transpose("drawn", "sample", "unit").values
            style.dress(ax, "output 1", "output 2")
            ax.set_title(f"{activation}, {place} window", loc="left", fontsize=style.NORMAL, color=style.INK)
            for cloud, colour in zip(points, colours, strict=True):
                ax.plot(cloud[:, 0], cloud[:, 1], ".", color=colour, markersize=2.5, alpha=0.6, gid="cloud")
    words = ["member 0", f"{ds.sizes['drawn']} inputs, a colour each", "before the softmax"]
    style.write_caption(figure, ["  ·  ".join([str(ds.attrs.get("title", "run")), *words])])
    return figure
