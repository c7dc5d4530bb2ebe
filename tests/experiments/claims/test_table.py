"""Verdicts as tables: nothing is lost on the way, numbers have four decimals, the page is whole."""

import csv
import io
import json

import numpy as np
import pytest

import infoplane as ip
from infoplane.experiments import configure
from infoplane.experiments.claims import CLAIMS
from infoplane.experiments.claims.table import (
    COLUMNS,
    FIELDS,
    Answered,
    command,
    records,
    row,
    to_csv,
    to_json,
    to_markdown,
)


@pytest.fixture(scope="module")
def answered(network):
    return Answered("a run", "infoplane run szt", ip.claims(network()), ("information.png", "plane.png"))


def test_every_claim_is_in_the_records(answered):
    assert {one["id"] for one in records([answered])} == set(CLAIMS)
    assert all(set(one) == set(FIELDS) for one in records([answered]))


def test_a_row_has_an_entry_for_each_heading_and_four_decimals(answered):
    verdict = next(one for one in answered.asked if one.claim.id == "fitting")
    cells = row(verdict)
    assert len(cells) == len(COLUMNS)
    assert cells[2] == f"{verdict.estimate:.4f} bits"
    assert cells[3] == f"{verdict.interval[0]:.4f} to {verdict.interval[1]:.4f}"


def test_asked_and_lacking_are_all_there_is(answered):
    assert len(answered.asked) + len(answered.lacking) == len(answered.verdicts)
    assert all(one.reason.startswith("needs") for one in answered.lacking)


def test_csv_reads_back(answered):
    rows = list(csv.DictReader(io.StringIO(to_csv([answered]))))
    assert [one["id"] for one in rows] == [one["id"] for one in records([answered])]
    known = [one["estimate"] for one in records([answered])]
    assert [float(one["estimate"]) if one["estimate"] else None for one in rows] == known


def test_json_reads_back_and_has_no_nan(answered):
    text = to_json([answered])
    assert json.loads(text) == records([answered])
    assert "NaN" not in text


def test_the_page_has_a_row_for_each_claim_with_numbers_figure_and_command(answered):
    page = to_markdown([answered])
    lines = [line for line in page.splitlines() if line.startswith("| **")]
    assert len(lines) == len({one.claim.id for one in answered.asked})
    assert all(line.count(" | ") == 5 and line.endswith("| `infoplane run szt` |") for line in lines)
    assert all(f"{one.estimate:.4f}" in page for one in answered.asked)
    fitting = next(line for line in lines if line.startswith("| **fitting** "))
    assert "| 2 confirmed | tanh, binning, hidden2: " in fitting
    assert "| plane.png |" in fitting


def test_the_page_names_what_no_run_could_answer(answered):
    left = to_markdown([answered]).partition("## Not decided by any of these runs")[2]
    assert "**little-data-loses-label**" in left
    assert "needs networks that differ in train.fraction" in left
    assert "**fitting**" not in left


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "infoplane run szt"),
        ({"quick": True}, "infoplane run szt --quick"),
        ({"as_paper": True}, "infoplane run szt --as paper"),
        ({"quick": True, "changes": {"members": 3}}, "infoplane run szt --quick --members 3"),
        (
            {"changes": {"model.activation": "relu"}},
            "infoplane run szt --set 'model.activation=\"relu\"'",
        ),
        (
            {"changes": {"sweep": {"train.fraction": [0.5, 0.8]}}},
            "infoplane run szt --sweep 'train.fraction=[0.5, 0.8]'",
        ),
    ],
)
def test_the_command_is_the_one_that_makes_the_run(network, options, expected):
    config = configure("szt", **options)
    ds = network().assign_attrs(title="szt", config=config.canonical())
    assert command(ds) == expected


def test_what_is_no_packaged_experiment_has_its_file_as_command(network):
    assert command(network()) == "infoplane run made-up.toml"
    assert command(network().assign_attrs(config="{}")).startswith("ip.Recorder")


def test_the_picture_is_the_one_of_its_network_and_inputs(sweep):
    verdicts = ip.claims(sweep("model.activation", {"tanh": {}, "relu": {}}))
    names = ("information-activation=relu.png", "information-activation=tanh.png", "plane-held-out.png", "plane.png")
    shown = {one["id"]: one["figure"] for one in records([Answered("a run", "", verdicts, names)])}
    assert shown["compression-relu-bins"] == "information-activation=relu.png"
    assert shown["fitting"] == "plane.png"
    assert shown["survives-seed"] == "compression"  # not drawn: its own name


def test_numbers_that_are_not_there_are_empty(network):
    lacking = Answered("a run", "", ip.claims(network(members=1)))
    assert all(one["low"] is None for one in records([lacking]))
    assert not np.isfinite([one.interval for one in lacking.verdicts]).any()
