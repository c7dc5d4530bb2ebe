"""The engine: the same bits however the work is cut and wherever it is done; failures cost their rows only."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import infoplane as ip
from infoplane.runs import engine, task
from infoplane.runs.config import parse
from infoplane.runs.job import Job
from infoplane.runs.store import Store
from infoplane.runs.task import task_id


class Spoilt(ThreadPoolExecutor):
    """Threads in which the tasks of one group fail some times."""

    def __init__(self, group, times, from_epoch=0):
        super().__init__(2)
        self.group, self.times, self.from_epoch, self.tried = group, times, from_epoch, []

    def submit(self, compute, one, *rest):
        if one.number != self.group or one.first < self.from_epoch:
            return super().submit(compute, one, *rest)
        self.tried.append(one.attempt)
        return super().submit(self._fail if len(self.tried) <= self.times else compute, one, *rest)

    @staticmethod
    def _fail(*_):
        raise ValueError("the cat sat\non the keyboard")


def events(folder, kind):
    return [event for event in Store(folder).events() if event["event"] == kind]


def test_many_small_tasks_give_the_same_bits_as_few_long_ones(whole, in_pieces):
    assert ip.load(in_pieces).identical(whole)
    assert len(Store(in_pieces).pieces()) > 4


@pytest.mark.parametrize("threads", [1, 3])
def test_any_executor_gives_the_same_bits(whole, small, tmp_path, threads):
    with ThreadPoolExecutor(threads) as executor:
        assert engine.run(parse(small), tmp_path / "run", executor=executor).identical(whole)


def test_the_pieces_of_a_run_tile_its_epochs(in_pieces):
    for group in (0, 1):
        pieces = Store(in_pieces).pieces(group)
        assert [piece.first for piece in pieces] == [0, *(piece.last + 1 for piece in pieces[:-1])]
        assert pieces[-1].last == 12


def test_two_states_of_a_group_are_kept_and_no_more(in_pieces):
    for group in (0, 1):
        states = Store(in_pieces).states(group)
        assert len(states) == 2
        assert states[-1].epoch == 12


def test_a_task_is_named_by_what_decides_its_numbers(small):
    def names(**changes):
        job = Job(parse(small | changes))
        return [task_id(plan, group, first) for plan, group in job.groups for first in (0, 5)]

    mine = names()
    assert len(set(mine)) == 4
    assert names(name="other", memory=10**9, members=3)[:4] == mine
    for changes in ({"seed": 1}, {"model": {"hidden": [4, 4]}}, {"estimators": ["kde"]}, {"data": {"name": "g1"}}):
        assert not set(names(**changes)) & set(mine)


def test_every_task_of_a_run_is_on_record_by_its_name(in_pieces):
    recorded = events(in_pieces, "piece")
    assert len({event["task"] for event in recorded}) == len(recorded) == len(Store(in_pieces).pieces())


def test_a_task_that_fails_twice_is_tried_again_and_nothing_is_lost(whole, small, tmp_path):
    with Spoilt(0, 2) as executor:
        ds = engine.run(parse(small), tmp_path / "run", executor=executor)
    assert ds.identical(whole)
    assert executor.tried == [0, 1, 2]
    assert len(events(tmp_path / "run", "retry")) == 2


def test_a_task_that_always_fails_costs_its_rows_only(whole, small, tmp_path, told):
    with Spoilt(1, 99) as executor:
        ds = engine.run(parse(small), tmp_path / "run", told.append, executor)
    assert executor.tried == [0, 1, 2]
    assert ds.sel(member=[0]).drop_vars("member_flags").equals(whole.sel(member=[0]).drop_vars("member_flags"))
    assert ds["information"].sel(member=1).isnull().all()
    assert ds["loss"].sel(member=1).isnull().all()
    (failed,) = json.loads(ds.attrs["failed"])
    assert failed == {
        "group": 1,
        "members": [1],
        "epoch": 0,
        "tries": 3,
        "labels": {},
        "reason": "ValueError: the cat sat on the keyboard",
    }
    assert told == ["group 1 (members 1–1) failed 3 times at epoch 0 and is left out: " + failed["reason"]]
    assert ip.load(tmp_path / "run").identical(ds)


def test_what_a_group_measured_before_it_failed_is_kept(whole, small, tmp_path, many_tasks):
    with Spoilt(1, 99, from_epoch=5) as executor:
        ds = engine.run(parse(small), tmp_path / "run", executor=executor)
    before = {"member": 1, "epoch": [0, 4]}
    assert ds["information"].sel(before).equals(whole["information"].sel(before))
    assert ds["information"].sel(member=1, epoch=[8, 12]).isnull().all()
    assert json.loads(ds.attrs["failed"])[0]["epoch"] == 5


def test_resume_tries_what_has_failed_again(whole, small, tmp_path):
    with Spoilt(1, 99) as executor:
        engine.run(parse(small), tmp_path / "run", executor=executor)
    assert engine.resume(tmp_path / "run").identical(whole)


def test_a_run_of_which_every_task_fails_says_why(small, tmp_path):
    with Spoilt(0, 99) as executor, pytest.raises(engine.IncompleteError, match="nothing could be measured: ValueErr"):
        engine.run(parse(small | {"members": 1}), tmp_path / "run", executor=executor)


def test_an_executor_that_is_shut_down_leaves_a_run_that_can_be_resumed(whole, small, tmp_path):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(engine.IncompleteError, match="infoplane resume"):
        engine.run(parse(small), tmp_path / "run", executor=executor)
    assert engine.resume(tmp_path / "run").identical(whole)


@pytest.mark.parametrize(("executor", "text"), [(True, "executor is True"), (0, "workers is 0"), (2.5, "is 2.5")])
def test_what_is_no_executor_is_refused_and_nothing_is_written(small, tmp_path, executor, text):
    with pytest.raises(ip.ConfigError, match=text):
        ip.run(parse(small), tmp_path / "run", executor)
    assert not (tmp_path / "run").exists()


def test_without_dask_workers_are_refused_with_the_remedy(small, tmp_path, monkeypatch):
    monkeypatch.setattr("infoplane.runs.pools.importlib.util.find_spec", lambda _: None)
    for executor in (2, "tcp://127.0.0.1:1"):
        with pytest.raises(ip.ConfigError, match=r"pip install 'infoplane\[dask\]'"):
            engine.run(parse(small), tmp_path / "run", executor=executor)
    assert not (tmp_path / "run").exists()


def test_progress_counts_every_epoch_of_every_member_once(small, tmp_path, many_tasks):
    seen = []
    with Spoilt(0, 1, from_epoch=5) as executor:
        engine.run(parse(small), tmp_path / "run", seen.append, executor)
    assert {event.total for event in seen} == {24}
    assert seen[-1].done == 24
    assert max(event.done for event in seen) == 24


def test_progress_of_a_resumed_run_begins_where_it_stopped(small, tmp_path, many_tasks):
    seen = []
    with Spoilt(1, 99, from_epoch=5) as executor:
        engine.run(parse(small), tmp_path / "run", executor=executor)
    engine.resume(tmp_path / "run", seen.append)
    assert {event.resumed for event in seen} == {16}
    assert seen[-1].done == 24


@pytest.mark.slow
def test_a_range_over_the_whole_run_is_surveyed_in_tasks_too(small, tmp_path, monkeypatch):
    config = parse(small | {"estimators": [{"name": "binning", "edges": "run"}]})
    ds = engine.run(config, tmp_path / "long")
    monkeypatch.setattr(task, "FLUSH_SECONDS", -1.0)
    assert engine.run(config, tmp_path / "short").identical(ds)
    assert len(events(tmp_path / "short", "survey")) > 4
    assert not [state for state in Store(tmp_path / "short").states() if state.survey]


@pytest.mark.slow
def test_a_survey_that_was_stopped_goes_on_where_it_was(small, tmp_path, many_tasks):
    config = parse(small | {"members": 1, "estimators": [{"name": "binning", "edges": "run"}]})
    ds = engine.run(config, tmp_path / "whole")

    class StoppedAfter(ThreadPoolExecutor):
        left = 3

        def submit(self, *arguments):
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("stopped")
            return super().submit(*arguments)

    with StoppedAfter(1) as executor, pytest.raises(engine.IncompleteError):
        engine.run(config, tmp_path / "run", executor=executor)
    (state,) = Store(tmp_path / "run").states()
    assert state.survey
    assert state.epoch > 1
    assert engine.resume(tmp_path / "run").identical(ds)
    assert [event["epoch"] for event in events(tmp_path / "run", "survey")].count(state.epoch) == 1


def test_a_finished_run_is_answered_from_disk(whole, small, tmp_path, monkeypatch):
    engine.run(parse(small), tmp_path / "run")
    monkeypatch.setattr("infoplane.runs.merge.merge", lambda *_: pytest.fail("merged again"))
    monkeypatch.setattr("infoplane.runs.threads.start_jax", lambda *_: pytest.fail("started JAX"))
    start = time.process_time()
    assert engine.resume(tmp_path / "run").identical(whole)
    assert time.process_time() - start < 3  # of the processor, whatever else the machine does


def test_a_run_folder_can_be_moved_and_copied_between_sessions(whole, small, tmp_path, many_tasks):
    import shutil

    with Spoilt(1, 99, from_epoch=5) as executor:
        engine.run(parse(small), tmp_path / "run", executor=executor)
    shutil.copytree(tmp_path / "run", tmp_path / "elsewhere" / "copy")
    (tmp_path / "run").rename(tmp_path / "moved")
    assert engine.resume(tmp_path / "elsewhere" / "copy").identical(whole)
    assert engine.resume(tmp_path / "moved").identical(whole)


def test_the_time_that_storing_takes_is_on_record(small, tmp_path):
    engine.run(parse(small), tmp_path / "run")
    for event in events(tmp_path / "run", "piece"):
        assert set(event["seconds"]) == {"training", "measuring", "storing"}
        assert all(np.isfinite(seconds) and seconds >= 0 for seconds in event["seconds"].values())
