"""Networks whose activations lie on few levels: what layers know is counted, and nobody chooses bins."""

from typing import TYPE_CHECKING

from infoplane.experiments.base import Experiment

if TYPE_CHECKING:
    from infoplane.runs.computed import Computation


def _computation() -> "Computation":
    from infoplane.experiments.networks import quantised

    return quantised.COMPUTATION


QUANTISED = Experiment(
    name="quantised",
    title="networks on 2, 4 and 8 bits and in floats, tanh and ReLU: exact information, beside bins and noise",
    source="Lorenzen, Igel & Nielsen (2022)",
    config={},
    quick={
        "members": 2,
        "train": {"epochs": 1000, "learning_rate": 1e-3},
        "quantize": {"calibrate": 200},
        "measure": {"points": 2, "costly_points": 2},
    },
    paper={"members": 50},
    paper_note=(
        "the paper repeats 50 times and replaces networks that do not learn; here they stay, dead ones are counted. "
        "Its activations are quantised with ranges that follow the layer to the end of the training"
    ),
    figures=("levels", "precisions", "plane"),
    claims=(
        "quantised-fitting-in-all-layers",
        "quantised-output-compresses",
        "quantised-tanh-hidden-compresses",
        "quantised-relu-hidden-stays",
        "quantised-8-bits-as-accurate",
        "quantised-bins-differ",
    ),
    computation=_computation,
)
