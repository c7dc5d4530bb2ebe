"""How many threads an estimator uses."""

import pytest

from infoplane.errors import ConfigError
from infoplane.estimators._threads import n_threads


def test_the_environment_says_how_many(monkeypatch):
    monkeypatch.setenv("INFOPLANE_THREADS", "3")
    assert n_threads() == 3


@pytest.mark.parametrize("said", [None, ""])
def test_otherwise_there_is_one_for_each_core_that_may_be_used(monkeypatch, said):
    monkeypatch.delenv("INFOPLANE_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("INFOPLANE_THREADS", said)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 5, 6, 7}, raising=False)
    assert n_threads() == 5


@pytest.mark.parametrize("nonsense", ["many", "0", "-2", "1.5"])
def test_what_is_no_number_of_threads_is_refused(monkeypatch, nonsense):
    monkeypatch.setenv("INFOPLANE_THREADS", nonsense)
    with pytest.raises(ConfigError, match=f"INFOPLANE_THREADS is '{nonsense}'; expected a number of threads"):
        n_threads()
