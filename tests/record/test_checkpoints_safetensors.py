"""The safetensors reader: arrays as they were written, and no byte from outside the file."""

import json
import re
import struct

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.record import _safetensors

CODES = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "uint8": "U8", "bool": "BOOL"}


def write_safetensors(path, arrays, **changes):
    """Write the format by hand; ``changes`` replace what the header says of an array."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        content = array.tobytes()
        place = [len(data), len(data) + len(content)]
        header[name] = {"dtype": CODES[array.dtype.name], "shape": [*array.shape], "data_offsets": place}
        data += content
    for name, change in changes.items():
        header[name] = header[name] | change
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)


def head(content, length=None):
    return struct.pack("<Q", len(content) if length is None else length) + content


def test_arrays_are_read_as_they_were_written_by_hand(tmp_path):
    arrays = {
        "flag": np.array([True, False, True]),  # what follows lies at an odd place
        "single": np.arange(6, dtype=np.float32).reshape(2, 3),
        "half": np.array([[0.5]], np.float16),
        "whole": np.array(7),
        "none": np.zeros((0, 4)),
    }
    write_safetensors(tmp_path / "a.safetensors", arrays)
    read = _safetensors.read(tmp_path / "a.safetensors")
    assert [*read] == [*arrays]
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
        assert read[name].flags.aligned


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path):
    # 1.5 is 0x3FC0 and −2 is 0xC000 in bfloat16
    path = tmp_path / "a.safetensors"
    write_safetensors(path, {"b": np.array([0xC0, 0x3F, 0x00, 0xC0], np.uint8)}, b={"dtype": "BF16", "shape": [2]})
    assert _safetensors.read(path)["b"].tolist() == [1.5, -2.0]


@pytest.mark.parametrize("seed", range(20))
def test_random_changes_of_a_header_are_refused_or_read_but_never_a_raw_error(seed, tmp_path):
    rng = np.random.default_rng(seed)
    numbers = [0, 1, 2, 3, 8, 2**31, 2**40, 2**63, 2**70, -1, True, None, 1.5, "2", [], 10**400]
    path = tmp_path / "a.safetensors"
    for _ in range(100):
        pick = [numbers[i] for i in rng.integers(len(numbers), size=6)]
        dtype = str(rng.choice(["F32", "BF16", "U8", "BOOL", "I8", "F8_E4M3", "C64"]))
        entry = {"dtype": dtype, "shape": pick[: rng.integers(5)], "data_offsets": pick[4:]}
        content = json.dumps({"a": entry}).encode()
        path.write_bytes(head(content) + b"a" * int(rng.integers(13)))
        try:
            array = _safetensors.read(path)["a"]
        except InputError as error:
            assert str(path) in str(error)
        else:
            assert [*array.shape] == entry["shape"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "uint8", "bool", "int64"])
def test_types_that_torch_saves_are_read_exactly(dtype, tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    library = pytest.importorskip("safetensors.torch", reason="needs the package safetensors")
    torch.manual_seed(0)
    tensor = (torch.randn(7, 5) * 20).to(getattr(torch, dtype))
    library.save_file({"a": tensor}, tmp_path / "a.safetensors")
    wide = tensor.double() if tensor.is_floating_point() else tensor.long()
    assert _safetensors.read(tmp_path / "a.safetensors")["a"].astype(wide.numpy().dtype).tolist() == wide.tolist()


def test_files_of_the_library_are_read(tmp_path):
    library = pytest.importorskip("safetensors.numpy", reason="needs the package safetensors")
    rng = np.random.default_rng(0)
    arrays = {"first": rng.random((4, 3), np.float32), "second": rng.random(5)}
    library.save_file(arrays, tmp_path / "a.safetensors")
    read = _safetensors.read(tmp_path / "a.safetensors")
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)


TORN = {
    "empty": (b"", "beyond its 0 bytes"),
    "too short for a length": (b"abc", "beyond its 3 bytes"),
    "header longer than the file": (head(b"{}", 10), "beyond its 10 bytes"),
    "header of 2^63 bytes": (head(b"{}", 2**63), "beyond its 10 bytes"),
    "no JSON": (head(b"{x"), "no JSON"),
    "no text": (head(b"\xff\xfe"), "no JSON"),
    "deep JSON": (head(b"[" * 100_000), "no JSON"),
    "no table": (head(b"[1]"), "no table"),
    "twice the same name": (head(b'{"a": {}, "a": {}}'), "a name occurs twice"),
    "no entry": (head(b'{"a": 3}'), "lacks a dtype"),
    "negative place": (head(b'{"a": {"dtype": "U8", "shape": [3], "data_offsets": [-3, 0]}}'), "lacks a dtype"),
    "shape of fractions": (head(b'{"a": {"dtype": "U8", "shape": [1.5], "data_offsets": [0, 1]}}'), "lacks a dtype"),
    "unknown type": (head(b'{"a": {"dtype": "F8_E4M3", "shape": [], "data_offsets": [0, 1]}}') + b"a", "has dtype 'F8"),
    "place too small": (
        head(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}') + b"aaaa",
        "has 4 bytes",
    ),
    "beyond the end": (head(b'{"a": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]}}'), "need 9 bytes, 0 follow"),
    "a gap": (head(b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}') + b"aa", "leave a gap at byte 0"),
    "overlap": (
        head(
            b'{"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}, '
            b'"b": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}'
        )
        + b"aa",
        "overlap",
    ),
    "too many axes": (
        head(b'{"a": {"dtype": "U8", "shape": [' + b"1," * 99 + b'1], "data_offsets": [0, 1]}}') + b"a",
        "the shape of 'a', with 100 axes, is larger than that of any array",
    ),
    "a huge axis beside an empty one": (
        head(b'{"a": {"dtype": "U8", "shape": [0, 18446744073709551616], "data_offsets": [0, 0]}}'),
        "larger than that of any array",
    ),
    "axes whose product overflows": (
        head(b'{"a": {"dtype": "F32", "shape": [0, 4294967296, 4294967296], "data_offsets": [0, 0]}}'),
        "larger than that of any array",
    ),
    "a length of 5000 digits": (
        head(b'{"a": {"dtype": "U8", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 1]}}') + b"a",
        "no JSON",
    ),
    "a shape of booleans": (
        head(b'{"a": {"dtype": "U8", "shape": [true], "data_offsets": [0, 1]}}') + b"a",
        "lacks a dtype",
    ),
    "a shape that is larger than the bytes": (
        head(b'{"a": {"dtype": "U8", "shape": [3, 2], "data_offsets": [0, 4]}}') + b"aaaa",
        r"'a' of shape \(3, 2\) and dtype U8 has 4 bytes",
    ),
    "what is left over": (head(b"{}") + b"aa", "need 0 bytes, 2 follow"),
}


@pytest.mark.parametrize(("content", "text"), TORN.values(), ids=TORN.keys())
def test_what_is_not_laid_out_as_the_format_says_is_refused(content, text, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(str(path)) + ": no whole safetensors file: .*" + text):
        _safetensors.read(path)
