"""The command that makes the film: what it writes, what it refuses in one line, and that Ctrl-C leaves nothing."""

import contextlib
import io
import sys

import numpy as np
import pytest

from infoplane import cli, results


def infoplane(*arguments):
    """Exit code, standard output and standard error of a command, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["infoplane", *map(str, arguments)])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
            cli.main()
    return end.value.code or 0, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A result of 3 members, 12 epochs and 2 layers, on disk."""
    path = tmp_path_factory.mktemp("mein Lauf") / "results.nc"
    coords = {
        "estimator": ["binning"],
        "member": np.arange(3),
        "epoch": np.arange(12),
        "layer": ["hidden1", "output"],
        "variable": list(results.VARIABLES),
    }
    information = np.random.default_rng(0).random((1, 3, 12, 2, 2))
    attributes = {"title": "[/toy]", "input_entropy": 4.0, "label_entropy": 1.0, "label_information": 1.0}
    config = {"config": '{"estimators": ["binning"]}'}
    results.save(
        results.new(coords, {"information": (results.INFORMATION_DIMS, information)}, attributes | config), path
    )
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
