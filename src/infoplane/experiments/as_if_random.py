"""Weights as a distribution: information of layers that is lost where the clouds of different inputs overlap."""

from typing import TYPE_CHECKING

from infoplane.experiments.base import Experiment

if TYPE_CHECKING:
    from infoplane.runs.computed import Computation


def _computation() -> "Computation":
    from infoplane.experiments.clouds import compute

    return compute.COMPUTATION


AS_IF_RANDOM = Experiment(
    name="as-if-random",
    title="networks as if their weights were random: windows of training, branches, independent trainings",
    source="the code infonet (2019), whose stored results stand beside",
    config={},
    quick={
        "members": 2,
        "train": {"epochs": 150},
        "window": {"length": 20, "ends": [20, 100, 1050], "lengths": [5, 20]},
        "measure": {"inputs": 100, "queries": 100},
        "estimators": ["ross", {"name": "binning", "bins": 30, "edges": "layer"}],
    },
    paper={},
    paper_note="there is no paper; the settings are those of the code, and nothing changes",
    figures=("windows", "lengths", "clouds", "plane"),
    claims=(
        "late-layers-compress-relu",
        "late-layers-compress-tanh",
        "windows-lose-more-than-updates",
        "window-loss-is-no-bias",
        "branch-agrees-with-window",
    ),
    computation=_computation,
)
