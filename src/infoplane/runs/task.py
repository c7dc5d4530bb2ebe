"""The unit of work: one group of members, from a state, for some seconds or until an epoch.

A task carries everything that its numbers depend on, so that any process can compute it: in this process, in a
worker, on another machine. What comes back is rows and the state from which the group's next task goes on. Where
measuring is done apart, the weights of the epochs to be measured come back instead of rows.
"""

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
from jaxtyping import Float

from infoplane.runs.config import CONV_KEYS
from infoplane.runs.plan import Plan

FLUSH_SECONDS = 10.0
"""A task ends at the first opportunity after this long; its rows then go to disk."""

FRESH = -1
"""The epoch before the initialisation: where a group begins that has no state yet."""

MISSING = "missing"
"""Name of a piece's array that lists the (epoch, layer) that could not be measured; a piece without any has none."""

Rows = dict[str, np.ndarray]
State = tuple[np.ndarray, ...]
Cell = tuple[int, int]
"""An epoch, and the number of a layer."""


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
        apart: the most epochs whose weights are sent back to be measured elsewhere; 0: they are measured here.
        weights_from: where the measured epochs are not known beforehand, the first whose weights are sent back, with
            those of every epoch after it.
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
    apart: int = 0
    weights_from: int = 0
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
        weights: kernels and biases, layer by layer, of the epochs that are to be measured elsewhere.
        versions: of the packages that computed it, where another process did.
    """

    epoch: int
    state: State
    rows: Rows | None
    run_range: Float[np.ndarray, "layer member 2"] | None
    spent: dict[str, float]
    net_epochs: int
    weights: dict[int, State] = dataclasses.field(default_factory=dict)
    versions: dict[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Some layers of a group at some epochs, to be measured from the weights.

    Attributes:
        config: the combination's configuration as canonical JSON.
        data_sha256: what its data set must be.
        threads: number of threads that JAX computes with.
        number: the group's number in the run.
        group: its number within the plan.
        weights: kernels and biases, layer by layer, at each epoch.
        layers: numbers of the layers.
        run_range: smallest and largest activation over the run, where an estimator asks for it.
        attempt: how often it was tried before.
    """

    config: str
    data_sha256: str
    threads: int
    number: int
    group: int
    weights: dict[int, State]
    layers: tuple[int, ...]
    run_range: Float[np.ndarray, "layer member 2"] | None = None
    attempt: int = 0

    @property
    def first(self) -> int:
        """The first of its epochs."""
        return min(self.weights)

    @property
    def cells(self) -> list[Cell]:
        """What it measures."""
        return [(epoch, layer) for epoch in self.weights for layer in self.layers]

    def again(self) -> "list[Measurement]":
        """Return what is to be tried again: each layer at each epoch by itself, so that one fault costs one only."""
        attempt = self.attempt + 1
        return [
            dataclasses.replace(self, weights={epoch: self.weights[epoch]}, layers=(layer,), attempt=attempt)
            for epoch, layer in self.cells
        ]


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a `Measurement` has given.

    Attributes:
        rows: measurements of each layer at each epoch; some are absent where it was stopped.
        seconds: time it took.
        versions: of the packages that computed it, where another process did.
    """

    rows: dict[Cell, Rows]
    seconds: float
    versions: dict[str, str] | None = None


Work = Task | Measurement
"""What is sent to a worker; `Outcome` and `Measured` come back."""


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
    if not plan.config.measure.histograms:
        del decides["measure"]["histograms"]  # as before there were any, so that older pieces keep their names
    if plan.config.measure.rows is None:
        del decides["measure"]["rows"]
    if plan.config.model.kind == "mlp":
        for key in ("kind", *CONV_KEYS):
            del decides["model"][key]
    decides |= {"kept": kept_members(plan, group), "group": list(plan.config.groups[group]), "first": first}
    text = json.dumps(decides | {"data": plan.data_sha256}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
