"""What a sync seals is whole; and what is changed in the database, in any table, is found."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.archive import late, sealing
from replicator.archive.verification import comparison, inspection
from replicator.archive.verification.inspection import Verdict
from replicator.records import READING_VERSION
from replicator.store import stored_calls
from replicator.store.doubts import Doubt
from replicator.sync import replay
from replicator.sync.content import calls as sync_calls
from replicator.sync.content.calls import Policy
from replicator.sync.coverage.ledger import BEGINNING, Piece
from replicator.sync.options import Asked
from replicator.sync.seal import Notes
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.database import Database

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ON = {"seals": True}


def verdict(database: Database, *heads: inspection.Head) -> Verdict:
    return inspection.verify(database, "default", heads)


def codes(database: Database, *heads: inspection.Head) -> list[str]:
    return [fault.code for fault in verdict(database, *heads).faults]


def outside(database: Database) -> inspection.Head:
    with database.connection() as connection:
        block = sealing.head(connection, "default")
    assert block is not None
    return inspection.Head("default", block.block, block.last, block.hash, "outside")


@pytest.fixture
def there(database: Database) -> Iterator[Setting]:
    """A source with calls that change, vanish and come back, and the archive of all of it."""
    with source(database, calls=120, now=NOW) as setting:
        setting.sync(**ON)
        live = setting.world.live_ids()
        setting.world.update(live[3], cost_usd=7.5)
        setting.world.update(live[4], summary="another")
        with_words = next(one for one in live[6:] if setting.world.segments(one))
        setting.world.replace_transcript(with_words, (setting.world.segments(with_words) or ())[:1])
        setting.world.update(with_words, summary="a shorter one")
        setting.sync(**ON)
        setting.world.delete(live[5])
        for _ in range(2):
            setting.sync(confirm_after=timedelta(0), **ON)
        yield setting


def test_a_sync_seals_what_it_stores(there: Setting) -> None:
    """Every version and transcript, the tombstone; each transaction is a block; all of it is whole, and stays it."""
    found = verdict(there.database)
    assert (found.faults, found.unsealed) == ([], 0)
    kinds = dict(there.rows("SELECT kind, count(*) FROM archive.records GROUP BY kind"))
    assert kinds["call"] == there.value("SELECT count(*) FROM truedy.call_versions") > 122
    earlier = there.value("SELECT count(*) FROM truedy.transcript_versions")
    assert earlier > 0
    assert (
        kinds["transcript"] - earlier
        == there.value("SELECT count(*) FROM truedy.transcripts WHERE fingerprint IS NOT NULL")
        > 0
    )
    assert kinds["tombstone"] == there.value("SELECT count(*) FROM truedy.calls WHERE deleted_at IS NOT NULL") == 1
    assert there.value("SELECT count(*) = count(DISTINCT block) FROM archive.blocks")
    assert there.value("SELECT bool_and(octet_length(salt) = 32) FROM archive.records")
    assert there.value("SELECT count(*) FROM archive.records WHERE encode(bytes, 'escape') ~ 'sealed_late'") == 0
    sealed = found.records
    there.sync(**ON)
    assert verdict(there.database).records == sealed  # nothing new, nothing sealed


def test_a_call_that_comes_back_ends_its_tombstone(there: Setting) -> None:
    """The end is a record of its own, and the call has a new version."""
    gone = there.value("SELECT id::text FROM truedy.calls WHERE deleted_at IS NOT NULL")
    there.world.restore(gone)
    there.sync(**ON)
    assert there.value("SELECT count(*) FROM archive.records WHERE kind = 'tombstone'") == 2
    assert verdict(there.database).is_whole


def test_with_the_archive_off_nothing_is_written(database: Database) -> None:
    """No chain, no record; and a later run of the archive seals what was stored, once, and says so."""
    with source(database, calls=60, now=NOW) as setting:
        setting.sync()
        assert (
            setting.value("SELECT (SELECT count(*) FROM archive.records) + (SELECT count(*) FROM archive.chains)") == 0
        )
        setting.world.delete(setting.world.live_ids()[5])
        for _ in range(2):
            setting.sync(confirm_after=timedelta(0))
        assert verdict(database).unsealed > 60
        done = late.seal(database, "default", lambda: NOW)
        assert done.is_finished
        found = verdict(database)
        assert (found.is_whole, found.records) == (True, done.records)
        contents = [
            json.loads(row[0]) for row in setting.rows("SELECT convert_from(bytes, 'UTF8') FROM archive.records")
        ]
        assert all(one["sealed_late"] for one in contents)
        assert {one["kind"] for one in contents} == {"call", "transcript", "tombstone"}
        assert late.seal(database, "default", lambda: NOW).records == 0
        setting.world.update(setting.world.live_ids()[3], cost_usd=7.5)
        setting.sync(**ON)
        assert verdict(database).is_whole


def test_a_late_run_goes_on_where_one_ended(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches; one that was stopped loses nothing, and the next one seals the rest."""
    monkeypatch.setattr(late, "BATCH", 10)
    with source(database, calls=40, now=NOW) as setting:
        setting.sync()
    first = late.seal(database, "default", lambda: NOW, is_over=lambda: True)
    assert (first.records, first.blocks, first.is_finished) == (10, 1, False)
    late.seal(database, "default", lambda: NOW)
    assert verdict(database).is_whole


@pytest.mark.slow
def test_what_happened_while_the_archive_was_off_is_sealed_late(there: Setting) -> None:
    """On, off, on: a call that came back meanwhile, one that came back and went again, and columns that a newer program read
    anew are no faults. A late run seals them, and all is whole.
    """
    gone = there.value("SELECT id::text FROM truedy.calls WHERE deleted_at IS NOT NULL")
    other = there.world.live_ids()[8]
    there.world.delete(other)
    for _ in range(2):
        there.sync(confirm_after=timedelta(0), **ON)
    assert verdict(there.database).is_whole
    there.world.restore(gone)
    there.world.restore(other)
    there.sync()
    there.world.delete(other)
    for _ in range(2):
        there.sync(confirm_after=timedelta(0))
    assert there.value("SELECT count(*) FROM truedy.calls WHERE deleted_at IS NOT NULL") == 1
    with pytest.MonkeyPatch.context() as patch:
        for module in (comparison, sync_calls, stored_calls):
            patch.setattr(module, "READING_VERSION", READING_VERSION + 1)
        there.sync(asked=Asked())
        found = verdict(there.database)
        assert (found.faults, found.unsealed > there.value("SELECT count(*) FROM truedy.calls") - 2) == ([], True)
        assert late.seal(there.database, "default", lambda: NOW).is_finished
        assert verdict(there.database).is_whole
    ended = "SELECT count(*) FROM archive.records WHERE kind = 'tombstone' AND encode(bytes, 'escape') ~ 'reappeared'"
    assert there.value(ended) == 1


def test_late_versions_and_replays_are_sealed(database: Database) -> None:
    """What is read again from quarantine is sealed in the transaction that stores it."""
    with source(database, calls=40, now=NOW) as setting:
        setting.sync(**ON)
        replay.replay(database, "default", Policy(), seals=True)
        assert verdict(database).is_whole


TAMPERED = {
    # The archive's own tables.
    "flip a byte of a content": ("UPDATE archive.records SET bytes = set_byte(bytes, 30, get_byte(bytes, 30) # 1) WHERE sequence = 7", 7),
    "flip a byte of a salt": ("UPDATE archive.records SET salt = set_byte(salt, 3, get_byte(salt, 3) # 1) WHERE sequence = 7", 7),
    "flip a byte of a commitment": ("UPDATE archive.records SET commitment = set_byte(commitment, 3, get_byte(commitment, 3) # 1) WHERE sequence = 7", 7),
    "another subject": ("UPDATE archive.records SET subject = gen_random_uuid() WHERE sequence = 7", 7),
    "another time of a record": ("UPDATE archive.records SET observed_at = observed_at + interval '1 day' WHERE sequence = 7", 7),
    "a content taken away": ("UPDATE archive.records SET bytes = NULL, salt = NULL WHERE sequence = 7", 7),
    "delete a record": ("DELETE FROM archive.records WHERE sequence = 7", 7),
    "insert a record": ("INSERT INTO archive.records SELECT account, 100000, kind, subject, observed_at, salt, bytes, commitment, block FROM archive.records WHERE sequence = 7", 100000),
    "swap two records": ("UPDATE archive.records SET sequence = -sequence WHERE sequence IN (7, 9); UPDATE archive.records SET sequence = 16 + sequence WHERE sequence < 0", 9),
    "flip a byte of a root": ("UPDATE archive.blocks SET root = set_byte(root, 3, get_byte(root, 3) # 1) WHERE block = 1", 1),
    "flip a byte of a hash": ("UPDATE archive.blocks SET hash = set_byte(hash, 3, get_byte(hash, 3) # 1) WHERE block = 1", 1),
    "another time of a block": ("UPDATE archive.blocks SET sealed_at = sealed_at - interval '1 day' WHERE block = 1", 1),
    "delete a block": ("DELETE FROM archive.blocks WHERE block = 1", 1),
    # What they sealed.
    "a payload of a version": ("UPDATE truedy.call_versions SET raw = jsonb_set(raw, '{cost_usd}', '0') WHERE version = 2", None),
    "the time of a version": ("UPDATE truedy.call_versions SET observed_at = observed_at - interval '1 s' WHERE version = 2", None),
    "the source's time of a version": ("UPDATE truedy.call_versions SET updated_at = updated_at - interval '1 s' WHERE version = 2", None),
    "a version made late": ("UPDATE truedy.call_versions SET is_late = true WHERE version = 2", None),
    "delete a version": ("DELETE FROM truedy.call_versions WHERE version = 1 AND call_id IN (SELECT call_id FROM truedy.call_versions WHERE version = 2)", None),
    "swap two versions": ("UPDATE truedy.call_versions SET version = 3 - version + 10 WHERE call_id = (SELECT call_id FROM truedy.call_versions WHERE version = 2 LIMIT 1); UPDATE truedy.call_versions SET version = version - 10 WHERE version > 10", None),
    "a column of a call": ("UPDATE truedy.calls SET cost_usd = cost_usd + 1 WHERE cost_usd IS NOT NULL", None),
    "a payload of a call": ("UPDATE truedy.calls SET raw = jsonb_set(raw, '{status}', '\"failed\"')", None),
    "delete a call": ("DELETE FROM truedy.calls WHERE id = (SELECT min(id::text)::uuid FROM truedy.calls)", None),
    "delete a call with all of it": ("DELETE FROM truedy.call_versions WHERE call_id = (SELECT min(id::text)::uuid FROM truedy.calls); DELETE FROM truedy.calls WHERE id = (SELECT min(id::text)::uuid FROM truedy.calls)", None),
    "a word of a segment": ("UPDATE truedy.transcript_segments SET text = text || '.' WHERE position = 0", None),
    "who said it": ("UPDATE truedy.transcript_segments SET speaker = 'contact' WHERE position = 0", None),
    "delete a segment": ("DELETE FROM truedy.transcript_segments WHERE position = 1", None),
    "an end of a segment": ("UPDATE truedy.transcript_segments SET end_seconds = 3 WHERE position = 0", None),
    "a summary of a transcript": ("UPDATE truedy.transcripts SET summary = 'forged' WHERE fingerprint IS NOT NULL", None),
    "a word of an earlier transcript": (
        "UPDATE truedy.transcript_versions SET segments = jsonb_set(segments, '{0,text}', '\"forged\"')",
        None,
    ),
    "delete an earlier transcript": ("DELETE FROM truedy.transcript_versions", None),
    "delete a transcript": ("DELETE FROM truedy.transcripts WHERE fingerprint IS NOT NULL", None),
    "a tombstone taken away": ("UPDATE truedy.calls SET deleted_at = NULL", None),
    "another time of a tombstone": ("UPDATE truedy.calls SET last_seen_at = last_seen_at - interval '1 day' WHERE deleted_at IS NOT NULL", None),
}  # fmt: skip
INVENTED = {
    "insert a call": "INSERT INTO truedy.calls SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid()))).* FROM truedy.calls c LIMIT 1",
    "insert a version": "INSERT INTO truedy.call_versions SELECT call_id, 9, updated_at, observed_at, recorded_at, is_late, fingerprint, raw FROM truedy.call_versions LIMIT 1",
    "insert a tombstone": "UPDATE truedy.calls SET deleted_at = now() WHERE id = (SELECT min(id::text)::uuid FROM truedy.calls)",
}


def as_superuser(connection: psycopg.Connection, statements: str) -> None:
    """What only the owner or a superuser can do: with the triggers of the archive taken off."""
    for table in ("records", "blocks"):
        connection.execute(f"ALTER TABLE archive.{table} DISABLE TRIGGER USER")
    connection.execute(statements)


@pytest.mark.slow
def test_every_change_in_the_database_is_found(there: Setting, database_url: str) -> None:
    """The tamper matrix over each table, by somebody whom no right stops: found without a head outside, by the first bad
    sequence.
    """
    assert verdict(there.database).is_whole
    missed = []
    for name, (statements, sequence) in TAMPERED.items():
        with psycopg.connect(database_url) as connection:
            as_superuser(connection, statements)
            found = in_transaction(connection)
            connection.rollback()
        first = min((fault.sequence for fault in found.faults if fault.sequence is not None), default=None)
        if first is None or (sequence is not None and first > sequence):
            missed.append((name, found.faults[:3]))
    for name, statements in INVENTED.items():
        with psycopg.connect(database_url) as connection:
            as_superuser(connection, statements)
            found = in_transaction(connection)
            connection.rollback()
        if found.is_whole:
            missed.append((name, []))
    assert missed == []
    assert verdict(there.database).is_whole


def in_transaction(connection: psycopg.Connection) -> Verdict:
    """Verify what a transaction sees, with the code of a verification."""
    found = Verdict("default")
    connection.execute(
        "SET LOCAL search_path = pg_catalog; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'"
    )
    seen = inspection.Checked("default")
    for fault in inspection.verification.check(
        "default", inspection._blocks(connection, "default"), inspection._records(connection, "default"), (), seen
    ):
        found.note(fault)
    for one in inspection.compared(connection, "default"):
        if isinstance(one, inspection.Fault):
            found.note(one)
        else:
            found.unsealed += 1
    return found


def test_what_only_a_head_outside_shows(there: Setting, database_url: str) -> None:
    """The tail cut off with all that it sealed: whole by itself, and found by a head that lies outside."""
    head = outside(there.database)
    with psycopg.connect(database_url) as connection:
        as_superuser(
            connection,
            "DELETE FROM archive.records WHERE block = (SELECT max(block) FROM archive.blocks); "
            "DELETE FROM archive.blocks WHERE block = (SELECT max(block) FROM archive.blocks); "
            "UPDATE truedy.calls SET deleted_at = NULL, last_seen_at = NULL, first_missing_at = NULL",
        )
    assert codes(there.database) == []
    assert codes(there.database, head) == ["cut"]


def test_a_service_may_write_meanwhile(there: Setting) -> None:
    """Verification reads one moment: what is sealed after it began is no fault."""

    def tell(*_: object) -> None:
        return None

    real = inspection.sealed_reading.size

    def size(connection: psycopg.Connection, account: str) -> int:
        there.world.update(there.world.live_ids()[7], summary="meanwhile")
        there.sync(**ON)
        return real(connection, account)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspection.sealed_reading, "size", size)
        found = inspection.verify(there.database, "default", (), tell)
    assert found.is_whole
    assert verdict(there.database).records == found.records + 1


def test_what_is_read_anew_is_sealed_anew(there: Setting) -> None:
    """A newer program reads the same payloads otherwise: the same version gets another record, and the newest one counts."""
    before = there.value("SELECT count(*) FROM archive.records WHERE kind = 'call'")
    there.rows("UPDATE truedy.calls SET reading_version = 1 RETURNING 1")
    assert "call_changed" in codes(there.database)
    there.sync(asked=Asked(), **ON)
    live = there.value("SELECT count(*) FROM truedy.calls WHERE deleted_at IS NULL")
    assert there.value("SELECT count(*) FROM archive.records WHERE kind = 'call'") >= before + live
    assert {fault.code for fault in verdict(there.database).faults} <= {"call_changed"}
    assert len(codes(there.database)) == there.value("SELECT count(*) FROM truedy.calls WHERE deleted_at IS NOT NULL")


def test_a_stretch_that_becomes_unsure_is_a_record(database: Database) -> None:
    """With its bounds, and why."""
    notes = Notes("default")
    until = NOW + timedelta(days=1)
    notes.note_coverage((), (Piece(BEGINNING, NOW, NOW), Piece(NOW, until, NOW, False, Doubt.TIE)))
    with database.transaction() as tx:
        notes.seal(tx, NOW)
        row = tx.execute("SELECT kind, subject, convert_from(bytes, 'UTF8') FROM archive.records").fetchone()
    assert row is not None
    said = json.loads(row[2])
    assert (row[0], row[1], said["since"], said["until"]) == (
        "gap",
        None,
        "2026-11-20T12:00:00.000000Z",
        "2026-11-21T12:00:00.000000Z",
    )
    assert said["reason"]
    assert verdict(database).is_whole
