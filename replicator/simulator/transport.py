"""Answers httpx from the simulated API without sockets and in virtual time, so that a wait of a minute takes no time.

A wait advances the clock of the transport; a wait longer than the request's read timeout is a ReadTimeout.
"""

from __future__ import annotations

from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

import httpx

from replicator.simulator.exchange import Request

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.simulator.api import Api
    from replicator.simulator.exchange import Response


class VirtualClock:
    """A clock that advances only when told to. It is callable, and `sleep` replaces time.sleep."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._lock = Lock()

    def __call__(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += timedelta(seconds=max(0.0, seconds))


class SimulatedTransport(httpx.BaseTransport):
    """An httpx transport that asks an `Api` directly.

    It has one connection: if that was closed without notice, the next request is reset.
    """

    def __init__(self, api: Api, clock: VirtualClock | None = None) -> None:
        self.api = api
        self.clock = clock or VirtualClock(api.world.now)
        self._doomed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or raise the error that httpx raises for such a network failure."""
        body = request.read()
        if self._doomed:
            self._doomed = False
            self.api.log.connections_reset += 1
            raise httpx.ReadError("the connection was reset", request=request)
        response = self.api.handle(
            Request(
                request.method,
                request.url.path,
                self.clock(),
                request.url.query.decode("ascii"),
                {name.lower(): value for name, value in request.headers.items()},
                body,
            )
        )
        self._wait(request, response)
        if response.cut:
            raise httpx.ReadError("the connection was reset", request=request)
        self._doomed = response.close_connection
        headers = [*response.headers, ("content-length", str(len(response.body)))]
        if response.truncate_at is not None:
            stream = _Truncated(response.body[: response.truncate_at])
            return httpx.Response(response.status, headers=headers, stream=stream, request=request)
        body = b"" if request.method == "HEAD" else response.body
        return httpx.Response(response.status, headers=headers, stream=httpx.ByteStream(body), request=request)

    def _wait(self, request: httpx.Request, response: Response) -> None:
        patience = request.extensions.get("timeout", {}).get("read")
        if patience is not None and response.delay_seconds > patience:
            self.clock.sleep(patience)
            raise httpx.ReadTimeout("the answer took too long", request=request)
        self.clock.sleep(response.delay_seconds)


class _Truncated(httpx.SyncByteStream):
    def __init__(self, part: bytes) -> None:
        self._part = part

    def __iter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
        yield self._part
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
