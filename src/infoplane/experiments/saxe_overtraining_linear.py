"""A linear student with as many noisy samples as inputs: it generalises best early, then worse and worse."""

from typing import TYPE_CHECKING

from infoplane.experiments.base import Experiment

if TYPE_CHECKING:
    from infoplane.runs.computed import Computation


def _computation() -> "Computation":
    from infoplane.experiments.exact import linear

    return linear.of("saxe-overtraining-linear")


SAXE_OVERTRAINING_LINEAR = Experiment(
    name="saxe-overtraining-linear",
    title="linear student of few noisy samples: overtraining without compression, exact",
    source="Saxe et al. 2018, figure 4",
    config={"data": {"samples": 100}},
    quick={"members": 4, "train": {"epochs": 2000}},
    paper={},
    paper_note="the paper's exact sizes are not at hand: these settings are ours, and keys; nothing changes",
    figures=("errors", "plane"),
    claims=(
        "linear-overtrains",
        "linear-generalises-best-early",
        "linear-overtrains-without-compression",
    ),
    computation=_computation,
)
