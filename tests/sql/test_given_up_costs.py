"""Costs that never come: given up after so many days, counted apart, and no obstacle for a final month."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from replicator.store import migrate
from tests.sql import fix_small_world
from tests.sql.conftest import refresh
from tests.sql.fix_small_world import Call, call_id

Connection = psycopg.Connection[Any]

MARCH = (
    "SELECT sum(cost_known_calls)::int AS known, sum(cost_pending_calls)::int AS pending, "
    "sum(cost_given_up_calls)::int AS given_up, sum(cost_usd) AS cost_usd, bool_and(is_final) AS is_final "
    "FROM analytics.call_cost_monthly WHERE month_on = '2025-03-01'"
)


def give_up_after(connection: Connection, days: int) -> None:
    connection.execute("UPDATE replicator.reporting SET cost_give_up_days = %s", [days])


def march(connection: Connection) -> dict[str, Any]:
    row = connection.execute(MARCH).fetchone()
    assert row is not None
    return dict(row)


def test_a_month_becomes_final_when_its_last_costs_are_given_up(small: Connection) -> None:
    """Four costs of March 2025 never came, and two calls never ended: pending for ten years, given up after 30 days. The sum
    stays, the given up are counted apart, and the month is final.
    """
    before = march(small)
    assert (before["pending"], before["given_up"], before["is_final"]) == (5, 0, False)
    give_up_after(small, 30)
    after = march(small)
    assert (after["pending"], after["given_up"], after["is_final"]) == (0, 5, True)
    assert (after["known"], after["cost_usd"]) == (before["known"], before["cost_usd"])


def test_a_cost_that_comes_after_all_counts(small: Connection) -> None:
    """The call moves from the given up to the known, and its cost into the sum; the month stays final."""
    give_up_after(small, 30)
    before = march(small)
    small.execute("UPDATE truedy.calls SET cost_usd = 0.5 WHERE id = %s", [call_id(10)])
    after = march(small)
    assert (after["given_up"], after["known"]) == (before["given_up"] - 1, before["known"] + 1)
    assert after["cost_usd"] - before["cost_usd"] == Decimal("0.5")
    assert after["is_final"]


def test_the_state_of_a_call_and_the_other_reports_say_the_same(small: Connection) -> None:
    """calls, campaigns, numbers and errors count the same calls as given up; each state of each row adds up to its calls."""
    give_up_after(small, 30)
    states = small.execute("SELECT cost_state, count(*)::int AS n FROM analytics.calls GROUP BY 1").fetchall()
    given_up = {row["cost_state"]: row["n"] for row in states}["given_up"]
    assert given_up == 6
    for view in ("campaign_summary", "campaign_cost_daily", "call_cost_daily", "call_cost_monthly", "number_health"):
        row = small.execute(
            f"SELECT sum(cost_given_up_calls)::int AS given_up, sum(cost_pending_calls)::int AS pending FROM analytics.{view}"
        ).fetchone()
        assert row is not None
        assert row["pending"] == 0, view
        # A call to no number of ours is in no row of number_health.
        assert row["given_up"] == given_up or view == "number_health", view


def test_no_cost_is_given_up_before_its_call_is_settled(small: Connection) -> None:
    """Giving up after 0 days waits for settle_hours."""
    fix_small_world.insert(small, Call(98, None, "completed", None, 30))
    small.execute(
        "UPDATE truedy.calls SET created_at = now() - interval '2 hours', ended_at = now() - interval '1 hour' WHERE id = %s",
        [call_id(98)],
    )
    give_up_after(small, 0)
    for hours, expected in ((72, "pending"), (0, "given_up")):
        small.execute("UPDATE replicator.reporting SET settle_hours = %s", [hours])
        row = small.execute("SELECT cost_state FROM analytics.calls WHERE call_id = %s", [call_id(98)]).fetchone()
        assert row is not None
        assert row["cost_state"] == expected


@pytest.mark.slow
def test_a_kept_day_changes_when_a_cost_is_given_up(database_url: str) -> None:
    """Roll-ups are up to date, nothing is written, and the day's figures change by the clock alone: the book of days says
    until when they hold.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE replicator.reporting SET cost_give_up_days = 0, settle_hours = 0")
        fix_small_world.insert(connection, Call(1, None, "completed", None, 30))
        connection.execute(
            "UPDATE truedy.calls SET created_at = now() - interval '3 days', started_at = now() - interval '3 days', "
            "ended_at = now() + interval '30 seconds' WHERE id = %s",
            [call_id(1)],
        )
        refresh(database_url)
        question = "SELECT sum(cost_pending_calls)::int, sum(cost_given_up_calls)::int FROM analytics.{}"
        views = ("call_cost_daily", "call_cost_monthly", "number_health", "campaign_cost_daily")
        for view in views:
            assert connection.execute(question.format(view).encode()).fetchone() == (1, 0), view
        # A server that compiles its queries (JIT) takes seconds for them.
        left = connection.execute(
            "SELECT extract(epoch FROM max(ended_at) - now())::float8 FROM truedy.calls"
        ).fetchone()
        assert left is not None
        time.sleep(max(0.0, left[0]) + 0.2)
        stale = connection.execute("SELECT count(*) FROM rollup.stale").fetchone()
        assert stale == (2,), "the day of its creation and the one of its end"
        for view in views:
            assert connection.execute(question.format(view).encode()).fetchone() == (0, 1), view
        refresh(database_url)
        for view in views:
            assert connection.execute(question.format(view).encode()).fetchone() == (0, 1), view


@pytest.mark.parametrize(("is_asked_for", "expected"), [(True, 45), (False, 30)])
def test_migrate_writes_the_setting_and_other_commands_do_not(
    database_url: str, *, is_asked_for: bool, expected: int
) -> None:
    """REPLICATOR_COST_GIVE_UP_DAYS is written by `migrate`; a command that only opens an old database leaves it as it is."""
    migrate.migrate(database_url, cost_give_up_days=45, is_asked_for=is_asked_for)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT cost_give_up_days FROM replicator.reporting").fetchone() == (expected,)


def test_campaigns_by_day_add_up_to_the_days(small: Connection) -> None:
    """campaign_cost_daily holds the same calls and dollars as call_cost_daily, by campaign instead of agent."""
    for measure in ("calls", "cost_usd", "cost_known_calls", "conversations", "billed_minutes"):
        row = small.execute(
            f"SELECT (SELECT sum({measure}) FROM analytics.campaign_cost_daily WHERE day IS NOT NULL) AS one, "
            f"(SELECT sum({measure}) FROM analytics.call_cost_daily WHERE day IS NOT NULL) AS other"
        ).fetchone()
        assert row is not None
        assert row["one"] == row["other"] != 0, measure


def test_reach_by_hour_has_all_calls_with_the_names_of_weekdays(small: Connection) -> None:
    """Every call with a creation is in it, placed or not; 30 March 2025 is a Sunday."""
    row = small.execute(
        "SELECT sum(h.calls)::int AS by_hour, (SELECT count(*)::int FROM truedy.calls WHERE created_at IS NOT NULL) AS calls "
        "FROM analytics.reach_by_hour h WHERE day IS NOT NULL"
    ).fetchone()
    assert row is not None
    assert row["by_hour"] == row["calls"]
    names = small.execute(
        "SELECT DISTINCT weekday, weekday_name FROM analytics.reach_by_hour WHERE day = '2025-03-30'"
    ).fetchall()
    assert [tuple(one.values()) for one in names] == [(7, "Sunday")]
    wrong = small.execute(
        "SELECT count(*)::int AS n FROM analytics.reach_by_hour WHERE weekday_name <> trim(to_char(day, 'Day'))"
    ).fetchone()
    assert wrong == {"n": 0}
