"""Settings, memory and names of the schedules that depend on what is measured."""

import numpy as np
import pytest

from infoplane import InputError
from infoplane.schedules import DeltaApprox, DeltaExact, Log, as_live_schedule, as_schedule


@pytest.mark.parametrize("make", [DeltaExact, DeltaApprox])
@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"delta": 0.0}, "schedule delta is 0.0; expected a number above 0"),
        ({"delta": -0.1}, "schedule delta is -0.1"),
        ({"delta": np.nan}, "schedule delta is nan"),
        ({"delta": np.inf}, "schedule delta is inf"),
        ({"multiplier": 1.0}, "schedule multiplier is 1.0; expected a number above 1"),
        ({"multiplier": np.nan}, "schedule multiplier is nan"),
        ({"max_skip": 0}, "schedule max_skip is 0; expected at least 1 epoch"),
        ({"quantile": 0.0}, r"schedule quantile is 0.0; expected a share of members in \(0, 1\]"),
        ({"quantile": 1.5}, "schedule quantile is 1.5"),
        ({"quantile": np.nan}, "schedule quantile is nan"),
    ],
)
def test_settings_outside_their_range_are_refused(make, setting, text):
    with pytest.raises(InputError, match=text):
        make(**setting)


def test_a_budget_of_no_bytes_is_refused():
    with pytest.raises(InputError, match="schedule memory is 0; expected bytes, at least those of one checkpoint"):
        DeltaExact(memory=0)


def test_they_have_names():
    assert as_schedule("delta-exact") == DeltaExact()
    assert as_schedule("delta-approx") == as_live_schedule("delta-approx") == DeltaApprox()
    assert as_live_schedule("log") == Log()
    with pytest.raises(InputError, match="schedule is 'delta-aprox'; did you mean 'delta-approx'"):
        as_schedule("delta-aprox")


@pytest.mark.parametrize("schedule", ["delta-exact", DeltaExact(0.1)])
def test_a_live_model_that_cannot_go_back_is_told_what_to_use(schedule):
    with pytest.raises(InputError, match=r"cannot; use 'delta-approx', or keep checkpoints .* infoplane measure"):
        as_live_schedule(schedule)


def test_sections_are_as_long_as_two_of_them_fit_into_memory():
    schedule = DeltaExact(memory=1000, max_skip=64)
    assert schedule.fit_memory(1) == schedule
    assert schedule.fit_memory(7).max_skip == 64  # 127 epochs · 7 bytes
    assert schedule.fit_memory(8).max_skip == 63  # 125 epochs
    assert schedule.fit_memory(1000).max_skip == 1


def test_memory_below_one_checkpoint_is_refused_with_what_is_needed():
    with pytest.raises(InputError, match=r"memory is 1000 bytes; .* need 1001, two sections of max_skip=64 .* 127127"):
        DeltaExact(memory=1000).fit_memory(1001)
