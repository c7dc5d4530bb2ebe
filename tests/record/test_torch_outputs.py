"""Outputs of recurrent modules and dataclasses: named for what they are, without indices."""

import dataclasses
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from torch import nn  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from infoplane.record.torch import TorchProbe  # noqa: E402

pytestmark = pytest.mark.framework


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def activations(model, inputs, layers=None):
    with TorchProbe(model, layers).measuring() as evaluate:
        return evaluate(inputs)


class Packed(nn.Module):
    """Reads sequences of different lengths."""

    def __init__(self, kind):
        super().__init__()
        self.rnn, self.head = kind(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, state = self.rnn(packed)
        return self.head(state[0][-1] if isinstance(state, tuple) else state[-1])


@pytest.mark.parametrize(("kind", "names"), [(nn.GRU, ["rnn.h", "head"]), (nn.LSTM, ["rnn.h", "rnn.c", "head"])])
def test_packed_sequences_show_the_states_and_no_indices(kind, names):
    x, lengths = torch.randn(6, 5, 3), torch.tensor([5, 2, 3, 1, 4, 5])
    model = Packed(kind)
    found = activations(model, (x, lengths))
    assert list(found) == names
    for sample in range(6):  # each sequence alone, without padding
        state = model.rnn(x[sample : sample + 1, : lengths[sample]])[1]
        hidden = state[0] if isinstance(state, tuple) else state
        assert np.allclose(found["rnn.h"][sample], hidden.detach().flatten(), atol=1e-6)  # float32


@pytest.mark.parametrize(("old", "new"), [("rnn.0", "rnn.output"), ("rnn.1.0", "rnn.h"), ("rnn.1.1", "rnn.c")])
def test_outputs_of_a_recurrent_module_may_be_named_by_their_place(old, new):
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(3, 4, batch_first=True)

        def forward(self, x):
            return self.rnn(x)[0]

    assert list(activations(Plain(), torch.randn(6, 5, 3), old)) == [new]


@dataclasses.dataclass
class Output:
    logits: Any
    note: str = "text"


def test_the_fields_of_a_dataclass_are_layers():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x):
            return Output(self.fc(x))

    model, x = Model(), torch.randn(6, 3)
    found = activations(model, x, ["fc", "output"])
    assert list(found) == ["fc", "output.logits"]
    assert np.array_equal(found["fc"], found["output.logits"])
