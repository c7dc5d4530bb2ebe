"""Make the table of the page as-if-random.md: the error of each measure on clouds with known information.

python docs/as_if_random.py   # a few minutes on two cores

N Gaussian clouds in d dimensions with M samples each. ``overlap`` is the width of a cloud relative to the spread of the
centers. The true value is computed by Monte Carlo to 0.002 bits. ``kde`` is compared with the true value of the clouds
with its noise added. ``binning``, with ten cells per unit, is compared with the true value of the clouds: the
difference includes the loss due to the cells, so it is not only an error.
"""

import csv
import itertools
import math
from pathlib import Path

import numpy as np

import infoplane as ip
from infoplane.truth import GaussianClouds

HEADING = ("N", "M", "d", "overlap", "truth", "ross", "gaussian lower", "gaussian", "kde truth", "kde", "binning")
NUMBERS, SAMPLES, DIMS, OVERLAPS = (32, 128), (25, 100), (2, 5, 10), (0.1, 0.3, 1.0, math.inf)
VARIANCE = 0.1
REPEATS = 2


def main() -> None:
    """Measure, print the table and write it next to this file."""
    lines = []
    for n, dim, overlap in itertools.product(NUMBERS, DIMS, OVERLAPS):
        clouds = GaussianClouds.spread_out(n, dim, overlap)
        covariances = clouds.roots @ clouds.roots.transpose(0, 2, 1) + VARIANCE * np.eye(dim)
        noisy = GaussianClouds(clouds.means, np.linalg.cholesky(covariances))
        for m in SAMPLES:
            errors = _errors(clouds, m, clouds.information, noisy.information)
            line = (
                n,
                m,
                dim,
                overlap,
                f"{clouds.information:.3f}",
                *errors[:3],
                f"{noisy.information:.3f}",
                *errors[3:],
            )
            lines.append([str(cell) for cell in line])
            print("| " + " | ".join(lines[-1]) + " |", flush=True)
    with (Path(__file__).parent / "results" / "as-if-random.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADING, *lines])


def _errors(clouds: GaussianClouds, m: int, truth: float, noisy_truth: float) -> list[str]:
    """Return the mean error in bits of each measure over a few samples."""
    found = []
    for seed in range(REPEATS):
        t = clouds.samples(m, seed)
        gaussian = ip.as_if_random(t, None, "gaussian").input
        assert gaussian.lower is not None
        found.append(
            (
                ip.as_if_random(t, None, "ross").input.bits - truth,
                gaussian.lower - truth,
                gaussian.bits - truth,
                ip.as_if_random(t, None, "kde", variance=VARIANCE).input.bits - noisy_truth,
                ip.as_if_random(t, None, "binning", edges="layer", bins=10).input.bits - truth,
            )
        )
    return [f"{error:+.2f}" for error in np.mean(found, axis=0)]


if __name__ == "__main__":
    main()
