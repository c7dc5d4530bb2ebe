"""Clouds by nearest neighbours: the estimator of Ross with the input, or its label, as the symbol."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int
from scipy.special import digamma

from infoplane._arrays import Codes
from infoplane.estimators._neighbors_judge import FILLED, LN2, TIES_SHARE, intrinsic_dimension
from infoplane.estimators._neighbors_scale import power_of_two
from infoplane.estimators._neighbors_search import complete, find
from infoplane.estimators._neighbors_space import Labels, Space, as_space
from infoplane.estimators._neighbors_sweep import Found, Task, empty
from infoplane.estimators._random_clouds import Clouds, Local, Quantities, Quantity, saturated
from infoplane.estimators.neighbors import Ross
from infoplane.estimators.pair import Variable

Numbers = Int[np.ndarray, " query"]


def measure(clouds: Clouds, estimator: Ross) -> Quantities:
    """Return I(X;T) and I(T;Y) over the measured rows; see `infoplane.as_if_random`."""
    space = _space(clouds.rows, estimator.norm)
    symbols = [clouds.inputs] if clouds.labels is None else [clouds.inputs, clouds.row_labels]
    found = _search(space, [Labels(codes) for codes in symbols], clouds.queries, estimator.k)
    bits, error = clouds.mean(_about_input(found[0], clouds, estimator.k) / LN2)
    notes = saturated(bits, clouds) | _ties(found[0], clouds) | _high_dimension(found[0], clouds, estimator.k)
    about_input = Quantity(bits, error, notes=notes)
    if clouds.labels is None:
        return about_input, None
    local = _about_label(found[1], clouds.row_labels, clouds.queries, estimator.k)
    return about_input, Quantity(*clouds.mean(local / LN2), notes=_ties(found[1], clouds))


def _space(rows: Float[np.ndarray, "row unit"], norm: str) -> Space:
    """Place the rows so that those which differ are apart; all units keep the scale that the network gives them.

    Outputs of a softmax reach from 10⁻⁴⁵ to 1. To move them to a middle row, as is done elsewhere for the sake of
    products, would make equal what differs by less than 10⁻¹⁶; the largest coordinate difference needs no such move.
    """
    variable = Variable(rows.astype(np.float64), False)
    space = as_space(variable, norm, None)
    assert isinstance(space, Space)
    if norm != "max":
        return space
    where_it_is = np.ldexp(variable.varying, -power_of_two(variable.varying))
    middle = where_it_is[0] - space.points[0]
    kept = (space.points + middle == where_it_is).all()
    return space if kept else dataclasses.replace(space, points=where_it_is)


def _search(space: Space, symbols: list[Labels], queries: Numbers, k: int) -> list[Found]:
    """Find the neighbours of the measured rows beside each set of symbols; of other rows nothing is written."""
    task, sets = Task(k, closed=True, atoms=True), [(space, labels) for labels in symbols]
    if len(queries) == space.n:
        return find(sets, task)
    rows = np.zeros(space.n, bool)
    rows[queries] = True
    found = [empty(space.n, 2, task) for _ in sets]
    for spaces, one in zip(sets, found, strict=True):
        complete(spaces, task, one, rows)
    return found


def _counts(found: Found, queries: Numbers, members: Numbers, k: int) -> tuple[Numbers, Numbers, np.ndarray]:
    """Rows at most as far from each measured row as its k-th neighbour: own ones, those of any kind; which are atoms.

    Own ones are k but where several are as far as the k-th, as on the grid of float32 near the ends of a tanh unit; to
    count k of them there and all that are nearer of any kind would find more than H(Y). An atom is a row whose k-th
    neighbour is equal to it; there both numbers count the row itself too.
    """
    kth = found.distances[queries, np.minimum(k, members - 1) - 1]
    atom = kth == 0
    return found.within[queries] + atom, found.counts[0][queries] + atom, atom


def _about_input(found: Found, clouds: Clouds, k: int) -> Local:
    """Local terms of I(X;T) in nats.

    Rows within the distance d to the k-th neighbour in the own cloud: own ones come first, k−1, second … in a random
    order with those of other clouds, so that E[ψ(m) − ψ(k)] = ln p(t)/p(t|x) + ln N where points are many. With M
    samples of each cloud the mean is larger, by nothing where no other cloud is near and by ψ(NM) − ψ(M) − ln N,
    which Ross takes off everywhere, where all are. It is taken off here in the share of others among those near,
    whose estimate without bias is 1 − (k−1)/(m−1).
    """
    n, size = clouds.n_weights, clouds.size
    own, near, atom = _counts(found, clouds.queries, np.full(len(clouds.queries), n), k)
    excess = float(digamma(size) - digamma(n)) - math.log(clouds.n_inputs)
    of_all = 1 - 1 / clouds.n_inputs
    others = 1 - (own - 1) / np.maximum(near - 1, 1) if k > 1 and n > 2 else 1 - own / near
    with_density = math.log(clouds.n_inputs) - (digamma(near) - digamma(own)) + excess * others / of_all
    return np.where(atom, np.log(own * (size / n) / near), with_density)


def _about_label(found: Found, codes: Codes, queries: Numbers, k: int) -> Local:
    """Local terms of I(T;Y) in nats: equation 2 of Ross, and counting where rows are atoms."""
    members = np.bincount(codes)[codes][queries]
    own, near, atom = _counts(found, queries, members, k)
    size = len(codes)
    with_density = float(digamma(size)) + digamma(own) - digamma(members) - digamma(near)
    return np.where(atom, np.log(own * (size / members) / near), with_density)


def _ties(found: Found, clouds: Clouds) -> dict[str, str]:
    """Say how many of the measured rows are atoms or share their neighbour's distance."""
    distances = found.distances[clouds.queries]
    wanted = np.isfinite(distances).sum(axis=1)
    share = float((found.within[clouds.queries] > wanted).mean())
    if share <= TIES_SHARE:
        return {}
    return {"ties": f"{share:.0%} of the rows have as many equals as neighbours are sought, and are counted"}


def _high_dimension(found: Found, clouds: Clouds, k: int) -> dict[str, str]:
    distances: Float[np.ndarray, "query k"] = found.distances[clouds.queries]
    dimension = intrinsic_dimension(distances)
    if not dimension > math.log(clouds.n_weights / k) / math.log(FILLED):
        return {}
    words = f"clouds of intrinsic dimension {dimension:.1f} are too wide for {clouds.n_weights} samples each"
    return {"high-dimension": f"{words}: {k}·4^d = {k * FILLED**dimension:.2g}"}
