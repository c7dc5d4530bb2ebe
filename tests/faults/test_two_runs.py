"""Two runs that begin in one folder at the same moment: one works, the other says who is there."""

import os
import random
import re
import socket
import threading
import time

import pytest


def timed_end(process, ends):
    """Wait for a process in a thread of its own; keeps its end, exit code, errors and processor seconds."""

    def wait():
        with process.stderr as errors:
            err = errors.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ends[process.pid] = time.monotonic(), process.returncode, err, used.ru_utime + used.ru_stime

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("tries", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_of_two_runs_on_one_folder_exactly_one_works(children, uninterrupted, digests, tmp_path, tally, tries):
    draw, gaps, refusals, used = random.Random(6), [], [], []
    for number in range(tries):
        folder, ends, begins = tmp_path / f"run{number}", {}, {}
        processes = []
        for gap in (0, draw.uniform(0, 0.05)):
            time.sleep(gap)
            begins_at = time.monotonic()
            processes.append(children.start("run", children.asked, "--out", folder))
            begins[processes[-1].pid] = begins_at
        threads = [timed_end(process, ends) for process in processes]
        for thread in threads:
            thread.join()
        (winner,) = [pid for pid, (_, code, *_) in ends.items() if code == 0]
        (loser,) = [pid for pid, (_, code, *_) in ends.items() if code == 2]
        end, _, err, seconds = ends[loser]
        assert re.fullmatch(
            rf"infoplane: .*: in use by process {winner} on {re.escape(socket.gethostname())}; .*\n", err
        )
        assert digests(folder) == uninterrupted[0]
        gaps.append(abs(begins[winner] - begins[loser]))
        refusals.append(end - begins[loser])
        used.append(seconds)
    middle = sorted(refusals)[len(refusals) // 2]
    assert max(gaps) < 0.1
    assert max(used) <= 2  # the time it takes on a free core
    tally(
        "two runs on one folder, started less than 100 ms apart",
        tries,
        f"{tries} of {tries}: one finishes with the right bits, the other exits with 2 naming process and host "
        f"after at most {max(used):.1f} s of processor time ({middle:.1f} s after its start in the median, "
        f"{max(refusals):.1f} s at most)",
    )


@pytest.mark.slow
def test_the_lock_of_a_killed_run_is_taken_over(children, uninterrupted, digests, tmp_path, tally):
    folder = tmp_path / "run"
    with children.start("run", children.asked, "--out", folder) as process:
        while not list(folder.glob("pieces/*.npz")):
            assert process.poll() is None
        process.kill()
    assert f"process {process.pid} on " in (folder / "LOCK").read_text()
    code, err = children.go_on(folder)
    assert (code, err) == (0, "")
    assert digests(folder) == uninterrupted[0]
    tally("the lock of a killed run", 1, "taken over; the same bits")
