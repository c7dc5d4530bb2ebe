"""Measure the speed of the nearest-neighbor estimators, as ratios in one run.

    python benchmarks/neighbors.py            # 10 000 samples, about two minutes
    python benchmarks/neighbors.py --large    # also 50 000 samples of 5 x 5, several more minutes
    python benchmarks/neighbors.py --nulls    # shuffles only

References: the installed scikit-learn; two short versions of the usual method in several dimensions, k-d trees with
radius counts (SciPy's with all cores, scikit-learn's as in NPEET); and two matrix products of all pairs of samples.
Times are wall times, best of several; shuffles use CPU times. All values are in bits.
"""

import argparse
import math
import resource
import time
import tracemalloc
from functools import partial

import numpy as np

import infoplane as ip
from infoplane.truth.speed import SHUFFLES, products, with_null, with_sklearn, with_sklearn_trees, with_trees


def normal_pair(n, dims, rho, seed=0):
    """Return jointly normal variables of variance 1 with correlation rho in each coordinate."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dims))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((n, dims))


def best(function, repeats):
    """Return the shortest wall time of several calls in seconds, and the value."""
    value, shortest = None, np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        value = function()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest, value


def ours(x, y, name="ksg1", **params):
    """Return our estimate in bits."""
    return ip.mutual_information(x, y, name, **params).bits


def against_sklearn(n):
    """Compare with the function of scikit-learn on one coordinate per side."""
    x, y = normal_pair(n, 1, 0.8)
    theirs, other = best(partial(with_sklearn, x, y), 5)
    wall, value = best(partial(ours, x, y), 10)
    print(
        f"1 x 1, {n}: scikit-learn {theirs * 1e3:.0f} ms ({other:.6f}), ours {wall * 1e3:.1f} ms ({value:.6f}): "
        f"{theirs / wall:.1f}x (target 1x)"
    )


def against_trees(n, dims):
    """Compare with trees and radius counts on several coordinates."""
    x, y = normal_pair(n, dims, 0.6)
    x, y = (part / np.sqrt(part.var(axis=0).mean()) for part in (x, y))
    wall, value = best(partial(ours, x, y), 7)
    peers = {"SciPy trees": with_trees, "scikit-learn trees": with_sklearn_trees}
    times = {name: best(partial(peer, x, y), 2) for name, peer in peers.items()}
    words = ", ".join(f"{name} {spent:.2f} s ({other:.6f})" for name, (spent, other) in times.items())
    ratio = min(spent for spent, _ in times.values()) / wall
    print(f"{dims} x {dims}, {n}: {words}, ours {wall:.3f} s ({value:.6f}): {ratio:.1f}x the best (target 2x at 5 x 5)")


def against_products(n, dims):
    """Compare with two matrix products of all pairs on many coordinates."""
    x, y = normal_pair(n, dims, 0.3)
    bare = {name: best(partial(products, x, y, name), 3)[0] for name in ("float32", "float64")}
    for norm in ("max", "euclidean"):
        wall, value = best(partial(ours, x, y, norm=norm), 3)
        tracemalloc.start()
        ours(x, y, norm=norm)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        print(
            f"{dims} x {dims}, {n}, {norm} norm ({value:.4f}): {wall:.2f} s, {wall / bare['float64']:.1f}x the float64 "
            f"products ({bare['float64']:.2f} s), {wall / bare['float32']:.1f}x the float32 ones "
            f"({bare['float32']:.2f} s) (target at most 4x), peak {peak:.0f} MB (target 300)"
        )


def null_of_shuffles(n, dims, name, kind="continuous"):
    """Compare a null distribution with one estimate, by CPU time, which depends less on other load."""
    x, y = normal_pair(n, dims, 0.6)
    if kind == "labels":
        y = (y[:, 0] > 0).astype(int)
    if kind == "symbols":
        x, y = (np.digitize(part[:, 0], [-1, 0, 1]) for part in (x, y))
    one, many, walls = np.inf, np.inf, [np.inf, np.inf]
    for _ in range(3):
        for _ in range(5):
            one, walls[0] = np.minimum((one, walls[0]), cpu_and_wall(partial(ip.mutual_information, x, y, name)))
        many, walls[1] = np.minimum((many, walls[1]), cpu_and_wall(partial(with_null, x, y, name)))
    beside = {"continuous": f"{dims} x {dims}", "labels": f"{dims} x label", "symbols": "4 x 4 symbols"}[kind]
    print(
        f"{name} {beside}, {n}: {SHUFFLES} shuffles {many:.3f} s of CPU, one estimate {one * 1e3:.2f} ms: "
        f"{many / one:.0f}x (target 40x); by wall time {walls[1] / walls[0]:.0f}x",
        flush=True,
    )


def cpu_and_wall(function):
    """Return the CPU time and the wall time of a call in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def large():
    """Measure 50 000 samples of 5 x 5, and the peak memory of the process."""
    x, y = normal_pair(50_000, 5, 0.6)
    wall, value = best(partial(ours, x, y), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"5 x 5, 50 000: {wall:.1f} s ({value:.4f}), peak memory of this process {peak:.2f} GiB (target 1)")


def main():
    """Run the parts and print the ratios."""
    parser = argparse.ArgumentParser(description="Speed of the nearest-neighbor estimators.")
    parser.add_argument("--large", action="store_true", help="50 000 samples of 5 x 5 first")
    parser.add_argument("--nulls", action="store_true", help="the nulls only")
    parser.add_argument("--n", type=int, default=10_000, help="samples")
    arguments = parser.parse_args()
    if arguments.large:
        large()
    if not arguments.nulls:
        against_sklearn(arguments.n)
        for dims in (2, 3, 5):
            against_trees(arguments.n, dims)
        against_products(arguments.n, 50)
    for name in ("ksg1", "ksg2", "mixed-ksg", "kl", "gaussian", "copula"):
        for dims in (1, 5):
            null_of_shuffles(arguments.n, dims, name)
    for name in ("ross", "mixed-ksg", "kl", "gaussian", "copula"):
        for dims in (1, 5):
            null_of_shuffles(arguments.n, dims, name, "labels")
    null_of_shuffles(arguments.n, 1, "plugin", "symbols")


if __name__ == "__main__":
    main()
