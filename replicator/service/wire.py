"""The HTTP of the live page: uvicorn's protocol within bounds, so that nobody who merely connects can keep others out.

What uvicorn leaves open is closed here. A request has a size and a time; a connection has a time; where all connections
are taken, the one that asked for nothing for longest gives way. A request may name its host in its target as well as in
its Host header: both go to the application. Whoever sends a body, or wants another protocol, is answered and left.
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
"""Of a whole request: its line, headers, body and trailers. A browser's has about one kilobyte."""
REQUEST_SECONDS = 10.0
"""From a request's first byte, or from the connection, to its last byte."""
CONNECTION_SECONDS = 120.0
"""Longer than a page may take to be made and to be read over a slow line."""

_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)(.*)", re.DOTALL)


class Target(NamedTuple):
    """A request's target: the host that it names by itself (None where it names none), and its path with the query."""

    authority: bytes | None
    path: bytes


def target_of(method: bytes, target: bytes) -> Target:
    """Read a request's target in all four forms of RFC 9112: `/path`, `http://host/path`, `host:port` and `*`."""
    if target.startswith(b"/") or (method == b"OPTIONS" and target == b"*"):
        return Target(None, target if target.startswith(b"/") else b"/")
    if found := _ABSOLUTE.fullmatch(target):
        rest = found[2].partition(b"#")[0]
        return Target(found[1], rest if rest.startswith(b"/") else b"/" + rest)
    return Target(target, b"/")  # CONNECT's form, or what is no form at all and names no host of ours


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
        # A proxy in front of us may see another end of such a request than we do: what follows it is not believed.
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
        """End the connection that has asked for nothing, or not for the whole of it, for longest."""
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
            self.connections.discard(oldest)  # now, and not when the loop comes to it: it counts no longer


__all__ = ["MOST_CONNECTIONS", "MOST_REQUEST_BYTES", "BoundedProtocol", "Target", "target_of"]
