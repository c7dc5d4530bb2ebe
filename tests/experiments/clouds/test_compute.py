"""The experiment as a whole: its result, by networks side by side, and what depends on what."""

import json

import numpy as np
import pytest

import infoplane as ip
from infoplane import plots, results
from infoplane.experiments import draw
from infoplane.experiments.clouds import infonet
from infoplane.experiments.clouds.compute import assemble, compute
from infoplane.runs.combine import is_sweep, split


def test_the_result_has_the_usual_dimensions_behind_what_is_side_by_side(ds):
    assert ds["information"].dims == ("model.activation", "source", *results.INFORMATION_DIMS)
    assert ds["information"].shape == (2, 3, 2, 2, 3, 3, 2)
    assert ds["epoch"].values.tolist() == [8, 20, 48]
    assert ds["layer"].values.tolist() == ["hidden1", "hidden2", "output"]
    assert bool(ds["information"].notnull().all())
    assert all(ds[name].attrs["long_name"] for name in ds.data_vars)


def test_the_cap_is_that_of_the_inputs_that_are_measured(ds):
    assert ds.attrs["input_entropy"] == pytest.approx(np.log2(61))
    assert 0.9 < ds.attrs["label_entropy"] <= 1


def test_information_lies_between_none_and_what_there_is(ds):
    of_input = ds["information"].sel(variable="input")
    error = ds["information_std_error"].sel(variable="input")
    assert bool((of_input > -5 * error - 0.1).all())
    assert bool((of_input < np.log2(61) + 5 * error + 0.1).all())


def test_equal_samples_and_far_clouds_are_what_they_must_be(ds):
    missed = abs(ds["control_bits"] - ds["control_expected"])
    assert float(missed.sel(control="identical samples").max()) < 1e-12
    assert float(missed.sel(control="far clouds").max()) < 1e-6


def test_a_window_of_the_usual_length_is_the_window_itself(ds):
    at_end = ds["information"].sel(source="window").isel(epoch=-1)
    assert np.array_equal(ds["by_length"].sel(length=8), at_end)
    whole = ds["by_samples"].isel(size=0).transpose(*at_end.dims)
    assert whole.values == pytest.approx(at_end.values)


def test_networks_side_by_side_are_results_of_their_own(ds):
    assert is_sweep(ds)
    parts = split(ds)
    assert [tuple(labels.values()) for labels, _ in parts] == [
        (activation, source) for activation in ("relu", "tanh") for source in ("window", "branch", "init")
    ]
    labels, part = parts[4]
    assert part["information"].dims == results.INFORMATION_DIMS
    assert results.config_of(part)["model"]["activation"] == labels["model.activation"] == "tanh"
    assert results.config_of(part)["source"] == "branch"
    assert not is_sweep(part)


@pytest.mark.slow
def test_a_member_depends_on_the_settings_and_its_number_alone(small, pieces):
    again = compute(small, 1)
    assert all(np.array_equal(again[name], pieces[1][name], equal_nan=True) for name in again)
    assert not np.array_equal(pieces[0]["information"], pieces[1]["information"])


@pytest.mark.slow
def test_fewer_sources_leave_the_others_as_they_were(small, ds):
    fewer = small.model_copy(update={"sources": ("branch",), "members": 1})
    alone = assemble(fewer, {0: compute(fewer, 0)})
    both = ds["information"].sel(source=["branch"]).isel(member=[0])
    assert np.array_equal(alone["information"], both)


def test_members_that_are_missing_are_nan(small, pieces):
    ds = assemble(small, {0: pieces[0]})
    assert bool(ds["information"].isel(member=1).isnull().all())
    assert bool(ds["information"].isel(member=0).notnull().all())
    assert ds["member_flags"].dtype.kind == "i"


def test_dead_networks_are_flagged_in_every_source(small, pieces):
    dead = dict(pieces[0], dead=np.array([1.0, 0.0]))
    ds = assemble(small, {0: dead, 1: pieces[1]})
    flagged = ds["member_flags"].isel(member=0).values
    assert (flagged == [[results.encode_flags(["dead"])] * 3, [0] * 3]).all()


def test_published_numbers_stand_beside_networks_of_that_shape_only(small, ds):
    assert "published" not in ds
    shaped = small.model_copy(update={"model": small.model.model_copy(update={"hidden": infonet.HIDDEN})})
    published = assemble(shaped, {})["published"]
    late = published.sel({"model.activation": "relu", "when": "late"})
    assert late.sel(variable="input").values.tolist() == [9.68, 9.68, 9.68, 5.67, 5.42, 1.34]
    assert bool(published.sel({"model.activation": "tanh", "when": "late"}).sel(variable="label").isnull().all())


@pytest.mark.slow
def test_the_run_draws_its_figures_and_saves_what_it_loads(ds, tmp_path):
    (tmp_path / "log.jsonl").touch()
    names = {path.name for path in draw(ds, tmp_path)}
    assert {"windows.png", "lengths.png", "clouds.png"} <= names
    assert len([name for name in names if name.startswith("plane-model.activation=")]) == 12
    results.save(ds, tmp_path / "results.nc")
    assert ip.load(tmp_path / "results.nc").equals(ds)


def test_all_figures_are_offered(ds):
    assert plots.suited(ds, ("windows", "lengths", "clouds")) == ["windows", "lengths", "clouds"]
    assert json.loads(ds.attrs["sweep"])[0]["labels"] == {"model.activation": "relu", "source": "window"}


def test_claims_can_be_held_against_it(ds):
    found = {one.claim.id: one for one in ip.claims(ds)}
    assert "needs" not in found["late-layers-compress-relu"].reason.partition(":")[0]
    assert found["branch-agrees-with-window"].members == 2
