"""PyTorch models that run on one number of inputs only: the sample axis is found all the same."""

import numpy as np
import pytest

from infoplane.record import Recorder

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from torch import nn  # noqa: E402

from infoplane.record.torch import TorchProbe  # noqa: E402

pytestmark = pytest.mark.framework

N = 8


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class Fixed(nn.Module):
    """Runs on N inputs only; its states have the sample on the second axis, its positions are as many as samples."""

    def __init__(self):
        super().__init__()
        self.places, self.rnn, self.head = nn.Embedding(N, 3), nn.GRU(3, 4, batch_first=True), nn.Linear(N, N)
        self.state = torch.zeros(1, N, 4)

    def forward(self, x):
        sequences = x[:, :, None] + self.places(torch.arange(N))
        outputs, last = self.rnn(sequences, self.state)
        return self.head(outputs.mean(dim=2)) + last[0].sum(dim=1, keepdim=True)


def test_the_sample_axis_is_the_one_that_reverses_with_the_batch():
    model, x = Fixed(), torch.randn(N, N)
    with TorchProbe(model, ["all", "output"]).measuring() as evaluate:
        found = evaluate(x)
    assert list(found) == ["rnn.output", "rnn.h", "head", "output"]  # not "places", which no input changes
    outputs, last = model.rnn(x[:, :, None] + model.places(torch.arange(N)), model.state)
    assert np.allclose(found["rnn.output"], outputs.detach().flatten(1), atol=1e-6)  # float32
    assert np.allclose(found["rnn.h"], last[0].detach(), atol=1e-6)
    assert np.allclose(found["output"], model(x).detach(), atol=1e-6)


class Graph(nn.Module):
    """Two graph convolutions: each node takes the sum over its edges (source, target)."""

    def __init__(self):
        super().__init__()
        self.first, self.act, self.second = nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)

    def forward(self, x, edge_index):
        def spread(h):
            return h.index_add(0, edge_index[1], h[edge_index[0]])

        return self.second(spread(self.act(self.first(spread(x)))))


@pytest.mark.parametrize("n_nodes", [30, 1500])
def test_a_graph_network_is_measured_on_all_nodes_at_once(n_nodes):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n_nodes, 5, generator=generator)
    edges = torch.randint(0, n_nodes, (2, 4 * n_nodes), generator=generator)
    model, seen = Graph(), []
    model.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    recorder = Recorder(x, torch.arange(n_nodes) % 3, batch_size="all")
    with recorder.attach(model, arguments={"edge_index": edges}):
        recorder.step(0)
    assert set(seen) == {n_nodes}
    ds = recorder.results()
    assert list(ds.layer.values) == ["first", "act", "second"]
    hidden = model.first(x.index_add(0, edges[1], x[edges[0]])).detach().numpy()
    sd = float(ds["activation_sd"].sel(layer="first").squeeze())
    assert np.isclose(sd, hidden.std(), rtol=1e-5)  # float32 sums


def test_arguments_that_are_no_mapping_are_refused():
    with pytest.raises(ValueError, match="arguments: expected a mapping of keyword arguments, got int"):
        TorchProbe(Graph(), arguments=3)
