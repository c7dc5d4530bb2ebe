"""Quantised and noisy networks side by side: information along training, and where training ends."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from infoplane.errors import InputError
from infoplane.plots import content, style
from infoplane.plots.curves import SPLITS, draw_layers
from infoplane.results import decode_flags

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTIVATION, BITS, BETA = "model.activation", "model.bits", "model.beta"

QUANTITIES = {"input": "I(X;T) (bits)", "label": "I(T;Y) (bits)"}

KINDS: dict[str, dict[str, Any]] = {
    "exact": {"linestyle": "-"},
    "binning": {"linestyle": (0, (3, 1.2))},
    "kde": {"linestyle": "none", "marker": "o", "markersize": 2.6, "markerfacecolor": "white"},
}
"""How the estimators of one network are drawn."""

START: dict[str, Any] = {"linestyle": (0, (1, 1.2)), "linewidth": 0.9}
MARKS: dict[str, Any] = {"marker": "o", "markersize": 2.6}
LAST: dict[str, Any] = MARKS | {"linewidth": 1.1}
"""How the first and the last epoch are drawn."""


def has_levels(ds: "xr.Dataset") -> bool:
    """Say whether a result holds quantised networks side by side."""
    return ACTIVATION in ds.dims and BITS in ds.dims


def has_noise(ds: "xr.Dataset") -> bool:
    """Say whether a result holds networks with noise side by side."""
    return ACTIVATION in ds.dims and BETA in ds.dims


def levels(ds: "xr.Dataset") -> "Figure":
    """Draw I(X;T) of each layer against epoch, counted exactly and as bins and noise see the same network.

    A row for each activation, a column for each number of bits. Lines are means over members: solid counted exactly,
    dashed by bins, circles by `kde` (its upper bound), at the epochs that each measured.

    Args:
        ds: a result of ``quantised``.

    Raises:
        InputError: for another result.
    """
    _need(has_levels(ds), "levels", "quantised networks side by side, which quantised holds")
    figure, grid = _grid(ds.sizes[ACTIVATION], ds.sizes[BITS], 1.9)
    for row, activation in enumerate(ds[ACTIVATION].values):
        for column, bits in enumerate(ds[BITS].values):
            ax, own = (
                grid[row, column],
                ds["information"].sel({ACTIVATION: activation, BITS: bits, "variable": "input"}),
            )
            _dress(ax, ds, f"{activation}, {_precision(bits)}", "input", first=column == 0, last=row == len(grid) - 1)
            for name in ds["estimator"].values:
                _draw_kind(ax, own.sel(estimator=name), str(name))
    style.layer_legend(figure, ds["layer"].values)
    told = {"exact": "solid: counted exactly", "binning": "dashed: bins", "kde": "circles: kde, upper bound"}
    kinds = {str(name).partition("(")[0] for name in ds["estimator"].values}
    style.write_caption(figure, [_caption(ds), "  ·  ".join(text for kind, text in told.items() if kind in kinds)])
    return figure


def precisions(ds: "xr.Dataset") -> "Figure":
    """Draw I(X;T), I(T;Y) and accuracy against the number of bits, a column for each activation.

    Solid: mean over members at the last epoch, with 95 % interval; dotted: at epoch 0. The caption counts dead members.

    Args:
        ds: a result of ``quantised``.

    Raises:
        InputError: for another result.
    """
    _need(has_levels(ds), "precisions", "quantised networks side by side, which quantised holds")
    return _ends(ds, BITS, "bits of the activations")


def noise(ds: "xr.Dataset") -> "Figure":
    """Draw I(X;T) and I(T;Y) of each hidden layer against epoch under each strength of the noise: means, ± 1 sd.

    Two rows for each activation, a column for each standard deviation β of the noise.

    Args:
        ds: a result of ``noisy``.

    Raises:
        InputError: for another result.
    """
    _need(has_noise(ds), "noise", "networks with noise side by side, which noisy holds")
    rows = [(activation, variable) for activation in ds[ACTIVATION].values for variable in QUANTITIES]
    figure, grid = _grid(len(rows), ds.sizes[BETA], 1.6)
    for row, (activation, variable) in enumerate(rows):
        for column, beta in enumerate(ds[BETA].values):
            ax, own = grid[row, column], ds["information"].sel({ACTIVATION: activation, BETA: beta}).isel(estimator=0)
            _dress(ax, ds, f"{activation}, β = {beta:g}", variable, first=column == 0, last=row == len(grid) - 1)
            values = own.sel(variable=variable).transpose("member", "epoch", "layer").values
            draw_layers(ax, ds["epoch"].values, values, ds["layer"].values)
    style.layer_legend(figure, ds["layer"].values)
    style.write_caption(figure, [_caption(ds), "band: ± 1 sd over members"])
    return figure


def strengths(ds: "xr.Dataset") -> "Figure":
    """Draw I(X;T), I(T;Y) and accuracy against the strength of the noise, a column for each activation.

    Solid: mean over members at the last epoch, with 95 % interval; dotted: at epoch 0. Dashed: H(X) and H(Y), to which
    layers that merge no inputs tend as the noise vanishes.

    Args:
        ds: a result of ``noisy``.

    Raises:
        InputError: for another result.
    """
    _need(has_noise(ds), "strengths", "networks with noise side by side, which noisy holds")
    return _ends(ds, BETA, "β, sd of the noise")


def _need(there: bool, figure: str, what: str) -> None:
    if not there:
        raise InputError(f"{figure} needs {what}")


def _grid(rows: int, columns: int, height: float) -> "tuple[Figure, Shaped[np.ndarray, 'row column']]":
    figure = style.new_figure(style.DOUBLE if columns > 1 else style.SINGLE, height * rows + 0.7)
    return figure, figure.subplots(rows, columns, squeeze=False, sharey="row")


def _precision(bits: Any) -> str:
    return "floats" if bits == "float" else f"{bits} bit{'s' * (str(bits) != '1')}"


def _dress(ax: "Axes", ds: "xr.Dataset", title: str, variable: str, *, first: bool, last: bool) -> None:
    """Give a panel its title, its entropy and its axes; only the outer panels are labelled."""
    style.dress(ax, content.epoch_word(ds) * last, QUANTITIES[variable] * first)
    ax.set_title(title, loc="left", fontsize=style.NORMAL, color=style.INK)
    style.epoch_axis(ax, int(ds["epoch"].values[-1]), narrow=True)
    _mark_entropy(ax, ds, variable)


def _mark_entropy(ax: "Axes", ds: "xr.Dataset", variable: str) -> None:
    h = float(ds.attrs[f"{variable}_entropy"])
    ax.axhline(h, gid="H", **style.DASHED | {"zorder": 1})
    ax.set_ylim(-0.03 * h, 1.09 * h)


def _draw_kind(ax: "Axes", own: "xr.DataArray", name: str) -> None:
    """Draw the means of one estimator, where it measured."""
    mean, _ = content.mean_sd(own.transpose("member", "epoch", "layer").values)
    epochs: Any = own["epoch"].values
    look = KINDS.get(name.partition("(")[0], {"linestyle": (0, (1, 1.2))})
    for layer, colour in enumerate(style.layer_colours(mean.shape[1])):
        known = np.isfinite(mean[:, layer])
        label = f"{name} {own['layer'].values[layer]}"
        ax.plot(epochs[known], mean[known, layer], color=colour, linewidth=1.0, gid=label, **look)


def _ends(ds: "xr.Dataset", dim: str, label: str) -> "Figure":
    """Draw where training begins and ends, and the accuracies, against what the networks differ in."""
    activations = ds[ACTIVATION].values
    figure, grid = _grid(3, len(activations), 1.7)
    x = np.arange(ds.sizes[dim])
    for column, activation in enumerate(activations):
        own = ds.sel({ACTIVATION: activation}).isel(estimator=0)
        for row, variable in enumerate(QUANTITIES):
            ax = grid[row, column]
            style.dress(ax, "", QUANTITIES[variable] * (column == 0))
            ax.set_title(str(activation) * (row == 0), loc="left", fontsize=style.NORMAL, color=style.INK)
            _draw_ends(ax, x, own["information"].sel(variable=variable).transpose("member", dim, "epoch", "layer"))
            _mark_entropy(ax, ds, variable)
        _draw_accuracy(grid[2, column], x, own["accuracy_at_epoch"].isel(epoch=-1).transpose("split", "member", dim))
        style.dress(grid[2, column], label, "accuracy" * (column == 0))
    for ax in grid.flat:
        ax.set_xticks(x, [f"{value:g}" if isinstance(value, float) else str(value) for value in ds[dim].values])
        ax.set_xlim(-0.3, len(x) - 0.7)
    style.legend(grid[2, 0])
    style.layer_legend(figure, ds["layer"].values)
    told = [_caption(ds.isel(estimator=[0])), "solid: last epoch, 95 % interval  ·  dotted: epoch 0", *_dead(ds, dim)]
    style.write_caption(figure, told)
    return figure


def _draw_ends(ax: "Axes", x: np.ndarray, values: "xr.DataArray") -> None:
    for layer, colour in enumerate(style.layer_colours(values.sizes["layer"])):
        name = str(values["layer"].values[layer])
        for at, look, gid in ((0, START, "start"), (-1, LAST, "end")):
            mean, half = _mean_interval(values.isel(layer=layer, epoch=at).values)
            ax.errorbar(x, mean, half if at else None, color=colour, elinewidth=0.7, gid=f"{gid} {name}", **look)


def _draw_accuracy(ax: "Axes", x: np.ndarray, values: "xr.DataArray") -> None:
    for split, look in SPLITS.items():
        mean, half = _mean_interval(values.sel(split=split).values)
        ax.errorbar(x, mean, half, elinewidth=0.7, label=split, gid=f"accuracy {split}", **MARKS, **look)


def _mean_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over members and half of the 95 % interval, of each column; 0 where there is none."""
    from infoplane.results import mean_interval

    pairs = [mean_interval(column[np.isfinite(column)]) for column in values.T]
    return np.array([mean for mean, _ in pairs]), np.nan_to_num(np.array([half for _, half in pairs]))


def _dead(ds: "xr.Dataset", dim: str) -> list[str]:
    """Say how many members are dead, by network."""
    if "member_flags" not in ds:
        return []
    flags = ds["member_flags"].transpose(ACTIVATION, dim, "member").values
    dead = np.vectorize(lambda code: "dead" in decode_flags(int(code)), otypes=[bool])(flags).sum(axis=-1)
    if not dead.any():
        return ["no dead members"]
    names = [
        f"{activation} {value}: {dead[row, column]}"
        for row, activation in enumerate(ds[ACTIVATION].values)
        for column, value in enumerate(ds[dim].values)
        if dead[row, column]
    ]
    return [f"dead of {ds.sizes['member']}:  {'  ·  '.join(names)}"]


def _caption(ds: "xr.Dataset") -> str:
    parts = [str(ds.attrs.get("title", "run")), f"{ds.sizes['member']} members"]
    return "  ·  ".join([*parts, ", ".join(str(name) for name in ds["estimator"].values)])
