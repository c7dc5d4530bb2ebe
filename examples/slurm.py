"""Run an experiment on a SLURM cluster: `python slurm.py NAME|FILE.toml DIR JOBS`.

Each job of the batch system has 16 workers with one thread. Up to JOBS jobs run at once; jobs that end during the run
are replaced. The values are the same as on one machine. Start the script on a host that allows a process for the whole
run; rerun the command to resume.
"""

import os
import sys
from pathlib import Path

os.environ["INFOPLANE_THREADS"] = "1"  # stored with the run: another number of threads rounds differently

from dask_jobqueue import SLURMCluster
from distributed import Client

import infoplane as ip
from infoplane.runs.threads import BLAS_THREADS, THREADS

WORKERS = 16


def make_cluster() -> SLURMCluster:
    """Describe one job without submitting it."""
    return SLURMCluster(
        queue="standard",
        walltime="04:00:00",
        cores=WORKERS,
        processes=WORKERS,
        memory="32GB",
        job_script_prologue=[f"export {name}=1" for name in (*BLAS_THREADS, THREADS)],
        worker_extra_args=["--preload", "infoplane.runs.worker", "--lifetime", "235m", "--lifetime-stagger", "4m"],
    )


def main(what: str, folder: Path, n_jobs: int) -> None:
    """Start a run in a new folder, or resume the run in the folder."""
    with make_cluster() as cluster, Client(cluster) as client:
        cluster.adapt(minimum_jobs=1, maximum_jobs=n_jobs)
        client.wait_for_workers(1)
        executor = client.get_executor(pure=False)
        if (folder / "run.json").exists():
            ip.resume(folder, executor)
        else:
            ip.run(what, folder, executor)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
