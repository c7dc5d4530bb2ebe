"""Runs on images: wide and convolutional networks, subsets, workers, resumed to the bit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from infoplane.errors import ConfigError
from infoplane.runs import engine
from infoplane.runs.config import parse
from infoplane.runs.plan import Plan
from infoplane.runs.task import task_id

BASE = {
    "members": 2,
    "data": {"name": "digits"},
    "model": {"hidden": [16], "init": "keras"},
    "train": {"epochs": 6, "batch_size": 128, "optimizer": "sgd", "learning_rate": 0.05},
    "schedule": {"kind": "list", "epochs": [2, 4]},
    "estimators": [{"name": "binning", "edges": "width", "width": 0.5}, "kde"],
    "measure": {"parts": ["test"], "rows": 100},
}
CONV = {"kind": "conv", "filters": [2, 3], "hidden": [8], "init": "keras"}


def keys(**changes):
    return BASE | changes


@pytest.fixture(scope="module")
def conv(tmp_path_factory):
    """A run of convolutional networks whose channels are measured one by one."""
    folder = tmp_path_factory.mktemp("conv") / "run"
    return engine.run(parse(keys(model=CONV | {"channels": "each"})), folder)


@pytest.mark.slow
def test_channels_are_layers_of_a_result_and_share_the_norm_of_their_kernel(conv):
    assert conv["layer"].values.tolist() == [
        *("conv1[0]", "conv1[1]", "conv2[0]", "conv2[1]", "conv2[2]"), "hidden1", "output",
    ]  # fmt: skip
    assert np.isfinite(conv["information"]).all()
    norms = conv["weight_norm"].isel(member=0, step=-1).values
    assert norms[0] == norms[1] != norms[2] == norms[4]


def test_a_run_says_how_many_images_were_measured(conv):
    assert conv.attrs["n_samples"] == 100
    assert conv.attrs["input_entropy"] == pytest.approx(np.log2(100))
    assert float(conv["information"].max()) <= np.log2(100) + 1e-9


def test_a_stopped_run_of_convolutional_networks_goes_on_to_the_bit(conv, tmp_path, many_tasks):
    class StoppedAfter(ThreadPoolExecutor):
        left = 2

        def submit(self, fn, /, *arguments, **named):
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("stopped")
            return super().submit(fn, *arguments, **named)

    config = parse(keys(model=CONV | {"channels": "each"}))
    with StoppedAfter(1) as executor, pytest.raises(engine.IncompleteError):
        engine.run(config, tmp_path / "run", executor=executor)
    assert engine.resume(tmp_path / "run").identical(conv)


@pytest.mark.slow
def test_measuring_apart_gives_the_same_bits(tmp_path):
    config = parse(keys(members=1, model={"hidden": [130, 8], "init": "keras"}))
    with ThreadPoolExecutor(2) as executor:
        shared = engine.run(config, tmp_path / "b", executor=executor)
    assert shared.identical(engine.run(config, tmp_path / "a"))


def test_a_subset_is_the_same_for_every_network_and_lies_within_a_larger_one():
    few, many = (Plan(parse(keys(measure={"parts": ["test"], "rows": n}))).parts[""] for n in (50, 200))
    assert len(few) == 50
    assert set(few) < set(many) < set(Plan(parse(keys())).rows[1])


def test_large_networks_are_observed_on_measured_rows_only():
    small, wide = (Plan(parse(keys(model={"hidden": [width]}))) for width in (16, 200))
    assert len(small.observed) == 1797
    np.testing.assert_array_equal(wide.observed, wide.parts[""])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"name": "szt"}}, "model.kind is 'conv', but the inputs of 'szt' are no images"),
        ({"model": CONV | {"filters": [2, 2, 2, 2]}}, "model: images are 8 × 8 and filters has 4 entries"),
        ({"model": CONV | {"kernel": 2}}, "model: kernel is 2; expected an odd number"),
        ({"measure": {"precisions": True}}, "measure.precisions is for networks whose layers have fewer than 128"),
    ],
)
def test_what_does_not_fit_convolutions_is_refused_in_one_line(changes, words):
    with pytest.raises(ConfigError, match=words) as refused:
        Plan(parse(keys(model=CONV) | changes)).check()
    assert "\n" not in str(refused.value)


def test_keys_of_convolutions_are_refused_for_other_networks():
    with pytest.raises(ConfigError, match="'filters' belongs to kind 'conv'"):
        parse(keys(model={"filters": [2]}))


def test_pieces_of_older_runs_keep_their_names():
    """The name of a stretch was this before there were subsets, convolutions and a place of the data's files."""
    plan = Plan(parse({"members": 1, "train": {"epochs": 10}}))
    assert task_id(plan, 0, 0) == "b683c9a68dae1e87c730e8a02ddc2ecb"
