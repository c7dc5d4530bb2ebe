"""Files cut short and bits flipped on disk: found and computed again, or refused; never another number."""

import os
import random
import shutil

import pytest

import infoplane as ip
from infoplane.runs import engine
from infoplane.runs.status import status_lines
from infoplane.runs.store import Store

KINDS = {
    "piece": "pieces/group-0001-*.npz",
    "state": "weights/group-0001-*.npz",
    "result": "results.nc",
    "log": "log.jsonl",
    "run.json": "run.json",
}
TRIES = [3, pytest.param(40, marks=pytest.mark.slow)]


def resumed(folder):
    """The result of a run after it has gone on, or None where that was refused, and what was told."""
    told = []
    try:
        ds = engine.resume(folder, lambda event: told.append(event.text) if hasattr(event, "text") else None)
    except ip.StoreError as error:
        return None, [str(error)]
    return ds, told


@pytest.mark.parametrize(
    "kind", ["piece", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("state", "result"))]
)
@pytest.mark.parametrize("tries", TRIES)
def test_a_file_cut_short_is_found_told_of_and_made_again(sound, tmp_path, tally, kind, tries):
    draw = random.Random(kind)
    for number in range(tries):
        folder = shutil.copytree(sound[0], tmp_path / f"run{number}")
        *_, newest = choices = sorted(folder.glob(KINDS[kind]))
        path = draw.choice(choices)
        content = path.read_bytes()
        os.truncate(path, draw.randrange(len(content)))
        ds, told = resumed(folder)
        assert ds is not None
        assert ds.identical(sound[1])
        assert [line for line in told if line.startswith(f"{path}: ")] == told
        assert len(told) == 1
        if kind == "piece" or (kind == "state" and path == newest):  # an older state is needed no longer
            assert Store(folder).is_sound(path.relative_to(folder).as_posix())
        assert ip.load(folder).identical(sound[1])
    tally(
        f"truncation at random lengths: {kind}",
        tries,
        f"{tries} of {tries} detected, reported and recomputed if needed; the same bits",
    )


@pytest.mark.parametrize("tries", TRIES)
def test_a_log_cut_short_changes_no_number_and_lost_checksums_are_told_of(sound, tmp_path, tally, tries):
    draw, told_of = random.Random("log"), 0
    for number in range(tries):
        folder = shutil.copytree(sound[0], tmp_path / f"run{number}")
        path = folder / "log.jsonl"
        content = path.read_bytes()
        length = draw.randrange(len(content))
        os.truncate(path, length)
        whole_lines = content[: length + (content[length : length + 1] == b"\n")].split(b"\n")
        stored = [
            one.relative_to(folder).as_posix() for name in ("pieces", "weights") for one in (folder / name).iterdir()
        ]
        lost = [name for name in stored if not any(f'"{name}"'.encode() in line for line in whole_lines)]
        ds, told = resumed(folder)
        assert ds is not None
        assert ds.identical(sound[1])
        assert all(any(name in line for line in told) for name in lost)
        told_of += bool(told)
    tally(
        "truncation at random lengths: log",
        tries,
        f"{tries} of {tries} give the same bits; {told_of} lost checksums of existing files, all "
        "reported; the other logs lost nothing that is needed",
    )


@pytest.mark.parametrize("tries", TRIES)
def test_a_run_json_cut_short_is_refused(sound, tmp_path, tally, tries):
    draw = random.Random("run.json")
    folder = shutil.copytree(sound[0], tmp_path / "run")
    path = folder / "run.json"
    content = path.read_bytes()
    for _ in range(tries):
        path.write_bytes(content[: draw.randrange(len(content) - 1)])  # the last byte is the end of the line
        ds, told = resumed(folder)
        assert ds is None
        assert str(path) in told[0] or str(folder) in told[0]
    tally("truncation at random lengths: run.json", tries, f"{tries} of {tries} rejected, with the path")


@pytest.mark.parametrize("tries", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_a_flipped_bit_anywhere_in_a_run_changes_no_number(sound, tmp_path, tally, tries):
    draw, counts = random.Random(5), {"rejected": 0, "reported and recomputed": 0, "without effect": 0}
    files = sorted(path.relative_to(sound[0]) for path in sound[0].rglob("*") if path.is_file() and path.stat().st_size)
    sizes, loaded = [(sound[0] / name).stat().st_size for name in files], 0
    for number in range(tries):
        folder = shutil.copytree(sound[0], tmp_path / f"run{number}")
        path = folder / draw.choices(files, sizes)[0]
        content = bytearray(path.read_bytes())
        bit = draw.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            assert ip.load(folder).identical(sound[1])
            loaded += 1
        except ip.StoreError:
            assert path.name in ("results.nc", "log.jsonl")
        try:
            status_lines(folder)
        except ip.StoreError:
            assert path.name == "run.json"
        ds, told = resumed(folder)
        assert ds is None or ds.identical(sound[1])
        assert ds is not None or path.name == "run.json"
        if path.suffix == ".npz" or path.name == "results.nc":
            assert len(told) == 1
        counts["rejected" if ds is None else "reported and recomputed" if told else "without effect"] += 1
        shutil.rmtree(folder)
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    tally("single bits flipped anywhere in a run's folder", tries, f"0 silently different values ({told})")
