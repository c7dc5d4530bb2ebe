"""A linear student that generalises: its information is known exactly, and estimators are held against it."""

from typing import TYPE_CHECKING

from infoplane.experiments.base import Experiment

if TYPE_CHECKING:
    from infoplane.runs.computed import Computation


def _computation() -> "Computation":
    from infoplane.experiments.exact import linear

    return linear.of("saxe-linear")


SAXE_LINEAR = Experiment(
    name="saxe-linear",
    title="deep linear student of a linear teacher: exact errors and information at every epoch",
    source="Saxe et al. 2018, figure 3",
    config={"measure": {"oracle_samples": 2000}},
    quick={"members": 4, "train": {"epochs": 1000}, "measure": {"oracle_samples": 500, "oracle_points": 4}},
    paper={},
    paper_note="the paper's exact sizes are not at hand: these settings are ours, and keys; nothing changes",
    figures=("errors", "plane", "oracle"),
    claims=("linear-generalises-without-compression",),
    computation=_computation,
)
