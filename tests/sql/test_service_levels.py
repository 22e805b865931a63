"""Service levels, concurrency and errors: by hand, and against another hand on made-up worlds."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.fix_small_world import AGENT_A, at, call_id
from tests.sql.fix_worlds import ZONES, Contact, add, empty

Connection = psycopg.Connection[Any]

DAY = date(2025, 7, 1)


def row(connection: Connection, query: str, *values: object) -> dict[str, Any]:
    found: list[dict[str, Any]] = connection.execute(query, values).fetchall()
    assert len(found) == 1
    return found[0]


def seen(connection: Connection, number: int, first_seen: str) -> None:
    connection.execute("UPDATE truedy.calls SET first_seen_at = %s WHERE id = %s", [at(first_seen), call_id(number)])


def transcript(connection: Connection, number: int, state: str, fetched: str | None = None, attempts: int = 0) -> None:
    connection.execute(
        "INSERT INTO truedy.transcripts (call_id, state, attempts, fetched_at, due_at) VALUES (%s, %s, %s, %s, %s)",
        [call_id(number), state, attempts, fetched and at(fetched), at("2026-01-01T00:00:00") if state == "pending" else None],
    )  # fmt: skip


def test_answers_in_time_by_hand(small: Connection) -> None:
    """20 seconds are in time, 21 are not, before the creation is no time; the machine counts, nobody answering does not."""
    empty(small)
    add(
        small,
        Contact(1, "2025-07-01T12:00:00", "completed", 20, 60),
        Contact(2, "2025-07-01T12:00:00", "completed", 21, 60),
        Contact(3, "2025-07-01T12:00:00", "voicemail", 0, 60),
        Contact(4, "2025-07-01T12:00:00", "completed", -1, 60),
        Contact(5, "2025-07-01T12:00:00", "no_answer", 5),
        Contact(6, "2025-07-01T12:00:00", "in_progress", 5),
        Contact(7, "2025-07-01T12:00:00", "queued"),
        Contact(8, "2025-07-01T12:00:00", "ended", None, 60),
    )
    found = row(small, "SELECT * FROM analytics.sla_daily")
    assert (found["day"], found["calls"], found["connected_calls"], found["timed_calls"]) == (DAY, 8, 6, 4)
    assert (found["answered_in_time_calls"], found["answered_in_time_rate"]) == (3, 0.75)
    small.execute("UPDATE replicator.reporting SET answer_target_seconds = 19")
    assert row(small, "SELECT * FROM analytics.sla_daily")["answered_in_time_rate"] == 0.5


def test_transcripts_in_time_by_hand(small: Connection) -> None:
    """Each call ends at 12:01 and was seen then, and its transcript is to be there at 12:16.

    In time: 1, to the second, and 5, whose first content came early. Late: 2, and 3, which is still missing. 4 was first
    seen when the time had run out; 6 was read again unchanged, so that nobody knows. 7 has none and 8 may not have it.
    """
    empty(small)
    for number in range(1, 10):
        add(small, Contact(number, "2025-07-01T12:00:00", "completed", 0, 60))
        seen(small, number, "2025-07-01T12:01:30")
    seen(small, 4, "2025-07-01T12:16:01")
    transcript(small, 1, "present", "2025-07-01T12:16:00")
    transcript(small, 2, "present", "2025-07-01T12:16:01")
    transcript(small, 3, "pending")
    transcript(small, 4, "present", "2025-07-01T12:16:02")
    transcript(small, 5, "present", "2025-07-02T12:00:00")
    transcript(small, 6, "present", "2025-07-02T12:00:00", attempts=1)
    transcript(small, 7, "absent_final")
    transcript(small, 8, "denied")
    small.execute(
        "INSERT INTO truedy.transcript_versions (call_id, fetched_at, segments) VALUES (%s, %s, '[]')",
        [call_id(5), at("2025-07-01T12:10:00")],
    )
    found = row(small, "SELECT * FROM analytics.sla_daily")
    names = ("backfilled", "unknown", "judged", "in_time")
    assert [found[f"transcript_{name}_calls"] for name in names] == [1, 1, 4, 2]
    assert found["transcript_in_time_rate"] == 0.5
    # A replaced one whose first reading is not known to be in time tells nothing either.
    small.execute("UPDATE truedy.transcript_versions SET fetched_at = '2025-07-01 13:00Z'")
    found = row(small, "SELECT * FROM analytics.sla_daily")
    assert [found[f"transcript_{name}_calls"] for name in names] == [1, 2, 3, 1]


def test_a_transcript_that_can_still_come_is_not_late(small: Connection) -> None:
    """The call ended 14 minutes ago: pending is no failure. After 16 minutes it is."""
    empty(small)
    add(small, Contact(1, "2025-07-01T12:00:00", "completed", 0, 60))
    transcript(small, 1, "pending")
    for minutes, judged in ((14, 0), (16, 1)):
        small.execute(
            "UPDATE truedy.calls SET created_at = now() - %(ago)s, started_at = now() - %(ago)s, ended_at = now() - %(ago)s, "
            "first_seen_at = now() - %(ago)s, cost_usd = NULL",
            {"ago": timedelta(minutes=minutes)},
        )
        found = row(small, "SELECT * FROM analytics.sla_daily")
        assert (found["transcript_judged_calls"], found["transcript_in_time_calls"]) == (judged, 0)
        assert (found["cost_judged_calls"], found["cost_in_time_rate"]) == (0, None)


def test_costs_in_time_by_hand(small: Connection) -> None:
    """Calls end at 12:01; costs are to be known a day later. 1 had it at first sight, 2 a change brought it in time, 3 late.

    4 never got it. 5 was corrected late, but known at once. 6 was first seen too late, 7 expects none, 8 is open.
    """
    empty(small)
    add(
        small,
        *(Contact(number, "2025-07-01T12:00:00", "completed", 0, 60, "0.5") for number in (1, 2, 3, 5, 6)),
        Contact(4, "2025-07-01T12:00:00", "completed", 0, 60),
        Contact(7, "2025-07-01T12:00:00", "busy"),
        Contact(8, "2025-07-01T12:00:00", "in_progress", 0),
    )
    for number in range(1, 9):
        seen(small, number, "2025-07-01T12:05:00")
    seen(small, 6, "2025-07-02T12:01:01")
    for number, old, observed in (
        (2, None, "07-02T12:01:00"),
        (3, None, "07-02T12:01:01"),
        (5, "0.4", "07-09T12:00:00"),
    ):
        small.execute(
            "INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, observed_at) VALUES (%s, %s, 0.5, %s)",
            [call_id(number), old, at(f"2025-{observed}")],
        )
    found = row(small, "SELECT * FROM analytics.sla_daily")
    assert (found["cost_backfilled_calls"], found["cost_judged_calls"], found["cost_in_time_calls"]) == (1, 5, 3)
    assert found["cost_in_time_rate"] == 0.6


def test_concurrency_by_hand(small: Connection) -> None:
    """A from 10:00 to 10:30, B from 10:10 to 11:20, C from 10:30 as A ends: two at once, never three.

    B spans two hours, C has no end but a duration of 30 minutes, D lasts no time, E ends before it starts, nobody
    answered F. From 11:00 to 11:20 there is B alone. 10 o'clock: 30 + 50 + 30 minutes in 60.
    """
    empty(small)
    add(
        small,
        Contact(1, "2025-07-01T10:00:00", "completed", 0, 1800),
        Contact(2, "2025-07-01T10:10:00", "completed", 0, 4200),
        Contact(3, "2025-07-01T10:30:00", "completed", 0, 1800),
        Contact(4, "2025-07-01T10:15:00", "completed", 0, 0),
        Contact(5, "2025-07-01T10:15:00", "completed", 0, -60),
        Contact(6, "2025-07-01T10:15:00", "no_answer", 0, 600),
        Contact(7, "2025-07-01T10:15:00", "completed", 0, 60, account="other"),
    )
    small.execute("UPDATE truedy.calls SET ended_at = NULL WHERE id = %s", [call_id(3)])
    found = small.execute(
        "SELECT hour_at, day, hour, account, calls, peak_calls, busy_seconds, hour_seconds, average_concurrency "
        "FROM analytics.concurrency_hourly ORDER BY account, hour_at"
    ).fetchall()
    assert [tuple(each.values()) for each in found] == [
        (datetime(2025, 7, 1, 10, tzinfo=UTC), DAY, 10, "main", 3, 2, 6600.0, 3600.0, 6600 / 3600),
        (datetime(2025, 7, 1, 11, tzinfo=UTC), DAY, 11, "main", 1, 1, 1200.0, 3600.0, 1200 / 3600),
        (datetime(2025, 7, 1, 10, tzinfo=UTC), DAY, 10, "other", 1, 1, 60.0, 3600.0, 60 / 3600),
    ]


def test_open_and_endless_calls(small: Connection) -> None:
    """An open call lasts until now; one whose end was lost in the year 1, or comes in 9999, fills one day and no more."""
    empty(small)
    add(
        small,
        Contact(1, "2025-07-01T10:00:00", "in_progress", 0),
        Contact(2, "0001-01-02T00:00:00", "completed", 0, 60),
    )
    small.execute("UPDATE truedy.calls SET started_at = now() - interval '90 minutes' WHERE id = %s", [call_id(1)])
    small.execute("UPDATE truedy.calls SET ended_at = '9999-12-31' WHERE id = %s", [call_id(2)])
    totals = "SELECT sum(busy_seconds)::integer AS seconds, max(peak_calls) AS peak FROM analytics.concurrency_hourly WHERE day"
    assert row(small, f"{totals} > '2020-01-01'") == {"seconds": 5400, "peak": 1}
    assert row(small, f"{totals} < '2020-01-01'") == {"seconds": 86400, "peak": 1}
    # The hour that goes on has only passed in part; so its average is not too low.
    last = row(small, "SELECT * FROM analytics.concurrency_hourly ORDER BY hour_at DESC LIMIT 1")
    assert last["average_concurrency"] == 1.0
    small.execute("UPDATE truedy.calls SET started_at = now() + interval '1 day', ended_at = now() + interval '2 days'")
    assert small.execute("SELECT * FROM analytics.concurrency_hourly").fetchall() == []


def test_days_on_which_nothing_starts_or_ends(small: Connection) -> None:
    """From 23:30 of 30 March in Berlin 24 hours are counted: half an hour, a day of 23 of which no call tells, and half an
    hour of 1 April.
    """
    empty(small, "Europe/Berlin")
    add(small, Contact(1, "2024-03-30T22:30:00", "completed", 0, 60))
    small.execute("UPDATE truedy.calls SET ended_at = '9999-12-31'")
    found = small.execute(
        "SELECT day, count(*) AS hours, sum(busy_seconds) AS seconds FROM analytics.concurrency_hourly GROUP BY day ORDER BY day"
    ).fetchall()
    assert [(each["day"].day, each["hours"], each["seconds"]) for each in found] == [
        (30, 1, 1800.0), (31, 23, 82800.0), (1, 1, 1800.0),
    ]  # fmt: skip


def test_hours_where_clocks_change(small: Connection) -> None:
    """Berlin's 02:00 comes twice on 26 October and not at all on 30 March: calls that last four hours span four hours."""
    empty(small, "Europe/Berlin")
    add(small, *(Contact(n, f"2025-{d}T23:30:00", "completed", 0, 14400) for n, d in ((1, "10-25"), (2, "03-29"))))
    found = small.execute("SELECT * FROM analytics.concurrency_hourly ORDER BY hour_at").fetchall()
    assert [(each["day"].day, each["hour"], each["busy_seconds"]) for each in found] == [
        (30, 0, 1800.0), (30, 1, 3600.0), (30, 3, 3600.0), (30, 4, 3600.0), (30, 5, 1800.0),
        (26, 1, 1800.0), (26, 2, 3600.0), (26, 2, 3600.0), (26, 3, 3600.0), (26, 4, 1800.0),
    ]  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
def test_concurrency_agrees_with_another_hand(small: Connection, zone: str) -> None:
    """80 calls around the turn of the clocks, of seconds to 30 hours: level by level in Python, and the same total everywhere."""
    empty(small, zone)
    dice = random.Random(23)
    begin = datetime(2025, 10, 25, 12, tzinfo=UTC)
    calls, spans = [], []
    for number in range(100, 180):
        start = begin + timedelta(seconds=60 * dice.randrange(2160))
        length = dice.choice((60, 600, 1800, 3600, 7200, 30 * 3600))
        calls.append(Contact(number, start.replace(tzinfo=None).isoformat(), "completed", 0, length))
        spans.append((start, start + timedelta(seconds=min(length, 86400))))
    add(small, *calls)
    found = small.execute("SELECT * FROM analytics.concurrency_hourly ORDER BY hour_at").fetchall()
    total = sum((end - start).total_seconds() for start, end in spans)
    assert sum(each["busy_seconds"] for each in found) == pytest.approx(total, rel=1e-12)
    for each in found:
        since = each["hour_at"]
        until = since + timedelta(seconds=each["hour_seconds"])
        inside = [(start, end) for start, end in spans if start < until and end > since]
        assert each["calls"] == len(inside)
        instants = {since, *(start for start, _ in inside if start > since)}
        assert each["peak_calls"] == max(sum(start <= at < end for start, end in inside) for at in instants)
        busy = sum((min(end, until) - max(start, since)).total_seconds() for start, end in inside)
        assert each["busy_seconds"] == pytest.approx(busy)
        local = since.astimezone(ZoneInfo(zone))
        assert (each["day"], each["hour"]) == (local.date(), local.hour)


def test_errors_by_hand(small: Connection) -> None:
    """Two timeouts, one of which was charged and one connected; a failure without a word; a class that nobody knows.

    A call that went well and names no error is in no row. A list is no error text.
    """
    empty(small)
    errors = {
        1: "SIP Timeout", 2: "it timed out", 3: None, 4: "??", 5: None, 6: ["a"], 7: "  ",
    }  # fmt: skip
    add(
        small,
        Contact(1, "2025-07-01T12:00:00", "failed", None, None, "0.01"),
        Contact(2, "2025-07-01T12:00:00", "completed", 0, 60),
        Contact(3, "2025-07-01T12:00:00", "failed"),
        Contact(4, "2025-07-01T12:00:00", "queued"),
        Contact(5, "2025-07-01T12:00:00", "completed", 0, 60),
        Contact(6, "2025-07-01T12:00:00", "failed"),
        Contact(7, "2025-07-02T12:00:00", "completed", 0, 60),
    )
    for number, error in errors.items():
        small.execute(
            "UPDATE truedy.calls SET context = %s WHERE id = %s",
            [Jsonb({} if error is None else {"last_error": error}), call_id(number)],
        )
    found = small.execute(
        "SELECT day, direction, agent_id, error_class, calls, open_calls, not_placed_calls, connected_calls, cost_known_calls, "
        "cost_pending_calls, cost_usd FROM analytics.errors_daily ORDER BY error_class"
    ).fetchall()
    assert [tuple(each.values()) for each in found] == [
        (DAY, "outbound", AGENT_A, "not said", 2, 0, 2, 0, 0, 0, None),
        (DAY, "outbound", AGENT_A, "other", 1, 1, 0, 0, 0, 1, None),
        (DAY, "outbound", AGENT_A, "timeout", 2, 0, 1, 1, 1, 1, Decimal("0.01")),
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_days_of_service_and_errors_are_a_partition(small: Connection, zone: str) -> None:
    """In every zone the small world's 29 calls, and its 29 errors, two of them of calls that were not placed."""
    small.execute("UPDATE replicator.reporting SET time_zone = %s", [zone])
    assert row(small, "SELECT sum(calls) AS n, sum(timed_calls) AS t FROM analytics.sla_daily") == {"n": 29, "t": 17}
    assert row(small, "SELECT sum(calls) AS n, sum(not_placed_calls) AS f FROM analytics.errors_daily") == {
        "n": 29,
        "f": 2,
    }
    by_day: dict[Any, Counter[str]] = defaultdict(Counter)
    for each in small.execute("SELECT day, calls FROM analytics.sla_daily").fetchall():
        by_day[each["day"]]["sla"] += each["calls"]
    for each in small.execute("SELECT day, calls FROM analytics.errors_daily").fetchall():
        by_day[each["day"]]["errors"] += each["calls"]
    assert all(each["sla"] == each["errors"] for each in by_day.values())
