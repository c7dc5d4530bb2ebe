"""Inputs in batches or one by one: the same record as of whole arrays, each input with its own label."""

from typing import Any

import numpy as np
import pytest

import infoplane as ip
from infoplane.record.sets import MeasuredSet, parts_of


def made(inputs: Any, labels: Any = None) -> Any:
    return MeasuredSet(inputs, labels, "inputs", batch_size=32, target_bins=10)


def same(set_, other):
    assert set_.fingerprint == other.fingerprint
    for one, two in zip(parts_of(set_.inputs), parts_of(other.inputs), strict=True):
        assert np.array_equal(one, two)


def cut(*arrays, size=50):
    return [tuple(array[start : start + size] for array in arrays) for start in range(0, len(arrays[0]), size)]


def test_batches_of_inputs_and_labels_are_joined_in_order(inputs, labels):
    whole = made(inputs, labels)
    batches = cut(inputs, labels)
    same(made(batches), whole)
    same(made(iter(batches)), whole)
    same(made([batch for batch, _ in batches].__iter__(), labels), whole)


def test_a_batch_of_several_inputs_ends_with_its_labels(inputs, labels):
    same(made(cut(inputs, 2 * inputs, labels)), made((inputs, 2 * inputs), labels))


def test_pairs_whose_labels_are_one_number_are_samples(inputs, labels):
    same(made(iter(zip(inputs, labels, strict=True))), made(inputs, labels))


@pytest.mark.parametrize("name", ["labels", "label", "y"])
def test_lists_of_dictionaries_are_batches_or_samples_as_their_labels_tell(inputs, labels, name):
    whole = made({"x": inputs, "mask": inputs > 0}, labels)
    batches = [{"x": x, "mask": mask, name: y} for x, mask, y in cut(inputs, inputs > 0, labels)]
    samples = [{"x": x, "mask": x > 0, name: int(y)} for x, y in zip(inputs, labels, strict=True)]
    for given in (batches, samples, iter(batches), iter(samples)):
        same(made(given), whole)
    same(made(samples, name), whole)


def test_samples_of_lists_as_tokenizers_give_them_are_stacked(labels):
    words = np.arange(120 * 6).reshape(120, 6)
    samples = [{"input_ids": list(map(int, row)), "label": int(y)} for row, y in zip(words, labels, strict=True)]
    same(made(samples), made({"input_ids": words}, labels))


def test_dictionaries_that_do_not_tell_samples_from_batches_are_refused(inputs):
    with pytest.raises(ip.InputError, match="expected a list of dictionaries that tells samples from batches"):
        made([{"image": np.zeros((3, 8, 8))}] * 4)
    assert made([{"image": np.full((3, 8, 8), n)} for n in range(4)], [0, 1, 0, 1]).n_samples == 4


def test_the_labels_of_a_dictionary_are_named(inputs, labels):
    same(made({"x": inputs, "kind": labels}, "kind"), made({"x": inputs}, labels))
    with pytest.raises(ip.InputError, match="labels: expected one of x, kind, got 'label'"):
        made({"x": inputs, "kind": labels}, "label")
    with pytest.raises(ip.InputError, match="got the name 'label', which only dictionaries can hold"):
        made(inputs, "label")


def test_batches_of_different_shapes_are_refused_with_what_to_do():
    batches = [(np.zeros((5, length)), np.zeros(5, int)) for length in (7, 9)]
    with pytest.raises(ip.InputError, match=r"got \(7,\) and \(9,\). Pad the samples to one length"):
        made(iter(batches))


def test_an_iterator_that_is_used_up_is_refused(inputs, labels):
    batches = iter(cut(inputs, labels))
    made(batches)
    with pytest.raises(ip.InputError, match=r"got an empty list_iterator\. Pass a new iterator"):
        made(batches)


# ---- PyTorch


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="needs the extra 'torch'")


@pytest.mark.framework
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_loader_gives_each_input_its_own_label(torch, inputs, labels, shuffle):
    samples = torch.utils.data.TensorDataset(torch.tensor(inputs), torch.tensor(labels))
    loader = torch.utils.data.DataLoader(samples, batch_size=50, shuffle=shuffle)
    set_, whole = made(loader), made(inputs, labels)
    codes = {row.tobytes(): label for row, label in zip(inputs, whole.labels, strict=True)}
    assert [codes[row.numpy().tobytes()] for row in set_.inputs] == list(set_.labels)
    assert set_.fingerprint["any_order"] == whole.fingerprint["any_order"]
    if not shuffle:
        same(set_, whole)
        same(made(loader, labels), whole)


@pytest.mark.framework
def test_labels_beside_a_loader_that_shuffles_are_refused(torch, inputs, labels):
    loader = torch.utils.data.DataLoader(torch.tensor(inputs), batch_size=50, shuffle=True)
    with pytest.raises(ip.InputError, match=r"labels: expected the labels of a loader that shuffles \(RandomSampler\)"):
        made(loader, labels)


@pytest.mark.framework
def test_datasets_of_pytorch_are_taken_sample_by_sample(torch, inputs, labels):
    samples = torch.utils.data.TensorDataset(torch.tensor(inputs), torch.tensor(labels))
    same(made(samples), made(inputs, labels))
    same(made(torch.utils.data.Subset(samples, range(7, 70))), made(inputs[7:70], labels[7:70]))


@pytest.mark.framework
def test_a_loader_is_recorded_like_its_arrays(torch, inputs, labels):
    samples = torch.utils.data.TensorDataset(torch.tensor(inputs, dtype=torch.float32), torch.tensor(labels))
    model = torch.nn.Sequential(torch.nn.Linear(inputs.shape[1], 3), torch.nn.Tanh())
    loader = torch.utils.data.DataLoader(samples, batch_size=50)
    results = []
    for given in ((loader,), (inputs.astype(np.float32), labels)):
        recorder = ip.Recorder(*given)
        with recorder.attach(model):
            recorder.step(0)
        results.append(recorder.results())
    assert results[0]["information"].equals(results[1]["information"])
