"""Stores closed months, and reads what a month is closed from: its calls, its coverage, its matchings. Closes are added,
never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from replicator.store.copying import copy_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    import psycopg

AMOUNTS = """
SELECT f.call_id, f.cost_usd,
    CASE WHEN f.cost_state = 'pending' AND f.cost_given_up_at < now() THEN 'given_up' ELSE f.cost_state END
FROM rollup.facts f
WHERE f.account = %s AND coalesce(f.ended_at, f.created_at, '-infinity') >= %s
    AND coalesce(f.ended_at, f.created_at, '-infinity') < %s
ORDER BY f.call_id
"""
FROZEN = (
    "SELECT call_id, amount_usd, cost_state FROM billing.close_amounts WHERE account = %s AND period = %s AND number = %s "
    "ORDER BY call_id"
)
COVERAGE = (
    "SELECT nullif(since, '-infinity'), until, is_proven FROM replicator.coverage WHERE account = %s AND until > %s AND since < %s "
    "ORDER BY since"
)
Amount = tuple["UUID", "Decimal | None", str]
"""(call, amount in US dollars or None where it is not known, state of the cost)"""


@dataclass(frozen=True, slots=True)
class Close:
    """A closed month, without its amounts."""

    account: str
    period: str
    number: int
    closed_at: datetime
    closed_by: str
    reason: str | None
    doubts: list[str]
    anyway_reason: str | None
    time_zone: str
    calls: int
    pending_calls: int
    our_sum_usd: Decimal
    statement_usd: Decimal | None
    matching: int | None
    last_cost_change: int | None
    sha256: str


def now(tx: psycopg.Connection[Any]) -> datetime:
    """Return the database's time, to which what was seen before and after a close is compared."""
    row = tx.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 - one row
    return row[0]  # type: ignore[no-any-return]


def begin(tx: psycopg.Connection[Any]) -> None:
    """Let no other close and no matching begin before this one's transaction ends, and read everything as of one moment.

    The lock is on the table of matchings: the writer may not update closes, so it may not lock them either.
    """
    tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    tx.execute("LOCK TABLE billing.matchings IN SHARE ROW EXCLUSIVE MODE")


def amounts(tx: psycopg.Connection[Any], account: str, since: datetime, until: datetime) -> list[Amount]:
    """Return the present amount of each call of a month, in the order of their ids."""
    return tx.execute(AMOUNTS, [account, since, until]).fetchall()


def frozen(tx: psycopg.Connection[Any], account: str, period: str, number: int) -> list[Amount]:
    """Return the frozen amounts of a close, in the order of their ids."""
    return tx.execute(FROZEN, [account, period, number]).fetchall()


def last_cost_change(tx: psycopg.Connection[Any], account: str) -> int | None:
    """Return the newest change of a cost that this snapshot has. An account has one writer at a time, so its changes become
    visible in the order of their numbers.
    """
    row = tx.execute(
        "SELECT max(x.id) FROM replicator.cost_changes x JOIN truedy.calls c ON c.id = x.call_id WHERE c.account = %s",
        [account],
    ).fetchone()
    return None if row is None else row[0]


def coverage(
    tx: psycopg.Connection[Any], account: str, since: datetime, until: datetime
) -> list[tuple[datetime | None, datetime, bool]]:
    """Return the pieces of the ledger that touch a stretch: (since or None for the beginning, until, is proven)."""
    return tx.execute(COVERAGE, [account, since, until]).fetchall()


def newest(tx: psycopg.Connection[Any], account: str, period: str) -> Close | None:
    """Return the newest close of a month."""
    return (
        tx.cursor(row_factory=class_row(Close))
        .execute(
            "SELECT account, period, number, closed_at, closed_by, reason, doubts, anyway_reason, time_zone, calls, pending_calls, "
            "our_sum_usd, statement_usd, matching, last_cost_change, sha256 FROM billing.closes WHERE account = %s AND period = %s "
            "ORDER BY number DESC LIMIT 1",
            [account, period],
        )
        .fetchone()
    )


def save(tx: psycopg.Connection[Any], close: Close, rows: Iterable[Amount]) -> None:
    """Store a close with its amounts."""
    tx.execute(
        "INSERT INTO billing.closes (account, period, number, closed_at, closed_by, reason, doubts, anyway_reason, time_zone, calls, "
        "pending_calls, our_sum_usd, statement_usd, matching, last_cost_change, sha256) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            close.account, close.period, close.number, close.closed_at, close.closed_by, close.reason, close.doubts,
            close.anyway_reason, close.time_zone, close.calls, close.pending_calls, close.our_sum_usd, close.statement_usd,
            close.matching, close.last_cost_change, close.sha256,
        ],
    )  # fmt: skip
    columns: Sequence[str] = ("account", "period", "number", "call_id", "amount_usd", "cost_state")
    copy_rows(tx, "billing.close_amounts", columns, ((close.account, close.period, close.number, *row) for row in rows))


__all__ = ["Amount", "Close", "amounts", "begin", "coverage", "frozen", "last_cost_change", "newest", "now", "save"]
