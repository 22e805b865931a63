"""The wire: one send per call, bounded bodies, deadlines. Against real sockets."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from replicator.errors import NotTheApi, RateLimited, SourceError, SourceUnavailable, UnreadableAnswer
from replicator.source import transport as transport_module
from replicator.source.client import Reader
from replicator.source.transport import LeanTransport, inflate, prepared

if TYPE_CHECKING:
    from pathlib import Path

KEY = "truedy_secret_0123456789"
EMPTY = b'{"data": [], "meta": {}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(EMPTY), EMPTY)


def close_at_once(wire: Any, _request: bytes) -> None:
    wire.close()


def close_after_the_answer(wire: Any, _request: bytes) -> None:
    wire.send(ANSWER)
    wire.close()


def close_in_the_answer(wire: Any, _request: bytes) -> None:
    wire.send(ANSWER[:25])
    wire.close()


def close_on_the_second(wire: Any, _request: bytes) -> None:
    if wire.served == 1:
        wire.send(ANSWER)
    else:
        wire.close()


def reset_on_the_second(wire: Any, _request: bytes) -> None:
    if wire.served == 1:
        wire.send(ANSWER)
    else:
        wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.connection.close()
        wire.is_open = False


@pytest.mark.parametrize("ask", ["list_calls", "create_call"])
@pytest.mark.parametrize(
    "behaviour", [close_at_once, close_after_the_answer, close_in_the_answer, close_on_the_second, reset_on_the_second]
)
def test_nothing_is_sent_twice(serve: Any, behaviour: Any, ask: str) -> None:
    """However the server cuts connections, fresh or pooled, no call of ours arrives there more than once."""
    from replicator.source.client import Client  # noqa: PLC0415 - only this test writes

    server, calls, failed = serve(behaviour), 60, 0
    with Client(server.url, KEY) as client:
        for number in range(calls):
            before = len(server.requests)
            try:
                if ask == "list_calls":
                    client.list_calls()
                else:
                    client.create_call(agent_id="1f4baf16-1540-4d91-9696-7f34b2f2cb77", phone_number=f"+1{number}")
            except SourceUnavailable:
                failed += 1
            except UnreadableAnswer:
                pass
            assert len(server.requests) - before <= 1
    if behaviour in (close_at_once, close_in_the_answer):
        assert (failed, len(server.requests)) == (calls, calls)
    elif behaviour is not close_after_the_answer:
        assert (failed, len(server.requests)) == (calls // 2, calls)


def test_a_connection_is_used_again(serve: Any) -> None:
    """A hundred calls, one after the other, take one connection."""
    server = serve(ANSWER)
    with Reader(server.url, KEY) as reader:
        for _ in range(100):
            reader.list_calls()
    assert (server.connections, len(server.requests)) == (1, 100)


@pytest.mark.parametrize("kind", ["silent", "drip"])
def test_the_deadline_covers_the_whole_request(serve: Any, kind: str) -> None:
    """A server that is silent, or sends a byte now and then for ever, is left at the deadline."""
    stop = threading.Event()

    def behave(wire: Any, _request: bytes) -> None:
        if kind == "drip":
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.05):
            if kind == "drip":
                wire.send(b" ")

    with Reader(serve(behave).url, KEY, timeout_seconds=0.4) as reader:
        started = time.monotonic()
        with pytest.raises(SourceUnavailable, match="no answer in time"):
            reader.list_calls()
        assert 0.3 < time.monotonic() - started < 3
    stop.set()


def test_nobody_listening_is_unavailable() -> None:
    """A refused connection says so, and that it was never sent."""
    refused = r"GET /calls: cannot connect \(Connection refused"
    with Reader("http://127.0.0.1:1/v1", KEY) as reader, pytest.raises(SourceUnavailable, match=refused):
        reader.list_calls()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Content-Encoding: gzip", gzip.compress(EMPTY, mtime=0)),
        (b"Content-Encoding: x-gzip", gzip.compress(EMPTY, mtime=0)),
        (b"Content-Encoding: GZIP", gzip.compress(EMPTY[:9], mtime=0) + gzip.compress(EMPTY[9:], mtime=0)),
        (b"Content-Encoding: deflate", zlib.compress(EMPTY)),
        (b"Content-Encoding: deflate", zlib.compress(EMPTY, wbits=-15)),
        (b"Content-Encoding: identity", EMPTY),
        (b"X-Nothing: 1", EMPTY),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_compressed_answers_are_read(serve: Any, head: bytes, body: bytes, is_chunked: bool) -> None:
    """gzip in one or more members, deflate in both meanings, plain; with a length or in chunks."""
    if is_chunked:
        half = len(body) // 2
        parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]))
        content = b"HTTP/1.1 200 OK\r\n%b\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (head, parts)
    else:
        content = b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
    with Reader(serve(content).url, KEY) as reader:
        assert reader.list_calls().rows == 0


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", b"no gzip"), ("gzip", gzip.compress(EMPTY, mtime=0)[:-12]), ("br", b"x"), ("gzip, gzip", b"x")],
)
def test_a_body_that_cannot_be_decompressed_is_unreadable(serve: Any, encoding: str, body: bytes) -> None:
    """Broken, cut, or compressed in a way that was not asked for."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(body))
    with Reader(serve(head + body).url, KEY) as reader, pytest.raises(UnreadableAnswer):
        reader.list_calls()


@pytest.mark.parametrize("shape", ["one stream", "many members"])
def test_a_gzip_bomb_takes_no_memory(serve: Any, shape: str) -> None:
    """Two megabytes that would become two gigabytes are left at 64 MiB."""
    packer = zlib.compressobj(9, wbits=31)
    begin = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = begin + 2047 * block if shape == "one stream" else 32 * gzip.compress(bytes(64 << 20), mtime=0)
    assert len(bomb) < 3_000_000
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    tracemalloc.start()
    try:
        with Reader(serve(head + bomb).url, KEY) as reader, pytest.raises(UnreadableAnswer, match="64 MiB"):
            reader.list_calls()
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(("status", "kind"), [(200, UnreadableAnswer), (500, SourceUnavailable), (302, NotTheApi)])
def test_endless_bodies_are_left(
    serve: Any, monkeypatch: pytest.MonkeyPatch, is_chunked: bool, status: int, kind: type[SourceError]
) -> None:
    """Past the bound nothing more is read, whether the length was announced or not; the status still counts."""
    monkeypatch.setattr(transport_module, "MAX_BODY_BYTES", 1024 * 1024)
    sent = 0

    def behave(wire: Any, _request: bytes) -> None:
        nonlocal sent
        framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: 1000000000"
        wire.send(b"HTTP/1.1 %d X\r\n%b\r\n\r\n" % (status, framing))
        piece = b"10000\r\n" + bytes(65536) + b"\r\n" if is_chunked else bytes(65536)
        while True:
            wire.send(piece)
            sent += len(piece)

    with Reader(serve(behave).url, KEY, timeout_seconds=20) as reader, pytest.raises(kind):
        reader.list_calls()
    assert sent < 50_000_000


@pytest.mark.parametrize("body", ["cut off", "too large", "no gzip"])
def test_a_refusal_counts_whatever_its_body_is(serve: Any, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Its headers have come: how long to wait is known, though the body breaks off or says nothing that can be read."""
    monkeypatch.setattr(transport_module, "MAX_BODY_BYTES", 1000)
    length, encoding = (5000, b"") if body != "no gzip" else (7, b"Content-Encoding: gzip\r\n")
    head = b"HTTP/1.1 429 X\r\nRetry-After: 17\r\n%bContent-Length: %d\r\n\r\n" % (encoding, length)

    def behave(wire: Any, _request: bytes) -> None:
        wire.send(head + (b"x" * 5000 if body == "too large" else b"no gzip"))
        wire.close()

    with Reader(serve(behave).url, KEY, timeout_seconds=20) as reader, pytest.raises(RateLimited) as caught:
        reader.list_calls()
    assert caught.value.retry_after_seconds == 17


def test_prepared_headers_show_no_key() -> None:
    """Whoever prints them, or an error that holds them, prints no key."""
    assert KEY not in repr(prepared(httpx.Headers({"Authorization": f"Bearer {KEY}", "Accept": "application/json"})))


def test_inflate_stops_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly the bound is fine, one byte more is not, also when spread over members."""
    monkeypatch.setattr(transport_module, "MAX_BODY_BYTES", 1000)
    assert len(inflate(gzip.compress(bytes(1000)), "gzip", 200)) == 1000
    for body in (gzip.compress(bytes(1001)), gzip.compress(bytes(600)) + gzip.compress(bytes(600))):
        with pytest.raises(UnreadableAnswer):
            inflate(body, "gzip", 200)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl for a certificate")
def test_tls_is_verified(tmp_path: Path) -> None:
    """A certificate that nobody vouches for is refused before the key is sent; a trusted one is taken."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve_tls, args=(listener, context, received), daemon=True)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}/v1"
        with Reader(url, KEY) as reader, pytest.raises(SourceUnavailable, match="cannot connect"):
            reader.list_calls()
        assert received == []
        with Reader(url, KEY, transport=LeanTransport(root_certificate_pem=certificate.read_bytes())) as reader:
            assert reader.list_calls().rows == 0
        thread.join(timeout=5)
    assert b"Bearer" in received[0]


def _serve_tls(listener: socket.socket, context: ssl.SSLContext, received: list[bytes]) -> None:
    while not received:
        connection, _ = listener.accept()
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    received.append(secure.recv(65536))
                    secure.sendall(ANSWER)
            except OSError:
                continue


def test_the_transport_speaks_httpx(serve: Any) -> None:
    """It can stand below an httpx.Client as well, and raises httpx's own exceptions."""
    server = serve(ANSWER)
    with httpx.Client(transport=LeanTransport(timeout_seconds=5)) as client:
        assert client.get(server.url).json() == {"data": [], "meta": {}}
        with pytest.raises(httpx.ConnectError):
            client.get("http://127.0.0.1:1/")
