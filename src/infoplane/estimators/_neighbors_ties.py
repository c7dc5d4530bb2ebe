"""Samples whose k-th neighbor shares its distance with others: the mean over all orders of equal distances.

On a grid (rounded numbers, counts, pixels, half precision) many samples are exactly as far as the k-th neighbor. With
ε_i the k-th joint distance, let a samples be nearer than ε_i and b samples at most as far. The n = b − a samples in
between are the shell. Tie breaking puts the shell into a random order and stops at its j-th member, j = k − a. Tiny
noise does so once; this module takes the mean over all orders in closed form, so that no noise and no seed is needed.

The information is the same for every order of equal values: noise that is narrower than the step of the grid can be
removed by rounding, so that I(X + U; Y + V) = I(X; Y). The estimate is then the one for continuous data,

    ψ(k) + ψ(N) − ⟨E ψ(P_x)⟩ − ⟨E ψ(P_y)⟩,

with P_x the place of the stopping sample among all other samples, ordered by their distance in X. Without ties P_x is
n_x + 1 of equation 8 of Kraskov et al. Let i samples be nearer than ε_i in X and o at most as far, s = o − i. A share u
of the shell is passed at the stop. If the shell has an edge in one space only, u is the j-th of n uniform numbers, with
mean μ = j/(n + 1). If it has edges in both, a corner is passed when both edges are, so that u solves
(q_x + (1 − q_x) u)(q_y + (1 − q_y) u) = q_x q_y + (1 − q_x q_y) μ, where q_x is the share of mass inside of the shell.

Where the k-th neighbor equals the sample (ε_i = 0), the sample is an atom, and the same mean is exactly
ψ(b + 1) + ψ(N) − ψ(o_x + 1) − ψ(o_y + 1), which is counting.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import digamma

from infoplane.estimators._neighbors_space import AnySpace, Labels, Space
from infoplane.estimators._neighbors_sweep import Found
from infoplane.estimators._neighbors_threads import in_blocks, one_blas_thread
from infoplane.estimators._neighbors_tiles import choose_tiles

REPEATED = 0.01
"""Share of samples with copies in a coordinate above which every sample is looked at for shared distances."""

Numbers = Int[np.ndarray, " tied"]
Reals = Float[np.ndarray, " tied"]


class Ties(NamedTuple):
    """Samples at whose k-th distance there are others.

    Attributes:
        rows: the samples.
        k: number of neighbors asked for.
        nearer: other samples nearer than the k-th distance, in the joint space.
        within: other samples at most that far.
        inner: the same as ``nearer`` in each space alone.
        outer: the same as ``within`` in each space alone.
        atoms: whether the k-th distance is 0.
    """

    rows: Numbers
    k: Numbers
    nearer: Numbers
    within: Numbers
    inner: tuple[Numbers, ...]
    outer: tuple[Numbers, ...]
    atoms: Bool[np.ndarray, " tied"]

    def take(self, rows: Bool[np.ndarray, " tied"]) -> "Ties":
        """Return some of the samples."""
        inner, outer = (tuple(own[rows] for own in each) for each in (self.inner, self.outer))
        return Ties(self.rows[rows], self.k[rows], self.nearer[rows], self.within[rows], inner, outer, self.atoms[rows])


def find_ties(
    spaces: tuple[AnySpace, ...], found: Found, *, rectangle: bool = False, queries: Numbers | None = None
) -> Ties | None:
    """Find the samples that share their k-th distance with others, in the joint space or in one of the two.

    Args:
        spaces: the pair, its samples in the order of ``found``.
        found: the neighbors.
        rectangle: whether samples without ties are counted in a rectangle of their neighbors, which has no width
            where neighbors are equal in a coordinate. So all samples count as tied where values repeat, and none
            elsewhere, where the rectangle of all neighbors is used.
        queries: the samples that are looked at, if not all; ``Ties.rows`` are then places among these.

    Returns:
        None where there are none, or where both variables are discrete.
    """
    if all(isinstance(space, Labels) for space in spaces):
        return None
    found = found if queries is None else found.take(queries)
    k = np.isfinite(found.distances).sum(axis=1)
    kth = np.take_along_axis(found.distances, k[:, None] - 1, axis=1)[:, 0]
    nearer = (found.distances < kth[:, None]).sum(axis=1)
    shared = (found.within - nearer > 1) | (kth == 0)
    repeated = any(isinstance(space, Space) and space.repeated > REPEATED for space in spaces)
    if repeated or rectangle:
        shared[:] = repeated
    rows = np.flatnonzero(shared)
    if not len(rows):
        return None
    samples = rows if queries is None else queries[rows]
    counted = [_count(space, samples, kth[rows]) for space in spaces]
    inner, outer = (tuple(each[which] for each in counted) for which in (0, 1))
    ties = Ties(rows, k[rows], nearer[rows], found.within[rows], inner, outer, kth[rows] == 0)
    edges = sum(far - near for near, far in zip(inner, outer, strict=True))
    if rectangle:
        return ties
    chosen = (ties.within - ties.nearer > 1) | (edges > 1) | ties.atoms
    return ties.take(chosen) if chosen.any() else None


def tied_terms(ties: Ties) -> Reals:
    """Local terms of the information of tied samples in nats, without ψ(N)."""
    terms = digamma(ties.within + 1) - sum(digamma(own + 1) for own in ties.outer)
    rows = np.flatnonzero(~ties.atoms)
    if len(rows):
        terms[rows] = _of_shells(ties.take(~ties.atoms))
    return terms


def mean_place(ties: Ties) -> Reals:
    """Mean place of the k-th neighbor in the first space, the second being that of a label."""
    return ties.inner[0] + _shell_passed(ties) * (ties.outer[0] - ties.inner[0] + 1)


def _shell_passed(ties: Ties) -> Reals:
    """μ = j/(n + 1): mean share of the joint shell that is passed at the k-th neighbor."""
    return (ties.k - ties.nearer) / (ties.within - ties.nearer + 1)


def _of_shells(ties: Ties) -> Reals:
    """ψ(k) − E ψ(P_x) − E ψ(P_y) where the k-th distance is above 0."""
    inside = [np.exp(digamma(near + 1) - digamma(far + 1)) for near, far in zip(ties.inner, ties.outer, strict=True)]
    passed = _share_passed(inside[0], inside[1], _shell_passed(ties))
    both = np.maximum(1 - inside[0] * inside[1], np.finfo(float).tiny)
    terms = digamma(ties.k)
    for near, far, share in zip(ties.inner, ties.outer, inside, strict=True):
        terms = terms - _mean_digamma_of_place(ties, near, far - near, passed, (1 - share) / both)
    return terms


def _share_passed(first: Reals, second: Reals, mean: Reals) -> Reals:
    """Share of the edges that is passed where a share ``mean`` of the shell is; q of both spaces given."""
    square, linear = (1 - first) * (1 - second), first * (1 - second) + second * (1 - first)
    constant = (1 - first * second) * mean
    root = np.sqrt(linear**2 + 4 * square * constant)
    return np.where(constant > 0, 2 * constant / np.maximum(linear + root, np.finfo(float).tiny), mean)


def _mean_digamma_of_place(ties: Ties, near: Numbers, edge: Numbers, passed: Reals, on_edge: Reals) -> Reals:
    """E ψ(P) for the place P of the stopping sample in one space.

    Of the n in the joint shell e are on the edge of this space, and others of the edge are not in the joint shell:

        E P = i + 1 + e u (j − 1)/(n μ) + u (s − e),   Var P = u (1 − u)/(n + 2) (s − e)(s − e + n + 1).

    For a space beside a label e = n, u = μ, and P − i is negative hypergeometric, whose moments these are. Given
    the mean m and the variance v, E ψ(P) is that of a negative binomial number with the same moments,
    ψ(r) + ln(m/r) with r = m²/(m + v), which is exact for v = 0 and nearly exact for the negative hypergeometric one.
    """
    shell, wanted = ties.within - ties.nearer, ties.k - ties.nearer
    own = np.minimum(shell * np.minimum(on_edge, 1.0), edge)
    others = edge - own
    mean = near + 1 + own * passed * (wanted - 1) * (shell + 1) / (shell * wanted) + passed * others
    variance = passed * (1 - passed) / (shell + 2) * others * (others + shell + 1)
    like = mean**2 / (mean + variance)
    return digamma(like) + np.log(mean / like)


def mean_with_ties(untied: float, n_untied: int, terms: Reals, n: int) -> float:
    """Mean over all samples in nats, from the mean over those without ties and the terms of the others."""
    size = n_untied + len(terms)
    rest = untied * n_untied if n_untied else 0.0
    return (rest + math.fsum(terms) + len(terms) * float(digamma(n))) / size


def _count(space: AnySpace, rows: Numbers, radius: Reals) -> tuple[Numbers, Numbers]:
    """Count the other samples nearer than a radius, and at most as far."""
    if isinstance(space, Labels):
        return space.others[rows], space.others[rows]
    if space.dims > 1:
        return _count_in_blocks(space, rows, radius)
    everywhere = np.ones(space.n)
    everywhere[rows] = radius
    inner, outer = (space.count_on_line(everywhere, closed=closed)[rows] for closed in (False, True))
    return np.where(radius > 0, inner, 0), outer


def _count_in_blocks(space: Space, rows: Numbers, radius: Reals) -> tuple[Numbers, Numbers]:
    """Count by going through all pairs: coarse distances first, exact ones where these leave it open."""
    tiles = choose_tiles((space,), max(1, space.n // 10))
    tiles.prepare()
    inner, outer = np.zeros((2, len(rows)), np.int64)

    def count(at: Int[np.ndarray, " row"]) -> None:
        own, reach = rows[at], radius[at]
        tile, scratch = np.empty((2, len(own), space.n), tiles.dtype)
        tiles.fill(0, own, tile, scratch)
        tile[np.arange(len(own)), own] = tiles.largest
        low, high = tiles.bracket(own, reach)
        certain = tile < low[:, None]
        place, column = np.nonzero(~certain & (tile <= high[:, None]))
        distance = space.distance(own[place], column)
        for counts, hit in ((inner, distance < reach[place]), (outer, distance <= reach[place])):
            counts[at] = certain.sum(axis=1) + np.bincount(place[hit], minlength=len(own))

    with one_blas_thread(needed=tiles.squared):
        in_blocks(len(rows), space.n, count)
    return inner, outer
