"""Snapshots of the information plane: every member and layer at three epochs, side by side."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from infoplane.plots import content, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIDDLE = 400
"""The epoch of the middle snapshot in Shwartz-Ziv & Tishby (2017), figure 2."""


def snapshots(ds: "xr.Dataset", *, estimator: str | None = None, width: Any = None) -> "Figure":
    """Draw every member's layers in the information plane at the first, a middle and the last epoch.

    A dot is one layer of one member; its colour is the layer, and dots get smaller towards the output so that
    layers in the same place stay visible. The open square is the input node; dashed: H(X) and H(Y). The
    middle epoch is the measured one nearest to 400 or, in runs shorter than 800 epochs, to the middle of the
    logarithmic scale. To choose others, select them first: ``snapshots(ds.sel(epoch=[0, 26, 8000]))``.

    Args:
        ds: a result.
        estimator: which estimator's information; the first where it is None.
        width: width of the figure in cm, 17.8 by default; panels stand below each other in a narrow one (8).

    Raises:
        InputError: for an estimator that the result does not hold, or a result without labels.
    """
    name, information = content.select(ds, estimator)
    content.need_labels(information, "snapshots")
    values = information.sel(variable=["input", "label"]).values
    epochs = information["epoch"].values
    shown = choose_epochs(epochs)
    inches, is_narrow = style.width_in_inches(width)
    figure = style.new_figure(inches, 2.0 * len(shown) + 0.75 if is_narrow else 2.75)
    shape = (len(shown), 1) if is_narrow else (1, len(shown))
    panels = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, index in zip(panels, shown, strict=True):
        ax.locator_params(axis="x", nbins=7, steps=[1, 2, 5, 10])
        at_left, at_bottom = is_narrow or ax is panels[0], not is_narrow or ax is panels[-1]
        style.dress(ax, "I(X;T) (bits)" * at_bottom, "I(T;Y) (bits)" * at_left)
        ax.set_title(f"{content.epoch_word(ds)} {epochs[index]}", fontsize=style.NORMAL, color=style.INK)
        style.draw_entropies(ax, ds.attrs["input_entropy"], ds.attrs["label_entropy"])
        _draw_dots(ax, values[:, index])
        ax.plot(ds.attrs["input_entropy"], ds.attrs["label_information"], **style.OPEN_NODE)
    panels[0].set_xlim(style.include((0.0, ds.attrs["input_entropy"]), values[..., 0], 0.03, 0.05))
    panels[0].set_ylim(style.include((0.0, ds.attrs["label_entropy"]), values[..., 1], 0.03, 0.05))
    style.layer_legend(figure, ds["layer"].values, node=style.OPEN_NODE)
    style.write_caption(figure, content.caption(ds, estimator=name))
    return figure


def choose_epochs(epochs: Int[np.ndarray, " epoch"]) -> list[int]:
    """Return the places of the first, a middle and the last of some epochs, fewer where there are fewer."""
    last = len(epochs) - 1
    if last < 2:
        return list(range(last + 1))
    target = MIDDLE if epochs[-1] >= 2 * MIDDLE else np.sqrt(epochs[-1])
    inner = np.abs(np.log(epochs[1:-1]) - np.log(target))
    return [0, 1 + int(inner.argmin()), last]


def _draw_dots(ax: "Axes", points: Float[np.ndarray, "member layer 2"]) -> None:
    """Draw the dots of one epoch, layer by layer."""
    n_layers = points.shape[1]
    sizes = np.linspace(34, 10, n_layers)
    for layer, colour in enumerate(style.layer_colours(n_layers)):
        known = points[:, layer][np.isfinite(points[:, layer]).all(axis=1)]
        ax.scatter(
            *known.T,
            s=sizes[layer],
            color=[colour],
            alpha=0.85,
            linewidths=0.35,
            edgecolors="white",
            zorder=3,
        )
