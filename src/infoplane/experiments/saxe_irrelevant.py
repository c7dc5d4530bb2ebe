"""A linear student of a teacher that ignores most inputs: what is known of these falls while the total rises."""

from typing import TYPE_CHECKING

from infoplane.experiments.base import Experiment

if TYPE_CHECKING:
    from infoplane.runs.computed import Computation


def _computation() -> "Computation":
    from infoplane.experiments.exact import linear

    return linear.of("saxe-irrelevant")


SAXE_IRRELEVANT = Experiment(
    name="saxe-irrelevant",
    title="30 inputs that matter and 70 that do not, linear: exact information on each",
    source="Saxe et al. 2018, figure 6",
    config={"data": {"relevant": 30}, "model": {"scale": 0.3}, "measure": {"variance": 0.1}},
    quick={"members": 4, "train": {"epochs": 1000}},
    paper={},
    paper_note="the paper's exact sizes are not at hand: these settings are ours, and keys; nothing changes",
    figures=("relevance", "errors", "plane"),
    claims=(
        "irrelevant-falls",
        "relevant-rises",
        "total-rises-with-irrelevant-inputs",
        "linear-generalises-without-compression",
    ),
    computation=_computation,
)
