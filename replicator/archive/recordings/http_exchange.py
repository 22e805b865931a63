"""Asks a storage for (the rest of) a file over HTTP, follows redirects by hand, and yields the body in blocks.

The request is written out here, header by header: no key, no cookie and nothing of the environment can be in it. Each
redirect is checked like the first link. Raises FetchError with a reason, and nothing else.
"""

from __future__ import annotations

import http.client
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urljoin, urlsplit

from replicator.archive.recordings import connection, media
from replicator.archive.recordings.connection import Target
from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.queue_rules import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.archive.recordings.addresses import Allowed
    from replicator.archive.recordings.connection import Connection, Resolve, Times

MOST_REDIRECTS = 5
MOST_URL = 16_384
BLOCK_BYTES = 64 * 1024
MOST_RETRY_SECONDS = 86_400
USER_AGENT = "truedy-replicator"
_SAFE = "/:@!$&'()*+,;=~%-._?"
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)\Z")
_OK, _PARTIAL, _RANGE_REFUSED, _TOO_MANY = 200, 206, 416, 429
_LINK_STATUSES = {401, 403, 404, 410}
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: the whole file, or the rest of one of which `size` bytes are here."""

    size: int = 0
    validator: str | None = None
    """The strong ETag, or the Last-Modified, of the file that the bytes belong to."""


class Body:
    """An answer's body. `start` is the place of its first byte in the file."""

    def __init__(self, response: http.client.HTTPResponse, start: int, total: int | None) -> None:
        self._response = response
        self.start = start
        self.total = total
        """The size of the whole file, where the answer states it."""
        self.is_ended_by_itself = total is not None or bool(response.chunked)
        """Whether a cut would be noticed: the length is stated, or the body ends with a mark."""
        self.validator = _validator(response)
        self.can_resume = self.validator is not None and response.headers.get("accept-ranges", "").lower() != "none"

    def blocks(self) -> Iterator[bytes]:
        """Yield the body. Raises FetchError where it breaks off before its stated end."""
        received = 0
        buffer = memoryview(bytearray(BLOCK_BYTES))
        while True:
            try:
                count = self._response.readinto(buffer)
            except (http.client.HTTPException, ValueError):
                raise FetchError(Reason.CUT_OFF) from None
            if not count:
                break
            received += count
            yield bytes(buffer[:count])
        if self.total is not None and self.start + received < self.total:
            raise FetchError(Reason.CUT_OFF)


@contextmanager
def asked(
    url: str, wanted: Wanted, allowed: Allowed, times: Times, until: float, resolve: Resolve = connection.resolved
) -> Iterator[Body]:
    """Yield the body that the link leads to. `until` is when all must be done (monotonic seconds)."""
    for _ in range(MOST_REDIRECTS + 1):
        target, path = parts_of(url)
        opened = connection.opened(target, allowed, times, until, resolve)
        try:
            response = _response(opened, _request(target, path, wanted))
            try:
                if response.status not in _REDIRECTS:
                    yield _body(response, wanted)
                    return
                url = _next(url, response)
            finally:
                response.close()
        finally:
            opened.close()
    raise FetchError(Reason.TOO_MANY_REDIRECTS)


def parts_of(url: str) -> tuple[Target, str]:
    """Return where a request for a link goes, and its path with the query. Raises FetchError for no usable link."""
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port
    except ValueError:
        raise FetchError(Reason.BAD_LINK) from None
    scheme = split.scheme.lower()
    is_plain = host.isascii() and bool(host) and not re.search(r"[\s%\\\"<>^`{|}\x00-\x1f\x7f]", host)
    if scheme not in {"http", "https"} or not is_plain or "@" in split.netloc or len(url) > MOST_URL:
        raise FetchError(Reason.BAD_LINK)
    path = quote(split.path or "/", safe=_SAFE) + (f"?{quote(split.query, safe=_SAFE)}" if split.query else "")
    return Target(scheme, host, port if port is not None else 443 if scheme == "https" else 80), path


def _request(target: Target, path: str, wanted: Wanted) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {target.authority}",
        f"User-Agent: {USER_AGENT}",
        "Accept: audio/*, application/octet-stream;q=0.9, */*;q=0.1",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    if wanted.size and wanted.validator is not None:
        lines += [f"Range: bytes={wanted.size}-", f"If-Range: {wanted.validator}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _response(opened: Connection, request: bytes) -> http.client.HTTPResponse:
    opened.send(request)
    response = http.client.HTTPResponse(cast("Any", opened), method="GET")  # it reads `makefile` only
    try:
        response.begin()
    except (http.client.HTTPException, ValueError):
        response.close()
        raise FetchError(Reason.BAD_ANSWER) from None
    except BaseException:  # a Ctrl-C, too: the connection would stay open
        response.close()
        raise
    return response


def _next(url: str, response: http.client.HTTPResponse) -> str:
    location = response.headers.get("location")
    if not location:
        raise FetchError(Reason.BAD_ANSWER)
    try:
        return urljoin(url, location)
    except ValueError:
        raise FetchError(Reason.BAD_LINK) from None


def _body(response: http.client.HTTPResponse, wanted: Wanted) -> Body:
    """Return the body of a final answer. Raises FetchError where the answer is no file."""
    status = response.status
    if status in _LINK_STATUSES:
        raise FetchError(Reason.LINK_REFUSED)
    if status == _TOO_MANY or status >= 500:  # noqa: PLR2004 - the servers' errors
        raise FetchError(Reason.STORAGE_BUSY, retry_after=_retry_after(response))
    if status == _RANGE_REFUSED and wanted.size:
        raise FetchError(Reason.CUT_OFF)  # what is here does not fit: the caller begins again
    if status not in {_OK, _PARTIAL}:
        raise FetchError(Reason.BAD_ANSWER)
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise FetchError(Reason.ENCODED)
    if media.is_text_type(response.headers.get("content-type", "")):
        raise FetchError(Reason.NOT_AUDIO)
    lengths = set(response.headers.get_all("content-length", []))
    if len(lengths) > 1 or any(not re.fullmatch(r"\d{1,18}", length.strip()) for length in lengths):
        raise FetchError(Reason.BAD_ANSWER)
    length = response.length
    if status == _OK:
        return Body(response, 0, length)
    found = _RANGE.match(response.headers.get("content-range", ""))
    if found is None or not wanted.size or int(found[1]) != wanted.size or found[3] == "*":
        raise FetchError(Reason.BAD_ANSWER)
    last, total = int(found[2]), int(found[3])
    if last != total - 1 or (length is not None and length != total - wanted.size):
        raise FetchError(Reason.BAD_ANSWER)
    return Body(response, wanted.size, total)


def _validator(response: http.client.HTTPResponse) -> str | None:
    """Return what If-Range takes: a strong ETag. A date is too coarse to tell two files of one second apart."""
    tag = str(response.headers.get("etag", "")).strip()
    return tag if re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', tag) else None


def _retry_after(response: http.client.HTTPResponse) -> timedelta | None:
    text = str(response.headers.get("retry-after", "")).strip()
    return timedelta(seconds=min(int(text), MOST_RETRY_SECONDS)) if re.fullmatch(r"\d{1,9}", text) else None


__all__ = ["BLOCK_BYTES", "MOST_REDIRECTS", "Body", "Wanted", "asked", "parts_of"]
