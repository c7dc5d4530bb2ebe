"""Variants: one factor changed at a time beside a base, in one folder and one data set."""

import shutil

import numpy as np
import pytest

import infoplane as ip
from infoplane.runs import engine
from infoplane.runs.combine import split
from infoplane.runs.config import override, parse, read_toml
from infoplane.runs.diff import diff
from infoplane.runs.provenance import config_differences
from infoplane.runs.status import status_lines
from infoplane.runs.sweep import axis_labels, combinations

VARIANTS = [
    {"label": "batch 64", "train.batch_size": 64},
    {"label": "deep", "model": {"hidden": [4, 3, 2]}},
    {"label": "shuffled labels", "data.shuffle_labels": True},
]


@pytest.fixture(scope="module")
def varied(tmp_path_factory, small):
    """Folder and result of a base and three variants."""
    folder = tmp_path_factory.mktemp("variants") / "run"
    return folder, engine.run(parse(small | {"variants": VARIANTS}), folder)


def test_tables_in_a_file_and_nested_keys_are_the_same_variants(tmp_path):
    (tmp_path / "a.toml").write_text('[[variants]]\nlabel = "batch 64"\n"train.batch_size" = 64\n')
    (tmp_path / "b.toml").write_text('[[variants]]\nlabel = "batch 64"\ntrain.batch_size = 64\n')
    first, second = (parse(read_toml(tmp_path / name)) for name in ("a.toml", "b.toml"))
    assert first == second == parse({"variants": VARIANTS[:1]})
    assert parse(first.tree()) == first
    assert type(first).model_validate_json(first.canonical()) == first


def test_the_base_comes_first_and_each_variant_changes_its_keys_only():
    config = parse({"variants": VARIANTS})
    found = combinations(config)
    assert [one.labels for one in found] == [{"variant": label} for label in ("base", *(v["label"] for v in VARIANTS))]
    assert found[0].config == parse({})
    assert found[1].config == parse({"train": {"batch_size": 64}})
    assert found[2].config == parse({"model": {"hidden": [4, 3, 2]}})


def test_a_sweep_runs_every_variant_with_every_value():
    config = parse({"variants": VARIANTS[:1], "sweep": {"seed": [3, 4]}})
    assert axis_labels(config) == {"variant": ["base", "batch 64"], "seed": [3, 4]}
    found = [(one.config.train.batch_size, one.config.seed) for one in combinations(config)]
    assert found == [(256, 3), (256, 4), (64, 3), (64, 4)]


@pytest.mark.parametrize(
    ("variants", "text"),
    [
        (3, "variants: expected tables as"),
        ([{"train.batch_size": 64}], "has no label"),
        ([{"label": "x" * 61, "seed": 1}], "has no label; expected a text of 1 to 60"),
        ([{"label": "a"}, {"label": "nothing"}], "variant 'nothing' changes no key; only the first may"),
        ([{"label": "base", "seed": 1}], "the label 'base' stands twice"),
        ([{"label": "a", "seed": 1}, {"label": "a", "seed": 2}], "the label 'a' stands twice"),
        ([{"label": "a", "name": "b"}], "'name' does not change what is measured"),
        ([{"label": "a", "train.batchsize": 2}], "{'variant': 'a'}: unknown key 'train.batchsize'"),
        ([{"label": "a", "train.batch_size": 4096}], "train.batch_size is 4096; expected at most"),
        ([{"label": str(n), "seed": n} for n in range(1000)], "1001 = 1001 combinations, above 1000"),
    ],
)
def test_variants_that_cannot_be_run_are_refused_before_anything_is_written(tmp_path, variants, text):
    with pytest.raises(ip.ConfigError) as caught:
        ip.run("szt", tmp_path / "run", variants=variants)
    assert text in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_each_variant_is_to_the_bit_what_it_is_alone(varied, small, tmp_path):
    labels, part = split(varied[1])[1]
    assert labels == {"variant": "batch 64"}
    alone = engine.run(parse(override(small, {"train.batch_size": 64})), tmp_path / "run")
    assert part.drop_attrs(deep=False).identical(alone.drop_attrs(deep=False))


def test_a_variant_with_more_layers_stands_beside_the_others_with_gaps(varied):
    ds = varied[1]
    assert ds["layer"].values.tolist() == ["hidden1", "hidden2", "hidden3", "output"]
    assert ds["information"].sel(variant="base", layer="hidden3").isnull().all()
    assert ds["information"].sel(layer="output").notnull().all()
    assert ds["flags"].dtype == np.int32


def test_a_run_of_variants_that_lost_a_piece_computes_that_one_again(varied, tmp_path, told):
    folder = shutil.copytree(varied[0], tmp_path / "run")
    piece = sorted((folder / "pieces").iterdir())[5]
    piece.write_bytes(piece.read_bytes()[:-10])
    assert engine.resume(folder, told.append).identical(ip.load(varied[0]))
    assert len(told) == 1


@pytest.mark.slow
def test_status_and_diff_know_variants(varied, small, tmp_path):
    assert "4 variants" in status_lines(varied[0])[0]
    engine.run(parse(small | {"variants": VARIANTS[:2]}), tmp_path / "run")
    told = diff(varied[0], tmp_path / "run")
    assert "variant in A only: shuffled labels" in told.labels
    assert told.config == ["variants.shuffled labels.data.shuffle_labels: true → –"]
    assert told.variables == []


def test_a_first_variant_that_changes_nothing_names_the_base():
    config = parse({"variants": [{"label": "tanh"}, {"label": "relu", "model.activation": "relu"}]})
    assert axis_labels(config) == {"variant": ["tanh", "relu"]}
    assert [one.config.model.activation for one in combinations(config)] == ["tanh", "relu"]
    assert combinations(config)[0].config == parse({})
    assert parse(config.tree()) == config


def test_a_changed_variant_is_named():
    a, b = (parse({"variants": [{"label": "small batch", "train.batch_size": size}]}) for size in (64, 32))
    assert config_differences(a, b) == ["variants.small batch.train.batch_size: 64 → 32"]


@pytest.mark.slow
def test_a_variant_keeps_its_convolutions_before_the_layers_it_shares_with_deeper_ones(tmp_path):
    keys = {
        "members": 1,
        "data": {"name": "digits"},
        "model": {"hidden": [3, 3, 3]},
        "train": {"epochs": 1, "batch_size": 1024},
        "schedule": {"kind": "list", "epochs": [0]},
        "measure": {"rows": 50},
        "estimators": ["binning"],
        "variants": [
            {"label": "deep"},
            {"label": "conv", "model.kind": "conv", "model.hidden": [3], "model.filters": [2, 2]},
        ],
    }
    (_, deep), (_, conv) = split(engine.run(parse(keys), tmp_path / "run"))
    assert deep["layer"].values.tolist() == ["hidden1", "hidden2", "hidden3", "output"]
    assert conv["layer"].values.tolist() == ["conv1", "conv2", "hidden1", "output"]
    assert conv["information"].notnull().all()
