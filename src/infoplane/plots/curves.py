"""Curves against epoch: information of each layer, and how the training went."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from infoplane.plots import content, style
from infoplane.results import HELD_OUT, config_of, has_held_out, held_out

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLITS: dict[str, dict[str, Any]] = {
    "train": {"color": style.INK, "linestyle": "-"},
    "test": {"color": "#aa3377", "linestyle": (0, (3, 1.2))},
}
"""How the training and the test rows are drawn."""

DOTTED: dict[str, Any] = {"linestyle": (0, (1, 1.2)), "linewidth": 1.0, "zorder": 3.5}
BASELINE: dict[str, Any] = {
    "linestyle": "none",
    "color": style.GREY,
    "markersize": 3.2,
    "markerfacecolor": "white",
    "markeredgewidth": 0.8,
    "elinewidth": 0.6,
    "zorder": 4,
}
"""Held-out inputs beside the others, and baselines."""


def information(ds: "xr.Dataset", *, estimator: str | None = None, shuffled: "xr.Dataset | None" = None) -> "Figure":
    """Draw I(X;T) and I(T;Y) of each layer against epoch: mean over members, and a band of ± 1 sd.

    The scale of epochs is logarithmic from 1, with epoch 0, the initialisation, half a decade below. Ticks
    inside the lower edge are the measured epochs; dashed: H(X) and H(Y). Without labels there is one panel. Dotted
    lines are the held-out inputs, where those were measured apart. Grey circles are random weights (epoch 0 of a
    packaged run), grey diamonds the last epoch of networks trained on shuffled labels.

    Args:
        ds: a result.
        estimator: which estimator's information; the first where it is None.
        shuffled: a result of the same networks on shuffled labels, whose end is marked.

    Raises:
        InputError: for an estimator that the result does not hold.
    """
    name, information = content.select(ds, estimator)
    entropies = {"input": ("I(X;T)", "H(X)", "input_entropy"), "label": ("I(T;Y)", "H(Y)", "label_entropy")}
    shown = [variable for variable in entropies if np.isfinite(information.sel(variable=variable)).any()]
    figure = style.new_figure(style.DOUBLE if len(shown) > 1 else style.SINGLE, 2.75)
    for ax, variable in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        values = information.sel(variable=variable).values
        quantity, entropy, attribute = entropies[variable]
        style.dress(ax, content.epoch_word(ds), f"{quantity} (bits)")
        draw_layers(ax, information["epoch"].values, values, ds["layer"].values)
        _draw_beside(ax, ds, shuffled, name, variable)
        h = float(ds.attrs[attribute])
        style.epoch_axis(ax, int(ds["epoch"].values[-1]))
        ax.set_ylim(style.include((0.0, h), _reach(values), 0.03, 0.09))
        if np.isfinite(h):  # that of a continuous variable is not
            ax.axhline(h, gid=entropy, **style.DASHED | {"zorder": 5})
            ax.annotate(f"{entropy} = {h:.4g}", (0, h), (2, 2.5), textcoords="offset points", **style.WORDS)
        style.draw_rug(ax, information["epoch"].values)
    style.layer_legend(figure, ds["layer"].values)
    style.write_caption(figure, [*content.caption(ds, estimator=name, band=True), *_told(ds, shuffled, name)])
    return figure


def _draw_beside(ax: "Axes", ds: "xr.Dataset", shuffled: "xr.Dataset | None", estimator: str, variable: str) -> None:
    """Draw held-out inputs dotted, and the baselines grey: random weights, and networks on shuffled labels."""
    if _beside(ds, estimator):
        _, other = content.select(held_out(ds), estimator)
        mean, _ = content.mean_sd(other.sel(variable=variable).values)
        for layer, colour in enumerate(style.layer_colours(mean.shape[1])):
            ax.plot(other["epoch"].values, mean[:, layer], color=colour, gid="held out", **DOTTED)
    marks = [(ds, 0, "o", "random weights")] if _begins_at_random(ds) else []
    if shuffled is not None:
        marks.append((shuffled, -1, "D", "shuffled labels"))
    for one, at, marker, gid in marks:
        _, known = content.select(one, estimator)
        mean, sd = content.mean_sd(known.sel(variable=variable).isel(epoch=[at]).values)
        epochs = np.full(mean.shape[1], known["epoch"].values[at])
        ax.errorbar(epochs, mean[0], np.nan_to_num(sd[0]), marker=marker, gid=gid, **BASELINE)


def _beside(ds: "xr.Dataset", estimator: str) -> bool:
    """Whether an estimator has measured held-out inputs too."""
    return has_held_out(ds) and bool(ds[f"{HELD_OUT}information"].sel(estimator=estimator).notnull().any())


def _told(ds: "xr.Dataset", shuffled: "xr.Dataset | None", estimator: str) -> list[str]:
    """Say what the lines and marks beside the curves are."""
    h = ds.attrs.get(f"{HELD_OUT}input_entropy", np.nan)
    words = [f"dotted: held-out inputs (H(X) = {h:.4g})"] if _beside(ds, estimator) else []
    words += ["grey circles: random weights"] if _begins_at_random(ds) else []
    words += ["grey diamonds: shuffled labels"] if shuffled is not None else []
    return ["  ·  ".join(words)] if words else []


def _begins_at_random(ds: "xr.Dataset") -> bool:
    """Whether the first epoch is an initialisation drawn at random, as in packaged runs."""
    return "train" in config_of(ds) and int(ds["epoch"].values[0]) == 0


def training(ds: "xr.Dataset") -> "Figure":
    """Draw loss, accuracy and weight norms against epoch: mean over members, and a band of ± 1 sd.

    Loss (cross-entropy, nats) and accuracy of the training rows are taken from the mini-batches as they pass,
    those of the test rows after the epoch. Weight norms are Frobenius norms of the layers' kernels.

    Args:
        ds: a result.

    Raises:
        InputError: for a result without training curves.
    """
    content.need_curves(ds)
    with_norms = "weight_norm" in ds and bool(np.isfinite(ds["weight_norm"]).any())
    figure = style.new_figure(style.DOUBLE, 2.5)
    panels = figure.subplots(1, 2 + with_norms)
    steps = ds["step"].values
    last = content.trained_epochs(ds)
    for ax, curve, label in zip(panels, ("loss", "accuracy"), ("loss (nats)", "accuracy"), strict=False):
        style.dress(ax, content.epoch_word(ds), label)
        values = ds[curve].transpose("split", "member", "step")
        for split, look in SPLITS.items():
            draw_mean(ax, steps, values.sel(split=split).values, label=split, gid=f"mean {split}", **look)
        style.epoch_axis(ax, last)
    style.legend(panels[0])
    panels[0].set_ylim(bottom=0)
    if with_norms:
        style.dress(panels[2], content.epoch_word(ds), "weight norm")
        norms = ds["weight_norm"].transpose("member", "step", "layer").values
        draw_layers(panels[2], steps, norms, ds["layer"].values)
        style.epoch_axis(panels[2], last)
        panels[2].set_ylim(bottom=0)
        style.layer_legend(figure, ds["layer"].values)
    told = ["train: over the mini-batches while they train, test: after the epoch"] * bool(config_of(ds).get("train"))
    style.write_caption(figure, [*content.caption(ds, band=True), *told])
    return figure


def draw_layers(
    ax: "Axes",
    epochs: Int[np.ndarray, " epoch"],
    values: Float[np.ndarray, "member epoch layer"],
    names: Shaped[np.ndarray, " layer"],
) -> None:
    """Draw the mean of each layer; lines get thinner towards the output, so that none hides another."""
    widths = np.linspace(2.4, 1.0, len(names))
    for layer, colour in enumerate(style.layer_colours(len(names))):
        look = {"color": colour, "linewidth": widths[layer], "gid": f"mean {names[layer]}"}
        draw_mean(ax, epochs, values[:, :, layer], **look)


def draw_mean(
    ax: "Axes", epochs: Int[np.ndarray, " epoch"], values: Float[np.ndarray, "member epoch"], **look: Any
) -> None:
    """Draw the mean over members where there is one and, of several members, a band of ± 1 sd.

    A single epoch is a dot with a bar. The band is kept as an image: thousands of epochs make a large PDF.
    """
    mean, sd = content.mean_sd(values)
    known, banded = np.isfinite(mean), np.isfinite(sd)
    shown = {"linewidth": 1.1, "zorder": 3, "solid_joinstyle": "round"} | look
    if known.sum() == 1:
        ax.errorbar(epochs[known], mean[known], np.nan_to_num(sd[known]), fmt="o", markersize=3, **shown)
        return
    ax.plot(epochs[known], mean[known], **shown)
    if banded.any():
        low, high = (mean - sd)[banded], (mean + sd)[banded]
        shade = {"color": look["color"], "alpha": 0.18, "linewidth": 0, "rasterized": True}
        ax.fill_between(epochs[banded], low, high, gid="band", zorder=2, **shade)


def _reach(values: Float[np.ndarray, "member epoch layer"]) -> Float[np.ndarray, "..."]:
    """Return what the means and their bands reach."""
    mean, sd = content.mean_sd(values)
    return np.stack([mean, mean - sd, mean + sd])
