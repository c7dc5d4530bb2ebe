"""The lowest versions that continuous integration tests are those that the package declares."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("dask", "slurm", "test")  # the others hold deep-learning frameworks, a browser and the pages


def number(version):
    """A version without zeros at its end: 8 and 8.0.0 are the same."""
    return re.sub(r"(\.0)+$", "", version)


def test_the_lowest_versions_tested_are_the_lower_bounds_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in EXTRAS for one in project["optional-dependencies"][extra])]
    bounds = [re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", one).groups() for one in asked]
    lines = [line for line in (ROOT / "constraints-lowest.txt").read_text().splitlines() if line[0] != "#"]
    pins = dict(line.split("==") for line in lines)
    assert {name: number(pins[name]) for name, _ in bounds} == {name: number(low) for name, low in bounds}
