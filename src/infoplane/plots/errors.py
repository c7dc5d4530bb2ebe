"""Linear students: how well they do on old and new inputs, and what their layers know, along training."""

from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane.errors import InputError
from infoplane.plots import content, style
from infoplane.plots.curves import SPLITS, draw_layers, draw_mean

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOISE: dict[str, Any] = style.DASHED | {"linestyle": (0, (1, 1.5))}
"""The line of the least error that there can be."""

CURVES = {"training_error": ("train", "trained on"), "generalisation_error": ("test", "new inputs")}


def has_errors(ds: "xr.Dataset") -> bool:
    """Say whether a result holds the exact error on new inputs."""
    return "generalisation_error" in ds and bool(ds["generalisation_error"].notnull().any())


def errors(ds: "xr.Dataset") -> "Figure":
    """Draw the errors of students, and I(X;T) and I(T;Y) of their layers, against epoch: means and ± 1 sd.

    Errors are mean squares over the variance of the label, so that 1 is what predicting zero gives. Dotted: the least
    error that the noise of the label leaves. Dashed: I(X;Y). I(X;T) is drawn as its change since epoch 0, which is
    small beside its size; the caption says where it begins.

    Args:
        ds: a result of a linear student.

    Raises:
        InputError: for another result.
    """
    if not has_errors(ds):
        raise InputError(
            "errors needs 'generalisation_error', which only linear students have; draw 'training' instead"
        )
    name, information = content.select(ds, None)
    epochs: Any = information["epoch"].values
    figure = style.new_figure(style.DOUBLE, 2.6)
    first, second, third = figure.subplots(1, 3)
    draw_errors(first, ds)
    start = information.isel(epoch=[0]).values
    change = information.values - start
    for ax, index, label in ((second, 0, "I(X;T) − I(X;T) at epoch 0 (bits)"), (third, 1, "I(T;Y) (bits)")):
        style.dress(ax, "epoch", label)
        draw_layers(ax, epochs, (change if index == 0 else information.values)[..., index], ds["layer"].values)
        style.epoch_axis(ax, int(epochs[-1]))
    second.axhline(0, color=style.GREY, linewidth=0.6, zorder=1)
    _mark_label(third, float(ds.attrs["label_information"]))
    style.layer_legend(figure, ds["layer"].values)
    begins = content.mean_sd(start[:, 0, :, 0])[0]
    told = ", ".join(f"{layer} {bits:.1f}" for layer, bits in zip(ds["layer"].values, begins, strict=True))
    style.write_caption(
        figure,
        [*content.caption(ds, estimator=name, band=True), f"dotted: noise of y  ·  I(X;T) at epoch 0, bits: {told}"],
    )
    return figure


def draw_errors(ax: "Axes", ds: "xr.Dataset") -> None:
    """Draw both errors into axes, with the least that the noise of the label leaves."""
    style.dress(ax, "epoch", "error / variance of y")
    epochs: Any = ds["epoch"].values
    for curve, (split, label) in CURVES.items():
        values = ds[curve].transpose("member", "epoch").values
        draw_mean(ax, epochs, values, label=label, gid=f"mean {curve}", **SPLITS[split])
    least = 2 ** (-2 * float(ds.attrs["label_information"]))  # Var(Y|X) / Var Y
    ax.axhline(least, gid="noise", **NOISE)
    style.epoch_axis(ax, int(epochs[-1]))
    ax.set_ylim(bottom=0)
    style.legend(ax)


def _mark_label(ax: "Axes", bits: float) -> None:
    """Mark I(X;Y), which no layer exceeds."""
    ax.axhline(bits, gid="I(X;Y)", **style.DASHED)
    ax.set_ylim(0, 1.12 * bits if np.isfinite(bits) else None)
    ax.annotate(f"I(X;Y) = {bits:.3g}", (0, bits), (2, 2.5), textcoords="offset points", **style.WORDS)
