"""A sweep at a glance: the information plane of each of its combinations, on the same axes."""

from typing import TYPE_CHECKING

from infoplane.plots import content, naming, style
from infoplane.plots.plane import draw_colour_bar, draw_plane, hold_all, name_layers
from infoplane.runs.combine import split

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

HEIGHT = 1.9


def variants(ds: "xr.Dataset", *, estimator: str | None = None) -> "Figure":
    """Draw the information plane of every combination of a sweep side by side: mean paths over faint members.

    Baselines, whose labels are shuffled, have a grey title.

    Args:
        ds: the result of a sweep or of variants.
        estimator: which estimator's information; the first of each combination where it is None.

    Raises:
        InputError: for an estimator that a combination does not hold, or a result without labels.
    """
    parts = [(labels, part) for labels, part in split(ds) if part.sizes["epoch"]]
    columns = 2 if len(parts) in (2, 4) else 3
    n_rows = -(-len(parts) // columns)
    figure = style.new_figure(style.DOUBLE, HEIGHT * n_rows + 0.4)
    grid = figure.subplots(n_rows, min(columns, len(parts)), squeeze=False, sharex=True, sharey=True)
    used = list(grid.ravel()[: len(parts)])
    for ax in grid.ravel()[len(parts) :]:
        ax.set_visible(False)
    chosen = [content.select(part, estimator) for _, part in parts]
    drawn = [(content.measured(part, name), one) for (_, part), (name, one) in zip(parts, chosen, strict=True)]
    for index, (ax, (labels, part), one) in enumerate(zip(used, parts, drawn, strict=True)):
        draw_plane(ax, *one, small=True)
        colour = style.GREY if content.is_baseline(part) else style.INK
        ax.set_title(
            naming.shorten("  ".join(map(str, labels.values())), 40), loc="left", fontsize=style.NORMAL, color=colour
        )
        ax.label_outer(remove_inner_ticks=False)
        if index + columns >= len(parts):  # nothing stands below
            ax.xaxis.set_tick_params(labelbottom=True)
            ax.set_xlabel("I(X;T) (bits)", fontsize=style.NORMAL, color=style.INK)
    last = max((part["epoch"].values for _, part in parts), key=lambda epochs: epochs[-1])
    if len(last) > 1:
        draw_colour_bar(figure, used, last)
    _, first = parts[0]
    style.write_caption(figure, content.caption(first, estimator=content.select(first, estimator)[0])[:2])
    hold_all(used, drawn)
    for ax, one in zip(used, drawn, strict=True):
        name_layers(ax, *one, small=True)
    return figure
