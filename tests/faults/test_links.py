"""Links in a folder that somebody sent: refused by name, and nothing outside the folder is read or written."""

import contextlib
import os
import shutil
import warnings

import numpy as np
import pytest

import infoplane as ip
from infoplane import files
from infoplane.runs.store import Store

INPUTS = np.random.default_rng(0).standard_normal((24, 3))


def record(folder):
    recorder = ip.Recorder(INPUTS, INPUTS[:, 0] > 0, ["binning"], "every", out=folder)
    for epoch in range(2):
        recorder.step(epoch, lambda batch, s=epoch + 1: {"h": np.tanh(s * batch), "o": batch[:, :1]})
    recorder.close()
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return record(tmp_path_factory.mktemp("recorded") / "run")


@pytest.fixture
def outside(tmp_path):
    """A folder that must stay as it is, with a file and a folder in it."""
    place = tmp_path / "outside"
    (place / "inner").mkdir(parents=True)
    (place / "victim").write_text("precious\n")
    yield place
    assert sorted(path.name for path in place.rglob("*")) == ["inner", "victim"]
    assert (place / "victim").read_text() == "precious\n"


def plant(folder, name, target):
    """Put a link in the place of a file or a folder."""
    path = folder / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target)


TOP = ["LOCK", "log.jsonl", "run.json", "results.nc", "results.nc.partial", "information.csv", "report.html"]
OF_RUNS = [*TOP, "figures", "pieces", "weights", "summary.csv", "figures/plane.png", "pieces/x.npz", "weights/x.npz"]
OF_RECORDINGS = [*TOP, "rows.jsonl", "figures", "figures/plane.pdf.partial"]
READERS = ["plot", "export", "report", "claims", "status", "animate", "diff", "resume"]
KINDS = {"file": "victim", "folder": "inner", "nothing": "missing"}


def each_with_a_kind(links):
    """Each link with one kind of target in turn, the other two marked as slow."""
    kinds = [*KINDS]
    return [
        pytest.param(link, kind, marks=[] if kind == kinds[place % 3] else pytest.mark.slow)
        for place, link in enumerate(links)
        for kind in kinds
    ]


def refused(command, name, folder, link):
    arguments = {"animate": ["--to", folder.parent / "film.gif"], "diff": [folder]}.get(name, [])
    code, err = command(name, folder, *arguments)
    assert (code, err.count("\n")) == (2, 1), (name, link, err)
    if name != "resume" or "a recording; go on" not in err:
        assert f"{folder / link}: is a link; " in err, (name, link)


@pytest.mark.parametrize(("link", "kind"), each_with_a_kind(OF_RUNS))
def test_every_command_refuses_a_run_with_a_link(sound, command, outside, tmp_path, tally, link, kind):
    folder = shutil.copytree(sound[0], tmp_path / "run")
    plant(folder, link, outside / KINDS[kind])
    for name in READERS:
        refused(command, name, folder, link)
    assert not (tmp_path / "film.gif").exists()
    tally(
        "a link to a file, a folder or nothing within the folder of a run or a recording",
        len(READERS),
        f"refused by its name with exit code 2 by each of {', '.join(READERS)}; nothing outside was changed",
    )


@pytest.mark.parametrize(("link", "kind"), each_with_a_kind(OF_RECORDINGS))
def test_every_command_refuses_a_recording_with_a_link(recorded, command, outside, tmp_path, tally, link, kind):
    folder = shutil.copytree(recorded, tmp_path / "run")
    plant(folder, link, outside / KINDS[kind])
    for name in READERS:
        refused(command, name, folder, link)
    with pytest.raises(ip.StoreError, match="is a link; "):
        ip.Recorder(INPUTS, INPUTS[:, 0] > 0, ["binning"], "every", out=folder)
    with pytest.raises(ip.StoreError, match="is a link; "):
        ip.load(folder)
    tally(
        "a link to a file, a folder or nothing within the folder of a run or a recording",
        len(READERS),
        f"refused by its name with exit code 2 by each of {', '.join(READERS)}; nothing outside was changed",
    )


def test_the_path_that_the_user_names_may_be_a_link(sound, recorded, command, tmp_path):
    for number, (made, commands) in enumerate(
        [(sound[0], ["resume", "status", "plot"]), (recorded, ["status", "plot"])]
    ):
        folder, link = shutil.copytree(made, tmp_path / f"run{number}"), tmp_path / f"link{number}"
        link.symlink_to(folder)
        for name in commands:
            assert command(name, link)[0] == 0, name
        assert ip.load(link).sizes == ip.load(folder).sizes
    record(link)


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_file_that_is_a_link_is_refused(sound, command, outside, tmp_path, kind):
    for name, link in (("animate", "film.html"), ("report", "page.html")):
        plant(tmp_path, link, outside / KINDS[kind])
        code, err = command(name, sound[0], "--to", tmp_path / link)
        assert code == 2
        assert err.startswith(f"infoplane: {tmp_path / link}: is a link; ")


# ---- the writer itself, also where a link appears after the folder was checked


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_is_written_or_removed_through_a_link(tmp_path, outside, kind):
    folder = tmp_path / "run"
    folder.mkdir()
    target = outside / KINDS[kind]
    for name in ("a.json", "a.json.partial", "LOCK", "log.jsonl", "inner"):
        plant(folder, name, target)
    for work in (
        lambda: files.write_bytes(folder / "a.json", b"x"),
        lambda: files.append_line(folder / "log.jsonl", {"a": 1}),
        lambda: files.write_bytes(folder / "inner" / "b.json", b"x", inside=folder),
        lambda: files.make_folder(folder / "inner", inside=folder),
        lambda: files.read_bytes(folder / "a.json"),
        lambda: files.hold(folder).__enter__(),
    ):
        with pytest.raises(ip.StoreError):
            work()
    with pytest.raises(ip.StoreError) if kind != "nothing" else contextlib.nullcontext():
        files.remove(folder / "inner" / "victim", inside=folder)
    plant(folder, "b.json.partial", target)
    files.write_bytes(folder / "b.json", b"x")  # the link gives way, its target stays
    assert (folder / "b.json").read_bytes() == b"x"


def test_a_second_name_of_a_file_outside_is_not_written_to(recorded, outside, tmp_path):
    folder = shutil.copytree(recorded, tmp_path / "run")
    for name in ("LOCK", "rows.jsonl"):
        (folder / name).unlink(missing_ok=True)
        os.link(outside / "victim", folder / name)
        with pytest.raises(ip.StoreError, match=rf"{name}: has a second name \(hard link\)"):
            files.append_line(folder / name, {"a": 1})
    with pytest.raises(ip.StoreError, match="has a second name"):
        Store(folder).lock().__enter__()


@pytest.mark.parametrize("name", ["LOCK", "log.jsonl", "rows.jsonl", "run.json"])
def test_a_pipe_in_place_of_a_file_does_not_block(recorded, command, tmp_path, name):
    folder = shutil.copytree(recorded, tmp_path / "run")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    command("status", folder)
    with contextlib.suppress(ip.StoreError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the copy of run.json in the log is taken
        ip.Recorder(INPUTS, INPUTS[:, 0] > 0, ["binning"], "every", out=folder).close()
