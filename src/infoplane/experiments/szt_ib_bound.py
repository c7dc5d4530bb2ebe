"""Converged layers against the information bottleneck's bound: Shwartz-Ziv & Tishby's figure 7."""

from infoplane.experiments.base import Experiment
from infoplane.experiments.szt import BINS, KDE, PAPER, PAPER_NOTE, SETTINGS

SZT_IB_BOUND = Experiment(
    name="szt-ib-bound",
    title="converged layers against the bound of the information bottleneck",
    source="Shwartz-Ziv & Tishby 2017, figure 7",
    config=SETTINGS
    | {
        "members": 20,
        "group_width": 10,
        "schedule": {"kind": "log", "points": 60},
        "estimators": [BINS, KDE],
        "measure": {"sparse": ["kde"], "points": 13},
    },
    quick={
        "members": 4,
        "group_width": 2,
        "train": {"epochs": 1000},
        "schedule": {"kind": "list", "epochs": [0, 1, 3, 10, 30, 100, 300, 1000]},
    },
    paper=PAPER,
    paper_note=PAPER_NOTE,
    figures=("bound", "plane"),
    claims=(
        "near-bound-label",
        "near-bound-input",
        "layers-in-order-input",
        "layers-in-order-label",
    ),
)
