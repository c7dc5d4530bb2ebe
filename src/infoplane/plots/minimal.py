"""The minimal model: information of one unit against its weight, for several activations and bins."""

from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane.errors import InputError
from infoplane.plots import style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2


def has_weights(ds: "xr.Dataset") -> bool:
    """Say whether a result is one of the minimal model: its information is known by weight."""
    return "weight" in ds.coords


def minimal(ds: "xr.Dataset") -> "Figure":
    """Draw I(X;T) of one unit f(w x + b), x ~ N(0, 1), against its weight, a panel for each definition.

    Lines are the unit without bias (member 0); bands reach from the lowest to the highest of all biases. A dot is the
    largest value of a line that falls again. Dashed: 1 bit, where a saturated unit without bias ends.

    Args:
        ds: a result of ``saxe-minimal``.

    Raises:
        InputError: for another result.
    """
    if not has_weights(ds):
        raise InputError(
            "minimal needs information by weight, which only saxe-minimal holds; draw 'information' instead"
        )
    known = ds["information"].sel(variable="input").transpose("estimator", "layer", "member", "epoch")
    shown = [str(name) for name in ds["estimator"].values if bool(known.sel(estimator=name).notnull().any())]
    n_rows = max(1, -(-len(shown) // COLUMNS))
    figure = style.new_figure(style.DOUBLE, 0.6 + 2.0 * n_rows)
    grid = figure.subplots(n_rows, COLUMNS, squeeze=False, sharex=True)
    for ax in grid.ravel()[len(shown) :]:
        ax.set_visible(False)
    for ax, name in zip(grid.ravel(), shown, strict=False):
        style.dress(ax, "weight w", "I(X;T) (bits)")
        ax.set_title(_title(name), loc="left", fontsize=style.NORMAL, color=style.INK)
        for colour, values in zip(
            style.layer_colours(ds.sizes["layer"]), known.sel(estimator=name).values, strict=True
        ):
            _draw(ax, ds["weight"].values, values, colour)
        ax.set_xscale("log")
        ax.axhline(1, gid="one bit", **style.DASHED)
        ax.set_ylim(bottom=0)
    style.layer_legend(figure, ds["layer"].values)
    words = f"{ds.attrs.get('title', 'run')}  ·  exact  ·  line: no bias; band: all {ds.sizes['member']} biases"
    style.write_caption(figure, [words])
    return figure


def _title(name: str) -> str:
    """Say in words what an estimator's name says of the bins."""
    inner = name.partition("(")[2].removesuffix(")")
    key, _, value = inner.partition("=")
    return {
        "bins": f"{value} equal bins of [−1, 1], clipped",
        "edges": "bins of IDNNs, clipped",
        "width": f"bins {value} wide, no limits",
        "variance": f"Gaussian noise, σ² = {value}",
    }.get(key, name)


def _draw(ax: "Axes", weights: Any, values: Any, colour: Any) -> None:
    """Draw one activation where it is known: the first member, and the reach of all."""
    if not np.isfinite(values).any():
        return
    first = values[0]
    ax.fill_between(
        weights, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=colour, alpha=0.18, linewidth=0
    )
    ax.plot(weights, first, color=colour, linewidth=1.2, gid="no bias")
    top = int(np.argmax(np.nan_to_num(first, nan=-np.inf)))
    if top < len(first) - 1:
        ax.plot(weights[top], first[top], "o", color=colour, markersize=3)
