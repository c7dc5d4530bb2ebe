"""Schedules against sets written by hand and against exact whole-number arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infoplane import InputError, schedules
from infoplane.schedules import Every, Listed, Log, Piecewise, as_schedule, log_grid

SAXE_OF_10000 = {*range(20), *range(20, 100, 5), *range(100, 2000, 20), *range(2000, 10000, 100), 10000}


def exact_grid(last, points):
    """Whole parts of last^(k/(points−1)), k = 0…points−1: the largest g with g^(points−1) ≤ last^k."""
    found, g = set(), 1
    for k in range(points):
        while (g + 1) ** (points - 1) <= last**k:
            g += 1
        found.add(g)
    return sorted(found)


def test_every_takes_multiples_and_both_ends():
    assert Every().epochs(4).tolist() == [0, 1, 2, 3, 4]
    assert Every(3).epochs(7).tolist() == [0, 3, 6, 7]
    assert Every(100).epochs(7).tolist() == [0, 7]


@pytest.mark.parametrize(("last", "distinct"), [(8000, 274), (10000, 279)])
def test_log_grid_of_400_points_has_the_distinct_integers_of_idnns(last, distinct):
    assert len(log_grid(last, 400)) == distinct


@pytest.mark.parametrize("last", [1, 2, 3, 100, 4096, 8000, 10000])
@pytest.mark.parametrize("points", [2, 5, 400])
def test_log_grid_is_the_whole_part_of_the_exact_powers(last, points):
    assert log_grid(last, points).tolist() == exact_grid(last, points)


def test_log_is_its_grid_and_the_first_epochs():
    assert Log().epochs(8000).tolist() == sorted({*range(21), *exact_grid(8000, 400)})
    assert Log(points=3).epochs(10000).tolist() == [*range(21), 100, 10000]


@pytest.mark.parametrize("last", [1, 2, 5, 20, 21])
def test_log_of_a_short_training_is_every_epoch(last):
    assert Log().epochs(last).tolist() == list(range(last + 1))


def test_default_pieces_are_the_211_epochs_of_saxe_and_the_last():
    epochs = Piecewise().epochs(10000)
    assert len(SAXE_OF_10000) == 212
    assert set(epochs.tolist()) == SAXE_OF_10000


@pytest.mark.parametrize("last", [1, 2, 5, 20, 21, 97])
def test_pieces_are_cut_at_a_short_training(last):
    assert set(Piecewise().epochs(last).tolist()) == {e for e in SAXE_OF_10000 if e < last} | {last}


def test_pieces_begin_their_stride_where_the_one_before_ends():
    assert Piecewise(((3, 2), (None, 4))).epochs(12).tolist() == [0, 2, 3, 7, 11, 12]


def test_last_piece_may_end_before_the_training():
    assert Piecewise(((4, 2), (9, 3))).epochs(20).tolist() == [0, 2, 4, 7, 20]


def test_listed_is_sorted_made_unique_and_cut_with_both_ends():
    assert Listed((7, 3, 3, 99)).epochs(10).tolist() == [0, 3, 7, 10]


pieces = st.dictionaries(st.integers(1, 3000), st.integers(1, 500), min_size=1, max_size=5).map(
    lambda strides: (*sorted(strides.items()), (None, 7))
)
kinds_and_arguments = st.one_of(
    st.tuples(st.just(Every), st.integers(1, 5000)),
    st.tuples(st.just(Log), st.integers(2, 1000)),
    st.tuples(st.just(Piecewise), pieces),
    st.tuples(st.just(Listed), st.lists(st.integers(0, 5000), min_size=1).map(tuple)),
)


@given(kinds_and_arguments, st.integers(1, 4000))
def test_epochs_ascend_without_repeats_from_0_to_the_last(kind_and_argument, last):
    kind, argument = kind_and_argument
    epochs = kind(argument).epochs(last)
    assert epochs.dtype == np.int64
    assert epochs[0] == 0
    assert epochs[-1] == last
    assert (np.diff(epochs) > 0).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Every(0), "schedule n is 0; expected at least 1"),
        (lambda: Log(points=1), "schedule points is 1; expected at least 2"),
        (lambda: Listed(()), r"schedule epochs are \(\); expected at least one, none negative"),
        (lambda: Listed((3, -1)), r"schedule epochs are \(3, -1\); expected at least one, none negative"),
        (lambda: Piecewise(()), r"schedule pieces are \(\); expected \(end, stride\) pairs"),
        (lambda: Piecewise(((20, 0),)), r"schedule pieces are \(\(20, 0\),\).*strides >= 1"),
        (lambda: Piecewise(((20, 1), (20, 5))), "increasing ends"),
        (lambda: Piecewise(((None, 1), (20, 5))), "increasing ends"),
        (lambda: Piecewise(((0, 1), (None, 5))), "increasing ends"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused_in_words(make, text):
    with pytest.raises(InputError, match=text):
        make()


def test_kinds_are_the_names_of_the_configuration():
    kinds = [kind.kind for kind in (Every, Log, Piecewise, Listed)]
    assert kinds == ["every", "log", "piecewise", "list"]
    assert {kind.kind for kind in schedules.Schedule.__subclasses__()} == set(kinds)


# ---- trainings whose length is not known


@pytest.mark.parametrize("schedule", [Every(7), Log(), Log(40), Piecewise(), Listed((3, 5, 40))])
def test_told_every_epoch_a_live_training_is_measured_on_the_schedules_own_grid(schedule):
    due = [epoch for epoch in range(301) if schedule.due(epoch - 1 if epoch else None, epoch)]
    assert due == sorted({0, *schedule.grid(300)})


def test_the_live_logarithmic_grid_is_that_of_8000_epochs_and_goes_on_at_its_ratio():
    assert np.array_equal(Log().grid(8000), Log().epochs(8000))
    ratio = 8000 ** (1 / 399)
    beyond = Log().grid(20_000)
    beyond = beyond[beyond > 8000]
    assert beyond[1:] / beyond[:-1] == pytest.approx(ratio, rel=2e-4)  # cut to whole numbers


def test_an_epoch_is_due_when_the_schedule_had_one_since_the_last_told():
    assert Every(10).due(8, 11)
    assert not Every(10).due(11, 19)
    assert Every(10).due(None, 13)


@pytest.mark.parametrize(
    ("value", "schedule"),
    [("log", Log()), ("every", Every()), (5, Every(5)), ([2, 1], Listed((2, 1))), (Log(7), Log(7))],
)
def test_a_schedule_may_be_a_name_a_stride_a_list_or_itself(value, schedule):
    assert as_schedule(value) == schedule


@pytest.mark.parametrize("value", ["evry", 1.5, [1.5], [], None, True, {"a": 1}])
def test_what_is_no_schedule_is_refused(value):
    with pytest.raises(InputError, match=r"schedule is"):
        as_schedule(value)
