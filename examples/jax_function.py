"""Record the information plane of plain JAX training on scikit-learn's 8 × 8 digits; a function returns the layers."""

import functools
import sys

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

import infoplane as ip

digits = load_digits()
inputs, labels = jnp.asarray(digits.data / 16, jnp.float32), jnp.asarray(digits.target)
weights = [jax.random.normal(jax.random.key(a), (a, b)) / a**0.5 for a, b in [(64, 24), (24, 8), (8, 4), (4, 10)]]
state = (optimizer := optax.adam(5e-3)).init(weights)
cross_entropy = optax.losses.softmax_cross_entropy_with_integer_labels


@jax.jit
def activations(weights, batch):
    layers = {}
    for number, kernel in enumerate(weights[:-1], start=1):
        batch = layers[f"hidden{number}"] = jnp.tanh(batch @ kernel)
    return layers | {"logits": batch @ weights[-1]}


@jax.jit
def update(weights, state):
    gradient = jax.grad(lambda w: cross_entropy(activations(w, inputs)["logits"], labels).mean())(weights)
    changes, state = optimizer.update(gradient, state)
    return optax.apply_updates(weights, changes), state


recorder = ip.Recorder(inputs, labels, "binning", layers="hidden*", epochs=1000, name="JAX on digits")
for epoch in range(1001):
    recorder.step(epoch, functools.partial(activations, weights))
    weights, state = update(weights, state)
ip.plot_plane(recorder.results()).savefig(sys.argv[1] if len(sys.argv) > 1 else "jax-digits.png", dpi=150)
