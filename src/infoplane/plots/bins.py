"""One network by many definitions: I(X;T) of each layer against epoch, a panel for each estimator."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError
from infoplane.plots import content, naming, style
from infoplane.results import config_of, decode_flags

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2
CLIPPED: dict[str, Any] = {"linestyle": (0, (2.2, 1.1))}
"""How a layer is drawn some of whose values lay outside the bins."""


def bins(ds: "xr.Dataset") -> "Figure":
    """Draw I(X;T) of each layer against epoch by every estimator of a result, on the same axes: mean over members.

    What differs between panels is the definition alone: the networks are the same. A layer is dashed where any of its
    values lay outside the bins at any epoch, so that a fall may be the clipping's; the grey line is H(X), which no
    panel can pass.

    Args:
        ds: a result.

    Raises:
        InputError: for a result in which nothing has been measured.
    """
    names = [str(name) for name in ds["estimator"].values if _is_measured(ds, str(name))]
    if not names:
        raise InputError("bins needs an estimator that measured I(X;T); this result has none")
    n_rows = -(-len(names) // COLUMNS)
    figure = style.new_figure(style.SINGLE, 0.75 + 1.15 * n_rows)
    grid = figure.subplots(n_rows, min(COLUMNS, len(names)), squeeze=False, sharex=True, sharey=True)
    for ax in grid.ravel()[len(names) :]:
        ax.set_visible(False)
    for index, (ax, name) in enumerate(zip(grid.ravel(), names, strict=False)):
        last = index + COLUMNS >= len(names)
        style.dress(ax, content.epoch_word(ds) if last else "", "I(X;T) (bits)" if index % COLUMNS == 0 else "")
        ax.set_title(title(ds, name), loc="left", fontsize=style.SMALL, color=style.INK)
        _draw(ax, ds, name)
        if last:
            ax.xaxis.set_tick_params(labelbottom=True)
    top = float(ds.attrs["input_entropy"])
    grid[0, 0].set_ylim(style.include((0.0, top), _means(ds), 0.03, 0.06))
    _legend(figure, ds)
    clipped = any(_clips(ds, name, layer) for name in names for layer in ds["layer"].values)
    told = ["dashed: values outside the bins are clipped"] * clipped
    first, *problems = content.caption(ds)
    style.write_caption(figure, [first, f"mean over members  ·  grey line: H(X) = {top:.4g}", *told, *problems])
    return figure


def title(ds: "xr.Dataset", estimator: str) -> str:
    """Return a definition in a few words: bins and where they lie, or the noise; else the estimator's name."""
    from infoplane.estimators import build_all

    try:
        built = build_all(config_of(ds).get("estimators", []))[estimator]
    except (InputError, KeyError):  # a plug-in that is not installed here: its name is all there is
        return estimator
    if built.name == "kde":
        return f"noise, σ² = {built.params['variance']:g}"
    return _bins_in_words(built.params) if built.name == "binning" else estimator


def _bins_in_words(params: Mapping[str, Any]) -> str:
    count, limits = params["bins"], f"[{params['low']:g}, {params['high']:g}]".replace("-", "−")
    words = {
        "fixed": f"{count} bins on {limits}",
        "idnns": f"{count} edges on {limits}",
        "width": f"bins {params['width']:g} wide",
        "layer": f"{count} bins, range of the epoch",
        "run": f"{count} bins, range of the run",
        "quantile": f"{count} bins of equal mass",
        "adaptive": f"{count} bins, equal mass, distinct",
    }
    return words[params["edges"]]


def _is_measured(ds: "xr.Dataset", estimator: str) -> bool:
    return bool(ds["information"].sel(estimator=estimator, variable="input").notnull().any())


def _means(ds: "xr.Dataset") -> Float[np.ndarray, "..."]:
    mean, _ = content.mean_sd(ds["information"].sel(variable="input").transpose("member", ...).values)
    return mean


def _clips(ds: "xr.Dataset", estimator: str, layer: Any) -> bool:
    """Whether values of a layer lay outside the bins at any epoch."""
    if "flags" not in ds:
        return False
    codes = np.unique(ds["flags"].sel(estimator=estimator, layer=layer).values)
    return any("clipped" in decode_flags(code) for code in codes)


def _draw(ax: "Axes", ds: "xr.Dataset", estimator: str) -> None:
    """Draw the mean of every layer by one estimator; lines get thinner towards the output."""
    _, information = content.select(ds, estimator)
    mean, _ = content.mean_sd(information.sel(variable="input").values)
    layers = ds["layer"].values
    looks = zip(layers, style.layer_colours(len(layers)), np.linspace(1.7, 0.9, len(layers)), mean.T, strict=True)
    for layer, colour, width, values in looks:
        known = np.isfinite(values)
        dashed = CLIPPED if _clips(ds, estimator, layer) else {}
        marker = {"marker": "o", "markersize": 2.5} if known.sum() == 1 else {}
        epochs = information["epoch"].values[known]
        ax.plot(epochs, values[known], color=colour, linewidth=width, gid=f"mean {layer}", **dashed, **marker)
    line: dict[str, Any] = style.DASHED | {"linestyle": "-", "gid": "H(X)"}
    ax.axhline(float(ds.attrs["input_entropy"]), **line)
    style.epoch_axis(ax, int(ds["epoch"].values[-1]))


def _legend(figure: "Figure", ds: "xr.Dataset") -> None:
    """Name the colours of the layers below the panels: beside them there is no room in one column."""
    from matplotlib.lines import Line2D

    layers = [str(layer) for layer in ds["layer"].values]
    if len(layers) > style.LISTED:
        style.layer_legend(figure, layers)
        return
    marks = [
        Line2D([], [], color=colour, linewidth=1.7, label=naming.shorten(layer, style.SHORT))
        for layer, colour in zip(layers, style.layer_colours(len(layers)), strict=True)
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=min(len(marks), 3), **style.LEGEND)
