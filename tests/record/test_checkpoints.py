"""Checkpoints measured after the fact: which files, in which order, from which bytes; no framework is needed."""

import json
import os
import struct

import numpy as np
import pytest

import infoplane as ip
from infoplane.errors import InputError, StoreError
from infoplane.record import _safetensors
from infoplane.record.checkpoints import SOURCES, choose_epochs, measure_checkpoints
from infoplane.schedules import Every, Listed, Log, Piecewise, Schedule, as_schedule

CODES = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "uint8": "U8", "bool": "BOOL"}


def write_safetensors(path, arrays, **changes):
    """Write the format by hand; ``changes`` replace what the header says of an array."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        content = array.tobytes()
        place = [len(data), len(data) + len(content)]
        header[name] = {"dtype": CODES[array.dtype.name], "shape": [*array.shape], "data_offsets": place}
        data += content
    for name, change in changes.items():
        header[name] = header[name] | change
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)


def weights_of(epoch):
    rng = np.random.default_rng(epoch)
    return {"first": rng.standard_normal((4, 3)).astype(np.float32), "second": rng.standard_normal((3, 2))}


def activations(weights, batch):
    hidden = np.tanh(batch @ weights["first"])
    return {"hidden": hidden, "output": hidden @ weights["second"]}


def model(weights):
    """A network as a function of its weights."""
    return lambda batch: activations(weights, batch)


@pytest.fixture
def save(tmp_path):
    """Save the weights of some epochs, and return their folder."""

    def save(*epochs, name="epoch-{}.safetensors"):
        folder = tmp_path / "checkpoints"
        folder.mkdir(exist_ok=True)
        for epoch in epochs:
            write_safetensors(folder / name.format(epoch), weights_of(epoch))
        return folder

    return save


@pytest.fixture
def loaded(monkeypatch):
    """The names of the files that are read, in order."""
    names, read = [], _safetensors.read
    monkeypatch.setattr(_safetensors, "read", lambda path: (names.append(path.name), read(path))[1])
    return names


# ---- measured


def test_values_are_those_of_the_activations_captured_by_hand(save, inputs, labels):
    ds = measure_checkpoints(save(0, 3), model, inputs, labels, estimators=["binning", {"name": "kde"}])
    assert ds["epoch"].values.tolist() == [0, 3]
    for epoch in (0, 3):
        for layer, t in activations(weights_of(epoch), inputs).items():
            for estimator in ("binning", "kde"):
                exact = ip.layer_information(t, labels, estimator)
                got = ds["information"].sel(epoch=epoch, layer=layer, estimator=estimator).values.ravel()
                # the batches' sums may be rounded in another order
                assert got == pytest.approx([exact.input.bits, exact.label.bits], abs=1e-6)


def test_files_are_loaded_in_ascending_epoch_and_not_in_that_of_their_names(save, loaded, inputs):
    measure_checkpoints(save(10, 9, 100), model, inputs)
    assert loaded == ["epoch-9.safetensors", "epoch-10.safetensors", "epoch-100.safetensors"]


def test_only_the_files_that_the_schedule_asks_for_are_loaded(save, loaded, inputs):
    ds = measure_checkpoints(save(*range(11)), model, inputs, schedule=4)
    assert loaded == [f"epoch-{epoch}.safetensors" for epoch in (0, 4, 8, 10)]
    assert ds["epoch"].values.tolist() == [0, 4, 8, 10]


def test_layers_are_chosen_by_pattern_and_a_second_set_is_measured(save, inputs, labels):
    ds = measure_checkpoints(
        save(1), model, inputs, labels, layers="hid*", held_out=(inputs[:50], labels[:50]), batch_size=7
    )
    assert ds["layer"].values.tolist() == ["hidden"]
    exact = ip.layer_information(activations(weights_of(1), inputs[:50])["hidden"], labels[:50])
    assert float(ds["held_out_information"].sel(variable="input").squeeze()) == exact.input.bits


def test_every_row_and_every_checkpoint_is_told(save, inputs):
    rows, events = [], []
    measure_checkpoints(save(2, 5), model, inputs, on_row=rows.append, on_event=events.append)
    assert [(event.epoch, event.path.name, event.done, event.total) for event in events] == [
        (2, "epoch-2.safetensors", 1, 2),
        (5, "epoch-5.safetensors", 2, 2),
    ]
    assert [(row.epoch, row.layer, row.variable) for row in rows][:2] == [
        (2, "hidden", "input"),
        (2, "hidden", "label"),
    ]


# ---- a schedule that depends on what is measured


def slow_model(weights):
    """A network that hardly changes, except from epoch 50 to 51."""
    scale = float(np.abs(weights["first"]).max())
    return lambda batch: {"one": batch[:, :1] * scale}


@pytest.fixture
def slow(tmp_path):
    """Checkpoints of epochs 10, 11, … 90, the weights of which say the epoch; few distinct cells before 51."""
    for epoch in range(10, 91):
        array = np.full((1, 1), 0.01 if epoch <= 50 else 0.4, np.float32)
        write_safetensors(tmp_path / f"epoch-{epoch}.safetensors", {"first": array})
    return tmp_path


def test_delta_exact_loads_few_files_and_finds_the_two_between_which_it_changes(slow, loaded, inputs, labels):
    ds = measure_checkpoints(slow, slow_model, inputs, labels, schedule="delta-exact")
    epochs = ds["epoch"].values.tolist()
    assert [epochs[0], epochs[-1]] == [10, 90]
    assert {50, 51} <= set(epochs)
    assert len(loaded) == len(set(loaded)) == len(epochs) < 40
    whole = measure_checkpoints(slow, slow_model, inputs, labels)["information"]
    np.testing.assert_array_equal(ds["information"], whole.sel(epoch=epochs))


def test_delta_exact_goes_on_where_it_was_interrupted(slow, loaded, inputs, labels, tmp_path):
    out, told = tmp_path / "out", []

    def stop(event):
        told.append(event)
        if len(told) == 12:
            raise KeyboardInterrupt

    arguments = (slow, slow_model, inputs, labels)
    with pytest.raises(KeyboardInterrupt):
        measure_checkpoints(*arguments, schedule="delta-exact", out=out, on_event=stop)
    ds = measure_checkpoints(*arguments, schedule="delta-exact", out=out)
    assert len(loaded) == len(set(loaded)) == ds.sizes["epoch"]
    once = measure_checkpoints(*arguments, schedule="delta-exact")
    np.testing.assert_array_equal(ds["information"], once["information"])


# ---- a folder that keeps the rows


def test_an_interrupted_call_goes_on_and_gives_the_same_result(save, loaded, inputs, labels, tmp_path):
    folder, out = save(0, 1, 2, 3), tmp_path / "out"

    def stop(event):
        if event.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_checkpoints(folder, model, inputs, labels, out=out, on_event=stop)
    assert ip.load(out)["epoch"].values.tolist() == [0, 1]
    events = []
    ds = measure_checkpoints(folder, model, inputs, labels, out=out, on_event=events.append)
    assert loaded == [f"epoch-{epoch}.safetensors" for epoch in (0, 1, 2, 3)]
    assert [(event.done, event.total) for event in events] == [(3, 4), (4, 4)]
    whole = measure_checkpoints(folder, model, inputs, labels)
    np.testing.assert_array_equal(ds["information"], whole["information"])
    np.testing.assert_array_equal(ip.load(out)["information"], whole["information"])


def test_checkpoints_of_a_training_that_went_on_are_added(save, loaded, inputs, tmp_path):
    measure_checkpoints(save(0, 1), model, inputs, out=tmp_path / "out")
    ds = measure_checkpoints(save(2), model, inputs, out=tmp_path / "out")
    assert ds["epoch"].values.tolist() == [0, 1, 2]
    assert loaded == [f"epoch-{epoch}.safetensors" for epoch in (0, 1, 2)]


def test_a_denser_schedule_loads_only_what_is_missing(save, loaded, inputs, tmp_path):
    folder = save(*range(5))
    measure_checkpoints(folder, model, inputs, schedule=2, out=tmp_path / "out")
    loaded.clear()
    ds = measure_checkpoints(folder, model, inputs, out=tmp_path / "out")
    assert ds["epoch"].values.tolist() == [0, 1, 2, 3, 4]
    assert loaded == ["epoch-1.safetensors", "epoch-3.safetensors"]


def test_a_file_that_changed_since_it_was_measured_is_refused_and_a_touched_one_is_not(save, inputs, tmp_path):
    folder, out = save(0, 1), tmp_path / "out"
    measure_checkpoints(folder, model, inputs, out=out)
    file = folder / "epoch-0.safetensors"
    os.utime(file, ns=(1, 1))
    measure_checkpoints(folder, model, inputs, out=out)
    write_safetensors(file, weights_of(7))
    os.utime(file, ns=(2, 2))
    with pytest.raises(StoreError, match=r"epoch-0.*has changed since epoch 0 was measured; give out= another folder"):
        measure_checkpoints(folder, model, inputs, out=out)


def test_the_folder_says_which_file_each_epoch_is_of(save, inputs, tmp_path):
    measure_checkpoints(save(0, 4), model, inputs, out=tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out" / SOURCES).read_text().splitlines()]
    assert [(line["epoch"], line["file"]) for line in lines] == [(0, "epoch-0.safetensors"), (4, "epoch-4.safetensors")]


def test_rows_before_a_damaged_file_are_kept(save, inputs, tmp_path):
    folder = save(0, 1, 2)
    damaged = folder / "epoch-1.safetensors"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-5])
    with pytest.raises(InputError, match=r"epoch-1\.safetensors: no whole safetensors file: its arrays need 96 bytes"):
        measure_checkpoints(folder, model, inputs, out=tmp_path / "out")
    assert ip.load(tmp_path / "out")["epoch"].values.tolist() == [0]
    damaged.write_bytes(whole)
    ds = measure_checkpoints(folder, model, inputs, out=tmp_path / "out")
    assert ds["epoch"].values.tolist() == [0, 1, 2]


# ---- epochs of a schedule


def test_the_first_at_or_after_each_epoch_of_the_schedule_is_chosen_with_both_ends():
    there = [3, 4, 9, 11, 30]
    assert choose_epochs(there, Every()) == there
    assert choose_epochs(there, Every(5)) == [3, 9, 11, 30]  # 0, 5, 10, 15…
    assert choose_epochs(there, Listed((4, 10))) == [3, 4, 11, 30]
    assert choose_epochs([7], Log()) == [7]


@pytest.mark.parametrize("schedule", [Every(), Every(7), Every(100), Piecewise(), Log(points=30)], ids=str)
def test_chosen_epochs_are_those_of_a_plain_search(schedule):
    there = np.unique(np.random.default_rng(3).integers(0, 900, 150)).tolist()
    points = schedule.epochs(there[-1])
    plain = {min(epoch for epoch in there if epoch >= point) for point in points} | {there[0], there[-1]}
    assert choose_epochs(there, schedule) == sorted(plain)


@pytest.mark.parametrize("schedule", ["every", "log", 1000, [10**9]])
def test_large_step_numbers_cost_nothing(schedule):
    there = [10**8, 5 * 10**8, 10**9]
    fixed = as_schedule(schedule)
    assert isinstance(fixed, Schedule)
    assert choose_epochs(there, fixed)[-1] == 10**9


# ---- models and names


MODELS = {
    "a number": (3, "model is a int; expected a model, or a function that makes one"),
    "a factory of nothing": (lambda: None, r"gave a NoneType; expected a PyTorch, Keras or NNX model"),
    "a factory with arguments": (lambda width, depth: None, r"needs the arguments width, depth; give lambda"),
    "a function of weights that gives a table": (lambda weights: {}, r"\(weights\) gave a dict; expected a function"),
}


@pytest.mark.parametrize(("given", "text"), MODELS.values(), ids=MODELS.keys())
def test_models_that_cannot_be_used_are_refused(given, text, save, inputs):
    with pytest.raises(InputError, match=text):
        measure_checkpoints(save(0), given, inputs)


def test_keras_weights_do_not_go_into_a_function(tmp_path, inputs):
    (tmp_path / "epoch-1.weights.h5").touch()
    with pytest.raises(InputError, match=r"epoch-1\.weights\.h5: holds Keras weights, which fit Keras models only"):
        measure_checkpoints(tmp_path, model, inputs)


def test_exact_batch_never_runs_the_model_on_fewer_inputs(save):
    sizes = []

    def counted(weights):
        return lambda batch: (sizes.append(len(batch)), activations(weights, batch))[1]

    inputs = np.random.default_rng(0).normal(size=(50, 4))
    free = measure_checkpoints(save(0, 1), counted, inputs, np.arange(50) % 3, batch_size=20)
    assert min(sizes) == 2
    sizes.clear()
    exact = measure_checkpoints(save(0, 1), counted, inputs, np.arange(50) % 3, batch_size=20, exact_batch=True)
    assert set(sizes) == {20}  # the last batch of 10 is filled up
    np.testing.assert_allclose(exact["information"], free["information"], atol=1e-12)


def test_inputs_with_the_ignored_label_are_left_out_of_checkpoints(save):
    inputs, labels = np.random.default_rng(0).normal(size=(50, 4)), np.arange(50) % 3
    ignored = np.where(np.arange(50) < 10, -100, labels)
    given = measure_checkpoints(save(0, 1), model, inputs, ignored, ignore_index=-100)
    expected = measure_checkpoints(save(0, 1), model, inputs[10:], labels[10:])
    np.testing.assert_array_equal(given["information"], expected["information"])
    assert given.attrs["n_samples"] == 40
    with pytest.raises(InputError, match=r"[-−]100"):
        measure_checkpoints(save(0, 1), model, inputs, ignored)
