"""NumPy's global random state stays the same when JAX is imported at the first measurement."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import numpy as np
import infoplane as ip
t = np.random.default_rng(0).standard_normal((40, 3))
np.random.seed(3)
before = np.random.get_state()
{}
assert "jax" in sys.modules
after = np.random.get_state()
assert before[2] == after[2] and (before[1] == after[1]).all()
"""

RUN = """
import sys
import numpy as np
import infoplane as ip
np.random.seed(3)
before = np.random.get_state()
ip.run("szt", sys.argv[1], quick=True, members=1, train={"epochs": 2})
assert "jax" in sys.modules
after = np.random.get_state()
assert before[2] == after[2] and (before[1] == after[1]).all()
"""

CALLS = {
    "kde": 'ip.layer_information(t, estimator={"name": "kde", "variance": 0.1})',
    "noisy": 'ip.layer_information(t, estimator={"name": "noisy", "variance": 0.1})',
    "as if random": 'ip.as_if_random(np.stack([t, t + 1, t + 2, t + 3]), estimator="kde", variance=0.1)',
    "any code": "from infoplane._import_jax import random_state_kept\nwith random_state_kept():\n    import jax",
    "recorder": 'ip.Recorder(t, estimators=[{"name": "kde", "variance": 0.1}]).step(0, {"t": t})',
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_first_measurement_leaves_the_global_random_state(call):
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(call)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow  # a run compiles its training
def test_a_run_leaves_the_global_random_state(tmp_path):
    command = [sys.executable, "-c", RUN, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
