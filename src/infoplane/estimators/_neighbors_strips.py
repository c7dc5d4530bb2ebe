"""Neighbours of two coordinates for many shuffles of one: in strips of the plane, of which most is made once.

The plane is cut into strips along x. Within a strip samples are put in the order of y, so that the neighbours of a
sample are a few places away: whole arrays are compared with themselves, moved by 1, 2, … places. A shuffle changes
which y stands beside which x, but neither the sorted values nor the strips. The neighbours found are right where the
k-th is nearer than everything outside of the strip and beyond the last place looked at. Strips that are moved by half
their width and strips along y leave few samples for which that does not hold; these look at all samples of the
narrower of the two bands around them.
"""

import dataclasses
import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from infoplane.estimators._neighbors_space import Space, ranges
from infoplane.estimators._neighbors_sweep import Found, Task, empty, radius_of
from infoplane.estimators.pair import Order

_WIDTH = 3.4
"""Width of a strip, for each width of a square of k samples: the middle half of a strip reaches 0.85 of it at least to
either side, where 0.5 is needed on average."""

_STEPS = 2.0
"""Places looked at to either side, for each neighbour to be expected at most (k and two standard deviations)."""

_FEW_LEFT = 20
"""No other strips are tried where only one in so many samples is left over."""

_CODE = 63
"""Lowest bits of a distance in 32 bits, which are replaced by where the other sample is."""

_STEPS_OF_CODE = np.arange(_CODE + 1) // 2 * np.tile([-1, 1], (_CODE + 1) // 2)
"""How many steps ahead the other sample is for each code: twice the number of steps, and one more for steps ahead."""

_FEWEST, _MOST_NEIGHBORS = 500, 8
"""Samples from which strips are quicker than a tree, and neighbours up to which they are."""

_BAND = 64
"""Samples in the bands of those left over, for each sample of all, above which another way is quicker."""


class Strips(NamedTuple):
    """One way to cut the samples into strips along a coordinate, in its order.

    Attributes:
        number: which strip each sample is in.
        edge: distance to the nearest sample outside of it.
    """

    number: Integer[np.ndarray, " place"]
    edge: Float[np.ndarray, " place"]


@dataclasses.dataclass(frozen=True, eq=False)
class Cut:
    """A coordinate, sorted and cut.

    Attributes:
        space: the samples.
        values: their coordinate, ascending.
        unit: the same in standard deviations and 32 bits.
        place: where each sample is in that order.
        strips: two ways to cut it, the second moved by half a strip.
    """

    space: Space
    values: Float[np.ndarray, " place"]
    unit: Float[np.ndarray, " place"]
    place: Int[np.ndarray, " sample"]
    strips: tuple[Strips, Strips]


def cut_plane(x: Space, y: Space, k: int) -> tuple[Cut, Cut] | None:
    """Cut both coordinates; None where that does not pay: few samples, many neighbours, or mostly equal values.

    A square of k samples is √(k / N p_x p_y) wide, so strips are of equal width in ∫ √p_x dx, which is the sum of the
    roots of the gaps between samples, over √N; the width of a strip along x goes by the typical 1/√p_y.
    """
    if x.n < _FEWEST or k > _MOST_NEIGHBORS:
        return None
    along = [np.append(0.0, np.sqrt(np.diff(one.points[one.ascending, 0]) * one.scale).cumsum()) for one in (x, y)]
    typical = [2 * float(one[3 * x.n // 4] - one[x.n // 4]) for one in along]
    if not min(typical):
        return None
    widths = [_WIDTH * math.sqrt(k / x.n) * other for other in reversed(typical)]
    first, second = (_cut(*one) for one in zip((x, y), along, widths, strict=True))
    return first, second


def _cut(space: Space, along: Float[np.ndarray, " place"], width: float) -> Cut:
    """Cut one coordinate into strips of equal width along another measure of it."""
    values, place = space.points[space.ascending, 0], np.empty(space.n, np.int64)
    place[space.ascending] = np.arange(space.n)
    around = np.concatenate([[-np.inf], values, [np.inf]])
    strips = []
    for moved in (0.0, 0.5):
        steps = np.diff(np.floor(along / width + moved)) > 0
        number = np.append(0, np.cumsum(steps))
        first, last = np.searchsorted(number, number, "left"), np.searchsorted(number, number, "right")
        edge = np.minimum(values - around[first], around[last + 1] - values) * space.scale
        strips.append(Strips(number.astype(np.uint16 if number[-1] < 2**16 else np.uint32), edge))
    return Cut(space, values, (values * space.scale).astype(np.float32), place, (strips[0], strips[1]))


def search_strips(cuts: tuple[Cut, Cut], order: Order, task: Task) -> Found | None:
    """Find the neighbours with the second coordinate in another order; None where too many are left over.

    Counts are not filled in.
    """
    x, y = cuts
    pair = _Pair(x, y, y.place.take(order).take(x.space.ascending))
    found, bound, left = empty(x.space.n, 2, task), np.full(x.space.n, np.inf), np.ones(x.space.n, bool)
    found.within[:] = task.k
    room = np.empty((task.k + 5, x.space.n), np.float32)  # made once: new memory costs as much as filling it does
    for along, across, half in ((x, y, 0), (y, x, 0), (x, y, 1), (y, x, 1)):
        places = pair.back if along is x else pair.beside
        sequence = np.argsort(along.strips[half].number.take(places), kind="stable")
        first = places.take(sequence)
        samples = x.space.ascending.take(first if along is x else sequence)
        seen = _look(_Sequence(along, across, along.strips[half], first, sequence), left.take(samples), task, room)
        into = samples[seen.places]
        left[into] = False
        found.distances[into] = seen.distances.T
        for kept, own in zip(found.radii, seen.radii if along is x else seen.radii[::-1], strict=True):
            kept[into] = own
        rest = np.flatnonzero(left.take(samples))
        bound[samples[rest]] = np.minimum(bound[samples[rest]], seen.bound[rest])
        if _FEW_LEFT * len(rest) < x.space.n:
            break
        if half and 2 * len(rest) > x.space.n:
            return None
    rows = np.flatnonzero(left)
    return found if _search_bands(pair, found, rows, bound[rows], task) else None


@dataclasses.dataclass(frozen=True, eq=False)
class _Pair:
    """Two coordinates beside each other.

    Attributes:
        x: the first.
        y: the second.
        beside: where in the order of y the samples in the order of x are.
    """

    x: Cut
    y: Cut
    beside: Int[np.ndarray, " place"]

    @cached_property
    def back(self) -> Int[np.ndarray, " place"]:
        """Where in the order of x the samples in the order of y are."""
        back = np.empty_like(self.beside)
        back[self.beside] = np.arange(len(back))
        return back


class _Sequence(NamedTuple):
    """Samples strip after strip, and in each strip in the order of the other coordinate.

    Attributes:
        along: the coordinate that is cut.
        across: the other one.
        strips: how the first is cut.
        first: place of each sample along the cut coordinate.
        second: the same across.
    """

    along: Cut
    across: Cut
    strips: Strips
    first: Int[np.ndarray, " place"]
    second: Int[np.ndarray, " place"]


class _Seen(NamedTuple):
    """What comparing the samples of a sequence with those a few places away has shown.

    Attributes:
        places: where the neighbours are known, no other sample being as far as the last.
        distances: of these, the distances to the neighbours, ascending.
        radii: of these, the distance within which is counted, along and across.
        bound: of every sample, what the k-th distance does not exceed.
    """

    places: Int[np.ndarray, " known"]
    distances: Float[np.ndarray, "neighbor known"]
    radii: list[Float[np.ndarray, " known"]]
    bound: Float[np.ndarray, " place"]


def _look(sequence: _Sequence, left: Bool[np.ndarray, " place"], task: Task, room: np.ndarray) -> _Seen:
    """Compare the samples of a sequence with those a few places away.

    First in 32 bits, for which of them are nearest. With a unit u of rounding, 2⁻²⁴, a coordinate c is off by u |c|, a
    distance d by u d more, and its lowest bits, which say where the other sample is, by 2⁻¹⁷ d. Where the next after
    the k-th is farther by more than that of both, these are the k nearest seen, and their exact distances are taken.
    """
    cuts, at = sequence[:2], (sequence.first, sequence.second)
    steps = math.ceil(_STEPS * (task.k + 2 * math.sqrt(task.k) + 1))
    units = [cut.unit.take(own) for cut, own in zip(cuts, at, strict=True)]
    nearest = _nearest_seen(units, steps, room)
    off = np.maximum(*(np.abs(line) for line in units)) * np.float32(2**-22) + nearest[-1] * np.float32(2**-16)
    bound = nearest[-2] + off.astype(np.float64)
    lines = cuts[0].values.take(at[0]), cuts[1].values.take(at[1])
    known = left & (nearest[-1] - nearest[-2] > 2 * off) & (bound < _edge(sequence, lines[1], steps))
    places = np.flatnonzero(known)
    others = _STEPS_OF_CODE.take(nearest[:-1].take(places, axis=1).view(np.int32) & _CODE)
    others += places
    each = []
    for cut, line in zip(cuts, lines, strict=True):
        apart = line.take(others)
        apart -= line.take(places)
        each.append(np.abs(apart, out=apart) * cut.space.scale)
    distances = np.maximum(*each)
    if (distances[1:] < distances[:-1]).any():  # what 32 bits do not tell apart
        distances.sort(axis=0)
    radii = [own.max(axis=0) for own in each] if task.rectangle else [radius_of(distances[-1], task)] * 2
    return _Seen(places, distances, radii, bound)


def _nearest_seen(lines: list[np.ndarray], steps: int, room: np.ndarray) -> Float[np.ndarray, "neighbor place"]:
    """Distances of each place to the k + 1 nearest among those up to so many steps away, with codes of where they are.

    Args:
        lines: both coordinates.
        steps: how far to look.
        room: memory to work in, k + 5 rows; the result lies there.
    """
    nearest, spare, (beside, joint) = np.split(room, [len(room) - 4, len(room) - 2])
    nearest[:] = np.inf
    n = len(lines[0])
    for step in range(1, steps + 1):
        own, other = joint[: n - step], beside[: n - step]
        for line, apart in zip(lines, (own, other), strict=True):
            np.subtract(line[step:], line[:-step], out=apart)
            np.abs(apart, out=apart)
        np.maximum(own, other, out=own)
        bits = own.view(np.int32)
        bits &= ~_CODE
        bits |= 2 * step
        _insert(own, nearest[:, step:], spare[:, : n - step])
        bits |= 1
        _insert(own, nearest[:, : n - step], spare[:, : n - step])
    return nearest


def _edge(sequence: _Sequence, line: Float[np.ndarray, " place"], steps: int) -> Float[np.ndarray, " place"]:
    """Distance within which all samples are in the same strip and at most so many steps away along a line across."""
    edge, number = (of_strip.take(sequence.first) for of_strip in (sequence.strips.edge, sequence.strips.number))
    last = np.abs(line[steps:] - line[:-steps]) * sequence.across.space.scale
    last[number[steps:] != number[:-steps]] = np.inf
    for end in (slice(steps, None), slice(None, -steps)):
        np.minimum(edge[end], last, out=edge[end])
    return edge


def _insert(joint: np.ndarray, nearest: np.ndarray, spare: np.ndarray) -> None:
    """Put a distance where it belongs among the nearest, which ascend; the largest falls out."""
    moving = joint
    for index, own in enumerate(nearest[:-1]):
        larger = np.maximum(own, moving, out=spare[index % 2])
        np.minimum(own, moving, out=own)
        moving = larger
    np.minimum(nearest[-1], moving, out=nearest[-1])


def _search_bands(
    pair: _Pair, found: Found, rows: Int[np.ndarray, " row"], bound: Float[np.ndarray, " row"], task: Task
) -> bool:
    """Find the neighbours of ``rows`` among all samples of the narrower band within ``bound``; False if too many."""
    if not len(rows):
        return True
    cuts, n = (pair.x, pair.y), pair.x.space.n
    where = pair.x.place[rows], pair.beside[pair.x.place[rows]]
    here = [cut.values[places] for cut, places in zip(cuts, where, strict=True)]
    reaches = [_reach(cut, own, bound) for cut, own in zip(cuts, here, strict=True)]
    bands = [_band(*one) for one in zip(cuts, here, reaches, strict=True)]
    by_y = bands[1][1] - bands[1][0] < bands[0][1] - bands[0][0]
    start, stop = np.where(by_y, bands[1], bands[0])
    if int((stop - start).sum()) > _BAND * n:
        return False
    # Both orders behind each other, and of each sample the place in x and the coordinate that its order is not of.
    in_x = np.append(np.arange(n), pair.back)
    other = np.append(pair.y.values.take(pair.beside), pair.x.values.take(pair.back))
    question, place = ranges(start + n * by_y, stop + n * by_y)
    off, limit = np.where(by_y, *here), np.where(by_y, *reaches)
    near = np.flatnonzero(np.abs(other.take(place) - off.take(question)) <= limit.take(question))
    question, place = question[near], in_x[place[near]]
    itself = place == where[0][question]
    question, place = question[~itself], place[~itself]
    each = [
        np.abs(cut.values[others] - own[question]) * cut.space.scale
        for cut, own, others in zip(cuts, here, (place, pair.beside[place]), strict=True)
    ]
    _write_sorted(found, rows, question, each, task)
    return True


def _reach(cut: Cut, here: Float[np.ndarray, " row"], bound: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """``bound`` in the unit of the values, and a little more than rounding takes off."""
    reach = bound / cut.space.scale
    return reach + 1e-14 * (np.abs(here) + reach)


def _band(
    cut: Cut, here: Float[np.ndarray, " row"], reach: Float[np.ndarray, " row"]
) -> tuple[Int[np.ndarray, " row"], Int[np.ndarray, " row"]]:
    """First place, and place after the last, of all samples as near as that along a coordinate."""
    return np.searchsorted(cut.values, here - reach, "left"), np.searchsorted(cut.values, here + reach, "right")


def _write_sorted(
    found: Found,
    rows: Int[np.ndarray, " row"],
    question: Int[np.ndarray, " pair"],
    each: list[Float[np.ndarray, " pair"]],
    task: Task,
) -> None:
    """Write down the neighbours of ``rows`` among pairs that hold them; ``question`` says which row, ascending."""
    joint = np.maximum(*each)
    order = np.lexsort((joint, question))
    starts = np.searchsorted(question, np.arange(len(rows)))
    found.distances[rows] = joint[order][starts[:, None] + np.arange(task.k)]
    kth = found.distances[rows, -1]
    inside = joint <= kth[question]
    found.within[rows] = np.bincount(question[inside], minlength=len(rows))
    for kept, own in zip(found.radii, each, strict=True):
        kept[rows] = np.maximum.reduceat(np.where(inside, own, 0.0), starts) if task.rectangle else radius_of(kth, task)
