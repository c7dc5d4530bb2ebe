"""Converged layers against the information bottleneck's bound."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError
from infoplane.plots import content, style
from infoplane.plots.labels import place_names
from infoplane.results import config_of
from infoplane.truth.bottleneck import BottleneckCurve, ib_curve

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DECIDED = 1e-9
"""Bits by which H(Y) and I(X;Y) may differ where the input decides the label."""


def has_bound(ds: "xr.Dataset") -> bool:
    """Say whether a result's p(x,y) is known: the input decides the label, or labels were drawn by a known rule."""
    return _is_drawn(ds) or abs(_entropy(ds, "label_entropy") - _entropy(ds, "label_information")) < DECIDED


def _is_drawn(ds: "xr.Dataset") -> bool:
    data = config_of(ds).get("data", {})
    return data.get("gamma") is not None and not data.get("shuffle_labels")


def _entropy(ds: "xr.Dataset", name: str) -> float:
    return float(ds.attrs.get(name, np.nan))


def curve_of(ds: "xr.Dataset") -> BottleneckCurve | None:
    """Return the bound of a result's p(x,y); None where that is not known.

    Where the input decides the label the bound depends on H(X) and H(Y) alone. Where labels of the 12-bit task were
    drawn by p(y|x) the bound is that of p(x,y), not of the labels drawn: a layer that tells all inputs apart knows the
    draws, and may lie above it.
    """
    if not has_bound(ds):
        return None
    if _is_drawn(ds):
        from infoplane.data.szt import label_probabilities

        drawn = config_of(ds)["data"]
        rule = {key: drawn[key] for key in ("threshold", "degrees", "gamma") if drawn.get(key) is not None}
        p_one = label_probabilities(**rule)
        return ib_curve(np.stack([1 - p_one, p_one], axis=1) / len(p_one))
    h_x, h_y = _entropy(ds, "input_entropy"), _entropy(ds, "label_entropy")
    i_xt = np.unique([*np.linspace(0, h_y, 21), max(h_x, h_y)])
    return BottleneckCurve(i_xt, np.minimum(i_xt, h_y), 0.0)


def bound(ds: "xr.Dataset", *, estimator: str | None = None) -> "Figure":
    """Draw every member's layers at the end of training in the plane, with the bound that no layer can pass.

    A dot is a layer of a member, the large ring its mean. The line is the largest I(T;Y) that any T can have at each
    I(X;T); see `infoplane.ib_curve`.

    Args:
        ds: a result.
        estimator: which estimator's information; the first where it is None.

    Raises:
        InputError: for an estimator that the result does not hold, a result without labels, or one whose p(x,y) is
            not known.
    """
    name, information = content.select(ds, estimator)
    content.need_labels(information, "bound")
    curve = curve_of(ds)
    if curve is None:
        raise InputError("bound needs labels that the input decides, or drawn by a known p(y|x); draw 'plane' instead")
    values = information.isel(epoch=-1).sel(variable=["input", "label"]).values
    figure = style.new_figure(style.SINGLE, 2.9)
    ax = figure.subplots()
    style.dress(ax, "I(X;T) (bits)", "I(T;Y) (bits)")
    ax.set_xlim(style.include((0.0, float(curve.input[-1])), values[..., 0], 0.03, 0.1))
    ax.set_ylim(style.include((0.0, float(curve.label[-1])), values[..., 1], 0.05, 0.14))
    ax.plot(curve.input, curve.label, color=style.INK, linewidth=1.2, zorder=2, gid="bound")
    ax.fill_between(curve.input, curve.label, ax.get_ylim()[1], color=style.FAINT, alpha=0.18, linewidth=0, zorder=1)
    ax.annotate("no T can be here", (0.02, 0.965), xycoords="axes fraction", va="top", **style.WORDS)
    anchors = _draw_ends(ax, ds, values)
    place_names(ax, anchors, _obstacles(ax, curve, values.reshape(-1, 2), np.array([*anchors.values()]).reshape(-1, 2)))
    style.write_caption(figure, content.caption(ds, estimator=name))
    return figure


def _draw_ends(
    ax: "Axes", ds: "xr.Dataset", values: Float[np.ndarray, "member layer 2"]
) -> dict[str, Float[np.ndarray, "end 2"]]:
    """Draw a dot for each layer of each member and a ring at each layer's mean; return where the names belong."""
    mean, _ = content.mean_sd(values)
    anchors = {}
    for layer, colour, dots, centre in zip(
        ds["layer"].values, style.layer_colours(values.shape[1]), values.swapaxes(0, 1), mean, strict=True
    ):
        known = dots[np.isfinite(dots).all(axis=1)]
        ax.scatter(*known.T, s=7, color=[colour], alpha=0.5, linewidths=0, zorder=3)
        if np.isfinite(centre).all():
            ax.scatter(
                *centre, s=42, facecolor="none", edgecolor=[colour], linewidths=1.4, zorder=4, gid=f"mean {layer}"
            )
            anchors[str(layer)] = np.stack([centre, centre])
    return anchors


def _obstacles(
    ax: "Axes",
    curve: BottleneckCurve,
    dots: Float[np.ndarray, "dot 2"],
    centres: Float[np.ndarray, "centre 2"],
) -> list[tuple[Float[np.ndarray, "point 2"], float]]:
    """Return what names should not hide: the bound, all dots, and the rings around the means."""
    i_xt = np.linspace(0, float(curve.input[-1]), 400)
    turn = np.linspace(0, 2 * np.pi, 12)
    radius = np.stack(
        [0.02 * np.diff(ax.get_xlim())[0] * np.cos(turn), 0.025 * np.diff(ax.get_ylim())[0] * np.sin(turn)]
    )
    rings = (centres[:, None] + radius.T).reshape(-1, 2)
    return [
        (np.stack([i_xt, curve.label_at(i_xt)], axis=-1), 1.0),
        (dots[np.isfinite(dots).all(axis=1)], 1.0),
        (rings, 2.0),
    ]
