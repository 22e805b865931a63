"""Reads the replica for `verify`, and stores its result. It changes no row of the mirror."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import psycopg

COLUMNS = (
    "agent_id", "phone_number", "from_number", "direction", "status", "started_at", "ended_at", "duration_seconds",
    "cost_usd", "summary", "recording_url", "context", "created_at", "updated_at",
)  # fmt: skip
"""The contract's fields, under the contract's names."""


@dataclass(frozen=True, slots=True)
class StoredCall:
    """The stored state of a call. `fields` are the contract's columns; `context` and `raw` are JSON text.

    `detail_asked_at` is when its transcript or recording was last asked for; `detail_url` is the recording's URL in
    that answer.
    """

    fields: Mapping[str, Any]
    raw: str
    fingerprint: bytes
    observed_at: datetime
    is_deleted: bool
    detail_asked_at: datetime | None
    detail_url: str | None

    @property
    def created_at(self) -> datetime | None:
        at: datetime | None = self.fields["created_at"]
        return at


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A live call, with what matters if a page does not show it."""

    id: UUID
    created_at: datetime | None
    status: str | None
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the live calls that can be compared with the source: those created before the end of coverage.

    `dateless` of them have no readable created_at. `unread` rows are in quarantine and not among the live calls.
    """

    live: int
    dateless: int
    unread: int
    statuses: Mapping[str, int]
    directions: Mapping[str, int]


def counts(connection: psycopg.Connection[Any], account: str, top: datetime) -> Counts:
    """Count the calls up to `top`, the end of coverage."""
    known = {"account": account, "top": top}
    live = (
        "truedy.calls c WHERE c.account = %(account)s AND c.deleted_at IS NULL "
        "AND (c.created_at < %(top)s OR c.created_at IS NULL)"
    )
    # One statement, so that all counts are of the same moment.
    rows = connection.execute(
        f"SELECT 'live', NULL, count(*), count(*) FILTER (WHERE created_at IS NULL) FROM {live} "
        f"UNION ALL SELECT 'status', status, count(*), 0 FROM {live} AND status IS NOT NULL GROUP BY status "
        f"UNION ALL SELECT 'direction', direction, count(*), 0 FROM {live} AND direction IS NOT NULL GROUP BY direction "
        "UNION ALL SELECT 'unread', NULL, count(DISTINCT coalesce(q.call_id::text, encode(q.raw_sha256, 'hex'))), 0 "
        "FROM replicator.quarantine q WHERE q.account = %(account)s AND q.resolved_at IS NULL AND NOT EXISTS ("
        "SELECT 1 FROM truedy.calls c WHERE c.id = q.call_id AND c.deleted_at IS NULL)",
        known,
    ).fetchall()
    found: dict[str, dict[str, int]] = {"live": {}, "status": {}, "direction": {}, "unread": {}}
    dateless = 0
    for what, value, count, extra in rows:
        found[what][value or ""] = count
        dateless += extra
    return Counts(found["live"][""], dateless, found["unread"][""], found["status"], found["direction"])


def count_until(connection: psycopg.Connection[Any], account: str, at: datetime) -> int:
    """Return how many live calls were created at or before this instant: a rank counted from the oldest end."""
    row = connection.execute(
        "SELECT count(*) FROM truedy.calls WHERE account = %s AND created_at <= %s AND deleted_at IS NULL",
        [account, at],
    ).fetchone()
    return int(row[0]) if row else 0


def stored_calls(connection: psycopg.Connection[Any], account: str, ids: Sequence[UUID]) -> dict[UUID, StoredCall]:
    """Return what is stored of these calls, live or not."""
    columns = ", ".join(f"c.{name}::text" if name == "context" else f"c.{name}" for name in COLUMNS)
    rows = connection.execute(
        f"SELECT c.id, c.raw::text, c.fingerprint, c.observed_at, c.deleted_at IS NOT NULL, "
        f"greatest(t.asked_at, r.asked_at), r.recording_url, {columns} FROM truedy.calls c "
        "LEFT JOIN truedy.transcripts t ON t.call_id = c.id LEFT JOIN truedy.recordings r ON r.call_id = c.id "
        "WHERE c.account = %s AND c.id = ANY(%s)",
        [account, list(ids)],
    ).fetchall()
    return {
        row[0]: StoredCall(dict(zip(COLUMNS, row[7:], strict=True)), *row[1:7])
        for row in rows
    }  # fmt: skip


def live_between(
    connection: psycopg.Connection[Any], account: str, since: datetime, until: datetime, seen_before: datetime
) -> list[LiveCall]:
    """Return the live calls created in [since, until) that were stored before `seen_before`, newest first."""
    rows = connection.execute(
        "SELECT id, created_at, status, observed_at FROM truedy.calls WHERE account = %s AND created_at >= %s "
        "AND created_at < %s AND deleted_at IS NULL AND first_seen_at < %s ORDER BY created_at DESC",
        [account, since, until, seen_before],
    ).fetchall()
    return [LiveCall(*row) for row in rows]


def calls_before(connection: psycopg.Connection[Any], account: str, at: datetime, limit: int) -> list[LiveCall]:
    """Return live calls created before an instant, newest first."""
    rows = connection.execute(
        "SELECT id, created_at, status, observed_at FROM truedy.calls WHERE account = %s AND created_at < %s "
        "AND deleted_at IS NULL ORDER BY created_at DESC LIMIT %s",
        [account, at, limit],
    ).fetchall()
    return [LiveCall(*row) for row in rows]


def in_quarantine(
    connection: psycopg.Connection[Any], account: str, ids: Sequence[UUID], digests: Sequence[bytes]
) -> tuple[set[UUID], set[bytes]]:
    """Return which of these calls, and which of these SHA-256 of raw rows, are in quarantine."""
    rows = connection.execute(
        "SELECT call_id, raw_sha256 FROM replicator.quarantine WHERE account = %s AND resolved_at IS NULL "
        "AND (call_id = ANY(%s) OR raw_sha256 = ANY(%s))",
        [account, list(ids), list(digests)],
    ).fetchall()
    return {row[0] for row in rows if row[0] is not None}, {bytes(row[1]) for row in rows}


def save(
    tx: psycopg.Connection[Any],
    account: str,
    started_at: datetime,
    finished_at: datetime,
    findings: Mapping[str, Any],
) -> None:
    """Store a verification's result; `findings` is the JSON that the user is shown."""
    tx.execute(
        "INSERT INTO replicator.verifications (account, started_at, finished_at, requests, is_equal, pages_compared, "
        "calls_compared, findings) VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb)",
        [
            account, started_at, finished_at, findings["requests"], findings["is_equal"], findings["pages_compared"],
            findings["calls_compared"], json.dumps(findings, default=_plain),
        ],
    )  # fmt: skip


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
