"""An experiment on several sets of data: every variant on each, told apart by their names."""

import struct

import numpy as np
import pytest

import infoplane as ip
from infoplane.errors import ConfigError, StoreError
from infoplane.experiments import configure
from infoplane.experiments.side_by_side import on_data
from infoplane.runs.config import Config
from infoplane.runs.job import Job


@pytest.fixture
def folders(tmp_path):
    """Two folders with 40 made-up images of 4 × 4 pixels each."""
    rng = np.random.default_rng(0)
    made = []
    for name in ("ones", "others"):
        made.append(tmp_path / name)
        made[-1].mkdir()
        header = struct.pack(">BBBBIII", 0, 0, 8, 3, 40, 4, 4)
        (made[-1] / "t10k-images-idx3-ubyte").write_bytes(header + rng.integers(0, 256, 640, np.uint8).tobytes())
        header = struct.pack(">BBBBI", 0, 0, 8, 1, 40)
        (made[-1] / "t10k-labels-idx1-ubyte").write_bytes(header + np.arange(40, dtype=np.uint8).tobytes()[:40])
    return made


def images_on(paths, **changes):
    tree = configure("images", quick=True).tree()
    config = configure("images", quick=True, changes=on_data(paths, tree, changes))
    assert isinstance(config, Config)
    return config


def test_every_variant_stands_on_every_set(folders, tmp_path):
    digits = tmp_path.joinpath("digits").relative_to(tmp_path)
    job = Job(images_on([digits, *folders]))
    assert [(one.labels["variant"], one.config.data.name, one.config.model.activation) for one in job.combinations] == [
        ("digits, tanh", "digits", "tanh"),
        ("digits, relu", "digits", "relu"),
        ("ones, tanh", "idx", "tanh"),
        ("ones, relu", "idx", "relu"),
        ("others, tanh", "idx", "tanh"),
        ("others, relu", "idx", "relu"),
    ]
    assert [plan.dataset.name for plan in job.plans[::2]] == ["digits", "ones", "others"]


def test_one_set_leaves_the_variants_as_they_are(folders):
    config = images_on(folders[:1])
    assert config.data.path == str(folders[0])
    assert [label for label, _ in config.variants] == ["tanh", "relu"]


def test_changes_come_last(folders):
    config = images_on(folders, **{"train.epochs": 3, "variants.2.train.epochs": 7})
    assert [plan.config.train.epochs for plan in Job(config).plans] == [3, 3, 7, 3]


def test_sets_of_one_name_and_missing_ones_are_refused(folders, tmp_path):
    with pytest.raises(ConfigError, match="two sets have one name"):
        images_on([folders[0], folders[0]])
    with pytest.raises(StoreError, match="no such folder"):
        images_on([tmp_path / "nothing", folders[0]])


def test_paths_that_lead_nowhere_are_refused_in_a_line(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for name, told in (("loop", "no such folder"), ("x" * 300, "File name too long")):
        for given in ([tmp_path / name], [tmp_path / name, tmp_path]):
            with pytest.raises(StoreError, match=told):
                on_data(given, {}, {})
    for load in (ip.datasets.load_file, ip.datasets.mnist):
        with pytest.raises(StoreError, match="File name too long"):
            load("x" * 300 + ".npz")
