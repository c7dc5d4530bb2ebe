"""Networks on few levels: what is counted, what depends on what, and how both ways of quantising are computed."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import infoplane as ip
from infoplane import plots, results
from infoplane.experiments import configure, draw
from infoplane.experiments.networks.quantised import Levels, compute
from infoplane.nets import mlp, quantize
from infoplane.runs.combine import is_sweep, split


def of(ds, activation, bits, **others):
    return ds.sel({"model.activation": activation, "model.bits": bits, **others})


def test_the_result_has_the_usual_dimensions_behind_what_is_side_by_side(few_levels):
    ds = few_levels[2]
    assert ds["information"].dims == ("model.activation", "model.bits", *results.INFORMATION_DIMS)
    assert ds["information"].shape == (1, 3, 3, 2, 5, 3, 2)
    assert bool(ds["information"].sel(estimator=["exact", "binning"]).notnull().all())
    assert all(ds[name].attrs["long_name"] for name in ds.data_vars)
    assert ds.attrs["input_entropy"] == 12


def test_costly_estimators_measure_the_first_and_the_last_epoch(few_levels):
    known = few_levels[2]["information"].sel(estimator="kde").notnull().any(("member", "layer", "variable"))
    assert known.all(("model.activation", "model.bits")).values.tolist() == [True, False, False, False, True]


def test_one_bit_a_unit_is_the_most_that_a_layer_of_one_bit_tells(few_levels):
    told = of(few_levels[2], "tanh", "1", estimator="exact", variable="input").max(("member", "epoch"))["information"]
    assert told.sel(layer="hidden1") <= 4
    assert told.sel(layer="hidden2") <= 3
    assert told.sel(layer="output") <= 1 + 1e-12  # two probabilities that add up to 1


def test_exact_information_falls_from_layer_to_layer(few_levels):
    told = few_levels[2]["information"].sel(estimator="exact")
    assert float(told.diff("layer").max()) < 1e-12  # each layer is a function of the one before


def test_bins_cannot_tell_more_than_there_is(few_levels):
    told = few_levels[2]["information"]
    assert float((told.sel(estimator="binning") - told.sel(estimator="exact")).max()) < 1e-12


def test_codes_of_a_small_network_are_those_counted_by_hand():
    weights = [(jnp.array([[[1.0]]]), jnp.zeros((1, 1, 1))), (jnp.array([[[1.0], [-1.0]]]), jnp.zeros((1, 2, 1)))]
    x = jnp.array([[-2.0, -0.2, 0.1, 0.9]])
    layers, outputs = Levels("tanh", 1, None, 1, True).measured(weights, x, quantize.calibrate(weights, "tanh", x))
    assert layers[0][0, 0].tolist() == [-1.0, -1.0, 1.0, 1.0]
    assert outputs[0, 0].tolist() == [-1.0, -1.0, 1.0, 1.0]
    assert layers[1][0, 0].tolist() == [0.0, 0.0, 1.0, 1.0]  # the softmax of ±1 is 0.12 and 0.88
    assert ip.layer_information(np.asarray(layers[0][0]).T, [0, 0, 1, 0], "exact").input.bits == 1.0
    assert ip.layer_information(np.asarray(layers[0][0]).T, [0, 0, 1, 1], "exact").label.bits == 1.0


def test_ranges_of_an_unbounded_activation_follow_and_then_stay():
    weights = [tuple(map(jnp.asarray, layer)) for layer in mlp.init_weights([2, 3, 2], "keras", "keras", 0, [0])]
    grown = [(2 * kernel, bias) for kernel, bias in weights]
    x = jnp.ones((2, 5))
    for trained, expected in ((True, 1.0), (False, 2.0)):
        levels = Levels("relu", 4, None, 10, trained)
        before = levels.calibrated(weights, x)
        followed, kept = (levels.ranges(grown, x, before, epoch)[0][1] for epoch in (9, 10))
        assert float(followed[0, 0, 0]) == pytest.approx(2 * float(before[0][1][0, 0, 0]))
        assert float(kept[0, 0, 0]) == pytest.approx(expected * float(before[0][1][0, 0, 0]))


@pytest.mark.slow
def test_rounded_afterwards_the_float_network_is_trained(few_levels):
    settings = few_levels[0]
    changed = settings.quantize.model_copy(update={"how": "afterwards"})
    afterwards = settings.model_copy(update={"quantize": changed})
    rounded, floats = (compute(afterwards, number) for number in (1, 2))  # tanh on 8 bits, and in floats
    assert settings.networks[1]["model.bits"] == "8"
    assert np.abs(rounded["accuracy_at_epoch"] - floats["accuracy_at_epoch"]).max() < 0.05
    trained_on_levels = few_levels[1][1]
    assert np.array_equal(floats["information"], few_levels[1][2]["information"], equal_nan=True)
    assert not np.array_equal(rounded["information"], trained_on_levels["information"], equal_nan=True)


def test_weights_on_few_levels_are_measured_as_they_are_used():
    weights = [(jnp.array([[[0.1, -0.4]]]), jnp.zeros((1, 1, 1))), (jnp.ones((1, 2, 1)), jnp.zeros((1, 2, 1)))]
    x = jnp.array([[0.0, 1.0], [0.0, 1.0]])
    layers, _ = Levels("tanh", 8, 1, 1, True).measured(weights, x, quantize.calibrate(weights, "tanh", x))
    assert layers[0][0, 0].tolist() == pytest.approx(
        [0, 0], abs=0.004
    )  # half a level; one bit makes the kernel (0.4, −0.4)
    layers, _ = Levels("tanh", 8, None, 1, True).measured(weights, x, quantize.calibrate(weights, "tanh", x))
    assert layers[0][0, 0].tolist() == pytest.approx([0, np.tanh(-0.3)], abs=0.004)


def test_a_piece_depends_on_the_settings_and_its_number_alone(few_levels):
    settings, pieces, _ = few_levels
    again = compute(settings, 3)
    assert all(np.array_equal(again[name], pieces[3][name], equal_nan=True) for name in again)


def test_members_begin_alike_in_every_precision(few_levels):
    at_start = few_levels[2].isel(epoch=0).sel(estimator="exact")
    floats, eight = (of(at_start, "tanh", bits)["information"] for bits in ("float", "8"))
    assert float(abs(floats - eight).sel(layer="hidden1", variable="label").max()) < 0.2
    assert few_levels[0].piece(3) == (0, [1])  # the second group of the first network


def test_groups_that_are_missing_are_nan(few_levels):
    settings, pieces, _ = few_levels
    from infoplane.experiments.networks.result import assemble

    some = assemble(settings, {number: pieces[number] for number in range(3)})
    assert bool(some["information"].isel(member=1).isnull().all())
    assert bool(some["information"].isel(member=0).sel(estimator="exact").notnull().all())
    nothing = assemble(settings, {})
    assert bool(nothing["information"].isnull().all())


def test_dead_layers_are_flagged(few_levels):
    ds = few_levels[2]
    dead = ds["dead_share"].isel(epoch=-1).sel(layer="hidden2") == 1
    flagged = ds["member_flags"] == results.encode_flags(["dead"])
    assert bool((dead == flagged).all())


def test_networks_side_by_side_are_results_of_their_own(few_levels):
    ds = few_levels[2]
    assert is_sweep(ds)
    labels, part = split(ds)[1]
    assert labels == {"model.activation": "tanh", "model.bits": "8"}
    assert part["information"].dims == results.INFORMATION_DIMS
    assert results.config_of(part)["model"]["bits"] == "8"
    assert "quantize" not in json.loads(split(ds)[2][1].attrs["config"])  # of floats nothing is quantised


@pytest.mark.slow
def test_the_run_draws_its_figures_and_saves_what_it_loads(few_levels, tmp_path):
    ds = few_levels[2]
    assert plots.suited(ds, ("levels", "precisions", "noise")) == ["levels", "precisions"]
    (tmp_path / "log.jsonl").touch()
    assert {"levels.png", "precisions.png"} <= {path.name for path in draw(ds, tmp_path)}
    results.save(ds, tmp_path / "results.nc")
    assert ip.load(tmp_path / "results.nc").equals(ds)


def test_claims_can_be_held_against_it(few_levels):
    found = [one for one in ip.claims(few_levels[2]) if one.claim.id == "quantised-8-bits-as-accurate"]
    assert [one.case for one in found] == ["model.activation=tanh, model.bits=8, held-out inputs"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bits": [0]}, "bits is 0; expected a whole number of bits from 1 to 8"),
        ({"bits": [9, 2]}, "bits is 9; expected a whole number of bits from 1 to 8"),
        ({"bits": []}, "bits"),
        ({"bits": ["floats"]}, "bits"),
        ({"bits": [2, 2]}, "model.bits names one of 2, 2 twice"),
        ({"quantize.weight_bits": 0}, "weight_bits is 0; expected a whole number of bits from 1 to 8"),
        ({"quantize.calibrate": 0}, "quantize.calibrate"),
        ({"quantize.how": "never"}, "quantize.how"),
        ({"model.activations": ["tanh", "tanh"]}, "model.activation names one of tanh, tanh twice"),
        ({"train.batch_size": 5000}, "train.batch_size is 5000; there are 3277 rows to train on"),
        ({"train.fraction": 1e-9}, "train.fraction"),
        ({"estimators": ["ksg1"]}, "ksg1"),
        ({"bit": [2]}, "unknown key 'bit'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(changes, words):
    with pytest.raises(ip.ConfigError) as error:
        configure("quantised", changes=changes)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_settings_are_those_of_the_paper():
    settings = configure("quantised")
    assert settings.sizes == [12, 10, 7, 5, 4, 3, 2]
    assert (settings.train.learning_rate, settings.train.batch_size, settings.train.epochs) == (1e-4, 256, 8000)
    assert settings.train.split == "stratified"
    assert settings.members >= 20
    assert settings.axes["model.bits"] == ["2", "4", "8", "float"]
    assert configure("quantised", as_paper=True).members == 50
