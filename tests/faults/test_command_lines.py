"""Random command lines and odd arguments: each ends with one line and exit code 2, never with a traceback."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import typer

import infoplane as ip
from in_process import infoplane
from infoplane import cli
from infoplane.errors import InfoplaneError

SECONDS = 60
"""A command of this test that runs longer hangs."""


def command_table():
    """Every command of the program as words, with its arguments and options (name, whether it is a switch)."""

    def walk(group, words):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, [*words, name])
            else:
                options = [one for one in command.params if hasattr(one, "is_flag")]
                arguments = [one.name for one in command.params if not hasattr(one, "is_flag")]
                needed = [one.opts[0] for one in options if one.required]
                named = [(name, one.is_flag) for one in options for name in one.opts + one.secondary_opts]
                yield [*words, name], arguments, needed, named

    return list(walk(typer.main.get_command(cli.app.app), []))


LIKELY = {  # what may come for an argument or an option; {} is the folder of the files
    "what": "szt all szt_ib_bound {}/good.toml",
    "folder folders a b": "{}/good {}/good.nc {}/run",
    "checkpoints": "{}/checkpoints",
    "flag": "ties constant few-samples",
    "name": "mnist szt",
    "--to": "made.gif made.html csv json netcdf made",
    "--x --y --data --held-out": "{}/a.npy {}/a.csv {}/xy.csv {}/x.npy",
    "--estimator --estimators": "binning ksg1 kde auto gaussian discrete",
    "--column --label-column": "x y",
    "--set --sweep": "k=3 train.epochs=3 seed=0 bins=5 estimators=[] members=2",
    "--members --frames --fps --width --null --block --seed --workers": "1 2 50",
    "--n --seeds --batch-size --ignore-index": "1 2 50",
    "--model": "os:getcwd {}/a.csv math:sin",
    "--figure": "plane information",
    "--cluster": "tcp://127.0.0.1:9",
    "--null-kind": "shuffle shift block",
    "--out --path --from": "made {}/checkpoints",
    "--epochs": "same common 1,2",
    "--as": "paper",
    "--layers --variant": "a b",
}


def recording(folder):
    """A small recording as it should be."""
    rows = np.random.default_rng(0).normal(size=(40, 2))
    recorder = ip.Recorder(rows, rows[:, 0] > 0, out=folder)
    for epoch in range(3):
        recorder.step(epoch, {"a": np.tanh(rows), "b": rows[:, :1]})
    recorder.close()
    return folder


def odd_values(folder):
    """Arguments that a command may be given: files of every kind, right ones too, and texts that are none."""
    recording(folder / "good")
    shutil.copy(folder / "good" / "results.nc", folder / "good.nc")
    (folder / "run").mkdir()
    (folder / "run" / "run.json").write_text("[" * 100_000)
    (folder / "recording").mkdir()
    (folder / "recording" / "run.json").write_text('{"kind": "recording"}')
    (folder / "recording" / "rows.jsonl").write_text("[" * 100_000 + "\n")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "epoch-1.npz").write_bytes(bytes(100))
    np.save(folder / "a.npy", np.arange(6.0))
    np.save(folder / "deep.npy", np.zeros((3, 2, 2)))
    np.savez(folder / "a.npz", a=np.arange(3))
    (folder / "a.csv").write_text("x,y\n1,2\n3,NA\n")
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    (folder / "field.csv").write_text('"' + "a" * 200_000 + '"\n')
    (folder / "a.toml").write_text("a = " + "[" * 5000)
    (folder / "results.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    (folder / "loop").symlink_to(folder / "loop")
    np.save(folder / "x.npy", np.random.default_rng(1).normal(size=(40, 2)))
    (folder / "xy.csv").write_text("x,y\n" + "".join(f"{i % 7},{i % 3}\n" for i in range(40)))
    (folder / "good.toml").write_text("[model]\nhidden = [3]\n[train]\nepochs = 4\n")
    files = [str(path) for path in sorted(folder.iterdir())]
    return [*files, str(folder / ("a" * 300)), str(folder / "a.npy" / "b"), *TEXTS]


TEXTS = ["", " ", "a" * 5000, "a/" * 3000, "\udc80", "\0", "nan", "-1", "1e400", "🙂", "--", "=", "k=", "k=[[[", "*"]
TEXTS += ["/", "ksg1", "szt", "mnist", "os:getcwd", "0", "1e3", "seed=0,1", "model.hidden=[1e9]", "\ud800$$", "-h"]


def command_lines(seed, count, folder, values):
    """Draw command lines: a command, some of its options, and values of which a quarter may fit nowhere."""
    draw = np.random.default_rng(seed)
    table = command_table()
    likely = {name: text.format(*[folder] * 9).split() for names, text in LIKELY.items() for name in names.split()}

    def value(name):
        some = likely.get(name, values) if draw.random() < 0.75 else values
        return some[draw.integers(len(some))]

    for _ in range(count):
        words, arguments, needed, options = table[draw.integers(len(table))]
        line = [*words, *(value(name) for name in arguments if draw.random() < 0.95)]
        for option in needed:
            line += [option, value(option)] if draw.random() < 0.95 else []
        for _ in range(draw.integers(0, 4) if options else 0):
            option, is_switch = options[draw.integers(len(options))]
            line += [option] if is_switch and draw.random() < 0.95 else [option, value(option)]
        if draw.random() < 0.1:
            line.insert(draw.integers(len(line) + 1), values[draw.integers(len(values))])
        yield line


def check(line):
    """Run a command line in this process; it must end in order and in time."""

    def hangs(*_):
        raise AssertionError(f"{line} runs longer than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(SECONDS)
    try:
        code, _, err = infoplane(*line)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert code in (0, 1, 2), (line, code, err)
    assert "Traceback" not in err, line
    if code == 2:
        assert len(err.strip().splitlines()) == 1, (line, err)


class Stopped(ip.InfoplaneError):
    """Stands for work that would take long."""


@pytest.fixture
def without_work(monkeypatch):
    """Commands check all that they are given, then stop where they would train or compute for long."""

    def stop(*_, **__):
        raise Stopped("stopped before the work")

    for name in ("runs.engine._work", "runs.computed._work", "truth.benchmark.measure", "truth.speed.comparisons"):
        monkeypatch.setattr(f"infoplane.{name}", stop)
    monkeypatch.setattr("infoplane.runs.clusters.CONNECT_SECONDS", 0.2)


def many(seed, count, folder, monkeypatch):
    place = folder / "values"
    place.mkdir()
    values = odd_values(place)
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    for scheme in ("HTTP", "HTTPS", "ALL"):
        monkeypatch.setenv(f"{scheme}_PROXY", "http://127.0.0.1:9")
    for line in command_lines(seed, count, place, values):
        check(line)


def test_every_command_is_in_the_table():
    words = [" ".join(words) for words, *_ in command_table()]
    assert {"run", "resume", "ensemble", "measure", "animate", "estimate", "data fetch", "benchmark speed"} < {*words}


@pytest.mark.usefixtures("without_work")
def test_random_command_lines_end_with_a_line_and_an_exit_code(tmp_path, monkeypatch):
    many(0, 30, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("without_work")
@pytest.mark.parametrize("seed", range(10, 20))
def test_2000_random_command_lines_end_with_a_line_and_an_exit_code(seed, tmp_path, monkeypatch):
    many(seed, 200, tmp_path, monkeypatch)


@pytest.mark.parametrize("command", ["report", "claims", "plot", "export", "diff", "animate", "status", "resume"])
def test_a_path_that_is_too_long_is_refused_in_one_line(command):
    extra = {"export": ["--to", "csv"], "animate": ["--to", "a.gif"], "diff": ["b"]}.get(command, [])
    code, _, err = infoplane(command, "a" * 5000, *extra)
    assert code == 2
    assert len(err.strip().splitlines()) == 1


# ---- public functions


ODD = [
    None,
    0,
    -1,
    1.5,
    float("nan"),
    "",
    "a",
    b"a",
    [],
    {},
    (),
    object(),
    np.array([]),
    np.array(1.0),
    len,
    set(),
    "a" * 5000,
]

FUNCTIONS = {
    "mutual_information": lambda a, b: ip.mutual_information(a, b),
    "mutual_information estimator": lambda a, b: ip.mutual_information(np.arange(9.0), np.arange(9.0) ** 2, a, null=b),
    "entropy": lambda a, b: ip.entropy(a, b),
    "layer_information": lambda a, b: ip.layer_information(a, b),
    "layer_information estimator": lambda a, b: ip.layer_information(np.eye(4), None, a),
    "as_if_random": lambda a, b: ip.as_if_random(a, b),
    "explain": lambda a, b: ip.explain(a),
    "claims": lambda a, b: ip.claims(a),
    "plot_plane": lambda a, b: ip.plot_plane(a),
    "animate": lambda a, b: ip.animate(a, b),
    "report": lambda a, b: ip.report(a, b),
    "Recorder": lambda a, b: ip.Recorder(a, b),
    "Recorder estimators": lambda a, b: ip.Recorder(np.eye(4), estimators=a, schedule=b),
    "step": lambda a, b: ip.Recorder(np.eye(4)).step(a, b),
    "step curves": lambda a, b: ip.Recorder(np.eye(4)).step(0, {"a": np.eye(4)}, curves=a),
}


@pytest.mark.parametrize("call", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_odd_arguments_of_public_functions_are_refused_in_words(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for a, b in itertools.product(ODD, ODD[:12:3]):
        try:
            call(a, b)
        except InfoplaneError as error:
            assert "\n" not in str(error)


def test_long_doubles_are_taken_at_every_entrance():
    x = np.linspace(0, 1, 40).astype(np.longdouble)
    y = (np.arange(40) % 2).astype(np.longdouble)
    assert (
        ip.mutual_information(x, x, "ksg1").bits == ip.mutual_information(x.astype(float), x.astype(float), "ksg1").bits
    )
    recorder = ip.Recorder(x[:, None], y)
    recorder.step(0, {"t": x[:, None]})
    assert recorder.entropies == (pytest.approx(np.log2(40)), 1.0)
    assert ip.layer_information(x, y).label.bits == ip.layer_information(x.astype(float), y).label.bits


def test_cells_narrower_than_the_numbers_can_tell_apart_are_one_for_each_number():
    t = np.array([0.1, 0.2, -0.3, 0.0, 0.2])
    expected = np.log2(5) - 2 / 5  # five values, of which two are equal
    for width in (5e-324, 1e-310, 1e-30):
        assert ip.entropy(t, "binning", edges="width", width=width).bits == pytest.approx(expected)
    assert ip.entropy([0.1, 0.2, 1e308, -1e308], "binning", edges="width", width=0.5).bits == pytest.approx(1.5)


# ---- SIGTERM


def ended(arguments, folder, ready):
    """Start a command, send SIGTERM when it is ready, return exit code and stderr."""
    child = subprocess.Popen(
        [sys.executable, "-m", "infoplane", *map(str, arguments)], cwd=folder, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        while child.poll() is None and not ready(child):
            time.sleep(0.05)
        child.terminate()
        _, err = child.communicate(timeout=120)
    finally:
        child.kill()
    return child.returncode, err


def test_estimate_ends_with_143_at_sigterm(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(4000, 3)))
    arguments = ["estimate", "--x", "x.npy", "--y", "x.npy", "--estimator", "ksg1", "--null", 100_000]
    code, err = ended(arguments, tmp_path, lambda child: child.stdout.readline().startswith("y:"))
    assert code == 143
    assert err.strip() == "infoplane: interrupted"


STOPPED = """
import os, signal, time
from infoplane.cli import app as cli

def wait(*_, **__):
    exec("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)")

cli.app = wait
cli.main()
"""


def test_a_sigterm_that_meets_a_text_run_by_exec_ends_with_143(tmp_path):
    (tmp_path / "stopped.py").write_text(STOPPED)
    done = subprocess.run([sys.executable, "-m", "stopped"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.strip()) == (143, "infoplane: interrupted")


def test_benchmark_ends_with_143_at_sigterm_and_keeps_what_was_measured(tmp_path):
    arguments = ["benchmark", "estimators", "--n", 500, "--seeds", 1000, "--estimators", "gaussian", "--out", "bench"]
    table = tmp_path / "bench" / "estimators.csv"
    code, err = ended(arguments, tmp_path, lambda _: table.exists())
    assert code == 143
    assert "interrupted; " in err
    lines = table.read_text().splitlines()
    assert len({line.count(",") for line in lines}) == 1
    assert not [*(tmp_path / "bench").glob("*.partial")]
