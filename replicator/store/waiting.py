"""Finds the sessions for which a migration waits, over a second connection, because a waiting session cannot ask.

PostgreSQL reports that a lock could not be had, and not who holds it. As far as this user may see the other sessions,
the message names their process, user and program, so that an operator can act.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_SECONDS = 1.0
_BLOCKING = sa.text("""
SELECT a.pid, coalesce(a.usename, '?') AS usename, coalesce(a.application_name, '') AS program, coalesce(a.state, '') AS state,
    extract(epoch FROM clock_timestamp() - a.xact_start)::bigint AS seconds
FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids(:pid)) ORDER BY a.pid
""")


@dataclass(slots=True)
class Holders:
    """The sessions that were last seen to block a session, one phrase each."""

    last: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(self.last) or "a session that was not seen any more"


@contextmanager
def watched(engine: sa.Engine, pid: int) -> Iterator[Holders]:
    """Find every second, while the body runs, for whom the session `pid` waits; the result is read after it."""
    holders, over = Holders(), threading.Event()
    thread = threading.Thread(target=_watch, args=(engine, pid, holders, over), name="holders", daemon=True)
    thread.start()
    try:
        yield holders
    finally:
        over.set()
        thread.join(2 * EVERY_SECONDS)


def _watch(engine: sa.Engine, pid: int, holders: Holders, over: threading.Event) -> None:
    while not over.wait(EVERY_SECONDS):
        try:
            with engine.connect() as connection:
                found = [_phrase(*row) for row in connection.execute(_BLOCKING, {"pid": pid})]
        except SQLAlchemyError:
            return  # no second connection is possible, so the message names no session
        if found:
            holders.last = found


def _phrase(pid: int, user: str, program: str, state: str, seconds: int | None) -> str:
    details = [f"user {user}", *([program] if program else []), *([state] if state else [])]
    if seconds is not None:
        details.append(f"in a transaction for {seconds} s")
    return f"process {pid} ({', '.join(details)})"
