"""Verdicts as tables: nothing is lost on the way, numbers have four decimals, the page is whole."""

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest

import infoplane as ip
from infoplane._numbers import digits
from infoplane.errors import InputError
from infoplane.experiments import EXPERIMENTS, configure
from infoplane.experiments.claims import CLAIMS
from infoplane.experiments.claims.again import command
from infoplane.experiments.claims.table import (
    COLUMNS,
    FIELDS,
    Answered,
    brief,
    by_claim,
    picture,
    purpose,
    records,
    row,
    to_csv,
    to_json,
    to_markdown,
)
from infoplane.experiments.side_by_side import beside


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
    assert cells[2] == f"{digits(verdict.estimate)} bits"
    assert cells[3] == f"{digits(verdict.interval[0])} to {digits(verdict.interval[1])}"


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
    assert all(digits(one.estimate) in page for one in answered.asked)
    fitting = next(line for line in lines if line.startswith("| **fitting** "))
    assert "| 2 confirmed | tanh, binning, hidden2: " in fitting
    assert "| plane.png |" in fitting


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS.keys())
def test_every_experiment_is_there_to_decide_claims_that_exist(experiment):
    assert experiment.claims
    assert set(experiment.claims) <= set(CLAIMS)


def test_the_page_of_an_experiment_is_about_its_own_claims(answered):
    own = dataclasses.replace(answered, purpose=("fitting", "mostly-compression", "depth-learns-sooner"))
    lines = [line for line in to_markdown([own]).splitlines() if line.startswith("| **")]
    assert [line.partition("**")[2].partition("**")[0] for line in lines] == ["fitting", "mostly-compression"]
    assert "**depth-learns-sooner**" in to_markdown([own]).partition("## Claims that none")[2]


def test_the_purpose_is_that_of_the_packaged_experiment(network):
    assert purpose(network().assign_attrs(title="szt-depth")) == EXPERIMENTS["szt-depth"].claims
    assert purpose(network().assign_attrs(title="mine")) == ()


def test_claims_can_be_asked_for_by_id(network):
    chosen = ip.claims(network(), ["mostly-compression", "fitting"])
    assert {one.claim.id for one in chosen} == {"fitting", "mostly-compression"}
    with pytest.raises(InputError, match="only: unknown claim 'fiting'; did you mean 'fitting'"):
        ip.claims(network(), ["fiting"])


def test_in_brief_a_claim_has_the_reason_of_its_verdict_or_the_counts(answered):
    lines = {one[0].claim.id: brief(one) for one in by_claim(answered.chosen)}
    assert lines["fitting"].endswith("gain information on the label. 2 confirmed.")
    (only,) = [one for one in answered.chosen if one.claim.id == "survives-estimator"]
    assert lines["survives-estimator"].endswith(f"{only.reason}.")


def test_the_page_names_what_no_run_could_answer(answered):
    left = to_markdown([answered]).partition("## Claims that none of these runs decides")[2]
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


MNIST, OTHERS = "/home/me/data/mnist", "/home/me/some others"
BOTH = beside(
    {
        "digits": {"data.path": None, "data.name": "digits"},
        "mnist": {"data.path": MNIST, "data.name": "mnist"},
        "some others": {"data.path": OTHERS, "data.name": "idx"},
    },
    configure("images").tree(),
)


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("saxe-mnist", {"data.path": MNIST}, f"infoplane run saxe-mnist --data {MNIST}"),
        (
            "images",
            {"data.path": OTHERS, "data.name": "notmnist", "train.epochs": 7},
            f"infoplane run images --data '{OTHERS}' --set data.name=notmnist --set 'train.epochs=7'",
        ),
        ("images", BOTH, f"infoplane run images --data digits --data {MNIST} --data '{OTHERS}'"),
        (
            "images",
            BOTH | {"members": 2, "variants.2.train.epochs": 82, "schedule.points": 12},
            f"infoplane run images --data digits --data {MNIST} --data '{OTHERS}' --members 2 "
            "--set 'schedule.points=12' --set 'variants.2.train.epochs=82'",
        ),
    ],
)
def test_data_are_named_as_they_were_given(network, name, changes, expected):
    config = configure(name, changes=changes)
    ds = network().assign_attrs(title=name, config=config.canonical())
    assert command(ds) == expected
    assert "/home/me" not in command(ds, shown=lambda path: Path(path).name)


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


def test_where_the_figure_was_not_drawn_the_one_that_shows_the_same_is_named(answered):
    fitting = next(one for one in answered.asked if one.claim.id == "fitting")
    beside = dataclasses.replace(answered, figures=("variants.png", "training.png"))
    assert picture(beside, fitting) == "variants.png"
    of_5 = dataclasses.replace(fitting, case="variant=5 %, hidden5")
    drawn = dataclasses.replace(answered, figures=("information-variant=45_.png", "information-variant=5_.png"))
    assert picture(drawn, of_5) == "information-variant=5_.png"


def test_pictures_are_links_where_they_can_be_seen(answered):
    seen = to_markdown([dataclasses.replace(answered, place="images/run")])
    assert "| [plane.png](images/run/plane.png) |" in seen
    assert "[compression" not in seen  # was not drawn


def test_numbers_that_are_not_there_are_empty(network):
    lacking = Answered("a run", "", ip.claims(network(members=1)))
    assert all(one["low"] is None for one in records([lacking]))
    assert not np.isfinite([one.interval for one in lacking.verdicts]).any()
