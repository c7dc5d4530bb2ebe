"""A run's folder: what is damaged is found, told of and computed again; nothing is written outside it."""

import itertools
import json
import os
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest

import infoplane as ip
from infoplane import files
from infoplane.runs import engine
from infoplane.runs.config import parse
from infoplane.runs.store import FORMAT, Piece, Saved, Store


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def truncate(path, length):
    os.truncate(path, length)


def stored(folder, kind):
    return sorted((folder / kind).iterdir())


@pytest.mark.parametrize("place", [0, 1, 2, -1])
def test_a_damaged_piece_is_told_of_and_computed_again(whole, in_pieces, told, place):
    path = stored(in_pieces, "pieces")[place]
    flip(path, 8 * (path.stat().st_size // 2))
    others = {one: one.stat().st_mtime_ns for one in stored(in_pieces, "pieces") if one != path}
    assert engine.resume(in_pieces, told.append).identical(whole)
    assert [line for line in told if str(path) in line] == told
    assert len(told) == 1
    assert {one: one.stat().st_mtime_ns for one in others} == others  # only that task was computed again
    assert Store(in_pieces).is_sound(path.relative_to(in_pieces).as_posix())


def test_several_damaged_pieces_of_several_groups_are_computed_again(whole, in_pieces, told):
    for path in stored(in_pieces, "pieces")[::2]:
        truncate(path, path.stat().st_size // 3)
    assert engine.resume(in_pieces, told.append).identical(whole)
    assert len(told) == len(stored(in_pieces, "pieces")[::2])


@pytest.mark.parametrize("which", [[-1], [-2], [-1, -2]])
def test_a_damaged_state_is_told_of_and_computed_again(whole, in_pieces, told, which):
    states = [path for path in stored(in_pieces, "weights") if "group-0001" in path.name]
    content = states[-1].read_bytes()
    for place in which:
        flip(states[place], 8 * 500)
    assert engine.resume(in_pieces, told.append).identical(whole)
    assert len(told) == len(which)
    assert states[-1].read_bytes() == content


def test_a_run_whose_state_is_lost_half_way_gives_the_same_bits(whole, in_pieces):
    for path in [*stored(in_pieces, "weights"), *stored(in_pieces, "pieces")[2::4]]:
        path.unlink()
    assert engine.resume(in_pieces).identical(whole)


def test_a_damaged_result_is_put_together_again(whole, in_pieces, told):
    truncate(in_pieces / "results.nc", 1000)
    with pytest.raises(ip.StoreError):
        ip.load(in_pieces)
    assert engine.resume(in_pieces, told.append).identical(whole)
    assert told == [f"{in_pieces / 'results.nc'}: content differs from what was written (SHA-256); put together again"]
    assert ip.load(in_pieces).identical(whole)


def test_a_lost_log_is_told_of_and_costs_nothing(whole, in_pieces, told, monkeypatch):
    (in_pieces / "log.jsonl").unlink()
    monkeypatch.setattr(engine, "_compute", lambda *_: pytest.fail("computed again"))
    assert engine.resume(in_pieces, told.append).identical(whole)
    assert len(told) == len(stored(in_pieces, "pieces")) + len(stored(in_pieces, "weights"))
    assert "log.jsonl: damaged" in told[0]


def test_any_flipped_bit_of_the_log_leaves_the_numbers_as_they_are(whole, in_pieces):
    log, draw = in_pieces / "log.jsonl", random.Random(0)
    content = log.read_bytes()
    for _ in range(5):
        log.write_bytes(content)
        flip(log, draw.randrange(8 * len(content)))
        assert engine.resume(in_pieces).identical(whole)


def test_any_flipped_bit_of_run_json_is_refused(in_pieces):
    path, draw = in_pieces / "run.json", random.Random(0)
    content, refused = path.read_bytes(), 0
    for _ in range(60):
        path.write_bytes(content)
        flip(path, draw.randrange(8 * len(content)))
        try:
            assert Store.open(in_pieces).config == parse(json.loads(content)["config"])
        except ip.StoreError:
            refused += 1
    assert refused >= 55  # a flip of a space between keys changes nothing that is read


def test_a_changed_run_json_is_refused_with_the_remedy(in_pieces):
    path = in_pieces / "run.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(ip.StoreError, match=r"run.json: content differs from what was written .*; put the original"):
        engine.resume(in_pieces)


def test_a_folder_of_a_newer_version_is_refused(in_pieces):
    path = in_pieces / "run.json"
    path.write_text(path.read_text().replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}'))
    with pytest.raises(ip.StoreError, match=f"another version of infoplane .folder format {FORMAT + 1}, known"):
        engine.resume(in_pieces)


def test_a_piece_under_another_name_is_no_piece(whole, in_pieces, told):
    pieces = stored(in_pieces, "pieces")
    group = pieces[0].name.replace("group-0000", "group-0001")
    shutil.copy(pieces[0], in_pieces / "pieces" / group)
    assert engine.resume(in_pieces, told.append).identical(whole)
    assert "dropped" in told[0]


def test_files_that_are_not_the_runs_own_are_left_alone(in_pieces):
    (in_pieces / "pieces" / "notes.txt").write_text("mine")
    engine.resume(in_pieces)
    assert (in_pieces / "pieces" / "notes.txt").read_text() == "mine"


def test_pieces_of_python_objects_are_never_loaded(in_pieces, tmp_path):
    class Canary:
        def __reduce__(self):
            return (open, (str(tmp_path / "canary"), "w"))

    path = stored(in_pieces, "pieces")[0]
    with path.open("wb") as file:
        np.savez(file, epochs=np.array([Canary()], dtype=object))
    store = Store(in_pieces)
    store.record_file(path, files.sha256(path))
    with pytest.raises(ip.StoreError, match="cannot be read"):
        store.read_piece(store.pieces()[0])
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", ["pieces", "figures", "log.jsonl", "results.nc.partial", "pieces/group-0007-x.npz"])
def test_links_out_of_the_folder_are_refused(in_pieces, tmp_path, name):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = in_pieces / name
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    with pytest.raises(ip.StoreError, match="is a link; a run's folder holds files of its own only"):
        engine.resume(in_pieces)
    assert list(outside.iterdir()) == []


def test_stretches_that_overlap_are_not_both_taken(in_pieces):
    store = Store(in_pieces)
    taken = store.pieces(0)
    (in_pieces / "pieces" / Piece(0, 0, 2).file_name).touch()
    (in_pieces / "pieces" / Piece(0, 3, 6).file_name).touch()
    assert [piece.first for piece in store.pieces(0)] != [piece.first for piece in taken]
    ends = [(piece.first, piece.last) for piece in store.pieces(0)]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def test_a_state_comes_back_as_it_was_saved(tmp_path):
    with Store.create(tmp_path / "run", parse({})) as store:
        leaves = {"leaf0000": np.arange(3.0), "leaf0001": np.array(7)}
        store.save(Saved(0, 5), leaves)
        back = store.read_state(Saved(0, 5))
    assert all(np.array_equal(back[name], leaves[name]) for name in leaves)
    assert set(back) == set(leaves)


HOLD = """
import sys, time
from pathlib import Path
from infoplane.runs.config import parse
from infoplane.runs.store import Store
with Store.create(Path(sys.argv[1]), parse({})):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_that_another_process_has_begun_is_refused_by_its_name_and_a_dead_one_is_not(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        for attempt in (lambda: Store.check_free(tmp_path / "run"), lambda: engine.resume(tmp_path / "run")):
            with pytest.raises(ip.StoreError, match=f"in use by process {process.pid} on "):
                attempt()
        process.kill()
        process.wait()
        assert Store(tmp_path / "run").owner() is None
        with Store(tmp_path / "run").lock():
            assert Store(tmp_path / "run").owner().startswith(f"process {os.getpid()} on ")


def test_a_free_place_beside_a_run_is_numbered(tmp_path):
    assert Store.beside(tmp_path / "run") == tmp_path / "run-2"
    (tmp_path / "run-2").mkdir()
    assert Store.beside(tmp_path / "run") == tmp_path / "run-3"
