"""Serves the simulated API on a real socket: a raw ASGI application on uvicorn.

It does what `Api.handle` decided: waits, cuts connections, sends half a body, closes without notice.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from replicator.errors import ConfigurationError
from replicator.simulator.api import BASE
from replicator.simulator.exchange import Request, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping

    from replicator.simulator.api import Api

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_START_SECONDS = 10.0
_STOP_SECONDS = 5.0


class Application:
    """The ASGI application around an `Api`. To cut a connection, which ASGI cannot express, it uses uvicorn's
    transport.
    """

    def __init__(self, api: Api) -> None:
        self.api = api
        self._turn = asyncio.Lock()
        self._doomed: set[asyncio.Transport] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        client: tuple[str, int] = tuple(scope["client"] or ("", 0))
        connection = _connection(send)
        if connection in self._doomed:
            self._doomed.discard(connection)
            self.api.log.connections_reset += 1
            await _cut(send)
            return
        request = await self._request(scope, receive, client)
        if self.api.switches.one_at_a_time:
            async with self._turn:
                response = self.api.handle(request)
                if response.delay_seconds:
                    await asyncio.sleep(response.delay_seconds)
        else:
            response = self.api.handle(request)
            if response.delay_seconds:
                await asyncio.sleep(response.delay_seconds)
        if response.cut:
            await _cut(send)
            return
        if response.close_connection:
            # Connections that their clients have closed are removed.
            self._doomed = {one for one in self._doomed if not one.is_closing()} | {connection}
        await _send(response, send)

    async def _request(self, scope: Scope, receive: Receive, client: tuple[str, int]) -> Request:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = b""
        if scope["method"] not in {"GET", "HEAD"}:
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
        query = scope["query_string"].decode("latin-1")
        return Request(scope["method"], scope["path"], self.api.clock(), query, headers, body, client[0])


def _connection(send: Send) -> asyncio.Transport:
    connection: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    return connection


async def _send(response: Response, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.truncate_at is None:
        await send({"type": "http.response.body", "body": response.body})
        return
    await send({"type": "http.response.body", "body": response.body[: response.truncate_at], "more_body": True})
    await _cut(send, abort=False)


async def _cut(send: Send, *, abort: bool = True) -> None:
    """End the connection without an answer, or without the rest of one."""
    transport = _connection(send)
    if abort:
        transport.abort()
    else:
        transport.close()
    while not send.__self__.disconnected:  # type: ignore[attr-defined]  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.001)


@contextmanager
def running(api: Api, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve in a thread; yield the base URL. Raises ConfigurationError when the port is taken."""
    listener = _listen(host, port)
    config = uvicorn.Config(
        Application(api),
        loop="auto",
        http="httptools",
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="simulator", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise ConfigurationError("the simulated API did not start")
            time.sleep(0.002)
        yield f"http://{host}:{listener.getsockname()[1]}{BASE}"
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        listener.close()


class Storage:
    """What a storage of its own answers: the files behind the links, and nothing of the API."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.switches = api.switches.but(one_at_a_time=False)
        self.clock = api.clock
        self.log = api.log

    def handle(self, request: Request) -> Response:
        if not request.path.startswith("/storage/"):
            return Response(404, b"<Error><Code>NoSuchKey</Code></Error>", (("content-type", "application/xml"),))
        return self._api.handle(request)


@contextmanager
def storing(api: Api, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve the recordings of `api` at an origin of their own, and let its links lead there; yield that origin."""
    with running(cast("Api", Storage(api)), port, host) as base_url:
        origin = base_url.partition("/api/")[0]
        api.switches = api.switches.but(recording_base_url=origin)
        yield origin


def serve(api: Api, *, host: str = "127.0.0.1", port: int = 0, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called with the base URL. Only for a process's main thread."""
    stop = threading.Event()
    before = {name: signal.signal(name, lambda *_: stop.set()) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        with running(api, port, host) as base_url:
            if ready is not None:
                ready(base_url)
            stop.wait()
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"the simulated API cannot listen on {host}:{port}: {error.strerror}",
            advice="choose another port, or 0 for any free one",
        ) from error
    return listener
