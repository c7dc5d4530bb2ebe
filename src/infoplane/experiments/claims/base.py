"""What a claim is, and how members decide it: confirmed, denied or not decided."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from infoplane.experiments.claims.sample import LackingError, Sample, Values

if TYPE_CHECKING:
    from infoplane.experiments.claims.view import Run

CONFIRMED, DENIED, NOT_DECIDED = "confirmed", "denied", "not decided"

ERROR = 0.05
"""Share of intervals that miss the truth: they are 95 % intervals."""


@dataclasses.dataclass(frozen=True)
class Case:
    """What a claim is asked of: one layer, estimator or network, under one or several settings.

    Attributes:
        name: what it is about.
        samples: the quantity under each setting; the claim must hold under all.
        obstacle: why the numbers cannot decide, whatever they are.
    """

    name: str
    samples: tuple[Sample, ...]
    obstacle: str = ""


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence of a paper, and the rule that decides it.

    Attributes:
        id: its name.
        sentence: what is claimed.
        source: who says so, and where.
        quantity: what is estimated from each member.
        units: of the quantity.
        side: "above" where the claim says that the quantity is larger than the bound, "below" where smaller.
        bound: what it is held against.
        needs: what a result must hold.
        figure: name of the figure that shows it; see `infoplane.plots.FIGURES`.
        measure: returns the cases of a run.
    """

    id: str
    sentence: str
    source: str
    quantity: str
    units: str
    side: str
    bound: float
    needs: str
    figure: str
    measure: "Callable[[Run], Sequence[Case]]" = dataclasses.field(repr=False)

    @property
    def rule(self) -> str:
        """When it is confirmed and when denied."""
        other = "below" if self.side == "above" else "above"
        return (
            f"confirmed if the 95 % interval of the mean over members is entirely {self.side} {self.limit}, denied if "
            f"it is entirely {other}, otherwise not decided; several settings must all confirm, and one setting "
            "suffices to deny"
        )

    @property
    def limit(self) -> str:
        """The bound with its unit."""
        return f"{self.bound:g} {self.units}"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a result says of a claim.

    Attributes:
        claim: the claim.
        case: the layer, estimator or network that it is about.
        estimate: mean over members, or of several settings that which speaks most against the claim.
        interval: its 95 % interval over members; NaN where there is none.
        members: number of members behind it.
        verdict: "confirmed", "denied" or "not decided".
        reason: one sentence.
    """

    claim: Claim
    case: str
    estimate: float
    interval: tuple[float, float]
    members: int
    verdict: str
    reason: str

    @property
    def figure(self) -> str:
        """Name of the figure that shows it."""
        return self.claim.figure


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean, or a difference of two, with its interval over members."""

    estimate: float
    low: float
    high: float
    members: int


def answer(claim: Claim, run: "Run") -> list[Verdict]:
    """Return the verdicts on a claim, one a case; where a run lacks what it needs one that says so."""
    try:
        cases = claim.measure(run)
        if not cases:
            raise LackingError(claim.needs)
    except LackingError as lacking:
        return [Verdict(claim, "", np.nan, (np.nan, np.nan), 0, NOT_DECIDED, f"needs {lacking}")]
    return [judge(claim, case) for case in cases]


def judge(claim: Claim, case: Case) -> Verdict:
    """Hold a case against its claim's bound.

    Where there are several settings each has a wider interval (Bonferroni: an error of 5 % is shared), so that one of
    them denies by chance in at most 5 % of all cases.
    """
    error = ERROR / len(case.samples)
    found = [interval(sample.values, sample.other, error) for sample in case.samples]
    said = [
        _verdict(claim, one) if _has_most(sample) else NOT_DECIDED
        for one, sample in zip(found, case.samples, strict=True)
    ]
    worst = _worst(claim, found, said)
    verdict = _combined(said)
    if case.obstacle:
        verdict, reason = NOT_DECIDED, case.obstacle
    else:
        reason = _reason(claim, case, found, said, worst)
    one = found[worst]
    left_out = _left_out(case.samples[worst])
    return Verdict(
        claim, case.name, one.estimate, (one.low, one.high), one.members, verdict, "; ".join([reason, *left_out])
    )


def interval(values: Values, other: Float[np.ndarray, " other"] | None = None, error: float = ERROR) -> Interval:
    """Mean over the members that have a number, with its interval: Student's t, of a difference Welch's.

    One member has no interval: NaN. Members of two networks' settings share seeds at most, and are taken as
    independent, which makes the interval too wide rather than too narrow.
    """
    from scipy import special  # not stats, which takes a second to load

    known = values[np.isfinite(values)]
    compared = np.zeros(0) if other is None else other[np.isfinite(other)]
    few = len(known) if other is None else min(len(known), len(compared))
    if few == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    estimate = float(known.mean()) - (float(compared.mean()) if other is not None else 0.0)
    if few == 1:
        return Interval(estimate, np.nan, np.nan, 1)
    parts = [part.var(ddof=1) / len(part) for part in (known, compared) if len(part)]
    weights = [part**2 / (len(one) - 1) for part, one in zip(parts, (known, compared), strict=False)]
    squared = float(sum(parts))
    freedom = squared**2 / sum(weights) if sum(weights) > 0 else few - 1
    half = float(special.stdtrit(freedom, 1 - error / 2)) * np.sqrt(squared)
    return Interval(estimate, estimate - half, estimate + half, few)


def _has_most(sample: Sample) -> bool:
    """Say whether at least half of the members have a number: the others may be the ones that differ."""
    compared = [sample.values] if sample.other is None else [sample.values, sample.other]
    return all(2 * np.isfinite(values).sum() >= len(values) for values in compared)


def _verdict(claim: Claim, found: Interval) -> str:
    if np.isnan(found.low):
        return NOT_DECIDED
    above, below = found.low > claim.bound, found.high < claim.bound
    if not (above or below):
        return NOT_DECIDED
    return CONFIRMED if above == (claim.side == "above") else DENIED


def _combined(said: Sequence[str]) -> str:
    """Return the verdict under several settings: all must confirm, and one denies."""
    if DENIED in said:
        return DENIED
    return CONFIRMED if set(said) == {CONFIRMED} else NOT_DECIDED


def _worst(claim: Claim, found: Sequence[Interval], said: Sequence[str]) -> int:
    """Return the place of the setting that speaks most against the claim: one that denies before one that is undecided.

    Of those that deny it is the clearest, of the others that whose interval reaches furthest to the other side; one
    without an interval comes first.
    """
    ranks, sign = {DENIED: 0, NOT_DECIDED: 1, CONFIRMED: 2}, 1 if claim.side == "above" else -1

    def favour(place: int) -> tuple[int, float]:
        one, denied = found[place], said[place] == DENIED
        end = one.high if denied == (sign > 0) else one.low
        return ranks[said[place]], sign * end if np.isfinite(end) else -np.inf

    return min(range(len(found)), key=favour)


def _reason(claim: Claim, case: Case, found: Sequence[Interval], said: Sequence[str], worst: int) -> str:
    one, sample = found[worst], case.samples[worst]
    where = f"at {sample.name}: " if sample.name and len(case.samples) > 1 else ""
    if one.members == 0:
        return f"{where}needs members with a value"
    if one.members == 1:
        return f"{where}needs at least 2 members for an interval over members; there is 1"
    if not _has_most(sample):
        return f"{where}needs a number of at least half of the members; mean {one.estimate:.4g} of {one.members}"
    other = "below" if claim.side == "above" else "above"
    place = {CONFIRMED: claim.side, DENIED: other, NOT_DECIDED: "compatible with"}
    told = f"{where}{one.estimate:.4g} ({one.low:.4g} to {one.high:.4g}) is {place[said[worst]]} {claim.limit}"
    if len(said) == 1:
        return told
    denying = [one.name for one, verdict in zip(case.samples, said, strict=True) if verdict == DENIED]
    denied = f", denied at {', '.join(denying)}" if denying else ""
    return f"{said.count(CONFIRMED)} of {len(said)} settings confirm{denied}; worst {told}"


def _left_out(sample: Sample) -> list[str]:
    """Say which members are not in the numbers."""
    missing = int((~np.isfinite(sample.values)).sum())
    if sample.other is not None:
        missing += int((~np.isfinite(sample.other)).sum())
    without = [f"{missing} members have no value"] if missing and missing < len(sample.values) else []
    return [text for text in (sample.left_out, *without) if text]
