"""Which checkpoints a folder holds, and the epochs that their names state."""

import os
import re
import warnings

import pytest

from infoplane.errors import CheckpointWarning, InputError
from infoplane.record._finding import find_checkpoints

SCHEMES = {
    "plain": (["model_0.pt", "model_1.pt", "model_10.pt"], [0, 1, 10]),
    "a metric after the epoch": (["model_epoch_0_loss_1.099.pt", "model_epoch_1_loss_0.412.pt"], [0, 1]),
    "a metric before the epoch": (["loss0.41-epoch2.pt", "loss1.09-epoch1.pt"], [1, 2]),
    "a whole metric": (["ep1_acc90.pt", "ep2_acc88.pt"], [1, 2]),
    "Keras": (["01-1.10.keras", "02-0.53.keras", "10-0.05.keras"], [1, 2, 10]),
    "Keras, negative metric": (["weights.05--0.12.weights.h5", "weights.06--0.15.weights.h5"], [5, 6]),
    "Keras, its own example": (["weights.05-0.12.keras", "weights.06-0.10.keras"], [5, 6]),
    "Lightning": (["epoch=0-step=100.ckpt", "epoch=3-step=400.ckpt", "last.ckpt", "last-v1.ckpt"], [0, 3]),
    "Lightning with a metric": (["model-epoch=07-val_loss=0.25-v1.ckpt", "model-epoch=08-val_loss=0.2.ckpt"], [7, 8]),
    "timm": (["checkpoint-0.pth.tar", "checkpoint-12.pth.tar", "last.pth.tar", "model_best.pth.tar"], [0, 12]),
    "fastai": (["resnet34_0.pth", "resnet34_1.pth"], [0, 1]),
    "without an ending": (["ckpt.1", "ckpt.12"], [1, 12]),
    "steps": (["step_0001000.pt", "step_0000500.pt"], [500, 1000]),
    "iterations": (["iter1000_lr1e-3.pt", "iter2000_lr1e-4.pt"], [1000, 2000]),
    "a model's name": (["resnet18_epoch3.pt", "resnet18_epoch4.pt"], [3, 4]),
    "a model's name before a number": (["gpt2-500.safetensors", "gpt2-1000.safetensors"], [500, 1000]),
    "a model's name before a point": (["resnet18.5.keras", "resnet18.6.keras"], [5, 6]),
    "a letter of a model's name": (["vit_b16_e1.pt", "vit_b16_e2.pt"], [1, 2]),
    "a run's settings": (["run1_seed3_lr0.01_bs64_4.pt", "run1_seed3_lr0.01_bs64_8.pt"], [4, 8]),
    "a number that all share": (["net_50_1.pt", "net_50_2.pt"], [1, 2]),
    "a date": (["2024-01-15_12-30-00_ep3.pt", "2024-01-16_08-00-00_ep4.pt"], [3, 4]),
    "a compact date": (["20240115-123000_7.pt", "20240116-080000_8.pt"], [7, 8]),
    "an epoch of many": (["epoch_3_of_100.pt", "epoch_4_of_100.pt"], [3, 4]),
    "the unit after the number": (["net-10epochs.pt", "net-20epochs.pt"], [10, 20]),
    "camel case": (["modelEpoch1.pt", "modelEpoch2.pt"], [1, 2]),
    "the epoch among other numbers": (["stage2_epoch_1_7.pt", "stage2_epoch_2_9.pt"], [1, 2]),
    "a seed and the epoch": (["seed_2_epoch_0.pt", "seed_2_epoch_1.pt"], [0, 1]),
    "a number alone": (["12.pt"], [12]),
    "one file with a model's name": (["net2-epoch-12.weights.h5"], [12]),
    "other files": (["epoch-1.pt", "notes-2.txt", ".epoch-3.pt", "weights-4.pkl", "optimizer-5.pt"], [1]),
}


@pytest.fixture
def touch(tmp_path):
    """Make empty files; those of ``ckpt.12`` begin as torch.save begins."""

    def touch(*names):
        for name in names:
            content = b"PK\3\4" if name.rpartition(".")[2].isdecimal() else b""
            (tmp_path / name).write_bytes(content)
        return tmp_path

    return touch


@pytest.mark.parametrize(("names", "epochs"), SCHEMES.values(), ids=SCHEMES.keys())
def test_the_epochs_of_each_naming_scheme_are_found(names, epochs, touch):
    assert [*find_checkpoints(touch(*names)).paths] == epochs


def test_every_epoch_belongs_to_its_own_file(touch):
    found = find_checkpoints(touch("m_epoch_10_loss_0.1.pt", "m_epoch_2_loss_0.9.pt", "m_epoch_0_loss_0.95.pt"))
    assert {epoch: path.name for epoch, path in found.paths.items()} == {
        0: "m_epoch_0_loss_0.95.pt",
        2: "m_epoch_2_loss_0.9.pt",
        10: "m_epoch_10_loss_0.1.pt",
    }


AMBIGUOUS = {
    "two numbers": (["model_1_20.pt", "model_2_40.pt"], r"'model_1_20\.pt' is ambiguous: its epoch may be 1 and 20"),
    "a percentage": (["model-1-53.pt", "model-2-61.pt"], r"ambiguous: its epoch may be 1 and 53"),
    "a metric alone": (["model_loss_0.53.pt", "model_loss_0.41.pt"], r"state no epoch: 'model_loss_0\.41\.pt'"),
    "a whole metric alone": (["acc_90.pt", "acc_91.pt"], "state no epoch"),
    "a bare decimal": (["model-1.5.pt", "model-2.5.pt"], "state no epoch"),
    "seeds": (["model_seed1.pt", "model_seed2.pt"], "state no epoch"),
    "folds": (["fold0.pt", "fold1.pt"], "state no epoch"),
    "learning rates": (["lr1e-3.pt", "lr0.01.pt"], "state no epoch"),
    "dates": (["model-2024-01-15.pt", "model-2024-01-16.pt"], "state no epoch"),
    "seconds since 1970": (["model-1700000000.pt", "model-1700000100.pt"], "state no epoch"),
    "a family of models": (["resnet18.pt", "resnet50.pt"], "state no epoch"),
    "sizes of a model": (["efficientnet_b0.pt", "efficientnet_b1.pt"], "state no epoch"),
    "sizes with a unit": (["model_7b.pt", "model_13b.pt"], "state no epoch"),
    "thousands": (["step_10k.pt", "step_20k.pt"], "expected a whole number of at most .* got 10"),
    "half an epoch": (["epoch_0.5.pt", "epoch_1.0.pt"], r"'epoch_0\.5\.pt': expected a whole number .* got 0\.5"),
    "versions": (["model-v1.2.3.pt"], "state no epoch"),
    "different words": (["generator_1.pt", "critic_2.pt"], "the names differ in more than their number"),
    "some without": (["epoch_1.pt", "init.pt"], r"state no epoch: 'init\.pt'"),
    "copies alone": (["last.ckpt", "best.ckpt"], r"state no epoch: 'best\.ckpt', 'last\.ckpt'"),
    "the same epoch twice": (["net_1.pt", "net_01.pt"], r"'net_01\.pt' and 'net_1\.pt' are both epoch 1"),
    "a version of the same epoch": (["epoch=1.ckpt", "epoch=1-v1.ckpt"], "are both epoch 1"),
    "a huge number": (["model_99999999999.pt"], "expected a whole number of at most 1 000 000 000 as epoch, got 9999"),
}


@pytest.mark.parametrize(("names", "text"), AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_ambiguous_names_are_refused_with_the_advice_to_pass_epochs(names, text, touch):
    with pytest.raises(InputError, match=text) as error:
        find_checkpoints(touch(*names))
    assert "Pass epochs=" in str(error.value)
    assert "--epochs NAME=EPOCH" in str(error.value)
    assert "\n" not in str(error.value)


# ---- which number is used


def test_names_with_epoch_and_step_are_read_by_epoch_unless_the_step_is_requested(touch):
    folder = touch("epoch=0-step=100.ckpt", "epoch=1-step=200.ckpt", "last.ckpt")
    found = find_checkpoints(folder)
    assert ([*found.paths], found.unit) == ([0, 1], "epoch")
    assert "the names also state steps: pass epochs='step'" in found.source
    assert "left out as copies of others: 'last.ckpt'" in found.source
    steps = find_checkpoints(folder, epochs="step")
    assert ([*steps.paths], steps.unit) == ([100, 200], "update")


def test_several_checkpoints_of_an_epoch_are_refused_with_the_way_to_their_steps(touch):
    folder = touch("epoch=0-step=20.ckpt", "epoch=0-step=100.ckpt")
    with pytest.raises(InputError, match=r"are both epoch 0\. Pass epochs='step' \(--epochs step\)"):
        find_checkpoints(folder)
    assert [*find_checkpoints(folder, epochs="step").paths] == [20, 100]


def test_steps_that_the_names_lack_are_refused(touch):
    with pytest.raises(InputError, match="state no step"):
        find_checkpoints(touch("epoch_1.pt", "epoch_2.pt"), epochs="step")


# ---- given epochs


def test_a_mapping_states_epochs_and_leaves_files_out(touch):
    folder = touch("early.pt", "late.pt", "broken.pt", "last.pt")
    found = find_checkpoints(folder, epochs={"early.pt": 3, "late.pt": 40, "broken.pt": None})
    assert {epoch: path.name for epoch, path in found.paths.items()} == {3: "early.pt", 40: "late.pt"}
    assert found.source == "the argument epochs"


def test_a_mapping_adds_to_the_epochs_of_the_names(touch):
    found = find_checkpoints(
        touch("init.pt", "epoch_1.pt", "epoch_2.pt", "last.pt"), epochs={"init.pt": 0, "last.pt": 9}
    )
    assert {epoch: path.name for epoch, path in found.paths.items()} == {
        0: "init.pt",
        1: "epoch_1.pt",
        2: "epoch_2.pt",
        9: "last.pt",
    }


def test_a_function_states_epochs(touch):
    folder = touch("run-1-of-9.pt", "run-4-of-9.pt", "other.pt")
    found = find_checkpoints(folder, epochs=lambda name: int(name[4]) * 10 if name.startswith("run") else None)
    assert [*found.paths] == [10, 40]


GIVEN = {
    "an unknown file": ({"epoch_3.pt": 1}, r"holds no checkpoint 'epoch_3\.pt'; did you mean 'epoch_[12]\.pt'"),
    "a fraction": ({"epoch_1.pt": 0.5}, "expected whole numbers from 0 to 1000000000, got 0.5 for 'epoch_1.pt'"),
    "a negative epoch": ({"epoch_1.pt": -1}, "got -1"),
    "a boolean": ({"epoch_1.pt": True}, "got True"),
    "a list": ([1, 2], r"a mapping from names to epochs or a function of the name, got \[1, 2\]"),
    "another word": ("time", "expected 'epoch', 'step', a mapping"),
    "nothing at all": ({"epoch_1.pt": None, "epoch_2.pt": None}, "expected an epoch for one checkpoint at least"),
    "two of one epoch": ({"epoch_1.pt": 2}, "are both epoch 2"),
    "a function without epochs": (lambda name: None, "got None for all"),
}


@pytest.mark.parametrize(("epochs", "text"), GIVEN.values(), ids=GIVEN.keys())
def test_epochs_that_cannot_be_used_are_refused(epochs, text, touch):
    with pytest.raises(InputError, match=text):
        find_checkpoints(touch("epoch_1.pt", "epoch_2.pt"), epochs=epochs)


def test_pattern_and_epochs_exclude_each_other(touch):
    with pytest.raises(InputError, match="expected one of them, got both"):
        find_checkpoints(touch("epoch_1.pt"), r"(\d+)", "epoch")


# ---- patterns


def test_a_pattern_names_the_epoch_and_leaves_other_files_out(touch):
    found = find_checkpoints(touch("epoch=0-step=100.ckpt", "epoch=0-step=20.ckpt", "last.ckpt"), r"step=(\d+)")
    assert {epoch: path.name for epoch, path in found.paths.items()} == {
        20: "epoch=0-step=20.ckpt",
        100: "epoch=0-step=100.ckpt",
    }


PATTERNS = {
    "fits none": (r"step=(\d+)", r"pattern 'step=\(\\\\d\+\)' fits no checkpoint: 'a1\.pt'"),
    "broken": (r"(", r"pattern '\(' is no regular expression"),
    "without a group": (r"\d+", r"has 0 groups; expected one"),
    "of words": (r"(a)", r"fits no checkpoint"),
}


@pytest.mark.parametrize(("pattern", "text"), PATTERNS.values(), ids=PATTERNS.keys())
def test_patterns_that_cannot_be_used_are_refused(pattern, text, touch):
    with pytest.raises(InputError, match=text):
        find_checkpoints(touch("a1.pt"), pattern)


# ---- the order of the files' times


def at(folder, **times):
    for name, seconds in times.items():
        os.utime(folder / f"{name}.pt", (seconds, seconds))


def test_an_order_against_the_files_times_is_a_warning(touch):
    folder = touch("epoch_1.pt", "epoch_2.pt", "epoch_3.pt")
    at(folder, epoch_1=1000, epoch_2=5000, epoch_3=2000)
    text = re.escape("epoch 3 (epoch_3.pt) was modified 3000 s before epoch 2 (epoch_2.pt): the order of the epochs")
    with pytest.warns(CheckpointWarning, match=text):
        found = find_checkpoints(folder)
    assert [*found.paths] == [1, 2, 3]


@pytest.mark.parametrize("times", [(1000, 1000, 1000), (1000, 2000, 3000), (1001.5, 1000, 1000)])
def test_times_that_agree_or_are_shared_are_no_warning(times, touch):
    folder = touch("epoch_1.pt", "epoch_2.pt", "epoch_3.pt")
    at(folder, **dict(zip(("epoch_1", "epoch_2", "epoch_3"), times, strict=True)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_checkpoints(folder)


def test_given_epochs_are_compared_with_the_times_too(touch):
    folder = touch("a.pt", "b.pt")
    at(folder, a=1000, b=5000)
    with pytest.warns(CheckpointWarning):
        find_checkpoints(folder, epochs={"a.pt": 2, "b.pt": 1})


# ---- folders


def test_a_folder_that_only_looks_like_a_checkpoint_is_left_alone(touch):
    folder = touch("epoch-1.pt")
    (folder / "epoch-5.pt").mkdir()
    (folder / "logs").mkdir()
    assert [*find_checkpoints(folder).paths] == [1]


@pytest.mark.parametrize("name", ["missing", "nul\0", "../nowhere"])
def test_a_path_that_is_no_folder_is_refused(name, tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        find_checkpoints(tmp_path / name)


def test_an_empty_folder_is_called_empty(tmp_path):
    with pytest.raises(InputError, match=r"holds no checkpoints \(\.safetensors, .*\); it is empty$"):
        find_checkpoints(tmp_path)


def test_a_folder_of_folders_is_never_called_empty(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events.txt").touch()
    with pytest.raises(InputError, match=r"; it holds folders: 'logs', the first with 'events\.txt'"):
        find_checkpoints(tmp_path)


def test_a_folder_of_other_files_names_them(touch):
    with pytest.raises(InputError, match=r"holds no checkpoints .*: 'a\.txt'$"):
        find_checkpoints(touch("a.txt"))
