"""Several trainings of one model as members of one result."""

import json

import numpy as np
import pytest

import infoplane as ip
from in_process import infoplane
from infoplane import results
from infoplane.errors import InputError

INPUTS = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
LABELS = (INPUTS[:, 0] > 0).astype(int)
EPOCHS = (0, 1, 2, 5)


def train(
    seed, epochs=EPOCHS, *, inputs=INPUTS, labels=LABELS, estimators="binning", layers=("hidden", "output"), **options
):
    """Record a made-up training: random weights that grow, so that units saturate."""
    weights = np.random.default_rng(seed).normal(size=(4, 3))
    recorder = ip.Recorder(inputs, labels, estimators, schedule="every", **options)
    for epoch in epochs:
        hidden = np.tanh(inputs @ weights * (1 + epoch) / 4)
        recorder.step(epoch, dict(zip(layers, (hidden, hidden[:, :2]), strict=False)))
    return recorder.results()


@pytest.fixture(scope="module")
def members():
    return [train(seed) for seed in range(4)]


def test_members_stand_in_the_given_order_with_their_values(members):
    ds = ip.ensemble(members, names=["a", "b", "c", "d"])
    assert ds.sizes["member"] == 4
    assert ds["member_name"].values.tolist() == ["a", "b", "c", "d"]
    for place, one in enumerate(members):
        for name in one.data_vars:
            np.testing.assert_array_equal(ds[name].isel(member=place), one[name].isel(member=0), err_msg=str(name))
            assert ds[name].dims == one[name].dims
    for name in ("input_entropy", "label_entropy", "n_samples", "units"):
        assert ds.attrs[name] == members[0].attrs[name]


def test_mean_and_interval_are_those_of_student(members):
    ds = ip.ensemble(members)
    values = np.array(
        [float(one["information"].sel(layer="hidden", variable="label", epoch=5).squeeze()) for one in members]
    )
    got = ds["information"].sel(layer="hidden", variable="label", epoch=5).squeeze().values
    mean, half = results.mean_interval(got)
    assert mean == pytest.approx(values.mean())
    # t of 3 degrees of freedom at 97.5 % is 3.182446
    assert half == pytest.approx(3.182446 * values.std(ddof=1) / 2, rel=1e-6)


def test_pages_figures_and_claims_speak_of_all_members(members, tmp_path):
    ds = ip.ensemble(members)
    assert "4 members" in str(ip.show(ds))
    figure = ip.plot_plane(ds)
    assert "4 members" in "".join(text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")))
    page = ip.report(ds, tmp_path / "report.html").read_text()
    assert "needs at least 2 members" not in page
    decided = [verdict for verdict in ip.claims(ds) if verdict.members == 4]
    assert decided
    assert all(np.isfinite(verdict.interval).all() for verdict in decided)
    assert not any("at least 2 members" in verdict.reason for verdict in ip.claims(ds))


def test_an_ensemble_is_saved_loaded_and_joined_again(members, tmp_path):
    ds = ip.ensemble(members[:2])
    results.save(ds, tmp_path / "results.nc")
    loaded = ip.load(tmp_path)
    assert loaded["member_name"].values.tolist() == ["1", "2"]
    whole = ip.ensemble([loaded, members[2]], names=["old", "new"])
    assert whole["member_name"].values.tolist() == ["old (0)", "old (1)", "new"]
    assert whole["member"].values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(whole["information"], ip.ensemble(members[:3])["information"])


def test_folders_are_loaded_and_name_the_members(tmp_path):
    for seed in (1, 2):
        train(seed, out=tmp_path / f"seed{seed}")
    ds = ip.ensemble([tmp_path / "seed1", tmp_path / "seed2"])
    assert ds["member_name"].values.tolist() == ["seed1", "seed2"]
    assert "folder" not in ds.attrs


# ---- epochs


def test_epochs_that_differ_are_refused_kept_or_filled_on_request(members):
    pair = [members[0], train(9, (0, 1, 3, 5))]
    with pytest.raises(
        InputError, match=r"'1' and '2' differ in 2, the first is 2\. Pass epochs='common' .* 'union'|union"
    ):
        ip.ensemble(pair)
    common = ip.ensemble(pair, epochs="common")
    assert common["epoch"].values.tolist() == [0, 1, 5]
    union = ip.ensemble(pair, epochs="union")
    assert union["epoch"].values.tolist() == [0, 1, 2, 3, 5]
    known = union["information"].sel(variable="input", layer="hidden").squeeze().notnull().transpose("member", "epoch")
    assert known.values.tolist() == [[True, True, True, False, True], [True, True, False, True, True]]
    assert int(union["flags"].sel(epoch=3).isel(member=0).max()) == 0
    assert union["flags"].dtype == pair[0]["flags"].dtype
    np.testing.assert_array_equal(union.sel(epoch=[0, 1, 5])["information"], common["information"])
    assert "2 members" in str(ip.show(union))


def test_no_common_epoch_is_refused(members):
    with pytest.raises(InputError, match="expected epochs that all results have measured, got none"):
        ip.ensemble([members[0], train(1, (3, 4))], epochs="common")


def test_training_curves_of_some_members_are_kept(members):
    recorder = ip.Recorder(INPUTS, LABELS, schedule="every")
    for epoch in EPOCHS:
        hidden = np.tanh(INPUTS[:, :3] * (1 + epoch))
        recorder.step(epoch, {"hidden": hidden, "output": hidden[:, :2]}, curves={"loss": 1 / (1 + epoch)})
    ds = ip.ensemble([members[0], recorder.results()])
    loss = ds["loss"].sel(split="train").transpose("member", "step").values
    assert np.isnan(loss[0]).all()
    assert loss[1].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 6])


# ---- results that do not belong together


OTHERS = {
    "estimators": (
        lambda: train(1, estimators="exact"),
        r"estimators differ: '1' has binning, '2' has exact\. Measure",
    ),
    "parameters": (
        lambda: train(1, estimators={"name": "binning", "bins": 9}),
        r"the setting estimators differ: '1' has",
    ),
    "layers": (
        lambda: train(1, layers=("hidden", "logits")),
        r"layers differ: '1' has hidden, output, '2' has hidden, logits",
    ),
    "inputs": (lambda: train(1, inputs=INPUTS[:70], labels=LABELS[:70]), "input_entropy differ: '1' has 6.32"),
    "labels": (lambda: train(1, labels=np.arange(80) % 4), "label_entropy differ: '1' has 0.99"),
    "no labels": (lambda: train(1, labels=None), "label_entropy differ"),
    "a second set": (lambda: train_with_held_out(), "held_out_input_entropy differ: '1' has None, '2' has 4.3"),
}


def train_with_held_out():
    weights = np.ones((4, 3))
    recorder = ip.Recorder(INPUTS, LABELS, schedule="every", held_out=(INPUTS[:20], LABELS[:20]))
    for epoch in EPOCHS:
        recorder.step(epoch, lambda x: {"hidden": np.tanh(x @ weights), "output": x @ weights})
    return recorder.results()


@pytest.mark.parametrize(("make", "text"), OTHERS.values(), ids=OTHERS.keys())
def test_results_that_do_not_belong_together_are_refused_with_the_difference(make, text, members):
    with pytest.raises(InputError, match=text):
        ip.ensemble([members[0], make()])


WRONG = {
    "one result": (lambda ds: ([ds],), {}, "expected at least two results, got 1"),
    "a result alone": (lambda ds: (ds,), {}, "expected at least two results, got 1"),
    "nothing": (lambda ds: ([],), {}, "expected at least two results, got 0"),
    "no results": (lambda ds: ([ds, 3],), {}, "got a int"),
    "a rule": (lambda ds: ([ds, ds],), {"epochs": "all"}, "epochs: expected one of same, common, union, got 'all'"),
    "too few names": (
        lambda ds: ([ds, ds],),
        {"names": ["a"]},
        r"names: expected 2 different names, one per result, got \['a'\]",
    ),
    "the same name twice": (lambda ds: ([ds, ds],), {"names": ["a", "a"]}, "expected 2 different names"),
}


@pytest.mark.parametrize(("arguments", "options", "text"), WRONG.values(), ids=WRONG.keys())
def test_arguments_that_cannot_be_used_are_refused(arguments, options, text, members):
    with pytest.raises(InputError, match=text):
        ip.ensemble(*arguments(members[0]), **options)


def test_attributes_that_differ_are_kept_by_member(members):
    pair = [members[0].assign_attrs(seed=3), members[1].assign_attrs(seed=4)]
    ds = ip.ensemble(pair, names=["a", "b"], title="both")
    assert ds.attrs["title"] == "both"
    own = json.loads(ds.attrs["members_of"])
    assert [(one["name"], one["seed"]) for one in own] == [("a", 3), ("b", 4)]


# ---- command line


def test_the_command_joins_folders_that_other_commands_take(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in (1, 2, 3):
        train(seed, out=tmp_path / f"seed{seed}")
    code, out, err = infoplane("ensemble", "seed1", "seed2", "seed3", "--out", "seeds")
    assert (code, err) == (0, "")
    assert "seeds: 3 members: seed1, seed2, seed3" in out
    assert ip.load("seeds").sizes["member"] == 3
    code, out, _ = infoplane("claims", "seeds")
    assert code == 0
    assert "at least 2 members" not in out
    assert infoplane("export", "seeds")[0] == 0
    assert infoplane("report", "seeds")[0] == 0
    code, _, err = infoplane("ensemble", "seed1", "seed2", "--out", "seeds")
    assert (code, err) == (2, "infoplane: seeds: is not empty; give --out a folder that does not exist yet\n")
    code, _, err = infoplane("ensemble", "seed1", "--out", "alone")
    assert code == 2
    assert "expected at least two results, got 1" in err
