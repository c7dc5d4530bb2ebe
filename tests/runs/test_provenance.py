"""Going on with a run under another configuration, other versions or other data is refused, with the difference."""

import json

import pytest

import infoplane as ip
from infoplane.runs import engine, provenance
from infoplane.runs.config import parse
from infoplane.runs.diff import compare
from infoplane.runs.store import Store


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"train.epochs": 13}, "train.epochs: 12 → 13"),
        ({"seed": 1, "model.activation": "relu"}, 'seed: 0 → 1; model.activation: "tanh" → "relu"'),
        ({"estimators.0.bins": 50}, "estimators.0.bins: – → 50"),
        ({"estimators": ["kde"]}, 'estimators.0.name: "binning" → "kde"'),
        ({"sweep": {"seed": [0, 1]}}, "sweep.seed: – → [0, 1]"),
        ({"name": "other"}, 'name: "run" → "other"'),
    ],
)
def test_a_changed_configuration_is_refused_key_by_key(in_pieces, changes, text):
    with pytest.raises(ip.StoreError) as caught:
        ip.resume(in_pieces, **changes)
    assert f": {text}; undo that, or start a new run beside it with --force-new" in str(caught.value)


def test_the_same_values_and_another_bound_on_memory_are_no_change(whole, in_pieces):
    assert engine.resume(in_pieces, overrides={"train.epochs": 12, "memory": 10**9}).identical(whole)


def test_another_version_of_a_package_is_refused(in_pieces, monkeypatch):
    now = provenance.versions()
    monkeypatch.setattr(provenance, "versions", lambda: now | {"numpy": "9.9"})
    with pytest.raises(ip.StoreError, match=f'versions.numpy: "{now["numpy"]}" → "9.9"'):
        engine.resume(in_pieces)


def test_another_flag_of_xla_is_refused_and_named_by_diff(whole, in_pieces, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    line = 'versions.XLA_FLAGS: – → "--xla_cpu_enable_fast_math=true"'
    with pytest.raises(ip.StoreError, match=line):
        engine.resume(in_pieces)
    other = whole.assign_attrs(versions=json.dumps(provenance.versions()))
    assert compare(whole, other).config == [line]


def test_other_data_under_the_same_name_are_refused(in_pieces, monkeypatch):
    from infoplane import data
    from infoplane.data.szt import szt

    def changed(**params):
        dataset = szt(**params)
        dataset.inputs[0, 0] = 0.5
        return dataset

    monkeypatch.setitem(data.DATASETS, "szt", changed)
    with pytest.raises(ip.StoreError, match=r"data 'szt' \(SHA-256\): [0-9a-f]{12}… → [0-9a-f]{12}…"):
        engine.resume(in_pieces)


def test_force_new_starts_beside_and_the_old_rows_keep_their_provenance(whole, in_pieces, monkeypatch):
    monkeypatch.setattr("infoplane.experiments.draw_figures", lambda *_, **__: [])
    before = (in_pieces / "run.json").read_bytes()
    ds = ip.resume(in_pieces, force_new=True, seed=1)
    beside = in_pieces.with_name("run-2")
    assert ds.attrs["folder"] == str(beside)
    assert Store.open(beside).config == parse(Store.open(in_pieces).config.tree() | {"seed": 1})
    assert (in_pieces / "run.json").read_bytes() == before
    assert ip.load(in_pieces).identical(whole)


def test_force_new_on_a_place_that_is_free_takes_it(tmp_path):
    from infoplane.experiments import place

    assert place(tmp_path / "run", force_new=True) == tmp_path / "run"


def test_run_json_says_what_the_numbers_come_from(in_pieces):
    about = Store.open(in_pieces).about
    assert about["versions"] == provenance.versions()
    assert about["threads"] >= 1
    assert [len(digest) for digest in about["data"].values()] == [64]


def test_differences_name_what_only_one_side_has():
    assert provenance.differences({"a": 1, "b": 2}, {"b": 3, "c": None}) == ["a: 1 → –", "b: 2 → 3", "c: – → –"]
