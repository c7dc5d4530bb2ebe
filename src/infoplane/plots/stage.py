"""The scene of the film: the information plane drawn once, and what moves in it drawn anew for each frame."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8

from infoplane.plots import content, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 4.0, 3.0
"""Size of the scene in inches; the film's width in pixels decides how many dots an inch has."""

Pixels = UInt8[np.ndarray, "row column 3"]


class Stage:
    """The information plane at one epoch at a time, as pixels.

    Axes, names and dashed lines are drawn once and kept as an image; a frame is that image with the dots, the paths
    of the mean and the clock drawn over it, which is some thirty times faster than drawing the whole figure.

    Attributes:
        epochs: the measured epochs that can be shown.
    """

    def __init__(self, ds: "xr.Dataset", estimator: str, *, members: bool, width: int) -> None:
        """Draw what does not move.

        Args:
            ds: a result with labels, none of whose epochs lacks the estimator.
            estimator: whose information is shown.
            members: whether every member is a dot, or the mean alone.
            width: of a frame in pixels; it and the height that comes of it are rounded to even numbers.
        """
        self.epochs = ds["epoch"].values
        information = ds["information"].sel(estimator=estimator, variable=["input", "label"])
        self._values = information.transpose("member", "epoch", "layer", "variable").values
        self._mean, _ = content.mean_sd(self._values)
        self._members = members and len(self._values) > 1
        self._word = content.epoch_word(ds)
        self._figure = style.new_figure(WIDTH, HEIGHT)
        self._figure.set_dpi(width / WIDTH)
        plane, clock = self._figure.subplots(2, 1, height_ratios=[40, 1])
        self._dress(plane, clock, ds, estimator)
        self._moving = [*self._actors(plane, information["layer"].values), *self._hands(clock)]
        self._draw_once()

    def frames(self, chosen: Iterable[int]) -> Iterator[Pixels]:
        """Yield the frame of each epoch, given by its place among ``epochs``."""
        for index in chosen:
            yield self._draw(index)

    def _dress(self, plane: "Axes", clock: "Axes", ds: "xr.Dataset", estimator: str) -> None:
        """Draw axes, entropies, the input and the names of the layers."""
        style.dress(plane, "I(X;T) (bits)", "I(T;Y) (bits)")
        shown = self._values if self._members else self._mean
        plane.set_xlim(style.include((0.0, ds.attrs["input_entropy"]), shown[..., 0], 0.03, 0.05))
        plane.set_ylim(style.include((0.0, ds.attrs["label_entropy"]), shown[..., 1], 0.03, 0.07))
        style.draw_entropies(plane, ds.attrs["input_entropy"], ds.attrs["label_entropy"])
        plane.plot(ds.attrs["input_entropy"], ds.attrs["label_information"], **style.OPEN_NODE)
        lines = [part for line in content.caption(ds, estimator=estimator) for part in textwrap.wrap(line, 78)]
        plane.set_title("\n".join(lines), loc="left", fontsize=style.SMALL - 0.5, color=style.GREY, linespacing=1.3)
        style.layer_legend(self._figure, ds["layer"].values, node=style.OPEN_NODE, shrink=0.85)
        style.dress(clock, "", "")
        clock.spines["left"].set_visible(False)
        clock.set_yticks([])
        clock.set_ylim(0, 1)
        style.epoch_axis(clock, int(self.epochs[-1]))

    def _actors(self, ax: "Axes", layers: Any) -> "list[Artist]":
        """Return the artists of the layers: their paths, then the dots of the members, then the means."""
        colours = style.layer_colours(len(layers))
        sizes = np.linspace(34, 10, len(layers)) if self._members else np.full(len(layers), 34.0)
        dots: dict[str, Any] = {
            "linewidths": 0.35,
            "edgecolors": "white",
            "zorder": 3,
            "alpha": 0.75 if self._members else 1.0,
        }
        self._paths = [ax.plot([], [], color=colour, linewidth=1.1, zorder=4)[0] for colour in colours]
        self._dots = [
            ax.scatter([], [], s=size, color=[colour], **dots) for size, colour in zip(sizes, colours, strict=True)
        ]
        (self._chain,) = ax.plot([], [], color=style.INK, linewidth=0.6, alpha=0.6, zorder=3.5)
        return [*self._dots, self._chain, *self._paths]

    def _hands(self, clock: "Axes") -> "list[Artist]":
        """Return the artists of the time: the mark on the scale of epochs, and the number at its right."""
        (self._hand,) = clock.plot([], [], "|", color=style.INK, markersize=7, markeredgewidth=1.6, clip_on=False)
        beside: dict[str, Any] = {
            "xycoords": "axes fraction",
            "textcoords": "offset points",
            "va": "center",
            "annotation_clip": False,
        }
        self._number = clock.annotate("", (1.0, 0.5), (8, -3), fontsize=style.NORMAL, color=style.INK, **beside)
        return [self._hand, self._number]

    def _draw_once(self) -> None:
        """Draw everything that stays and keep it."""
        for artist in self._moving:
            artist.set_animated(True)
            artist.set_in_layout(False)
        canvas: Any = self._figure.canvas
        canvas.draw()
        self._figure.set_layout_engine("none")
        self._background = canvas.copy_from_bbox(self._figure.bbox)

    def _draw(self, index: int) -> Pixels:
        """Draw what moves over what stays, and return a copy of the pixels."""
        layers = range(self._mean.shape[1])
        for layer, dots, path in zip(layers, self._dots, self._paths, strict=True):
            at = self._values[:, index, layer] if self._members else self._mean[[index], layer]
            dots.set_offsets(_known(at))
            path.set_data(*_known(self._mean[: index + 1, layer]).T)
        self._chain.set_data(*_known(self._mean[index]).T)
        self._hand.set_data([self.epochs[index]], [0.5])
        self._number.set_text(f"{self._word} {self.epochs[index]}")
        canvas: Any = self._figure.canvas
        canvas.restore_region(self._background)
        for artist in self._moving:
            self._figure.draw_artist(artist)
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        return pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2].copy()


def _known(points: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, "known 2"]:
    return points[np.isfinite(points).all(axis=1)]
