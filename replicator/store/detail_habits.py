"""Stores how many of an account's transcripts and recordings were found and are absent, by when they were first looked at
(sync/content/habit.py has the rules).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import psycopg

    from replicator.store.rows import Kind


def load(connection: psycopg.Connection[Any], account: str, kind: Kind) -> list[tuple[datetime, int, int]]:
    """Return (when the group begins, details found, details absent) of one kind, oldest first."""
    return connection.execute(
        "SELECT since, found, absent FROM replicator.detail_habits WHERE account = %s AND kind = %s ORDER BY since",
        [account, kind],
    ).fetchall()


def count(
    tx: psycopg.Connection[Any], account: str, group: datetime, looks: Mapping[tuple[Kind, datetime], tuple[int, int]]
) -> None:
    """Count details as found and as absent (changes of both, by kind and first look).

    A first look at or after `group` belongs to that group, which is made where there is none; an earlier one belongs to
    the last group that began before it. No count becomes negative, where a group was forgotten or began in between.
    """
    added: dict[tuple[Kind, datetime], tuple[int, int]] = {}
    for (kind, first_look), (found, absent) in looks.items():
        key = kind, min(first_look, group)
        before = added.get(key, (0, 0))
        added[key] = before[0] + found, before[1] + absent
    for (kind, at), (found, absent) in added.items():
        values = {"account": account, "kind": kind, "at": at, "found": found, "absent": absent}
        if at == group:
            tx.execute(
                "INSERT INTO replicator.detail_habits AS h (account, kind, since, found, absent) VALUES (%(account)s, "
                "%(kind)s, %(at)s, %(found)s, greatest(%(absent)s, 0)) ON CONFLICT (account, kind, since) DO UPDATE SET "
                "found = h.found + excluded.found, absent = greatest(h.absent + %(absent)s, 0)",
                values,
            )
        else:
            tx.execute(
                "UPDATE replicator.detail_habits SET found = found + %(found)s, absent = greatest(absent + %(absent)s, 0) "
                "WHERE account = %(account)s AND kind = %(kind)s AND since = (SELECT max(since) FROM "
                "replicator.detail_habits WHERE account = %(account)s AND kind = %(kind)s AND since <= %(at)s)",
                values,
            )


def forget(tx: psycopg.Connection[Any], account: str, before: datetime) -> None:
    """Remove groups that began before an instant."""
    tx.execute("DELETE FROM replicator.detail_habits WHERE account = %s AND since < %s", [account, before])
