"""Full batch against mini-batches: whether compression needs the noise of the gradients."""

from infoplane.experiments.base import Experiment
from infoplane.experiments.saxe_activations import PAPER, PAPER_NOTE, QUICK, SETTINGS

FULL = 3277
"""Rows that 80 % of the inputs are: one update an epoch."""

SAXE_BATCH = Experiment(
    name="saxe-batch",
    title="full batch against mini-batches, tanh and relu: whether compression needs noise",
    source="Saxe et al. 2018, figure 5",
    config=SETTINGS
    | {
        "variants": [
            {"label": "tanh, batch 256"},
            {"label": "tanh, full batch", "train.batch_size": FULL},
            {"label": "relu, batch 256", "model.activation": "relu"},
            {"label": "relu, full batch", "model.activation": "relu", "train.batch_size": FULL},
        ],
    },
    quick=QUICK,
    paper=PAPER,
    paper_note=f"{PAPER_NOTE}; a full batch is one update an epoch, a thirteenth of those of mini-batches in both",
    figures=("compression", "variants", "information", "training", "gradients"),
    claims=(
        "full-batch-compresses",
        "noise-adds-little",
    ),
)
