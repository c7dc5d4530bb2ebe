"""Recording while Keras trains a model on the digits."""

import os

import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane.errors import InputError

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it once; its own default may not be installed
keras = pytest.importorskip("keras", reason="needs the extra 'keras'")

from infoplane.record.keras import InfoPlane  # noqa: E402

pytestmark = [
    pytest.mark.framework,
    # Keras' variables and torch's tensors, on releases of NumPy that ask for more
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

L = keras.layers
ESTIMATORS = [{"name": "binning", "bins": 8}, {"name": "kde", "variance": 0.1}]


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32)[:600], y[:600]


def network():
    """A model of which dropout, batch statistics and optimiser all have a state."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            L.Dense(12, activation="tanh", name="first"),
            L.BatchNormalization(name="norm"),
            L.Dropout(0.3, name="drop"),
            L.Dense(8, activation="relu", name="second"),
            L.Dense(10, activation="softmax", name="out"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, digits, epochs, *callbacks, **options):
    x, y = digits
    return model.fit(x[:400], y[:400], epochs=epochs, batch_size=50, verbose=0, callbacks=list(callbacks),
                     validation_data=(x[400:], y[400:]), **options)  # fmt: skip


def recorder_of(digits, **options):
    x, y = digits
    return ip.Recorder(x[:300], y[:300], **{"schedule": "every", "estimators": ESTIMATORS} | options)


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def test_the_plane_is_that_of_activations_captured_by_hand(digits):
    model, recorder = network(), recorder_of(digits)
    fit(model, digits, 2, InfoPlane(recorder))
    plane = recorder.results()["information"].isel(member=0, epoch=-1)
    inner = keras.Model(model.inputs, [layer.output for layer in model.layers if layer.name != "drop"])
    by_hand = dict(zip(("first", "norm", "second", "out"), inner.predict(digits[0][:300], verbose=0), strict=True))
    assert list(plane.layer.values) == list(by_hand)
    for place, estimator in enumerate(ESTIMATORS):
        for name, activations in by_hand.items():
            expected = ip.layer_information(activations, digits[1][:300], estimator)
            found = plane.isel(estimator=place).sel(layer=name)
            assert abs(float(found[0]) - expected.input.bits) < 1e-6
            assert abs(float(found[1]) - expected.label.bits) < 1e-6


def test_training_is_the_same_bits_with_and_without_recording(digits):
    plain = network()  # seeds everything, the shuffling of the batches too
    fit(plain, digits, 3)
    recorded = network()
    fit(recorded, digits, 3, InfoPlane(recorder_of(digits)))
    pairs = list(zip(state(plain), state(recorded), strict=True))
    assert len(pairs) > 20
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_epoch_zero_is_the_model_before_training(digits):
    model, recorder = network(), recorder_of(digits)
    before = keras.Model(model.inputs, model.get_layer("first").output).predict(digits[0][:300], verbose=0)
    fit(model, digits, 1, InfoPlane(recorder, layers="first"))
    ds = recorder.results()
    assert ds.epoch.values.tolist() == [0, 1]
    expected = ip.layer_information(before, digits[1][:300], ESTIMATORS[1]).input.bits
    assert abs(float(ds["information"].isel(member=0, estimator=1, epoch=0, layer=0, variable=0)) - expected) < 1e-6


def test_curves_are_what_keras_logs(digits):
    recorder = recorder_of(digits)
    history = fit(network(), digits, 2, InfoPlane(recorder, layers="out")).history
    ds = recorder.results().isel(member=0)
    assert ds.step.values.tolist() == [1, 2]
    for name, split, logged in (("loss", "train", "loss"), ("accuracy", "train", "accuracy"),
                                ("loss", "test", "val_loss"), ("accuracy", "test", "val_accuracy")):  # fmt: skip
        np.testing.assert_allclose(ds[name].sel(split=split), history[logged], rtol=1e-6)


def test_the_last_epoch_is_measured_whatever_the_schedule(digits):
    recorder = recorder_of(digits, schedule=[0, 1])
    fit(network(), digits, 3, InfoPlane(recorder, layers="out"))
    assert recorder.results().epoch.values.tolist() == [0, 1, 3]


def test_the_epoch_at_which_the_training_stops_is_measured(digits):
    recorder = recorder_of(digits, schedule=[0])
    stop = keras.callbacks.EarlyStopping("loss", min_delta=100, patience=2)
    fit(network(), digits, 9, stop, InfoPlane(recorder, layers="out"))
    assert recorder.results().epoch.values.tolist() == [0, 3]


def test_a_continued_fit_continues_the_record(digits):
    model, recorder = network(), recorder_of(digits)
    fit(model, digits, 2, InfoPlane(recorder, layers="out"))
    fit(model, digits, 4, InfoPlane(recorder, layers="out"), initial_epoch=2)
    assert recorder.results().epoch.values.tolist() == [0, 1, 2, 3, 4]


class Interrupted(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.params["epochs"] == 5 and batch == 3 and len(self.model.history.epoch) == 2:
            raise KeyboardInterrupt


def test_an_interrupted_fit_continues_in_its_folder(digits, tmp_path):
    whole = recorder_of(digits)
    fit(network(), digits, 5, InfoPlane(whole, layers="out"))

    model, first = network(), recorder_of(digits, out=tmp_path)
    keep = keras.callbacks.BackupAndRestore(tmp_path.parent / f"{tmp_path.name}-backup", delete_checkpoint=False)
    with pytest.raises(KeyboardInterrupt):
        fit(model, digits, 5, keep, InfoPlane(first, layers="out"), Interrupted())
    first.close()
    again = recorder_of(digits, out=tmp_path)
    keep = keras.callbacks.BackupAndRestore(tmp_path.parent / f"{tmp_path.name}-backup")
    fit(network(), digits, 5, keep, InfoPlane(again, layers="out"))
    again.close()
    continued = ip.load(tmp_path)
    assert continued.epoch.values.tolist() == [0, 1, 2, 3, 4, 5]
    # the shuffling of the batches goes on differently, so that only what came before is the same
    before = whole.results()["information"].sel(epoch=[0, 1, 2])
    np.testing.assert_array_equal(continued["information"].sel(epoch=[0, 1, 2]), before)


def test_a_fit_that_begins_anew_with_the_same_recorder_is_refused(digits):
    model, recorder = network(), recorder_of(digits)
    fit(model, digits, 2, InfoPlane(recorder, layers="out"))
    with pytest.raises(InputError, match="epoch 0 comes after epoch 2"):
        fit(model, digits, 2, InfoPlane(recorder, layers="out"))


def test_a_model_that_diverged_is_flagged(digits):
    model, recorder = network(), recorder_of(digits)
    model.get_layer("second").kernel.assign(model.get_layer("second").kernel * np.nan)
    fit(model, digits, 1, InfoPlane(recorder))
    ds = recorder.results().isel(member=0, estimator=0, epoch=0, variable=0)
    assert np.isfinite(ds["information"].sel(layer="first"))
    assert np.isnan(ds["information"].sel(layer="out"))
    assert "non-finite" in results.decode_flags(int(ds["flags"].sel(layer="out")))
    assert "diverged" in results.decode_flags(int(ds["member_flags"]))


def test_options_of_the_callback_reach_the_layers(digits):
    inputs = keras.Input((8, 8, 1))
    conv = L.Conv2D(3, 3, name="conv")(inputs)
    model = keras.Model(inputs, L.Dense(10, name="out")(L.GlobalAveragePooling2D(name="pool")(conv)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = digits[0].reshape(-1, 8, 8, 1), digits[1]
    recorder = ip.Recorder(x[:100], y[:100])
    model.fit(x[:100], y[:100], verbose=0, callbacks=[InfoPlane(recorder, layers="conv", channels="each")])
    assert list(recorder.results().layer.values) == ["conv[0]", "conv[1]", "conv[2]"]


def test_layers_that_fit_nothing_stop_the_fit_before_it_trains(digits):
    with pytest.raises(InputError, match=r"'hidden' fits no layer.*first, norm, drop, second, out"):
        fit(network(), digits, 1, InfoPlane(recorder_of(digits), layers="hidden"))
