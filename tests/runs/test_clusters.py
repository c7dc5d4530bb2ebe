"""Clusters: nobody without credentials gets in, and no worker of other versions computes."""

import contextlib
import socket
import ssl
import subprocess
import sys
import textwrap

import pytest

import infoplane as ip
from infoplane.runs import clusters, engine, pools, worker
from infoplane.runs.clusters import Cluster, Roll
from infoplane.runs.config import parse
from infoplane.runs.provenance import versions
from infoplane.runs.store import Store
from infoplane.runs.task import Measurement

distributed = pytest.importorskip("distributed", reason="needs the extra 'dask'")
psutil = pytest.importorskip("psutil", reason="needs the extra 'dask'")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def running():
    """A client of a worker process of this machine, as ``--workers 1`` starts it."""
    before = ports()
    with clusters.local(1) as client:
        yield client, ports() - before


def ports():
    """Every port that this process or a child of it listens at."""
    found = set()
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            found |= {one.laddr for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN}
    return found


# ---- a second user of this machine


def test_workers_listen_on_this_machine_only_and_open_no_dashboard(running):
    assert len(running[1]) >= 2  # the scheduler, and each worker with its keeper
    assert {place.ip for place in running[1]} == {"127.0.0.1"}
    assert 8787 not in {place.port for place in running[1]}


def test_every_open_port_refuses_who_has_no_credentials(running, tally_of):
    for place in running[1]:
        for encrypted in (False, True):
            assert not answers(place, encrypted=encrypted), place
    tally_of(
        "a second user of the machine at each port of a run with --workers: without TLS, without a certificate",
        2 * len(running[1]),
        "no answer; the dashboard's port 8787 stays closed",
    )


@pytest.fixture
def tally_of(record_property):
    """Hands the campaign of tests/faults a line of its table."""
    import json

    def told(fault, tries, outcome):
        record_property("fault", json.dumps({"fault": fault, "tries": tries, "outcome": outcome}))

    return told


def answers(place, *, encrypted):
    """Whether somebody at a port answers a request of somebody without credentials."""
    with socket.create_connection(place, timeout=20) as plain:
        try:
            connection = plain
            if encrypted:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                connection = context.wrap_socket(plain)
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return bool(connection.recv(1))
        except OSError:  # refused, which for TLS shows at the first read
            return False


@pytest.mark.parametrize("kind", ["plain", "encrypted", "own authority"])
def test_a_dask_client_without_the_credentials_of_the_run_is_refused(running, kind):
    from distributed.security import Security

    address = running[0].scheduler.address
    security = {"plain": None, "encrypted": None, "own authority": Security.temporary()}[kind]
    address = address.replace("tls://", "tcp://") if kind == "plain" else address
    with pytest.raises((OSError, TypeError, RuntimeError, ValueError)):
        distributed.Client(address, timeout=3, security=security, set_as_default=False)
    assert running[0].submit(lambda: 7, pure=False).result(timeout=60) == 7  # and who has them is served


# ---- credentials for a cluster that somebody else keeps


def files_of(security, folder):
    """The credentials of Dask as files."""
    paths = {}
    for name, text in (
        ("ca", security.tls_ca_file),
        ("cert", security.tls_client_cert),
        ("key", security.tls_client_key),
    ):
        paths[name] = folder / f"{name}.pem"
        paths[name].write_text(text)
    return paths


@pytest.mark.slow
def test_a_cluster_with_tls_is_reached_with_credentials_only(whole, small, tmp_path):
    from distributed import LocalCluster
    from distributed.security import Security

    security = Security.temporary()
    with LocalCluster(n_workers=1, threads_per_worker=1, security=security, dashboard_address="127.0.0.1:0") as cluster:
        paths = files_of(security, tmp_path)
        where = Cluster(cluster.scheduler_address, **paths)
        assert engine.run(parse(small), tmp_path / "run", executor=where).identical(whole)
        with pytest.raises(ip.ConfigError, match="no Dask scheduler answers"):
            engine.run(parse(small), tmp_path / "other", executor=cluster.scheduler_address)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"address": "tcp://a:1", "ca": "x", "cert": "x"}, "cluster is 'tcp://a:1'; expected tls://HOST:PORT"),
        ({"address": "tls://a:1", "cert": "x"}, "tls-ca is missing"),
        ({"address": "tls://a:1", "ca": "x"}, "tls-ca: expected a file, got 'x'|tls-cert is missing"),
        ({"address": "tls://a:1", "ca": "x", "cert": "x"}, "tls-ca: expected a file, got 'x'"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused(small, tmp_path, given, said):
    with pytest.raises(ip.ConfigError, match=said):
        engine.run(parse(small), tmp_path / "run", executor=Cluster(**given))
    assert not (tmp_path / "run").exists()


def test_workers_without_the_package_for_tls_are_refused(monkeypatch):
    find = pools.importlib.util.find_spec
    monkeypatch.setattr(pools.importlib.util, "find_spec", lambda name: None if name == "cryptography" else find(name))
    with pytest.raises(ip.ConfigError, match=r"cryptography .* pip install 'infoplane\[dask\]'"), pools.prepared(2):
        pass


# ---- workers of other versions


class Client:
    """A cluster of workers with the versions that are given."""

    def __init__(self, **workers):
        self.workers, self.asked = workers, []

    def nthreads(self):
        return dict.fromkeys(self.workers, 2)

    def run(self, function, workers, on_error):
        assert function is worker.versions
        self.asked += workers
        return {name: self.workers[name] for name in workers}


OTHER = versions() | {"numpy": "1.0"}


def test_a_worker_is_checked_once_when_it_joins_and_refused_with_other_versions():
    client = Client(a=versions())
    roll = Roll(client)
    roll.require_all()
    client.workers |= {"b": OTHER, "c": versions(), "d": ModuleNotFoundError("No module named 'infoplane'")}
    assert roll.slots() == roll.slots() == 4
    assert sorted(client.asked) == ["a", "b", "c", "d"]
    assert roll.chosen() == {"workers": ["a", "c"], "allow_other_workers": True}
    news = roll.news()
    assert set(news) == {"b", "d"}
    assert f'numpy: "{versions()["numpy"]}" → "1.0"' in news["b"]
    assert "cannot use infoplane (No module named 'infoplane')" in news["d"]
    assert roll.news() == {}
    del client.workers["a"]
    assert roll.slots() == 2


def test_a_cluster_with_a_wrong_worker_is_refused_at_the_start():
    with pytest.raises(ip.ConfigError, match=r"cluster: worker b has other versions \(numpy: "):
        Roll(Client(a=versions(), b=OTHER)).require_all()
    with pytest.raises(ip.ConfigError, match="has no workers yet"):
        Roll(Client()).require_all()


def test_a_worker_of_other_versions_computes_nothing(monkeypatch):
    monkeypatch.setattr(worker, "compute", lambda task: pytest.fail("it computes"))
    part = Measurement("{}", "", threads=1, number=0, group=0, weights={}, layers=())
    with pytest.raises(worker.VersionsError, match=r'a worker has other versions \(numpy: "1\.0" → '):
        worker.compute_as(OTHER, part)


IMPOSTOR = """
import importlib.metadata, sys
real = importlib.metadata.version
importlib.metadata.version = lambda name: "0.0.1" if name == "optax" else real(name)
from dask import config
config.set({"distributed.worker.daemon": False})
from distributed.cli.dask_worker import main
main([sys.argv[1], "--no-nanny", "--nthreads", "4", "--no-dashboard"])
"""


@pytest.mark.slow
def test_a_worker_of_other_versions_that_joins_late_gets_no_task(small, tmp_path, tally_of):
    """With four threads it is the freest one by far; it would take most of the tasks."""
    from distributed import LocalCluster

    config = parse(small | {"members": 24, "group_width": 1})
    whole = engine.run(config, tmp_path / "whole")
    late, told = [], []
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:

        def start_one(event):
            told.append(event)
            if not late:
                command = [sys.executable, "-c", textwrap.dedent(IMPOSTOR), cluster.scheduler_address]
                late.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                wait_for(lambda: len(cluster.scheduler.workers) == 2)

        try:
            ds = engine.run(config, tmp_path / "run", start_one, executor=cluster.scheduler_address)
        finally:
            for process in late:
                process.kill()
                process.wait()
    assert ds.identical(whole)
    events = Store(tmp_path / "run").events()
    (refused,) = [event for event in events if event["event"] == "refused_worker"]
    assert "optax" in refused["reason"]
    pieces = [event for event in events if event["event"] == "piece"]
    assert pieces
    assert all(event["versions"] == versions() for event in pieces)
    tally_of(
        "a worker of other versions that joins a running cluster",
        1,
        "rejected, reported and recorded; every result has the versions of its computation; the same bits",
    )


def wait_for(condition):
    import time

    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("the late worker has not joined")
