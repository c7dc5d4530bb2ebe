"""Computed runs keep the contract of every run: folder, checksums, Ctrl-C, resume to the same bits, other settings."""

import os
import shutil
import signal
import time

import numpy as np
import pytest

import infoplane as ip
from infoplane import experiments, results
from infoplane.cli import run as commands
from infoplane.experiments import EXPERIMENTS, config_in, configure
from infoplane.experiments.exact import linear, minimal
from infoplane.runs import computed
from infoplane.runs.status import status_lines

SMALL = {
    "members": 3,
    "data.inputs": 6,
    "data.samples": 20,
    "model.hidden": [5],
    "train.epochs": 60,
    "measure.points": 10,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a small finished run."""
    folder = tmp_path_factory.mktemp("computed") / "run"
    ip.run("saxe-overtraining-linear", folder, **SMALL)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def stopped(folder, monkeypatch, after, number=signal.SIGINT):
    """Start the small run and send this process a signal while a member is computed."""
    of, asked = linear.compute, []

    def compute(settings, member):
        asked.append(member)
        if len(asked) == after:
            os.kill(os.getpid(), number)
        return of(settings, member)

    monkeypatch.setattr(linear, "compute", compute)
    with pytest.raises(KeyboardInterrupt) as stop:
        ip.run("saxe-overtraining-linear", folder, **SMALL)
    monkeypatch.setattr(linear, "compute", of)
    return stop.value


def test_the_folder_holds_what_every_run_holds(whole):
    names = {path.name for path in whole.iterdir()}
    assert {"run.json", "log.jsonl", "results.nc", "summary.csv", "figures", "pieces", "LOCK"} <= names
    assert len(list((whole / "pieces").iterdir())) == 3
    assert {path.name for path in (whole / "figures").iterdir()} == {
        "errors.png",
        "errors.pdf",
        "plane.png",
        "plane.pdf",
    }


def test_the_result_reads_back_with_its_provenance(whole):
    ds = ip.load(whole)
    assert ds["information"].dims == results.INFORMATION_DIMS
    assert ds.attrs["title"] == "saxe-overtraining-linear"
    assert results.config_of(ds)["data"]["inputs"] == 6
    assert ds["information"].attrs["units"] == "bits"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_goes_on_to_the_same_bits(whole, tmp_path, monkeypatch, number):
    folder = tmp_path / "run"
    stop = stopped(folder, monkeypatch, after=2, number=number)
    assert stop.signal_number == number
    assert str(stop).endswith(f"continue with 'infoplane resume {folder}'")
    assert bool(ip.load(folder)["information"].isel(member=2).isnull().all())
    assert status_lines(folder)[1:] == [
        "done: 2 of 3 members",
        f"left: continue with 'infoplane resume {folder}'",
    ]
    before = (folder / "pieces").stat().st_mtime_ns, {p.name: p.read_bytes() for p in (folder / "pieces").iterdir()}
    ds = ip.resume(folder)
    assert ds.drop_attrs().identical(ip.load(whole).drop_attrs())
    assert all((folder / "pieces" / name).read_bytes() == content for name, content in before[1].items())
    assert status_lines(folder)[-1] == "complete: results.nc is there"


def test_a_member_that_takes_long_is_dropped_soon_after_a_request_to_stop(whole, tmp_path, monkeypatch):
    folder, ended = tmp_path / "run", []

    def compute(settings, member):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(2000):
            time.sleep(0.01)
        ended.append(member)

    of = linear.compute
    monkeypatch.setattr(linear, "compute", compute)
    monkeypatch.setattr(computed, "GRACE", 0.05)
    with pytest.raises(KeyboardInterrupt):
        ip.run("saxe-overtraining-linear", folder, **SMALL)
    assert ended == []
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    monkeypatch.setattr(linear, "compute", of)
    assert ip.resume(folder).drop_attrs().identical(ip.load(whole).drop_attrs())


def test_a_finished_run_is_not_computed_again(copy, monkeypatch):
    def refuse(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(linear, "compute", refuse)
    assert ip.resume(copy).drop_attrs().identical(ip.load(copy).drop_attrs())


@pytest.mark.parametrize("name", ["pieces", "results.nc"])
def test_what_is_damaged_is_computed_again(copy, whole, name):
    path = copy / name if name.endswith("nc") else sorted((copy / name).iterdir())[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    if name == "pieces":
        (copy / "results.nc").unlink()
    told = []
    ds = ip.resume(copy, on_event=told.append)
    assert ds.drop_attrs().identical(ip.load(whole).drop_attrs())
    assert "content differs from what was written (SHA-256)" in next(one.text for one in told if hasattr(one, "text"))


def test_other_settings_are_refused_and_named(copy):
    with pytest.raises(ip.StoreError, match=r"data\.samples: 20 → 30; undo that, or start a new run beside it"):
        ip.resume(copy, **{"data.samples": 30})


@pytest.mark.slow
def test_a_new_run_starts_beside_the_old_one(copy):
    ds = ip.resume(copy, force_new=True, members=1)
    assert ds.attrs["folder"] == f"{copy}-2"
    assert ds.sizes["member"] == 1


def test_a_changed_run_json_is_refused(copy):
    text = (copy / "run.json").read_text().replace('"samples": 20', '"samples": 21')
    (copy / "run.json").write_text(text)
    with pytest.raises(ip.StoreError, match="content differs from what was written"):
        ip.resume(copy)


def test_a_folder_with_a_run_is_not_overwritten(copy):
    with pytest.raises(ip.StoreError, match="already a run; continue it with"):
        ip.run("saxe-minimal", copy)


def test_members_do_not_depend_on_how_many_there_are(whole, tmp_path):
    ds = ip.run("saxe-overtraining-linear", tmp_path / "run", **SMALL | {"members": 2})
    assert np.array_equal(ds["information"], ip.load(whole)["information"].isel(member=slice(2)))


@pytest.mark.parametrize("executor", [2, "tcp://localhost:1"])
def test_workers_are_refused_before_anything_is_written(tmp_path, executor):
    with pytest.raises(ip.ConfigError, match="saxe-minimal is computed in this process; leave out"):
        ip.run("saxe-minimal", tmp_path / "run", executor)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"membres": 3}, "unknown key 'membres'; did you mean 'members'"),
        ({"data.sample": 3}, "unknown key 'data.sample'; did you mean 'data.samples'"),
        ({"members": 0}, "members: input should be greater than or equal to 1, got 0"),
        ({"data.signal_to_noise": -1.0}, "data.signal_to_noise: input should be greater than 0"),
        ({"data.relevant": 100}, "data.relevant is 100; expected fewer than the 100 inputs"),
        ({"measure.oracle_samples": 3}, "measure.oracle_samples is 3; expected 0 or at least 100"),
        ({"data": {"samples": 10**6, "inputs": 2000}}, "data.samples × data.inputs = 1000000 × 2000 numbers take 14.9"),
        ({"members": 10**4, "measure.points": 10**5}, "members × measure.points × layers = 10000 × 100000 × 2 need"),
        ({"name": "mine"}, "name is 'mine'; a computed experiment keeps its name, 'saxe-linear'"),
        ({"sweep": {"members": [1, 2]}}, "unknown key 'sweep'"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, told):
    with pytest.raises(ip.ConfigError, match=told):
        configure("saxe-linear", changes=changes)


def test_settings_can_be_given_as_they_are_and_changed():
    settings = configure("saxe-minimal", quick=True)
    assert isinstance(settings, minimal.MinimalSettings)
    assert configure(settings, changes={"members": 7}).members == 7


def test_the_settings_of_a_folder_are_those_asked_for(whole):
    assert config_in(whole) == configure("saxe-overtraining-linear", changes=SMALL)
    assert computed.is_computed(whole)


def test_every_quick_version_has_its_members_and_differs_from_the_full_one():
    for name, experiment in EXPERIMENTS.items():
        if experiment.computation:
            quick, full = configure(name, quick=True), configure(name)
            assert quick.members < full.members
            assert full.members >= (5 if name == "as-if-random" else 20)  # which trains networks


def test_plot_draws_again_and_export_writes_a_table(copy):
    assert len(experiments.draw(ip.load(copy), copy)) == 4
    table = results.to_table(ip.load(copy))
    assert len(table) == ip.load(copy)["information"].size


def test_the_command_line_goes_through_the_same_doors(tmp_path, capsys):
    options = {"quick": True, "set_": ["points=5"], "members": 2, "out": tmp_path / "run"}
    commands.run("saxe-minimal", **options)
    out = capsys.readouterr().out
    assert "exact(bins=30); mean over 2 members, in bits" in out
    assert "figures/ (minimal.png)" in out
    assert "a deeper layer" not in out  # activations side by side are no chain
    commands.status(tmp_path / "run")
    assert "done: 2 of 2 members" in capsys.readouterr().out
