"""Programs in JAX that give their layers by a function: JAX itself and Equinox."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import infoplane as ip

ESTIMATOR = {"name": "kde", "variance": 0.1}


@pytest.fixture
def digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32)[:300], y[:300]


def check_plane(recorder, by_hand, labels):
    """Compare the last epoch with each layer measured alone."""
    plane = recorder.results()["information"].isel(member=0, estimator=0, epoch=-1)
    assert list(plane.layer.values) == list(by_hand)
    for name, activations in by_hand.items():
        expected = ip.layer_information(np.asarray(activations), labels, ESTIMATOR)
        np.testing.assert_allclose(plane.sel(layer=name), [expected.input.bits, expected.label.bits], atol=1e-6)


def test_a_compiled_function_of_parameters_is_measured_as_it_is_now(digits):
    inputs, labels = digits
    params = {"w": jnp.asarray(np.random.default_rng(0).standard_normal((64, 5)), jnp.float32)}

    @jax.jit
    def activations(params, x):
        hidden = jnp.tanh(x @ params["w"])
        return {"hidden": hidden, "outputs": jax.nn.softmax(hidden)}

    recorder = ip.Recorder(inputs, labels, ESTIMATOR, schedule="every", batch_size=128)
    for epoch in range(3):
        recorder.step(epoch, partial(activations, params))
        params = {"w": params["w"] * 0.9} if epoch < 2 else params
    check_plane(recorder, activations(params, inputs), labels)


def test_layers_of_a_compiled_function_come_in_the_order_of_their_names(digits):
    activations = jax.jit(lambda x: {"second": x + 1, "first": x})
    recorder = ip.Recorder(*digits)
    recorder.step(0, activations)
    assert list(recorder.results().layer.values) == ["first", "second"]


@pytest.mark.framework
def test_an_equinox_model_gives_its_layers_by_a_function_of_one_sample(digits):
    eqx = pytest.importorskip("equinox", reason="needs Equinox")
    optax = pytest.importorskip("optax")
    inputs, labels = digits
    model = eqx.nn.MLP(64, 10, width_size=8, depth=2, activation=jnp.tanh, key=jax.random.key(0))

    def layers_of(model, sample):
        first = jnp.tanh(model.layers[0](sample))
        second = jnp.tanh(model.layers[1](first))
        return {"hidden 1": first, "hidden 2": second, "logits": model.layers[2](second)}

    activations = eqx.filter_jit(lambda model, x: jax.vmap(lambda sample: layers_of(model, sample))(x))
    optimiser = optax.sgd(0.1)

    @eqx.filter_jit
    def train(model, state):
        def loss(model):
            logits = jax.vmap(model)(inputs)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        updates, state = optimiser.update(eqx.filter_grad(loss)(model), state)
        return eqx.apply_updates(model, updates), state

    recorder = ip.Recorder(inputs, labels, ESTIMATOR, schedule="every")
    state = optimiser.init(eqx.filter(model, eqx.is_array))
    recorder.step(0, partial(activations, model))
    for epoch in range(1, 3):
        model, state = train(model, state)
        recorder.step(epoch, partial(activations, model))
    by_hand = activations(model, inputs)
    np.testing.assert_allclose(by_hand["logits"], jax.vmap(model)(inputs), atol=1e-6)
    check_plane(recorder, by_hand, labels)
