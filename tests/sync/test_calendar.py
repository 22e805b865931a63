"""The calendar's corners: leap seconds, turns of the year, 29 February. From the source's words to the reports' days."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from replicator.records import Call
from replicator.source.parsing import parse_row
from replicator.store import stored_calls
from replicator.sync.content.calls import Observation, settle
from replicator.sync.coverage.ledger import DEFAULT_POLICY, TICK, Interval, Ledger, Piece, prove

if TYPE_CHECKING:
    from replicator.store.database import Database

CORNERS = {
    "2016-12-31T23:59:60Z": datetime(2017, 1, 1, tzinfo=UTC),
    "2016-12-31T23:59:60.5Z": datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
    "2017-01-01T00:59:60+01:00": datetime(2017, 1, 1, tzinfo=UTC),
    "2015-06-30T23:59:60Z": datetime(2015, 7, 1, tzinfo=UTC),
    "2025-12-31T23:59:59.999999Z": datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    "2026-01-01T00:00:00Z": datetime(2026, 1, 1, tzinfo=UTC),
    "2025-12-31T23:30:00-01:00": datetime(2026, 1, 1, 0, 30, tzinfo=UTC),
    "2024-02-29T00:00:00Z": datetime(2024, 2, 29, tzinfo=UTC),
    "2024-02-29T23:59:60Z": datetime(2024, 3, 1, tzinfo=UTC),
    "2000-02-29T12:00:00Z": datetime(2000, 2, 29, 12, tzinfo=UTC),
    "2023-02-28T23:59:59Z": datetime(2023, 2, 28, 23, 59, 59, tzinfo=UTC),
}
NONE = (
    "2023-02-29T12:00:00Z",
    "1900-02-29T12:00:00Z",
    "2024-02-30T12:00:00Z",
    "2026-01-01T00:00:61Z",
    "2026-13-01T00:00:00Z",
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def call(number: int, at: str) -> Call:
    """Return a call as a response shows it, all of whose instants are this one."""
    row = {
        "id": str(UUID(int=number)),
        "status": "completed",
        "direction": "outbound",
        "cost_usd": 1,
        "duration_seconds": 0,
    }
    read = parse_row(
        json.dumps(row | dict.fromkeys(("created_at", "started_at", "ended_at", "updated_at"), at)).encode()
    )
    assert isinstance(read, Call)
    return read


@pytest.mark.parametrize(("text", "instant"), CORNERS.items())
def test_a_corner_is_read_proven_and_renewed(text: str, instant: datetime) -> None:
    """It is read as the instant that PostgreSQL takes it for; a page of it proves its stretch; its age has a class."""
    seen = call(1, text)
    assert (seen.created_at, seen.started_at, seen.problems) == (instant, instant, ())
    proven = prove((instant + TICK, instant, instant - TICK), offset=7, server_time=None)
    assert proven is not None
    assert instant in (proven.since, proven.until - TICK) or proven.since < instant < proven.until
    ledger = Ledger().record(Piece(instant - TICK, instant + TICK, instant))
    assert ledger.at(instant) is not None
    for now in (instant, instant + TICK, instant + timedelta(days=366), NOW):
        if now >= instant:
            assert DEFAULT_POLICY.every(now - instant) > timedelta(0)
            assert ledger.due(now + timedelta(days=91), DEFAULT_POLICY) == Interval(instant - TICK, instant + TICK)


@pytest.mark.parametrize("text", NONE)
def test_a_day_that_does_not_exist_is_a_problem_of_its_field(text: str) -> None:
    """29 February of a common year, second 61 and month 13 are no instants: named, kept in raw, and the row is stored."""
    seen = call(1, text)
    assert seen.created_at is None
    assert "created_at" in seen.problems
    assert text in seen.raw


def test_corners_fall_on_their_days_in_the_reports(database: Database) -> None:
    """Stored and looked at through every view: each call is on its own day, and what PostgreSQL reads is what we read."""
    seen = [Observation(call(number, text), NOW) for number, text in enumerate(CORNERS, 1)]
    with database.transaction() as tx:
        settled = settle({}, seen)
        stored_calls.write_calls(tx, "default", settled.calls, settled.versions)
    expected: dict[date, int] = {}
    for instant in CORNERS.values():
        expected[instant.date()] = expected.get(instant.date(), 0) + 1
    with database.connection() as connection:
        same = connection.execute(
            "SELECT created_at, (raw ->> 'created_at')::timestamptz FROM truedy.calls "
            "WHERE raw ->> 'created_at' NOT LIKE '%:60.%'"  # the one that PostgreSQL would not read
        ).fetchall()
        assert [pair for pair in same if pair[0] != pair[1]] == []
        for view, count in (
            ("call_duration_daily", "sum(calls)"),
            ("call_cost_daily", "sum(calls)"),
            ("status_funnel_daily", "sum(calls)"),
        ):
            rows = connection.execute(f"SELECT day, {count}::int FROM analytics.{view} GROUP BY day").fetchall()
            assert dict(rows) == expected, view
        views = connection.execute("SELECT table_name FROM information_schema.views WHERE table_schema = 'analytics'")
        for (view,) in views.fetchall():
            connection.execute(f"SELECT * FROM analytics.{view}").fetchall()
