"""``infoplane measure``: from a folder of checkpoints and a module to a table, a result and figures."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import infoplane as ip
from in_process import infoplane
from infoplane._numbers import digits

MODULE = """
import numpy as np

def make(weights):
    def activations(x):
        hidden = np.tanh(x @ weights["first"])
        return {"hidden": hidden, "output": hidden @ weights["second"]}
    return activations

def broken():
    raise RuntimeError("no such width")

def wrong_width(weights):
    return lambda x: {"hidden": x @ weights["second"]}
"""
TORCH = """
import torch

def make():
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
"""


def weights_of(epoch):
    rng = np.random.default_rng(epoch)
    return {"first": rng.standard_normal((4, 3)).astype(np.float32), "second": rng.standard_normal((3, 2)) / 2}


def save(path, arrays):
    """Write a safetensors file by hand."""
    header, data = {}, b""
    for name, array in arrays.items():
        code = {"float32": "F32", "float64": "F64"}[array.dtype.name]
        place = [len(data), len(data) + array.nbytes]
        header[name], data = {"dtype": code, "shape": [*array.shape], "data_offsets": place}, data + array.tobytes()
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a module, data and checkpoints of epochs 0, 1, 2, 5."""
    inputs = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(int)
    np.savez(tmp_path / "data.npz", inputs=inputs, labels=labels)
    np.savez(tmp_path / "bare.npz", inputs=inputs)
    np.savez(tmp_path / "held.npz", inputs=inputs[:20], labels=labels[:20])
    (tmp_path / "checkpoints").mkdir()
    for epoch in (0, 1, 2, 5):
        save(tmp_path / "checkpoints" / f"net-{epoch}.safetensors", weights_of(epoch))
    name = f"net_{tmp_path.name}".replace("-", "_")  # a module of its own, since modules are imported once
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("infoplane.experiments.base.draw_figures", lambda *_, **__: [])
    return f"{name}:make"


def test_help_teaches_with_an_example():
    code, out, err = infoplane("measure", "--help")
    assert (code, err) == (0, "")
    assert "Example: infoplane measure checkpoints --model net:make --data digits.npz" in " ".join(out.split())
    for option in ("--model", "--data", "--held-out", "--estimator", "--set", "--schedule", "--layers", "--out"):
        assert option in out


def test_the_table_has_the_first_and_last_bits_of_every_layer(here):
    code, out, err = infoplane("measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "out")
    assert (code, err) == (0, "")
    ds = ip.load("out")
    bits = ds["information"].sel(layer="hidden", epoch=[0, 5]).squeeze()
    row = [*bits.sel(variable="input").values, *bits.sel(variable="label").values]
    assert re.search(r"^hidden +" + " +".join(digits(number) for number in row) + "$", out, re.MULTILINE)
    assert "binning: bins 30, edges fixed; epochs 0 to 5, in bits" in out
    assert "layer" in out
    assert "out: results.nc, figures/" in out


def test_the_numbers_are_those_of_the_activations_by_hand(here):
    command = ["measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "out", "--layers", "hid*"]
    estimators = ["--estimator", "binning", "--estimator", "exact", "--set", "binning.bins=7"]
    infoplane(*command, *estimators, "--held-out", "held.npz")
    ds = ip.load("out")
    assert (ds["estimator"].values.tolist(), ds["layer"].values.tolist()) == (["binning", "exact"], ["hidden"])
    with np.load("data.npz") as file:
        data = dict(file)
    for epoch in ds["epoch"].values:
        t = np.tanh(data["inputs"] @ weights_of(epoch)["first"])
        for name, n in (("information", 64), ("held_out_information", 20)):
            exact = ip.layer_information(t[:n], data["labels"][:n], bins=7)
            got = ds[name].sel(estimator="binning", epoch=epoch).values.ravel()
            assert got == pytest.approx([exact.input.bits, exact.label.bits], abs=1e-6)


def test_epochs_are_given_by_name_and_a_file_is_left_out(here, tmp_path):
    (tmp_path / "named").mkdir()
    for name in ("early", "late", "broken"):
        save(tmp_path / "named" / f"{name}=1.safetensors", weights_of(3))
    command = ["measure", "named", "--model", here, "--data", "data.npz"]
    given = ["early=1.safetensors=4", "late=1.safetensors=70", "broken=1.safetensors=none"]
    code, out, err = infoplane(*command, "--out", "out", *[part for text in given for part in ("--epochs", text)])
    assert (code, err) == (0, "")
    assert ip.load("out")["epoch"].values.tolist() == [4, 70]
    assert "epochs: the argument epochs" in out
    code, _, err = infoplane(*command, "--epochs", "early=soon")
    assert (code, err) == (2, "infoplane: --epochs early=soon: expected NAME=EPOCH, NAME=none, epoch or step\n")


def test_ambiguous_names_are_refused_with_the_option_that_helps(here, tmp_path):
    (tmp_path / "odd").mkdir()
    save(tmp_path / "odd" / "net_1_20.safetensors", weights_of(3))
    code, _, err = infoplane("measure", "odd", "--model", here, "--data", "data.npz")
    assert code == 2
    assert "'net_1_20.safetensors' is ambiguous: its epoch may be 1 and 20" in err
    assert "--epochs NAME=EPOCH" in err
    assert len(err.splitlines()) == 1


def test_steps_are_used_on_request_and_the_output_names_the_unit(here, tmp_path):
    (tmp_path / "both").mkdir()
    for epoch in (0, 1):
        save(tmp_path / "both" / f"epoch={epoch}-step={epoch * 50}.safetensors", weights_of(epoch))
    command = ["measure", "both", "--model", here, "--data", "data.npz", "--out"]
    assert "the names also state steps: pass epochs='step'" in infoplane(*command, "by-epoch")[1]
    code, out, _ = infoplane(*command, "by-step", "--epochs", "step")
    assert code == 0
    assert "updates 0 to 50, in bits" in out
    assert ip.load("by-step").attrs["epoch_unit"] == "update"


def test_an_order_against_the_files_times_is_a_warning_in_a_line(here):
    os.utime("checkpoints/net-5.safetensors", (1000, 1000))
    code, _, err = infoplane("measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "out")
    assert code == 0
    assert err.startswith("infoplane: warning: checkpoints: epoch 5 (net-5.safetensors) was modified ")
    assert len(err.splitlines()) == 1


def write_images(folder, part, n):
    """Write images of 2 × 2 pixels with their labels as IDX files."""
    pixels = np.random.default_rng(n).integers(0, 256, (n, 2, 2), np.uint8)
    folder.mkdir(exist_ok=True)
    head = struct.pack(">HBB3I", 0, 8, 3, n, 2, 2)
    (folder / f"{part}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(
        struct.pack(">HBBI", 0, 8, 1, n) + bytes(n // 2) + b"\1" * (n // 2)
    )
    return pixels.reshape(n, 4).astype(np.float32) / np.float32(255)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("images:valid", "data 'images:valid' names the part 'valid' of the folder images; expected train or test"),
        ("x" * 300, f"{'x' * 300}: File name too long"),
        ("x" * 300 + ".npz", f"{'x' * 300}.npz: File name too long"),
    ],
)
def test_a_part_or_a_path_that_cannot_be_is_told_in_a_line(here, data, told):
    write_images(Path("images"), "train", 6)
    code, _, err = infoplane("measure", "checkpoints", "--model", here, "--data", data)
    assert (code, err) == (2, f"infoplane: {told}\n")


def test_a_folder_of_images_is_data_as_a_whole_or_one_of_its_parts(here, tmp_path):
    parts = [write_images(tmp_path / "pictures", "train", 40), write_images(tmp_path / "pictures", "t10k", 24)]
    command = ["measure", "checkpoints", "--model", here, "--layers", "hid*", "--out", "out", "--data"]
    code, _, err = infoplane(*command, "pictures:train", "--held-out", "pictures:test")
    assert (code, err) == (0, "")
    ds = ip.load("out")
    for name, x in zip(("information", "held_out_information"), parts, strict=True):
        labels = np.arange(len(x)) * 2 // len(x)
        bits = ip.layer_information(np.tanh(x @ weights_of(5)["first"]), labels)
        got = ds[name].sel(epoch=5).values.ravel()
        assert got == pytest.approx([bits.input.bits, bits.label.bits], abs=1e-6)
    command[-2] = "whole"
    assert infoplane(*command, "pictures")[0] == 0
    assert ip.load("whole").attrs["n_samples"] == 64


def test_a_part_of_a_folder_that_is_not_there_is_told(here, tmp_path):
    write_images(tmp_path / "tested", "t10k", 24)
    code, _, err = infoplane("measure", "checkpoints", "--model", here, "--data", "tested:train")
    assert code == 2
    assert "--data tested:train: holds no train images; it has: 24 test rows of 2 × 2" in " ".join(err.split())


@pytest.mark.parametrize(
    ("schedule", "epochs"), [("every", [0, 1, 2, 5]), ("2", [0, 2, 5]), ("1,5", [0, 1, 5]), ("log", [0, 1, 2, 5])]
)
def test_the_schedule_is_a_name_a_stride_or_a_list(schedule, epochs, here):
    infoplane("measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "out", "--schedule", schedule)
    assert ip.load("out")["epoch"].values.tolist() == epochs


def test_figures_are_drawn_and_without_labels_there_is_no_plane(here, monkeypatch):
    drawn = []
    monkeypatch.setattr("infoplane.experiments.base.draw_figures", lambda _, names, *rest: drawn.append(names))
    _, out, _ = infoplane("measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "a")
    _, bare, _ = infoplane("measure", "checkpoints", "--model", here, "--data", "bare.npz", "--out", "b")
    assert drawn == [["plane", "information"], ["information"]]
    assert "–" not in out
    assert re.search(r"^hidden +\d\.\d{1,4} +\d\.\d{1,4} +– +–$", bare, re.MULTILINE)


def test_without_out_a_new_folder_is_made_under_runs(here, tmp_path):
    _, out, _ = infoplane("measure", "checkpoints", "--model", here, "--data", "data.npz")
    folder = next((tmp_path / "runs").iterdir())
    assert folder.name.startswith("measure-")
    assert f"runs/{folder.name}: results.nc" in out


def test_figures_of_a_result_are_files_with_checksums(here, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    code, _, err = infoplane("measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "out")
    assert (code, err) == (0, "")
    names = {"plane.png", "plane.pdf", "information.png", "information.pdf"}
    assert {path.name for path in (tmp_path / "out" / "figures").iterdir()} == names
    log = (tmp_path / "out" / "log.jsonl").read_text()
    assert all(f"figures/{name}" in log for name in names)


# ---- interruption


@pytest.fixture
def ctrl_c():
    """Let SIGINT interrupt, also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_interrupted_is_kept_and_goes_on(number, code, here, monkeypatch):
    from infoplane.cli.measure import _Progress

    command = ("measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "my out")
    with monkeypatch.context() as patch:
        patch.setattr(_Progress, "show", lambda _, event: event.epoch == 1 and os.kill(os.getpid(), number))
        ended, _, err = infoplane(*command)
    assert ended == code
    assert "interrupted; what was measured is in my out; the same command with --out 'my out' goes on" in err
    assert ip.load("my out")["epoch"].values.tolist() == [0, 1]
    told = []
    monkeypatch.setattr(_Progress, "show", lambda _, event: told.append((event.epoch, event.done, event.total)))
    assert infoplane(*command)[0] == 0
    assert told == [(2, 3, 4), (5, 4, 4)]
    assert ip.load("my out")["epoch"].values.tolist() == [0, 1, 2, 5]


def test_progress_goes_to_stderr(here, monkeypatch):
    from infoplane.cli.measure import _Progress

    monkeypatch.setattr(_Progress, "PLAIN_SECONDS", 0.0)
    _, out, err = infoplane("measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "out")
    assert re.search(r"^2 of 4 checkpoints \(epoch 1\), \d+ s left$", err, re.MULTILINE)
    assert "checkpoints (epoch" not in out


def test_a_part_of_the_inputs_may_be_measured(here):
    code, _, err = infoplane(
        "measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "o", "--rows", "20"
    )
    assert code == 0, err
    assert ip.load("o").attrs["n_samples"] == 20


# ---- what cannot be used

REFUSED = {
    "no colon": (
        ("--model", "net"),
        r"--model net: expected MODULE:FACTORY, for example net:make for make\(\) in net\.py",
    ),
    "no module": (("--model", "absent:make"), r"importing absent failed: there is no absent\.py in /"),
    "no function": (("--model", "{}:mak"), r"has no 'mak'; did you mean 'make'\?"),
    "a factory that fails": (("--model", "{}:broken"), "the model failed, RuntimeError: no such width"),
    "a model that fails": (
        ("--model", "{}:wrong_width"),
        r"model: expected to run on inputs of shape \(1024, 4\), got ValueError: ",
    ),
    "no data": (("--data", "absent.npz"), r"absent\.npz: no such file"),
    "another kind of data": (("--data", "data.xls"), r"data\.xls: is no \.npz, \.csv, \.tsv, \.mat file"),
    "no data set": (("--data", "sst"), "data 'sst' is no file with an ending, nor a data set; did you mean 'szt'"),
    "no held-out data": (("--held-out", "absent.npz"), r"absent\.npz: no such file"),
    "an estimator": (("--estimator", "bining"), "unknown estimator 'bining'; did you mean 'binning'"),
    "a parameter": (("--set", "binning.bin=3"), "bin"),
    "another estimator's": (("--set", "kde.variance=3"), r"--set kde\.variance=3: expected NAME\.KEY=VALUE"),
    "a schedule": (("--schedule", "evry"), "schedule is 'evry'; did you mean 'every'"),
    "a stride of 0": (("--schedule", "0"), "schedule"),
    "a layer": (("--layers", "hiden"), "'hiden' fits no layer"),
    "a pattern": (("--pattern", "("), "is no regular expression"),
    "a batch of none": (("--batch-size", "0"), "batch_size is 0"),
}


@pytest.mark.parametrize(("arguments", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_used_is_one_line_and_code_2(arguments, text, here):
    given = [argument.format(here.partition(":")[0]) for argument in arguments]
    code, out, err = infoplane("measure", "checkpoints", "--model", here, "--data", "data.npz", "--out", "out", *given)
    assert (code, out) == (2, "")
    assert re.search(text, err)
    assert err.startswith("infoplane: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["absent", "data.npz", "."])
def test_a_folder_without_checkpoints_is_one_line_and_code_2(name, here):
    code, _, err = infoplane("measure", name, "--model", here, "--data", "data.npz", "--out", "out")
    assert (code, err.count("\n")) == (2, 1)
    assert "is no folder" in err or "holds no checkpoints" in err


def test_an_error_within_the_user_s_module_is_told(here, tmp_path):
    (tmp_path / "faulty_module.py").write_text("import absent_library\n")
    code, _, err = infoplane("measure", "checkpoints", "--model", "faulty_module:make", "--data", "data.npz")
    assert code == 2
    assert "importing faulty_module failed: ModuleNotFoundError: No module named 'absent_library'" in err


# ---- a program of its own


@pytest.mark.framework
def test_a_torch_training_is_measured_from_a_shell(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    (tmp_path / "saved").mkdir()
    for epoch in (0, 1):
        torch.save(model.state_dict(), tmp_path / "saved" / f"epoch-{epoch}.pt")
        with torch.no_grad():
            model[0].weight *= 3
    (tmp_path / "own.py").write_text(TORCH)
    inputs = np.random.default_rng(0).standard_normal((50, 4))
    table = "".join(f"{','.join(map(str, row))},{int(row[0] > 0)}\n" for row in inputs)
    (tmp_path / "data.csv").write_text("a,b,c,d,label\n" + table)
    code = "from infoplane import cli; cli.main()"
    command = ["measure", "saved", "--model", "own:make", "--data", "data.csv", "--out", "out"]
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^1( +(0|\d\.\d{1,4})){4}$", done.stdout, re.MULTILINE)
    assert (tmp_path / "out" / "figures" / "plane.png").is_file()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == [
        "data.csv", "out", "own.py", "saved",
    ]  # fmt: skip


def test_columns_of_a_table_are_chosen_by_name(tmp_path):
    from infoplane.cli.measure import _load

    (tmp_path / "a.csv").write_text("name,a,kind,b\nx,1,cat,2\ny,3,dog,4.5\n")
    inputs, labels = _load(str(tmp_path / "a.csv"), ["b", "a"], "kind")
    assert (inputs.tolist(), labels.tolist()) == ([[2, 1], [4.5, 3]], ["cat", "dog"])
