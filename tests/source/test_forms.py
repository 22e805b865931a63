"""The forms in which vendors send one and the same value, as tables: what each is read as, and what is not guessed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.records import Call
from replicator.source.instants import instant
from replicator.source.parsing import parse_row

pytestmark = pytest.mark.pure


ID = "44ec8f61-6d9a-4553-a6ca-777f5f5ef95b"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read(**fields: Any) -> Call:
    call = parse_row(json.dumps({"id": ID, **fields}).encode())
    assert isinstance(call, Call)
    return call


NO_TIMES = [
    "", " ", "null", "None", "N/A", "unknown", "-", 0, "0", -1, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00",
    "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00", "1970-01-01", "0000-00-00 00:00:00", "1900-01-01T00:00:00Z",
    "1601-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31", "infinity", -62135596800, "/Date(-62135596800000)/",
    {"$date": "1970-01-01T00:00:00Z"}, {"seconds": 0, "nanos": 0},
]  # fmt: skip


@pytest.mark.parametrize("value", NO_TIMES)
def test_what_stands_for_no_time_is_none_and_no_problem(value: Any) -> None:
    """Words, zero, the first day of somebody's calendar, and the year 9999."""
    call = read(ended_at=value)
    assert (call.ended_at, call.problems) == (None, ())
    assert json.loads(call.raw)["ended_at"] == value


@pytest.mark.parametrize(
    "value",
    ["0,25", "1,234", "1.234,56", "€0.25", "0.25 EUR", {"amount": "0.25", "currency": "EUR"}, {"amount": "0.25"},
     {"amount": 25, "currency": "USD"}, -1, "-1", "(0.25)", "free"],
)  # fmt: skip
def test_money_is_not_guessed(value: Any) -> None:
    """A decimal comma, another currency, cents or dollars, a refund of a dollar or "unknown": named, and in `raw`."""
    call = read(cost_usd=value)
    assert (call.cost_usd, call.problems) == (None, ("cost_usd",))


@pytest.mark.parametrize("value", ["", "null", "N/A", "NaN", "unknown", "-", "None"])
def test_a_cost_that_is_not_known_is_none(value: Any) -> None:
    """Null in other words."""
    assert (read(cost_usd=value).cost_usd, read(cost_usd=value).problems) == (None, ())


def test_a_duration_in_milliseconds_stands_in() -> None:
    """Where there is no duration_seconds, duration_ms says the same."""
    assert read(duration_ms=65400).duration_seconds == 65
    assert read(duration_seconds=3, duration_ms=65400).duration_seconds == 3


@pytest.mark.parametrize("value", ["1:05", "about a minute", "PT", "1h5", True])
def test_a_duration_is_not_guessed(value: Any) -> None:
    """Minutes and seconds, or hours and minutes?"""
    assert (read(duration_seconds=value).duration_seconds, read(duration_seconds=value).problems) == (
        None, ("duration_seconds",),
    )  # fmt: skip


@pytest.mark.parametrize("value", [-1, "-1", "", "null", "N/A", "NaN"])
def test_a_duration_that_is_not_known_is_none(value: Any) -> None:
    """-1 is nobody's duration."""
    assert (read(duration_seconds=value).duration_seconds, read(duration_seconds=value).problems) == (None, ())


def test_a_withheld_number_is_none() -> None:
    """Whoever withholds the number is not one person who calls thousands of times. The notation stays in `raw`."""
    call = read(from_number="sip:anonymous@anonymous.invalid", phone_number="+266696687")
    assert (call.from_number, call.phone_number, call.problems) == (None, None, ())
    assert json.loads(call.raw)["from_number"] == "sip:anonymous@anonymous.invalid"


def test_a_number_that_would_fit_no_index_is_none() -> None:
    """128 characters are kept; more are no number, and are named."""
    assert read(phone_number="1" * 128).phone_number == "1" * 128
    call = read(phone_number="1" * 129)
    assert (call.phone_number, call.problems) == (None, ("phone_number",))


@pytest.mark.parametrize("value", ["", "null", "00000000-0000-0000-0000-000000000000", "N/A", "unknown"])
def test_no_agent_is_none(value: str) -> None:
    """The nil UUID identifies nobody."""
    assert (read(agent_id=value).agent_id, read(agent_id=value).problems) == (None, ())


def test_words_stay_words() -> None:
    """`unknown` may be a status or a direction of the source; nothing is none."""
    assert (read(status="unknown").status, read(direction="unknown").direction) == ("unknown", "unknown")
    assert (read(status="").status, read(direction="null").direction, read(summary="N/A").summary) == (None, None, None)


@pytest.mark.parametrize("value", ["{'campaign_id': 'x'}", '{"campaign_id": "x', '{"a": 1,}', "{}" * 3 + '"'])
def test_what_looks_like_json_and_is_none_is_named(value: str) -> None:
    """Cut off in the middle, or another language's notation: the text stays, and the field is named."""
    call = read(context=value)
    assert json.loads(call.context or "") == value
    assert call.problems == ("context",)


def test_a_context_in_a_text_is_the_context() -> None:
    """`campaign_id` and `last_error` are found; `raw` keeps the text."""
    call = read(context='{"campaign_id":"x","last_error":"busy"}')
    assert json.loads(call.context or "") == {"campaign_id": "x", "last_error": "busy"}
    assert isinstance(json.loads(call.raw)["context"], str)


@given(st.one_of(st.text(max_size=80), st.integers(), st.floats(), st.lists(st.integers(), max_size=8)))
def test_no_value_is_too_odd(value: Any) -> None:
    """Whatever stands in a field, the row is read, and a value that is none is none."""
    raw = json.dumps(
        {"id": ID, **dict.fromkeys(("created_at", "cost_usd", "duration_seconds", "phone_number", "context"), value)}
    )
    assert parse_row(raw.encode())
    assert instant(value) is None or 1970 <= instant(value).year <= 9998  # type: ignore[union-attr]
