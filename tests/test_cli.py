"""The command line: help that teaches, results in 4 decimals, interruption, odd paths; bad input in tests/faults."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

import infoplane as ip
from in_process import infoplane
from infoplane import cli
from infoplane.experiments.base import Experiment
from infoplane.runs.config import parse
from infoplane.runs.store import Store

COMMANDS = ["list", "run", "resume", "status", "plot", "export", "diff", "claims"]
COMMANDS += ["animate", "report", "explain", "data"]
BINS = ["--set", 'estimators=["binning"]', "--set", 'measure.parts=["all"]']  # one table, one set of inputs
SMALL = [*BINS, "--members", "2", "--set", "train.epochs=12", "--set", "model.hidden=[4, 3]"]
SMALL += ["--set", "train.batch_size=1024"]
LONG = ["run", "szt", *BINS, "--members", "4", "--set", "train.batch_size=1024", "--set", "schedule.points=40", "--set"]
PROGRAM = "from infoplane import cli; cli.progress.Progress.PLAIN_SECONDS = 0.0; cli.main()"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a small finished run, its path with a space and letters beyond ASCII, and what was printed."""
    folder = tmp_path_factory.mktemp("runs") / "mein Lauf µ→"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli.progress.Progress, "PLAIN_SECONDS", 0.0)
        return folder, *infoplane("run", "szt", *SMALL, "--out", folder)


@pytest.fixture
def without_figures(monkeypatch):
    """Nothing is drawn, which takes seconds."""
    monkeypatch.setattr("infoplane.experiments.draw_figures", lambda *_, **__: [])


# ---- help


@pytest.mark.parametrize("arguments", [[], ["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_ends_well_and_teaches(arguments):
    code, out, err = infoplane(*arguments)
    assert (code, err) == (0, "")
    assert "Usage: infoplane" in out
    if len(arguments) < 2:
        assert all(re.search(rf"^  {command} +\w", out, re.MULTILINE) for command in COMMANDS)
        assert "infoplane run szt --quick" in out
        assert "..." not in out.partition("Commands:")[2]  # no line of the overview is cut short


def test_help_of_run_shows_an_example_of_every_option_in_use():
    _, out, _ = infoplane("run", "--help")
    assert "Example: infoplane run szt --quick --set model.activation=relu" in " ".join(out.split())
    for option in (
        "--quick",
        "--as",
        "--out",
        "--data",
        "--set",
        "--members",
        "--sweep",
        "--workers",
        "--cluster",
        "--force-new",
    ):
        assert option in out


def test_list_gives_each_experiment_estimator_and_data_set_a_line():
    code, out, err = infoplane("list")
    assert (code, err) == (0, "")
    for name in ("szt", *(entry.name for entry in ip.list_estimators()), *ip.datasets.DATASETS):
        assert re.search(rf"^  {re.escape(name)} +\w", out, re.MULTILINE), name


# ---- a finished run


def test_a_run_prints_its_table_with_four_digits_and_where_the_files_are(finished):
    folder, code, out, _ = finished
    assert code == 0
    lines = out.splitlines()
    (heading,) = [number for number, line in enumerate(lines) if line.startswith("layer ")]
    for layer, line in zip(("hidden1", "hidden2", "output"), lines[heading + 1 :], strict=False):
        cells = line.split()
        assert cells[0] == layer
        assert len(cells) == 10
        assert all(len(re.sub(r"^-?0?\.?0*|\.", "", cell)) <= 4 for cell in cells[1:])  # significant digits
    for layer in ("hidden1", "hidden2", "output"):
        assert re.search(rf"^{layer}: (rises|starts|\d+\.\d of)", out, re.MULTILINE)
    assert str(folder) in out
    assert f"infoplane export '{folder}' --to csv" in out  # quoted: the path has a space


def test_a_run_leaves_its_result_and_pictures(finished):
    folder = finished[0]
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"run.json", "results.nc", "log.jsonl", "figures/plane.png", "figures/plane.pdf"} <= names
    assert not [name for name in names if name.endswith(".partial")]
    assert ip.load(folder)["information"].dims == ("estimator", "member", "epoch", "layer", "variable")


def test_status_of_a_finished_run_says_complete(finished):
    code, out, err = infoplane("status", finished[0])
    assert (code, err) == (0, "")
    assert "2 members × 12 epochs" in out
    assert "done: 1 of 1 groups of 2 members, 100.0% of all epochs" in out
    assert out.endswith("complete: results.nc is there\n")


def test_a_terminal_without_the_letters_loses_no_output(finished):
    command = [sys.executable, "-c", PROGRAM, "status", str(finished[0])]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "mein Lauf µ?: szt, 2 members × 12 epochs" in done.stdout.decode("latin-1")


def test_export_writes_a_row_for_every_number(finished):
    folder = finished[0]
    code, out, err = infoplane("export", folder, "--to", "csv")
    assert (code, err) == (0, "")
    lines = (folder / "information.csv").read_text().splitlines()
    assert lines[0] == "estimator,member,epoch,layer,variable,information,flags,quantity"
    assert len(lines) - 1 == 2 * 13 * 3 * 2
    assert f"{folder / 'information.csv'}: {len(lines) - 1} rows" in out


@pytest.mark.slow
def test_plot_draws_the_figures_again(finished):
    folder = finished[0]
    before = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    shutil.rmtree(folder / "figures")
    code, out, err = infoplane("plot", folder)
    assert (code, err) == (0, "")
    assert {path.name: path.read_bytes() for path in (folder / "figures").iterdir()} == before
    assert len(out.splitlines()) == len(before)


def test_a_finished_run_resumed_is_the_same_run(finished, without_figures):
    folder, _, printed, _ = finished
    before = ip.load(folder)
    code, out, _ = infoplane("resume", folder)
    assert code == 0
    assert out == printed
    assert ip.load(folder).identical(before)


def test_a_damaged_result_is_refused_in_one_line(finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    content = bytearray((folder / "results.nc").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "results.nc").write_bytes(content)
    for command in ("plot", "export"):
        code, _, err = infoplane(command, folder)
        assert code == 2
        assert err.count("\n") == 1
        assert "results.nc: content differs from what was written" in err


def test_a_run_that_is_damaged_says_so_and_is_made_whole(finished, tmp_path, without_figures):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    piece = min((folder / "pieces").iterdir())
    piece.write_bytes(piece.read_bytes()[:-100])
    code, _, err = infoplane("resume", folder)
    assert code == 0
    assert f"{piece}: content differs from what was written (SHA-256); dropped, its task is computed again\n" in err
    assert ip.load(folder).identical(ip.load(finished[0]))


def test_resume_with_a_changed_key_is_refused_and_force_new_starts_beside(finished, tmp_path, without_figures):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    code, _, err = infoplane("resume", folder, "--set", "train.epochs=5")
    assert (code, err.count("\n")) == (2, 1)
    assert "train.epochs: 12 → 5; undo that, or start a new run beside it with --force-new" in err
    code, out, _ = infoplane("resume", folder, "--set", "train.epochs=5", "--force-new")
    assert code == 0
    assert f"{tmp_path / 'run-2'}: results.nc" in out
    assert ip.load(tmp_path / "run-2").sizes["epoch"] == 6
    assert infoplane("resume", folder, "--set", "folder=3")[0] == 2  # an argument of the function, but no key


def test_diff_names_what_differs(finished):
    code, out, err = infoplane("diff", finished[0], finished[0])
    assert (code, err) == (0, "")
    assert re.fullmatch(r"no difference: the same configuration, and \d+ variables equal to the bit\n", out)


def test_a_sweep_prints_a_table_for_each_combination(tmp_path, without_figures):
    code, out, err = infoplane("run", "szt", *SMALL, "--sweep", "seed=0,1", "--out", tmp_path / "run")
    assert code == 0, err
    assert [line for line in out.splitlines() if line.startswith("seed = ")] == ["seed = 0", "seed = 1"]
    assert len(re.findall("^layer  ", out, re.MULTILINE)) == 2
    assert ip.load(tmp_path / "run").sizes["seed"] == 2


def test_a_run_with_failed_parts_ends_with_1_and_says_why(tmp_path, without_figures, monkeypatch):
    from infoplane.runs import worker

    compute = worker.compute

    def spoilt(task, *rest):
        if task.number == 1:
            raise ValueError("no luck")
        return compute(task, *rest)

    monkeypatch.setattr(worker, "compute", spoilt)
    code, out, err = infoplane("run", "szt", *SMALL, "--set", "group_width=1", "--out", tmp_path / "run")
    assert code == 1
    assert "failed: member 1 from epoch 0 on, after 3 tries: ValueError: no luck" in out
    assert "hidden1" in out
    assert err.endswith("partial: 1 tasks failed; try them again with infoplane resume\n")


def test_the_papers_variant_says_what_is_known_of_the_difference(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infoplane.runs.engine._work", lambda *_: sys.exit(99))
        code, _, err = infoplane("run", "szt", "--as", "paper", "--out", tmp_path / "run")
    assert code == 99
    assert err.startswith("note: the paper says stochastic gradient descent")
    assert Store.open(tmp_path / "run").config.train.optimizer == "sgd"


# ---- progress


class Event:
    def __init__(self, done):
        self.done, self.total, self.resumed, self.unit = done, 100, 20, "net-epochs"


def test_away_from_a_terminal_progress_is_a_plain_line_now_and_then(monkeypatch):
    now, err = [0.0], io.StringIO()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with contextlib.redirect_stderr(err), cli.progress.Progress("szt") as progress:
        for now[0], done in ((10.0, 30), (29.9, 40), (30.0, 50), (31.0, 60), (60.0, 80)):
            progress.show(Event(done))
    # rates count from the first progress on, not what was resumed and not the time to compile
    assert err.getvalue() == "szt: 50%, 1 net-epochs/s, 50 s left\nszt: 80%, 1 net-epochs/s, 20 s left\n"


def test_where_nothing_is_finished_for_long_a_line_says_that_it_goes_on(monkeypatch):
    monkeypatch.setattr(cli.progress.Progress, "QUIET_SECONDS", 0.2)
    err = io.StringIO()
    with contextlib.redirect_stderr(err), cli.progress.Progress("szt") as progress:
        progress.show(Event(30))
        deadline = time.monotonic() + 20
        while "still at it" not in err.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert re.match(r"szt: 30%, nothing finished for \d+ s, still at it\n", err.getvalue())


@pytest.mark.parametrize(("rate", "words"), [(1234.4, "1,234"), (9.96, "10"), (0.384, "0.38")])
def test_slow_rates_have_two_digits(rate, words):
    assert cli.progress._pace(rate, "net-epochs") == f"{words} net-epochs/s"


def test_a_run_away_from_a_terminal_prints_progress_on_stderr_only(finished):
    _, _, out, err = finished
    assert re.match(r"szt: \d+%, [\d,.]+ net-epochs/s, \d+ s left\n", err)
    assert "net-epochs" not in out


# ---- interruption


@contextlib.contextmanager
def training(folder, epochs):
    """A run in a process of its own, from the moment it trains."""
    command = [sys.executable, "-c", PROGRAM, *LONG, f"train.epochs={epochs}", "--out", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert "net-epochs/s" in process.stderr.readline()
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """The folder of a run of 3000 epochs stopped by Ctrl-C, with exit code, seconds and last line."""
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    with training(folder, 3000) as process:
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        _, err = process.communicate(timeout=30)
    return folder, process.returncode, time.monotonic() - start, err.splitlines()[-1]


def test_ctrl_c_ends_in_time_with_130_and_says_how_to_go_on(interrupted):
    folder, code, seconds, last = interrupted
    assert code == 130
    assert seconds < 10
    assert last.startswith("interrupted; ")
    assert f"infoplane resume {folder}" in last


def test_after_ctrl_c_what_was_measured_is_readable(interrupted):
    ds = ip.load(interrupted[0])
    assert ds.sizes["epoch"] > 0
    assert 0 <= ds["epoch"].values[-1] < 3000
    assert ds["information"].isel(member=0, epoch=0).notnull().all()


def test_status_of_an_interrupted_run_says_how_to_go_on(interrupted):
    code, out, _ = infoplane("status", interrupted[0])
    assert code == 0
    assert "4 members × 3000 epochs" in out
    assert out.endswith(f"left: continue with 'infoplane resume {interrupted[0]}'\n")
    assert "100.0%" not in out


def test_an_interrupted_run_can_be_drawn_and_exported(interrupted, tmp_path):
    folder = shutil.copytree(interrupted[0], tmp_path / "run")
    assert infoplane("plot", folder)[0] == 0
    assert infoplane("export", folder)[0] == 0


@pytest.mark.slow
def test_a_resumed_run_equals_one_that_was_never_stopped(interrupted, tmp_path, without_figures):
    folder = shutil.copytree(interrupted[0], tmp_path / "run")
    code, out, err = infoplane("resume", folder)
    assert (code, "I(X;T)" in out) == (0, True), err
    assert infoplane(*LONG, "train.epochs=3000", "--out", tmp_path / "whole")[0] == 0
    assert ip.load(folder).identical(ip.load(tmp_path / "whole"))


@pytest.mark.slow
def test_preemption_ends_with_143_and_can_be_resumed(tmp_path):
    with training(tmp_path / "run", 50_000) as process:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 143
    assert "infoplane resume" in err
    assert ip.load(tmp_path / "run").sizes["epoch"] > 0


@pytest.mark.slow
def test_a_second_ctrl_c_ends_within_a_second(tmp_path):
    with training(tmp_path / "run", 50_000) as process:
        start = time.monotonic()
        while process.poll() is None and time.monotonic() - start < 10:  # two at once may arrive as one
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
        assert time.monotonic() - start < 1.1
    assert process.returncode in (130, -signal.SIGINT)  # a shell says 130 for both


def test_status_names_the_process_that_is_running(tmp_path):
    with Store.create(tmp_path / "run", parse({})):
        code, out, _ = infoplane("status", tmp_path / "run")
    assert code == 0
    assert f"running: process {os.getpid()} on " in out


def test_run_json_is_on_disk_before_jax_is_loaded(tmp_path):
    spy = """
import json, sys
from infoplane import cli, files
write = files.write_json
def stop_after(path, content):
    write(path, content)
    print(json.dumps(["jax" in sys.modules, path.exists()]))
    sys.exit(0)
files.write_json = stop_after
cli.main()
"""
    command = [sys.executable, "-c", spy, "run", "szt", "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == [False, True], done.stderr


# ---- all experiments


@pytest.mark.slow
def test_run_all_runs_those_that_are_meant_and_leaves_finished_ones_alone(tmp_path, monkeypatch, without_figures):
    keys = {"members": 1, "model": {"hidden": [3]}, "train": {"epochs": 2, "batch_size": 1024}}
    options = {"title": "", "source": "", "quick": {}, "paper": {}, "paper_note": ""}
    table = {name: Experiment(name=name, config=keys, **options) for name in ("a1", "a2", "b")}
    monkeypatch.setattr("infoplane.experiments.EXPERIMENTS", table)
    code, out, _ = infoplane("run", "all", "--only", "a", "--out", tmp_path / "all")
    assert code == 0
    assert [line.partition(": done in")[0] for line in out.splitlines()] == [f"{tmp_path}/all/a1", f"{tmp_path}/all/a2"]
    _, again, _ = infoplane("run", "all", "--out", tmp_path / "all")
    first, second, third = again.splitlines()
    assert (first, second) == (f"{tmp_path}/all/a1: finished before", f"{tmp_path}/all/a2: finished before")
    assert third.startswith(f"{tmp_path}/all/b: done in")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("all", "--members", "3"), "run all takes each experiment as it is: leave out --data, --set"),
        (("all", "--set", "seed=3"), "run all takes each experiment as it is"),
        (("all", "--only", "zzz"), "--only zzz: no experiment's name begins so; known: szt"),
        (("szt", "--only", "szt"), "--only szt: belongs to 'infoplane run all'"),
    ],
)
def test_what_does_not_go_with_all_is_refused(arguments, text, tmp_path):
    code, _, err = infoplane("run", *arguments, "--out", tmp_path / "run")
    assert code == 2
    assert text in err
    assert list(tmp_path.iterdir()) == []
