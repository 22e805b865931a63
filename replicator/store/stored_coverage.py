"""Reads and writes the coverage ledger: one row for each stretch of the list.

The modules of sync/coverage define what the rows mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.store import doubts

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

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
