"""The soak: many small tasks on workers that are killed at random: python tests/faults/soak.py

2 000 tasks on 4 worker processes, one of which is killed every 30 s on average: all must be done, to the same
bits as in one process, and the memory of the process that hands them out must not grow by 5 % after its first
quarter.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import campaign

from infoplane.runs import engine, task
from infoplane.runs.config import parse
from infoplane.runs.store import Store

KEYS = {
    "group_width": 1,
    "model": {"hidden": [4, 3]},
    "train": {"epochs": 5, "batch_size": 2048},
    "schedule": {"kind": "every", "n": 1},
}
TASKS_OF_A_GROUP = 5


def resident(pid="self"):
    """Resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def workers():
    """Process ids of the worker processes of this process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if (
                    int(fields[1]) == os.getpid()
                    and fields[0] != "Z"
                    and "spawn_main" in (entry / "cmdline").read_text()
                ):
                    found.append(int(entry.name))
            except (OSError, ValueError):
                continue
    return found


class Killer(threading.Thread):
    """Kills one worker after another, at intervals drawn from an exponential distribution."""

    def __init__(self, mean):
        super().__init__(daemon=True)
        self.mean, self.killed, self.over = mean, 0, threading.Event()

    def run(self):
        draw = random.Random(0)
        while not self.over.wait(draw.expovariate(1 / self.mean)):
            if found := workers():
                os.kill(draw.choice(found), signal.SIGKILL)
                self.killed += 1


class Memory:
    """Follows the memory of this process over a run's progress."""

    def __init__(self):
        self.seen = []

    def __call__(self, event):
        """Take up a step of progress."""
        if hasattr(event, "done"):
            self.seen.append((event.done / event.total, resident()))
        else:
            print(event.text, flush=True)

    @property
    def growth(self):
        """Growth from the median of the second quarter to that of the last tenth."""
        early = sorted(size for share, size in self.seen if 0.25 <= share <= 0.5)
        late = sorted(size for share, size in self.seen if share >= 0.9)
        return late[len(late) // 2] / early[len(early) // 2] - 1


def main():
    """Run the soak."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--mean", type=float, default=30.0, help="mean seconds between two kills")
    parser.add_argument("--out", type=Path, default=campaign.TABLE)
    asked = parser.parse_args()
    task.FLUSH_SECONDS = -1.0
    config = parse(KEYS | {"members": asked.tasks // TASKS_OF_A_GROUP})
    with tempfile.TemporaryDirectory() as scratch:
        memory, killer, start = Memory(), Killer(asked.mean), time.monotonic()
        killer.start()
        found = engine.run(config, Path(scratch) / "workers", memory, asked.workers)
        seconds = time.monotonic() - start
        killer.over.set()
        events = Store(Path(scratch) / "workers").events()
        done = sum(event["event"] == "piece" for event in events)
        retried = sum(event["event"] == "retry" for event in events)
        print(f"{done} tasks in {seconds:.0f} s, {killer.killed} kills, {retried} retries", flush=True)
        same = found.identical(engine.run(config, Path(scratch) / "serial"))
    fault = f"soak: {asked.tasks} tasks, {asked.workers} workers, one killed every {asked.mean:g} s on average"
    outcome = (
        f"{done} tasks done in {seconds:.0f} s, {killer.killed} workers killed, {retried} tasks tried again, "
        f"{'identical to' if same else 'DIFFERS FROM'} the run in one process, memory {memory.growth:+.1%}"
    )
    print(f"{fault}: {outcome}")
    line = {
        "fault": fault,
        "tries": asked.tasks,
        "outcome": outcome,
        "seconds": round(seconds),
        "test": "tests/faults/soak.py",
    }
    campaign.write(asked.out, campaign.merged(campaign.read(asked.out), [line]))
    return 0 if same and done == asked.tasks and memory.growth < 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
