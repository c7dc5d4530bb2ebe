"""The distance between two measured points by hand, and what a choice of epochs leaves unseen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infoplane import InputError
from infoplane.schedules import coverage, deviations, distance

ENTROPIES = (8.0, 2.0)
NAN, INF = np.nan, np.inf


def point(*pairs):
    """One estimator, one member; a pair (I(X;T), I(T;Y)) for each layer."""
    return np.array([[pairs]], float)


def members(*bits):
    """One estimator and layer; I(X;T) of each member, I(T;Y) 0."""
    return np.array([[[[b, 0.0]] for b in bits]], float)


def curves(*bits):
    """One estimator, member and layer; I(X;T) of each epoch, I(T;Y) 0."""
    return np.array([[[[[b, 0.0]] for b in bits]]], float)


# ---- distance


def test_each_variable_is_divided_by_its_entropy():
    a, b = point((4.0, 1.0), (3.0, 1.0)), point((4.4, 1.0), (3.0, 0.8))
    assert distance(a, b, ENTROPIES) == pytest.approx(0.2 / 2)
    assert distance(a, b, ENTROPIES, kind="raw") == pytest.approx(0.4)


def test_it_counts_what_falls_as_it_counts_what_rises():
    low, high = point((1.0, 0.0)), point((5.0, 0.0))
    assert distance(low, high, ENTROPIES) == distance(high, low, ENTROPIES) == 0.5


def test_the_estimator_that_moved_most_speaks():
    a, b = np.zeros((3, 1, 1, 2)), np.zeros((3, 1, 1, 2))
    b[1, 0, 0, 0] = 2.0
    assert distance(a, b, ENTROPIES) == 0.25


@pytest.mark.parametrize(
    ("a", "b", "known"),
    [
        ((NAN, 1.0), (NAN, 1.0), 0.0),  # missing at both
        ((NAN, 1.0), (3.0, 1.0), INF),  # missing at one
        ((3.0, 1.0), (NAN, 1.0), INF),
        ((3.0, 1.0), (INF, 1.0), INF),
        ((INF, 1.0), (INF, 1.0), 0.0),
        ((INF, 1.0), (-INF, 1.0), INF),
        ((-0.1, 1.0), (0.3, 1.0), 0.05),  # raw estimates may be negative
    ],
)
@pytest.mark.parametrize("kind", ["scaled", "raw"])
def test_values_that_are_missing_or_infinite(a, b, known, kind):
    scale = 1 if kind == "scaled" else 8
    assert distance(point(a), point(b), ENTROPIES, kind=kind) == pytest.approx(known * scale)


def test_without_labels_only_the_input_counts():
    a, b = point((4.0, NAN)), point((4.8, NAN))
    assert distance(a, b, (8.0, NAN)) == pytest.approx(0.1)


def test_labels_that_are_all_the_same_count_nothing():
    assert distance(point((4.0, 0.0)), point((4.8, 0.0)), (8.0, 0.0)) == pytest.approx(0.1)
    assert distance(point((4.0, 0.0)), point((4.0, 1e-9)), (8.0, 0.0)) == INF


def test_label_information_without_an_entropy_to_scale_it_is_refused():
    with pytest.raises(InputError, match=r"entropies are \(8\.0, nan\); expected numbers"):
        distance(point((4.0, 1.0)), point((4.0, 0.9)), (8.0, NAN))


@pytest.mark.parametrize(
    ("quantile", "known"), [(1.0, INF), (0.9, 0.5), (0.8, 0.5), (0.7, 0.4), (0.2, 0.1), (0.1, 0.0), (1e-6, 0.0)]
)
def test_a_quantile_is_the_distance_of_a_member_that_at_least_that_share_does_not_exceed(quantile, known):
    still = members(*[0.0] * 10)
    moved = members(0.8, 0.0, 1.6, 2.4, NAN, 2.4, 3.2, 4.0, 4.0, 2.4)  # 0 .1 .2 .3 .3 .3 .4 .5 .5 ∞ of 8 bits
    assert distance(still, moved, ENTROPIES, quantile=quantile) == pytest.approx(known)


def test_a_share_that_is_a_whole_number_of_members_is_not_rounded_up():
    assert 0.28 * 25 > 7  # in floating point
    still, moved = members(*[0.0] * 25), members(*range(25))
    assert distance(still, moved, ENTROPIES, kind="raw", quantile=0.28) == 6.0  # the 7th of 0, 1, 2…


arrays = hnp.arrays(float, (2, 3, 2, 2), elements=st.floats(-20, 20) | st.just(NAN))


@given(arrays, arrays, st.sampled_from(["scaled", "raw"]), st.floats(0.01, 1))
def test_it_is_symmetric_0_for_itself_and_never_below_0_and_changes_no_argument(a, b, kind, quantile):
    before = a.copy(), b.copy()
    known = distance(a, b, ENTROPIES, kind=kind, quantile=quantile)
    assert known == distance(b, a, ENTROPIES, kind=kind, quantile=quantile) >= 0
    assert distance(a, a, ENTROPIES, kind=kind, quantile=quantile) == 0
    assert np.array_equal(a, before[0], equal_nan=True)
    assert np.array_equal(b, before[1], equal_nan=True)


# ---- what is not seen


def test_coverage_by_hand():
    known = coverage(curves(0.0, 0.8, 1.6, 5.6, 2.4, 1.6, 6.4), [0, 2, 5, 6], ENTROPIES)
    # steps 0→2: .2, 2→5: 0, 5→6: .6 (adjacent); epoch 3 is .5 from both its neighbours, 1 is .1, 4 is .1
    assert known.points == 4
    assert known.largest_step == pytest.approx(0.6)
    assert known.largest_open_step == pytest.approx(0.2)
    assert known.largest_unseen == pytest.approx(0.5)


def test_deviation_is_from_the_nearer_of_both_neighbours():
    found = deviations(curves(0.0, 0.8, 6.4, 8.0), [0, 3], ENTROPIES)
    assert found == pytest.approx([0.0, 0.1, 0.2, 0.0])


def test_a_gap_that_is_seen_by_no_neighbour_is_infinitely_far():
    assert coverage(curves(0.0, NAN, 0.0), [0, 2], ENTROPIES).largest_unseen == INF
    assert coverage(curves(0.0, NAN, NAN), [0, 2], ENTROPIES).largest_unseen == 0
    assert coverage(curves(NAN, NAN, NAN), [0, 2], ENTROPIES).largest_unseen == 0


@given(hnp.arrays(float, st.integers(1, 30), elements=st.floats(0, 8)))
def test_nothing_is_unseen_where_every_epoch_is_measured(bits):
    known = coverage(curves(*bits), range(len(bits)), ENTROPIES)
    steps = np.abs(np.diff(bits)).max(initial=0) / 8
    assert (known.points, known.largest_step) == (len(bits), pytest.approx(steps))
    assert known.largest_unseen == known.largest_open_step == 0


@given(hnp.arrays(float, st.integers(3, 30), elements=st.floats(0, 8)), st.data())
def test_curves_that_only_rise_deviate_by_less_than_the_largest_step(bits, data):
    inner = data.draw(st.sets(st.integers(1, len(bits) - 2)))
    known = coverage(curves(*np.sort(bits)), sorted({0, *inner, len(bits) - 1}), ENTROPIES)
    assert known.largest_unseen <= known.largest_step + 1e-12  # rounding of the differences


@pytest.mark.parametrize("measured", [[], [1, 2], [0, 1], [0, 2, 1], [0, 0, 2], [0, 3]])
def test_measured_epochs_that_do_not_lead_from_first_to_last_are_refused(measured):
    with pytest.raises(InputError, match="expected ascending ones from 0 to 2"):
        coverage(curves(1.0, 1.0, 1.0), measured, ENTROPIES)
