"""Killed at any instant, also inside a write: nothing accepted is lost, and the run ends as if nothing had been."""

import itertools
import json
import random
import signal
import time

import pytest

import infoplane as ip
from infoplane.runs import engine
from infoplane.runs.store import Store

N_THREADS = 2
PLACES = ("torn", "unnamed", "named")


def few_or(many):
    """A few tries in the suite of every day, the full number in the campaign."""
    return pytest.mark.parametrize("tries", [1, pytest.param(many, marks=pytest.mark.slow)])


def notes(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def begun(path):
    """The tasks that a process has begun, by group and first epoch."""
    return {(one["group"], one["first"]) for one in notes(path) if "group" in one}


def killed_at(children, folder, notes_path, seconds):
    """Start a run and kill it after some seconds; return whether it was still running."""
    with children.start("run", children.asked, "--out", folder, FAULT_NOTES=notes_path) as process:
        time.sleep(seconds)
        alive = process.poll() is None
        process.kill()
    return alive


@few_or(20)
def test_a_run_killed_at_a_random_instant_goes_on_to_the_same_bits(
    children, uninterrupted, digests, tmp_path, tally, tries
):
    draw, redone, starts, before_any, killed = random.Random(tries), [], [], 0, 0
    whole, duration = uninterrupted
    for number in itertools.count():
        folder, first, then = (tmp_path / f"{name}{number}" for name in ("run", "first", "then"))
        if not killed_at(children, folder, first, draw.uniform(0, duration)):
            continue
        kept = {(piece.group, piece.first) for piece in Store(folder).pieces()}
        before_any += not kept
        code, err = children.go_on(folder, FAULT_NOTES=then)
        assert code == 0, err
        assert digests(folder) == whole
        assert not kept & begun(then)  # what was on disk is not computed again
        redone.append(len(begun(first) & begun(then)))
        starts += [one["seconds"] for one in notes(then) if "group" in one][:1]
        killed += 1
        if killed == tries:
            break
    assert max(redone) <= N_THREADS
    assert max(starts, default=0) < 5
    told = f"{tries} of {tries} end with the SHA-256 of every variable of an undisturbed run"
    tally(
        "kill -9 at a random instant, then resume",
        tries,
        f"{told} ({before_any} were killed before a first row); at most {max(redone)} tasks begun twice on "
        f"{N_THREADS} threads; first task at most {max(starts, default=0):.1f} s after the imports",
    )


def go_on(children, folder):
    """Resume a run in this process; one that had not begun begins again in its own."""
    if (folder / "run.json").exists():
        engine.resume(folder)
    else:
        code, err = children.go_on(folder)
        assert code == 0, err


def unreadable(folder):
    """Accepted files of a run that cannot be read as they were written."""
    store, bad = Store(folder), []
    for read, ones in ((store.read_piece, store.pieces()), (store.read_state, store.states())):
        for one in ones:
            try:
                read(one)
            except ip.StoreError as error:
                bad.append(str(error))
    if (folder / "results.nc").exists():
        ip.load(folder)
    if (folder / "run.json").exists():
        Store.open(folder)
    return bad


@pytest.mark.slow
@few_or(30)
def test_a_run_killed_inside_a_write_leaves_no_unreadable_file(
    children, uninterrupted, digests, tmp_path, tally, tries
):
    draw, partials, killers = random.Random(tries), 0, dict.fromkeys((*PLACES, "limit"), 0)
    for number in range(tries):
        folder, place = tmp_path / f"run{number}", [*PLACES, "limit"][number % 4]
        share = draw.uniform(4000, 9000) if place == "limit" else draw.random()
        nth = 2 if place == "limit" else draw.randint(1, 60)
        code, err = children.finish("run", children.asked, "--out", folder, FAULT_KILL=f"{nth} {place} {share}")
        assert code in (-signal.SIGKILL, -signal.SIGXFSZ), err
        killers[place] += 1
        assert unreadable(folder) == []
        partials += len(list(folder.rglob("*.partial")))
        go_on(children, folder)
        assert list(folder.rglob("*.partial")) == []
        assert digests(folder) == uninterrupted[0]
    tally(
        "killed inside a write: half of it there, before its new name, after it, or in the system's own write",
        tries,
        f"0 unreadable accepted files; {partials} partial files left by the killed, 0 after the next start; "
        f"{tries} of {tries} resumed to the same bits ({', '.join(f'{n} {place}' for place, n in killers.items())})",
    )


def test_the_process_really_dies_inside_the_write(children, tmp_path):
    code, _ = children.finish("run", children.asked, "--out", tmp_path / "run", FAULT_KILL="1 torn 0.5")
    assert code == -signal.SIGKILL
    (partial,) = tmp_path.rglob("*.partial")
    assert 0 < partial.stat().st_size < 3000
    assert not (tmp_path / "run" / "run.json").exists()
