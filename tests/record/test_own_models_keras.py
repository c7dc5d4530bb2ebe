"""Models of Keras as people use them, each recorded by at most ten lines of the user's own code."""

import numpy as np
import pytest

import infoplane as ip

pytestmark = pytest.mark.framework


@pytest.fixture
def keras():
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras", reason="needs the extra 'keras'")


def test_a_functional_model_with_two_inputs(keras):
    layers = keras.layers
    first, second = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    joined = layers.Concatenate(name="join")([layers.Dense(5, "tanh", name="a")(first), second])
    model = keras.Model([first, second], layers.Dense(2, name="logits")(joined))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype("float32"), rng.normal(size=(60, 3)).astype("float32")
    labels = (x[0].sum(axis=1) > 0).astype(int)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    recorder = ip.Recorder(x, labels, schedule="every")
    with recorder.attach(model):
        recorder.step(0)
        for epoch in range(1, 3):
            model.fit(list(x), labels, verbose=0)
            recorder.step(epoch)
    ds = recorder.results()
    assert ds["epoch"].values.tolist() == [0, 1, 2]
    assert ds["layer"].values.tolist() == ["a", "join", "logits"]
    assert ds.attrs["output_layer"] == "logits"


def test_a_deep_model_of_residual_sums_is_measured_at_these(keras):
    from infoplane.record.keras import KerasProbe

    layers = keras.layers
    x = inputs = keras.Input((4,))
    for block in range(6):
        y = layers.Dense(4, name=f"dense{block}")(layers.LayerNormalization()(x))
        x = layers.Add(name=f"add{block}")([x, layers.Activation("tanh")(y)])
    model = keras.Model(inputs, layers.Dense(2, name="logits")(layers.LayerNormalization()(x)))
    with KerasProbe(model).measuring() as evaluate:
        assert list(evaluate(np.zeros((3, 4), "float32"))) == [*(f"add{block}" for block in range(6)), "logits"]
    with KerasProbe(model, "all").measuring() as evaluate:
        assert len(evaluate(np.zeros((3, 4), "float32"))) == 26


def test_a_deep_model_of_block_layers_is_measured_at_their_outputs(keras):
    from infoplane.record.keras import KerasProbe

    class Block(keras.layers.Layer):
        def __init__(self, name):
            super().__init__(name=name)
            self.parts = [keras.layers.LayerNormalization(), keras.layers.Dense(4), keras.layers.Activation("tanh")]

        def call(self, x):
            y = x
            for part in self.parts:
                y = part(y)
            return x + y

    stack = [Block(f"block{number}") for number in range(8)]
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="first"), *stack])
    with KerasProbe(model).measuring() as evaluate:
        given = list(evaluate(np.zeros((3, 4), "float32")))
    assert given == ["first", *(f"block{number}" for number in range(8))]
