"""Memory of a whole run on 70 000 images, every one of them measured."""

import subprocess
import sys

import numpy as np
import pytest

RUN = """
import resource, sys
import infoplane as ip

ds = ip.run(
    "images", sys.argv[2], members=1, variants=[], data={"name": "file", "path": sys.argv[1]}, train={"epochs": 1},
    schedule={"kind": "list", "epochs": [1]}, measure={"parts": ["all"], "rows": None},
)
assert ds.attrs["n_samples"] == 70_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.slow
def test_a_run_on_70000_images_stays_under_three_gibibytes(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (70_000, 784), np.uint8)
    np.savez(tmp_path / "images.npz", x=(pixels / np.float32(255)).astype(np.float32), y=rng.integers(0, 10, 70_000))
    arguments = [sys.executable, "-c", RUN, str(tmp_path / "images.npz"), str(tmp_path / "run")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) < 3
