"""Compare binned information with the usual loop of ``numpy.unique``, as a ratio in one run.

    python benchmarks/binning.py

The reference is our version of the method in public programs: bins by ``numpy.digitize``, rows counted by
``numpy.unique(axis=0)``, once for all rows and once for each class.
"""

import time
from collections.abc import Callable

import numpy as np

from infoplane.estimators import Binning
from infoplane.estimators.base import Layers

BINS = 30


def usual(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return I(X;T) and I(T;Y) of one layer (sample, dim), in bits."""
    rows = np.digitize(t, np.linspace(-1, 1, BINS))

    def entropy(part: np.ndarray) -> float:
        counts = np.unique(part, axis=0, return_counts=True)[1]
        p = counts / counts.sum()
        return float(-(p * np.log2(p)).sum())

    h = entropy(rows)
    return h, h - sum((y == label).mean() * entropy(rows[y == label]) for label in np.unique(y))


def seconds(function: Callable[[], object], at_least: float = 1.0) -> float:
    """Return the median time of a call, repeated for at least a second."""
    function()
    times: list[float] = []
    while sum(times) < at_least:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    """Print the rates and ratios."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 4096)
    for n_units, spread, note in ((10, 0.5, "most rows distinct"), (3, 3.0, "saturated"), (1024, 0.5, "wide")):
        t = np.tanh(spread * rng.standard_normal((5, n_units, 4096))).astype(np.float32)
        estimator = Binning(bins=BINS, edges="idnns")
        ours = seconds(lambda t=t, estimator=estimator: estimator.measure(Layers(t, y))) / len(t)
        peer = seconds(lambda t=t: usual(t[0].T, y))
        values = estimator.measure(Layers(t[:1], y))
        assert values.label is not None
        agree = np.allclose(usual(t[0].T, y), [values.input.bits[0], values.label.bits[0]], atol=1e-9)
        print(f"4096 x {n_units} ({note}): {1 / ours:.0f} layers/s, numpy.unique {1 / peer:.1f}: "
              f"{peer / ours:.0f} times, same values {agree}")  # fmt: skip


if __name__ == "__main__":
    main()
