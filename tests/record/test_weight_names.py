"""Weights of a file under the names of a model: prefixes, wrappers, ties."""

from pathlib import Path

import pytest

from infoplane.errors import InputError
from infoplane.record._names import aligned

FILE = Path("epoch-1.pt")

ALIGNED = {
    "equal": (["0.w", "2.w"], ["0.w", "2.w"]),
    "of Lightning": (["model.0.w", "model.2.w"], ["0.w", "2.w"]),
    "of a parallel compiled model": (["module._orig_mod.0.w", "module._orig_mod.0.b"], ["0.w", "0.b"]),
    "the model is wrapped": (["0.w", "2.w"], ["_orig_mod.0.w", "_orig_mod.2.w"]),
    "a part is compiled": (["body._orig_mod.w", "head.w"], ["body.w", "head.w"]),
    "a part of the model is compiled": (["body.w", "head.w"], ["body._orig_mod.w", "head.w"]),
    "one layer alone": (["fc.w", "fc.b"], ["w", "b"]),
    "a head beside the model": (["bert.0.w", "bert.1.w", "cls.w"], ["0.w", "1.w"]),
    "a loss beside the model": (["model.0.w", "loss.w"], ["0.w"]),
    "the model has a prefix": (["0.w", "1.w"], ["net.0.w", "net.1.w"]),
}


@pytest.mark.parametrize(("given", "wanted"), ALIGNED.values(), ids=ALIGNED.keys())
def test_one_prefix_before_every_name_may_differ(given, wanted):
    arrays = {name: place for place, name in enumerate(given)}
    assert aligned(arrays, wanted, FILE) == {name: place for place, name in enumerate(wanted)}


MISFITS = {
    "another name": (["encoder.w", "encoder.b"], ["decoder.w", "decoder.b"]),
    "the end of a name alike": (["xfc.w", "xfc.b"], ["fc.w", "fc.b"]),
    "one missing": (["model.0.w"], ["0.w", "0.b"]),
    "more under the same prefix": (["model.0.w", "model.1.w"], ["0.w"]),
    "more without a prefix": (["0.w", "1.w"], ["0.w"]),
    "the model has a head": (["0.w"], ["bert.0.w", "cls.w"]),
}


@pytest.mark.parametrize(("given", "wanted"), MISFITS.values(), ids=MISFITS.keys())
def test_other_differences_stay_visible(given, wanted):
    assert set(aligned(dict.fromkeys(given, 0), wanted, FILE)) != set(wanted)


def test_weights_that_fit_under_two_prefixes_are_refused():
    given = dict.fromkeys(["student.0.w", "teacher.0.w"], 0)
    with pytest.raises(InputError, match=r"under several prefixes: 'student\.', 'teacher\.'\. Save the weights of one"):
        aligned(given, ["0.w"], FILE)


def test_an_average_beside_the_weights_is_not_taken_for_them():
    given = dict.fromkeys(["0.w", "ema.0.w"], 0)
    with pytest.raises(InputError, match=r"under several prefixes: '', 'ema\.'"):
        aligned(given, ["0.w"], FILE)


TIED = [{"body.embed.w", "head.w"}]


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize("stored", ["body.embed.w", "head.w"])
def test_a_tied_weight_that_is_stored_once_is_found_under_both_names(stored, prefix):
    given = {prefix + stored: 1, f"{prefix}body.0.w": 2}
    wanted = ["body.embed.w", "body.0.w", "head.w"]
    assert aligned(given, wanted, FILE, TIED) == {"body.embed.w": 1, "body.0.w": 2, "head.w": 1}


def test_the_weights_of_a_base_model_fit_a_model_whose_head_is_tied():
    given, wanted = {"embed.w": 1, "0.w": 2}, ["body.embed.w", "body.0.w", "head.w"]
    assert aligned(given, wanted, FILE, TIED) == {"body.embed.w": 1, "body.0.w": 2, "head.w": 1}
