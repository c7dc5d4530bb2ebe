"""The checkpoints that a folder holds: single files, folders as Hugging Face writes them, and shards with an index."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infoplane import files
from infoplane.errors import InputError
from infoplane.record._epoch_names import listed

ENDINGS = (
    ".safetensors", ".weights.h5", ".keras", ".pt", ".pth", ".bin", ".ckpt", ".pth.tar", ".pt.tar",
)  # fmt: skip
"""Endings of the files that can be read: safetensors; Keras 3; PyTorch, including Lightning and timm."""

SNIFFED = (".tar", ".h5", ".hdf5")
"""Endings of files that are checkpoints only if their first bytes are those of `torch.save` or HDF5."""

INDEX = ".index.json"
"""Ending of the file that names the shards of a checkpoint."""

HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"

MAX_INDEX = 10**8
"""Bytes of the longest index that is read."""

_SHARD = re.compile(r"-[0-9]{5,}-of-[0-9]{5,}\.(safetensors|bin)$")
_COMPANION = re.compile(
    r"(optimizer|optim|scheduler|lr_scheduler|scaler|rng_state|random_states|training_args|sampler|adapter_config)"
    r"([-_.0-9].*)?\.(pt|pth|bin|safetensors|pkl)$"
    r"|adapter_model\.|.*_(model|optim)_states\.pt$"
)
"""Files that training libraries save next to the weights, and parts of a model that are no whole one."""

_IN_FOLDER = ("model.safetensors", f"model.safetensors{INDEX}", "pytorch_model.bin", f"pytorch_model.bin{INDEX}")
"""The weights in a folder of Hugging Face, in the order in which its own loader looks for them."""

NUMBERED = re.compile(r"(checkpoint|ckpt|epoch|step|global_step)s?[-_=]?[0-9]+", re.IGNORECASE)
"""Names of folders that are checkpoints."""

_AGAIN = "Save the weights again as safetensors or with torch.save(model.state_dict(), …)"
_FOREIGN: Sequence[tuple[str, str, str]] = (
    ("saved_model.pb", "a TensorFlow SavedModel, which holds a program",
     "Save the weights with model.save_weights('….weights.h5')"),
    ("*.distcp", "shards of torch.distributed.checkpoint",
     "Convert the folder with torch.distributed.checkpoint.format_utils.dcp_to_torch_save"),
    ("*_model_states.pt", "shards of DeepSpeed", "Convert the folder with its zero_to_fp32.py"),
    ("*.data-00000-of-*", "a TensorFlow checkpoint", "Save the weights with model.save_weights('….weights.h5')"),
    ("_CHECKPOINT_METADATA", "an Orbax checkpoint", "Save the weights as safetensors"),
    ("flax_model.msgpack", "Flax weights in msgpack", "Save the weights as safetensors"),
    ("tf_model.h5", "TensorFlow weights of transformers", "Save the model again with save_pretrained"),
    ("adapter_model.*", "an adapter without its model", "Merge it with merge_and_unload() and save the whole model"),
    ("*.weights.json", "a Keras checkpoint in shards", "Save it without max_shard_size"),
)  # fmt: skip
"""Files by which other formats are known: pattern, format, remedy."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in a folder.

    Attributes:
        name: name of its file or folder; its epoch is read from it.
        path: the file that is read: the weights, or the index of their shards; None if it cannot be read.
        is_folder: whether the name is that of a folder.
        problem: why it cannot be read, and the remedy.
    """

    name: str
    path: Path | None
    is_folder: bool = False
    problem: str = ""

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.name if self.is_folder else stem_of(self.name)


def stem_of(name: str) -> str:
    """Return a file's name without the ending of a checkpoint."""
    name = name.removesuffix(INDEX)
    endings = sorted((*ENDINGS, *SNIFFED), key=len, reverse=True)
    return next((name.removesuffix(ending) for ending in endings if name.endswith(ending)), name)


def checkpoints_in(folder: Path) -> list[Checkpoint]:
    """Return the checkpoints of a folder, by name; other files and folders are left out.

    Raises:
        InputError: if there is none; names what the folder holds.
    """
    with files.named(folder):
        if not folder.is_dir():
            raise InputError(f"{folder}: is no folder; expected the folder of the checkpoints")
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        found = [checkpoint for path in entries if (checkpoint := _checkpoint(path))]
        if not any(checkpoint.path for checkpoint in found):
            raise InputError(_nothing(folder, entries, found))
    return found


def _checkpoint(path: Path) -> Checkpoint | None:
    if path.is_file():
        return Checkpoint(path.name, path) if _is_weights(path) else None
    if not path.is_dir():
        return None
    weights = _weights_in(path)
    problem = "" if weights else _foreign(path)
    if not weights and not problem and NUMBERED.fullmatch(path.name):
        problem = f"holds no weights{_holds([*path.iterdir()])}. Move it away or leave it out"
    return Checkpoint(path.name, weights, True, problem) if weights or problem else None


def _is_weights(path: Path) -> bool:
    """Return whether a file holds the weights of a whole model, or is the index of their shards."""
    name = path.name
    if _COMPANION.match(name) or _SHARD.search(name):
        return False
    if name.endswith((*ENDINGS, f".safetensors{INDEX}", f".bin{INDEX}")):
        return True
    return (name.endswith(SNIFFED) or path.suffix[1:].isdecimal()) and first_bytes(path).startswith((HDF5, ZIP))


def first_bytes(path: Path) -> bytes:
    """Return the bytes of a file that name its format.

    Raises:
        StoreError: if the system cannot read it.
    """
    with files.named(path), path.open("rb") as file:
        return file.read(len(HDF5))


def _weights_in(folder: Path) -> Path | None:
    """Return the weights in a checkpoint's own folder; None if there are none, or several without a known name."""
    for name in _IN_FOLDER:
        if (folder / name).is_file():
            return folder / name
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and _is_weights(path)]
    return found[0] if len(found) == 1 else None


def _foreign(folder: Path) -> str:
    """Name the format of a folder that is a checkpoint of another kind, and the remedy; empty for other folders."""
    for pattern, kind, remedy in _FOREIGN:
        if any(folder.glob(pattern)):
            return f"is {kind}, which is not read. {remedy}"
    return ""


def _nothing(folder: Path, entries: Sequence[Path], found: Sequence[Checkpoint]) -> str:
    """Return the error of a folder without a checkpoint that can be read."""
    own = _foreign(folder)
    if own:
        return f"{folder}: {own}"
    if found:
        return f"{folder}: {found[0].name!r} {found[0].problem}"
    shards = [path.name for path in entries if _SHARD.search(path.name)]
    if shards:
        return f"{folder}: holds shards without their index: {listed(shards)}. Copy the file '*{INDEX}' too"
    return f"{folder}: holds no checkpoints ({', '.join(ENDINGS)}){_holds(entries)}"


def _holds(entries: Sequence[Path]) -> str:
    """List the content of a folder, and of the first folder in it."""
    if not entries:
        return "; it is empty"
    folders = [path for path in sorted(entries) if path.is_dir()]
    names = [path.name for path in sorted(entries) if path not in folders]
    parts = [f": {listed(names)}"] if names else []
    if folders:
        inside = sorted(path.name for path in folders[0].iterdir())
        held = listed(inside) if inside else "nothing"
        parts.append(f"; it holds folders: {listed([path.name for path in folders])}, the first with {held}")
    return "".join(parts)


# ---- shards


def is_index(path: Path) -> bool:
    """Return whether a file is the index of a checkpoint in shards."""
    return path.name.endswith(INDEX)


def read_shards(path: Path, read: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the arrays of all shards that an index names.

    Args:
        path: the index.
        read: returns the arrays of one file by name.

    Raises:
        InputError: for an index that names files outside its own folder, or shards that hold other arrays.
    """
    shards = _shards(path)
    arrays: dict[str, Any] = {}
    for shard, names in shards.items():
        held = read(shard)
        for what, odd in (("lacks", names - held.keys()), ("also holds", held.keys() - names)):
            if odd:
                raise InputError(f"{shard}: {what} {listed(sorted(odd))}, against {path.name}. Copy both files again")
        arrays |= held
    return arrays


def weight_files(path: Path) -> list[Path]:
    """Return the files of a checkpoint: the weights, or the index and its shards.

    Raises:
        InputError: see `read_shards`.
    """
    return [path, *_shards(path)] if is_index(path) else [path]


def digest(path: Path) -> str:
    """Return the SHA-256 of a checkpoint; of several files, that of their digests.

    Raises:
        StoreError: if a file cannot be read.
    """
    digests = [files.sha256(file) for file in weight_files(path)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _shards(path: Path) -> dict[Path, set[str]]:
    """Return the shards that an index names, with the names of their arrays."""
    table = _read_index(path)
    shards: dict[Path, set[str]] = {}
    for name, shard in table.items():
        shards.setdefault(path.parent / shard, set()).add(name)
    for shard in shards:
        with files.named(shard):
            if shard.is_symlink():
                raise _refuse(path, f"its shard {shard.name!r} is a link. Copy the file itself")
            if not shard.is_file():
                raise _refuse(path, f"its shard {shard.name!r} is missing. Copy all shards")
    return shards


def _read_index(path: Path) -> dict[str, str]:
    """Return the file of each array."""
    with files.named(path):
        if path.stat().st_size > MAX_INDEX:
            raise _refuse(path, f"it has more than {MAX_INDEX} bytes. Save the model again")
        content = path.read_bytes()
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _refuse(path, f"it is no JSON ({str(error)[:100]}). Copy it again") from None
    shards = table.get("weight_map") if isinstance(table, dict) else None
    if not isinstance(shards, dict) or not shards or not all(isinstance(shard, str) for shard in shards.values()):
        raise _refuse(path, "expected a table 'weight_map' of file names. Save the model again")
    ending = path.name.removesuffix(INDEX).rpartition(".")[2]
    for shard in shards.values():
        if not re.fullmatch(rf"[^/\\:\0]+\.{ending}", shard):
            raise _refuse(path, f"it names the shard {shard[:80]!r}; expected the name of a .{ending} file next to it")
    return shards


def _refuse(path: Path, why: str) -> InputError:
    return InputError(f"{path}: the index is refused: {why}")
