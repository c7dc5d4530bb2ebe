"""Finds the checkpoints of a training in a folder, and the epoch of each."""

import dataclasses
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infoplane import files
from infoplane.errors import CheckpointWarning, InputError, did_you_mean
from infoplane.record._epoch_names import EPOCH, LARGEST_EPOCH, STEP, advice, is_copy, listed, numbers_in, read_epochs
from infoplane.record._layouts import NUMBERED, Checkpoint, checkpoints_in, weight_files

TIME_SLACK = 2.0
"""Seconds by which modification times may contradict the epochs: file systems round them up to this much."""


@dataclasses.dataclass(frozen=True)
class Found:
    """The checkpoints of a folder.

    Attributes:
        paths: the file of each checkpoint by its epoch, ascending: its weights, or the index of their shards.
        source: where the epochs come from, in words.
        unit: "epoch" or "update".
    """

    paths: Mapping[int, Path]
    source: str
    unit: str = "epoch"


def find_checkpoints(folder: str | Path, pattern: str | None = None, epochs: Any = None) -> Found:
    """Return the checkpoints of a folder by their epoch.

    Args:
        folder: the folder.
        pattern: regular expression with one group, the epoch, to be found in the name; others are left out.
        epochs: "epoch" or "step": the number of this kind in the names; a mapping from names to epochs, in which
            None leaves a file out and absent names state their own epoch; or a function of the name.

    Raises:
        InputError: for a folder without checkpoints, a name without an epoch or with several, two checkpoints of one
            epoch, or arguments that cannot be used.

    Warns:
        CheckpointWarning: if the order of the epochs contradicts the files' modification times.
    """
    folder, expression = Path(folder), _compiled(pattern)
    if expression is not None and epochs is not None:
        raise InputError("pattern and epochs: expected one of them, got both. Leave one out")
    checkpoints = checkpoints_in(folder)
    if expression is not None:
        found = _by_pattern(folder, checkpoints, expression)
    elif callable(epochs):
        found = _by_function(folder, checkpoints, epochs)
    else:
        found = _by_names(folder, checkpoints, epochs)
    warn_of_order(folder, found.paths)
    return found


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f"pattern {pattern!r} is no regular expression: {error}") from None
    if expression.groups != 1:
        raise InputError(rf"pattern {pattern!r} has {expression.groups} groups; expected one, for example 'step=(\d+)'")
    return expression


def _by_pattern(folder: Path, checkpoints: Sequence[Checkpoint], pattern: re.Pattern[str]) -> Found:
    matches = {one.name: pattern.search(one.name) for one in checkpoints}
    epochs = {name: int(m[1]) for name, m in matches.items() if m and (m[1] or "").isdecimal()}
    if not epochs:
        raise InputError(f"{folder}: pattern {pattern.pattern!r} fits no checkpoint: {listed([*matches])}")
    return Found(_paths(folder, checkpoints, epochs), f"the pattern {pattern.pattern!r} of the checkpoints' names")


def _by_function(folder: Path, checkpoints: Sequence[Checkpoint], function: Callable[[str], Any]) -> Found:
    given = _given({one.name: function(one.name) for one in checkpoints})
    epochs = {name: epoch for name, epoch in given.items() if epoch is not None}
    if not epochs:
        raise InputError(f"epochs: expected an epoch for one of {listed([*given])} at least, got None for all")
    return Found(_paths(folder, checkpoints, epochs), "the argument epochs")


def _by_names(folder: Path, checkpoints: Sequence[Checkpoint], epochs: Any) -> Found:
    if epochs is not None and epochs not in (EPOCH, STEP) and not isinstance(epochs, Mapping):
        got = repr(epochs)[:80]
        raise InputError(
            f"epochs: expected {EPOCH!r}, {STEP!r}, a mapping from names to epochs or a function of the name, got "
            f"{got}. {advice([one.name for one in checkpoints])}"
        )
    given = _given(epochs) if isinstance(epochs, Mapping) else {}
    unknown = [name for name in given if name not in {one.name for one in checkpoints}]
    if unknown:
        names = [one.name for one in checkpoints]
        raise InputError(f"epochs: {folder} holds no checkpoint {unknown[0]!r}{did_you_mean(unknown[0], names)}")
    has_folders = any(one.is_folder for one in checkpoints)
    unnamed = [one for one in checkpoints if one.name not in given and not (given and is_copy(one.stem, has_folders))]
    chosen = {name: epoch for name, epoch in given.items() if epoch is not None}
    if not unnamed:
        if not chosen:
            raise InputError("epochs: expected an epoch for one checkpoint at least, got None for all")
        return Found(_paths(folder, checkpoints, chosen), "the argument epochs")
    stems, folders = {one.name: one.stem for one in unnamed}, {one.name for one in unnamed if one.is_folder}
    own = folder.resolve().name
    if len(checkpoints) == 1 and is_copy(checkpoints[0].stem, True) and NUMBERED.fullmatch(own):
        stems, folders = {checkpoints[0].name: own}, {checkpoints[0].name}  # the folder is itself a checkpoint
    stated = read_epochs(stems, folders, str(folder), epochs if isinstance(epochs, str) else None)
    unit = "update" if stated.kind == STEP else "epoch"
    return Found(_paths(folder, checkpoints, {**stated.epochs, **chosen}), stated.sentence, unit)


def _given(epochs: Mapping[Any, Any]) -> dict[str, int | None]:
    """Return epochs that a user gave as plain integers."""
    given: dict[str, int | None] = {}
    for name, epoch in epochs.items():
        is_whole = hasattr(epoch, "__index__") and not isinstance(epoch, bool) and 0 <= int(epoch) <= LARGEST_EPOCH
        if epoch is not None and not is_whole:
            raise InputError(
                f"epochs: expected whole numbers from 0 to {LARGEST_EPOCH}, got {epoch!r} for {name!r}. Pass None to "
                "leave a file out"
            )
        given[str(name)] = None if epoch is None else int(epoch)
    return given


def _paths(folder: Path, checkpoints: Sequence[Checkpoint], epochs: Mapping[str, int]) -> dict[int, Path]:
    """Return the files by ascending epoch.

    Raises:
        InputError: for two checkpoints of one epoch, or one that cannot be read.
    """
    by_name = {one.name: one for one in checkpoints}
    paths: dict[int, Path] = {}
    names: dict[int, str] = {}
    for name, epoch in sorted(epochs.items(), key=lambda item: (item[1], item[0])):
        if epoch > LARGEST_EPOCH:
            raise InputError(f"{folder}: {name!r} would be epoch {epoch}. {advice([name])}")
        if epoch in names:
            steps = [numbers_in(by_name[one].stem, by_name[one].is_folder) for one in (names[epoch], name)]
            have_steps = all(any(number.kind == STEP for number in found) for found in steps)
            other = " Pass epochs='step' (--epochs step) to use the steps of the names." if have_steps else ""
            raise InputError(f"{folder}: {names[epoch]!r} and {name!r} are both epoch {epoch}.{other} {advice([name])}")
        checkpoint = by_name[name]
        if checkpoint.path is None:
            raise InputError(f"{folder}: {name!r} {checkpoint.problem}")
        paths[epoch], names[epoch] = checkpoint.path, name
    return paths


def warn_of_order(folder: Path, paths: Mapping[int, Path]) -> None:
    """Warn if a later epoch was written before an earlier one.

    Files that share a modification time, as those of a copy often do, contradict nothing.
    """
    newest: tuple[float, int] | None = None
    for epoch, path in paths.items():
        written = max(_time(file) for file in weight_files(path))
        if newest is not None and written < newest[0] - TIME_SLACK:
            warnings.warn(
                f"{folder}: epoch {epoch} ({_short(path, folder)}) was modified {newest[0] - written:.0f} s before "
                f"epoch {newest[1]} ({_short(paths[newest[1]], folder)}): the order of the epochs contradicts the "
                "files' modification times. Check the epochs, or pass epochs=; ignore this warning if the files were "
                "copied without their times",
                CheckpointWarning,
                stacklevel=2,
            )
            return
        if newest is None or written > newest[0]:
            newest = (written, epoch)


def _time(path: Path) -> float:
    with files.named(path):
        return path.stat().st_mtime


def _short(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))
