"""Planners: one training's way through a schedule that depends on what is measured.

A planner is told what was measured and answers what to measure next. It knows no network, no clock and no worker:
which points it asks for follows from the values alone, in whatever order and by however many workers they come.
"""

import abc
from collections.abc import Callable, Mapping

from infoplane.errors import InputError
from infoplane.schedules.distance import Values

Near = Callable[[Values, Values], bool]
"""Says whether two measured points are near enough that nothing between them need be measured."""


class Planner(abc.ABC):
    """Says what to measure next in one training.

    ::

        while not planner.done:
            train_to(planner.frontier)
            for epoch in planner.wanted():  # in any order, or side by side
                planner.tell(epoch, measure(epoch))
    """

    @property
    @abc.abstractmethod
    def measured(self) -> tuple[int, ...]:
        """The epochs told so far, ascending."""

    @property
    @abc.abstractmethod
    def done(self) -> bool:
        """Whether nothing more will be asked for."""

    @property
    @abc.abstractmethod
    def frontier(self) -> int:
        """The furthest epoch to which training must have gone to serve `wanted`."""

    @abc.abstractmethod
    def wanted(self) -> tuple[int, ...]:
        """The epochs that may be measured now, ascending; none of them depends on the outcome of another."""

    @abc.abstractmethod
    def kept(self) -> tuple[range, ...]:
        """The epochs up to the frontier, ascending, whose weights may still be asked for.

        Weights of other epochs up to the frontier can be dropped. Training may run beyond the frontier as far as
        there is room: of what lies beyond, any epoch may still be asked for.
        """

    @abc.abstractmethod
    def tell(self, epoch: int, values: Values) -> None:
        """Take in what was measured.

        Raises:
            InputError: for an epoch that was not asked for, or was told before.
        """

    @abc.abstractmethod
    def replay(self, told: Mapping[int, Values]) -> None:
        """Go on after a restart from what was measured before it, in any order.

        Epochs that this schedule does not ask for, as after a change of its settings, are left out.
        """


class ExactPlanner(Planner):
    """Sections whose length follows what is measured at their ends; within them, bisection.

    The next section is begun while the one before it is still bisected, but not the one after that: so the weights
    of two sections at most are kept, 2 · ``max_skip`` − 1 of them.

    Args:
        near: says whether two points are near enough.
        last: the last epoch of the training.
        multiplier: by how much a section is longer than the one before it when the ends of that were near.
        max_skip: length of the longest section.
    """

    def __init__(self, near: Near, last: int, multiplier: float, max_skip: int) -> None:
        self._near, self._last, self._multiplier, self._max_skip = near, last, multiplier, max_skip
        self._values: dict[int, Values] = {}
        self._previous_end = self._end = -1  # measured ends of the last two sections
        self._next_end = 0
        self._skip = 1.0
        self._gaps: dict[int, tuple[int, int]] = {}  # too far apart and not adjacent, by the epoch between them

    @property
    def measured(self) -> tuple[int, ...]:
        """The epochs told so far, ascending."""
        return tuple(sorted(self._values))

    @property
    def done(self) -> bool:
        """Whether all neighbouring measured points up to the last epoch are near or adjacent."""
        return not self.wanted()

    @property
    def frontier(self) -> int:
        """The end of the next section where it may be begun, else that of the last."""
        return self._next_end if self._may_begin() else self._end

    def wanted(self) -> tuple[int, ...]:
        """The epochs in the middle between points that are too far apart, and the end of the next section."""
        return (*sorted(self._gaps), *([self._next_end] if self._may_begin() else []))

    def kept(self) -> tuple[range, ...]:
        """The inner epochs of what is not settled, and the next section."""
        inner = [range(a + 1, b) for a, b in sorted(self._gaps.values())]
        return (*inner, *([range(self._end + 1, self.frontier + 1)] if self._may_begin() else []))

    def tell(self, epoch: int, values: Values) -> None:
        """Take in what was measured.

        Raises:
            InputError: for an epoch that was not asked for, or was told before.
        """
        if epoch not in self.wanted():
            raise InputError(f"epoch {epoch} was told; expected one of those wanted now: {self.wanted()}")
        self._values[epoch] = values
        if epoch in self._gaps:
            start, stop = self._gaps.pop(epoch)
            self._settle(start, epoch)
            self._settle(epoch, stop)
        else:
            self._end_section()

    def replay(self, told: Mapping[int, Values]) -> None:
        """Go on after a restart from what was measured before it, in any order.

        Epochs that this schedule does not ask for, as after a change of its settings, are left out.
        """
        while known := [epoch for epoch in self.wanted() if epoch in told]:
            for epoch in known:
                self.tell(epoch, told[epoch])

    def _may_begin(self) -> bool:
        """Whether there is a next section, and at most the last one is still bisected."""
        return self._next_end > self._end and all(start >= self._previous_end for start, _ in self._gaps.values())

    def _end_section(self) -> None:
        start, self._end = self._end, self._next_end
        self._previous_end = start
        if start >= 0 and self._settle(start, self._end):
            self._skip = min(self._skip * self._multiplier, float(self._max_skip))
        self._next_end = min(self._end + int(self._skip), self._last)

    def _settle(self, start: int, stop: int) -> bool:
        """Say whether two measured points are near; ask for the epoch between them where they are not."""
        near = self._near(self._values[start], self._values[stop])
        if not near and stop - start > 1:
            self._gaps[(start + stop) // 2] = (start, stop)
        return near


class ApproxPlanner(Planner):
    """Steps that grow while what is measured stays near the point measured last; never back.

    It serves a live model: ask `due`, measure, `tell`. The point compared with is always the one measured last.

    Args:
        near: says whether two points are near enough.
        last: the last epoch of the training, which is then measured; None where it is not known.
        multiplier: by how much a step is longer than the one before it when that led to a near point.
        max_skip: length of the longest step.
        fall: whether a jump makes the next step 1; else the length stays.
    """

    def __init__(self, near: Near, last: int | None, multiplier: float, max_skip: int, fall: bool) -> None:
        self._near, self._last, self._multiplier, self._max_skip, self._fall = near, last, multiplier, max_skip, fall
        self._measured: list[int] = []
        self._reference: Values | None = None
        self._skip = 1.0

    @property
    def measured(self) -> tuple[int, ...]:
        """The epochs told so far, ascending."""
        return tuple(self._measured)

    @property
    def done(self) -> bool:
        """Whether the last epoch was measured; never where it is not known."""
        return self._last is not None and bool(self._measured) and self._measured[-1] >= self._last

    @property
    def frontier(self) -> int:
        """The next epoch to be measured; the last measured when it is done."""
        if not self._measured or self.done:
            return self._measured[-1] if self._measured else 0
        step = self._measured[-1] + int(self._skip)
        return step if self._last is None else min(step, self._last)

    def wanted(self) -> tuple[int, ...]:
        """The next epoch to be measured."""
        return () if self.done else (self.frontier,)

    def kept(self) -> tuple[range, ...]:
        """The next epoch to be measured."""
        return tuple(range(epoch, epoch + 1) for epoch in self.wanted())

    def due(self, epoch: int) -> bool:
        """Say whether to measure now; in a training whose epochs are not all shown, the next one shown is due."""
        return not self.done and epoch >= self.frontier

    def tell(self, epoch: int, values: Values) -> None:
        """Take in what was measured; also an epoch that was not due, which is then compared with.

        Raises:
            InputError: for an epoch that does not come after those told before.
        """
        if self._measured and epoch <= self._measured[-1]:
            raise InputError(f"epoch {epoch} was told after {self._measured[-1]}; expected epochs that only rise")
        if self._reference is not None:
            self._step(self._near(self._reference, values), epoch - self._measured[-1])
        self._measured.append(epoch)
        self._reference = values

    def replay(self, told: Mapping[int, Values]) -> None:
        """Go on after a restart from what was measured before it, in any order."""
        for epoch in sorted(told):
            self.tell(epoch, told[epoch])

    def _step(self, near: bool, length: int) -> None:
        """Choose the next step's length; a point measured before it was due says nothing for a longer one."""
        if near and length >= int(self._skip):
            self._skip = min(self._skip * self._multiplier, float(self._max_skip))
        elif not near and self._fall:
            self._skip = 1.0
