"""The live page by attack, on raw sockets: every way in which a request names its host, and what keeps others out."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest

from replicator.service import web, wire
from replicator.service.wire import Target, target_of
from tests.service.test_web import ask, running, site

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = b"Host: localhost\r\n"
WORDS = {
    "content-security-policy": "frame-ancestors 'none'", "x-content-type-options": "nosniff", "x-frame-options": "DENY",
    "referrer-policy": "no-referrer", "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin", "cache-control": "no-store",
}  # fmt: skip
"""What every answer carries."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a live page whose content is "page of 30"."""
    with running(site()) as (_, number):
        yield number


def send(port: int, said: bytes) -> bytes:
    """Send these bytes and return all that comes back until the server closes, or is silent for a while."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(said)
        got = b""
        connection.settimeout(2)
        with contextlib.suppress(OSError):
            while chunk := connection.recv(65536):
                got += chunk
    return got


def statuses(answer: bytes) -> list[int]:
    """Return the status of each answer that came back."""
    return [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")]


def request(target: bytes = b"/", head: bytes = OURS, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return b"%b %b HTTP/%b\r\n%bConnection: close\r\n\r\n" % (method, target, version, head)


@pytest.mark.parametrize(
    ("method", "target", "found"),
    [
        (b"GET", b"/", (None, b"/")), (b"GET", b"/a?b#c", (None, b"/a?b#c")), (b"GET", b"//evil/", (None, b"//evil/")),
        (b"GET", b"http://a", (b"a", b"/")), (b"GET", b"HTTPS://u@a:1/x?y#z", (b"u@a:1", b"/x?y")),
        (b"GET", b"http://a?b", (b"a", b"/?b")), (b"GET", b"http:///x", (b"", b"/x")), (b"GET", b"http://a#@b", (b"a", b"/")),
        (b"GET", b"ftp://a/", (b"ftp://a/", b"/")), (b"CONNECT", b"a:80", (b"a:80", b"/")), (b"OPTIONS", b"*", (None, b"/")),
        (b"GET", b"*", (b"*", b"/")), (b"GET", b"", (b"", b"/")),
    ],
)  # fmt: skip
def test_the_four_forms_of_a_target(method: bytes, target: bytes, found: tuple[bytes | None, bytes]) -> None:
    """Path, URL, host with port, asterisk; what is none of them names a host that nobody has."""
    assert target_of(method, target) == Target(*found)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (request(b"http://evil.example/"), 421),
        (request(b"HTTP://EVIL.example/"), 421),
        (request(b"https://evil.example:80/health"), 421),
        (request(b"http://evil.example"), 421),
        (request(b"http://evil.example?days=30"), 421),
        (request(b"http://localhost@evil.example/"), 421),
        (request(b"http://evil.example@localhost/"), 421),
        (request(b"http://localhost:80@evil.example/"), 421),
        (request(b"http:///"), 421),
        (request(b"ftp://localhost/"), 421),
        (request(b"http://localhost/"), 200),
        (request(b"http://LocalHost.:8080/?days=30"), 200),
        (request(b"http://localhost/health"), 200),
        (request(b"http://localhost/nowhere"), 404),
        (request(b"http://localhost/", b"Host: evil.example\r\n"), 421),
        (request(b"//evil.example/"), 404),
        (request(b"evil.example:80", method=b"CONNECT"), 421),
        (request(b"localhost:80", method=b"CONNECT"), 405),
        (request(b"*", method=b"OPTIONS"), 405),
        (request(b"*", b"Host: evil.example\r\n", method=b"OPTIONS"), 421),
        (request(head=b"Host: localhost\r\nHost: localhost\r\n"), 421),
        (request(head=b"Host: localhost\r\nHost: evil.example\r\n"), 421),
        (request(head=b"Host: localhost, evil.example\r\n"), 421),
        (request(head=b"Host: localhost\r\n evil.example\r\n"), 400),
        (request(head=b"Host: evil.example\r\nX-Forwarded-Host: localhost\r\n"), 421),
        (request(head=b"Host: evil.example\r\nForwarded: host=localhost\r\nX-Host: localhost\r\n"), 421),
        (request(head=b"Host: localhost\r\nX-Forwarded-Host: evil.example\r\n"), 200),
        (request(head=b"Host: user@localhost\r\n"), 421),
        (request(head=b"Host: localhost:8080\r\n"), 200),
        (request(head=b"Host: LOCALHOST.\r\n"), 200),
        (request(head=b"Host: [::1]:8080\r\n"), 200),
        (request(head=b"Host: [::1%25lo]\r\n"), 421),
        (request(head=b"Host: [::1]evil.example\r\n"), 421),
        (request(head=b"Host:\r\n"), 421),
        (request(head=b""), 421),
        (request(head=b"", version=b"1.0"), 421),
        (request(version=b"1.0"), 200),
        (request(b"http://localhost/", b"", version=b"1.0"), 421),
        (b"GET /\r\n\r\n", 421),
        (b"GET / HTTP/0.9\r\n\r\n", 421),
    ],
)
def test_a_request_is_answered_only_where_every_name_in_it_is_ours(port: int, said: bytes, status: int) -> None:
    """In the target, in one Host header or in several: all must be ours, and no other header is asked."""
    answer = send(port, said)
    assert statuses(answer) == [status]
    assert (b"page of" in answer) is (status == 200 and b"health" not in said)


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / X/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"<script>alert(1)</script> / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: %b\r\n\r\n" % (b"a" * wire.MOST_REQUEST_BYTES),
        b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"a" * wire.MOST_REQUEST_BYTES),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000,
    ],
)  # fmt: skip
def test_what_is_no_request_gets_an_answer_with_the_headers_too(port: int, said: bytes) -> None:
    """The parser's own refusals carry them, repeat nothing of what was said, and end the connection."""
    answer = send(port, said)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert statuses(answer) == [400]
    found = dict(line.decode().lower().split(": ", 1) for line in head.split(b"\r\n")[1:])
    for name, word in WORDS.items():
        assert word.lower() in found[name], name
    assert found["connection"] == "close"
    assert body in {b"Invalid HTTP request received.", b"The request is too large."}


def test_what_uvicorn_says_by_itself_has_the_headers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its 503 where too much is under way at once."""
    slow = threading.Event()

    def make(_: int) -> str:
        slow.wait(10)
        return "late"

    monkeypatch.setattr(wire, "MOST_CONNECTIONS", 2)
    with running(site(make)) as (_, number):
        threads = [threading.Thread(target=send, args=(number, request()), daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        answer = ask(number)
        slow.set()
        for thread in threads:
            thread.join(10)
    assert answer.status == 503
    for name, word in WORDS.items():
        assert word in answer.headers[name]


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        b"Content-Length: 6\r\nContent-Length: 7\r\n", b"Content-Length: 6, 6\r\n", b"Content-Length: +6\r\n", b"Content-Length: 0x6\r\n",
        b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Content-Length: 6\r\n", b"Transfer-Encoding: chunked\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n",
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", b"Expect: 100-continue\r\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_a_request_hidden_in_another_one_is_never_answered(port: int, framing: bytes, method: bytes) -> None:
    """Where two readers could see different ends of a request, one answer comes and the connection ends: what follows is not read."""
    hidden = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = send(port, b"%b / HTTP/1.1\r\n%b%b\r\n0\r\n\r\n%b" % (method, OURS, framing, hidden))
    assert len(statuses(answer)) == 1
    assert statuses(answer)[0] in {200, 400, 405}
    assert b"is_fine" not in answer
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("ending", [b"\n", b"\r\r\n", b"\r"])
def test_line_ends_that_others_read_differently(port: int, ending: bytes) -> None:
    """A bare LF or CR smuggles no second header in: no name of ours, no page."""
    answer = send(port, b"GET / HTTP/1.1\r\nHost: evil.example%bHost: localhost\r\nConnection: close\r\n\r\n" % ending)
    assert statuses(answer) in ([400], [421])


def test_websockets_are_not_spoken(port: int) -> None:
    """An upgrade is answered as the plain request that it is."""
    head = OURS + b"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
    answer = send(port, b"GET / HTTP/1.1\r\n%bConnection: Upgrade\r\n\r\n" % head)
    assert statuses(answer) == [200]


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND", b"QUERY"])
def test_a_body_is_not_read(port: int, method: bytes) -> None:
    """Whatever would be done to the page: 405, with a body or without, and TRACE repeats nothing."""
    for body in (b"", b"secret=1"):
        head = b"%bContent-Length: %d\r\nCookie: secret\r\n" % (OURS, len(body))
        answer = send(port, b"%b / HTTP/1.1\r\n%b\r\n%b" % (method, head, body))
        assert statuses(answer) in ([405], [400] if method == b"QUERY" else [405])
        assert b"secret" not in answer


def test_an_endless_body_is_cut(port: int) -> None:
    """A body without an end is left at the bound, whatever the answer takes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % OURS)
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 50_000_000:
                connection.sendall(b"1000\r\n" + bytes(4096) + b"\r\n")
                sent += 4096
    assert sent < 50_000_000


def test_two_requests_on_one_connection(port: int) -> None:
    """Requests without a body are answered one after the other; the bound is for each, not for the connection."""
    one = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: %b\r\n\r\n" % (b"a" * 20_000)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for _ in range(6):
            connection.sendall(one)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def stalled(port: int, said: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    connection.sendall(said)
    return connection


@pytest.mark.parametrize("said", [b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_stalled_connections_keep_nobody_out(said: bytes) -> None:
    """Forty, and three hundred, that say nothing or half a request: everybody else is answered at once."""
    with running(site()) as (_, number), contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(stalled(number, said))
        assert ask(number).status == 200
        for _ in range(260):
            stack.enter_context(stalled(number, said))
            if _ % 50 == 0:
                assert ask(number).status == 200
        assert ask(number, path="/health").status == 200


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_request_has_its_time(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """Who sends nothing, or a byte now and then, is left when the time is over."""
    monkeypatch.setattr(wire, "REQUEST_SECONDS", 0.3)
    with running(site()) as (_, number), stalled(number, said) as connection:
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 400:
                time.sleep(0.05)
                connection.sendall(b"a")
                sent += 1
        assert sent < 400


@pytest.mark.slow
def test_a_client_that_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page larger than all buffers, and nobody who takes it: the connection ends with its time."""
    monkeypatch.setattr(wire, "CONNECTION_SECONDS", 0.5)
    with running(site(make=lambda _: "x" * 50_000_000)) as (_, number):
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", number))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(1.5)
            taken = 0
            with contextlib.suppress(OSError):
                connection.settimeout(5)
                while chunk := connection.recv(1 << 20):
                    taken += len(chunk)
            assert taken < 50_000_000
        monkeypatch.setattr(wire, "CONNECTION_SECONDS", 60.0)
        assert ask(number).status == 200


def test_connections_that_are_reset_leave_nothing(port: int) -> None:
    """Two hundred that break off in the middle: the server goes on."""
    for _ in range(200):
        connection = stalled(port, b"GET / HTTP/1.1\r\nHost: loc")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert ask(port).status == 200


def test_nothing_is_listened_to_but_what_is_named() -> None:
    """On loopback the page is not to be had under another address of this machine."""
    with web.serving(site(), host="127.0.0.1", port=0, stop=threading.Event()) as url:
        number = int(url.rsplit(":", 1)[1].rstrip("/"))
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", number), timeout=2)
