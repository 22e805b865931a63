"""The quarantine's rows read again: against a real database they become what they would have been, and nothing newer suffers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from replicator.errors import LeaseHeld
from replicator.records import Call
from replicator.simulator import wire
from replicator.simulator.switches import Switches
from replicator.source import jsontext, parsing
from replicator.source.parsing import parse_row
from replicator.store import lease, quarantine, stored_calls, stored_coverage, stored_details
from replicator.store.doubts import Doubt
from replicator.store.rows import DetailRow, UnreadRow
from replicator.sync.content.calls import Observation, Policy, settle
from replicator.sync.coverage.ledger import RenewalPolicy, RenewalRule
from replicator.sync.engine.position import STEPPED_OVER
from replicator.sync.replay import BATCH_BYTES, BATCH_ROWS, batches, replay
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from replicator.store.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID("44ec8f61-6d9a-4553-a6ca-777f5f5ef95b")


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def payload(status: str = "completed", *, updated: int | None = None, **more: Any) -> bytes:
    shown = {
        "id": str(ID), "status": status, "created_at": at(0).isoformat(), "started_at": at(0).isoformat(),
        "updated_at": None if updated is None else at(updated).isoformat(), "recording_url": None, **more,
    }  # fmt: skip
    return json.dumps(shown).encode()


def read(raw: bytes) -> Call:
    call = parse_row(raw)
    assert isinstance(call, Call)
    return call


@dataclass
class Books:
    """A database into which a test puts what was seen, minute by minute."""

    database: Database

    def observe(self, raw: bytes, minute: float) -> None:
        """Store what an answer showed in a readable form, and note the look at its place."""
        with self.database.transaction() as tx:
            settled = settle(stored_calls.known_calls(tx, "default", [ID]), [Observation(read(raw), at(minute))])
            stored_calls.write_calls(tx, "default", settled.calls, settled.versions)
            quarantine.resolve(tx, "default", {ID: at(minute)})

    def keep(self, raw: bytes, *minutes: float, call_id: UUID | None = ID, reason: str = "an older parser") -> int:
        """Store what an answer showed and an older parser could not read; return the row's id."""
        with self.database.transaction() as tx:
            for minute in minutes:
                shown = (at(0), at(1)) if reason == STEPPED_OVER else None
                row_kept = UnreadRow(call_id, "GET /calls", reason, raw, at(minute), never_shown=shown)
                quarantine.keep(tx, "default", [row_kept])
            row = tx.execute("SELECT max(id) FROM replicator.quarantine").fetchone()
        return int(row[0]) if row else 0

    def look(self, minute: float, *, is_proven: bool = True) -> None:
        """Note that the list was compared everywhere."""
        with self.database.transaction() as tx:
            tx.execute("DELETE FROM replicator.coverage")
            stored_coverage.save_coverage(
                tx, "default", [], [(None, at(9999), at(minute), is_proven, None if is_proven else Doubt.OTHER)]
            )

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(statement).fetchall()

    @property
    def stored(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT status, version, observed_at, first_seen_at FROM truedy.calls")

    @property
    def history(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT raw->>'status', is_late FROM truedy.call_versions ORDER BY version")

    @property
    def open(self) -> int:
        return len(self.rows("SELECT 1 FROM replicator.quarantine WHERE resolved_at IS NULL"))


@pytest.fixture
def kept(database: Database) -> Books:
    return Books(database)


def test_a_call_that_was_never_read_appears_as_of_when_it_was_seen(kept: Books, database: Database) -> None:
    """It is new, first seen when it was kept first, observed when it was kept last; its details are queued."""
    kept.keep(payload(), 5, 125, call_id=None)
    done = replay(database, "default", Policy())
    assert (done.read, done.calls_inserted, done.details_queued, done.left) == (1, 1, 2, 0)
    assert kept.stored == [("completed", 1, at(125), at(5))]
    assert kept.rows("SELECT state, due_at <= now() FROM truedy.transcripts") == [("pending", True)]
    assert kept.rows("SELECT call_id, resolved_at IS NULL FROM replicator.quarantine") == [(ID, False)]


def test_a_replay_twice_changes_nothing_more(kept: Books, database: Database) -> None:
    """There is nothing open any more; the row asked for by itself is read again and is what is stored."""
    row = kept.keep(payload(), 5)
    replay(database, "default", Policy())
    before = kept.stored, kept.history
    assert replay(database, "default", Policy()).read == 0
    again = replay(database, "default", Policy(), row)
    assert (again.read, again.calls_unchanged, again.calls_changed) == (1, 1, 0)
    assert (kept.stored, kept.history) == before


ORDERS = {
    # name: (stored: updated_at and minute, kept: updated_at and minute, does the kept one win?)
    "the source says that it is older": ((4, 1), (3, 9), False),
    "the source says that it is newer": ((3, 9), (4, 1), True),
    "the source's word is of the future": ((99, 1), (3, 9), True),
    "seen earlier, no word of the source": ((None, 9), (None, 1), False),
    "seen later, no word of the source": ((None, 1), (None, 9), True),
    "seen earlier, the same updated_at": ((3, 9), (3, 1), False),
    "seen later, the same updated_at": ((3, 1), (3, 9), True),
}


@pytest.mark.parametrize("has_id", [True, False])
@pytest.mark.parametrize("name", ORDERS)
def test_an_older_observation_never_overwrites_a_newer_one(
    kept: Books, database: Database, name: str, has_id: bool
) -> None:
    """Whichever is newer stands, and both are in the history; that an old one came late is said there."""
    (stored_updated, stored_minute), (kept_updated, kept_minute), wins = ORDERS[name]
    kept.observe(payload("completed", updated=stored_updated), stored_minute)
    kept.keep(payload("failed", updated=kept_updated), kept_minute, call_id=ID if has_id else None)
    done = replay(database, "default", Policy())
    assert (done.calls_changed, done.calls_late) == ((1, 0) if wins else (0, 1))
    assert kept.stored[0][0] == ("failed" if wins else "completed")
    assert kept.history == [("completed", False), ("failed", not wins)]
    assert kept.open == 0


def test_a_later_look_at_the_place_counts_where_the_row_named_no_call(kept: Books, database: Database) -> None:
    """The call was stored, then a row without a name was kept, then the list was read again and nothing had changed: the
    row is older than that look. A row that named the call would have been resolved by it, so an open one is newer.
    """
    kept.observe(payload("completed"), 1)
    kept.look(9)
    unnamed = kept.keep(payload("failed"), 5, call_id=None)
    assert replay(database, "default", Policy(), unnamed).calls_late == 1
    assert kept.stored[0][0] == "completed"
    kept.keep(payload("busy"), 6)
    assert replay(database, "default", Policy()).calls_changed == 1
    assert kept.stored[0][0] == "busy"


def test_a_resolved_row_can_only_join_the_history(kept: Books, database: Database) -> None:
    """The call was read after the row was kept: reading the row by its id adds a version, and the call stays as it is."""
    kept.observe(payload("completed"), 1)
    row = kept.keep(payload("failed"), 5)
    kept.observe(payload("completed"), 6)
    assert kept.open == 0
    assert replay(database, "default", Policy()).read == 0
    assert replay(database, "default", Policy(), row).calls_late == 1
    assert kept.stored[0][0] == "completed"
    assert kept.history == [("completed", False), ("failed", True)]


def test_a_deleted_call_is_not_brought_back(kept: Books, database: Database) -> None:
    """What was kept before is no sign of life, whatever updated_at says: it joins the history only."""
    kept.observe(payload("completed", updated=1), 1)
    kept.rows("UPDATE truedy.calls SET deleted_at = '2026-03-01 12:08Z' RETURNING 1")
    kept.keep(payload("failed", updated=3), 5)
    assert replay(database, "default", Policy()).calls_late == 1
    assert kept.rows("SELECT status, deleted_at IS NULL FROM truedy.calls") == [("completed", False)]
    assert kept.history == [("completed", False), ("failed", True)]


def test_a_transcript_that_was_fetched_later_stays(kept: Books, database: Database) -> None:
    """The kept row carries a transcript that is older than the stored one: the call is taken, the transcript is not."""
    kept.observe(payload("in_progress"), 1)
    fetched = read(payload(transcript=[{"text": "all"}, {"text": "of it"}])).transcript
    with database.transaction() as tx:
        row = DetailRow("transcript", ID, "present", at(0), asked_at=at(9), fetched_at=at(9), transcript=fetched)
        stored_details.write_details(tx, "default", [replace(row, is_new=True)])
    kept.keep(payload(transcript=[{"text": "all"}]), 5)
    assert replay(database, "default", Policy()).calls_changed == 1
    assert kept.stored[0][0] == "completed"
    assert kept.rows("SELECT text FROM truedy.transcript_segments ORDER BY position") == [("all",), ("of it",)]


def test_a_kept_row_brings_its_transcript(kept: Books, database: Database) -> None:
    """What the row carries is stored with it and not asked for."""
    kept.keep(payload(transcript=[{"text": "Hello"}]), 5)
    replay(database, "default", Policy(kinds=("transcript",)))
    assert kept.rows("SELECT text FROM truedy.transcript_segments") == [("Hello",)]
    assert kept.rows("SELECT state, due_at FROM truedy.transcripts") == [("present", None)]


def test_what_still_cannot_be_read_stays(kept: Books, database: Database) -> None:
    """Its attempts count, the others are merged in spite of it, and the report says what is left."""
    kept.keep(b'{"id": NaN}', 1, call_id=None)
    kept.keep(payload(), 2)
    done = replay(database, "default", Policy())
    assert (done.read, done.unreadable, done.left) == (1, 1, 1)
    assert kept.rows("SELECT attempts, resolved_at IS NULL FROM replicator.quarantine ORDER BY id") == [
        (2, True),
        (1, False),
    ]


def test_a_row_that_was_never_shown_waits_for_its_place_to_be_proven(kept: Books, database: Database) -> None:
    """There are no bytes to read. A proof from before says nothing, one from after resolves it."""
    kept.keep(at(0).isoformat().encode(), 5, call_id=None, reason=STEPPED_OVER)
    for minute, is_proven, left in ((4, True, 1), (6, False, 1), (6, True, 0)):
        kept.look(minute, is_proven=is_proven)
        done = replay(database, "default", Policy())
        assert (done.without_bytes, done.proven, done.read) == (left, 1 - left, 0)
    assert kept.open == 0


def test_versions_of_one_call_are_told_in_their_order(kept: Books, database: Database) -> None:
    """Three contents of a call were kept: the history has them in the order in which they were last seen."""
    kept.keep(payload("completed"), 3)
    kept.keep(payload("in_progress"), 2)
    kept.keep(payload("ringing"), 1)
    replay(database, "default", Policy())
    assert kept.history == [("ringing", False), ("in_progress", False), ("completed", False)]
    assert kept.stored[0][:1] == ("completed",)


def test_a_late_answer_neither_resolves_nor_reopens(kept: Books) -> None:
    """A readable answer that was asked before the row does not resolve it; an unreadable one that was asked before the
    call was read does not reopen it.
    """
    kept.keep(payload("failed"), 5)
    kept.observe(payload("completed"), 4)
    assert kept.open == 1
    kept.observe(payload("completed"), 7)
    assert kept.open == 0
    kept.keep(payload("failed"), 6)
    assert kept.open == 0
    kept.keep(payload("failed"), 8)
    assert kept.open == 1


def test_nobody_replays_while_another_writes(kept: Books, database: Database) -> None:
    """The lease decides."""
    kept.keep(payload(), 5)
    held = lease.acquire(database, "default", "serve")
    with pytest.raises(LeaseHeld, match="serve"):
        replay(database, "default", Policy())
    lease.release(database, held)
    assert kept.open == 1


def test_batches_are_bounded() -> None:
    """By rows and by bytes; a row that is larger than a batch is a batch of its own."""
    assert list(batches([])) == []
    assert [len(batch) for batch in batches((number, 1) for number in range(BATCH_ROWS + 1))] == [BATCH_ROWS, 1]
    half = BATCH_BYTES // 2
    assert list(batches([(1, half), (2, half), (3, 1), (4, 2 * BATCH_BYTES), (5, 1)])) == [[1, 2], [3], [4], [5]]


def test_a_sync_with_an_older_parser_and_a_replay_end_as_one_that_could_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some rows are nested too deep, and the parser of the day let such a row fall as a whole. By the one of today a replay
    brings every call, without the field; when a parser takes the field, too, the next look does, and the replica is the source.
    """
    sound = wire.call_bytes

    def call_bytes(row: Any, *arguments: Any, index: int, **options: Any) -> bytes:
        shown = {**row, "context": json.loads("[" * 250 + "]" * 250)} if index % 40 == 0 else row
        return sound(shown, *arguments, index=index, **options)

    monkeypatch.setattr(wire, "call_bytes", call_bytes)
    with source(database, calls=250, switches=Switches(limit=None)) as there:
        with monkeypatch.context() as of_the_day:
            of_the_day.setattr(parsing, "salvage", lambda _: None)
            report = there.sync()
        assert report.counters.rows_quarantined == 7
        assert there.value("SELECT count(*) FROM truedy.calls") == 243
        assert replay(database, "default", Policy()).calls_inserted == 7
        assert there.rows("SELECT field, count(*) FROM replicator.quarantine WHERE resolved_at IS NULL GROUP BY 1") == [
            ("context", 7)
        ]
        there.sync()
        assert there.differences() == []
        monkeypatch.setattr(jsontext, "MAX_DEPTH", 300)
        there.sync(renewal=RenewalPolicy((RenewalRule(timedelta(days=36500), timedelta(0)),)))
        assert there.value("SELECT count(*) FROM truedy.calls WHERE problems <> '{}'") == 0
        assert there.value("SELECT count(*) FROM replicator.quarantine WHERE resolved_at IS NULL") == 0
