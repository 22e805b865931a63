"""Seals what was stored while the archive was off, in batches, and says in each record that it was sealed late.

What has no record is found by the comparison that verification makes. A batch is one transaction under the lock of the
chain, so a service may go on writing. Two such runs cannot seal the same rows twice: the later one takes over, and the
earlier one ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from replicator.archive import contents, sealing
from replicator.archive.kinds import Kind
from replicator.archive.sealing import Entry
from replicator.archive.verification.comparison import TranscriptRow, Unsealed
from replicator.archive.verification.inspection import compared
from replicator.errors import DatabaseUnavailable
from replicator.store import sealed, sealed_reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from replicator.store.database import Database

BATCH = 5_000


@dataclass(slots=True)
class Sealed:
    """How many rows were sealed, in how many blocks; and whether nothing is left."""

    records: int = 0
    blocks: int = 0
    is_finished: bool = True


def seal(
    database: Database, account: str, now: Callable[[], datetime], *, is_over: Callable[[], bool] = lambda: False
) -> Sealed:
    """Seal what has no record, until nothing is left or `is_over` says so after a batch.

    Raises DatabaseUnavailable where another run of the same kind has taken over.
    """
    done = Sealed()
    with database.transaction() as tx:
        run = sealed.begin_late_run(tx, account)
    with database.connection() as connection:
        sealed_reading.begin(connection)
        entries = (_entry(account, one) for one in compared(connection, account) if isinstance(one, Unsealed))
        while batch := list(islice(entries, BATCH)):
            with database.transaction() as tx:
                if sealed.late_run(tx, account) != run:
                    raise DatabaseUnavailable(
                        "another run seals the rows of this account", advice="let it work; what is sealed stays"
                    )
                sealing.append(tx, account, batch, now())
            done.records, done.blocks = done.records + len(batch), done.blocks + 1
            if is_over():
                done.is_finished = len(batch) < BATCH
                break
    return done


def _entry(account: str, found: Unsealed) -> Entry:
    row: Any = found.row
    if isinstance(row, TranscriptRow):
        transcript = contents.TranscriptFacts(row.call_id, row.fetched_at, row.sha256, row.columns)
        content = contents.of_transcript(account, transcript, is_late_seal=True)
        return Entry(Kind.TRANSCRIPT, row.call_id, row.fetched_at, content)
    if found.kind is Kind.TOMBSTONE and row.deleted_at is None:
        stone = contents.TombstoneFacts(row.call_id, "reappeared", row.observed_at)
        content = contents.of_tombstone(account, stone, is_late_seal=True)
        return Entry(Kind.TOMBSTONE, row.call_id, row.observed_at, content)
    if found.kind is Kind.TOMBSTONE:
        at = row.deleted_at
        stone = contents.TombstoneFacts(row.call_id, "deleted", at, at, row.last_seen_at, row.first_missing_at)
        return Entry(Kind.TOMBSTONE, row.call_id, at, contents.of_tombstone(account, stone, is_late_seal=True))
    columns, reading = (row.columns, row.reading) if found.is_current else (None, None)
    call = contents.CallFacts(row.call_id, row.version, row.observed_at, row.sha256, columns, reading)
    return Entry(Kind.CALL, row.call_id, row.observed_at, contents.of_call(account, call, is_late_seal=True))


__all__ = ["Sealed", "seal"]
