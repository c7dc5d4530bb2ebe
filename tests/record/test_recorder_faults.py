"""The recorder in the hands of a hurried user: wrong arguments, listeners that fail, models within models."""

import json

import numpy as np
import pytest

import infoplane as ip
from infoplane import record
from infoplane.record import Recorder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"batch_size": "1024"}, "batch_size is '1024'; expected at least 1, a whole number"),
        ({"memory": None}, "memory is None; expected at least 1"),
        ({"target_bins": 2.5}, "target_bins is 2.5; expected at least 2"),
        ({"epochs": -1}, "epochs is -1; expected at least 0"),
        ({"epochs": "10"}, "epochs is '10'; expected at least 0"),
        ({"epochs": True}, "epochs is True"),
        ({"on_row": 3}, "on_row is a int; expected a function that takes a Row"),
        ({"out": 3}, "out is a int; expected the path of a folder"),
    ],
)
def test_arguments_of_another_kind_are_refused(inputs, arguments, said):
    with pytest.raises(ip.InputError, match=said):
        Recorder(inputs, **arguments)


@pytest.mark.parametrize(
    ("activations", "said"),
    [
        (5, "activations are a int; expected a mapping {layer's name: array}, or a function"),
        (np.zeros((120, 3)), "activations are a ndarray; expected a mapping"),
        (lambda batch: batch, r"activations are a ndarray; expected a mapping .* by attach\(model\)"),
        (lambda batch: {"none": batch[:, :0]}, r"'none' have shape \(2, 0\): no numbers; leave this layer out"),
    ],
)
def test_activations_of_another_kind_are_refused(inputs, activations, said):
    with pytest.raises(ip.InputError, match=said):
        Recorder(inputs).step(0, activations)


def test_layers_may_be_numbered(inputs, network):
    whole, by_function, by_name = (Recorder(inputs) for _ in range(3))
    hidden = network()(inputs)["hidden"]
    whole.step(0, {0: hidden, 1: hidden})
    by_function.step(0, lambda batch: {0: network()(batch)["hidden"], 1: network()(batch)["hidden"]})
    by_name.step(0, {"0": hidden, "1": hidden})
    assert whole.results().equals(by_name.results())
    assert list(by_function.results()["layer"].values) == ["0", "1"]


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        ({"loss": "low"}, "curves: 'loss' is 'low'; expected one number"),
        ({"loss": np.zeros(3)}, "expected one number"),
        ([0.5], "curves is a list; expected a mapping"),
    ],
)
def test_curves_that_are_no_numbers_are_refused(inputs, network, curves, said):
    with pytest.raises(ip.InputError, match=said):
        Recorder(inputs).step(0, network(), curves=curves)


def test_a_number_that_is_no_epoch_is_not_inserted(inputs, network):
    for epoch in (-3, "1", 1.5):
        with pytest.raises(ip.InputError, match="expected a whole number, 0 before training"):
            Recorder(inputs, live=False).insert(epoch, network())


@pytest.mark.parametrize(("schedule", "beyond"), [("every", [11, 12, 13]), ([2, 12], [12]), (5, [])])
def test_a_training_that_goes_on_beyond_its_last_epoch_goes_on_by_its_schedule(inputs, network, schedule, beyond):
    recorder = Recorder(inputs, schedule=schedule, epochs=10)
    measured = [epoch for epoch in range(14) if recorder.step(epoch, network())]
    assert [epoch for epoch in measured if epoch >= 10] == [10, *beyond]


def test_growing_steps_go_on_beyond_the_last_epoch(inputs, network):
    recorder = Recorder(inputs, schedule="delta-approx", epochs=10)
    # nothing changes, so that the steps grow: 1, 2, 4, then 3 to the last epoch, then 8 from there
    assert [epoch for epoch in range(20) if recorder.step(epoch, network())] == [0, 1, 3, 7, 10, 18]


@pytest.mark.parametrize("schedule", ["every", "delta-approx"])
def test_a_listener_that_fails_leaves_the_record_whole(tmp_path, inputs, network, schedule):
    def fail(row):
        raise ConnectionError(row.epoch)

    deaf, plain = (
        Recorder(inputs, schedule=schedule, on_row=fail, out=tmp_path / "run"),
        Recorder(inputs, schedule=schedule),
    )
    for epoch in range(8):
        plain.step(epoch, network())
        try:
            deaf.step(epoch, network())
        except ConnectionError as error:
            assert error.args == (epoch,)
    deaf.close()
    assert deaf.results().drop_attrs().identical(plain.results().drop_attrs())
    assert record.load(tmp_path / "run").drop_attrs().identical(plain.results().drop_attrs())


def test_a_model_attached_within_another_gives_way_to_it_again(inputs, network):
    outer, inner = network(1), network(2)
    recorder = Recorder(inputs, schedule="every")
    with recorder.attach(outer):
        with recorder.attach(inner):
            recorder.step(0)
        recorder.step(1)
    by_hand = Recorder(inputs, schedule="every")
    by_hand.step(0, inner)
    by_hand.step(1, outer)
    assert recorder.results().equals(by_hand.results())
    with pytest.raises(ip.InputError, match="activations are missing"):
        recorder.step(2)


def test_a_class_in_place_of_a_model_is_refused(inputs):
    class Network:
        pass

    with pytest.raises(ip.InputError, match=r"model is the class Network; expected a model made of it, Network\(…\)"):
        ip.plane(Network, inputs)


def test_infinite_numbers_are_kept_as_json_that_every_reader_takes(tmp_path, inputs):
    recorder = Recorder(inputs, out=tmp_path / "run")
    recorder.step(0, lambda batch: {"t": np.where(batch > 0, np.inf, -np.inf)}, curves={"loss": np.inf})
    recorder.close()

    def refuse(word):
        raise AssertionError(word)

    for line in (tmp_path / "run" / "rows.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=refuse)
    loaded = record.load(tmp_path / "run")
    assert loaded["activation_max"].item() == np.inf
    assert loaded["activation_min"].item() == -np.inf
    assert loaded["loss"].sel(split="train").item() == np.inf
