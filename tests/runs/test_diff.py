"""What differs between two runs, in configuration and in results."""

import numpy as np
import pytest

import infoplane as ip
from infoplane.runs import engine
from infoplane.runs.config import parse
from infoplane.runs.diff import compare, diff


@pytest.fixture(scope="module")
def other(small, tmp_path_factory):
    """Folder of the small run under another seed and with another epoch measured."""
    folder = tmp_path_factory.mktemp("other") / "run"
    engine.run(parse(small | {"seed": 1, "schedule": {"kind": "list", "epochs": [4, 7]}}), folder)
    return folder


def test_a_run_does_not_differ_from_itself(in_pieces, whole):
    found = diff(in_pieces, in_pieces / "results.nc")
    assert found.none
    assert found.lines == [
        f"no difference: the same configuration, and {len(whole.data_vars)} variables equal to the bit"
    ]


def test_every_key_that_differs_is_named_with_both_values(in_pieces, other):
    assert diff(in_pieces, other).config == ["seed: 0 → 1", "schedule.epochs: [4, 8] → [4, 7]"]


def test_what_only_one_has_is_named(in_pieces, other):
    assert diff(in_pieces, other).labels == ["epoch in A only: 8", "epoch in B only: 7"]


def test_numbers_are_compared_where_both_have_some_and_the_largest_difference_is_placed(whole):
    changed = whole.copy(deep=True)
    at = {"member": 1, "epoch": 8, "layer": "output", "variable": "label"}
    changed["information"].loc[at] += 0.25
    changed["information"].loc[at | {"epoch": 4}] += 0.125
    (line,) = compare(whole, changed.isel(epoch=slice(1, None))).variables
    assert line.startswith(
        "information: 2 of 36 numbers differ, most by 0.25 at estimator binning, member 1, epoch 8, "
    )
    assert compare(whole, changed).identical == [name for name in map(str, whole.data_vars) if name != "information"]


def test_a_number_that_one_side_lacks_is_a_difference(whole):
    changed = whole.copy(deep=True)
    changed["information"].loc[{"member": 0, "epoch": 4}] = float("nan")
    assert compare(whole, changed).variables == ["information: 6 of 48 numbers are missing in one of them"]


@pytest.mark.parametrize("dtype", [object, str])
def test_texts_of_a_recording_are_compared_as_texts(whole, dtype):
    texts = ["few samples"] * whole.sizes["layer"]
    a = whole.assign(reasons=("layer", np.array(texts, dtype)))
    b = a.assign(reasons=("layer", np.array(["other", *texts[1:]], dtype)))
    assert compare(a, a.copy(deep=True)).none
    assert compare(a, b).variables == [f"reasons: 1 of {whole.sizes['layer']} texts differ"]


def test_a_dimension_that_one_side_lacks_is_named(whole):
    swept = whole.expand_dims(seed=[0])
    assert "dimension seed is in B only" in compare(whole, swept).labels


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(ip.StoreError):
        diff(tmp_path, tmp_path)
