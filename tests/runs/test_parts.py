"""Inputs trained on and held out, measured apart: each to the bit what its rows give alone."""

from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane.estimators.base import Layers
from infoplane.estimators.layers import measure_layers
from infoplane.nets import mlp
from infoplane.runs import engine
from infoplane.runs.config import parse
from infoplane.runs.plan import Plan


@pytest.fixture(scope="module")
def keys(small):
    """The small configuration, measured on all inputs and on both parts, by counting and by distances."""
    return small | {"measure": {"parts": ["all", "train", "test"]}, "estimators": ["binning", "kde"]}


@pytest.fixture(scope="module")
def apart(tmp_path_factory, keys):
    return engine.run(parse(keys), tmp_path_factory.mktemp("parts") / "run")


@pytest.mark.slow
def test_measuring_parts_leaves_the_whole_as_it_is(apart, whole):
    both = apart.sel(estimator=["binning"]).drop_vars(["information_lower", "information_upper"])
    for name in whole.data_vars:
        np.testing.assert_array_equal(both[name], whole[name])


def test_a_part_is_what_its_rows_give_alone(apart, keys):
    """The initial activations are computed here once more, and each part's rows are measured as a set of their own."""
    plan = Plan(parse(keys))
    weights = jax.device_put(mlp.draw_weights(plan.shape.kernels, "fan-in", "fan-in", plan.config.seed, [0]))
    layers = mlp.activations(weights, "tanh", jnp.asarray(plan.dataset.inputs.T))
    estimators = list(plan.estimators.values())
    for part, rows in zip(("train", "test"), plan.rows, strict=True):
        got = results.part(apart, part).sel(epoch=0, member=0)
        for layer, t in zip(plan.layers, layers, strict=True):
            alone = Layers(np.asarray(t)[:, :, rows], plan.dataset.labels[rows])
            for name, values in zip(plan.estimators, measure_layers(alone, estimators), strict=True):
                one = got["information"].sel(estimator=name, layer=layer)
                # the packaged program may round an activation differently, which moves a sample to the next cell
                assert float(one.sel(variable="input")) == pytest.approx(values.input.bits[0], abs=0.02)
                assert float(one.sel(variable="label")) == pytest.approx(values.label.bits[0], abs=0.02)


def test_a_part_carries_its_own_entropies(apart):
    train, test = (results.part(apart, name) for name in ("train", "test"))
    assert train.attrs["input_entropy"] == pytest.approx(np.log2(3277))
    assert test.attrs["input_entropy"] == pytest.approx(np.log2(819))
    assert (train.attrs["n_samples"], test.attrs["n_samples"]) == (3277, 819)
    assert train.attrs["title"] == "run, trained on"
    assert (test["distinct_rows"] <= 819).all()


def test_a_part_is_a_result_without_what_was_measured_on_other_inputs(apart):
    test = results.part(apart, "test")
    assert not [name for name in test.data_vars if str(name).startswith(("held_out_", "train_", "all_"))]
    assert "activation_sd" not in test
    assert {"information", "flags", "loss", "weight_norm", "order_violation"} <= set(test.data_vars)
    assert results.held_out(apart).identical(test)
    first = results.part(apart, "all")
    assert set(first.data_vars) < set(apart.data_vars)
    assert first["information"].identical(apart["information"])


def test_the_first_part_has_the_plain_names(tmp_path, keys, apart):
    ds = engine.run(parse(keys | {"measure": {"parts": ["test"]}}), tmp_path / "run")
    np.testing.assert_array_equal(ds["information"], apart["held_out_information"])
    assert ds.attrs["input_entropy"] == pytest.approx(np.log2(819))
    assert not results.has_held_out(ds)


def test_parts_are_the_same_bits_where_measuring_is_shared_out(tmp_path, keys, apart):
    with ThreadPoolExecutor(4) as executor:  # more than groups: layers are measured apart from the training
        assert engine.run(parse(keys), tmp_path / "run", executor=executor).identical(apart)


def test_a_part_that_was_not_measured_is_refused(whole):
    with pytest.raises(ip.InputError, match="part 'test' was not measured in this result; it holds: all"):
        results.part(whole, "test")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"measure": {"parts": []}}, "measure.parts"),
        ({"measure": {"parts": ["all", "all"]}}, "parts names one of all, all twice"),
        ({"measure": {"parts": ["half"]}}, "measure.parts.0"),
        ({"measure": {"parts": ["all", "test"]}, "train": {"fraction": 1.0}}, "'test', which has 0 rows"),
    ],
)
def test_parts_that_cannot_be_measured_are_refused(tmp_path, changes, text):
    with pytest.raises(ip.ConfigError) as caught:
        ip.run("szt", tmp_path / "run", **changes)
    assert text in str(caught.value)


# ---- costly estimators at fewer epochs


def test_sparse_estimators_measure_the_first_part_at_epochs_near_a_logarithmic_grid():
    plan = Plan(
        parse({"estimators": ["binning", "kde"], "measure": {"parts": ["all", "test"], "sparse": ["kde"], "points": 8}})
    )
    wanted = [0, *np.geomspace(1, 8000, 7)]
    chosen = [int(epoch) for epoch in plan.epochs if plan.due(int(epoch), "") == [0, 1]]
    assert len(chosen) == 8
    np.testing.assert_allclose(chosen[1:], wanted[1:], rtol=0.12)  # epoch 4 stands for 4.47
    assert (chosen[0], chosen[-1]) == (0, 8000)
    assert plan.due(0, "held_out_") == [0]


def test_what_is_not_measured_is_nan_and_the_rest_as_without(tmp_path, keys, apart):
    ds = engine.run(
        parse(keys | {"measure": {"parts": ["all", "test"], "sparse": ["kde"], "points": 2}}), tmp_path / "run"
    )
    np.testing.assert_array_equal(
        ds["information"].sel(estimator="binning"), apart["information"].sel(estimator="binning")
    )
    kde = ds["information"].sel(estimator="kde")
    assert kde.sel(epoch=[4, 8]).isnull().all()
    np.testing.assert_array_equal(kde.sel(epoch=[0, 12]), apart["information"].sel(estimator="kde", epoch=[0, 12]))
    assert ds["held_out_information"].sel(estimator="kde").isnull().all()
    assert (ds["flags"].sel(estimator="kde", epoch=[4, 8]) == 0).all()


def test_sparse_estimators_are_left_out_of_schedules_that_follow_and_that_is_told(tmp_path, keys, told):
    measure, schedule = {"sparse": ["kde"]}, {"kind": "delta-exact", "delta": 0.5}
    ds = engine.run(parse(keys | {"measure": measure, "schedule": schedule}), tmp_path / "run", told.append)
    assert ds["estimator"].values.tolist() == ["binning"]
    assert told[0].startswith("without kde, with schedule 'delta-exact': measure.sparse needs epochs")


def test_an_unknown_sparse_estimator_is_refused(tmp_path):
    with pytest.raises(ip.ConfigError, match=r"measure\.sparse names 'kd', which is no estimator; did you mean 'kde'"):
        ip.run("szt", tmp_path / "run", measure={"sparse": ["kd"]})
