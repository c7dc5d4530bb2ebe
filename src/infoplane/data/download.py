"""One file from an http or https address into a file, with bounds on time, size, slowness and redirects."""

import contextlib
import dataclasses
import http.client
import importlib.metadata
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from infoplane.data import _bounded
from infoplane.errors import InputError

CHUNK = 2**18
"""Bytes read at once."""

SCHEMES = ("http", "https")

GONE = (404, 410)
"""What a server answers where there is no such file."""


class MissingError(InputError):
    """There is no such file at the address."""


@dataclasses.dataclass(frozen=True)
class Download:
    """Progress of one download.

    Attributes:
        done: bytes so far.
        total: bytes in all, as the server says.
        unit: what is counted.
    """

    done: int
    total: int
    unit: str = "bytes"


OnDownload = Callable[[Download], object]


def download(
    url: str, into: BinaryIO, limit: int, on_event: OnDownload | None = None, *, end: float | None = None
) -> str:
    """Write what is at an address into an open file and return the address that it came from after redirects.

    Args:
        url: an http or https address. Redirects are followed to such addresses, never from https to http.
        into: where the bytes go, as they come; what is there after an error is worth nothing.
        limit: most bytes that are taken.
        on_event: receives the progress, if the server states the size.
        end: the time of `time.monotonic` at which the download is given up; `infoplane.data._bounded.DEADLINE` from
            now if it is None.

    Raises:
        MissingError: when the server says that there is no such file.
        InputError: for another kind of address, one that cannot be reached or answers with an error, more bytes than
            ``limit``, fewer than announced, or a server that falls silent, is too slow or does not come to an end.
            The bounds hold for redirects, headers, error pages and trailers too.
    """
    check_address(url)
    budget = _bounded.Budget(url, limit, deadline() if end is None else end)
    with _reaching(url):
        response: Any = _opener(budget).open(_request(url), timeout=_bounded.SILENCE)
    with response:
        budget.begin_content()
        _copy(url, response, into, limit, on_event)
        return response.geturl()


def deadline() -> float:
    """Return the time of `time.monotonic` at which a download that begins now is given up."""
    return time.monotonic() + _bounded.DEADLINE


@contextlib.contextmanager
def _reaching(url: str) -> Iterator[None]:
    """Turn what goes wrong on the way into an `InputError` that names the address."""
    try:
        yield
    except InputError:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in GONE:
            raise MissingError(f"{url}: there is no such file (the server says {error.code})") from None
        raise InputError(f"{url}: the server says {error.code} {_told(error.reason)}") from None
    except (http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise InputError(f"{url}: no answer for {_bounded.SILENCE:.0f} s; try again later") from None
        raise InputError(f"{url}: cannot be had ({_told(reason)}); check the address and the network") from None


def check_address(url: str) -> None:
    """Refuse what is no plain http or https address.

    Raises:
        InputError: names what was expected.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        plain = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain, parts = False, None
    if not plain or parts is None or not url.isascii() or not url.isprintable() or " " in url:
        raise InputError(f"address is {url!r}; expected http://… or https://…, as a browser shows it")
    if parts.username is not None or parts.password is not None:
        raise InputError("address holds a user name or a password; expected one that needs none")


def _copy(url: str, response: Any, into: BinaryIO, limit: int, on_event: OnDownload | None) -> None:
    total = _announced(response)
    if total is not None and total > limit:
        raise InputError(f"{url}: {total} bytes, above {limit}, the most that this file can have; is it another file?")
    done = 0
    while part := _read(url, response):
        done += len(part)
        if done > limit:
            raise InputError(f"{url}: sends more than {limit} bytes, the most that this file can have; is it another?")
        into.write(part)
        if on_event is not None and total is not None:
            on_event(Download(done, total))
    if total is not None and done < total:
        raise InputError(f"{url}: cut short after {done} of {total} bytes; try again")


def _read(url: str, response: Any) -> bytes:
    with _reaching(url):
        return response.read1(CHUNK)


def _announced(response: Any) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _request(url: str) -> urllib.request.Request:
    agent = f"infoplane/{importlib.metadata.version('infoplane')}"
    return urllib.request.Request(url, headers={"User-Agent": agent, "Accept-Encoding": "identity"})


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, and never out of https."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        try:
            check_address(newurl)
            if req.type == "https" and not newurl.startswith("https:"):
                raise InputError(f"{req.full_url}: redirects from https to {newurl}; give an https address")
        finally:
            fp.close()  # else urllib reads the content, which may have no end
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(budget: _bounded.Budget) -> urllib.request.OpenerDirector:
    """Return what opens http and https and nothing else: no files, no ftp, no cookies, no passwords."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        *_bounded.handlers(budget),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _told(reason: object) -> str:
    """Return a reason as one short line of plain characters: a server may have written it."""
    text = "".join(letter for letter in str(reason) if letter.isprintable())
    return text[:120] or type(reason).__name__
