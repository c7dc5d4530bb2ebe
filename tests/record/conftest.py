"""A small network of two layers, with its activations by hand."""

import numpy as np
import pytest

N_SAMPLES = 120


@pytest.fixture
def inputs():
    """Inputs of shape (120, 4), no two alike."""
    return np.random.default_rng(0).standard_normal((N_SAMPLES, 4)).astype(np.float32)


@pytest.fixture
def labels(inputs):
    """The class of each input."""
    return (inputs.sum(axis=1) > 0).astype(int)


@pytest.fixture
def network():
    """Return a function that makes a network; another epoch has other weights."""

    def make(epoch=0):
        rng = np.random.default_rng(epoch + 1)
        first, second = rng.standard_normal((4, 3)).astype(np.float32), rng.standard_normal((3, 2)).astype(np.float32)

        def evaluate(batch):
            hidden = np.tanh(batch @ first)
            return {"hidden": hidden, "output": hidden @ second}

        return evaluate

    return make
