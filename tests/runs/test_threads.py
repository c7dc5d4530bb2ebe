"""How many threads and devices a process computes with is decided in one place."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import threadpoolctl

from infoplane.errors import ConfigError
from infoplane.runs import threads
from infoplane.runs.threads import Devices, one_blas_thread, worker_environment


def blas_threads():
    return {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}


def test_cores_are_those_that_this_process_may_use():
    assert 1 <= threads.cores() <= os.cpu_count()


def test_fewer_threads_can_be_asked_for_and_nonsense_is_refused(monkeypatch):
    monkeypatch.setenv("INFOPLANE_THREADS", "1")
    assert threads.cores() == 1
    for nonsense in ("0", "-1", "many", "1.5", "1000000"):
        monkeypatch.setenv("INFOPLANE_THREADS", nonsense)
        with pytest.raises(ConfigError, match=f"INFOPLANE_THREADS is '{nonsense}'; expected a number of threads"):
            threads.cores()


def test_workers_share_the_cores_and_give_blas_one_thread_each():
    assert worker_environment(1)["INFOPLANE_THREADS"] == str(threads.cores())
    assert worker_environment(10**6)["INFOPLANE_THREADS"] == "1"
    assert {worker_environment(2)[name] for name in threads.BLAS_THREADS} == {"1"}


def test_blas_has_one_thread_while_anything_computes_and_what_it_had_afterwards():
    np.ones((2, 2)) @ np.ones((2, 2))
    before = blas_threads()
    with one_blas_thread:
        with one_blas_thread:
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_a_device_is_lent_to_one_task_at_a_time_and_the_last_one_back_is_lent_first():
    devices = Devices(["a", "b"])
    assert len(devices) == 2
    with devices.one() as first:
        with devices.one() as second:
            assert {first, second} == {"a", "b"}
            waiting, got = threading.Event(), []

            def take():
                waiting.set()
                with devices.one() as third:
                    got.append(third)

            thread = threading.Thread(target=take)
            thread.start()
            waiting.wait()
            assert got == []
        thread.join()
        assert got == [second]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_jax_starts_with_the_threads_of_the_run_and_leaves_the_environment_alone(n_threads):
    program = (
        "import os; from infoplane.runs.threads import start_jax\n"
        f"print(len(start_jax({n_threads})), 'NPROC' in os.environ)\n"
        "print(len(start_jax(7)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(n_threads), "False", str(n_threads)]  # once JAX runs, what there is is used
