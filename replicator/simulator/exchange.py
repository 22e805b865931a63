"""Requests, answers, and the envelope around an answer's data. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replicator.simulator.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from random import Random

    from replicator.simulator.switches import Switches

Headers = tuple[tuple[str, str], ...]
_JSON: Headers = (("content-type", "application/json"),)
_MIXED_SHAPES = ("detail", "inside", "detail_string", "detail_array")
_PROXY_STATUSES = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Request:
    """A client's request. Header names are lower-case; `now` is the caller's time, to which the clock skew is added."""

    method: str
    path: str
    now: datetime
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = "127.0.0.1"


@dataclass(slots=True)
class Response:
    """What the server does: it answers after `delay_seconds`, cuts the connection, or sends only
    `truncate_at` bytes.
    """

    status: int
    body: bytes = b""
    headers: Headers = _JSON
    delay_seconds: float = 0.0
    cut: bool = False
    truncate_at: int | None = None
    close_connection: bool = False


class ApiError(Exception):
    """An error answer, raised where the error is found."""

    def __init__(
        self, status: int, code: str, message: str, details: Any = None, headers: Headers = (), delay: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details
        self.headers, self.delay_seconds = headers, delay


def validation(message: str, details: Any = None) -> ApiError:
    """Return the contract's 422."""
    return ApiError(422, "validation_error", message, details)


def not_found(message: str = "not found") -> ApiError:
    """Return a 404."""
    return ApiError(404, "not_found", message)


def meta(request_id: str, now: datetime, switches: Switches) -> bytes:
    """Return the envelope's `meta`, without its closing brace."""
    ts = now.replace(tzinfo=None).isoformat(timespec="microseconds")
    zone = "" if switches.meta_ts_naive else "Z"
    return f'{{"request_id":"{request_id}","ts":"{ts}{zone}"'.encode()


def error_response(error: ApiError, request_id: str, now: datetime, switches: Switches, random: Random) -> Response:
    """Return an error in the deployment's shape, or in that of a proxy in front of it."""
    if error.status in _PROXY_STATUSES and switches.proxy_errors and error.code != "provider_error":
        return _proxy_response(error, switches)
    inner: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details is not None:
        inner["details"] = error.details
    ts = now.replace(tzinfo=None).isoformat(timespec="microseconds") + ("" if switches.meta_ts_naive else "Z")
    about = {"request_id": request_id, "ts": ts}
    shape: str = switches.error_shape
    if shape == "mixed":
        # An answer with details has a shape with a place for them; the others have any shape.
        shape = random.choice(_MIXED_SHAPES[:2] if error.details is not None else _MIXED_SHAPES)
    body: Any
    match shape:
        case "detail":
            body = {"detail": {"error": inner}}
        case "inside":
            body = {"error": {**inner, **about}}
        case "detail_string":
            body = {"detail": error.message}
        case "detail_array":
            body = {"detail": [{"loc": ["query"], "msg": error.message, "type": error.code}]}
        case _:
            body = {"error": inner, "meta": about}
    return Response(error.status, to_json(body), _JSON + error.headers, error.delay_seconds)


def _proxy_response(error: ApiError, switches: Switches) -> Response:
    if switches.proxy_errors == "html":
        body = f"<html><head><title>{error.status}</title></head><body><h1>{error.status}</h1></body></html>".encode()
        return Response(error.status, body, (("content-type", "text/html"),), error.delay_seconds)
    if switches.proxy_errors == "empty":
        return Response(error.status, b"", (), error.delay_seconds)
    body = to_json({"message": "upstream error", "status": error.status})
    return Response(error.status, body, (("content-type", "application/octet-stream"),), error.delay_seconds)
