"""Shwartz-Ziv & Tishby's information plane: 50 tanh networks on the 12-bit task."""

from infoplane.experiments.base import Experiment

SZT = Experiment(
    name="szt",
    title="the information plane of 50 tanh networks on the 12-bit task: fitting, then compression",
    source="Shwartz-Ziv & Tishby 2017, figures 2 and 3; settings of their public code (IDNNs)",
    config={
        "seed": 0,
        "members": 50,
        "group_width": 25,  # two groups: the fastest width on two cores (benchmarks/training.py)
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
        "estimators": [{"name": "binning", "bins": 30, "edges": "idnns"}],
    },
    quick={"members": 8, "group_width": 4, "train": {"epochs": 1000}},
    paper={"train": {"optimizer": "sgd", "learning_rate": 0.05}},
    paper_note=(
        "the paper says stochastic gradient descent and gives no learning rate (ours: 0.05); its public code "
        "uses Adam with 4e-4"
    ),
)
