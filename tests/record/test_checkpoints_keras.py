"""Keras and Flax checkpoints: measured as by hand, only the weights read, nothing run."""

import json
import os
import warnings
import zipfile

import h5py
import numpy as np
import pytest

import infoplane as ip
from infoplane.errors import InputError
from infoplane.record import _formats
from infoplane.record.checkpoints import measure_checkpoints

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it once; its own default may not be installed
keras = pytest.importorskip("keras", reason="needs the extra 'keras'")

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # of Keras, with NumPy 2
]


def make(*, width=5, extra=0):
    layers = [keras.layers.Dense(width, activation="tanh", name="hidden"), keras.layers.BatchNormalization(name="norm")]
    layers += [keras.layers.Dense(2, name=f"dense{number}") for number in range(1 + extra)]
    return keras.Sequential([keras.Input((4,)), *layers])


def captured(model, inputs):
    """The activations of each layer by hand, in evaluation."""
    t, found = inputs, {}
    for layer in model.layers:
        t = layer(t, training=False) if layer.name == "norm" else layer(t)
        found[layer.name] = keras.ops.convert_to_numpy(t)
    return found


@pytest.fixture(scope="module")
def data():
    inputs = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    return inputs, (inputs.sum(axis=1) > 0).astype(int)


@pytest.fixture(params=["epoch-{}.weights.h5", "epoch-{}.keras"])
def trained(request, data, tmp_path):
    """A folder of four checkpoints, and the activations of each epoch by hand."""
    keras.utils.set_random_seed(0)
    model = make()
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    folder, layers = tmp_path / "checkpoints", []
    folder.mkdir()
    for epoch in range(4):
        if epoch:
            model.fit(*data, verbose=0)
        path = folder / request.param.format(epoch)
        model.save(path) if path.suffix == ".keras" else model.save_weights(path)
        layers.append(captured(model, data[0]))
    return folder, layers


def test_values_are_those_of_the_activations_captured_by_hand(trained, data):
    folder, layers = trained
    ds = measure_checkpoints(folder, make, *data)
    assert ds["epoch"].values.tolist() == [0, 1, 2, 3]
    assert ds["layer"].values.tolist() == ["hidden", "norm", "dense0"]
    for epoch, found in enumerate(layers):
        for layer, t in found.items():
            exact = ip.layer_information(t, data[1])
            got = ds["information"].sel(epoch=epoch, layer=layer).values.ravel()
            assert got == pytest.approx([exact.input.bits, exact.label.bits], abs=1e-6)


def test_a_compiled_model_takes_the_weights_without_the_optimiser_s_state(trained, data):
    model = make()
    model.compile("sgd", "sparse_categorical_crossentropy")
    ds = measure_checkpoints(trained[0], model, data[0], schedule=[3])
    # the maximum is kept in single precision
    assert float(ds["activation_max"].sel(layer="norm", epoch=3).squeeze()) == pytest.approx(
        trained[1][3]["norm"].max(), rel=1e-6
    )


MISFITS = {"wider": ({"width": 6}, "shape"), "deeper": ({"extra": 1}, "could not be loaded")}


@pytest.mark.parametrize(("other", "text"), MISFITS.values(), ids=MISFITS.keys())
def test_weights_of_another_model_are_refused_in_one_line(other, text, trained, data):
    with pytest.raises(InputError, match=rf"epoch-0\..*its weights do not fit the model: .*{text}") as told:
        measure_checkpoints(trained[0], lambda: make(**other), data[0])
    assert "\n" not in str(told.value)


def test_weights_of_a_deeper_model_which_keras_would_take_are_refused(tmp_path, data):
    make(extra=1).save_weights(tmp_path / "epoch-0.weights.h5")
    with pytest.raises(InputError, match="it holds 10 arrays, the model has 8"):
        measure_checkpoints(tmp_path, make, data[0])


def test_a_model_without_weights_is_refused(trained, data):
    with pytest.raises(InputError, match="model is not built"):
        measure_checkpoints(trained[0], keras.Sequential([keras.layers.Dense(3)]), data[0])


def test_keras_weights_do_not_go_into_a_model_of_another_framework(trained, data):
    nnx = pytest.importorskip("flax.nnx", reason="needs the extra 'flax'")
    with pytest.raises(InputError, match="which fit Keras models only"):
        measure_checkpoints(trained[0], lambda: nnx.Linear(4, 2, rngs=nnx.Rngs(0)), data[0])


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
def test_a_file_that_was_cut_short_is_named(kept, trained, data):
    path = sorted(trained[0].iterdir())[0]
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(InputError, match=r"epoch-0\..*: cannot be read; cut short or damaged\?"):
        measure_checkpoints(trained[0], make, data[0])


# ---- what would run code or read elsewhere


@pytest.fixture
def archive(tmp_path):
    """A .keras archive, to be changed, alone in its folder."""
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "epoch-0.keras"
    make().save(path)
    return path


def rewritten(path, add=(), drop=()):
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist() if name not in drop}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in (members | dict(add)).items():
            new.writestr(name, content)


def test_the_configuration_of_an_archive_is_not_read(archive, data, tmp_path):
    canary = tmp_path / "canary"
    config = {"module": "os", "class_name": "mkdir", "config": {"path": str(canary)}}
    rewritten(archive, {"config.json": json.dumps(config), "metadata.json": "no json"})
    measure_checkpoints(archive.parent, make, data[0])
    assert not canary.exists()


def test_members_that_lead_out_of_an_archive_are_not_unpacked(archive, data, tmp_path):
    names = ["../escaped", "../../escaped", str(tmp_path / "absolute"), "assets/../../../escaped", "nul"]
    rewritten(archive, dict.fromkeys(names, b"x"))
    before = sorted(tmp_path.rglob("*"))
    measure_checkpoints(archive.parent, make, data[0])
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_without_weights_is_refused(archive, data):
    rewritten(archive, drop=["model.weights.h5"])
    with pytest.raises(InputError, match=r"epoch-0\.keras: holds no model\.weights\.h5"):
        measure_checkpoints(archive.parent, make, data[0])


def test_weights_that_unpack_to_far_more_than_the_archive_are_refused(archive, data):
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("model.weights.h5", bytes(10**7))
    with pytest.raises(InputError, match="would unpack to 10000000 bytes; refused"):
        measure_checkpoints(archive.parent, make, data[0])


def outside_link(file, secret):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink(secret, "/x")


def outside_storage(file, secret):
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", (4, 5), "<f4", external=[(secret, 0, 80)])


def outside_view(file, secret):
    del file["layers/dense/vars/0"]
    view = h5py.VirtualLayout((4, 5), "<f4")
    view[:] = h5py.VirtualSource(secret, "x", (4, 5))
    file.create_virtual_dataset("layers/dense/vars/0", view)


@pytest.mark.parametrize("change", [outside_link, outside_storage, outside_view])
def test_weights_that_would_be_read_from_another_file_are_refused(change, data, tmp_path):
    secret = tmp_path / "secret"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones((4, 5), np.float32)
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "epoch-0.weights.h5"
    make().save_weights(path)
    with h5py.File(path, "r+") as file:
        change(file, str(secret))
    with pytest.raises(InputError, match=r"refused, since 'layers/dense/vars/0' would be read from another file"):
        measure_checkpoints(path.parent, make, data[0])


# ---- by name, as safetensors files have them


def given(monkeypatch, arrays):
    monkeypatch.setattr("infoplane.record._safetensors.read", lambda _: arrays)


def test_safetensors_go_into_a_keras_model_by_the_paths_of_its_weights(monkeypatch, tmp_path):
    saved, model = make(), make()
    for name in (lambda path: path.partition("/")[2], lambda path: path.partition("/")[2].replace("/", ".")):
        given(monkeypatch, {name(weight.path): keras.ops.convert_to_numpy(weight) for weight in saved.weights})
        model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
        _formats.load_into(model, tmp_path / "epoch-1.safetensors")
        for ours, theirs in zip(model.get_weights(), saved.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_keras_model_keeps_its_weights_when_a_shape_differs(monkeypatch, tmp_path):
    model = make()
    before = model.get_weights()
    arrays = {w.path.partition("/")[2]: np.ones(w.shape, np.float32) for w in model.weights}
    given(monkeypatch, arrays | {"dense0/bias": np.ones(3, np.float32)})
    with pytest.raises(InputError, match=r"dense0\.bias' has shape \(3,\), the model's \(2,\)"):
        _formats.load_into(model, tmp_path / "epoch-1.safetensors")
    for now, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, was)


def test_safetensors_go_into_a_flax_model_and_its_values_are_those_by_hand(monkeypatch, tmp_path, data):
    nnx = pytest.importorskip("flax.nnx", reason="needs the extra 'flax'")

    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.first = nnx.Linear(4, 3, rngs=rngs)
            self.norm = nnx.BatchNorm(3, rngs=rngs)
            self.drop = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, x):
            return self.drop(self.norm(self.first(x)))

    names = {"first.kernel": (4, 3), "first.bias": (3,), "norm.scale": (3,), "norm.bias": (3,), "norm.mean": (3,)}
    for epoch in (1, 2):
        (tmp_path / f"epoch-{epoch}.safetensors").touch()

    def read(path):
        rng = np.random.default_rng(int(path.stem[-1]))
        arrays = {name: rng.uniform(0.1, 1, shape).astype(np.float32) for name, shape in names.items()}
        return arrays | {"norm.var": np.ones(3, np.float32)}

    monkeypatch.setattr("infoplane.record._safetensors.read", read)
    ds = measure_checkpoints(tmp_path, Net, *data)
    for epoch in (1, 2):
        arrays = read(tmp_path / f"epoch-{epoch}.safetensors")
        t = data[0] @ arrays["first.kernel"] + arrays["first.bias"]
        exact = ip.layer_information(t, data[1], edges="width", width=0.5)
        got = measure_checkpoints(
            tmp_path, Net, *data, estimators=[{"name": "binning", "edges": "width", "width": 0.5}], layers="first"
        )
        # cells of half a unit: a last bit of the matrix product moves no sample over an edge here
        assert got["information"].sel(epoch=epoch).values.ravel() == pytest.approx(
            [exact.input.bits, exact.label.bits], abs=1e-6
        )
    assert ds["layer"].values.tolist()[:2] == ["first", "norm"]


def test_files_of_older_keras_are_read_with_the_epoch_before_the_metric(data, tmp_path):
    keras.utils.set_random_seed(1)
    layers = []
    for name in ("weights.05-0.12.h5", "weights.06-0.10.h5"):
        model = make()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras logs that the format is old
            model.save(tmp_path / name)
        layers.append(captured(model, data[0]))
    ds = measure_checkpoints(tmp_path, make, *data)
    assert ds["epoch"].values.tolist() == [5, 6]
    for epoch, by_hand in zip((5, 6), layers, strict=True):
        exact = ip.layer_information(by_hand["hidden"], data[1])
        got = ds["information"].sel(epoch=epoch, layer="hidden").values.ravel()
        assert got == pytest.approx([exact.input.bits, exact.label.bits], abs=1e-6)


def test_a_saved_model_is_refused_by_its_name(tmp_path):
    (tmp_path / "epoch_1").mkdir()
    (tmp_path / "epoch_1" / "saved_model.pb").touch()
    with pytest.raises(InputError, match=r"'epoch_1' is a TensorFlow SavedModel.* Save the weights with model\.save_w"):
        measure_checkpoints(tmp_path, make, np.zeros((4, 4), np.float32))
