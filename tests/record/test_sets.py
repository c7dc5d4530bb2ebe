"""Inputs and labels of every kind that users have, and those that cannot be used."""

from typing import Any

import numpy as np
import pytest

import infoplane as ip
from infoplane.record.sets import MeasuredSet


def made(inputs: Any, labels: Any = None, target_bins: int = 10) -> Any:
    return MeasuredSet(inputs, labels, "inputs", batch_size=32, target_bins=target_bins)


# ---- batches


@pytest.mark.parametrize(
    ("n_samples", "size", "expected"),
    [(10, 5, [5, 5]), (11, 5, [5, 6]), (12, 5, [5, 5, 2]), (3, 2, [3]), (2, 2, [2]), (3, 1, [1, 1, 1]), (4, 9, [4])],
)
def test_no_sample_is_left_alone_in_a_last_batch(n_samples, size, expected):
    inputs = np.arange(float(n_samples))[:, None]
    batches = [batch for _, batch in made(inputs).batches(size)]
    assert [len(batch) for batch in batches] == expected
    assert np.array_equal(np.concatenate(batches), inputs)


def test_a_model_that_squeezes_its_output_is_measured_whatever_the_batches(inputs, labels):
    recorder = ip.Recorder(inputs, labels, batch_size=17)  # 120 = 7 · 17 + 1
    recorder.step(0, lambda batch: {"unit": np.squeeze(batch[:, :1])})
    whole = ip.Recorder(inputs, labels)
    whole.step(0, {"unit": inputs[:, :1]})
    assert recorder.results().identical(whole.results())


# ---- labels


def test_few_values_as_floats_are_classes_and_none_are_merged(inputs):
    digits = np.arange(len(inputs)) % 10
    set_ = made(inputs, digits.astype(np.float32))
    assert set_.label_entropy == pytest.approx(np.log2(10))  # 120 inputs, 12 of each
    assert set_.targets == "labels are whole numbers stored as floats, 10 values, each of which is a class"
    assert np.array_equal(set_.labels, digits)


def test_targets_that_repeat_are_not_said_to_be_cut_into_equal_masses(inputs):
    targets = np.where(np.arange(120) < 60, 0.0, np.arange(120))  # 61 values, half of the mass on one
    set_ = made(inputs, targets, target_bins=4)
    # quartiles 0, 0–60, 89.25: the class of zero, then 60…89, then 90…119
    assert set_.targets == "targets cut at their quantiles into 3 classes of unequal mass, since many targets are equal"
    assert np.array_equal(np.bincount(set_.labels), [60, 30, 30])


def test_several_targets_are_cut_one_by_one_and_the_result_says_so(inputs):
    number = np.arange(120.0)
    set_ = made(inputs, np.stack([number, -number], axis=1), target_bins=4)
    assert set_.targets == "each of 2 targets cut at its quantiles into up to 4 parts, 4 classes"
    assert set_.label_entropy == 2.0


def test_words_kept_as_objects_are_classes(inputs, labels):
    pandas = pytest.importorskip("pandas")
    words = ["cat" if label else "dog" for label in labels]
    for given in (words, np.array(words, object), pandas.Series(words), pandas.Categorical(words)):
        assert np.array_equal(made(inputs, given).labels == 0, labels == 1)  # "cat" comes before "dog"


@pytest.mark.parametrize("kind", [int, bool, float])
def test_several_labels_for_each_input_are_refused_with_the_choice(inputs, kind):
    several = (np.arange(360).reshape(120, 3) % 7 > 3).astype(kind)  # rows with no label, one and several
    said = r"labels: expected one label for each input, shape \(120,\), got shape \(120, 3\).*positions=3.*multi-label"
    with pytest.raises(ip.InputError, match=said):
        made(inputs, several)
    combination = np.unique(several, axis=0, return_inverse=True)[1]  # what the text says, as it stands
    assert made(inputs, combination.reshape(-1)).label_entropy > 1


def test_labels_per_position_are_refused_with_the_choice(inputs):
    with pytest.raises(ip.InputError, match=r"got shape \(120, 16\).*labels per position"):
        made(inputs, np.random.default_rng(0).integers(0, 9, (120, 16)))


def test_one_hot_rows_are_classes_whatever_their_type(inputs, labels):
    for kind in (int, bool, float):
        set_ = made(inputs, np.eye(5)[labels].astype(kind))
        assert np.array_equal(set_.labels, made(inputs, labels).labels)


def test_a_column_of_labels_is_one_label_for_each_input(inputs, labels):
    assert np.array_equal(made(inputs, labels[:, None]).labels, made(inputs, labels).labels)


def test_targets_whose_combinations_are_as_many_as_the_inputs_are_refused(inputs):
    targets = np.random.default_rng(0).standard_normal((120, 3))
    with pytest.raises(ip.InputError, match=r"each input would be a class of its own. Measure one target at a time"):
        made(inputs, targets)


@pytest.mark.parametrize("kind", [int, float])
def test_the_label_that_losses_ignore_is_refused_or_left_out(inputs, labels, kind):
    ignored = np.where(np.arange(120) % 4 == 0, -100, labels).astype(kind)
    with pytest.raises(ip.InputError, match=r"got -100 in 30 of 120 places, .* Pass ignore_index=-100 to leave out"):
        made(inputs, ignored)
    set_ = MeasuredSet(inputs, ignored, "inputs", batch_size=32, target_bins=10, ignore_index=-100)
    kept = np.arange(120) % 4 != 0
    by_hand = made(inputs[kept], labels[kept].astype(kind))
    assert set_.fingerprint == by_hand.fingerprint
    assert set_.n_samples == 90


def test_targets_that_reach_below_the_ignored_label_are_targets(inputs):
    targets = np.linspace(-200, 0, 120)
    targets[60] = -100.0
    assert made(inputs, targets).label_entropy == pytest.approx(np.log2(10), abs=0.01)  # ten classes of 12 or so


def test_ignoring_every_label_is_refused(inputs):
    with pytest.raises(ip.InputError, match="expected at least 2 labels other than -100, got 0"):
        MeasuredSet(inputs, np.full(120, -100), "inputs", batch_size=9, target_bins=10, ignore_index=-100)


# ---- inputs


def test_a_table_is_taken_row_by_row_whatever_its_index(inputs):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(inputs, index=np.linspace(0, 1, len(inputs))[::-1])
    assert made(table).fingerprint == made(inputs).fingerprint
    assert np.array_equal(next(made(table).batches(7))[1], inputs[:7])


def test_the_inputs_of_one_model_as_a_list_are_refused_with_what_to_do(inputs, labels):
    with pytest.raises(ip.InputError, match="list of 2 arrays of 120 samples; expected a tuple of them"):
        made([inputs, 2 * inputs], labels)


def test_a_list_of_samples_is_an_array(inputs, labels):
    assert made([*inputs], labels).fingerprint == made(inputs, labels).fingerprint


def test_what_has_no_rows_to_be_cut_is_refused_with_what_to_do(inputs):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    for given, said in (
        (scipy_sparse.csr_matrix(inputs), r"inputs is sparse; expected a full array, for example by \.toarray\(\)"),
        ((row for row in inputs), r"expected an array of shape \(sample, …\) or an iterable of batches.*\(4,\)"),
        ({1.0, 2.0}, "inputs is a set; expected an array"),
        (None, "inputs is a NoneType; expected an array"),
        (np.array(["red", "blue"]), "inputs hold strings; expected numbers, for example each word's place"),
    ):
        with pytest.raises(ip.InputError, match=said):
            made(given)


@pytest.mark.framework
def test_sparse_tensors_are_refused_with_what_to_do(inputs):
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    with pytest.raises(ip.InputError, match=r"sparse; expected a full array, for example by \.to_dense\(\)"):
        made(torch.tensor(inputs).to_sparse())
