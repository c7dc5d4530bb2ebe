"""What a data set says of its table, how it is split, and what it refuses."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from infoplane.data import Dataset, split_rows, szt
from infoplane.data.base import random_order, random_words
from infoplane.errors import InputError


def dataset(inputs, labels, split=None, name="mine"):
    return Dataset(np.array(inputs, np.float32), np.array(labels, np.int64), split, name)


def classes(*counts):
    """A data set of distinct rows with the given number of rows in each class, classes interleaved."""
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(0).permutation(labels)
    return dataset(np.arange(len(labels))[:, None], labels)


# what the table knows


def test_input_entropy_is_log2_n_exactly_where_rows_are_distinct():
    assert classes(300, 200, 11).input_entropy == math.log2(511)


def test_input_entropy_of_repeated_rows_is_that_of_the_distinct_rows():
    """Shares 1/2, 1/4, 1/4 of the rows: 1.5 bits."""
    task = dataset([[0, 1], [2, 3], [0, 1], [4, 5]], [0, 0, 0, 0])
    assert task.n_distinct == 3
    assert task.input_entropy == pytest.approx(1.5, abs=1e-15)


def test_negative_zero_is_the_same_input_as_zero():
    assert dataset([[0.0], [-0.0]], [0, 0]).n_distinct == 1


def test_label_entropy_of_shares_one_half_and_twice_a_quarter_is_one_and_a_half_bits():
    assert dataset([[0], [1], [2], [3]], [0, 0, 1, 2]).label_entropy == pytest.approx(1.5, abs=1e-15)


def test_label_information_is_the_label_entropy_where_the_row_decides():
    task = dataset([[0], [0], [1], [2]], [1, 1, 0, 2])
    assert task.label_information == task.label_entropy


def test_label_information_falls_where_equal_rows_disagree():
    """Rows a a b b with labels 0 1 1 1: H(Y) = H(1/4), H(Y|X) = 1/2."""
    task = dataset([[0], [0], [1], [1]], [0, 1, 1, 1])
    h_y = 0.25 * 2 + 0.75 * math.log2(4 / 3)
    assert task.label_information == pytest.approx(h_y - 0.5, abs=1e-15)


def test_label_information_is_zero_where_labels_ignore_the_row():
    assert dataset([[0], [0], [1], [1]], [0, 1, 0, 1]).label_information == pytest.approx(0, abs=1e-15)


def test_counts_name_samples_features_and_classes():
    task = dataset([[1, 2, 3], [4, 5, 6]], [0, 2])
    assert (task.n_samples, task.n_features, task.n_classes) == (2, 3, 3)


# shuffled labels


def test_shuffled_labels_keep_inputs_and_the_number_in_each_class():
    task = classes(300, 200, 11)
    shuffled = task.with_shuffled_labels(seed=3)
    assert (shuffled.inputs == task.inputs).all()
    assert (np.bincount(shuffled.labels) == [300, 200, 11]).all()
    assert (shuffled.labels != task.labels).any()


def test_shuffled_labels_say_so_in_the_name():
    assert szt().with_shuffled_labels(3).name == "szt (labels shuffled, seed 3)"


def test_shuffled_labels_depend_on_the_seed():
    first, again, other = (szt().with_shuffled_labels(seed).labels for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_shuffled_labels_agree_with_the_rule_no_more_than_chance():
    # p² + (1−p)² = .5006 of 4096 rows would agree by chance, sd √(N/4)/N = .008; 4 of them over 20 seeds.
    labels = szt().labels
    agreement = [(szt().with_shuffled_labels(seed).labels == labels).mean() for seed in range(20)]
    assert np.abs(np.array(agreement) - 0.5006).max() < 4 * 0.008


# randomness


def test_random_words_are_the_same_today_and_tomorrow():
    """Stored runs rely on these: the Philox stream under (seed, purpose) must never change."""
    assert random_words(2, 0, "split").tolist() == [2237093810179257126, 6665919500057125190]
    assert random_order(8, 0, "split").tolist() == [7, 4, 0, 5, 1, 3, 2, 6]


def test_one_seed_gives_independent_numbers_for_each_purpose():
    # Rank correlation of two independent orders of 10 000 has sd .01; 4 of them.
    first, second = (random_order(10_000, 5, purpose) for purpose in ("split", "shuffled labels"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.04


def test_largest_seed_is_accepted_and_the_next_refused():
    assert len(random_words(3, 2**64 - 1, "split")) == 3
    with pytest.raises(InputError, match="expected an integer from 0 to 2"):
        random_words(3, 2**64, "split")


# splits


@pytest.mark.parametrize("how", ["shuffled", "stratified", "unshuffled"])
@pytest.mark.parametrize("fraction", [0.05, 0.45, 0.5, 0.8, 0.85, 0.99, 1])
def test_split_has_rint_rows_covers_all_once_and_ascends(how, fraction):
    task = classes(1300, 700, 95, 2)
    train, test = split_rows(task, fraction, how, 7)
    assert len(train) == np.rint(2097 * fraction)
    assert (np.sort(np.concatenate([train, test])) == np.arange(2097)).all()
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()


def test_fraction_one_leaves_an_empty_test_set():
    assert split_rows(szt(), 1, "shuffled", 0)[1].shape == (0,)


@pytest.mark.parametrize("how", ["shuffled", "stratified"])
def test_equal_seeds_split_equally_and_different_seeds_differently(how):
    first, again, other = (split_rows(szt(), 0.8, how, seed)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("counts", [(2118, 1978), (10, 10, 10), (997, 2, 1), (3, 1, 1, 1, 1), (50, 0, 7)])
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.77, 0.8])
def test_stratified_split_keeps_shares_to_within_one_row_a_class(counts, fraction):
    task = classes(*counts)
    train, _ = split_rows(task, fraction, "stratified", 0)
    taken = np.bincount(task.labels[train], minlength=len(counts))
    wanted = np.array(counts) * np.rint(sum(counts) * fraction) / sum(counts)
    assert (np.abs(taken - wanted) < 1).all()


def test_stratified_split_gives_the_spare_rows_to_the_largest_remainders():
    """Half of 7 + 2 + 1 rows is 5: quotas 3.5, 1, .5; the spare row goes to the first of the equal .5s."""
    task = classes(7, 2, 1)
    train, _ = split_rows(task, 0.5, "stratified", 0)
    assert np.bincount(task.labels[train], minlength=3).tolist() == [4, 1, 0]


def test_stratified_split_draws_rows_all_over_each_class():
    # Mean position of half of 1000 rows has sd 1000/√12/√500/√2 = 9; 5 of them.
    task = dataset(np.arange(2000)[:, None], np.repeat([0, 1], 1000))
    train, _ = split_rows(task, 0.5, "stratified", 0)
    assert train[train < 1000].mean() == pytest.approx(499.5, abs=45)


def test_shuffled_split_ignores_the_order_of_rows():
    # P(y=1) is .517 overall; among 3277 of 4096 its sd is √(.25/3277 · 819/4095) = .004; 4 of them.
    train, _ = split_rows(szt(), 0.8, "shuffled", 0)
    assert szt().labels[train].mean() == pytest.approx(0.517, abs=0.016)


def test_smaller_shuffled_training_sets_lie_within_larger_ones():
    small, middle, large = (split_rows(szt(), fraction, "shuffled", 3)[0] for fraction in (0.05, 0.45, 0.85))
    assert np.isin(small, middle).all()
    assert np.isin(middle, large).all()


def test_unshuffled_split_takes_the_first_rows():
    train, test = split_rows(classes(6, 4), 0.7, "unshuffled", 0)
    assert train.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert test.tolist() == [7, 8, 9]


def test_given_split_is_the_data_sets_own():
    task = dataset([[0], [1], [2]], [0, 1, 0], np.array(["test", "train", "train"]))
    train, test = split_rows(task, 0.8, "given", 0)
    assert (train.tolist(), test.tolist()) == ([1, 2], [0])


# errors

ROWS = np.zeros((3, 2), np.float32)
CODES = np.zeros(3, np.int64)
MATRIX = (
    "expected an array of shape (sample, feature) with at least one row and one column; "
    "flatten each sample's values into one row"
)
REMEDY = "expected int64 codes 0…C−1; use np.unique(labels, return_inverse=True)[1]"
OTHER_SPLITS = "use how='shuffled', 'stratified' or 'unshuffled'"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: Dataset(np.zeros(3, np.float32), CODES, None, "mine"),
            "inputs is an array of shape (3,) and dtype float32; " + MATRIX,
        ),
        (
            lambda: Dataset(np.zeros((0, 2), np.float32), CODES[:0], None, "mine"),
            "inputs is an array of shape (0, 2) and dtype float32; " + MATRIX,
        ),
        (
            lambda: Dataset(ROWS.astype(float), CODES, None, "mine"),
            "inputs has dtype float64; expected float32; use inputs.astype('float32')",
        ),
        (
            lambda: Dataset(np.array([[0, np.nan], [np.inf, 1]], np.float32), CODES[:2], None, "mine"),
            "2 of 4 inputs are not finite; drop or fill those rows first",
        ),
        (
            lambda: Dataset(ROWS, CODES[:2], None, "mine"),
            "labels is an array of shape (2,) and dtype int64; "
            "expected shape (3,), one for each row of inputs",
        ),
        (lambda: Dataset(ROWS, CODES.astype(float), None, "mine"), f"labels has dtype float64; {REMEDY}"),
        (lambda: Dataset(ROWS, CODES - 1, None, "mine"), f"labels has codes from -1 to -1; {REMEDY}"),
        (lambda: Dataset(ROWS, CODES + 2**31, None, "mine"),
         f"labels has codes from 2147483648 to 2147483648; {REMEDY}"),
        (
            lambda: Dataset(ROWS, CODES, np.array(["train", "test"]), "mine"),
            "split is an array of shape (2,) and dtype <U5; expected strings of shape (3,), or None; "
            "use np.asarray(split, dtype=str)",
        ),
        (
            lambda: Dataset(ROWS, CODES, np.array(["train", "test", "valid"]), "mine"),
            "split has the entry 'valid'; expected only 'train' and 'test'",
        ),
        (lambda: split_rows(szt(), 0.8, "stratifed", 0), "how is 'stratifed'; did you mean 'stratified'?"),
        (
            lambda: split_rows(szt(), 0.0, "shuffled", 0),
            "fraction is 0.0; expected a share of the rows above 0 and up to 1, for example 0.8",
        ),
        (
            lambda: split_rows(szt(), 80, "shuffled", 0),
            "fraction is 80; expected a share of the rows above 0 and up to 1, for example 0.8",
        ),
        (
            lambda: split_rows(szt(), math.nan, "shuffled", 0),
            "fraction is nan; expected a share of the rows above 0 and up to 1, for example 0.8",
        ),
        (
            lambda: split_rows(szt(), 1e-5, "shuffled", 0),
            "fraction 1e-05 of 4096 rows leaves none to train on; use at least 0.00024",
        ),
        (
            lambda: split_rows(szt(), 0.8, "given", 0),
            f"how is 'given', but data set 'szt' has no division of its own; {OTHER_SPLITS}",
        ),
        (
            lambda: split_rows(Dataset(ROWS, CODES, np.array(["test"] * 3), "mine"), 0.8, "given", 0),
            f"how is 'given', but data set 'mine' has test rows only; {OTHER_SPLITS}",
        ),
    ],
)  # fmt: skip
def test_errors_name_the_argument_and_the_remedy(call, text):
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value) == text


def test_lists_are_refused_in_words():
    """`__init__` would refuse a list too, but by the type checks that are on in tests only."""
    lists: Any = SimpleNamespace(inputs=[[0.0]], labels=CODES, split=None)
    with pytest.raises(InputError) as error:
        Dataset.__post_init__(lists)
    assert str(error.value) == f"inputs is of type list; {MATRIX}"
