"""Shwartz-Ziv & Tishby's information plane: 50 tanh networks on the 12-bit task."""

from typing import Any

from infoplane.experiments.base import Experiment

BINS: dict[str, Any] = {"name": "binning", "bins": 30, "edges": "idnns"}
"""The bins of IDNNs."""

KDE: dict[str, Any] = {"name": "kde", "variance": 1e-3}
"""The noise of Saxe et al. (2018) for this network; costs a hundred times more than bins."""

SETTINGS: dict[str, Any] = {
    "seed": 0,
    "data": {"name": "szt"},
    "model": {"hidden": [10, 7, 5, 4, 3], "activation": "tanh", "init": "fan-in"},
    "train": {
        "optimizer": "adam",
        "learning_rate": 4e-4,
        "batch_size": 256,
        "epochs": 8000,
        "fraction": 0.8,
        "split": "shuffled",
    },
    "schedule": {"kind": "log"},
}
"""What the experiments on the 12-bit task have in common."""

PAPER: dict[str, Any] = {"train": {"optimizer": "sgd", "learning_rate": 0.05}}
PAPER_NOTE = (
    "the paper says stochastic gradient descent and gives no learning rate (ours: 0.05); its public code "
    "uses Adam with 4e-4"
)

SZT = Experiment(
    name="szt",
    title="the information plane of tanh networks on the 12-bit task: fitting, then compression",
    source="Shwartz-Ziv & Tishby 2017, figures 2 and 3; settings of their public code (IDNNs)",
    config=SETTINGS
    | {
        "members": 50,
        "group_width": 25,  # two groups: the fastest width on two cores (benchmarks/training.py)
        "estimators": [BINS, KDE],
        "measure": {"parts": ["all", "test"], "sparse": ["kde"], "points": 8},  # more would take minutes
    },
    quick={"members": 8, "group_width": 4, "train": {"epochs": 1000}},
    paper=PAPER,
    paper_note=PAPER_NOTE,
    figures=("plane", "snapshots", "information", "training", "gradients", "compression"),
    claims=(
        "fitting",
        "fitting-is-short",
        "compression-tanh-bins",
        "compression-tanh-kde",
        "mostly-compression",
        "below-random-weights",
        "label-is-kept",
        "first-layer-stays",
        "compression-held-out",
        "held-out-label",
        "layers-in-order-input",
        "layers-in-order-label",
    ),
)
