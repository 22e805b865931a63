"""Reads and writes the coverage ledger: one row for each stretch of the list.

The modules of sync/coverage define what the rows mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.store import doubts

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

Stretch = tuple[Any, Any, Any, Any]
"""(since or None for the beginning, until or None for the end, when all of it failed first, and last)"""
CoverageRow = tuple[Any, ...]
"""(since or None for the beginning, until, verified_at, is_proven, a Doubt or None)"""


def load_coverage(connection: psycopg.Connection[Any], account: str) -> list[CoverageRow]:
    """Return the ledger's pieces, oldest first."""
    rows = connection.execute(
        "SELECT nullif(since, '-infinity'), until, verified_at, is_proven, reason FROM replicator.coverage "
        "WHERE account = %s ORDER BY since",
        [account],
    )
    return [(*row, is_proven, doubts.told(words, is_proven=is_proven)) for *row, is_proven, words in rows]


def save_coverage(
    tx: psycopg.Connection[Any], account: str, removed: Iterable[CoverageRow], added: Iterable[CoverageRow]
) -> None:
    """Update the stored ledger: delete the removed pieces, insert the added ones."""
    gone = [(account, since) for since, *_ in removed]
    if gone:
        tx.cursor().executemany(
            "DELETE FROM replicator.coverage WHERE account = %s AND since = coalesce(%s, '-infinity'::timestamptz)",
            gone,
        )
    rows = [(account, *row, "" if doubt is None else doubts.WORDS[doubt], doubt) for *row, doubt in added]
    if rows:
        tx.cursor().executemany(
            "INSERT INTO replicator.coverage (account, since, until, verified_at, is_proven, reason, reason_code) "
            "VALUES (%s, coalesce(%s, '-infinity'::timestamptz), %s, %s, %s, %s, %s)",
            rows,
        )


def save_failing(tx: psycopg.Connection[Any], account: str, failing: Iterable[Stretch]) -> None:
    """Store the stretches of which every page fails, in place of those stored before."""
    rows = list(failing)
    tx.execute("DELETE FROM replicator.failing_stretches WHERE account = %s", [account])
    if rows:
        tx.cursor().executemany(
            "INSERT INTO replicator.failing_stretches (account, since, until, first_failed_at, failed_at) VALUES (%s, "
            "coalesce(%s, '-infinity'::timestamptz), coalesce(%s, 'infinity'::timestamptz), %s, %s)",
            [(account, *row) for row in rows],
        )


def load_failing(connection: psycopg.Connection[Any], account: str) -> list[Stretch]:
    """Return the stored stretches of which every page failed."""
    return connection.execute(
        "SELECT nullif(since, '-infinity'), nullif(until, 'infinity'), first_failed_at, failed_at "
        "FROM replicator.failing_stretches WHERE account = %s",
        [account],
    ).fetchall()
