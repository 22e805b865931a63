"""Writes what was decided: calls and their versions, transcripts with all their segments, recordings.

Which rows to write is decided in sync/content/calls.py from what `known_calls` and `known_details` read here; both happen
in one transaction under the lease, so nothing changes in between. New rows go straight into their tables by COPY;
changed ones through a staging table of the transaction. What is unchanged is not written at all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from replicator.errors import AnotherAccount, DatabaseUnavailable
from replicator.records import CONTRACT_STATUSES, DIRECTIONS, READING_VERSION
from replicator.store import stages
from replicator.store.rows import CallRow, DetailRow, Kind, KnownCall, KnownDetail, StampConflict, VersionRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.records import Segment

LINES_PER_WRITE = 500
NULL = "\\N"
"""Null in COPY's text format."""
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

CALL_COLUMNS = (
    "id", "account", "agent_id", "phone_number", "from_number", "direction", "status", "started_at", "ended_at",
    "duration_seconds", "cost_usd", "summary", "recording_url", "context", "created_at", "updated_at", "raw",
    "fingerprint", "problems", "has_escapes", "reading_version", "version", "observed_at", "first_seen_at", "changed_at",
)  # fmt: skip
DETAIL_COLUMNS = (
    "call_id", "account", "state", "call_created_at", "attempts", "due_at", "deadline_at", "asked_at", "fetched_at", "last_error",
    "has_escapes", "raw",
)  # fmt: skip
OWN_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "transcript": ("summary", "segment_count", "fingerprint", "problems"),
    "recording": ("recording_url", "url_expires_at"),
}
TABLES: Mapping[Kind, str] = {"transcript": "transcripts", "recording": "recordings"}


def known_calls(tx: psycopg.Connection[Any], account: str, ids: Sequence[UUID]) -> dict[UUID, KnownCall]:
    """Return what is stored of these calls. Raises AnotherAccount where one is stored under another account's name."""
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


def note_conflicts(tx: psycopg.Connection[Any], account: str, conflicts: Iterable[StampConflict]) -> None:
    """Keep what contradicts itself in the source's stamps: the latest conflict of each call."""
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


def known_details(tx: psycopg.Connection[Any], kind: Kind, ids: Sequence[UUID]) -> dict[UUID, KnownDetail]:
    """Return what is stored of these calls' transcripts or recordings."""
    own = "fingerprint, NULL::timestamptz" if kind == "transcript" else "NULL::bytea, url_expires_at"
    rows = tx.execute(
        f"SELECT call_id, state, attempts, due_at, deadline_at, fetched_at, {own}, asked_at FROM truedy.{TABLES[kind]} "
        "WHERE call_id = ANY(%b)",
        [list(ids)],
    )
    return {row[0]: KnownDetail(*row[1:]) for row in rows}


def write_calls(
    tx: psycopg.Connection[Any], account: str, rows: Sequence[CallRow], versions: Sequence[VersionRow]
) -> None:
    """Insert the new calls, update the changed ones, append the versions.

    Raises DatabaseUnavailable where another account stores one of the new calls at this moment: done again, it is seen by
    `known_calls`. Nobody else can, as each account has one writer.
    """
    new = [_call_values(account, row) for row in rows if row.is_new]
    if new:
        try:
            _copy(tx, "truedy.calls", CALL_COLUMNS, new)
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name != "pk_calls":
                raise  # of an index that somebody added
            raise DatabaseUnavailable("another process has stored calls of this batch a moment ago") from None
    changed = [_call_values(account, row) for row in rows if not row.is_new]
    if changed:
        names = ", ".join(CALL_COLUMNS)
        tx.execute(f"CREATE TEMP TABLE staged_calls ON COMMIT DROP AS SELECT {names} FROM truedy.calls WITH NO DATA")
        _copy(tx, "staged_calls", CALL_COLUMNS, changed)
        kept = {"id", "first_seen_at", "changed_at"}
        columns = ", ".join(f"{name} = s.{name}" for name in CALL_COLUMNS if name not in kept)
        tx.execute(
            f"UPDATE truedy.calls c SET {columns}, changed_at = coalesce(s.changed_at, c.changed_at), deleted_at = NULL, "
            "last_seen_at = NULL, first_missing_at = NULL FROM staged_calls s WHERE s.id = c.id"
        )
        tx.execute("DROP TABLE staged_calls")
    current = [version for version in versions if not version.is_late]
    if current:
        _copy(
            tx,
            "truedy.call_versions",
            ("call_id", "version", "updated_at", "observed_at", "fingerprint", "raw"),
            [(v.call.id, v.version, v.call.updated_at, v.observed_at, v.call.fingerprint, v.call.raw) for v in current],
        )
    for late in (version for version in versions if version.is_late):
        _append_late(tx, late)


def write_details(tx: psycopg.Connection[Any], account: str, rows: Sequence[DetailRow]) -> int:
    """Write an account's transcripts and recordings with their place in the queue; return the number of segments written.

    The segments of a call are replaced as a whole, in this transaction; the earlier ones move to the history.
    """
    segments = 0
    for kind, table in TABLES.items():
        mine = [row for row in rows if row.kind == kind]
        if not mine:
            continue
        if kind == "transcript":
            segments += _write_segments(tx, mine)
        columns = DETAIL_COLUMNS + OWN_COLUMNS[kind]
        new = [_detail_values(account, row) for row in mine if row.is_new]
        if new:
            _copy(tx, f"truedy.{table}", columns, new)
        whole = [row for row in mine if not row.is_new and (row.transcript or row.recording)]
        if whole:
            # Every column is known, so the old row gives way to a new one: half the cost of an update by staging.
            tx.execute(f"DELETE FROM truedy.{table} WHERE call_id = ANY(%b)", [[row.call_id for row in whole]])
            _copy(tx, f"truedy.{table}", columns, [_detail_values(account, row) for row in whole])
        changed = [
            _detail_values(account, row) for row in mine if not row.is_new and not (row.transcript or row.recording)
        ]
        if changed:
            _update_details(tx, kind, columns, changed)
    return segments


def due_details(
    connection: psycopg.Connection[Any], account: str, kinds: Iterable[Kind], now: datetime, limit: int
) -> list[tuple[Kind, UUID, datetime | None, int, datetime | None]]:
    """Return an account's due details, newest call first: (kind, call id, the call's created_at, attempts, deadline)."""
    queues = [
        f"(SELECT '{kind}', call_id, call_created_at, attempts, deadline_at FROM truedy.{TABLES[kind]} "
        "WHERE account = %(account)s AND due_at <= %(now)s ORDER BY call_created_at DESC NULLS LAST LIMIT %(limit)s)"
        for kind in kinds
    ]
    if not queues:
        return []
    # One queue alone would end with two ORDER BY, so the whole stands in brackets.
    statement = f"SELECT * FROM ({' UNION ALL '.join(queues)}) q ORDER BY 3 DESC NULLS LAST LIMIT %(limit)s"
    return connection.execute(sql.SQL(statement), {"account": account, "now": now, "limit": limit}).fetchall()


def recording_url(
    connection: psycopg.Connection[Any], account: str, call_id: UUID
) -> tuple[str | None, datetime | None] | None:
    """Return (URL or None, when it expires or None) of a call's recording; None where the account has no such call."""
    return connection.execute(
        "SELECT g.recording_url, g.url_expires_at FROM truedy.calls c LEFT JOIN truedy.recordings g ON g.call_id = c.id "
        "WHERE c.account = %s AND c.id = %s",
        [account, call_id],
    ).fetchone()


def renew_recording_url(
    tx: psycopg.Connection[Any], call_id: UUID, url: str, expires_at: datetime | None, asked_at: datetime
) -> bool:
    """Store another URL of a recording that is there; False where there is no row of it, or a later look is stored.

    The one write without the lease: it moves one row forward in time, whoever writes beside it.
    """
    return bool(
        tx.execute(
            "UPDATE truedy.recordings SET recording_url = %s, url_expires_at = %s, asked_at = %s, fetched_at = %s, "
            "state = 'present', due_at = NULL, last_error = NULL "
            "WHERE call_id = %s AND (fetched_at IS NULL OR fetched_at < %s)",
            [url, expires_at, asked_at, asked_at, call_id, asked_at],
        ).rowcount
    )


def count_queued(
    connection: psycopg.Connection[Any], account: str, kinds: Iterable[Kind], now: datetime
) -> tuple[int, int]:
    """Return how many queued details of an account are due now, and how many are queued for later."""
    due = later = 0
    for kind in kinds:
        row = connection.execute(
            f"SELECT count(*) FILTER (WHERE due_at <= %(now)s), count(*) FILTER (WHERE due_at > %(now)s) "
            f"FROM truedy.{TABLES[kind]} WHERE account = %(account)s AND due_at IS NOT NULL",
            {"account": account, "now": now},
        ).fetchone()
        if row is not None:
            due, later = due + row[0], later + row[1]
    return due, later


def next_due_at(connection: psycopg.Connection[Any], account: str, kinds: Iterable[Kind]) -> datetime | None:
    """Return when the next queued detail of an account is due, or None where its queue is empty."""
    times = [
        connection.execute(
            f"SELECT min(due_at) FROM truedy.{TABLES[kind]} WHERE account = %(account)s AND due_at IS NOT NULL",
            {"account": account},
        ).fetchone()
        for kind in kinds
    ]
    return min((row[0] for row in times if row and row[0]), default=None)


def count_newer(connection: psycopg.Connection[Any], account: str, at: datetime, most: int | None = None) -> int:
    """Return how many live calls were created at this instant or later, counted up to `most`: the guess of a rank in the
    source's list.
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
    """Return the statuses, the directions (those of the contract too) and the agents of the stored calls, the most frequent
    first: at most 40, 20 and 50, and none that is too long for a word in a URL.
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
    """Return a few live calls, the newest, the oldest and some between: what a source must know to be the same one."""
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
    """Return the created_at of live calls created after `since` whose status is not a terminal one."""
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
        call.context, call.created_at, call.updated_at, call.raw, call.fingerprint, _array(call.problems),
        call.has_escapes, READING_VERSION, row.version, row.observed_at, row.first_seen_at or row.observed_at, changed_at,
    )  # fmt: skip


def _array(words: Sequence[str]) -> object:
    """Return a text array; the empty one, which nearly all are, in the words of PostgreSQL."""
    return list(words) if words else "{}"


def _append_late(tx: psycopg.Connection[Any], late: VersionRow) -> None:
    tx.execute(
        "WITH next AS (UPDATE truedy.calls SET version = version + 1 WHERE id = %(id)s AND NOT EXISTS ("
        "SELECT 1 FROM truedy.call_versions v WHERE v.call_id = %(id)s AND v.fingerprint = %(fingerprint)s) "
        "RETURNING version) INSERT INTO truedy.call_versions (call_id, version, updated_at, observed_at, is_late, "
        "fingerprint, raw) SELECT %(id)s, version, %(updated_at)s, %(observed_at)s, true, %(fingerprint)s, "
        "%(raw)s::jsonb FROM next",
        {
            "id": late.call.id,
            "fingerprint": late.call.fingerprint,
            "updated_at": late.call.updated_at,
            "observed_at": late.observed_at,
            "raw": late.call.raw,
        },
    )


def _write_segments(tx: psycopg.Connection[Any], rows: Sequence[DetailRow]) -> int:
    replaced = [row.call_id for row in rows if row.is_replacement]
    if replaced:
        tx.execute(
            "INSERT INTO truedy.transcript_versions (call_id, fetched_at, fingerprint, summary, segments, raw) "
            "SELECT t.call_id, coalesce(t.fetched_at, '-infinity'), t.fingerprint, t.summary, coalesce((SELECT "
            "jsonb_agg(s.raw ORDER BY s.position) FROM truedy.transcript_segments s WHERE s.call_id = t.call_id), '[]'), "
            "t.raw FROM truedy.transcripts t WHERE t.call_id = ANY(%b) ON CONFLICT DO NOTHING",
            [replaced],
        )
        tx.execute("DELETE FROM truedy.transcript_segments WHERE call_id = ANY(%b)", [replaced])
    lines: list[str] = []
    for row in rows:
        if row.transcript is not None and not row.is_same_content:
            lines += _segment_lines(str(row.call_id), row.transcript.segments)
    if lines:
        columns = "call_id, position, speaker, text, start_seconds, end_seconds, raw"
        with tx.cursor().copy(f"COPY truedy.transcript_segments ({columns}) FROM STDIN") as copy:
            for first in range(0, len(lines), LINES_PER_WRITE):
                copy.write("".join(lines[first : first + LINES_PER_WRITE]))
    return len(lines)


def _segment_lines(call_id: str, segments: Sequence[Segment]) -> list[str]:
    """Return segments as COPY's text format takes them. They are most of all rows, so theirs is written here."""
    everything = "".join([part for s in segments for part in (s.speaker, s.text, s.raw)])
    if "\\" in everything or "\t" in everything or "\n" in everything or "\r" in everything:
        segments = [
            replace(
                s,
                speaker=s.speaker.translate(COPY_ESCAPES),
                text=s.text.translate(COPY_ESCAPES),
                raw=s.raw.translate(COPY_ESCAPES),
            )
            for s in segments
        ]
    return [
        f"{call_id}\t{s.position}\t{s.speaker}\t{s.text}\t{NULL if s.start_seconds is None else s.start_seconds}\t"
        f"{NULL if s.end_seconds is None else s.end_seconds}\t{s.raw}\n"
        for s in segments
    ]


def _update_details(
    tx: psycopg.Connection[Any], kind: Kind, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> None:
    table = TABLES[kind]
    names = ", ".join(columns)
    tx.execute(f"CREATE TEMP TABLE staged_details ON COMMIT DROP AS SELECT {names} FROM truedy.{table} WITH NO DATA")
    _copy(tx, "staged_details", columns, rows)
    # Where the content was not asked for or is unchanged, what is stored stays.
    content = {"fetched_at", "has_escapes", "raw", *OWN_COLUMNS[kind]}
    sets = ", ".join(
        f"{name} = CASE WHEN s.fetched_at IS NULL THEN t.{name} ELSE s.{name} END"
        if name in content
        else f"{name} = coalesce(s.{name}, t.{name})"
        if name in {"call_created_at", "deadline_at", "asked_at"}
        else f"{name} = s.{name}"
        for name in columns
        if name not in {"call_id", "account"}
    )
    tx.execute(f"UPDATE truedy.{table} t SET {sets} FROM staged_details s WHERE s.call_id = t.call_id")
    tx.execute("DROP TABLE staged_details")


def _detail_values(account: str, row: DetailRow) -> tuple[object, ...]:
    content = row.transcript or row.recording
    shared = (
        row.call_id, account, row.state, row.call_created_at, row.attempts, row.due_at, row.deadline_at, row.asked_at,
        row.fetched_at if content else None, row.last_error, content.has_escapes if content else False,
        content.raw if content else None,
    )  # fmt: skip
    if row.kind == "recording":
        found = row.recording
        return (*shared, found.recording_url if found else None, found.url_expires_at if found else None)
    transcript = row.transcript
    if transcript is None:
        return (*shared, None, None, None, _array(()))
    return (
        *shared, transcript.summary, len(transcript.segments), transcript.fingerprint, _array(transcript.problems)
    )  # fmt: skip


def _copy(tx: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
    with tx.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
