"""Distributions of activations, measured by a run that is asked for them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from infoplane import results
from infoplane.nets import histogram, mlp, precision
from infoplane.runs import engine
from infoplane.runs.config import parse
from infoplane.runs.plan import Plan
from infoplane.runs.task import task_id


@pytest.fixture(scope="module")
def keys(small):
    return small | {"measure": {"histograms": True}, "group_width": 2}


@pytest.fixture(scope="module")
def measured(tmp_path_factory, keys):
    return engine.run(parse(keys), tmp_path_factory.mktemp("histograms") / "run")


def test_they_are_what_the_initial_weights_give(measured, keys):
    plan = Plan(parse(keys))
    weights = mlp.draw_weights(plan.shape.kernels, "fan-in", "fan-in", plan.config.seed, [0, 1])
    for layer, exact in zip(plan.layers, precision.activations(weights, "tanh", plan.dataset.inputs.T), strict=True):
        got = measured["histogram"].sel(epoch=0, layer=layer).transpose("member", "cell")
        # a value within rounding of an edge may fall to either side of it
        np.testing.assert_allclose(got, histogram.shares(exact.astype(np.float32)), atol=3 / exact[0].size)


def test_they_are_kept_on_disk_and_described(measured, tmp_path):
    results.save(measured, tmp_path / "results.nc")
    loaded = results.load(tmp_path / "results.nc")
    np.testing.assert_array_equal(loaded["histogram"], measured["histogram"])
    np.testing.assert_array_equal(loaded["cell"], histogram.LOWER)
    assert loaded["histogram"].attrs["units"] == "1"


def test_they_change_nothing_else_and_are_measured_only_where_asked_for(measured, small, tmp_path):
    without = engine.run(parse(small | {"group_width": 2}), tmp_path / "run")
    assert "histogram" not in without
    assert "cell" not in without.dims
    for name in without.data_vars:
        np.testing.assert_array_equal(measured[name], without[name])


def test_measured_by_several_workers_they_are_the_same(measured, keys, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        shared = engine.run(parse(keys), tmp_path / "run", executor=pool)
    np.testing.assert_array_equal(shared["histogram"], measured["histogram"])


def test_a_variant_may_have_them_alone(small, tmp_path):
    variants = [{"label": "without"}, {"label": "with", "measure.histograms": True}]
    ds = engine.run(parse(small | {"group_width": 2, "variants": variants}), tmp_path / "run")
    assert ds["histogram"].sel(variant="without").isnull().all()
    assert ds["histogram"].sel(variant="with").notnull().all()


def test_they_give_the_pieces_of_a_run_another_name_and_their_absence_does_not(keys, small):
    with_them, without = Plan(parse(keys)), Plan(parse(small | {"group_width": 2}))
    assert task_id(with_them, 0, 0) != task_id(without, 0, 0)
    explicit = Plan(parse(small | {"group_width": 2, "measure": {"histograms": False}}))
    assert task_id(explicit, 0, 0) == task_id(without, 0, 0)
