"""The film: which epochs it shows, that its frames show them, and that every kind of file is whole or not there."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest

import infoplane as ip
from infoplane.errors import InputError, StoreError
from infoplane.plots import reels, stage, style
from infoplane.plots.animate import choose_frames

SMALL = {"width": 240, "fps": 10}


def gif_frames(path):
    """Every frame of a GIF as pixels, and how long each stays in milliseconds."""
    from PIL import Image

    with Image.open(path) as film:
        frames, seconds = [], []
        for number in range(film.n_frames):
            film.seek(number)
            frames.append(np.asarray(film.convert("RGB")))
            seconds.append(film.info["duration"])
    return frames, seconds


# ---- which epochs


def test_all_epochs_are_shown_where_there_are_no_more_than_frames():
    assert choose_frames(np.array([0, 3, 4, 9]), 4) == [0, 1, 2, 3]


def test_of_more_epochs_the_first_and_the_last_are_shown_and_nearly_as_many_as_asked_for():
    chosen = choose_frames(np.arange(8001), 100)
    assert (chosen[0], chosen[-1]) == (0, 8000)
    assert 90 <= len(chosen) <= 100
    assert chosen == sorted(set(chosen))


def test_half_of_the_clock_is_logarithmic_and_half_even():
    """By hand: the clock stands at ½·log(1+e)/log(8001) + ½·e/8000, so at 1/2 it shows epoch 1752."""
    epochs = np.arange(8001)
    chosen = choose_frames(epochs, 3)
    middle = epochs[chosen[1]]
    assert 0.5 * np.log1p(middle) / np.log(8001) + middle / 16000 == pytest.approx(0.5, abs=1e-3)


def test_one_frame_is_the_last_epoch():
    assert choose_frames(np.arange(10), 1) == [9]


# ---- what a frame shows


def dots(frame, colour):
    """Number of pixels of a colour."""
    wanted = np.round(255 * np.asarray(colour[:3]))
    return int((np.abs(frame.astype(int) - wanted).max(axis=-1) < 12).sum())


def test_a_frame_is_what_matplotlib_draws_of_the_whole_figure(result):
    """Drawn over the kept image or at once: the same pixels."""
    scene = stage.Stage(result, "binning", members=True, width=320)
    (frame,) = scene.frames([4])
    for artist in scene._moving:
        artist.set_animated(False)
    scene._figure.canvas.draw()
    whole = np.asarray(scene._figure.canvas.buffer_rgba())[..., :3]
    assert np.abs(frame.astype(int) - whole[: len(frame), : frame.shape[1]]).mean() < 0.5  # the order of edges differs


def test_a_layer_moves_to_where_the_result_says(make_result):
    """The centre of the output's dots, in pixels, is its information at that epoch on the axes' scale."""
    ds = make_result(members=1, epochs=(0, 40))
    scene = stage.Stage(ds, "binning", members=False, width=640)
    for path in scene._paths:
        path.set_visible(False)
    colour = style.layer_colours(3)[2]
    for place, frame in enumerate(scene.frames([0, 1])):
        rows, columns = np.nonzero(np.abs(frame - np.round(255 * colour[:3])).max(axis=-1) < 12)
        ax = scene._figure.axes[0]
        expected = ax.transData.transform(scene._mean[place, 2])
        plane = columns < ax.bbox.x1 + 8  # the same colour stands in the legend, right of the axes
        assert columns[plane].mean() == pytest.approx(expected[0], abs=1)
        assert len(frame) - rows[plane].mean() == pytest.approx(expected[1], abs=1.5)


@pytest.mark.parametrize(("members", "drawn"), [(True, 6), (False, 1)])
def test_members_alone_or_their_mean(make_result, members, drawn):
    scene = stage.Stage(make_result(members=6), "binning", members=members, width=240)
    next(scene.frames([0]))
    assert len(scene._dots[1].get_offsets()) == drawn


def test_what_was_not_measured_is_not_drawn(result):
    result["information"][...] = result["information"].where(result["layer"] != "output")
    scene = stage.Stage(result, "binning", members=True, width=240)
    assert len(scene._dots[2].get_offsets()) == 0
    list(scene.frames(range(6)))
    assert len(scene._dots[2].get_offsets()) == 0


# ---- files


def test_a_gif_has_a_frame_for_each_epoch_and_holds_the_last(result, tmp_path):
    path = ip.animate(result, tmp_path / "plane.gif", **SMALL)
    frames, seconds = gif_frames(path)
    assert path == tmp_path / "plane.gif"
    assert len(frames) == 6
    assert seconds == [100] * 5 + [1600]
    assert list(tmp_path.iterdir()) == [path]


def test_the_time_of_a_gif_is_right_although_it_counts_hundredths(make_result, tmp_path):
    path = ip.animate(make_result(epochs=range(31)), tmp_path / "plane.gif", width=200, fps=30)
    _, seconds = gif_frames(path)
    assert sum(seconds) == pytest.approx(1000 * (31 / 30 + 1.5), abs=10)


def test_a_gif_keeps_the_colours_of_the_layers(result, tmp_path):
    frames, _ = gif_frames(ip.animate(result, tmp_path / "plane.gif", **SMALL))
    assert (frames[0][0, 0] == 255).all()
    for colour in style.layer_colours(3):
        assert dots(frames[-1], colour) > 8  # of 240 × 180 pixels


def test_the_same_result_gives_the_same_film(result, tmp_path):
    first, second = (ip.animate(result, tmp_path / name, **SMALL).read_bytes() for name in ("a.gif", "b.gif"))
    assert first == second


def test_a_page_holds_every_frame_and_nothing_from_elsewhere(result, tmp_path):
    from PIL import Image

    page = ip.animate(result, tmp_path / "plane.html", **SMALL).read_text()
    listed = re.search(r"const frames = \[(.*?)\];", page, re.DOTALL)
    frames = json.loads(f"[{listed[1]}]")
    assert len(frames) == 6
    with Image.open(io.BytesIO(base64.b64decode(frames[3]))) as image:
        assert image.size[0] == 240
    assert '["epoch 0", "epoch 1", "epoch 2", "epoch 5", "epoch 10", "epoch 40"]' in page
    assert "http:" not in page.replace("http-equiv", "")
    assert "https:" not in page


def test_hostile_names_are_text_in_a_page(result, tmp_path):
    name = "</script><script>alert(1)</script>%FRAMES%"
    page = ip.animate(result.assign_attrs(title=name, epoch_unit=name), tmp_path / "p.html", **SMALL).read_text()
    assert "<script>alert" not in page
    assert page.count("</script>") == 1


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
def test_ffmpeg_writes_an_mp4(result, tmp_path):
    path = ip.animate(result, tmp_path / "plane.mp4", **SMALL)
    assert path.read_bytes()[4:8] == b"ftyp"
    assert list(tmp_path.iterdir()) == [path]


def fake_ffmpeg(folder, script):
    """Put a program of that name on a path of its own."""
    folder.mkdir()
    (folder / "ffmpeg").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "ffmpeg").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_ffmpeg_is_given_every_frame_and_the_last_for_as_long_as_it_stays(result, tmp_path, monkeypatch):
    """A program that keeps what it is given under the name that it is to write: 6 frames, and 15 more of the last."""
    monkeypatch.setenv("PATH", fake_ffmpeg(tmp_path / "bin", 'for last; do :; done; cat > "$last"'))
    path = ip.animate(result, tmp_path / "plane.mp4", **SMALL)
    pixels = np.frombuffer(path.read_bytes(), np.uint8).reshape(21, -1)
    assert (pixels[5:] == pixels[5]).all()
    assert (pixels[4] != pixels[5]).any()
    assert pixels.shape[1] == 240 * 180 * 3


def test_what_ffmpeg_says_is_told_and_nothing_is_left(result, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", fake_ffmpeg(tmp_path / "bin", "echo no such encoder >&2; exit 3"))
    with pytest.raises(StoreError, match=r"plane.mp4: ffmpeg failed: no such encoder; use .gif or .html"):
        ip.animate(result, tmp_path / "plane.mp4", **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


@pytest.mark.parametrize("ending", ["gif", "html", "mp4"])
def test_a_film_that_is_stopped_leaves_nothing_and_keeps_what_stood_there(result, tmp_path, monkeypatch, ending):
    monkeypatch.setenv("PATH", fake_ffmpeg(tmp_path / "bin", "cat > /dev/null"))
    (tmp_path / f"plane.{ending}").write_text("before")

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ip.animate(result, tmp_path / f"plane.{ending}", on_frame=stop, **SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", f"plane.{ending}"]
    assert (tmp_path / f"plane.{ending}").read_text() == "before"


def test_progress_counts_the_frames(result, tmp_path):
    told = []
    ip.animate(result, tmp_path / "p.gif", frames=4, on_frame=lambda *counts: told.append(counts), **SMALL)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


# ---- what is refused


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("plane.avi", {}, r"plane.avi: the name of a film ends in .gif, .mp4 or .html"),
        ("plane", {}, r"the name of a film ends in .gif, .mp4 or .html"),
        ("p.gif", {"members": "some"}, "members is 'some'; expected 'all' or 'mean'"),
        ("p.gif", {"fps": 0}, "fps is 0; expected a whole number from 1 to 50"),
        ("p.gif", {"fps": 2.5}, "fps is 2.5; expected a whole number"),
        ("p.gif", {"frames": 0}, "frames is 0; expected a whole number from 1 to 2000"),
        ("p.gif", {"width": 10**6}, "width is 1000000; expected a whole number from 200 to 3840"),
        ("p.gif", {"estimator": "kde"}, "estimator 'kde' is not in this result; it holds: binning"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(result, tmp_path, name, options, words):
    with pytest.raises(InputError, match=words):
        ip.animate(result, tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_mp4_without_ffmpeg_names_what_needs_none(result, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"needs the program ffmpeg, which is not on the PATH; use .gif or .html"):
        ip.animate(result, tmp_path / "plane.mp4")


def test_a_result_without_labels_has_no_film(result, tmp_path):
    result["information"][..., 1] = np.nan
    with pytest.raises(InputError, match="no labels"):
        ip.animate(result, tmp_path / "plane.gif")


def test_a_sweep_is_refused_with_the_way_to_one_of_its_combinations(result, tmp_path):
    with pytest.raises(InputError, match=r"choose one of infoplane.runs.combine.split\(ds\)"):
        ip.animate(result.assign_attrs(sweep="[]"), tmp_path / "plane.gif")


@pytest.mark.parametrize("ending", sorted(reels.REELS.keys() - {".mp4"}))
@pytest.mark.parametrize("shape", [{"members": 1, "epochs": (0,)}, {"layers": [f"layer{i}" for i in range(12)]}])
def test_odd_results_have_films_too(make_result, tmp_path, shape, ending):
    assert ip.animate(make_result(**shape), tmp_path / f"p{ending}", **SMALL).stat().st_size > 1000
