"""Runs that count single updates instead of epochs."""

import numpy as np
import pytest

from infoplane.errors import ConfigError
from infoplane.experiments import summary
from infoplane.plots import content
from infoplane.runs import engine, task
from infoplane.runs.config import override, parse
from infoplane.runs.plan import Plan

KEYS = {
    "members": 3,
    "group_width": 2,
    "model": {"hidden": [4, 3]},
    "train": {"epochs": 6, "batch_size": 1000, "learning_rate": 0.003},
    "schedule": {"kind": "every", "n": 1, "unit": "updates"},
}
"""3277 rows trained on are 4 updates an epoch, the last of 277 rows."""


def keys(**changes):
    return parse(override(KEYS, changes))


@pytest.fixture(scope="module")
def updates(tmp_path_factory):
    """The result of a training measured after every update."""
    return engine.run(keys(), tmp_path_factory.mktemp("updates") / "run")


@pytest.fixture(scope="module")
def epochs(tmp_path_factory):
    """The same training measured after every epoch."""
    return engine.run(keys(**{"schedule.unit": "epochs"}), tmp_path_factory.mktemp("epochs") / "run")


def test_updates_are_numbered_through_all_epochs(updates):
    assert Plan(keys()).last == 24
    assert updates["epoch"].values.tolist() == list(range(25))
    assert updates["step"].values.tolist() == list(range(25))
    assert updates.attrs["epoch_unit"] == "update"


@pytest.mark.slow
def test_at_the_end_of_an_epoch_both_have_trained_on_the_same(updates, epochs):
    # another program rounds differently; Adam makes more of that, so the first epochs are compared
    norms = updates["weight_norm"].isel(step=slice(0, None, 4)).values
    assert np.allclose(norms[:, :4], epochs["weight_norm"].values[:, :4], rtol=1e-4)
    ends = updates["information"].isel(epoch=slice(0, None, 4)).values
    assert np.allclose(ends[:, :, :3], epochs["information"].values[:, :, :3], atol=0.02)


def test_losses_of_an_epoch_are_the_mean_of_its_updates_weighted_by_rows(updates, epochs):
    of_update = updates["loss"].sel(split="train").values[:, 1:].reshape(3, 6, 4)
    weighted = (of_update * [1000, 1000, 1000, 277]).sum(axis=-1) / 3277
    assert np.allclose(weighted[:, :3], epochs["loss"].sel(split="train").values[:, 1:4], rtol=1e-4)


def test_a_single_update_has_a_gradient_without_spread(updates):
    assert (updates["gradient_mean"].isel(step=slice(1, None)) > 0).all()
    assert updates["gradient_std"].isel(step=slice(1, None)).isnull().all()


@pytest.mark.slow
def test_many_small_tasks_give_the_same_bits(updates, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "FLUSH_SECONDS", -1.0)
    assert engine.run(keys(), tmp_path / "run").equals(updates)


def test_a_schedule_that_follows_counts_updates_too(updates, tmp_path):
    asked = {"kind": "delta-exact", "delta": 0.03, "max_skip": 8, "unit": "updates"}
    ds = engine.run(keys(schedule=asked), tmp_path / "run")
    assert 2 < ds.sizes["epoch"] < 25
    assert ds["information"].equals(updates["information"].sel(epoch=ds["epoch"]))


def test_pictures_and_sentences_speak_of_updates(updates):
    assert content.epoch_word(updates) == "update"
    assert any("by update" in one.sentence for one in summary.summarise(updates))


def test_another_unit_is_refused():
    with pytest.raises(ConfigError, match=r"schedule\.unit: input should be 'epochs' or 'updates', got 'steps'"):
        keys(**{"schedule.unit": "steps"})
