"""Where "random matrices are invertible, so nothing is lost" holds: distinct rows and ranks, in three precisions."""

from infoplane.experiments.base import Experiment
from infoplane.experiments.szt import BINS, PAPER, PAPER_NOTE, SETTINGS

INVERTIBILITY = Experiment(
    name="invertibility",
    title="distinct activation rows and ranks in float16, float32 and float64: does every input keep its own row?",
    source="the drafts' argument that random matrices are invertible, so that nothing compresses",
    config=SETTINGS
    | {
        "members": 20,
        "group_width": 10,
        "schedule": {"kind": "log", "points": 60},
        "estimators": [BINS, {"name": "exact"}],
        "measure": {"precisions": True},
        "sweep": {"model.activation": ["tanh", "relu", "linear"]},
    },
    quick={
        "members": 4,
        "group_width": 2,
        "train": {"epochs": 1000},
        "schedule": {"kind": "list", "epochs": [0, 1, 3, 10, 30, 100, 300, 1000]},
    },
    paper=PAPER,
    paper_note=PAPER_NOTE,
    figures=("rows", "ranks"),
    claims=(
        "rows-distinct-at-start",
        "rows-distinct-at-end",
        "rows-distinct-at-end-float64",
        "rows-distinct-at-end-float16",
    ),
)
