"""The recorder measures where something changes: live, attached, by step, and after a restart."""

import numpy as np
import pytest

import infoplane as ip
from infoplane import record
from infoplane.record import Recorder
from infoplane.schedules import DeltaApprox, DeltaExact

EPOCHS = 60
FEW = DeltaApprox(delta=0.1, max_skip=16)


@pytest.fixture
def inputs():
    """64 inputs, all different: H(X) is 6 bits."""
    return np.arange(64.0)[:, None]


@pytest.fixture
def labels():
    """Four classes of 16 inputs."""
    return np.arange(64) // 16


def net(epoch):
    """A layer that tells apart 2 inputs before epoch 20, a class from another from there on, all from epoch 45."""
    n_values = 2 if epoch < 20 else 4 if epoch < 45 else 64
    return lambda batch: {"t": np.floor(batch * n_values / 64) / n_values}


def measured(recorder, epochs, **options):
    return [epoch for epoch in epochs if recorder.step(epoch, net(epoch), **options)]


def restarted(first_epochs, then_epochs, folder, *arguments, **options):
    """Record some epochs, then others in a new recorder of the same folder; return all that is there."""
    for epochs in (first_epochs, then_epochs):
        recorder = Recorder(*arguments, out=folder, **options)
        measured(recorder, epochs)
        recorder.close()
    return list(record.load(folder)["epoch"].values)


# steps double to 16 up to epoch 15; 31 sees the jump of epoch 20, so the step stays, and so on
KNOWN = [0, 1, 3, 7, 15, 31, 47]


def test_steps_grow_while_little_changes(inputs, labels):
    assert measured(Recorder(inputs, labels, schedule=FEW), range(EPOCHS)) == KNOWN


def test_after_a_jump_steps_may_fall_to_one(inputs, labels):
    recorder = Recorder(inputs, labels, schedule=DeltaApprox(delta=0.1, max_skip=16, fall=True))
    assert measured(recorder, range(EPOCHS)) == [0, 1, 3, 7, 15, 31, 32, 34, 38, 46, 47, 49, 53]


def test_a_known_last_epoch_is_measured_and_none_after_it(inputs, labels):
    recorder = Recorder(inputs, labels, schedule=FEW, epochs=50)
    assert measured(recorder, range(EPOCHS)) == [*KNOWN, 50]


def test_its_name_is_the_schedule_with_its_defaults(inputs, labels):
    named, made = (Recorder(inputs, labels, schedule=schedule) for schedule in ("delta-approx", DeltaApprox()))
    assert measured(named, range(EPOCHS)) == measured(made, range(EPOCHS)) == KNOWN


def test_it_measures_what_the_schedule_asks_for_of_every_epochs_values(inputs, labels, network):
    estimators = ["binning", {"name": "kde", "variance": 0.01}]
    every = Recorder(inputs, labels, estimators, "every")
    measured(every, range(EPOCHS))
    values = every.values()
    planner = FEW.planner(None, every.entropies)
    for epoch in range(EPOCHS):
        if planner.due(epoch):
            planner.tell(epoch, values[epoch])
    assert measured(Recorder(inputs, labels, estimators, FEW), range(EPOCHS)) == list(planner.measured)


def test_values_are_those_of_the_result(inputs, labels):
    recorder = Recorder(inputs, labels, ["binning", "kde"], "every")
    measured(recorder, range(3))
    information = recorder.results()["information"]
    assert list(recorder.values()) == [0, 1, 2]
    assert np.array_equal(recorder.values()[2], information.sel(epoch=2).values)  # (estimator, member, layer, variable)
    assert recorder.entropies == (6.0, 2.0)


def test_an_attached_model_is_measured_at_the_same_epochs(inputs, labels):
    now = {"epoch": 0}
    recorder = Recorder(inputs, labels, schedule=FEW)
    with recorder.attach(lambda batch: net(now["epoch"])(batch)):
        for epoch in range(EPOCHS):
            now["epoch"] = epoch
            recorder.step(epoch)
    assert [entry.epoch for entry in recorder.entries] == KNOWN


def test_without_labels_the_input_alone_decides(inputs):
    assert measured(Recorder(inputs, schedule=FEW), range(EPOCHS)) == KNOWN


def test_an_epoch_that_is_forced_is_the_one_compared_with_from_then_on(inputs, labels):
    recorder = Recorder(inputs, labels, schedule=FEW)
    measured(recorder, range(16))
    assert measured(recorder, [16], force=True) == [16]
    assert measured(recorder, range(17, 40)) == [32]


@pytest.mark.parametrize("stop", [1, 8, 15, 16, 31, 40])
def test_a_training_started_again_goes_on_with_the_step_and_the_point_it_had(tmp_path, inputs, labels, stop):
    folder = tmp_path / "run"
    assert restarted(range(stop), range(stop, EPOCHS), folder, inputs, labels, schedule=FEW) == KNOWN


@pytest.mark.parametrize("back", [0, 5, 16, 30, 31])
def test_a_training_that_goes_back_forgets_what_came_later(tmp_path, inputs, labels, back):
    folder = tmp_path / "run"
    assert restarted(range(50), range(back, EPOCHS), folder, inputs, labels, schedule=FEW) == KNOWN


def test_epochs_of_a_stopped_training_do_not_stay_where_the_new_one_measures_none(tmp_path, inputs, labels):
    folder = tmp_path / "run"
    first = Recorder(inputs, labels, schedule="every", out=folder)
    measured(first, range(30))
    first.close()
    again = Recorder(inputs, labels, schedule=FEW, out=folder)
    assert measured(again, range(10, 30)) == [11, 15, 23]  # points closer than the step lengthen none
    assert [entry.epoch for entry in again.entries] == [*range(10), 11, 15, 23]
    again.close()


def test_a_record_goes_on_from_its_state(inputs, labels):
    first, second = Recorder(inputs, labels, schedule=FEW), Recorder(inputs, labels, schedule=FEW)
    measured(first, range(20))
    measured(second, range(3))  # what it holds gives way
    second.load_state_dict(first.state_dict())
    measured(second, range(20, EPOCHS))
    assert [entry.epoch for entry in second.entries] == KNOWN


@pytest.mark.parametrize("schedule", ["delta-exact", DeltaExact(0.1)])
def test_a_live_model_cannot_be_measured_exactly_and_the_error_says_what_can(tmp_path, inputs, schedule):
    with pytest.raises(ip.InputError, match="use 'delta-approx', or keep checkpoints and measure them afterwards"):
        Recorder(inputs, schedule=schedule, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ---- epochs that can be had at any time


def test_epochs_inserted_in_any_order_give_the_result_of_those_in_order(inputs, labels):
    in_order, inserted = Recorder(inputs, labels, schedule="every"), Recorder(inputs, labels, live=False, schedule=5)
    measured(in_order, range(0, 60, 10))
    for epoch in (30, 0, 50, 10, 40, 20):
        inserted.insert(epoch, net(epoch))
    assert inserted.results()["information"].identical(in_order.results()["information"])
    with pytest.raises(ip.InputError, match="epoch 30 has been measured; expected another"):
        inserted.insert(30, net(30))


def test_exactly_the_change_is_measured_where_any_epoch_can_be_had(inputs, labels):
    schedule = DeltaExact(delta=0.1, max_skip=16)
    recorder = Recorder(inputs, labels, schedule=schedule, live=False)
    planner = schedule.planner(EPOCHS, recorder.entropies)
    while not planner.done:
        for epoch in planner.wanted():
            recorder.insert(epoch, net(epoch))
            planner.tell(epoch, recorder.values()[epoch])
    assert [entry.epoch for entry in recorder.entries] == list(planner.measured)
    assert {19, 20, 44, 45} <= set(planner.measured)
    assert len(planner.measured) < 20


def test_a_schedule_with_an_order_of_its_own_takes_no_step(inputs):
    with pytest.raises(ip.InputError, match="'delta-exact' chooses epochs in an order of its own; use insert"):
        Recorder(inputs, schedule="delta-exact", live=False).step(0, net(0))
