"""The commands `infoplane data` and `infoplane run --data`: what is listed, fetched and refused."""

import contextlib
import functools
import http.server
import io
import re
import struct
import sys
import threading
import time

import numpy as np
import pytest

import infoplane as ip
from in_process import infoplane
from infoplane import cli
from infoplane.data.download import Download
from infoplane.runs.store import Store

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
PIXELS[5] = PIXELS[4]  # one image occurs twice
NAMES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
UNVERIFIED = "--accept-unverified"


def write_images(folder, labels=(0, 1, 2, 3, 4, 4)):
    """Write six test images with their labels as IDX files."""
    folder.mkdir(parents=True)
    (folder / NAMES[0]).write_bytes(struct.pack(">HBB3I", 0, 8, 3, *PIXELS.shape) + PIXELS.tobytes())
    (folder / NAMES[1]).write_bytes(struct.pack(">HBBI", 0, 8, 1, len(labels)) + bytes(labels))
    return folder


# ---- list


def test_list_names_every_data_set_and_whether_it_needs_files():
    code, out, err = infoplane("data", "list")
    assert (code, err) == (0, "")
    without, _, from_files = out.partition("read from files:\n")
    for name in ip.datasets.DATASETS:
        part = from_files if ip.datasets.reads_files(name) else without
        assert re.search(rf"^  {re.escape(name)} +\w", part, re.MULTILINE), name


def test_list_says_what_a_folder_and_those_in_it_hold(tmp_path):
    write_images(tmp_path / "mnist")
    write_images(tmp_path / "spoilt letters", labels=(1, 2))
    (tmp_path / "empty").mkdir()
    code, out, err = infoplane("data", "list", "--path", tmp_path)
    assert (code, err) == (0, "")
    lines = out.partition(f"in {tmp_path}:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == ["mnist", "idx"]
    # two of six rows are equal: H(X) = log2 6 − 2/6 bits
    assert "6 test rows of 28 × 28, 5 classes, 5 distinct (1 repeat another), H(X) = 2.252 bits" in lines[0]
    assert lines[0].endswith("; content is another one than the known")
    assert "cannot be read: t10k-labels-idx1-ubyte: holds 2 labels" in lines[1]


def test_list_says_when_there_is_nothing(tmp_path):
    assert "no files of images" in infoplane("data", "list", "--path", tmp_path)[1]
    code, _, err = infoplane("data", "list", "--path", tmp_path / "nothing")
    assert (code, err) == (2, f"infoplane: {tmp_path / 'nothing'}: no such folder\n")


# ---- fetch


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def address(tmp_path, monkeypatch):
    """Address of a server on this machine that has the six images."""
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    handler = functools.partial(Quiet, directory=str(write_images(tmp_path / "served")))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_fetch_stores_what_is_accepted_and_says_what_is_known_of_it(tmp_path, address):
    folder = tmp_path / "my data"
    code, out, err = infoplane("data", "fetch", "fashion-mnist", "--from", address, "--to", folder, UNVERIFIED)
    assert code == 0, err
    assert {path.name for path in folder.iterdir()} == set(NAMES)
    lines = out.splitlines()
    assert re.fullmatch(
        rf"{folder}/t10k-images-idx3-ubyte: from {address}/t10k-images-idx3-ubyte; NOT verified, SHA-256 of the "
        r"content [0-9a-f]{64}", lines[0],
    )  # fmt: skip
    assert lines[-1] == f"next: infoplane data list --path '{folder}'"
    assert "note: no images of train at " in err
    assert ip.datasets.load("fashion-mnist", path=folder).n_samples == 6


@pytest.mark.parametrize("arguments", [["mnist"], ["mnist", UNVERIFIED], ["fashion-mnist"], ["mnits"]])
def test_fetch_stores_nothing_that_is_not_right_or_not_known(tmp_path, address, arguments):
    folder = tmp_path / "new"
    code, out, err = infoplane("data", "fetch", *arguments, "--from", address, "--to", folder)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not folder.exists() or not list(folder.iterdir())


def test_fetch_goes_to_a_folder_of_the_data_sets_name(tmp_path, address, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert infoplane("data", "fetch", "fashion-mnist", "--from", address, UNVERIFIED)[0] == 0
    assert (tmp_path / "data" / "fashion-mnist" / NAMES[0]).is_file()


def test_an_interrupted_fetch_keeps_nothing_of_the_file_on_its_way(tmp_path, address, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("infoplane.data.download._read", interrupted)
    code, _, err = infoplane("data", "fetch", "idx", "--from", address, "--to", tmp_path / "new", UNVERIFIED)
    assert (code, err) == (130, "interrupted; of the file that was on its way nothing is kept\n")
    assert list((tmp_path / "new").iterdir()) == []


def test_the_rate_of_each_file_is_its_own(monkeypatch):
    now, err = [0.0], io.StringIO()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with contextlib.redirect_stderr(err), cli.progress.Progress("mnist") as progress:
        for now[0], done in ((10.0, 100), (20.0, 900), (30.0, 50), (40.0, 150)):
            progress.show(Download(done, 1000))
    # 50 bytes at 30 s begin the second file, whose rate is 100 bytes in 10 s
    assert err.getvalue() == "mnist: 15%, 10 bytes/s, 85 s left\n"


# ---- run --data


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The configuration that a run with some arguments is asked for; nothing is trained."""
    monkeypatch.setattr("infoplane.runs.engine._work", lambda *_: sys.exit(99))
    (tmp_path / "net.toml").write_text('[train]\nbatch_size = 2\nsplit = "shuffled"\n')

    def config(*arguments):
        code, _, err = infoplane("run", tmp_path / "net.toml", "--out", tmp_path / "run", *arguments)
        return Store.open(tmp_path / "run").config.data if code == 99 else err

    return config


def test_run_takes_a_folder_of_images_and_keeps_its_absolute_path(asked, tmp_path, monkeypatch):
    write_images(tmp_path / "mnist")
    monkeypatch.chdir(tmp_path)
    config = asked("--data", "mnist")
    assert (config.name, config.path) == ("mnist", str(tmp_path / "mnist"))


def test_run_takes_a_file_of_ones_own(asked, tmp_path):
    np.savez(tmp_path / "mine.npz", x=np.arange(20.0).reshape(10, 2), y=np.arange(10) % 2)
    assert asked("--data", tmp_path / "mine.npz").name == "file"


def test_what_a_folder_is_can_be_said(asked, tmp_path):
    write_images(tmp_path / "a")
    assert asked("--data", tmp_path / "a", "--set", "data.name=notmnist").name == "notmnist"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--data", "nothing"], "nothing: no such folder"),
        (
            ["--data", "."],
            "holds no images of idx; its folders good, spoilt hold some; looked for train-images-idx3-ubyte",
        ),
        (["--data", "net.toml"], "net.toml: is no .npz, .csv, .tsv, .mat file"),
        (["--data", "spoilt"], "t10k-labels-idx1-ubyte: holds 2 labels, t10k-images-idx3-ubyte 6 images"),
        (["--set", "data.name=mnist"], "'mnist' is read from files; say where they are with path"),
        (["--set", "data.path=a"], "data set 'szt' has no parameter 'path'"),
        (["--data", "good", "--set", "data.name=szt"], "data set 'szt' has no parameter 'path'"),
        (["--data", "good", "--set", 'train.split="given"'], "data set 'good' has test rows only"),
    ],
)
def test_run_refuses_data_that_cannot_be_used_in_one_line(asked, tmp_path, monkeypatch, arguments, text):
    write_images(tmp_path / "spoilt", labels=(1, 2))
    write_images(tmp_path / "good")
    monkeypatch.chdir(tmp_path)
    err = asked(*arguments)
    assert text in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_run_all_takes_no_data(tmp_path):
    code, _, err = infoplane("run", "all", "--data", tmp_path)
    assert (code, "leave out --data" in err) == (2, True)


def test_measure_says_that_a_data_set_of_files_needs_its_path(tmp_path):
    code, _, err = infoplane("measure", tmp_path, "--model", "net:make", "--data", "mnist")
    assert (code, err.count("\n")) == (2, 1)
    assert "'mnist' is read from files" in err
