"""The command that holds runs against claims: tables, exports, exit codes."""

import csv
import io
import json
import re

import pytest

from in_process import infoplane
from infoplane.experiments.claims import CLAIMS

SMALL = ["--members", "2", "--set", "train.epochs=6", "--set", "model.hidden=[4, 3]", "--set", "train.batch_size=1024"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small finished run without figures, which take seconds."""
    place = tmp_path_factory.mktemp("runs") / "mein Lauf µ"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infoplane.experiments.draw_figures", lambda *_, **__: [])
        assert infoplane("run", "szt", *SMALL, "--set", 'estimators=["binning"]', "--out", place)[0] == 0
    return place


def test_a_run_gets_a_table_with_four_digits_and_what_it_lacks(folder):
    code, out, err = infoplane("claims", folder)
    assert (code, err) == (0, "")
    assert re.search(r"^fitting +tanh, binning, hidden2 +-?\d+(\.\d{1,4})? bits", out, re.MULTILINE)
    assert re.search(r"^mein Lauf µ: \d+ confirmed, \d+ denied, \d+ not decided$", out, re.MULTILINE)
    assert "fitting-is-short: needs at least 2000 epochs of training; this run has 6" in out


def test_claims_that_do_not_concern_the_run_are_a_count_until_all_are_asked_for(folder):
    own, every = (infoplane("claims", folder, *option)[1] for option in ([], ["--all"]))
    listed = {id_ for id_ in CLAIMS if re.search(rf"^ *{re.escape(id_)}[ :]", own, re.MULTILINE)}
    assert f"{len(CLAIMS) - len(listed)} other claims do not concern this run; --all lists them" in own
    assert {id_ for id_ in CLAIMS if re.search(rf"^ *{re.escape(id_)}[ :]", every, re.MULTILINE)} == set(CLAIMS)
    assert "--all" not in every


def test_several_folders_have_a_table_each(folder):
    _, out, _ = infoplane("claims", folder, folder / "results.nc")
    assert out.count("mein Lauf µ: infoplane run szt") == 2


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_exports_hold_every_claim(folder, option):
    code, out, _ = infoplane("claims", folder, option)
    records = json.loads(out) if option == "--json" else list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert {one["id"] for one in records} == set(CLAIMS)
    assert {one["run"] for one in records} == {"mein Lauf µ"}


def test_markdown_is_the_page_of_reproductions(folder):
    code, out, _ = infoplane("claims", folder, "--markdown")
    assert code == 0
    assert out.startswith("# Reproductions\n")
    assert "| **fitting** " in out


def test_what_is_no_run_ends_with_2_and_a_line(tmp_path):
    code, out, err = infoplane("claims", tmp_path)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"infoplane: .*no results there; expected a run's folder or its results.nc\n", err)


def test_two_formats_at_once_are_refused(folder):
    assert infoplane("claims", folder, "--json", "--csv")[0] == 2


def test_without_a_folder_it_says_what_is_missing():
    code, _, err = infoplane("claims")
    assert code == 2
    assert "DIR" in err
