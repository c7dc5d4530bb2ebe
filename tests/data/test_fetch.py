"""Fetching from a server on this machine: only the right content is stored, and nothing else is left."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import socket
import struct
import threading

import numpy as np
import pytest

from infoplane.data import _bounded, download, fetch, idx
from infoplane.data.fetch import Content
from infoplane.errors import InputError, StoreError

RNG = np.random.default_rng(0)
IMAGES = struct.pack(">HBB3I", 0, 8, 3, 50, 28, 28) + RNG.bytes(50 * 784)
LABELS = struct.pack(">HBBI", 0, 8, 1, 50) + (np.arange(50) % 10).astype(np.uint8).tobytes()
FILES = {
    "train-images-idx3-ubyte.gz": gzip.compress(IMAGES),
    "train-labels-idx1-ubyte.gz": gzip.compress(LABELS),
    "t10k-images-idx3-ubyte": IMAGES,
    "t10k-labels-idx1-ubyte": LABELS,
}
NAMES = {("train", "images"), ("train", "labels"), ("test", "images"), ("test", "labels")}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from a table: path → content, status, headers; what is not in it is missing."""

    table: dict = {}  # noqa: RUF012 - replaced by the server's own
    asked: list = []  # noqa: RUF012

    def do_GET(self):
        self.asked.append(self.path)
        answer = self.table.get(self.path, (404, {}, b"not here"))
        status, headers, content = answer if isinstance(answer, tuple) else (200, {}, answer)
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(content))} | headers).items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may have had enough
            self.wfile.write(content)

    def log_message(self, *_):
        pass


class Server:
    """A server on 127.0.0.1; ``table`` says what it answers, ``asked`` what it was asked for."""

    def __init__(self):
        self.table, self.asked = {}, []
        handler = type("Own", (Handler,), {"table": self.table, "asked": self.asked})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=functools.partial(self.http.serve_forever, poll_interval=0.01))
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def running():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def server(running, monkeypatch):
    """The server with the files of a small MNIST, whose content is the known one."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    known = {"images": content_of(IMAGES), "labels": content_of(LABELS)}
    monkeypatch.setattr(fetch, "VERIFIED", {("mnist", part, kind): known[kind] for part, kind in NAMES})
    running.table.clear()
    running.asked.clear()
    running.table |= {f"/data/{name}": content for name, content in FILES.items()}
    return running


def content_of(content):
    return Content(hashlib.sha256(content).hexdigest(), len(content))


def refused(url, folder, name="mnist", **options):
    """The words in which fetching is refused; nothing incomplete is left."""
    with pytest.raises((InputError, StoreError)) as error:
        fetch.fetch(name, url, folder, **options)
    left = {path.name for path in folder.iterdir()} if folder.exists() else set()
    assert left <= set(FILES), left
    return str(error.value)


# ---- what is stored


def test_a_whole_data_set_is_stored_under_its_names_and_can_be_read(server, tmp_path):
    done = fetch.fetch("mnist", f"{server.url}/data/", tmp_path / "new" / "mnist")
    assert {one.path.name for one in done.files} == set(FILES)
    assert all(one.verified and one.path.read_bytes() == FILES[one.path.name] for one in done.files)
    assert {path.name for path in (tmp_path / "new" / "mnist").iterdir()} == set(FILES)
    assert done.notes == []
    assert idx.read(tmp_path / "new" / "mnist" / "train-images-idx3-ubyte.gz", 3).shape == (50, 28, 28)


def test_an_address_of_one_file_fetches_that_file(server, tmp_path):
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(LABELS)
    done = fetch.fetch("mnist", f"{server.url}/data/t10k-images-idx3-ubyte", tmp_path)
    assert [one.path.name for one in done.files] == ["t10k-images-idx3-ubyte"]
    assert server.asked == ["/data/t10k-images-idx3-ubyte"]


def test_half_a_part_is_stored_and_said_to_be_half(server, tmp_path):
    text = refused(f"{server.url}/data/t10k-images-idx3-ubyte", tmp_path)
    assert "has images of test now, but no labels" in text
    assert [path.name for path in tmp_path.iterdir()] == ["t10k-images-idx3-ubyte"]


def test_files_that_are_there_are_checked_and_not_fetched_again(server, tmp_path):
    fetch.fetch("mnist", f"{server.url}/data", tmp_path)
    server.asked.clear()
    done = fetch.fetch("mnist", f"{server.url}/data", tmp_path)
    assert [one.address for one in done.files] == [None] * 4
    assert server.asked == []


def test_a_part_that_is_not_there_is_told(server, tmp_path):
    for name in FILES:
        if name.startswith("train"):
            del server.table[f"/data/{name}"]
    done = fetch.fetch("mnist", f"{server.url}/data", tmp_path)
    assert {one.path.name for one in done.files} == {name for name in FILES if name.startswith("t10k")}
    assert [note.partition(" at ")[0] for note in done.notes] == ["no images of train", "no labels of train"]


def test_redirects_are_followed_and_the_address_they_end_at_is_told(server, tmp_path):
    for name in FILES:
        server.table[f"/old/{name}"] = (302, {"Location": f"/data/{name}"}, b"")
    done = fetch.fetch("mnist", f"{server.url}/old", tmp_path)
    assert {one.address for one in done.files} == {f"{server.url}/data/{name}" for name in FILES}


def test_progress_ends_with_all_bytes(server, tmp_path):
    events = []
    with (tmp_path / "file").open("wb") as file:
        download.download(f"{server.url}/data/t10k-images-idx3-ubyte", file, 10**6, events.append)
    assert (events[-1].done, events[-1].total) == (len(IMAGES), len(IMAGES))


# ---- what is not stored


def test_other_content_than_the_known_is_refused_also_when_unverified_is_accepted(server, tmp_path):
    server.table["/data/train-images-idx3-ubyte.gz"] = gzip.compress(IMAGES[:-1] + b"\0")
    for accept in (False, True):
        text = refused(f"{server.url}/data", tmp_path, accept_unverified=accept)
        assert "train-images-idx3-ubyte.gz: not stored: its content has SHA-256 " in text
        assert f"expected {content_of(IMAGES).sha256}" in text
    assert list(tmp_path.iterdir()) == []


TRUNCATED = FILES["train-images-idx3-ubyte.gz"][:-100]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((200, {"Content-Length": str(len(TRUNCATED) + 100)}, TRUNCATED), f"cut short after {len(TRUNCATED)} of"),
        ((200, {"Content-Length": None}, TRUNCATED), "not stored: its gzip stream is cut short"),
        (
            (200, {"Transfer-Encoding": "chunked", "Content-Length": None}, b"ff\r\nabc"),
            "cannot be had (IncompleteRead",
        ),
        ((200, {}, b"<html>Please log in</html>"), "not stored: its content has SHA-256"),
        ((200, {"Content-Length": "9" * 12}, b""), "999999999999 bytes, above"),
        ((200, {"Content-Length": None}, bytes(200_000)), "sends more than 104752 bytes"),
        ((200, {}, gzip.compress(bytes(10**7), 9)), "not stored: unpacks to more than 39216 bytes"),
        ((404, {}, b""), "no images of train at"),
        ((403, {}, b""), "the server says 403 Forbidden"),
        ((500, {}, b""), "the server says 500 Internal Server Error"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "the server says 302"),
        ((302, {"Location": "ftp://127.0.0.1/x"}, b""), "address is 'ftp://127.0.0.1/x'; expected http://…"),
        ((302, {"Location": "/data/train-images-idx3-ubyte.gz"}, b""), "the server says 302"),
        ((302, {}, b""), "the server says 302"),
    ],
)
def test_what_goes_wrong_on_the_way_is_told_and_leaves_nothing(server, tmp_path, answer, text):
    server.table["/data/train-images-idx3-ubyte.gz"] = answer
    assert text in refused(f"{server.url}/data/train-images-idx3-ubyte.gz", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_there_names_what_was_looked_for(server, tmp_path):
    text = refused(f"{server.url}/nothing", tmp_path)
    assert f"no images of train at {server.url}/nothing/train-images-idx3-ubyte.gz, nor under 3 other names" in text


def test_no_network_is_told(tmp_path, server):
    with socket.socket() as unused:  # bound, but nobody listens
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/data"
        assert "cannot be had (" in refused(url, tmp_path)


def test_a_server_that_falls_silent_is_given_up(tmp_path, server, monkeypatch):
    monkeypatch.setattr(_bounded, "SILENCE", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/data"
        assert "no answer for" in refused(url, tmp_path)


def test_https_is_never_left_for_http():
    request = download._request("https://127.0.0.1/a")
    with pytest.raises(InputError, match="redirects from https to http://127"):
        download._Redirects().redirect_request(request, io.BytesIO(), 302, "Found", {}, "http://127.0.0.1/a")


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://127.0.0.1/a", "/data", "mnist", "http://", "http:///a", "http://127.0.0.1:x/a",
     "http://127.0.0.1/a b", "http://127.0.0.1/a\r\nX: y", "http://127.0.0.1/\0", "data:text/plain,a", "", "http://[::1/a"],
)  # fmt: skip
def test_other_addresses_are_refused_before_anything_is_sent(url, tmp_path):
    assert "; expected http://… or https://…" in refused(url, tmp_path)


def test_an_address_with_a_password_is_refused_without_repeating_it(tmp_path):
    assert "secret" not in refused("http://me:secret@127.0.0.1/a", tmp_path)


def test_a_file_of_other_content_that_is_there_already_stays(server, tmp_path):
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(LABELS)
    text = refused(f"{server.url}/data/t10k-images-idx3-ubyte", tmp_path)
    assert "t10k-images-idx3-ubyte: is there already, but its content has SHA-256" in text
    assert (tmp_path / "t10k-images-idx3-ubyte").read_bytes() == LABELS


def test_an_unknown_data_set_is_refused_with_the_nearest(tmp_path):
    assert refused("http://127.0.0.1:1/a", tmp_path, "mnits") == "data set is 'mnits'; did you mean 'mnist'?"


# ---- content that is not known for certain


def test_unknown_content_is_neither_fetched_nor_stored_unless_accepted(server, tmp_path):
    text = refused(f"{server.url}/data", tmp_path / "new", "fashion-mnist")
    assert "not known for certain: train-images-idx3-ubyte" in text
    assert "--accept-unverified" in text
    assert (server.asked, (tmp_path / "new").exists()) == ([], False)
    done = fetch.fetch("fashion-mnist", f"{server.url}/data", tmp_path / "new", accept_unverified=True)
    assert [one.verified for one in done.files] == [False] * 4
    assert done.files[0].sha256 == content_of(IMAGES).sha256


def test_what_is_known_in_part_leaves_out_the_rest_and_says_so(server, tmp_path, monkeypatch):
    known = {key: value for key, value in fetch.VERIFIED.items() if key[1] == "test"}
    monkeypatch.setattr(fetch, "VERIFIED", known)
    done = fetch.fetch("mnist", f"{server.url}/data", tmp_path)
    assert {one.path.name for one in done.files} == {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}
    assert "left out, since what they hold is not known for certain: train-images-idx3-ubyte, train" in done.notes[0]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<html>Please log in</html>", "not stored: begins with 3c 68 74 6d; expected 00 00 08"),
        (gzip.compress(LABELS), "not stored: has 1 axes; images have 3"),
        (IMAGES[:-1], "= 39200 values, but 39199 follow its header"),
    ],
    ids=["not IDX", "labels", "cut short"],  # gzip stores the time: names made of the content differ between processes
)
def test_accepted_content_must_be_a_sound_file_all_the_same(server, tmp_path, content, text):
    server.table["/data/train-images-idx3-ubyte.gz"] = content
    assert text in refused(f"{server.url}/data", tmp_path, "idx", accept_unverified=True)


def test_the_known_content_is_that_of_the_published_files():
    """MNIST whole and notMNIST's test files; their sizes follow from their shapes."""
    sizes = {("mnist", "train"): 60_000, ("mnist", "test"): 10_000, ("notmnist", "test"): 10_000}
    assert {key[:2] for key in fetch.VERIFIED} == set(sizes)
    for (name, part, kind), content in fetch.VERIFIED.items():
        rows = sizes[name, part]
        assert content.size == (16 + 784 * rows if kind == "images" else 8 + rows)
        assert len(bytes.fromhex(content.sha256)) == 32
