"""The tutorial notebook runs from top to bottom, and is kept without outputs."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"
EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(notebook)
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
nbformat.write(notebook, "executed.ipynb")
"""


def code_cells(path):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def test_the_tutorial_is_kept_without_outputs():
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells(TUTORIAL))


def test_the_tutorial_runs_and_shows_tables_pictures_and_progress(tmp_path):
    for needed in ("nbclient", "ipykernel"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"needs the extra 'notebook' ({needed})")
    command = [sys.executable, "-c", EXECUTE, TUTORIAL]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = code_cells(tmp_path / "executed.ipynb")
    shown = [kind for cell in cells for one in cell["outputs"] for kind in one.get("data", {})]
    assert shown.count("image/png") == 2
    assert shown.count("text/html") >= 5  # a data set, the progress, a table of numbers, a glance, an estimate
    assert "200 of" not in str(cells[2]["outputs"])  # the bar has reached its end: 2 networks, 400 net-epochs
    assert "400 of 400 net-epochs" in str(cells[2]["outputs"])
    assert (tmp_path / "plane.html").stat().st_size > 10_000
