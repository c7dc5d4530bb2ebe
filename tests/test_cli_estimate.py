"""The command `infoplane estimate`: files in, bits out; bad files end with one line and code 2."""

import re

import numpy as np
import pytest

import infoplane as ip
from in_process import infoplane
from infoplane.cli.arrays import read_array
from infoplane.cli.estimate import estimate_lines
from infoplane.errors import InputError
from infoplane.estimators.base import Estimate, Null
from infoplane.truth import Normal


@pytest.fixture
def saved(tmp_path):
    """Paths of a pair of normals with 2 bits, and of a label."""
    x, y = Normal.from_information(2.0, (2, 2)).sample(500, seed=1)
    paths = {"x": tmp_path / "x.npy", "y": tmp_path / "y.npy", "label": tmp_path / "label.npy"}
    for name, array in (("x", x), ("y", y), ("label", (y[:, 0] > 0).astype(int))):
        np.save(paths[name], array)
    return paths | {"arrays": (x, y)}


# ---- what is printed


def test_bits_have_four_decimals_and_are_those_of_the_library(saved):
    code, out, err = infoplane("estimate", "--x", saved["x"], "--y", saved["y"], "--estimator", "gaussian")
    assert (code, err) == (0, "")
    expected = ip.mutual_information(*saved["arrays"], "gaussian").bits
    assert f"I(X;Y) = {expected:.4f} bits by gaussian\n" in out
    assert f"x: {saved['x']}, 500 rows × 2 columns, continuous\n" in out


def test_parameters_reach_the_estimator(saved):
    files = ["--x", saved["x"], "--y", saved["y"], "--estimator", "ksg1"]
    expected = ip.mutual_information(*saved["arrays"], "ksg1", k=7, norm="euclidean").bits
    assert f"{expected:.4f} bits" in infoplane("estimate", *files, "--set", "k=7", "--set", "norm=euclidean")[1]


def test_uncertainty_and_null_are_printed_and_fixed_by_the_seed(saved):
    files = ["--x", saved["x"], "--y", saved["y"], "--estimator", "gaussian", "--uncertainty", "--null", 20]
    _, out, _ = infoplane("estimate", *files, "--seed", 3)
    found = ip.mutual_information(*saved["arrays"], "gaussian", seed=3, uncertainty=True, null=20)
    assert f"standard error: {found.std_error:.4f} bits" in out
    assert f"95 % interval: {found.interval[0]:.4f} to {found.interval[1]:.4f} bits" in out
    assert f"20 shuffles of y: {found.null.mean:.4f} ± {found.null.sd:.4f} bits, p = {found.null.p:.3g}" in out
    assert infoplane("estimate", *files, "--seed", 3)[1] == out
    assert infoplane("estimate", *files, "--seed", 4)[1] != out


def test_flags_come_with_an_explanation_and_the_reason():
    lines = estimate_lines(
        Estimate(bits=1.0, flags=frozenset({"ties", "ceiling"}), reason="3 % are copies", estimator="ksg1")
    )
    assert lines == [
        "I(X;Y) = 1.0000 bits by ksg1",
        "flag ceiling: The estimate is near the largest value that this estimator can give with so many samples.",
        "flag ties: Some samples have exactly equal values although the data are taken as continuous.",
        "reason: 3 % are copies",
    ]


def test_bounds_are_called_bounds():
    assert estimate_lines(Estimate(bits=1.0, kind="upper", estimator="gaussian")) == [
        "I(X;Y) = 1.0000 bits (an upper bound) by gaussian"
    ]
    shuffled = Estimate(bits=0.5, null=Null(0.01, 0.002, 0.04), estimator="ksg1")
    assert estimate_lines(shuffled, 50)[1] == "50 shuffles of y: 0.0100 ± 0.0020 bits, p = 0.04"


@pytest.mark.parametrize(("y", "words"), [("y", "the Gaussian copula"), ("label", "neighbours in all coordinates")])
def test_without_an_estimator_auto_chooses_and_says_why(saved, y, words):
    code, out, err = infoplane("estimate", "--x", saved["x"], "--y", saved[y])
    assert (code, err) == (0, "")
    assert re.search(r"^I\(X;Y\) = \d\.\d{4} bits by auto$", out, re.MULTILINE)
    assert re.search(rf"^reason: {words}", out, re.MULTILINE)


def test_a_label_is_measured_with_an_estimator_for_labels(saved):
    code, out, _ = infoplane("estimate", "--x", saved["x"], "--y", saved["label"], "--estimator", "ross")
    assert code == 0
    assert re.search(r"label.npy, 500 rows × 1 column, discrete", out)


# ---- files


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5,2\n3,4.5\n", np.array([[1.5, 2.0], [3.0, 4.5]])),
        ("a,b\n1,2\n3,4\n", np.array([[1, 2], [3, 4]])),
        ("1\n2\n2\n", np.array([[1], [2], [2]])),
        ("height\n1.5\nnan\n", np.array([[1.5], [np.nan]])),
        ("cat\ndog\ncat\n", np.array([["cat"], ["dog"], ["cat"]])),
        ("\ufeff1.0\r\n2.0\r\n\r\n", np.array([[1.0], [2.0]])),
        ("1e3\n-.5\n", np.array([[1000.0], [-0.5]])),
    ],
)
def test_csv_files_are_read_as_symbols_or_coordinates(tmp_path, text, expected):
    found = read_array(write(tmp_path / "a.csv", text))
    assert found.dtype.kind == expected.dtype.kind
    np.testing.assert_array_equal(found, expected)


def test_npy_files_are_read_as_they_are(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3, dtype=np.int8))
    found = read_array(tmp_path / "a.npy")
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, [0, 1, 2])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "1,2\n3\n", "line 2: expected 2 values"),
        ("a.csv", "1,2\n,4\n", "line 2: expected 2 values as in the first line, none empty"),
        ("a.txt", "1\n2\n", "expected a file that ends in .npy or .csv"),
        ("a.npy", "not numpy at all", "cannot be read as a NumPy array"),
        ("a.npy", "", "cannot be read as a NumPy array"),
    ],
)
def test_damaged_files_are_named_with_what_is_wrong(tmp_path, name, text, expected):
    with pytest.raises(InputError, match=expected) as refused:
        read_array(write(tmp_path / name, text))
    assert str(refused.value).startswith(str(tmp_path / name))


def test_a_cut_npy_file_is_refused(tmp_path):
    np.save(tmp_path / "whole.npy", np.zeros(1000))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:500])
    with pytest.raises(InputError, match="cannot be read as a NumPy array"):
        read_array(tmp_path / "cut.npy")


def test_pickled_objects_are_refused_and_not_run(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be loaded when allow_pickle=False"):
        read_array(tmp_path / "objects.npy")


def test_binary_content_in_a_csv_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot be read as text"):
        read_array(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"--x": "missing.npy"}, "missing.npy: No such file or directory"),
        ({"--estimator": "ksg3"}, "unknown estimator 'ksg3'"),
        ({"--set": "neighbours=3"}, "has no parameter 'neighbours'"),
        ({"--set": "k"}, "expected KEY=VALUE"),
        ({"--null": "-1"}, "--null"),
        ({"--seed": "-1"}, "--seed"),
        ({"--y": "short.npy"}, "y has 3"),
    ],
)
def test_bad_input_ends_with_one_line_and_code_2(saved, tmp_path, monkeypatch, change, text):
    monkeypatch.chdir(tmp_path)
    np.save("short.npy", np.zeros((3, 1)))
    options = {"--x": "x.npy", "--y": "y.npy", "--estimator": "ksg1"} | change
    code, _, err = infoplane("estimate", *(part for pair in options.items() for part in pair))
    assert code == 2
    assert text in err
    assert len(err.splitlines()) == 1


def test_nan_is_counted_and_its_rows_are_named(tmp_path):
    x = np.zeros((10, 1))
    x[[3, 7]] = np.nan
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(10.0))
    code, _, err = infoplane("estimate", "--x", tmp_path / "x.npy", "--y", tmp_path / "y.npy", "--estimator", "ksg1")
    assert code == 2
    assert "2 values that are NaN or infinite, in 2 of 10 rows (3, 7)" in err
