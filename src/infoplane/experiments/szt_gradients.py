"""Drift and diffusion: gradients and information of tanh, rectified and linear networks."""

from infoplane.experiments.base import Experiment
from infoplane.experiments.szt import BINS, KDE, PAPER, PAPER_NOTE, SETTINGS

SZT_GRADIENTS = Experiment(
    name="szt-gradients",
    title="the two phases of the gradients, and whether compression comes with them: tanh, relu, linear",
    source="Shwartz-Ziv & Tishby 2017, figure 4; Saxe et al. 2018, appendix on the signal-to-noise ratio",
    config=SETTINGS
    | {
        "members": 20,
        "group_width": 10,
        "estimators": [BINS, KDE],
        "measure": {"sparse": ["kde"], "points": 60},
        "variants": [
            {"label": "tanh"},
            {"label": "relu", "model.activation": "relu"},
            {"label": "linear", "model.activation": "linear"},
            {"label": "tanh, shuffled labels", "data.shuffle_labels": True},
        ],
    },
    quick={"members": 4, "group_width": 4, "train": {"epochs": 1000}, "measure": {"points": 10}},
    paper=PAPER,
    paper_note=PAPER_NOTE,
    figures=("gradients", "variants", "compression", "information"),
    claims=(
        "gradient-transition-tanh",
        "gradient-transition-relu-linear",
        "transition-before-compression",
        "compression-relu-bins",
        "compression-relu-kde",
        "true-labels-compress-more",
        "survives-activation",
    ),
)
