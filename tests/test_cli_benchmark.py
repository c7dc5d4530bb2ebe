"""The commands `infoplane benchmark`: tables, files, failures, interruption."""

import csv
import re

import pytest

from in_process import infoplane
from infoplane.errors import InputError
from infoplane.truth import benchmark

ONE = ["--tasks", "1v1-normal-*", "--n", "300"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The folder of a small benchmark, and what was printed."""
    folder = tmp_path_factory.mktemp("benchmark") / "out"
    chosen = ["--estimators", "gaussian,copula(then=ksg1, k=5)", "--seeds", "2", "--out", folder]
    return folder, *infoplane("benchmark", "estimators", "--tasks", "1v1-*,student-*-1-1-1", "--n", "300", *chosen)


def test_the_table_has_a_line_a_task_and_mean_absolute_errors(measured):
    _, code, out, err = measured
    assert code == 0, err
    assert out.startswith("information in bits, 300 samples, mean over 2 seeds\n")
    assert re.search(r"^task +true +gaussian +copula\(then=ksg1, k=5\)$", out, re.MULTILINE)
    assert re.search(r"^1v1-normal-0.75 +0\.5963 +0\.\d{1,4} +0\.\d{1,4}$", out, re.MULTILINE)
    assert re.search(r"^student-identity-1-1-1 +0\.3234 +-?\d\.\d{1,4} +-?0\.\d{1,4}$", out, re.MULTILINE)
    assert re.search(r"^mean absolute error, bits +\d\.\d{1,4} +\d\.\d{1,4}$", out, re.MULTILINE)
    assert re.search(r"^mean absolute error, nats +\d\.\d{1,4} +\d\.\d{1,4}$", out, re.MULTILINE)


def test_progress_goes_to_stderr(measured):
    _, _, out, err = measured
    assert "20/20 estimates" in err
    assert "estimates" not in out


def test_the_folder_holds_every_estimate_and_a_heat_map(measured):
    folder, _, out, _ = measured
    lines = list(csv.DictReader((folder / "estimators.csv").read_text().splitlines()))
    assert len(lines) == 5 * 2 * 2
    assert {line["estimator"] for line in lines} == {"gaussian", "copula(then=ksg1, k=5)"}
    assert (folder / "estimators.png").read_bytes().startswith(b"\x89PNG")
    assert str(folder / "estimators.png") in out


def test_ctrl_c_prints_and_keeps_what_was_measured(tmp_path, monkeypatch):
    whole = benchmark.measure

    def interrupted(*arguments, **settings):
        for number, one in enumerate(whole(*arguments, **settings)):
            if number == 2:
                raise KeyboardInterrupt
            yield one

    monkeypatch.setattr(benchmark, "measure", interrupted)
    chosen = ["--estimators", "gaussian,copula", "--seeds", "2", "--out", tmp_path]
    code, out, err = infoplane("benchmark", "estimators", *ONE, *chosen)
    assert code == 130
    assert "1v1-normal-0.75" in out
    assert "interrupted; 2 of 4 estimates were made" in err
    assert len((tmp_path / "estimators.csv").read_text().splitlines()) == 3


def test_a_task_that_an_estimator_cannot_measure_is_named_with_the_reason():
    code, out, _ = infoplane("benchmark", "estimators", *ONE, "--estimators", "gaussian,ksg1(k=1000)")
    assert code == 0
    assert re.search(r"^1v1-normal-0.75 +0\.5963 +0\.\d{1,4} +–$", out, re.MULTILINE)
    assert re.search(r"^ksg1\(k=1000\) has no number for 1v1-normal-0.75: .*300 samples", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--tasks", "normal"], "no task is called 'normal'"),
        (["--estimators", "gausian"], "unknown estimator 'gausian'; did you mean 'gaussian'?"),
        (["--estimators", "ksg1(neighbours=3)"], "has no parameter 'neighbours'"),
        (["--estimators", "ksg1,ksg1"], "'ksg1' is named twice"),
        (["--estimators", "binning"], "measures layers, not pairs"),
        (["--estimators", "ksg1((k"], "cannot read 'ksg1((k'"),
        (["--n", "1"], "--n"),
        (["--seeds", "0"], "--seeds"),
    ],
)
def test_bad_input_ends_with_one_line_and_code_2(arguments, text):
    code, out, err = infoplane("benchmark", "estimators", *arguments)
    assert code == 2
    assert out == ""
    assert text in err
    assert len(err.splitlines()) == 1


def test_parameters_in_brackets_reach_the_estimator():
    from infoplane.cli.benchmark import parse_estimators

    named = parse_estimators("ksg1(k=7,norm=euclidean), gaussian(correction=false)")
    assert list(named) == ["ksg1(k=7,norm=euclidean)", "gaussian(correction=false)"]
    assert named["ksg1(k=7,norm=euclidean)"].params.items() >= {"k": 7, "norm": "euclidean"}.items()
    assert named["gaussian(correction=false)"].params["correction"] is False


def test_the_default_estimators_all_take_coordinates():
    from infoplane.cli.benchmark import parse_estimators

    for estimator in parse_estimators(",".join(benchmark.DEFAULT)).values():
        assert "continuous" in estimator.kinds


def test_speed_prints_a_line_for_each_comparison(monkeypatch):
    from infoplane.truth import speed

    rows = [speed.Comparison("ksg1 1 × 1", "scikit-learn", 0.01, 0.05, 1.0)]
    monkeypatch.setattr(speed, "comparisons", lambda: iter(rows))
    code, out, _ = infoplane("benchmark", "speed")
    assert code == 0
    assert re.search(r"^ksg1 1 × 1 +scikit-learn +0\.0100 +0\.0500 +5 +1$", out, re.MULTILINE)


def test_an_estimator_out_of_range_is_refused_before_anything_is_measured(tmp_path):
    with pytest.raises(InputError):
        from infoplane.cli.benchmark import parse_estimators

        parse_estimators("ksg1(k=0)")
