"""The Lightning callback: one record over fits, early ends and checkpoints."""

import logging

import numpy as np
import pytest

import infoplane as ip
from infoplane.errors import InputError
from infoplane.record import Recorder

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
L = pytest.importorskip("lightning", reason="needs the extra 'lightning'")

from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint  # noqa: E402
from torch import nn  # noqa: E402

from infoplane.record.lightning import InfoPlane  # noqa: E402

pytestmark = [
    pytest.mark.framework,
    # what Lightning uses of torch; its advice on loading data faster, on few batches and on its checkpoints' folder
    pytest.mark.filterwarnings(r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings(r"ignore:.*does not have many workers"),
    pytest.mark.filterwarnings(r"ignore:The number of training batches"),
    pytest.mark.filterwarnings(r"ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings(r"ignore:You're resuming from a checkpoint that ended before the epoch ended"),
]


@pytest.fixture(autouse=True)
def quiet_and_small():
    """No advertisements, and one thread: these networks are too small for more."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(128, 6, generator=generator)
    return x, (x.sum(dim=1) > 0).long()


class Network(L.LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Dropout(0.2), nn.Linear(4, 2))

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        logits = self(batch[0])
        loss = nn.functional.cross_entropy(logits, batch[1])
        self.log("train/loss", loss, on_epoch=True)
        self.log("train_acc", (logits.argmax(dim=1) == batch[1]).float().mean(), on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class WithoutForward(Network):
    forward = L.LightningModule.forward

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    validation_step = None


def loader():
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data()), 32)


def fit(tmp_path, recorder, epochs, *, module=None, callbacks=(), checkpoint=None, **options):
    """Fit with everything made anew, as in a new process."""
    module = Network() if module is None else module
    trainer = L.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=tmp_path, callbacks=[InfoPlane(recorder, **options), *callbacks],
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
    )  # fmt: skip
    trainer.fit(module, loader(), None if isinstance(module, WithoutForward) else loader(), ckpt_path=checkpoint)
    return trainer, module


def recorder_of(schedule="every", **options):
    return Recorder(*data(), schedule=schedule, **options)


def epochs_of(recorder):
    return list(recorder.results()["epoch"].values)


def test_every_epoch_is_recorded_from_the_initialisation_on(tmp_path):
    recorder = recorder_of()
    _, module = fit(tmp_path, recorder, 2)
    ds = recorder.results()
    assert list(ds["epoch"].values) == [0, 1, 2]
    assert list(ds["layer"].values) == ["net.0", "net.1", "net.3"]
    x, y = data()
    for epoch, net in ((0, Network().net), (2, module.net.eval())):
        known = ip.layer_information(net[:2](x), y)
        bits = ds["information"].sel(epoch=epoch, layer="net.1").values.ravel()
        assert bits == pytest.approx([known.input.bits, known.label.bits], abs=1e-6)


def test_the_training_is_bit_identical_with_and_without_the_callback(tmp_path):
    modules = []
    for schedule in ("every", [0]):
        modules.append(fit(tmp_path, recorder_of(schedule), 2)[1])
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=tmp_path, enable_checkpointing=False,
    )  # fmt: skip
    modules.append(Network())
    trainer.fit(modules[-1], loader(), loader())
    states = [[tensor.numpy().tobytes() for tensor in module.state_dict().values()] for module in modules]
    assert states[0] == states[1] == states[2]


def test_curves_are_recorded_when_they_are_logged_under_usual_names(tmp_path):
    recorder = recorder_of()
    trainer, _ = fit(tmp_path, recorder, 2)
    ds = recorder.results().squeeze("member")
    logged = trainer.callback_metrics
    assert list(ds["step"].values) == [1, 2]
    assert ds["loss"].sel(split="train", step=2).item() == pytest.approx(logged["train/loss_epoch"].item())
    assert ds["accuracy"].sel(split="train", step=2).item() == pytest.approx(logged["train_acc_epoch"].item())
    assert ds["loss"].sel(split="test", step=2).item() == pytest.approx(logged["val_loss"].item())
    assert np.isnan(ds["accuracy"].sel(split="test")).all()


def test_the_last_epoch_is_measured_whatever_the_schedule_says(tmp_path):
    recorder = recorder_of([0])
    fit(tmp_path, recorder, 3)
    assert epochs_of(recorder) == [0, 3]


def test_the_end_of_a_training_that_stops_early_is_measured(tmp_path):
    recorder = recorder_of([0])
    stop = EarlyStopping("val_loss", stopping_threshold=100.0)  # reached at once
    fit(tmp_path, recorder, 5, callbacks=[stop])
    assert epochs_of(recorder) == [0, 1]


@pytest.mark.parametrize(
    "saving", [{"save_on_train_epoch_end": True}, {"monitor": "val_loss"}, {"every_n_train_steps": 3}]
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_fit_that_resumes_from_a_checkpoint_goes_on_with_the_record(tmp_path, saving, place):
    straight = recorder_of()
    fit(tmp_path, straight, 4)

    def saver():
        return ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, **saving)

    fit(tmp_path, recorder_of(), 2, callbacks=[saver()])
    checkpoints = sorted(tmp_path.glob("*.ckpt"))
    assert len(checkpoints) == 2
    resumed = recorder_of()
    fit(tmp_path, resumed, 4, callbacks=[saver()], checkpoint=checkpoints[place])
    assert epochs_of(resumed) == [0, 1, 2, 3, 4]
    ours, known = (recorder.results()["information"] for recorder in (resumed, straight))
    assert ours.sel(epoch=[0]).identical(known.sel(epoch=[0]))


def test_a_recorder_with_a_folder_goes_on_in_it(tmp_path):
    for epochs, checkpoint in ((2, None), (4, "two.ckpt")):
        recorder = recorder_of(out=tmp_path / "record")
        trainer, _ = fit(tmp_path, recorder, epochs, checkpoint=checkpoint and tmp_path / checkpoint)
        trainer.save_checkpoint(tmp_path / "two.ckpt")
        recorder.close()
    from infoplane.record import load

    assert list(load(tmp_path / "record")["epoch"].values) == [0, 1, 2, 3, 4]


def test_a_checkpoint_holds_no_code(tmp_path):
    trainer, _ = fit(tmp_path, recorder_of(), 1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    content = torch.load(tmp_path / "one.ckpt", weights_only=True)
    assert content["callbacks"]["InfoPlane[recording]"]["epoch"] == 1


def test_a_checkpoint_of_other_inputs_is_refused(tmp_path):
    trainer, _ = fit(tmp_path, recorder_of(), 1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    x, y = data()
    with pytest.raises(InputError, match="of other inputs"):
        fit(tmp_path, Recorder(x + 1, y, schedule="every"), 2, checkpoint=tmp_path / "one.ckpt")


def test_the_network_may_be_an_attribute_of_the_module(tmp_path):
    recorder = recorder_of()
    fit(tmp_path, recorder, 1, module=WithoutForward(), model="net", layers="1")
    assert list(recorder.results()["layer"].values) == ["1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"WithoutForward has no forward; name the attribute .*\(attributes: net\)"),
        ({"model": "nets"}, r"model='nets' is no module of WithoutForward \(attributes: net\)"),
        ({"model": "net", "layers": "9"}, "'9' fits no layer"),
    ],
)
def test_a_network_that_cannot_be_measured_is_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        fit(tmp_path, recorder_of(), 1, module=WithoutForward(), **options)
