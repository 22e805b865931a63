"""Limits uvicorn's HTTP protocol for the live page, so that clients that only connect cannot keep other clients out.

It adds the limits that uvicorn does not have. A request has a maximum size and time; a connection has a maximum time.
If all connections are taken, the one that has been idle for longest is closed. A request may name its host in its
target as well as in its Host header: both are given to the application. After a request with a body or for another
protocol, the connection is closed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn.config import Config
    from uvicorn.server import ServerState

MOST_CONNECTIONS = 64
MOST_REQUEST_BYTES = 64 * 1024
"""The size of a whole request: its line, headers, body and trailers. A browser's request has about one kilobyte."""
REQUEST_SECONDS = 10.0
"""The time from a request's first byte, or from the start of the connection, to the request's last byte."""
CONNECTION_SECONDS = 120.0
"""The longest life of a connection: longer than making a page and reading it over a slow line may take."""

_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)(.*)", re.DOTALL)


class Target(NamedTuple):
    """A request's target: the host in it (None where it has none), and its path with the query."""

    authority: bytes | None
    path: bytes


def target_of(method: bytes, target: bytes) -> Target:
    """Read a request's target in all four forms of RFC 9112: `/path`, `http://host/path`, `host:port` and `*`."""
    if target.startswith(b"/") or (method == b"OPTIONS" and target == b"*"):
        return Target(None, target if target.startswith(b"/") else b"/")
    if found := _ABSOLUTE.fullmatch(target):
        rest = found[2].partition(b"#")[0]
        return Target(found[1], rest if rest.startswith(b"/") else b"/" + rest)
    return Target(target, b"/")  # the form of CONNECT, or an invalid form; it names no host that is served


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._received = 0
        self._quiet_since = self.loop.time()
        self._until_asked: asyncio.TimerHandle | None = None
        self._until_over: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._until_over = self.loop.call_later(CONNECTION_SECONDS, transport.abort)
        self._await_request()
        if len(self.connections) >= MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._until_asked, self._until_over):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._await_request()
        self._received += len(data)
        if self._received > MOST_REQUEST_BYTES:
            self.send_400_response("The request is too large.")
            return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        authority, self.url = target_of(self.parser.get_method(), self.url)
        self.scope["state"]["authority"] = authority
        # A proxy may see another end of such a request than we do, so the connection is closed after the answer.
        self.scope["state"]["is_last"] = any(
            name in {b"content-length", b"transfer-encoding", b"upgrade", b"expect"} for name, _ in self.headers
        )
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._received = 0
        if self._until_asked is not None:
            self._until_asked.cancel()
            self._until_asked = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._quiet_since = self.loop.time()
        super().on_response_complete()

    def _await_request(self) -> None:
        if self._until_asked is None:
            self._until_asked = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _make_room(self) -> None:
        """Close the connection that has been idle, or sent only a part of a request, for longest."""
        idle = [
            other
            for other in self.connections
            if isinstance(other, BoundedProtocol)
            and other is not self
            and not other.transport.is_closing()
            and (other.cycle is None or other.cycle.response_complete)
        ]
        if idle:
            oldest = min(idle, key=lambda other: other._quiet_since)  # noqa: SLF001 - one of us
            oldest.transport.abort()
            self.connections.discard(oldest)  # at once, so that it no longer counts; the loop would do it later


__all__ = ["MOST_CONNECTIONS", "MOST_REQUEST_BYTES", "BoundedProtocol", "Target", "target_of"]
