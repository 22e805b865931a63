"""Sends HTTP requests: an httpx transport over pyreqwest (Rust's hyper), at a third of httpx's own cost per request.

`exchange` is the same without httpx's objects for request and response, at half the cost again.

One request in, at most one request out: no redirects, no cookies, no cache, no retries, and no proxies from the
environment (HTTP_PROXY is ignored: the key goes only where TRUEDY_BASE_URL says). TLS is verified. A deadline covers
everything from connecting to the body's last byte; the size of bodies is limited, also after decompression.
"""

from __future__ import annotations

import re
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from pyreqwest import exceptions
from pyreqwest.client import SyncClientBuilder
from pyreqwest.http import HeaderMap

from replicator.errors import UnreadableAnswer
from replicator.source.http_library import httpx
from replicator.source.limits import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyreqwest.response import SyncResponse

CONNECT_TIMEOUT_SECONDS = 10.0
POOL_IDLE_SECONDS = 4.0
INFLATE_BYTES = 1024 * 1024
"""How many bytes are decompressed at once."""
MOST_INFLATION = 1100
"""The largest growth by decompression: deflate makes at most 1,032 bytes of one."""
ACCEPT_ENCODING = "gzip, deflate"

_CONNECTING = "client error (Connect)"
"""hyper's words for every failure before the first byte was sent: DNS, TCP, TLS."""
_SAFE_CAUSE = re.compile(r"[A-Za-z0-9 ,.:()'_-]{1,100}")
_WRONG_NAME = "certificate not valid for name"
"""After these words rustls lists the names in the certificate, which are text from a stranger."""


_READ_OF_SUCCESS = ("date", "content-encoding")


class Received(NamedTuple):
    """An answer with its body as it came. Of a 2xx only those headers are there that are ever read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class LeanTransport(httpx.BaseTransport):
    """Sends one request at a time per thread over shared, pooled connections. Raises httpx's exceptions."""

    def __init__(
        self,
        *,
        timeout_seconds: float = 120,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        root_certificate_pem: bytes | None = None,
    ) -> None:
        builder = (
            SyncClientBuilder()
            .follow_redirects(enable=False)
            .referer(enable=False)
            .no_proxy()
            .default_cookie_store(enable=False)
            .timeout(timedelta(seconds=timeout_seconds))
            .connect_timeout(timedelta(seconds=min(connect_timeout_seconds, timeout_seconds)))
            # Shorter than servers keep a connection open (uvicorn: 5 s), so that few requests meet a closing one.
            .pool_idle_timeout(timedelta(seconds=POOL_IDLE_SECONDS))
            # Decompressed by `inflate` below, which knows where to stop.
            .gzip(enable=False)
            .deflate(enable=False)
            .brotli(enable=False)
            .zstd(enable=False)
            .http1_only()
        )
        if root_certificate_pem is not None:
            builder = builder.add_root_certificate_pem(root_certificate_pem)
        self._client = builder.build()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, read the body up to the limits and return the response. Raises UnreadableAnswer beyond the
        limits.
        """
        headers = HeaderMap(
            [(name.decode(), value.decode()) for name, value in request.headers.raw if name.lower() != b"host"]
        )
        builder = self._client.request(request.method, str(request.url)).headers(headers)
        if content := request.read():
            builder = builder.body_bytes(content)
        try:
            with builder.build_streamed() as response:
                body, found = _read(response), _headers(response)
                status = response.status
        except exceptions.PyreqwestError as error:
            raise _as_httpx(error) from None
        return httpx.Response(status, headers=found, stream=httpx.ByteStream(body), request=request)

    def exchange(self, url: str, headers: HeaderMap) -> Received:
        """Send a GET request, and return the answer as it came. Raises UnreadableAnswer beyond the limits."""
        try:
            builder = self._client.request("GET", url).headers(headers)
            # Nothing is read ahead with the head: a body that breaks off must not take status and headers with it.
            with builder.streamed_read_buffer_limit(0).build_streamed() as response:
                status = response.status
                if 200 <= status < 300:  # noqa: PLR2004 - a success
                    read = {name: _header(response, name) for name in _READ_OF_SUCCESS}
                    found: Mapping[str, str] = {name: value for name, value in read.items() if value is not None}
                    body = _read(response)
                else:
                    found, body = httpx.Headers(_headers(response)), _read_of_refusal(response)
        except exceptions.PyreqwestError as error:
            raise _as_httpx(error) from None
        return Received(status, found, body)

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.close()


def prepared(headers: httpx.Headers) -> HeaderMap:
    """Return headers as `exchange` takes them, made once for all requests. The key is not in their repr."""
    made = HeaderMap()
    for name, value in headers.items():
        made.insert(name, value, is_sensitive=name == "authorization")
    return made


def _read_of_refusal(response: SyncResponse) -> bytes:
    """Return the body of a refusal, or nothing if it breaks off or is too large: its status and headers say enough, above
    all how long to wait.
    """
    try:
        return _read(response)
    except (exceptions.PyreqwestError, UnreadableAnswer):
        return b""


def _read(response: SyncResponse) -> bytes:
    length = _header(response, "content-length")
    reader = response.body_reader
    if length is not None and length.isdecimal() and int(length) <= MAX_BODY_BYTES:
        # HTTP/1 framing keeps the body to this length, so one crossing into Rust is enough.
        return bytes(reader.bytes())
    chunks: list[bytes] = []
    size = 0
    while (chunk := reader.read_chunk()) is not None:
        chunks.append(bytes(chunk))
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise too_large(response.status)
    return b"".join(chunks)


def _headers(response: SyncResponse) -> list[tuple[str, str]]:
    try:
        return list(response.headers.items())
    except ValueError:  # one header is not ASCII; none that is read here can be, and the others count
        names = dict.fromkeys(response.headers.keys())
        return [(name, value) for name in names if (value := _header(response, name)) is not None]


def _header(response: SyncResponse, name: str) -> str | None:
    try:
        return response.get_header(name)
    except ValueError:
        return None


def _as_httpx(error: exceptions.PyreqwestError) -> httpx.TransportError:
    """Return httpx's error for what happened, with the innermost cause where it is harmless: no URL, no key.

    pyreqwest calls every failure before the answer's head a connect error. Its list of causes shows the difference
    between a connection that was never made (the request was not sent) and one that broke (it may have been sent).
    """
    details = error.args[1] if len(error.args) > 1 else None
    causes = [cause["message"] for cause in (details.get("causes") or ())] if isinstance(details, dict) else []
    message = causes[-1] if causes and _SAFE_CAUSE.fullmatch(causes[-1]) else ""
    if any(_WRONG_NAME in cause for cause in causes):
        message = "invalid peer certificate: it is for another name"
    is_connecting = _CONNECTING in causes
    kind: type[httpx.TransportError]
    if isinstance(error, exceptions.PoolTimeoutError):
        kind = httpx.PoolTimeout
    elif isinstance(error, exceptions.RequestTimeoutError):
        kind = httpx.ConnectTimeout if is_connecting else httpx.ReadTimeout
    elif is_connecting:
        kind = httpx.ConnectError
    else:
        kind = httpx.ReadError if isinstance(error, exceptions.NetworkError) else httpx.RemoteProtocolError
    return kind(message)


def read_body(response: httpx.Response) -> bytes:
    """Return the decompressed body of any transport's response, within the limits. Raises UnreadableAnswer, httpx
    errors.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        if not isinstance(response.stream, httpx.SyncByteStream):
            raise TypeError("a synchronous transport is needed")
        for chunk in response.stream:
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise too_large(response.status_code)
    finally:
        response.close()
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    encoding = response.headers.get("content-encoding")
    return inflate(body, encoding, response.status_code) if encoding else body


def inflate(body: bytes, encoding: str, status: int) -> bytes:
    """Decompress gzip or deflate, and stop at the limit, before memory runs out. Raises UnreadableAnswer."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnreadableAnswer(f"the answer ({status}) is compressed in a way nobody asked for", status=status)
    try:
        try:
            return _inflate(body, zlib.MAX_WBITS | 32, status)  # a gzip or a zlib header, whichever there is
        except zlib.error:
            if encoding != "deflate":
                raise
            return _inflate(body, -zlib.MAX_WBITS, status)  # deflate as some servers misunderstand it
    except zlib.error:
        raise UnreadableAnswer(f"the answer ({status}) cannot be decompressed", status=status) from None


def _inflate(body: bytes, window_bits: int, status: int) -> bytes:
    """Decompress a body. If it may exceed the limit, its size is measured first, without keeping anything."""
    if len(body) * MOST_INFLATION > MAX_BODY_BYTES:
        size = 0
        for part in _inflated(body, window_bits):
            size += len(part)
            if size > MAX_BODY_BYTES:
                raise too_large(status)
    return b"".join(_inflated(body, window_bits))


def _inflated(body: bytes, window_bits: int) -> Iterator[bytes]:
    while body:
        stream = zlib.decompressobj(window_bits)
        while not stream.eof:
            part = stream.decompress(body, INFLATE_BYTES)
            body = stream.unconsumed_tail
            if not part and not body and not stream.eof:
                raise zlib.error("cut off")
            yield part
        body = stream.unused_data  # gzip may go on with another member


def too_large(status: int) -> UnreadableAnswer:
    return UnreadableAnswer(f"the answer ({status}) is larger than {MAX_BODY_BYTES >> 20} MiB", status=status)
