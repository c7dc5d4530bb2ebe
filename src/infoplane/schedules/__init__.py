"""Schedules: which epochs of a training are measured.

A schedule is pure logic: it knows no network and no file. A fixed one answers beforehand which epochs to measure;
`DeltaExact` and `DeltaApprox` make a planner that is told what was measured and answers what to measure next. Epoch
0 is the untouched initialisation, so E epochs of training have epochs 0…E. A schedule counts whatever its caller
numbers: epochs, single updates, or the files of a folder.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from infoplane.errors import InputError, did_you_mean
from infoplane.schedules.coverage import Coverage, coverage, deviations
from infoplane.schedules.delta import DeltaApprox, DeltaExact
from infoplane.schedules.distance import Entropies, Values, distance
from infoplane.schedules.fixed import (
    FIRST_EPOCHS,
    SAXE_PIECES,
    USUAL_LAST,
    Epochs,
    Every,
    Listed,
    Log,
    Piecewise,
    Schedule,
    log_grid,
)
from infoplane.schedules.planner import ApproxPlanner, ExactPlanner, Planner

__all__ = [
    "FIRST_EPOCHS",
    "SAXE_PIECES",
    "USUAL_LAST",
    "AnySchedule",
    "ApproxPlanner",
    "Coverage",
    "DeltaApprox",
    "DeltaExact",
    "Entropies",
    "Epochs",
    "Every",
    "ExactPlanner",
    "Listed",
    "Log",
    "Piecewise",
    "Planner",
    "Schedule",
    "Values",
    "as_live_schedule",
    "as_schedule",
    "coverage",
    "deviations",
    "distance",
    "log_grid",
]

AnySchedule = Schedule | DeltaExact | DeltaApprox
"""A fixed schedule, or one that depends on what is measured."""


def as_schedule(value: Any) -> AnySchedule:
    """Return a schedule from itself, a name with its defaults ("log"), a stride n or a list of epochs.

    Raises:
        InputError: for anything else.
    """
    if isinstance(value, AnySchedule):
        return value
    named = {schedule.kind: schedule for schedule in (Every, Log, Piecewise, DeltaExact, DeltaApprox)}
    if isinstance(value, str):
        if value not in named:
            raise InputError(f"schedule is '{value}'{did_you_mean(value, named)}")
        return named[value]()
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return Every(int(value))
    listed = list(value) if isinstance(value, Iterable) else []
    if not listed or not all(_is_whole(epoch) for epoch in listed):
        raise InputError(
            f"schedule is {value!r}; expected a name ({', '.join(named)}), a stride, a list of epochs, "
            "or a schedule such as schedules.Every(10)"
        )
    return Listed(tuple(int(epoch) for epoch in listed))


def as_live_schedule(value: Any) -> Schedule | DeltaApprox:
    """Return a schedule, as `as_schedule`, for a model that cannot go back to an earlier epoch.

    Raises:
        InputError: for anything that is no schedule, and for `DeltaExact`, which goes back.
    """
    schedule = as_schedule(value)
    if isinstance(schedule, DeltaExact):
        raise InputError(
            "schedule 'delta-exact' goes back to earlier epochs, which a live model cannot; use 'delta-approx', or "
            "keep checkpoints and measure them afterwards: infoplane measure"
        )
    return schedule


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
