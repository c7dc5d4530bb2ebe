"""Files and names made to do harm: refused; no code is run, nothing is written outside."""

import io
import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest

import infoplane as ip
from infoplane import files
from infoplane.cli.arrays import read_array
from infoplane.data.own import load_samples
from infoplane.runs import archive, engine
from infoplane.runs.store import Store


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def object_archive(path, canary):
    with path.open("wb") as file:
        np.savez(file, leaf0000=np.array([Canary(canary)], dtype=object))


def bare_pickle(path, canary):
    path.write_bytes(pickle.dumps(Canary(canary)))


def escaping_archive(path, canary):
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(f"../../{canary.name}.npy", content.getvalue())
        opened.writestr("sha256\0.npy", content.getvalue())


MADE = {"object array": object_archive, "bare pickle": bare_pickle, "names with ../ and NUL": escaping_archive}


@pytest.mark.parametrize("recorded", [False, True], ids=["unrecorded", "recorded"])
@pytest.mark.parametrize("kind", ["pieces", "weights"])
@pytest.mark.parametrize("made", MADE.values(), ids=MADE.keys())
def test_a_hostile_piece_or_state_is_dropped_and_never_run(sound, tmp_path, tally, made, kind, recorded):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    folder = shutil.copytree(sound[0], inner / "run")
    path = sorted((folder / kind).iterdir())[-1]
    made(path, tmp_path / "canary")
    if recorded:  # somebody who can write the log too
        Store(folder).record_file(path, files.sha256(path))
    told = []
    try:
        ds = engine.resume(folder, lambda event: told.append(event.text) if hasattr(event, "text") else None)
    except ip.StoreError:
        ds = None
    assert ds is None or ds.identical(sound[1])
    if not recorded:
        assert [line for line in told if line.startswith(f"{path}: ") and "dropped" in line]
    assert not list(tmp_path.rglob("*canary*"))
    assert sorted(one.name for one in inner.iterdir()) == ["run"]
    tally("a pickle, an archive of objects, or one of names with ../ and NUL as piece or state", 1, "dropped, not run")


@pytest.mark.parametrize("made", MADE.values(), ids=MADE.keys())
@pytest.mark.parametrize("suffix", [".npz", ".mat", ".npy"])
def test_a_hostile_data_file_is_refused(tmp_path, tally, made, suffix):
    path = tmp_path / "inner" / "folder" / f"data{suffix}"
    path.parent.mkdir(parents=True)
    made(path, tmp_path / "canary")
    with pytest.raises(ip.InputError) as caught:
        (read_array if suffix == ".npy" else load_samples)(path)
    assert str(caught.value).startswith(f"{path}")
    assert sorted(one for one in tmp_path.rglob("*") if one.is_file()) == [path]
    tally(
        "a pickle, an archive of objects, or one of names with ../ and NUL as data", 1, "refused in one line, not run"
    )


@pytest.mark.parametrize("content", [b"\x80\x04cos\nsystem\n", b"", b"CDF\x01"], ids=["pickle", "empty", "no HDF5"])
def test_a_result_that_is_none_is_refused(sound, tmp_path, content):
    folder = shutil.copytree(sound[0], tmp_path / "run")
    (folder / "results.nc").write_bytes(content)
    with pytest.raises(ip.StoreError, match=r"results\.nc: "):
        ip.load(folder)
    (folder / "log.jsonl").unlink()
    with pytest.raises(ip.StoreError, match=r"results\.nc: "):
        ip.load(folder)


@pytest.mark.parametrize("name", ["../outside", "a/b", "a\0b", "/etc/x", "..", ".hidden", "a\nb", ""])
def test_a_run_whose_name_could_lead_elsewhere_is_refused(command, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "asked.toml").write_text(f"name = {json.dumps(name)}\n")
    code, err = command("run", "asked.toml")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("infoplane: name: ")
    assert [path.name for path in tmp_path.iterdir()] == ["asked.toml"]


@pytest.mark.parametrize("name", ["../szt", "/etc/passwd", "szt\0", "szt/../szt"])
def test_a_data_set_is_a_name_and_never_a_path_that_is_opened(command, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "asked.toml").write_text(f"data.name = {json.dumps(name)}\n")
    code, err = command("run", "asked.toml")
    assert (code, err.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["asked.toml"]


@pytest.mark.parametrize(
    "name", ["../group-0000-epochs-0000000-0000009.npz", "group-0000-epochs-0000000-0000001.npz/x"]
)
def test_the_log_cannot_make_the_run_touch_other_files(sound, tmp_path, name):
    folder = shutil.copytree(sound[0], tmp_path / "run")
    outside = tmp_path / "group-0000-epochs-0000000-0000009.npz"
    archive.write(outside, {"epochs": np.arange(3)})
    before = outside.read_bytes()
    Store(folder).record("file", path=name, sha256=files.sha256(outside))
    assert engine.resume(folder).identical(sound[1])
    assert outside.read_bytes() == before


def test_a_link_to_another_result_in_place_of_the_folder_of_pieces_is_refused(sound, tmp_path):
    folder = shutil.copytree(sound[0], tmp_path / "run")
    (folder / "pieces").rename(tmp_path / "elsewhere")
    (folder / "pieces").symlink_to(tmp_path / "elsewhere")
    before = {path.name: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()}
    with pytest.raises(ip.StoreError, match="is a link"):
        engine.resume(folder)
    assert {path.name: path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()} == before
