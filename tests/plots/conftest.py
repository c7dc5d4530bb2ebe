"""Small results to draw, made without training."""

import json

import numpy as np
import pytest

from infoplane import results
from infoplane.nets.histogram import LOWER

LAYERS = ("hidden1", "hidden2", "output")
H_X, H_Y, N = 8.0, 1.0, 256
CONFIG = {"estimators": [{"name": "binning", "bins": 30, "edges": "idnns"}]}


def _information(n_members, epochs, n_layers):
    """Fitting, then compression: I(X;T) rises and falls, I(T;Y) rises; the first layer stays where it is."""
    time = np.log1p(epochs)[:, None] / np.log1p(max(max(epochs), 1))
    depth = np.arange(n_layers) / max(n_layers - 1, 1)
    start = np.random.default_rng(0).uniform(-0.3, 0.3, (n_members, 1, 1)) * depth
    i_xt = H_X * (1 - 0.7 * depth) + 2 * depth * np.sin(3 * time) + start
    i_ty = H_Y * (1 - 0.9 * depth * (1 - time)) - 0.1 * np.abs(start)
    return np.stack([i_xt, i_ty], axis=-1)


def _shares(shape):
    """Shares of activations that add up to one, most of them between −1 and 1."""
    weights = np.where(np.abs(LOWER) < 1, 1.0, 1e-4)
    return np.random.default_rng(0).dirichlet(weights, shape).astype(np.float32)


@pytest.fixture
def make_result():
    """Return a function that makes a result with members, epochs, layers and estimators as asked for."""

    def make(members=4, epochs=(0, 1, 2, 5, 10, 40), layers=LAYERS, estimators=("binning",)):
        epochs = np.array(epochs)
        one = _information(members, epochs, len(layers))
        information = np.stack([one * (0.9**place) for place in range(len(estimators))])
        steps = np.arange(epochs[-1] + 1)
        curve = np.broadcast_to(0.7 * np.exp(-steps / 20), (2, members, len(steps))).copy()
        curve *= 1 + 0.1 * np.arange(members)[:, None]
        curve[1, :, 3::4] = np.nan
        coords = {
            "estimator": list(estimators),
            "member": np.arange(members),
            "epoch": epochs,
            "layer": list(layers),
            "variable": list(results.VARIABLES),
            "split": list(results.SPLITS),
            "step": steps,
            "cell": LOWER,
        }
        norms = np.ones((members, len(steps), len(layers))) * (1 + np.arange(len(layers)))
        variables = {
            "information": (results.INFORMATION_DIMS, information),
            "loss": (results.CURVE_DIMS, curve),
            "accuracy": (results.CURVE_DIMS, 1 - curve / 2),
            "weight_norm": (results.NORM_DIMS, norms),
            "member_flags": (("member",), np.zeros(members, np.int32)),
            "distinct_rows": (results.LAYER_DIMS, np.full((members, len(epochs), len(layers)), N - 1.0)),
            "histogram": (results.HISTOGRAM_DIMS, _shares((members, len(epochs), len(layers)))),
            "rank": (results.LAYER_DIMS, np.full((members, len(epochs), len(layers)), 3.0)),
        }
        attributes = {
            "title": "toy",
            "input_entropy": H_X,
            "label_entropy": H_Y,
            "label_information": H_Y,
            "n_distinct": N,
        }
        return results.new(coords, variables, attributes | {"config": json.dumps(CONFIG)})

    return make


@pytest.fixture
def result(make_result):
    """Four members, six epochs from 0 to 40, three layers."""
    return make_result()


def _by_id(axes, name):
    """Return the artists of an axes that carry a name."""
    return [artist for artist in axes.get_children() if artist.get_gid() == name]


@pytest.fixture
def by_id():
    """Return a function that finds the artists of an axes by their name."""
    return _by_id


@pytest.fixture(scope="session")
def side_by_side():
    """Made-up numbers of networks as if their weights were random: 2 activations, 3 sources, 3 members."""
    from infoplane.experiments import configure
    from infoplane.experiments.clouds.compute import DIMS, assemble, missing

    settings = configure("as-if-random", changes={"members": 3, "estimators": ["ross", "kde"]})
    rng = np.random.default_rng(0)
    empty = missing(settings, tuple(DIMS))
    pieces = {
        member: {name: 9 * rng.random((2, *array.shape)).astype(array.dtype) for name, array in empty.items()}
        for member in range(3)
    }
    for piece in pieces.values():
        piece |= {"dead": np.zeros(2), "flags": np.zeros_like(piece["flags"])}
    return assemble(settings, pieces).assign_attrs(title="made-up", config=settings.canonical())


def _made_up(name):
    """A result of three members with random numbers, of networks that are quantised or noisy."""
    from infoplane.experiments import configure
    from infoplane.experiments.networks.result import DIMS, assemble, missing

    settings = configure(name, changes={"members": 3, "measure.points": 5})
    rng = np.random.default_rng(0)
    pieces = {
        number: {
            key: array if key in ("flags", "member_flags") else rng.random(array.shape)
            for key, array in missing(settings, tuple(DIMS), 3).items()
        }
        for number in range(settings.pieces)
    }
    return assemble(settings, pieces).assign_attrs(title="made-up", config=settings.canonical())


@pytest.fixture(scope="session")
def few_levels():
    """Made-up numbers of quantised networks."""
    return _made_up("quantised")


@pytest.fixture(scope="session")
def under_noise():
    """Made-up numbers of noisy networks."""
    return _made_up("noisy")
