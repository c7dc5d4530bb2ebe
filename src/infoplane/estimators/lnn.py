"""Differential entropy from a Gaussian fitted around every sample, and information as sums of it."""

import dataclasses
import math
import time
from typing import Any, ClassVar

import numpy as np

from infoplane.errors import InputError
from infoplane.estimators._local_constants import bias_constant
from infoplane.estimators._local_gaussian import fit
from infoplane.estimators._local_neighbors import Points, around, in_units, joined, nearest
from infoplane.estimators._local_rank import lacks_dimensions, surfaces
from infoplane.estimators._neighbors_judge import LN2, TIES_SHARE
from infoplane.estimators._neighbors_scale import Scale, wild_words
from infoplane.estimators.base import Estimate
from infoplane.estimators.neighbors import check_scale
from infoplane.estimators.pair import PairEstimator, PairValue, Variable, as_variable, nothing_to_tell, to_coordinates

MOST_DIMS = 3
"""Coordinates up to which the bias constant holds at the usual numbers of samples."""

FEW_IN_3 = 5000
"""Samples below which information in 3 coordinates is too low by more than 0.05 bits."""

SINGULAR_SHARE = 0.01
"""Share of samples whose neighbours are flat to rounding above which ``manifold`` is raised."""

_EVEN = 0.95
"""Median ratio of neighbouring gaps, the smaller over the larger, above which values are evenly spaced; that of
independent samples is 1/3."""

_FEWEST_GAPS = 20
"""Gaps from which this can be said."""


@dataclasses.dataclass(frozen=True)
class _Entropy:
    """A differential entropy in nats and what its fits showed.

    Attributes:
        nats: −∞ where a sample has k copies.
        copies: number of samples with at least k copies.
        tied: share of samples with a copy.
        singular: share of samples whose neighbours are flat to rounding.
        n: number of samples.
    """

    nats: float
    copies: int
    tied: float
    singular: float
    n: int


@dataclasses.dataclass(frozen=True)
class Lnn(PairEstimator):
    """Differential entropy from a Gaussian fitted around every sample, and information as entropies added.

    Around sample i, in units of the distance h_i to its k-th neighbour, the m nearest others u_j = (x_j − x_i)/h_i
    have weights w_j = exp(−|u_j|²/2), whose sum, mean and covariance are S0, μ and Σ. The quadratic log-density that
    fits them best has at x_i the logarithm −ℓ_i,

        ℓ_i = ln(N−1) + d ln h_i − ln S0 + (d/2) ln 2π + ½ ln|Σ| + ½ μᵀΣ⁻¹μ,    h = ⟨ℓ_i⟩ − B(k, m, d),

    and I(X;Y) = h(X) + h(Y) − h(X,Y). Since the bandwidth is as wide as the neighbours are far, the fit does not
    become exact with more samples: there remains a bias that depends on k, m and d only, the constant B. Programs
    that leave it out are too high by 0.13 nats at 1 × 1 and by 0.5 at 2 × 2 coordinates. The fit follows
    slopes and ribbons, where `Ksg1` takes the density as constant.

    Args:
        k: neighbour whose distance is the bandwidth.
        m: neighbours that take part: at least k and d + 2, below N.
        force: measure more than 3 coordinates in all. There the constant is larger than what it corrects: with
            10 000 samples information is too low by 0.14 to 0.26 nats at 2 × 2 coordinates and by 0.6 at 3 × 3.
        scale: "standard" divides each column by its standard deviation, None by the pooled one of the variable.

    Range: real numbers; entropies may be negative, and information scatters around 0 for independent data.

    Flags:
        ``manifold``: the coordinates of x or of y lie near a surface of fewer dimensions, where h is −∞ and the
        number means nothing. Or x and y together lie near a curve thinner than neighbours are apart, or are flat to
        rounding: the information is larger than the number. ``ties``: more than 1 % of the samples have copies;
        where a sample has k copies the density is infinite, the entropy −∞ and the information NaN.
        ``high-dimension``: more than 3 coordinates, with ``force``, or a pair of 3 coordinates with fewer than 5000
        samples. ``outliers``: as `Ksg1`. ``constant``: 0 bits.

    When it misleads:
        Ranks and normal scores are evenly spaced, not as samples are, and give 0.46 nats too much at 1 × 1; so they
        are refused, as are grids. Ribbons thinner than m neighbours are long come out too low: by 0.16 nats of 4.26
        for normals of correlation 0.9999 and 3000 samples, by 0.03 with 40 000 (`Lnc`: within 0.05). Sharp edges of a
        density cost 0.01 to 0.05 nats. In 3 dimensions the entropy of a normal is too high by about 0.04 nats with
        5000 samples and by 0.01 with 80 000. Information in 3 coordinates is too low: by
        0.3 bits below 600 samples, 0.17 at 1000, 0.12 at 2000 and 0.06 at 5000 (of 0.296 bits, means of 6 draws).

    References:
        W. Gao, Oh & Viswanath 2016; Loader 1996 (local likelihood). The bias constant is drawn once for each (k, m, d),
        to 0.001 nats or better.

    Example:
        >>> import numpy as np, infoplane as ip
        >>> from infoplane.estimators.lnn import Lnn
        >>> x, noise = np.random.default_rng(0).standard_normal((2, 3000))
        >>> print(f"{Lnn()(x, 0.8 * x + 0.6 * noise).bits:.2f} of {-np.log2(0.6):.2f} bits")
        0.74 of 0.74 bits
    """

    k: int = 5
    m: int = 30
    force: bool = False
    scale: Scale = "standard"
    name: ClassVar[str] = "lnn"
    kinds: ClassVar[tuple[str, ...]] = ("continuous",)

    def __post_init__(self) -> None:
        for name, value, least in (("k", self.k, 3), ("m", self.m, self.k)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                expected = f"at least {least}" + (" (k)" if name == "m" else "")
                raise InputError(f"lnn {name} is {value!r}; expected a whole number of neighbours, {expected}")
        if not isinstance(self.force, bool | np.bool_):
            raise InputError(f"lnn force is {self.force!r}; expected True or False")
        check_scale(self.name, self.scale)

    def entropy(self, x: Any) -> Estimate:
        """Return the differential entropy of the rows of x (sample, dim) in bits; it may be negative.

        Raises:
            InputError: for symbols, values that are not finite or evenly spaced, more than 3 coordinates without
                ``force``, and no more than m samples.
        """
        variable = as_variable(x, "x")
        if variable.discrete:
            raise InputError(f"x is discrete; expected coordinates for 'lnn': use 'exact'{to_coordinates(variable)}")
        start = time.perf_counter()
        value = self._of_one(variable)
        return Estimate(
            bits=value.bits, flags=value.flags, reason=value.reason, n=variable.n, dims=(variable.dims,),
            estimator=self.name, params=self.params, seconds=time.perf_counter() - start,
        )  # fmt: skip

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) in bits; see the class."""
        told = nothing_to_tell(x, y)
        if told is not None:
            return told
        self._check(x.n, (x.dims, y.dims))
        check_uneven("x", x)
        check_uneven("y", y)
        of_x, of_y = in_units(x, self.scale), in_units(y, self.scale)
        found = [self._entropy(points) for points in (of_x, of_y, joined(of_x, of_y))]
        copies = any(one.copies for one in found)
        nats = math.nan if copies else found[0].nats + found[1].nats - found[2].nats
        return self._judged(
            nats / LN2, found, surfaces(of_x.values, of_y.values), x.dims + y.dims, of_x.n_wild + of_y.n_wild
        )

    def _of_one(self, x: Variable) -> PairValue:
        """The entropy of one variable, in bits."""
        if x.constant:
            return PairValue(-math.inf, frozenset({"constant"}), f"all {x.n} rows of x are equal")
        self._check(x.n, (x.dims,))
        check_uneven("x", x)
        unit = in_units(x, self.scale, limited=False)
        found = self._entropy(unit)
        surface = [lacks_dimensions("x", unit.values)]
        return self._judged(found.nats / LN2 + unit.log2_unit, [found], surface, x.dims, unit.n_wild)

    def _check(self, n: int, dims: tuple[int, ...]) -> None:
        """Refuse too many coordinates and too few neighbours or samples for them.

        Raises:
            InputError: names the numbers and the remedy.
        """
        total = sum(dims)
        if total > MOST_DIMS and not self.force:
            given = " and ".join(str(one) for one in dims)
            raise InputError(
                f"lnn measures at most {MOST_DIMS} coordinates in all, here {given}: its bias constant does not hold "
                "beyond; use ksg1 or gaussian (kl or gaussian for an entropy), or force=True"
            )
        if self.m < total + 2:
            raise InputError(f"lnn m is {self.m} with {total} coordinates; expected at least {total + 2}, such as 30")
        if n <= self.m:
            raise InputError(f"lnn m is {self.m} with {n} samples; expected m < N: use a smaller m or more samples")

    def _entropy(self, points: Points) -> _Entropy:
        """Entropy of points in nats, in their unit."""
        n, dims = points.values.shape
        sums, copies, tied, singular = [], 0, 0, 0
        for seen in around(points.values, nearest(points.values, int(self.m))):
            distances = np.linalg.norm(seen, axis=2)
            kth = np.partition(distances, self.k - 1, axis=1)[:, self.k - 1]
            copies += int((kth == 0).sum())
            tied += int((distances.min(axis=1) == 0).sum())
            apart = kth > 0
            fitted = fit(seen[apart] / kth[apart, None, None], points.resolution / kth[apart])
            singular += int(fitted.singular.sum())
            sums.append(math.fsum(fitted.nats + dims * np.log(kth[apart])))
        bias = bias_constant(int(self.k), int(self.m), dims).value
        nats = -math.inf if copies else math.fsum(sums) / n + math.log(n - 1) - bias
        return _Entropy(nats, copies, tied / n, singular / n, n)

    def _judged(self, bits: float, found: list[_Entropy], surface: list[str], total: int, n_wild: int = 0) -> PairValue:
        """Return a value with its flags and reasons."""
        tied, copies = max(one.tied for one in found), max(one.copies for one in found)
        ties = f"{tied:.0%} of the samples have exact copies" if tied > TIES_SHARE or copies else ""
        if copies:
            ties += f", {copies} of them at least k: the density is infinite there; use mixed-ksg"
        flat = found[-1].singular
        if flat > SINGULAR_SHARE:
            surface = [*surface, f"the neighbours of {flat:.0%} of the samples are flat to rounding"]
        many = f"{total} coordinates: the bias constant holds up to {MOST_DIMS}; beyond, information is too low"
        few = ""
        if total == MOST_DIMS and len(found) > 1 and found[-1].n < FEW_IN_3:
            few = (
                f"3 coordinates and {found[-1].n} samples: information is too low, by 0.3 bits below 600 samples "
                "and by 0.1 at 2000; use ksg1 or copula"
            )
        notes = {
            "ties": ties,
            "manifold": "; ".join(words for words in surface if words),
            "high-dimension": many if total > MOST_DIMS else few,
            "outliers": wild_words(n_wild),
        }
        raised = {flag: words for flag, words in notes.items() if words}
        return PairValue(float(bits), frozenset(raised), "; ".join(raised.values()))


def check_uneven(side: str, variable: Variable) -> None:
    """Refuse coordinates whose sorted values are evenly spaced, as ranks, normal scores and grids are.

    The gaps between independent samples are as irregular as exponential variables, whatever the density; the
    smaller of two neighbouring gaps is a third of the larger in the median. Of ranks all gaps are equal, and of
    normal scores neighbouring gaps nearly so. Where values repeat the samples are atoms, and are not judged here.

    Raises:
        InputError: names the coordinate.
    """
    for column in range(variable.values.shape[1]):
        distinct = np.unique(variable.values[:, column])
        gaps = np.diff(distinct)
        if len(gaps) < max(_FEWEST_GAPS, variable.n / 2):
            continue
        ratio = float(np.median(np.minimum(gaps[1:], gaps[:-1]) / np.maximum(gaps[1:], gaps[:-1])))
        if ratio > _EVEN:
            raise InputError(
                f"{side} column {column} has evenly spaced values (ranks, normal scores or a grid), which lnn does not "
                "measure; expected samples as they were drawn: leave out the rank transform, or use ksg1"
            )
