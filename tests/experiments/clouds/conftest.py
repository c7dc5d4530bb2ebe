"""A small run of the experiment, computed once."""

import pytest

from infoplane.experiments import configure
from infoplane.experiments.clouds.compute import assemble, compute

SMALL = {
    "members": 2,
    "model.hidden": [4, 3],
    "train.epochs": 6,
    "train.fraction": 0.985,
    "window.length": 8,
    "window.ends": [8, 20, 48],
    "window.lengths": [2, 8, 16],
    "measure.queries": None,
    "estimators": ["ross", {"name": "binning", "bins": 30, "edges": "layer"}],
}
"""4035 inputs to train on, 61 held out, 8 updates an epoch."""


@pytest.fixture(scope="session")
def small():
    """The settings of the small run."""
    return configure("as-if-random", changes=SMALL)


@pytest.fixture(scope="session")
def pieces(small):
    """The arrays of both members."""
    return {member: compute(small, member) for member in range(2)}


@pytest.fixture(scope="session")
def ds(small, pieces):
    """The result."""
    return assemble(small, pieces).assign_attrs(config=small.canonical(), title=small.name)
