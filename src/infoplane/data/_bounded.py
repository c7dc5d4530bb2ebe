"""Connections that read no longer and no more than allowed, whatever a server sends.

The timeouts of download libraries (requests, urllib3, httpx) count from one read to the next, and they do not limit
the bytes of headers, redirects, error pages and trailers. So the limits are where every byte passes: in the socket.
"""

import functools
import http.client
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from infoplane.errors import InputError

SILENCE = 30.0
"""Seconds without a byte after which a server counts as gone."""

ANSWER = 60.0
"""Seconds within which the content must begin, redirects and all headers included."""

HEAD = 2**20
"""Bytes that all headers, redirects, error pages and trailers may have together."""

SLOWEST = 1000
"""Bytes a second that the content must have in every `SILENCE` seconds."""

DEADLINE = 3600.0
"""Seconds that everything may take together."""


class Budget:
    """Time and bytes that are left for one download.

    Args:
        url: the address, for the texts of errors.
        limit: most bytes of content.
        end: the time of `time.monotonic` at which everything ends.
    """

    def __init__(self, url: str, limit: int, end: float) -> None:
        self._url, self._limit, self._end = url, limit, end
        self._answer, self._left = time.monotonic() + ANSWER, HEAD
        self._window: tuple[float, int] | None = None

    def begin_content(self) -> None:
        """Allow the bytes of the content from now on, and those of its framing; it must come fast enough."""
        self._left += self._limit + self._limit // 8
        self._window = time.monotonic(), 0

    def timeout(self) -> float:
        """Return the seconds that the next read may take.

        Raises:
            InputError: when the time or the bytes are used up, or the content comes too slowly.
        """
        now = time.monotonic()
        if now >= self._end:
            raise InputError(f"{self._url}: not done within {DEADLINE:.0f} s; try again later")
        if self._left < 0:
            raise InputError(f"{self._url}: sends more than {self._limit} bytes, the most that this file can have; "
                             "is it another?")  # fmt: skip
        if self._window is None:
            if now >= self._answer:
                raise InputError(f"{self._url}: no complete answer within {ANSWER:.0f} s; try again later")
            return min(SILENCE, self._end - now, self._answer - now)
        begin, done = self._window
        if now - begin > SILENCE:
            if done < SLOWEST * SILENCE:
                raise InputError(
                    f"{self._url}: {done} bytes in {now - begin:.0f} s, below {SLOWEST} a second; try again later"
                )
            self._window = now, 0
        return min(SILENCE, self._end - now)

    def count(self, n_bytes: int) -> None:
        """Take bytes off."""
        self._left -= n_bytes
        if self._window is not None:
            self._window = self._window[0], self._window[1] + n_bytes

    def read(self, sock: Any, receive: Callable[[], int]) -> int:
        """Receive from a socket within the budget."""
        sock.settimeout(self.timeout())
        try:
            n_bytes = receive()
        except TimeoutError:
            self.timeout()  # names the longer bound if this was its end
            raise
        self.count(n_bytes)
        return n_bytes


def handlers(budget: Budget) -> list[urllib.request.BaseHandler]:
    """Return what opens http and https addresses within a budget."""

    class Plain(socket.socket):
        def recv_into(self, *args: Any, **options: Any) -> int:
            return budget.read(self, functools.partial(super().recv_into, *args, **options))

    class Encrypted(ssl.SSLSocket):
        def recv_into(self, *args: Any, **options: Any) -> int:
            return budget.read(self, functools.partial(super().recv_into, *args, **options))

    def connect(address: tuple[str, int], *_: Any) -> socket.socket:
        failure = OSError(f"no address of {address[0]}")
        for family, kind, protocol, _, place in _resolved(address, budget):
            sock = Plain(family, kind, protocol)
            try:
                sock.settimeout(budget.timeout())
                sock.connect(place)
            except BaseException as error:
                sock.close()
                if not isinstance(error, OSError):
                    raise
                failure = error
            else:
                return sock
        raise failure

    def bounded(kind: type[http.client.HTTPConnection], *args: Any, **options: Any) -> http.client.HTTPConnection:
        connection = kind(*args, **options)
        vars(connection)["_create_connection"] = connect
        return connection

    context = ssl.create_default_context()
    context.sslsocket_class = Encrypted

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> Any:
            made: Any = functools.partial(bounded, http.client.HTTPConnection)
            return self.do_open(made, req)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> Any:
            made: Any = functools.partial(bounded, http.client.HTTPSConnection)
            return self.do_open(made, req, context=context)

    return [Http(), Https()]


def _resolved(address: tuple[str, int], budget: Budget) -> list[Any]:
    """Return the addresses of a name; the system's resolver takes no timeout, so that it has a thread of its own."""
    found: list[Any] = []

    def resolve() -> None:
        try:
            found.extend(socket.getaddrinfo(*address, type=socket.SOCK_STREAM))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=resolve, name="resolver", daemon=True)
    thread.start()
    thread.join(budget.timeout())
    if not found:
        raise TimeoutError(f"no address of {address[0]}")
    if isinstance(found[0], OSError):
        raise found[0]
    return found
