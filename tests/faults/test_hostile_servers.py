"""Servers on this machine that do their worst: every download ends, and takes no more bytes than it may."""

import contextlib
import itertools
import socket
import ssl
import tempfile
import threading
import time

import pytest

from infoplane.data import _bounded, download
from infoplane.errors import InputError

LIMIT = 50_000
"""Most bytes of the file that is asked for."""

MUST_END = 60.0
"""Seconds after which a download counts as hanging; its own bounds here are below 4 s."""

OK = b"HTTP/1.1 200 OK\r\n"
FAILED = b"HTTP/1.1 500 Sorry\r\nContent-Length: 1000000000\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BLOCK = b"x" * 65_536


def again(port):
    return b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/next\r\n" % port


def drip(content):
    """One byte every tenth of a second: never silent, never done."""
    for place in itertools.count():
        yield content[place % len(content) :][:1]
        time.sleep(0.1)


def flood(block=BLOCK):
    return itertools.repeat(block)


def silence():
    yield b""
    time.sleep(MUST_END)


SERVERS = {
    "never answers": lambda port: silence(),
    "closes at once": lambda port: [],
    "drips the status line": lambda port: drip(b"H"),
    "drips headers": lambda port: itertools.chain([OK], drip(b"X-A: b\r\n")),
    "drips one long header": lambda port: itertools.chain([OK, b"X-A: "], drip(b"a")),
    "sends headers without end": lambda port: itertools.chain([OK], flood(b"X-A: b\r\n" * 1000)),
    "sends one header without end": lambda port: itertools.chain([OK, b"X-A: "], flood()),
    "falls silent within the headers": lambda port: itertools.chain([OK, b"X-A"], silence()),
    "100 Continue without end": lambda port: flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "drips 100 Continue": lambda port: drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103 Early Hints without end": lambda port: flood(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
    "sends something that is no HTTP": lambda port: flood(b"\x00\xff\r\n" * 1000),
    "a body without end": lambda port: itertools.chain([OK, b"\r\n"], flood()),
    "a body of a wrong length": lambda port: [OK, b"Content-Length: 100\r\n\r\n", b"x" * 50],
    "a body that is too long by its own word": lambda port: [OK, b"Content-Length: 999999999999\r\n\r\n", BLOCK],
    "drips the body": lambda port: itertools.chain([OK, b"Content-Length: 40000\r\n\r\n"], drip(b"x")),
    "falls silent within the body": lambda port: itertools.chain([OK, b"Content-Length: 40000\r\n\r\nx"], silence()),
    "chunks without end": lambda port: itertools.chain([CHUNKED], flood(b"1000\r\n" + b"x" * 4096 + b"\r\n")),
    "chunks of one byte without end": lambda port: itertools.chain([CHUNKED], flood(b"1\r\nx\r\n" * 1000)),
    "a chunk of a wrong length": lambda port: [CHUNKED, b"zz\r\n"],
    "chunk extensions without end": lambda port: itertools.chain([CHUNKED, b"1;"], flood(b"a=b;" * 1000)),
    "drips trailers": lambda port: itertools.chain([CHUNKED, b"1\r\nx\r\n0\r\n"], drip(b"X-A: b\r\n")),
    "trailers without end": lambda port: itertools.chain([CHUNKED, b"1\r\nx\r\n0\r\n"], flood(b"X-A: b\r\n" * 1000)),
    "a redirect with a body without end": lambda port: itertools.chain([again(port), b"\r\n"], flood()),
    "a redirect that drips its body": lambda port: itertools.chain([again(port), b"\r\n"], drip(b"x")),
    "redirects without end": lambda port: [again(port), b"Content-Length: 0\r\n\r\n"],
    "a redirect that drips headers": lambda port: itertools.chain([again(port)], drip(b"X-A: b\r\n")),
    "an error page without end": lambda port: itertools.chain([FAILED], flood()),
    "an error page that drips": lambda port: itertools.chain([FAILED], drip(b"x")),
}
"""What each server sends after a request, by what it does."""


class Server:
    """Answers every connection with the same bytes, until it is closed; counts what it could send."""

    def __init__(self, answer, hello=True):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port, self.sent, self._answer, self._hello = self._listening.getsockname()[1], 0, answer, hello
        self._open, self._ended = [], threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._open.append(connection)
                threading.Thread(target=self._send, args=(connection,), daemon=True).start()

    def _send(self, connection):
        with contextlib.suppress(OSError), connection:
            if self._hello:
                connection.recv(65_536)
            for part in self._answer(self.port):
                if self._ended.is_set():
                    return
                connection.sendall(part)
                self.sent += len(part)

    def close(self):
        self._ended.set()
        for one in [self._listening, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def ends(url):
    """The error in which a download ends, in a thread of its own so that a hanging one fails the test."""
    caught, sizes = [], []

    def fetch():
        with tempfile.TemporaryFile() as into:
            try:
                download.download(url, into, LIMIT)
            except BaseException as error:
                caught.append(error)
            sizes.append(into.tell())

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(MUST_END)
    assert not thread.is_alive(), "the download hangs"
    assert sizes[0] <= LIMIT
    return caught[0] if caught else None


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Short bounds, and no proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"SILENCE": 0.5, "ANSWER": 1.5, "DEADLINE": 3.0}.items():
        monkeypatch.setattr(_bounded, name, value)


@pytest.mark.parametrize("does", SERVERS)
def test_a_hostile_server_costs_bounded_time_and_bytes(does, tally):
    server = Server(SERVERS[does])
    try:
        error = ends(f"http://127.0.0.1:{server.port}/file")
    finally:
        server.close()
    assert isinstance(error, InputError), error
    assert str(error).startswith(f"http://127.0.0.1:{server.port}/file: ")
    assert "\n" not in str(error)
    assert server.sent <= _bounded.HEAD + 2 * LIMIT + 20 * 2**20  # the system's buffers take some megabytes
    tally("hostile servers in a download", 1, "ends within its time and bytes, with one line that names the address")


def test_a_server_that_drips_its_side_of_tls_is_given_up():
    server = Server(lambda port: drip(b"\x16"), hello=False)
    try:
        assert isinstance(ends(f"https://127.0.0.1:{server.port}/file"), InputError)
    finally:
        server.close()


def test_the_bounds_hold_within_tls_too(tmp_path, monkeypatch):
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(answers):
        with contextlib.suppress(OSError):
            for answer in answers:
                connection, _ = listening.accept()
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as encrypted:
                    encrypted.recv(65_536)
                    for part in answer:
                        encrypted.sendall(part)

    sound = [OK, b"Content-Length: 3\r\n\r\nabc"]
    threading.Thread(target=serve, args=([sound, drip_headers(), sound],), daemon=True).start()
    url = f"https://127.0.0.1:{listening.getsockname()[1]}/file"
    try:
        assert ends(url) is None
        assert isinstance(error := ends(url), InputError)
        assert "no complete answer within" in str(error)
    finally:
        listening.close()


def drip_headers():
    return itertools.chain([OK], drip(b"X-A: b\r\n"))


def certificate(folder):
    """A file with a private key and a certificate of 127.0.0.1 that it has signed itself."""
    import datetime
    import ipaddress

    x509 = pytest.importorskip("cryptography.x509", reason="needs the extra 'dask'")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + signed.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(pem)
    return path


def test_a_name_that_is_never_resolved_is_given_up(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(MUST_END) or [])
    assert isinstance(ends("http://example.invalid/file"), InputError)


def test_all_files_of_a_data_set_share_one_deadline(tmp_path, monkeypatch):
    from infoplane.data import fetch

    server = Server(lambda port: [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
    monkeypatch.setattr(fetch, "deadline", lambda: time.monotonic() - 1)
    try:
        with pytest.raises(InputError, match="not done within 3 s"):
            fetch.fetch("mnist", f"http://127.0.0.1:{server.port}", tmp_path / "mnist")
    finally:
        server.close()
