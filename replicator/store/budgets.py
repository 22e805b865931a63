"""The stored request budgets: for each key of an account what was learned of its limit, and what each window was charged with.

Charges are durable before a request is sent; what they mean is in budget/rules.py.
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
    """Return the name under which a key's budget is kept: a hash, which the key cannot be read from."""
    return hashlib.sha256(b"truedy-replicator budget\0" + key.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class BudgetKey:
    """Whose budget it is: a key, by its id, that an account uses."""

    account: str
    key_id: str


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What is kept of one key's budget. Offsets are the server's clock minus ours, in seconds."""

    request_limit: int | None
    not_before: datetime | None
    offset_low_seconds: float | None
    offset_high_seconds: float | None
    charged: Mapping[int, int]


def load_budget(connection: psycopg.Connection[Any], key: BudgetKey) -> BudgetRow:
    """Return the books of one key; empty ones where it is new."""
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


def save_budget(connection: psycopg.Connection[Any], key: BudgetKey, window_seconds: float, row: BudgetRow) -> None:
    """Keep what was learned of the limit and of the clocks."""
    connection.execute(
        "INSERT INTO replicator.budgets (account, key_id, request_limit, window_seconds, not_before, offset_low_seconds, "
        "offset_high_seconds) VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (account, key_id) DO UPDATE SET "
        "request_limit = excluded.request_limit, window_seconds = excluded.window_seconds, "
        "not_before = excluded.not_before, offset_low_seconds = excluded.offset_low_seconds, "
        "offset_high_seconds = excluded.offset_high_seconds",
        [
            key.account,
            key.key_id,
            row.request_limit,
            window_seconds,
            row.not_before,
            row.offset_low_seconds,
            row.offset_high_seconds,
        ],
    )


def charge(database: Database, key: BudgetKey, windows: Mapping[int, int], limit: int, oldest_kept: int) -> bool:
    """Charge requests to windows, durably, before they are sent: all or nothing.

    False where another process has used the windows up meanwhile: the caller loads the books again.
    """
    is_charged = False
    with database.transaction() as tx:
        for window, requests in sorted(windows.items()):
            row = tx.execute(
                "INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = b.charged + excluded.charged "
                "WHERE b.charged + excluded.charged <= %s RETURNING charged",
                [key.account, key.key_id, window, requests, limit],
            ).fetchone()
            if row is None or row[0] > limit:
                raise psycopg.Rollback
        tx.execute(
            "DELETE FROM replicator.budget_windows WHERE account = %s AND key_id = %s AND window_number < %s",
            [key.account, key.key_id, oldest_kept],
        )
        is_charged = True
    return is_charged


def add_charges(tx: psycopg.Connection[Any], key: BudgetKey, windows: Mapping[int, int]) -> None:
    """Charge requests that were sent already and may count in these windows too."""
    for window, requests in sorted(windows.items()):
        tx.execute(
            "INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = b.charged + excluded.charged",
            [key.account, key.key_id, window, requests],
        )


def restore_charges(tx: psycopg.Connection[Any], key: BudgetKey, windows: Mapping[int, int]) -> None:
    """Charge these windows with so much at least: the database has forgotten charges of requests that were sent."""
    for window, requests in sorted(windows.items()):
        tx.execute(
            "INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = greatest(b.charged, excluded.charged)",
            [key.account, key.key_id, window, requests],
        )
