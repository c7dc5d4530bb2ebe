"""Inputs that matter and inputs that do not: what each layer knows of either, along training."""

from typing import TYPE_CHECKING, Any

from infoplane.errors import InputError
from infoplane.plots import content, style
from infoplane.plots.curves import draw_mean
from infoplane.plots.errors import draw_errors, has_errors

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

SHOWN = {
    "input": ("all inputs", {"color": style.INK}),
    "relevant": ("relevant", {"color": "#009E73"}),
    "irrelevant": ("irrelevant", {"color": "#D55E00"}),
}
"""What is drawn, its name and look."""


def has_relevance(ds: "xr.Dataset") -> bool:
    """Say whether a result tells relevant and irrelevant inputs apart."""
    return "irrelevant" in ds["variable"].values and has_errors(ds)


def relevance(ds: "xr.Dataset") -> "Figure":
    """Draw what each layer knows of all, of the relevant and of the irrelevant inputs, as change since epoch 0.

    Means over members and ± 1 sd, after the errors of the students. All of I(X;T) is more than the sum of both parts:
    what one part says becomes clearer when the other is known.

    Args:
        ds: a result of students with irrelevant inputs.

    Raises:
        InputError: for another result.
    """
    if not has_relevance(ds):
        raise InputError("relevance needs irrelevant inputs apart, as in saxe-irrelevant; draw 'information' instead")
    name, information = content.select(ds, None)
    layers = [str(layer) for layer in ds["layer"].values]
    figure = style.new_figure(style.DOUBLE, 2.6)
    first, *others = figure.subplots(1, 1 + len(layers))
    draw_errors(first, ds)
    epochs: Any = information["epoch"].values
    begins = []
    for ax, layer in zip(others, layers, strict=True):
        style.dress(ax, "epoch", "change since epoch 0 (bits)" if layer == layers[0] else "")
        ax.set_title(layer, loc="left", fontsize=style.NORMAL, color=style.INK)
        ax.axhline(0, color=style.GREY, linewidth=0.6, zorder=1)
        for variable, (label, look) in SHOWN.items():
            values = information.sel(layer=layer, variable=variable).values
            draw_mean(ax, epochs, values - values[:, :1], label=label, gid=f"mean {variable}", **look)
        style.epoch_axis(ax, int(epochs[-1]))
        start = [information.sel(layer=layer, variable=one).isel(epoch=0).mean().item() for one in SHOWN]
        told = zip((label for label, _ in SHOWN.values()), start, strict=True)
        begins.append(f"{layer}: " + ", ".join(f"{label} {bits:.3g}" for label, bits in told))
    style.legend(others[0])
    style.write_caption(
        figure,
        [
            *content.caption(ds, estimator=name, band=True),
            f"dotted: noise of y  ·  bits at epoch 0: {'; '.join(begins)}",
        ],
    )
    return figure
