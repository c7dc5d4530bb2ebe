"""Ctrl-C and preemption at random instants: an exit in time, and a run that goes on to the same bits."""

import random
import signal
import time

import pytest

import infoplane as ip
from infoplane.runs import engine

LONG = ("--set", "train.epochs=400", "--set", "schedule.n=20")


def stopped(children, folder, number, after):
    """Start a long run, send it a signal some seconds after its first rows; return its end."""
    with children.start("run", children.asked, *LONG, "--out", folder) as process:
        while not list(folder.glob("pieces/*.npz")):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(after)
        process.send_signal(number)
        start = time.monotonic()
        _, err = process.communicate(timeout=60)
    return process.returncode, time.monotonic() - start, err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_a_random_instant_leaves_a_run_that_goes_on_to_the_same_bits(
    children, tmp_path, tally, number, code
):
    assert children.finish("run", children.asked, *LONG, "--out", tmp_path / "whole")[0] == 0
    whole, draw, tries, seconds, early = ip.load(tmp_path / "whole"), random.Random(number), 5, [], 0
    for count in range(tries):
        folder = tmp_path / f"run{count}"
        found, spent, err = stopped(children, folder, number, draw.uniform(0, 0.3))
        assert found == code, err
        assert err.splitlines()[-1].endswith(f"continue with 'infoplane resume {folder}'")
        early += ip.load(folder).sizes["epoch"] < whole.sizes["epoch"]
        assert engine.resume(folder).identical(whole)
        seconds.append(spent)
    assert max(seconds) <= 10
    assert early
    tally(
        f"{signal.Signals(number).name} at a random instant of training",
        tries,
        f"exit code {code} after at most {max(seconds):.1f} s, results.nc readable, {tries} of {tries} resumed to the "
        "same bits",
    )
