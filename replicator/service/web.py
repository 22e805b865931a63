"""Serves the live page, the health and the metrics of `serve` over HTTP: read only, on loopback unless set otherwise,
without a login.

`Site.answer` decides what is answered and knows no socket; a raw ASGI application on uvicorn carries the answers. A
page is made once per refresh, for however many readers, in a thread for which a stop does not wait. A request is
answered only under a known name. Otherwise a foreign page could let its own name resolve to this server and read the
answer (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qs

from replicator.errors import ConfigurationError, ReplicatorError
from replicator.report import DEFAULT_DAYS
from replicator.report.page import SPANS, header_policy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence

    from replicator.report.rows import Measure, Pulse

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger("replicator.serve")

T = TypeVar("T")

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
WILDCARDS = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 - they are no names, whoever listens on them
START_SECONDS = 10.0
STOP_SECONDS = 0.5
"""How long a stop waits for the server; most of the ten seconds belong to the sync."""
BACKLOG = 64
PULSE_KEPT_SECONDS = 1.0
METRICS_KEPT_SECONDS = 5.0
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_-](?:[a-z0-9_.-]{0,251}[a-z0-9_-])?)\.?(?::[0-9]{0,5})?")
HEADERS = (
    ("Content-Security-Policy", header_policy()),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request. `kind` is its media type, `more` its additional headers."""

    status: int
    kind: str
    body: bytes
    more: tuple[tuple[str, str], ...] = ()


def host_of(named: str) -> str:
    """Return the host name in a Host header or a target, without port and final dot, in lower case; empty where it is
    invalid.

    A user before the name, a zone behind it, white space, and anything else that programs interpret differently is
    invalid.
    """
    found = _HOST.fullmatch(named.lower())
    return found[1] if found else ""


def names_of(host: str, more: Sequence[str]) -> frozenset[str]:
    """Return the host names under which the page is served."""
    own = () if host in WILDCARDS else (f"[{host}]" if ":" in host and not host.startswith("[") else host,)
    return frozenset(name.lower() for name in (*LOOPBACK, *own, *more))


class Kept(Generic[T]):
    """Something that is made anew when it is older than some seconds, by one reader at a time, however many there are:
    the sync needs the database's connections. What cannot be made is not kept; the error is the reader's.
    """

    def __init__(self, make: Callable[[], T], seconds: float, clock: Callable[[], float]) -> None:
        self._make, self._seconds, self._clock = make, seconds, clock
        self._turn = threading.Lock()
        self._made: tuple[float, T] | None = None

    def get(self) -> T:
        """Return it, at most so many seconds old."""
        with self._turn:
            if self._made is None or self._clock() - self._made[0] >= self._seconds:
                made = self._make()
                self._made = (self._clock(), made)
            return self._made[1]


class Site:
    """Decides what is answered. `make` makes the page for a number of days; `pulse` asks the database for its health,
    `measure` for the metrics of `account`.
    """

    def __init__(
        self,
        make: Callable[[int], str],
        pulse: Callable[[], Pulse],
        measure: Callable[[], Sequence[Measure]],
        *,
        account: str,
        names: frozenset[str],
        keep_seconds: float,
        fresh_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = names
        self._account = account
        self._fresh_seconds = fresh_seconds
        # One page at a time, over whatever period: it asks the database for the most.
        self._turn = threading.Lock()
        self._pages = {days: Kept(partial(make, days), keep_seconds, clock) for days in SPANS}
        self._pulse = Kept(lambda: _asked(pulse), PULSE_KEPT_SECONDS, clock)
        self._measures = Kept(lambda: _asked(measure), METRICS_KEPT_SECONDS, clock)

    def answer(self, method: str, path: str, query: str, hosts: Sequence[str], authority: str | None = None) -> Answer:
        """Return the answer to a request. `hosts` are its Host headers; `authority` is the host in
        its target, or None.
        """
        named = [*hosts, *(() if authority is None else (authority,))]
        if len(hosts) != 1 or any(host_of(one) not in self._names for one in named):
            return _plain(421, "this name is not served here; REPLICATOR_HTTP_NAMES lists the names that are")
        if method not in {"GET", "HEAD"}:
            return Answer(405, "text/plain", b"read only\n", (("Allow", "GET, HEAD"),))
        if path == "/health":
            return self._health()
        if path == "/metrics":
            return self._metrics()
        if path != "/":
            return _plain(404, "here are /, /health and /metrics")
        days = self._days(query)
        if days is None:
            return _plain(404, f"?days= is one of {', '.join(str(one) for one in SPANS)}")
        return self._page(days)

    @staticmethod
    def _days(query: str) -> int | None:
        asked = parse_qs(query, keep_blank_values=True).get("days", [str(DEFAULT_DAYS)])
        return next((days for days in SPANS if asked == [str(days)]), None)

    def _page(self, days: int) -> Answer:
        try:
            with self._turn:
                body = self._pages[days].get()
        except ReplicatorError as error:
            log.warning("the page could not be made: %s", error.message)
            return _plain(503, "the page cannot be made at the moment; the service's log says why")
        return Answer(200, "text/html", body.encode())

    def _metrics(self) -> Answer:
        """Return the metrics. Without the database there are few, and one of them says so."""
        from replicator.service import metrics  # noqa: PLC0415 - only a service that is asked for them needs the library

        return Answer(200, metrics.KIND, metrics.exposition(self._measures.get(), self._account))

    def _health(self) -> Answer:
        """Report whether database, lease and freshness are good, without a name, an address or a row."""
        found = self._pulse.get()
        is_database = found is not None
        is_lease = found is not None and found.is_lease_held
        lag = None if found is None else found.lag_seconds
        is_fresh = lag is not None and lag <= self._fresh_seconds
        is_fine = is_database and is_lease and is_fresh
        facts = {
            "is_fine": is_fine,
            "database": is_database,
            "lease": is_lease,
            "freshness": is_fresh,
            "lag_seconds": None if lag is None else round(lag, 1),
            "most_lag_seconds": self._fresh_seconds,
            "budgets_exceeded": None if found is None else found.budgets_exceeded,
            "recordings_near_deadline": None if found is None else found.near_deadline_recordings,
        }
        return Answer(200 if is_fine else 503, "application/json", json.dumps(facts).encode() + b"\n")


def _asked(ask: Callable[[], T]) -> T | None:
    """Return what the database says; None where it cannot be asked."""
    try:
        return ask()
    except ReplicatorError:
        return None


def _plain(status: int, text: str) -> Answer:
    return Answer(status, "text/plain", text.encode() + b"\n")


class Application:
    """The ASGI application around a `Site`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        method, query, state = scope["method"], scope["query_string"].decode("latin-1"), scope["state"]
        authority = None if state["authority"] is None else state["authority"].decode("latin-1")
        try:
            answer = await _aside(lambda: self._answer(method, scope["path"], query, hosts, authority))
        except asyncio.CancelledError:  # a stop while the page is made
            answer = _plain(503, "the service is stopping")
        headers = [
            ("Content-Type", f"{answer.kind}; charset=utf-8"),
            ("Content-Length", str(len(answer.body))),
            *([("Connection", "close")] if state["is_last"] else []),
            *answer.more,
        ]
        encoded = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})

    def _answer(self, method: str, path: str, query: str, hosts: Sequence[str], authority: str | None) -> Answer:
        try:
            return self._site.answer(method, path, query, hosts, authority)
        except Exception as error:  # noqa: BLE001 - its text may quote a row
            log.error("the page failed by a defect: %s", type(error).__name__)  # noqa: TRY400 - see above
            return _plain(500, "a defect of the replicator; the service's log names it")


async def _aside(work: Callable[[], Answer]) -> Answer:
    """Do the work in a thread for which the end of the process does not wait, unlike an executor's thread."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer) -> None:
        if not done.done():
            done.set_result(answer)

    def run() -> None:
        answer = work()
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the answer is not needed any more
            loop.call_soon_threadsafe(settle, answer)

    threading.Thread(target=run, name="page", daemon=True).start()
    return await done


@contextmanager
def serving(site: Site, *, host: str, port: int, stop: threading.Event) -> Iterator[str]:
    """Serve in a thread until `stop` is set or the block ends; yield the URL.

    Raises ConfigurationError where it cannot listen on the port or the server does not start.
    """
    listener = _listen(host, port)
    import uvicorn  # noqa: PLC0415 - only a service that shows the page needs it

    from replicator.service.wire import MOST_CONNECTIONS, BoundedProtocol  # noqa: PLC0415 - it imports uvicorn

    config = uvicorn.Config(
        Application(site),
        loop="auto",
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        headers=list(HEADERS),
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )
    # The application logs errors itself, without quoting rows; uvicorn would add a traceback at each stop.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    config.load()
    server = uvicorn.Server(config)
    # These headers go on every answer, also on uvicorn's own; uvicorn itself would add them only after it has started.
    server.server_state.default_headers = config.encoded_headers
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web", daemon=True)

    def end() -> None:
        stop.wait()
        server.should_exit = True

    thread.start()
    threading.Thread(target=end, name="web stop", daemon=True).start()
    try:
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise ConfigurationError("the page's server did not start")
            time.sleep(0.005)
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"the page cannot listen on {host}:{port}: {error.strerror}",
            advice="choose another REPLICATOR_HTTP_PORT or REPLICATOR_HTTP_HOST, or leave the port out",
        ) from None
    return listener


__all__ = ["HEADERS", "Answer", "Application", "Site", "host_of", "names_of", "serving"]
