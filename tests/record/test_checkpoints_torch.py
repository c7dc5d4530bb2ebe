"""PyTorch checkpoints: measured as by hand, and never a way to run code."""

import argparse
import copy
import io
import os
import pickle
import tarfile
import types
import warnings

import numpy as np
import pytest

import infoplane as ip
from infoplane.errors import InputError
from infoplane.record import _formats
from infoplane.record._torch_files import STATES
from infoplane.record.checkpoints import measure_checkpoints

torch = pytest.importorskip("torch", reason="needs the extra 'torch'")

pytestmark = pytest.mark.framework


def make():
    return torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.Tanh(), torch.nn.Linear(5, 2))


def train(model, inputs, labels, epochs):
    """Train, and return the state and the activations, captured by hand, of each epoch."""
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    x, y = torch.tensor(inputs), torch.tensor(labels)
    states, captured = [], []
    for epoch in range(epochs + 1):
        if epoch:
            model.train()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        model.eval()
        states.append(copy.deepcopy(model.state_dict()))
        with torch.no_grad():
            t, layers = x, {}
            for place, module in enumerate(model):
                t = module(t)
                layers[str(place)] = t.numpy()
        captured.append(layers)
    return states, captured


@pytest.fixture
def trained(inputs, labels):
    torch.manual_seed(0)
    return train(make(), inputs, labels, 5)


@pytest.fixture
def folder(trained, tmp_path):
    """State_dicts of epochs 0 to 5, each with another ending in turn."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for epoch, state in enumerate(trained[0]):
        torch.save(state, folder / f"epoch-{epoch}{['.pt', '.pth', '.bin'][epoch % 3]}")
    return folder


@pytest.fixture
def file(tmp_path):
    """Where a single checkpoint is to lie."""
    return tmp_path / "epoch-1.pt"


# ---- measured


def test_values_are_those_of_the_activations_captured_by_hand(folder, trained, inputs, labels):
    ds = measure_checkpoints(folder, make, inputs, labels)
    assert ds["epoch"].values.tolist() == [*range(6)]
    for epoch, layers in enumerate(trained[1]):
        for layer, t in layers.items():
            exact = ip.layer_information(t, labels)
            got = ds["information"].sel(epoch=epoch, layer=layer).values.ravel()
            assert got == pytest.approx([exact.input.bits, exact.label.bits], abs=1e-6)


def test_only_the_files_that_the_schedule_asks_for_are_loaded_one_after_the_other(folder, inputs, monkeypatch):
    opened, load = [], torch.load
    monkeypatch.setattr(
        torch, "load", lambda path, **kw: (opened.append((path.name, kw["weights_only"])), load(path, **kw))[1]
    )
    measure_checkpoints(folder, make, inputs, schedule=[2, 3])
    assert opened == [("epoch-0.pt", True), ("epoch-2.bin", True), ("epoch-3.pt", True), ("epoch-5.bin", True)]


def test_a_model_itself_is_measured_and_left_with_the_last_weights(folder, trained, inputs):
    model = make()
    model.train()
    ds = measure_checkpoints(folder, model, inputs, layers=[torch.nn.Tanh], schedule="log")
    assert ds["layer"].values.tolist() == ["2"]
    assert all(torch.equal(value, trained[0][-1][name]) for name, value in model.state_dict().items())
    assert model.training


@pytest.mark.parametrize("key", STATES)
def test_weights_are_found_in_a_file_that_holds_more(key, trained, file, inputs):
    optimizer = torch.optim.Adam(make().parameters())
    torch.save({"epoch": 1, key: trained[0][1], "optimizer_state_dict": optimizer.state_dict()}, file)
    ds = measure_checkpoints(file.parent, make, inputs)
    assert float(ds["activation_max"].sel(layer="2").squeeze()) == trained[1][1]["2"].max()


@pytest.mark.parametrize("prefix", ["model.", "module.", "_orig_mod.", "module._orig_mod."])
def test_a_prefix_before_every_name_is_taken_off(prefix, trained, file):
    torch.save({prefix + name: value for name, value in trained[0][1].items()}, file)
    model = _formats.load_into(make(), file)
    assert torch.equal(model[0].weight, trained[0][1]["0.weight"])


def test_a_compiled_model_takes_the_weights_of_a_plain_one(trained, file):
    torch.save(trained[0][1], file)
    model = _formats.load_into(torch.compile(make(), backend="eager"), file)
    assert torch.equal(model.get_parameter("_orig_mod.0.weight"), trained[0][1]["0.weight"])


def test_safetensors_go_into_a_torch_model(trained, tmp_path, monkeypatch):
    arrays = {name: value.numpy() for name, value in trained[0][2].items()}
    monkeypatch.setattr("infoplane.record._safetensors.read", lambda _: arrays)
    model = _formats.load_into(make(), tmp_path / "epoch-2.safetensors")
    assert all(torch.equal(value, trained[0][2][name]) for name, value in model.state_dict().items())


def test_a_checkpoint_of_a_lightning_fit_is_measured(tmp_path, inputs, labels):
    lightning = pytest.importorskip("lightning", reason="needs the extra 'lightning'")

    class Module(lightning.LightningModule):
        def __init__(self, width):
            super().__init__()
            self.save_hyperparameters()
            self.model = make()

        def training_step(self, batch):
            return torch.nn.functional.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.1)

    data = torch.utils.data.TensorDataset(torch.tensor(inputs), torch.tensor(labels))
    module = Module(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Lightning, on workers and loggers
        saving = lightning.pytorch.callbacks.ModelCheckpoint(tmp_path, save_top_k=-1, filename="{epoch}-{step}")
        trainer = lightning.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, callbacks=[saving],
            enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=60))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch=0-step=2.ckpt", "epoch=1-step=4.ckpt"]
    ds = measure_checkpoints(tmp_path, make, inputs, labels)
    assert ds["epoch"].values.tolist() == [0, 1]
    with torch.no_grad():
        t = module.model.eval()(torch.tensor(inputs)).numpy()
    exact = ip.layer_information(t, labels)
    got = ds["information"].sel(epoch=1, layer="3").values.ravel()
    assert got == pytest.approx([exact.input.bits, exact.label.bits], abs=1e-6)


# ---- what does not fit


def other(*layers):
    return torch.nn.Sequential(*layers).state_dict


MISFITS = {
    "wider": (other(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Tanh(), torch.nn.Linear(6, 2)),
              r"size mismatch for 0\.weight: .*\[6, 4\].*\[5, 4\]"),
    "shallower": (other(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5)), r"missing '3\.weight', '3\.bias'; make the"),
    "deeper": (other(*make(), torch.nn.Linear(2, 2)), r"unexpected '4\.weight', '4\.bias'; make the model as it was"),
    "another": (lambda: {f"a{n}.w": torch.ones(1) for n in range(5)},
                r"missing '0\.weight', '0\.bias', '1\.weight' and 5 more, unexpected 'a0\.w', 'a1\.w', 'a2\.w' and"),
    "no state": (lambda: {"epoch": 3}, r"expected a state_dict, alone .*\. The file holds a table of 'epoch'"),
    "a tensor": (lambda: torch.ones(3), r"The file holds a Tensor\. Save model\.state_dict"),
}  # fmt: skip


@pytest.mark.parametrize(("state", "text"), MISFITS.values(), ids=MISFITS.keys())
def test_weights_of_another_model_are_refused_in_one_line(state, text, file, inputs):
    torch.save(state(), file)
    with pytest.raises(InputError, match=text) as told:
        measure_checkpoints(file.parent, make, inputs)
    assert str(file) in str(told.value)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_named(kept, trained, file):
    torch.save(trained[0][0], file)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * kept)])
    with pytest.raises(InputError, match=r"epoch-1\.pt: cannot be read; cut short or damaged\?"):
        _formats.read_arrays(file)


def test_an_older_pytorch_is_not_trusted_with_a_pickle(trained, file, monkeypatch):
    torch.save(trained[0][0], file)
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(InputError, match=r"PyTorch 2\.9\.1\+cpu can be made to run code .*update it to 2\.10"):
        _formats.read_arrays(file)


# ---- what would run code


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, canary):
        self.canary = str(canary)

    def __reduce__(self):
        return os.mkdir, (self.canary,)


def as_zip(evil, path):
    torch.save({"state_dict": {"0.weight": torch.ones(2), "1": evil}}, path)


def as_pickle(evil, path):
    path.write_bytes(pickle.dumps(evil))


def as_old_format(evil, path):
    torch.save(evil, path, _use_new_zipfile_serialization=False)


def as_tar(evil, path):
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(evil)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("ending", [".pt", ".pth", ".bin", ".ckpt"])
@pytest.mark.parametrize("write", [as_zip, as_pickle, as_old_format, as_tar])
def test_a_malicious_pickle_is_refused_in_one_line_and_never_run(write, ending, tmp_path, inputs):
    folder, canary = tmp_path / "checkpoints", tmp_path / "canary"
    folder.mkdir()
    path = folder / f"epoch-1{ending}"
    write(Evil(canary), path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="could run code") as told:
        measure_checkpoints(folder, make, inputs)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_canary_sings_where_a_pickle_is_run(tmp_path):
    pickle.loads(pickle.dumps(Evil(tmp_path / "canary")))
    assert (tmp_path / "canary").is_dir()


def test_an_object_that_is_harmless_is_refused_too_and_named(file):
    torch.save({"state_dict": {}, "args": types.SimpleNamespace(width=3)}, file)
    with pytest.raises(InputError, match=r"refused, since it holds more than tensors \(types\.SimpleNamespace\)"):
        _formats.read_arrays(file)


def test_the_settings_of_timm_are_plain_values_and_pass(trained, file):
    state = trained[0][1]
    averaged = {name: value + 1 for name, value in state.items()}
    settings = argparse.Namespace(model="resnet18", lr=0.1)
    torch.save({"epoch": 1, "arch": "net", "state_dict": state, "state_dict_ema": averaged, "args": settings}, file)
    assert torch.equal(_formats.read_arrays(file)["0.weight"], state["0.weight"])
    assert torch.equal(_formats.read_arrays(file, "state_dict_ema")["0.weight"], averaged["0.weight"])


@pytest.mark.parametrize("write", [lambda evil, path: torch.save({"args": argparse.Namespace(evil=evil)}, path)])
def test_settings_that_hold_code_are_refused(write, tmp_path, file):
    write(Evil(tmp_path / "canary"), file)
    with pytest.raises(InputError, match="could run code"):
        _formats.read_arrays(file)
    assert not (tmp_path / "canary").exists()


def test_of_several_networks_in_a_file_one_is_requested_by_its_key(trained, file, inputs, labels):
    parts = {"generator": trained[0][1], "critic": trained[0][2]}
    torch.save(parts, file)
    with pytest.raises(
        InputError, match=r"a table of 'generator', 'critic'\. Pass weights='generator', or a different key"
    ):
        _formats.read_arrays(file)
    ds = measure_checkpoints(file.parent, make, inputs, labels, weights="critic")
    assert float(ds["activation_max"].sel(layer="2").squeeze()) == trained[1][2]["2"].max()
    with pytest.raises(
        InputError, match=r"weights: expected the key of a state_dict, got 'net'\. The file holds a table"
    ):
        _formats.read_arrays(file, "net")


def test_a_single_network_under_an_unusual_key_is_found(trained, file):
    torch.save({"net_G": trained[0][1], "epoch": 3}, file)
    assert torch.equal(_formats.read_arrays(file)["0.weight"], trained[0][1]["0.weight"])


def test_quantized_weights_are_not_taken_for_numbers(trained, file):
    torch.save(trained[0][1] | {"0.weight": torch.ones(5, 4, dtype=torch.int8)}, file)
    with pytest.raises(InputError, match=r"'0\.weight' holds whole numbers, the model's are floating-point numbers"):
        _formats.load_into(make(), file)


class Tied(torch.nn.Module):
    """Uses one matrix as embedding and as output."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight


@pytest.mark.parametrize("stored", ["embed.weight", "head.weight"])
def test_a_tied_weight_that_is_stored_once_is_loaded(stored, file):
    torch.save({stored: torch.full((5, 3), 2.0)}, file)
    model = _formats.load_into(Tied(), file)
    assert (model.head.weight == 2).all()
    assert model.head.weight is model.embed.weight


def test_tied_weights_that_differ_in_the_file_are_refused(file):
    torch.save({"embed.weight": torch.ones(5, 3), "head.weight": torch.zeros(5, 3)}, file)
    with pytest.raises(InputError, match=r"'embed\.weight' and 'head\.weight' differ, but the model holds one weight"):
        _formats.load_into(Tied(), file)


def test_a_constant_buffer_that_an_older_version_saved_is_left_out_and_another_value_is_not(file):
    class Masked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(1))
            self.register_buffer("mask", torch.tril(torch.ones(3, 3)), persistent=False)

    torch.save({"w": torch.full((1,), 4.0), "mask": torch.tril(torch.ones(3, 3))}, file)
    assert _formats.load_into(Masked(), file).w.item() == 4
    torch.save({"w": torch.full((1,), 4.0), "mask": torch.ones(3, 3)}, file)
    with pytest.raises(InputError, match="unexpected 'mask'"):
        _formats.load_into(Masked(), file)


def test_a_torchscript_archive_is_refused(file):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), file)
    with pytest.raises(InputError, match=r"epoch-1\.pt"):
        _formats.read_arrays(file)


def test_a_name_that_is_a_path_is_only_a_name(tmp_path, inputs):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    torch.save({"../../escaped": torch.ones(2), "nul\0": torch.ones(1)}, folder / "epoch-1.pt")
    with pytest.raises(InputError, match=r"unexpected '\.\./\.\./escaped', 'nul\\x00'"):
        measure_checkpoints(folder, make, inputs, out=tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "out"]
    assert np.isin(["LOCK", "run.json"], [path.name for path in (tmp_path / "out").iterdir()]).all()
