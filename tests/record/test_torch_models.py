"""Real PyTorch models, trained on digits: the plane is that of activations captured by hand."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import infoplane as ip
from infoplane import results
from infoplane.record import Recorder

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

from torch import nn  # noqa: E402

pytestmark = pytest.mark.framework

ESTIMATORS = [{"name": "binning", "edges": "layer"}, {"name": "kde", "variance": 0.1}]
N_MEASURED = 300


@pytest.fixture(autouse=True)
def one_thread():
    """These networks are too small for more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits():
    bunch = load_digits()
    images = torch.tensor(bunch.images / 16, dtype=torch.float32)
    return images, torch.tensor(bunch.target)


class Convolution(nn.Module):
    """Two convolutions and a head; pooling and activations are modules."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(32, 10))

    def forward(self, images):
        return self.head(self.body(images.unsqueeze(1)))


class Encoder(nn.Module):
    """Each row of an image is a word."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, 10)

    def forward(self, images):
        return self.head(self.encoder(self.embed(images)).mean(dim=1))


def train_one_epoch(model, images, labels, optimizer):
    model.train()
    for rows in torch.randperm(len(images)).split(128):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
        optimizer.step()


def captured(model, images, names):
    """Outputs of named modules, by hooks of our own, in evaluation mode."""
    found = {}

    def hook(name):
        return lambda _m, _x, output: found.update({name: output.clone()})

    modules = dict(model.named_modules())
    handles = [modules[name].register_forward_hook(hook(name)) for name in names]
    model.eval()
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    model.train()
    return found


CASES = {
    "convolution": (Convolution, {}, {
        "body.0": None, "body.1": None, "body.2": None, "body.3": None, "body.4": None, "body.5": None, "head.2": None,
    }),
    "convolution, mean over space": (Convolution, {"layers": nn.ReLU, "channels": "mean"}, {
        "body.2": lambda t: t.mean(dim=(2, 3)), "body.5": lambda t: t.mean(dim=(2, 3)),
    }),
    "encoder": (Encoder, {"layers": ["encoder.layers.?", "head"], "positions": "mean"}, {
        "encoder.layers.0": lambda t: t.mean(dim=1), "encoder.layers.1": lambda t: t.mean(dim=1), "head": None,
    }),
    "encoder, last position": (Encoder, {"layers": ["embed", "encoder.*"], "positions": -1}, {
        "embed": lambda t: t[:, -1], "encoder.layers.0.norm1": lambda t: t[:, -1],
        "encoder.layers.1.norm2": lambda t: t[:, -1],
    }),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_plane_is_that_of_activations_captured_by_hand(digits, case):
    make, options, by_hand = CASES[case]
    images, labels = digits
    torch.manual_seed(0)
    model = make()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    measured = images[:N_MEASURED], labels[:N_MEASURED]
    recorder = Recorder(*measured, ESTIMATORS, "every", batch_size=N_MEASURED)
    known = []
    with recorder.attach(model, **options):
        for epoch in range(3):
            if epoch:
                train_one_epoch(model, images, labels, optimizer)
            recorder.step(epoch)
            layers = captured(model, measured[0], by_hand)
            rows = {name: (change or (lambda t: t))(layers[name]).flatten(1) for name, change in by_hand.items()}
            known.append({name: ip.layer_information(t, measured[1], ESTIMATORS) for name, t in rows.items()})
    bits = recorder.results()["information"].squeeze("member")
    for epoch, layers in enumerate(known):
        for name, values in layers.items():
            for estimator, value in values.items():
                found = bits.sel(epoch=epoch, layer=name, estimator=estimator).values
                assert found == pytest.approx([value.input.bits, value.label.bits], abs=1e-6)
    if options.get("layers") is None:
        assert list(bits["layer"].values) == list(by_hand)
    loss = nn.functional.cross_entropy(model(images), labels).item()
    assert loss < np.log(10)  # it has learnt something: the epochs differ


def test_batches_give_the_plane_of_the_whole(digits):
    torch.manual_seed(0)
    model = Convolution()
    planes = []
    for batch_size in (64, N_MEASURED):
        recorder = Recorder(digits[0][:N_MEASURED], digits[1][:N_MEASURED], batch_size=batch_size)
        with recorder.attach(model, "head"):
            recorder.step(0)
        planes.append(recorder.results()["information"])
    # another batch size rounds in another way: at most a few of the 300 samples change their bin
    assert np.allclose(*planes, atol=0.05)


def test_a_layer_that_is_not_a_number_gives_nan_and_a_flag_and_the_others_their_values(digits):
    images, labels = digits
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10))
    nn.init.constant_(model[3].bias, float("nan"))
    recorder = Recorder(images[:N_MEASURED], labels[:N_MEASURED], ESTIMATORS)
    with recorder.attach(model):
        recorder.step(0)
    ds = recorder.results()
    assert ds["information"].sel(layer="3").isnull().all()
    assert ds["information"].sel(layer=["1", "2"]).notnull().all()
    assert all("non-finite" in results.decode_flags(flags) for flags in ds["flags"].sel(layer="3").values.ravel())


def test_a_held_out_set_is_measured_beside_the_first(digits):
    images, labels = digits
    model = Convolution()
    second = images[N_MEASURED : 2 * N_MEASURED], labels[N_MEASURED : 2 * N_MEASURED]
    recorder = Recorder(images[:N_MEASURED], labels[:N_MEASURED], held_out=second)
    with recorder.attach(model, nn.Linear):
        recorder.step(0)
    t = captured(model, second[0], ["head.2"])["head.2"]
    known = ip.layer_information(t, second[1]).label.bits
    assert results.held_out(recorder.results())["information"].sel(variable="label").item() == pytest.approx(
        known, abs=1e-6
    )
