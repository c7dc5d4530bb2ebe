"""The one writer: whole or not at all, recorded, and clear about what the file system refuses."""

import errno
import hashlib
import json
import os

import pytest

from infoplane import files
from infoplane.errors import StoreError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_the_sha256_of_its_content(tmp_path):
    path = tmp_path / "a.bin"
    assert files.write_bytes(path, b"abc") == hashlib.sha256(b"abc").hexdigest() == files.sha256(path)
    assert path.read_bytes() == b"abc"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    "failure", [ValueError("no"), OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_what_stood_there_stays_when_filling_fails(tmp_path, failure):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fill(partial):
        partial.write(b"half")
        raise failure

    with pytest.raises((StoreError, ValueError, KeyboardInterrupt)):
        files.write(path, fill)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_full_disk_names_the_path_and_the_free_bytes(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match=r"a\.bin: No space left on device \(\d+ bytes free\)"):
        files.write_bytes(tmp_path / "a.bin", b"abc")
    assert names(tmp_path) == []


def test_content_is_flushed_to_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    path, flushed = tmp_path / "a.bin", []
    monkeypatch.setattr(files.os, "fsync", lambda handle: flushed.append((os.fstat(handle).st_size, path.exists())))
    files.write_bytes(path, b"abc")
    assert flushed[0] == (3, False)
    assert len(flushed) == 2  # then the folder, so that the name survives a crash too


def test_the_checksum_is_recorded_before_the_file_gets_its_name(tmp_path):
    path, seen = tmp_path / "a.bin", []
    digest = files.write(path, lambda file: file.write(b"abc"), lambda p, d: seen.append((p, d, path.exists())))
    assert seen == [(path, digest, False)]


def test_no_file_appears_when_recording_fails(tmp_path):
    def record(path, digest):
        raise StoreError("log: full")

    with pytest.raises(StoreError, match="log: full"):
        files.write(tmp_path / "a.bin", lambda file: file.write(b"abc"), record)
    assert names(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"missing/a\.bin: No such file or directory"):
        files.write_bytes(tmp_path / "missing" / "a.bin", b"abc")


def test_json_is_written_with_sorted_keys(tmp_path):
    files.write_json(tmp_path / "a.json", {"b": 1, "a": {"d": 2, "c": "ü"}})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": {"c": "ü", "d": 2}, "b": 1}
    assert (tmp_path / "a.json").read_text().index('"a"') < (tmp_path / "a.json").read_text().index('"b"')


def test_log_lines_are_read_as_they_were_appended(tmp_path):
    log = tmp_path / "log.jsonl"
    for number in range(3):
        files.append_line(log, {"n": number, "text": "line\nbreak"})
    assert [record["n"] for record in files.read_lines(log)] == [0, 1, 2]


def test_a_missing_log_has_no_lines(tmp_path):
    assert list(files.read_lines(tmp_path / "log.jsonl")) == []


@pytest.mark.parametrize("kept", range(1, 8))
def test_a_torn_last_line_is_left_out_and_spoils_no_later_one(tmp_path, kept):
    log = tmp_path / "log.jsonl"
    files.append_line(log, {"n": 0})
    files.append_line(log, {"n": 1})
    content = log.read_bytes()
    log.write_bytes(content[: len(content) // 2 + kept])  # kept bytes of the second line '{"n": 1}\n'
    assert [record["n"] for record in files.read_lines(log)] == [0]
    files.append_line(log, {"n": 2})
    assert [record["n"] for record in files.read_lines(log)] == [0, 2]


def test_lines_that_are_no_records_are_left_out(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(b'[1]\n3\n"x"\n\xff\xfe\n{"n": 1}\n\n')
    assert list(files.read_lines(log)) == [{"n": 1}]


def test_every_recorded_checksum_of_a_file_is_known(tmp_path):
    log = tmp_path / "log.jsonl"
    for path, digest in (("a", "1"), ("b", "2"), ("a", "3")):
        files.append_line(log, {"event": "file", "path": path, "sha256": digest})
    files.append_line(log, {"event": "done"})
    assert files.recorded(log) == {"a": {"1", "3"}, "b": {"2"}}


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/folder: Not a directory"):
        files.make_folder(tmp_path / "file" / "folder")
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_the_checksum_of_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(StoreError, match="gone: No such file"):
        files.sha256(tmp_path / "gone")
