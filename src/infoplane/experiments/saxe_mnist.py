"""Saxe et al.'s information plane on MNIST: tanh and ReLU networks of real width, by bins and with Gaussian noise."""

from typing import Any

from infoplane.experiments.base import Experiment

ESTIMATORS: list[dict[str, Any]] = [
    {"name": "binning", "edges": "width", "width": 0.5},
    {"name": "kde", "variance": 0.1},
]
"""Bins 0.5 wide without limits, and noise of variance 0.1: coarser than on small networks, whose inputs are fewer."""

SETTINGS: dict[str, Any] = {
    "seed": 0,
    "members": 5,
    "model": {"hidden": [1024, 20, 20, 20], "activation": "tanh", "init": "keras"},
    "train": {"optimizer": "sgd", "learning_rate": 1e-3, "batch_size": 128, "epochs": 1000},
    "schedule": {"kind": "piecewise", "pieces": [[20, 1], [100, 5], [200, 10], [None, 100]]},
    "estimators": ESTIMATORS,
    "variants": [{"label": "tanh"}, {"label": "relu", "model.activation": "relu"}],
}
"""What the experiments on images have in common: Saxe et al.'s public code (ibsgd)."""

FIGURES = ("compression", "ends", "variants", "information", "snapshots", "training")

SAXE_MNIST = Experiment(
    name="saxe-mnist",
    title="tanh and relu networks on MNIST, on the images held out, by bins and with Gaussian noise; needs --data",
    source="Saxe et al. 2018, appendix; settings of their public code (ibsgd), which trains ten times longer",
    config=SETTINGS
    | {
        "data": {"name": "mnist"},
        "train": SETTINGS["train"] | {"split": "given"},
        "measure": {"parts": ["test"]},
    },
    quick={
        "members": 2,
        "train": {"epochs": 6},
        "schedule": {"kind": "log", "points": 8},
        "measure": {"rows": 2000},
    },
    paper={},
    paper_note="the code trains 10 000 epochs (--set train.epochs=10000), ten times what a night allows",
    figures=FIGURES,
    claims=("image-tanh-compresses", "image-relu-stays", "image-any-data", "estimators-agree"),
)
