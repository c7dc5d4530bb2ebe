"""The table of experiments, and how names, files and changes become a configuration."""

import re

import pytest

from infoplane import experiments
from infoplane.errors import ConfigError
from infoplane.experiments import EXPERIMENTS, configure, new_folder
from infoplane.runs.config import Config
from infoplane.runs.plan import Plan


@pytest.mark.parametrize("as_paper", [False, True])
@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_can_be_run_in_every_variant(name, quick, as_paper):
    config = configure(name, quick=quick, as_paper=as_paper)
    if EXPERIMENTS[name].needs_data:
        assert isinstance(config, Config)
        with pytest.raises(ConfigError, match=r"read from files; .*--data PATH.*t10k-images-idx3-ubyte"):
            Plan(config).check()
    elif isinstance(config, Config):  # what is computed by a formula has nothing to be planned
        Plan(config).check()
    assert config.name == name


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_every_experiment_says_what_it_shows_and_draws_what_exists(experiment):
    from infoplane import plots

    assert not re.search(r"\d+ (\w+ )?(networks|members)", experiment.title)  # --quick and --members change it
    assert experiment.source
    assert set(experiment.figures) <= set(plots.FIGURES)


def test_quick_is_smaller_than_the_full_run():
    quick, full = configure("szt", quick=True), configure("szt")
    assert quick.members * quick.train.epochs < full.members * full.train.epochs / 10


def test_the_default_is_the_public_code_and_the_variant_is_the_paper():
    assert (configure("szt").train.optimizer, configure("szt").train.learning_rate) == ("adam", 4e-4)
    assert configure("szt", as_paper=True).train.optimizer == "sgd"


def test_changes_come_last():
    assert configure("szt", quick=True, changes={"members": 3, "train.epochs": 7}).train.epochs == 7
    assert configure("szt", changes={"train": {"epochs": 7}}).train.batch_size == 256


@pytest.mark.parametrize(
    ("name", "hint"), [("szr", "did you mean 'szt'?"), ("zzzzzz", "known: .*szt"), ("", "known: .*szt")]
)
def test_an_unknown_experiment_is_refused_with_the_nearest(name, hint):
    with pytest.raises(ConfigError, match=f"unknown experiment '{name}'; {hint.replace('?', '[?]')}"):
        configure(name)


@pytest.mark.parametrize(
    ("file", "name"),
    [("my run.toml", "my run"), ("µ-Läufe!.toml", "L-ufe"), ("µλ.toml", "run"), ("x" * 90 + ".toml", "x" * 80)],
)
def test_a_configuration_file_of_any_name_names_its_run(tmp_path, file, name):
    (tmp_path / file).write_text("members = 3\n")
    config = configure(tmp_path / file)
    assert config.members == 3
    assert config.name == name


def test_a_name_in_the_file_wins(tmp_path):
    (tmp_path / "a.toml").write_text("name = 'b'\n")
    assert configure(tmp_path / "a.toml").name == "b"


def test_a_configuration_is_taken_as_it_is_and_can_be_changed():
    config = configure("szt", quick=True)
    assert configure(config) == config
    assert configure(config, changes={"seed": 5}) == Config(**dict(config) | {"seed": 5})


def test_variants_of_what_is_no_packaged_experiment_are_refused(tmp_path):
    (tmp_path / "a.toml").write_text("members = 3\n")
    for options in ({"quick": True}, {"as_paper": True}):
        with pytest.raises(ConfigError, match="are variants of packaged experiments"):
            configure(tmp_path / "a.toml", **options)


def test_a_new_folder_does_not_exist_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = new_folder("my run")
    first.mkdir(parents=True)
    second = new_folder("my run")
    assert first.parent.name == second.parent.name == "runs"
    assert not second.exists()
    assert " " not in second.name


def test_a_refused_run_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for changes in ({"members": 0}, {"train": {"batch_size": 9999}}, {"data": {"name": "sxt"}}):
        with pytest.raises(ConfigError):
            experiments.run("szt", **changes)
    assert list(tmp_path.iterdir()) == []
