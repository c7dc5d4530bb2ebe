"""What importing infoplane brings along."""

import subprocess
import sys

import pytest

FRAMEWORKS = ("torch", "keras", "lightning", "flax", "equinox", "tensorflow")


@pytest.mark.parametrize("module", ["infoplane", "infoplane.record", "infoplane.record.recorder"])
def test_importing_brings_no_framework(module):
    code = f"import sys, {module}; print([name for name in {FRAMEWORKS!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_infoplane_does_not_start_jax():
    code = "import sys, infoplane; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_recording_what_a_function_gives_needs_no_framework():
    code = f"""
import sys, numpy as np, infoplane as ip
x = np.random.default_rng(0).standard_normal((30, 3))
recorder = ip.Recorder(x)
recorder.step(0, lambda batch: {{"hidden": np.tanh(batch)}})
recorder.results()
print([name for name in {FRAMEWORKS!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
