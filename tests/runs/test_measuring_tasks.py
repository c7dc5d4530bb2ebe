"""One group on several workers: trained in one place, measured in others, the same bits; faults cost one row."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import infoplane as ip
from infoplane.runs import engine, stretch, task, worker
from infoplane.runs.config import parse
from infoplane.runs.job import Job
from infoplane.runs.store import Store
from infoplane.runs.stretch import Missing, Stretch, stack_epochs, stack_layers
from infoplane.runs.task import FRESH, MISSING, Measured, Measurement, Outcome, Task

KEYS = {
    "members": 3,
    "group_width": 2,
    "model": {"hidden": [4, 3]},
    "train": {"epochs": 23, "batch_size": 1024},
    "schedule": {"kind": "list", "epochs": [3, 6, 9, 12, 15, 18, 21]},
    "estimators": ["binning", {"name": "kde", "variance": 0.01}],
}
"""Two groups, the second filled up with a member that is not kept."""

ONE_GROUP = KEYS | {"members": 2}


@pytest.fixture(scope="module", autouse=True)
def programs_are_kept():
    """Compile once for all runs of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "forget", lambda: None)
        yield
    worker.forget()


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """The result of one group that was trained and measured in one task after the other."""
    return engine.run(parse(ONE_GROUP), tmp_path_factory.mktemp("serial") / "run")


class Watched(ThreadPoolExecutor):
    """Threads that remember what they were sent, and in which some measurements fail."""

    def __init__(self, n_threads=2, spoilt=lambda _: False):
        super().__init__(n_threads)
        self.spoilt, self.sent = spoilt, []

    def submit(self, compute, one, *rest):
        self.sent.append(one)
        spoilt = isinstance(one, Measurement) and self.spoilt(one)
        return super().submit(self._fail if spoilt else compute, one, *rest)

    @staticmethod
    def _fail(*_):
        raise ValueError("the needle\nbroke")

    @property
    def parts(self):
        return [one for one in self.sent if isinstance(one, Measurement)]


def holds(epoch, layer):
    return lambda part: (epoch, layer) in part.cells


def events(folder, kind):
    return [event for event in Store(folder).events() if event["event"] == kind]


@pytest.mark.slow
@pytest.mark.parametrize("n_threads", [2, 5])
def test_one_group_measured_by_several_gives_the_same_bits(serial, tmp_path, n_threads):
    with Watched(n_threads) as executor:
        assert engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor).identical(serial)
    measured = [cell for part in executor.parts for cell in part.cells]
    assert sorted(measured) == [(epoch, layer) for epoch in serial["epoch"].values.tolist() for layer in range(3)]


@pytest.mark.slow
def test_pieces_hold_what_one_task_after_the_other_would_have_written(tmp_path, many_tasks):
    folders = tmp_path / "one", tmp_path / "two"
    engine.run(parse(ONE_GROUP), folders[0])
    with Watched() as executor:
        engine.run(parse(ONE_GROUP), folders[1], executor=executor)
    one, two = (_rows(Store(folder)) for folder in folders)
    assert one.keys() == two.keys()
    for key in one:
        assert one[key].dtype == two[key].dtype, key
        np.testing.assert_array_equal(one[key], two[key])


def _rows(store):
    """All rows of a run's only group with the epoch first."""
    pieces = [store.read_piece(piece) for piece in store.pieces()]
    axes = {
        key: 1 if key.startswith("spread") else 0 if key.startswith(("curve", "epochs")) else 2 for key in pieces[0]
    }
    return {
        key: np.concatenate([piece[key] for piece in pieces if key in piece], axis=axis) for key, axis in axes.items()
    }


@pytest.mark.slow
def test_a_member_that_fills_up_the_last_group_is_not_measured_apart_either(tmp_path):
    serial = engine.run(parse(KEYS), tmp_path / "serial")
    with Watched(4) as executor:
        assert engine.run(parse(KEYS), tmp_path / "run", executor=executor).identical(serial)
    assert {part.number for part in executor.parts} == {0, 1}


def test_with_as_many_groups_as_workers_each_measures_its_own(tmp_path):
    with Watched(1) as executor:
        engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor)
    assert not executor.parts
    assert {one.apart for one in executor.sent} == {0}


def test_a_range_over_the_whole_run_reaches_those_who_measure(tmp_path):
    config = parse(ONE_GROUP | {"estimators": [{"name": "binning", "edges": "run"}]})
    serial = engine.run(config, tmp_path / "serial")
    with Watched() as executor:
        assert engine.run(config, tmp_path / "run", executor=executor).identical(serial)
    assert all(part.run_range is not None for part in executor.parts)


def test_a_layer_that_cannot_be_measured_at_one_epoch_costs_that_row_only(serial, tmp_path, told):
    with Watched(spoilt=holds(6, 1)) as executor:
        ds = engine.run(parse(ONE_GROUP), tmp_path / "run", told.append, executor)
    at = {"epoch": 6, "layer": "hidden2"}
    assert ds["information"].sel(at).isnull().all()
    assert ds["activation_sd"].sel(at).isnull().all()
    where = (ds["epoch"] == 6) & (ds["layer"] == "hidden2")
    for name in ("information", "information_lower", "activation_sd"):
        assert ds[name].equals(serial[name].where(~where)), name
    for name in ("loss", "accuracy", "weight_norm"):
        assert ds[name].equals(serial[name]), name
    (failed,) = json.loads(ds.attrs["failed"])
    assert failed == {
        "group": 0,
        "members": [0, 1],
        "epoch": 6,
        "layer": "hidden2",
        "tries": 3,
        "labels": {},
        "reason": "ValueError: the needle broke",
    }
    assert told == ["group 0 (members 0–1): hidden2 at epoch 6 could not be measured in 3 tries: " + failed["reason"]]
    assert [part.attempt for part in executor.parts if (6, 1) in part.cells] == [0, 1, 2]
    assert len(events(tmp_path / "run", "retry")) == 2


def test_a_measurement_that_fails_twice_is_tried_again_and_nothing_is_lost(serial, tmp_path):
    with Watched(spoilt=lambda part: part.attempt < 2) as executor:
        assert engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor).identical(serial)


def test_resume_tries_again_what_could_not_be_measured(serial, tmp_path, told):
    with Watched(spoilt=holds(6, 1)) as executor:
        engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor)
    with Watched() as executor:
        assert engine.resume(tmp_path / "run", told.append, executor).identical(serial)
    assert len(told) == 1
    assert told[0].endswith("some layers could not be measured; its task is computed again")


def test_status_names_the_layer_that_could_not_be_measured(tmp_path):
    from infoplane.runs.status import status_lines

    with Watched(spoilt=holds(6, 1)) as executor:
        engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor)
    assert "failed: hidden2 of members [0, 1] at epoch 6 (3 tries): ValueError: the needle broke" in status_lines(
        tmp_path / "run"
    )


@pytest.mark.parametrize("n_sent", [9, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 5, 14))])
def test_a_run_whose_workers_are_lost_on_the_way_goes_on_to_the_same_bits(serial, tmp_path, many_tasks, n_sent):
    class Lost(Watched):
        def submit(self, *arguments):
            if len(self.sent) == n_sent:
                raise RuntimeError("gone")
            return super().submit(*arguments)

    with Lost() as executor, pytest.raises(engine.IncompleteError, match="infoplane resume"):
        engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor)
    with Watched() as executor:
        assert engine.resume(tmp_path / "run", executor=executor).identical(serial)


def test_a_request_to_stop_keeps_complete_stretches_only_and_resume_goes_on(serial, tmp_path, many_tasks):
    import os
    import signal

    def interrupts_the_run(part):
        if part.first >= 9:
            os.kill(os.getpid(), signal.SIGINT)
        return False

    with Watched(spoilt=interrupts_the_run) as executor, pytest.raises(engine.Interrupted):
        engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor)
    done = ip.load(tmp_path / "run")
    assert done.sizes["epoch"] < serial.sizes["epoch"]
    assert done["information"].equals(serial["information"].sel(epoch=done["epoch"]))
    assert engine.resume(tmp_path / "run").identical(serial)


def test_the_next_stretch_is_trained_while_the_last_is_measured_and_no_further(tmp_path, many_tasks, monkeypatch):
    most = 0
    add = stretch.Course.add

    def watched_add(course, *arguments):
        nonlocal most
        result = add(course, *arguments)
        most = max(most, len(course._on_the_way))
        return result

    monkeypatch.setattr(stretch.Course, "add", watched_add)
    with Watched(4) as executor:
        engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor)
    assert most == stretch.MOST_ON_THE_WAY


def test_no_more_weights_are_on_the_way_than_memory_allows(serial, tmp_path, monkeypatch):
    n_weights = 12 * 4 + 4 + 4 * 3 + 3 + 3 * 2 + 2
    monkeypatch.setattr(stretch, "WEIGHTS_BYTES", 4 * 2 * n_weights * 3)
    with Watched(20) as executor:
        assert engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor).identical(serial)
    trained = [one for one in executor.sent if isinstance(one, Task)]
    assert {one.apart for one in trained} == {3}


def test_weights_alone_are_sent_back_without_the_optimiser(tmp_path):
    with Watched() as executor:
        engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor)
    (leaves,) = {tuple(leaf.shape for leaf in part.weights[part.first]) for part in executor.parts}
    assert leaves == ((2, 4, 12), (2, 4, 1), (2, 3, 4), (2, 3, 1), (2, 2, 3), (2, 2, 1))


@pytest.mark.parametrize(("n_epochs", "n_parts", "sizes"), [(8, 4, [6] * 4), (1, 2, [1, 2]), (1, 9, [1] * 3)])
def test_parts_are_epochs_first_and_layers_where_those_are_too_few(n_epochs, n_parts, sizes):
    parts = _stretch(n_epochs).parts(n_parts)
    assert sorted(len(part.cells) for part in parts) == sizes
    assert sorted(cell for part in parts for cell in part.cells) == [(e, n) for e in range(n_epochs) for n in range(3)]


def test_a_stretch_is_complete_when_every_layer_of_every_epoch_is_measured_or_given_up():
    one = _stretch(2)
    assert not one.complete
    row = stretch.missing_rows(Job(parse(ONE_GROUP)).plans[0], 2)
    one.take(Measured({(0, 0): row, (0, 1): row, (0, 2): row, (1, 0): row, (1, 1): row}, 1.0))
    assert not one.complete
    one.missing[1, 2] = Missing(3, "none")
    assert one.complete
    rows = one.settle().outcome.rows
    assert rows is not None
    assert rows[MISSING].tolist() == [[1, 2]]
    assert _stretch(0).complete


def _stretch(n_epochs):
    plan = Job(parse(ONE_GROUP)).plans[0]
    asked = Task(plan.config.canonical(), plan.data_sha256, 1, 0, 0, FRESH, None, 0, 23, apart=9)
    weights = {epoch: (np.zeros((2, 4, 12), np.float32),) for epoch in range(n_epochs)}
    return Stretch(plan, 2, asked, Outcome(n_epochs, (), {}, None, {}, 0, weights))


def test_missing_rows_look_like_rows_of_a_layer():
    plan = Job(parse(ONE_GROUP)).plans[0]
    rows = stretch.missing_rows(plan, 3)
    whole = stack_epochs([0, 5], [stack_layers([rows, rows, rows])] * 2)
    assert whole["bits"].shape == (len(plan.estimators), 3, 2, 3, 2)
    assert whole["spread_sd"].shape == (3, 2, 3)
    assert whole["epochs"].tolist() == [0, 5]


@pytest.mark.slow
def test_one_group_on_two_processes_gives_the_same_bits(serial, tmp_path):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        assert engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor).identical(serial)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_one_group_on_two_dask_workers_gives_the_same_bits(serial, tmp_path):
    pytest.importorskip("dask.config", reason="needs the extra 'dask'")
    assert engine.run(parse(ONE_GROUP), tmp_path / "run", executor=2).identical(serial)


def test_a_task_of_its_own_length_ends_with_the_last_weights_it_may_send(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "FLUSH_SECONDS", 100.0)
    with Watched(2) as executor:
        engine.run(parse(ONE_GROUP), tmp_path / "run", executor=executor)
    first = next(piece for piece in Store(tmp_path / "run").pieces())
    assert first.last == 3  # epochs 0 and 3: one for each worker while nobody knows how long measuring takes
