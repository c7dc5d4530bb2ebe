"""What a configuration comes to before anything is trained: the memory that it needs, and that it is refused beyond."""

import pytest

from infoplane.errors import ConfigError
from infoplane.runs.config import parse
from infoplane.runs.job import Job
from infoplane.runs.plan import Plan

N_WEIGHTS = (12 * 4 + 4) + (4 * 3 + 3) + (3 * 2 + 2)
CHECKPOINT = 4 * 3 * N_WEIGHTS  # float32 weights and two moments of one member
GROUP = 4 * (5 * N_WEIGHTS + (12 + 4 + 3 + 2) * 4096)  # the gradient and its mean too, and all activations


def test_a_bound_below_one_checkpoint_is_refused_with_what_is_needed(small):
    with pytest.raises(ConfigError) as caught:
        Plan(parse(small | {"memory": CHECKPOINT - 1})).check()
    assert f"a group of members needs {GROUP} bytes, {CHECKPOINT} of them for one checkpoint" in str(caught.value)
    assert f"above memory = {CHECKPOINT - 1}; " in str(caught.value)
    assert f"allow it with memory = {GROUP}" in str(caught.value)


def test_a_group_may_need_all_that_is_allowed_and_no_byte_more(small):
    Plan(parse(small | {"memory": GROUP})).check()
    with pytest.raises(ConfigError, match="above memory"):
        Plan(parse(small | {"memory": GROUP - 1})).check()


def test_the_plans_of_a_sweep_share_equal_data_sets(small):
    job = Job(parse(small | {"sweep": {"model.activation": ["tanh", "relu"], "data.name": ["szt", "g1"]}}))
    a, b, c, _ = job.plans
    assert a.dataset is c.dataset
    assert a.dataset is not b.dataset
    assert len(job.data) == 2


def test_groups_are_numbered_through_all_combinations(small):
    job = Job(parse(small | {"sweep": {"members": [1, 2], "seed": [0, 1]}}))
    assert [list(job.groups_of(plan)) for plan in job.plans] == [[0], [1], [2, 3], [4, 5]]
    assert job.labels_of(3) == {"members": 2, "seed": 0}
    assert job.net_epochs == 6 * 12


def test_shuffled_labels_are_other_data_and_so_is_another_seed_of_them(small):
    def digest(**changes):
        return Plan(parse(small | changes)).data_sha256

    shuffled = {"name": "szt", "shuffle_labels": True}
    assert digest() == digest(seed=1)
    assert len({digest(), digest(data=shuffled), digest(data=shuffled, seed=1)}) == 3
