"""A full disk at any write: an exit in time that says where and how much is free, and nothing finished is lost."""

import contextlib
import errno
import itertools
import json
import os
import stat
import subprocess
import sys
import time

import pytest

import infoplane as ip
from infoplane import files
from infoplane.runs import engine
from infoplane.runs.store import Store

MEGABYTES = 8
ROOMS = (3_000, 12_000, 25_000, 60_000)


@contextlib.contextmanager
def full_from(nth):
    """Let every flush fail from the n-th on, part of the bytes lost; gives the time of the first failure."""
    real, count, failed = os.fsync, itertools.count(1), []

    def fsync(handle):
        if next(count) < nth:
            return real(handle)
        failed.append(time.monotonic())
        if stat.S_ISREG(os.fstat(handle).st_mode):
            os.truncate(handle, max(os.fstat(handle).st_size - 5, 0))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "fsync", fsync)
        yield failed


def readable_pieces(folder):
    """Read every piece of a run as it was written, and return their number."""
    store = Store(folder)
    return sum(bool(store.read_piece(piece)) for piece in store.pieces())


@pytest.mark.slow
def test_a_disk_full_at_each_of_the_first_fifty_writes_loses_nothing(
    command, small, sound, many_tasks, tmp_path, tally
):
    asked = tmp_path / "asked.toml"
    asked.write_text(toml(small))
    latest, kept = 0.0, 0
    for nth in range(1, 51):
        folder = tmp_path / f"run{nth}"
        with full_from(nth) as failed:
            code, err = command("run", asked, "--out", folder, "--set", "name=run")
        latest = max(latest, time.monotonic() - failed[0])
        assert code == 1
        assert str(folder) in err.splitlines()[-1]
        assert "bytes free" in err.splitlines()[-1]
        assert list(folder.rglob("*.partial")) == []
        kept += readable_pieces(folder)
        begun = (folder / "run.json").exists()
        code, err = command(*(["resume", folder] if begun else ["run", asked, "--out", folder, "--set", "name=run"]))
        assert code == 0, err
        assert ip.load(folder).identical(sound[1])
    assert latest <= 5
    tally(
        "ENOSPC at the n-th write, n = 1 … 50",
        50,
        f"50 of 50 end with exit code 1, path and free bytes, at most {latest:.1f} s after the failure; {kept} pieces "
        "written before, all readable; 50 of 50 resumed to the same bits",
    )


def toml(tree):
    """A small tree of keys as TOML."""
    lines = [f"{key} = {value}" for key, value in tree.items() if not isinstance(value, dict)]
    for section, keys in tree.items():
        if isinstance(keys, dict):
            lines += [f"[{section}]", *(f"{key} = {value!r}" for key, value in keys.items())]
    return "\n".join(lines)


@contextlib.contextmanager
def small_disk(place):
    """A file system of 8 MB in memory; the test is skipped where none may be mounted."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no command 'mount' here")
    if done.returncode:
        pytest.skip(f"no file system may be mounted here ({done.stderr.strip()})")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_a_run_on_a_file_system_that_fills_up_goes_on_when_there_is_room_again(
    children, uninterrupted, digests, tmp_path, tally
):
    latest, kept = 0.0, []
    with small_disk(tmp_path / "disk") as disk:
        for number, room in enumerate(ROOMS):
            folder = disk / f"run{number}"
            filler = disk / "filler"
            filler.write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize - room))
            with children.start("run", children.asked, "--out", folder) as process:
                latest = max(latest, seconds_from_full_to_end(process, disk))
                _, err = process.communicate()
            assert process.returncode == 1, err
            assert str(folder) in err.splitlines()[-1]
            assert "No space left on device" in err.splitlines()[-1]
            assert "bytes free)" in err.splitlines()[-1]
            kept.append(readable_pieces(folder))
            filler.unlink()
            code, err = children.go_on(folder)
            assert code == 0, err
            assert digests(folder) == uninterrupted[0]
    assert latest <= 5
    assert sum(kept) > 0
    tally(
        f"a real file system of {MEGABYTES} MB with {', '.join(f'{room // 1000} kB' for room in ROOMS)} left",
        len(ROOMS),
        f"exit code 1, path and free bytes, at most {latest:.1f} s after the disk was full; {sum(kept)} pieces written "
        f"before, all readable; {len(ROOMS)} of {len(ROOMS)} resumed to the same bits with room again",
    )


def seconds_from_full_to_end(process, disk):
    """How long a process lives on after its file system was full for the last time."""
    full = time.monotonic()
    while process.poll() is None:
        if os.statvfs(disk).f_bavail > 0 and time.monotonic() - full < 60:
            full = time.monotonic()
        time.sleep(0.005)
    return time.monotonic() - full


def test_a_resume_on_a_full_disk_says_so_and_can_be_repeated(sound, many_tasks, tmp_path):
    import shutil

    folder = shutil.copytree(sound[0], tmp_path / "run")
    sorted((folder / "pieces").iterdir())[-1].unlink()
    with full_from(1), pytest.raises(ip.StoreError, match=r"No space left on device \(\d+ bytes free\)"):
        engine.resume(folder)
    assert engine.resume(folder).identical(sound[1])


RECORDS = """
import json, resource, sys, warnings
import numpy as np
import infoplane as ip

folder, limit, inputs = sys.argv[1], int(sys.argv[2]), np.random.default_rng(0).standard_normal((200, 3))

def set_limit(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

def recorder():
    return ip.Recorder(inputs, inputs[:, 0] > 0, ["binning"], "every", out=folder)

told, recording = [], recorder()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for epoch in range(6):
        set_limit(limit if 2 <= epoch < 4 else resource.RLIM_INFINITY)
        recording.step(epoch, lambda batch, s=epoch + 1: {"h": np.tanh(s * batch), "o": batch[:, :1]})
        recording.results()
    set_limit(limit)
    try:
        recording.close()
    except ip.StoreError as error:
        told.append(type(error).__name__)
set_limit(resource.RLIM_INFINITY)
recorder().close()  # the folder is free
told += sorted({str(warning.message).partition(";")[0].rpartition(": ")[2] for warning in caught})
print(json.dumps(told))
"""


@pytest.mark.parametrize(
    "limit", [1_000, *(pytest.param(size, marks=pytest.mark.slow) for size in (0, 30_000, 50_000))]
)
def test_a_training_goes_on_when_the_disk_of_its_recording_is_full(tmp_path, tally, limit):
    """A limit on the size of files acts as a full disk, and HDF5 ended the process at it by a segmentation fault."""
    told = []
    for name, size in (("full", limit), ("undisturbed", 10**9)):
        command = [sys.executable, "-c", RECORDS, str(tmp_path / name), str(size)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    assert told[1] == []
    assert told[0][0] == "DiskFullError"
    assert any("File too large" in text for text in told[0][1:])
    full, undisturbed = (ip.load(tmp_path / name) for name in ("full", "undisturbed"))
    assert full.identical(undisturbed)
    assert list(full["epoch"].values) == list(range(6))
    tally(
        "no room for the rows or the result of a recording, at two epochs and at its end",
        1,
        "training goes on with a warning, close() raises DiskFullError and frees the folder; with room again the "
        "recording has the same bits",
    )


def test_the_result_of_a_run_that_finds_no_room_is_written_by_resume(
    command, small, sound, tmp_path, monkeypatch, tally
):
    asked, folder, write = tmp_path / "asked.toml", tmp_path / "run", files.write
    asked.write_text(toml(small))

    def full(path, fill, *rest, **options):
        def no_room(file):
            fill(file)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return write(path, no_room if path.name == "results.nc" else fill, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        code, err = command("run", asked, "--out", folder, "--set", "name=run")
    assert code == 1
    assert "results.nc: No space left on device (" in err.splitlines()[-1]
    assert not list(folder.rglob("*.partial"))
    assert command("resume", folder)[0] == 0
    assert ip.load(folder).identical(sound[1])
