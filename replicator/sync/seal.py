"""Seals what a transaction has stored: one block in the account's chain, before the transaction commits.

What is to be sealed is noted while the transaction writes. Where the archive is off, nothing is noted and nothing read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replicator.archive import contents, gaps, sealing
from replicator.archive.kinds import Kind
from replicator.archive.sealing import Entry
from replicator.records import READING_VERSION
from replicator.store import sealed_contents, stored_calls
from replicator.sync.content.calls import Change
from replicator.sync.coverage.ledger import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.store.rows import DetailRow
    from replicator.sync.content.calls import Settled
    from replicator.sync.coverage.ledger import Piece

    Row = tuple[Any, ...]

CURRENT = sealed_contents.CURRENT


@dataclass(slots=True)
class Notes:
    """What one transaction has stored and will seal."""

    account: str
    calls: dict[tuple[UUID, int], bool] = field(default_factory=dict)
    """Versions of calls, and whether each is the current one. Version 0 means the one that is current."""
    transcripts: list[UUID] = field(default_factory=list)
    reappeared: dict[UUID, datetime] = field(default_factory=dict)
    absences: list[int] = field(default_factory=list)
    """The ids of absences that became tombstones."""
    gaps: list[contents.GapFacts] = field(default_factory=list)

    def note_calls(self, tx: psycopg.Connection[Any], settled: Settled, late: Iterable[tuple[UUID, int]]) -> None:
        """Note the versions that were stored; `late` are those that came late, as they were numbered.

        Where only `updated_at` moved, and the row was stored with payment data masked otherwise than its version, the row
        becomes a version of its own: what was sealed stays as it is, and what is stored now is sealed, too.
        """
        current = {row.call.id: row.version for row in settled.calls}
        for version in settled.versions:
            if not version.is_late:
                self.calls[version.call.id, version.version] = current.get(version.call.id) == version.version
        for call, change, before in settled.changes:
            # Read otherwise by a newer program: the same version has other columns now.
            if change is Change.TOUCHED and before is not None and before.reading_version < READING_VERSION:
                self.calls[call.id, CURRENT] = True
            if change is Change.CHANGED and before is not None and before.is_deleted:
                seen = next(row.observed_at for row in settled.calls if row.call.id == call.id)
                self.reappeared[call.id] = seen
        for one in late:
            self.calls[one] = False
        touched = {call.id for call, change, _ in settled.changes if change is Change.TOUCHED}
        for call_id, number in stored_calls.add_differing_versions(tx, list(touched)):
            self.calls.pop((call_id, CURRENT), None)
            self.calls[call_id, number] = True

    def note_details(self, rows: Iterable[DetailRow]) -> None:
        """Note the transcripts that were stored with other content than before."""
        self.transcripts += [row.call_id for row in rows if row.transcript is not None and not row.is_same_content]

    def note_coverage(self, removed: Sequence[Piece], added: Sequence[Piece]) -> None:
        """Note the stretches of the list that became unsure."""
        if any(not piece.is_proven for piece in added):
            self.gaps += gaps.became_unsure(map(_stretch, removed), map(_stretch, added), BEGINNING)

    def seal(self, tx: psycopg.Connection[Any], now: datetime, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Seal what was noted, if anything was. While the database computes the hashes, `meanwhile` is called."""
        wanted = [(call_id, version, is_current) for (call_id, version), is_current in self.calls.items()]
        with tx.pipeline():
            calls = sealed_contents.calls(tx, wanted) if wanted else ()
            transcripts = sealed_contents.transcripts(tx, self.transcripts) if self.transcripts else ()
            stones = sealed_contents.tombstones(tx, self.absences) if self.absences else ()
            meanwhile()
        found = list(calls), list(transcripts), list(stones)
        if any(found) or self.reappeared or self.gaps:
            sealing.append(tx, self.account, self._entries(*found, now), now)

    def _entries(
        self, calls: Iterable[Row], transcripts: Iterable[Row], stones: Iterable[Row], now: datetime
    ) -> Iterator[Entry]:
        account = self.account
        for one_id, seen_at in self.reappeared.items():
            ended = contents.TombstoneFacts(one_id, "reappeared", seen_at)
            yield Entry(Kind.TOMBSTONE, one_id, seen_at, contents.of_tombstone(account, ended))
        for row in calls:
            call = contents.CallFacts(*row)
            yield Entry(Kind.CALL, call.call_id, call.observed_at, contents.of_call(account, call))
        for row in transcripts:
            found = contents.TranscriptFacts(*row)
            yield Entry(Kind.TRANSCRIPT, found.call_id, found.fetched_at, contents.of_transcript(account, found))
        for call_id, deleted_at, *rest in stones:
            stone = contents.TombstoneFacts(call_id, "deleted", deleted_at, deleted_at, *rest)
            yield Entry(Kind.TOMBSTONE, call_id, deleted_at, contents.of_tombstone(account, stone))
        for gap in self.gaps:
            yield Entry(Kind.GAP, None, now, contents.of_gap(account, gap, now))


def _stretch(piece: Piece) -> gaps.Stretch:
    return piece.since, piece.until, piece.verified_at, piece.is_proven, piece.reason


__all__ = ["Notes"]
