"""Reads and writes absences and tombstones, as sync/deletions/rules.py decides them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

AbsenceRow = tuple[int, "UUID", str, int, "datetime | None", "datetime | None", bool]
"""(id, call id, state, misses, missed at, due at, whether it is a question without a proof)."""


def suspect(
    tx: psycopg.Connection[Any],
    account: str,
    *,
    since: datetime | None,
    until: datetime,
    present: Sequence[UUID],
    asked_at: datetime,
    most: int | None,
) -> int:
    """Store an absence for each live call created in [since, until) that the response did not hold; return how many.

    `asked_at` is when the response was asked for. A call is not suspected if it was seen later, or if it answered by id
    within the last day. If `most` is given, the response is only a question: at most `most` calls are suspected, until
    as many are confirmed.
    """
    return tx.execute(
        "INSERT INTO replicator.absences (account, call_id, call_created_at, last_seen_at, first_missing_at, evidence, due_at) "
        "SELECT c.account, c.id, c.created_at, greatest(c.observed_at, v.verified_at), %(asked_at)s, "
        "CASE WHEN %(most)s::bigint IS NULL THEN 'page' ELSE 'answer' END, %(asked_at)s "
        "FROM truedy.calls c LEFT JOIN replicator.coverage v ON v.account = c.account AND v.since <= c.created_at "
        "AND c.created_at < v.until "
        "WHERE c.account = %(account)s AND c.created_at >= coalesce(%(since)s, '-infinity'::timestamptz) "
        "AND c.created_at < %(until)s AND c.deleted_at IS NULL AND c.observed_at < %(asked_at)s "
        "AND coalesce(v.verified_at < %(asked_at)s, true) AND c.id <> ALL(%(present)b) AND NOT EXISTS ("
        "SELECT 1 FROM replicator.absences a WHERE a.call_id = c.id AND (a.ended_at IS NULL "
        "OR a.state = 'refuted' AND a.ended_at > %(asked_at)s - interval '1 day')) "
        "ORDER BY c.created_at DESC LIMIT CASE WHEN (SELECT count(*) FROM replicator.absences d WHERE d.account = %(account)s "
        "AND d.state = 'deleted' AND d.call_created_at < %(until)s AND d.confirmed_at > %(asked_at)s - interval '1 day') "
        ">= %(most)s::bigint THEN NULL ELSE %(most)s::bigint END",
        {
            "account": account, "since": since, "until": until, "asked_at": asked_at, "present": list(present),
            "most": most,
        },
    ).rowcount  # fmt: skip


def end(tx: psycopg.Connection[Any], call_ids: Sequence[UUID], seen_at: datetime) -> int:
    """End the absences of calls that were seen again at `seen_at`: refuted, or reappeared if the deletion was
    confirmed.
    """
    return tx.execute(
        "UPDATE replicator.absences SET state = CASE state WHEN 'deleted' THEN 'reappeared' ELSE 'refuted' END, "
        "ended_at = %s, due_at = NULL WHERE call_id = ANY(%b) AND ended_at IS NULL AND first_missing_at < %s",
        [seen_at, list(call_ids), seen_at],
    ).rowcount


def has_open(connection: psycopg.Connection[Any], account: str) -> bool:
    """Say whether any call is suspected or deleted."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM replicator.absences WHERE account = %s AND ended_at IS NULL)", [account]
    ).fetchone()
    return bool(row and row[0])


def suspected(connection: psycopg.Connection[Any], account: str) -> int:
    """Return how many calls are suspected."""
    row = connection.execute(
        "SELECT count(*) FROM replicator.absences WHERE account = %s AND state = 'suspected'", [account]
    ).fetchone()
    return int(row[0]) if row else 0


def due(connection: psycopg.Connection[Any], account: str, now: datetime, limit: int) -> list[AbsenceRow]:
    """Return suspected calls that are due to be asked for, longest due first."""
    return connection.execute(
        "SELECT id, call_id, state, misses, missed_at, due_at, evidence = 'answer' FROM replicator.absences WHERE account = %s "
        "AND state = 'suspected' AND due_at <= %s ORDER BY due_at, id LIMIT %s",
        [account, now, limit],
    ).fetchall()


def save(
    tx: psycopg.Connection[Any],
    rows: Sequence[tuple[str, int, datetime | None, datetime | None, datetime | None, datetime | None, int]],
) -> int:
    """Store changed absences, each as (state, misses, missed at, due at, confirmed at, ended at, id).

    Calls whose absence is confirmed get their tombstone; return how many those are. An absence that ended meanwhile,
    because its call was seen, is not changed.
    """
    tx.cursor().executemany(
        "UPDATE replicator.absences SET state = %s, misses = %s, missed_at = %s, due_at = %s, confirmed_at = %s, "
        "ended_at = %s WHERE id = %s AND state = 'suspected'",
        rows,
    )
    confirmed = [row[-1] for row in rows if row[0] == "deleted"]
    if not confirmed:
        return 0
    return tx.execute(
        "UPDATE truedy.calls c SET deleted_at = a.confirmed_at, last_seen_at = a.last_seen_at, "
        "first_missing_at = a.first_missing_at, changed_at = a.confirmed_at FROM replicator.absences a "
        "WHERE a.id = ANY(%s) AND a.state = 'deleted' AND c.id = a.call_id AND c.deleted_at IS NULL",
        [confirmed],
    ).rowcount


def stored_before(connection: psycopg.Connection[Any], account: str, at: datetime, begun_at: datetime) -> int:
    """Return how many live calls created before `at` are stored, without those suspected before `begun_at`."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM truedy.calls WHERE account = %(account)s AND deleted_at IS NULL "
        "AND created_at < %(at)s) - (SELECT count(*) FROM replicator.absences WHERE account = %(account)s "
        "AND state = 'suspected' AND call_created_at < %(at)s AND first_missing_at < %(begun_at)s)",
        {"account": account, "at": at, "begun_at": begun_at},
    ).fetchone()
    return int(row[0]) if row else 0


def release(tx: psycopg.Connection[Any], account: str, count: int) -> None:
    """Release `count` suspected deletions, which may then be asked for and confirmed."""
    tx.execute(
        "UPDATE replicator.source_state SET released_deletions = %s, released_at = clock_timestamp() WHERE account = %s",
        [count, account],
    )


def listed(connection: psycopg.Connection[Any], account: str, limit: int) -> list[tuple[Any, ...]]:
    """Return open and past absences, newest first.

    Each is (call id, created, last seen, first missing, state, confirmed, ended).
    """
    return connection.execute(
        "SELECT call_id, call_created_at, last_seen_at, first_missing_at, state, misses, confirmed_at, ended_at "
        "FROM replicator.absences WHERE account = %s ORDER BY id DESC LIMIT %s",
        [account, limit],
    ).fetchall()
