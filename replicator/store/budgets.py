"""Stores the request budget of each key of an account: what is known of its limit, and the charges of each window.

Charges are committed before a request is sent. budget/rules.py says what they mean.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from replicator.store.database import Database


def key_id(key: str) -> str:
    """Return the id under which a key's budget is stored: a hash from which the key cannot be computed."""
    return hashlib.sha256(b"truedy-replicator budget\0" + key.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class BudgetKey:
    """Identifies a budget: an account, and the id of the key that it uses."""

    account: str
    key_id: str


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """The stored budget of one key. Offsets are the server's clock minus ours, in seconds."""

    request_limit: int | None
    not_before: datetime | None
    offset_low_seconds: float | None
    offset_high_seconds: float | None
    charged: Mapping[int, int]


def load_budget(connection: psycopg.Connection[Any], key: BudgetKey) -> BudgetRow:
    """Return the stored budget of one key; an empty one where the key is new."""
    row = connection.execute(
        "SELECT request_limit, not_before, offset_low_seconds::float8, offset_high_seconds::float8 "
        "FROM replicator.budgets WHERE account = %s AND key_id = %s",
        [key.account, key.key_id],
    ).fetchone()
    charged = connection.execute(
        "SELECT window_number, charged FROM replicator.budget_windows WHERE account = %s AND key_id = %s",
        [key.account, key.key_id],
    ).fetchall()
    limit, not_before, low, high = row or (None, None, None, None)
    return BudgetRow(limit, not_before, low, high, dict(charged))


@dataclass(frozen=True, slots=True)
class Kept:
    """Which stored refusals stay beside what a process writes: a limit that was learned since `since`, and a `not_before` up to
    `latest`. A later one is of another clock.
    """

    since: datetime
    latest: datetime


def save_budget(
    connection: psycopg.Connection[Any], key: BudgetKey, window_seconds: float, row: BudgetRow, kept: Kept
) -> None:
    """Store what was learned about the limit and the clocks. What another process was refused stays stored, because this one
    may not know of it.
    """
    connection.execute(
        "INSERT INTO replicator.budgets AS b (account, key_id, request_limit, window_seconds, not_before, offset_low_seconds, "
        "offset_high_seconds) VALUES (%(account)s, %(key)s, %(limit)s, %(window)s, %(not_before)s, %(low)s, %(high)s) "
        "ON CONFLICT (account, key_id) DO UPDATE SET "
        "request_limit = least(excluded.request_limit, CASE WHEN b.not_before > %(since)s THEN b.request_limit END), "
        "window_seconds = excluded.window_seconds, "
        "not_before = greatest(excluded.not_before, CASE WHEN b.not_before <= %(latest)s THEN b.not_before END), "
        "offset_low_seconds = excluded.offset_low_seconds, offset_high_seconds = excluded.offset_high_seconds",
        {
            "account": key.account,
            "key": key.key_id,
            "limit": row.request_limit,
            "window": window_seconds,
            "not_before": row.not_before,
            "low": row.offset_low_seconds,
            "high": row.offset_high_seconds,
            "since": kept.since,
            "latest": kept.latest,
        },
    )


@dataclass(frozen=True, slots=True)
class Charges:
    """Requests that are about to be sent."""

    windows: Mapping[int, tuple[int, int]]
    """{window: (requests, the most that may be charged to it with them)}"""
    oldest_kept: int
    """Windows before this one are removed."""
    now: datetime
    latest: datetime
    """The latest `not_before` that is believed."""


_CHARGE = """
INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged)
SELECT %(account)s, %(key)s, %(window)s, %(requests)s
WHERE NOT EXISTS (
    SELECT FROM replicator.budgets r
    WHERE r.account = %(account)s AND r.key_id = %(key)s AND r.not_before > %(now)s AND r.not_before <= %(latest)s
)
ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = b.charged + excluded.charged
WHERE b.charged + excluded.charged <= %(limit)s
RETURNING charged
"""


def charge(database: Database, key: BudgetKey, charges: Charges) -> bool:
    """Charge requests to all of these windows or to none, and commit, before they are sent.

    False where another process has used the windows up meanwhile, or was refused: then the caller must load the budget again.
    """
    is_charged = False
    with database.transaction() as tx:
        for window, (requests, limit) in sorted(charges.windows.items()):
            row = tx.execute(
                _CHARGE,
                {
                    "account": key.account, "key": key.key_id, "window": window, "requests": requests, "limit": limit,
                    "now": charges.now, "latest": charges.latest,
                },
            ).fetchone()  # fmt: skip
            if row is None or row[0] > limit:
                raise psycopg.Rollback
        tx.execute(
            "DELETE FROM replicator.budget_windows WHERE account = %s AND key_id = %s AND window_number < %s",
            [key.account, key.key_id, charges.oldest_kept],
        )
        is_charged = True
    return is_charged


def add_charges(tx: psycopg.Connection[Any], key: BudgetKey, windows: Mapping[int, int]) -> None:
    """Charge requests that were already sent and may count in these windows too."""
    for window, requests in sorted(windows.items()):
        tx.execute(
            "INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = b.charged + excluded.charged",
            [key.account, key.key_id, window, requests],
        )


def restore_charges(tx: psycopg.Connection[Any], key: BudgetKey, windows: Mapping[int, int]) -> None:
    """Raise the charges of these windows to at least so much: the database has lost charges of
    requests that were sent.
    """
    for window, requests in sorted(windows.items()):
        tx.execute(
            "INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = greatest(b.charged, excluded.charged)",
            [key.account, key.key_id, window, requests],
        )
