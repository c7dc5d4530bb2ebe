"""Schedules that measure where something changes: neighbouring measured points differ by at most δ.

What they promise is about *measured* points. An excursion that begins and ends between two of them, which differ
by less than δ, is not seen; `infoplane.schedules.coverage` says how large it was where every epoch was measured.
"""

import dataclasses
import math
from typing import ClassVar

from infoplane.errors import InputError
from infoplane.schedules.distance import Entropies, Kind, distance
from infoplane.schedules.planner import ApproxPlanner, ExactPlanner, Near


@dataclasses.dataclass(frozen=True)
class DeltaExact:
    """Every two neighbouring measured points are at most ``delta`` apart, or adjacent epochs.

    From a measured epoch the one ``skip`` later is measured, ``skip`` being 1 at first. If the two are near, the
    next section is ``multiplier`` times as long, ``max_skip`` epochs at most; else the length stays and the section
    is bisected. That needs the weights of the epochs in it, so it serves trainings that keep them and folders of
    checkpoints, not a live model.

    Args:
        delta: largest distance of neighbouring measured points, a share of H(X) and H(Y) (bits for
            ``distance = "raw"``).
        multiplier: growth of the sections, above 1.
        max_skip: epochs in the longest section. The longer, the fewer points, and the more can go unseen.
        distance: "scaled" or "raw"; see `infoplane.schedules.distance.distance`.
        quantile: which member speaks for an ensemble, in (0, 1]; 1 is the one that moved most.
        memory: bytes that the weights kept for bisection may take; where it does not hold those of two sections,
            the sections are shorter and more points are measured. See `fit_memory`.

    Raises:
        InputError: for a setting outside its range.
    """

    delta: float = 0.02
    multiplier: float = 2.0
    max_skip: int = 64
    distance: Kind = "scaled"
    quantile: float = 1.0
    memory: int = 2**30
    kind: ClassVar[str] = "delta-exact"

    def __post_init__(self) -> None:
        _check(self)
        if self.memory < 1:
            raise InputError(f"schedule memory is {self.memory}; expected bytes, at least those of one checkpoint")

    def planner(self, last: int, entropies: Entropies) -> ExactPlanner:
        """Return a planner for a training with epochs 0…``last``.

        Args:
            last: number of the last epoch; for a folder of checkpoints, of the last file, counted from 0.
            entropies: H(X) and H(Y) in bits.
        """
        return ExactPlanner(_near(self, entropies), last, self.multiplier, self.max_skip)

    def fit_memory(self, checkpoint_bytes: int) -> "DeltaExact":
        """Return this schedule with sections no longer than the memory holds.

        Args:
            checkpoint_bytes: size of the weights of one epoch, of all members together.

        Raises:
            InputError: when not even one checkpoint fits.
        """
        fitting = self.memory // checkpoint_bytes
        if fitting < 1:
            wanted = (2 * self.max_skip - 1) * checkpoint_bytes
            raise InputError(
                f"schedule memory is {self.memory} bytes; the weights of one epoch need {checkpoint_bytes}, two "
                f"sections of max_skip={self.max_skip} epochs {wanted}; raise memory"
            )
        # while a section of s epochs is bisected (s − 1 within) the next one is trained (s more)
        return dataclasses.replace(self, max_skip=min(self.max_skip, (fitting + 1) // 2))


@dataclasses.dataclass(frozen=True)
class DeltaApprox:
    """Steps that grow while the measured point stays within ``delta`` of the one before; never goes back.

    It stores no weights and works on a live model. Where something changes faster than the step, neighbouring
    measured points lie further apart than ``delta``: unlike `DeltaExact` it promises nothing about them.

    Args:
        delta: distance up to which a step counts as near, a share of H(X) and H(Y) (bits for ``distance = "raw"``).
        multiplier: growth of the steps, above 1.
        max_skip: epochs in the longest step.
        distance: "scaled" or "raw"; see `infoplane.schedules.distance.distance`.
        quantile: which member speaks for an ensemble, in (0, 1]; 1 is the one that moved most.
        fall: whether the step falls to 1 after a jump; else its length stays.

    Raises:
        InputError: for a setting outside its range.
    """

    delta: float = 0.02
    multiplier: float = 2.0
    max_skip: int = 64
    distance: Kind = "scaled"
    quantile: float = 1.0
    fall: bool = False
    kind: ClassVar[str] = "delta-approx"

    def __post_init__(self) -> None:
        _check(self)

    def planner(self, last: int | None, entropies: Entropies) -> ApproxPlanner:
        """Return a planner for a training, whose ``last`` epoch is measured where it is known.

        Args:
            last: number of the last epoch; None where it is not known.
            entropies: H(X) and H(Y) in bits.
        """
        return ApproxPlanner(_near(self, entropies), last, self.multiplier, self.max_skip, self.fall)


def _near(schedule: DeltaExact | DeltaApprox, entropies: Entropies) -> Near:
    kind, quantile, delta = schedule.distance, schedule.quantile, schedule.delta
    return lambda a, b: distance(a, b, entropies, kind=kind, quantile=quantile) <= delta


def _check(schedule: DeltaExact | DeltaApprox) -> None:
    if not 0 < schedule.delta < math.inf:
        raise InputError(f"schedule delta is {schedule.delta}; expected a number above 0, such as 0.02")
    if not 1 < schedule.multiplier < math.inf:
        raise InputError(f"schedule multiplier is {schedule.multiplier}; expected a number above 1, such as 2")
    if schedule.max_skip < 1:
        raise InputError(f"schedule max_skip is {schedule.max_skip}; expected at least 1 epoch")
    if schedule.distance not in ("scaled", "raw"):
        raise InputError(f"schedule distance is '{schedule.distance}'; expected 'scaled' or 'raw'")
    if not 0 < schedule.quantile <= 1:
        raise InputError(f"schedule quantile is {schedule.quantile}; expected a share of members in (0, 1]")
