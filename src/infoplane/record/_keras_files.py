"""Loads what Keras saved, ``.weights.h5`` and the weights inside a ``.keras`` archive, and nothing else of it."""

import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

from infoplane import files
from infoplane.errors import InputError
from infoplane.record._names import damaged, misfit, some

LARGEST_UNPACKING = 20
"""Weights that unpack to more than this many times their archive are refused; Keras does not pack them."""


def check_built(model: Any) -> None:
    """Refuse a model that has no weights yet.

    Raises:
        InputError: then.
    """
    if not model.built:
        raise InputError("model is not built, so it has no weights yet; call it on one batch, or begin it with Input")


def load_keras(model: Any, path: Path) -> None:
    """Load weights into a built model; of an archive only its weights are read, never the configuration.

    Raises:
        InputError: when the file is damaged, reads from other files, or its weights do not fit.
    """
    check_built(model)
    if not path.name.endswith(".keras"):
        _load_hdf5(model, path, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / "model.weights.h5"
        _unpack_weights(path, unpacked)
        _load_hdf5(model, unpacked, path)


def _unpack_weights(path: Path, to: Path) -> None:
    """Copy the one member that holds the weights to a path of our own; no other member is read."""
    try:
        with files.named(path), zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename == "model.weights.h5"]
            if len(members) != 1:
                raise InputError(f"{path}: holds no model.weights.h5; save it again with model.save(…)")
            if members[0].file_size > LARGEST_UNPACKING * path.stat().st_size:
                raise InputError(f"{path}: its weights would unpack to {members[0].file_size} bytes; refused")
            with archive.open(members[0]) as packed, to.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
    except InputError:
        raise
    except Exception as error:
        raise damaged(path, error) from None


def _load_hdf5(model: Any, file: Path, path: Path) -> None:
    """Load an HDF5 file of weights, which is found at ``file`` and known to the user as ``path``."""
    stored = _count_arrays(file, path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model.load_weights(file)
    except ValueError as error:
        raise misfit(path, " ".join(str(error).split())[:300]) from None
    if stored > len(model.weights):  # Keras loads what it looks for and passes over the rest
        raise misfit(path, f"it holds {stored} arrays, the model has {len(model.weights)}")


def _count_arrays(file: Path, path: Path) -> int:
    """Return the number of stored arrays that are weights; refuse references to other files."""
    import h5py

    arrays: list[str] = []
    outside: list[str] = []

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays.append(name)
            if item.external or item.is_virtual:
                outside.append(name)

    try:
        with h5py.File(file) as stored:
            stored.visititems(look)
            stored.visititems_links(lambda name, link: outside.append(name) if _leads_out(link) else None)
    except Exception as error:
        raise damaged(path, error) from None
    if outside:
        raise InputError(f"{path}: refused, since {some(outside)} would be read from another file")
    return sum(not name.startswith("optimizer/") and "seed_generator" not in name for name in arrays)


def _leads_out(link: Any) -> bool:
    import h5py

    return isinstance(link, h5py.ExternalLink)
