"""Verifies an account's archive in a database: the chain in one thread, what it sealed in another, in one snapshot.

Rows stream through, so memory stays flat. Three sessions read at once, so the database uses more than one core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from replicator.archive import chain
from replicator.archive.verification import ahead, comparison, verification
from replicator.archive.verification.comparison import SealedRow, TranscriptRow, Unsealed, VersionRow
from replicator.archive.verification.verification import Checked, Fault, Head, Record
from replicator.store import sealed_reading

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

    from replicator.store.database import Database

MOST_FAULTS = 1_000
"""So many faults are told one by one. More are counted only."""
TOLD_EVERY = 10_000

Row = TypeVar("Row", SealedRow, VersionRow, TranscriptRow)
Told = Callable[[str, int, int], None]
"""Is told (what is checked, how many are done, of how many)."""


@dataclass(slots=True)
class Verdict:
    """What a verification found."""

    account: str
    records: int = 0
    blocks: int = 0
    head: str | None = None
    """The hash of the newest block."""
    heads_outside: int = 0
    faults: list[Fault] = field(default_factory=list)
    faults_untold: int = 0
    """Further faults, beyond the number that is told."""
    unsealed: int = 0
    """Rows without a record: they were written while the archive was off, or by somebody else."""
    files_read: int | None = None
    """Files of recordings whose bytes were read; None where that was not asked for."""

    @property
    def is_whole(self) -> bool:
        return not self.faults and not self.unsealed

    def note(self, fault: Fault) -> None:
        """Take a fault."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)
        else:
            self.faults_untold += 1


def verify(
    database: Database, account: str, heads: Sequence[Head] = (), tell: Told = lambda *_: None, *, contents: bool = True
) -> Verdict:
    """Verify an account's archive against the heads that lie outside. Raises a DatabaseError."""
    verdict = Verdict(account, heads_outside=len(heads))
    with database.connection() as connection, ThreadPoolExecutor(1) as other:
        snapshot = sealed_reading.begin(connection)
        total = sealed_reading.size(connection, account)
        work = other.submit(_contents, database, account, snapshot, verdict, tell, total) if contents else None
        seen = Checked(account)
        records = _told(_records(connection, account), "chain", total, tell)
        for fault in verification.check(account, _blocks(connection, account), records, heads, seen):
            verdict.note(fault)
        if work is not None:
            work.result()
    verdict.records, verdict.blocks = seen.records, seen.blocks
    verdict.head = seen.last.hash.hex() if seen.last else None
    verdict.faults.sort(key=lambda fault: (fault.sequence is None, fault.sequence or 0))
    return verdict


def _contents(database: Database, account: str, snapshot: str, verdict: Verdict, tell: Told, total: int) -> None:
    with database.connection() as connection, database.connection() as other:
        for session in (connection, other):
            sealed_reading.begin(session, snapshot)
        for one in compared(connection, account, tell, total, other):
            if isinstance(one, Fault):
                verdict.note(one)
            else:
                verdict.unsealed += 1


def compared(
    connection: psycopg.Connection[Any],
    account: str,
    tell: Told = lambda *_: None,
    total: int = 0,
    other: psycopg.Connection[Any] | None = None,
) -> Iterator[Fault | Unsealed]:
    """Yield what does not fit between the records about calls and what is stored of them, call by call.

    With `other`, a second session that sees the same snapshot, transcripts are read ahead through that one.
    """
    with ExitStack() as stack:
        transcripts = sealed_reading.stream(connection if other is None else other, sealed_reading.TRANSCRIPTS, account)
        if other is not None:
            transcripts = stack.enter_context(ahead.reading(transcripts))
        sealed = _Groups(SealedRow, sealed_reading.stream(connection, sealed_reading.ABOUT_CALLS, account))
        versions = _Groups(VersionRow, sealed_reading.stream(connection, sealed_reading.VERSIONS, account))
        earlier = _Groups(TranscriptRow, sealed_reading.stream(connection, sealed_reading.EARLIER_TRANSCRIPTS, account))
        current = _Groups(TranscriptRow, transcripts)
        streams: tuple[_Groups[Any], ...] = (sealed, versions, earlier, current)
        done, told = 0, 0
        while (call_id := min((one.next_id for one in streams if one.next_id is not None), default=None)) is not None:
            about = sealed.take(call_id)
            yield from comparison.compare(
                call_id, about, versions.take(call_id), [*earlier.take(call_id), *current.take(call_id)]
            )
            done += len(about)
            if done - told >= TOLD_EVERY:
                told = done
                tell("contents", done, total)


class _Groups(Generic[Row]):
    """Rows in the order of their call, taken call by call."""

    def __init__(self, form: type[Row], rows: Iterator[Sequence[Any]]) -> None:
        self._rows: Iterator[Row] = map(form._make, rows)
        self._next: Row | None = next(self._rows, None)

    @property
    def next_id(self) -> UUID | None:
        """The call of the next row; None at the end."""
        return None if self._next is None else self._next.call_id

    def take(self, call_id: UUID) -> list[Row]:
        """Return the rows of this call, which is none before the next one."""
        taken: list[Row] = []
        while self._next is not None and self._next.call_id == call_id:
            taken.append(self._next)
            self._next = next(self._rows, None)
        return taken


def _blocks(connection: psycopg.Connection[Any], account: str) -> Iterator[chain.Block]:
    return (chain.Block(*row) for row in sealed_reading.stream(connection, sealed_reading.BLOCKS, account))


def _records(connection: psycopg.Connection[Any], account: str) -> Iterator[Record]:
    return map(Record._make, sealed_reading.stream(connection, sealed_reading.RECORDS, account))


def _told(records: Iterator[Record], what: str, total: int, tell: Told) -> Iterator[Record]:
    """Pass records on, and tell how many they are so far."""
    done = 0
    while batch := list(islice(records, TOLD_EVERY)):
        yield from batch
        done += len(batch)
        tell(what, done, total)


__all__ = ["MOST_FAULTS", "Told", "Verdict", "compared", "verify"]
