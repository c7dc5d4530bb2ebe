"""Who saw what in ReLU networks, and why: the same networks by every definition that was used on them."""

from typing import Any

from infoplane.experiments.base import Experiment
from infoplane.experiments.saxe_activations import PAPER, PAPER_NOTE, QUICK, SETTINGS, WIDE
from infoplane.experiments.szt import BINS, KDE

DEFINITIONS: list[dict[str, Any]] = [
    BINS,
    {"name": "binning", "bins": 100, "edges": "fixed", "low": 0.0, "high": 10.0},
    {"name": "binning", "bins": 30, "edges": "layer"},
    {"name": "binning", "bins": 100, "edges": "run"},
    {"name": "binning", "bins": 30, "edges": "quantile"},
    {"name": "binning", "bins": 30, "edges": "adaptive"},
    WIDE,
    *(KDE | {"variance": variance} for variance in (1e-3, 1e-1, 1.0)),
]
"""IDNNs' bins, which hold [−1, 1]; what their users put in place of them; bins that follow the layer or the run; of
equal mass; without limits; noise from Saxe et al.'s to a hundred and a thousand times as much."""

SAXE_RELU_BINS = Experiment(
    name="saxe-relu-bins",
    title="the same relu networks by ten definitions: which of them clip, and which compress",
    source="Shwartz-Ziv & Tishby's code, Saxe et al. 2018 and Chelombiev et al. 2019 on rectified networks",
    config=SETTINGS
    | {
        "model": SETTINGS["model"] | {"activation": "relu"},
        "schedule": {"kind": "log", "points": 60},
        "estimators": DEFINITIONS,
        "measure": SETTINGS["measure"] | {"histograms": True},
    },
    quick=QUICK | {"schedule": {"kind": "log", "points": 30}},
    paper=PAPER,
    paper_note=PAPER_NOTE,
    figures=("bins", "histograms", "compression", "training"),
    claims=(
        "clipping-makes-compression",
        "no-compression-relu",
    ),
)
