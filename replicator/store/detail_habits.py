"""Stores what the looks at an account's transcripts and recordings usually find (sync/content/habit.py has the rules)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import psycopg

    from replicator.store.rows import Kind

HabitRow = tuple[Any, ...]
"""(looks that found it, looks that did not, the latest looks as a text of 1 and 0, when the present wave began or None)"""


def load(connection: psycopg.Connection[Any], account: str) -> dict[Kind, HabitRow]:
    """Return {kind: what is stored}; a kind is missing where nothing was looked at yet."""
    rows = connection.execute(
        "SELECT kind, found, absent, recent, wave_since FROM replicator.detail_habits WHERE account = %s", [account]
    )
    return {kind: tuple(row) for kind, *row in rows}


def save(tx: psycopg.Connection[Any], account: str, habits: Mapping[Kind, HabitRow]) -> None:
    """Store what has changed."""
    for kind, row in habits.items():
        tx.execute(
            "INSERT INTO replicator.detail_habits (account, kind, found, absent, recent, wave_since) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (account, kind) DO UPDATE SET found = excluded.found, "
            "absent = excluded.absent, recent = excluded.recent, wave_since = excluded.wave_since",
            [account, kind, *row],
        )


def waves(connection: psycopg.Connection[Any], account: str) -> dict[str, datetime]:
    """Return {kind: since when far more of its details are absent than usual}."""
    rows = connection.execute(
        "SELECT kind, wave_since FROM replicator.detail_habits WHERE account = %s AND wave_since IS NOT NULL", [account]
    )
    return dict(rows.fetchall())
