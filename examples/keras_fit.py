"""Record the information plane of a Keras `fit` on scikit-learn's 8 × 8 digits, with a callback."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from sklearn.datasets import load_digits

import infoplane as ip
from infoplane.record.keras import InfoPlane

digits = load_digits()
inputs = digits.data.astype("float32") / 16

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((64,)),
        keras.layers.Dense(24, "tanh", name="hidden1"),
        keras.layers.Dense(8, "tanh", name="hidden2"),
        keras.layers.Dense(4, "tanh", name="hidden3"),
        keras.layers.Dense(10, "softmax", name="digit"),
    ]
)
model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])

recorder = ip.Recorder(inputs, digits.target, {"name": "kde", "variance": 0.01}, name="Keras on digits")
model.fit(inputs, digits.target, batch_size=32, epochs=60, verbose=0, callbacks=[InfoPlane(recorder)])

figure = ip.plot_plane(recorder.results())
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "keras-digits.png", dpi=150)
