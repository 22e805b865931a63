"""Keeps the reports' roll-ups, and the statistics of grown tables, up to date beside a run, in a thread of its own.

Reports are right without it, as days that were touched are counted from the calls; this makes them fast again. It rests
ten times as long as it works, so that a long first sync loses little to it, and it needs no lease: it computes what
anybody would compute.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from replicator.errors import DatabaseError
from replicator.store import rollups, statistics
from replicator.store.migrate import bundled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replicator.store.database import Database

PAUSE_SECONDS = 5.0
AT_MOST_WAITED_SECONDS = 5.0
"""A stop does not wait longer for days that are being computed: they stay touched, and their transaction ends with us."""
REST = 10
"""Seconds of rest for each second of work."""
AT_THE_END_SECONDS = 60.0


@contextmanager
def refreshed(
    database: Database, stop: threading.Event, *, at_the_end_seconds: float = AT_THE_END_SECONDS
) -> Iterator[None]:
    """Refresh roll-ups while the body runs, and at its end for so many seconds, or until `stop`; the rest stays touched.

    Raises the DatabaseError that refreshing ends with. One in the middle is not fatal: it is tried again.
    """
    kept = rollups.daily(bundled("sql"))
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=(database, kept, over), name="roll-ups", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(AT_MOST_WAITED_SECONDS)
    until = time.monotonic() + at_the_end_seconds

    def go_on() -> bool:
        return not stop.is_set() and time.monotonic() < until

    statistics.refresh(database, go_on=go_on)
    rollups.refresh(database, kept, go_on=go_on)
    statistics.refresh(database, go_on=go_on)


def _keep(database: Database, kept: Sequence[rollups.Rollup], over: threading.Event) -> None:
    pause = PAUSE_SECONDS
    while not over.wait(pause):
        began = time.monotonic()
        try:
            statistics.refresh(database, go_on=lambda: not over.is_set())
            rollups.refresh(database, kept, go_on=lambda: not over.is_set())
        except DatabaseError:
            # The run beside it meets the same database and says so; what is touched stays touched.
            pause = PAUSE_SECONDS * REST
        else:
            pause = max(PAUSE_SECONDS, REST * (time.monotonic() - began))
