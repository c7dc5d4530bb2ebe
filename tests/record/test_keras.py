"""Keras models, on the JAX and on the torch back end: which layers there are, what they are called, what they give."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.record.probes import probe_of

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it once; its own default may not be installed
keras = pytest.importorskip("keras", reason="needs the extra 'keras'")

from infoplane.record.keras import KerasProbe  # noqa: E402

pytestmark = [
    pytest.mark.framework,
    # Keras' variables and torch's tensors, on releases of NumPy that ask for more
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

L = keras.layers
BACKEND = keras.backend.backend()
IMAGES = np.random.default_rng(0).standard_normal((10, 8, 8, 1)).astype(np.float32)
VECTORS = np.random.default_rng(1).standard_normal((10, 6)).astype(np.float32)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def activations(model, inputs, layers=None, **options):
    with KerasProbe(model, layers, **options).measuring() as evaluate:
        return {name: keras.ops.convert_to_numpy(part) for name, part in evaluate(inputs).items()}


def values(tensor):
    return keras.ops.convert_to_numpy(tensor)


class Composed(keras.Model):
    """A subclassed model whose call is a function of its layers."""

    def __init__(self, compute, **layers):
        super().__init__()
        self.compute = compute
        for name, layer in layers.items():
            setattr(self, name, layer)

    def call(self, x, training=False):
        return self.compute(self, x)


class Residual(L.Layer):
    """A layer of one's own, made of another."""

    def __init__(self, name):
        super().__init__(name=name)
        self.inner = L.Dense(6, name="inner")

    def call(self, x):
        return x + self.inner(x)


def functional():
    images = keras.Input((8, 8, 1))
    h = L.Conv2D(3, 3, activation="relu", name="conv")(images)
    h = L.Flatten(name="flat")(L.BatchNormalization(name="norm")(h))
    block = keras.Sequential([L.Dense(5, activation="tanh", name="dense"), L.Dropout(0.5, name="drop")], name="block")
    return keras.Model(images, L.Dense(4, activation="softmax", name="out")(block(h)))


# ---- which layers


def test_all_layers_are_those_that_compute_in_the_order_they_run():
    assert list(activations(functional(), IMAGES)) == ["conv", "norm", "block/dense", "out"]


def test_layers_give_what_they_give_by_hand():
    model = functional()
    model.get_layer("norm").moving_mean.assign([0.1, 0.2, 0.3])
    found = activations(model, IMAGES)
    conv = model.get_layer("conv")(IMAGES)
    norm = model.get_layer("norm")(conv, training=False)
    dense = model.get_layer("block").get_layer("dense")(keras.ops.reshape(norm, (10, -1)))
    for name, tensor in {"conv": conv, "norm": norm, "block/dense": dense, "out": model(IMAGES)}.items():
        np.testing.assert_allclose(found[name], values(tensor), atol=1e-6)  # rounding of float32 in compiled code


def test_a_sequential_model_has_the_names_of_its_layers():
    model = keras.Sequential([keras.Input((6,)), L.Dense(4, name="a"), L.ReLU(name="b"), L.Dense(2, name="c")])
    assert list(activations(model, VECTORS)) == ["a", "b", "c"]


def test_a_subclassed_model_runs_its_layers_in_the_order_of_its_call():
    model = Composed(
        lambda m, x: m.one(keras.ops.relu(m.two(x))), one=L.Dense(2, name="one"), two=L.Dense(3, name="two")
    )
    model(VECTORS)
    found = activations(model, VECTORS)
    assert list(found) == ["two", "one"]
    np.testing.assert_allclose(found["two"], values(model.two(VECTORS)), atol=1e-6)
    np.testing.assert_allclose(found["one"], values(model(VECTORS)), atol=1e-6)


def test_a_layer_that_is_used_twice_has_two_names():
    inputs = keras.Input((6,))
    shared = L.Dense(6, activation="tanh", name="shared")
    model = keras.Model(inputs, shared(shared(inputs)))
    found = activations(model, VECTORS)
    assert list(found) == ["shared", "shared#2"]
    np.testing.assert_allclose(found["shared#2"], values(model(VECTORS)), atol=1e-6)
    assert list(activations(model, VECTORS, "shared#2")) == ["shared#2"]


def test_layers_within_a_layer_of_one_s_own_are_seen():
    model = keras.Sequential([keras.Input((6,)), Residual("res"), L.Dense(2, name="out")])
    assert list(activations(model, VECTORS)) == ["res/inner", "out"]
    found = activations(model, VECTORS, "res")
    np.testing.assert_allclose(found["res"], values(model.get_layer("res")(VECTORS)), atol=1e-6)


def test_attention_and_recurrent_layers_count_as_one():
    inputs = keras.Input((8, 3))
    emb = L.Dense(6, name="emb")(inputs)
    mha = L.MultiHeadAttention(2, 3, name="mha")(emb, emb)
    ends = [L.Bidirectional(L.SimpleRNN(2), name="bi")(mha), L.TimeDistributed(L.Dense(2), name="td")(mha)]
    assert set(activations(keras.Model(inputs, ends), np.ones((4, 8, 3), np.float32))) == {"emb", "mha", "bi", "td"}


def test_outputs_that_are_tuples_have_a_layer_for_each_part():
    inputs = keras.Input((8, 3))
    model = keras.Model(inputs, L.GRU(5, return_state=True, name="gru")(inputs))
    found = activations(model, np.ones((4, 8, 3), np.float32))
    assert {name: part.shape for name, part in found.items()} == {"gru.0": (4, 5), "gru.1": (4, 5)}


def test_a_dropout_shows_the_result_of_a_function():
    model = Composed(
        lambda m, x: m.drop(keras.ops.relu(m.fc(x))), fc=L.Dense(4, name="fc"), drop=L.Dropout(0.5, name="drop")
    )
    model(VECTORS)
    found = activations(model, VECTORS)
    assert list(found) == ["fc", "drop"]
    np.testing.assert_array_equal(found["drop"], np.maximum(found["fc"], 0))


def test_the_whole_model_goes_by_output():
    model = Composed(lambda m, x: keras.ops.softmax(m.fc(x)), fc=L.Dense(4, name="fc"))
    model(VECTORS)
    np.testing.assert_allclose(activations(model, VECTORS, "output")["output"], values(model(VECTORS)), atol=1e-6)


def test_layers_are_chosen_by_name_pattern_and_type():
    model = functional()
    assert list(activations(model, IMAGES, "conv")) == ["conv"]
    assert list(activations(model, IMAGES, ["block*", "conv"])) == ["conv", "block/dense"]
    assert list(activations(model, IMAGES, "block")) == ["block"]
    assert list(activations(model, IMAGES, L.Dense)) == ["block/dense", "out"]


def test_a_model_with_several_inputs_takes_a_mapping():
    a, b = keras.Input((6,), name="a"), keras.Input((2,), name="b")
    model = keras.Model({"a": a, "b": b}, L.Dense(3, name="out")(L.Concatenate(name="both")([a, b])))
    inputs = {"a": VECTORS, "b": VECTORS[:, :2]}
    found = activations(model, inputs)
    assert list(found) == ["both", "out"]
    np.testing.assert_array_equal(found["both"], np.concatenate([VECTORS, VECTORS[:, :2]], axis=1))


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX traces what is inside a loop")
def test_a_layer_inside_a_scan_is_passed_over():
    def compute(m, x):
        steps = keras.ops.scan(lambda carry, _: (m.fc(carry), None), m.first(x), length=3)
        return m.last(steps[0])

    model = Composed(compute, first=L.Dense(4, name="first"), fc=L.Dense(4, name="fc"), last=L.Dense(2, name="last"))
    model.first.build((None, 6)), model.fc.build((None, 4)), model.last.build((None, 4))
    model.built = True
    assert list(activations(model, VECTORS)) == ["first", "last"]


# ---- images and sequences


def test_channels_of_images_are_the_last_axis():
    model = functional()
    conv = values(model.get_layer("conv")(IMAGES))
    np.testing.assert_allclose(
        activations(model, IMAGES, "conv", channels="mean")["conv"], conv.mean(axis=(1, 2)), atol=1e-6
    )
    each = activations(model, IMAGES, "conv", channels="each")
    assert list(each) == ["conv[0]", "conv[1]", "conv[2]"]
    np.testing.assert_allclose(each["conv[1]"], conv[..., 1], atol=1e-6)


def test_channels_of_a_layer_that_has_them_first_are_the_second_axis():
    model = keras.Sequential([keras.Input((1, 8, 8)), L.Conv2D(3, 3, data_format="channels_first", name="conv"),
                              L.ReLU(name="relu")])  # fmt: skip
    found = activations(model, IMAGES.reshape(10, 1, 8, 8), channels="mean")
    assert {name: part.shape for name, part in found.items()} == {"conv": (10, 3), "relu": (10, 3)}


def test_one_position_of_a_sequence():
    inputs = keras.Input((8, 3))
    model = keras.Model(inputs, L.SimpleRNN(5, return_sequences=True, name="rnn")(inputs))
    x = np.random.default_rng(0).standard_normal((4, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(activations(model, x, positions=-1)["rnn"], values(model(x))[:, -1], atol=1e-6)


# ---- the model is as it was


class Sampling(L.Layer):
    """Draws also when it is evaluated, and adds a loss."""

    def __init__(self):
        super().__init__(name="sampling")
        self.generator = keras.random.SeedGenerator(7)

    def call(self, x):
        self.add_loss(keras.ops.sum(x))
        return x + keras.random.normal(keras.ops.shape(x), seed=self.generator)


def test_evaluation_writes_to_no_variable_not_even_a_seed_and_leaves_no_loss():
    layers = [keras.Input((6,)), L.Dense(4, activity_regularizer="l2"), L.BatchNormalization(), Sampling()]
    model = keras.Sequential(layers)
    model(VECTORS)
    before = [values(variable) for variable in model.variables]
    assert any("seed" in variable.name for variable in model.variables)
    activations(model, VECTORS)
    assert all(np.array_equal(a, values(b)) for a, b in zip(before, model.variables, strict=True))
    assert model.losses == []  # as after any other call, those of the one before are gone


def test_calls_of_layers_are_as_they_were_also_after_an_error():
    before = L.Layer.__call__
    activations(functional(), IMAGES)
    assert L.Layer.__call__ is before
    with pytest.raises(InputError):
        activations(functional(), IMAGES[:, :5])
    assert L.Layer.__call__ is before


def test_another_epoch_is_measured_with_the_weights_of_the_moment():
    model = functional()
    probe = KerasProbe(model, "out")
    for _ in range(2):
        with probe.measuring() as evaluate:
            np.testing.assert_allclose(values(evaluate(IMAGES)["out"]), values(model(IMAGES)), atol=1e-6)
        model.get_layer("conv").kernel.assign(model.get_layer("conv").kernel * 0.5)


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX compiles")
def test_a_model_is_traced_once_for_all_epochs():
    traced = []
    model = Composed(lambda m, x: traced.append(1) or m.fc(x), fc=L.Dense(2))
    model(VECTORS)
    probe = KerasProbe(model)
    for epoch in range(3):
        with probe.measuring() as evaluate:
            evaluate(VECTORS)
        if epoch == 0:
            traced.clear()
    assert not traced


def test_a_model_that_runs_eagerly_may_look_at_numbers():
    model = Composed(lambda m, x: m.fc(x) if float(keras.ops.sum(x)) > 0 else m.fc(-x), fc=L.Dense(2, name="fc"))
    model(VECTORS)
    model.compile(run_eagerly=True)
    assert list(activations(model, VECTORS)) == ["fc"]


def test_half_precision_is_measured():
    model = keras.Sequential([keras.Input((6,)), L.Dense(4, name="fc", dtype="mixed_bfloat16")])
    with KerasProbe(model).measuring() as evaluate:
        assert "bfloat16" in str(evaluate(VECTORS)["fc"].dtype)


# ---- what cannot be used


def test_a_name_that_fits_nothing_lists_the_names():
    with pytest.raises(InputError, match=r"'cnov' fits no layer; did you mean 'conv'\?.*conv, norm.*block/dense"):
        probe_of(functional(), "cnov")


def test_a_type_that_fits_nothing_lists_the_types():
    with pytest.raises(InputError, match=r"no layer of type LSTM runs \(types: BatchNormalization, Conv2D"):
        activations(functional(), IMAGES, L.LSTM)


def test_a_layer_that_is_not_run_fits_nothing():
    model = Composed(lambda m, x: m.fc(x), fc=L.Dense(2, name="fc"), spare=L.ReLU(name="spare"))
    model(VECTORS)
    with pytest.raises(InputError, match="'spare' fits no layer that runs"):
        activations(model, VECTORS, "spare")


def test_what_is_no_layer_s_name_is_refused():
    with pytest.raises(InputError, match="layers: 3 is a int; expected a layer's name"):
        KerasProbe(functional(), 3)


def test_a_model_without_weights_is_refused():
    model = Composed(lambda m, x: m.fc(x), fc=L.Dense(2))
    with pytest.raises(InputError, match="has no weights yet; call it on one batch"):
        activations(model, VECTORS)


def test_inputs_of_a_wrong_shape_name_their_shape_and_the_expected_one():
    with pytest.raises(InputError, match=r"inputs of shape \(10, 6\).*expected shape=\(None, 8, 8, 1\)"):
        activations(functional(), VECTORS)


# ---- the other back end


@pytest.mark.slow
@pytest.mark.skipif("INFOPLANE_OTHER_BACKEND" in os.environ, reason="this is the other back end")
def test_all_this_holds_on_the_other_back_end():
    other = "torch" if BACKEND == "jax" else "jax"
    if other == "torch":
        pytest.importorskip("torch", reason="needs the extra 'torch'")
    files = [str(Path(__file__).with_name(name)) for name in ("test_keras.py", "test_keras_fit.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        env=os.environ | {"KERAS_BACKEND": other, "INFOPLANE_OTHER_BACKEND": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
