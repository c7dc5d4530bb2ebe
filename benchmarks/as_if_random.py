"""Measure the time and memory of the as-if-random measures at realistic size, and compare them with the bounds.

    python benchmarks/as_if_random.py         # 2500 random rows, less than a minute
    python benchmarks/as_if_random.py --all   # all rows, several minutes
    python benchmarks/as_if_random.py --branches   # 50 continuations of one network and 50 members, half a minute

N = 4096 inputs, M = 100 samples of the weights, d = 10 units: 409 600 rows and 1.7e11 pairs. The clouds are normal,
around centers from N(0, I), and overlap partly. The script prints the wall time of one call of each of the four
measures and the peak memory of the process.
"""

import argparse
import resource
import time

import jax

import infoplane as ip
from infoplane.experiments import configure
from infoplane.experiments.clouds import networks
from infoplane.truth import GaussianClouds

INPUTS, SAMPLES, UNITS = 4096, 100, 10
OVERLAP = 0.5
QUERIES = 2500
EPOCHS, REPEATS = 100, 5
ALLOWED = {True: 600, False: 60}
"""Bound on the seconds for all four measures, on all rows or on a subset."""

MEASURES = (
    {"name": "binning", "bins": 30, "edges": "layer"},
    {"name": "kde", "variance": 0.1},
    {"name": "ross"},
    {"name": "gaussian"},
)


def main() -> None:
    """Run the selected benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="use all rows instead of a subset")
    parser.add_argument("--branches", action="store_true", help="compare the training of continuations and members")
    asked = parser.parse_args()
    if asked.branches:
        train_branches()
    else:
        measure_clouds(asked.all)


def train_branches() -> None:
    """Train 50 continuations of one network and 50 members over the same epochs, in turn; print the ratio."""
    settings = configure("as-if-random")
    begin, end = 0, EPOCHS * settings.n_steps
    members = networks.group(settings, "relu", networks.numbers(0, networks.INIT, 50))
    one = networks.group(settings, "relu", networks.numbers(0, networks.ITSELF, 1))
    drawn, single = networks.initial(settings, members), networks.initial(settings, one)
    branching = networks.group(settings, "relu", networks.numbers(0, networks.BRANCH, 50))
    works = {
        "members": lambda: networks.train(members, drawn, begin, end),
        "branches": lambda: networks.train(branching, networks.repeated(single, 50), begin, end),
    }
    times = {name: [] for name in works}
    for turn in range(REPEATS + 1):
        for name, work in works.items():
            start = time.perf_counter()
            jax.block_until_ready(work().weights)
            if turn:  # the first compiles
                times[name].append(time.perf_counter() - start)
    of_members, of_branches = min(times["members"]), min(times["branches"])
    print(
        f"50 networks over {EPOCHS} epochs, shortest of {REPEATS}: members {of_members:.2f} s, branches "
        f"{of_branches:.2f} s: {of_branches / of_members:.2f} x (allowed: no more)"
    )


def measure_clouds(every: bool) -> None:
    """Draw the clouds, measure them, and print one line per measure and the total."""
    clouds = GaussianClouds.spread_out(INPUTS, UNITS, OVERLAP)
    t, y = clouds.samples(SAMPLES, 0).astype("float32"), clouds.labels
    rows = "all rows" if every else f"{QUERIES} rows"
    print(f"{INPUTS} x {SAMPLES} x {UNITS}, {rows}", flush=True)
    whole = 0.0
    for measure in MEASURES:
        start, before = time.perf_counter(), time.process_time()
        found = ip.as_if_random(t, y, measure, queries=None if every else QUERIES).input
        seconds = time.perf_counter() - start
        whole += seconds
        error = 0.0 if found.std_error is None else found.std_error
        print(
            f"{measure['name']}: {found.bits:.3f} bits, standard error {error:.3f}, {seconds:.1f} s, "
            f"{time.process_time() - before:.1f} s of processors",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"all four: {whole:.0f} s (allowed {ALLOWED[every]} s), at most {peak:.2f} GiB (allowed 2 GiB)")


if __name__ == "__main__":
    main()
