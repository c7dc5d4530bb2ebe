"""Layers that draw noise when they are evaluated are found and flagged, in every framework."""

import numpy as np
import pytest

import infoplane as ip
from infoplane.results import decode_flags


def flagged(ds):
    """Names of the layers with the flag, the same for both quantities."""
    codes = ds["flags"].isel(estimator=0, member=0, epoch=0)
    per_layer = [{bool("stochastic" in decode_flags(int(code))) for code in row} for row in codes.values]
    assert all(len(both) == 1 for both in per_layer)
    return [str(name) for name, both in zip(ds.layer.values, per_layer, strict=True) if True in both]


def recorded(model, inputs, labels, **options):
    recorder = ip.Recorder(inputs, labels, **options)
    with recorder.attach(model):
        recorder.step(0)
    return recorder.results()


@pytest.mark.parametrize("options", [{}, {"batch_size": "all"}])
def test_a_function_that_draws_noise_is_flagged(inputs, labels, options):
    rng = np.random.default_rng(0)

    def model(batch):
        mean = np.tanh(batch)
        z = mean + rng.standard_normal(batch.shape)
        return {"mean": mean, "z": z, "after": np.tanh(z), "rounding": mean * (1 + 1e-7 * rng.standard_normal())}

    assert flagged(recorded(model, inputs, labels, **options)) == ["z", "after"]


def test_activations_that_are_given_are_not_flagged(inputs, labels):
    recorder = ip.Recorder(inputs, labels)
    recorder.step(0, {"z": np.random.default_rng(0).standard_normal((len(inputs), 3))})
    assert flagged(recorder.results()) == []


@pytest.mark.framework
def test_a_variational_autoencoder_of_pytorch_is_flagged_from_its_code_on(inputs, labels):
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

    class Code(torch.nn.Module):
        def forward(self, mean, log_variance):
            return mean + (log_variance / 2).exp() * torch.randn_like(mean)

    class Autoencoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mean, self.log_variance = torch.nn.Linear(4, 2), torch.nn.Linear(4, 2)
            self.code, self.decoder = Code(), torch.nn.Linear(2, 4)

        def forward(self, x):
            return self.decoder(self.code(self.mean(x), self.log_variance(x)))

    assert flagged(recorded(Autoencoder(), inputs, labels)) == ["code", "decoder"]
    dropout = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Dropout(0.5))
    assert flagged(recorded(dropout, inputs, labels)) == []  # off when it is evaluated


@pytest.mark.framework
def test_noise_of_flax_is_flagged_and_differs_between_batches(inputs, labels):
    nnx = pytest.importorskip("flax.nnx", reason="needs the extra 'flax'")
    import jax

    class Noisy(nnx.Module):
        def __init__(self, rngs):
            self.first, self.second, self.rngs = nnx.Linear(4, 3, rngs=rngs), nnx.Linear(3, 2, rngs=rngs), rngs

        def __call__(self, x):
            hidden = self.first(x)
            return self.second(hidden + jax.random.normal(self.rngs.noise(), hidden.shape))

    assert flagged(recorded(Noisy(nnx.Rngs(0, noise=1)), inputs, labels)) == ["second"]
    with ip.Recorder(inputs).attach(Noisy(nnx.Rngs(0, noise=1))) as recorder:
        assert recorder._probe is not None
        with recorder._probe.measuring() as evaluate:
            first, second = evaluate(inputs[:9]), evaluate(inputs[:9])
        with recorder._probe.measuring() as evaluate:
            again = evaluate(inputs[:9])
    assert np.array_equal(first["first"], second["first"])
    assert not np.allclose(first["second"], second["second"])
    assert np.array_equal(first["second"], again["second"])


@pytest.mark.framework
def test_noise_of_keras_is_flagged(inputs, labels):
    keras = pytest.importorskip("keras", reason="needs the extra 'keras'")

    class Sampling(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="sampling")
            self.seeds = keras.random.SeedGenerator(1)

        def call(self, mean):
            return mean + keras.random.normal(keras.ops.shape(mean), seed=self.seeds)

    model = keras.Sequential([keras.layers.Dense(3, name="mean"), Sampling(), keras.layers.Dense(2, name="decoder")])
    model.build((None, 4))
    assert flagged(recorded(model, inputs, labels)) == ["sampling", "decoder"]
