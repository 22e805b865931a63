"""Streams the archive and what it sealed, for verification: in one snapshot, by server-side cursors.

All streams of one snapshot see the same moment, also those of other sessions, so a service may go on writing meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.store.sealed_contents import (
    COLUMNS_OF_CALL,
    COLUMNS_OF_TRANSCRIPT,
    HASH_OF_CALL,
    HASH_OF_TRANSCRIPT,
    SEGMENTS,
    SEGMENTS_OF_VERSION,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

ROWS_AT_ONCE = 2_000

BLOCKS = (
    "SELECT account, block, first_sequence, last_sequence, root, previous, sealed_at, hash FROM archive.blocks "
    "WHERE account = %s ORDER BY block"
)
RECORDS = (
    "SELECT sequence, kind, subject, observed_at, salt, bytes, commitment, block FROM archive.records "
    "WHERE account = %s ORDER BY sequence"
)
ABOUT_CALLS = (
    "SELECT subject, sequence, kind, bytes, observed_at FROM archive.records WHERE account = %s "
    "AND kind IN ('call', 'transcript', 'tombstone') AND subject IS NOT NULL ORDER BY subject, sequence"
)
VERSIONS = (
    f"SELECT c.id, v.version, v.observed_at, v.is_late, {HASH_OF_CALL}, {COLUMNS_OF_CALL}, "
    "c.fingerprint = v.fingerprint AND (c.raw = v.raw OR c.raw - 'updated_at' - 'recording_url' = "
    "v.raw - 'updated_at' - 'recording_url'), c.deleted_at, c.last_seen_at, c.first_missing_at, c.reading_version "
    "FROM truedy.calls c LEFT JOIN truedy.call_versions v ON v.call_id = c.id WHERE c.account = %s ORDER BY c.id, v.version"
)
TRANSCRIPTS = (
    f"SELECT t.call_id, t.fetched_at, true AS is_current, {HASH_OF_TRANSCRIPT}, {COLUMNS_OF_TRANSCRIPT} "
    f"FROM truedy.calls c JOIN truedy.transcripts t ON t.call_id = c.id CROSS JOIN LATERAL {SEGMENTS} g "
    "WHERE c.account = %s AND t.fingerprint IS NOT NULL ORDER BY t.call_id"
)
EARLIER_TRANSCRIPTS = (
    f"SELECT t.call_id, t.fetched_at, false AS is_current, {HASH_OF_TRANSCRIPT}, NULL::bytea "
    f"FROM truedy.calls c JOIN truedy.transcript_versions t ON t.call_id = c.id CROSS JOIN LATERAL {SEGMENTS_OF_VERSION} g "
    "WHERE c.account = %s ORDER BY t.call_id, t.fetched_at"
)


def begin(connection: psycopg.Connection[Any], snapshot: str | None = None) -> str:
    """Make the transaction that has just begun read one snapshot: a new one, or the one that another session shares.
    Return its name.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if snapshot is not None:
        connection.execute(b"SET TRANSACTION SNAPSHOT '" + snapshot.encode() + b"'")
    connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '64MB'")
    if snapshot is not None:
        return snapshot
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None  # noqa: S101 - a function returns a row
    return str(row[0])


def stream(connection: psycopg.Connection[Any], query: str, account: str) -> Iterator[Sequence[Any]]:
    """Yield the rows of one of the queries above, a few thousand at a time."""
    with connection.cursor(f"archive_{abs(hash(query)) % 10**9}", binary=True) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(query, [account])
        yield from cursor


def size(connection: psycopg.Connection[Any], account: str) -> int:
    """Return how many records an account has, by its newest one."""
    row = connection.execute("SELECT max(sequence) FROM archive.records WHERE account = %s", [account]).fetchone()
    return int(row[0] or 0) if row else 0


def accounts(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the accounts that have a chain, or records or blocks without one."""
    rows = connection.execute(
        "SELECT account FROM archive.chains UNION SELECT DISTINCT account FROM archive.blocks ORDER BY 1"
    )
    return [row[0] for row in rows]


__all__ = [
    "ABOUT_CALLS", "BLOCKS", "EARLIER_TRANSCRIPTS", "RECORDS", "TRANSCRIPTS", "VERSIONS", "accounts", "begin", "size",
    "stream",
]  # fmt: skip
