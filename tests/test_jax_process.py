"""JAX as its user has set it up: in 64-bit mode, in a forked process, with flags that change numbers."""

import json
import os
import re
import subprocess
import sys

import pytest

import infoplane as ip
from infoplane.runs import provenance

HEAD = """
import json, os, sys, warnings
import numpy as np
import infoplane as ip
t = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
y = (t[:, 0] > 0).astype(int)
SMALL = {"estimators": ["binning"], "members": 1, "train.epochs": 4, "model.hidden": [3], "train.batch_size": 1024}
"""

VALUES = """
noise = {"name": "kde", "variance": 0.1}
found = [
    ip.layer_information(t, y, noise),
    ip.layer_information(t, y, {"name": "noisy", "variance": 0.1}),
    ip.layer_information(t, y, "binning"),
]
print(repr(found), ip.as_if_random(np.stack([t, t + 1, t + 2, t + 3]), y, "kde", variance=0.1))
"""

RUN = """
ds = ip.run("szt", sys.argv[1], **SMALL)
print(ds.information.values.tobytes().hex(), ds.loss.values.tobytes().hex(), ds.attrs["failed"])
"""

FORKED = """
import multiprocessing, signal
import jax
jax.numpy.ones(3).block_until_ready()
warnings.simplefilter("ignore")

def child(queue):
    signal.alarm(120)  # ends a child that hangs
    try:
        {call}
    except Exception as error:
        queue.put((type(error).__name__, str(error)))
    else:
        queue.put(("value", ""))

queue = multiprocessing.get_context("fork").SimpleQueue()
process = multiprocessing.get_context("fork").Process(target=child, args=(queue,))
process.start()
process.join()
print(json.dumps(queue.get() if process.exitcode == 0 else ["hangs", ""]))
"""


def output(script, *arguments, **variables):
    """What a script prints in a process of its own."""
    command = [sys.executable, "-c", HEAD + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": "0"} | variables)
    assert done.returncode == 0, done.stderr
    return re.sub(r"seconds=[^,)]*", "", done.stdout)


@pytest.mark.slow
def test_measurements_are_bit_identical_in_64_bit_mode():
    assert output(VALUES, JAX_ENABLE_X64="1") == output(VALUES)


@pytest.mark.slow
def test_a_run_is_bit_identical_in_64_bit_mode(tmp_path):
    found = output(RUN, tmp_path / "wide", JAX_ENABLE_X64="1")
    assert found == output(RUN, tmp_path / "usual")
    assert found.endswith(" []\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        'ip.layer_information(t, y, {"name": "kde", "variance": 0.1})',
        'ip.layer_information(t, y, {"name": "noisy", "variance": 0.1})',
        'ip.as_if_random(np.stack([t, t + 1, t + 2, t + 3]), estimator="kde", variance=0.1)',
        'ip.run("szt", sys.argv[1], **SMALL)',
    ],
    ids=["kde", "noisy", "as_if_random", "run"],
)
def test_a_fork_of_a_process_that_used_jax_is_refused_with_the_remedy(call, tmp_path):
    kind, text = json.loads(output(FORKED.replace("{call}", call), tmp_path / "run"))
    assert kind == "InfoplaneError"
    assert text.endswith("Start it with multiprocessing.get_context('spawn').")
    assert not (tmp_path / "run").exists()


def test_a_fork_after_jax_is_refused_before_it_computes(monkeypatch):
    monkeypatch.setattr("infoplane._import_jax._process", {"forked": True})
    with pytest.raises(ip.InfoplaneError, match="spawn"):
        ip.layer_information([[0.0], [1.0], [2.0]], estimator={"name": "kde", "variance": 0.1})


def test_flags_of_xla_that_may_change_numbers_are_recorded_as_versions_are(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true --xla_force_host_platform_device_count=8")
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "bfloat16")
    about = provenance.provenance()
    assert about["versions"]["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"
    assert about["versions"]["JAX_DEFAULT_MATMUL_PRECISION"] == "bfloat16"
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here --xla_force_host_platform_device_count=4")
    monkeypatch.delenv("JAX_DEFAULT_MATMUL_PRECISION")
    assert set(provenance.versions()) == set(provenance.PACKAGES)
