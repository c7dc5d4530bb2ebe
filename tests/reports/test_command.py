"""The command `infoplane report`: what it prints, where it writes, how it refuses."""

import pytest

from in_process import infoplane
from infoplane import results


@pytest.fixture
def run(make_result, tmp_path):
    """The folder of a result, its path with a space and letters beyond ASCII."""
    folder = tmp_path / "mein Lauf µ→"
    folder.mkdir()
    results.save(make_result(), folder / "results.nc")
    return folder


def test_the_page_goes_into_the_runs_folder_and_its_size_is_told(run):
    code, out, err = infoplane("report", run)
    assert (code, err) == (0, "")
    assert out.startswith(f"{run / 'report.html'}: ")
    assert " MB; open it in a browser" in out
    assert f"infoplane report '{run}'" in (run / "report.html").read_text("utf-8")


def test_to_says_where_the_page_goes(run, tmp_path):
    code, _, err = infoplane("report", run / "results.nc", "--to", tmp_path / "page.html")
    assert (code, err) == (0, "")
    assert (tmp_path / "page.html").is_file()
    assert not (run / "report.html").exists()


def test_a_folder_without_a_result_is_one_line_and_code_2(tmp_path):
    code, out, err = infoplane("report", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"infoplane: {tmp_path}")
    assert err.count("\n") == 1
