"""Nearest neighbours and the number of points around: by a tree where that is quick, else by a sweep over all pairs."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from infoplane.estimators._neighbors_space import AnySpace, Labels, Space, others_equal
from infoplane.estimators._neighbors_sweep import Found, Task, counted_in_sweep, empty, radius_of, sweep, wanted
from infoplane.estimators._neighbors_tiles import Tiles, choose_tiles
from infoplane.estimators._threads import n_threads

Spaces = tuple[AnySpace, ...]
"""One space, or the two of a pair; the joint distance is the largest of the distances in each."""

_TREE_DIMS = 10
"""Coordinates up to which a tree may be quicker than going through all pairs, given enough samples."""

_ASKED = 1 << 21
"""Neighbours that a tree is asked for at a time, over all samples: bounds the memory of many neighbours."""

_TREE_SAMPLES = 1500
"""Samples for each coordinate from which it is: measured on Gaussian data with 4, 6 and 10 coordinates."""


def find(sets: Sequence[Spaces], task: Task, *, back_end: str = "auto", workers: int = 0) -> list[Found]:
    """Find the neighbours of every sample, for each set of spaces.

    Args:
        sets: all with the same first space and the same number of samples; a discrete space has at least two
            samples of every symbol.
        task: what to look for.
        back_end: "tree", "sweep" or "auto", which takes the quicker; both give the same numbers.
        workers: threads that search a tree; 0 for as many as are to be used.
    """
    if all(isinstance(space, Labels) for space in sets[0]):
        return [_among_atoms(spaces, task) for spaces in sets]
    if back_end == "auto":
        back_end = "tree" if prefers_tree(sets[0], task) else "sweep"
    equal = [others_equal(spaces) for spaces in sets]
    open_rows = [own < wanted(spaces, task) for own, spaces in zip(equal, sets, strict=True)]
    if back_end == "tree":
        found = [_by_tree(spaces, task, rows, workers) for spaces, rows in zip(sets, open_rows, strict=True)]
    else:
        found = sweep(_tiles(sets, task), task, np.flatnonzero(np.any(open_rows, axis=0)))
    for spaces, one, own, rows in zip(sets, found, equal, open_rows, strict=True):
        _fill_atoms(spaces, one, task, own, ~rows)
        if task.counts:
            _count_by_sorting(spaces, one, task)
    return found


def complete(spaces: Spaces, task: Task, found: Found, rows: Bool[np.ndarray, " sample"]) -> None:
    """Search all samples for the neighbours of ``rows``, and fill in the counts that come from sorting."""
    equal = others_equal(spaces)
    atoms = equal >= wanted(spaces, task)
    _fill_atoms(spaces, found, task, equal, rows & atoms)
    left = np.flatnonzero(rows & ~atoms)
    if len(left):
        sweep([choose_tiles(spaces, task.k)], task, left, [found])
    if task.counts:
        _count_by_sorting(spaces, found, task)


def _among_atoms(spaces: Spaces, task: Task) -> Found:
    """Neighbours of two discrete variables: all that are equal in both."""
    found = empty(spaces[0].n, len(spaces), task)
    found.distances[:] = 0.0
    found.within[:] = others_equal(spaces)
    _count_by_sorting(spaces, found, task)
    return found


def _fill_atoms(
    spaces: Spaces, found: Found, task: Task, equal: Int[np.ndarray, " sample"], rows: Bool[np.ndarray, " sample"]
) -> None:
    """Write down the rows whose k neighbours are all equal to them: at distance 0, counted without a search."""
    found.distances[rows] = np.where(np.arange(task.k) < wanted(spaces, task)[rows, None], 0.0, np.inf)
    found.within[rows] = equal[rows]
    for space, radii, counts in zip(spaces, found.radii, found.counts, strict=True):
        radii[rows] = radius_of(np.zeros(1), task)
        counts[rows] = space.others[rows] if task.closed or task.atoms else 0


def prefers_tree(spaces: Spaces, task: Task) -> bool:
    """Say whether a tree is quicker: few coordinates, and no counts but along lines."""
    total = sum(space.dims for space in spaces)
    if not _tree_can(spaces) or (task.counts and any(counted_in_sweep(space) for space in spaces)):
        return False
    return total <= 2 or (total <= _TREE_DIMS and spaces[0].n >= _TREE_SAMPLES * total)


def _tree_can(spaces: Spaces) -> bool:
    """A tree measures a joint distance by one norm only."""
    continuous = [space for space in spaces if isinstance(space, Space)]
    return len(continuous) == 1 or all(space.norm == "max" or space.dims == 1 for space in continuous)


def _tiles(sets: Sequence[Spaces], task: Task) -> list[Tiles]:
    """Coarse distances of every set, in one unit that holds them all."""
    first = choose_tiles(sets[0], task.k)
    tiles = [first, *(Tiles(spaces, first.precision) for spaces in sets[1:])]
    step = max(one.step for one in tiles)
    return [one if one.step == step else Tiles(one.spaces, one.precision, step) for one in tiles]


def _by_tree(spaces: Spaces, task: Task, rows: Bool[np.ndarray, " sample"], workers: int) -> Found:
    """Search a tree of the joint space, one for each symbol; leave those ``rows`` it cannot decide to the sweep."""
    found = empty(spaces[0].n, len(spaces), task)
    codes = next((space.codes for space in spaces if isinstance(space, Labels)), None)
    members = [np.arange(spaces[0].n)] if codes is None else _members(codes)
    undecided = np.concatenate([own[_query(spaces, own, task, found, workers)] for own in members])
    undecided = undecided[rows[undecided]]
    if len(undecided):
        sweep([choose_tiles(spaces, task.k)], task, np.sort(undecided), [found])
    return found


def _members(codes: Int[np.ndarray, " sample"]) -> list[Int[np.ndarray, " member"]]:
    """The samples of each symbol."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _query(
    spaces: Spaces, own: Int[np.ndarray, " member"], task: Task, found: Found, workers: int
) -> Bool[np.ndarray, " member"]:
    """Write down the neighbours of these samples among each other; return where ties leave them undecided."""
    from scipy.spatial import KDTree

    continuous = [space for space in spaces if isinstance(space, Space)]
    points = np.hstack([space.unit_points[own] for space in continuous])
    euclidean = len(continuous) == 1 and continuous[0].norm == "euclidean"
    asked = min(task.k + 2, len(own))  # itself, k others and the next
    tree = KDTree(points, leafsize=16, balanced_tree=False, compact_nodes=False)
    undecided = np.zeros(len(own), bool)
    size = max(1, _ASKED // asked)
    for rows in (np.arange(start, min(start + size, len(own))) for start in range(0, len(own), size)):
        norm = 2.0 if euclidean else np.inf
        places = np.asarray(tree.query(points[rows], asked, p=norm, workers=workers or n_threads())[1])
        undecided[rows] = _write_queried(spaces, own, rows, places, task, found)
    return undecided


def _write_queried(
    spaces: Spaces,
    own: Int[np.ndarray, " member"],
    rows: Int[np.ndarray, " row"],
    places: Int[np.ndarray, "row near"],
    task: Task,
    found: Found,
) -> Bool[np.ndarray, " row"]:
    """Write down what a tree of the samples ``own`` gave for some of its places; return where ties leave it open."""
    into, k = own[rows], min(task.k, len(own) - 1)
    continuous = [space for space in spaces if isinstance(space, Space)]
    each = [space.distance_to(into, own[places]) for space in continuous]
    joint = each[0].copy() if len(each) == 1 else np.maximum(*each)
    itself = places == rows[:, None]
    itself[~itself.any(axis=1), 0] = True  # among more copies than were asked for: any of them
    joint[itself] = -1.0
    unsorted = np.flatnonzero((joint[:, 1:] < joint[:, :-1]).any(axis=1))
    order = np.argsort(joint[unsorted], axis=1, kind="stable")
    for distances in (joint, *each):
        distances[unsorted] = np.take_along_axis(distances[unsorted], order, axis=1)
    joint = joint[:, 1:]
    found.distances[into, :k] = joint[:, :k]
    found.within[into] = k
    kth = joint[:, k - 1]
    ball = radius_of(kth, task)
    widths = iter([one[:, 1 : k + 1].max(axis=1) if task.rectangle else ball for one in each])
    for space, kept in zip(spaces, found.radii, strict=True):
        kept[into] = next(widths) if isinstance(space, Space) else ball
    if joint.shape[1] == k:  # there are no others that could be as far
        return np.zeros(len(rows), bool)
    # The tree measures rounded coordinates: distances closer together than that are a tie.
    points = np.hstack([space.unit_points[into] for space in continuous])
    rounding = 8 * np.finfo(float).eps * (np.abs(points).max(axis=1) * np.sqrt(points.shape[1]) + kth)
    return joint[:, k] <= kth + rounding


def _count_by_sorting(spaces: Spaces, found: Found, task: Task) -> None:
    """Fill in the counts along lines and among labels."""
    for space, radius, counts in zip(spaces, found.radii, found.counts, strict=True):
        if isinstance(space, Labels):
            counts[:] = space.others
        elif not counted_in_sweep(space):
            counts[:] = space.count_on_line(radius, closed=task.closed)
