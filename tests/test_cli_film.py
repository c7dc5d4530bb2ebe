"""The command that makes the film: what it writes, what it refuses in one line, and that Ctrl-C leaves nothing."""

import io
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from in_process import infoplane
from infoplane import cli, results


def save(path, n_epochs):
    """Write a result of 3 members and 2 layers."""
    coords = {
        "estimator": ["binning"],
        "member": np.arange(3),
        "epoch": np.arange(n_epochs),
        "layer": ["hidden1", "output"],
        "variable": list(results.VARIABLES),
    }
    information = np.random.default_rng(0).random((1, 3, n_epochs, 2, 2))
    attributes = {"title": "[/toy]", "input_entropy": 4.0, "label_entropy": 1.0, "label_information": 1.0}
    config = {"config": '{"estimators": ["binning"]}'}
    results.save(
        results.new(coords, {"information": (results.INFORMATION_DIMS, information)}, attributes | config), path
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A result of 12 epochs, on disk."""
    path = tmp_path_factory.mktemp("mein Lauf") / "results.nc"
    save(path, 12)
    return path


def test_the_command_writes_the_film_and_says_where(saved, tmp_path):
    film = tmp_path / "mein Film µ.gif"
    code, out, _ = infoplane("animate", saved, "--to", film, "--width", "200", "--frames", "5", "--members", "mean")
    assert code == 0
    assert out.startswith(f"{film}: 0.0")
    assert film.read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "film.avi"], "film.avi: the name of a film ends in .gif, .mp4 or .html"),
        (["--to", "film.gif", "--fps", "200"], "fps is 200; expected a whole number from 1 to 50"),
        (["--to", "film.gif", "--estimator", "kde"], "estimator 'kde' is not in this result; it holds: binning"),
        (["--to", "nowhere/film.gif", "--width", "200"], "nowhere/film.gif"),
        ([], "--to"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(saved, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = infoplane("animate", saved, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def varied(tmp_path, monkeypatch):
    """A result that splits into two variants."""
    save(tmp_path / "results.nc", 3)
    ds = results.load(tmp_path / "results.nc")
    parts = [({"variant": "tanh", "seed": 1}, ds), ({"variant": "relu", "seed": 1}, ds.isel(member=[0]))]
    monkeypatch.setattr("infoplane.runs.combine.is_sweep", lambda _: True)
    monkeypatch.setattr("infoplane.runs.combine.split", lambda _: parts)
    return tmp_path


@pytest.mark.parametrize("name", ["relu, 1", "variant=relu, seed=1"])
def test_a_variant_is_chosen_by_its_name(varied, name, monkeypatch):
    drawn = []
    monkeypatch.setattr("infoplane.plots.animate", lambda ds, to, **_: drawn.append(ds.sizes["member"]) or to.touch())
    code, _, err = infoplane("animate", varied, "--to", varied / "film.gif", "--variant", name)
    assert (code, err, drawn) == (0, "", [1])


def test_without_a_name_or_with_a_wrong_one_the_names_are_told(varied):
    code, _, err = infoplane("animate", varied, "--to", varied / "film.gif")
    assert code == 2
    assert "one of the 2 variants of this result; choose with --variant 'tanh, 1' or 'relu, 1'" in err
    _, _, err = infoplane("animate", varied, "--to", varied / "film.gif", "--variant", "relu,1")
    assert "--variant is 'relu,1'; did you mean 'relu, 1'?" in err


def test_a_single_run_has_no_variants(saved, tmp_path):
    code, _, err = infoplane("animate", saved, "--to", tmp_path / "film.gif", "--variant", "tanh")
    assert code == 2
    assert "--variant tanh: this result is a single run, without variants; leave it out" in err


def test_ctrl_c_ends_with_130_and_leaves_nothing(saved, tmp_path, monkeypatch):
    def stop(self, done, total, unit):
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli.progress.Progress, "advance", stop)
    code, out, err = infoplane("animate", saved, "--to", tmp_path / "film.html", "--width", "200")
    assert (code, out) == (130, "")
    assert err == f"interrupted; {tmp_path / 'film.html'} was not written\n"
    assert list(tmp_path.iterdir()) == []


def test_a_bar_is_drawn_on_a_terminal_whatever_the_name_is():
    """Words in square brackets are no markup of the bar."""
    bar = cli.progress._bar("[/red] film")
    bar.console.file = drawn = io.StringIO()
    with bar:
        bar.update(bar.task_ids[0], total=2, completed=1)
    assert "[/red] film" in drawn.getvalue()


def test_ctrl_c_while_frames_are_written_leaves_no_file(tmp_path):
    """A real signal to a process of its own; 300 frames of this width take it some 20 seconds."""
    save(tmp_path / "results.nc", 300)
    command = [sys.executable, "-m", "infoplane", "animate", "results.nc", "--to", "film.gif", "--width", "1600"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "film.gif.partial").exists():
            assert process.poll() is None, "ended before it wrote anything"
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert told.splitlines()[-1] == "interrupted; film.gif was not written"
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]
