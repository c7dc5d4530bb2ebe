"""Images from folders of IDX files: which files are found, what becomes of them, what is refused."""

import gzip
import hashlib
import math
import struct

import numpy as np
import pytest

from infoplane import data
from infoplane.data import images
from infoplane.errors import InputError, StoreError
from real_files import folder_of

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (7, 4, 3), dtype=np.uint8)
CLASSES = np.array([3, 1, 4, 1, 5, 9, 2], np.uint8)


def idx(array):
    """Content of an IDX file of unsigned bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write(folder, name, content):
    """Write a file, compressed where its name says so."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)


def write_part(folder, part, pixels=PIXELS, classes=CLASSES, dash="-", ending=""):
    write(folder, f"{part}-images{dash}idx3-ubyte{ending}", idx(pixels))
    write(folder, f"{part}-labels{dash}idx1-ubyte{ending}", idx(classes))


# ---- what is read


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dash", ["-", "."])
def test_training_rows_come_first_then_test_rows_with_pixels_from_0_to_1(tmp_path, dash, ending):
    write_part(tmp_path, "train", dash=dash, ending=ending)
    write_part(tmp_path, "t10k", PIXELS[:2], CLASSES[:2], dash=dash, ending=ending)
    dataset = data.load("mnist", path=tmp_path)
    assert (dataset.name, dataset.shape, dataset.inputs.dtype) == ("mnist", (4, 3), np.float32)
    expected = np.concatenate([PIXELS, PIXELS[:2]]).reshape(9, 12).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(dataset.inputs, expected)
    assert dataset.labels.tolist() == [3, 1, 4, 1, 5, 9, 2, 3, 1]
    assert dataset.split.tolist() == ["train"] * 7 + ["test"] * 2


@pytest.mark.parametrize(("part", "split"), [("t10k", "test"), ("test", "test"), ("train", "train")])
def test_a_folder_with_one_part_loads_and_split_says_which(tmp_path, part, split):
    write_part(tmp_path, part)
    assert set(data.load("notmnist", str(tmp_path)).split) == {split}


def test_the_images_of_emnist_stand_upright(tmp_path):
    write_part(tmp_path, "emnist-digits-train", PIXELS.transpose(0, 2, 1))
    dataset = data.load("emnist-digits", tmp_path)
    assert dataset.shape == (4, 3)
    np.testing.assert_array_equal(dataset.inputs * 255, PIXELS.reshape(7, 12))


def test_other_images_are_called_as_their_folder_and_may_have_any_labels(tmp_path):
    write_part(tmp_path / "kanji", "train", classes=CLASSES + np.uint8(200))
    dataset = data.load("idx", tmp_path / "kanji")
    assert (dataset.name, dataset.n_classes) == ("kanji", 210)


def test_digits_come_with_scikit_learn():
    dataset = data.digits()
    assert (dataset.inputs.shape, dataset.shape, dataset.n_classes, dataset.split) == ((1797, 64), (8, 8), 10, None)
    assert (dataset.inputs.min(), dataset.inputs.max()) == (0, 1)
    assert dataset.input_entropy == math.log2(1797)  # no image occurs twice


# ---- the real files


def real(name):
    return data.load(name, folder_of(name))


def test_mnist_is_whole():
    dataset = real("mnist")
    assert dataset.inputs.shape == (70_000, 784)
    assert np.bincount(dataset.labels[:60_000]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(dataset.labels[60_000:]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.unique(dataset.split, return_counts=True)[1].tolist() == [10_000, 60_000]
    assert dataset.n_distinct == 70_000
    pixels = np.rint(dataset.inputs[60_000:] * 255).astype(np.uint8)
    digest = hashlib.sha256(struct.pack(">HBB3I", 0, 8, 3, 10_000, 28, 28) + pixels.tobytes()).hexdigest()
    assert digest == "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"


def test_notmnist_has_its_test_part_only_and_images_that_occur_more_than_once():
    dataset = real("notmnist")
    assert dataset.inputs.shape == (10_000, 784)
    assert np.bincount(dataset.labels).tolist() == [1000] * 10
    assert set(dataset.split) == {"test"}
    assert dataset.n_distinct == len({row.tobytes() for row in dataset.inputs}) == 9804
    assert dataset.input_entropy < math.log2(9804)


# ---- what is refused


def refused(name, folder):
    with pytest.raises((InputError, StoreError)) as error:
        data.load(name, folder)
    return str(error.value)


def test_missing_files_are_told_with_the_names_that_were_looked_for(tmp_path):
    text = refused("mnist", tmp_path)
    assert text.startswith(f"{tmp_path}: holds no images of mnist; looked for train-images-idx3-ubyte, ")
    assert "t10k-images-idx3-ubyte" in text
    assert text.endswith(", also with .idx for -idx and with .gz")


def test_images_without_labels_and_labels_without_images_are_refused(tmp_path):
    write(tmp_path, "train-images-idx3-ubyte", idx(PIXELS))
    assert "holds train-images-idx3-ubyte but no labels with it; looked for train-labels-idx1-ubyte" in refused(
        "mnist", tmp_path
    )
    write(tmp_path, "train-labels-idx1-ubyte", idx(CLASSES))
    write(tmp_path, "t10k-labels-idx1-ubyte.gz", idx(CLASSES))
    assert "holds t10k-labels-idx1-ubyte.gz but no images with it; looked for t10k-images" in refused("mnist", tmp_path)


def test_a_file_instead_of_a_folder_and_nothing_at_all_are_refused(tmp_path):
    write_part(tmp_path, "train")
    path = tmp_path / "train-images-idx3-ubyte"
    assert refused("mnist", path) == f"{path}: is no folder; expected the folder that holds the files of mnist"
    path = tmp_path / "nothing"
    assert refused("mnist", path) == f"{path}: no such folder; expected one that holds the files of mnist"


def test_unequal_counts_are_refused(tmp_path):
    write_part(tmp_path, "train", classes=CLASSES[:5])
    assert refused("mnist", tmp_path).endswith("holds 5 labels, train-images-idx3-ubyte 7 images; expected as many")


def test_labels_outside_the_classes_are_refused(tmp_path):
    write_part(tmp_path, "train", classes=CLASSES + np.uint8(3))
    text = "label 12 of row 5 is outside the classes of mnist, 0…9; 1 such labels; is it another data set?"
    assert text in refused("mnist", tmp_path)


def test_parts_of_different_sizes_are_refused(tmp_path):
    write_part(tmp_path, "train")
    write_part(tmp_path, "t10k", PIXELS.transpose(0, 2, 1))
    assert "images of the two parts are 3 × 4 and 4 × 3; expected one size" in refused("mnist", tmp_path)


def test_a_data_set_of_files_needs_a_path_and_others_take_none(tmp_path):
    with pytest.raises(InputError, match="'mnist' is read from files; say where they are with path"):
        data.make("mnist")
    assert "data set 'digits' has no parameter 'path'" in refused("digits", tmp_path)


# ---- what lies at a path


@pytest.mark.parametrize(
    ("folder", "prefix", "name"),
    [("mnist", "", "mnist"), ("MNIST", "", "mnist"), ("emnist", "emnist-digits-", "emnist-digits"), ("a", "", "idx")],
)
def test_what_a_folder_holds_is_told_by_its_name_and_files(tmp_path, folder, prefix, name):
    write_part(tmp_path / folder, f"{prefix}train")
    assert images.guess(tmp_path / folder) == name


def test_a_file_is_ones_own_data(tmp_path):
    np.savez(tmp_path / "mine.npz", x=PIXELS.reshape(7, -1), y=CLASSES)
    assert images.guess(tmp_path / "mine.npz") == "file"
    assert data.load("file", tmp_path / "mine.npz").n_samples == 7


def test_the_folder_above_is_told_from_an_empty_one(tmp_path):
    write_part(tmp_path / "mine", "t10k")
    (tmp_path / "empty").mkdir()
    assert "holds no images of mnist; its folders mine hold some; looked for" in refused("mnist", tmp_path)
