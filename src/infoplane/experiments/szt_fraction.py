"""Less data: networks trained on 5, 45 and 85 % of the inputs, measured on those inputs and on the rest."""

from infoplane.experiments.base import Experiment
from infoplane.experiments.szt import BINS, KDE, PAPER, PAPER_NOTE, SETTINGS

SZT_FRACTION = Experiment(
    name="szt-fraction",
    title="training on 5, 45 and 85 % of the inputs: what little data costs, on trained and on held-out inputs",
    source="Shwartz-Ziv & Tishby 2017, figures 3 and 6",
    config=SETTINGS
    | {
        "members": 20,
        "group_width": 10,
        "train": SETTINGS["train"]
        | {"batch_size": 128, "fraction": 0.05},  # 5 % are 205 rows, fewer than the usual mini-batch
        "estimators": [BINS, KDE],
        "measure": {"parts": ["all", "train", "test"], "sparse": ["kde"], "points": 60},
        "variants": [
            {"label": "5 %"},
            {"label": "45 %", "train.fraction": 0.45},
            {"label": "85 %", "train.fraction": 0.85},
            {"label": "85 %, shuffled labels", "train.fraction": 0.85, "data.shuffle_labels": True},
        ],
    },
    quick={"members": 4, "group_width": 4, "train": {"epochs": 1000}, "measure": {"points": 8}},
    paper=PAPER,
    paper_note=f"{PAPER_NOTE}; the mini-batch is 128 in both, since 5 % of the inputs are 205 rows",
    figures=("variants", "compression", "information", "training"),
    claims=(
        "little-data-loses-label",
        "more-data-more-label",
        "compression-held-out",
        "held-out-label",
    ),
)
