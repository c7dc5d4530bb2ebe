"""Compiled, scripted, traced and exported PyTorch models: every layer is measured, or an error says what to do."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.record import Recorder

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from torch import nn  # noqa: E402

from infoplane.record.torch import TorchProbe  # noqa: E402

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore:The .grad attribute")]  # of torch.compile

NAMES = ["a", "t", "b"]


@pytest.fixture(autouse=True)
def fresh():
    torch.manual_seed(0)
    yield
    torch.compiler.reset()


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.t, self.b = nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)

    def forward(self, x):
        return self.b(self.t(self.a(x)))


class CompiledForward(Plain):
    @torch.compile(backend="eager")
    def forward(self, x):
        return self.b(self.t(self.a(x)))


class CompiledMethod(Plain):
    @torch.compile(backend="eager")
    def hidden(self, x):
        return self.t(self.a(x))

    def forward(self, x):
        return self.b(self.hidden(x))


class CompiledInside(Plain):
    """The compiled function belongs to no module and is kept in a list, where no attribute shows it."""

    def __init__(self):
        super().__init__()
        self.functions = [torch.compile(lambda x: self.t(self.a(x)), backend="eager")]

    def forward(self, x):
        return self.b(self.functions[0](x))


def assigned():
    model = Plain()
    model.forward = torch.compile(model.forward, backend="eager")
    return model


def in_place():
    model = Plain()
    model.compile(backend="eager")
    return model


def in_parts():
    model = Plain()
    model.a.compile(backend="eager")
    model.t.forward = torch.compile(model.t.forward, backend="eager")
    model.b = torch.compile(model.b, backend="eager")
    return model


KINDS = [
    CompiledForward, CompiledMethod, CompiledInside, assigned, in_place, in_parts,
    lambda: torch.compile(Plain(), backend="eager"),
]  # fmt: skip


def layers(model, x, wanted=None):
    with TorchProbe(model, wanted).measuring() as evaluate:
        return evaluate(x)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("training", [False, True])
def test_every_layer_of_compiled_code_is_seen_after_it_has_run(make, training):
    model, x = make().train(training), torch.randn(40, 8)
    with torch.set_grad_enabled(training):
        model(x)
    found = layers(model, x)
    torch.manual_seed(0)
    own = layers(Plain(), x)  # the same weights: each kind draws them first
    assert list(found) == NAMES
    assert all(np.array_equal(found[name], own[name]) for name in NAMES)


@pytest.mark.parametrize("make", KINDS)
def test_training_of_compiled_code_is_bit_identical_with_recording(make):
    x, y = torch.randn(64, 8), torch.arange(64) % 3
    states = []
    for recorded in (False, True):
        torch.compiler.reset()
        torch.manual_seed(1)
        model = make()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        recorder = Recorder(x, y, schedule="every")
        with recorder.attach(model):
            for epoch in range(3):
                if recorded:
                    recorder.step(epoch)
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
        states.append([p.detach().numpy().tobytes() for p in model.parameters()])
    assert states[0] == states[1]


@pytest.mark.parametrize("make", [CompiledForward, CompiledMethod, assigned, in_place, in_parts])
def test_compiled_code_is_refused_where_pytorch_cannot_switch_it_off(make, monkeypatch):
    monkeypatch.delattr(torch.compiler, "set_stance")
    model, x = make(), torch.randn(4, 8)
    with pytest.raises(InputError, match=r"compiled by torch\.compile.*Install PyTorch 2\.6 or later"):
        layers(model, x)


# ---- scripted, traced, exported


@pytest.mark.parametrize("close", [torch.jit.script, lambda m: torch.jit.trace(m, torch.randn(2, 8))])
def test_a_scripted_model_is_refused_with_what_to_do(close):
    with pytest.warns(DeprecationWarning):
        model = close(Plain())
    for wanted in (None, "all", "*", nn.Linear, ["output", "a*"]):
        with pytest.raises(InputError, match=r"scripted or traced by torch\.jit.*Record the original model, or its o"):
            TorchProbe(model, wanted)


def scripted_part():
    with pytest.warns(DeprecationWarning):
        return nn.Sequential(nn.Linear(8, 8), torch.jit.script(Plain()), nn.Tanh())


def test_the_output_of_a_scripted_model_is_measured_by_name():
    with pytest.warns(DeprecationWarning):
        model = torch.jit.script(Plain())
    x = torch.randn(40, 8)
    found = layers(model, x, "output")
    assert list(found) == ["output"]
    assert np.array_equal(found["output"], model(x).detach())
    assert model.training


def test_a_model_with_a_scripted_part_is_refused_unless_each_layer_is_named():
    model, x = scripted_part(), torch.randn(40, 8)
    for wanted in (None, nn.Linear, "*"):
        with pytest.raises(InputError, match=r"its part '1' is scripted .* or name each layer to measure"):
            TorchProbe(model, wanted)
    found = layers(model, x, ["0", "1", "2"])
    assert list(found) == ["0", "1", "2"]
    assert np.array_equal(found["1"], model[1](model[0](x)).detach())
    assert np.array_equal(found["2"], np.tanh(found["1"])) or np.allclose(found["2"], np.tanh(found["1"]), atol=1e-6)


def test_hooks_that_see_scripted_parts_are_gone_afterwards():
    from torch.nn.modules import module

    model, x = scripted_part(), torch.randn(40, 8)
    layers(model, x, ["1"])
    assert not module._global_forward_hooks
    assert not module._global_forward_pre_hooks


def exported(**options):
    return torch.export.export(Plain().eval(), (torch.randn(4, 8),), **options)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_an_exported_program_shows_all_layers():
    dynamic = exported(dynamic_shapes=({0: torch.export.Dim("sample", min=2, max=4096)},))
    x = torch.randn(40, 8)
    found = layers(dynamic, x)
    torch.manual_seed(0)
    own = layers(Plain(), x)
    assert list(found) == NAMES
    assert all(np.allclose(found[name], own[name], atol=1e-6) for name in NAMES)  # float32, fused or not


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_an_export_for_one_batch_size_is_measured_in_batches_of_that_size():
    x = torch.randn(10, 8)
    recorder = Recorder(x, batch_size=4)
    with recorder.attach(exported()):
        recorder.step(0)
    assert list(recorder.results().layer.values) == NAMES


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_flat_module_of_an_export_is_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"flattened by torch\.export.*Pass the exported program itself"):
        TorchProbe(exported().module())
    with pytest.raises(InputError, match=r"its part '1' is flattened by torch\.export"):
        TorchProbe(nn.Sequential(nn.Linear(8, 8), exported().module()))


def test_a_traced_graph_that_calls_its_modules_is_an_ordinary_model():
    x = torch.randn(40, 8)
    assert list(layers(torch.fx.symbolic_trace(Plain()), x)) == NAMES


def test_objects_of_torch_that_are_no_modules_are_refused():
    with pytest.raises(InputError, match=r"model: expected a torch\.nn\.Module, got SGD"):
        TorchProbe(torch.optim.SGD(Plain().parameters(), lr=0.1))
