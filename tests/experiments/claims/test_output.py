"""The last hidden layer, in results with the model's output among the layers and without it."""

import json

import numpy as np
import pytest

from infoplane import results
from infoplane.experiments import summary
from infoplane.experiments.claims import claims, view
from infoplane.experiments.claims.base import LackingError

LAYERS = ("conv", "fc", "head")


def recorded(layers=LAYERS, **attributes):
    """Three members of which only layer "fc" compresses: from 6 to 4 bits."""
    information = np.full((1, 3, 3, len(layers), 2), 5.0)
    information[..., 1] = 0.5
    if "fc" in layers:
        information[0, :, :, layers.index("fc"), 0] = [[3.0, 6.0, 4.0 + 0.01 * member] for member in range(3)]
    coords = {
        "estimator": ["binning"],
        "member": np.arange(3),
        "epoch": np.array([0, 5, 40]),
        "layer": list(layers),
        "variable": list(results.VARIABLES),
    }
    variables = {
        "information": (results.INFORMATION_DIMS, information),
        "flags": (results.INFORMATION_DIMS, np.zeros(information.shape, np.int32)),
        "member_flags": (("member",), np.zeros(3, np.int32)),
    }
    entropies = {"input_entropy": 8.0, "label_entropy": 1.0, "label_information": 1.0}
    config = json.dumps({"estimators": [{"name": "binning", "bins": 30}]})
    return results.new(coords, variables, entropies | {"title": "mine", "config": config, "failed": "[]"} | attributes)


def part_of(ds):
    return view.of(ds).parts[0]


def test_the_layer_before_a_recorded_output_is_the_last_hidden_one():
    part = part_of(recorded(output_layer="head"))
    assert (part.output, part.last_hidden, part.hidden) == ("head", "fc", ["conv", "fc"])


def test_without_the_output_the_last_recorded_layer_is_the_last_hidden_one():
    part = part_of(recorded(("conv", "fc"), output_layer=""))
    assert (part.last_hidden, part.hidden) == ("fc", ["conv", "fc"])
    with pytest.raises(LackingError, match="the model's output among the recorded layers"):
        _ = part.output


def test_an_output_that_is_not_the_last_layer_is_no_hidden_layer():
    part = part_of(recorded(("conv", "head", "fc"), output_layer="head"))
    assert (part.output, part.last_hidden) == ("head", "fc")


def test_results_that_do_not_say_take_the_last_layer_as_the_output():
    part = part_of(recorded())
    assert (part.output, part.last_hidden) == ("head", "fc")


@pytest.mark.parametrize(
    ("ds", "layer"), [(recorded(output_layer="head"), "fc"), (recorded(("conv", "fc"), output_layer=""), "fc")]
)
def test_claims_about_the_last_hidden_layer_name_it(ds, layer):
    verdicts = [one for one in claims(ds, ["below-random-weights"]) if one.case]
    assert [one.case.rpartition(", ")[2] for one in verdicts] == [layer]
    assert verdicts[0].estimate == pytest.approx(-1.01)  # 3 at epoch 0, minus the mean 4.01 at the end


def test_an_assumed_output_is_a_remark():
    remark = "the last recorded layer, head, is taken as the model's output: claims about the last hidden layer use fc"
    assert remark in summary.remarks(recorded())
    for known in (recorded(output_layer="head"), recorded(output_layer="")):
        assert not [line for line in summary.remarks(known) if "taken as the model's output" in line]
