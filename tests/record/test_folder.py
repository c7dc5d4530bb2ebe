"""A recording's folder: rows survive a crash, a training that is started again goes on, damage is found."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import infoplane as ip
from infoplane import record, results
from infoplane.record import Recorder

BOTH = ["binning", {"name": "kde", "variance": (0.01, 0.1)}]


@pytest.fixture
def folder(tmp_path):
    """Where the recording goes, its path with a space and letters beyond ASCII."""
    return tmp_path / "mein Lauf µ"


def recorded(folder, inputs, labels, network, epochs):
    recorder = Recorder(inputs, labels, BOTH, "every", out=folder)
    for epoch in epochs:
        recorder.step(epoch, network(epoch), curves={"loss": 1.0 / (1 + epoch)})
    recorder.close()
    return recorder


def bare(ds):
    """The data set without the attribute that says where it lies."""
    return ds.assign_attrs(folder="")


def test_the_folder_holds_the_result_of_the_recorder(folder, inputs, labels, network):
    recorded(folder, inputs, labels, network, range(3))
    ds = record.load(folder)
    assert list(ds["epoch"].values) == [0, 1, 2]
    assert bare(results.load(folder / "results.nc")).identical(bare(ds))


def test_a_training_started_again_goes_on_with_the_same_record(folder, tmp_path, inputs, labels, network):
    recorded(folder, inputs, labels, network, range(3))
    recorded(folder, inputs, labels, network, range(3, 6))
    whole = recorded(tmp_path / "whole", inputs, labels, network, range(6))
    assert len(whole.entries) == 6
    assert bare(record.load(folder)).identical(bare(record.load(tmp_path / "whole")))


def test_epochs_that_are_trained_again_replace_the_old_ones(folder, tmp_path, inputs, labels, network):
    recorded(folder, inputs, labels, lambda epoch: network(epoch + 100), range(6))
    recorded(folder, inputs, labels, network, range(4))
    recorded(tmp_path / "whole", inputs, labels, network, range(4))
    assert bare(record.load(folder)).identical(bare(record.load(tmp_path / "whole")))


def test_a_schedule_goes_on_from_the_last_recorded_epoch(folder, inputs, network):
    first = Recorder(inputs, schedule=10, out=folder)
    for epoch in range(13):
        first.step(epoch, network(epoch))
    first.close()
    again = Recorder(inputs, schedule=10, out=folder)
    assert [epoch for epoch in range(13, 31) if again.step(epoch, network(epoch))] == [20, 30]


KILLED = """
import os, sys
import numpy as np
from infoplane.record import Recorder
inputs = np.random.default_rng(0).standard_normal((120, 4)).astype(np.float32)
recorder = Recorder(inputs, out=sys.argv[1], schedule="every")
for epoch in range(5):
    recorder.step(epoch, lambda batch: {"t": batch * (epoch + 1)})
os.kill(os.getpid(), 9)
"""


def test_a_killed_process_loses_no_measured_epoch(folder, inputs):
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], timeout=60)
    assert done.returncode == -9
    assert not (folder / "results.nc").exists()
    assert list(record.load(folder)["epoch"].values) == [0, 1, 2, 3, 4]
    again = Recorder(inputs, out=folder, schedule="every")  # its lock is not kept by the dead
    again.step(5, lambda batch: {"t": batch})
    assert list(again.results()["epoch"].values) == [0, 1, 2, 3, 4, 5]


def test_a_torn_last_line_is_left_out(folder, inputs, labels, network):
    recorded(folder, inputs, labels, network, range(3))
    rows = folder / "rows.jsonl"
    rows.write_bytes(rows.read_bytes()[:-20])
    assert list(record.load(folder)["epoch"].values) == [0, 1]
    recorded(folder, inputs, labels, network, range(2, 4))
    assert list(record.load(folder)["epoch"].values) == [0, 1, 2, 3]


def test_a_changed_number_is_found(folder, inputs, labels, network):
    recorded(folder, inputs, labels, network, range(2))
    rows = folder / "rows.jsonl"
    lines = rows.read_text().splitlines()
    line = json.loads(lines[1])
    line["sets"]["measured"]["bits"][0][0][0] += 1e-9
    rows.write_text("\n".join([lines[0], json.dumps(line)]) + "\n")
    with pytest.raises(ip.StoreError, match=r"rows\.jsonl: line 2: content differs from what was written"):
        record.load(folder)


def test_one_process_at_a_time_records_into_a_folder(folder, inputs):
    recorder = Recorder(inputs, out=folder)
    with pytest.raises(ip.StoreError, match="in use by process"):
        Recorder(inputs, out=folder)
    recorder.close()
    Recorder(inputs, out=folder).close()


def test_another_recording_in_the_folder_is_refused_with_what_differs(folder, inputs, labels, network):
    recorded(folder, inputs, labels, network, range(2))
    for arguments, said in (
        ((inputs[::-1], labels[::-1], BOTH), "the inputs rows are the recorded ones in another order"),
        ((inputs + 1, labels, BOTH), "the inputs rows differ from the recorded ones"),
        ((inputs, 1 - labels, BOTH), "the labels of the inputs rows differ"),
        ((inputs, labels, ["binning"]), "its estimators is .* now"),
    ):
        with pytest.raises(ip.StoreError, match=said):
            Recorder(*arguments, out=folder)
    assert list(record.load(folder)["epoch"].values) == [0, 1]


def test_a_folder_of_other_things_is_left_alone(tmp_path, inputs):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ip.StoreError, match="is not empty; give out= a folder that does not exist yet"):
        Recorder(inputs, out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt"]
    with pytest.raises(ip.StoreError, match="is a file"):
        Recorder(inputs, out=tmp_path / "mine.txt")


def test_an_empty_recording_says_so(folder, inputs):
    Recorder(inputs, out=folder).close()
    with pytest.raises(ip.StoreError, match="nothing has been measured yet"):
        record.load(folder)


def test_a_state_loaded_into_a_folder_replaces_what_it_held(folder, inputs, labels, network):
    first = Recorder(inputs, labels, BOTH, "every")
    for epoch in range(2):
        first.step(epoch, network(epoch))
    recorded(folder, inputs, labels, lambda epoch: network(epoch + 50), range(5))
    second = Recorder(inputs, labels, BOTH, "every", out=folder)
    second.load_state_dict(first.state_dict())
    second.step(2, network(2))
    second.close()
    assert list(record.load(folder)["epoch"].values) == [0, 1, 2]
    known = first.results()["information"].values
    assert np.array_equal(record.load(folder)["information"].values[:, :, :2], known)


def test_a_folder_that_this_process_has_says_which_call_frees_it(folder, inputs):
    recorder = Recorder(inputs, out=folder)
    with pytest.raises(ip.StoreError, match=r"which is this one; call close\(\) on the recorder that has it"):
        Recorder(inputs, out=folder)
    recorder.close()


def test_nothing_is_measured_into_a_folder_that_was_closed(folder, inputs, labels, network):
    recorder = Recorder(inputs, labels, BOTH, "every", out=folder)
    recorder.step(0, network())
    recorder.close()
    with pytest.raises(ip.StoreError, match="its recorder was closed; make a new one with the same out="):
        recorder.step(1, network())
    assert recorder.results().sizes["epoch"] == record.load(folder).sizes["epoch"] == 1


def test_a_folder_left_by_a_kill_at_the_very_beginning_is_used(folder, inputs, network):
    folder.mkdir()
    (folder / "run.json.partial").write_text('{"estim')
    (folder / "LOCK").touch()
    recorder = Recorder(inputs, out=folder)
    recorder.step(0, network())
    recorder.close()
    assert record.load(folder).sizes["epoch"] == 1


def test_a_folder_into_which_nothing_was_measured_takes_other_arguments(folder, inputs, labels, network):
    Recorder(inputs, out=folder).close()
    recorder = Recorder(inputs, labels, BOTH, out=folder)
    recorder.step(0, network())
    recorder.close()
    assert record.load(folder)["information"].equals(recorder.results()["information"])


def test_a_held_out_set_that_was_not_there_is_named_in_words(folder, inputs, labels, network):
    recorded(folder, inputs, labels, network, range(2))
    with pytest.raises(ip.StoreError, match="was recorded with no held-out set, now there is one; give out="):
        Recorder(inputs, labels, BOTH, out=folder, held_out=inputs)


EARLIER = Path(__file__).with_name("earlier")
"""A recording of 16 inputs that an earlier version wrote: no checksum of run.json, no numbers of lines."""


def tanh_of(epoch):
    return lambda batch: {"t": np.tanh((epoch + 1) * batch / 40)}


def test_a_recording_of_an_earlier_version_is_read_and_goes_on(folder):
    shutil.copytree(EARLIER, folder)
    inputs, labels = np.arange(32.0).reshape(16, 2), np.arange(16) % 2
    fresh = Recorder(inputs, labels, ["binning"], "every")
    for epoch, scale in ((0, 10), (1, 11), (2, 2), (3, 3)):  # epochs 2 and 3 were measured again
        fresh.step(epoch, tanh_of(scale), curves={"loss": 1 / (epoch + 1)})
    later = ["reasons", "flags"]  # the earlier version knew neither reasons nor the newer flags
    assert record.load(folder).drop_vars(later).equals(fresh.results().drop_vars(later))
    with Recorder(inputs, labels, ["binning"], "every", out=folder).attach(tanh_of(4)) as recorder:
        recorder.step(4)
    recorder.close()
    fresh.step(4, tanh_of(4))
    assert record.load(folder).drop_vars(later).equals(fresh.results().drop_vars(later))
    assert record.load(folder).sel(epoch=4).equals(fresh.results().sel(epoch=4))


def test_damage_of_a_line_of_an_earlier_version_is_named(folder):
    shutil.copytree(EARLIER, folder)
    rows = folder / "rows.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b"0.19097144518099807", b"0.19097144518099817", 1))
    with pytest.raises(ip.StoreError, match=r"rows\.jsonl: line 2: content differs"):
        record.load(folder)
    assert list(record.load(folder, skip_damaged=True)["epoch"].values) == [0, 2, 3]
