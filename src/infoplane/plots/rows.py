"""Whether every input keeps an activation row of its own, and the ranks of the layers, in several precisions."""

from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane.errors import InputError
from infoplane.plots import content, style
from infoplane.plots.curves import draw_layers

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

PRECISIONS = {"distinct_rows_float16": "float16", "distinct_rows": "float32", "distinct_rows_float64": "float64"}
RANKS = {"rank": "float32", "rank_float64": "float64"}


def rows(ds: "xr.Dataset") -> "Figure":
    """Draw the number of distinct activation rows of each layer against epoch, a panel for each precision.

    The dashed line is the number of distinct inputs: a layer there tells them all apart, so that the information it
    has of them is H(X) whatever it does. Below it rounding, saturation or dead units have merged inputs.

    Args:
        ds: a result.

    Raises:
        InputError: for a result without distinct rows.
    """
    inputs = float(ds.attrs["n_distinct"])
    return _panels(ds, PRECISIONS, "distinct rows", inputs, f"{inputs:.0f} inputs")


def ranks(ds: "xr.Dataset") -> "Figure":
    """Draw the numerical rank of each layer's activations against epoch, a panel for each precision.

    Args:
        ds: a result.

    Raises:
        InputError: for a result without ranks.
    """
    return _panels(ds, RANKS, "rank of the activations", None, "")


def _panels(ds: "xr.Dataset", names: dict[str, str], label: str, line: float | None, words: str) -> "Figure":
    shown = [name for name in names if name in ds and bool(ds[name].notnull().any())]
    if not shown:
        raise InputError(f"this result holds no {label}; run it with measure.precisions = true")
    figure = style.new_figure(style.DOUBLE if len(shown) > 1 else style.SINGLE, 2.5)
    epochs: Any = ds["epoch"].values
    for ax, name in zip(figure.subplots(1, len(shown), squeeze=False, sharey=True)[0], shown, strict=True):
        style.dress(ax, content.epoch_word(ds), label if name == shown[0] else "")
        ax.set_title(names[name], fontsize=style.NORMAL, color=style.INK)
        values = ds[name].transpose("member", "epoch", "layer").values.astype(np.float64)
        draw_layers(ax, epochs, values, ds["layer"].values)
        style.epoch_axis(ax, int(epochs[-1]))
        ax.set_ylim(bottom=0)
        if line is not None:
            ax.axhline(line, gid="all", **style.DASHED | {"zorder": 5})
            ax.set_ylim(0, line * 1.1)
            ax.annotate(words, (0, line), (2, 2.5), textcoords="offset points", **style.WORDS)
    style.layer_legend(figure, ds["layer"].values)
    style.write_caption(figure, content.caption(ds, band=True))
    return figure
