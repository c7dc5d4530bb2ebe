"""The example for SLURM describes the job that its page promises; nothing is submitted."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("dask_jobqueue", reason="needs the extra 'slurm'")

EXAMPLE = Path(__file__).parents[2] / "examples" / "slurm.py"


@pytest.fixture
def script(monkeypatch):
    """The job script that the example's cluster would submit."""
    monkeypatch.setenv("INFOPLANE_THREADS", "1")  # the example sets it; here it is to be forgotten again
    spec = importlib.util.spec_from_file_location("slurm_example", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with example.make_cluster() as cluster:
        return cluster.job_script()


@pytest.mark.filterwarnings("ignore")
def test_a_job_asks_for_its_cores_and_time_and_starts_one_worker_a_core(script):
    lines = script.splitlines()
    for line in ("#SBATCH -p standard", "#SBATCH -n 1", "#SBATCH --cpus-per-task=16", "#SBATCH -t 04:00:00"):
        assert line in lines
    (start,) = [line for line in lines if "dask" in line and "worker" in line and not line.startswith("#")]
    for words in ("--nworkers 16", "--nthreads 1", "--preload infoplane.runs.worker", "--lifetime 235m"):
        assert words in start


@pytest.mark.filterwarnings("ignore")
def test_a_job_gives_every_worker_one_thread(script):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "INFOPLANE_THREADS"):
        assert f"export {name}=1" in script.splitlines()
