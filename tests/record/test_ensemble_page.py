"""The example of the page on one's own model runs as it stands."""

import re
from pathlib import Path

import numpy as np

import infoplane as ip

PAGE = Path(__file__).parents[2] / "docs" / "own-model.md"


class Network:
    """A network that grows at each epoch, as a function of its inputs."""

    def __init__(self, seed):
        self.weights = np.random.default_rng(seed).normal(size=(4, 3)) / 4

    def __call__(self, batch):
        hidden = np.tanh(batch @ self.weights)
        return {"hidden": hidden, "output": hidden[:, :2]}


def train_one_epoch(network):
    network.weights = network.weights * 1.1


def test_the_example_of_several_seeds_runs(capsys):
    (code,) = re.findall(r"```python\n(members = \[\].*?)```", PAGE.read_text(), re.DOTALL)
    inputs = np.random.default_rng(0).normal(size=(64, 4))
    names = {"ip": ip, "inputs": inputs, "labels": inputs[:, 0] > 0, "make_network": Network}
    exec(code, names | {"train_one_epoch": train_one_epoch})
    assert "5 members" in capsys.readouterr().out
