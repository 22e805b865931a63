"""How an instant reads, in every form, and what is not guessed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.source.instants import LONGEST, epoch, http_date, instant, read_instant
from replicator.source.unknowns import NOT_KNOWN

pytestmark = pytest.mark.pure

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(2002, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-03T12:00:00Z", NOON),
        ("2026-02-03T12:00:00", NOON),
        ("2026-02-03 12:00:00", NOON),
        ("2026-02-03t12:00:00z", NOON),
        ("2026-02-03T14:30:00+02:30", NOON),
        ("2026-02-03T07:00:00-0500", NOON),
        ("20260203T143000+0230", NOON),
        ("2026/02/03 09:30 -02:30", NOON),
        ("2026-02-03 12:00:00+00", NOON),
        ("2026-02-03T12:00:00.5Z", NOON.replace(microsecond=500000)),
        ("2026-02-03T12:00:00.123Z", NOON.replace(microsecond=123000)),
        ("2026-02-03T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        ("2026-02-03T12:00:00.999999999", NOON.replace(microsecond=999999)),
        ("2026-02-03", NOON.replace(hour=0)),
        ("2026-02-02T24:00:00Z", NOON.replace(hour=0)),
        ("2026-02-03T11:59:60Z", NOON),
    ],
)
def test_an_instant_reads_in_every_spelling(text: str, expected: datetime) -> None:
    """ISO 8601 with Z, an offset or nothing (UTC), T or a space, a fraction of up to nine digits cut to microseconds; second 60
    and 24:00 are the next one.
    """
    assert instant(text) == expected


def test_a_naive_instant_is_utc_wherever_this_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own time zone never gets into an instant."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert instant("2026-02-03T12:00:00") == NOON
        assert epoch("1770120000") == NOON
        assert http_date("Tue, 03 Feb 2026 12:00:00 -0000") == NOON
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "value",
    [
        1772366400, Decimal("1772366400.0"), "1772366400", 1772366400000, "1772366400000", 1772366400000000, 1772366400000000000,
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
    assert instant(value) == datetime(2026, 3, 1, 12, tzinfo=UTC)


@settings(max_examples=15)
@given(INSTANTS, st.integers(-14 * 60, 14 * 60))
def test_one_instant_in_any_zone_is_one_instant(moment: datetime, minutes: int) -> None:
    """Whatever offset it is told with, with T or a space, it reads as the same, in UTC, to the microsecond."""
    told = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    for text in (told, told.replace("T", " ")):
        found = instant(text)
        assert found == moment
        assert found is not None
        assert found.tzinfo is UTC


@settings(max_examples=15)
@given(INSTANTS)
def test_unix_time_of_any_unit_is_one_instant(moment: datetime) -> None:
    """Seconds, milliseconds, microseconds and nanoseconds of this century do not overlap, as numbers and as their digits."""
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    for number in (Decimal(micros) / 1_000_000, Decimal(micros) / 1000, micros, micros * 1000):
        assert instant(number) == moment
        assert instant(f"{number:f}" if isinstance(number, Decimal) else str(number)) == moment


@pytest.mark.parametrize(
    "value",
    [
        1770, Decimal("45000.5"), "17701128", 10**300, "2026-W06-2T12:00:00", "yesterday", "02/03/2026", "2026-02-03 12:00:00 CET",
        "1969-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "2026-02-03T25:00:00Z", "+12026-02-03T12:00:00Z", [], {}, True, None, 1.5,
        "2" * 5000, 946_684_799, 4_102_444_800, "2026-02-03T12:00:00Z" + " " * LONGEST, [2026, 2, 3], [2026, 2, 3, 12, True],
        {"seconds": "soon"}, {"$date": []}, {"$date": {}}, "2026020312:00",
    ],
)  # fmt: skip
def test_what_is_no_instant_is_none(value: Any) -> None:
    """What has two meanings or none, a number outside this century, and years outside 1970 to 9998."""
    assert read_instant(value) is None


@pytest.mark.parametrize(
    "value",
    ["", "null", "N/A", "unknown", "never", "-infinity", 0, "0", -1, "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
     "1970-01-01T05:30:00+05:30", "1900-01-01", "9999-12-31T23:59:59Z", "/Date(0)/", {"seconds": 0}, {"$date": 0}, {"$date": ""}],
)  # fmt: skip
def test_what_stands_for_no_time_is_not_known(value: Any) -> None:
    """Words, zero, the first day of somebody's calendar, and the year 9999; it is told from what cannot be read."""
    assert read_instant(value) is NOT_KNOWN
    assert instant(value) is None


def test_the_first_year_counts_but_for_its_first_instant() -> None:
    """A millisecond into 1970 is odd, and an instant; before it there is none."""
    assert instant("1970-01-01T00:00:00.001Z") is not None
    assert instant("9998-12-31T23:59:59Z") is not None
    assert instant("1969-12-31T23:59:59.999Z") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([2026, 2, 3, 12, 0], NOON), ([2026, 2, 3, 12, 0, 1], NOON.replace(second=1)),
        ([2026, 2, 3, 12, 0, 0, 5_000], NOON.replace(microsecond=5)), ([2026, 13, 3, 12, 0], None), ([2026, 2, 3, 24, 0], None),
        ({"seconds": 1770120000, "nanos": 5_000}, NOON.replace(microsecond=5)), ({"_seconds": "1770120000"}, NOON),
        ({"seconds": 1770120000, "nanos": "x"}, NOON), ({"seconds": 1770120000, "nanos": 0, "zone": "UTC"}, None),
        ({"date": "2026-02-03 12:00:00.000000", "timezone": "UTC"}, NOON), ({"date": "2026-02-03 12:00:00", "timezone": "+01:00"}, NOON.replace(hour=11)),
        ({"date": "2026-02-03 12:00:00", "timezone": "Europe/Berlin"}, None), ({"$date": {"$numberLong": "1770120000000"}}, NOON),
        ({"iso": "2026-02-03T12:00:00Z"}, NOON),
    ],
)  # fmt: skip
def test_what_serialisers_make_of_an_instant_is_read(value: Any, expected: datetime | None) -> None:
    """Arrays of Java, objects of Firestore, protocol buffers, MongoDB and PHP; a zone by its name is not guessed."""
    assert instant(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Tue, 03 Feb 2026 12:00:00 GMT", NOON), ("Tuesday, 03-Feb-26 12:00:00 GMT", NOON), ("Tue Feb  3 12:00:00 2026", NOON),
        ("3 Feb 2026 07:00:00 EST", NOON), ("Tue, 30 Feb 2026 12:00:00 GMT", None), ("soon", None), ("", None), (None, None),
        ("Tue, 03 Feb 9999 12:00:00 GMT", None),
    ],
)  # fmt: skip
def test_a_date_header_is_read(value: str | None, expected: datetime | None) -> None:
    """In the three forms of HTTP; what is none says nothing of the server's clock."""
    assert http_date(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1770120000", NOON), ("0", datetime(1970, 1, 1, tzinfo=UTC)), ("-1", None), ("1770120000.5", None), ("", None),
     ("999999999999", None), ("1" * 13, None), (" 1", None)],
)  # fmt: skip
def test_unix_seconds_of_a_header_are_read(value: str, expected: datetime | None) -> None:
    """Whole seconds of any year that a datetime holds, and nothing else."""
    assert epoch(value) == expected


def test_twelve_digits_are_milliseconds_or_a_date() -> None:
    """As a text, milliseconds of a time before 9 September 2001 have twelve digits, like a date with hour and minute: those that
    begin like a year of our time are the date.
    """
    assert instant("978307200000") == instant(978307200000) == datetime(2001, 1, 1, tzinfo=UTC)
    assert instant("202603291200") == datetime(2026, 3, 29, 12, tzinfo=UTC)


@settings(max_examples=40)
@given(
    st.one_of(
        st.text(max_size=70), st.text("0123456789-:.TZ+ ", max_size=40), st.integers(), st.floats(),
        st.lists(st.integers(), max_size=8), st.dictionaries(st.sampled_from(["seconds", "nanos", "$date", "date"]), st.integers() | st.text(max_size=9)),
    )
)  # fmt: skip
def test_no_value_is_too_odd(value: Any) -> None:
    """Whatever stands there: an instant between 1970 and 9998 in UTC, no time, or none; never an error."""
    found = read_instant(value)
    if isinstance(found, datetime):
        assert 1970 <= found.year <= 9998
        assert found.tzinfo is UTC
    else:
        assert found is None or found is NOT_KNOWN
