"""The command `infoplane estimate`: files in, bits out; bad files end with one line and code 2."""

import re

import numpy as np
import pytest

import infoplane as ip
from in_process import infoplane
from infoplane._numbers import digits
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
    assert f"I(X;Y) = {digits(expected)} bits by gaussian\n" in out
    assert f"x: {saved['x']}, 500 rows × 2 columns, continuous\n" in out


def test_parameters_reach_the_estimator(saved):
    files = ["--x", saved["x"], "--y", saved["y"], "--estimator", "ksg1"]
    expected = ip.mutual_information(*saved["arrays"], "ksg1", k=7, norm="euclidean").bits
    assert f"{digits(expected)} bits" in infoplane("estimate", *files, "--set", "k=7", "--set", "norm=euclidean")[1]


def test_uncertainty_and_null_are_printed_and_fixed_by_the_seed(saved):
    files = ["--x", saved["x"], "--y", saved["y"], "--estimator", "gaussian", "--uncertainty", "--null", 20]
    _, out, _ = infoplane("estimate", *files, "--seed", 3)
    found = ip.mutual_information(*saved["arrays"], "gaussian", seed=3, uncertainty=True, null=20)
    assert f"standard error: {digits(found.std_error)} bits" in out
    assert f"95 % interval: {digits(found.interval[0])} to {digits(found.interval[1])} bits" in out
    assert f"20 shuffles of y: {digits(found.null.mean)} ± {digits(found.null.sd)} bits, p = {found.null.p:.3g}" in out
    assert infoplane("estimate", *files, "--seed", 3)[1] == out
    assert infoplane("estimate", *files, "--seed", 4)[1] != out


def test_flags_come_with_an_explanation_and_the_reason():
    lines = estimate_lines(
        Estimate(bits=1.0, flags=frozenset({"ties", "ceiling"}), reason="3 % are copies", estimator="ksg1")
    )
    assert lines == [
        "I(X;Y) = 1.000 bits by ksg1",
        "flag ceiling: The estimate is near the largest value that this estimator can give with so many samples.",
        f"flag ties: {ip.explain('ties').partition('. ')[0]}.",
        "reason: 3 % are copies",
    ]


def test_bounds_are_called_bounds():
    assert estimate_lines(Estimate(bits=1.0, kind="upper", estimator="gaussian")) == [
        "I(X;Y) = 1.000 bits (an upper bound) by gaussian"
    ]
    shuffled = Estimate(bits=0.5, null=Null(0.01, 0.002, 0.04), estimator="ksg1")
    assert estimate_lines(shuffled, 50)[1] == "50 shuffles of y: 0.0100 ± 0.0020 bits, p = 0.04"


@pytest.mark.parametrize(("y", "words"), [("y", "the Gaussian copula"), ("label", "neighbours in all coordinates")])
def test_without_an_estimator_auto_chooses_and_says_why(saved, y, words):
    code, out, err = infoplane("estimate", "--x", saved["x"], "--y", saved[y])
    assert (code, err) == (0, "")
    assert re.search(r"^I\(X;Y\) = \d\.\d{1,4} bits by auto$", out, re.MULTILINE)
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
        ("height\n1.5\n2\n", np.array([[1.5], [2.0]])),
        ("species\ncat\ndog\ncat\ndog\n", np.array([["cat"], ["dog"], ["cat"], ["dog"]])),
        (",x\n0,1.5\n1,2.5\n", np.array([[1.5], [2.5]])),
        (",0\n7,1\n9,2\n", np.array([[1], [2]])),
        ("0\n1.5\n2.5\n", np.array([[1.5], [2.5]])),
        ("0\n1\n1\n", np.array([[0], [1], [1]])),
        ("0,1,2\n1,1,1\n4,4,4\n", np.array([[1, 1, 1], [4, 4, 4]])),
        ("a;b\n1.5;2\n3;4\n", np.array([[1.5, 2], [3, 4]])),
        ("a\tb\n1.5\t2\n3\t4\n", np.array([[1.5, 2], [3, 4]])),
        ('"x, in m"\n"1.5"\n"2"\n', np.array([[1.5], [2.0]])),
        ('name\n"cat, black"\n"cat, black"\n', np.array([["cat, black"]] * 2)),
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
        ("a.csv", "1,2\n,4\n", r"line 2, column 0: expected a value, got ''"),
        ("a.csv", "x\n1.5\nNA\n2\nnan\n", r"line 3, column 'x': expected a value, got 'NA' \(2 of 4 rows lack one\)"),
        ("a.csv", "kind\ncat\nNone\ncat\n", "line 3, column 'kind': expected a value, got 'None'"),
        ("a.csv", "x;y\n1,5;2\n2,5;3\n", "line 2, column 'x': expected a number with a decimal point, got '1,5'"),
        ("a.csv", "x\n1,5\n2,5\n", "line 2: expected 1 values as in the first line, got 2"),
        ("a.csv", "x\n1\n2\n?\n4\n", r"line 4, column 'x': expected a number as in 3 of 4 rows, got '\?'"),
        ("a.csv", "1.0 2.0\n3.0 4.0\n", r"got spaces\. Write it with numpy\.savetxt"),
        ("a.csv", "kind,height\ncat,1.5\ndog,2.5\n", "got words in kind and numbers in the other columns. Choose with"),
        ("a.csv", "owl\ncat\ndog\nfox\n", "the first line, 'owl', may be a heading or a sample. Pass --heading or"),
        ("a.txt", "1\n2\n", "expected a file that ends in .npy, .csv or .tsv"),
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
    with pytest.raises(InputError, match="cannot be read as a table in UTF-8"):
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


# ---- tables with several columns


TABLE = "name,kind,height,weight\n" + "".join(f"n{i},{'ab'[i % 2]},{i % 7 + 0.5},{i * i % 11}.25\n" for i in range(40))


def measured(*arguments):
    code, out, err = infoplane("estimate", *arguments)
    assert (code, err) == (0, ""), err
    return float(re.search(r"= (-?[\d.]+) bits", out)[1]), out


def test_columns_of_a_table_are_chosen_by_name(tmp_path):
    path = write(tmp_path / "a.csv", TABLE)
    i = np.arange(40)
    height, weight = i % 7 + 0.5, i * i % 11 + 0.25
    expected = ip.mutual_information(height, np.array(["a", "b"])[i % 2], "ross").bits
    bits, out = measured("--x", path, "--column", "height", "--label-column", "kind", "--estimator", "ross")
    assert bits == pytest.approx(expected, abs=1e-4)
    assert "x: " in out and "40 rows × 1 column, continuous" in out
    both = ip.mutual_information(np.stack([height, weight], 1), np.array(["a", "b"])[i % 2], "ross").bits
    chosen = ("--column", "height", "--column", "weight", "--label-column", "kind", "--estimator", "ross")
    assert measured("--x", path, *chosen)[0] == pytest.approx(both, abs=1e-4)


def test_without_column_x_is_all_columns_but_those_of_y(tmp_path):
    path = write(tmp_path / "a.csv", "h,w,kind\n" + "".join(f"{i % 5}.5,{i % 3}.5,{'ab'[i % 2]}\n" for i in range(40)))
    i = np.arange(40)
    expected = ip.mutual_information(np.stack([i % 5 + 0.5, i % 3 + 0.5], 1), i % 2, "ross").bits
    assert measured("--x", path, "--label-column", "kind", "--estimator", "ross")[0] == pytest.approx(
        expected, abs=1e-4
    )


def test_the_other_file_settles_whether_the_first_line_is_a_heading(tmp_path):
    names = write(tmp_path / "names.csv", "owl\ncat\ndog\nfox\n")
    np.save(tmp_path / "3.npy", np.array([0, 1, 2]))
    np.save(tmp_path / "4.npy", np.array([0, 1, 2, 3]))
    for n in (3, 4):
        out = measured("--x", names, "--y", tmp_path / f"{n}.npy", "--estimator", "plugin")[1]
        assert f"names.csv, {n} rows × 1 column, discrete" in out
    zeros = write(tmp_path / "zeros.csv", "0\n1\n1\n0\n")
    assert "zeros.csv, 3 rows" in measured("--x", zeros, "--y", tmp_path / "3.npy", "--estimator", "plugin")[1]
    out = measured("--x", zeros, "--y", zeros, "--estimator", "plugin")[1]
    assert "4 rows × 1 column, discrete (the first line, '0', counts as a sample; --heading" in out
    assert "3 rows" in measured("--x", zeros, "--y", zeros, "--heading", "--estimator", "plugin")[1]


def test_heading_and_no_heading_decide(tmp_path):
    names = write(tmp_path / "names.csv", "owl\ncat\ndog\nfox\n")
    assert len(read_array(names, heading=True)) == 3
    assert len(read_array(names, heading=False)) == 4


WRONG_COLUMNS = {
    "unknown": (["--column", "hight", "--label-column", "kind"], "no column 'hight'; did you mean 'height'?"),
    "nothing for y": (["--column", "height"], "--y: expected a file, got none. Pass --y FILE, or --label-column NAME"),
    "words": (["--label-column", "kind"], "got words in name and numbers in the other columns. Choose with --column"),
}


@pytest.mark.parametrize(("arguments", "text"), WRONG_COLUMNS.values(), ids=WRONG_COLUMNS.keys())
def test_columns_that_cannot_be_used_are_refused(arguments, text, tmp_path):
    code, _, err = infoplane("estimate", "--x", write(tmp_path / "a.csv", TABLE), *arguments)
    assert code == 2
    assert text in err
    assert len(err.splitlines()) == 1


def test_tables_as_pandas_writes_them_are_read(tmp_path):
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 100)
    x = rng.normal(size=100) + 3 * y
    words = np.array(["cat", "dog"])[y]
    expected = ip.mutual_information(x, words, "ross").bits
    pandas.DataFrame({"x": x, "kind": words}).to_csv(tmp_path / "both.csv")
    pandas.DataFrame({"x": x, "kind": words}).to_csv(tmp_path / "semicolon.csv", sep=";", index=False)
    pandas.DataFrame({"x": x, "kind": words}).to_csv(tmp_path / "bom.tsv", sep="\t", encoding="utf-8-sig")
    for name in ("both.csv", "semicolon.csv", "bom.tsv"):
        bits, _ = measured("--x", tmp_path / name, "--label-column", "kind", "--estimator", "ross")
        assert bits == pytest.approx(expected, abs=1e-4)
    for index in (True, False):
        pandas.Series(x).to_csv(tmp_path / "x.csv", index=index)
        pandas.Series(words, name="kind").to_csv(tmp_path / "words.csv", index=index)
        bits, out = measured("--x", tmp_path / "x.csv", "--y", tmp_path / "words.csv", "--estimator", "ross")
        assert bits == pytest.approx(expected, abs=1e-4)
        assert out.count("the index column is left out") == 2 * index
    pandas.DataFrame({"x": x, "kind": words}).to_csv(tmp_path / "comma.csv", sep=";", decimal=",", index=False)
    code, _, err = infoplane("estimate", "--x", tmp_path / "comma.csv", "--label-column", "kind")
    assert code == 2
    assert "comma.csv, line 2, column 'x': expected a number with a decimal point" in err
    table = pandas.read_csv(tmp_path / "comma.csv", sep=";", decimal=",")  # the remedy of the text
    table.to_csv(tmp_path / "point.csv", index=False)
    bits, _ = measured("--x", tmp_path / "point.csv", "--label-column", "kind", "--estimator", "ross")
    assert bits == pytest.approx(expected, abs=1e-4)
