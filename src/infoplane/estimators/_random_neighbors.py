"""Clouds by nearest neighbors: the estimator of Ross with the input, or its label, as the symbol."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int
from scipy.special import digamma

from infoplane.estimators._neighbors_judge import FILLED, LN2, TIES_SHARE, intrinsic_dimension, samples_needed
from infoplane.estimators._neighbors_scale import power_of_two
from infoplane.estimators._neighbors_search import complete, find
from infoplane.estimators._neighbors_space import Labels, Space, as_space
from infoplane.estimators._neighbors_sweep import Found, Task, empty
from infoplane.estimators._neighbors_ties import Ties, find_ties, mean_place, tied_terms
from infoplane.estimators._random_bins import cell_terms
from infoplane.estimators._random_clouds import Clouds, Local, Quantities, Quantity, saturated
from infoplane.estimators.neighbors import Ross
from infoplane.estimators.pair import Variable

Numbers = Int[np.ndarray, " query"]


def measure(clouds: Clouds, estimator: Ross) -> Quantities:
    """Return I(X;T) and I(T;Y) over the measured rows; see `infoplane.as_if_random`."""
    space = _space(clouds.rows, estimator.norm)
    symbols = [clouds.inputs] if clouds.labels is None else [clouds.inputs, clouds.row_labels]
    found = _search(space, [Labels(codes) for codes in symbols], clouds.queries, estimator.k)
    bits, error = clouds.mean(_input_terms(space, found[0], clouds, estimator.k) / LN2)
    notes = saturated(bits, clouds) | _ties(found[0], clouds) | _high_dimension(found[0], clouds, estimator.k)
    about_input = Quantity(bits, error, notes=notes)
    if clouds.labels is None:
        return about_input, None
    local = _label_terms(space, found[1], clouds)
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


def _input_terms(space: Space, found: Found, clouds: Clouds, k: int) -> Local:
    """Local terms of I(X;T) in nats.

    Rows within the distance d to the k-th neighbor in the own cloud: own ones come first, k−1, second … in a random
    order with those of other clouds, so that E[ψ(m) − ψ(k)] = ln p(t)/p(t|x) + ln N where points are many. With M
    samples of each cloud the mean is larger, by nothing where no other cloud is near and by ψ(NM) − ψ(M) − ln N,
    which Ross takes off everywhere, where all are. It is taken off here in the share of others among those near,
    whose estimate without bias is 1 − (k−1)/(m−1).

    Where other rows share the distance d, the mean over all orders of equal distances replaces ψ(m), and the mean
    place of the k-th neighbor replaces m in the share.
    """
    n, size, n_inputs = clouds.n_weights, clouds.size, clouds.n_inputs
    own, near = found.within[clouds.queries], found.counts[0][clouds.queries]
    excess = float(digamma(size) - digamma(n)) - math.log(n_inputs)
    of_all = 1 - 1 / n_inputs
    others = 1 - (own - 1) / np.maximum(near - 1, 1) if k > 1 and n > 2 else 1 - own / np.maximum(near, 1)
    terms = math.log(n_inputs) - (digamma(near) - digamma(own)) + excess * others / of_all
    ties = find_ties((space, Labels(clouds.inputs)), found, queries=clouds.queries)
    if ties is not None:
        place = mean_place(ties)
        others = 1 - (ties.k - 1) / np.maximum(place - 1, 1) if k > 1 and n > 2 else 1 - ties.k / place
        terms[ties.rows] = math.log(n_inputs) + tied_terms(ties) + float(digamma(n)) + excess * others / of_all
        _count_atoms(terms, ties, space, clouds, 0)
    return terms


def _label_terms(space: Space, found: Found, clouds: Clouds) -> Local:
    """Local terms of I(T;Y) in nats: equation 2 of Ross, and the mean over all orders of equal distances."""
    codes, queries = clouds.row_labels, clouds.queries
    members = np.bincount(codes)[codes][queries]
    own, near = found.within[queries], found.counts[0][queries]
    terms = float(digamma(clouds.size)) + digamma(own) - digamma(members) - digamma(near)
    ties = find_ties((space, Labels(codes)), found, queries=queries)
    if ties is not None:
        terms[ties.rows] = tied_terms(ties) + float(digamma(clouds.size))
        _count_atoms(terms, ties, space, clouds, 1)
    return terms


def _count_atoms(terms: Local, ties: Ties, space: Space, clouds: Clouds, which: int) -> None:
    """Replace the terms of rows that equal their k-th neighbor by those of cells (0: of the input, 1: of the label).

    An atom is a cell, and its count n is given by chance in the part n (1 − s) alone; in that part ψ(n), the mean over
    all orders, stands for ln n. So equal samples of the weights give the deterministic value exactly.
    """
    if ties.atoms.any():
        rows = ties.rows[ties.atoms]
        bits = cell_terms(space.codes, clouds, np.arange(clouds.size), _log_count)[which]
        terms[rows] = LN2 * bits[clouds.queries[rows]]


def _log_count(counts: Numbers, certain: Local) -> Local:
    return (1 - certain) * digamma(counts) + certain * np.log(counts)


def _ties(found: Found, clouds: Clouds) -> dict[str, str]:
    """Give the share of the measured rows that are atoms or share their neighbor's distance."""
    distances = found.distances[clouds.queries]
    wanted = np.isfinite(distances).sum(axis=1)
    share = float((found.within[clouds.queries] > wanted).mean())
    if share <= TIES_SHARE:
        return {}
    words = f"{share:.0%} of the rows equal their neighbors or share a neighbor's distance with other rows"
    return {"ties": f"{words}; the mean over all orders of equal distances is taken"}


def _high_dimension(found: Found, clouds: Clouds, k: int) -> dict[str, str]:
    """Give the intrinsic dimension where it is too high; equal distances on a grid look like many dimensions."""
    distances: Float[np.ndarray, "query k"] = found.distances[clouds.queries]
    dimension = min(intrinsic_dimension(distances), float(clouds.n_units))
    if not dimension > math.log(clouds.n_weights / k) / math.log(FILLED):
        return {}
    words = f"clouds of intrinsic dimension {dimension:.1f} are too wide for {clouds.n_weights} samples each"
    return {"high-dimension": f"{words}: {samples_needed(dimension, k)}"}
