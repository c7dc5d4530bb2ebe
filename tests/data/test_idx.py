"""The IDX format: what is read, and that hostile files are refused in bounded memory and time."""

import gzip
import resource
import struct
import time
import zlib

import numpy as np
import pytest

from infoplane.data import idx
from infoplane.errors import InputError, StoreError

VALUES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
HEAD = struct.pack(">HBB3I", 0, 8, 3, 5, 4, 3)
WHOLE = HEAD + VALUES.tobytes()


@pytest.fixture
def read(tmp_path):
    """Reads content as a file of images, or says in which words it is refused."""

    def reads(content, n_axes=3):
        path = tmp_path / "images"
        path.write_bytes(content)
        return idx.read(path, n_axes)

    return reads


def refusal(read, content, n_axes=3):
    with pytest.raises(InputError) as error:
        read(content, n_axes)
    return str(error.value)


# ---- what is read


def test_values_come_in_their_shape_raw_or_compressed_whatever_the_name(read):
    np.testing.assert_array_equal(read(WHOLE), VALUES)
    np.testing.assert_array_equal(read(gzip.compress(WHOLE)), VALUES)


def test_labels_have_one_axis(read):
    np.testing.assert_array_equal(read(struct.pack(">HBBI", 0, 8, 1, 3) + b"\1\2\0", 1), [1, 2, 0])


def test_more_than_one_chunk_is_read_whole(read, monkeypatch):
    monkeypatch.setattr(idx, "CHUNK", 7)
    np.testing.assert_array_equal(read(WHOLE), VALUES)
    np.testing.assert_array_equal(read(gzip.compress(WHOLE)), VALUES)


# ---- what is refused

REFUSED = {
    "empty": (b"", "begins with nothing; expected 00 00 08"),
    "a picture": (b"\x89PNG\r\n", "begins with 89 50 4e 47; expected 00 00 08"),
    "other values": (b"\0\0\x0d\3" + WHOLE[4:], "holds values of type 0x0d; expected 0x08, unsigned bytes"),
    "labels for images": (struct.pack(">HBBI", 0, 8, 1, 3) + b"\1\2\0", "has 1 axes; images have 3"),
    "255 axes": (b"\0\0\x08\xff" + bytes(2000), "has 255 axes; images have 3"),
    "half a header": (HEAD[:9], "is cut short within its header"),
    "no rows": (struct.pack(">HBB3I", 0, 8, 3, 0, 28, 28), "claims to hold 0 × 28 × 28 values; expected at least one"),
    "2^31 rows": (struct.pack(">HBB3I", 0, 8, 3, 2**31, 28, 28) + bytes(100), "claims to hold 2147483648 × 28 × 28"),
    "more values than fit in 64 bits": (struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3), "above 1073741824 bytes"),
    "larger than the file": (WHOLE[:-1], "claims to hold 5 × 4 × 3 = 60 values, but 59 follow its header"),
    "something behind": (WHOLE + b"\0", "= 60 values, but 61 follow its header"),
    "gzip of nothing": (gzip.compress(b""), "begins with nothing"),
    "gzip, shorter": (gzip.compress(WHOLE[:-1]), "= 60 values, but there are 59"),
    "gzip, longer": (gzip.compress(WHOLE + b"\0"), "= 60 values, but there are more"),
    "gzip, cut short": (gzip.compress(WHOLE)[:-9], "its gzip stream is cut short"),
    "gzip without its sum": (gzip.compress(WHOLE)[:-8], "its gzip stream is cut short"),
    "gzip with a wrong sum": (gzip.compress(WHOLE)[:-8] + bytes(8), "its gzip stream is damaged"),
    "gzip, then more": (gzip.compress(WHOLE) + b"x", "something follows its gzip stream"),
    "two gzip streams": (gzip.compress(WHOLE[:40]) + gzip.compress(WHOLE[40:]), "something follows its gzip stream"),
    "gzip header only": (gzip.compress(WHOLE)[:10], "its gzip stream is cut short"),
    "gzip name without end": (b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 10**6, "its gzip stream is cut short"),
    "gzip claims more than can come": (
        gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 1000, 1000, 1000)), "can come out of"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_is_wrong_is_refused_and_says_why(read, content, text):
    assert text in refusal(read, content)


def test_a_folder_or_nothing_is_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(StoreError, match="no such file"):
            idx.read(path, 3)


def test_a_gzip_bomb_takes_neither_memory_nor_time(read):
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(2**20)
    bomb = packer.compress(HEAD) + b"".join(packer.compress(zeros) for _ in range(300)) + packer.flush()  # 300 MB
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert "= 60 values, but there are more" in refusal(read, bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**15  # KiB: 32 MiB
    assert time.process_time() - start < 0.5


def test_what_a_header_claims_takes_no_memory_before_it_is_there(read):
    """One GB is claimed and could come out of the compressed bytes, but only a few do."""
    content = struct.pack(">HBB3I", 0, 8, 3, 1000, 1000, 1000) + bytes(1000)
    noise = np.random.default_rng(0).bytes(2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "there are 1049576" in refusal(read, gzip.compress(content + noise))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**15


def mutated(rng, content):
    """Content with one to four bytes of its first forty changed, often to extremes, at times cut or lengthened."""
    changed = bytearray(content)
    for place in rng.integers(0, min(40, len(changed)), rng.integers(1, 5)):
        changed[place] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
    kind = rng.integers(4)
    return bytes(changed[: rng.integers(len(changed))] if kind == 0 else changed + bytes(int(kind == 1)))


def try_mutated(read, count):
    """Read mutated files: each is an array of what its header says, or refused in one line."""
    rng, accepted = np.random.default_rng(12), 0
    for number in range(count):
        content = mutated(rng, gzip.compress(WHOLE, mtime=0) if number % 2 else WHOLE)
        start = time.process_time()
        try:
            values = read(content)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            accepted += 1
            assert values.dtype == np.uint8
            assert values.size == len(WHOLE) - len(HEAD)
        assert time.process_time() - start < 0.5
    assert 0 < accepted < count / 2  # values may change, and the time stamp in a gzip header


def test_1000_mutated_headers_are_refused_or_read_right(read):
    try_mutated(read, 1000)


@pytest.mark.slow
def test_10_000_mutated_headers_are_refused_or_read_right(read):
    try_mutated(read, 10_000)
