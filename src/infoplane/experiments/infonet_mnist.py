"""The networks on MNIST of the code infonet, with its settings, and what it stored of them."""

from infoplane.experiments.base import Experiment, Stored

STORED = Stored(
    whose="what infonet stored of one network each",
    input_entropy=16.0951,
    label_entropy=3.3198,
    estimator={"name": "kde", "variance": 0.05},
    bits={
        "tanh": (16.06, 16.10, 8.61, 6.09, 4.35, 3.34),
        "relu": (16.06, 16.10, 16.10, 16.10, 16.10, 3.34),
    },
)
"""Its end points: H(X) is log2 70 000, H(Y) that of MNIST: of balanced classes it were 3.3219."""

INFONET_MNIST = Experiment(
    name="infonet-mnist",
    title="infonet's tanh and relu networks on all 70 000 images of MNIST, with Gaussian noise; needs --data",
    source="the public code infonet (Grabauskas 2019): 45 % of the images trained on, about 10 000 updates",
    config={
        "seed": 0,
        "members": 3,
        "data": {"name": "mnist"},
        "model": {"hidden": [784, 1024, 20, 20, 20], "activation": "tanh", "init": "keras"},
        "train": {
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "batch_size": 512,
            "epochs": 162,
            "fraction": 0.45,
            "split": "shuffled",
        },
        "schedule": {"kind": "list", "epochs": [0]},
        "estimators": [STORED.estimator],
        "variants": [{"label": "tanh"}, {"label": "relu", "model.activation": "relu"}],
    },
    quick={"train": {"epochs": 2}, "measure": {"rows": 2000}},
    paper={},
    paper_note="the code's settings are known, its text is a dissertation",
    stored=STORED,
    figures=("ends", "compression", "variants", "information", "training"),
    claims=("image-tanh-compresses", "image-relu-stays", "infonet-image-ends"),
)
