"""Reads and writes transcripts with their segments, and recordings; finds those that are due.

sync/content decides which rows to write, from what `known_details` reads here. Both happen in one transaction under the
lease, so nothing changes in between. Only the renewal of a recording's URL needs no lease. New rows are copied straight
into their tables, changed ones are updated many by one statement. Unchanged rows are not written.
"""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Any

from psycopg import sql

from replicator.store.copying import NULL, copy_rows, copy_text, escaped, text_array
from replicator.store.rows import DetailRow, Kind, KnownDetail
from replicator.store.updating import update_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.records import Segment

SEGMENT_COLUMNS = ("call_id", "position", "speaker", "text", "start_seconds", "end_seconds", "raw")
RAW_OF_SEGMENT = (
    "coalesce(s.raw, jsonb_build_object('speaker', s.speaker, 'text', s.text, 'timestamp', s.start_seconds))"
)
"""The JSON of a stored segment s, as it was received: raw is null where the columns say all of it."""

DETAIL_TYPES = {
    "call_id": "uuid", "account": "text", "state": "text", "call_created_at": "timestamptz", "attempts": "integer",
    "due_at": "timestamptz", "deadline_at": "timestamptz", "asked_at": "timestamptz", "fetched_at": "timestamptz",
    "last_error": "text", "absent_looks": "integer", "absent_since": "timestamptz", "waits_last": "boolean",
    "has_escapes": "boolean", "raw": "jsonb",
}  # fmt: skip
OWN_TYPES: Mapping[Kind, Mapping[str, str]] = {
    "transcript": {"summary": "text", "segment_count": "integer", "fingerprint": "bytea", "problems": "text[]"},
    "recording": {"recording_url": "text", "url_expires_at": "timestamptz"},
}
EMPTY: Mapping[Kind, str] = {
    "transcript": " OR (state = 'present' AND segment_count = 0)",
    "recording": "",
}
"""What else is absent: a transcript that is there without a word."""
QUEUES = ("NOT waits_last", "waits_last")
"""The two parts of a queue, each with an index of its own: a query that names neither uses none."""
TABLES: Mapping[Kind, str] = {"transcript": "transcripts", "recording": "recordings"}


def known_details(tx: psycopg.Connection[Any], kind: Kind, ids: Sequence[UUID]) -> dict[UUID, KnownDetail]:
    """Return what is stored of these calls' transcripts or recordings."""
    own = "fingerprint, NULL::timestamptz" if kind == "transcript" else "NULL::bytea, url_expires_at"
    rows = tx.execute(
        f"SELECT call_id, state, attempts, due_at, deadline_at, fetched_at, {own}, asked_at, absent_looks, absent_since, "
        f"waits_last FROM truedy.{TABLES[kind]} "
        "WHERE call_id = ANY(%b)",
        [list(ids)],
    )
    return {row[0]: KnownDetail(*row[1:]) for row in rows}


def write_details(tx: psycopg.Connection[Any], account: str, rows: Sequence[DetailRow]) -> int:
    """Write transcripts and recordings with their place in the queue; return the number of segments written.

    The segments of a call are replaced as a whole, in this transaction; the earlier ones move to the history.
    """
    segments = 0
    for kind, table in TABLES.items():
        mine = [row for row in rows if row.kind == kind]
        if not mine:
            continue
        if kind == "transcript":
            segments += _write_segments(tx, mine)
        columns = (*DETAIL_TYPES, *OWN_TYPES[kind])
        new = [_detail_values(account, row) for row in mine if row.is_new]
        if new:
            copy_rows(tx, f"truedy.{table}", columns, new)
        whole = [row for row in mine if not row.is_new and (row.transcript or row.recording)]
        if whole:
            # Every column is known, so the old row is deleted and a new one inserted by COPY.
            tx.execute(f"DELETE FROM truedy.{table} WHERE call_id = ANY(%b)", [[row.call_id for row in whole]])
            copy_rows(tx, f"truedy.{table}", columns, [_detail_values(account, row) for row in whole])
        changed = [
            _detail_values(account, row) for row in mine if not row.is_new and not (row.transcript or row.recording)
        ]
        _update_details(tx, kind, changed)
    return segments


def due_details(
    connection: psycopg.Connection[Any], account: str, kinds: Iterable[Kind], now: datetime, limit: int
) -> list[tuple[Kind, UUID, datetime | None, int, datetime | None, bool]]:
    """Return an account's due details, newest call first; behind them those that wait last, the longest due first.

    Each is (kind, call id, the call's created_at, attempts, deadline, whether it waits last).
    """
    kinds = tuple(kinds)
    if not kinds:
        return []
    parameters = {"account": account, "now": now, "limit": limit}
    found: list[Any] = []
    for condition, order in (("NOT waits_last", "call_created_at DESC NULLS LAST"), ("waits_last", "due_at")):
        # Each has an index of its own, so that neither is read through the rows of the other.
        queues = [
            f"(SELECT '{kind}' AS kind, call_id, call_created_at, attempts, deadline_at, waits_last, due_at "
            f"FROM truedy.{TABLES[kind]} WHERE account = %(account)s AND due_at <= %(now)s AND {condition} "
            f"ORDER BY {order} LIMIT %(limit)s)"
            for kind in kinds
        ]
        statement = (
            "SELECT kind, call_id, call_created_at, attempts, deadline_at, waits_last "
            f"FROM ({' UNION ALL '.join(queues)}) q ORDER BY {order} LIMIT %(limit)s"
        )
        found += connection.execute(sql.SQL(statement), {**parameters, "limit": limit - len(found)}).fetchall()
        if len(found) >= limit:
            break
    return found


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
    """Store a new URL of an existing recording; False where it has no row, it was erased, or a later look is stored.

    Without the lease: it changes one row to a later state, whatever else is written meanwhile.
    """
    return bool(
        tx.execute(
            "UPDATE truedy.recordings SET recording_url = %s, url_expires_at = %s, asked_at = %s, fetched_at = %s, "
            "state = 'present', due_at = NULL, last_error = NULL "
            "WHERE call_id = %s AND (fetched_at IS NULL OR fetched_at < %s) "
            "AND NOT EXISTS (SELECT FROM truedy.calls c WHERE c.id = %s AND c.raw ? '_erased')",
            [url, expires_at, asked_at, asked_at, call_id, asked_at, call_id],
        ).rowcount
    )


def ask_again(
    tx: psycopg.Connection[Any],
    account: str,
    kinds: Iterable[Kind],
    since: datetime,
    until: datetime,
    now: datetime,
) -> int:
    """Queue what is absent or given up of calls created in [since, until); return how many details.

    What is known of earlier looks stays, so one more answer of the same kind makes it a fact again. A call whose
    created_at is unknown belongs to every stretch.
    """
    return sum(
        tx.execute(
            f"UPDATE truedy.{TABLES[kind]} SET state = CASE state WHEN 'present' THEN state ELSE 'pending' END, "
            "due_at = %(now)s, waits_last = false WHERE account = %(account)s AND "
            f"(state IN ('pending', 'absent_final', 'gave_up'){EMPTY[kind]}) "
            "AND (call_created_at IS NULL OR (call_created_at >= %(since)s AND call_created_at < %(until)s))",
            {"account": account, "since": since, "until": until, "now": now},
        ).rowcount
        for kind in kinds
    )


def count_queued(
    connection: psycopg.Connection[Any], account: str, kinds: Iterable[Kind], now: datetime
) -> tuple[int, int]:
    """Return how many queued details of an account are due now, and how many are queued for later."""
    due = later = 0
    for kind in kinds:
        for queue in QUEUES:
            row = connection.execute(
                f"SELECT count(*) FILTER (WHERE due_at <= %(now)s), count(*) FILTER (WHERE due_at > %(now)s) "
                f"FROM truedy.{TABLES[kind]} WHERE account = %(account)s AND due_at IS NOT NULL AND {queue}",
                {"account": account, "now": now},
            ).fetchone()
            if row is not None:
                due, later = due + row[0], later + row[1]
    return due, later


def next_due_at(connection: psycopg.Connection[Any], account: str, kinds: Iterable[Kind]) -> datetime | None:
    """Return when the next queued detail of an account is due, or None where its queue is empty."""
    times = [
        connection.execute(
            f"SELECT min(due_at) FROM truedy.{TABLES[kind]} WHERE account = %(account)s AND due_at IS NOT NULL AND {queue}",
            {"account": account},
        ).fetchone()
        for kind in kinds
        for queue in QUEUES
    ]
    return min((row[0] for row in times if row and row[0]), default=None)


def _write_segments(tx: psycopg.Connection[Any], rows: Sequence[DetailRow]) -> int:
    replaced = [row.call_id for row in rows if row.is_replacement]
    if replaced:
        tx.execute(
            "INSERT INTO truedy.transcript_versions (call_id, fetched_at, fingerprint, summary, segments, raw) "
            "SELECT t.call_id, coalesce(t.fetched_at, '-infinity'), t.fingerprint, t.summary, coalesce((SELECT "
            f"jsonb_agg({RAW_OF_SEGMENT} ORDER BY s.position) FROM truedy.transcript_segments s WHERE s.call_id = t.call_id), '[]'), "
            "t.raw FROM truedy.transcripts t WHERE t.call_id = ANY(%b) ON CONFLICT DO NOTHING",
            [replaced],
        )
        tx.execute("DELETE FROM truedy.transcript_segments WHERE call_id = ANY(%b)", [replaced])
    transcripts = [
        (row.call_id, row.transcript.segments) for row in rows if row.transcript is not None and not row.is_same_content
    ]
    if transcripts:
        copy_text(tx, "truedy.transcript_segments", SEGMENT_COLUMNS, starmap(segment_text, transcripts))
    return sum(len(segments) for _, segments in transcripts)


def segment_text(call_id: UUID, segments: Sequence[Segment]) -> str:
    """Return a call's segments as COPY's text. Most of all rows are segments, so it is made here, for speed.

    Nearly all are the contract's, without a character that COPY escapes. Then the text has as many of these characters as
    the lines put there, which is counted faster than each value is looked at.
    """
    key, count = call_id.hex, len(segments)
    plain = [
        f"{key}\t{position}\t{speaker}\t{words}\t{start!s}\t\\N\t\\N\n"
        for position, speaker, words, start, end, raw in segments
        if raw is None and end is None and start is not None
    ]
    if len(plain) == count:  # else a text could hold just what the missing lines lack
        text = "".join(plain)
        found = (text.count("\n"), text.count("\t"), text.count("\\"), "\r" in text)
        if found == (count, 6 * count, 2 * count, False):
            return text
    return "".join(
        f"{key}\t{position}\t{escaped(speaker)}\t{escaped(words)}\t{NULL if start is None else start}\t"
        f"{NULL if end is None else end}\t{NULL if raw is None else escaped(raw)}\n"
        for position, speaker, words, start, end, raw in segments
    )


def _update_details(tx: psycopg.Connection[Any], kind: Kind, rows: Sequence[tuple[object, ...]]) -> None:
    types = {**DETAIL_TYPES, **OWN_TYPES[kind]}
    # If the content was not asked for, or is unchanged, the stored content stays.
    content = {"fetched_at", "has_escapes", "raw", *OWN_TYPES[kind]}
    sets = {
        name: f"CASE WHEN s.fetched_at IS NULL THEN t.{name} ELSE s.{name} END"
        if name in content
        else f"coalesce(s.{name}, t.{name})"
        if name in {"call_created_at", "deadline_at", "asked_at"}
        else f"s.{name}"
        for name in types
        if name not in {"call_id", "account"}
    }
    update_rows(tx, f"truedy.{TABLES[kind]}", types, sets, rows)


def _detail_values(account: str, row: DetailRow) -> tuple[object, ...]:
    content = row.transcript or row.recording
    shared = (
        row.call_id, account, row.state, row.call_created_at, row.attempts, row.due_at, row.deadline_at, row.asked_at,
        row.fetched_at if content else None, row.last_error, row.absent_looks, row.absent_since, row.waits_last,
        content.has_escapes if content else False,
        content.raw if content else None,
    )  # fmt: skip
    if row.kind == "recording":
        found = row.recording
        return (*shared, found.recording_url if found else None, found.url_expires_at if found else None)
    transcript = row.transcript
    if transcript is None:
        return (*shared, None, None, None, text_array(()))
    return (
        *shared, transcript.summary, len(transcript.segments), transcript.fingerprint, text_array(transcript.problems)
    )  # fmt: skip
