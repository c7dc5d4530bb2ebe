"""PyTorch models: which layers there are, what they are called, what becomes of their outputs."""

import contextlib

import numpy as np
import pytest

from infoplane.errors import InputError

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from torch import nn  # noqa: E402

from infoplane.record.torch import TorchProbe  # noqa: E402

pytestmark = pytest.mark.framework

N = 5


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def activations(model, inputs, layers=None, **options):
    with TorchProbe(model, layers, **options).measuring() as evaluate:
        return evaluate(inputs)


class Composed(nn.Module):
    """A model whose forward is a function of its modules."""

    def __init__(self, forward, **modules):
        super().__init__()
        self.compute = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *args, **kwargs):
        return self.compute(self, *args, **kwargs)


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(6, 4), nn.ReLU(), nn.Dropout(), nn.Identity(), nn.Sequential(nn.Linear(4, 2))
    )


# ---- which layers


def test_all_layers_are_the_modules_that_compute_in_the_order_they_run():
    model = Composed(lambda self, x: self.first(self.last(x)), first=nn.Linear(4, 2), last=nn.Linear(6, 4))
    assert list(activations(model, torch.randn(N, 6))) == ["last", "first"]
    assert list(activations(mlp(), torch.randn(N, 2, 3), "all")) == ["1", "2", "5.0"]


def test_a_dropout_shows_the_result_of_a_function():
    model = Composed(
        lambda self, x: self.out(self.drop(torch.relu(self.fc(x)))),
        fc=nn.Linear(6, 4), drop=nn.Dropout(), out=nn.Linear(4, 2),
    )  # fmt: skip
    x = torch.randn(N, 6)
    found = activations(model, x)
    assert list(found) == ["fc", "drop", "out"]
    assert np.array_equal(found["drop"], np.maximum(found["fc"], 0))


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        ("5", ["5"]),
        (["5.0", "1"], ["1", "5.0"]),
        ("5.*", ["5.0"]),
        ("[1-4]", ["1", "2"]),
        ("[34]", ["3", "4"]),
        (nn.Linear, ["1", "5.0"]),
        ([nn.ReLU, "5"], ["2", "5"]),
        ((nn.Dropout, nn.ReLU), ["2", "3"]),
        ("output", ["output"]),
        (["all", "output"], ["1", "2", "5.0", "output"]),
    ],
)
def test_layers_are_chosen_by_name_pattern_and_type(layers, names):
    assert list(activations(mlp(), torch.randn(N, 6), layers)) == names


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("6", r"'6' fits no layer.*0, 1, 2, 3, 4, 5, 5\.0, output"),
        (["1", "fc*"], r"'fc\*' fits no layer"),
        (3, "3 is a int; expected a module's name"),
        ([int], "expected a module's name"),
    ],
)
def test_layers_that_fit_nothing_are_refused_when_the_model_is_attached(layers, message):
    with pytest.raises(InputError, match=message):
        TorchProbe(mlp(), layers)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (nn.Conv2d, r"no module of type Conv2d .*\(types: Dropout, Flatten, Identity, Linear, ReLU, Sequential\)"),
        ("5.7", r"'5\.7' fits no layer; did you mean '5\.0'\? \(layers: 0, 1, 2, 3, 4, 5\.0, 5, output\)"),
    ],
)
def test_what_only_a_forward_pass_can_tell_is_refused_when_it_is_measured(layers, message):
    with pytest.raises(InputError, match=message):
        activations(mlp(), torch.randn(N, 6), layers)


def test_a_module_that_never_runs_is_refused_by_name_and_left_out_of_all():
    model = Composed(lambda self, x: self.used(x), used=nn.Linear(6, 2), idle=nn.Linear(6, 2))
    assert list(activations(model, torch.randn(N, 6))) == ["used"]
    with pytest.raises(InputError, match=r"layer 'idle' gives no tensor .* its forward is not called"):
        activations(model, torch.randn(N, 6), "idle")


def test_a_model_that_is_one_module_is_a_layer_called_output():
    assert list(activations(nn.Linear(6, 2), torch.randn(N, 6))) == ["output"]


def test_a_module_with_a_parametrised_weight_is_a_layer():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 4)), nn.Tanh())
    assert list(activations(model, torch.randn(N, 6))) == ["0", "1"]


def test_a_model_without_layers_is_refused():
    with pytest.raises(InputError, match="gives no layers; its modules are output"):
        activations(Composed(lambda self, x: None), torch.randn(N, 6))


# ---- outputs of all kinds


def test_a_module_used_twice_is_two_layers():
    model = Composed(lambda self, x: self.act(self.fc(self.act(self.fc(x)))), fc=nn.Linear(6, 6), act=nn.Tanh())
    x = torch.randn(N, 6)
    found = activations(model, x)
    assert list(found) == ["fc", "act", "fc#2", "act#2"]
    once = model.act(model.fc(x))
    assert np.array_equal(found["act"], once.detach())
    assert np.array_equal(found["act#2"], model.act(model.fc(once)).detach())
    assert list(activations(model, x, "act#2")) == ["act#2"]
    assert list(activations(model, x, "fc")) == ["fc", "fc#2"]


def test_outputs_that_are_tuples_lists_or_mappings_are_layers_by_their_parts():
    inner = Composed(lambda self, x: (x, [2 * x, None], {"a": 3 * x, "note": "text"}))
    x = torch.randn(N, 6)
    found = activations(nn.Sequential(inner), x)
    assert list(found) == ["0.0", "0.1.0", "0.2.a"]
    assert np.array_equal(found["0.2.a"], 3 * x)
    assert list(activations(nn.Sequential(inner), x, ["0.1.0"])) == ["0.1.0"]


def test_outputs_that_are_no_tensors_are_left_out_and_refused_by_name():
    model = nn.Sequential(nn.Linear(6, 2), Composed(lambda self, x: "text"))
    assert list(activations(model, torch.randn(N, 6))) == ["0"]
    with pytest.raises(InputError, match="layer '1' gives no tensor"):
        activations(model, torch.randn(N, 6), ["0", "1"])


def test_whole_numbers_are_measured_by_name_only():
    model = nn.Sequential(nn.Linear(6, 4), Composed(lambda self, x: x.argmax(dim=1)))
    x = torch.randn(N, 6)
    assert list(activations(model, x)) == ["0"]
    found = activations(model, x, ["0", "1"])
    assert np.array_equal(found["1"][:, 0], found["0"].argmax(axis=1))


def test_the_sample_is_found_on_any_axis():
    rnn = nn.LSTM(6, 3, num_layers=N)  # (position, sample, feature); its states (layer, sample, feature)
    model = Composed(lambda self, x: self.rnn(x.transpose(0, 1)), rnn=rnn)
    x = torch.randn(N, 7, 6)
    outputs, (hidden, _) = model(x)
    found = activations(model, x)
    assert list(found) == ["rnn.output", "rnn.h", "rnn.c"]
    # evaluation takes another program of the library than training, which rounds in its own way
    assert np.allclose(found["rnn.output"], outputs.detach().movedim(1, 0).flatten(1), atol=1e-6)
    assert np.allclose(found["rnn.h"], hidden.detach().movedim(1, 0).flatten(1), atol=1e-6)


def test_an_output_without_a_row_for_each_input_is_left_out_and_refused_by_name():
    model = nn.Sequential(nn.Linear(6, 2), Composed(lambda self, x: x.mean(dim=0)))
    assert list(activations(model, torch.randn(N, 6))) == ["0"]
    with pytest.raises(InputError, match=r"layer '1' gives shape \(2,\) for 3 inputs"):
        activations(model, torch.randn(N, 6), "1")


def test_a_layer_is_seen_before_a_later_one_overwrites_it():
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(inplace=True))
    x = torch.randn(N, 6)
    found = activations(model, x)
    assert np.array_equal(found["0"], model[0](x).detach())
    assert found["0"].min() < 0 == found["1"].min()


@pytest.mark.parametrize(
    ("dtype", "seen"), [("float16", "float32"), ("bfloat16", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_half_precision_is_measured_as_float32(dtype, seen):
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh()).to(getattr(torch, dtype))
    x = np.random.default_rng(0).standard_normal((N, 6))  # NumPy's float64, brought to the model's type
    found = activations(model, x)
    by_hand = model(torch.tensor(x).to(getattr(torch, dtype)))
    assert found["1"].dtype == seen
    assert np.array_equal(found["1"], by_hand.detach().to(getattr(torch, seen)))


# ---- channels and positions


def convolution():
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(3 * 4 * 4, 2))


def test_channels_are_taken_whole_averaged_or_one_by_one():
    model, x = convolution(), torch.randn(N, 1, 6, 6)
    maps = model[0](x).detach()
    whole, mean, each = (activations(model, x, channels=channels) for channels in ("flatten", "mean", "each"))
    assert np.array_equal(whole["0"], maps.flatten(1))
    assert np.allclose(mean["0"], maps.mean(dim=(2, 3)), atol=1e-6)  # float32 sums in another order
    assert list(each) == ["0[0]", "0[1]", "0[2]", "2"]
    assert np.array_equal(each["0[1]"], maps[:, 1].flatten(1))
    assert mean["2"].shape == each["2"].shape == (N, 2)


def test_the_mean_of_half_precision_is_taken_in_float32():
    model = nn.Sequential(nn.Conv2d(1, 1, 1)).half()
    x = torch.rand(N, 1, 60, 60).half()
    exact = model[0](x).detach().double().mean(dim=(2, 3))
    # float32 sums of 3600 numbers; float16 would be off by up to 5e-4
    assert np.allclose(activations(model, x, channels="mean")["0"], exact, atol=1e-6)


def test_outputs_of_three_axes_are_channels_unless_positions_are_asked_for():
    model, x = nn.Sequential(nn.Conv1d(2, 3, 1)), torch.randn(N, 2, 8)
    series = model(x).detach()
    assert np.allclose(activations(model, x, channels="mean")["0"], series.mean(dim=2), atol=1e-6)
    assert np.allclose(activations(model, x, positions="mean")["0"], series.mean(dim=1), atol=1e-6)
    assert activations(model, x, channels="mean", positions="flatten")["0"].shape == (N, 3 * 8)


@pytest.mark.parametrize("place", [0, 4, -1])
def test_sequences_are_seen_at_one_position(place):
    model, x = nn.Sequential(nn.Linear(6, 3)), torch.randn(N, 5, 6)
    assert np.array_equal(activations(model, x, positions=place)["0"], model(x)[:, place].detach())


def test_options_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="channels is 'max'; expected 'flatten', 'mean', 'pool' or 'each'"):
        TorchProbe(mlp(), channels="max")
    with pytest.raises(InputError, match=r"positions is 1\.5; expected"):
        TorchProbe(mlp(), positions=1.5)
    with pytest.raises(InputError, match="positions is 5; the sequences have 5 positions"):
        activations(nn.Sequential(nn.Linear(6, 3)), torch.randn(N, 5, 6), positions=5)


# ---- inputs


def test_a_mapping_gives_keyword_arguments_and_a_tuple_positional_ones():
    model = Composed(lambda self, a, b: self.fc(a - 2 * b), fc=nn.Linear(6, 2))
    a, b = torch.randn(N, 6), torch.randn(N, 6)
    by_hand = model(a, b).detach()
    assert np.array_equal(activations(model, (a, b))["fc"], by_hand)
    assert np.array_equal(activations(model, {"b": b.numpy(), "a": a})["fc"], by_hand)


def test_codes_of_words_stay_whole_numbers():
    model, codes = nn.Sequential(nn.Embedding(10, 3)), np.arange(N)
    assert np.array_equal(activations(model, codes)["0"], model(torch.tensor(codes)).detach())


@pytest.mark.parametrize(
    "change", [lambda x: x[:, ::-1], lambda x: x.astype(">f4"), lambda x: np.broadcast_to(x, x.shape)]
)
def test_numpy_arrays_of_any_layout_are_taken(change):
    x = np.random.default_rng(0).standard_normal((N, 6)).astype(np.float32)
    model = nn.Sequential(nn.Linear(6, 2))
    by_hand = model(torch.tensor(change(x).astype(np.float32).copy())).detach()
    assert np.array_equal(activations(model, change(x))["0"], by_hand)


@pytest.mark.parametrize("kind", [torch.tensor, np.array])
def test_inputs_that_the_model_writes_into_stay_as_they_are(kind):
    x = kind(np.random.default_rng(0).standard_normal((N, 6)).astype(np.float32))
    activations(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, 2)), x)
    assert x.min() < 0


def test_inputs_on_another_device_are_refused_with_what_to_call():
    with pytest.raises(InputError, match=r"on device 'meta', the model is on 'cpu'; call \.to\('cpu'\) on the inputs"):
        activations(mlp(), torch.randn(N, 6, device="meta"))


def test_tensors_are_brought_to_the_model_where_that_is_asked_for():
    x = torch.randn(N, 6, dtype=torch.float64)
    assert activations(mlp(), x, move_inputs=True)["1"].dtype == np.float32


def test_tensors_of_another_precision_are_refused_with_what_to_call():
    with pytest.raises(InputError, match=r"inputs are torch\.float64, the model's weights torch\.float32; call \.to\("):
        activations(mlp(), torch.randn(N, 6, dtype=torch.float64))


def test_whole_numbers_for_weights_of_floats_are_refused_with_what_to_call():
    for inputs in (torch.ones(N, 6, dtype=torch.long), np.ones((N, 6), np.uint8)):
        with pytest.raises(
            InputError, match=r"inputs are torch\.u?int\d+, the model's weights torch\.float32; call \.to"
        ):
            activations(mlp(), inputs)


def test_a_module_that_fails_and_is_caught_leaves_the_others_their_names():
    class Catching(nn.Module):
        def __init__(self):
            super().__init__()
            self.broken = nn.Linear(7, 6)
            self.first = nn.Linear(6, 5)
            self.second = nn.Linear(5, 2)

        def forward(self, x):
            with contextlib.suppress(RuntimeError):
                x = self.broken(x)
            return self.second(self.first(x))

    model, x = Catching(), torch.randn(N, 6)
    found = activations(model, x)
    assert list(found) == ["first", "second"]
    assert np.array_equal(found["second"], model(x).detach().numpy())


def test_an_error_of_the_model_is_its_own():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        activations(mlp(), torch.randn(N, 7))


def test_a_model_without_numbers_is_refused():
    with pytest.raises(InputError, match="'meta' and hold no numbers"):
        activations(mlp().to("meta"), torch.randn(N, 6))
    with pytest.raises(InputError, match="lazy layers"):
        activations(nn.Sequential(nn.LazyLinear(3)), torch.randn(N, 6))


def test_strings_are_refused():
    with pytest.raises(InputError, match="inputs hold strings"):
        activations(mlp(), np.array(["a"] * N))


# ---- wrapped models


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m, backend="eager")])
def test_the_model_inside_a_wrapper_is_measured_by_its_own_names(wrap):
    model, x = mlp(), torch.randn(N, 6)
    found, own = activations(wrap(model), x), activations(model, x)
    assert list(found) == list(own)
    assert all(np.array_equal(found[name], own[name]) for name in own)


def test_a_model_with_compiled_parts_is_measured_by_its_own_names():
    model, x = mlp(), torch.randn(N, 6)
    own = activations(model, x)
    model[5] = torch.compile(model[5], backend="eager")
    with torch.no_grad():
        model(x)
    assert list(activations(model, x)) == list(own)
    whole = mlp()
    whole.compile(backend="eager")
    with torch.no_grad():
        whole(x)
    assert list(activations(whole, x)) == list(own)
