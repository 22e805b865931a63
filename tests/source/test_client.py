"""The client against a real HTTP server: what leaves, what comes back, what each status means."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from replicator.errors import (
    BadKey,
    ConfigurationError,
    Forbidden,
    NotFound,
    NotTheApi,
    PaymentRequired,
    RateLimited,
    RequestRefused,
    SourceError,
    SourceUnavailable,
    UnreadableAnswer,
)
from replicator.source.client import Client, Reader

KEY = "truedy_secret_0123456789"
ID = UUID("44ec8f61-6d9a-4553-a6ca-777f5f5ef95b")
EMPTY = {"data": [], "pagination": {"total": 0, "limit": 50, "offset": 0, "has_more": False}, "meta": {}}


def failure(reader: Client, ask: str = "get_call") -> SourceError:
    with pytest.raises(SourceError) as caught:
        reader.list_calls() if ask == "list_calls" else getattr(reader, ask)(ID)
    return caught.value


def test_reading_sends_the_contracts_requests(serve: Any, http_answer: Any, row: Any) -> None:
    """GET with the bearer key, limit, offset and the filters given; no cookies, no referer, no body."""
    server = serve(http_answer(EMPTY))
    with Reader(server.url + "/", KEY) as reader:
        page = reader.list_calls(limit=100, offset=200, status="in-progress & more", direction="inbound", agent_id=ID)
    assert (page.limit, page.offset, page.total) == (100, 200, 0)
    head = server.requests[0].decode()
    assert head.startswith(
        f"GET /api/public/v1/calls?limit=100&offset=200&status=in-progress+%26+more&direction=inbound&agent_id={ID} HTTP/1.1"
    )
    headers = {
        line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head.split("\r\n")[1:] if line
    }
    assert headers.pop("host") == server.url.split("/")[2]
    assert headers == {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "authorization": f"Bearer {KEY}",
        "user-agent": "truedy-replicator",
    }


def test_each_detail_has_its_path(serve: Any, http_answer: Any, row: Any) -> None:
    """Call, transcript and recording are asked for where the contract says, and say the server's clock."""
    answers = {
        f"/calls/{ID} ": row(),
        f"/calls/{ID}/transcript ": {"transcript": [{"speaker": "agent", "text": "Hi"}], "summary": "s"},
        f"/calls/{ID}/recording ": {"recording_url": "https://audio.example/1.mp3"},
    }

    def behave(wire: Any, request: bytes) -> None:
        (data,) = [data for path, data in answers.items() if path.encode() in request]
        wire.send(http_answer({"data": data}, 200, "Date: Tue, 03 Feb 2026 12:00:00 GMT"))

    with Reader(serve(behave).url, KEY) as reader:
        call, transcript, recording = reader.get_call(ID), reader.get_transcript(ID), reader.get_recording(ID)
    assert call.value.id == ID
    assert transcript.value.segments[0].text == "Hi"
    assert recording.value.recording_url == "https://audio.example/1.mp3"
    assert {answer.server_time for answer in (call, transcript, recording)} == {datetime(2026, 2, 3, 12, tzinfo=UTC)}


ERROR = {
    "error": {"code": "some_code", "message": "phone +14155550123 was rude"},
    "meta": {"ts": "2026-02-03T12:00:00"},
}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused), (401, BadKey), (402, PaymentRequired), (403, Forbidden), (404, NotFound),
        (405, RequestRefused), (408, SourceUnavailable), (409, RequestRefused), (422, RequestRefused),
        (425, SourceUnavailable), (429, RateLimited), (500, SourceUnavailable), (502, SourceUnavailable),
        (503, SourceUnavailable), (504, SourceUnavailable), (599, SourceUnavailable),
        (301, NotTheApi), (302, NotTheApi), (304, NotTheApi), (307, NotTheApi),
    ],
)  # fmt: skip
def test_every_status_has_its_error(serve: Any, http_answer: Any, status: int, kind: type[SourceError]) -> None:
    """The error tree's class, with status, code and the server's clock, and none of the server's own words."""
    with Client(serve(http_answer(b"" if status == 304 else ERROR, status)).url, KEY) as client:
        error = failure(client)
    assert type(error) is kind
    assert error.status == status
    if status != 304:
        assert error.code == "some_code"
        assert error.server_time == datetime(2026, 2, 3, 12, tzinfo=UTC)
    assert "rude" not in error.explain()
    assert "+1415" not in error.explain()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"code": "validation_error", "message": "x", "details": {}}}, "validation_error"),
        ({"detail": {"error": {"code": "not_found", "message": "x"}}}, "not_found"),
        ({"detail": {"code": "NOT_FOUND"}}, "not_found"),
        ({"detail": "Not Found"}, None),
        ({"detail": [{"loc": ["query", "limit"], "msg": "no", "type": "value_error"}]}, None),
        ({"error": "bad_thing"}, "bad_thing"),
        ({"error": {"code": "Ask +14155550123 for help"}}, None),
        ({"error": {"code": "x" * 41}}, None),
        ({"error": {"code": 17}}, None),
        ({"error": None}, None),
        ([], None),
        (b"", None),
        (b"<html>Bad gateway</html>", None),
        (b'{"error": {"code": "cut', None),
        (b"\xff\xfe", None),
    ],
)
def test_every_error_shape_is_survived(serve: Any, http_answer: Any, body: Any, code: str | None) -> None:
    """Five JSON shapes, HTML, nothing and garbage; only a short plain code word is ever shown."""
    with Client(serve(http_answer(body, 422)).url, KEY) as client:
        error = failure(client)
    assert (type(error), error.code) == (RequestRefused, code)
    assert error.message == f"GET /calls/{ID} answered 422" + (f" ({code})" if code else "")


@pytest.mark.parametrize(
    ("status", "body", "headers", "reset_at", "limit", "retry_after"),
    [
        (429, {"error": {"details": {"reset_at": "2026-02-03T12:01:00Z", "limit": 100}}}, [], "12:01:00", 100, None),
        (429, {"error": {"details": {"reset_at": "2026-02-03T12:01:00", "limit": 60}}}, [], "12:01:00", 60, None),
        (429, {"detail": {"error": {"details": {"reset_at": "2026-02-03T12:01:00"}}}}, [], "12:01:00", None, None),
        (429, b"", [], None, None, None),
        (429, b"", ["Retry-After: 30"], None, None, 30.0),
        (429, b"", ["Retry-After: Tue, 03 Feb 2026 12:02:00 GMT"], "12:02:00", None, None),
        (429, b"", ["X-RateLimit-Reset: 1770120060"], "12:01:00", None, None),
        (429, b"", ["X-RateLimit-Reset: 20"], None, None, 20.0),
        (429, b"", ["Retry-After: soon", "X-RateLimit-Reset: later"], None, None, None),
        (500, {"error": {"code": "internal_error", "details": {"reset_at": "2026-02-03T12:01:00"}}}, [], "12:01:00", None, None),
        (500, {"error": {"code": "rate_limit_exceeded"}}, [], None, None, None),
        (503, {"error": {"code": "too_many_requests"}}, ["Retry-After: 5"], None, None, 5.0),
    ],
)  # fmt: skip
def test_a_rate_limit_says_when_to_go_on(
    serve: Any,
    http_answer: Any,
    status: int,
    body: Any,
    headers: list[str],
    reset_at: str | None,
    limit: Any,
    retry_after: Any,
) -> None:
    """From the body with or without Z, or from headers where they are sent; a 500 that speaks of a limit is one too."""
    with Client(serve(http_answer(body, status, *headers)).url, KEY) as client:
        error = failure(client, "list_calls")
    assert isinstance(error, RateLimited)
    expected = reset_at and datetime.fromisoformat(f"2026-02-03T{reset_at}+00:00")
    assert (error.status, error.reset_at, error.limit, error.retry_after_seconds) == (
        status,
        expected,
        limit,
        retry_after,
    )


def test_a_500_that_speaks_of_no_limit_is_no_rate_limit(serve: Any, http_answer: Any) -> None:
    """Nor is a 503 with Retry-After: that is maintenance."""
    for status, headers in ((500, []), (503, ["Retry-After: Tue, 03 Feb 2026 12:02:00 GMT"])):
        with Client(serve(http_answer({"error": {"code": "internal_error"}}, status, *headers)).url, KEY) as client:
            assert type(failure(client, "list_calls")) is SourceUnavailable


@pytest.mark.parametrize(
    ("ask", "body", "kind"),
    [
        ("list_calls", b"<html>", NotTheApi),
        ("list_calls", b"", NotTheApi),
        ("list_calls", {"detail": "Not Found"}, NotTheApi),
        ("list_calls", {"error": {"code": "not_found"}}, NotTheApi),
        ("get_call", {"error": {"code": "not_found"}}, NotFound),
        ("get_call", {"detail": "Not Found"}, NotFound),
        ("get_call", b"<html>", SourceUnavailable),
        ("get_transcript", b"", SourceUnavailable),
        ("get_recording", b"no route", SourceUnavailable),
    ],
)
def test_only_the_api_can_say_that_something_is_not_there(
    serve: Any, http_answer: Any, ask: str, body: Any, kind: type[SourceError]
) -> None:
    """A proxy's 404 proves no call's absence, and a 404 for the list means that this is not the API."""
    with Client(serve(http_answer(body, 404)).url, KEY) as client:
        assert type(failure(client, ask)) is kind


@pytest.mark.parametrize("ask", ["list_calls", "get_call", "get_transcript", "get_recording", "delete_call"])
def test_a_web_page_is_not_the_api(serve: Any, http_answer: Any, ask: str) -> None:
    """A login page or a frontend that answers 200 to everything is told from the API."""
    with Client(serve(http_answer(b"\n<!DOCTYPE html>")).url, KEY) as client:
        assert type(failure(client, ask)) is NotTheApi


def test_redirects_are_not_followed_and_the_key_stays(serve: Any, http_answer: Any) -> None:
    """Wherever a redirect points, nothing is sent there."""
    elsewhere = serve(http_answer(EMPTY))
    for status in (301, 302, 303, 307, 308):
        server = serve(http_answer(b"", status, f"Location: {elsewhere.url}/calls", "Set-Cookie: a=b"))
        with Client(server.url, KEY) as client:
            assert type(failure(client, "list_calls")) is NotTheApi
            assert type(failure(client, "list_calls")) is NotTheApi
        assert len(server.requests) == 2
        assert b"cookie" not in server.requests[1].lower()
    assert elsewhere.requests == []


def test_the_recordings_host_never_sees_a_request(serve: Any, http_answer: Any) -> None:
    """Asking for a recording gives its URL and touches nothing but the API."""
    storage = serve(http_answer(b"audio"))
    with Client(serve(http_answer({"data": {"recording_url": storage.url}})).url, KEY) as client:
        assert client.get_recording(ID).value.recording_url == storage.url
    assert storage.requests == []


def test_proxies_of_the_environment_are_ignored(serve: Any, http_answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key goes where the base URL says, not where HTTP_PROXY points."""
    proxy, server = serve(http_answer(EMPTY)), serve(http_answer(EMPTY))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Reader(server.url, KEY) as reader:
        reader.list_calls()
    assert (len(server.requests), len(proxy.requests)) == (1, 0)


def test_the_key_is_in_no_message_repr_or_log(serve: Any, http_answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Not after an error answer that quotes it, not after a broken connection, not in a traceback, at no log level."""
    caplog.set_level(logging.DEBUG)
    urls = [
        serve(http_answer({"error": {"code": KEY, "message": KEY}}, 401, f"X-Echo: {KEY}")).url,
        serve(lambda wire, _: wire.close()).url,
        "http://127.0.0.1:1/api",
    ]
    for url in urls:
        with Client(url, KEY) as client:
            error = failure(client, "list_calls")
            shown = [repr(client), repr(error), error.explain(), *traceback.format_exception(error)]
            assert KEY not in "".join(shown)
            assert "limit=" not in "".join(shown)
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["", " ", "a b", "abc\n", "abc\r\nX-Evil: 1", "schl\u00fcssel", "a\x00b", "\u200bkey"])
def test_a_key_that_cannot_be_one_is_refused_unseen(key: str) -> None:
    """White space, line ends, control and non-ASCII characters: a configuration error that does not show the key."""
    with pytest.raises(ConfigurationError) as caught:
        Reader("https://api.truedy.ai/api/public/v1", key)
    assert not key.strip() or key not in caught.value.explain()


@pytest.mark.parametrize(
    "base_url",
    [
        "", "api.truedy.ai", "ftp://api.truedy.ai/v1", "https://", "https://user:hunter2@api.truedy.ai/v1",
        "https://api.truedy.ai/v1?token=hunter2", "https://api.truedy.ai/v1#x", "https://api.truedy.ai/v1?",
        "http://api.truedy.ai/v1", "http://10.0.0.1/v1", "http://127.0.0.1.evil.example/v1", "https://a b/",
        "https://api.truedy.ai:99999999/v1", "https://exa\nmple.org/",
    ],
)  # fmt: skip
def test_a_base_url_that_cannot_be_right_is_refused(base_url: str) -> None:
    """No host, another scheme, a user, a query, or plain http across a network, which would show the key to it."""
    with pytest.raises(ConfigurationError) as caught:
        Reader(base_url, KEY)
    assert "hunter2" not in caught.value.explain()


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.truedy.ai/api/public/v1",
        "http://localhost:8000/v1",
        "http://127.0.0.1/v1",
        "http://[::1]:80/v1",
        "https://10.0.0.1/",
    ],
)
def test_a_proper_base_url_is_taken(base_url: str) -> None:
    """https anywhere, http on this machine; elsewhere only where it is asked for."""
    Reader(base_url, KEY).close()
    Reader("http://truedy.internal/v1", KEY, allow_http=True).close()


def test_creating_a_call(serve: Any, http_answer: Any, row: Any) -> None:
    """POST /calls with what is given and nothing else, an idempotency key of its own each time, or the one given."""
    server = serve(http_answer({"data": row(status="queued"), "meta": {}}, 201))
    with Client(server.url, KEY) as client:
        made = client.create_call(agent_id=ID, phone_number="+14155550123", variables={"name": "J\u00e4ne"})
        client.create_call(agent_id=ID, phone_number="+14155550123")
        client.create_call(
            agent_id=ID, phone_number="+14155550123", call_settings={"max_duration": "60s"}, idempotency_key="mine-1"
        )
    assert (made.status, made.value.status) == (201, "queued")
    heads, bodies = zip(*(request.split(b"\r\n\r\n") for request in server.requests), strict=True)
    assert json.loads(bodies[0]) == {
        "agent_id": str(ID),
        "phone_number": "+14155550123",
        "variables": {"name": "J\u00e4ne"},
    }
    assert json.loads(bodies[1]) == {"agent_id": str(ID), "phone_number": "+14155550123"}
    assert json.loads(bodies[2])["call_settings"] == {"max_duration": "60s"}
    keys = [
        line.split(b": ")[1]
        for head in heads
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"x-idempotency-key")
    ]
    assert keys[2] == b"mine-1"
    assert UUID(keys[0].decode()) != UUID(keys[1].decode())
    assert all(b"content-type: application/json" in head.lower() for head in heads)
    with Client(server.url, KEY) as client, pytest.raises(ValueError, match="idempotency"):
        client.create_call(agent_id=ID, phone_number="+1", idempotency_key="a\r\nb")


def test_updating_sends_only_what_is_given(serve: Any, http_answer: Any, row: Any) -> None:
    """PATCH with context, call_settings or both; None is a value, absence is not."""
    server = serve(http_answer({"data": row()}))
    with Client(server.url, KEY) as client:
        client.update_call(ID, context={"priority": "high"})
        client.update_call(ID, context=None, call_settings={"recording_enabled": True})
        with pytest.raises(ValueError, match="nothing"):
            client.update_call(ID)
    bodies = [json.loads(request.split(b"\r\n\r\n")[1]) for request in server.requests]
    assert bodies == [
        {"context": {"priority": "high"}},
        {"context": None, "call_settings": {"recording_enabled": True}},
    ]
    assert all(request.startswith(f"PATCH /api/public/v1/calls/{ID} ".encode()) for request in server.requests)


def test_deleting(serve: Any, http_answer: Any) -> None:
    """DELETE answers 200 or 204, with or without a body."""
    for content, status in ((b"", 204), ({"data": {"deleted": True}}, 200), (b"", 200)):
        server = serve(http_answer(content, status))
        with Client(server.url, KEY) as client:
            assert client.delete_call(ID).status == status
        assert server.requests[0].startswith(f"DELETE /api/public/v1/calls/{ID} ".encode())


def test_deleting_in_bulk(serve: Any, http_answer: Any) -> None:
    """POST /calls/bulk-delete with the ids; the answer says which were deleted and which were not."""
    other = UUID("f89052b2-3467-4a34-b4e3-e5d1571cbb36")
    data = {"deleted_count": 1, "failed_count": 1, "deleted_ids": [str(ID)], "failed_ids": [str(other)]}
    server = serve(http_answer({"data": data}))
    with Client(server.url, KEY) as client:
        done = client.bulk_delete([ID, other]).value
    assert (done.deleted_count, done.failed_count, done.deleted_ids, done.failed_ids) == (1, 1, (ID,), (other,))
    assert server.requests[0].startswith(b"POST /api/public/v1/calls/bulk-delete ")
    assert json.loads(server.requests[0].split(b"\r\n\r\n")[1]) == {"ids": [str(ID), str(other)]}
    with Client(serve(http_answer({"data": {}})).url, KEY) as client, pytest.raises(UnreadableAnswer):
        client.bulk_delete([ID])


def test_an_id_cannot_leave_its_path(serve: Any, http_answer: Any) -> None:
    """Only a UUID becomes part of a path."""
    server = serve(http_answer(EMPTY))
    with Client(server.url, KEY) as client, pytest.raises(ValueError, match="UUID"):
        client.delete_call("../agents/1")  # type: ignore[arg-type]
    assert server.requests == []


@pytest.mark.parametrize(("limit", "offset"), [(-1, 0), (101, 0), (50, -1)])
def test_paging_outside_the_contract_is_not_sent(limit: int, offset: int) -> None:
    """A negative offset counts from the end on an older deployment: it never leaves."""
    with Reader("https://api.truedy.ai/v1", KEY) as reader, pytest.raises(ValueError, match="limit"):
        reader.list_calls(limit=limit, offset=offset)


def test_one_client_serves_eight_threads(serve: Any, http_answer: Any, row: Any) -> None:
    """Answers never cross: each thread gets the page that it asked for."""

    def behave(wire: Any, request: bytes) -> None:
        offset = int(request.split(b"offset=")[1].split(b" ")[0])
        wire.send(http_answer({"data": [row(duration_seconds=offset)]}))

    with Reader(serve(behave).url, KEY) as reader, ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda offset: reader.list_calls(limit=1, offset=offset), range(200)))
    assert [page.calls[0].duration_seconds for page in pages] == list(range(200))


def test_any_httpx_transport_can_stand_below(row: Any) -> None:
    """Tests and odd networks bring their own; its errors become ours, its bodies are read the same."""

    def handle(request: httpx.Request) -> httpx.Response:
        if "recording" in request.url.path:
            raise httpx.ConnectError(f"refused at {request.url}?key={KEY}")
        return httpx.Response(200, json={"data": [row()]})

    with Client("https://api.truedy.ai/v1", KEY, transport=httpx.MockTransport(handle)) as client:
        assert len(client.list_calls().calls) == 1
        error = failure(client, "get_recording")
    assert isinstance(error, SourceUnavailable)
    assert KEY not in error.message
    assert "?" not in error.message


def test_a_client_is_never_pickled_with_its_key() -> None:
    """Nothing can carry the key away by accident."""
    with Reader("https://api.truedy.ai/v1", KEY) as reader, pytest.raises(TypeError):
        pickle.dumps(reader)
