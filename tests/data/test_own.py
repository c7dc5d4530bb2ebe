"""One's own data from files: what is read, in which shape, and what is refused."""

import io
import os
import pickle
import re
import zipfile

import numpy as np
import pytest
from scipy import io as matlab

from infoplane.data import own
from infoplane.data.own import load_file, load_samples
from infoplane.errors import InputError, StoreError

X = np.arange(12, dtype=float).reshape(4, 3) / 8
Y = np.array([0, 2, 2, 5])


# ---- arrays


@pytest.mark.parametrize(("inputs", "labels"), own.NAMES)
def test_arrays_of_an_npz_are_found_by_their_names(inputs, labels, tmp_path):
    np.savez(tmp_path / "mine.npz", **{inputs: X, labels: Y, "other": np.array([None])})
    samples = load_samples(tmp_path / "mine.npz")
    np.testing.assert_array_equal(samples.inputs, X)
    np.testing.assert_array_equal(samples.labels, Y)
    assert (samples.inputs.dtype, samples.name) == (np.float32, "mine")


def test_images_keep_their_shape_and_whole_numbers_stay_whole(tmp_path):
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    np.savez_compressed(tmp_path / "a.npz", x=images)
    samples = load_samples(str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(samples.inputs, images)
    assert (samples.inputs.dtype, samples.labels) == (np.uint8, None)


def test_a_flat_array_is_one_feature(tmp_path):
    np.savez(tmp_path / "a.npz", x=X[:, 0], y=Y)
    assert load_samples(tmp_path / "a.npz").inputs.shape == (4, 1)


def test_a_data_set_has_a_row_for_each_image_and_codes_for_classes(tmp_path):
    np.savez(tmp_path / "a.npz", X=X.reshape(4, 3, 1), y=np.array(["b", "a", "a", "c"]))
    dataset = load_file(tmp_path / "a.npz")
    np.testing.assert_array_equal(dataset.inputs, X)
    assert dataset.labels.tolist() == [1, 0, 0, 2]
    assert (dataset.n_classes, dataset.name, dataset.split) == (3, "a", None)
    assert dataset.label_entropy == 1.5  # shares 1/4, 1/2, 1/4


def test_targets_of_a_regression_stay_numbers_and_make_no_data_set(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=Y / 4)
    np.testing.assert_array_equal(load_samples(tmp_path / "a.npz").labels, Y / 4)
    with pytest.raises(InputError, match="expected classes as integers"):
        load_file(tmp_path / "a.npz")


def test_a_data_set_needs_labels(tmp_path):
    np.savez(tmp_path / "a.npz", X=X)
    with pytest.raises(InputError, match=r"a\.npz: has no labels; a data set needs an array named 'labels' or 'y'"):
        load_file(tmp_path / "a.npz")


# ---- MATLAB


def test_the_arrays_of_matlab_are_read_with_labels_as_a_row_of_floats(tmp_path):
    matlab.savemat(tmp_path / "var_u.mat", {"F": X, "y": Y[None].astype(float), "note": {"a": 1}})
    samples = load_samples(tmp_path / "var_u.mat")
    np.testing.assert_array_equal(samples.inputs, X)
    assert samples.labels.tolist() == Y.tolist()
    assert samples.labels.dtype == np.int64


MATLAB = {
    "struct": ({"X": {"a": 1}, "y": Y}, "'X' is a MATLAB struct; save numbers"),
    "cell": ({"X": X, "y": np.array([1, "a"], object)}, "'y' is a MATLAB cell; save numbers"),
    "other names": ({"a": X, "b": Y}, "holds 'a', 'b'; expected arrays named inputs and labels, or X and y"),
}


@pytest.mark.parametrize(("arrays", "text"), MATLAB.values(), ids=MATLAB.keys())
def test_what_is_no_array_of_numbers_in_matlab_is_refused(arrays, text, tmp_path):
    matlab.savemat(tmp_path / "a.mat", arrays)
    with pytest.raises(InputError, match=rf"a\.mat: .*{text}"):
        load_samples(tmp_path / "a.mat")


def test_a_file_of_matlab_73_is_refused_with_what_to_do(tmp_path):
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM"
    (tmp_path / "a.mat").write_bytes(head + bytes(400))
    with pytest.raises(InputError, match=r"is of MATLAB 7\.3, which is not read; save it with -v7, or as \.npz"):
        load_samples(tmp_path / "a.mat")


# ---- tables


def read_csv(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding=encoding)
    samples = load_samples(path)
    return samples.inputs.tolist(), samples.labels.tolist()


TABLES = {
    "last column": "a,b,c\n1,2,0\n3,4.5,7\n",
    "named label": "a,label,b\n1,0,2\n3,7,4.5\n",
    "named y": "y,a,b\n0,1,2\n7,3,4.5\n",
    "spaces and quotes": '"a", b, label\n1, 2, 0\n3, 4.5, 7\n',
    "labels as floats": "a,b,c\n1,2,0.0\n3,4.5,7.0\n",
    "semicolons": "a;b;c\n1;2;0\n3;4.5;7\n",
    "tabs": "a\tb\tc\n1\t2\t0\n3\t4.5\t7\n",
    "index of pandas": ",a,b,c\n0,1,2,0\n1,3,4.5,7\n",
    "names of pandas": "0,1,2\n1,2,0\n3,4.5,7\n",
    "index and names of pandas": ",0,1,2\n0,1,2,0\n1,3,4.5,7\n",
    "byte order mark": "\ufeffy,a,b\n0,1,2\n7,3,4.5\n",
    "lines of Windows": "a,b,c\r\n1,2,0\r\n3,4.5,7\r\n",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES.keys())
def test_a_table_has_a_row_of_names_and_a_column_of_labels(text, tmp_path):
    assert read_csv(tmp_path, text) == ([[1, 2], [3, 4.5]], [0, 7])


def test_labels_of_a_table_may_be_words_or_targets(tmp_path):
    assert read_csv(tmp_path, "a,kind\n1,cat\n2,7\n")[1] == ["cat", "7"]
    assert read_csv(tmp_path, "a,target\n1,0.5\n2,7\n")[1] == [0.5, 7.0]


def test_columns_of_a_table_are_chosen_by_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,a,kind,b\nx,1,cat,2\ny,3,dog,4.5\n")
    samples = load_samples(path, ["b", "a"], "kind")
    assert (samples.inputs.tolist(), samples.labels.tolist()) == ([[2, 1], [4.5, 3]], ["cat", "dog"])
    with pytest.raises(InputError, match=r"no column 'kinds'; did you mean 'kind'\?"):
        load_samples(path, [], "kinds")
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    with pytest.raises(InputError, match=r"a\.npz: expected a table for columns, got \.npz"):
        load_samples(tmp_path / "a.npz", ["b"])


def test_a_file_beyond_the_memory_of_the_machine_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", X=np.zeros((4000, 100)), y=np.zeros(4000))
    (tmp_path / "a.csv").write_text("a,y\n" + "1,0\n" * 9000)
    matlab.savemat(tmp_path / "a.mat", {"X": np.zeros((4000, 100)), "y": np.zeros(4000)}, do_compression=True)
    monkeypatch.setattr("os.sysconf", lambda name: 100)  # pages of 100 bytes, 100 of them
    for name in ("a.npz", "a.csv", "a.mat"):
        with pytest.raises(InputError, match=rf"{name}: expected data that fit into the 0\.0 GiB of memory"):
            load_samples(tmp_path / name)


WRONG_TABLES = {
    "empty": ("", "is empty"),
    "one column": ("a\n1\n", "its first row is 'a'"),
    "no names": ("1,2\n3,4\n", "its first row holds numbers; expected names, for example x1,x2,label"),
    "names alone": ("a,b\n", "has no rows below the names"),
    "the same name": ("a,a\n1,2\n", "two columns have the same name"),
    "words among inputs": (
        "a,b\nx,2\n1,3\n",
        "line 2, column 'a': expected a number, got 'x'; code the column or leave it out",
    ),
    "a gap among inputs": ("a,b\n,2\n1,3\n", "line 2, column a: expected a value, got ''"),
    "NA among inputs": ("a,b\n4,2\nNA,3\n", "line 3, column a: expected a value, got 'NA'"),
    "NaN among inputs": ("a,b\n4,2\nnan,3\n", r"line 3, column a: expected a value, got 'nan' \(1 of 2"),
    "decimal commas": ("a;b\n1,5;2\n1,5;3\n", "line 2, column a: expected a number with a decimal point, got '1,5'"),
    "infinite": ("a,b\ninf,2\n1,3\n", "1 of 2 inputs are not finite"),
    "a gap among labels": ("a,b\n1,\n1,3\n", r"line 2, column 'b': expected a value, got '' \(1 of 2 rows lack one\)"),
    "longer rows": ("a,b\n1,2,3\n4,5,6\n", "cannot be read|expected 2 values"),
    "one longer row": ("a,b\n1,2\n4,5,6\n", "line 3: expected 2 values"),
    "an open quote": ('a,b\n1,"2\n', "cannot be read"),
}


@pytest.mark.parametrize(("text", "told"), WRONG_TABLES.values(), ids=WRONG_TABLES.keys())
def test_a_table_that_leaves_something_open_is_refused(text, told, tmp_path):
    with pytest.raises(InputError, match=rf"a\.csv.*({told})") as error:
        read_csv(tmp_path, text)
    assert "\n" not in str(error.value)


def test_a_table_in_another_encoding_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_csv(tmp_path, "größe,y\n1,2\n", "latin-1")


# ---- what is refused


WRONG = {
    "unequal lengths": (
        {"X": X, "y": Y[:3]},
        r"labels have shape \(3,\), there are 4 inputs; expected the sample first",
    ),
    "samples last": ({"X": X.T, "y": Y}, r"labels have shape \(4,\), there are 3 inputs"),
    "NaN": ({"X": np.where(X > 1, np.nan, X), "y": Y}, "1 of 4 inputs are not finite; drop or fill those rows first"),
    "beyond float32": ({"X": X * 1e300, "y": Y}, "4 of 4 inputs are not finite"),
    "NaN labels": ({"X": X, "y": Y * np.nan}, "labels are not finite"),
    "no rows": ({"X": X[:0], "y": Y[:0]}, r"inputs have shape \(0, 3\)"),
    "a number": ({"X": np.array(3.0)}, r"inputs have shape \(\)"),
    "words": ({"X": np.array(["a", "b"])}, r"dtype <U1; expected numbers"),
    "complex": ({"X": X * 1j}, "inputs has dtype complex128"),
    "labels alone": ({"y": Y}, "holds 'y'; expected arrays named inputs and labels"),
    "nothing": ({}, "holds nothing; expected arrays"),
}


@pytest.mark.parametrize(("arrays", "text"), WRONG.values(), ids=WRONG.keys())
def test_arrays_that_cannot_be_used_are_refused(arrays, text, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=rf"a\.npz.*{text}"):
        load_samples(tmp_path / "a.npz")


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, canary):
        self.canary = str(canary)

    def __reduce__(self):
        return os.mkdir, (self.canary,)


@pytest.mark.parametrize("place", ["X", "y"])
def test_an_array_of_objects_is_refused_and_its_pickle_never_run(place, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "a.npz"
    evil = np.array([Evil(canary)] * 4, object)
    np.savez(path, **({"X": X, "y": Y} | {place: evil}))
    with pytest.raises(
        InputError, match=rf"a\.npz: refused, since array '{place}' holds objects, which could run code"
    ):
        load_samples(path)
    assert not canary.exists()
    with np.load(path, allow_pickle=True) as arrays:
        arrays[place]
    assert canary.is_dir()  # it would have


@pytest.mark.parametrize("ending", [".npz", ".mat", ".csv"])
def test_a_bare_pickle_by_another_name_is_refused(ending, tmp_path):
    path = tmp_path / f"a{ending}"
    path.write_bytes(pickle.dumps(Evil(tmp_path / "canary")))
    with pytest.raises(InputError, match=re.escape(path.name)):
        load_samples(path)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_names_of_members_that_are_paths_are_only_names(tmp_path):
    content = io.BytesIO()
    np.save(content, X)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in ("X.npy", "../../escaped.npy", "/escaped.npy"):
            archive.writestr(name, content.getvalue())
    np.testing.assert_array_equal(load_samples(tmp_path / "a.npz").inputs, X)
    assert [item.name for item in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("kept", [0, 1, 50, 0.5, -30])
@pytest.mark.parametrize("ending", [".npz", ".mat"])
def test_a_file_that_was_cut_short_is_named(ending, kept, tmp_path):
    path = tmp_path / f"a{ending}"
    arrays = {"X": np.random.default_rng(0).random((99, 9)), "y": np.arange(99)}
    np.savez(path, **arrays) if ending == ".npz" else matlab.savemat(path, arrays)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=re.escape(str(path))) as told:
        load_samples(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.npy"])
def test_another_kind_of_file_is_refused(name, tmp_path):
    with pytest.raises(InputError, match=r"is no \.npz, \.csv, \.tsv, \.mat file; save the arrays with numpy\.savez"):
        load_samples(tmp_path / name)


@pytest.mark.parametrize("name", ["missing.npz", "nul\0.csv", "folder.mat"])
def test_a_file_that_is_not_there_is_named(name, tmp_path):
    (tmp_path / "folder.mat").mkdir()
    with pytest.raises(StoreError, match="no such file"):
        load_samples(tmp_path / name)
