"""Seals what was stored while the archive was off, in batches, and says in each record that it was sealed late.

What has no record is found by the comparison that verification makes. A batch is one transaction under the lock of the
chain, so a service may go on writing. Two such runs cannot seal the same rows twice: the later one takes over, and the
earlier one ends.

The rows come from a snapshot. So each batch locks what an erasure locks, and leaves out what is not stored any more as the
snapshot has it: a record of what was erased meanwhile would never fit again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from replicator.archive import contents, sealing
from replicator.archive.kinds import Kind
from replicator.archive.sealing import Entry
from replicator.archive.verification.comparison import TranscriptRow, Unsealed, VersionRow
from replicator.archive.verification.inspection import compared
from replicator.errors import DatabaseUnavailable
from replicator.store import governance, sealed, sealed_contents, sealed_reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

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
        unsealed = (one for one in compared(connection, account) if isinstance(one, Unsealed))
        while batch := list(islice(unsealed, BATCH)):
            with database.transaction() as tx:
                governance.lock(tx, account)  # before the chain, as everybody does
                if sealed.late_run(tx, account) != run:
                    raise DatabaseUnavailable(
                        "another run seals the rows of this account", advice="let it work; what is sealed stays"
                    )
                if kept := _still_there(tx, batch):
                    sealing.append(tx, account, [_entry(account, one) for one in kept], now())
            done.records, done.blocks = done.records + len(kept), done.blocks + bool(kept)
            if is_over():
                done.is_finished = len(batch) < BATCH
                break
    return done


def _still_there(tx: psycopg.Connection[Any], batch: Sequence[Unsealed]) -> list[Unsealed]:
    """Return what of a batch is to be sealed: of calls that are erased by now, only versions in their reduced form."""
    erased = governance.erased_ids(tx, [one.row.call_id for one in batch])
    if not erased:
        return list(batch)
    wanted = [
        (one.row.call_id, one.row.version or 0, False)
        for one in batch
        if isinstance(one.row, VersionRow) and one.row.call_id in erased
    ]
    present = {(row[0], row[1]): row[3] for row in sealed_contents.calls(tx, wanted)} if wanted else {}
    return [one for one in batch if one.row.call_id not in erased or _is_as_stored(one, present)]


def _is_as_stored(one: Unsealed, present: Mapping[tuple[UUID, int], bytes]) -> bool:
    row = one.row
    if not isinstance(row, VersionRow):
        return False
    return one.kind is Kind.TOMBSTONE or present.get((row.call_id, row.version or 0)) == row.sha256


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
