"""Stores rows and fields that could not be read, lists them, and returns them to be read again. It does not interpret
them.

Two instants decide how a kept row may still change the replica: `last_seen_at`, when the request that last showed it
was sent, and `resolved_at`, when a later answer showed the same call readable.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from replicator.store.rows import KeptRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.store.rows import UnreadRow

FACTS = "id, call_id, field, kind, created_since, created_until, request, reason, attempts, first_seen_at, last_seen_at, resolved_at, length(raw) AS bytes"


def keep(tx: psycopg.Connection[Any], account: str, rows: Sequence[UnreadRow]) -> int:
    """Store what could not be read; return how many entries are new.

    The same bytes for the same reason are one entry; that it was seen again is recorded at most once an hour.
    """
    new = 0
    for row in rows:
        found = tx.execute(
            "INSERT INTO replicator.quarantine AS q (account, call_id, field, kind, created_since, created_until, request, "
            "reason, raw, raw_sha256, first_seen_at, last_seen_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %b, %b, %s, %s) "
            "ON CONFLICT (account, raw_sha256, reason) DO UPDATE SET attempts = q.attempts + 1, "
            "last_seen_at = excluded.last_seen_at, resolved_at = NULL "
            "WHERE q.last_seen_at < excluded.last_seen_at - interval '1 hour' OR q.resolved_at < excluded.last_seen_at "
            "RETURNING attempts",
            [
                account,
                row.call_id,
                row.field,
                row.kind,
                *(row.never_shown or (None, None)),
                row.request,
                row.reason,
                row.raw,
                _identity(row),
                row.seen_at,
                row.seen_at,
            ],
        ).fetchone()
        new += found is not None and found[0] == 1
    return new


def _identity(row: UnreadRow) -> bytes:
    """Return the SHA-256 that identifies an entry. The bytes of a row include its id; those of a field do not."""
    if row.field is None:
        return sha256(row.raw).digest()
    return sha256(f"{row.call_id} {row.field}\0".encode() + row.raw).digest()


def resolve(
    tx: psycopg.Connection[Any],
    account: str,
    seen: Mapping[UUID, datetime],
    still_aside: Iterable[tuple[UUID, str]] = (),
) -> int:
    """Mark the rows and fields of calls as resolved, if a request sent at or after theirs could read them; return how
    many.

    `still_aside` are the fields without which these calls were read.
    """
    aside = list(still_aside)
    return tx.execute(
        "UPDATE replicator.quarantine q SET resolved_at = s.at FROM unnest(%s::uuid[], %s::timestamptz[]) AS s (id, at) "
        "WHERE q.account = %s AND q.resolved_at IS NULL AND q.call_id = s.id AND q.last_seen_at <= s.at "
        "AND NOT EXISTS (SELECT FROM unnest(%s::uuid[], %s::text[]) AS x (id, field) "
        "WHERE x.id = q.call_id AND x.field = q.field)",
        [list(seen), list(seen.values()), account, [one[0] for one in aside], [one[1] for one in aside]],
    ).rowcount


def is_any_open(connection: psycopg.Connection[Any], account: str) -> bool:
    """Say whether the quarantine has open entries."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM replicator.quarantine WHERE account = %s AND resolved_at IS NULL)", [account]
    ).fetchone()
    return bool(row and row[0])


def listed(
    connection: psycopg.Connection[Any], account: str, *, with_resolved: bool, limit: int
) -> list[dict[str, Any]]:
    """Return the facts of the rows, newest first, without their bytes."""
    return (
        connection.cursor(row_factory=dict_row)
        .execute(
            f"SELECT {FACTS} FROM replicator.quarantine WHERE account = %s AND (%s OR resolved_at IS NULL) "
            "ORDER BY last_seen_at DESC, id DESC LIMIT %s",
            [account, with_resolved, limit],
        )
        .fetchall()
    )


def count(connection: psycopg.Connection[Any], account: str, *, with_resolved: bool) -> int:
    """Return how many rows `listed` would give without a limit."""
    row = connection.execute(
        "SELECT count(*) FROM replicator.quarantine WHERE account = %s AND (%s OR resolved_at IS NULL)",
        [account, with_resolved],
    ).fetchone()
    return int(row[0]) if row else 0


def count_missing(connection: psycopg.Connection[Any], account: str) -> int:
    """Return how many rows of the list, not fields of stored calls, are open: each may be a call that is not stored."""
    row = connection.execute(
        "SELECT count(*) FROM replicator.quarantine WHERE account = %s AND resolved_at IS NULL AND kind <> 'field'",
        [account],
    ).fetchone()
    return int(row[0]) if row else 0


def facts(connection: psycopg.Connection[Any], account: str, row_id: int) -> dict[str, Any] | None:
    """Return the facts of one row, or None where there is no such row."""
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(
        f"SELECT {FACTS} FROM replicator.quarantine WHERE account = %s AND id = %s", [account, row_id]
    ).fetchone()


def open_sizes(connection: psycopg.Connection[Any], account: str) -> list[tuple[int, int]]:
    """Return (id, number of bytes) of every open row, oldest first."""
    return connection.execute(
        "SELECT id, length(raw) FROM replicator.quarantine WHERE account = %s AND resolved_at IS NULL ORDER BY id",
        [account],
    ).fetchall()


def load(connection: psycopg.Connection[Any], account: str, ids: Sequence[int]) -> list[KeptRow]:
    """Return rows with their bytes."""
    rows = connection.execute(
        "SELECT id, call_id, request, reason, raw, first_seen_at, last_seen_at, resolved_at, field, kind FROM replicator.quarantine "
        "WHERE account = %s AND id = ANY(%s) ORDER BY id",
        [account, list(ids)],
    )
    return [KeptRow(*row) for row in rows]


def load_never_shown(connection: psycopg.Connection[Any], account: str) -> list[KeptRow]:
    """Return the open entries for rows that no answer ever showed."""
    rows = connection.execute(
        "SELECT id FROM replicator.quarantine WHERE account = %s AND resolved_at IS NULL AND kind = 'never_shown'",
        [account],
    ).fetchall()
    return load(connection, account, [row[0] for row in rows])


def mark_read(tx: psycopg.Connection[Any], calls: Mapping[int, UUID], at: datetime) -> None:
    """Record that entries were read, and which call each is."""
    tx.execute(
        "UPDATE replicator.quarantine q SET resolved_at = coalesce(q.resolved_at, %s), call_id = s.call_id "
        "FROM unnest(%s::bigint[], %s::uuid[]) AS s (id, call_id) WHERE q.id = s.id",
        [at, list(calls), list(calls.values())],
    )


def mark_resolved(tx: psycopg.Connection[Any], ids: Sequence[int], at: datetime) -> None:
    """Record that these entries are resolved."""
    tx.execute(
        "UPDATE replicator.quarantine SET resolved_at = %s WHERE id = ANY(%s) AND resolved_at IS NULL", [at, list(ids)]
    )


def mark_tried(tx: psycopg.Connection[Any], ids: Sequence[int]) -> None:
    """Record that these entries still cannot be read."""
    tx.execute("UPDATE replicator.quarantine SET attempts = attempts + 1 WHERE id = ANY(%s)", [list(ids)])
