"""Measure the speed of the kernel density bounds, as ratios in one run.

    python benchmarks/kde.py            # 4096 rows, about a minute
    python benchmarks/kde.py --large    # also 60 000 x 128 and 70 000 rows of a 20-unit layer: minutes, 1 GiB

The references are our short versions of the usual method: the full matrix of distances, `logsumexp` over its rows for
each bound, and the same within each class. Times are wall times, best of several.
"""

import argparse
import time
import warnings
from functools import partial

import numpy as np
from scipy.special import logsumexp

from infoplane.data import szt
from infoplane.estimators._pairs import pair_sums
from infoplane.estimators._pairs_rows import unit_ball
from infoplane.estimators.base import Layers
from infoplane.estimators.kde import Kde


def usual(t, y, variance, dtype):
    """Return I(X;T) and I(T;Y), upper and lower bound, from full matrices of distances."""

    def bound(rows, v):
        norms = (rows**2).sum(1)
        squared = norms[:, None] + norms[None, :] - 2 * rows @ rows.T
        return -(logsumexp(-squared / dtype(2 * v), axis=1) - np.log(len(rows))).mean()

    t = t.astype(dtype)
    results = []
    for v in (variance, 4 * variance):
        whole = bound(t, v)
        within = sum((y == label).mean() * bound(t[y == label], v) for label in np.unique(y))
        results += [whole, whole - within]
    return np.array(results) / np.log(2)


def ours(t, y, variance):
    """Return the same four values by `Kde`."""
    values = Kde(variance=variance).measure(Layers(np.ascontiguousarray(t.T)[None], y))
    upper, lower = values.input.bits[0], values.input.lower[0]
    within_lower = upper - values.label.upper[0]  # upper - Σ p(y) lower_y is the label's upper bound
    return np.array([upper, values.label.bits[0], lower, lower - within_lower])


def best(function, repeats):
    """Return the shortest wall time and CPU time of several calls after a first call, in seconds, and the value."""
    value, wall, cpu = function(), np.inf, np.inf
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        value = function()
        wall, cpu = min(wall, time.perf_counter() - start), min(cpu, time.process_time() - start_cpu)
    return wall, cpu, value


def trained_layers(x, y, hidden, epochs):
    """Return the activations of a trained tanh network, layer by layer."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden, activation="tanh", learning_rate_init=1e-3, batch_size=256, max_iter=epochs, tol=0,
        n_iter_no_change=epochs, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)
    print(f"network of {hidden} tanh units: {model.score(x, y):.3f} right after {epochs} epochs")
    layers = []
    for weights, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        x = np.tanh(x @ weights + bias)
        layers.append(x.astype(np.float32))
    return layers


def against_the_usual(layers, y):
    """Compare with float64 and float32 NumPy on 4096 x 10."""
    t, variance = layers[0], 0.1
    wall, _, values = best(partial(ours, t, y, variance), 20)
    for name, dtype, target in (("float64", np.float64, 40), ("float32", np.float32, 5)):
        reference, _, expected = best(partial(usual, t, y, variance, dtype), 2)
        error = np.abs(values - expected).max()
        print(
            f"4096 x 10, {name} logsumexp over the full matrix: {reference * 1e3:.0f} ms, ours {wall * 1e3:.1f} ms: "
            f"{reference / wall:.0f}x (target {target}x); largest difference {error:.1e} bits"
        )


def pruned_against_dense(layers, y, variance, repeats):
    """Compare the dense and the pruned pass on the same layers, by CPU time (wall time in brackets)."""
    totals = np.zeros(4)
    for t in layers:
        rows, radius = unit_ball(np.ascontiguousarray(t.T))
        scales = np.array([radius**2 / (8 * variance)])
        run = partial(pair_sums, rows, y, scales, tolerance=1e-9)
        dense_wall, dense_cpu, _ = best(partial(run, prune=False), repeats)
        wall, cpu, sums = best(run, repeats)
        totals += (dense_cpu, cpu, dense_wall, wall)
        print(
            f"{len(t)} x {t.shape[1]}, variance {variance}: dense {dense_cpu * 1e3:.1f} ms, "
            f"pruned {cpu * 1e3:.1f} ms: {dense_cpu / cpu:.2f}x ({dense_wall / wall:.2f}x), {sums.copies} copies, "
            f"{sums.skipped:.0%} pruned, error below {sums.error:.0e} bits"
        )
    print(f"  all layers: {totals[0] / totals[1]:.2f}x CPU, {totals[2] / totals[3]:.2f}x wall")


def against_the_product(n=60_000, dim=128, strip=1024):
    """Compare with the float32 matrix product alone, over the same half of all pairs."""
    t = np.random.default_rng(0).standard_normal((n, dim), dtype=np.float32)
    y = np.arange(n) % 10
    buffer = np.empty((strip, n), np.float32)

    def product():
        for start in range(0, n, strip):
            rows = t[start : start + strip]
            np.matmul(rows, t[start:].T, out=buffer[: len(rows), : n - start])

    for variance in (0.1, 100.0):  # saturated; every kernel is needed
        bare, _, _ = best(product, 1)
        wall, _, _ = best(partial(ours, t, y, variance), 1)
        print(
            f"{n} x {dim}, variance {variance}: bare product {bare:.1f} s, ours {wall:.1f} s: "
            f"{wall / bare:.2f}x (target at most 3x)"
        )


def noisy_digits(n):
    """Return the bundled 8 x 8 digits, repeated with pixel noise to n rows."""
    from sklearn.datasets import load_digits

    digits, rng = load_digits(), np.random.default_rng(0)
    which = rng.integers(len(digits.data), size=n)
    return digits.data[which] / 16 + 0.1 * rng.standard_normal((n, 64)), digits.target[which].astype(np.int64)


def peak_gib():
    """Return the peak memory of this process in GiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    """Run the parts and print the ratios."""
    parser = argparse.ArgumentParser(description="Speed of the kernel density bounds.")
    parser.add_argument("--large", action="store_true", help="also 60 000 x 128 and 70 000 rows")
    large = parser.parse_args().large
    if large:
        against_the_product()
        x, y = noisy_digits(70_000)
        layers = trained_layers(x, y, (20, 20, 20), 10)
        for variance in (0.05, 1e-3):
            pruned_against_dense(layers, y, variance, 1)
        print(f"peak memory so far {peak_gib():.2f} GiB")
    task = szt()
    labels = task.labels.astype(np.int64)
    layers = trained_layers(task.inputs, labels, (10, 7, 5, 4, 3), 1000)
    for variance in (0.1, 1e-3):
        pruned_against_dense(layers, labels, variance, 10)
    print(f"peak memory before the full matrices {peak_gib():.2f} GiB")
    against_the_usual(layers, labels)


if __name__ == "__main__":
    main()
