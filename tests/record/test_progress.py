"""The plan and the remaining time of a measurement, on a terminal and nowhere else."""

import contextlib
import io
import time

import numpy as np
import pytest

from infoplane.record import Recorder, _progress
from infoplane.record._progress import LAYERS, MODEL, Progress, duration, fewer_rows, shorter_layers


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal():
    return Terminal()


def record(pause, *, on, **options):
    """Record a function of six layers that takes a time for each input, with a stream as stderr."""

    def function(batch):
        time.sleep(pause * len(batch))
        return {f"block{n}": np.tanh(batch * n) for n in range(1, 6)} | {"head": batch}

    inputs = np.random.default_rng(0).normal(size=(120, 3))
    with contextlib.redirect_stderr(on):  # within the test: pytest sets it before
        recorder = Recorder(inputs, np.arange(120) % 3, batch_size=40, **options)
        recorder.step(0, function)
    return recorder


def test_the_plan_is_stated_before_the_work(terminal, monkeypatch):
    monkeypatch.setattr(_progress, "PATIENCE", 0.2)
    monkeypatch.setattr("infoplane.record._plan.PATIENCE", 0.2)
    record(0.004, on=terminal)
    text = terminal.getvalue()
    assert "infoplane: " in text
    line = text[text.index("infoplane: ") :].splitlines()[0]
    assert line.startswith("infoplane: 6 layers, 1 pass over 120 inputs in batches of 40, about 1 s.")
    assert line.endswith("Use layers='block?' or rows=30 to shorten it.")
    assert "epoch 0" in text
    assert "left" in text


def test_short_measurements_say_nothing(terminal):
    record(0, on=terminal)
    assert terminal.getvalue() == ""


def test_nothing_is_shown_where_it_is_not_wanted(terminal, monkeypatch):
    monkeypatch.setattr(_progress, "PATIENCE", 0.0)
    record(0, on=terminal, progress=False)
    assert terminal.getvalue() == ""


def test_nothing_is_shown_without_a_terminal(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(_progress, "PATIENCE", 0.0)
    record(0, on=file)
    assert file.getvalue() == ""


def test_values_are_the_same_with_progress(terminal, monkeypatch):
    monkeypatch.setattr(_progress, "PATIENCE", 0.0)
    shown = record(0, on=terminal).results()
    assert "epoch 0" in terminal.getvalue()
    silent = record(0, on=terminal, progress=False).results()
    np.testing.assert_array_equal(shown["information"], silent["information"])


def test_the_remaining_time_follows_the_measured_rates(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: clock[0])
    progress = Progress(wanted=False)
    with progress.measuring():
        progress.expect({MODEL: 100, LAYERS: 1000})
        clock[0] = 5.0
        progress.advance(MODEL, 50, "")  # 0.1 s a row
        assert progress.remaining == pytest.approx(5.0 + 1000 * _progress.SECONDS_PER_NUMBER)
        clock[0] = 10.0
        progress.advance(MODEL, 50, "")
        clock[0] = 12.0
        progress.advance(LAYERS, 250, "")  # 8 ms a number
        assert progress.remaining == pytest.approx(6.0)
    with progress.measuring():  # the next epoch knows both rates
        progress.expect({MODEL: 100, LAYERS: 1000})
        assert progress.remaining == pytest.approx(18.0)


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (59.6, "60 s"), (240.0, "4 min"), (9000.0, "2.5 h")])
def test_times_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["conv1", *(f"layer{a}.{b}" for a in range(1, 5) for b in range(2)), "fc"], "'layer?.?'"),
        (["a", "b", "c"], "['a', 'c']"),
        (["h.0", "h.1", "h.2"], "['h.0', 'h.2']"),
    ],
)
def test_the_plan_proposes_a_part_of_the_layers(names, pattern):
    assert shorter_layers(names) == pattern


@pytest.mark.parametrize(("n", "rows"), [(2000, 500), (120, 30), (4, 2), (1999, 400)])
def test_the_plan_proposes_a_quarter_of_the_rows(n, rows):
    assert fewer_rows(n) == rows
