"""Rows and pages: what the facts page says a replicator must survive, one fact a test."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicator.errors import NotTheApi, SourceError, UnreadableAnswer
from replicator.records import Call, Unreadable
from replicator.source import jsontext
from replicator.source.jsontext import ESCAPE
from replicator.source.parsing import parse_call_answer, parse_page, parse_row

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.pure


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first run on a fresh checkout builds Hypothesis's table of all characters."""

ID = UUID("44ec8f61-6d9a-4553-a6ca-777f5f5ef95b")
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


def read(row: Any) -> Call:
    call = parse_row(row if isinstance(row, bytes) else json.dumps(row).encode())
    assert isinstance(call, Call), call
    return call


def page_of(*rows: bytes, tail: bytes = b"") -> bytes:
    return b'{"data": [' + b", ".join(rows) + b"]" + tail + b"}"


def test_a_call_of_the_contract_reads_whole(row: Row) -> None:
    """Every documented field arrives in its own type, money from the digits, instants in UTC."""
    call = read(row())
    assert call.id == ID
    assert call.agent_id == UUID("1f4baf16-1540-4d91-9696-7f34b2f2cb77")
    assert (call.phone_number, call.from_number) == ("+14155550123", "+14155550100")
    assert (call.direction, call.status, call.duration_seconds) == ("outbound", "completed", 120)
    assert call.cost_usd == Decimal("0.1234")
    assert call.ended_at == datetime(2026, 2, 3, 10, 2, 5, 250000, tzinfo=UTC)
    assert json.loads(call.context or "") == {"campaign_id": "spring", "last_error": None}
    assert json.loads(call.raw) == row()
    assert (call.problems, call.has_escapes, call.transcript) == ((), False, None)


def test_raw_is_the_rows_own_text() -> None:
    """White space, key order, unknown fields and digits of the payload stay as they came."""
    raw = f'{{ "z":1.10, "id":"{ID}",\t"cost_usd" : 1.50, "ultravox_call_id":[ 1E5 ] }}'
    assert read(raw.encode()).raw == raw
    assert str(read(raw.encode()).cost_usd) == "1.50"


@pytest.mark.parametrize(
    "value",
    [
        1770, 45000.5, "17701128", 1e300, "2026-W06-2T12:00:00", "yesterday", "02/03/2026", "2026-02-03 12:00:00 CET",
        "1969-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "2026-02-03T25:00:00Z", "+12026-02-03T12:00:00Z", [], {}, True,
        "2" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_instant_is_a_problem_not_a_lost_row(row: Row, value: Any) -> None:
    """What has two meanings or none, and years outside 1970 to 9998, give None and a name in `problems`."""
    call = read(row(created_at=value))
    assert call.created_at is None
    assert call.problems == ("created_at",)
    assert json.loads(call.raw)["created_at"] == value


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("0.1", "0.1"), ("0.10", "0.10"), ("12", "12"), ('"0.0523"', "0.0523"), ("1e-3", "0.001"), ("-0.5", "-0.5"),
     ("0.30000000000000004", "0.30000000000000004"), ("123456789012345678.123456789", "123456789012345678.123456789")],
)  # fmt: skip
def test_money_is_exact(digits: str, expected: str) -> None:
    """cost_usd has the payload's digits, as a number or as a string; binary floating point is never involved."""
    assert read(f'{{"id":"{ID}","cost_usd":{digits}}}'.encode()).cost_usd == Decimal(expected)


@pytest.mark.parametrize("value", ["0,05", "1,234", "€0.05", "Infinity", "1_000", -1, "-1", "free", True, [], {}])
def test_what_is_no_money_is_a_problem(row: Row, value: Any) -> None:
    """Nothing is guessed about money."""
    call = read(row(cost_usd=value))
    assert (call.cost_usd, call.problems) == (None, ("cost_usd",))


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (120, 120), (120.0, 120), (120.9, 120), ("120", 120), (None, None)]
)
def test_durations_are_completed_seconds(row: Row, value: Any, expected: int | None) -> None:
    """The contract's integer; a fraction is cut, and stays in `raw`."""
    call = read(row(duration_seconds=value))
    assert (call.duration_seconds, call.problems) == (expected, ())


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 1e300, "two minutes", True, [120]])
def test_durations_beyond_an_integer_column_are_problems(row: Row, value: Any) -> None:
    """What does not fit 32 bits would break a whole batch; it is a problem of this field instead."""
    call = read(row(duration_seconds=value))
    assert (call.duration_seconds, call.problems) == (None, ("duration_seconds",))


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"phone_number": None, "to": "+1222"}, "phone_number", "+1222"),
        ({"from_number": None, "from": "+1333"}, "from_number", "+1333"),
        ({"phone_number": "+1", "to": "+2"}, "phone_number", "+1"),
        ({"context": None, "metadata": {"a": 1}}, "context", '{"a":1}'),
        ({"context": ["free", "form"]}, "context", '["free","form"]'),
        ({"context": "text"}, "context", '"text"'),
        ({"context": {}}, "context", "{}"),
        ({"status": "in-progress"}, "status", "in-progress"),
        ({"status": "a_status_of_next_year"}, "status", "a_status_of_next_year"),
        ({"direction": "webrtc", "phone_number": None}, "direction", "webrtc"),
        ({"call_settings": {"recording_enabled": False}}, "is_recording_enabled", False),
        ({"call_settings": {"transcription_enabled": True}}, "is_transcription_enabled", True),
        ({"call_settings": {"transcription_enabled": None}}, "is_transcription_enabled", None),
        ({"call_settings": None}, "is_recording_enabled", None),
    ],
)
def test_other_spellings_and_new_values_are_kept(row: Row, changes: Any, field: str, expected: Any) -> None:
    """Fields under other names are found, unknown words stay as received, context may be any JSON."""
    call = read(row(**changes))
    assert getattr(call, field) == expected
    assert call.problems == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"agent_id": "not a uuid"}, "agent_id"),
        ({"phone_number": 14155550123}, "phone_number"),
        ({"from_number": None, "from": {"number": "+1"}}, "from_number"),
        ({"status": 7}, "status"),
        ({"summary": ["a"]}, "summary"),
        ({"recording_url": {}}, "recording_url"),
        ({"call_settings": {"recording_enabled": "yes"}}, "is_recording_enabled"),
    ],
)
def test_a_wrong_type_is_named_and_kept_in_raw(row: Row, changes: Any, problem: str) -> None:
    """A field of the wrong type never costs the row: it is None, named, and whole in `raw`."""
    call = read(row(**changes))
    assert getattr(call, problem) is None
    assert call.problems == (problem,)
    assert json.loads(call.raw) == row(**changes)


def test_a_row_of_an_older_deployment_reads() -> None:
    """Null and missing fields are None without a problem."""
    call = read({"id": str(ID), "started_at": None, "cost_usd": None, "context": None, "updated_at": None})
    assert call.problems == ()
    assert (call.created_at, call.context, call.cost_usd, call.summary) == (None, None, None, None)


def test_nul_and_lone_surrogates_are_escaped_everywhere(row: Row) -> None:
    """Text columns, context (keys too) and raw hold what Postgres takes; `unescape` gives the original back."""
    nasty = "a\x00b\ud83dc" + ESCAPE
    call = read(row(summary=nasty, context={nasty: nasty}))
    assert call.has_escapes
    for text in (call.summary, call.context, call.raw):
        assert text is not None
        text.encode()
        assert "\x00" not in text
        assert "\\u0000" not in text
    assert jsontext.unescape(call.summary or "") == nasty
    assert jsontext.unescape(json.loads(call.raw)["summary"]) == nasty
    assert {jsontext.unescape(key) for key in json.loads(call.context or "")} == {nasty}


@pytest.mark.parametrize(
    ("raw", "call_id"),
    [
        (b"null", None),
        (b'"text"', None),
        (b"[]", None),
        (b"{}", None),
        (b'{"id": null, "created_at": "2026-02-03T12:00:00Z"}', None),
        (b'{"id": "not-a-uuid"}', None),
        (b'{"id": 12}', None),
        (b'{"id": "00000000-0000-0000-0000-000000000000"}', None),
        (b'{"id": NaN}', None),
        (b'{"id": "%b", "summary": "5" tall", "x": "6" tall"}' % str(ID).encode(), ID),
        (b'{"id": "%b", "summary": oops oops}' % str(ID).encode(), ID),
    ],
)
def test_one_bad_row_never_costs_its_page(row: Row, raw: bytes, call_id: UUID | None) -> None:
    """It becomes an Unreadable with the bytes as received and the id where it can be had; its neighbours are read."""
    good = json.dumps(row()).encode()
    other = json.dumps(row(id="44ec8f61-6d9a-4553-a6ca-777f5f5ef95c")).encode()
    page = parse_page(page_of(good, raw, other), limit=100, offset=7)
    assert (len(page.calls), page.rows, page.offset, page.limit) == (2, 3, 7, 100)
    (bad,) = page.unreadable
    assert bad.raw == raw
    assert bad.call_id == call_id
    assert bad.reason
    assert page.created[0] == page.calls[0].created_at


def test_an_unreadable_row_still_says_when_it_was_created() -> None:
    """The engine places it in the order although it cannot read it."""
    raw = b'{"id":"%b","created_at":"2026-02-03T12:00:00Z","context":oops oops}' % str(ID).encode()
    bad = parse_row(raw)
    assert bad == Unreadable(raw, bad.reason, ID, NOON)  # type: ignore[union-attr]
    assert parse_page(page_of(raw), limit=1, offset=0).created == (NOON,)


@pytest.mark.parametrize(
    ("tail", "total", "has_more"),
    [
        (b', "pagination": {"total": 7, "limit": 50, "offset": 0, "has_more": false}, "meta": {}', 7, False),
        (b', "meta": {"total": 8, "limit": 50, "offset": 0}', 8, None),
        (b', "pagination": {"total": "many", "has_more": "yes"}', None, None),
        (b', "pagination": {"total": -1, "has_more": null}', None, None),
        (b', "pagination": {"total": true}', None, None),
        (b', "pagination": {"total": 7.0}', 7, None),
        (b', "pagination": [], "meta": 3', None, None),
        (b', "pagination": {"total": NaN}, "meta": {"total": 9}', 9, None),
        (b"", None, None),
    ],
)
def test_pagination_is_read_where_it_is(tail: bytes, total: int | None, has_more: bool | None) -> None:
    """`total` and `has_more` come from `pagination` or `meta`; what is no number or no boolean is unknown."""
    page = parse_page(page_of(tail=tail), limit=50, offset=0)
    assert (page.total, page.has_more, page.rows) == (total, has_more, 0)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b', "meta": {"request_id": "r", "ts": "2026-02-03T12:00:00"}', NOON),
        (b', "meta": {"ts": "2026-02-03T13:00:00+01:00"}', NOON),
        (b', "meta": {"ts": "now"}', NOON.replace(minute=1)),
        (b', "meta": {"ts": "2025-02-03T12:00:00Z"}', NOON.replace(minute=1)),
        (b', "meta": {"ts": "2099-02-03T12:00:00Z"}', NOON.replace(minute=1)),
        (b"", NOON.replace(minute=1)),
    ],
)
def test_the_servers_clock_is_meta_ts_else_the_date_header(tail: bytes, expected: datetime) -> None:
    """meta.ts without a zone is UTC; without a readable one, or where it is no clock of this answer, the Date header counts."""
    date = NOON.replace(minute=1)
    assert parse_page(page_of(tail=tail), limit=1, offset=0, server_time=date).server_time == expected


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"null", UnreadableAnswer),
        (b"7", UnreadableAnswer),
        (b"OK", UnreadableAnswer),
        (b'{"data": [', UnreadableAnswer),
        (b'{"data": [{"id": "', UnreadableAnswer),
        (b'{"error": {"code": "x"}}', UnreadableAnswer),
        (b'{"detail": "no"}', UnreadableAnswer),
        (b"<!doctype html><p>Hi", NotTheApi),
        (b"\xef\xbb\xbf \n<html>", NotTheApi),
        (b"{}", NotTheApi),
        (b'{"data": {"total": 3}}', NotTheApi),
        (b'{"data": 7}', NotTheApi),
        (b'{"pagination": {"total": 3}}', NotTheApi),
        (b'{"data": null, "error": {"code": "x"}}', UnreadableAnswer),
        (b'{"data": "x"}', NotTheApi),
        (b'{"status": "ok"}', NotTheApi),
    ],
)
def test_a_body_that_is_no_list_answer_says_so(body: bytes, error: type[SourceError]) -> None:
    """Cut and broken bodies are unreadable; a web page, or JSON without the envelope, is not the API."""
    with pytest.raises(error):
        parse_page(body, limit=1, offset=0)


@pytest.mark.parametrize(
    "body",
    [
        b"", b" \n", b"[]", b'{"data": null}', b'{"data": {}}', b'{"data": {"calls": []}}', b'{"data": {"items": null}}',
        b'{"data": "[]"}', b'{"calls": []}', b'{"pagination": {"total": 0}}', b'{"meta": {"total": "0"}}',
        b'{"data": [], "error": null}', b'{"data": null, "error": {}, "detail": null}',
    ],
)  # fmt: skip
def test_an_empty_list_in_other_words_is_an_empty_list(body: bytes) -> None:
    """No body, null, {} and a wrapped empty list hold no rows; it is no error."""
    page = parse_page(body, limit=10, offset=0)
    assert (page.rows, page.total) == (0, 0 if b"total" in body else None)


@pytest.mark.parametrize(
    "frame",
    [
        b"%b", b'{"data": {"calls": %b, "total": 1}}', b'{"data": {"items": %b, "pagination": {"total": 1}}}',
        b'{"data": {"data": %b}, "meta": {"total": 1}}', b'{"calls": %b, "pagination": {"total": 1}}',
        b'{"data": {"0": %b}, "meta": {"total": "1"}}', b'{"data": %b, "meta": {"total": 1}}',
    ],
)  # fmt: skip
def test_a_list_that_is_wrapped_otherwise_is_that_list(row: Row, frame: bytes) -> None:
    """Under another name, under numbers, one call by itself, without an envelope: the call and the total are read."""
    one = json.dumps(row()).encode()
    is_single = b'"0"' in frame or b'"data": %b,' in frame
    page = parse_page(frame % (one if is_single else b"[" + one + b"]"), limit=10, offset=0)
    assert [call.id for call in page.calls] == [ID]
    assert page.total == (None if frame == b"%b" else 1)


def test_a_list_in_a_text_is_that_list(row: Row) -> None:
    """JSON in a string is read as what it is."""
    page = parse_page(json.dumps({"data": json.dumps([row()])}).encode(), limit=10, offset=0)
    assert [call.cost_usd for call in page.calls] == [Decimal("0.1234")]


def test_a_byte_order_mark_is_survived() -> None:
    """Some proxies put one in front."""
    assert parse_page(b"\xef\xbb\xbf" + page_of(), limit=1, offset=0).rows == 0


def test_the_fingerprint_ignores_what_reading_moves(row: Row) -> None:
    """updated_at, the URL's signature, key order and white space leave it alone."""
    plain = read(row()).fingerprint
    again = read(row(updated_at=None, recording_url="https://audio.example/rec/1.mp3?X-Amz-Signature=other#t"))
    assert again.fingerprint == plain
    turned = json.dumps(dict(reversed(row().items())), indent=3).encode()
    assert read(turned).fingerprint == plain
    assert len(plain) == 32


@pytest.mark.parametrize(
    "changes",
    [
        {"cost_usd": 0.1235}, {"status": "failed"}, {"context": {}}, {"unknown": 1}, {"summary": None},
        {"recording_url": "https://audio.example/rec/2.mp3"}, {"transcript": [{"text": "hi"}]},
    ],
)  # fmt: skip
def test_the_fingerprint_sees_every_other_change(row: Row, changes: Any) -> None:
    """Known or unknown, whatever else changes is a change of content."""
    assert read(row(**changes)).fingerprint != read(row()).fingerprint


def test_the_fingerprint_sees_digits_that_floats_cannot_tell_apart(row: Row) -> None:
    """0.1 and 0.1000000000000000055 are the same float and different money."""
    one, other = (f'{{"id":"{ID}","cost_usd":{digits}}}'.encode() for digits in ("0.1", "0.1000000000000000055"))
    assert read(one).fingerprint != read(other).fingerprint


@pytest.mark.parametrize("embedded", [[], {}, "", None, {"text": ""}, {"transcript": []}])
def test_an_empty_embedded_transcript_is_none(row: Row, embedded: Any) -> None:
    """A row that carries an empty transcript does not spare the request for the real one."""
    call = read(row(transcript=embedded))
    assert (call.transcript, call.problems) == (None, ())


@pytest.mark.parametrize(
    "embedded", [[{"speaker": "agent", "text": "Hello"}], {"transcript": [{"text": "Hello"}]}, "Hello"]
)
def test_a_row_can_carry_its_transcript(row: Row, embedded: Any) -> None:
    """As an array, an object or a string; its summary is the call's, so that the answer to a request is no change."""
    call = read(row(transcript=embedded))
    assert call.transcript is not None
    assert [segment.text for segment in call.transcript.segments] == ["Hello"]
    assert call.transcript.summary == call.summary


def test_one_call_reads_like_a_row(row: Row) -> None:
    """GET /calls/{id} gives the same record as the list, and the server's clock."""
    body = json.dumps({"data": row(), "meta": {"ts": "2026-02-03T12:00:00Z"}}).encode()
    answer = parse_call_answer(body)
    assert answer.value == read(row())
    assert (answer.server_time, answer.status) == (NOON, 200)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"data": null}', b'{"data": []}', b'{"data": {"id": 1}}', b'{"data": {"id":', b""]
)
def test_an_answer_without_a_call_is_unreadable(body: bytes) -> None:
    """There is no half a call."""
    with pytest.raises(UnreadableAnswer):
        parse_call_answer(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = [*["id", "agent_id", "phone_number", "to", "from", "metadata", "status", "started_at", "duration_seconds", "cost_usd", "summary"],
         *["recording_url", "context", "created_at", "call_settings", "transcript"]]  # fmt: skip


@PATIENT
@given(st.dictionaries(st.sampled_from(NAMES), JSON), st.booleans())
def test_any_row_reads_or_is_unreadable(row: dict[str, Any], has_id: bool) -> None:
    """Whatever JSON-like values a row holds (NaN, surrogates, wrong types): a Call or an Unreadable, never an error."""
    raw = json.dumps(row | ({"id": str(ID)} if has_id else {})).encode()
    read_row = parse_row(raw)
    if isinstance(read_row, Call):
        read_row.raw.encode()
        json.loads(read_row.raw, parse_constant=pytest.fail)
        assert "\x00" not in read_row.raw + (read_row.summary or "") + (read_row.context or "")
    else:
        assert read_row.raw == raw
    page = parse_page(page_of(raw, raw), limit=2, offset=0)
    assert page.rows == (1 if isinstance(read_row, Call) else 2)  # the same call takes one place


@PATIENT
@given(st.binary(max_size=60) | st.text('{}[]",:data 01eE-NaN\\u', max_size=60).map(str.encode))
def test_any_bytes_read_or_raise_a_source_error(noise: bytes) -> None:
    """No body, and no row, whatever its bytes, can raise anything but a SourceError."""
    for body in (noise, b'{"data":' + noise + b"}", page_of(noise)):
        try:
            page = parse_page(body, limit=1, offset=0)
        except SourceError as error:
            assert error.status == 200  # noqa: PT017 - not about one exception
        else:
            assert len(page.created) == len(page.calls) + len(page.unreadable)


def test_a_call_that_stands_twice_in_a_page_takes_one_place(row: Row) -> None:
    """The same content again is nothing; another content is kept aside. Neither makes the page longer than it is."""
    one, other = json.dumps(row()).encode(), json.dumps(row(cost_usd=9)).encode()
    page = parse_page(page_of(one, one, other), limit=100, offset=0)
    assert (len(page.calls), page.rows, [bad.call_id for bad in page.unreadable]) == (1, 1, [ID])
    assert page.unreadable[0].raw == other
