"""Dates, times and durations: each usual form is read, and what may be two days is refused with the setting that decides."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.reconcile import instants

pytestmark = pytest.mark.pure

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 10, 31, 13, 5, 9, tzinfo=UTC)
SAME = [
    "2026-10-31T13:05:09Z", "2026-10-31 13:05:09", "2026-10-31 13:05:09 UTC", "2026-10-31T15:05:09+02:00", "2026-10-31 15:05:09 +0200",
    "2026/10/31 13:05:09", "2026.10.31 13:05:09", "31.10.2026 13:05:09", "31/10/2026 13:05:09", "10/31/2026 1:05:09 PM", "10/31/2026, 1:05:09 p.m.",
    "31-10-2026 13:05:09", "31 Oct 2026 13:05:09", "Sat, 31 Oct 2026 13:05:09 +0000", "Oct 31, 2026 1:05:09 PM", "31-Oct-2026 13:05:09",
    "October 31, 2026 13:05:09", "13:05:09 UTC 2026-10-31", "06:05:09 PDT 2026-10-31", "1793451909", "1793451909000", "2026-10-31T13:05:09.000Z",
    "2026-10-31T09:05:09 EDT", "20261031130509", "20261031T130509Z",
]  # fmt: skip


@pytest.mark.parametrize("text", SAME)
def test_all_usual_forms_of_one_instant(text: str) -> None:
    assert instants.read(text) == AT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-31 13:05:09", datetime(2026, 10, 31, 12, 5, 9, tzinfo=UTC)),
        ("2026-07-31 13:05", datetime(2026, 7, 31, 11, 5, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 10, 31, 23, tzinfo=UTC)),
        ("2026-10-25 02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # twice: the first
        ("2026-10-31T13:05:09Z", AT),
    ],
)
def test_without_a_zone_it_is_a_time_of_the_statements(text: str, expected: datetime) -> None:
    """A zone of its own wins; an hour that is there twice is the first one."""
    assert instants.read(text, BERLIN) == expected


@pytest.mark.parametrize("text", ["10/11/2026", "10-11-2026 10:00", "1/2/2026", "10/11/26"])
def test_a_date_that_may_be_two_is_refused(text: str) -> None:
    """With the setting that decides."""
    with pytest.raises(ValueError, match=r"set dates = .* under \[format\]"):
        instants.read(text)


@pytest.mark.parametrize(
    ("text", "order", "month", "day"),
    [("10/11/2026", "dmy", 11, 10), ("10/11/2026", "mdy", 10, 11), ("10.11.2026", None, 11, 10), ("11/11/2026", None, 11, 11), ("10/11/26", "dmy", 11, 10)],
)  # fmt: skip
def test_the_order_decides(text: str, order: str | None, month: int, day: int) -> None:
    found = instants.read(text, UTC, order)
    assert (found.year, found.month, found.day) == (2026, month, day)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "2026-02-30 10:00", "31/31/2026", "2026-10-31 25:00:00", "2026-10-31 13:05 XYZ", "13:05", "45000.5", "2026", "0000-01-01",
     "2026-10-31 13:00 PM", "31 Foo 2026", "2026-10-31T13:05:09+99:99", "2026-W01-1", "\u0662\u0660\u0662\u0666-10-31", "10/2026", "9" * 20],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        instants.read(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("202610312359", datetime(2026, 10, 31, 23, 59, tzinfo=UTC)), ("20261031", datetime(2026, 10, 31, tzinfo=UTC)),
     ("1262304000", datetime(2010, 1, 1, tzinfo=UTC)), ("1262304000.5", datetime(2010, 1, 1, 0, 0, 0, 500000, tzinfo=UTC))],
)  # fmt: skip
def test_a_compact_date_is_no_epoch(text: str, expected: datetime) -> None:
    """202610312359 is in 2026, and not 1976."""
    assert instants.read(text) == expected


@pytest.mark.parametrize(
    "text", ["2026103123", "123456789", "999999999999", "1262303999", "2010010100", "202613312359"]
)
def test_a_number_that_is_no_time_of_a_call_is_refused(text: str) -> None:
    """A day and an hour would be 2034 as seconds since 1970."""
    with pytest.raises(ValueError, match=r"no time of a call|no such day"):
        instants.read(text)


FORMS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%Y/%m/%d %H:%M:%S",
)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)).map(lambda moment: moment.replace(microsecond=0))  # noqa: DTZ001


@given(MOMENTS, st.sampled_from(FORMS), st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]))
def test_any_moment_comes_back_in_any_form_and_zone(moment: datetime, form: str, zone: str) -> None:
    assert instants.read(moment.strftime(form), ZoneInfo(zone)) == moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@given(st.text(max_size=40))
def test_no_text_raises_anything_but_a_reason(text: str) -> None:
    for read in (instants.read, instants.seconds):
        with suppress(ValueError):
            read(text)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [("65", "seconds", 65), ("65.4", "seconds", 65), ("65.5", "seconds", 66), ("1:05", "seconds", 65), ("0:01:05", "minutes", 65), ("00:00", "seconds", 0),
     ("1.1", "minutes", 66), ("65000", "milliseconds", 65), ("65s", "seconds", 65), ("1m 5s", "seconds", 65), ("1h", "seconds", 3600), ("2 min", "seconds", 120)],
)  # fmt: skip
def test_durations(text: str, unit: str, expected: int) -> None:
    assert instants.seconds(text, unit) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.234", 1234), ("65,4", 65), ("1:05,5", 65), ("1.234,5", 1235), ("65", 65), ("65s", 65)],
)
def test_seconds_have_the_statements_decimal_sign(text: str, expected: int) -> None:
    """With a comma, 1.234 is not one second."""
    assert instants.seconds(text, "seconds", ",") == expected
    with pytest.raises(ValueError, match="set decimal"):
        instants.seconds("65.5", "seconds", ",")


@pytest.mark.parametrize("text", ["", "-5", "abc", "1:2:3:4", "1e5", "99999999999", "five", "5 apples", "::"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        instants.seconds(text)


def test_no_instant_leaves_the_calendar() -> None:
    """At its ends, the zone would lead out of it."""
    with pytest.raises(ValueError):
        instants.in_utc(datetime.max, ZoneInfo("America/New_York"))  # noqa: DTZ901
    assert instants.in_utc(datetime(2026, 1, 1), UTC) == datetime(2026, 1, 1, tzinfo=UTC) - timedelta(0)  # noqa: DTZ001
