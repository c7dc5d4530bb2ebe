"""What a run's folder holds, in words."""

import shlex
from pathlib import Path

from infoplane.runs.store import Store


def status_lines(folder: Path) -> list[str]:
    """Say what was asked for, what is done and what is left.

    Raises:
        StoreError: when the folder holds no run, or it cannot be read.
    """
    store = Store.open(folder)
    config, about = store.config, store.about
    ends = [0] * len(config.groups)
    for piece in store.pieces():
        ends[piece.group] = max(ends[piece.group], piece.last)
    epochs = config.train.epochs
    finished = sum(end == epochs for end in ends)
    share = sum(ends) / (epochs * len(ends))
    started = about.get("created", "at an unknown time")
    lines = [
        f"{folder}: {config.name}, {config.members} members × {epochs} epochs, started {started}",
        f"done: {finished} of {len(ends)} groups of {config.width} members, {share:.1%} of all epochs",
    ]
    if finished == len(ends) and (folder / "results.nc").is_file():
        return [*lines, "complete: results.nc is there"]
    owner = store.owner()
    go_on = f"infoplane resume {shlex.quote(str(folder))}"
    return [*lines, f"running: {owner}" if owner else f"left: continue with '{go_on}'"]
