"""Batch normalizations of Keras with the statistics of each batch."""

import numpy as np
import pytest

pytestmark = pytest.mark.framework
INPUTS = (3 + 2 * np.random.default_rng(0).normal(size=(90, 4))).astype(np.float32)


@pytest.fixture
def keras():
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras", reason="needs the extra 'keras'")


def test_keras_uses_the_statistics_of_the_batch(keras):
    from infoplane.record.keras import KerasProbe

    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(name="norm")])
    with KerasProbe(model, batch_statistics=True).measuring() as evaluate:
        given = np.asarray(evaluate(INPUTS)["norm"])
    expected = (INPUTS - INPUTS.mean(axis=0)) / np.sqrt(INPUTS.var(axis=0) + 1e-3)
    np.testing.assert_allclose(given, expected, atol=1e-5)
    assert not keras.ops.convert_to_numpy(model.layers[0].moving_mean.value).any()


def test_a_frozen_normalization_keeps_its_moving_statistics(keras):
    from infoplane.record.keras import KerasProbe

    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(name="norm", trainable=False)])
    with KerasProbe(model, batch_statistics=True).measuring() as evaluate:
        np.testing.assert_allclose(np.asarray(evaluate(INPUTS)["norm"]), INPUTS / np.sqrt(1 + 1e-3), rtol=1e-5)


def test_layers_behind_a_new_normalization_are_told(keras):
    from infoplane.record.keras import KerasProbe

    layers = [
        keras.layers.Dense(3, name="first"),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(2, name="last"),
    ]
    with KerasProbe(keras.Sequential([keras.Input((4,)), *layers])).measuring() as evaluate:
        evaluate(INPUTS)
        assert {"last"} <= evaluate.initial_statistics
        assert "first" not in evaluate.initial_statistics
