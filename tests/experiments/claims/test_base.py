"""Intervals and verdicts, worked out by hand."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from infoplane.experiments.claims.base import (
    CONFIRMED,
    DENIED,
    NOT_DECIDED,
    Case,
    Claim,
    Sample,
    answer,
    interval,
    judge,
)
from infoplane.experiments.claims.view import Run

ABOVE = Claim("a", "It is large.", "here", "size", "bits", "above", 1.0, "sizes", "plane", lambda _: [])
BELOW = dataclasses.replace(ABOVE, side="below")


def case(*values, obstacle=""):
    samples = tuple(Sample(f"setting {place}", np.array(one, float)) for place, one in enumerate(values))
    return Case("it", samples, obstacle)


def test_the_interval_is_students_t():
    # 1, 2, 3, 4: mean 2.5, sd √(5/3), t(0.975; 3) = 3.182446
    found = interval(np.array([1.0, 2.0, 3.0, 4.0]))
    half = 3.182446305284263 * np.sqrt(5 / 3) / 2
    assert (found.estimate, found.members) == (2.5, 4)
    assert (found.low, found.high) == pytest.approx((2.5 - half, 2.5 + half), rel=1e-9)


def test_the_interval_of_a_difference_is_welchs():
    one, other = np.array([1.0, 2.0, 4.0, 7.0]), np.array([2.0, 2.5, 2.25])
    found = interval(one, other)
    known = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), rel=1e-9)
    assert found.members == 3


def test_members_without_a_number_do_not_count():
    assert interval(np.array([1.0, np.nan, 3.0])) == interval(np.array([1.0, 3.0]))


@pytest.mark.parametrize(("values", "members"), [([], 0), ([np.nan], 0), ([2.0], 1), ([2.0, np.nan], 1)])
def test_fewer_than_two_numbers_have_no_interval(values, members):
    found = interval(np.array(values))
    assert np.isnan(found.low)
    assert found.members == members


def test_equal_numbers_have_an_interval_of_no_width():
    found = interval(np.array([3.0, 3.0, 3.0]))
    assert (found.low, found.estimate, found.high) == (3, 3, 3)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        found = interval(rng.standard_normal(5))
        held += found.low <= 0 <= found.high
    assert held / 2000 == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 2000))


@pytest.mark.parametrize(
    ("claim", "values", "verdict"),
    [
        (ABOVE, [2.0, 2.1, 2.2], CONFIRMED),
        (ABOVE, [0.0, 0.1, 0.2], DENIED),
        (ABOVE, [0.0, 1.0, 2.0], NOT_DECIDED),
        (ABOVE, [1.0, 1.0, 1.0], NOT_DECIDED),
        (BELOW, [2.0, 2.1, 2.2], DENIED),
        (BELOW, [0.0, 0.1, 0.2], CONFIRMED),
        (BELOW, [0.0, 1.0, 2.0], NOT_DECIDED),
    ],
)
def test_the_side_of_the_bound_on_which_the_interval_lies_decides(claim, values, verdict):
    assert judge(claim, case(values)).verdict == verdict


def test_all_settings_must_confirm_and_one_denies():
    high, low, wide = [2.0, 2.1, 2.2], [0.0, 0.1, 0.2], [0.0, 1.0, 2.0]
    assert judge(ABOVE, case(high, high)).verdict == CONFIRMED
    assert judge(ABOVE, case(high, wide)).verdict == NOT_DECIDED
    found = judge(ABOVE, case(high, wide, low))
    assert found.verdict == DENIED
    assert found.estimate == pytest.approx(0.1)
    assert found.reason.startswith("1 of 3 settings confirm, denied at setting 2; worst at setting 2: 0.1 (")


@pytest.mark.parametrize(("claim", "least"), [(ABOVE, 2.0), (BELOW, 0.5)])
def test_of_settings_that_confirm_the_nearest_to_the_bound_is_shown(claim, least):
    far, near = ([9.0, 9.0, 9.0], [2.0, 2.0, 2.0]) if claim is ABOVE else ([-9.0, -9.0, -9.0], [0.5, 0.5, 0.5])
    assert judge(claim, case(far, near)).estimate == judge(claim, case(near, far)).estimate == least


@pytest.mark.parametrize("claim", [ABOVE, BELOW])
def test_an_undecided_setting_is_shown_before_any_that_confirms(claim):
    clear, wide = ([1.4, 1.4, 1.4] if claim is ABOVE else [0.6, 0.6, 0.6]), [0.0, 1.0, 2.0]
    found = judge(claim, case(clear, wide))
    assert found.estimate == pytest.approx(1.0)
    assert "1 of 2 settings confirm; worst at setting 1: 1 (" in found.reason


def test_several_settings_share_the_error():
    alone, shared = judge(ABOVE, case([2.0, 2.1, 2.3])), judge(ABOVE, case([2.0, 2.1, 2.3], [2.0, 2.1, 2.3]))
    assert shared.interval[0] < alone.interval[0]
    assert shared.interval[0] == pytest.approx(interval(np.array([2.0, 2.1, 2.3]), error=0.025).low)


def test_a_setting_without_an_interval_leaves_it_undecided():
    found = judge(ABOVE, case([2.0, 2.1, 2.2], [5.0]))
    assert (found.verdict, found.reason) == (
        NOT_DECIDED,
        "at setting 1: needs at least 2 members for an interval over members; there is 1",
    )


def test_most_members_must_have_a_number():
    found = judge(ABOVE, case([2.0, 2.1, np.nan, np.nan, np.nan]))
    assert found.verdict == NOT_DECIDED
    assert found.reason.startswith("needs a number of at least half of the members; mean 2.05 of 2")
    assert judge(ABOVE, case([2.0, 2.01, 2.02, np.nan, np.nan, np.nan])).verdict == CONFIRMED


def test_an_obstacle_decides_whatever_the_numbers():
    found = judge(ABOVE, case([2.0, 2.1, 2.2], obstacle="needs bins"))
    assert (found.verdict, found.reason) == (NOT_DECIDED, "needs bins")


def test_a_claim_that_finds_no_case_says_what_it_needs():
    (found,) = answer(ABOVE, Run([]))
    assert (found.verdict, found.reason) == (NOT_DECIDED, "needs sizes")
