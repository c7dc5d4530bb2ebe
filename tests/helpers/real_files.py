"""Real data sets beside the repository, for tests that are skipped where there are none."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"


def folder_of(name):
    """Return the folder of a data set's real files; the test is skipped where there is none."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs the files of {name} in shared/data beside the repository")
    return folder
