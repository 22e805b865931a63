"""Reads and writes calls and their versions.

sync/content/calls.py decides which rows to write, from what `known_calls` reads here. Both happen in one transaction
under the lease, so nothing changes in between. New rows are copied straight into their tables, changed ones are
updated many by one statement. Unchanged rows are not written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg

from replicator.errors import AnotherAccount, DatabaseUnavailable
from replicator.records import CONTRACT_STATUSES, DIRECTIONS, READING_VERSION
from replicator.store import stages
from replicator.store.copying import copy_rows, text_array
from replicator.store.rows import CallRow, KnownCall, StampConflict, VersionRow
from replicator.store.updating import update_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

CALL_TYPES = {
    "id": "uuid", "account": "text", "agent_id": "uuid", "phone_number": "text", "from_number": "text",
    "direction": "text", "status": "text", "started_at": "timestamptz", "ended_at": "timestamptz",
    "duration_seconds": "integer", "cost_usd": "numeric", "summary": "text", "recording_url": "text",
    "context": "jsonb", "created_at": "timestamptz", "updated_at": "timestamptz", "raw": "jsonb",
    "fingerprint": "bytea", "problems": "text[]", "has_escapes": "boolean", "reading_version": "integer",
    "version": "integer", "observed_at": "timestamptz", "first_seen_at": "timestamptz", "changed_at": "timestamptz",
}  # fmt: skip
CALL_COLUMNS = tuple(CALL_TYPES)
SETS = {name: f"s.{name}" for name in CALL_COLUMNS if name not in {"id", "first_seen_at"}} | {
    "changed_at": "coalesce(s.changed_at, t.changed_at)",
    "deleted_at": "NULL",
    "last_seen_at": "NULL",
    "first_missing_at": "NULL",
}
"""What an update of a call changes."""


def known_calls(tx: psycopg.Connection[Any], account: str, ids: Sequence[UUID]) -> dict[UUID, KnownCall]:
    """Return what is stored of these calls. Raises AnotherAccount where one is stored in another account."""
    rows = tx.execute(
        "SELECT c.id, c.fingerprint, c.updated_at, c.observed_at, c.version, c.status, c.ended_at, c.duration_seconds, "
        "c.summary, c.deleted_at IS NOT NULL, c.reading_version, z.stored_updated_at, z.seen_updated_at, z.first_seen_at, "
        "z.believed_at, c.account FROM truedy.calls c LEFT JOIN replicator.stamp_conflicts z ON z.call_id = c.id "
        "WHERE c.id = ANY(%b)",
        [list(ids)],
    ).fetchall()
    if other := next((row[-1] for row in rows if row[-1] != account), None):
        raise AnotherAccount(other, account)
    found = {row[0]: (KnownCall(*row[1:11]), row[11:-1]) for row in rows}
    return {
        call_id: known if conflict[0] is None else replace(known, conflict=StampConflict(call_id, *conflict))
        for call_id, (known, conflict) in found.items()
    }


_DIFFERING = (
    "WITH differing AS (SELECT c.id FROM truedy.calls c CROSS JOIN LATERAL (SELECT v.raw, v.fingerprint "
    "FROM truedy.call_versions v WHERE v.call_id = c.id AND NOT v.is_late ORDER BY v.version DESC LIMIT 1) v "
    "WHERE c.id = ANY(%s) AND v.fingerprint = c.fingerprint "
    "AND c.raw - 'updated_at' - 'recording_url' <> v.raw - 'updated_at' - 'recording_url'), "
    "next AS (UPDATE truedy.calls c SET version = c.version + 1 FROM differing d WHERE c.id = d.id "
    "RETURNING c.id, c.version, c.updated_at, c.observed_at, c.fingerprint, c.raw) "
    "INSERT INTO truedy.call_versions (call_id, version, updated_at, observed_at, fingerprint, raw) "
    "SELECT id, version, updated_at, observed_at, fingerprint, raw FROM next RETURNING call_id, version"
)


def note_conflicts(tx: psycopg.Connection[Any], account: str, conflicts: Iterable[StampConflict]) -> None:
    """Store conflicts between the source's `updated_at` values: the latest of each call."""
    rows = [
        (one.call_id, account, one.stored_updated_at, one.seen_updated_at, one.first_seen_at, one.believed_at)
        for one in conflicts
    ]
    if rows:
        tx.cursor().executemany(
            "INSERT INTO replicator.stamp_conflicts AS z (call_id, account, stored_updated_at, seen_updated_at, "
            "first_seen_at, believed_at) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (call_id) DO UPDATE SET "
            "stored_updated_at = excluded.stored_updated_at, seen_updated_at = excluded.seen_updated_at, "
            "first_seen_at = excluded.first_seen_at, believed_at = coalesce(excluded.believed_at, z.believed_at)",
            rows,
        )


def write_calls(
    tx: psycopg.Connection[Any], account: str, rows: Sequence[CallRow], versions: Sequence[VersionRow]
) -> list[tuple[UUID, int]]:
    """Insert the new calls, update the changed ones, append the versions. Return (call, version) of the late ones that
    were not stored yet.

    Raises DatabaseUnavailable where another account has just stored one of the new calls; `known_calls` sees it when
    this is done again. No other process can, because each account has one writer.
    """
    new = [_call_values(account, row) for row in rows if row.is_new]
    if new:
        try:
            copy_rows(tx, "truedy.calls", CALL_COLUMNS, new)
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name != "pk_calls":
                raise  # raised by an index that a user added
            raise DatabaseUnavailable("another process has stored calls of this batch a moment ago") from None
    changed = [_call_values(account, row) for row in rows if not row.is_new]
    update_rows(tx, "truedy.calls", CALL_TYPES, SETS, changed)
    new_rows = {row.call.id: row for row in rows if row.is_new}
    first: list[UUID] = []
    current: list[VersionRow] = []
    for version in versions:
        if _is_as_stored(version, new_rows.get(version.call.id)):
            first.append(version.call.id)
        elif not version.is_late:
            current.append(version)
    if first:
        # What was just stored of a new call is this version of it: its payload need not be sent and read twice.
        tx.execute(
            "INSERT INTO truedy.call_versions (call_id, version, updated_at, observed_at, fingerprint, raw) "
            "SELECT id, version, updated_at, observed_at, fingerprint, raw FROM truedy.calls WHERE id = ANY(%b)",
            [first],
        )
    if current:
        copy_rows(
            tx,
            "truedy.call_versions",
            ("call_id", "version", "updated_at", "observed_at", "fingerprint", "raw"),
            [(v.call.id, v.version, v.call.updated_at, v.observed_at, v.call.fingerprint, v.call.raw) for v in current],
        )
    late = (_append_late(tx, version) for version in versions if version.is_late)
    return [one for one in late if one is not None]


def add_differing_versions(tx: psycopg.Connection[Any], call_ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
    """Give each of these calls a new version where its row has another payload than its current version, as when payment
    data is masked from now on, or not any more; return (call, version) of these.
    """
    if not call_ids:
        return []
    return tx.execute(_DIFFERING, [list(call_ids)]).fetchall()


def _is_as_stored(version: VersionRow, row: CallRow | None) -> bool:
    """Say whether a new call's row stores this version as it is: a later look may have moved the row's instants."""
    if row is None or row.call is not version.call:
        return False
    return (row.version, row.observed_at) == (version.version, version.observed_at)


def count_newer(connection: psycopg.Connection[Any], account: str, at: datetime, most: int | None = None) -> int:
    """Return how many live calls were created at this instant or later, counted up to `most`: the
    estimate of a rank.
    """
    row = connection.execute(
        "SELECT count(*) FROM (SELECT FROM truedy.calls WHERE account = %s AND created_at >= %s AND deleted_at IS NULL "
        "LIMIT %s) newer",
        [account, at, most],
    ).fetchone()
    return int(row[0]) if row else 0


def oldest_live(connection: psycopg.Connection[Any], account: str) -> datetime | None:
    """Return the created_at of the oldest live call."""
    row = connection.execute(
        "SELECT created_at FROM truedy.calls WHERE account = %s AND deleted_at IS NULL AND created_at IS NOT NULL "
        "ORDER BY created_at LIMIT 1",
        [account],
    ).fetchone()
    return row[0] if row else None


def count_live(connection: psycopg.Connection[Any], account: str) -> int:
    """Return how many live calls are stored."""
    row = connection.execute(
        "SELECT count(*) FROM truedy.calls WHERE account = %s AND deleted_at IS NULL", [account]
    ).fetchone()
    return int(row[0]) if row else 0


def known_values(
    connection: psycopg.Connection[Any], account: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return (statuses, directions, agents) of the stored calls, the most frequent first; directions include the
    contract's.

    There are at most 40, 20 and 50, and none that is too long for a filter in a URL.
    """
    found = []
    for column, words, most in (
        ("status", CONTRACT_STATUSES, 40),
        ("direction", DIRECTIONS, 20),
        ("agent_id::text", (), 50),
    ):
        rows = connection.execute(
            f"SELECT value FROM (SELECT {column} AS value, count(*) AS calls FROM truedy.calls WHERE account = %s "
            "GROUP BY 1 UNION ALL SELECT unnest(%s::text[]), 0) v "
            "WHERE length(value) <= 64 GROUP BY value ORDER BY sum(calls) DESC, value LIMIT %s",
            [account, list(words), most],
        )
        found.append(tuple(row[0] for row in rows))
    return found[0], found[1], found[2]


def some_calls(connection: psycopg.Connection[Any], account: str) -> list[UUID]:
    """Return the ids of a few live calls (newest, oldest, some between), which the source must know if it is the stored
    one.
    """
    newest, oldest = (
        connection.execute(
            "SELECT id, created_at FROM truedy.calls WHERE account = %s AND deleted_at IS NULL "
            f"AND created_at IS NOT NULL ORDER BY created_at {order} LIMIT 3",
            [account],
        ).fetchall()
        for order in ("DESC", "ASC")
    )
    between: list[tuple[UUID]] = []
    if newest and oldest:
        first, last = oldest[0][1], newest[0][1]
        for part in range(1, 5):
            between += connection.execute(
                "SELECT id FROM truedy.calls WHERE account = %s AND deleted_at IS NULL AND created_at >= %s "
                "ORDER BY created_at LIMIT 1",
                [account, first + (last - first) * part / 5],
            ).fetchall()
    return list(dict.fromkeys(row[0] for row in [*newest, *oldest, *between]))


def open_calls(connection: psycopg.Connection[Any], account: str, since: datetime) -> list[datetime]:
    """Return the created_at of live calls created after `since` whose status is not terminal."""
    rows = connection.execute(
        f"SELECT DISTINCT c.created_at FROM truedy.calls c {stages.JOIN}"
        "WHERE c.account = %s AND c.created_at >= %s AND c.deleted_at IS NULL "
        "AND NOT coalesce(s.is_terminal, alike.is_terminal, c.ended_at IS NOT NULL)",
        [account, since],
    )
    return sorted(row[0] for row in rows)


def _call_values(account: str, row: CallRow) -> tuple[object, ...]:
    call = row.call
    changed_at = row.observed_at if row.is_content_changed else None
    return (
        call.id, account, call.agent_id, call.phone_number, call.from_number, call.direction, call.status,
        call.started_at, call.ended_at, call.duration_seconds, call.cost_usd, call.summary, call.recording_url,
        call.context, call.created_at, call.updated_at, call.raw, call.fingerprint, text_array(call.problems),
        call.has_escapes, READING_VERSION, row.version, row.observed_at, row.first_seen_at or row.observed_at, changed_at,
    )  # fmt: skip


def _append_late(tx: psycopg.Connection[Any], late: VersionRow) -> tuple[UUID, int] | None:
    return tx.execute(
        "WITH next AS (UPDATE truedy.calls SET version = version + 1 WHERE id = %(id)s AND NOT EXISTS ("
        "SELECT 1 FROM truedy.call_versions v WHERE v.call_id = %(id)s AND v.fingerprint = %(fingerprint)s) "
        "RETURNING version) INSERT INTO truedy.call_versions (call_id, version, updated_at, observed_at, is_late, "
        "fingerprint, raw) SELECT %(id)s, version, %(updated_at)s, %(observed_at)s, true, %(fingerprint)s, "
        "%(raw)s::jsonb FROM next RETURNING call_id, version",
        {
            "id": late.call.id,
            "fingerprint": late.call.fingerprint,
            "updated_at": late.call.updated_at,
            "observed_at": late.observed_at,
            "raw": late.call.raw,
        },
    ).fetchone()
