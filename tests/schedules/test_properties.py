"""Schedules that depend on what is measured, over arbitrary curves, orders and numbers of workers."""

import itertools
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from infoplane.schedules import DeltaApprox, DeltaExact, distance

ENTROPIES = (1.0, 1.0)
SECTION_ENDS = [1, 3, 7, 15, 31, 63]
"""Where the sections end while nothing changes."""

levels = st.floats(0, 1, width=16)
randoms = st.builds(random.Random, st.integers(0, 10**6))
untimed = settings(deadline=None)  # the first example of a shape pays for its checks


class Curves(list):
    """Values of each epoch, written short where a test fails."""

    def __repr__(self):
        changes = np.flatnonzero([not np.array_equal(a, b, equal_nan=True) for a, b in itertools.pairwise(self)])
        return f"<values {[(e, self[e].ravel()) for e in [0, *(changes + 1)]][:40]} of {len(self)} epochs>"


@st.composite
def arbitrary_curves(draw):
    """Values [estimator, member, layer, 2] of each epoch: plateaus, steps, ramps, spikes and stretches of NaN."""
    last = draw(st.integers(1, 90))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 2)), 2)
    values = np.zeros((last + 1, *shape))
    for place in draw(st.lists(st.tuples(*[st.integers(0, n - 1) for n in shape]), min_size=1, max_size=4)):
        values[(slice(None), *place)] = draw(one_curve(last))
    return Curves(values)


@st.composite
def one_curve(draw, last):
    epochs = st.integers(0, last)
    known = draw(st.dictionaries(epochs, levels, min_size=1, max_size=6))
    at = sorted(known)
    if draw(st.booleans()):  # ramps
        curve = np.interp(np.arange(last + 1), at, [known[e] for e in at])
    else:  # plateaus with steps
        curve = np.array([known[at[max(np.searchsorted(at, e, side="right") - 1, 0)]] for e in range(last + 1)])
    for epoch, level in draw(st.dictionaries(epochs | st.sampled_from(SECTION_ENDS), levels, max_size=4)).items():
        if epoch <= last:
            curve[epoch] = level
    start, stop = sorted(draw(st.tuples(epochs, epochs)))
    if draw(st.booleans()):
        curve[start:stop] = np.nan
    return curve


settings_of_both = {
    "delta": st.sampled_from([0.02, 0.1, 0.3]),
    "multiplier": st.sampled_from([1.3, 2.0, 5.0]),
    "max_skip": st.integers(1, 40),
    "distance": st.sampled_from(["scaled", "raw"]),
    "quantile": st.sampled_from([1.0, 0.5]),
}
exact_schedules = st.builds(DeltaExact, **settings_of_both)
approx_schedules = st.builds(DeltaApprox, **settings_of_both, fall=st.booleans())


def is_near(schedule, a, b):
    return distance(a, b, ENTROPIES, kind=schedule.distance, quantile=schedule.quantile) <= schedule.delta


def measure_all(planner, values):
    """Measure one epoch after the other, the earliest wanted first; return the epochs in their order."""
    order = []
    while not planner.done:
        epoch = planner.wanted()[0]
        order.append(epoch)
        planner.tell(epoch, values[epoch])
    return order


def by_recursion(schedule, values):
    """What delta-exact measures, written as a recursion that measures everything in order."""

    def bisected(a, b):
        if b - a == 1 or is_near(schedule, values[a], values[b]):
            return {a, b}
        middle = (a + b) // 2
        return bisected(a, middle) | bisected(middle, b)

    start, last, skip, measured = 0, len(values) - 1, 1.0, {0}
    while start < last:
        end = min(start + int(skip), last)
        measured |= bisected(start, end)
        if is_near(schedule, values[start], values[end]):
            skip = min(skip * schedule.multiplier, schedule.max_skip)
        start = end
    return sorted(measured)


@untimed
@given(exact_schedules, arbitrary_curves())
def test_neighbouring_measured_points_are_near_or_adjacent_from_the_first_to_the_last(schedule, values):
    planner = schedule.planner(len(values) - 1, ENTROPIES)
    measure_all(planner, values)
    assert planner.measured[0] == 0
    assert planner.measured[-1] == len(values) - 1
    for a, b in itertools.pairwise(planner.measured):
        assert b - a == 1 or is_near(schedule, values[a], values[b])
        assert b - a <= schedule.max_skip


@untimed
@given(exact_schedules, arbitrary_curves())
def test_exact_measures_what_the_recursion_measures(schedule, values):
    planner = schedule.planner(len(values) - 1, ENTROPIES)
    measure_all(planner, values)
    assert list(planner.measured) == by_recursion(schedule, values)


@untimed
@given(exact_schedules, arbitrary_curves(), st.integers(1, 5), randoms)
def test_any_number_of_workers_in_any_order_measures_the_same_points_once(schedule, values, workers, rng):
    alone, shared = (schedule.planner(len(values) - 1, ENTROPIES) for _ in range(2))
    measure_all(alone, values)
    order = work_together(shared, values, workers, rng)
    assert shared.measured == alone.measured
    assert sorted(order) == list(alone.measured)


def work_together(planner, values, workers, rng):
    """Measure up to ``workers`` wanted epochs at a time, which end in any order; return it."""
    running, order = set(), []
    while not planner.done:
        free = [epoch for epoch in planner.wanted() if epoch not in running]
        running |= set(rng.sample(free, min(len(free), workers - len(running))))
        ended = rng.choice(sorted(running))
        running.remove(ended)
        planner.tell(ended, values[ended])
        order.append(ended)
    return order


@untimed
@given(exact_schedules, arbitrary_curves(), st.integers(1, 5), randoms)
def test_weights_that_are_not_kept_are_never_asked_for_again(schedule, values, workers, rng):
    planner = schedule.planner(len(values) - 1, ENTROPIES)
    trained, stored = -1, set()

    class Weights:
        """Trains when asked for an epoch, and drops what need not be kept."""

        def __getitem__(self, epoch):
            nonlocal trained, stored
            stored |= set(range(trained + 1, planner.frontier + 1))
            trained = max(trained, planner.frontier)
            stored &= set(itertools.chain(*planner.kept()))
            assert len(stored) <= 2 * schedule.max_skip - 1
            assert epoch in stored
            return values[epoch]

    work_together(planner, Weights(), workers, rng)
    assert planner.kept() == ()


@untimed
@given(exact_schedules, arbitrary_curves(), st.integers(0, 60), randoms)
def test_after_a_restart_it_goes_on_where_it_stood(schedule, values, n_told, rng):
    whole, first, again = (schedule.planner(len(values) - 1, ENTROPIES) for _ in range(3))
    measure_all(whole, values)
    told = {}
    while not first.done and len(told) < n_told:
        epoch = rng.choice(first.wanted())
        told[epoch] = values[epoch]
        first.tell(epoch, values[epoch])
    shuffled = list(told.items())
    rng.shuffle(shuffled)
    again.replay(dict(shuffled))
    assert (again.measured, again.wanted(), again.kept(), again.frontier) == (
        first.measured,
        first.wanted(),
        first.kept(),
        first.frontier,
    )
    measure_all(again, values)
    assert again.measured == whole.measured


@untimed
@given(approx_schedules, arbitrary_curves())
def test_steps_grow_only_while_points_are_near_and_the_last_epoch_is_measured(schedule, values):
    planner = schedule.planner(len(values) - 1, ENTROPIES)
    order = measure_all(planner, values)
    assert order == sorted(set(order))
    assert (order[0], order[-1]) == (0, len(values) - 1)
    assert tuple(order) == planner.measured
    skip = 1.0
    for (a, b), following in zip(itertools.pairwise(order), [*order[2:], None], strict=False):
        if is_near(schedule, values[a], values[b]):
            skip = min(skip * schedule.multiplier, schedule.max_skip)
        elif schedule.fall:
            skip = 1.0
        assert following in (None, b + int(skip), len(values) - 1)


@untimed
@given(approx_schedules, arbitrary_curves(), st.integers(0, 60))
def test_live_it_measures_what_it_asks_for_beforehand_also_after_a_restart(schedule, values, stop):
    asked = schedule.planner(len(values) - 1, ENTROPIES)
    measure_all(asked, values)
    live = schedule.planner(len(values) - 1, ENTROPIES)
    told = {}
    for epoch, value in enumerate(values):
        if epoch == stop:
            live = schedule.planner(len(values) - 1, ENTROPIES)
            live.replay(told)
        if live.due(epoch):
            live.tell(epoch, value)
            told[epoch] = value
    assert live.measured == asked.measured
