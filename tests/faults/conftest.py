"""Shared by the fault tests: small runs in processes of their own, and what the campaign counts."""

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import infoplane as ip
from infoplane import cli
from infoplane.runs import engine, task
from infoplane.runs.config import parse

CHILD = Path(__file__).with_name("child.py")

ASKED = """
members = 2
group_width = 1
[model]
hidden = [4, 3]
[train]
epochs = 12
batch_size = 1024
[schedule]
kind = "every"
n = 2
"""


class Children:
    """Starts runs in processes of their own, with tasks of one measurement each.

    Attributes:
        asked: the configuration file.
    """

    def __init__(self, folder):
        self.asked = folder / "asked.toml"
        self.asked.write_text(ASKED)
        self._cache = folder / "compiled"

    def start(self, *arguments, **environment):
        """Start the command line; standard error is piped as text."""
        environment = {name: str(value) for name, value in environment.items()}
        if environment.get("FAULT_KILL", "").split(" ")[1:2] != ["limit"]:  # compiled programs are files as well
            environment |= {"JAX_COMPILATION_CACHE_DIR": str(self._cache)}
        settings = {
            "INFOPLANE_THREADS": "2",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.Popen(
            [sys.executable, str(CHILD), *map(str, arguments)],
            env=os.environ | settings | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *arguments, **environment):
        """Run the command line to its end; return exit code and standard error."""
        with self.start(*arguments, **environment) as process:
            _, err = process.communicate(timeout=300)
        return process.returncode, err

    def go_on(self, folder, **environment):
        """Resume a run, or begin it again where it had not begun yet; return exit code and standard error."""
        begun = (folder / "run.json").exists()
        arguments = ["resume", folder] if begun else ["run", self.asked, "--out", folder]
        return self.finish(*arguments, **environment)


@pytest.fixture(scope="session")
def children(tmp_path_factory):
    """Starts runs in processes of their own."""
    return Children(tmp_path_factory.mktemp("children"))


def digests(folder):
    """SHA-256 of every variable of a result, checked against its own checksums while it is loaded."""
    ds = ip.load(folder)
    return {
        str(name): hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
        for name, values in ds.variables.items()
        if values.dtype.kind in "biuf"
    }


@pytest.fixture(scope="session", name="digests")
def _digests():
    """Gives the SHA-256 of every variable of a run's result."""
    return digests


@pytest.fixture(scope="session")
def uninterrupted(children, tmp_path_factory):
    """SHA-256 of every variable of the run of `Children` that nobody disturbed, and its seconds."""
    for name in ("compiling", "run"):  # the first one compiles
        folder, start = tmp_path_factory.mktemp("uninterrupted") / name, time.monotonic()
        code, err = children.finish("run", children.asked, "--out", folder)
        assert code == 0, err
    return digests(folder), time.monotonic() - start


SMALL = {
    "members": 2,
    "group_width": 1,
    "model": {"hidden": [4, 3]},
    "train": {"epochs": 8, "batch_size": 1024},
    "schedule": {"kind": "list", "epochs": [4]},
}


@pytest.fixture(scope="session")
def small():
    """Keys of a configuration of two groups of one member that runs in a moment."""
    return SMALL


@pytest.fixture
def many_tasks(monkeypatch):
    """Every stretch between two measurements is a task of its own."""
    monkeypatch.setattr(task, "FLUSH_SECONDS", -1.0)


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """The folder of a finished run in small tasks, and its result; both to be left as they are."""
    folder = tmp_path_factory.mktemp("sound") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "FLUSH_SECONDS", -1.0)
        return folder, engine.run(parse(SMALL), folder)


def command(*arguments):
    """Exit code and standard error of a command, run in this process."""
    err = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["infoplane", *map(str, arguments)])
        patch.setattr("infoplane.experiments.draw_figures", lambda *_, **__: [])
        silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err)
        with silent[0], silent[1], pytest.raises(SystemExit) as end:
            cli.main()
    return end.value.code or 0, err.getvalue()


@pytest.fixture(scope="session", name="command")
def _command():
    """Runs a command in this process."""
    return command


@pytest.fixture
def tally(record_property):
    """Hands the campaign a line of its table: fault, tries, outcome."""

    def told(fault, tries, outcome):
        record_property("fault", json.dumps({"fault": fault, "tries": tries, "outcome": outcome}))

    return told
