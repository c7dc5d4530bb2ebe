"""Shared by the tests of runs: one small configuration, its result, tasks of one measurement each."""

import shutil

import pytest

from infoplane.runs import engine, task
from infoplane.runs.config import parse

SMALL = {
    "members": 2,
    "group_width": 1,
    "model": {"hidden": [4, 3]},
    "train": {"epochs": 12, "batch_size": 1024},
    "schedule": {"kind": "list", "epochs": [4, 8]},
}


@pytest.fixture(scope="session")
def small():
    """Keys of a configuration of two groups of one member that runs in a moment."""
    return SMALL


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The result of the small configuration in tasks as long as they like."""
    return engine.run(parse(SMALL), tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture(scope="session")
def _in_pieces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pieces") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "FLUSH_SECONDS", -1.0)
        engine.run(parse(SMALL), folder)
    return folder


@pytest.fixture
def in_pieces(_in_pieces, tmp_path):
    """A copy of the folder of a finished run whose every stretch between two measurements was a task."""
    return shutil.copytree(_in_pieces, tmp_path / "run")


@pytest.fixture
def many_tasks(monkeypatch):
    """Every stretch between two measurements is a task of its own."""
    monkeypatch.setattr(task, "FLUSH_SECONDS", -1.0)


@pytest.fixture
def told():
    """Collects what a run has to say in words; ``told.append`` takes events."""

    class Told(list):
        def append(self, event):
            if hasattr(event, "text"):
                super().append(event.text)

    return Told()
