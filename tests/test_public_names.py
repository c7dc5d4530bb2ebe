"""The names that the package promises, and what importing it costs."""

import json
import subprocess
import sys

import pytest

import infoplane

HEAVY = ["jax", "numpy", "scipy", "sklearn", "xarray", "matplotlib", "plotly", "pydantic", "h5py", "optax"]
PROBE = """
import json, sys, time
start = time.process_time()
{work}
print(json.dumps([time.process_time() - start, sorted(set({heavy}) & set(sys.modules))]))
"""


def probe(work):
    """Processor seconds of ``work`` in a fresh interpreter, and which heavy modules it loaded."""
    code = PROBE.format(work=work, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", infoplane.__all__)
def test_every_promised_name_resolves(name):
    assert getattr(infoplane, name) is not None
    assert name in dir(infoplane)


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="module 'infoplane' has no attribute 'lod'"):
        infoplane.lod  # noqa: B018


def test_importing_the_package_is_quick_and_loads_nothing_heavy():
    seconds, loaded = probe("import infoplane")
    assert loaded == []
    assert seconds < 0.7


def test_help_is_quick_and_loads_nothing_heavy():
    call = "try: cli.main()\nexcept SystemExit: pass"
    work = f"from infoplane import cli\nsys.argv = ['infoplane', '--help']\n{call}"
    seconds, loaded = probe(work)
    assert loaded == []
    assert seconds < 0.7


def test_data_and_estimators_load_no_jax():
    _, loaded = probe("import infoplane as ip\nip.datasets.szt(), ip.list_estimators()")
    assert "jax" not in loaded
