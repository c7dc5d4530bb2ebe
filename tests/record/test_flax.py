"""Flax NNX models: which layers there are, what they give, and that training is as it was."""

import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane.errors import InputError
from infoplane.record.probes import probe_of

nnx = pytest.importorskip("flax.nnx", reason="needs the extra 'flax'")

import jax  # noqa: E402
import optax  # noqa: E402

from infoplane.record.jax import NnxProbe  # noqa: E402

pytestmark = pytest.mark.framework

VECTORS = np.random.default_rng(1).standard_normal((10, 6)).astype(np.float32)
ESTIMATOR = {"name": "kde", "variance": 0.1}


def activations(model, inputs, layers=None, **options):
    with NnxProbe(model, layers, **options).measuring() as evaluate:
        return {name: np.asarray(part) for name, part in evaluate(inputs).items()}


class Composed(nnx.Module):
    """A model whose call is a function of its modules."""

    def __init__(self, compute, **modules):
        self.compute = compute
        for name, module in modules.items():
            setattr(self, name, module)

    def __call__(self, *args, **kwargs):
        return self.compute(self, *args, **kwargs)


def linear(n_in, n_out):
    return nnx.Linear(n_in, n_out, rngs=nnx.Rngs(n_in * n_out))


class Network(nnx.Module):
    """A model of which dropout, batch statistics and random streams all have a state."""

    def __init__(self, rngs):
        self.first = nnx.Linear(64, 12, rngs=rngs)
        self.norm = nnx.BatchNorm(12, rngs=rngs)
        self.drop = nnx.Dropout(0.3, rngs=rngs)
        self.last = nnx.Linear(12, 10, rngs=rngs)

    def __call__(self, x):
        return self.last(self.drop(nnx.tanh(self.norm(self.first(x)))))


# ---- which layers


def test_all_layers_are_those_that_compute_in_the_order_they_run():
    block = nnx.Sequential(linear(6, 4), nnx.relu, linear(4, 3))
    model = Composed(lambda m, x: m.last(m.block(x)), last=linear(3, 2), block=block)
    found = activations(model, VECTORS)
    assert list(found) == ["block.layers.0", "block.layers.2", "last"]
    np.testing.assert_allclose(found["block.layers.0"], block.layers[0](VECTORS), atol=1e-6)  # rounding of float32
    np.testing.assert_allclose(found["last"], model(VECTORS), atol=1e-6)


def test_modules_go_by_the_framework_s_own_probe():
    assert isinstance(probe_of(linear(2, 2)), NnxProbe)


def test_a_module_that_is_called_twice_has_two_names():
    model = Composed(lambda m, x: m.fc(m.fc(x)), fc=linear(6, 6))
    assert list(activations(model, VECTORS)) == ["fc", "fc#2"]
    np.testing.assert_allclose(activations(model, VECTORS, "fc#2")["fc#2"], model(VECTORS), atol=1e-6)


def test_a_dropout_shows_the_result_of_a_function_and_is_left_out_behind_a_layer():
    drop = nnx.Dropout(0.5, rngs=nnx.Rngs(0))
    model = Composed(lambda m, x: m.last(m.drop(nnx.relu(m.fc(x)))), fc=linear(6, 4), last=linear(4, 2), drop=drop)
    found = activations(model, VECTORS)
    assert list(found) == ["fc", "drop", "last"]
    np.testing.assert_array_equal(found["drop"], np.maximum(found["fc"], 0))
    behind = Composed(lambda m, x: m.drop(m.fc(x)), fc=linear(6, 4), drop=drop)
    assert list(activations(behind, VECTORS)) == ["fc"]


def test_flax_s_own_attention_and_recurrent_modules_count_as_one():
    rngs = nnx.Rngs(0)
    model = Composed(
        lambda m, x: m.rnn(m.attention(x)),
        attention=nnx.MultiHeadAttention(num_heads=2, in_features=4, decode=False, rngs=rngs),
        rnn=nnx.RNN(nnx.GRUCell(4, 3, rngs=rngs)),
    )
    found = activations(model, np.ones((5, 7, 4), np.float32), positions=-1)
    assert {name: part.shape for name, part in found.items()} == {"attention": (5, 4), "rnn": (5, 3)}


def test_a_module_inside_a_vmap_is_passed_over():
    model = Composed(lambda m, x: m.last(jax.vmap(m.fc)(x)), fc=linear(6, 4), last=linear(4, 2))
    assert list(activations(model, VECTORS)) == ["last"]
    with pytest.raises(InputError, match="'fc' fits no layer that runs, or one inside scan or vmap"):
        activations(model, VECTORS, "fc")


def test_the_whole_model_goes_by_output():
    model = Composed(lambda m, x: nnx.softmax(m.fc(x)), fc=linear(6, 4))
    np.testing.assert_allclose(activations(model, VECTORS, "output")["output"], model(VECTORS), atol=1e-6)


def test_layers_are_chosen_by_name_pattern_and_type():
    model = Network(nnx.Rngs(0))
    inputs = np.ones((4, 64), np.float32)
    assert list(activations(model, inputs, ["last", "first"])) == ["first", "last"]
    assert list(activations(model, inputs, "*st")) == ["first", "last"]
    assert list(activations(model, inputs, [nnx.Linear])) == ["first", "last"]


def test_channels_of_images_are_the_last_axis():
    conv = nnx.Conv(1, 3, kernel_size=(3, 3), rngs=nnx.Rngs(0))
    images = np.random.default_rng(0).standard_normal((5, 8, 8, 1)).astype(np.float32)
    model = Composed(lambda m, x: m.conv(x), conv=conv)
    by_hand = np.asarray(conv(images))
    np.testing.assert_allclose(
        activations(model, images, channels="mean")["conv"], by_hand.mean(axis=(1, 2)), atol=1e-6
    )
    assert list(activations(model, images, channels="each")) == ["conv[0]", "conv[1]", "conv[2]"]


def test_several_inputs_are_several_arguments():
    model = Composed(lambda m, a, b: m.fc(a + 2 * b), fc=linear(6, 2))
    by_hand = model.fc(VECTORS * 3)
    np.testing.assert_allclose(activations(model, (VECTORS, VECTORS))["fc"], by_hand, atol=1e-6)
    np.testing.assert_allclose(activations(model, {"b": VECTORS, "a": VECTORS})["fc"], by_hand, atol=1e-6)


# ---- the model is as it was


def state_of(model):
    return [np.asarray(jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)
            for leaf in jax.tree.leaves(nnx.state(model))]  # fmt: skip


def test_evaluation_is_in_evaluation_mode_and_leaves_the_model_s_own():
    model = Network(nnx.Rngs(0))
    model.norm.eval()
    before = state_of(model)
    inputs = np.random.default_rng(0).standard_normal((20, 64)).astype(np.float32)
    found = activations(model, inputs)
    assert not model.drop.deterministic and model.norm.use_running_average
    assert all(np.array_equal(a, b) for a, b in zip(before, state_of(model), strict=True))
    model.eval()
    np.testing.assert_allclose(found["last"], model(inputs), atol=1e-6)


def test_calls_of_modules_are_as_they_were_also_after_an_error():
    before = nnx.Linear.__call__, nnx.BatchNorm.__call__
    with pytest.raises(InputError):
        activations(Network(nnx.Rngs(0)), VECTORS)
    assert (nnx.Linear.__call__, nnx.BatchNorm.__call__) == before
    assert "__call__" in nnx.Linear.__dict__


class Inherited(nnx.Linear):
    """Has no call of its own."""


def test_a_class_that_inherits_its_call_still_does():
    model = Composed(lambda m, x: m.b(m.a(x)), a=linear(6, 6), b=Inherited(6, 2, rngs=nnx.Rngs(0)))
    assert list(activations(model, VECTORS)) == ["a", "b"]
    assert "__call__" not in Inherited.__dict__


def test_a_model_is_traced_once_for_all_epochs():
    traced = []
    model = Composed(lambda m, x: traced.append(1) or m.fc(x), fc=linear(6, 2))
    probe = NnxProbe(model)
    for epoch in range(3):
        (model.train, model.eval)[epoch % 2]()
        with probe.measuring() as evaluate:
            evaluate(VECTORS)
        if epoch == 0:
            traced.clear()
    assert not traced


# ---- a training on the digits


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32)[:400], y[:400]


def train(digits, recorder=None, epochs=2):
    """Train in batches; measure before the first epoch and after each."""
    inputs, labels = digits
    model = Network(nnx.Rngs(0))
    optimiser = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimiser, x, y):
        def loss(model):
            return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

        optimiser.update(model, nnx.grad(loss)(model))

    model.train()
    for epoch in range(epochs + 1):
        for start in range(0, len(inputs) if epoch else 0, 100):
            step(model, optimiser, inputs[start : start + 100], labels[start : start + 100])
        if recorder is not None:
            with recorder.attach(model):
                recorder.step(epoch)
    return model, optimiser


def test_training_is_the_same_bits_with_and_without_recording(digits):
    plain = train(digits)
    recorded = train(digits, ip.Recorder(*digits, ESTIMATOR, schedule="every"))
    pairs = [pair for parts in zip(plain, recorded, strict=True) for pair in zip(*map(state_of, parts), strict=True)]
    assert len(pairs) > 20
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_the_plane_is_that_of_activations_captured_by_hand(digits):
    recorder = ip.Recorder(*digits, ESTIMATOR, schedule="every", batch_size=150)
    model, _ = train(digits, recorder)
    model.eval()
    first = model.first(digits[0])
    norm = model.norm(first)
    by_hand = {"first": first, "norm": norm, "drop": np.tanh(norm), "last": model(digits[0])}
    plane = recorder.results()["information"].isel(member=0, estimator=0, epoch=-1)
    assert list(plane.layer.values) == list(by_hand)
    for name, values in by_hand.items():
        expected = ip.layer_information(np.asarray(values), digits[1], ESTIMATOR)
        np.testing.assert_allclose(plane.sel(layer=name), [expected.input.bits, expected.label.bits], atol=1e-6)


# ---- what cannot be used


def test_a_name_that_fits_nothing_lists_the_names():
    with pytest.raises(InputError, match=r"'frist' fits no layer; did you mean 'first'\?.*layers: .*first, last, norm"):
        NnxProbe(Network(nnx.Rngs(0)), "frist")


def test_a_type_that_fits_nothing_lists_the_types():
    with pytest.raises(InputError, match=r"no layer of type Conv runs \(types: BatchNorm, Dropout, Linear, Network\)"):
        activations(Network(nnx.Rngs(0)), np.ones((4, 64), np.float32), nnx.Conv)


def test_inputs_of_a_wrong_shape_name_their_shape_and_the_expected_one():
    with pytest.raises(InputError, match=r"inputs of shape \(10, 6\).*\(6,\) and \(64,\)"):
        activations(Network(nnx.Rngs(0)), VECTORS)


def test_a_model_that_diverged_is_flagged(digits):
    model = Network(nnx.Rngs(0))
    model.last.kernel[...] = np.nan
    recorder = ip.Recorder(*digits, ESTIMATOR)
    with recorder.attach(model):
        recorder.step(0)
    ds = recorder.results().isel(member=0, estimator=0, epoch=0, variable=0)
    assert np.isfinite(ds["information"].sel(layer="norm"))
    assert np.isnan(ds["information"].sel(layer="last"))
    assert "non-finite" in results.decode_flags(int(ds["flags"].sel(layer="last")))


def test_learned_positions_are_no_layer_and_the_rest_is_measured():
    class Positions(nnx.Module):
        def __init__(self, rngs):
            self.words = nnx.Embed(11, 4, rngs=rngs)
            self.places = nnx.Embed(5, 4, rngs=rngs)
            self.head = nnx.Linear(4, 2, rngs=rngs)

        def __call__(self, codes):
            return self.head(self.words(codes) + self.places(jax.numpy.arange(5)))

    for n_samples in (5, 6):  # also as many samples as positions
        codes = np.arange(n_samples * 5).reshape(n_samples, 5) % 11
        with NnxProbe(Positions(nnx.Rngs(0))).measuring() as evaluate:
            assert list(evaluate(codes)) == ["words", "head"]
