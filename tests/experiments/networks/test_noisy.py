"""Networks with noise: measured by what holds for each layer, towards log2 N as the noise vanishes."""

import jax.numpy as jnp
import numpy as np
import pytest

import infoplane as ip
from infoplane import plots, results
from infoplane.estimators import build
from infoplane.experiments import configure, draw
from infoplane.experiments.networks.noisy import compute, information
from infoplane.nets import mlp, noisy
from infoplane.runs.combine import split

INPUTS = np.random.default_rng(0).standard_normal((2, 64)).astype(np.float32)
LABELS = (INPUTS[0] > 0).astype(np.int64)
WEIGHTS = mlp.init_weights([2, 3, 2, 2], "keras", "keras", 0, [0])


def centres(beta, passes):
    """Activations before their own noise of both hidden layers of a small tanh network."""
    found = noisy.centres(
        [tuple(map(jnp.asarray, layer)) for layer in WEIGHTS], "tanh", jnp.asarray(INPUTS), beta, seed=0, members=[0],
        draws=passes,
    )  # fmt: skip
    return [layer[0] for layer in found]


def test_the_result_has_the_usual_dimensions_behind_what_is_side_by_side(under_noise):
    ds = under_noise[2]
    assert ds["information"].dims == ("model.activation", "model.beta", *results.INFORMATION_DIMS)
    assert ds["information"].shape == (1, 2, 1, 2, 2, 2, 2)
    assert bool(ds["information"].notnull().all())
    assert bool((ds["information_std_error"] >= 0).all())
    assert ds["epoch"].values.tolist() == [0, 3]
    assert ds["layer"].values.tolist() == ["hidden1", "hidden2"]  # outputs have no noise


def test_more_noise_leaves_less(under_noise):
    told = under_noise[2]["information"].isel(epoch=0).sel(variable="input")
    assert bool((told.sel({"model.beta": 0.5}) < told.sel({"model.beta": 0.1})).all())


def test_the_first_layer_is_measured_by_the_estimator_of_one_noisy_layer():
    t = centres(0.2, 3)[0]
    expected = build("noisy", variance=0.04).of_layer(t[1], LABELS)
    found = information(t, LABELS, 0.2, 0, 50)
    assert (found.input.bits, found.label.bits) == (expected.input.bits, expected.label.bits)


def test_one_noisy_layer_agrees_with_nested_sampling():
    t = centres(0.2, 4)[0]
    one, nested = information(t, LABELS, 0.2, 0, 256), information(t, LABELS, 0.2, 1, 256)
    error = np.hypot(one.input.std_error, nested.input.std_error)
    assert abs(one.input.bits - nested.input.bits) < 4 * error < 0.5


@pytest.mark.parametrize(("layer", "passes", "copies"), [(0, 1, 2000), (1, 1000, 1)])
def test_two_points_under_noise_are_a_binary_channel(layer, passes, copies):
    points = np.repeat([[0.0], [2.0]], copies, axis=0)  # two standard deviations apart
    labels = np.repeat([0, 1], copies)
    found = information(np.stack([points] * passes), labels, 1.0, layer, 10**6)
    assert found.label is not None
    # known by quadrature, in nats; the error is five standard errors of 2000 draws
    assert found.label.bits == pytest.approx(0.33683 / np.log(2), abs=0.03)


@pytest.mark.parametrize("layer", [0, 1])
def test_without_noise_what_is_known_tends_to_log2_of_the_inputs(layer):
    told = [information(centres(beta, 2)[layer], LABELS, beta, layer, 128).input.bits for beta in (0.3, 0.03, 1e-4)]
    assert told[0] < told[1] < told[2] + 1e-9
    assert told[2] == pytest.approx(6, abs=1e-3)  # 64 inputs


def test_a_piece_depends_on_the_settings_and_its_number_alone(under_noise):
    settings, pieces, _ = under_noise
    again = compute(settings, 1)
    assert all(np.array_equal(again[name], pieces[1][name], equal_nan=True) for name in again)
    assert not np.array_equal(pieces[0]["information"], pieces[1]["information"])


def test_networks_side_by_side_carry_their_noise(under_noise):
    labels, part = split(under_noise[2])[1]
    assert labels == {"model.activation": "tanh", "model.beta": 0.5}
    assert results.config_of(part)["model"]["beta"] == 0.5


@pytest.mark.slow
def test_the_run_draws_its_figures_and_saves_what_it_loads(under_noise, tmp_path):
    ds = under_noise[2]
    assert plots.suited(ds, ("noise", "strengths", "levels")) == ["noise", "strengths"]
    (tmp_path / "log.jsonl").touch()
    assert {"noise.png", "strengths.png"} <= {path.name for path in draw(ds, tmp_path)}
    results.save(ds, tmp_path / "results.nc")
    assert ip.load(tmp_path / "results.nc").equals(ds)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"betas": [0.0]}, "betas.0: input should be greater than 0"),
        ({"betas": [0.1, -0.1]}, "betas.1: input should be greater than 0"),
        ({"betas": [float("inf")]}, "betas.0"),
        ({"betas": []}, "betas"),
        ({"betas": [0.1, 0.1]}, "model.beta names one of 0.1, 0.1 twice"),
        ({"measure.passes": 1}, "measure.passes: input should be greater than or equal to 2"),
        ({"measure.queries": 1}, "measure.queries"),
        ({"beta": 0.1}, "unknown key 'beta'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(changes, words):
    with pytest.raises(ip.ConfigError) as error:
        configure("noisy", changes=changes)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
