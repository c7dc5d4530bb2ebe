"""Odd places and a wrong clock: the run works, or fails before it trains."""

import os
import subprocess
import time

import pytest

import infoplane as ip
from infoplane.runs import engine
from infoplane.runs.config import parse
from infoplane.runs.status import status_lines


@pytest.fixture
def read_only(tmp_path):
    """A folder that nobody, not even the administrator, can write to."""
    place = tmp_path / "read only"
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no command 'mount' here")
    if done.returncode:
        pytest.skip(f"no file system may be mounted here ({done.stderr.strip()})")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_trained(command, read_only, monkeypatch, tally):
    monkeypatch.setattr(engine, "_work", lambda *_: pytest.fail("it was about to train"))
    start = time.process_time()
    code, err = command("run", "szt", "--out", read_only / "run")
    seconds = time.process_time() - start
    assert seconds < 1
    assert (code, err) == (2, f"infoplane: {read_only / 'run'}: Read-only file system\n")
    told = f"exit code 2 after {seconds:.2f} s of processor time, nothing trained"
    tally("a run in a file system that is read-only", 1, told)


@pytest.mark.parametrize("name", ["not/yet/there", "Größe → π \N{PILE OF POO}", "quote'\"$HOME; -rf *"])
def test_a_run_works_in_any_folder_that_can_be_made(small, sound, tmp_path, many_tasks, tally, name):
    folder = tmp_path / name
    ds = engine.run(parse(small), folder)
    assert ds.identical(sound[1])
    assert engine.resume(folder).identical(ds)
    assert ip.load(folder).identical(ds)
    tally("folders that are missing, with spaces, letters beyond ASCII, quotes", 1, "works")


@pytest.mark.parametrize("jump", [-1e9, 1e9])
def test_a_clock_set_back_or_on_between_two_sessions_changes_nothing(
    small, sound, tmp_path, many_tasks, monkeypatch, tally, jump
):
    folder, real = tmp_path / "run", time.time
    engine.run(parse(small), folder)
    for path in sorted((folder / "pieces").iterdir())[1::2]:
        path.unlink()
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    for path in folder.rglob("*"):
        os.utime(path, (real() - jump, real() - jump))
    assert engine.resume(folder).identical(sound[1])
    assert status_lines(folder)[-1] == "complete: results.nc is there"
    tally("the clock set back or on by 32 years between two sessions", 1, "the same bits")


def test_a_clock_that_goes_back_while_a_run_works_changes_nothing(small, sound, tmp_path, many_tasks, monkeypatch):
    now = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    assert engine.run(parse(small), tmp_path / "run").identical(sound[1])
    assert status_lines(tmp_path / "run")[-1] == "complete: results.nc is there"
