"""Locks for work on the whole database, such as refreshing roll-ups: one session at a time, until its transaction ends.

Each account has its own lease (lease.py), so services of several accounts work side by side. They share the roll-ups
and the planner's statistics. If one service is working on these, another does not wait, and leaves the work to it. A
lock is a row, which readers may not lock. An advisory lock could be taken, and kept, by any user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import psycopg

Name = Literal["roll-ups", "statistics"]


def take(tx: psycopg.Connection[Any], name: Name) -> bool:
    """Take a lock until the transaction ends; return False, without waiting, where another session has it."""
    if tx.execute("SELECT 1 FROM replicator.locks WHERE name = %s FOR UPDATE SKIP LOCKED", [name]).fetchone():
        return True
    if tx.execute("SELECT 1 FROM replicator.locks WHERE name = %s", [name]).fetchone():
        return False
    # The row was removed: by a restore of the tables without their contents, for example.
    new = "INSERT INTO replicator.locks (name) VALUES (%s) ON CONFLICT DO NOTHING RETURNING 1"
    return tx.execute(new, [name]).fetchone() is not None
