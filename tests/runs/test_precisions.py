"""Distinct rows in several precisions and ranks, measured by a run."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from infoplane.nets import mlp, precision
from infoplane.runs import engine
from infoplane.runs.config import parse
from infoplane.runs.plan import Plan


@pytest.fixture(scope="module")
def keys(small):
    return small | {"measure": {"precisions": True}, "group_width": 2}


@pytest.fixture(scope="module")
def measured(tmp_path_factory, keys):
    return engine.run(parse(keys), tmp_path_factory.mktemp("precisions") / "run")


def test_they_are_what_the_initial_weights_give(measured, keys):
    plan = Plan(parse(keys))
    weights = mlp.draw_weights(plan.shape.kernels, "fan-in", "fan-in", plan.config.seed, [0, 1])
    for layer, exact in zip(plan.layers, precision.activations(weights, "tanh", plan.dataset.inputs.T), strict=True):
        known = precision.counts(exact.astype(np.float32), exact)
        got = measured.sel(epoch=0, layer=layer)
        for name in ("distinct_rows_float64", "rank_float64"):
            np.testing.assert_array_equal(got[name], known[name])


def test_a_coarser_precision_keeps_fewer_rows_apart(measured):
    assert (measured["distinct_rows_float16"] <= measured["distinct_rows"]).all()
    assert (measured["rank"] <= [4, 3, 2]).all()


def test_they_do_not_change_what_else_is_measured(measured, small, tmp_path):
    without = engine.run(parse(small | {"group_width": 2}), tmp_path / "run")
    assert not set(precision.COUNTS) & set(without.data_vars)
    for name in without.data_vars:
        np.testing.assert_array_equal(measured[name], without[name])


@pytest.mark.slow
def test_measured_by_several_workers_they_are_the_same(measured, keys, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        shared = engine.run(parse(keys), tmp_path / "run", executor=pool)
    for name in precision.COUNTS:
        np.testing.assert_array_equal(shared[name], measured[name])
