"""One to six hidden layers: whether more layers compress sooner and more."""

from infoplane.experiments.base import Experiment
from infoplane.experiments.szt import BINS, KDE, PAPER, PAPER_NOTE, SETTINGS

WIDTHS = (10, 7, 5, 4, 3, 3)
"""Units of the hidden layers; those of IDNNs, whose deepest packaged net has five, and a sixth as wide as the fifth."""

SZT_DEPTH = Experiment(
    name="szt-depth",
    title="one to six hidden layers: whether more layers compress sooner",
    source="Shwartz-Ziv & Tishby 2017, figure 5; layers as in their public code (IDNNs)",
    config=SETTINGS
    | {
        "members": 20,
        "group_width": 10,
        "model": SETTINGS["model"] | {"hidden": [*WIDTHS[:1]]},
        "estimators": [BINS, KDE],
        "measure": {"sparse": ["kde"], "points": 60},
        "variants": [
            {"label": "1 hidden layer"},
            *({"label": f"{n} hidden layers", "model.hidden": [*WIDTHS[:n]]} for n in range(2, 7)),
        ],
    },
    quick={"members": 4, "group_width": 4, "train": {"epochs": 1000}, "measure": {"points": 8}},
    paper=PAPER,
    paper_note=f"{PAPER_NOTE}; the paper does not print the widths of its six nets",
    figures=("variants", "compression"),
    claims=(
        "depth-compresses-sooner",
        "depth-learns-sooner",
    ),
)
