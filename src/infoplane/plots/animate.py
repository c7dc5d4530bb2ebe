"""The film of the information plane: every network's layers, epoch after epoch, as GIF, MP4 or one HTML file."""

import operator
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from jaxtyping import Int

from infoplane import files
from infoplane.errors import InputError, StoreError
from infoplane.plots import content, reels
from infoplane.plots.stage import Stage
from infoplane.results import need_result

if TYPE_CHECKING:
    import xarray as xr

MEMBERS = ("all", "mean")
LIMITS = {"fps": (1, 50), "frames": (1, 2000), "width": (200, 3840)}
"""What can be asked for: frames a second (a GIF counts hundredths of a second), frames, pixels."""

OnFrame = Callable[[int, int], object]
"""Told how many frames are made, and how many there will be."""


def animate(
    ds: "xr.Dataset",
    path: Any,
    *,
    estimator: str | None = None,
    members: str = "all",
    frames: Any = 300,
    fps: Any = 25,
    width: Any = 640,
    on_frame: OnFrame | None = None,
) -> Path:
    """Write the film of the information plane and return its path.

    A frame shows the layers at one measured epoch, whose number stands beside the scale of epochs: a dot is one layer
    of one member, in the layer's colour; the line that a layer leaves behind is its mean over members, and a thin line
    joins the means of one epoch. Nothing is made up between measured epochs. Where more were measured than frames
    are asked for, those are chosen that lie evenly on a clock of which one half runs with the logarithm of the epoch,
    the other with the epoch itself, so that neither the first epochs nor the last rush by; see `choose_frames`. The
    last frame stays for a second and a half.

    Args:
        ds: a result, or one combination of a sweep.
        path: where to write; its ending says what: ``.gif``; ``.mp4``, which needs the program ffmpeg; or ``.html``, a
            page with a slider that needs nothing else.
        estimator: which estimator's information; the first where it is None.
        members: ``all``: a dot for each member; ``mean``: the mean alone.
        frames: at most so many.
        fps: frames a second, 1 to 50; a GIF shows each for the nearest whole hundredth of a second.
        width: of a frame in pixels.
        on_frame: told the progress.

    Raises:
        InputError: for an unknown ending or estimator, numbers out of range, a sweep, a result without labels, and for
            ``.mp4`` where there is no ffmpeg.
        StoreError: when the file cannot be written; nothing is left of it.
    """
    need_result(ds)
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path: expected the path of a file, got {path!r}. Pass for example 'plane.gif'")
    path = Path(path)
    reel = _reel(path)
    asked = {key: _number(key, value) for key, value in {"frames": frames, "fps": fps, "width": width}.items()}
    if members not in MEMBERS:
        raise InputError(f"members is {members!r}; expected 'all' or 'mean'")
    if "sweep" in ds.attrs:
        raise InputError(
            "a film shows one combination, and this result is a sweep; choose one of infoplane.runs.combine.split(ds)"
        )
    name, information = content.select(ds, estimator)
    content.need_labels(information, "a film")
    shown = content.measured(ds, name)
    stage = Stage(shown, name, members=members == "all", width=asked["width"])
    chosen = choose_frames(shown["epoch"].values, asked["frames"])
    labels = [f"{content.epoch_word(shown)} {shown['epoch'].values[place]}" for place in chosen]
    film = reels.Film(stage.frames, chosen, asked["fps"], _title(shown), labels, _told(on_frame, len(chosen)))
    try:
        files.write(path, lambda file: reel(film, file))
    except reels.FfmpegError as error:
        raise StoreError(f"{path}: {error}") from None
    return path


def choose_frames(epochs: Int[np.ndarray, " epoch"], count: int) -> list[int]:
    """Return the places of at most ``count`` of some epochs, the first and the last among them.

    All of them where there are no more. Else those nearest to even steps of a clock that shows
    ½·log(1+e)/log(1+E) + ½·e/E at epoch e of E; as many steps as give ``count`` different epochs or just fewer.
    """
    if count >= len(epochs):
        return list(range(len(epochs)))
    if count == 1:
        return [len(epochs) - 1]
    passed = (epochs - epochs[0]).astype(float)
    clock = 0.5 * np.log1p(passed) / np.log1p(passed[-1]) + 0.5 * passed / passed[-1]
    few, many = count, 64 * count
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if len(_nearest(clock, middle)) <= count else (few, middle)
    return _nearest(clock, few)


def _nearest(clock: np.ndarray, steps: int) -> list[int]:
    """Return the places nearest to even steps from 0 to 1, each once."""
    return np.unique(np.abs(clock - np.linspace(0, 1, steps)[:, None]).argmin(axis=1)).tolist()


def _reel(path: Path) -> Callable[[reels.Film, BinaryIO], object]:
    """Return what writes files of a path's ending.

    Raises:
        InputError: for another ending, and for MP4 where there is no ffmpeg.
    """
    ending = path.suffix.lower()
    if ending not in reels.REELS:
        raise InputError(f"{path}: the name of a film ends in .gif, .mp4 or .html")
    if ending == ".mp4" and shutil.which("ffmpeg") is None:
        raise InputError(f"{path}: .mp4 needs the program ffmpeg, which is not on the PATH; use .gif or .html")
    return reels.REELS[ending]


def _number(key: str, value: Any) -> int:
    """Return a whole number within its limits.

    Raises:
        InputError: when it is another.
    """
    low, high = LIMITS[key]
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if not low <= number <= high:
        raise InputError(f"{key} is {value!r}; expected a whole number from {low} to {high}")
    return number


def _title(ds: "xr.Dataset") -> str:
    title = str(ds.attrs.get("title", "run"))
    return f"Information plane: {title.encode('utf-8', 'replace').decode()}"


def _told(on_frame: OnFrame | None, total: int) -> Callable[[int], object]:
    """Return what is told the number of frames made."""
    return (lambda done: on_frame(done, total)) if on_frame else (lambda done: None)
