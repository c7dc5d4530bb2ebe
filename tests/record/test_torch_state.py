"""Training a PyTorch model is bit-identical with and without recording, whatever happens."""

import copy

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.record import Recorder

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from torch import nn  # noqa: E402

from infoplane.record.torch import TorchProbe  # noqa: E402

pytestmark = pytest.mark.framework


class Counting(nn.Module):
    """Changes its buffers in evaluation too: one in place, one by another tensor, one that was None."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("last", torch.zeros(()))
        self.register_buffer("cache", None)

    def forward(self, x):
        self.calls += 1
        self.last = x.sum().detach()
        self.cache = x.detach()
        return x + torch.rand_like(x) * 1e-3  # draws in evaluation too


def make_model():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Dropout(0.3), Counting(),
        nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Dropout(0.5)), nn.Linear(16, 3),
    )  # fmt: skip
    model[5].eval()  # frozen: its modes differ from the model's
    model[5][2].train()
    return model


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(96, 6, generator=generator), torch.randint(0, 3, (96,), generator=generator)


def state_of(model):
    """All that training depends on, as bytes and flags."""
    tensors = {
        **model.state_dict(),
        **{f"{name}.grad": parameter.grad for name, parameter in model.named_parameters()},
        "random": torch.get_rng_state(),
    }
    plain = {name: None if tensor is None else tensor.numpy().tobytes() for name, tensor in tensors.items()}
    modes = {name: module.training for name, module in model.named_modules()}
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    return plain, modes, hooks, torch.is_grad_enabled()


def train(model, data, each_epoch):
    """Train for three epochs, and tell the state after each."""
    x, y = data
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    states = []
    for epoch in range(3):
        each_epoch(epoch)
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        states.append(state_of(model))
    return states


def test_training_is_bit_identical_with_and_without_recording(data):
    alone = make_model()
    without = train(alone, data, lambda epoch: None)
    recorded = make_model()
    recorder = Recorder(*data, schedule="every", batch_size=40)
    with recorder.attach(recorded):
        states = train(recorded, data, recorder.step)
    assert states == without
    assert recorder.results().sizes["epoch"] == 3


class Failing(nn.Module):
    """Runs for some calls, then raises."""

    def __init__(self):
        super().__init__()
        self.left = 0

    def forward(self, x):
        self.left -= 1
        if self.left == 0:
            raise ZeroDivisionError
        return x


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
def test_everything_comes_back_when_the_model_raises_at_any_of_its_calls(data, calls):
    model = make_model().append(Failing())
    recorder = Recorder(*data, schedule="every", batch_size=40)
    train(model, data, lambda epoch: None)
    before = state_of(model)
    model[-1].left = calls  # two small batches show which layers there are; then come the batches of 40
    with pytest.raises(ZeroDivisionError), recorder.attach(model):
        recorder.step(0)
    assert state_of(model) == before


def test_everything_comes_back_when_an_output_is_refused():
    model = nn.Sequential(nn.Linear(6, 4), nn.Dropout())
    model[1].eval()
    before = state_of(model)
    with pytest.raises(InputError, match="positions is 9"), TorchProbe(model, positions=9).measuring() as evaluate:
        evaluate(torch.randn(4, 5, 6))
    assert state_of(model)[1:] == before[1:]


def test_hooks_are_on_the_model_only_while_it_is_measured(data):
    model = make_model()

    def count():
        return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())

    probe = TorchProbe(model)
    assert count() == 0
    with probe.measuring() as evaluate:
        evaluate(data[0])
        assert count() == len(list(evaluate(data[0])))  # one for each layer, none on other modules
    assert count() == 0


def test_the_model_is_measured_in_evaluation_mode_without_gradients(data):
    seen = []
    model = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.9))
    model.register_forward_hook(lambda *_: seen.append((model[1].training, torch.is_grad_enabled())))
    with TorchProbe(model).measuring() as evaluate:
        evaluate(data[0])
    assert set(seen) == {(False, False)}
    assert model.training
    assert model[1].training


def test_a_backward_pass_that_was_begun_before_is_finished_after_it(data):
    model, twin = make_model(), make_model()
    losses = []
    for network in (model, twin):
        torch.manual_seed(2)
        losses.append(network(data[0]).square().sum())
    with TorchProbe(model).measuring() as evaluate:
        evaluate(data[0])
    for loss in losses:
        loss.backward()
    pairs = zip(model.parameters(), twin.parameters(), strict=True)
    assert all(torch.equal(one.grad, other.grad) for one, other in pairs)


def test_training_under_autocast_goes_on_as_without_recording(data):
    gradients = []
    for measured in (False, True):
        model = make_model()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            if measured:
                with TorchProbe(model).measuring() as evaluate:
                    evaluate(data[0])
            loss = model(data[0]).float().square().sum()
        loss.backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_a_model_that_overrides_eval_is_not_asked_to_change_its_weights(data):
    class Merging(nn.Linear):
        def train(self, mode=True):
            self.weight.data += 1
            return super().train(mode)

    model = nn.Sequential(Merging(6, 2), nn.Tanh())
    before = copy.deepcopy(model.state_dict())
    with TorchProbe(model).measuring() as evaluate:
        evaluate(data[0])
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_recording_does_not_depend_on_the_random_state(data):
    found = []
    for seed in (0, 1):
        model = make_model()
        del model[4]  # the one that draws in evaluation
        torch.manual_seed(seed)
        with TorchProbe(model).measuring() as evaluate:
            found.append(evaluate(data[0]))
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])
