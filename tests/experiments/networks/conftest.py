"""Small runs of both experiments, computed once."""

import pytest

from infoplane.experiments import configure
from infoplane.experiments.networks import noisy, quantised

FEW_LEVELS = {
    "members": 2,
    "group_width": 1,
    "bits": [1, 8, "float"],
    "model.activations": ["tanh"],
    "model.hidden": [4, 3],
    "train.epochs": 4,
    "train.learning_rate": 0.01,
    "quantize.calibrate": 2,
    "measure.points": 2,
    "measure.costly_points": 2,
}
UNDER_NOISE = {
    "members": 2,
    "group_width": 1,
    "betas": [0.1, 0.5],
    "model.hidden": [4, 3],
    "model.activations": ["tanh"],
    "train.epochs": 3,
    "measure.points": 2,
    "measure.passes": 2,
    "measure.queries": 50,
}


def result(computation, settings):
    """Return the pieces and the result."""
    pieces = {number: computation.member(settings, number) for number in range(settings.pieces)}
    ds = computation.assemble(settings, pieces).assign_attrs(config=settings.canonical(), title=settings.name)
    return pieces, ds


@pytest.fixture
def few_levels_keys():
    """The keys of the small run of ``quantised``."""
    return FEW_LEVELS


@pytest.fixture(scope="session")
def few_levels():
    """Settings, pieces and result of networks on 1 and 8 bits and in floats."""
    settings = configure("quantised", changes=FEW_LEVELS)
    return settings, *result(quantised.COMPUTATION, settings)


@pytest.fixture(scope="session")
def under_noise():
    """Settings, pieces and result of networks with noise of two strengths."""
    settings = configure("noisy", changes=UNDER_NOISE)
    return settings, *result(noisy.COMPUTATION, settings)
