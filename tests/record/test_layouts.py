"""Folders of checkpoints and shards with an index; no framework is needed."""

import json
import os
import struct

import numpy as np
import pytest

import infoplane as ip
from infoplane.errors import InputError, StoreError
from infoplane.record import _formats
from infoplane.record._finding import find_checkpoints


def write_safetensors(path, arrays):
    header, data = {}, b""
    for name, array in arrays.items():
        place = [len(data), len(data) + array.nbytes]
        header[name], data = {"dtype": "F32", "shape": [*array.shape], "data_offsets": place}, data + array.tobytes()
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)


def weights_of(epoch):
    rng = np.random.default_rng(epoch)
    return {name: rng.standard_normal((3, 3)).astype(np.float32) for name in ("first", "second", "third")}


def write_shards(folder, weights, **changes):
    """Write each array into a shard of its own, and their index; ``changes`` replace file names in the index."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for place, (name, array) in enumerate(weights.items(), start=1):
        files[name] = f"model-{place:05d}-of-{len(weights):05d}.safetensors"
        write_safetensors(folder / files[name], {name: array})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 108}, "weight_map": files | changes}))
    return index


def model(weights):
    return lambda batch: {"hidden": np.tanh(batch[:, :3] @ weights["first"] @ weights["second"] @ weights["third"])}


@pytest.fixture
def trainer(tmp_path):
    """A folder as a trainer leaves it: checkpoints with optimizer states, a final model, logs."""
    for step in (500, 1000):
        folder = tmp_path / f"checkpoint-{step}"
        write_shards(folder, weights_of(step))
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin", "trainer_state.json"):
            (folder / name).write_bytes(b"not read")
    write_safetensors(tmp_path / "model.safetensors", weights_of(0))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "events.out.tfevents.1").touch()
    return tmp_path


def test_folders_of_shards_are_measured_as_the_arrays_by_hand(trainer, inputs, labels):
    ds = ip.measure_checkpoints(trainer, model, inputs, labels)
    assert ds["epoch"].values.tolist() == [500, 1000]
    assert ds.attrs["epoch_unit"] == "update"
    assert "left out as copies of others: 'model.safetensors'" in ds.attrs["epochs_from"]
    for step in (500, 1000):
        exact = ip.layer_information(model(weights_of(step))(inputs)["hidden"], labels)
        got = ds["information"].sel(epoch=step).values.ravel()
        assert got == pytest.approx([exact.input.bits, exact.label.bits], abs=1e-6)


def test_a_checkpoint_s_own_folder_is_measured_alone(trainer, inputs):
    ds = ip.measure_checkpoints(trainer / "checkpoint-500", model, inputs)
    assert ds["epoch"].values.tolist() == [500]


def test_a_shard_that_changed_since_it_was_measured_is_refused(trainer, inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "recording"
    ip.measure_checkpoints(trainer, model, inputs, out=out)
    ip.measure_checkpoints(trainer, model, inputs, out=out)
    shard = trainer / "checkpoint-500" / "model-00002-of-00003.safetensors"
    write_safetensors(shard, {"second": weights_of(9)["second"]})
    os.utime(shard, (1000, 1000))
    with pytest.raises(StoreError, match="has changed since epoch 500 was measured"):
        ip.measure_checkpoints(trainer, model, inputs, out=out)


def test_a_single_file_in_a_folder_of_its_own_is_found(tmp_path):
    for epoch in (1, 2):
        (tmp_path / f"epoch_{epoch}").mkdir()
        write_safetensors(tmp_path / f"epoch_{epoch}" / "net.safetensors", weights_of(epoch))
    assert [*find_checkpoints(tmp_path).paths] == [1, 2]


def test_a_checkpoint_that_was_not_saved_whole_is_named_and_can_be_left_out(trainer):
    (trainer / "checkpoint-1500").mkdir()
    (trainer / "checkpoint-1500" / "optimizer.pt").touch()
    with pytest.raises(InputError, match=r"'checkpoint-1500' holds no weights: 'optimizer\.pt'\. Move it away"):
        find_checkpoints(trainer)
    assert [*find_checkpoints(trainer, epochs={"checkpoint-1500": None}).paths] == [500, 1000]


# ---- damaged and hostile indexes


HOSTILE = {
    "a parent folder": "../secret.safetensors",
    "a deeper folder": "deep/secret.safetensors",
    "an absolute path": "/etc/secret.safetensors",
    "a path of Windows": "..\\secret.safetensors",
    "a drive": "C:secret.safetensors",
    "a null byte": "secret\0.safetensors",
    "another format": "secret.bin",
    "no name": "",
    "the folder": "..",
}


@pytest.mark.parametrize("shard", HOSTILE.values(), ids=HOSTILE.keys())
def test_an_index_that_leads_elsewhere_is_refused(shard, tmp_path):
    write_safetensors(tmp_path / "secret.safetensors", {"first": np.ones((3, 3), np.float32)})
    index = write_shards(tmp_path / "run" / "checkpoint-1", weights_of(1), first=shard)
    with pytest.raises(InputError, match=r"the index is refused: it names the shard .* next to it") as error:
        find_checkpoints(tmp_path / "run")
    assert str(index) in str(error.value)


def test_a_shard_that_is_a_link_is_refused(tmp_path):
    index = write_shards(tmp_path / "checkpoint-1", weights_of(1))
    shard = index.with_name("model-00001-of-00003.safetensors")
    shard.rename(tmp_path / "elsewhere.safetensors")
    shard.symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(InputError, match=r"its shard 'model-00001-of-00003\.safetensors' is a link"):
        find_checkpoints(tmp_path, r"checkpoint-(\d+)")


BROKEN = {
    "no JSON": (b"{", "it is no JSON"),
    "deep JSON": (b"[" * 100_000, "it is no JSON"),
    "no text": (b"\xff\xfe\xfd", "it is no JSON"),
    "no table": (b"[]", "expected a table 'weight_map'"),
    "no weights": (b'{"weight_map": {}}', "expected a table 'weight_map'"),
    "numbers for files": (b'{"weight_map": {"first": 3}}', "expected a table 'weight_map'"),
    "a missing shard": (b'{"weight_map": {"first": "gone.safetensors"}}', r"its shard 'gone\.safetensors' is missing"),
}


@pytest.mark.parametrize(("content", "text"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_index_is_refused_by_name(content, text, tmp_path):
    index = write_shards(tmp_path / "checkpoint-1", weights_of(1))
    index.write_bytes(content)
    with pytest.raises(InputError, match=text) as error:
        find_checkpoints(tmp_path)
    assert str(index) in str(error.value)
    assert "\n" not in str(error.value)


def test_shards_and_index_that_disagree_are_refused(tmp_path):
    index = write_shards(tmp_path / "checkpoint-1", weights_of(1))
    shard = index.with_name("model-00002-of-00003.safetensors")
    write_safetensors(shard, {"other": weights_of(1)["second"]})
    with pytest.raises(InputError, match=r"model-00002.*: lacks 'second', against model\.safetensors\.index\.json"):
        _formats.read_arrays(index)
    write_safetensors(shard, {name: weights_of(1)["second"] for name in ("second", "other")})
    with pytest.raises(InputError, match="also holds 'other'"):
        _formats.read_arrays(index)


def test_shards_without_their_index_are_named(tmp_path):
    write_shards(tmp_path, weights_of(1)).unlink()
    with pytest.raises(InputError, match=r"holds shards without their index: 'model-00001-of-00003\.safetensors', .*"):
        find_checkpoints(tmp_path)


# ---- other formats


FOREIGN = {
    "SavedModel": ("saved_model.pb", "a TensorFlow SavedModel, which holds a program, which is not read"),
    "torch.distributed": ("__0_0.distcp", "shards of torch.distributed.checkpoint"),
    "DeepSpeed": ("mp_rank_00_model_states.pt", "shards of DeepSpeed"),
    "TensorFlow": ("ckpt-1.data-00000-of-00001", "a TensorFlow checkpoint"),
    "Orbax": ("_CHECKPOINT_METADATA", "an Orbax checkpoint"),
    "Flax": ("flax_model.msgpack", "Flax weights in msgpack"),
    "an adapter": ("adapter_model.safetensors", "an adapter without its model"),
}


@pytest.mark.parametrize(("name", "text"), FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("is_deep", [False, True])
def test_a_format_that_is_not_read_is_named_with_the_remedy(name, text, is_deep, tmp_path):
    folder = tmp_path / "epoch_3" if is_deep else tmp_path
    folder.mkdir(exist_ok=True)
    (folder / name).touch()
    with pytest.raises(InputError, match=f"is {text}.*\\. [SCM]"):
        find_checkpoints(tmp_path)
