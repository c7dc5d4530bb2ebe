"""Reasons of flags in a recording: in memory, in the folder, in the loaded dataset, in the table, in the overview."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import infoplane as ip
from in_process import infoplane
from infoplane.record import Recorder

EARLIER = Path(__file__).with_name("earlier")
"""A recording that an earlier version wrote: its rows hold no reasons."""


@pytest.fixture
def random_labels():
    """Labels that have nothing to do with the inputs."""
    return np.random.default_rng(7).integers(0, 2, 120)


@pytest.fixture
def expected(inputs, random_labels, network):
    """Reasons of the hidden layer at epoch 1, measured directly."""
    direct = ip.layer_information(network(1)(inputs)["hidden"], random_labels, "binning")
    assert "uninformative" in direct.label.flags
    assert "8 shuffles" in direct.label.reason
    return {"input": direct.input.reason, "label": direct.label.reason}


@pytest.fixture
def folder(tmp_path, inputs, random_labels, network):
    """A closed recording of two epochs with a held-out set."""
    recorder = Recorder(
        inputs, random_labels, "binning", "every", out=tmp_path / "run", held_out=(inputs[:60] + 1, random_labels[:60])
    )
    for epoch in range(2):
        recorder.step(epoch, network(epoch))
    recorder.close()
    return tmp_path / "run"


def reasons(ds, name="reasons"):
    here = ds[name].sel(estimator="binning", epoch=1, layer="hidden").squeeze("member")
    return {variable: here.sel(variable=variable).item() for variable in ("input", "label")}


def test_recorder_keeps_the_reasons_of_layer_information(inputs, random_labels, network, expected):
    recorder = Recorder(inputs, random_labels, "binning", "every")
    for epoch in range(2):
        recorder.step(epoch, network(epoch))
    assert reasons(recorder.results()) == expected
    rows = recorder.entries[-1].rows(["binning"])
    (row,) = (row for row in rows if (row.epoch, row.layer, row.variable) == (1, "hidden", "label"))
    assert row.reason == expected["label"]


def test_reasons_are_in_the_rows_of_the_folder(folder, expected):
    lines = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    (line,) = (line for line in lines if line["epoch"] == 1)
    measured = line["sets"]["measured"]
    assert measured["reasons"][0][measured["layers"].index("hidden")] == [expected["input"], expected["label"]]


def test_reasons_are_in_the_loaded_dataset(folder, expected):
    ds = ip.load(folder)
    assert reasons(ds) == expected
    assert ds["reasons"].dims == ds["flags"].dims
    assert "60" not in reasons(ds)["label"]
    assert reasons(ds, "held_out_reasons")["label"] not in ("", expected["label"])


def test_reasons_are_in_the_exported_table(folder, expected):
    code, _, _ = infoplane("export", folder, "--to", "csv")
    assert code == 0
    with (folder / "information.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    (row,) = (row for row in table if (row["epoch"], row["layer"], row["variable"]) == ("1", "hidden", "label"))
    assert row["reasons"] == expected["label"]
    assert "uninformative" in row["flags"].split()


def test_overview_prints_the_reasons_of_the_last_epoch(folder, expected):
    assert expected["label"] in str(ip.show(ip.load(folder)))


def test_a_resumed_recording_keeps_the_reasons_of_the_epochs_before(folder, inputs, random_labels, network, expected):
    recorder = Recorder(
        inputs, random_labels, "binning", "every", out=folder, held_out=(inputs[:60] + 1, random_labels[:60])
    )
    recorder.step(2, network(2))
    recorder.close()
    assert list(ip.load(folder)["epoch"].values) == [0, 1, 2]
    assert reasons(ip.load(folder)) == expected


def test_values_without_flags_have_no_reason(inputs, labels, network):
    recorder = Recorder(inputs, labels, {"name": "binning", "bins": 4}, "every")
    recorder.step(0, network())
    ds = recorder.results()
    unflagged = ds["flags"].values == 0
    assert unflagged.any()
    assert (ds["reasons"].values[unflagged] == "").all()


def test_a_folder_of_an_earlier_version_has_empty_reasons(tmp_path):
    shutil.copytree(EARLIER, tmp_path / "run")
    assert "reasons" not in (tmp_path / "run" / "rows.jsonl").read_text()
    ds = ip.load(tmp_path / "run")
    assert (ds["reasons"].values == "").all()
    assert "reason at the end" not in str(ip.show(ds))
    code, _, _ = infoplane("export", tmp_path / "run", "--to", "csv")
    assert code == 0
