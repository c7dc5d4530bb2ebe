"""Measure the default run: wall time, its shares, peak memory; check that two devices give bit-identical results.

    python benchmarks/default_run.py           # `infoplane run szt`, about two minutes on two cores
    python benchmarks/default_run.py --quick   # `infoplane run szt --quick`
    python benchmarks/default_run.py --devices # the quick run on one and on two devices, compared

Training and measuring times are wall seconds of each worker thread, summed over threads. They include compilation,
which is also printed separately.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure(quick: bool) -> None:
    """Run the experiment in this process and print its time and memory."""
    start = time.perf_counter()
    import jax

    from infoplane import experiments

    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiled.append(seconds) if "backend_compile" in event else None
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        experiments.run("szt", out, quick=quick)
        wall = time.perf_counter() - start
        records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    spent = [record["seconds"] for record in records if record["event"] == "piece"]
    training, measuring = (sum(part[work] for part in spent) for work in ("training", "measuring"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"wall {wall:.1f} s, of which compilation {sum(compiled):.1f} s (summed over threads)")
    print(f"training {training:.1f} s, measuring {measuring:.1f} s: measuring / training = {measuring / training:.2f}")
    print(f"peak memory {peak:.2f} GiB, run folder {size / 2**20:.1f} MiB")


_ONE_RUN = """
import hashlib, sys, jax
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
jax.devices()
from infoplane.experiments import configure
from infoplane.runs import engine
from pathlib import Path
ds = engine.run(configure("szt", quick=True), Path(sys.argv[2]))
for name in sorted(ds.data_vars):
    print(name, hashlib.sha256(ds[name].values.tobytes()).hexdigest())
"""


def compare_devices() -> None:
    """Run the same configuration on one and on two devices and compare every variable."""
    printed = []
    for n_devices in ("1", "2", "2"):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", _ONE_RUN, n_devices, f"{folder}/run"]
            printed.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print("one device, two devices, two again: bit-identical", printed[0] == printed[1] == printed[2])
    print(printed[0], end="")


if __name__ == "__main__":
    if "--devices" in sys.argv:
        compare_devices()
    else:
        measure("--quick" in sys.argv)
