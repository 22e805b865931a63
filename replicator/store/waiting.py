"""Who keeps a migration waiting: looked up beside it, because a session that waits cannot ask.

PostgreSQL says that a lock was not to be had, and not whose it was. As far as this user may see the other sessions, the message
names their process, user and program, so that somebody can end them or talk to them.
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
    """Those who were last seen to keep a session waiting, one phrase each."""

    last: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(self.last) or "a session that was not seen any more"


@contextmanager
def watched(engine: sa.Engine, pid: int) -> Iterator[Holders]:
    """Look every second whom the session `pid` waits for, while the body runs; the answer is read after it."""
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
            return  # no second connection is to be had: the message does without the name
        if found:
            holders.last = found


def _phrase(pid: int, user: str, program: str, state: str, seconds: int | None) -> str:
    details = [f"user {user}", *([program] if program else []), *([state] if state else [])]
    if seconds is not None:
        details.append(f"in a transaction for {seconds} s")
    return f"process {pid} ({', '.join(details)})"
