"""What a film is written as: a GIF of few colours, an MP4 by the program ffmpeg, or one HTML file with a slider."""

import base64
import contextlib
import dataclasses
import html
import io
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from jaxtyping import Int, UInt8

from infoplane.errors import StoreError

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = UInt8[np.ndarray, "row column 3"]

COLOURS, FREQUENT, SAMPLED = 112, 64, 9
"""Colours of a film, those of them that are its most frequent ones, and the frames they are chosen from."""

HOLD = 1.5
"""Seconds for which the last frame stays."""


class FfmpegError(StoreError):
    """The program ffmpeg could not write a film."""


@dataclasses.dataclass(frozen=True)
class Film:
    """Frames to be drawn, and how fast they follow each other.

    Attributes:
        draw: draws the frames of some places, one after the other.
        chosen: the places in the order of the film.
        fps: frames a second.
        title: what the film is called.
        labels: a word on each frame.
        told: told the number of frames made so far.
    """

    draw: Callable[[Iterable[int]], Iterator[Pixels]]
    chosen: Sequence[int]
    fps: int
    title: str
    labels: Sequence[str]
    told: Callable[[int], object]

    def frames(self) -> Iterator[Pixels]:
        """Yield every frame once, telling the progress."""
        for done, frame in enumerate(self.draw(self.chosen), start=1):
            yield frame
            self.told(done)


def write_gif(film: Film, file: BinaryIO) -> None:
    """Write a GIF that repeats itself; all frames share one palette, and a frame holds what has changed."""
    palette = Palette.of(film)
    seconds = [1 / film.fps] * (len(film.chosen) - 1) + [1 / film.fps + HOLD]
    ends = np.rint(100 * np.cumsum([0, *seconds]))  # a GIF counts hundredths: what rounding takes comes back later
    first, *rest = itertools.islice(frames := map(palette.image, film.frames()), 1)
    options: dict[str, Any] = {"duration": (10 * np.diff(ends)).astype(int).tolist(), "loop": 0, "optimize": False}
    first.save(file, format="GIF", save_all=True, append_images=itertools.chain(rest, frames), **options)


def write_mp4(film: Film, file: BinaryIO) -> None:
    """Write an MP4 by ffmpeg, in the colours that every player knows.

    ffmpeg goes back in its file, and opens it by name: it works in a temporary folder of its own.

    Raises:
        FfmpegError: when ffmpeg fails; contains its last line.
    """
    frames = film.frames()
    first = next(frames)
    rows, columns, _ = first.shape
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{columns}x{rows}", "-r", str(film.fps), "-i", "-"]
    made = ["-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"]
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile() as said:
        made_file = Path(place) / "film.mp4"
        command = ["ffmpeg", "-y", "-v", "error", *given, *made, str(made_file)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        try:
            _pour(itertools.chain([first], frames), process, film.fps)
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
        if process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
            raise FfmpegError(f"ffmpeg failed: {lines[-1]}; use .gif or .html")
        with made_file.open("rb") as content:
            shutil.copyfileobj(content, file)


def _pour(frames: Iterable[Pixels], process: "subprocess.Popen[bytes]", fps: int) -> None:
    """Give ffmpeg every frame, the last one again for as long as it stays; stop when it has gone."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # ffmpeg's exit code and its words say why it has gone
        try:
            last = b""
            for frame in frames:
                process.stdin.write(last := frame.tobytes())
            for _ in range(round(HOLD * fps)):
                process.stdin.write(last)
        finally:
            process.stdin.close()


def write_html(film: Film, file: BinaryIO) -> None:
    """Write one page that needs no network: the frames, a button, and a slider over the epochs."""
    palette = Palette.of(film)
    page = resources.files("infoplane.plots").joinpath("film.html").read_text()
    before, after = page.split("%FRAMES%")
    labels = json.dumps(list(film.labels)).replace("<", "\\u003c")  # no end of the script
    file.write(before.replace("%TITLE%", html.escape(film.title)).encode())
    for number, frame in enumerate(film.frames()):
        file.write(((",\n" if number else "") + json.dumps(_as_png(palette.image(frame)))).encode())
    file.write(after.replace("%FPS%", str(film.fps)).replace("%LABELS%", labels).encode())


def _as_png(image: "Image") -> str:
    """Return a picture as the base64 text of a PNG file."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode()


@dataclasses.dataclass(frozen=True)
class Palette:
    """Few colours for many frames.

    Attributes:
        colours: the colours; the first is white.
        nearest: the colour for each of the 2^15 colours of five bits a channel.
    """

    colours: UInt8[np.ndarray, "colour 3"]
    nearest: UInt8[np.ndarray, " code"]

    @classmethod
    def of(cls, film: Film) -> "Palette":
        """Choose colours from some frames of a film: white, the most frequent ones, and a median cut of the others."""
        from PIL import Image

        places = np.unique(np.linspace(0, len(film.chosen) - 1, SAMPLED).astype(int))
        seen = np.concatenate([_codes(frame).ravel() for frame in film.draw([film.chosen[i] for i in places])])
        codes, counts = np.unique(seen, return_counts=True)
        frequent = codes[np.argsort(-counts, kind="stable")]
        shades = np.concatenate([[[255, 255, 255]], _decode(frequent)]).astype(np.uint8)
        kept, others = shades[: FREQUENT + 1], shades[FREQUENT + 1 :]
        if len(others):
            cut = Image.fromarray(others[None]).quantize(COLOURS - len(kept), method=Image.Quantize.MEDIANCUT)
            kept = np.concatenate([kept, np.reshape(cut.getpalette() or [], (-1, 3))])
        colours = kept.astype(np.uint8)
        apart = _decode(np.arange(2**15))[:, None].astype(np.int32) - colours
        return cls(colours, (apart**2).sum(axis=-1).argmin(axis=1).astype(np.uint8))

    def image(self, frame: Pixels) -> "Image":
        """Return a frame in these colours."""
        from PIL import Image

        image = Image.fromarray(self.nearest[_codes(frame)])
        image.putpalette(self.colours.tobytes())
        return image


def _codes(frame: Pixels) -> Int[np.ndarray, "row column"]:
    """Return the colour of each pixel as a number of 15 bits."""
    red, green, blue = (frame[..., channel].astype(np.int64) >> 3 for channel in range(3))
    return red << 10 | green << 5 | blue


def _decode(codes: Int[np.ndarray, " code"]) -> UInt8[np.ndarray, "code 3"]:
    """Return the colour in the middle of each code; the ends are black and white."""
    channels = np.stack([codes >> 10, codes >> 5 & 31, codes & 31], axis=-1)
    return (channels * 255 // 31).astype(np.uint8)


REELS: dict[str, Callable[[Film, BinaryIO], None]] = {".gif": write_gif, ".mp4": write_mp4, ".html": write_html}
"""What writes a film, by the ending of its file."""
