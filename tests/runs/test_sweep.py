"""A sweep: every combination in one plan and one data set, each to the bit what it is alone."""

import csv

import numpy as np
import pytest

import infoplane as ip
from infoplane.runs import engine
from infoplane.runs.combine import is_sweep, split
from infoplane.runs.config import override, parse, read_toml
from infoplane.runs.sweep import axis_labels, combinations
from infoplane.runs.words import parse_sweep

SWEEP = {"model.activation": ["tanh", "relu"], "seed": [0, 1]}


@pytest.fixture(scope="module")
def swept(tmp_path_factory, small):
    """Folder and result of a sweep over two activations and two seeds."""
    folder = tmp_path_factory.mktemp("sweep") / "run"
    return folder, ip.run(parse(small | {"sweep": SWEEP}), folder)


# ---- the configuration


def test_nested_and_dotted_keys_are_the_same_sweep(tmp_path):
    (tmp_path / "a.toml").write_text('[sweep]\nmodel.activation = ["tanh", "relu"]\nseed = [0, 1]\n')
    (tmp_path / "b.toml").write_text('[sweep]\n"model.activation" = ["tanh", "relu"]\n"seed" = [0, 1]\n')
    first, second = (parse(read_toml(tmp_path / name)) for name in ("a.toml", "b.toml"))
    assert first == second == parse({"sweep": SWEEP})
    assert parse(first.tree()) == first


def test_combinations_come_in_order_the_last_key_fastest():
    found = combinations(parse({"sweep": SWEEP}))
    assert [one.name for one in found] == [f"activation={a}-seed={s}" for a in ("tanh", "relu") for s in (0, 1)]
    assert [(one.config.model.activation, one.config.seed) for one in found[:2]] == [("tanh", 0), ("tanh", 1)]
    assert all(one.config.sweep == () for one in found)


def test_without_a_sweep_there_is_one_combination_with_no_labels():
    (only,) = combinations(parse({}))
    assert (only.labels, only.config) == ({}, parse({}))


def test_parameters_of_estimators_are_swept_by_their_number():
    config = parse({"estimators": ["binning", "kde"], "sweep": {"estimators.0.bins": [30, 100]}})
    assert [one.config.estimators[0] for one in combinations(config)] == [
        {"name": "binning", "bins": 30},
        {"name": "binning", "bins": 100},
    ]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["model.activation", "seed"], ["activation", "seed"]),
        (["estimators.0.bins", "estimators.1.bins"], ["0_bins", "1_bins"]),
        (["model.init", "data.name"], ["init", "name"]),
    ],
)
def test_dimensions_are_named_by_what_tells_them_apart(keys, names):
    values = {"model.activation": ["tanh"], "model.init": ["glorot"], "data.name": ["g1"]}
    config = parse({"sweep": {key: values.get(key, [1, 2]) for key in keys}})
    assert list(axis_labels(config)) == names


def test_values_that_are_no_numbers_or_words_are_labelled_by_their_text():
    config = parse({"sweep": {"model.hidden": [[4, 3], [5]], "train.learning_rate": [1, 0.5]}})
    assert axis_labels(config) == {"hidden": ["[4,3]", "[5]"], "learning_rate": [1, 0.5]}


@pytest.mark.parametrize(
    ("sweep", "text"),
    [
        (3, "sweep: expected lists by key"),
        ({"seed": 3}, "sweep: seed is 3; expected a list"),
        ({"seed": []}, "sweep: seed is"),
        ({"seed": [1, 1]}, "sweep: seed has a value twice"),
        ({"seed": list(range(40)), "members": list(range(1, 41))}, "40 × 40 = 1600 combinations, above 1000"),
        ({"name": ["a", "b"]}, "'name' does not change what is measured"),
        ({"model.activatoin": ["tanh"]}, "unknown key 'model.activatoin'; did you mean 'model.activation'?"),
        ({"model.activation": ["tanh", "cosh"]}, "sweep at {'activation': 'cosh'}: model.activation: input should be"),
        ({"estimators.3.bins": [1, 2]}, "'3' is not the number of an entry; expected 0 to 1"),
        ({"train.batch_size": [8, 4096]}, "sweep at {'batch_size': 4096}: train.batch_size is 4096; expected at most"),
    ],
)
def test_a_sweep_that_cannot_be_run_is_refused_before_anything_is_written(tmp_path, sweep, text):
    with pytest.raises(ip.ConfigError) as caught:
        ip.run("szt", tmp_path / "run", sweep=sweep)
    assert text in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_combinations_that_need_too_much_memory_together_are_refused(tmp_path):
    sweep = {"seed": list(range(30))}
    with pytest.raises(ip.ConfigError, match=r"sweep: what 30 combinations measure needs .* GiB, above 4 GiB"):
        ip.run("szt", tmp_path / "run", sweep=sweep, schedule={"kind": "every", "n": 1}, members=50)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("model.activation=tanh,relu", ("model.activation", ["tanh", "relu"])),
        ("seed=0, 1", ("seed", [0, 1])),
        ("model.hidden=[[4, 3], [5]]", ("model.hidden", [[4, 3], [5]])),
        ("train.fraction=0.5", ("train.fraction", [0.5])),
    ],
)
def test_a_sweep_on_the_command_line_is_a_list_or_stands_between_commas(text, read):
    assert parse_sweep(text) == read


@pytest.mark.parametrize("text", ["seed", "=1,2", "seed="])
def test_a_sweep_without_key_or_values_is_refused(text):
    with pytest.raises(ip.ConfigError, match="expected KEY=VALUE,VALUE"):
        parse_sweep(text)


# ---- the result


def test_a_sweep_is_one_data_set_with_its_keys_as_dimensions(swept):
    _, ds = swept
    assert ds["information"].dims[:2] == ("activation", "seed")
    assert ds["activation"].values.tolist() == ["tanh", "relu"]
    assert ds["seed"].values.tolist() == [0, 1]
    assert ds["information"].notnull().all()
    assert ds["flags"].dtype == np.int32


def test_each_combination_is_to_the_bit_what_it_is_alone(swept, small, tmp_path):
    _, ds = swept
    parts = split(ds)
    labels, part = parts[3]
    assert labels == {"activation": "relu", "seed": 1}
    alone = override(small, {"model.activation": "relu", "seed": 1})
    assert part.drop_attrs(deep=False).identical(engine.run(parse(alone), tmp_path / "run").drop_attrs(deep=False))
    assert (part.attrs["seed"], part.attrs["title"]) == (1, "run")


def test_a_result_without_a_sweep_is_its_own_only_part(whole):
    assert not is_sweep(whole)
    ((labels, part),) = split(whole)
    assert labels == {}
    assert part is whole


def test_the_folder_of_a_sweep_loads_and_resumes_as_one(swept, monkeypatch):
    folder, ds = swept
    monkeypatch.setattr(engine, "_compute", lambda *_: pytest.fail("computed again"))
    assert ip.load(folder).identical(ds.drop_attrs(deep=False).assign_attrs({**ip.load(folder).attrs}))
    assert engine.resume(folder).identical(ip.load(folder))


def test_a_sweep_that_lost_a_piece_computes_that_one_again(swept, tmp_path, told):
    import shutil

    folder = shutil.copytree(swept[0], tmp_path / "run")
    piece = sorted((folder / "pieces").iterdir())[5]
    piece.write_bytes(piece.read_bytes()[:-10])
    assert engine.resume(folder, told.append).identical(ip.load(swept[0]))
    assert len(told) == 1


def test_the_figures_of_a_sweep_are_a_plane_for_each_combination(swept):
    names = {path.name for path in (swept[0] / "figures").iterdir()}
    assert names == {
        f"plane-activation={a}-seed={s}.{e}" for a in ("tanh", "relu") for s in (0, 1) for e in ("png", "pdf")
    }


def test_the_summary_of_a_sweep_has_its_values_in_front(swept):
    with (swept[0] / "summary.csv").open() as file:
        heading, *rows = csv.reader(file)
    assert heading[:4] == ["activation", "seed", "estimator", "layer"]
    assert len(rows) == 4 * 3
    assert {tuple(row[:2]) for row in rows} == {("tanh", "0"), ("tanh", "1"), ("relu", "0"), ("relu", "1")}


@pytest.mark.slow
def test_combinations_of_other_shapes_stand_in_one_data_set_with_gaps(small, tmp_path):
    sweep = {"model.hidden": [[4, 3], [4]], "train.epochs": [4, 12], "members": [1, 2]}
    ds = engine.run(parse(small | {"group_width": 1, "sweep": sweep}), tmp_path / "run")
    assert ds["layer"].values.tolist() == ["hidden1", "hidden2", "output"]
    assert ds["information"].sel(hidden="[4]", layer="hidden2").isnull().all()
    assert ds["information"].sel(epochs=4, epoch=[8, 12]).isnull().all()
    assert ds["information"].sel(members=1, member=1).isnull().all()
    for labels, part in split(ds):
        assert part["information"].notnull().all()
        assert part.sizes["member"] == labels["members"]
        assert part.sizes["layer"] == {"[4,3]": 3, "[4]": 2}[labels["hidden"]]
        assert part["epoch"].values[-1] == labels["epochs"]
