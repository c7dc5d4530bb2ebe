"""Networks as if their weights were random: information against where windows end, and against how long they are."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped

from infoplane.errors import InputError
from infoplane.plots import content, style
from infoplane.plots.curves import draw_mean
from infoplane.results import mean_interval

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTIVATION, SOURCE = "model.activation", "source"

QUANTITIES = {"input": ("I(X;T) (bits)", "input_entropy"), "label": ("I(T;Y) (bits)", "label_entropy")}

LINES: dict[str, Any] = {"window": "-", "branch": (0, (4, 1.5)), "init": (0, (1, 1.2))}
"""How each source is drawn."""

PUBLISHED: dict[str, Any] = {"marker": "x", "linestyle": "none", "markersize": 4.5, "markeredgewidth": 1.2, "zorder": 8}
LIMIT: dict[str, Any] = {"marker": "D", "linestyle": "none", "markersize": 3, "markerfacecolor": "white", "capsize": 0}
SINGLE: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 3.2, "markerfacecolor": "white"}


def has_windows(ds: "xr.Dataset") -> bool:
    """Say whether a result holds networks as if their weights were random, side by side."""
    return ACTIVATION in ds.dims and SOURCE in ds.dims and "by_length" in ds


def need_windows(ds: "xr.Dataset", figure: str) -> None:
    """Refuse another result.

    Raises:
        InputError: for what has no windows, and for one of its networks alone.
    """
    if not has_windows(ds):
        raise InputError(f"{figure} needs windows, branches or initialisations side by side, which as-if-random holds")


def windows(ds: "xr.Dataset", *, estimator: str | None = None) -> "Figure":
    """Draw I(X;T) and I(T;Y) of each layer against where windows end, a column for each activation.

    Solid: windows of consecutive updates; dashed: branches; dotted: independent trainings. Lines are means over
    members, of windows with a band of ± 1 sd. Crosses: what infonet stored of one network, in the first updates and
    late.

    Args:
        ds: a result of ``as-if-random``.
        estimator: which estimator's information; the first where it is None.

    Raises:
        InputError: for another result, and for an estimator that it does not hold.
    """
    need_windows(ds, "windows")
    name = _named(ds, estimator)
    figure, grid = _panels(ds)
    for column, activation in enumerate(ds[ACTIVATION].values):
        own = ds.sel({ACTIVATION: activation, "estimator": name})
        for ax, variable in zip(grid[:, column], QUANTITIES, strict=True):
            _title(ax, str(activation), variable)
            for source in ds[SOURCE].values:
                values = own["information"].sel(source=source, variable=variable)
                _draw_source(ax, str(source), values.transpose("member", "epoch", "layer"))
            _mark_published(ax, own, variable)
            ax.set_xscale("log")
            ax.set_xlabel(f"last {content.epoch_word(ds)} of the window", fontsize=style.NORMAL, color=style.INK)
            _mark_entropy(ax, ds, variable)
    style.layer_legend(figure, ds["layer"].values)
    words = [f"{source}: {_look(str(source))}" for source in ds[SOURCE].values]
    words += ["crosses: infonet's stored results"] * bool("published" in ds)
    style.write_caption(figure, [_caption(ds, name), "  ·  ".join(words)])
    return figure


def lengths(ds: "xr.Dataset", *, estimator: str | None = None) -> "Figure":
    """Draw I(X;T) and I(T;Y) of each layer against the length of the last window, a column for each activation.

    Circles at length 1: the last update alone, by the same bins or noise. Diamonds at the right: what windows of the
    usual length tend to with infinitely many samples of the weights, with the 95 % interval over members; its distance
    from the line at that length is bias.

    Args:
        ds: a result of ``as-if-random``.
        estimator: which estimator's information; the first where it is None.

    Raises:
        InputError: for another result, and for an estimator that it does not hold.
    """
    need_windows(ds, "lengths")
    name = _named(ds, estimator)
    figure, grid = _panels(ds)
    for column, activation in enumerate(ds[ACTIVATION].values):
        own = ds.sel({ACTIVATION: activation, "estimator": name})
        for ax, variable in zip(grid[:, column], QUANTITIES, strict=True):
            _title(ax, str(activation), variable)
            _draw_lengths(ax, own.sel(variable=variable))
            ax.set_xscale("log")
            ax.set_xlabel(f"length ({content.epoch_word(ds)}s)", fontsize=style.NORMAL, color=style.INK)
            _mark_entropy(ax, ds, variable)
    style.layer_legend(figure, ds["layer"].values)
    words = "circles: the last update alone  ·  diamonds: limit of infinitely many samples"
    style.write_caption(figure, [_caption(ds, name), words, controls_in_words(ds, name)])
    return figure


def controls_in_words(ds: "xr.Dataset", estimator: str) -> str:
    """Say how far the controls are from what they are known to be, at worst over members and layers."""
    own = ds.sel(estimator=estimator)
    missed = abs(own["control_bits"] - own["control_expected"])
    worst = {str(name): float(missed.sel(control=name).max()) for name in ds["control"].values}
    return "controls off by at most  " + "  ·  ".join(f"{name}: {bits:.2g} bits" for name, bits in worst.items())


def _named(ds: "xr.Dataset", estimator: str | None) -> str:
    names = [str(name) for name in ds["estimator"].values]
    if estimator is not None and estimator not in names:
        raise InputError(f"estimator '{estimator}' is not in this result; it holds: {', '.join(names)}")
    return estimator or names[0]


def _panels(ds: "xr.Dataset") -> "tuple[Figure, Shaped[np.ndarray, 'row column']]":
    columns = ds.sizes[ACTIVATION]
    figure = style.new_figure(style.DOUBLE if columns > 1 else style.SINGLE + 1, 4.6)
    return figure, figure.subplots(2, columns, squeeze=False)


def _title(ax: "Axes", activation: str, variable: str) -> None:
    style.dress(ax, "", QUANTITIES[variable][0])
    ax.set_title(activation, loc="left", fontsize=style.NORMAL, color=style.INK)


def _draw_source(ax: "Axes", source: str, values: "xr.DataArray") -> None:
    epochs, by_layer = values["epoch"].values, values.values
    widths = np.linspace(2.2, 1.0, by_layer.shape[2])
    for layer, colour in enumerate(style.layer_colours(by_layer.shape[2])):
        look: dict[str, Any] = {"color": colour, "linewidth": widths[layer], "linestyle": LINES[source]}
        gid = f"{source} {values['layer'].values[layer]}"
        if source == "window":
            draw_mean(ax, epochs, by_layer[:, :, layer], gid=gid, **look)
        else:
            ax.plot(epochs, content.mean_sd(by_layer[:, :, layer])[0], gid=gid, **look)


def _look(source: str) -> str:
    return {"window": "solid", "branch": "dashed", "init": "dotted"}[source]


def _mark_published(ax: "Axes", own: "xr.Dataset", variable: str) -> None:
    """Mark stored results at their updates: the first end, and 6100."""
    if "published" not in own:
        return
    known = own["published"].sel(variable=variable).transpose("when", "layer").values
    for layer, colour in enumerate(style.layer_colours(known.shape[1])):
        ax.plot(
            [own["epoch"].values[0], own.attrs["published_at"]],
            known[:, layer],
            color=colour,
            gid="published",
            **PUBLISHED,
        )


def _draw_lengths(ax: "Axes", own: "xr.Dataset") -> None:
    values = own["by_length"].transpose("member", "length", "layer").values
    alone, _ = content.mean_sd(own["single_update"].isel(epoch=-1).transpose("member", "layer").values)
    limits = own["limit"].transpose("member", "layer").values
    x: Any = own["length"].values
    widths = np.linspace(2.2, 1.0, values.shape[2])
    for layer, colour in enumerate(style.layer_colours(values.shape[2])):
        gid = f"mean {own['layer'].values[layer]}"
        draw_mean(ax, x, values[:, :, layer], color=colour, linewidth=widths[layer], gid=gid)
        ax.plot([1], alone[layer : layer + 1], color=colour, gid="alone", **SINGLE)
        mean, half = mean_interval(_known(limits[:, layer]))
        ax.errorbar([2.5 * max(x)], [mean], [np.nan_to_num(half)], color=colour, linewidth=0.8, gid="limit", **LIMIT)


def _known(values: Float[np.ndarray, " member"]) -> Float[np.ndarray, " known"]:
    return values[np.isfinite(values)]


def _mark_entropy(ax: "Axes", ds: "xr.Dataset", variable: str) -> None:
    name = {"input": "H(X)", "label": "H(Y)"}[variable]
    h = float(ds.attrs[QUANTITIES[variable][1]])
    ax.axhline(h, gid=name, **style.DASHED | {"zorder": 5})
    ax.annotate(f"{name} = {h:.4g}", (0, h), (2, 2.5), xycoords=("axes fraction", "data"),
                textcoords="offset points", **style.WORDS)  # fmt: skip
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]), top=max(h * 1.1, ax.get_ylim()[1]))


def _caption(ds: "xr.Dataset", estimator: str) -> str:
    first = [
        str(ds.attrs.get("title", "run")),
        f"{ds.sizes['member']} members",
        f"{ds.sizes['sample']} samples of the weights",
    ]
    return "  ·  ".join([*first, estimator, "band: ± 1 sd over members"])
