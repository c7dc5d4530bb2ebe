"""The memory and the passes of a measurement: activations in a temporary file, batches that fit, fewer rows."""

import weakref

import numpy as np
import pytest

from infoplane.errors import InputError, StoreError
from infoplane.estimators import build_all
from infoplane.record import Recorder, _held
from infoplane.record._held import HeldInFile
from infoplane.record._plan import plan_passes
from infoplane.record.measure import measure_set
from infoplane.record.sets import MeasuredSet

rng = np.random.default_rng(0)
INPUTS, LABELS = rng.normal(size=(300, 4)).astype(np.float32), rng.integers(0, 3, 300)


def layers_of(batch):
    hidden = np.tanh(batch @ np.linspace(-1, 1, 4 * 50, dtype=np.float32).reshape(4, 50))
    return {f"layer{n}": np.tanh(hidden * n) for n in range(1, 7)}


@pytest.fixture
def calls():
    return []


def measured(calls, memory, **options):
    def function(batch):
        calls.append(len(batch))
        return layers_of(batch)

    recorder = Recorder(INPUTS, LABELS, ["binning", {"name": "kde", "variance": 0.1}], memory=memory, **options)
    recorder.step(0, function)
    return recorder.results()


def test_a_small_memory_takes_one_pass_and_gives_the_same_values(calls):
    whole = measured(calls, 2**30)
    calls.clear()
    # one layer of 60 000 bytes and some: all six do not fit
    small = measured(calls, 80_000)
    assert sum(calls[2:]) == len(INPUTS)  # after the two runs on two inputs
    assert max(calls) <= 80_000 / 4 / (6 * 50 * 4)
    for name in ("information", "activation_sd", "distinct_rows"):
        np.testing.assert_array_equal(small[name], whole[name])
    assert (small["flags"] == whole["flags"]).all()


def test_without_space_for_the_file_layers_are_measured_in_turn(calls, monkeypatch):
    whole = measured(calls, 2**30)
    calls.clear()
    monkeypatch.setattr("infoplane.record._plan.folder_with_space", lambda n_bytes: None)
    several = measured(calls, 130_000)
    assert sum(calls[2:]) == 3 * len(INPUTS)  # two layers a pass
    np.testing.assert_array_equal(several["information"], whole["information"])


def test_a_layer_comes_back_from_the_file_as_it_was_put(tmp_path):
    rows = rng.normal(size=(7, 3)).astype(np.float32)
    other = rng.normal(size=(7, 2))
    held = HeldInFile({"a": (3, rows.dtype), "b": (2, other.dtype)}, 7, tmp_path)
    for place in (slice(0, 3), slice(3, 7)):
        held.put("a", rows[place], place)
        held.put("b", other[place], place)
    np.testing.assert_array_equal(held.take("b"), other.T[None])
    np.testing.assert_array_equal(held.take("a"), rows.T[None])
    assert list(tmp_path.iterdir()) == []  # the file has no name
    held.close()


def test_a_full_disk_is_told_with_what_to_do(tmp_path):
    class Full:
        def seek(self, place):
            pass

        def write(self, content):
            raise OSError(28, "No space left on device")

    held = HeldInFile({"a": (1, np.dtype(np.float32))}, 2, tmp_path)
    held.close()
    held._file = Full()
    with pytest.raises(StoreError, match=r"No space left on device\). Set TMPDIR"):
        held.put("a", np.zeros((2, 1), np.float32), slice(0, 2))


def test_a_folder_in_memory_is_not_used(monkeypatch, tmp_path):
    mounts = f"disk / ext4 rw 0 0\ntmpfs {tmp_path} tmpfs rw 0 0\n"
    monkeypatch.setattr(_held.Path, "read_text", lambda self: mounts)
    assert _held._is_in_memory(str(tmp_path / "inner"))
    assert not _held._is_in_memory("/elsewhere")


def plan(sizes, memory, *, per_sample, exact_size=0, batch_size=100, n=300):
    set_ = MeasuredSet(np.zeros((n, 1)), None, "inputs", batch_size=batch_size, target_bins=10)
    return plan_passes(sizes, set_, memory, per_sample=float(per_sample), exact_size=exact_size)


def test_nothing_changes_where_activations_and_a_batch_fit():
    chosen = plan({"a": 500, "b": 400}, 1000, per_sample=1)
    assert (chosen.batch_size, chosen.folder, list(chosen.groups)) == (100, None, [["a", "b"]])


def test_a_forward_pass_that_does_not_fit_makes_batches_smaller():
    chosen = plan({"a": 100, "b": 100}, 1000, per_sample=50)
    assert chosen.batch_size == 5  # a quarter of 1000 bytes
    assert chosen.folder is None  # 200 bytes and 250 of a batch fit


def test_a_batch_that_cannot_be_smaller_stays():
    assert plan({"a": 100}, 1000, per_sample=50, exact_size=64).batch_size == 64


def test_a_layer_above_memory_is_refused_with_rows_that_fit():
    with pytest.raises(InputError, match=r"above memory=1000 bytes; measure on fewer inputs \(rows=150\)"):
        plan({"a": 2000}, 1000, per_sample=1)


def test_rows_are_drawn_at_random_and_always_the_same(calls):
    first, again = (measured(calls, 2**30, rows=100) for _ in range(2))
    np.testing.assert_array_equal(first["information"], again["information"])
    assert (first.attrs["n_samples"], first.attrs["n_given"]) == (100, 300)
    assert first.attrs["input_entropy"] == pytest.approx(np.log2(100))
    assert max(calls) == 100


def test_rows_keep_their_labels():
    set_ = MeasuredSet(np.arange(300)[:, None], np.arange(300) % 3, "inputs", batch_size=100, target_bins=10, rows=50)
    assert set_.n_samples == 50
    np.testing.assert_array_equal(set_.labels, set_.inputs[:, 0] % 3)
    assert (np.diff(set_.inputs[:, 0]) > 0).all()


def test_as_many_rows_as_there_are_change_nothing(calls):
    assert "n_given" not in measured(calls, 2**30, rows=300).attrs


@pytest.mark.parametrize("rows", [1, 0, 2.5, True])
def test_rows_that_cannot_be_are_refused(rows):
    with pytest.raises(InputError, match=r"rows is .*; expected at least 2, a whole number"):
        Recorder(INPUTS, LABELS, rows=rows)


def test_rows_are_stated_in_tables_and_figures(calls):
    from infoplane.experiments.own import table
    from infoplane.plots.content import caption

    ds = measured(calls, 2**30, rows=100)
    assert "100 of 300 inputs, drawn at random" in table(ds)
    assert "100 of 300 inputs, drawn at random" in caption(ds)[0]


def test_a_layer_is_let_go_before_the_next_is_read(monkeypatch):
    taken = []
    original = HeldInFile.take

    def watched(self, name):
        assert all(layer() is None for layer in taken)
        layer = original(self, name)
        taken.append(weakref.ref(layer))
        return layer

    monkeypatch.setattr(HeldInFile, "take", watched)
    set_ = MeasuredSet(INPUTS, LABELS, "inputs", batch_size=100, target_bins=10)
    measure_set(set_, lambda _, batch: layers_of(batch), list(build_all(["binning"]).values()), 80_000)
    assert len(taken) == 6
