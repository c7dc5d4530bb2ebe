"""The attribute ``output_layer``: the recorded layer that is what the model returns, and empty if there is none."""

import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane.record import Recorder, load
from infoplane.record._notes import output_among

RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((40, 6)).astype(np.float32)
LABELS = RNG.integers(0, 3, 40)
ROWS = RNG.standard_normal((5, 3))


def of_function(x):
    return {"output": x[:, :3], "hidden": x[:, 3:]}


def recorded(layers=None, out=None, epochs=(0,)):
    recorder = Recorder(INPUTS, LABELS, layers=layers, out=out)
    for epoch in epochs:
        recorder.step(epoch, of_function, force=True)
    return recorder


def softmax(rows):
    return np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "returned",
    [ROWS, softmax(ROWS), np.log(softmax(ROWS)), 1 / (1 + np.exp(-ROWS))],
    ids=["itself", "softmax", "log-softmax", "sigmoid"],
)
def test_the_layer_that_is_returned_is_the_output(returned):
    assert output_among({"hidden": ROWS[:, ::-1] * 2, "last": ROWS}, returned) == "last"


def test_of_two_equal_layers_the_later_one_is_the_output():
    assert output_among({"linear": ROWS, "dropout": ROWS}, ROWS) == "dropout"


@pytest.mark.parametrize("returned", [np.maximum(ROWS, 0), ROWS / np.sqrt(1 + 1e-5), ROWS[:, :2]])
def test_a_return_value_that_no_layer_shows_has_no_name(returned):
    assert output_among({"last": ROWS}, returned) == ""


def test_values_that_are_not_finite_tell_nothing():
    assert output_among({"last": ROWS}, ROWS * np.nan) is None


@pytest.mark.parametrize(("layers", "name"), [(None, "output"), ("output", "output"), ("hidden", None)])
def test_a_layer_named_output_is_the_output_of_a_function(layers, name):
    assert results.output_of(recorded(layers).results()) == name


def test_a_given_mapping_names_its_output_too():
    recorder = Recorder(INPUTS, layers="hidden")
    recorder.step(0, of_function(INPUTS))
    assert recorder.results().attrs["output_layer"] == ""


def test_the_caller_may_name_the_output_of_a_function():
    recorder = Recorder(INPUTS, attributes={"output_layer": "logits"})
    recorder.step(0, lambda x: {"logits": x[:, :3], "z": x})
    assert results.output_of(recorder.results()) == "logits"


def test_a_function_without_a_layer_named_output_states_nothing():
    recorder = Recorder(INPUTS)
    recorder.step(0, lambda x: {"logits": x})
    assert "output_layer" not in recorder.results().attrs


def test_the_folder_keeps_the_output_and_a_resumed_recording_has_it(tmp_path):
    recorded("hidden", tmp_path / "r").close()
    assert load(tmp_path / "r").attrs["output_layer"] == ""
    resumed = Recorder(INPUTS, LABELS, layers="hidden", out=tmp_path / "r")
    assert resumed.results().attrs["output_layer"] == ""
    resumed.close()


def test_a_checkpoint_of_the_recorder_keeps_the_output():
    fresh = Recorder(INPUTS, LABELS)
    fresh.load_state_dict(recorded().state_dict())
    assert fresh.results().attrs["output_layer"] == "output"


def test_an_ensemble_keeps_the_output():
    parts = [recorded().results(), recorded().results()]
    assert ip.ensemble(parts).attrs["output_layer"] == "output"


def test_an_ensemble_with_an_older_recording_keeps_the_output():
    old = recorded().results()
    del old.attrs["output_layer"]
    assert ip.ensemble([old, recorded().results()]).attrs["output_layer"] == "output"


def test_an_ensemble_refuses_two_different_outputs():
    other = recorded().results()
    other.attrs["output_layer"] = "hidden"
    with pytest.raises(ip.InputError, match="output_layer differ"):
        ip.ensemble([recorded().results(), other])


# ---- frameworks


def of_model(model, layers=None, inputs=INPUTS, **options):
    recorder = Recorder(inputs, LABELS)
    with recorder.attach(model, layers, **options):
        recorder.step(0)
    return recorder.results().attrs["output_layer"]


@pytest.mark.framework
class TestTorch:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch", reason="needs the extra 'torch'")

    def test_with_and_without_the_last_layer(self, torch):
        model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
        assert [of_model(model, layers) for layers in (None, ["0", "2"], ["0", "1"], "output")] == [
            "2", "2", "", "output",
        ]  # fmt: skip

    def test_a_function_after_the_last_layer_hides_the_output(self, torch):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = torch.nn.Linear(6, 3)

            def forward(self, x):
                return torch.relu(self.fc(x))

        assert of_model(Net()) == ""

    def test_an_activation_in_place_is_not_its_input(self, torch):
        model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(inplace=True))
        assert [of_model(model), of_model(model, "0")] == ["1", ""]

    @pytest.mark.parametrize("key", ["logits", "other"])
    def test_of_several_returned_tensors_logits_or_the_first_is_the_output(self, torch, key):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.body, self.head = torch.nn.Linear(6, 5), torch.nn.Linear(5, 3)

            def forward(self, x):
                hidden = self.body(x)
                return {"loss": hidden.mean(), "states": hidden, key: self.head(hidden)}

        assert of_model(Net()) == ("head" if key == "logits" else "body")

    def test_checkpoints_and_the_plane_state_the_output(self, torch, tmp_path):
        model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
        for epoch in range(2):
            torch.save(model.state_dict(), tmp_path / f"epoch-{epoch}.pt")
        given = {"layers": ["0", "1"]}
        assert ip.measure_checkpoints(tmp_path, model, INPUTS, LABELS).attrs["output_layer"] == "2"
        assert ip.measure_checkpoints(tmp_path, model, INPUTS, LABELS, **given).attrs["output_layer"] == ""
        assert ip.plane(model, INPUTS, LABELS, **given).dataset.attrs["output_layer"] == ""


@pytest.mark.framework
def test_keras_with_and_without_the_last_layer():
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="needs the extra 'keras'")
    layers = keras.layers
    model = keras.Sequential([layers.Input((6,)), layers.Dense(5, name="a"), layers.Dense(3, name="b")])
    assert [of_model(model), of_model(model, "a"), of_model(model, "output")] == ["b", "", "output"]


@pytest.mark.framework
def test_flax_with_and_without_the_last_layer():
    nnx = pytest.importorskip("flax.nnx", reason="needs the extra 'flax'")
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(nnx.Linear(6, 5, rngs=rngs), nnx.tanh, nnx.Linear(5, 3, rngs=rngs))
    assert [of_model(model), of_model(model, "layers.0")] == ["layers.2", ""]


@pytest.mark.framework
def test_parts_that_flax_jits_are_stated():
    nnx = pytest.importorskip("flax.nnx", reason="needs the extra 'flax'")

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.inner, self.head = nnx.Linear(6, 5, rngs=rngs), nnx.Linear(5, 3, rngs=rngs)

        def __call__(self, x):
            return self.head(nnx.jit(lambda part, x: part(x))(self.inner, x))

    ds = ip.plane(Net(nnx.Rngs(0)), INPUTS, LABELS).dataset
    assert list(ds["layer"].values) == ["head"]
    assert "left out: inner: the part runs inside jit, scan or vmap, or does not run" in str(ip.show(ds))


@pytest.mark.framework
def test_outputs_of_torch_without_samples_are_stated():
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

    class Positions(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Parameter(torch.ones(1, 6))

        def forward(self, x):
            return self.table

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.positions, self.head = Positions(), torch.nn.Linear(6, 3)

        def forward(self, x):
            return self.head(x + self.positions(x))

    made = ip.plane(Net(), INPUTS, LABELS)
    line = "left out: positions: the output has no axis of samples"
    assert line in str(made)
    assert line in str(ip.show(made.dataset))
    assert "left_out" not in ip.plane(Net(), INPUTS, LABELS, layers="head").dataset.attrs
