"""Twelve calls on the days before today, to be counted by hand. Days are UTC; agent A, agent B.

The numbers that the tests expect were worked out from this table. Today's call is created with the day's first second,
so that it is today's whenever the tests run.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from replicator.report import figures
from replicator.store.database import Database
from tests.sql.fix_small_world import AGENT_A, AGENT_B, Call, call_id, insert

if TYPE_CHECKING:
    import psycopg

    from replicator.report.rows import Figures

ACCOUNT = "main"


def today() -> date:
    return datetime.now(UTC).date()


def before(days: int, clock: str = "10:00:00") -> str:
    return f"{today() - timedelta(days=days)}T{clock}"


def calls() -> tuple[Call, ...]:
    return (
        Call(1, before(0, "00:00:00"), "completed", 10, 60, None),  # cost to come
        Call(2, before(9), "completed", 5, 120, "0.2000", campaign="c1"),
        Call(3, before(9, "11:00:00"), "voicemail", 4, 30, "0.0500", "inbound", AGENT_B),
        Call(4, before(9, "12:00:00"), "no_answer", campaign="c1"),
        Call(5, before(10), "busy"),
        Call(6, before(10, "10:05:00"), "failed", agent=AGENT_B),
        Call(7, before(10, "10:10:00"), "completed", 3, 300, None, "webrtc", AGENT_B),  # cost to come
        Call(8, before(10, "10:15:00"), "in_progress", 3),  # open for ever
        Call(9, before(10, "10:20:00"), "transferring", direction="sideways", agent=None),  # unknown
        Call(10, before(35), "completed", 5, 100, "0.4000"),  # the period before
        Call(11, None, "completed", None, 5, "0.0050", None, None),  # on no day
        Call(12, before(36), "no_answer"),  # the first known day
    )


def build(connection: psycopg.Connection[Any]) -> None:
    """Insert the near world."""
    for call in calls():
        insert(connection, call)
    # Call 2 was priced 0.25 first; call 3 was never priced differently.
    for number, old_usd, new_usd in ((2, "0.2500", "0.2000"), (3, None, "0.0500")):
        connection.execute(
            "INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, observed_at) VALUES (%s, %s, %s, now())",
            [call_id(number), old_usd, new_usd],
        )
    connection.execute("UPDATE truedy.calls SET context = context || '{\"last_error\": null}'::jsonb")
    error(connection, 6, "SIP 503 to +1 (202) 555-0123 via sip:carrier@example.net failed")
    connection.execute(
        "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven, reason) VALUES "
        "('main', '-infinity', %s, now(), true, ''), ('main', %s, %s, now(), false, 'ties wider than a page')",
        [f"{before(10, '06:00:00')}Z", f"{before(10, '06:00:00')}Z", f"{before(10, '12:00:00')}Z"],
    )
    connection.execute(
        "INSERT INTO replicator.source_state (account, base_url, head_at, total, total_at) "
        "VALUES ('main', 'http://source.test', now() - interval '90 s', 12, now())"
    )
    connection.execute(
        "INSERT INTO replicator.runs (account, command, replicator_version, holder, epoch, finished_at, outcome, message) "
        "VALUES ('main', 'sync', '0', 'test', 1, clock_timestamp(), 'done', NULL)"
    )


def error(connection: psycopg.Connection[Any], number: int, text: str) -> None:
    connection.execute(
        "UPDATE truedy.calls SET context = jsonb_set(context, '{last_error}', %s) WHERE id = %s",
        [Jsonb(text), call_id(number)],
    )


def read(url: str, account: str = ACCOUNT, days: int = 30) -> Figures:
    """Read the figures of a database."""
    database = Database(url)
    try:
        return figures.read(database, account, days)
    finally:
        database.close()


__all__ = ["ACCOUNT", "AGENT_A", "AGENT_B", "before", "build", "calls", "error", "read", "today"]
