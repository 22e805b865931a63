"""The stored coverage ledger: one row for each stretch of the source's list. Rows and tuples; what they mean is in sync/coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.store import doubts

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

CoverageRow = tuple[Any, ...]
"""(since or None for the beginning, until, verified_at, is_proven, reason)"""


def load_coverage(connection: psycopg.Connection[Any], account: str) -> list[CoverageRow]:
    """Return the ledger's pieces, oldest first."""
    return connection.execute(
        "SELECT nullif(since, '-infinity'), until, verified_at, is_proven, reason FROM replicator.coverage "
        "WHERE account = %s ORDER BY since",
        [account],
    ).fetchall()


def save_coverage(
    tx: psycopg.Connection[Any], account: str, removed: Iterable[CoverageRow], added: Iterable[CoverageRow]
) -> None:
    """Turn the stored ledger into the new one by the difference of the two."""
    gone = [(account, since) for since, *_ in removed]
    if gone:
        tx.cursor().executemany(
            "DELETE FROM replicator.coverage WHERE account = %s AND since = coalesce(%s, '-infinity'::timestamptz)",
            gone,
        )
    rows = [(account, *row, doubts.code(row[4], is_proven=row[3])) for row in added]
    if rows:
        tx.cursor().executemany(
            "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven, reason, reason_code) "
            "VALUES (%s, coalesce(%s, '-infinity'::timestamptz), %s, %s, %s, %s, %s)",
            rows,
        )
