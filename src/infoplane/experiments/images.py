"""The same networks on one or several sets of images, side by side."""

from infoplane.experiments.base import Experiment
from infoplane.experiments.saxe_mnist import FIGURES, SETTINGS

IMAGES = Experiment(
    name="images",
    title="tanh and relu networks on images: scikit-learn's digits, or those in the folders given with --data",
    source="the networks of Saxe et al. 2018 on MNIST, on other images",
    config=SETTINGS
    | {
        "data": {"name": "digits"},
        "train": SETTINGS["train"] | {"epochs": 3000, "fraction": 0.8, "split": "stratified"},
        "schedule": {"kind": "log", "points": 60},
        "measure": {"rows": 10000},
    },
    quick={
        "members": 2,
        "train": {"epochs": 60},
        "schedule": {"kind": "log", "points": 8},
        "measure": {"rows": 500},
    },
    paper={},
    paper_note="no paper names these settings for other images than MNIST",
    figures=FIGURES,
    claims=("image-tanh-compresses", "image-relu-stays", "image-any-data", "estimators-agree"),
)
