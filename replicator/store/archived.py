"""Reads and writes archive.objects: the queue of recordings that are to be downloaded, and what is stored of them.

A run claims rows for a short time and prolongs the claim while it lives. Each write of a run names its claim: a run that
slept past the end of its claim changes nothing. archive/recordings/queue_rules.py decides; this module writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    import psycopg

_NEW = (
    "INSERT INTO archive.objects (account, call_id, call_created_at, deadline_at, next_try_at, queued_at) "
    "SELECT c.account, c.id, c.created_at, coalesce(c.ended_at, c.created_at) + %(keeps)s, %(now)s, %(now)s "
    "FROM truedy.recordings r JOIN truedy.calls c ON c.id = r.call_id WHERE c.account = %(account)s AND r.state = 'present' "
)
# In one order, so that two transactions that queue the same recordings wait for each other, and never in a circle.
_QUEUE = _NEW + "AND r.call_id = ANY(%(ids)s) ORDER BY c.id ON CONFLICT (account, call_id, kind) DO NOTHING"
_QUEUE_OLD = (
    _NEW + "AND NOT EXISTS (SELECT FROM archive.objects o WHERE o.account = c.account AND o.call_id = c.id) "
    "ORDER BY c.id LIMIT %(limit)s ON CONFLICT (account, call_id, kind) DO NOTHING"
)
_COLUMNS = (
    "o.id, o.call_id, o.queued_at, o.deadline_at, o.attempts, o.failures, o.failing_since, o.reason, o.retain_until, "
    "o.putting_sha256, o.putting_bytes, o.putting_media_type"
)
# MATERIALIZED, so that the rows are chosen once: the inner side of a nested loop is read again for each outer row, and as
# rows that this statement has updated are passed over, each reading would choose others: more than the limit.
_CLAIM = (
    "WITH due AS MATERIALIZED (SELECT id FROM archive.objects WHERE account = %(account)s AND state = 'pending' "
    "AND next_try_at <= %(now)s AND (claimed_until IS NULL OR claimed_until < clock_timestamp()) "
    "AND claim IS DISTINCT FROM %(claim)s {more} "
    "ORDER BY call_created_at DESC NULLS LAST LIMIT %(limit)s FOR UPDATE SKIP LOCKED) "
    "UPDATE archive.objects o SET claim = %(claim)s, claimed_until = clock_timestamp() + make_interval(secs => %(seconds)s) "
    "FROM due WHERE o.id = due.id RETURNING " + _COLUMNS
)
_CLAIM_ANY = _CLAIM.format(more="")
_CLAIM_PUTTING = _CLAIM.format(more="AND putting_sha256 IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A recording that a run has claimed. Sizes are bytes."""

    id: UUID
    call_id: UUID
    queued_at: datetime
    deadline_at: datetime | None
    attempts: int
    failures: int
    failing_since: datetime | None
    reason: str | None
    retain_until: datetime | None
    putting_sha256: str | None
    putting_bytes: int | None
    putting_media_type: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """An account's recordings by state."""

    pending: int
    due: int
    """Of the pending ones, those that may be tried now."""
    near_deadline: int
    """Of the pending ones, those that the vendor deletes soon."""
    late: int
    """Of the pending ones, those that the vendor has deleted by what is known."""
    stored: int
    bytes: int
    missing: int
    refused: int
    next_try_at: datetime | None
    next_deadline_at: datetime | None


def queue(tx: psycopg.Connection[Any], account: str, call_ids: Sequence[UUID], keeps: timedelta, now: datetime) -> int:
    """Queue the recordings of these calls, of which a link is stored; return how many are new."""
    if not call_ids:
        return 0
    parameters = {"account": account, "ids": list(call_ids), "keeps": keeps, "now": now}
    return tx.execute(_QUEUE, parameters).rowcount


def queue_from_before(tx: psycopg.Connection[Any], account: str, keeps: timedelta, now: datetime, limit: int) -> int:
    """Queue up to `limit` recordings whose links were stored while the archive was off; return how many."""
    return tx.execute(_QUEUE_OLD, {"account": account, "keeps": keeps, "now": now, "limit": limit}).rowcount


def claim(
    tx: psycopg.Connection[Any],
    account: str,
    run: UUID,
    seconds: float,
    now: datetime,
    limit: int,
    *,
    is_putting: bool = False,
) -> list[Claimed]:
    """Claim up to `limit` recordings that are due, newest call first; with `is_putting`, those of which a crashed run had
    begun to put the file into the store.
    """
    parameters = {"account": account, "claim": run, "seconds": seconds, "now": now, "limit": limit}
    with tx.cursor(row_factory=class_row(Claimed)) as cursor:
        return cursor.execute(_CLAIM_PUTTING if is_putting else _CLAIM_ANY, parameters).fetchall()


def prolong(tx: psycopg.Connection[Any], run: UUID, ids: Sequence[UUID], seconds: float) -> None:
    """Prolong a run's claims."""
    tx.execute(
        "UPDATE archive.objects SET claimed_until = clock_timestamp() + make_interval(secs => %s) "
        "WHERE id = ANY(%s) AND claim = %s AND state = 'pending'",
        [seconds, list(ids), run],
    )


def intend(tx: psycopg.Connection[Any], row: UUID, run: UUID, sha256: str, size: int, media_type: str) -> bool:
    """Note which file is about to be put into the store; False where the claim is lost.

    An erasure that removes the same file for another call is waited for; a later one sees what is noted here.
    """
    tx.execute('SELECT 1 FROM archive.objects WHERE sha256 COLLATE "C" = %s ORDER BY id FOR SHARE', [sha256])
    return bool(
        tx.execute(
            "UPDATE archive.objects SET putting_sha256 = %s, putting_bytes = %s, putting_media_type = %s "
            "WHERE id = %s AND claim = %s AND state = 'pending'",
            [sha256, size, media_type, row, run],
        ).rowcount
    )


def retain_until(tx: psycopg.Connection[Any], row: UUID) -> datetime | None:
    """Return until when a recording is kept at least."""
    found = tx.execute("SELECT retain_until FROM archive.objects WHERE id = %s", [row]).fetchone()
    return found[0] if found else None


def forget_intent(tx: psycopg.Connection[Any], row: UUID, run: UUID) -> None:
    """Note that the store does not have the file that was about to be put."""
    tx.execute(
        "UPDATE archive.objects SET putting_sha256 = NULL, putting_bytes = NULL, putting_media_type = NULL "
        "WHERE id = %s AND claim = %s AND state = 'pending'",
        [row, run],
    )


def mark_stored(tx: psycopg.Connection[Any], row: UUID, run: UUID, place: str, at: datetime) -> bool:
    """Mark a recording stored, with the file that was put; False where the claim is lost."""
    return bool(
        tx.execute(
            "UPDATE archive.objects SET state = 'stored', sha256 = putting_sha256, bytes = putting_bytes, "
            "media_type = putting_media_type, place = %(place)s, stored_at = %(at)s, tried_at = %(at)s, "
            "attempts = attempts + 1, failures = 0, failing_since = NULL, reason = NULL, next_try_at = NULL, claim = NULL, "
            "claimed_until = NULL, putting_sha256 = NULL, putting_bytes = NULL, putting_media_type = NULL "
            "WHERE id = %(row)s AND claim = %(run)s AND state = 'pending' AND putting_sha256 IS NOT NULL",
            {"place": place, "at": at, "row": row, "run": run},
        ).rowcount
    )


def is_left_over(tx: psycopg.Connection[Any], row: UUID, sha256: str) -> bool:
    """Say whether a recording was erased while its file was put, and no other call has this file."""
    found = tx.execute(
        "SELECT EXISTS (SELECT FROM archive.objects o WHERE o.id = %(row)s AND o.state IN ('erased', 'disposed')) "
        "AND NOT EXISTS (SELECT FROM archive.objects s WHERE s.sha256 = %(hash)s AND s.state = 'stored') "
        "AND NOT EXISTS (SELECT FROM archive.objects p WHERE p.putting_sha256 = %(hash)s)",
        {"row": row, "hash": sha256},
    ).fetchone()
    return bool(found and found[0])


def mark_failed(
    tx: psycopg.Connection[Any],
    row: UUID,
    run: UUID,
    *,
    state: str,
    reason: str,
    attempts: int,
    failures: int,
    failing_since: datetime | None,
    next_try_at: datetime | None,
    at: datetime,
) -> bool:
    """Write what a failed attempt made of a recording; False where the claim is lost."""
    return bool(
        tx.execute(
            "UPDATE archive.objects SET state = %s, reason = %s, attempts = %s, failures = %s, failing_since = %s, "
            "next_try_at = %s, tried_at = %s, claim = NULL, claimed_until = NULL "
            "WHERE id = %s AND claim = %s AND state = 'pending'",
            [state, reason, attempts, failures, failing_since, next_try_at, at, row, run],
        ).rowcount
    )


def release(tx: psycopg.Connection[Any], row: UUID, run: UUID) -> None:
    """Give a claimed recording back, as it was."""
    tx.execute("UPDATE archive.objects SET claim = NULL, claimed_until = NULL WHERE id = %s AND claim = %s", [row, run])


def stored_after(
    connection: psycopg.Connection[Any], sha256: str, limit: int
) -> list[tuple[str, int, list[str], bool]]:
    """Return (hash, size in bytes, accounts, whether it is only being put) of stored files of all accounts with a greater
    hash, by rising hash.
    """
    return connection.execute(
        'SELECT hash COLLATE "C", max(size), array_agg(DISTINCT account ORDER BY account), bool_and(is_putting) FROM ('
        "SELECT sha256 AS hash, bytes AS size, account, false AS is_putting FROM archive.objects "
        "WHERE state = 'stored' AND sha256 COLLATE \"C\" > %(after)s UNION ALL "
        "SELECT putting_sha256, putting_bytes, account, true FROM archive.objects "
        'WHERE putting_sha256 IS NOT NULL AND putting_sha256 COLLATE "C" > %(after)s) found '
        'GROUP BY hash ORDER BY hash COLLATE "C" LIMIT %(limit)s',
        {"after": sha256, "limit": limit},
    ).fetchall()


def count_stored(connection: psycopg.Connection[Any], account: str) -> int:
    """Return how many files of an account are stored."""
    row = connection.execute(
        "SELECT count(DISTINCT sha256) FROM archive.objects WHERE account = %s AND state = 'stored'", [account]
    ).fetchone()
    return int(row[0]) if row else 0


def mark_lost(tx: psycopg.Connection[Any], account: str, hashes: Sequence[str], now: datetime) -> int:
    """Queue recordings again whose files are gone from the store; return how many. What is sealed of them stays."""
    return tx.execute(
        "UPDATE archive.objects SET state = 'pending', reason = 'file_lost', next_try_at = %s, failures = 0, attempts = 0, "
        "failing_since = NULL, sha256 = NULL, bytes = NULL, media_type = NULL, place = NULL, stored_at = NULL "
        "WHERE account = %s AND state = 'stored' AND sha256 = ANY(%s)",
        [now, account, list(hashes)],
    ).rowcount


def try_again(tx: psycopg.Connection[Any], account: str, now: datetime) -> int:
    """Queue what is refused or missing once more; return how many."""
    return tx.execute(
        "UPDATE archive.objects SET state = 'pending', next_try_at = %s, failures = 0, failing_since = NULL "
        "WHERE account = %s AND state IN ('refused', 'missing')",
        [now, account],
    ).rowcount


def not_pending(connection: psycopg.Connection[Any], ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these rows that are not pending, or that do not exist."""
    found = connection.execute(
        "SELECT id FROM archive.objects WHERE id = ANY(%s) AND state = 'pending'", [list(ids)]
    ).fetchall()
    return set(ids) - {row for (row,) in found}


def reasons(connection: psycopg.Connection[Any], account: str) -> list[tuple[str, str, int]]:
    """Return (state, reason, how many) of an account's recordings that are not stored and have a reason, most first."""
    return connection.execute(
        "SELECT state, reason, count(*) FROM archive.objects WHERE account = %s AND state IN ('pending', 'missing', 'refused') "
        "AND reason IS NOT NULL GROUP BY state, reason ORDER BY count(*) DESC, state, reason",
        [account],
    ).fetchall()


def counts(connection: psycopg.Connection[Any], account: str, now: datetime, warn_before: timedelta) -> Counts:
    """Return an account's recordings by state."""
    with connection.cursor(row_factory=class_row(Counts)) as cursor:
        row = cursor.execute(
            "SELECT count(*) FILTER (WHERE state = 'pending') AS pending, "
            "count(*) FILTER (WHERE state = 'pending' AND next_try_at <= %(now)s) AS due, "
            "count(*) FILTER (WHERE state = 'pending' AND deadline_at > %(now)s AND deadline_at <= %(now)s + %(before)s) "
            "AS near_deadline, "
            "count(*) FILTER (WHERE state = 'pending' AND deadline_at <= %(now)s) AS late, "
            "count(*) FILTER (WHERE state = 'stored') AS stored, "
            "coalesce(sum(bytes) FILTER (WHERE state = 'stored'), 0)::bigint AS bytes, "
            "count(*) FILTER (WHERE state = 'missing') AS missing, count(*) FILTER (WHERE state = 'refused') AS refused, "
            "min(next_try_at) FILTER (WHERE state = 'pending') AS next_try_at, "
            "min(deadline_at) FILTER (WHERE state = 'pending' AND deadline_at > %(now)s) AS next_deadline_at "
            "FROM archive.objects WHERE account = %(account)s",
            {"account": account, "now": now, "before": warn_before},
        ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return row


__all__ = ["Claimed", "Counts", "claim", "count_stored", "counts", "forget_intent", "intend", "mark_failed", "mark_lost",
           "mark_stored", "not_pending", "prolong", "queue", "queue_from_before", "reasons", "release", "retain_until", "stored_after", "try_again"]  # fmt: skip
