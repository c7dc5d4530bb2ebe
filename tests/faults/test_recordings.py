"""Damaged recordings: named by line, the rest readable, and never a silently different result."""

import json
import random
import shutil
import warnings

import numpy as np
import pytest

import infoplane as ip
from infoplane.record.folder import read_recording

INPUTS = np.random.default_rng(0).standard_normal((24, 3))
LABELS = (INPUTS[:, 0] > 0).astype(int)


def record(folder, *sessions):
    """Record a small network; every session after the first restarts where it says."""
    for session, epochs in enumerate(sessions):
        recorder = ip.Recorder(INPUTS, LABELS, ["binning"], "every", out=folder)
        for epoch in epochs:
            scale = 1 + epoch + 10 * session
            recorder.step(epoch, lambda batch, s=scale: {"h": np.tanh(s * batch), "o": batch[:, :1]})
        recorder.close()
    return folder


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A recording with two restarts: epochs 0 to 5, measured again from 3 and then from 4 on."""
    folder = record(tmp_path_factory.mktemp("recording") / "run", range(6), range(3, 6), range(4, 6))
    return folder, ip.load(folder)


@pytest.fixture
def copy(sound, tmp_path):
    return shutil.copytree(sound[0], tmp_path / "run")


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def agrees(ds, whole):
    """Whether a result has only epochs of another one, each with the same bits."""
    epochs = ds["epoch"].values
    return set(epochs) <= set(whole["epoch"].values) and all(
        ds[name].equals(whole[name].sel(epoch=epochs) if "epoch" in whole[name].dims else whole[name])
        for name in whole.data_vars
        if name not in ("member_flags",)
    )


@pytest.mark.parametrize("name", ["rows.jsonl", "run.json"])
@pytest.mark.parametrize("tries", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_named_and_the_rest_is_read(sound, copy, tally, name, tries):
    draw, whole, path = random.Random(name), sound[1], copy / name
    content, counts = path.read_bytes(), {"named": 0, "without effect": 0}
    for _ in range(tries):
        path.write_bytes(content)
        place = draw.randrange(len(content))
        flip(path, 8 * place + draw.randrange(8))
        line = content[:place].count(b"\n") + 1
        try:
            read = ip.load(copy)
        except ip.StoreError as error:
            counts["named"] += 1
            assert f"{path}: " in str(error)
            if name == "rows.jsonl":
                assert f"line {line}: content differs from what was written" in str(error)
        else:
            counts["without effect"] += 1
            assert read.identical(whole)
            continue
        rest = ip.load(copy, skip_damaged=True)
        assert agrees(rest, whole)
        assert name == "run.json" or len(rest["epoch"]) >= len(whole["epoch"]) - 2  # a lost end of a line costs two
        assert name == "rows.jsonl" or rest.identical(whole)
    assert counts["named"] > tries // 2  # an exponent's e may become E, and run.json is indented
    tally(
        f"single bits flipped in {name} of a recording",
        tries,
        f"0 silently different values; {counts['named']} named with file and line, the remaining epochs read with the "
        f"same bits, {counts['without effect']} without effect",
    )


def test_bytes_of_the_short_lines_are_guarded(sound, copy):
    """Restarts and line ends are a small part of the file, so that random places seldom meet them."""
    path, whole = copy / "rows.jsonl", sound[1]
    content = path.read_bytes()
    ends = [place for place, byte in enumerate(content) if byte == ord("\n")]
    restart = content.index(b'{"from_epoch"')
    for place in [*ends, *range(restart, content.index(b"\n", restart), 3)]:
        path.write_bytes(content)
        flip(path, 8 * place + place % 8)
        with pytest.raises(ip.StoreError, match=r"rows\.jsonl: line \d+: content differs"):
            ip.load(copy)
        assert agrees(ip.load(copy, skip_damaged=True), whole)


def test_status_reads_the_rest_of_a_damaged_recording(copy, command):
    flip(copy / "rows.jsonl", 8 * 100)
    code, err = command("status", copy)
    assert (code, err) == (
        1,
        f"damaged: {copy / 'rows.jsonl'}: line 1: content differs from what was written (SHA-256)\n",
    )
    with pytest.raises(ip.StoreError, match=r"Load the 5 readable epochs with ip\.load"):
        ip.load(copy)


@pytest.mark.parametrize("arguments", [["plot"], ["export"], ["report"], ["claims"], ["animate", "--to", "film.gif"]])
def test_commands_refuse_a_damaged_recording_and_name_the_line(copy, command, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    flip(copy / "rows.jsonl", 8 * 100)
    before = sorted(path.name for path in copy.rglob("*"))
    code, err = command(arguments[0], copy, *arguments[1:])
    assert (code, err.count("\n")) == (2, 1)
    assert "rows.jsonl: line 1: content differs" in err
    assert sorted(path.name for path in copy.rglob("*")) == before


def test_a_training_goes_on_without_damaged_lines_and_its_result_says_so(sound, copy):
    flip(copy / "rows.jsonl", 8 * 100)
    flip(copy / "run.json", 8 * 10)
    with pytest.warns(
        UserWarning, match=r"run\.json: .*; .*rows\.jsonl: line 1: .*; the recorder goes on without them"
    ):
        recorder = ip.Recorder(INPUTS, LABELS, ["binning"], "every", out=copy)
    recorder.step(6, lambda batch: {"h": batch, "o": batch[:, :1]})
    recorder.close()
    ds = ip.load(copy)
    assert list(ds["epoch"].values) == [1, 2, 3, 4, 5, 6]
    assert "rows.jsonl: line 1: " in json.loads(ds.attrs["damaged"])[0]
    assert agrees(ds.isel(epoch=slice(5)), sound[1])
    assert ip.load(copy / "results.nc").attrs["damaged"] == ds.attrs["damaged"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is known now
        ip.Recorder(INPUTS, LABELS, ["binning"], "every", out=copy).close()
    assert read_recording(copy).damage == []


def test_a_lost_copy_of_the_header_leaves_the_saved_result(copy):
    flip(copy / "run.json", 8 * 10)
    (copy / "log.jsonl").unlink()
    with pytest.raises(ip.StoreError, match=r"run\.json: .*results\.nc holds the result up to its last save"):
        ip.load(copy, skip_damaged=True)
    assert ip.load(copy / "results.nc").sizes["epoch"] == 6


@pytest.mark.parametrize("cut", [1, 30])
def test_a_line_that_a_crash_tore_is_no_damage(sound, copy, command, cut):
    path = copy / "rows.jsonl"
    whole_lines = path.read_bytes()
    path.write_bytes(whole_lines[:-cut])
    assert agrees(ip.load(copy), sound[1])
    assert command("status", copy)[0] == 0
    record(copy, [6])
    assert list(ip.load(copy)["epoch"].values) == [0, 1, 2, 3, 4, 6]


def test_lines_that_are_missing_are_named(copy):
    path = copy / "rows.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[3:]))
    with pytest.raises(ip.StoreError, match=r"line 2: .*line 3: "):
        ip.load(copy)
    path.write_bytes(b"".join([*lines, lines[0]]))
    with pytest.raises(ip.StoreError, match=rf"line {len(lines) + 1}: "):
        ip.load(copy)
