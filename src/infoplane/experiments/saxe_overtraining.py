"""Compression without generalisation: tanh networks trained on 30 % of the inputs beside 80 %."""

from infoplane.experiments.base import Experiment
from infoplane.experiments.saxe_activations import PAPER, PAPER_NOTE, QUICK, SETTINGS

SAXE_OVERTRAINING = Experiment(
    name="saxe-overtraining",
    title="tanh on 30 % of the inputs beside 80 %: compression where the network generalises badly",
    source="Saxe et al. 2018, figure 4 (tanh)",
    config=SETTINGS
    | {
        "train": SETTINGS["train"] | {"fraction": 0.3},
        "measure": SETTINGS["measure"] | {"parts": ["all", "train", "test"]},
        "variants": [{"label": "30 %"}, {"label": "80 %", "train.fraction": 0.8}],
    },
    quick=QUICK,
    paper=PAPER,
    paper_note=PAPER_NOTE,
    figures=("training", "information", "compression", "variants"),
    claims=(
        "compression-without-generalisation",
        "little-data-loses-label",
    ),
)
