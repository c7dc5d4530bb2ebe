"""Networks with noise on every hidden unit: I(X;T) is finite, and no estimator decides what compression is."""

from typing import TYPE_CHECKING

from infoplane.experiments.base import Experiment

if TYPE_CHECKING:
    from infoplane.runs.computed import Computation


def _computation() -> "Computation":
    from infoplane.experiments.networks import noisy

    return noisy.COMPUTATION


NOISY = Experiment(
    name="noisy",
    title="networks with Gaussian noise on every hidden unit, tanh and ReLU, at several strengths",
    source="Goldfeld et al. (2019)",
    config={},
    quick={
        "members": 2,
        "train": {"epochs": 200, "learning_rate": 2e-3},
        "measure": {"points": 3, "passes": 4, "queries": 100},
        "betas": [0.03, 0.1],
    },
    paper={},
    paper_note="not all settings of the paper are known to us: those of training are ours, and nothing changes",
    figures=("noise", "strengths"),
    claims=(
        "noisy-tanh-compresses",
        "noisy-relu-compresses",
        "noisy-compression-keeps-label",
        "noisy-more-noise-less-information",
    ),
    computation=_computation,
)
