"""Worker processes that die: an innocent task is done again, a deadly one costs its own row."""

import json
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

import infoplane as ip
from infoplane.runs import engine
from infoplane.runs.config import parse, read_toml

pytest.importorskip("distributed", reason="needs the extra 'dask'")


def workers_of(process):
    """Process ids of the worker processes that a run has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                line = (entry / "cmdline").read_text()
            except (OSError, ValueError):
                continue
            if parent == process.pid and "spawn_main" in line:
                found.append(int(entry.name))
    return found


@pytest.mark.slow
def test_one_of_two_workers_killed_costs_nothing(children, uninterrupted, digests, tmp_path, tally):
    draw, killed, tries = random.Random(7), 0, 5
    for number in range(tries):
        folder = tmp_path / f"run{number}"
        with children.start("run", children.asked, "--workers", 2, "--out", folder) as process:
            wanted = draw.randint(1, 6)
            while len(list(folder.glob("pieces/*.npz"))) < wanted and process.poll() is None:
                time.sleep(0.005)
            workers = workers_of(process)
            if workers and process.poll() is None:
                os.kill(draw.choice(workers), signal.SIGKILL)
                killed += 1
            _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert digests(folder) == uninterrupted[0]
    assert killed == tries
    tally("one of 2 worker processes killed", tries, f"{tries} of {tries} end with exit code 0 and the same bits")


@pytest.mark.slow
def test_one_poison_task_among_fifty_costs_its_own_row(children, tmp_path, tally):
    folder, poisoned = tmp_path / "run", 17
    asked = ("run", children.asked, "--members", 50, "--set", "train.epochs=2")
    code, err = children.finish(*asked, "--workers", 2, "--out", folder, FAULT_POISON=poisoned)
    assert code == 1, err
    tree = read_toml(children.asked) | {"name": "asked", "members": 50}
    serial = engine.run(parse(tree | {"train": tree["train"] | {"epochs": 2}}), tmp_path / "serial")
    found = ip.load(folder)
    others = [member for member in range(50) if member != poisoned]
    for name, values in serial.data_vars.items():
        if name != "member_flags" and "member" in values.dims:
            assert found[name].sel(member=others).identical(values.sel(member=others)), name
    assert found["information"].sel(member=poisoned).isnull().all()
    (failed,) = json.loads(found.attrs["failed"])
    assert (failed["members"], failed["tries"]) == ([poisoned], 3)
    assert failed["reason"]
    assert re.search(r"partial: 1 tasks failed", err)
    tally(
        "a task among 50 that kills every worker it is given to",
        1,
        f"49 rows bit-identical to the serial run, 1 NaN with its reason after 3 tries ({failed['reason'][:50]}…), "
        "exit code 1",
    )
