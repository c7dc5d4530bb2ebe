"""A run of groups of networks that is stopped goes on to the same bits, and says how many groups are done."""

import os
import signal

import pytest

import infoplane as ip
from infoplane.experiments.networks import quantised
from infoplane.runs.status import status_lines

SMALL = {"bits": [8], "train.epochs": 2, "members": 3, "estimators": ["exact"]}

pytestmark = pytest.mark.slow


def test_a_stopped_run_goes_on_to_the_same_bits(few_levels_keys, tmp_path, monkeypatch):
    keys = few_levels_keys | SMALL
    of, asked = quantised.compute, []

    def compute(settings, piece):
        asked.append(piece)
        if len(asked) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return of(settings, piece)

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(quantised, "COMPUTATION", quantised.Computation(
            "quantised", quantised.QuantisedSettings, compute, quantised.assemble))  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            ip.run("quantised", folder, **keys)
    assert status_lines(folder)[1] in [f"done: {done} of 3 groups of networks" for done in (1, 2)]  # one may be dropped
    assert bool(ip.load(folder)["information"].isel(member=2).isnull().all())
    went_on, whole = ip.resume(folder), ip.run("quantised", tmp_path / "whole", **keys)
    assert went_on.drop_attrs().identical(whole.drop_attrs())
    assert status_lines(folder)[1] == "done: 3 of 3 groups of networks"
