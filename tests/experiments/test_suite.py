"""Several experiments in one command: what is chosen, what is done already, what may not be mixed."""

import numpy as np
import pytest

import infoplane as ip
from infoplane import experiments
from infoplane.errors import ConfigError, StoreError
from infoplane.experiments.base import Experiment
from infoplane.experiments.suite import FOLDER, entries, left_out

SMALL = {
    "members": 2,
    "model": {"hidden": [4, 3]},
    "train": {"epochs": 12, "batch_size": 1024},
    "schedule": {"kind": "list", "epochs": [4]},
}


def made_up(name, **changes):
    options = {"title": name, "source": "", "paper": {}, "paper_note": "", "quick": {"members": 1}}
    return Experiment(name=name, config=SMALL | changes, figures=("information", "compression"), **options)


@pytest.fixture(autouse=True)
def three(monkeypatch):
    """Three small experiments in place of the packaged ones; the second varies something."""
    varied = made_up("a-varied", variants=[{"label": "tanh"}, {"label": "relu", "model.activation": "relu"}])
    table = {one.name: one for one in (made_up("a"), varied, made_up("b", seed=3))}
    monkeypatch.setattr(experiments, "EXPERIMENTS", table)


def run(made):
    return [entry.run() for entry in made if not entry.finished]


def test_what_needs_data_is_left_out_and_told(tmp_path, monkeypatch):
    table = {**experiments.EXPERIMENTS, "c": made_up("c", data={"name": "mnist"})}
    monkeypatch.setattr(experiments, "EXPERIMENTS", table)
    assert [entry.name for entry in entries(out=tmp_path)] == ["a", "a-varied", "b"]
    assert left_out() == ["c"]
    with pytest.raises(ConfigError, match="--only c: needs data; infoplane run c --data PATH"):
        entries("c", tmp_path)


def test_a_prefix_chooses_in_the_tables_order(tmp_path):
    assert [entry.name for entry in entries(out=tmp_path)] == ["a", "a-varied", "b"]
    assert [entry.name for entry in entries("a", tmp_path)] == ["a", "a-varied"]
    assert [entry.folder for entry in entries("b")] == [FOLDER / "b"]
    with pytest.raises(ConfigError, match="no experiment's name begins so; known: a, a-varied, b"):
        entries("c")


@pytest.mark.slow
def test_each_is_run_into_its_folder_and_then_left_alone(tmp_path, monkeypatch):
    first, varied, _ = run(entries(out=tmp_path, quick=True))
    assert first.sizes["member"] == 1
    assert varied["variant"].values.tolist() == ["tanh", "relu"]
    names = {path.name for path in (tmp_path / "a-varied" / "figures").glob("*.png")}
    assert names == {"compression.png", "information-variant=tanh.png", "information-variant=relu.png"}
    assert all(entry.finished for entry in entries(out=tmp_path, quick=True))


@pytest.mark.slow
def test_one_without_its_figures_or_its_end_is_gone_on_with(tmp_path):
    (entry,) = entries("b", tmp_path)
    whole = entry.run()
    log = entry.folder / "log.jsonl"
    log.write_text("".join(line for line in log.read_text().splitlines(True) if '"shown"' not in line))
    assert entry.begun
    assert not entry.finished
    np.testing.assert_array_equal(entry.run()["information"], whole["information"])
    assert entry.finished


def test_a_folder_of_the_small_version_is_not_taken_for_the_whole(tmp_path):
    (quick,) = entries("b", tmp_path, quick=True)
    quick.run()
    (whole,) = entries("b", tmp_path)
    assert not whole.finished
    with pytest.raises(StoreError, match="members"):
        whole.run()
    assert ip.load(quick.folder).sizes["member"] == 1
