"""What an answer's status means: one error for each, and nothing of what the server says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.errors import (
    BadKey,
    Forbidden,
    NotFound,
    NotTheApi,
    PaymentRequired,
    RateLimited,
    RequestRefused,
    SourceError,
    SourceUnavailable,
)
from replicator.source.statuses import is_success, refusal

pytestmark = pytest.mark.pure

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
SAID = {"error": {"code": "some_code", "message": "phone +14155550123 was rude"}, "meta": {"ts": "2026-02-03T12:00:00"}}


def refused(
    status: int, body: Any = SAID, *, is_collection: bool = False, key: str = "", **headers: str
) -> SourceError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refusal("GET /calls", status, raw, headers, is_collection=is_collection, key=key)


@pytest.mark.parametrize(("status", "expected"), [(199, False), (200, True), (204, True), (299, True), (300, False)])
def test_success_is_200_to_299(status: int, expected: bool) -> None:
    """No redirect and nothing provisional is one."""
    assert is_success(status) is expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused), (401, BadKey), (402, PaymentRequired), (403, Forbidden), (404, NotFound),
        (405, RequestRefused), (408, SourceUnavailable), (409, RequestRefused), (418, RequestRefused), (422, RequestRefused),
        (425, SourceUnavailable), (429, RateLimited), (499, RequestRefused), (500, SourceUnavailable), (599, SourceUnavailable),
        (100, NotTheApi), (301, NotTheApi), (304, NotTheApi), (399, NotTheApi),
    ],
)  # fmt: skip
def test_every_status_has_its_error(status: int, kind: type[SourceError]) -> None:
    """With the request, the status, the API's code and the server's clock, and none of the server's own words."""
    error = refused(status)
    assert type(error) is kind
    assert (error.status, error.code, error.server_time) == (status, "some_code", NOON)
    assert error.message == f"GET /calls answered {status} (some_code)"


@pytest.mark.parametrize(
    ("body", "is_collection", "kind"),
    [
        (SAID, False, NotFound), ({"detail": "Not Found"}, False, NotFound), (b"", False, SourceUnavailable),
        (b"<html>", False, SourceUnavailable), (b"{}", False, SourceUnavailable), (b"[]", False, SourceUnavailable),
        (SAID, True, NotTheApi), (b"", True, NotTheApi), (b"<html>", True, NotTheApi),
    ],
)  # fmt: skip
def test_only_the_api_can_say_that_something_is_not_there(
    body: Any, is_collection: bool, kind: type[SourceError]
) -> None:
    """A proxy's 404 proves no call's absence, and a 404 for the list means that this is not the API."""
    assert type(refused(404, body, is_collection=is_collection)) is kind


def test_a_rate_limit_tells_when_to_go_on() -> None:
    """What the body says of its end and its limit, and what a header says of the wait."""
    body = {"error": {"code": "rate_limited", "details": {"reset_at": "2026-02-03T12:01:00Z", "limit": 100}}}
    error = refused(429, body)
    assert isinstance(error, RateLimited)
    assert (error.reset_at, error.limit, error.retry_after_seconds) == (NOON.replace(minute=1), 100, None)
    error = refused(429, b"", **{"retry-after": "7"})
    assert isinstance(error, RateLimited)
    assert (error.reset_at, error.limit, error.retry_after_seconds) == (None, None, 7.0)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, {"error": {"code": "rate_limit_exceeded"}}, RateLimited),
        (503, {"error": {"code": "TOO_MANY_REQUESTS"}}, RateLimited),
        (500, {"error": {"details": {"reset_at": "2026-02-03T12:01:00"}}}, RateLimited),
        (500, {"error": {"code": "internal_error"}}, SourceUnavailable),
        (400, {"error": {"code": "rate_limit_exceeded"}}, RequestRefused),
        (403, {"error": {"code": "rate_limit_exceeded"}}, Forbidden),
    ],
)  # fmt: skip
def test_an_older_deployments_500_may_be_a_rate_limit(status: int, body: Any, kind: type[SourceError]) -> None:
    """Where its body speaks of one; a 4xx means what it says."""
    assert type(refused(status, body)) is kind


def test_a_503_with_retry_after_is_maintenance() -> None:
    """The header alone makes no rate limit."""
    assert type(refused(503, b"", **{"retry-after": "Tue, 03 Feb 2026 12:02:00 GMT"})) is SourceUnavailable


def test_the_date_header_is_the_servers_clock_where_the_body_has_none() -> None:
    """Without either nobody knows it."""
    assert refused(500, b"", date="Tue, 03 Feb 2026 12:00:00 GMT").server_time == NOON
    assert refused(500, b"").server_time is None


def test_a_code_that_holds_a_part_of_the_key_is_not_repeated() -> None:
    """In whatever case it comes; another code is."""
    key = "truedy_Secret_0123456789"
    error = refused(422, {"error": {"code": "bad_secret_0123456789"}}, key=key)
    assert (error.code, error.message) == (None, "GET /calls answered 422")
    assert refused(422, {"error": {"code": "validation_error"}}, key=key).code == "validation_error"


@settings(max_examples=15)
@given(st.integers(100, 599), st.binary(max_size=60), st.booleans())
def test_any_refusal_is_an_error_of_the_source(status: int, body: bytes, is_collection: bool) -> None:
    """Whatever the body holds: one of our errors, with the status, in a message that repeats nothing of it."""
    error = refused(status, body, is_collection=is_collection)
    assert isinstance(error, SourceError)
    assert error.status == status
    assert error.message == f"GET /calls answered {status}"
