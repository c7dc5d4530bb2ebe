"""Names beside points: each finds the free place nearest to a point of its own, with a thin line between.

Places around the points are tried in many directions and distances; a place costs what it would hide.
Names that share their points share a label. Of many names, as many are written as have room: those whose points lie
far apart. No name changes the axes. All lengths are in printer's points, 1/72 inch.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from infoplane.plots import naming, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

Points = Float[np.ndarray, "_point 2"]
Pair = Float[np.ndarray, " 2"]
Grid = Float[np.ndarray, "column row"]
Costs = Float[np.ndarray, " _place"]

ANGLES = np.deg2rad(np.arange(90, 450, 15))
DISTANCES = (3.0, 7.0, 12.0, 18.0, 26.0, 36.0, 48.0, 64.0)
"""Directions and distances that are tried, from the point to the edge of the name."""

OVERLAP, OUTSIDE, CROSSING, HIDDEN, PASSED = 1e5, 1e5, 100.0, 2.0, 2.0
"""Costs of touching another name, of leaving the axes, of crossing another name's line, of each square point
of the drawing that a name hides and each place where its line runs over it; a point of distance costs 1."""

SAME = 4.0
"""Distance up to which two names have the same point."""

SECOND = 15.0
"""Cost of standing beside any but the first point of a name."""

BLUR = 5
"""Width of what counts as drawn around a point of the drawing."""

ROUNDS = 4

MOST, THINNED = 12, 7
"""Labels up to which all are tried; how many of more are tried, as more would hide the drawing."""

WIDEST = 0.8
"""Share of the axes' width that the longest label may take."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Places for one name: the centres that it may have, the point that each belongs to, its own cost."""

    centres: Points
    points: Points
    costs: Costs
    size: Pair


def place_names(ax: "Axes", anchors: Mapping[str, Points], drawn: Sequence[tuple[Points, float]]) -> "list[Annotation]":
    """Write names beside their points, away from each other, from what is drawn and from the axes' edge.

    Names of the same points are joined: "layer1.0 … layer4.1 (8)". Labels that have no room are left out. The first and
    the last name are the last to go.

    Args:
        ax: where; its limits must be final.
        anchors: for each name the points that it may stand beside, in data coordinates, the best first; as
            many for each name.
        drawn: points of the drawing in data coordinates, dense where it should not be hidden, and how much
            that matters from 0 to 1.

    Returns:
        The labels that are written.
    """
    figure = ax.figure.canvas.figure
    figure.draw_without_rendering()  # settles the layout, which decides where data lie on the page
    scale = 72 / figure.dpi
    corner, size = np.array(ax.bbox.p0) * scale, np.array(ax.bbox.size) * scale

    def on_page(points: Points) -> Points:
        return ax.transData.transform(points) * scale - corner

    ink = _ink([(on_page(points), weight) for points, weight in drawn], size)
    groups = _farthest(_share({name: on_page(points) for name, points in anchors.items()}))
    notes = [_fitting(ax, names, size[0] * WIDEST, scale) for names, _ in groups]
    places = [_places(points, _size(note) * scale, ink) for note, (_, points) in zip(notes, groups, strict=True)]
    chosen = _arrange(places)
    for index in _crowded(places, chosen):
        notes[index].remove()
        del chosen[index]
    for index, place in chosen.items():
        centre, point = places[index].centres[place], places[index].points[place]
        notes[index].xy = tuple(ax.transData.inverted().transform((point + corner) / scale))
        notes[index].set_position(tuple(centre - point))
    return [notes[index] for index in sorted(chosen)]


Group = tuple[list[str], Points]


def _share(anchors: Mapping[str, Points]) -> list[Group]:
    """Join names whose points are the same."""
    groups: list[Group] = []
    for name, points in anchors.items():
        for names, theirs in groups:
            if np.abs(theirs - points).max() <= SAME:
                names.append(name)
                break
        else:
            groups.append(([name], points))
    return groups


def _farthest(groups: list[Group]) -> list[Group]:
    """Return the groups, the most important first; of more than `MOST` only `THINNED`, like the ticks of a scale.

    After the first and the last group, each further one is that whose first point lies farthest from those chosen. In
    a thinned drawing a group of a few neighbors has the first one's name alone.
    """
    thinned = len(groups) > MOST
    many = sum(len(names) for names, _ in groups) / 4
    points = np.array([points[0] for _, points in groups]).reshape(-1, 2)
    chosen = list(dict.fromkeys([0, len(groups) - 1]))[: len(groups)]
    apart = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1, initial=np.inf)
    while len(chosen) < (THINNED if thinned else len(groups)):
        apart[chosen] = -1.0
        chosen.append(int(apart.argmax()))
        apart = np.minimum(apart, np.linalg.norm(points - points[chosen[-1]], axis=1))
    kept = [groups[index] for index in chosen]
    return [(names[:1] if thinned and len(names) < many else names, points) for names, points in kept]


def _fitting(ax: "Axes", names: Sequence[str], width: float, scale: float) -> "Annotation":
    """Annotate with the longest label that fits into a width."""
    note = _annotate(ax, naming.join(names))
    for most in range(2 * naming.LONG, 4, -4):
        note.set_text(naming.join(names, most))
        if _size(note)[0] * scale <= width:
            break
    return note


def _crowded(places: "Sequence[Places]", chosen: dict[int, int]) -> list[int]:
    """Return the labels to leave out: from the last on, those that touch another label or leave the axes."""
    out: list[int] = []
    for index in reversed(range(len(places))):
        others = [_cost_beside(places[index], places[k], chosen[k]) for k in chosen if k != index and k not in out]
        cost = np.sum([places[index].costs, *others], axis=0)[chosen[index]]
        if cost >= min(OVERLAP, OUTSIDE):
            out.append(index)
    return out


def _annotate(ax: "Axes", name: str) -> "Annotation":
    note = ax.annotate(
        name,
        xy=(0, 0),
        xytext=(0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=style.SMALL,
        color=style.INK,
        zorder=8,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
        arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": style.GREY, "shrinkA": 0, "shrinkB": 2},
        annotation_clip=False,
    )
    note.set_in_layout(False)  # a label never moves the axes
    return note


def _size(note: "Annotation") -> Pair:
    """Width and height of a note's text alone, in pixels, with a small margin."""
    from matplotlib.text import Text

    extent = Text.get_window_extent(note)
    return np.array([extent.width + 4, extent.height + 2])


def _ink(drawn: Sequence[tuple[Points, float]], size: Pair) -> Grid:
    """Return how much each square point of the axes matters: the most of what is drawn there."""
    from scipy import ndimage

    ink = np.zeros(np.ceil(size).astype(int))
    for points, weight in drawn:
        cells = points[np.isfinite(points).all(axis=1)].astype(int)
        cells = cells[((cells >= 0) & (cells < ink.shape)).all(axis=1)]
        np.maximum.at(ink, tuple(cells.T), weight)
    return ndimage.maximum_filter(ink, BLUR)


def _places(points: Points, size: Pair, ink: Grid) -> Places:
    """Return the places around some points, the nearest first, with what each hides."""
    directions = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    half = 1 / np.max(np.abs(directions) / (size / 2), axis=1)
    steps = np.array(DISTANCES)[:, None] + half
    around = (steps[:, None, :, None] * directions + points[:, None]).reshape(-1, 2)
    owners = np.broadcast_to(points[:, None], (len(DISTANCES), len(points), len(ANGLES), 2)).reshape(-1, 2)
    low, high = around - size / 2, around + size / 2
    outside = (low < 0).any(axis=1) | (high > ink.shape).any(axis=1)
    steps_on_line = _between(owners, around).astype(int).clip(0, np.array(ink.shape) - 1)
    passed = ink[tuple(np.moveaxis(steps_on_line, -1, 0))].sum(axis=0)
    distance = np.repeat(DISTANCES, len(points) * len(ANGLES))
    second = np.tile(np.repeat(np.arange(len(points)) > 0, len(ANGLES)), len(DISTANCES))
    costs = distance + SECOND * second + OUTSIDE * outside + HIDDEN * _sum_inside(ink, low, high) + PASSED * passed
    return Places(around, owners, costs, size)


def _sum_inside(ink: Grid, low: Points, high: Points) -> Costs:
    """Sum of a grid over each of some boxes, by differences of its cumulative sum."""
    total = np.pad(ink.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    left, bottom = np.floor(low).astype(int).clip(0, ink.shape).T
    right, top = np.ceil(high).astype(int).clip(0, ink.shape).T
    return total[right, top] - total[left, top] - total[right, bottom] + total[left, bottom]


def _arrange(places: Sequence[Places]) -> dict[int, int]:
    """Choose a place for each name: each in turn takes its cheapest, given the others, until none moves."""
    chosen: dict[int, int] = {}
    for _ in range(ROUNDS):
        before = dict(chosen)
        for index, options in enumerate(places):
            others = [_cost_beside(options, places[k], chosen[k]) for k in chosen if k != index]
            chosen[index] = int(np.sum([options.costs, *others], axis=0).argmin())
        if chosen == before:
            break
    return chosen


def _cost_beside(options: Places, other: Places, chosen: int) -> Costs:
    """Cost of each place given where another name stands: names and lines keep clear of each other."""
    centre, point = other.centres[chosen], other.points[chosen]
    touch = (np.abs(options.centres - centre) < (options.size + other.size) / 2).all(axis=1)
    through = (np.abs(_between(options.points, options.centres) - centre) < other.size / 2).all(axis=2).any(axis=0)
    line = _between(point[None], centre[None])
    under = (np.abs(line - options.centres) < options.size / 2).all(axis=2).any(axis=0)
    cross = _cross(options.points, options.centres, point, centre)
    return OVERLAP * touch + CROSSING * (1.0 * through + under + cross)


def _between(start: Points, end: Points) -> Float[np.ndarray, "step point 2"]:
    """Return points on the way from each point to another."""
    return start + np.linspace(0.1, 0.9, 9)[:, None, None] * (end - start)


def _cross(start: Points, end: Points, other_start: Pair, other_end: Pair) -> np.ndarray:
    """Whether each line from start to end crosses another line."""
    apart = _side(other_start, other_end, start) * _side(other_start, other_end, end) < 0
    return apart & (_side(start, end, other_start) * _side(start, end, other_end) < 0)


def _side(start: np.ndarray, end: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Sign tells on which side of the line from start to end a point lies."""
    ahead, aside = end - start, point - start
    return ahead[..., 0] * aside[..., 1] - ahead[..., 1] * aside[..., 0]
