"""A real HTTP server on a real socket whose every byte the test decides, and rows that look like the vendor's."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Behaviour = Callable[["Wire", bytes], None]

CALL_ID = "44ec8f61-6d9a-4553-a6ca-777f5f5ef95b"
AGENT_ID = "1f4baf16-1540-4d91-9696-7f34b2f2cb77"


def call_row(**changes: Any) -> dict[str, Any]:
    """Return a call as the contract shows it."""
    return {
        "id": CALL_ID,
        "agent_id": AGENT_ID,
        "phone_number": "+14155550123",
        "from_number": "+14155550100",
        "direction": "outbound",
        "status": "completed",
        "started_at": "2026-02-03T10:00:05Z",
        "ended_at": "2026-02-03T10:02:05.250000Z",
        "duration_seconds": 120,
        "cost_usd": 0.1234,
        "summary": "The customer asked about the bill.",
        "recording_url": "https://audio.example/rec/1.mp3?X-Amz-Signature=abc",
        "context": {"campaign_id": "spring", "last_error": None},
        "created_at": "2026-02-03T10:00:00.123456Z",
        "updated_at": "2026-02-03T10:03:00Z",
    } | changes


def answer(body: Any, status: int = 200, *headers: str) -> bytes:
    """Return a whole HTTP answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + content


class Wire:
    """One server-side connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.served = 0
        self.is_open = True

    def send(self, content: bytes) -> None:
        self.connection.sendall(content)

    def close(self) -> None:
        self.is_open = False
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


class Server:
    """Counts and keeps every request that arrives and answers as `behaviour` says."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.connections = 0
        self._wires: list[Wire] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/public/v1"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            wire = Wire(connection)
            thread = threading.Thread(target=self._serve, args=(wire,), daemon=True)
            with self._lock:
                self.connections += 1
                self._wires.append(wire)
                self._threads.append(thread)
            thread.start()

    def _serve(self, wire: Wire) -> None:
        received = b""
        with contextlib.suppress(OSError):
            while wire.is_open:
                while (length := _request_length(received)) is None or len(received) < length:
                    if not (more := wire.connection.recv(65536)):
                        wire.close()
                        return
                    received += more
                request, received = received[:length], received[length:]
                with self._lock:
                    self.requests.append(request)
                wire.served += 1
                self.behaviour(wire, request)
        wire.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in self._wires:
            wire.close()
        for thread in self._threads:
            thread.join(timeout=5)


def _request_length(received: bytes) -> int | None:
    head, end, _ = received.partition(b"\r\n\r\n")
    if not end:
        return None
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line.partition(b":")[2])
    return len(head) + 4


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers; each argument is one whole answer for every request, or a behaviour."""
    servers: list[Server] = []

    def start(behaviour: Behaviour | bytes) -> Server:
        def always(wire: Wire, _request: bytes) -> None:
            wire.send(behaviour)  # type: ignore[arg-type]

        servers.append(Server(always if isinstance(behaviour, bytes) else behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    return call_row


@pytest.fixture
def http_answer() -> Callable[..., bytes]:
    return answer
