"""What every answer has around its data: how a body is opened, cut, and what it says of clocks and errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.errors import NotTheApi, SourceError, UnreadableAnswer
from replicator.source.envelope import SAME_CLOCK, clock, member, open_body, open_list, parse_error, rows_of
from replicator.source.jsontext import MalformedError

pytestmark = pytest.mark.pure

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
ID = b'{"id":"44ec8f61-6d9a-4553-a6ca-777f5f5ef95b"}'


def test_a_body_is_opened_into_its_members() -> None:
    """Each as its own bytes, white space and digits as they came; what is not there is empty."""
    opened = open_body(b'{"data": [1.50,  2], "meta": {"ts": "x"}, "more": 1}')
    assert (bytes(opened.data), bytes(opened.meta), bytes(opened.pagination)) == (b"[1.50,  2]", b'{"ts": "x"}', b"")


def test_a_body_with_one_bad_row_is_opened_all_the_same() -> None:
    """What is wrong with one row stays with it: NaN, a word, a NUL, bytes that are no UTF-8."""
    for bad in (b"NaN", b"oops", b'"\x00"', b'"\xff"'):
        opened = open_body(b'{"data": [{"a": %b}], "meta": {}}' % bad)
        assert bytes(opened.data).strip() == b'[{"a": %b}]' % bad


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b"<html>", NotTheApi, "a web page"), (b"\xef\xbb\xbf \n<!doctype html>", NotTheApi, "a web page"),
        (b"", UnreadableAnswer, "empty"), (b"  ", UnreadableAnswer, "empty"), (b"OK", UnreadableAnswer, "no JSON object"),
        (b"[1]", UnreadableAnswer, "no JSON object"), (b"null", UnreadableAnswer, "no JSON object"),
        (b'{"data": [', UnreadableAnswer, "no JSON: "), (b'{"data": "x', UnreadableAnswer, "no JSON: "),
    ],
)  # fmt: skip
def test_what_is_no_answer_of_the_api_says_what_it_is(body: bytes, error: type[SourceError], message: str) -> None:
    """With its status; a web page is told from a body that was cut."""
    with pytest.raises(error, match=message) as raised:
        open_body(body, 201)
    assert raised.value.status == 201


@pytest.mark.parametrize(
    "body",
    [b"", b" \n", b"[]", b'{"data": null}', b'{"data": {}}', b'{"data": {"items": null}}', b'{"data": "[]"}', b'{"results": []}',
     b'{"pagination": {"total": 0}}', b'{"meta": {"total": "0"}}', b'{"data": [], "error": {"code": "x"}}'],
)  # fmt: skip
def test_an_empty_list_in_other_words_is_an_empty_list(body: bytes) -> None:
    """No body, null, {} and a wrapped empty list hold no rows."""
    assert rows_of(bytes(open_list(body).data)) == []


@pytest.mark.parametrize(
    "body",
    [b"[%b]", b'{"data": [%b]}', b'{"data": {"calls": [%b]}}', b'{"data": {"calls": null, "items": [%b]}}', b'{"calls": [%b]}',
     b'{"data": {"0": %b}}', b'{"data": %b}', b'\xef\xbb\xbf{"data": [%b]}', b'{"rows": {"list": [%b]}}'.replace(b'{"list": ', b"").replace(b"]}}", b"]}")],
)  # fmt: skip
def test_a_list_that_is_wrapped_otherwise_is_that_list(body: bytes) -> None:
    """Under another name, under numbers, one call by itself, without an envelope: its rows keep their bytes."""
    assert rows_of(bytes(open_list(body % ID).data)) == [ID]


def test_a_list_in_a_text_is_that_list() -> None:
    """JSON in a string is read as what it is."""
    body = json.dumps({"data": json.dumps([{"id": "x"}])}).encode()
    assert [json.loads(row) for row in rows_of(bytes(open_list(body).data))] == [{"id": "x"}]


def test_a_wrapped_lists_total_counts() -> None:
    """Beside it or in a pagination of its own; the envelope's goes before."""
    for body, total in (
        (b'{"data": {"calls": [], "total": 7}}', 7),
        (b'{"data": {"calls": [], "pagination": {"total": 8}}}', 8),
        (b'{"data": {"calls": [], "total": 7}, "pagination": {"total": 9}}', 9),
    ):
        assert member(bytes(open_list(body).pagination)) == {"total": total}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error": {"code": "x"}}', UnreadableAnswer), (b'{"detail": "no"}', UnreadableAnswer),
        (b'{"data": null, "error": "x"}', UnreadableAnswer), (b'{"data": 7}', NotTheApi), (b'{"data": "x"}', NotTheApi),
        (b"{}", NotTheApi), (b'{"data": {"total": 3}}', NotTheApi), (b'{"pagination": {"total": 3}}', NotTheApi),
        (b"7", UnreadableAnswer), (b"<html>", NotTheApi),
    ],
)  # fmt: skip
def test_where_there_is_no_list_nothing_is_taken_for_an_empty_one(body: bytes, error: type[SourceError]) -> None:
    """Else an error that answers 200 would look like an empty account."""
    with pytest.raises(error):
        open_list(body)


def test_rows_keep_their_own_bytes() -> None:
    """White space inside, digits, and a row that is no JSON."""
    assert rows_of(b'[{"a":  1.0}, 7 ,null]') == [b'{"a":  1.0}', b"7", b"null"]
    assert rows_of(b'[{"a": NaN}, {"b": 1}]') == [b'{"a": NaN}', b'{"b": 1}']


@pytest.mark.parametrize("data", [b"{}", b"7", b"", b'[{"a": "5" tall"}, {"b": "6" tall"}]', b'[{"a": 1}, {"b": '])
def test_what_cannot_be_cut_for_certain_is_not_cut(data: bytes) -> None:
    """No array, one that was cut off, and one in which a row may hold a part of its neighbour."""
    with pytest.raises(MalformedError):
        rows_of(data)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"total": 7}', {"total": 7}),
        (b"", {}),
        (b"[]", {}),
        (b"null", {}),
        (b'{"total": NaN}', {}),
        (b"{", {}),
        (b'"x"', {}),
    ],
)
def test_a_member_that_is_no_object_is_empty(raw: bytes, expected: dict[str, Any]) -> None:
    """It says nothing, and fails nothing."""
    assert member(raw) == expected


@pytest.mark.parametrize(
    ("said", "date", "expected"),
    [
        ("2026-02-03T12:00:00", None, NOON), ("2026-02-03T13:00:00+01:00", None, NOON), (None, NOON, NOON), ("now", NOON, NOON),
        (None, None, None), ("2026-02-03T12:00:00Z", NOON - SAME_CLOCK, NOON),
        ("2026-02-03T12:00:00Z", NOON - SAME_CLOCK - timedelta(seconds=1), NOON - SAME_CLOCK - timedelta(seconds=1)),
        ("2026-02-03T12:00:00Z", NOON + timedelta(days=400), NOON + timedelta(days=400)), (0, NOON, NOON),
    ],
)  # fmt: skip
def test_the_servers_clock_is_meta_ts_else_the_date_header(
    said: Any, date: datetime | None, expected: datetime | None
) -> None:
    """Where the two are more than five minutes apart, the header counts, which is made anew for each answer."""
    assert clock({"ts": said}, date) == expected


@pytest.mark.parametrize(
    ("body", "code", "has_error"),
    [
        ({"error": {"code": "Validation_Error"}}, "validation_error", True), ({"detail": {"error": {"code": "not_found"}}}, "not_found", True),
        ({"detail": {"code": "NOT_FOUND"}}, "not_found", True), ({"error": "bad_thing"}, "bad_thing", False), ({"detail": "Not Found"}, None, False),
        ({"detail": [{"msg": "no"}]}, None, False), ({"error": {"code": "Ask +1415"}}, None, True), ({"error": {"code": "x" * 41}}, None, True),
        ({"error": {"code": "x" * 40}}, "x" * 40, True), ({"error": {"code": 17}}, None, True), ({"error": None}, None, False), ([], None, False),
        ({"error": ["x"]}, None, False),
    ],
)  # fmt: skip
def test_an_error_of_any_shape_is_read(body: Any, code: str | None, has_error: bool) -> None:
    """Only a short plain word is ever taken as its code."""
    found = parse_error(json.dumps(body).encode(), headers={})
    assert (found.code, found.has_error, found.is_json) == (code, has_error, bool(body))


@pytest.mark.parametrize(
    ("headers", "wait", "until"),
    [
        ({"retry-after": "30"}, 30.0, None), ({"retry-after": "0.5"}, 0.5, None), ({"retry-after": "Tue, 03 Feb 2026 12:00:00 GMT"}, None, NOON),
        ({"retry-after": "soon"}, None, None), ({"retry-after": "-1"}, None, None), ({"x-ratelimit-reset": "20"}, 20.0, None),
        ({"x-ratelimit-reset": "1770120000"}, None, NOON), ({"x-ratelimit-reset": "1770120000.9"}, None, NOON),
        ({"x-ratelimit-reset": "2026-02-03T12:00:00Z"}, None, NOON), ({"x-ratelimit-reset": "999999999"}, 999999999.0, None),
        ({"retry-after": "5", "x-ratelimit-reset": "20"}, 5.0, None), ({"retry-after": "5", "x-ratelimit-reset": "1770120000"}, 5.0, NOON), ({}, None, None),
    ],
)  # fmt: skip
def test_headers_say_when_to_go_on(headers: dict[str, str], wait: float | None, until: datetime | None) -> None:
    """Seconds, Unix seconds, or a date; Retry-After goes before the other where both are a wait."""
    found = parse_error(b"", headers=headers)
    assert (found.retry_after_seconds, found.reset_at) == (wait, until)


def test_the_body_goes_before_the_headers() -> None:
    """Its reset_at is the API's own word; a limit that is no count is none."""
    body = {"error": {"details": {"reset_at": "2026-02-03T12:00:00", "limit": -5}}}
    found = parse_error(json.dumps(body).encode(), headers={"x-ratelimit-reset": "1999999999"})
    assert (found.reset_at, found.limit, found.is_rate_limit) == (NOON, None, True)


@settings(max_examples=25)
@given(st.binary(max_size=40) | st.text('{}[]",:data error01eN\\u', max_size=40).map(str.encode))
def test_any_bytes_are_opened_or_raise_a_source_error(noise: bytes) -> None:
    """No body can raise anything else, and no error's body anything at all."""
    for body in (noise, b'{"data":' + noise + b"}", b'{"data":[' + noise + b"]}"):
        try:
            data = bytes(open_list(body).data)
        except SourceError as error:
            assert error.status == 200  # noqa: PT017 - not about one exception
        else:
            assert data.startswith(b"[")
        parse_error(body, headers={})
