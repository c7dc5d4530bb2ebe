"""Shared by all tests: two CPU devices, each program compiled once, a plain network to compare with."""

import ctypes
import gc

import jax
import numpy as np
import pytest

jax.config.update("jax_num_cpu_devices", 2)  # before JAX starts: tests compare one device with another


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory):
    """Start JAX, and keep what it compiles for the session: trainings of one shape share their program."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.devices()


@pytest.fixture(scope="module", autouse=True)
def memory_returned():
    """Drop compiled programs after each file: kept for a whole session they take more memory than any test.

    The cache on disk still spares their compilation in later files. The C library keeps freed memory until asked.
    """
    yield
    jax.clear_caches()
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # of glibc
        trim(0)


def _plain_activations(weights, member, act, x):
    """Activations of each layer of one member, softmax last; rows are samples, all in float64."""
    hidden, layers = np.asarray(x, np.float64), []
    for kernel, bias in weights:
        z = hidden @ np.asarray(kernel[member], np.float64).T + np.asarray(bias[member], np.float64)[:, 0]
        hidden = act(z)
        layers.append(hidden)
    exp = np.exp(z - z.max(axis=1, keepdims=True))
    return [*layers[:-1], exp / exp.sum(axis=1, keepdims=True)]


@pytest.fixture(scope="session")
def plain_activations():
    """An independent forward pass: plain NumPy, one member at a time, samples first."""
    return _plain_activations
