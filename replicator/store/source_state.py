"""Stores the state of an account's source: base URL, its total, what an operator released, and how late updates are
seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg


@dataclass(frozen=True, slots=True)
class SourceRow:
    """The stored state of the source: when its head was read, stored live calls, unexplained difference, released
    deletions, when it was read through filters, renewal credit, and the total at which its list is capped.
    """

    base_url: str | None = None
    head_at: datetime | None = None
    live_calls: int | None = None
    difference: int | None = None
    released_deletions: int | None = None
    sliced_at: datetime | None = None
    renewal_credit: float = 0.0
    renewal_credit_at: datetime | None = None
    run_begun_at: datetime | None = None
    run_seen_at: datetime | None = None
    """When the latest run began and when it last committed, by its own clock."""
    capped_at: int | None = None


def load_source(connection: psycopg.Connection[Any], account: str) -> SourceRow:
    """Return the stored state of the source; an empty row where the account is new."""
    row = connection.execute(
        "SELECT base_url, head_at, live_calls, difference, released_deletions, sliced_at, renewal_credit, renewal_credit_at, "
        "run_begun_at, run_seen_at, capped_at FROM replicator.source_state WHERE account = %s",
        [account],
    ).fetchone()
    return SourceRow(*row) if row else SourceRow()


def save_source(
    tx: psycopg.Connection[Any], account: str, row: SourceRow, total: int | None, *, is_identified: bool
) -> None:
    """Store the state of the source after a commit, and its total; what an operator released stays as it is.

    The base URL of a source that was read before changes only when this run has recognised its source and read the head:
    a run with a wrong one reads nothing, and says nothing of where the stored calls came from.
    """
    tx.execute(
        "INSERT INTO replicator.source_state AS s (account, base_url, head_at, total, live_calls, difference, "
        "sliced_at, identified_at, total_at, renewal_credit, renewal_credit_at, run_begun_at, run_seen_at, capped_at) "
        "VALUES (%(account)s, %(url)s, %(at)s::timestamptz, %(total)s::bigint, %(live)s::bigint, %(difference)s::bigint, %(sliced_at)s::timestamptz, "
        "CASE WHEN %(is_identified)s THEN %(at)s::timestamptz END, "
        "CASE WHEN %(total)s::bigint IS NOT NULL THEN %(at)s::timestamptz END, "
        "%(credit)s, %(credit_at)s::timestamptz, %(begun_at)s::timestamptz, %(seen_at)s::timestamptz, %(capped_at)s::bigint) "
        "ON CONFLICT (account) DO UPDATE SET base_url = CASE WHEN excluded.identified_at IS NOT NULL OR s.head_at IS NULL "
        "THEN excluded.base_url ELSE s.base_url END, "
        "head_at = greatest(s.head_at, excluded.head_at), total = coalesce(excluded.total, s.total), "
        "live_calls = coalesce(excluded.live_calls, s.live_calls), difference = excluded.difference, sliced_at = excluded.sliced_at, "
        "identified_at = greatest(s.identified_at, excluded.identified_at), "
        "total_at = coalesce(excluded.total_at, s.total_at), renewal_credit = excluded.renewal_credit, "
        "renewal_credit_at = excluded.renewal_credit_at, run_begun_at = excluded.run_begun_at, "
        "run_seen_at = excluded.run_seen_at, capped_at = excluded.capped_at",
        {
            "account": account, "url": row.base_url, "at": row.head_at, "total": total, "live": row.live_calls,
            "difference": row.difference, "sliced_at": row.sliced_at, "is_identified": is_identified,
            "credit": row.renewal_credit, "credit_at": row.renewal_credit_at, "begun_at": row.run_begun_at,
            "seen_at": row.run_seen_at, "capped_at": row.capped_at,
        },
    )  # fmt: skip


def save_policy(
    tx: psycopg.Connection[Any],
    account: str,
    base_url: str,
    requests_per_minute: float | None,
    renewal_share: float,
    classes: Sequence[tuple[int, float, float | None, float]],
) -> None:
    """Store what the delays of updates are computed from: the budget (requests a minute, None: no limit), the share of
    it for re-reading, and the renewal policy.

    Each class is (number, least age, greatest age or None, time between two looks), in seconds.
    """
    tx.execute(
        "INSERT INTO replicator.source_state AS s (account, base_url, requests_per_minute, renewal_share) "
        "VALUES (%s, %s, %s, %s) ON CONFLICT (account) DO UPDATE SET "
        "requests_per_minute = excluded.requests_per_minute, renewal_share = excluded.renewal_share "
        "WHERE (s.requests_per_minute, s.renewal_share) IS DISTINCT FROM "
        "(excluded.requests_per_minute, excluded.renewal_share)",
        [account, base_url, requests_per_minute, renewal_share],
    )
    tx.execute(
        "DELETE FROM replicator.renewal_classes WHERE account = %s AND class_number > %s", [account, len(classes)]
    )
    tx.cursor().executemany(
        "INSERT INTO replicator.renewal_classes AS k (account, class_number, min_age_seconds, max_age_seconds, "
        "every_seconds) VALUES (%s, %s, %s, %s, %s) ON CONFLICT (account, class_number) DO UPDATE SET "
        "min_age_seconds = excluded.min_age_seconds, max_age_seconds = excluded.max_age_seconds, "
        "every_seconds = excluded.every_seconds WHERE (k.min_age_seconds, k.max_age_seconds, k.every_seconds) "
        "IS DISTINCT FROM (excluded.min_age_seconds, excluded.max_age_seconds, excluded.every_seconds)",
        [(account, *row) for row in classes],
    )


def recount(tx: psycopg.Connection[Any], account: str) -> None:
    """Record that calls were written outside of a run, so that the next run counts the live calls anew."""
    tx.execute("UPDATE replicator.source_state SET live_calls = NULL WHERE account = %s", [account])


def forget_release(tx: psycopg.Connection[Any], account: str) -> None:
    """Remove the operator's release, which is used up."""
    tx.execute(
        "UPDATE replicator.source_state SET released_deletions = NULL WHERE account = %s "
        "AND released_deletions IS NOT NULL",
        [account],
    )


def reads_apart_until(connection: psycopg.Connection[Any], account: str) -> datetime | None:
    """Return until when answers are read in a separate process, or None where they never were."""
    row = connection.execute(
        "SELECT reads_apart_until FROM replicator.source_state WHERE account = %s", [account]
    ).fetchone()
    return row[0] if row else None


def read_apart(tx: psycopg.Connection[Any], account: str, until: datetime) -> None:
    """Store until when answers are read in a separate process."""
    tx.execute("UPDATE replicator.source_state SET reads_apart_until = %s WHERE account = %s", [until, account])
