"""Measure the overhead of the engine: storing, workers compared with threads, resuming a finished run.

`python benchmarks/engine.py [MEMBERS] [EPOCHS]`
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3


def seconds_of(*arguments: str) -> float:
    """Return the wall time of a command."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "infoplane", *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def storing_share(folder: Path) -> tuple[float, float]:
    """Return the share of writing and hashing in the wall time of a run, and the wall time from start to result."""
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    spent = sum(event["seconds"]["storing"] for event in events if "storing" in event.get("seconds", {}))
    times = {event["event"]: event["time"] for event in events}
    return spent / (times["done"] - times["start"]), times["done"] - times["start"]


def computing_seconds(folder: Path) -> float:
    """Return the wall time between the first and the last task of a run, without process start and compilation."""
    times = [event["time"] for event in map(json.loads, (folder / "log.jsonl").open()) if event["event"] == "piece"]
    return times[-1] - times[0]


def main(members: str = "50", epochs: str = "8000") -> None:
    """Print the three ratios."""
    size = ["--members", members, "--set", f"train.epochs={epochs}"]
    with tempfile.TemporaryDirectory() as name:
        root, whole, inner = Path(name), {"serial": [], "workers": []}, {"serial": [], "workers": []}
        for number in range(ROUNDS):
            for how, options in (("serial", []), ("workers", ["--workers", "2"])):
                folder = root / f"{how}-{number}"
                whole[how].append(seconds_of("run", "szt", *size, *options, "--out", str(folder)))
                inner[how].append(computing_seconds(folder))
        share, wall = storing_share(root / "serial-0")
        print(f"storing and hashing: {share:.2%} of the {wall:.1f} s of a run of {members} members, {epochs} epochs")
        print(f"serial: {min(whole['serial']):.1f} s; two workers: {min(whole['workers']):.1f} s, with all start-up")
        print(f"speed of two workers, all: {min(whole['serial']) / min(whole['workers']):.2f} of serial")
        print(
            f"speed of two workers, first to last piece: {min(inner['serial']) / min(inner['workers']):.2f} of serial"
        )
        resumed = min(seconds_of("resume", str(root / "serial-0")) for _ in range(ROUNDS))
        print(f"resume of the finished run: {resumed:.2f} s")
        same = subprocess.run(
            [sys.executable, "-m", "infoplane", "diff", str(root / "serial-0"), str(root / "workers-0")],
            check=True,
            capture_output=True,
            text=True,
        )
        print(same.stdout.strip())


if __name__ == "__main__":
    main(*sys.argv[1:])
