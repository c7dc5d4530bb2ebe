"""One factor at a time around Shwartz-Ziv & Tishby's setting: which conclusions survive another choice."""

from typing import Any

from infoplane.experiments.base import Experiment
from infoplane.experiments.szt import BINS, KDE, PAPER, PAPER_NOTE, SETTINGS

DEFINITIONS: list[dict[str, Any]] = [
    BINS,
    KDE,
    *(BINS | {"bins": bins} for bins in (5, 10, 20, 50, 100)),
    BINS | {"edges": "layer"},
    BINS | {"edges": "adaptive"},
    *(KDE | {"variance": variance} for variance in (1e-5, 1e-4, 1e-2, 1e-1, 1.0)),
]
"""Definitions of the number, all measured on the same networks: those of the base; the usual two come first."""

FACTORS: dict[str, dict[str, Any]] = {
    "shuffled labels": {"data.shuffle_labels": True},
    "relu": {"model.activation": "relu"},
    "batch 64": {"train.batch_size": 64},
    "full batch": {"train.batch_size": 3277},
    "rate 1e-4": {"train.learning_rate": 1e-4},
    "rate 2e-3": {"train.learning_rate": 2e-3},
    "half width": {"model.hidden": [5, 4, 3, 2, 2]},
    "double width": {"model.hidden": [20, 14, 10, 8, 6]},
    "seed 1": {"seed": 1},
    "fan-out": {"model.init": "fan-out"},
    "glorot": {"model.init": "glorot"},
    "keras": {"model.init": "keras"},
    "stratified split": {"train.split": "stratified"},
    "unshuffled split": {"train.split": "unshuffled"},
}
"""What each other variant changes of the networks or their training, all else as in the base."""


def _variants(factors: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the base and variants, which are measured by the usual two definitions."""
    return [{"label": "base"}, *({"label": label, "estimators": [BINS, KDE]} | keys for label, keys in factors.items())]


ROBUSTNESS = Experiment(
    name="robustness",
    title="one factor at a time around szt: bins, noise, rate, batch, widths, seed, initialisation, split, labels",
    source="around Shwartz-Ziv & Tishby 2017; the question of Saxe et al. 2018 and Chelombiev et al. 2019",
    config=SETTINGS
    | {
        "members": 20,
        "group_width": 10,
        "schedule": {"kind": "log", "points": 100},  # sixteen estimators at all 274 epochs would need 2 GB
        "estimators": DEFINITIONS,
        "measure": {"sparse": ["kde"], "points": 40},
        "variants": _variants(FACTORS),
    },
    quick={
        "members": 4,
        "group_width": 4,  # one compilation a variant
        "train": {"epochs": 1000},
        "measure": {"points": 6},
        "estimators": [
            BINS,
            KDE,
            BINS | {"bins": 10},
            BINS | {"bins": 100},
            BINS | {"edges": "layer"},
            KDE | {"variance": 0.1},
        ],
        "variants": _variants(
            {label: FACTORS[label] for label in ("shuffled labels", "relu", "full batch", "fan-out")}
        ),
    },
    paper=PAPER,
    paper_note=PAPER_NOTE,
    figures=("compression", "variants"),
    claims=(
        "survives-bins",
        "survives-noise",
        "survives-estimator",
        "survives-initialisation",
        "survives-split",
        "survives-batch-size",
        "survives-learning-rate",
        "survives-widths",
        "survives-seed",
        "survives-activation",
        "true-labels-compress-more",
    ),
)
