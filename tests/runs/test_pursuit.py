"""Runs whose measured epochs follow from what is measured, against the same training with every epoch measured."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from infoplane import data as datasets
from infoplane import schedules
from infoplane.data.base import Dataset
from infoplane.errors import ConfigError
from infoplane.results import encode_flags
from infoplane.runs import archive, engine, pursuit, task, worker
from infoplane.runs.config import override, parse
from infoplane.runs.job import Job
from infoplane.runs.store import Store
from infoplane.runs.task import Measurement, Task

KEYS = {
    "data": {"name": "few"},
    "members": 3,
    "group_width": 2,
    "model": {"hidden": [4, 3]},
    "train": {"epochs": 40, "batch_size": 128, "learning_rate": 0.003},
    "estimators": ["binning", "exact"],
}
"""Two groups, the second filled up with a member that is not kept."""

EXACT = {"kind": "delta-exact", "delta": 0.03, "max_skip": 8}
APPROX = {"kind": "delta-approx", "delta": 0.03, "max_skip": 8}


def few():
    """A quarter of the 12-bit task's inputs: quickly measured."""
    whole = datasets.szt()
    return dataclasses.replace(whole.only(np.arange(0, whole.n_samples, 4)), name="few")


@pytest.fixture(scope="module", autouse=True)
def few_is_known():
    """Runs of this file know the small data set by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(datasets.DATASETS, "few", few)
        yield


def keys(schedule, **changes):
    return parse(override(KEYS, {"schedule": schedule, **changes}))


@pytest.fixture(scope="module", autouse=True)
def programs_are_kept():
    """Compile once for all runs of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "forget", lambda: None)
        yield
    worker.forget()


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    """The result of the training with every epoch measured."""
    return engine.run(keys({"kind": "every"}), tmp_path_factory.mktemp("every") / "run")


def expected(every, schedule):
    """The epochs that a planner asks for when it is told what was measured at every epoch."""
    bits = every["information"].transpose("epoch", "estimator", "member", "layer", "variable").values
    entropies = every.attrs["input_entropy"], every.attrs["label_entropy"]
    planner = schedule.planner(len(bits) - 1, entropies)
    while not planner.done:
        for epoch in planner.wanted():
            planner.tell(epoch, bits[epoch])
    return list(planner.measured)


def same_at_its_epochs(ds, every):
    shown = every.sel(epoch=ds["epoch"])
    for name in ("information", "flags", "distinct_rows", "loss", "accuracy", "weight_norm"):
        if name in ("loss", "accuracy"):  # held-out rows are scored wherever it could be measured
            assert ds[name].sel(split="train").equals(every[name].sel(split="train")), name
        elif name == "flags":  # labels are shuffled at some of the requested epochs, which are others here
            compared = encode_flags(["uninformative"])
            assert np.array_equal(ds[name] & ~compared, shown[name] & ~compared)
        else:
            assert ds[name].equals(shown[name]), name


@pytest.fixture
def in_small_parts(monkeypatch):
    """Trainings and stretches are as short as they can be."""
    monkeypatch.setattr(pursuit, "TASK_SECONDS", -1.0)
    monkeypatch.setattr(task, "FLUSH_SECONDS", -1.0)


@pytest.mark.parametrize(
    ("asked", "schedule"),
    [
        (EXACT, schedules.DeltaExact(0.03, max_skip=8)),
        pytest.param(
            EXACT | {"quantile": 0.5}, schedules.DeltaExact(0.03, max_skip=8, quantile=0.5), marks=pytest.mark.slow
        ),
        pytest.param(
            EXACT | {"distance": "raw", "multiplier": 1.5, "delta": 0.4},
            schedules.DeltaExact(0.4, 1.5, max_skip=8, distance="raw"),
            marks=pytest.mark.slow,
        ),
        pytest.param(APPROX, schedules.DeltaApprox(0.03, max_skip=8), marks=pytest.mark.slow),
        pytest.param(
            APPROX | {"fall": True}, schedules.DeltaApprox(0.03, max_skip=8, fall=True), marks=pytest.mark.slow
        ),
    ],
)
def test_a_run_measures_what_the_planner_asks_for_to_the_same_bits(every, tmp_path, asked, schedule):
    ds = engine.run(keys(asked), tmp_path / "run")
    assert ds["epoch"].values.tolist() == expected(every, schedule)
    assert 2 < ds.sizes["epoch"] < every.sizes["epoch"]
    same_at_its_epochs(ds, every)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("threads", "asked"),
    [(3, EXACT), *(pytest.param(*one, marks=pytest.mark.slow) for one in [(1, EXACT), (1, APPROX), (3, APPROX)])],
)
def test_any_number_of_workers_measures_the_same_epochs(every, tmp_path, in_small_parts, asked, threads):
    schedule = keys(asked).schedule.build()
    with ThreadPoolExecutor(threads) as executor:
        ds = engine.run(keys(asked), tmp_path / "run", executor=executor)
    assert ds["epoch"].values.tolist() == expected(every, schedule)
    same_at_its_epochs(ds, every)


class Stopping(ThreadPoolExecutor):
    """Threads that break down after so many tasks."""

    def __init__(self, n_tasks):
        super().__init__(2)
        self.left = n_tasks

    def submit(self, *arguments):
        if not self.left:
            raise RuntimeError("shut down")
        self.left -= 1
        return super().submit(*arguments)


@pytest.mark.parametrize(
    ("n_tasks", "asked"),
    [(4, APPROX), *(pytest.param(*one, marks=pytest.mark.slow) for one in [(25, EXACT), (4, EXACT), (25, APPROX)])],
)
def test_a_run_that_was_stopped_goes_on_to_the_same_epochs(every, tmp_path, in_small_parts, asked, n_tasks):
    with Stopping(n_tasks) as executor, pytest.raises(engine.IncompleteError, match="resume"):
        engine.run(keys(asked), tmp_path / "run", executor=executor)
    ds = engine.resume(tmp_path / "run")
    assert ds["epoch"].values.tolist() == expected(every, keys(asked).schedule.build())
    same_at_its_epochs(ds, every)


@pytest.mark.slow
@pytest.mark.parametrize("place", [3, *(pytest.param(one, marks=pytest.mark.slow) for one in (0, -1))])
def test_a_lost_stretch_is_made_again(every, tmp_path, in_small_parts, place):
    whole = engine.run(keys(EXACT), tmp_path / "run")
    pieces = sorted((tmp_path / "run" / "pieces").glob("*.npz"))
    assert len(pieces) > 4
    pieces[place].unlink()
    again = engine.resume(tmp_path / "run")
    assert again.drop_attrs().equals(whole.drop_attrs())


@pytest.mark.slow
def test_a_stretch_without_an_epoch_that_is_wanted_is_made_again(every, tmp_path, in_small_parts):
    """As after a session in which another group had failed, so that other epochs were wanted."""
    engine.run(keys(EXACT), tmp_path / "run")
    store = Store(tmp_path / "run")
    piece = next(one for one in store.pieces(0) if len(store.read_piece(one)["epochs"]) > 1)
    rows = store.read_piece(piece)
    rows = {
        key: part[1:] if key == "epochs" else part if key.startswith("curve") else np.delete(part, 0, _axis(key))
        for key, part in rows.items()
    }
    archive.write(tmp_path / "run" / "pieces" / piece.file_name, rows, store.record_file)
    store.drop_piece(store.pieces(1)[-1])
    ds = engine.resume(tmp_path / "run")
    same_at_its_epochs(ds, every)
    assert ds["epoch"].values.tolist() == expected(every, keys(EXACT).schedule.build())


def _axis(key):
    return 1 if key.startswith("spread_") else 2


class Spoiling(ThreadPoolExecutor):
    """Threads in which some work fails always."""

    def __init__(self, spoilt):
        super().__init__(2)
        self.spoilt = spoilt

    def submit(self, compute, one, *rest):
        return super().submit(self._fail if self.spoilt(one) else compute, one, *rest)

    @staticmethod
    def _fail(*_):
        raise ValueError("the needle broke")


@pytest.mark.slow
def test_a_layer_that_cannot_be_measured_costs_its_row_and_the_run_goes_on(every, tmp_path):
    spoilt = lambda one: isinstance(one, Measurement) and one.group == 0 and 1 in one.layers and 0 in one.weights  # noqa: E731
    with Spoiling(spoilt) as executor:
        ds = engine.run(keys(EXACT), tmp_path / "run", executor=executor)
    lost = ds["information"].isel(epoch=0, layer=1, member=[0, 1])
    assert np.isnan(lost).all()
    assert int(np.isnan(ds["information"]).sum()) == lost.size
    assert '"layer": "hidden2"' in ds.attrs["failed"]
    resumed = engine.resume(tmp_path / "run")
    assert not np.isnan(resumed["information"]).any()
    same_at_its_epochs(resumed, every)


@pytest.mark.slow
def test_a_group_that_cannot_be_trained_is_left_out_and_the_rest_goes_on(every, tmp_path):
    def spoilt(one):
        return isinstance(one, Task) and one.group == 1 and one.begin >= 16

    with Spoiling(spoilt) as executor:
        ds = engine.run(keys(EXACT), tmp_path / "run", executor=executor)
    shown = every.sel(epoch=ds["epoch"])
    assert int(ds["epoch"][-1]) == 40
    assert ds["information"].isel(member=[0, 1]).equals(shown["information"].isel(member=[0, 1]))
    assert np.isnan(ds["information"].isel(member=2, epoch=-1)).all()
    assert "the needle broke" in ds.attrs["failed"]
    whole = engine.resume(tmp_path / "run")
    assert whole["epoch"].values.tolist() == expected(every, keys(EXACT).schedule.build())
    same_at_its_epochs(whole, every)


def test_training_goes_on_while_something_is_measured(tmp_path):
    """A measurement that waits until two more trainings have begun ends, where a second thread is free."""
    trained, held = threading.Semaphore(0), []

    class Waiting(ThreadPoolExecutor):
        def submit(self, compute, one, *rest):
            if isinstance(one, Task):
                trained.release()
            elif not held:
                held.append(one)
                return super().submit(self._wait, compute, one, *rest)
            return super().submit(compute, one, *rest)

        @staticmethod
        def _wait(compute, *arguments):
            assert trained.acquire(timeout=60)
            assert trained.acquire(timeout=60)
            assert trained.acquire(timeout=60)
            return compute(*arguments)

    with Waiting(2) as executor:
        ds = engine.run(keys(EXACT, members=2), tmp_path / "run", executor=executor)
    assert len(held) == 1
    assert ds.attrs["failed"] == "[]"


def images(n_samples=40, n_features=784):
    """As many features as an image has pixels."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(n_samples, n_features)).astype(np.float32)
    return Dataset(inputs, rng.integers(0, 10, n_samples), None, "pixels")


@pytest.mark.slow
@pytest.mark.parametrize("n_epochs", [pytest.param(1, marks=pytest.mark.slow), 9])
def test_weights_of_wide_networks_stay_within_the_bytes_allowed(tmp_path, monkeypatch, n_epochs):
    config = parse(
        {
            "members": 2,
            "group_width": 1,
            "model": {"hidden": [1024, 20, 20, 20], "activation": "relu"},
            "train": {"epochs": 24, "batch_size": 10},
            "schedule": {"kind": "delta-exact", "delta": 0.3, "max_skip": 16, "memory": 10**9},
        }
    )
    job = Job(config)
    job.plans[0].datasets[job.plans[0].data_key] = images()
    size = job.plans[0].epoch_bytes
    assert size == 4 * 2 * (784 * 1024 + 1024 + 1024 * 20 + 20 + 2 * (20 * 20 + 20) + 20 * 10 + 10)
    config = parse(override(config.tree(), {"schedule.memory": n_epochs * size + 5}))
    job = Job(config)
    job.plans[0].datasets[job.plans[0].data_key] = images()
    most = []
    add = pursuit.Follower.add

    def watched(self, one, trained, slots):
        parts = add(self, one, trained, slots)
        leaves = [leaf for kept in self._weights.values() for leaf in kept]
        leaves += [leaf for chunk in list(self._chunks)[2:] for leaf in chunk.outcome.state]
        most.append(sum(leaf.nbytes for leaf in leaves) * len(self.together))
        return parts

    monkeypatch.setattr(pursuit.Follower, "add", watched)
    with Store.create(tmp_path / "run", config, job.data) as store:
        opener = engine.pools.prepared(None)
        with opener as pool:
            ds = engine._work(job, store, None, pool)
    assert size <= max(most) <= n_epochs * size + 5
    assert int(ds["epoch"][-1]) == 24


def test_memory_below_the_weights_of_one_epoch_is_refused_with_what_is_needed(tmp_path):
    with pytest.raises(ConfigError, match=r"memory is 100 bytes; the weights of one epoch need 12\d\d.* raise memory"):
        engine.run(keys(EXACT | {"memory": 100}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_estimator_that_needs_the_range_of_the_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"edges 'run'.*schedule 'delta-exact' does not say"):
        engine.run(keys(EXACT, estimators=[{"name": "binning", "edges": "run"}]), tmp_path / "run")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"delta": 0}, "delta is 0.*above 0"),
        ({"multiplier": 1}, "multiplier is 1.*above 1"),
        ({"max_skip": 0}, "max_skip is 0.*at least 1"),
        ({"quantile": 2}, "quantile is 2"),
        ({"fall": True}, "'fall' does not belong to kind 'delta-exact', which takes 'delta' and"),
        ({"distance": "far"}, "distance"),
    ],
)
def test_settings_out_of_range_are_refused(asked, text):
    with pytest.raises(ConfigError, match=text):
        keys(EXACT | asked)


@pytest.mark.slow
def test_progress_rises_to_every_epoch_of_every_member(tmp_path, in_small_parts):
    seen = []
    engine.run(keys(EXACT), tmp_path / "run", on_event=seen.append)
    counts = [event.done for event in seen if hasattr(event, "done")]
    assert counts[-1] == 3 * 40
    assert len(set(counts)) > 5


@pytest.mark.slow
def test_a_sweep_follows_what_is_measured_in_each_of_its_combinations(tmp_path):
    config = keys(EXACT, members=2, sweep={"model.activation": ["tanh", "relu"]})
    ds = engine.run(config, tmp_path / "run")
    alone = engine.run(keys(EXACT, members=2, **{"model.activation": "relu"}), tmp_path / "alone")
    part = ds.sel(activation="relu").dropna("epoch", how="all", subset=["information"])
    assert part["epoch"].values.tolist() == alone["epoch"].values.tolist()
    assert np.array_equal(part["information"].values, alone["information"].values)


def test_estimators_that_are_measured_at_fewer_epochs_are_left_out(every, tmp_path):
    ds = engine.run(keys(EXACT, **{"measure.sparse": ["exact"]}), tmp_path / "run")
    assert ds["estimator"].values.tolist() == ["binning"]
    assert ds["information"].equals(every["information"].sel(epoch=ds["epoch"], estimator=["binning"]))
    assert list(keys(EXACT, **{"measure.sparse": ["exact", "binning"]}).build_estimators()) == ["binning", "exact"]


@pytest.mark.slow
def test_parts_of_the_inputs_are_measured_too(tmp_path):
    ds = engine.run(keys(EXACT, members=2, **{"measure.parts": ["all", "test"]}), tmp_path / "run")
    assert not ds["held_out_information"].isnull().any()
