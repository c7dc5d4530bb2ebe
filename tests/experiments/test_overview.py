"""A result at a glance: its numbers, its sentences, its claims; hostile names as text."""

import json

import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane.experiments.claims import CLAIMS

HOSTILE = "<script>alert('x')</script>"


def result(title="toy", layers=("hidden1", "output"), failed=()):
    """Two members, three epochs: the first layer keeps 8 bits, the second rises from 2 to 5 and falls to 3."""
    information = np.empty((1, 2, 3, 2, 2))
    information[..., 0, 0], information[..., 0, 1] = 7.0, 1.0
    information[0, :, :, 1, 0], information[0, :, :, 1, 1] = [2.0, 5.0, 3.0], [0.25, 0.5, 0.75]
    coords = {
        "estimator": ["binning"],
        "member": [0, 1],
        "epoch": np.array([0, 1, 9]),
        "layer": list(layers),
        "variable": list(results.VARIABLES),
    }
    variables = {
        "information": (results.INFORMATION_DIMS, information),
        "member_flags": (("member",), np.zeros(2, np.int32)),
        "flags": (results.INFORMATION_DIMS, np.zeros(information.shape, np.int32)),
    }
    entropies = {"input_entropy": 8.0, "label_entropy": 1.0, "label_information": 1.0}
    config = {"estimators": [{"name": "binning", "bins": 30, "edges": "idnns"}]}
    attributes = {"title": title, "n_distinct": 256, "config": json.dumps(config), "failed": json.dumps(list(failed))}
    return results.new(coords, variables, attributes | entropies)


def test_a_layer_shows_its_start_its_peak_its_end_and_a_sentence():
    table = ip.show(result()).tables[0]
    assert table.title == "binning: bins 30, edges idnns (bits)"
    assert table.rows[1] == [
        "output", "2.000", "5.000", "epoch 1", "3.000", "0.7500", "rises to 5.0 by epoch 1, then loses 2.0 ± 0.0 bits"
    ]  # fmt: skip


def test_print_and_the_notebook_show_the_same_words():
    shown = ip.show(result())
    page = shown._repr_html_()
    for words in ("toy  ·  2 members", "binning: bins 30", "rises to 5.0 by epoch 1"):
        assert words in str(shown)
        assert words in page
    assert repr(shown) == str(shown)


def test_what_failed_is_said():
    assert ip.show(result(failed=[{}, {}])).remarks[0] == "partial: 2 tasks failed; infoplane resume tries them again"


def test_claims_that_have_numbers_are_shown():
    claims = ip.show(result()).tables[-1]
    assert claims.title.startswith("claims of the papers (")
    assert {row[1] for row in claims.rows} <= {"confirmed", "denied", "not decided"}


def test_hostile_names_are_text():
    shown = ip.show(result(title=HOSTILE, layers=(HOSTILE, "output")))
    assert HOSTILE in str(shown)
    assert "<script" not in shown._repr_html_()


def test_what_is_no_result_is_refused():
    with pytest.raises(ip.InputError, match=r"ds is of type dict; expected a result, as from ip.load\(folder\)"):
        ip.show({})


def test_one_member_has_no_page_of_claims_without_an_interval():
    shown = ip.show(result().isel(member=[0]))
    assert [table for table in shown.tables if table.title.startswith("claims")] == []


def test_the_claims_that_do_not_concern_a_result_are_a_count():
    table = ip.show(result()).tables[-1]
    listed = {row[0] for row in table.rows}
    count = int(table.title.partition("(")[2].partition(" ")[0])
    assert count == len(CLAIMS) - len(listed)
    assert "ip.claims(ds) lists all" in table.title


def test_a_layer_without_numbers_has_no_row():
    ds = result()
    ds["information"][:, :, :, 0] = np.nan
    assert [row[0] for row in ip.show(ds).tables[0].rows] == ["output"]
