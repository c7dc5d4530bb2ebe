"""One result measured by several definitions: their information planes side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from infoplane.errors import InputError
from infoplane.plots import content, naming, style
from infoplane.plots.plane import draw_colour_bar, draw_plane, hold_all, name_layers

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

COLUMNS = 3


def planes(ds: "xr.Dataset", *, titles: Sequence[str] | None = None, width: Any = None) -> "Figure":
    """Draw the information plane once for each estimator of a result, on the same axes.

    Args:
        ds: a result.
        titles: a title for each estimator, in the result's order; their names where it is None.
        width: width of the figure in cm, 17.8 by default; planes stand below each other in a narrow one (8).

    Raises:
        InputError: for a wrong number of titles, or a result without labels.
    """
    names = [str(name) for name in ds["estimator"].values]
    if titles is not None and len(titles) != len(names):
        raise InputError(f"titles has {len(titles)} entries; expected {len(names)}, one for each estimator")
    inches, is_narrow = style.width_in_inches(width)
    n_columns = 1 if is_narrow else COLUMNS
    n_rows = -(-len(names) // n_columns)
    figure = style.new_figure(inches, 2.2 * n_rows + 0.4)
    grid = figure.subplots(n_rows, min(n_columns, len(names)), squeeze=False, sharex=True, sharey=True)
    axes = grid.ravel()
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    used = list(axes[: len(names)])
    drawn = [(content.measured(ds, name), content.select(ds, name)[1]) for name in names]
    for index, (ax, one, title) in enumerate(zip(used, drawn, titles or names, strict=True)):
        draw_plane(ax, *one, small=True)
        ax.set_title(naming.shorten(title, 40), loc="left", fontsize=style.NORMAL, color=style.INK)
        ax.label_outer(remove_inner_ticks=False)
        if index + n_columns >= len(names):  # nothing stands below
            ax.xaxis.set_tick_params(labelbottom=True)
            ax.set_xlabel("I(X;T) (bits)")
    if ds.sizes["epoch"] > 1:
        draw_colour_bar(figure, used, ds["epoch"].values, content.epoch_word(ds))
    figure.suptitle(content.caption(ds)[0], x=0.01, ha="left", fontsize=style.SMALL, color=style.GREY)
    hold_all(used, drawn)
    for ax, one in zip(used, drawn, strict=True):
        name_layers(ax, *one, small=True)
    return figure
