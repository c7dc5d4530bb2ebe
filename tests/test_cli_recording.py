"""The command line on the folder of a recording: figures that fit, status, what cannot be resumed."""

import numpy as np
import pytest

import infoplane as ip
from in_process import infoplane


@pytest.fixture
def record(tmp_path):
    """Return a function that makes a recording's folder."""
    inputs = np.random.default_rng(0).standard_normal((60, 4))

    def make(name, *, labels=True, **options):
        folder = tmp_path / name
        recorder = ip.Recorder(inputs, inputs[:, 0] > 0 if labels else None, out=folder, **options)
        for epoch in range(3):
            recorder.step(epoch, lambda batch, epoch=epoch: {"h": np.tanh(batch * (epoch + 1)), "o": batch[:, :1]})
        recorder.close()
        return folder

    return make


def drawn(folder):
    return sorted(path.stem for path in (folder / "figures").glob("*.png"))


def test_the_figures_that_a_recording_has_numbers_for_are_drawn(record):
    whole, unlabelled = record("whole"), record("unlabelled", labels=False)
    for folder in (whole, unlabelled):
        assert infoplane("plot", folder)[0] == 0
    assert drawn(whole) == ["information", "plane", "snapshots"]
    assert drawn(unlabelled) == ["information"]


def test_a_held_out_set_has_figures_of_its_own(record):
    other = np.random.default_rng(1).standard_normal((40, 4))
    folder = record("both", held_out=(other, other[:, 0] > 0))
    assert infoplane("plot", folder)[0] == 0
    assert "plane-held-out" in drawn(folder)


def test_status_says_what_is_recorded(record):
    code, out, _ = infoplane("status", record("mine"))
    assert code == 0
    assert "the recording 'recording' by binning, 3 epochs measured" in out
    assert "last: epoch 2; layers: h, o" in out


def test_a_recording_goes_on_with_its_own_training_not_by_resume(record):
    code, _, err = infoplane("resume", record("mine"))
    assert code == 2
    assert "a recording; go on by running your own training again" in err


def test_two_recordings_are_compared(record):
    code, out, _ = infoplane("diff", record("a"), record("b", estimators=["kde"]))
    assert code == 0
    assert "configuration  estimators: " in out


def test_a_recording_is_exported_as_a_table(record):
    folder = record("mine")
    code, out, _ = infoplane("export", folder)
    assert (code, out) == (0, f"{folder / 'information.csv'}: 12 rows\n")
