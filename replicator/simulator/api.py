"""The Truedy Calls API as a function from a request to an answer: no sockets, no clock, no sleep.

`Api.handle` decides everything, also how the connection misbehaves; server.py and transport.py do what it decided.
`Api.log` records the requests for the tests. Thread-safe: requests are answered one after the other, under the world's
lock.
"""

from __future__ import annotations

import gzip
import json
import time
from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from replicator.simulator import reading, statement, writing
from replicator.simulator.births import from_us, to_us
from replicator.simulator.deployment import Deployment
from replicator.simulator.exchange import ApiError, Request, Response, error_response
from replicator.simulator.limits import Entry, Limiter, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replicator.simulator.switches import Switches
    from replicator.simulator.world import World

BASE = "/api/public/v1"
KEY = "truedy_simulated_key"
_STORAGE = "/storage/"
_STATEMENTS = "/statements/"
_OK = 200
_CREATED = 201
_ERROR = 500
_CODES = {400: "bad_request", 402: "payment_required", 403: "forbidden", 404: "not_found", 422: "validation_error"}


class Api(Deployment):
    """A deployment that answers requests: with its keys, its limits, and what a test prescribes
    for the next requests.
    """

    def __init__(
        self,
        world: World,
        *,
        keys: Sequence[str] = (KEY,),
        clock: Callable[[], datetime] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(world, seed=seed)
        began, ticks = world.now, time.monotonic()
        self.keys = tuple(keys)
        self.clock = clock or (lambda: began + timedelta(seconds=time.monotonic() - ticks))
        #: Called with each request before it is answered: the place to change the world between two pages.
        self.before: Callable[[Request], None] | None = None
        #: What the next requests get, one each: a status to fail with, a whole Response, or None for the usual answer.
        self.script: deque[int | Response | None] = deque()
        self._known = {f"Bearer {key}": key for key in keys}
        self._limiter = Limiter()
        self._statements: dict[str, statement.Statement] = {}

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        with self.world.lock:
            switches = self.switches
            now = request.now + timedelta(seconds=switches.clock_skew_seconds)
            self.world.advance(now)
            self.requests += 1
            if self.before is not None:
                self.before(request)
            request_id = f"req_{self.requests:012x}"
            kind = _kind(request)
            try:
                response = self._answer(request, kind, request_id, now)
            except ApiError as error:
                response = error_response(error, request_id, now, switches, self.random)
            response = self._misbehave(request, response, now)
            self.log.answered(Entry(now, kind, request.method, request.path, request.query, response.status))
            return response

    def _answer(self, request: Request, kind: str, request_id: str, now: datetime) -> Response:
        switches = self.switches
        if kind == "storage":
            return reading.stored_audio(self, request, request.path.removeprefix(_STORAGE), now)
        if kind == "statement":
            return self._portal(request)
        if kind == "unknown":
            raise ApiError(404, "not_found", "no such path")
        key = self._known.get(request.headers.get("authorization", ""))
        if switches.limiter_per_path:
            self._limit(f"{request.client} {request.path}", now)
        if key is None:
            raise ApiError(401, "unauthorized", "the API key is missing or unknown")
        if not switches.limiter_per_path:
            self._limit(key, now)
        scripted = self.script.popleft() if self.script else None
        if isinstance(scripted, Response):
            return scripted
        if scripted is not None:
            raise ApiError(scripted, _CODES.get(scripted, "internal_error"), "scripted")
        self._refuse()
        return self._dispatch(request, kind, key, request_id, now)

    def _portal(self, request: Request) -> Response:
        """Answer what the vendor's portal has beside the API: a month's statement, what was planted in it, and a correction
        after the month. It counts against no limit.
        """
        if request.headers.get("authorization", "") not in self._known:
            raise ApiError(401, "unauthorized", "the API key is missing or unknown")
        period, _, what = request.path.removeprefix(_STATEMENTS).partition(".")
        try:
            issued = self._statements.get(period) or statement.issue(self.world, period)
        except ValueError:
            raise ApiError(404, "not_found", "no such month") from None
        self._statements[period] = issued
        match what, request.method:
            case "csv", "GET":
                return Response(_OK, issued.text.encode(), (("content-type", "text/csv; charset=utf-8"),))
            case "json", "GET":
                return Response(_OK, json.dumps(issued.as_dict()).encode())
            case "correction", "POST":
                return Response(_OK, json.dumps(statement.correct(self.world, issued)).encode())
        raise ApiError(405, "method_not_allowed", "method not allowed")

    def _refuse(self) -> None:
        """Raise the error with which the account or the deployment answers every request, if there is one."""
        switches = self.switches
        if switches.error_rate and self.random.random() < switches.error_rate:
            raise ApiError(self.random.choice((500, 502, 503, 504)), "internal_error", "an unexpected error occurred")
        if switches.forbidden:
            raise ApiError(403, "forbidden", "this address is not allowed")
        if switches.payment_required:
            raise ApiError(402, "payment_required", "insufficient credits or inactive subscription")

    def _dispatch(self, request: Request, kind: str, key: str, request_id: str, now: datetime) -> Response:
        method, call_id = request.method, request.path[len(BASE) + 7 :].partition("/")[0]
        status = _OK
        match kind, method:
            case "list", "GET":
                return reading.list_calls(self, request, request_id, now)
            case "list", "POST":
                data, status = writing.create_call(self, request, key, now), _CREATED
            case "call", "POST" if call_id == self.switches.bulk_path:
                data = writing.bulk_delete(self, request)
            case "call", "GET":
                data = reading.call_data(self, reading.existing(self, call_id))
            case "call", "PATCH":
                data = writing.update_call(self, request, call_id)
            case "call", "DELETE":
                data = writing.delete_call(self, call_id)
            case "transcript", "GET":
                data = reading.transcript_data(self, call_id)
            case "recording", "GET":
                data = reading.recording_data(self, call_id, now)
            case _:
                raise ApiError(405, "method_not_allowed", "method not allowed")
        return Response(status, b"".join((b'{"data":', data, b',"meta":', self.meta(request_id, now), b"}}")))

    def _limit(self, identity: str, now: datetime) -> None:
        switches, now_us = self.switches, to_us(now)
        self.log.arrived(identity, now_us, switches.window_seconds)
        refusal = self._limiter.admit(identity, now_us, switches)
        if refusal is not None:
            self.log.was_refused(identity, refusal)
            raise _refused(refusal, now_us, switches)

    def _misbehave(self, request: Request, response: Response, now: datetime) -> Response:
        switches = self.switches
        response.delay_seconds += switches.latency_seconds
        if switches.close_after_500 and response.status == _ERROR:
            response.close_connection = True
        if switches.gzip and "gzip" in request.headers.get("accept-encoding", "") and response.status == _OK:
            names = {name for name, _ in response.headers}
            if "content-encoding" not in names:
                response.body = gzip.compress(response.body, 1, mtime=int(now.timestamp()))
                response.headers += (("content-encoding", "gzip"),)
        if switches.connection_cut_rate and self.random.random() < switches.connection_cut_rate:
            response.cut = True
        elif switches.truncated_body_rate and self.random.random() < switches.truncated_body_rate:
            response.truncate_at = self.random.randrange(len(response.body)) if response.body else None
        return response


def _kind(request: Request) -> str:
    path = request.path
    if path.startswith(BASE + "/calls"):
        rest = path[len(BASE) + 6 :]
        if not rest:
            return "list"
        parts = rest.split("/")
        if parts[0] == "" and len(parts) == 2 and parts[1]:  # noqa: PLR2004 - /{id}
            return "call"
        if parts[0] == "" and len(parts) == 3 and parts[2] in {"transcript", "recording"}:  # noqa: PLR2004 - /{id}/…
            return parts[2]
    if path.startswith(_STATEMENTS):
        return "statement"
    return "storage" if path.startswith(_STORAGE) else "unknown"


def _refused(refusal: Refusal, now_us: int, switches: Switches) -> ApiError:
    told = from_us(refusal.told_us).replace(tzinfo=None).isoformat()
    details = {"limit": refusal.limit, "reset_at": told + ("" if switches.reset_at_naive else "Z")}
    headers: tuple[tuple[str, str], ...] = ()
    if switches.rate_headers:
        wait = -(-(refusal.told_us - now_us) // 1_000_000)
        headers = (
            ("retry-after", str(wait)),
            ("x-ratelimit-limit", str(refusal.limit)),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", str(refusal.told_us // 1_000_000)),
        )
    if switches.limiter_answers_500:
        return ApiError(_ERROR, "internal_error", "an unexpected error occurred", headers=headers)
    return ApiError(429, "rate_limited", "too many requests", details, headers)
