"""analytics.coverage_daily: what of each day was compared and proven, worked out from the small world by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from tests.sql.fix_small_world import Call, at, insert

Connection = psycopg.Connection[Any]


def days(small: Connection, account: str = "main") -> list[dict[str, Any]]:
    return [
        dict(row)
        for row in small.execute(
            "SELECT * FROM analytics.coverage_daily WHERE account = %s ORDER BY day", [account]
        ).fetchall()
    ]


def day(small: Connection, on: str) -> dict[str, Any]:
    (found,) = [row for row in days(small) if row["day"] == date.fromisoformat(on)]
    return found


def test_a_day_of_three_parts(small: Connection) -> None:
    """26 October in UTC: unsure until noon, ten hours that nobody compared, two proven hours with calls 17 and 18."""
    assert day(small, "2025-10-26") == {
        "account": "main", "day": date(2025, 10, 26), "live_calls": 7, "proven_calls": 2, "proven_share": 2 / 7,
        "day_seconds": 86400.0, "covered_seconds": 50400.0, "proven_seconds": 7200.0, "unsure_seconds": 43200.0,
        "never_compared_seconds": 36000.0, "covered_time_share": 14 / 24, "proven_time_share": 2 / 24,
        "unsure_time_share": 0.5, "never_compared_time_share": 10 / 24, "unsure_reasons": "ties wider than a page",
        "oldest_verified_at": at("2025-12-02T00:00:00"), "is_complete_and_proven": False, "reporting_time_zone": "UTC",
    }  # fmt: skip


def test_the_same_in_berlins_day_of_25_hours(berlin: Connection) -> None:
    """It begins two hours and ends one hour earlier than in UTC: 14 hours unsure, ten not compared, one proven."""
    shown = day(berlin, "2025-10-26")
    assert shown["day_seconds"] == 90000
    assert (shown["unsure_seconds"], shown["never_compared_seconds"], shown["proven_seconds"]) == (50400, 36000, 3600)
    assert (shown["unsure_time_share"], shown["proven_time_share"]) == (14 / 25, 1 / 25)
    assert (shown["live_calls"], shown["proven_calls"]) == (7, 1)


def test_berlins_day_of_23_hours_is_whole(berlin: Connection) -> None:
    """What reaches down to the beginning covers all of 30 March: 23 hours, eleven calls, all proven."""
    shown = day(berlin, "2025-03-30")
    assert (shown["day_seconds"], shown["proven_seconds"], shown["proven_time_share"]) == (82800, 82800, 1)
    assert (shown["live_calls"], shown["proven_calls"], shown["proven_share"]) == (11, 11, 1)
    assert shown["is_complete_and_proven"] is True
    assert shown["oldest_verified_at"] == at("2025-12-01T00:00:00")
    assert shown["unsure_reasons"] is None


def test_a_day_on_which_midnight_comes_twice(small: Connection) -> None:
    """In Havana the clocks went back from 01:00 to midnight on 2 November: the day has 25 hours from the first one on."""
    small.execute("UPDATE replicator.reporting SET time_zone = 'America/Havana'")
    small.execute("UPDATE replicator.coverage SET until = '2025-11-02 04:30Z' WHERE until = '2025-12-03Z'")
    shown = day(small, "2025-11-02")
    assert (shown["day_seconds"], shown["proven_seconds"]) == (90000, 1800)
    assert day(small, "2025-11-01")["proven_seconds"] == 86400


def test_no_day_is_left_out(small: Connection) -> None:
    """From the day of the first call to today, calls or not; after the ledger's end nothing was compared."""
    shown = days(small)
    today = datetime.now(UTC).date()
    assert shown[0]["day"] == date(2025, 3, 9)
    assert shown[-1]["day"] in {today, date.fromordinal(today.toordinal() - 1)}
    assert [row["day"].toordinal() for row in shown] == list(
        range(shown[0]["day"].toordinal(), shown[-1]["day"].toordinal() + 1)
    )
    quiet = day(small, "2025-04-01")
    assert (quiet["live_calls"], quiet["proven_share"], quiet["proven_time_share"]) == (0, None, 1)
    assert quiet["is_complete_and_proven"] is True
    unknown = day(small, "2025-12-03")
    assert (unknown["covered_time_share"], unknown["never_compared_time_share"]) == (0, 1)
    assert (unknown["oldest_verified_at"], unknown["is_complete_and_proven"]) == (None, False)


def test_today_is_counted_until_now_and_never_complete(small: Connection) -> None:
    """However much is covered, today can still bring calls."""
    small.execute("UPDATE replicator.coverage SET until = now() + interval '1 day' WHERE until = '2025-12-03Z'")
    shown = days(small)[-1]
    row = small.execute(
        "SELECT extract(epoch FROM now() - date_trunc('day', now(), 'UTC'))::float8 AS so_far"
    ).fetchone()
    assert row is not None
    assert shown["day_seconds"] == pytest.approx(row["so_far"], abs=0.001)
    assert shown["proven_time_share"] == 1
    assert shown["is_complete_and_proven"] is False


def test_a_deleted_call_is_not_counted(small: Connection) -> None:
    """Call 28 of 9 March is deleted: two are left, and the share is theirs."""
    assert day(small, "2025-03-09")["live_calls"] == 2
    assert day(small, "2025-03-09")["proven_calls"] == 2


def test_a_clock_that_was_wrong_makes_no_row(small: Connection) -> None:
    """Calls of the year 1 or 9999 neither fill the view with days nor break it."""
    insert(small, Call(30, "0001-01-01T00:00:00", "completed"))
    insert(small, Call(31, "9999-12-31T00:00:00", "completed"))
    assert days(small)[0]["day"] == date(2025, 3, 9)


def test_an_account_without_a_call(small: Connection) -> None:
    """What was compared and is empty is known from the ledger alone."""
    small.execute(
        "INSERT INTO replicator.coverage VALUES ('empty', '-infinity', now() - interval '36 h', now(), true, '')"
    )
    shown = days(small, "empty")
    assert len(shown) in {2, 3}
    assert (shown[0]["live_calls"], shown[0]["proven_share"]) == (0, None)
    assert 0 < shown[0]["proven_time_share"] <= 1
