"""The unit of work: one group of members, from a state, for some seconds or until an epoch.

A task carries everything that its numbers depend on, so that any process can compute it: in this process, in a
worker, on another machine. What comes back is rows and the state from which the group's next task goes on.
"""

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
from jaxtyping import Float

from infoplane.runs.plan import Plan

FLUSH_SECONDS = 10.0
"""A task ends at the first opportunity after this long; its rows then go to disk."""

FRESH = -1
"""The epoch before the initialisation: where a group begins that has no state yet."""

Rows = dict[str, np.ndarray]
State = tuple[np.ndarray, ...]


@dataclasses.dataclass(frozen=True)
class Task:
    """What is to be computed of one group.

    Attributes:
        config: the combination's configuration as canonical JSON.
        data_sha256: what its data set must be.
        threads: number of threads that JAX computes with.
        number: the group's number in the run.
        group: its number within the plan.
        begin: epoch of ``state``; `FRESH` where there is none.
        state: weights and optimiser at the end of ``begin``.
        first: first epoch whose rows are wanted; those before it are trained without measuring.
        until: the epoch after which the task ends at the latest.
        survey: only the range of activations over the measured epochs is wanted.
        run_range: smallest and largest activation over the run, as far as it is known.
        seconds: the task ends at the first opportunity after this long.
        attempt: how often it was tried before.
    """

    config: str
    data_sha256: str
    threads: int
    number: int
    group: int
    begin: int
    state: State | None
    first: int
    until: int
    survey: bool = False
    run_range: Float[np.ndarray, "layer member 2"] | None = None
    seconds: float = FLUSH_SECONDS
    attempt: int = 0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a task has computed.

    Attributes:
        epoch: the last epoch that was trained.
        state: weights and optimiser at its end.
        rows: measurements and training curves of the task's epochs from ``first`` on; None where there are none.
        run_range: what a survey has found so far.
        spent: seconds of training and of measuring.
        net_epochs: number of epochs trained, counted over members.
    """

    epoch: int
    state: State
    rows: Rows | None
    run_range: Float[np.ndarray, "layer member 2"] | None
    spent: dict[str, float]
    net_epochs: int


def kept_members(plan: Plan, group: int) -> list[int]:
    """Members of a group that the result holds; the last group may be filled up with others."""
    width = plan.config.width
    return list(range(group * width, min((group + 1) * width, plan.config.members)))


def task_id(plan: Plan, group: int, first: int) -> str:
    """Name a stretch of a group by a hash of what decides its numbers: equal name, equal rows.

    Names, the number of other members and the bound on memory decide nothing. The number of threads does, but a
    run has one for all of its tasks.
    """
    decides: dict[str, Any] = plan.config.model_dump(mode="json", exclude={"name", "members", "sweep", "memory"})
    decides |= {"kept": kept_members(plan, group), "group": list(plan.config.groups[group]), "first": first}
    text = json.dumps(decides | {"data": plan.data_sha256}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
