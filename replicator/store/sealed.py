"""Writes and reads the archive's chain: its lock, records and blocks. archive/sealing.py decides what is written."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from replicator.store.copying import NULL, copy_text, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    import psycopg

RECORD_COLUMNS = ("account", "sequence", "kind", "subject", "observed_at", "salt", "bytes", "commitment", "block")

RECORDS_IN_A_PIECE = 100

RecordRow = tuple[int, str, "UUID | None", "datetime", bytes, bytes, bytes]
"""(sequence, kind, subject, observed_at, salt, bytes, commitment)"""
BlockRow = tuple[str, int, int, int, bytes, bytes, "datetime", bytes]
"""(account, block, first sequence, last sequence, root, previous, sealed_at, hash)"""


def lock(tx: psycopg.Connection[Any], account: str) -> None:
    """Lock the chain of an account until the transaction ends, and have its commit wait for the disk.

    A role or a database may have synchronous_commit off, and elsewhere that is the user's choice. But a block that a crash
    takes away may have its head outside already, and would look like one that somebody cut off.
    """
    query = (
        "SELECT CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END "
        "FROM archive.chains WHERE account = %s FOR UPDATE"
    )
    if tx.execute(query, [account]).fetchone() is None:
        tx.execute("INSERT INTO archive.chains (account) VALUES (%s) ON CONFLICT DO NOTHING", [account])
        tx.execute(query, [account])


def head(connection: psycopg.Connection[Any], account: str) -> tuple[Any, ...] | None:
    """Return (block, first sequence, last sequence, root, previous, sealed_at, hash) of the newest block of an account."""
    return connection.execute(
        "SELECT block, first_sequence, last_sequence, root, previous, sealed_at, hash FROM archive.blocks "
        "WHERE account = %s ORDER BY block DESC LIMIT 1",
        [account],
    ).fetchone()


def begin_late_run(tx: psycopg.Connection[Any], account: str) -> int:
    """Begin a run that seals rows from before; return its number. An earlier run ends with its next batch."""
    lock(tx, account)
    row = tx.execute(
        "UPDATE archive.chains SET late_run = late_run + 1 WHERE account = %s RETURNING late_run", [account]
    ).fetchone()
    assert row is not None  # noqa: S101 - the row is locked by us
    return int(row[0])


def late_run(tx: psycopg.Connection[Any], account: str) -> int:
    """Lock the chain of an account, and return the number of the present run that seals rows from before."""
    lock(tx, account)
    row = tx.execute("SELECT late_run FROM archive.chains WHERE account = %s", [account]).fetchone()
    return int(row[0]) if row else 0


def add_records(tx: psycopg.Connection[Any], account: str, block: int, rows: Iterable[RecordRow]) -> None:
    """Append records by COPY. The text is made here, as it is faster than one call for each value; in pieces, so that the
    database stores one while the next is made.
    """
    owner = escaped(account)
    lines = (
        f"{owner}\t{sequence}\t{kind}\t{NULL if subject is None else subject.hex}\t{observed_at.isoformat()}\t"
        f"\\\\x{salt.hex()}\t\\\\x{content.hex()}\t\\\\x{commitment.hex()}\t{block}\n"
        for sequence, kind, subject, observed_at, salt, content, commitment in rows
    )
    copy_text(tx, "archive.records", RECORD_COLUMNS, iter(lambda: "".join(islice(lines, RECORDS_IN_A_PIECE)), ""))


def add_block(tx: psycopg.Connection[Any], row: BlockRow) -> None:
    """Append a block."""
    tx.execute(
        "INSERT INTO archive.blocks (account, block, first_sequence, last_sequence, root, previous, sealed_at, hash) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        row,
    )


__all__ = ["BlockRow", "RecordRow", "add_block", "add_records", "begin_late_run", "head", "late_run", "lock"]
