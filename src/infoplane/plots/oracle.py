"""Truth against estimate: estimators on samples of a network whose information is known."""

from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane.errors import InputError
from infoplane.plots import style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS: dict[str, dict[str, Any]] = {
    "noisy": {"marker": "s", "color": "#56B4E9"},
    "gaussian": {"marker": "D", "color": "#009E73"},
    "ksg1": {"marker": "^", "color": "#D55E00"},
}
BRACKET = "#CC79A7"
QUANTITIES = {"input": "I(X;T) (bits)", "label": "I(T;Y) (bits)"}


def has_oracle(ds: "xr.Dataset") -> bool:
    """Say whether a result holds exact numbers first, and estimates beside them."""
    names = [str(name).partition("(")[0] for name in ds["estimator"].values]
    return names[:1] == ["exact"] and "generalisation_error" in ds and {*names[1:]} & {*MARKS, "kde"} != set()


def oracle(ds: "xr.Dataset") -> "Figure":
    """Draw exact information of one network along training, and what estimators make of samples of it.

    Black: exact. Pink bars: the bounds of ``kde``; they bracket what T + ε says of the samples, which is at most log2 N
    (dashed) however much a continuous input tells. Marks: estimates, member 0.

    Args:
        ds: a result of ``saxe-linear``.

    Raises:
        InputError: for a result without exact numbers or without estimates.
    """
    if not has_oracle(ds):
        raise InputError("oracle needs exact numbers and estimates beside them, as in saxe-linear")
    one = ds.isel(member=0)
    exact = one["information"].isel(estimator=0)
    panels = [(layer, variable) for variable in QUANTITIES for layer in ds["layer"].values]
    figure = style.new_figure(style.DOUBLE, 4.4)
    grid = figure.subplots(2, ds.sizes["layer"], squeeze=False, sharex=True)
    epochs: Any = ds["epoch"].values
    for ax, (layer, variable) in zip(grid.ravel(), panels, strict=True):
        style.dress(ax, "epoch" if variable == "label" else "", QUANTITIES[variable])
        ax.set_title(str(layer), loc="left", fontsize=style.NORMAL, color=style.INK)
        ax.plot(epochs, exact.sel(layer=layer, variable=variable).values, color=style.INK, linewidth=1.2, gid="exact")
        _draw_estimates(ax, one.sel(layer=layer, variable=variable))
        style.epoch_axis(ax, int(epochs[-1]))
        ax.set_ylim(bottom=0)
    samples = float(ds.attrs.get("oracle_samples", np.nan))
    for ax in grid[0] if np.isfinite(samples) else ():
        if ax.get_ylim()[1] > np.log2(samples):
            ax.axhline(np.log2(samples), gid="cap", **style.DASHED)
            ax.annotate("log2 N", (0, np.log2(samples)), (2, 2.5), textcoords="offset points", **style.WORDS)
    _legend(figure, ds)
    words = f"{ds.attrs.get('title', 'run')}  ·  member 0  ·  estimates on {samples:.0f} new inputs"
    style.write_caption(figure, [words])
    return figure


def _draw_estimates(ax: "Axes", ds: "xr.Dataset") -> None:
    """Draw the bracket and the marks of one layer and variable where they are known."""
    epochs: Any = ds["epoch"].values
    for name in map(str, ds["estimator"].values[1:]):
        part, kind = ds.sel(estimator=name), name.partition("(")[0]
        values = part["information"].values
        known = np.isfinite(values)
        if kind == "kde" and "information_lower" in ds:
            low, high = part["information_lower"].values, part["information_upper"].values
            ax.vlines(epochs[known], low[known], high[known], color=BRACKET, linewidth=4, alpha=0.6, gid="bracket")
        elif kind in MARKS:
            ax.plot(epochs[known], values[known], linestyle="none", markersize=3.2, gid=kind, **MARKS[kind])


def _legend(figure: "Figure", ds: "xr.Dataset") -> None:
    """Name what is drawn, beside the panels."""
    from matplotlib.lines import Line2D

    kinds = [str(name).partition("(")[0] for name in ds["estimator"].values]
    marks = [Line2D([], [], color=style.INK, linewidth=1.2, label="exact")]
    if "kde" in kinds:
        marks.append(Line2D([], [], color=BRACKET, linewidth=4, alpha=0.6, label="kde, bounds"))
    marks += [
        Line2D([], [], linestyle="none", markersize=3.2, label=kind, **MARKS[kind]) for kind in MARKS if kind in kinds
    ]
    figure.legend(handles=marks, loc="outside right center", **style.LEGEND)
