"""Saxe et al.'s information plane: five activations, by bins 0.07 wide and with Gaussian noise."""

from typing import Any

from infoplane.experiments.base import Experiment
from infoplane.experiments.szt import KDE
from infoplane.experiments.szt import SETTINGS as SZT_SETTINGS

WIDE: dict[str, Any] = {"name": "binning", "edges": "width", "width": 0.07}
"""Bins 0.07 wide without limits, as in Saxe et al.'s code: nothing is clipped, whatever the activation."""

SETTINGS: dict[str, Any] = SZT_SETTINGS | {
    "members": 20,
    "group_width": 10,
    "model": SZT_SETTINGS["model"] | {"init": "fan-out", "output_init": "keras"},
    "train": SZT_SETTINGS["train"] | {"epochs": 10000},
    "schedule": {"kind": "piecewise"},
    "estimators": [WIDE, KDE],
    "measure": {"sparse": ["kde"], "points": 60},
}
"""What the experiments on Saxe et al.'s networks have in common: their public code (ibsgd)."""

QUICK: dict[str, Any] = {
    "members": 4,
    "group_width": 4,
    "train": {"epochs": 1000},
    "schedule": {"kind": "log", "points": 40},
    "measure": {"points": 6},
}

PAPER: dict[str, Any] = {"train": {"optimizer": "sgd", "learning_rate": 0.05}}
PAPER_NOTE = (
    "the paper speaks of stochastic gradient descent, its public code uses Adam with 4e-4 (our rate for descent: "
    "0.05); it averages 50 networks (--members 50), which takes two and a half times as long"
)

SAXE_ACTIVATIONS = Experiment(
    name="saxe-activations",
    title="which activations compress: tanh, relu, softsign, softplus, linear, by bins and with Gaussian noise",
    source="Saxe et al. 2018, figure 1 and appendix; settings of their public code (ibsgd)",
    config=SETTINGS
    | {
        "measure": SETTINGS["measure"] | {"histograms": True},
        "variants": [
            {"label": "tanh"},
            *({"label": name, "model.activation": name} for name in ("relu", "softsign", "softplus", "linear")),
        ],
    },
    quick=QUICK,
    paper=PAPER,
    paper_note=PAPER_NOTE,
    figures=("compression", "variants", "gradients", "information", "histograms", "training"),
    claims=(
        "compression-tanh-bins",
        "compression-tanh-kde",
        "no-compression-relu",
        "no-compression-softplus",
        "no-compression-linear",
        "tanh-compresses-more",
        "softsign-compresses-weakly",
        "compression-is-saturation",
        "estimators-agree",
        "generalisation-without-compression",
        "gradient-transition-relu-linear",
        "transition-without-compression",
    ),
)
