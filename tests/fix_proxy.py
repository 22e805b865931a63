"""A TCP proxy that cuts, freezes and drips: toxiproxy's vocabulary in miniature, so that a test decides at which byte.

One thread for each connection carries both ways. A `Toxic` is armed for all connections together and acts once, on
the connection where its moment comes; `rearm` says what is armed next.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""How psycopg says COMMIT to PostgreSQL: a simple query."""
CHUNK = 65536
PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class Toxic:
    """What happens, and when. `way` is up (to the server) or down (to the client).

    With a `message` its moment is the `nth` time that it passes, after `offset` of its bytes; without one it is after
    `offset` bytes of any kind. With `answer`, everything is let through until the other side answers, and that answer
    is kept back.
    """

    action: Literal["reset", "close", "freeze", "drip"]
    way: Literal["up", "down"] = "up"
    offset: int = 0
    message: bytes | None = None
    nth: int = 1
    answer: bool = False
    seen: int = 0

    def moment(self, data: bytes) -> int | None:
        """Return how many of these bytes pass before it acts, or None where its moment has not come."""
        if self.message is None:
            before, self.seen = self.seen, self.seen + len(data)
            return self.offset - before if self.seen >= self.offset else None
        place = -1
        while (place := data.find(self.message, place + 1)) >= 0:
            self.seen += 1
            if self.seen == self.nth:
                return place + self.offset
        return None


@dataclass
class Proxy:
    """Listens on `port` for a server on `target`."""

    target: int
    rearm: Callable[[], Toxic | None] = lambda: None
    latency_seconds: float = 0.0
    port: int = 0
    """Where it listens; 0 is anywhere."""
    acts: int = 0
    """How often a toxic has acted."""
    connections: int = 0
    frozen: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._toxic = self.rearm()
        self._thawed = threading.Event()
        self._is_open = True
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def arm(self, toxic: Toxic | None) -> None:
        """Let this be what happens next; None is nothing."""
        with self._lock:
            self._toxic = toxic
            self.frozen.clear()
            self._thawed.clear()

    def thaw(self) -> None:
        """Cut the connection that is frozen."""
        self._thawed.set()

    def close(self) -> None:
        self._is_open = False
        self._thawed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while self._is_open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), name="proxied", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                _cut(client, reset=True)
                return
            with server, suppress(OSError):
                for one in (client, server):
                    one.settimeout(PATIENCE_SECONDS)
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._carry(client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        """Carry both ways until one side ends or a toxic acts."""
        waiting: Toxic | None = None
        while self._is_open:
            ready, _, _ = select.select([client, server], [], [], 1.0)
            for source in ready:
                way, sink = ("up", server) if source is client else ("down", client)
                data = source.recv(CHUNK)
                if not data:
                    return
                if self.latency_seconds and way == "down":
                    time.sleep(self.latency_seconds)
                if waiting is not None and way != waiting.way:
                    self._act(waiting, client, server, data)
                    return
                toxic, passes = self._meets(way, data)
                if toxic is not None and toxic.answer:
                    waiting, toxic = toxic, None
                if toxic is None:
                    sink.sendall(data)
                    continue
                sink.sendall(data[:passes])
                self._act(toxic, client, server, data[passes:])
                return

    def _meets(self, way: str, data: bytes) -> tuple[Toxic | None, int]:
        with self._lock:
            toxic = self._toxic
            if toxic is None or toxic.way != way or (passes := toxic.moment(data)) is None:
                return None, 0
            self._toxic = self.rearm()
            self.acts += 1
            return toxic, passes

    def _act(self, toxic: Toxic, client: socket.socket, server: socket.socket, rest: bytes) -> None:
        if toxic.action == "drip":
            _drip(client, rest)
        if toxic.action == "freeze":
            self.frozen.set()
            self._thawed.wait(PATIENCE_SECONDS)
        for one in (client, server):
            _cut(one, reset=toxic.action != "close")


def _drip(client: socket.socket, rest: bytes) -> None:
    """Send a byte now and then, until the client has had enough."""
    until = time.monotonic() + PATIENCE_SECONDS
    for number in range(len(rest)):
        client.sendall(rest[number : number + 1])
        if select.select([client], [], [], 0.05)[0] or time.monotonic() > until:
            return


def _cut(one: socket.socket, *, reset: bool) -> None:
    if reset:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


@contextmanager
def running(
    target: int, *, rearm: Callable[[], Toxic | None] = lambda: None, latency_seconds: float = 0.0, port: int = 0
) -> Iterator[Proxy]:
    """Give a running proxy."""
    proxy = Proxy(target, rearm, latency_seconds, port)
    try:
        yield proxy
    finally:
        proxy.close()
