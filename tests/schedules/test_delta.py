"""Schedules that depend on what is measured, against sets written by hand."""

import numpy as np
import pytest

from infoplane import InputError
from infoplane.schedules import DeltaApprox, DeltaExact, coverage

ENTROPIES = (1.0, 1.0)


def points(curve):
    """Values of each epoch, of one estimator, member and layer, I(T;Y) being 0."""
    return [np.array([[[[value, 0.0]]]]) for value in curve]


def measure_all(planner, values):
    """Measure one epoch after the other, the earliest wanted first; return the epochs in their order."""
    order = []
    while not planner.done:
        epoch = planner.wanted()[0]
        order.append(epoch)
        planner.tell(epoch, values[epoch])
    return order


# ---- delta-exact


def test_a_plateau_is_measured_at_the_ends_of_sections_that_double_to_the_longest():
    planner = DeltaExact(max_skip=16).planner(70, ENTROPIES)
    assert measure_all(planner, points([0.5] * 71)) == [0, 1, 3, 7, 15, 31, 47, 63, 70]


def test_a_step_is_found_between_the_adjacent_epochs_where_it_is():
    planner = DeltaExact().planner(40, ENTROPIES)
    measure_all(planner, points([0.0] * 20 + [1.0] * 21))
    # 15–31 is bisected to 19 and 20; the next section is as long as that one, 16, and ends with the training
    assert planner.measured == (0, 1, 3, 7, 15, 19, 20, 21, 23, 31, 40)


def test_both_halves_of_a_section_and_the_next_section_are_wanted_side_by_side():
    planner = DeltaExact().planner(40, ENTROPIES)
    flat_then_ramp = points([0.0] * 8 + list(np.linspace(0, 1, 8)) + [1.0] * 25)
    planner = DeltaExact().planner(40, ENTROPIES)
    for epoch in (0, 1, 3, 7, 15):
        assert epoch in planner.wanted()
        planner.tell(epoch, flat_then_ramp[epoch])
    assert planner.wanted() == (11, 23)
    planner.tell(11, flat_then_ramp[11])
    assert planner.wanted() == (9, 13, 23)


def test_the_section_after_the_next_waits_until_the_last_is_settled():
    curve = points([0.0] * 4 + list(np.linspace(0, 1, 37)))
    planner = DeltaExact().planner(40, ENTROPIES)
    for epoch in (0, 1, 3, 7, 11):
        planner.tell(epoch, curve[epoch])
    assert planner.wanted() == (5, 9)  # 3–7 is not settled, 7–11 neither: 15 must wait
    assert planner.frontier == 11
    assert planner.kept() == (range(4, 7), range(8, 11))
    planner.tell(5, curve[5])
    assert planner.wanted() == (4, 6, 9)
    planner.tell(4, curve[4])
    planner.tell(6, curve[6])
    assert planner.wanted() == (9, 15)
    assert planner.kept() == (range(8, 11), range(12, 16))


def test_a_change_in_the_last_section_which_is_cut_short_is_bisected():
    planner = DeltaExact().planner(10, ENTROPIES)
    measure_all(planner, points([0.0] * 10 + [1.0]))
    assert planner.measured == (0, 1, 3, 7, 8, 9, 10)


def test_a_spike_at_the_end_of_a_section_is_closed_in_and_the_sections_stay_short():
    curve = [0.0] * 30
    curve[7] = 1.0
    planner = DeltaExact().planner(29, ENTROPIES)
    measure_all(planner, points(curve))
    # 3–7 and 7–11 are bisected towards 7; the section's length grows again from 4 after them
    assert planner.measured == (0, 1, 3, 5, 6, 7, 8, 9, 11, 15, 23, 29)


def test_a_spike_within_a_section_whose_ends_are_near_is_not_seen():
    curve = [0.0] * 30
    curve[10] = 1.0
    planner = DeltaExact().planner(29, ENTROPIES)
    measure_all(planner, points(curve))
    assert planner.measured == (0, 1, 3, 7, 15, 29)
    all_epochs = np.moveaxis(np.array(points(curve)), 0, 2)
    assert coverage(all_epochs, planner.measured, ENTROPIES).largest_unseen == 1.0


def test_the_epoch_at_which_a_network_diverges_is_measured_and_the_one_before():
    planner = DeltaExact().planner(100, ENTROPIES)
    measure_all(planner, points([0.3] * 42 + [np.nan] * 59))
    assert {41, 42} <= set(planner.measured)
    assert len(planner.measured) < 20  # what is NaN at both ends is a plateau


def test_one_member_that_moves_is_enough_unless_a_quantile_is_asked_for():
    still, moved = np.zeros((1, 4, 1, 2)), np.zeros((1, 4, 1, 2))
    moved[0, 2, 0, 0] = 1.0
    values = [still] * 20 + [moved] * 20
    strict, lenient = DeltaExact().planner(39, ENTROPIES), DeltaExact(quantile=0.75).planner(39, ENTROPIES)
    for planner in (strict, lenient):
        measure_all(planner, values)
    assert {19, 20} <= set(strict.measured)
    assert lenient.measured == (0, 1, 3, 7, 15, 31, 39)


@pytest.mark.parametrize("curve", [[0.5], [0.5, 0.5], [0.0, 1.0]])
def test_the_shortest_trainings_are_measured_whole(curve):
    for schedule in (DeltaExact(), DeltaApprox()):
        planner = schedule.planner(len(curve) - 1, ENTROPIES)
        assert measure_all(planner, points(curve)) == list(range(len(curve)))
        assert planner.done
        assert planner.kept() == ()


def test_what_was_not_asked_for_is_refused():
    planner = DeltaExact().planner(10, ENTROPIES)
    value = points([0.0])[0]
    planner.tell(0, value)
    for epoch in (0, 2):
        with pytest.raises(InputError, match=rf"epoch {epoch} was told; expected one of those wanted now: \(1,\)"):
            planner.tell(epoch, value)


def test_measurements_of_other_settings_are_used_where_they_are_asked_for():
    values = points(np.linspace(0, 1, 101))
    fine, coarse, fresh = (DeltaExact(delta).planner(100, ENTROPIES) for delta in (0.02, 0.1, 0.1))
    measure_all(fine, values)
    coarse.replay({epoch: values[epoch] for epoch in fine.measured})
    measure_all(coarse, values)
    measure_all(fresh, values)
    assert coarse.measured == fresh.measured


# ---- delta-approx


def test_the_point_compared_with_is_the_one_measured_last():
    planner = DeltaApprox(max_skip=8).planner(40, ENTROPIES)
    # a fixed reference, the first point, would call every epoch after the step a jump and measure all of them
    assert measure_all(planner, points([0.0] + [1.0] * 40)) == [0, 1, 2, 4, 8, 16, 24, 32, 40]


def test_after_a_jump_the_step_stays_or_falls_to_1():
    curve = points([0.0] * 10 + [1.0] * 21)
    stays, falls = DeltaApprox().planner(30, ENTROPIES), DeltaApprox(fall=True).planner(30, ENTROPIES)
    assert measure_all(stays, curve) == [0, 1, 3, 7, 15, 23, 30]
    assert measure_all(falls, curve) == [0, 1, 3, 7, 15, 16, 18, 22, 30]


def test_a_slow_drift_keeps_the_step_at_which_it_is_just_too_far():
    planner = DeltaApprox(delta=0.02).planner(12, ENTROPIES)
    # .008 an epoch: 1 and 2 epochs are near, 4 are not
    assert measure_all(planner, points(0.008 * np.arange(13))) == [0, 1, 3, 7, 11, 12]


def test_without_a_known_end_it_goes_on_for_ever():
    planner = DeltaApprox(max_skip=4).planner(None, ENTROPIES)
    for epoch in (0, 1, 3, 7, 11, 15):
        assert planner.wanted() == (epoch,)
        planner.tell(epoch, points([0.0])[0])
    assert not planner.done


def test_after_the_last_epoch_nothing_is_due():
    planner = DeltaApprox().planner(5, ENTROPIES)
    due = [epoch for epoch in range(20) if planner.due(epoch) and planner.tell(epoch, points([0.0])[0]) is None]
    assert due == [0, 1, 3, 5]


def test_of_a_training_that_shows_every_tenth_epoch_the_next_shown_is_due():
    planner = DeltaApprox().planner(None, ENTROPIES)
    shown = range(3, 2000, 10)
    due = [epoch for epoch in shown if planner.due(epoch) and planner.tell(epoch, points([0.0])[0]) is None]
    assert due[:6] == [3, 13, 23, 33, 43, 63]  # steps of 1, 2, 4, 8 and 16 epochs
    assert np.diff(due).max() == 70  # 64 and what is left to the next shown


def test_a_point_measured_before_it_is_due_is_compared_with_but_lengthens_no_step():
    planner = DeltaApprox().planner(None, ENTROPIES)
    for epoch in (0, 1, 3):
        planner.tell(epoch, points([0.0])[0])
    assert planner.frontier == 7
    planner.tell(4, points([0.0])[0])
    assert planner.frontier == 8


def test_what_was_measured_before_a_restart_is_put_in_order():
    values = {epoch: points([0.0])[0] for epoch in (7, 0, 3, 1)}
    planner = DeltaApprox().planner(None, ENTROPIES)
    planner.replay(values)
    assert (planner.measured, planner.wanted()) == ((0, 1, 3, 7), (15,))


def test_epochs_told_backwards_are_refused():
    planner = DeltaApprox().planner(None, ENTROPIES)
    planner.tell(4, points([0.0])[0])
    with pytest.raises(InputError, match="epoch 4 was told after 4; expected epochs that only rise"):
        planner.tell(4, points([0.0])[0])
