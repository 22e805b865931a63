"""Changed rows are updated by one statement: every value arrives as it is, and nothing is made in the catalog for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from replicator.records import Call, Transcript
from replicator.store import stored_calls, stored_details, updating
from replicator.store.rows import CallRow, DetailRow

if TYPE_CHECKING:
    import psycopg

    from replicator.store.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STRANGE = 'a "quoted"\\ \\N {word}, NULL\n\ttab \u20ac \U0001f600 \x1b'
CALL = Call(
    id=UUID(int=1), agent_id=None, phone_number=None, from_number=None, direction=None, status=None, started_at=None,
    ended_at=None, duration_seconds=None, cost_usd=None, summary=None, recording_url=None, context=None,
    created_at=NOON, updated_at=None, raw="{}", fingerprint=b"1",
)  # fmt: skip
FULL = replace(
    CALL, agent_id=UUID(int=9), phone_number=STRANGE, direction="inbound", status=STRANGE, started_at=NOON, ended_at=NOON,
    duration_seconds=7, cost_usd=Decimal("0.100000000000000005"), summary=STRANGE, recording_url="", context="null",
    updated_at=NOON, raw='{"a": [1, null, "\\u00e9 \\"x\\" \\\\"], "b": 1e400}', fingerprint=bytes(range(256)),
    has_escapes=True, problems=(STRANGE, "", "NULL", "b"),
)  # fmt: skip


def row_of(call: Call, *, is_new: bool, is_content_changed: bool = True) -> CallRow:
    return CallRow(call, 2 - is_new, NOON, is_new=is_new, is_content_changed=is_content_changed)


def stored(tx: psycopg.Connection[Any], call_id: UUID) -> tuple[Any, ...] | None:
    return tx.execute(
        "SELECT agent_id, phone_number, direction, status, started_at, ended_at, duration_seconds, cost_usd, summary, "
        "recording_url, context::text, updated_at, fingerprint, has_escapes, problems, version, raw = %s::jsonb "
        "FROM truedy.calls WHERE id = %s",
        [FULL.raw, call_id],
    ).fetchone()


def test_the_types_are_those_of_the_tables(database: Database) -> None:
    """A value is given as its column's type: a column whose type a migration changes is seen here."""
    tables = {"truedy.calls": stored_calls.CALL_TYPES} | {
        f"truedy.{stored_details.TABLES[kind]}": {**stored_details.DETAIL_TYPES, **own}
        for kind, own in stored_details.OWN_TYPES.items()
    }
    with database.connection() as connection:
        for table, types in tables.items():
            found = dict(
                connection.execute(
                    "SELECT attname, CASE atttypid WHEN 'timestamptz'::regtype THEN 'timestamptz' ELSE atttypid::regtype::text "
                    "END FROM pg_attribute WHERE attrelid = %s::regclass AND attname = ANY(%s)",
                    [table, list(types)],
                ).fetchall()
            )
            assert found == dict(types), table


def test_every_value_arrives_as_it_is(database: Database) -> None:
    """Quotes, backslashes, braces, the words for null, jsonb's own null, bytes, every digit: as by COPY into a new row."""
    with database.transaction() as tx:
        other = replace(FULL, id=UUID(int=2))
        stored_calls.write_calls(tx, "a", [row_of(CALL, is_new=True), row_of(other, is_new=True)], [])
        stored_calls.write_calls(tx, "a", [row_of(FULL, is_new=False)], [])
        found, copied = stored(tx, CALL.id), stored(tx, other.id)
        assert found is not None
        assert copied is not None
        assert found[:15] == copied[:15]
        assert found[14:] == (list(FULL.problems), 2, True)
        stored_calls.write_calls(tx, "a", [row_of(CALL, is_new=False)], [])
        assert stored(tx, CALL.id) == (*[None] * 12, b"1", False, [], 2, False)


def test_what_only_moved_keeps_when_it_changed(database: Database) -> None:
    """`first_seen_at` is never written again, `changed_at` only with another content; a deletion is taken back."""
    look = "SELECT first_seen_at, changed_at, deleted_at FROM truedy.calls"
    later = NOON.replace(hour=13)
    with database.transaction() as tx:
        stored_calls.write_calls(tx, "a", [row_of(CALL, is_new=True)], [])
        tx.execute("UPDATE truedy.calls SET deleted_at = now()")
        moved = replace(row_of(CALL, is_new=False, is_content_changed=False), observed_at=later)
        stored_calls.write_calls(tx, "a", [moved], [])
        assert tx.execute(look).fetchone() == (NOON, NOON, None)
        stored_calls.write_calls(tx, "a", [replace(moved, is_content_changed=True)], [])
        assert tx.execute(look).fetchone() == (NOON, later, None)


def test_a_queued_detail_keeps_its_content(database: Database) -> None:
    """A transcript that is asked for again keeps what is stored of it, problems included."""
    transcript = Transcript((), STRANGE, '{"a": 1}', b"f", problems=(STRANGE, "b"))
    row = DetailRow(
        "transcript", CALL.id, "present", NOON, fetched_at=NOON, transcript=transcript, is_new=True, asked_at=NOON
    )
    queued = replace(
        row, state="pending", transcript=None, is_new=False, due_at=NOON, asked_at=None, call_created_at=None
    )
    with database.transaction() as tx:
        stored_calls.write_calls(tx, "a", [row_of(CALL, is_new=True)], [])
        stored_details.write_details(tx, "a", [row])
        stored_details.write_details(tx, "a", [replace(queued, last_error=STRANGE)])
        assert tx.execute(
            "SELECT state, due_at, asked_at, call_created_at, last_error, summary, fingerprint, problems, fetched_at "
            "FROM truedy.transcripts"
        ).fetchone() == ("pending", NOON, NOON, NOON, STRANGE, STRANGE, b"f", [STRANGE, "b"], NOON)


def test_long_rows_are_updated_a_few_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number is not all that counts: a statement's values are one message, whose size PostgreSQL limits."""
    portions = list(updating._portions([("a" * 10, None)] * 5))
    assert [len(some) for some in portions] == [5]
    monkeypatch.setattr(updating, "CHARACTERS_AT_ONCE", 25)
    assert [len(some) for some in updating._portions([("a" * 10, None)] * 5)] == [2, 2, 1]
    assert [len(some) for some in updating._portions([("a" * 100, 1), (b"b", 2), ("c" * 100, 3)])] == [1, 1, 1]
    calls = [replace(CALL, id=UUID(int=number)) for number in range(1, 8)]
    with database.transaction() as tx:
        stored_calls.write_calls(tx, "a", [row_of(call, is_new=True) for call in calls], [])
        stored_calls.write_calls(tx, "a", [row_of(replace(call, status="s"), is_new=False) for call in calls], [])
        assert tx.execute("SELECT count(*)::int FROM truedy.calls WHERE status = 's'").fetchone() == (7,)


@pytest.mark.parametrize("count", [1, 2 * updating.ROWS_AT_ONCE + 1])
def test_an_update_makes_nothing_in_the_catalog(database: Database, count: int) -> None:
    """No temporary table: making one writes more rows than a page of changed calls. And no row is left out."""
    calls = [replace(CALL, id=UUID(int=number)) for number in range(1, count + 1)]
    details = [DetailRow("recording", call.id, "pending", NOON, is_new=True) for call in calls]
    with database.transaction() as tx:
        stored_calls.write_calls(tx, "a", [row_of(call, is_new=True) for call in calls], [])
        stored_details.write_details(tx, "a", details)
    with database.transaction() as tx:
        rows = [row_of(replace(call, status=f"s{call.id.int}"), is_new=False) for call in calls]
        stored_calls.write_calls(tx, "a", rows, [])
        stored_details.write_details(tx, "a", [replace(one, is_new=False, attempts=3) for one in details])
        assert tx.execute(
            "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int FROM pg_stat_xact_sys_tables"
        ).fetchone() == (0,)
        assert tx.execute("SELECT count(DISTINCT status)::int, min(version) FROM truedy.calls").fetchone() == (count, 2)
        assert tx.execute("SELECT count(*)::int FROM truedy.recordings WHERE attempts = 3").fetchone() == (count,)
