"""The recorder: what it measures, when, and what it refuses."""

import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane.record import Recorder
from infoplane.schedules import Log

BOTH = ["binning", {"name": "kde", "variance": 0.01}]


def information(ds, **where):
    return ds["information"].sel(**where).squeeze("member").values


# ---- what is measured


def test_every_number_is_that_of_layer_information_on_the_same_activations(inputs, labels, network):
    recorder = Recorder(inputs, labels, BOTH, "every", batch_size=32)
    for epoch in range(3):
        recorder.step(epoch, network(epoch))
    ds = recorder.results()
    for epoch in range(3):
        for layer, t in network(epoch)(inputs).items():
            by_hand = ip.layer_information(t, labels, BOTH)
            for estimator, known in by_hand.items():
                bits = information(ds, epoch=epoch, layer=layer, estimator=estimator)
                # the product of batches of 32 may round in another way than that of all 120
                assert bits == pytest.approx([known.input.bits, known.label.bits], abs=1e-6)
                flags = ds["flags"].sel(epoch=epoch, layer=layer, estimator=estimator, variable="input").item()
                assert results.decode_flags(flags) == known.input.flags


def test_activations_may_be_given_whole(inputs, labels, network):
    recorder = Recorder(inputs, labels, batch_size=50)
    recorder.step(0, network()(inputs))
    known = ip.layer_information(network()(inputs)["hidden"], labels)
    bits = information(recorder.results(), epoch=0, layer="hidden", estimator="binning")
    assert list(bits) == [known.input.bits, known.label.bits]


def test_one_pass_with_a_tight_memory_gives_the_same_numbers(inputs, labels, network):
    whole, tight = (Recorder(inputs, labels, batch_size=32, memory=memory) for memory in (2**30, 120 * 3 * 4))
    evaluated = []

    def counting(batch):
        evaluated.append(len(batch))
        return network()(batch)

    for recorder in (whole, tight):
        recorder.step(0, counting)
    once = [32, 32, 32, 24]
    # each looks at two samples twice first; 20 bytes a sample, of which 360 are a quarter of the memory
    assert evaluated == [2, 2, *once, 2, 2, *[18] * 6, 12]
    assert tight.results().identical(whole.results())


def test_a_batch_is_no_larger_than_memory_allows(inputs, network):
    evaluated = []

    def counting(batch):
        evaluated.append(len(batch))
        return network()(batch)

    Recorder(inputs, memory=120 * 3 * 4, layers="hidden").step(0, counting)
    assert evaluated == [2, 2, 30, 30, 30, 30]  # of 12 bytes; a batch takes a quarter at most
    Recorder(np.repeat(inputs, 3, axis=0), memory=360 * 3 * 4).step(0, counting)
    assert max(evaluated[7:]) == 360 * 3 * 4 // 4 // (4 * (3 + 2))  # 54: a batch holds both layers


def test_a_layer_above_the_memory_allowed_is_refused_with_what_to_do(inputs, network):
    recorder = Recorder(inputs, memory=120 * 3 * 4 - 1)
    told = r"layer 'hidden' needs .* above memory=1439 bytes; measure on fewer inputs \(rows=119\)"
    with pytest.raises(ip.InputError, match=told):
        recorder.step(0, network())


def test_a_held_out_set_is_measured_beside_the_first(inputs, labels, network):
    recorder = Recorder(inputs[:80], labels[:80], BOTH, held_out=(inputs[80:], labels[80:]))
    alone = Recorder(inputs[80:], labels[80:], BOTH)
    for each in (recorder, alone):
        each.step(0, network())
    ds = results.held_out(recorder.results())
    assert ds["information"].equals(alone.results()["information"])
    assert ds["flags"].equals(alone.results()["flags"])
    assert ds.attrs["input_entropy"] == np.log2(40)
    assert recorder.results().attrs["input_entropy"] == np.log2(80)
    with pytest.raises(ip.InputError, match="no held-out set"):
        results.held_out(alone.results())


def test_layers_are_chosen_by_name_and_pattern(inputs, network):
    recorder = Recorder(inputs, layers="out*")
    recorder.step(0, network())
    assert list(recorder.results()["layer"].values) == ["output"]
    with pytest.raises(ip.InputError, match=r"'outptu' fits no layer; did you mean 'output'\? \(layers: hidden, outp"):
        Recorder(inputs, layers="outptu").step(0, network())


def test_more_than_two_dimensions_are_flattened(inputs):
    recorder = Recorder(inputs)
    recorder.step(0, lambda batch: {"image": batch.reshape(-1, 2, 2)})
    assert information(recorder.results(), layer="image", variable="input") == pytest.approx(
        ip.layer_information(inputs).input.bits
    )


def test_half_precision_is_measured_as_single(inputs):
    recorder = Recorder(inputs)
    recorder.step(0, lambda batch: {"half": batch.astype(np.float16)})
    known = ip.layer_information(inputs.astype(np.float16).astype(np.float32))
    assert information(recorder.results(), layer="half", variable="input") == [[known.input.bits]]


@pytest.mark.parametrize("kind", [dict, tuple])
def test_a_model_with_several_inputs_gets_them_together(inputs, kind):
    given = {"a": inputs, "b": 2 * inputs} if kind is dict else (inputs, 2 * inputs)
    seen = []

    def evaluate(batch):
        seen.append(batch)
        first = batch["a"] if kind is dict else batch[0]
        return {"t": first}

    Recorder(given, batch_size=100).step(0, evaluate)
    assert [type(batch) for batch in seen] == 4 * [kind]  # two looks at two samples, then all in two batches
    second = [batch["b"] if kind is dict else batch[1] for batch in seen[2:]]
    assert np.array_equal(np.concatenate(second), 2 * inputs)


def test_noise_models_side_by_side(inputs, labels, network):
    recorder = Recorder(inputs, labels, [{"name": "kde", "variance": [0.1, 1.0]}, {"name": "noisy", "variance": 0.1}])
    recorder.step(0, network())
    at = recorder.results()["information"].sel(layer="hidden", variable="input").values.ravel()
    assert at[0] > at[1]  # more noise leaves less
    assert at[2] <= at[0]  # kde's bits bound what `noisy` samples from above


# ---- when


def test_the_log_schedule_without_a_known_end_measures_what_it_measures_in_8000_epochs(inputs):
    recorder = Recorder(inputs[:3])
    measured = [epoch for epoch in range(2001) if recorder.step(epoch, lambda batch: {"t": batch})]
    usual = Log().epochs(8000)
    assert measured == list(usual[usual <= 2000])


def test_with_a_known_end_the_last_epoch_is_measured(inputs):
    recorder = Recorder(inputs, schedule=7, epochs=20)
    assert [epoch for epoch in range(21) if recorder.step(epoch, lambda batch: {"t": batch})] == [0, 7, 14, 20]


def test_epochs_between_which_the_schedule_has_one_are_measured(inputs):
    recorder = Recorder(inputs, schedule=[0, 5, 6, 30])
    measured = [epoch for epoch in range(0, 60, 4) if recorder.step(epoch, lambda batch: {"t": batch})]
    assert measured == [0, 8, 32]


def test_an_epoch_that_is_not_due_costs_no_evaluation(inputs):
    recorder = Recorder(inputs, schedule=10)
    recorder.step(0, lambda batch: {"t": batch})
    assert recorder.step(1, None) is False
    assert recorder.step(2, lambda batch: {"t": batch}, force=True) is True


def test_training_curves_are_kept_of_epochs_that_are_not_measured_too(inputs):
    recorder = Recorder(inputs, schedule=2)
    for epoch in range(4):
        recorder.step(epoch, lambda batch: {"t": batch}, curves={"loss": 1.0 / (epoch + 1), "test_accuracy": 0.5})
    ds = recorder.results()
    assert list(ds["step"].values) == [0, 1, 2, 3]
    assert ds["loss"].sel(split="train").values[0] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert (ds["accuracy"].sel(split="test") == 0.5).all()


# ---- labels


def test_without_labels_there_is_only_what_a_layer_knows_of_its_input(inputs, network):
    recorder = Recorder(inputs)
    recorder.step(0, network())
    ds = recorder.results()
    assert ds["information"].sel(variable="label").isnull().all()
    assert ds["information"].sel(variable="input").notnull().all()
    assert np.isnan(ds.attrs["label_entropy"])


def test_targets_of_a_regression_become_classes_of_equal_mass_and_the_result_says_so(inputs, network):
    targets = np.arange(len(inputs)) * 0.1
    recorder = Recorder(inputs, targets, target_bins=4)
    recorder.step(0, network())
    ds = recorder.results()
    assert ds.attrs["targets"] == "targets cut at their quantiles into 4 classes of equal mass"
    assert ds.attrs["label_entropy"] == 2.0
    by_hand = ip.layer_information(network()(inputs)["output"], np.arange(len(inputs)) // 30)
    assert information(ds, layer="output", variable="label") == pytest.approx(by_hand.label.bits, abs=1e-12)


def test_one_hot_rows_are_classes(inputs, labels, network):
    one_hot, plain = Recorder(inputs, np.eye(2)[labels]), Recorder(inputs, labels)
    for recorder in (one_hot, plain):
        recorder.step(0, network())
    assert one_hot.results().identical(plain.results())


def test_entropies_count_distinct_inputs(inputs):
    twice = np.concatenate([inputs, inputs])
    recorder = Recorder(twice, np.arange(240) % 2)
    recorder.step(0, lambda batch: {"t": batch})
    attrs = recorder.results().attrs
    assert attrs["n_distinct"] == 120
    assert attrs["input_entropy"] == pytest.approx(np.log2(120))
    # input i and its copy carry labels i and i + 120 modulo 2, which are the same
    assert attrs["label_information"] == pytest.approx(1.0)


# ---- what is refused


def test_what_is_not_finite_gives_nan_and_a_flag_and_spoils_no_other_layer(inputs, labels, network):
    def broken(batch):
        given = dict(network()(batch))
        given["output"] = np.full_like(given["output"], np.nan)
        return given

    recorder, sound = Recorder(inputs, labels, BOTH), Recorder(inputs, labels, BOTH)
    recorder.step(0, broken)
    sound.step(0, network())
    ds = recorder.results()
    assert ds["information"].sel(layer="output").isnull().all()
    flags = np.unique(ds["flags"].sel(layer="output"))
    assert [results.decode_flags(code) for code in flags] == [frozenset({"non-finite"})]
    assert ds["information"].sel(layer="hidden").equals(sound.results()["information"].sel(layer="hidden"))
    assert results.decode_flags(ds["member_flags"].item()) == {"diverged"}


@pytest.mark.parametrize("epoch", [3, 2, 0])
def test_an_epoch_that_goes_backwards_is_refused(inputs, epoch):
    recorder = Recorder(inputs)
    recorder.step(3, lambda batch: {"t": batch})
    with pytest.raises(ip.InputError, match=rf"epoch {epoch} comes after epoch 3; expected epochs that only rise"):
        recorder.step(epoch, lambda batch: {"t": batch})


def test_a_negative_epoch_is_refused(inputs):
    with pytest.raises(ip.InputError, match=r"epoch is -1; expected a whole number"):
        Recorder(inputs).step(-1, lambda batch: {"t": batch})


def test_inputs_put_in_another_order_or_changed_are_refused(inputs, labels, network):
    for change, said in ((np.flipud, "are in another order"), (lambda x: x + 1, "have changed")):
        own = inputs.copy()
        recorder = Recorder(own, labels)
        recorder.step(0, network())
        own[:] = change(own)
        with pytest.raises(ip.InputError, match=f"inputs {said} since the recorder was made"):
            recorder.step(1, network())


def test_layers_that_come_and_go_are_refused(inputs):
    recorder = Recorder(inputs)
    recorder.step(0, lambda batch: {"a": batch})
    with pytest.raises(ip.InputError, match="layers are b; expected those of the epochs before: a"):
        recorder.step(1, lambda batch: {"b": batch})


@pytest.mark.parametrize(
    ("activations", "said"),
    [
        (lambda batch: batch, "activations are a ndarray; expected a mapping"),
        (lambda batch: {"t": batch[:3]}, r"activations of 't' have shape \(3, 4\); expected \(120, …\)"),
        (lambda batch: {"t": batch.astype(complex)}, "activations of 't' has dtype complex"),
        (lambda batch: {}, "the model gives no layers"),
        ({"t": np.zeros((7, 2))}, r"activations of 't' have shape \(7, 2\); expected \(120, …\)"),
        (None, "activations are missing; give step a mapping or a function, or attach a model"),
    ],
)
def test_activations_that_cannot_be_used_are_refused(inputs, activations, said):
    with pytest.raises(ip.InputError, match=said):
        Recorder(inputs).step(0, activations)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"labels": np.zeros(7, int)}, r"labels has shape \(7,\); expected \(120,\)"),
        ({"labels": np.full(120, np.nan)}, "labels is not finite in 120 of 120 rows"),
        ({"estimators": [{"name": "binning", "edges": "run"}]}, "edges 'run' need the range over a whole training"),
        ({"schedule": "lgo"}, "schedule is 'lgo'; did you mean 'log'"),
        ({"schedule": 0}, "schedule n is 0"),
        ({"batch_size": 0}, "batch_size is 0; expected at least 1"),
        ({"target_bins": 1}, "target_bins is 1; expected at least 2"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(inputs, arguments, said):
    with pytest.raises(ip.InputError, match=said):
        Recorder(inputs, **arguments)


def test_inputs_of_unequal_lengths_are_refused(inputs):
    with pytest.raises(ip.InputError, match=r"inputs has parts of \[120, 119\] samples"):
        Recorder((inputs, inputs[1:]))


def test_unknown_curves_and_unknown_models_are_refused(inputs):
    with pytest.raises(ip.InputError, match="curves: unknown 'val_loss'"):
        Recorder(inputs).step(0, lambda batch: {"t": batch}, curves={"val_loss": 1.0})
    with (
        pytest.raises(ip.InputError, match="model is a int; expected a PyTorch, Keras or Flax NNX model"),
        Recorder(inputs).attach(3),
    ):
        pass


def test_results_before_the_first_measurement_are_refused(inputs):
    with pytest.raises(ip.InputError, match="nothing has been measured yet"):
        Recorder(inputs).results()


# ---- telling


def test_every_number_is_told_once_it_is_kept(inputs, labels, network):
    told = []
    recorder = Recorder(inputs, labels, BOTH, "every", on_row=told.append, held_out=(inputs[:50], labels[:50]))
    recorder.step(0, network())
    assert len(told) == 2 * 2 * 2 * 2  # sets, estimators, layers, variables
    row = next(r for r in told if (r.estimator, r.layer, r.variable, r.set) == ("kde", "output", "label", "measured"))
    at = recorder.results().sel(epoch=0, layer="output", estimator="kde", variable="label", member=0)
    assert (row.epoch, row.bits, row.lower, row.upper) == (
        0,
        at["information"].item(),
        at["information_lower"].item(),
        at["information_upper"].item(),
    )


def test_an_attached_function_is_evaluated_by_step(inputs, labels, network):
    recorder, by_hand = Recorder(inputs, labels), Recorder(inputs, labels)
    with recorder.attach(network()) as attached:
        assert attached is recorder
        assert recorder.entries == []
        recorder.step(0)
    by_hand.step(0, network())
    assert recorder.results().identical(by_hand.results())
    with pytest.raises(ip.InputError, match="activations are missing"):
        recorder.step(1)


def test_a_record_goes_on_from_its_state(inputs, labels, network):
    whole, first, second = (Recorder(inputs, labels, BOTH, "every") for _ in range(3))
    for epoch in range(4):
        whole.step(epoch, network(epoch))
    for epoch in range(2):
        first.step(epoch, network(epoch))
    second.load_state_dict(first.state_dict())
    for epoch in range(2, 4):
        second.step(epoch, network(epoch))
    assert second.results().identical(whole.results())
    with pytest.raises(ip.InputError, match="the checkpoint's record is of other inputs"):
        Recorder(inputs[1:], labels[1:], BOTH).load_state_dict(first.state_dict())


def test_an_option_that_a_probe_does_not_take_is_refused_with_the_nearest(inputs):
    from infoplane.record.probes import _check_options

    with pytest.raises(ip.InputError, match="TorchProbe takes no option 'chanels'; did you mean 'channels'"):
        _check_options({"chanels": "mean"}, ["channels", "positions"], "TorchProbe")


@pytest.mark.parametrize(
    ("layers", "names"), [("!output", ["hidden"]), (["all", "!h*"], ["output"]), (["hidden", "!output"], ["hidden"])]
)
def test_layers_of_a_function_are_excluded_by_a_mark(inputs, network, layers, names):
    recorder = Recorder(inputs, layers=layers)
    recorder.step(0, network())
    assert list(recorder.results().layer.values) == names
