"""One unit of a normal input: how its binned information depends on its weight and its activation."""

from typing import TYPE_CHECKING

from infoplane.experiments.base import Experiment

if TYPE_CHECKING:
    from infoplane.runs.computed import Computation


def _computation() -> "Computation":
    from infoplane.experiments.exact.minimal import COMPUTATION

    return COMPUTATION


SAXE_MINIMAL = Experiment(
    name="saxe-minimal",
    title="one unit f(w x) of a normal input: exact information against the weight, by several bins",
    source="Saxe et al. 2018, figure 2",
    config={},
    quick={"members": 4, "points": 31},
    paper={},
    paper_note="the paper gives no other settings than these bins; nothing changes",
    figures=("minimal",),
    claims=(
        "one-tanh-unit-falls",
        "one-tanh-unit-ends-at-one-bit",
        "one-unbounded-unit-grows",
    ),
    computation=_computation,
)
