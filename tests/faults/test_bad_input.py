"""Bad input and a full disk: one line, an exit code, nothing written that should not be, nothing finished lost."""

import contextlib
import errno
import io
import os
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

import infoplane as ip
from infoplane import cli, files
from infoplane.runs import engine, task
from infoplane.runs.config import parse
from infoplane.runs.store import Store

SZT = ("run", "szt", "--out", "new", "--set")


def infoplane(*arguments):
    """Exit code and standard error of a command, run in this process."""
    err = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["infoplane", *map(str, arguments)])
        silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err)
        with silent[0], silent[1], pytest.raises(SystemExit) as end:
            cli.main()
    return end.value.code or 0, err.getvalue()


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch, request):
    """A run that gets past the checks fails at once, except in the tests of a full disk."""
    if "disk" not in request.node.name:
        monkeypatch.setattr(engine, "_work", lambda *_: pytest.fail("it was about to train"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder with a TOML file for each way to be wrong, a file and a stranger's folder."""
    texts = {
        "broken.toml": b"members = = 3",
        "duplicate.toml": b"[train]\nepochs = 3\nepochs = 4\n",
        "unknown.toml": b"[train]\nlearning_rat = 0.1\n",
        "section.toml": b"schedule = 3\n",
        "binary.toml": bytes(range(256)),
        "large.toml": b"# comment\n" * 10**6,
        "file": b"",
        "stranger/notes.txt": b"mine",
    }
    (tmp_path / "stranger").mkdir()
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


REFUSED = {
    "experiment": (("run", "szr"), "unknown experiment 'szr'; did you mean 'szt'?"),
    "experiment far off": (("run", "zzzz"), "unknown experiment 'zzzz'; known: "),
    "no experiment": (("run",), "Missing argument 'NAME|FILE.toml|all'"),
    "command": (("rum",), "No such command 'rum'"),
    "option": (("run", "szt", "--membres", "3"), "No such option"),
    "members in words": (("run", "szt", "--members", "many"), "Invalid value for '--members'"),
    "members 0": (("run", "szt", "--members", "0"), "members: "),
    "members negative": (("run", "szt", "--members", "-3"), "members: "),
    "epochs 0": ((*SZT, "train.epochs=0"), "train.epochs: "),
    "epochs 1e12": ((*SZT, "train.epochs=1000000000000"), "members × epochs"),
    "batch 0": ((*SZT, "train.batch_size=0"), "train.batch_size: "),
    "batch too large": ((*SZT, "train.batch_size=4096"), "expected at most the 3277 rows trained on"),
    "width 0": ((*SZT, "model.hidden=[10, 0]"), "model.hidden.1: "),
    "no hidden": ((*SZT, "model.hidden=[]"), "model.hidden: "),
    "hidden too large": ((*SZT, "model.hidden=[1000000000]"), "model.hidden: a group of members needs"),
    "rate NaN": ((*SZT, "train.learning_rate=nan"), "train.learning_rate: "),
    "rate infinite": ((*SZT, "train.learning_rate=inf"), "train.learning_rate: "),
    "rate negative": ((*SZT, "train.learning_rate=-0.1"), "train.learning_rate: "),
    "mistyped": ((*SZT, "train.learning_rate=fast"), "train.learning_rate: "),
    "key": ((*SZT, "members_=3"), "unknown key 'members_'; did you mean 'members'?"),
    "deep key": ((*SZT, "train.epoch=3"), "unknown key 'train.epoch'; did you mean 'train.epochs'?"),
    "key below a value": ((*SZT, "seed.x=3"), "seed.x: 'seed' is a value, not a section"),
    "no equals sign": ((*SZT, "train.epochs"), "--set train.epochs: expected KEY=VALUE"),
    "data set": ((*SZT, "data.name=sxt"), "data set is 'sxt'; did you mean 'szt'?"),
    "estimator": ((*SZT, "estimators=['bining']"), "unknown estimator 'bining'; did you mean 'binning'?"),
    "parameter": ((*SZT, "estimators=[{name='binning', binz=3}]"), "no parameter 'binz'; did you mean 'bins'?"),
    "bins 0": ((*SZT, "estimators=[{name='binning', bins=0}]"), "binning bins is 0"),
    "estimator twice": ((*SZT, "estimators=['binning', 'binning']"), "asked for twice"),
    "estimator of no name": ((*SZT, "estimators=[{name=3}]"), "estimators.0: expected a name"),
    "variant": (("run", "szt", "--as", "nonsense"), "--as nonsense: expected 'paper' or 'code'"),
    "variant of a file": (("run", "unknown.toml", "--quick"), "--quick and --as paper are variants of"),
    "missing TOML": (("run", "gone.toml"), "gone.toml: No such file or directory"),
    "broken TOML": (("run", "broken.toml"), "broken.toml: not valid TOML: "),
    "duplicate key": (("run", "duplicate.toml"), "duplicate.toml: not valid TOML: "),
    "binary TOML": (("run", "binary.toml"), "binary.toml: not valid TOML: "),
    "10 MB TOML": (("run", "large.toml"), "large.toml: 10000000 bytes; a configuration has at most 1048576"),
    "unknown key in TOML": (("run", "unknown.toml"), "unknown key 'train.learning_rat'; did you mean"),
    "value for a section": (("run", "section.toml"), "schedule: "),
    "out is a file": (("run", "szt", "--out", "file"), "file: is a file; give --out a folder"),
    "out under a file": (("run", "szt", "--out", "file/run"), "file/run: Not a directory"),
    "out not empty": (("run", "szt", "--out", "stranger"), "stranger: is not empty"),
    "out not writable": (("run", "szt", "--out", "/proc/x"), "/proc/x: "),
    "out too long": (("run", "szt", "--out", "n" * 300), "File name too long"),
    "out with NUL": (("run", "szt", "--out", "a\0b"), "Invalid value for '--out'"),
    "resume nothing": (("resume", "gone"), "gone: not a run's folder"),
    "status of a file": (("status", "file"), "file: not a run's folder"),
    "plot of a stranger": (("plot", "stranger"), "stranger/results.nc: no results there"),
    "export of nothing": (("export", "gone"), "gone: no results there"),
    "export format": (("export", "gone", "--to", "xlsx"), "--to xlsx: expected 'csv'"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_input_is_refused_in_one_line_at_once_and_nothing_is_written(here, arguments, text):
    before, start = sorted(here.rglob("*")), time.process_time()
    code, err = infoplane(*arguments)
    assert time.process_time() - start < 1  # of the processor, whatever else the machine does
    assert code == 2
    assert err.startswith("infoplane: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert text in err
    assert sorted(here.rglob("*")) == before


def test_a_folder_that_is_already_a_run_is_refused_and_left_alone(here):
    with Store.create(here / "run", parse({})):
        pass
    before = (here / "run" / "run.json").read_bytes()
    code, err = infoplane("run", "szt", "--out", "run")
    assert code == 2
    assert err == (
        "infoplane: run: already a run; continue it with 'infoplane resume run', start a new one beside it with "
        "--force-new, or give another --out\n"
    )
    assert (here / "run" / "run.json").read_bytes() == before


def test_a_folder_that_another_process_holds_is_refused(here):
    with Store.create(here / "run", parse({})):
        code, err = infoplane("resume", "run")
    assert code == 2
    assert f"run: in use by process {os.getpid()} on " in err


def test_a_byte_order_mark_in_toml_is_no_mistake(here):
    (here / "bom.toml").write_bytes("\N{BYTE ORDER MARK}members = 0\n".encode())
    assert infoplane("run", "bom.toml")[1].startswith("infoplane: members: ")


# ---- disk full

SMALL = {
    "members": 2,
    "group_width": 1,
    "model": {"hidden": [4, 3]},
    "train": {"epochs": 12, "batch_size": 1024},
    "schedule": {"kind": "list", "epochs": [4, 8]},
}


@contextlib.contextmanager
def disk_full_from(nth):
    """Let every flush fail from the n-th on and tear what was about to be flushed; counts the flushes."""
    real, count = os.fsync, [0]

    def fsync(handle):
        count[0] += 1
        if count[0] >= nth:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                os.truncate(handle, max(os.fstat(handle).st_size - 5, 0))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "fsync", fsync)
        yield count


@pytest.fixture
def every_measurement_is_a_piece(monkeypatch):
    monkeypatch.setattr(task, "FLUSH_SECONDS", -1.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The result of a run on a disk with room for it, and how often it flushed."""
    with pytest.MonkeyPatch.context() as patch, disk_full_from(10**9) as count:
        patch.setattr(task, "FLUSH_SECONDS", -1.0)
        ds = engine.run(parse(SMALL), tmp_path_factory.mktemp("whole") / "run")
    return ds, count[0]


@pytest.mark.parametrize(
    "share", [0.6, 1, *(pytest.param(one, marks=pytest.mark.slow) for one in (0.05, 0.3, 0.9, 0.97))]
)
def test_a_disk_full_at_any_write_of_a_run_loses_nothing_that_was_finished(
    whole, tmp_path, every_measurement_is_a_piece, share
):
    ds, flushes = whole
    folder = tmp_path / "run"
    full = pytest.raises(ip.StoreError, match=r"No space left on device \(\d+ bytes free\)")
    with disk_full_from(max(1, int(share * flushes))), full as caught:
        engine.run(parse(SMALL), folder)
    assert str(folder) in str(caught.value)
    assert list(folder.rglob("*.partial")) == []
    store = Store.open(folder)
    for piece in store.pieces():
        with np.load(folder / "pieces" / piece.file_name) as file:
            assert file["curve_train_loss"].size
        assert store.read_piece(piece)
    if (folder / "results.nc").exists():
        assert ip.load(folder).sizes["epoch"]
    assert engine.resume(folder).identical(ds)
    assert ip.load(folder).identical(ds)


@pytest.mark.slow
def test_a_disk_full_while_a_result_is_written_again_leaves_the_one_before(tmp_path, whole):
    folder = tmp_path / "run"
    ds = engine.run(parse(SMALL), folder)
    for nth in range(1, 8):
        with disk_full_from(nth), contextlib.suppress(ip.StoreError):
            engine.resume(folder)
        assert ip.load(folder).identical(ds)


def test_a_piece_damaged_on_disk_is_told_of_and_computed_again(tmp_path, every_measurement_is_a_piece, whole):
    folder, told = tmp_path / "run", []
    engine.run(parse(SMALL), folder)
    path = folder / "pieces" / Store(folder).pieces(1)[1].file_name
    path.write_bytes(path.read_bytes()[:-1])
    assert engine.resume(folder, told.append).identical(whole[0])
    (line,) = [event.text for event in told if hasattr(event, "text")]
    assert line.startswith(f"{path}: ")
    assert line.endswith("; dropped, its task is computed again")


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
sys.dont_write_bytecode = True  # the limit would cut short what Python caches of the modules it loads
from infoplane import cli
cli.main()
"""


@pytest.mark.slow
def test_a_disk_with_room_for_small_files_only_ends_a_run_with_one_line(tmp_path):
    small = ["--members=2", "--set=train.epochs=40", "--set=model.hidden=[4]", "--set=train.batch_size=1024"]
    command = [sys.executable, "-c", LIMITED, "run", "szt", *small, "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "run") in done.stderr
    assert "bytes free" in done.stderr
    assert list((tmp_path / "run").rglob("*.partial")) == []
    assert engine.resume(tmp_path / "run").sizes["epoch"] == 41
