"""Days in named time zones: 23 and 25 hours long where clocks change, and always a partition of the calls."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.sql import fix_small_world
from tests.sql.fix_small_world import CALLS, Call

Connection = psycopg.Connection[Any]

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe",
    "Pacific/Kiritimati", "Pacific/Pago_Pago", "Africa/Casablanca",
)  # fmt: skip


def created_on(small: Connection, day: str) -> set[int]:
    rows = small.execute("SELECT call_id FROM analytics.calls WHERE created_on = %s", [day]).fetchall()
    return {row["call_id"].int for row in rows}


def test_berlins_day_of_23_hours(berlin: Connection) -> None:
    """30 March begins at 23:00 UTC, includes it, and ends 23 hours later; 02:00 to 03:00 does not exist."""
    assert created_on(berlin, "2025-03-29") == {1}
    assert created_on(berlin, "2025-03-30") == {2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13}
    assert created_on(berlin, "2025-03-31") == {6}
    assert hours(berlin, 3, 4) == [1, 3]


def test_berlins_day_of_25_hours(berlin: Connection) -> None:
    """26 October begins at 22:00 UTC and ends 25 hours later; 02:30 comes twice, and both calls are on that day."""
    assert created_on(berlin, "2025-10-26") == {14, 15, 16, 17, 19, 20, 21}
    assert created_on(berlin, "2025-10-27") == {18}
    assert hours(berlin, 14, 15, 16, 17, 18) == [2, 2, 0, 23, 0]


def test_new_yorks_days(new_york: Connection) -> None:
    """2 November has 25 hours (01:30 twice), 9 March has 23 (02:00 to 03:00 does not exist)."""
    assert created_on(new_york, "2025-11-02") == {22, 23, 24}
    assert hours(new_york, 22, 23, 24) == [1, 1, 23]
    assert created_on(new_york, "2025-03-09") == {25, 26, 27, 28}
    assert hours(new_york, 25, 26, 27) == [1, 3, 23]


@pytest.mark.parametrize(
    ("time_zone", "day", "first", "next_first", "hours_of_day"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00", 23),
        ("Europe/Berlin", "2025-10-26", "2025-10-25T22:00", "2025-10-26T23:00", 25),
        ("America/New_York", "2026-03-08", "2026-03-08T05:00", "2026-03-09T04:00", 23),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00", 25),
        ("Asia/Kolkata", "2026-03-29", "2026-03-28T18:30", "2026-03-29T18:30", 24),
        ("UTC", "2026-03-29", "2026-03-29T00:00", "2026-03-30T00:00", 24),
    ],
)
def test_edges_of_days(
    small: Connection, time_zone: str, day: str, first: str, next_first: str, hours_of_day: int
) -> None:
    """The first and the last microsecond of a day, by hand: in all three reports, with a call each hour between."""
    small.execute("UPDATE replicator.reporting SET time_zone = %s", [time_zone])
    small.execute("DELETE FROM truedy.calls")
    begin, end = datetime.fromisoformat(first), datetime.fromisoformat(next_first)
    inside = [*(begin + timedelta(hours=hour) for hour in range(hours_of_day)), end - timedelta(microseconds=1)]
    assert inside[-2] + timedelta(hours=1) == end
    for number, instant in enumerate([*inside, begin - timedelta(microseconds=1), end], start=100):
        fix_small_world.insert(small, Call(number, instant.isoformat(), "completed", 0, 0, "0.01"))
    assert created_on(small, day) == set(range(100, 101 + hours_of_day))
    for view in ("status_funnel_daily", "call_duration_daily", "call_cost_daily"):
        rows = small.execute(f"SELECT calls FROM analytics.{view} ORDER BY day").fetchall()
        assert [row["calls"] for row in rows] == [1, hours_of_day + 1, 1], view


def hours(small: Connection, *numbers: int) -> list[int]:
    rows = small.execute("SELECT call_id, created_hour FROM analytics.calls").fetchall()
    by_number = {row["call_id"].int: row["created_hour"] for row in rows}
    return [by_number[number] for number in numbers]


def test_each_report_goes_by_its_own_instant(new_york: Connection) -> None:
    """Call 24 was created and started a second before midnight and ended after it: its cost is the next day's."""
    for view, day, measure, expected in (
        ("status_funnel_daily", "2025-11-02", "calls", 3),
        ("call_duration_daily", "2025-11-02", "duration_seconds", 310),
        ("call_cost_daily", "2025-11-02", "cost_usd", Decimal("0.9")),
        ("call_cost_daily", "2025-11-02", "cost_per_minute_usd", Decimal("0.18")),
        ("call_cost_daily", "2025-11-03", "cost_usd", Decimal("0.03")),
    ):
        rows = new_york.execute(f"SELECT {measure} FROM analytics.{view} WHERE day = %s", [day]).fetchall()
        assert [row[measure] for row in rows] == [expected], (view, measure)


def test_a_start_after_midnight_moves_the_traffic(berlin: Connection) -> None:
    """Call 1 was created on 29 March, and started and ended on the 30th."""
    row = berlin.execute(
        "SELECT created_on, started_on, cost_on FROM analytics.calls WHERE call_id = %s", [fix_small_world.call_id(1)]
    ).fetchone()
    assert row == {"created_on": date(2025, 3, 29), "started_on": date(2025, 3, 30), "cost_on": date(2025, 3, 30)}


def test_a_call_without_instants_is_on_no_day_and_in_every_total(small: Connection) -> None:
    """Call 29 stands in a row of its own, the day null."""
    for view in ("status_funnel_daily", "call_duration_daily", "call_cost_daily"):
        rows = small.execute(f"SELECT calls, direction, agent_id FROM analytics.{view} WHERE day IS NULL").fetchall()
        assert rows == [{"calls": 1, "direction": None, "agent_id": None}]


@pytest.mark.parametrize("time_zone", ZONES)
def test_a_time_zone_moves_calls_between_days_only(small: Connection, time_zone: str) -> None:
    """In every zone the days add up to the same calls, seconds and dollars: 29, 1253 and 2.0495."""
    small.execute("UPDATE replicator.reporting SET time_zone = %s", [time_zone])
    totals = small.execute(
        "SELECT (SELECT sum(calls) FROM analytics.status_funnel_daily) AS created, "
        "(SELECT sum(calls) FROM analytics.call_duration_daily) AS started, "
        "(SELECT sum(calls) FROM analytics.call_cost_daily) AS costed, "
        "(SELECT sum(measured_calls) FROM analytics.call_duration_daily) AS measured, "
        "(SELECT sum(calls) FROM analytics.call_duration_histogram_daily) AS in_buckets, "
        "(SELECT sum(duration_seconds) FROM analytics.call_duration_daily) AS seconds, "
        "(SELECT sum(cost_usd) FROM analytics.call_cost_daily) AS cost_usd"
    ).fetchone()
    assert totals == {
        "created": 29, "started": 29, "costed": 29, "measured": 18, "in_buckets": 18, "seconds": 1253,
        "cost_usd": Decimal("2.0495"),
    }  # fmt: skip
    zones = small.execute("SELECT DISTINCT reporting_time_zone FROM analytics.status_funnel_daily").fetchall()
    assert zones == [{"reporting_time_zone": time_zone}]


@pytest.mark.parametrize("time_zone", ZONES)
def test_days_are_those_of_another_hand(small: Connection, time_zone: str) -> None:
    """The database and Python's zoneinfo agree on the day and the hour of each call, and of each half hour of a year's turns."""
    small.execute("UPDATE replicator.reporting SET time_zone = %s", [time_zone])
    turns = [
        datetime.fromisoformat(f"2025-{day}T00:00:00") for day in ("03-09", "03-30", "04-06", "10-05", "10-26", "11-02")
    ]
    extra = [
        Call(1000 + 100 * turn + half, (start + half * timedelta(minutes=30)).isoformat(), "busy")
        for turn, start in enumerate(turns)
        for half in range(96)
    ]
    for call in extra:
        fix_small_world.insert(small, call)
    rows = small.execute("SELECT call_id, created_on, created_hour, created_weekday FROM analytics.calls").fetchall()
    shown = {row["call_id"].int: (row["created_on"], row["created_hour"], row["created_weekday"]) for row in rows}
    for call in (*CALLS, *extra):
        local = call.created_at.astimezone(ZoneInfo(time_zone)) if call.created_at else None
        expected = (local.date(), local.hour, local.isoweekday()) if local else (None, None, None)
        assert shown[call.number] == expected, call


def test_the_sessions_time_zone_does_not_matter(berlin: Connection) -> None:
    """Days are the reporting zone's, whatever the client has set for itself."""
    query = "SELECT day::text, direction, agent_id, campaign_id, calls FROM analytics.status_funnel_daily ORDER BY 1, 2, 3, 4"
    before = berlin.execute(query).fetchall()
    berlin.execute("SET TIME ZONE 'Pacific/Kiritimati'")
    assert berlin.execute(query).fetchall() == before
