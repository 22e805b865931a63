"""What concerns the whole database is done by one session at a time: a row that is locked until its transaction ends.

Each account has a lease of its own (lease.py), so services of several accounts work beside each other. They share the
roll-ups and the planner's statistics: where one service is working on these, another one does not wait, and leaves them to
it. Readers may not lock the rows; an advisory lock anybody may take and keep.
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
    # Somebody removed the row: a restore of the tables without their contents, for example.
    new = "INSERT INTO replicator.locks (name) VALUES (%s) ON CONFLICT DO NOTHING RETURNING 1"
    return tx.execute(new, [name]).fetchone() is not None
