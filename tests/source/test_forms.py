"""The forms in which vendors send one and the same value, as tables: what each is read as, and what is not guessed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.records import Call
from replicator.source.fields import unwrapped
from replicator.source.instants import instant
from replicator.source.parsing import parse_row
from replicator.source.unknowns import is_withheld

pytestmark = pytest.mark.pure


ID = "44ec8f61-6d9a-4553-a6ca-777f5f5ef95b"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read(**fields: Any) -> Call:
    call = parse_row(json.dumps({"id": ID, **fields}).encode())
    assert isinstance(call, Call)
    return call


@pytest.mark.parametrize(
    "value",
    [
        1772366400, 1772366400.0, "1772366400", 1772366400000, "1772366400000", 1772366400000000, 1772366400000000000,
        "2026-03-01T12:00:00Z", "2026-03-01 12:00:00 UTC", "2026-03-01 12:00:00 GMT", "2026-03-01T12:00:00+0000",
        "2026-03-01T12:00:00+00", "2026-03-01T13:00+01:00", "2026-03-01T12:00Z", "2026-03-01t12:00:00z",
        "2026-03-01T12:00:00,000Z", "2026-03-01T12:00:00.000000000Z", "20260301T120000Z", "20260301T1200Z", 20260301120000,
        "2026/03/01 12:00:00", " 2026-03-01T12:00:00Z ", "Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:00 +0000",
        "1 Mar 2026 07:00:00 EST", "Sun Mar  1 12:00:00 2026", "Sunday, 01-Mar-26 12:00:00 GMT",
        "Sun Mar 01 2026 12:00:00 GMT+0000 (Coordinated Universal Time)", "2026-03-01 12:00:00 +0000 UTC m=+0.1",
        "2026-03-01T13:00:00+01:00[Europe/Berlin]", "/Date(1772366400000)/", "/Date(1772366400000+0100)/",
        {"$date": "2026-03-01T12:00:00Z"}, {"$date": 1772366400000}, {"$date": {"$numberLong": "1772366400000"}},
        {"seconds": 1772366400, "nanos": 0}, {"_seconds": 1772366400, "_nanoseconds": 0}, {"seconds": "1772366400"},
        {"date": "2026-03-01 12:00:00.000000", "timezone_type": 3, "timezone": "UTC"}, [2026, 3, 1, 12, 0],
    ],
)  # fmt: skip
def test_an_instant_is_read_in_every_form(value: Any) -> None:
    """Unix time of any unit, ISO 8601 with all its variants, mail and HTTP dates, what serialisers make: one instant."""
    call = read(created_at=value)
    assert (call.created_at, call.problems) == (NOON, ())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01", NOON.replace(hour=0)), ("20260301", NOON.replace(hour=0)),
        ("2026-03-01T12:00:00.1Z", NOON.replace(microsecond=100000)),
        ("2026-03-01T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        ({"seconds": 1772366400, "nanos": 5000}, NOON.replace(microsecond=5)),
        ("2026-02-28T24:00:00Z", NOON.replace(hour=0)), ("2026-03-01T11:59:60Z", NOON),
    ],
)  # fmt: skip
def test_days_fractions_and_leap_seconds(value: Any, expected: datetime) -> None:
    """A date is its beginning in UTC; a fraction is cut to microseconds; second 60 and 24:00 are the next one."""
    assert read(created_at=value).created_at == expected


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
    ("value", "expected"),
    [
        (0.25, "0.25"), ("0.25", "0.25"), ("$0.25", "0.25"), ("-$0.25", "-0.25"), ("$-0.25", "-0.25"), ("0.25 USD", "0.25"),
        ("USD 0.25", "0.25"), ("US$0.25", "0.25"), ("usd 0.25", "0.25"), (" 0.25 ", "0.25"), (".25", "0.25"),
        ("1e-3", "0.001"), ("+1.5", "1.5"), ("$1,234.56", "1234.56"), ({"amount": "0.25", "currency": "USD"}, "0.25"),
        ({"amount": 0.25, "currency": "usd"}, "0.25"), ({"value": "0.25", "currency_code": "USD"}, "0.25"),
        ({"currencyCode": "USD", "units": "1", "nanos": 250000000}, "1.25"),
    ],
)  # fmt: skip
def test_money_is_read_in_every_form(value: Any, expected: str) -> None:
    """Digits with a sign, the dollar's name or both, and objects that name the currency."""
    call = read(cost_usd=value)
    assert (call.cost_usd, call.problems) == (Decimal(expected), ())


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


@pytest.mark.parametrize(
    "value",
    [65, 65.9, "65", "65s", "65 s", "65 sec", "65 seconds", "65000ms", "PT1M5S", "PT65S", "pt1m5s", "1m5s", "1m 5s",
     "1 min 5 sec", "00:01:05", "0:01:05", {"seconds": 65}, {"seconds": "65", "nanos": 9}, "65.4"],
)  # fmt: skip
def test_a_duration_is_read_in_every_form(value: Any) -> None:
    """Numbers, units, ISO 8601, a clock with three parts."""
    assert (read(duration_seconds=value).duration_seconds, read(duration_seconds=value).problems) == (65, ())


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


WITHHELD = [
    "anonymous", "Anonymous", "ANONYMOUS", "restricted", "Restricted", "private", "Private Number", "unavailable", "unknown",
    "Unknown Caller", "withheld", "number withheld", "blocked", "No Caller ID", "no-caller-id", "+266696687", "266696687",
    "+7378742833", "+2562533", "+8656696", "+86282452253", "sip:anonymous@anonymous.invalid", "sips:Anonymous@10.0.0.1:5061",
    '"Anonymous" <sip:anonymous@anonymous.invalid>', "<sip:restricted@example.org;user=phone>", "tel:anonymous",
    "sip:+266696687@example.org", "", " ", "null", "None", "N/A", "-", "0", "0000000000", "+0", "undefined",
]  # fmt: skip


@pytest.mark.parametrize("value", WITHHELD)
def test_a_withheld_number_is_none(value: str) -> None:
    """Whoever withholds the number is not one person who calls thousands of times. The notation stays in `raw`."""
    call = read(from_number=value, direction="inbound")
    assert (call.from_number, call.problems) == (None, ())
    assert json.loads(call.raw)["from_number"] == value


@pytest.mark.parametrize(
    "value",
    ["+14155550123", "14155550123", "(415) 555-0123", "sip:+14155550123@example.org", "tel:+14155550123", "911", "+1000000001",
     "sip:jane@example.org", "privateer", "Unknown Pleasures Ltd", "26669668"],
)  # fmt: skip
def test_a_number_stays_as_received(value: str) -> None:
    """Separators, SIP and tel addresses, and words that only look like one of those are kept."""
    assert not is_withheld(value)
    assert read(phone_number=value).phone_number == value


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


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"campaign_id": "x"}', {"campaign_id": "x"}), ('"{\\"campaign_id\\": \\"x\\"}"', {"campaign_id": "x"}),
        ('  [{"a": 1}] ', [{"a": 1}]), ("{}", {}), ("[]", []), ("no JSON", "no JSON"), ("7", "7"), ("[noise] x", "[noise] x"),
        ('{"big": 123456789012345678901234567890.5}', None),
    ],
)  # fmt: skip
def test_json_in_a_text_is_read(value: str, expected: Any) -> None:
    """An object or array in a text, also twice, is that; any other text stays one."""
    found, is_well = unwrapped(value)
    assert is_well
    assert expected is None or found == expected


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
