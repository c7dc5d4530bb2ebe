"""Batch norms at epoch 0, and the option to measure with the statistics of each batch."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.experiments import summary
from infoplane.record import Recorder

pytestmark = pytest.mark.framework
rng = np.random.default_rng(0)
INPUTS = (3 + 2 * rng.normal(size=(90, 4))).astype(np.float32)
LABELS = np.arange(90) % 3


def activations(probe, inputs):
    with probe.measuring() as evaluate:
        return {name: np.asarray(values) for name, values in evaluate(inputs).items()}


def standardized(inputs, epsilon):
    """What a batch norm with weight 1 and bias 0 gives in training."""
    return (inputs - inputs.mean(axis=0)) / np.sqrt(inputs.var(axis=0) + epsilon)


def torch_model():
    nn = pytest.importorskip("torch", reason="needs the extra 'torch'").nn
    return nn.Sequential(nn.Identity(), nn.BatchNorm1d(4), nn.Tanh())


def test_pytorch_uses_the_statistics_of_the_batch():
    model = torch_model()
    from infoplane.record.torch import TorchProbe

    before = {name: value.clone() for name, value in model.state_dict().items()}
    given = activations(TorchProbe(model, batch_statistics=True), INPUTS)
    np.testing.assert_allclose(given["1"], standardized(INPUTS, 1e-5), atol=1e-5)
    assert model.training
    assert model[1].running_mean is not None
    assert all((value == before[name]).all() for name, value in model.state_dict().items())


def test_flax_uses_the_statistics_of_the_batch():
    nnx = pytest.importorskip("flax", reason="needs the extra 'flax'") and __import__("flax.nnx").nnx
    from infoplane.record.jax import NnxProbe

    model = nnx.Sequential(nnx.Linear(4, 4, rngs=nnx.Rngs(0)), nnx.BatchNorm(4, rngs=nnx.Rngs(0)))
    mean = np.asarray(model.layers[1].mean[...])
    given = activations(NnxProbe(model, batch_statistics=True), INPUTS)
    np.testing.assert_allclose(given["layers.1"], standardized(given["layers.0"], 1e-5), atol=1e-4)
    np.testing.assert_array_equal(np.asarray(model.layers[1].mean[...]), mean)


def test_the_result_states_the_size_of_the_batches_and_no_batch_is_small():
    seen = []
    model = torch_model()
    model[0].register_forward_hook(lambda module, args, output: seen.append(len(args[0])))
    recorder = Recorder(INPUTS, LABELS, batch_size=44)  # 44, 44 and 2
    with recorder.attach(model, batch_statistics=True):
        recorder.step(0)
    ds = recorder.results()
    assert ds.attrs["batch_statistics"] == "batch norms use the statistics of each batch of 30 inputs"
    assert seen[-3:] == [30, 30, 30]
    assert any("statistics of each batch of 30 inputs" in line for line in summary.remarks(ds))
    assert "initial-statistics" not in {flag for row in recorder.entries[0].rows(["binning"]) for flag in row.flags}


def recorded(norm_first):
    """Two epochs of a model whose batch norm sees its first batch between them."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    norm = nn.BatchNorm1d(4, momentum=None)
    model = (
        nn.Sequential(norm, nn.Tanh())
        if norm_first
        else nn.Sequential(nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 4), norm)
    )
    told = []
    recorder = Recorder(INPUTS, LABELS, schedule="every", on_row=told.append)
    with recorder.attach(model):
        recorder.step(0)
        model(torch.tensor(INPUTS))
        recorder.step(1)
        recorder.step(2)
    return recorder.results(), told


def test_layers_behind_a_new_batch_norm_are_flagged_at_epoch_0():
    pytest.importorskip("torch", reason="needs the extra 'torch'")
    _, told = recorded(norm_first=False)
    flagged = {(row.epoch, row.layer) for row in told if "initial-statistics" in row.flags}
    assert flagged == {(0, "3")}
    row = next(row for row in told if row.layer == "3")
    assert "a batch norm at or before this layer has the running statistics 0 and 1" in row.reason


def test_the_sentence_does_not_count_that_epoch():
    pytest.importorskip("torch", reason="needs the extra 'torch'")
    ds, _ = recorded(norm_first=True)
    inputs = ds["information"].sel(variable="input", layer="0").values.ravel()
    assert inputs[1] > inputs[0] + 0.3  # most inputs lie outside of the bins at epoch 0
    sentence = summary.summarise(ds)[0].sentence
    assert "rises" not in sentence
    assert "epoch 0 not counted: the batch norms have seen no batch" in sentence
    assert summary.summarise(ds)[0].input_start == inputs[1]


def test_only_epoch_0_measured_is_still_told():
    pytest.importorskip("torch", reason="needs the extra 'torch'")
    ds, _ = recorded(norm_first=True)
    assert "not counted" not in summary.summarise(ds.isel(epoch=[0]))[0].sentence


def test_a_function_takes_no_such_option():
    with (
        pytest.raises(InputError, match="batch_statistics"),
        Recorder(INPUTS).attach(lambda x: {"x": x}, batch_statistics=True),
    ):
        pass
