"""What `status` says of a run: done, failed, left, and how long it will take."""

import re
import time

import pytest

from infoplane.runs import engine
from infoplane.runs.config import parse
from infoplane.runs.status import status_lines
from infoplane.runs.store import Store


def test_a_finished_run_is_complete_and_nothing_is_left(in_pieces):
    lines = status_lines(in_pieces)
    assert lines[0].startswith(f"{in_pieces}: run, 2 members × 12 epochs, started 20")
    assert lines[1:] == ["done: 2 of 2 groups of 1 members, 100.0% of all epochs", "complete: results.nc is there"]


def test_what_is_left_takes_as_long_as_what_was_done_at_the_same_pace(small, tmp_path):
    with Store.create(tmp_path / "run", parse(small | {"members": 4})) as store:
        now = time.time()
        log = store.folder / "log.jsonl"
    log.write_text(
        f'{{"event": "start", "time": {now - 1000}}}\n'
        f'{{"event": "piece", "group": 0, "epochs": 12, "time": {now - 900}}}\n'
    )
    lines = status_lines(tmp_path / "run")
    assert "time left: about 0:06:40 at the pace of the last session (0.12 net-epochs/s)" in lines  # 48 / 0.12 s
    assert lines[-1] == f"left: continue with 'infoplane resume {tmp_path / 'run'}'"


def test_a_run_that_has_measured_nothing_has_no_pace(small, tmp_path):
    with Store.create(tmp_path / "run", parse(small)):
        assert not [line for line in status_lines(tmp_path / "run") if "time left" in line]
        assert status_lines(tmp_path / "run")[-1].startswith("running: process ")


def test_what_failed_is_named_with_its_reason(small, tmp_path, monkeypatch):
    from infoplane.runs import worker

    compute = worker.compute

    def spoilt(task, *rest):
        if task.number == 1:
            raise ValueError("no luck")
        return compute(task, *rest)

    monkeypatch.setattr(worker, "compute", spoilt)
    engine.run(parse(small), tmp_path / "run")
    lines = status_lines(tmp_path / "run")
    assert "done: 1 of 2 groups of 1 members, 50.0% of all epochs" in lines
    assert "failed: members [1] at epoch 0 (3 tries): ValueError: no luck" in lines


def test_a_sweep_is_described_by_its_keys(small, tmp_path):
    with Store.create(tmp_path / "run", parse(small | {"sweep": {"seed": [0, 1, 2]}})):
        lines = status_lines(tmp_path / "run")
    assert "swept over seed (3)" in lines[0]
    assert re.match(r"done: 0 of 6 groups", lines[1])


@pytest.mark.parametrize("line", ['{"event": "piece", "group": 99, "epochs": 3}', '{"event": "piece"}', "torn {"])
def test_odd_lines_of_the_log_do_not_matter(small, tmp_path, line):
    with Store.create(tmp_path / "run", parse(small)) as store:
        (store.folder / "log.jsonl").write_text('{"event": "start", "time": 0}\n' + line + "\n")
    assert len(status_lines(tmp_path / "run")) == 3
