"""Worker processes and clusters: the same bits as in one process; a worker's death costs nobody else a row."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Executor, ProcessPoolExecutor

import pytest

import infoplane as ip
from infoplane.runs import engine, pools, threads
from infoplane.runs.config import parse

dask_config = pytest.importorskip("dask.config", reason="needs the extra 'dask'")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def workers_share_what_is_compiled(monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "compiled-by-workers"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(folder))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


class Deadly(Executor):
    """An executor of worker processes in which the tasks of one group kill their worker some times."""

    def __init__(self, inner, group, times):
        self._inner, self._client, self.group, self.times, self.tries = inner, inner._client, group, times, []

    def submit(self, compute, task):
        if task.number != self.group:
            return self._inner.submit(compute, task)
        self.tries.append(task.attempt)

        def die(_):  # sent by value, since workers cannot import this file
            import os

            os.kill(os.getpid(), 9)

        return self._inner.submit(die if len(self.tries) <= self.times else compute, task)


def test_two_workers_give_the_same_bits_as_this_process(whole, small, tmp_path):
    assert engine.run(parse(small), tmp_path / "run", executor=2).identical(whole)
    # nothing is left behind here: neither what workers are told, nor a scheduler for other work
    assert not set(threads.BLAS_THREADS) & set(os.environ)
    assert dask_config.get("scheduler", None) is None


@pytest.mark.slow
def test_a_process_pool_of_the_standard_library_will_do(whole, small, tmp_path):
    import multiprocessing

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        assert engine.run(parse(small), tmp_path / "run", executor=executor).identical(whole)


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_a_worker_that_dies_loses_nothing(whole, small, tmp_path, times):
    with pools.prepared(2) as opener, opener(2) as pool:
        executor = Deadly(pool._executor, 1, times)
        assert engine.run(parse(small), tmp_path / "run", executor=executor).identical(whole)
        assert executor.tries[: times + 1] == list(range(times + 1))


@pytest.mark.slow
def test_one_task_that_kills_every_worker_costs_its_own_row_only(small, tmp_path):
    config = parse(small | {"members": 10})
    ds = engine.run(config, tmp_path / "serial")
    with pools.prepared(2) as opener, opener(2) as pool:
        executor = Deadly(pool._executor, 4, 99)
        found = engine.run(config, tmp_path / "run", executor=executor)
    assert executor.tries == [0, 1, 2]
    (failed,) = json.loads(found.attrs["failed"])
    assert (failed["members"], failed["tries"]) == ([4], 3)
    assert "KilledWorker" in failed["reason"]
    others = [member for member in range(10) if member != 4]
    assert found["information"].sel(member=4).isnull().all()
    for name in ("information", "loss", "weight_norm"):
        assert found[name].sel(member=others).identical(ds[name].sel(member=others))


@pytest.mark.slow
def test_a_cluster_that_somebody_else_keeps_gives_the_same_bits(whole, small, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        ds = engine.run(parse(small), tmp_path / "run", executor=cluster.scheduler_address)
    assert ds.identical(whole)


@pytest.mark.slow
def test_a_cluster_without_workers_is_refused(small, tmp_path):
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        pytest.raises(ip.ConfigError, match="has no workers yet"),
    ):
        engine.run(parse(small), tmp_path / "run", executor=cluster.scheduler_address)
    assert not (tmp_path / "run").exists()


def test_an_address_nobody_listens_at_is_refused_in_time_and_nothing_is_written(small, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()
    with pytest.raises(ip.ConfigError, match=f"cluster: no Dask scheduler answers at '{address}'"):
        engine.run(parse(small), tmp_path / "run", executor=address)
    assert time.monotonic() - start < 10
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["nonsense", "tcp://", ""])
def test_an_address_that_is_none_is_refused(small, tmp_path, address):
    with pytest.raises(ip.ConfigError, match="cluster: no Dask scheduler answers"):
        engine.run(parse(small), tmp_path / "run", executor=address)


LONG = ["run", "szt", "--members", "2", "--set", "group_width=1", "--set", "train.batch_size=1024", "--set"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_workers_are_stopped_in_time_by_a_signal_to_all_and_leave_a_run_that_goes_on(tmp_path, number, code):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "infoplane", *LONG, "train.epochs=200000", "--workers", "2", "--out", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            while not list(folder.glob("pieces/*.npz")):
                assert process.poll() is None
                time.sleep(0.1)
            start = time.monotonic()
            os.killpg(process.pid, number)  # as a terminal or a batch system does
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == code
    assert time.monotonic() - start < 10
    assert err.splitlines()[-1].startswith("interrupted; what was measured is in ")
    assert ip.load(folder).sizes["epoch"] > 0
    assert nobody_is_left(process.pid, seconds=5)


def nobody_is_left(group, seconds):
    """Whether every process of a group has ended, after a moment at most."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
